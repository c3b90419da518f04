"""EditLab without a browser: what is set is solved, what is painted is the edit's, and every way back leads there."""

from __future__ import annotations

import io
import threading
import time

import numpy as np
import patience
import pytest
import torch
from PIL import Image

import toolkit as tk
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.labs.edit import EditSession, Settings
from toolkit.signs import sign

HEADS = "L3.H7 L3.H5"


@pytest.fixture(scope="module")
def few():
    return tk.extract(tk.load(), tk.scenes("edit", 200, 5, kind="birds"), progress=False).draw(per_class=10)


@pytest.fixture(scope="module")
def val():
    return tk.extract(tk.load(), tk.scenes("val", 240, 5), progress=False)


@pytest.fixture(scope="module")
def every(val):
    return tk.classes(sorted(set(val.labels)))


@pytest.fixture
def lab(few, every, val):
    return tk.EditLab(few, every, HEADS, held_out=val, engine=Engine())


def expected(few, every, val, **words):
    return tk.edit(few, every, **({"heads": HEADS, "held_out": val} | words))


def agrees(lab, made):
    """What is painted is this edit's."""
    assert torch.equal(lab.edit.theta, made.theta)
    groups = made.success.change.groups
    for row, group in zip(lab._groups, groups, strict=False):
        assert (row["name"], row["n"], row["before"], row["after"]) == (group.group, group.n, group.before, group.after)
        assert (row["low"], row["high"]) == (group.low, group.high)
    worst, average, other = lab._groups[len(groups) :]
    assert worst["after"] == made.success.worst.value
    assert average["after"] == pytest.approx(float(made.success), abs=1e-12)
    assert other["after"] == pytest.approx(float(made.locality), abs=1e-12)
    assert lab._point["success"] == pytest.approx(float(made.success))
    assert lab._point["like"] == pytest.approx(float(made.success.like))
    assert lab._point["agreement"] == pytest.approx(float(made.locality.agreement))
    assert lab._flips["n"] == {"right": len(made.right), "wrong": len(made.wrong)}
    assert lab._shown == lab.settings.told
    assert lab._curve["of"] == lab._shown
    assert lab._curve["success"][-1] == pytest.approx(float(made.success), abs=1e-5)
    assert lab.selection.edit is lab.edit
    assert lab._work == []
    assert lab.error == ""


def test_every_setting_solves_anew(lab, few, every, val):
    agrees(lab, expected(few, every, val))
    for change, words in (
        ({"alpha": 30}, {"alpha": 30}),
        ({"beta": 0}, {"alpha": 30, "beta": 0}),
        ({"steps": 40}, {"alpha": 30, "beta": 0, "steps": 40}),
        ({"strategy": "rank 2"}, {"alpha": 30, "beta": 0, "steps": 40, "strategy": "rank 2"}),
        ({"scale": 1}, {"alpha": 30, "beta": 0, "steps": 40, "strategy": "rank 2", "logit_scale": 1}),
    ):
        for name, value in change.items():
            setattr(lab, name, value)
        agrees(lab, expected(few, every, val, **words))
    lab.strategy, lab.scale, lab.nonnegative, lab.steps = "diagonal", None, True, 300
    agrees(lab, expected(few, every, val, alpha=30, beta=0, steps=300, nonnegative=True))
    lab.heads = "L2.H2 L3.H4"
    agrees(lab, expected(few, every, val, alpha=30, beta=0, steps=300, nonnegative=True, heads="L2.H2 L3.H4"))
    lab.pair = ("landbird", "waterbird")
    words = {"true": "landbird", "predicted": "waterbird", "heads": "L2.H2 L3.H4"}
    agrees(lab, expected(few, every, val, alpha=30, beta=0, steps=300, nonnegative=True, **words))
    assert "θ ≥ 0" in lab.summary
    assert "target classes 76" in lab.summary or "(n = 109)" in lab.summary
    assert "split val" in lab.summary


def test_two_drags_to_one_point_give_one_theta(few, every, val):
    ways = [(1, 100, 10), (1e8, 0, 10)]
    found = []
    for way in ways:
        lab = tk.EditLab(few, every, HEADS, held_out=val, engine=Engine())
        for alpha in way:
            lab.alpha = alpha
        for steps in (0, 250, 100):
            lab.steps = steps
        found.append(lab.edit.theta)
    assert torch.equal(*found)
    assert torch.equal(found[0], expected(few, every, val).theta)


