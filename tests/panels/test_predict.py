"""Predict: the truth stays in Python until it is asked for, the guess is fixed then, and both are told truly."""

from __future__ import annotations

import io
import json
import math
import threading

import numpy as np
import patience
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import toolkit as tk
from toolkit.engine.worker import Worker
from toolkit.errors import InputError
from toolkit.explanations.workbook import Workbook, workbook
from toolkit.panels.predict.panel import Predict

SECRET = 271.828
FOUR = ("layer 0", "layer 1", "layer 2", "layer 3")


class Book:
    """A workbook that only remembers."""

    def __init__(self):
        self.rows = []

    def predicted(self, **row):
        self.rows.append(row)


def asked(truth=None, **more):
    given_ = {"low": 0, "high": 100, "unit": "%", "workbook": Book(), "engine": tk.Engine()} | more
    return Predict("How many of 100?", truth, **given_)


def chosen(truth=None, **more):
    given_ = {"options": FOUR, "workbook": Book(), "engine": tk.Engine()} | more
    return Predict("Which layer?", truth, **given_)


def sent(panel):
    """Everything the browser, a saved notebook or a print gets."""
    data, _ = panel._repr_mimebundle_()
    return json.dumps(panel.get_state(), default=str) + data["text/plain"] + repr(panel) + panel._kept_words


def test_nothing_of_the_truth_leaves_python_before_it_is_asked_for():
    panel = asked(SECRET, high=1000, because="for it is Euler's")
    before = panel.png()
    other = asked(1.5, high=1000, because="another")
    assert before == other.png(), "the kept picture"
    for guess in (None, 60):
        panel.guess = guess
        assert "271" not in sent(panel)
        assert "Euler" not in sent(panel)
        assert panel.truth is None
        assert (panel.revealed, panel.miss, panel.right) == (False, None, None)
    panel.reveal()
    assert "271.8" in sent(panel)
    assert "Euler" in sent(panel)
    assert panel.truth == SECRET
    assert panel.png() != before


def test_nothing_of_a_table_leaves_python_either():
    panel = chosen(dict(zip(FOUR, (0.1, SECRET, 0.3, math.nan), strict=True)))
    panel.guess = "layer 1"
    assert "271" not in sent(panel)
    panel.reveal()
    assert "271.8" in sent(panel)


numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers, min_size=4, max_size=4, unique=True), st.booleans())
def test_any_guess_and_truth_are_told_as_they_are(four, guessing):
    low, guess, high = sorted(four[:3])
    truth = four[3]
    panel = Predict("How many?", truth, low=low, high=high, workbook=Book(), engine=tk.Engine())
    panel.guess = guess if guessing else None
    panel.reveal()
    answer = panel._answer
    ends = panel.prediction.axis
    assert ends[0] <= min(low, truth)
    assert ends[1] >= max(high, truth)
    if low <= truth <= high:
        assert ends == (low, high)
    assert answer["truth_at"] == pytest.approx((truth - ends[0]) / (ends[1] - ends[0]))
    assert 0 <= answer["truth_at"] <= 1
    if not guessing:
        assert panel.miss is answer["guess_at"] is None
        assert "No guess was made" in panel.summary
        return
    assert panel.miss == guess - truth
    assert (answer["guess_at"] - answer["truth_at"]) * panel.miss >= 0, "the ghost is on the other side"
    if answer["difference"]:
        assert ("too high" in panel.summary) == (guess > truth)
    with pytest.raises(InputError, match="after the truth was shown"):
        panel.guess = low
    assert panel.guess == guess


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=2, max_size=12), st.data())
def test_any_options(options, data):
    fits = all(o.strip() for o in options) and len(set(options)) == len(options)
    if not fits:
        with pytest.raises(InputError, match="2 to 12 different texts"):
            chosen(options=options)
        return
    values = data.draw(
        st.lists(st.floats(-1e300, 1e300) | st.just(math.nan), min_size=len(options), max_size=len(options))
    )
    truth = dict(zip(options, values, strict=True))
    if all(map(math.isnan, values)):
        with pytest.raises(InputError, match="missing for every option"):
            chosen(truth, options=options)
        return
    panel = chosen(truth, options=options)
    panel.guess = data.draw(st.sampled_from(options))
    panel.reveal()
    largest = max(v for v in values if not math.isnan(v))
    assert panel.right == (truth[panel.guess] == largest)
    rows = {row["name"]: row for row in panel._answer["rows"]}
    assert {name for name, row in rows.items() if row["right"]} == {o for o in options if truth[o] == largest}
    assert [name for name, row in rows.items() if row["guessed"]] == [panel.guess]
    for name, row in rows.items():
        assert (row["bar"] is None) == math.isnan(truth[name])
        assert row["bar"] is None or 0 <= row["bar"]["start"] <= row["bar"]["end"] <= 1
    with pytest.raises(InputError, match="after the truth was shown"):
        panel.guess = next(o for o in options if o != panel.guess)


