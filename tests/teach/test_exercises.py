"""Exercises: every solution passes on the planted truth, every usual mistake fails with its reason."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import toolkit as tk
from toolkit.teach import checks
from toolkit.teach.solutions import HINTS, SOLUTIONS
from toolkit.teach.tasks import OFTEN, TASKS, exercise, exercises

TITLES = [task.title for task in TASKS]


def test_every_exercise_has_hints_and_a_solution():
    assert list(SOLUTIONS) == list(HINTS) == TITLES
    assert all(len(hints) >= 3 for hints in HINTS.values())
    assert all(1 <= task.difficulty <= 4 and 1 <= task.minutes <= 60 for task in TASKS)


@pytest.mark.slow
@pytest.mark.parametrize("title", TITLES)
def test_solution_passes(title, book):
    grade = exercise(title).check(SOLUTIONS[title](tk))
    assert grade.passed, grade
    assert bool(grade)
    assert book.exercises[0]["passed"] is True
    assert exercises().set_index("exercise").loc[title, "passed"]


def parts():
    return tk.decompose(tk.load(), tk.scenes("val", n=8, seed=1))


def test_a_sum_that_lacks_parts_is_told_which():
    p = parts()
    heads, mlps, biases = p.heads.sum((1, 2)), p.mlps.sum(1), p.biases.sum(1)
    whole = heads + mlps + biases + p.constant
    assert checks.sums(whole)[0].ok
    assert checks.sums(whole.numpy())[0].ok
    wrong = {
        "What is missing is exactly the biases and the constant.": heads + mlps,
        "What is missing is exactly the heads.": whole - heads,
        "What is missing is exactly the embedding term (mlps[:, 0]).": whole - p.mlps[:, 0],
        "Counted twice: the constant.": whole + p.constant,
        "No part is simply missing or counted twice: look at the axes you sum over.": whole * 2,
    }
    for said, answer in wrong.items():
        first, second = checks.sums(answer)
        assert first.ok is False
        assert second.text == said


@pytest.mark.parametrize("shape", [(8,), (96,), (8, 4, 96), (8, 8, 96), (4, 96), ()])
def test_a_sum_of_another_shape_says_so(shape):
    (reason,) = checks.sums(torch.zeros(shape))
    assert reason.ok is False
    assert str(list(shape)) in reason.text


def test_nan_is_no_sum():
    assert checks.sums(np.full((8, 96), np.nan))[0].ok is False


def test_background_heads_say_what_else_a_head_carries():
    reasons = checks.background("L3.H7 L3.H5")
    assert [r.ok for r in reasons] == [True, False, False]
    assert "the light" in reasons[1].text
    assert "1 that must be named is missing" in reasons[2].text
    assert all(r.ok is not False for r in checks.background("L3.H6 L3.H7"))
    assert any(r.ok is False for r in checks.background([(i, j) for i in range(4) for j in range(8)]))


def test_words_name_what_the_head_is_about():
    reasons = checks.words({"light": "L3.H7", "weather": "L2.H0", "colour": "L2.H2"})
    assert [r.ok for r in reasons] == [False, True, True]
    assert "most with the background" in reasons[0].text


def test_maps_are_judged_one_by_one():
    ids = [f"val-3-birds1-{i:06d}" for i in checks.IMAGES]
    truth = dict(zip(ids, ["background"] * 4 + ["object"] * 2, strict=True))
    assert [r.ok for r in checks.maps(truth)] == [True] * 6 + [None]
    assert [r.ok for r in checks.maps(dict.fromkeys(ids, "object"))] == [False] * 4 + [True] * 2 + [None]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "ok"), [(10, [False]), (40, [True, True]), (200, [True, False])])
def test_too_few_and_far_too_many_images_fail(n, ok):
    assert [r.ok for r in checks.sample(n)] == ok


@pytest.mark.slow
def test_the_head_of_the_birds_is_not_guilty():
    reasons = checks.guilty("L3.H1 L3.H7 L3.H5")
    assert [r.ok for r in reasons] == [True, False, False, False, None]
    assert checks.guilty("L3.H7 L3.H5 L2.H4 L2.H3 L3.H4 L1.H4")[0].ok is False  # six


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "ok"), [((10, 10), [False, True]), ({"alpha": 0, "beta": 10}, [True, False])])
def test_either_side_of_the_price_is_missed(answer, ok):
    assert [r.ok for r in checks.price(answer)][:2] == ok


MALFORMED = {
    "exact sum": ["text", object()],
    "background heads": ["", "L9.H9", 7, "heads"],
    "head in words": ["L3.H5", {}, {"light": "L3.H5"}, {"light": "L3.H5 L3.H4", "weather": "L2.H0", "colour": "L2.H2"}],
    "object or background": [[], {}, {"val-3-birds1-000000": "object"}, None],
    "how many images": [0, 1, 201, 10.5, True, "ten"],
    "guilty heads": ["", "L4.H0", None],
    "price of an edit": [{}, {"alpha": 1}, 3, (1, 2, 3), {"alpha": -1, "beta": 0}, {"alpha": float("nan"), "beta": 1}],
}


@pytest.mark.parametrize(("title", "answer"), [(t, a) for t, answers in MALFORMED.items() for a in answers])
def test_what_is_no_answer_is_no_try(title, answer, book):
    with pytest.raises(tk.InputError, match="Accepted"):
        exercise(title).check(answer)
    assert book.exercises == []


def test_hints_come_one_by_one_and_are_noted(book):
    task = exercise("exact sum")
    said = [str(task.hint()) for _ in range(4)]
    assert [s.split(":")[0] for s in said[:3]] == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3"]
    assert said[3].count("Hint") == 3
    assert "def exact_sum" in str(task.solution())
    (row,) = book.exercises
    assert (row["hints"], row["solution"], row["tries"], row["passed"]) == (3, True, 0, False)


def test_a_failed_grade_points_to_the_next_step_and_escapes():
    task = exercise("exact sum")
    grade = task.check(np.zeros((2, 2)))
    assert grade.tries == 1
    assert ".hint()" in repr(grade)
    assert "not yet" in repr(grade)
    assert "<script" not in grade._repr_html_()
    assert "✗" in grade._repr_html_()
    assert "●○○○" in repr(task)
    assert "exact sum" in task._repr_html_()


@pytest.mark.slow
def test_the_instructor_page_has_the_numbers_of_the_checks():
    page = (Path(__file__).parents[2] / "docs" / "teaching.md").read_text(encoding="utf-8")
    rows = {
        line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| ") and line.count("|") == 6
    }
    gains = [float(re.search(r"([+-][\d.]+) points \(\+20", checks.guilty(heads)[1].text)[1]) for heads in (
        "L3.H7 L3.H5 L2.H4", "L3.H7 L3.H5 L2.H4 L3.H4 L2.H3", "L3.H7 L3.H5")]  # fmt: skip
    said = [float(x) for x in re.findall(r"\+([\d.]+)", rows["guilty heads"])]
    assert [round(gain, 1 if x % 1 else 0) for gain, x in zip(gains, said, strict=True)] == said
    for alpha, beta in ((5, 10), (10, 10), (0, 10)):
        kept = re.search(r"keeps (\d+) %", checks.price((alpha, beta))[0].text)[1]
        assert f"{kept} %" in rows["price of an edit"], (alpha, beta)


@pytest.mark.slow
def test_many_tries_on_the_same_test_images_are_remarked():
    task = exercise("price of an edit")
    grades = [task.check((10, 10)) for _ in range(OFTEN)]
    assert "validation" in grades[-1].reasons[-1].text
    assert not any("validation" in r.text for r in grades[0].reasons)


def test_titles_are_found_in_any_spelling():
    assert exercise("Exact_Sum") is exercise("exact sum")
    with pytest.raises(tk.InputError, match="did you mean 'guilty heads'"):
        exercise("guilty head")