def test_the_fronts_of_all_strategies(few, every, val, monkeypatch):
    monkeypatch.setattr("toolkit.labs.fronts.FRONTED", ("diagonal", "strengths"))
    lab = tk.EditLab(few, every, HEADS, held_out=val, steps=3, draws=[few.take(range(0, len(few), 2))], engine=Engine())
    assert lab.fronts == {}, "nobody asked for them, and nothing waits for a quiet moment without a worker"
    lab.draw_fronts()
    assert set(lab.fronts) == {"diagonal", "strengths"}
    assert lab.fronts["diagonal"].success.shape == (2, 9, 9)
    assert lab._fronts["draws"] == 2
    assert lab._fronts["of"] == lab.settings.plane._replace(strategy="").told
    assert (lab._work, lab.error) == ([], "")


def until(condition):
    deadline = patience.Deadline()
    while not condition():
        assert not deadline.passed()
        time.sleep(0.01)


def test_fronts_are_drawn_in_quiet_moments_and_nobody_waits_for_them(few, every, val, monkeypatch):
    monkeypatch.setenv("TOOLKIT_BACKGROUND", "1")
    monkeypatch.setattr("toolkit.labs.fronts.FRONTED", ("diagonal", "strengths"))
    monkeypatch.setattr("toolkit.panels.edit_lab.fronts.REST", 0.2)
    lab = tk.EditLab(few, every, HEADS, held_out=val, steps=3)
    until(lambda: "fronts" in lab._work)
    assert "fronts" not in lab.awaited
    until(lambda: len(lab.fronts) == 2 and not lab._work)
    assert (lab.fronts["diagonal"].success.shape, lab.error) == ((1, 9, 9), "")
    drawn = lab._fronts
    lab.alpha = 30  # other weights have the same fronts
    until(lambda: lab.edit.alpha == 30 and not lab._work)
    assert lab._fronts is drawn
    lab.heads = "L3.H7"
    until(lambda: lab._fronts["of"]["heads"] == [[3, 7]] and not lab._work)
    lab.steps = 4
    until(lambda: "fronts" in lab._work)
    lab.stop("fronts")
    until(lambda: not lab._work)
    lab.steps = 5
    until(lambda: lab.edit.step == 5 and not lab._work)
    assert lab._fronts["of"]["steps"] == 3, "they were stopped, and stay so until somebody asks"
    lab.draw_fronts()
    until(lambda: lab._fronts["of"]["steps"] == 5 and not lab._work)


def test_two_kept_edits_stand_side_by_side(lab):
    a = lab.keep("A")
    lab.strategy, lab.alpha = "strengths", 30
    b = lab.keep()
    lab.beside = "A"
    assert lab.other is a
    assert lab._other["of"] == lab._kept_at["A"].told
    for group in a.success.change.groups:
        assert lab._other["rows"][group.group]["after"] == group.after
    both = tk.compare(a, b)
    n = dict.fromkeys(("right", "wrong"), 0)
    for _, row in both.predictions.iterrows():
        n["right"] += row["second"] == row["label"]
        n["wrong"] += row["first"] == row["label"]
    assert (lab._flips["n"], lab._against) == (n, "A")
    assert [t["name"] for t in lab._other_words["down"]] == [name for name, _ in a.inspect().turned()[0]]
    assert lab._words["made"]
    lab.beta = 100  # the kept one stays where it is
    assert lab.other is a
    lab.beta = b.beta
    lab.swap()
    assert (lab.settings, lab.beside) == (lab._kept_at["A"], "B")
    assert torch.equal(lab.edit.theta, a.theta)
    assert lab.other is lab.kept["B"]
    lab.swap()
    assert (lab.settings, lab.beside) == (lab._kept_at["B"], "A")
    lab.alpha = 3
    lab.swap()
    assert lab.beside == "C", "what was shown was kept, as it would be lost"
    assert lab.kept["C"].alpha == 3
    assert lab.saved_value("beside") == "strengths"
    assert lab.saved_value("alpha") == lab.alpha
    lab.beside = "diagonal"
    assert (lab._against, lab._other_words) == ("", {})
    assert lab.error == ""