def test_words_before_and_after():
    panel = asked(34.2)
    assert panel.summary == "How many of 100? From 0 to 100 %. No guess yet."
    panel.guess = 60
    assert panel.summary == "How many of 100? From 0 to 100 %. Guess: 60 %. Not revealed."
    panel.reveal()
    assert panel.summary == "How many of 100? You expected 60 %, it is 34.2 %: 25.8 points too high."
    assert panel._kept_words == panel.summary
    assert repr(panel) == f"Predict({panel.summary})"
    panel = chosen("layer 1", because="It is the deepest.")
    panel.guess = "layer 1"
    assert panel.summary.endswith("Options: layer 0; layer 1; layer 2; layer 3. Guess: “layer 1”. Not revealed.")
    panel.reveal()
    assert panel.summary == "Which layer? You expected “layer 1”, and so it is. It is the deepest."
    panel = chosen({"layer 0": 0.2, "layer 1": 0.5, "layer 2": math.nan, "layer 3": -0.1}, unit="cosine")
    panel.guess = "layer 2"
    panel.reveal()
    assert panel.summary == (
        "Which layer? You expected “layer 2” (missing); it is “layer 1” (0.5 cosine). "
        "All of them: layer 0 0.2 cosine; layer 1 0.5 cosine; layer 2 missing; layer 3 −0.1 cosine."
    )


@pytest.mark.parametrize(
    ("guess", "truth", "low", "high", "unit", "words"),
    [
        (50, 50, 0, 100, "%", "You expected 50 %, and 50 % it is."),
        (51, 50, 0, 100, "%", "1 point too high."),
        (1, 3, 0, 12, "heads", "You expected 1 heads, it is 3 heads: 2 heads too low."),
        (0.25, -0.125, -1, 1, "", "You expected 0.25, it is −0.125: 0.375 too high."),
        (90, 134.2, 0, 100, "%", "44.2 points too low. That is outside the range asked about, 0 to 100 %."),
        (2e9, 1e9, 0, 4e9, "parameters", "it is 1e+09 parameters"),
    ],
)
def test_numbers_in_words(guess, truth, low, high, unit, words):
    panel = Predict("?", truth, low=low, high=high, unit=unit, workbook=Book(), guess=guess)
    panel.reveal()
    assert words in panel.summary


def test_a_truth_outside_widens_the_axis():
    panel = asked(134.2)
    panel.reveal()
    assert panel._answer["ends"] == {"low": "0 %", "high": "140 %"}
    assert panel._answer["asked"] == pytest.approx({"low": 0, "high": 100 / 140})
    panel = asked(-3.0)
    panel.reveal()
    assert panel.prediction.axis == (-20.0, 100.0)


def test_without_a_guess():
    panel = asked(34.2)
    panel.reveal()
    assert panel.revealed
    assert panel.miss is None
    assert panel.summary == "How many of 100? It is 34.2 %. No guess was made."
    with pytest.raises(InputError, match="after the truth was shown"):
        panel.guess = 3


def test_a_truth_that_comes_later():
    panel = asked()
    panel.guess = 50
    assert panel._known is False
    with pytest.raises(InputError, match="no truth"):
        panel.reveal()
    assert not panel.revealed
    panel.reveal(np.float32(48.5))
    assert panel.truth == 48.5
    assert panel.miss == 1.5
    panel.reveal()
    panel.reveal(49)
    assert (panel.truth, panel.guess, panel.miss) == (49.0, 50.0, 1.0)
    assert [row["truth"] for row in panel._workbook.rows] == [48.5, 49.0]


