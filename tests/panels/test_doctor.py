"""The panel of checks: the lines of `tk.doctor`, one after the other, and what the explorer says of them."""

from __future__ import annotations

import copy
import time

import patience
import pytest

import toolkit as tk
from toolkit.api.doctor.checkup import in_words
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.panels.doctor import panel as module


@pytest.fixture(scope="module")
def birds():
    return tk.classes(["landbird", "waterbird"])


@pytest.fixture(scope="module")
def data():
    return tk.scenes("test", n=60, kind="birds")


def settled(panel):
    assert panel.engine.wait(patience.seconds())
    return panel


def test_its_lines_are_those_of_the_verb_the_worst_first(data, birds):
    panel = tk.Doctor(tk.load(), data, birds, engine=Engine())
    found = tk.doctor(tk.load(), data, birds, progress=False)
    assert [one.check for one in panel.checkup] == [one.check for one in found]
    assert [one.verdict for one in panel.checkup] == [one.verdict for one in found]
    assert panel.checkup.subject == found.subject
    assert panel._of == len(panel._findings) == len(found)
    order = ("wrong", "warning", "ok", "not checked")
    told = [order.index(line["verdict"]) for line in panel._findings]
    assert told == sorted(told)
    assert panel._said == in_words(found.counts)
    assert found.summary in panel.summary
    assert (panel._work, panel._signs, panel.error) == ([], {}, "")
    assert list(panel.to_dataframe()["check"]) == [one.check for one in found]
    assert panel.png().startswith(b"\x89PNG")


def test_it_checks_beside_other_work_says_how_far_it_is_and_can_be_stopped(data, birds, monkeypatch):
    from toolkit.api.doctor import of_data

    monkeypatch.setattr(module, "EVERY", 0)
    engine, go = Worker(), []
    slow = of_data.labels

    def waits(*given):
        while not go:
            time.sleep(0.005)
        return slow(*given)

    monkeypatch.setitem(tk.Doctor.__init__.__globals__["Examination"].__init__.__globals__["OF_SPLIT"], "labels",
                        (waits, "because"))  # fmt: skip
    panel = tk.Doctor(tk.load(), data, birds, engine=engine)
    end = time.monotonic() + patience.seconds()
    while panel._signs.get("checks", {}).get("what") != "check: labels" and time.monotonic() < end:
        time.sleep(0.005)
    sign = panel._signs["checks"]
    assert (sign["unit"], sign["of"]) == ("check", panel._of)
    assert sign["done"] == len(panel.checkup) > 0
    assert "checks" in panel._work
    panel.stop()
    go.append(True)
    settled(panel)
    assert panel._signs["checks"]["stopped"]
    before = len(panel.checkup)
    assert len(panel._findings) == before
    panel._asked = [{"id": "1", "do": "again"}]
    settled(panel)
    assert len(panel.checkup) == panel._of > before
    assert panel._signs == {}


def test_what_is_wrong_stands_first_and_the_explorer_says_so(birds):
    model = tk.load()
    clip = copy.deepcopy(model.clip)
    broken = tk.wrap(clip, tokenizer=model.tokenizer, preprocess=model.preprocess)
    data = tk.scenes("val", n=40, kind="birds")
    panel = tk.Doctor(broken, [data, data], birds, engine=Engine())  # the same images in two splits
    assert panel.checkup.counts["wrong"] + panel.checkup.counts["warning"] > 0
    assert panel._findings[0]["verdict"] in ("wrong", "warning")
    assert panel._findings[0]["fix"]


def test_the_first_line_of_an_explorer(birds):
    few = tk.scenes("val", n=60, kind="birds")  # too few for any group
    explorer = tk.Explorer(tk.load(), few, birds)
    end = time.monotonic() + patience.seconds()
    while "doctor" not in explorer.parts and time.monotonic() < end:
        time.sleep(0.01)
    doctor = explorer.doctor
    settled(doctor)
    counts = doctor.checkup.counts
    assert counts["warning"] > 0
    assert explorer._warned == in_words({name: counts[name] for name in ("wrong", "warning")})
    explorer.tab = "doctor"
    assert explorer.parts["doctor"] is doctor


def test_an_explorer_that_works_inline_checks_when_it_is_asked_to(birds):
    explorer = tk.Explorer(tk.load(), tk.scenes("val", n=60, kind="birds"), birds, engine=Engine())
    assert "doctor" not in explorer.parts
    assert explorer._warned == ""
    explorer.tab = "doctor"
    assert len(explorer.doctor.checkup) == explorer.doctor._of


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"model": 3}, "model"),
        ({"data": "photos"}, "samples or parts"),
        ({"classes": ["a", "b"]}, "a class set"),
        ({"n": 0}, "n=0"),
        ({"checkpoint": "nothing:there"}, "checkpoint"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_words(given, says, data, birds):
    asked = {"model": tk.load(), "data": data, "classes": birds} | given
    with pytest.raises(tk.InputError, match=says):
        tk.Doctor(**asked, engine=Engine())