def test_names_of_kept_edits_are_no_strategies(lab):
    for name in ("diagonal", "rank 3", "Strengths"):
        with pytest.raises(tk.InputError, match="which is a strategy"):
            lab.keep(name)
    with pytest.raises(tk.InputError, match="strategy='Z'"):
        lab.beside = "Z"
    lab.keep("one")
    lab.beside = "one"
    lab.alpha = 77
    lab.keep("one")
    assert lab.other.alpha == 77, "another edit has the name now"


def test_a_kept_edit_of_another_mistake_shares_the_rows_of_its_groups(lab):
    lab.pair = ("landbird", "waterbird")
    lab.keep("one way")
    lab.pair = ("waterbird", "landbird")
    lab.beside = "one way"
    assert lab.error == ""
    assert set(lab._other["rows"]) <= {row["name"] for row in lab._groups}


def test_there_and_back(lab):
    first = lab.settings
    lab.alpha = 20
    lab._visits._moved = float("-inf")  # the next move comes after a rest
    lab.beta = 0
    lab._visits._moved = float("-inf")
    lab.heads = "L2.H2"
    last = lab.settings
    assert lab._can == {"undo": True, "redo": False}
    seen = []
    for _ in range(3):
        lab.undo()
        seen.append(lab.settings)
        assert lab._shown == lab.settings.told
    assert seen[-1] == first
    assert seen[0].heads == first.heads
    assert lab._can == {"undo": False, "redo": True}
    lab.undo()
    assert lab.settings == first
    for _ in range(3):
        lab.redo()
    assert lab.settings == last
    assert lab._typed == "L2.H2"
    lab.undo()
    lab.steps = 10
    assert lab._can == {"undo": True, "redo": False}  # a new move ends what could be done again
    ask(lab, "go", name="nothing")
    ask(lab, "go", visit={"alpha": 1, "beta": 2, "steps": 3, "plane": 99})
    ask(lab, "go", visit={})
    assert lab.error == ""
    assert lab._can == {"undo": True, "redo": False}


def test_a_drag_is_one_move(lab, monkeypatch):
    monkeypatch.setattr("toolkit.labs.edit.REST", 60)
    for alpha in range(11, 16):
        lab.alpha = alpha
    lab.undo()
    assert lab.alpha == 10
    assert lab._can == {"undo": False, "redo": True}


def ask(lab, do, **more):
    lab._asked = [{"id": f"t {time.monotonic_ns()}", "do": do, **more}]


def test_every_point_leads_back(lab, few, every, val):
    lab.alpha, lab.beta = 30, 3
    made = lab.keep("mine")
    assert lab.kept == {"mine": made}
    assert lab.keep().name == "A"
    lab.alpha, lab.heads, lab.steps = 0, "", 20
    ask(lab, "go", name="mine")
    agrees(lab, expected(few, every, val, alpha=30, beta=3))
    assert torch.equal(lab.edit.theta, made.theta)
    visit = next(visit for visit in lab._trail if visit["alpha"] == 0 and visit["steps"] == 20)
    ask(lab, "go", visit={name: visit[name] for name in ("alpha", "beta", "steps", "plane")})
    assert lab.settings == Settings(0.0, 3.0, 20, "diagonal", None, False, (), None)
    ask(lab, "undo")
    assert lab.alpha == 30
    lab.fill([0, 5])
    assert lab.frontier.filled == 1
    ask(lab, "go", cell={"alpha": 5, "beta": 0})
    agrees(lab, expected(few, every, val, alpha=5, beta=0))
    assert lab._point["success"] == pytest.approx(lab.frontier.success[0, 1, 0])
    assert lab._front["success"][2] == pytest.approx(lab._point["success"], abs=1e-5)
    assert [mark["name"] for mark in lab._marks] == ["as it is", "heads off"]
    visited = lab.visited
    assert visited["alpha"].iloc[-1] == 5
    assert {"success", "agreement", "heads"} <= set(visited.columns)