@pytest.mark.parametrize("engine", [tk.Engine, Worker])
def test_a_callable_runs_when_it_is_asked_for_and_may_fail_first(engine):
    tries, threads = [], []

    def work():
        tries.append(1)
        threads.append(threading.current_thread())
        if len(tries) == 1:
            raise KeyError("no such head")
        return {"layer 0": 1, "layer 1": 2, "layer 2": 0, "layer 3": 0}

    panel = chosen(work, engine=engine())
    panel.guess = "layer 1"
    assert tries == []
    panel.reveal()
    assert panel.engine.wait(patience.seconds())
    assert "KeyError" in panel.error
    assert "no such head" in panel.error
    assert "To fix: mend what it calls, then reveal again" in panel.error
    assert not panel.revealed
    assert panel._work == []
    panel.guess = "layer 0"
    panel.set_state({"_asked": [{"id": "a 1", "do": "reveal"}]})
    assert panel.engine.wait(patience.seconds())
    assert panel.error == ""
    assert panel.revealed
    assert panel.right is False
    assert panel.truth == {"layer 0": 1, "layer 1": 2, "layer 2": 0, "layer 3": 0}
    assert len(panel._workbook.rows) == 1
    assert (threads[0] is threading.main_thread()) == (engine is tk.Engine)


def test_a_callable_that_returns_no_truth():
    panel = asked(lambda: "many")
    panel.reveal()
    assert "the truth 'many'" in panel.error
    assert "a finite number" in panel.error
    assert not panel.revealed


def test_the_workbook_gets_what_was_revealed():
    panel = asked(34.2)
    panel.guess = 60
    assert panel._workbook.rows == []
    panel.reveal()
    row = {"question": "How many of 100?", "guess": 60.0, "truth": 34.2, "unit": "%", "options": None}
    assert panel._workbook.rows == [row]
    panel = chosen("layer 2")
    panel.reveal()
    assert panel._workbook.rows[0]["options"] == list(FOUR)
    assert panel._workbook.rows[0]["guess"] is None


def test_the_kernel_s_workbook_by_default_and_one_that_cannot_be_written(monkeypatch):
    monkeypatch.setattr("toolkit.explanations.workbook._current", Workbook())
    panel = Predict("How many of them?", 3, low=0, high=12, engine=tk.Engine(), guess=4)
    panel.reveal()
    (row,) = workbook().predictions
    assert (row["question"], row["guess"], row["truth"]) == ("How many of them?", 4, 3)

    class Full(Book):
        def predicted(self, **row):
            raise OSError("no space left")

    panel = asked(3, workbook=Full())
    panel.reveal()
    assert panel.revealed
    assert "no space left" in panel.error


def test_the_browser_is_checked_as_python_is():
    panel = asked(34.2)
    panel.set_state({"guess": 60})
    assert panel.guess == 60.0
    panel.set_state({"guess": 160})
    assert panel.guess == 60.0
    assert "a number from 0 to 100 %" in panel.error
    panel.set_state({"guess": None})
    assert (panel.guess, panel.error) == (None, "")
    panel.set_state({"guess": 10, "_asked": [{"id": "b 1", "do": "reveal"}]})
    assert panel.miss == pytest.approx(-24.2)
    panel.set_state({"guess": 34.2})
    assert panel.guess == 10
    assert "after the truth was shown" in panel.error


