"""What is shown of an edit, without a widget: the numbers are the edit's, the words say them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import toolkit as tk
from toolkit.core.metrics import accuracy, change
from toolkit.labs.edit import EditSession, Settings, Visits
from toolkit.labs.edit_shown import curve, facts, plane, rows, shown, words
from toolkit.labs.ranked import MOST, groups_shown

HEADS = "L3.H7 L3.H5"
FIRST = Settings(10.0, 10.0, 40, "diagonal", None, False, ((3, 7), (3, 5)), None)


@pytest.fixture(scope="module")
def few():
    return tk.extract(tk.load(), tk.scenes("edit", 60, 5, kind="birds"), progress=False).draw(per_class=10)


@pytest.fixture(scope="module")
def val():
    return tk.extract(tk.load(), tk.scenes("val", 120, 5), progress=False)


@pytest.fixture(scope="module")
def every(val):
    return tk.classes(sorted(set(val.labels)))


@pytest.fixture(scope="module")
def session(few, every, val):
    return EditSession(few, every, val)


def test_nothing_of_it_needs_a_widget():
    code = "import sys, toolkit.labs.edit, toolkit.labs.edit_shown; print('ipywidgets' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"


def test_rows_point_and_words_are_the_edits(session, few, every, val):
    now = shown(session.solve(FIRST))
    made = tk.edit(few, every, HEADS, steps=40, held_out=val)
    moved = made.success.change
    assert now.edit.settings == made.settings
    assert [row["name"] for row in now.rows[:-3]] == [group.group for group in moved.groups]
    assert [row["after"] for row in now.rows[-3:-1]] == [made.success.worst.value, pytest.approx(float(made.success))]
    assert now.rows[-1]["other"]
    assert now.rows[-1]["after"] == pytest.approx(float(made.locality))
    assert now.point["worst"] == made.success.worst.value
    assert now.point["agreement"] == float(made.locality.agreement)
    assert len(now.told) == len(made.on().shares)
    n = int(made.on().held.target.sum())
    assert now.words.startswith("diagonal, α = 10, β = 10, 40 steps, scale")
    assert f"heads {HEADS}: target classes {100 * float(made.success):.1f} % (n = {n})" in now.words
    assert now.words.endswith("split val, plain averages.")
    assert "θ ≥ 0" not in now.words
    floored = shown(session.solve(FIRST._replace(nonnegative=True, alpha=0.0, heads=(), scale=1.0)))
    assert "α = 0, β = 10, 40 steps, scale 1, θ ≥ 0, heads none" in floored.words


def test_a_step_of_a_known_way_and_one_painted_on_the_way(session, few, every, val):
    seen = []
    session.solve(FIRST._replace(alpha=5.0))
    early = shown(session.solve(FIRST._replace(alpha=5.0, steps=7)))
    assert early.edit.step == 7
    assert "7 steps" in early.words
    assert early.point["success"] == pytest.approx(float(tk.edit(few, every, HEADS, 5, steps=7, held_out=val).success))
    slow = EditSession(few, every, val)
    slow.solve(FIRST._replace(steps=1000), partial=lambda edit: seen.append(shown(edit)))
    for one in seen:  # of a solve that takes long
        assert 0 < one.edit.step < 1000
        assert "1000 steps" in one.words


def test_of_its_own_images_it_says_so(few, every):
    now = shown(EditSession(few, every).solve(FIRST))
    assert "the images it was made from" in now.words
    assert "images that were right" in now.words


def test_of_many_groups_those_that_lost_most_are_shown(session):
    outcome = session.solve(FIRST).on()
    before = outcome.success.change.before
    many = accuracy(before.hits, groups=[f"g{i % 20}" for i in range(before.n)], split="val")
    wide = type(outcome)(type(outcome.success)(change(many, many), None), None, (), outcome.held, outcome.guess)
    found = groups_shown(rows(wide), "", "loss", "groups")
    assert len(found.rows) == MOST + 2
    shares = sorted(group.after for group in wide.success.change.groups)
    assert [row["after"] for row in found.rows[:MOST]] == shares[:MOST], "nothing was lost: the worst off"
    assert found.words == "14 of 20 groups, the largest loss first; the sums are of all 20"


def test_curves_words_and_the_plane(session):
    made = session.solve(FIRST)
    drawn = curve(made, FIRST.told)
    assert drawn["step"][-1] == 40
    assert drawn["success"][-1] == pytest.approx(float(made.success))
    told = words(made)
    assert sum(told["pulls"].values()) == pytest.approx(1)
    assert [(one["name"], one["ratio"]) for one in told["down"]] == made.inspect().turned()[0]
    part = []
    grid = session.frontier(FIRST, part.append, [0, 10])
    flat = plane(grid, FIRST.told)
    assert flat["alphas"] == [0, 10]
    assert flat["success"] == [round(float(v), 5) for v in grid.success[0].ravel()]
    assert [mark["name"] for mark in session.marks(FIRST)] == ["as it is", "heads off"]
    problem, held = session.problem(FIRST.heads, None, None)
    assert facts(problem, held)["n"] == len(held.images)
    assert not facts(problem, held)["own"]


def test_edits_are_looked_at_with_what_was_worked_out_once(session, monkeypatch):
    made = session.solve(FIRST)
    first = made.inspect()
    again = tk.edit(made.problem.images.acts, made.problem.images.classes, HEADS, steps=40, held_out=None)
    anew = made.inspect(acts=made.on().held.target_acts)
    assert first.texts == anew.texts
    np.testing.assert_allclose(first.spread, anew.spread, rtol=1e-12)
    np.testing.assert_allclose(first.heads, anew.heads, rtol=1e-12)
    monkeypatch.setattr("toolkit.api.edit.inspect_edit.vectors_of", None)
    assert session.solve(FIRST._replace(alpha=3.0)).inspect().texts == first.texts
    with pytest.raises(TypeError):
        again.inspect()


def test_a_way_back_needs_no_panel():
    visits = Visits()
    visits.moved(FIRST, now=True)
    second = FIRST._replace(alpha=3.0)
    assert visits.can == {"undo": True, "redo": False}
    assert visits.undo(second) == FIRST
    assert visits.redo(FIRST) == second
    assert visits.undo(second) == FIRST
    assert visits.undo(FIRST) is None