def test_what_cannot_be_solved_is_said_and_forgotten(lab):
    lab.heads = ""
    assert "no heads with alpha=10" in lab.error
    assert lab._shown != lab.settings.told  # what is painted is of another setting, and dimmed
    with pytest.raises(tk.InputError, match="still being solved"):
        lab.keep()
    lab.alpha = 0
    assert lab.error == ""
    assert lab._shown == lab.settings.told
    lab._typed = "L9.H9"
    assert "unknown head" in lab.error
    lab._typed = "L3.H1"
    assert lab.error == ""
    assert str(lab.heads) == "L3.H1"
    ask(lab, "take")
    assert "selected" in lab.error
    lab.selection.heads = "L2.H2 L2.H3"
    ask(lab, "take")
    assert str(lab.heads) == "L2.H2 L2.H3"
    assert lab.error == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": -1}, "alpha=-1"),
        ({"beta": float("nan")}, "beta=nan"),
        ({"alpha": "much"}, "alpha='much'"),
        ({"steps": 2000}, "2000"),
        ({"steps": 1.5}, "1.5"),
        ({"strategy": "banana"}, "banana"),
        ({"scale": -2}, "-2"),
        ({"pair": ("cat", "cat")}, "pair"),
        ({"pair": 3}, "pair"),
    ],
)
def test_bad_settings_are_refused_and_change_nothing(lab, change, message):
    before, theta = lab.settings, lab.edit.theta
    for name, value in change.items():
        with pytest.raises(tk.InputError, match=message):
            setattr(lab, name, value)
    assert lab.settings == before
    assert torch.equal(lab.edit.theta, theta)


def test_bad_settings_from_the_browser_are_shown_and_taken_back(lab):
    before = lab.settings
    lab.set_state({"alpha": -3, "beta": 2})
    assert "alpha=-3" in lab.error
    assert (lab.alpha, lab.beta) == (before.alpha, 2)
    lab.set_state({"steps": "many"})
    assert "'many'" in lab.error
    lab.set_state({"steps": 20})
    assert lab.error == ""
    assert lab._shown == lab.settings.told


def test_bad_arguments(few, every, val):
    for words, message in (
        ({"heads": ""}, "no heads"),
        ({"hedas": "L3.H1"}, "did you mean"),
        ({"selection": 3}, "Selection"),
        ({"held_out": 3}, "held_out"),
        ({"pair": ("cat", "car")}, "nothing to do"),
    ):
        with pytest.raises(tk.InputError, match=message):
            tk.EditLab(few, every, **({"heads": HEADS, "engine": Engine()} | words))
    right = few.take(
        np.flatnonzero(every.predict(few.embedding, few.live).numpy() == every.encode(few.labels)).tolist()
    )
    with pytest.raises(tk.InputError, match="of which none is wrong"):
        tk.EditLab(right, every)
    assert tk.EditLab(right, every, "", alpha=0, engine=Engine()).edit.alpha == 0


def test_heads_are_chosen_where_none_are_given(few, every, val):
    lab = tk.EditLab(few, every, held_out=val, engine=Engine())
    assert lab.heads == tk.locate(few, every).choose()
    lab.pair = ("waterbird", "landbird")
    ask(lab, "choose")
    assert lab.heads == tk.locate(few, every, "waterbird", "landbird").choose()


def test_the_selection_is_shared(lab, few, every, val):
    other = tk.EditLab(few, every, HEADS, held_out=val, engine=Engine())
    shared = tk.link(lab, other)
    lab.pair = ("landbird", "waterbird")
    assert other.pair == ("landbird", "waterbird")
    assert shared.pair == ("landbird", "waterbird")
    assert other._shown == other.settings.told
    lab.image = str(val.ids[3])
    assert other.image == val.ids[3]
    shared.pair = ("no", "classes")  # of a panel with other classes
    assert lab.pair == ("landbird", "waterbird")


def test_images_of_its_own_and_unrelated_sets(few, every):
    own = tk.EditLab(few, every, HEADS, engine=Engine())
    assert own._facts["own"]
    assert "the images it was made from" in own.summary
    assert own._point["locality"] == pytest.approx(own.edit.history.retained[-1])
    own.fill([0, 10])
    assert own.frontier.locality[0, 1, 1] == pytest.approx(own._point["locality"])
    other = tk.extract(tk.load(), tk.scenes("val", 40, 9, kind="unrelated"), progress=False)
    lab = tk.EditLab(few, every, HEADS, unrelated={"things": other}, engine=Engine())
    assert lab._groups[-1]["name"] == "things"
    assert lab._point["agreement"] == float(lab.edit.on().unrelated[0].agreement)


