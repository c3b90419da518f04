"""Labels of another origin: numbers are classes only where nothing says that they are counted otherwise."""

from __future__ import annotations

import numpy as np
import pytest

import toolkit as tk
from toolkit.api.images.judged import judged

BIRDS = tk.classes(["landbird", "waterbird"], vectors=np.eye(2, 16))


def acts_of(labels):
    """Images whose class is known from their one head: the first half lies along the first axis."""
    n = len(labels)
    heads = np.zeros((n, 1, 2, 16))
    heads[: n // 2, :, :, 0] = heads[n // 2 :, :, :, 1] = 1.0
    heads += np.random.default_rng(0).normal(size=heads.shape) / 100
    return tk.from_arrays(heads, np.zeros((n, 2, 16)), np.zeros((n, 16)), labels=labels, scale="raw")


@pytest.mark.parametrize(
    "labels",
    [["0"] * 4 + ["1"] * 4, [0] * 4 + [1] * 4, [0.0] * 4 + [1.0] * 4, ["00"] * 4 + ["01"] * 4,
     ["0.0"] * 4 + ["1.0"] * 4,
     np.repeat([0, 1], 4), ["landbird"] * 4 + ["waterbird"] * 4],
)  # fmt: skip
def test_numbers_from_zero_are_the_classes_in_order(labels):
    found = judged(acts_of(labels), BIRDS, "test")
    assert found.truth.tolist() == [0] * 4 + [1] * 4
    assert found.left_out == 0
    assert float((found.truth == found.guess).double().mean()) == 1.0


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["1"] * 4 + ["2"] * 4, "labels from 1 to 2 for 2 classes, which seem to be counted from 1"),
        ([1] * 4 + [2] * 4, "counted from 1"),
        ([1.0] * 4 + [2.0] * 4, "counted from 1"),
        (["001"] * 4 + ["002"] * 4, "counted from 1"),
        (["1.0"] * 4 + ["2.0"] * 4, "counted from 1"),
        (range(8), "labels from 0 to 7 for 2 classes"),
        (["3"] * 4 + ["5"] * 4, "labels from 3 to 5 for 2 classes"),
        ([True] * 4 + [False] * 4, "none with a label in the class set .labels such as 'True'"),
        (["a"] * 4 + ["2"] * 4, "none with a label in the class set"),
        (["-5"] * 4 + ["0"] * 4, "labels from -5 to 0"),
    ],
)
def test_other_numbers_are_refused_in_words(labels, words):
    acts = acts_of(list(labels))
    for call in (lambda: judged(acts, BIRDS, "test"), lambda: tk.ablate(acts, BIRDS, [(0, 0)])):
        with pytest.raises(tk.InputError, match=words):
            call()


def test_missing_labels_beside_numbers_are_left_out():
    found = judged(acts_of([0, 0, 0, None, 1.0, 1.0, float("nan"), ""]), BIRDS, "test")
    assert found.truth.tolist() == [0, 0, 0, 1, 1]
    assert found.left_out == 3


def test_numbers_that_are_names():
    one_two = tk.classes(["1", "2"], vectors=np.eye(2, 16))
    assert judged(acts_of([1] * 4 + [2] * 4), one_two, "test").truth.tolist() == [0] * 4 + [1] * 4


def test_a_label_in_another_spelling_of_its_bytes():
    classes = tk.classes(["cafe\u0301", "tea"], vectors=np.eye(2, 16))
    found = judged(acts_of(["caf\u00e9"] * 4 + ["tea"] * 4), classes, "test")
    assert found.truth.tolist() == [0] * 4 + [1] * 4
    assert found.left_out == 0