def test_guess_and_truth_may_be_observed():
    panel, seen = asked(34.2), []
    panel.observe(lambda change: seen.append((change["name"], change["new"])), ["guess", "revealed", "truth"])
    panel.guess = 12
    panel.reveal()
    assert seen == [("guess", 12.0), ("truth", 34.2), ("revealed", True)]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"low": None}, "two finite numbers"),
        ({"low": 3, "high": 3}, "low < high"),
        ({"high": math.inf}, "two finite numbers"),
        ({"low": -1e308, "high": 1e308}, "two finite numbers"),
        ({"low": True}, "two finite numbers"),
        ({"low": None, "high": None}, "neither options nor a range"),
        ({"options": FOUR}, "options and a range"),
        ({"step": 0}, "step=0"),
        ({"step": 1e-9}, "high − low"),
        ({"unit": 3}, "unit=3"),
        ({"because": None}, "because=None"),
        ({"truth": math.nan}, "the truth nan"),
        ({"truth": "many"}, "a finite number"),
        ({"truth": {"a": 1}}, "a finite number"),
        ({"truth": True}, "a finite number"),
        ({"guess": 101}, "a number from 0 to 100 %"),
        ({"guess": "60"}, "a number from 0 to 100 %"),
        ({"workbook": "mine.json"}, "a workbook, or None"),
        ({"title": "x"}, "title="),
        ({"unti": "%"}, "did you mean 'unit'"),
    ],
)
def test_bad_arguments_of_numbers(more, words):
    with pytest.raises(InputError, match=words):
        asked(more.pop("truth", 3), **more)


@pytest.mark.parametrize(
    ("truth", "more", "words"),
    [
        ("layer 9", {}, "one of the options"),
        (3, {}, "a int as truth"),
        ({"layer 0": 1}, {}, "'layer 1' wrong or missing"),
        (dict.fromkeys((*FOUR, "layer 4"), 1), {}, "'layer 4' wrong or missing"),
        (dict.fromkeys(FOUR, math.inf), {}, "'layer 0' wrong or missing"),
        (dict.fromkeys(FOUR, math.nan), {}, "missing for every option"),
        (None, {"options": ["one"]}, "2 to 12"),
        (None, {"options": "abc"}, "2 to 12"),
        (None, {"options": ["a", 3]}, "2 to 12"),
        (None, {"options": ["a", " "]}, "none empty"),
        (None, {"guess": "layer 9"}, "one of 'layer 0'"),
        (None, {"guess": 1}, "one of 'layer 0'"),
    ],
)
def test_bad_arguments_of_options(truth, more, words):
    with pytest.raises(InputError, match=words):
        chosen(truth, **more)


@pytest.mark.parametrize("question", ["", "  ", 3, None])
def test_a_question_is_words(question):
    with pytest.raises(InputError, match="question="):
        Predict(question, low=0, high=1)


@pytest.mark.parametrize("truth", ["layer 2", dict.fromkeys(FOUR, 0.5), None])
def test_small_state_and_picture(truth):
    panel = chosen(truth, because="why " * 40)
    panel.guess = "layer 2"
    if truth is not None:
        panel.reveal()
        assert panel.right
    assert len(panel.png()) < 40_000
    assert np.asarray(Image.open(io.BytesIO(panel.png())).convert("RGB")).std() > 5


def test_levels_are_all_right():
    panel = chosen({"layer 0": 1, "layer 1": 1, "layer 2": 0, "layer 3": 0})
    panel.guess = "layer 1"
    panel.reveal()
    assert panel.right
    assert "“layer 0” (1) or “layer 1” (1) are level" in panel.summary


def test_half_characters_are_the_same_in_python_and_in_the_browser():
    panel = Predict("half \ud800?", options=["a \ud800", "b"], truth="a \ud800", workbook=Book())
    panel.guess = "a \ud800"
    assert panel.guess == panel.options[0] == "a \\ud800"
    panel.reveal()
    assert panel.right


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [(0, 100, 1), (0, 1, 0.01), (0, 12, 1), (1, 100, 1), (0, 2000, 20), (0.5, 12, 0.1), (-1, 1, 0.02)],
)
def test_the_slider_s_step(low, high, step):
    assert Predict("?", low=low, high=high)._setup["step"] == pytest.approx(step)


def test_what_it_says_once_more_when_the_words_change():
    panel = asked(34.2)
    panel.reveal()
    panel.because = "The background decides."
    assert panel._answer["because"] == "The background decides."
    assert panel.summary.endswith("The background decides.")


def test_asked_twice_while_it_is_worked_out_it_is_worked_out_once():
    go, calls = threading.Event(), []
    panel = asked(lambda: calls.append(1) or (go.wait(20) and 34.2), engine=Worker())
    panel.reveal()
    panel.set_state({"_asked": [{"id": "c 1", "do": "reveal"}]})
    go.set()
    assert panel.engine.wait(patience.seconds())
    assert (panel.truth, len(calls)) == (34.2, 1)