def wait(lab):
    deadline = patience.Deadline()
    while lab._work and not deadline.passed():
        time.sleep(0.01)
    return not lab._work


def test_with_workers_the_newest_wins_and_a_slow_solve_keeps_nobody_waiting(few, every, val, monkeypatch):
    lab = tk.EditLab(few, every, HEADS, held_out=val)
    assert isinstance(lab.engine, Worker)
    assert wait(lab)
    for alpha in range(1, 60):
        start = time.perf_counter()
        lab.alpha = alpha
        assert time.perf_counter() - start < 0.5
    assert wait(lab)
    agrees(lab, expected(few, every, val, alpha=59))

    # a solve that takes long is painted as far as it is, and can be ended
    solve, go = lab._session.solve, threading.Event()

    def slow(settings, partial=None):
        made = solve(settings)
        if partial is None:  # the edit beside
            return made
        partial(made.at(10))
        with sign("solve", "step") as report:
            while not go.wait(0.02):
                report(10, 100)
        return made

    monkeypatch.setattr(lab._session, "solve", slow)
    lab.alpha = 3
    assert lab._can["undo"]
    end = time.monotonic() + 20
    while lab._step != 10 and time.monotonic() < end:
        time.sleep(0.01)
    part = expected(few, every, val, alpha=3, steps=10)
    assert lab._point["success"] == pytest.approx(float(part.success))
    assert lab._shown != lab.settings.told
    lab.cancel()
    assert wait(lab)
    assert lab.edit.alpha == 59
    go.set()
    ask(lab, "stop")
    assert lab._can["undo"]
    assert lab._signs["solve"]["stopped"]
    lab.go_on()  # what was ended can be asked for again
    assert wait(lab)
    agrees(lab, expected(few, every, val, alpha=3))
    assert lab._signs == {}
    lab.beta = 4
    assert wait(lab)
    agrees(lab, expected(few, every, val, alpha=3, beta=4))
    assert torch.is_grad_enabled()


def test_theta_from_zero_on_is_for_the_diagonal(lab, few, every, val):
    lab.nonnegative = True
    lab.strategy = "rank 1"
    agrees(lab, expected(few, every, val, strategy="rank 1"))
    lab.strategy = "diagonal"
    agrees(lab, expected(few, every, val, nonnegative=True))


def test_the_curve_ends_where_the_edit_does(lab):
    lab.steps = 200
    lab.steps = 20
    assert lab._curve["step"][-1] == 20


def test_errors_go_with_the_next_solve(lab, few, every):
    ask(lab, "take")
    assert "selected" in lab.error
    lab.alpha = 11
    assert lab.error == ""
    lab.fill([-1])
    assert "alphas=-1" in lab.error
    lab.alpha = 12
    assert lab.error == ""


def test_heads_of_other_classes_are_noted(few, every, val):
    heads = tk.locate(few, tk.classes(["waterbird", "landbird"])).choose()
    with pytest.warns(tk.EditWarning, match="another class set"):
        lab = tk.EditLab(few, every, heads, held_out=val, engine=Engine())
    assert "another class set" in lab._note
    lab.heads = "L3.H7"
    assert lab._note == ""


def test_two_images_are_enough_to_be_shown(few, every, val):
    two = val.take([i for i, label in enumerate(val.labels) if label == "landbird"][:2])
    lab = tk.EditLab(few, every, HEADS, held_out=two, engine=Engine())
    assert lab.error == ""
    assert lab._curve["step"][-1] == 100
    assert lab._words["moved"]


def test_pictures_words_and_size(lab):
    lab.fill([0, 1, 10])
    assert Image.open(io.BytesIO(lab.png())).width > 300
    assert len(lab.to_plotly().data) >= 6
    data, _ = lab._repr_mimebundle_()
    assert data["text/plain"].startswith("Live edit: diagonal, α = 10, β = 10, 100 steps")
    state = {name: value for name, value in lab.get_state().items() if name not in ("_esm", "_css")}
    assert sum(len(value if isinstance(value, bytes) else str(value)) for value in state.values()) < 100_000
    words = lab._words
    assert sum(words["pulls"].values()) == pytest.approx(1)
    assert words["gap"] == pytest.approx(lab.edit.gap)
    down, up = lab.edit.inspect().turned()
    assert words["down"] == [{"name": text, "ratio": ratio} for text, ratio in down]
    assert words["up"] == [{"name": text, "ratio": ratio} for text, ratio in up]


def test_without_a_model_there_are_no_words_about_texts(few, val, every):
    arrays = tk.from_arrays(heads=few.heads, mlps=few.mlps, rest=few.parts().biases.sum(1) + few.parts().constant,
                            labels=few.labels.tolist(), groups=few.groups.tolist())  # fmt: skip
    classes = tk.classes(list(every.names), vectors=every.vectors(few.live))
    lab = tk.EditLab(arrays, classes, HEADS, engine=Engine())
    assert lab.error == ""
    assert "down" not in lab._words
    assert lab._words["moved"]


def test_nothing_is_solved_before_the_panel_is_whole(few, every, val, monkeypatch):
    asked, solve = [], EditSession.solve

    def noted(self, settings, *more):
        asked.append(settings)
        return solve(self, settings, *more)

    monkeypatch.setattr(EditSession, "solve", noted)
    shared = tk.Selection(pair=("landbird", "waterbird"))
    given = {"alpha": 3, "beta": 4, "steps": 20, "nonnegative": True, "image": str(val.ids[2]), "selection": shared}
    lab = tk.EditLab(few, every, HEADS, held_out=val, engine=Engine(), **given)
    beside = lab.settings._replace(strategy="strengths", nonnegative=False)
    assert asked == [lab.settings, beside]
    assert lab.settings.pair == ("landbird", "waterbird")
    assert lab.settings[:3] == (3, 4, 20)
    assert shared.image == val.ids[2]
    assert lab._can == {"undo": False, "redo": False}


def test_the_groups_leave_before_what_is_said_about_them(lab):
    sent = []
    send = lab.comm.send
    lab.comm.send = lambda data, **more: sent.append(set(data["state"])) or send(data, **more)
    lab.alpha = 5000
    (painted,) = [state for state in sent if "_shown" in state]
    assert {"_shown", "_point", "summary"} <= painted
    assert not painted & {"_words", "_curve", "_flips"}
    assert any("_words" in state for state in sent[sent.index(painted) :])


def test_the_edit_of_strengths_is_solved_at_the_same_moment(lab, few, every, val):
    for change in ({}, {"alpha": 30}, {"beta": 0}, {"steps": 40}, {"heads": "L3.H7"}):
        for name, value in change.items():
            setattr(lab, name, value)
        given = {"alpha": lab.alpha, "beta": lab.beta, "steps": lab.steps, "heads": lab.heads}
        made = expected(few, every, val, strategy="strengths", **given)
        assert torch.equal(lab.other.theta, made.theta)
        groups = [group.after for group in made.success.change.groups]
        shown = [lab._other["rows"][row["name"]] for row in lab._groups]
        assert [row["after"] for row in shown[: len(groups)]] == groups
        assert shown[len(groups)]["after"] == made.success.worst.value
        assert shown[-1]["after"] == pytest.approx(float(made.locality), abs=1e-12)
        assert lab._other["point"]["success"] == pytest.approx(float(made.success))
        assert dict(zip(made.strengths, lab._other["strengths"]["values"], strict=True)) == made.strengths
        agrees(lab, expected(few, every, val, **given))


def test_which_of_the_two_is_looked_at_is_a_switch(lab, few, every, val):
    first = lab._groups
    lab.swap()
    assert (lab.strategy, lab.beside) == ("strengths", "diagonal")
    agrees(lab, expected(few, every, val, strategy="strengths"))
    assert [lab._other["rows"][row["name"]]["after"] for row in lab._groups] == [row["after"] for row in first]
    assert lab._strengths["heads"] == [[3, 7], [3, 5]]
    lab.undo()
    assert (lab.strategy, lab.beside) == ("diagonal", "strengths"), "never the same one twice"
    lab.strategy = "strengths"
    assert lab.beside == "diagonal"
    lab.strategy = "rank 4"
    assert lab.beside == "diagonal"
    lab.strategy = "diagonal"
    assert lab.beside == "rank 4"
    lab.beside = ""
    assert lab.other is None
    assert lab._other == {}
    with pytest.raises(tk.InputError, match="one edit alone"):
        lab.swap()
    lab.beside = "Class-Vectors".replace("-", " ")
    assert lab.beside == "class vectors"
    assert lab.other.classes
    with pytest.raises(tk.InputError, match="strategy="):
        lab.beside = "sideways"


def test_what_cannot_stand_beside_says_so_and_the_other_stands(few, every, val):
    lab = tk.EditLab(few, every, "", held_out=val, alpha=0, engine=Engine())
    assert lab.edit is not None
    assert lab.other is None
    assert "no heads" in lab._other["error"]
    assert lab._other["rows"] == {}
    lab.heads = HEADS
    assert lab._other["error"] == ""


def test_strengths_are_set_by_hand_held_and_released(lab, few, every, val, monkeypatch):
    monkeypatch.setattr("toolkit.labs.edit.REST", 0)  # every move can be undone by itself
    free = lab.other.strengths
    lab.hold("L3.H7", 0.2)
    lab.undo()
    assert lab.held == {}, "though the edit looked at has no strengths"
    lab.redo()
    assert lab.held == {"L3.H7": 0.2}
    made = expected(few, every, val, strategy="strengths", hold={"L3.H7": 0.2})
    assert torch.equal(lab.other.theta, made.theta)
    agrees(lab, expected(few, every, val))  # the diagonal has no strengths
    lab.alpha = 30
    assert lab.other.strengths["L3.H7"] == 0.2, "it stays while α moves"
    lab.alpha = 10
    lab.hold("L3.H5", 0)
    assert set(lab.other.strengths.values()) == {0.2, 0}
    lab.swap()
    assert lab.edit.strengths == {"L3.H7": 0.2, "L3.H5": 0}
    lab.release("L3.H7")
    assert lab.held == {"L3.H5": 0.0}
    lab.undo()
    assert lab.held == {"L3.H7": 0.2, "L3.H5": 0.0}
    lab.release()
    assert lab.held == {}
    assert lab.edit.strengths == free
    lab.held = {(3, 7): 1.5}
    lab.heads = "L3.H5"
    assert lab.edit.strengths.keys() == {"L3.H5"}
    assert lab.held == {"L3.H7": 1.5}, "kept for when the head is located again"
    for wrong in ({"L3.H7": 3}, {"L9.H9": 1}, ["L3.H7"], {"L3.H7": float("nan")}, {"L3.H7": "much"}):
        with pytest.raises(tk.InputError):
            lab.held = wrong
    with pytest.raises(tk.InputError, match="strength"):
        lab._hold = [{"head": [3]}]
    assert lab.held == {"L3.H7": 1.5}


@pytest.mark.parametrize(("strategy", "beside"), [("strengths", "diagonal"), ("full", "strengths")])
def test_what_stands_beside_a_strategy_by_default(few, every, val, strategy, beside):
    lab = tk.EditLab(few, every, HEADS, held_out=val, strategy=strategy, engine=Engine(), steps=5)
    assert (lab.strategy, lab.beside) == (strategy, beside)
    assert lab.other.strategy.name == beside


def test_a_state_brings_both_edits_back(few, every, val):
    lab = tk.EditLab(few, every, HEADS, held_out=val, engine=Engine(), held={"L3.H7": 0.3}, beside="strengths all")
    other = tk.EditLab(few, every, HEADS, held_out=val, engine=Engine())
    for name in lab.saved:
        setattr(other, name, getattr(lab, name))
    assert other.held == {"L3.H7": 0.3}
    assert torch.equal(other.other.theta, lab.other.theta)


def test_the_plane_has_the_model_and_the_heads_off_before_any_grid(lab, every, val):
    marks = {mark["name"]: mark for mark in lab._marks}
    assert list(marks) == ["as it is", "heads off"]
    right = every.predict(tk.ablate(val, every, HEADS).embedding, val.live).numpy() == every.encode(val.labels)
    bird = np.isin(val.labels.astype(str), ["waterbird", "landbird"])
    assert marks["heads off"]["success"] == pytest.approx(right[bird].mean(), abs=1e-5)
    assert marks["heads off"]["locality"] == pytest.approx(right[~bird].mean(), abs=1e-5)
    lab.heads = ""
    lab.alpha = 0
    assert [mark["name"] for mark in lab._marks] == ["as it is"]
