"""Labels that read alike, and labels that say that there is none."""

from __future__ import annotations

import numpy as np
import pytest
from data import trees

import toolkit as tk
from toolkit.data.doubtful import doubts

ZERO_WIDTH, NO_BREAK, FULL_WIDTH_C = chr(0x200B), chr(0xA0), chr(0xFF43)


@pytest.mark.parametrize(
    "pair",
    [
        ("cat", "Cat"), ("cat", "cat" + ZERO_WIDTH), ("black cat", "black" + NO_BREAK + "cat"),
        ("cat", FULL_WIDTH_C + "at"), ("black_cat", "black cat"), ("Straße", "STRASSE"),
    ],
)  # fmt: skip
def test_labels_that_read_alike(pair):
    (said,) = doubts([*pair, "dog"])
    assert "read alike and count as two labels" in said
    assert all(repr(name) in said for name in pair)


def test_three_of_a_look_and_groups_of_their_own():
    said = doubts(["cat", "Cat", "CAT"], ["cat", "water", "Water"])
    assert said[0] == "'CAT', 'Cat', 'cat' read alike and count as 3 labels"
    assert said[1] == "'Water' and 'water' read alike and count as two groups"


@pytest.mark.parametrize("name", ["NaN", "NA", "n/a", "null", "None", "<NA>"])
def test_names_of_nothing(name):
    assert doubts(["cat", name]) == [f"the label {name!r} counts as a name"]


def test_what_is_as_it_seems_is_not_spoken_of():
    assert doubts(["cat", "dog", "black cat", "1", "01", ""], ["cat, land", "cat, water"]) == []


def test_a_table_says_it(tmp_path):
    file = trees.table(tmp_path)
    file.write_text(file.read_text().replace("gull", "Wren", 1))
    with pytest.warns(tk.DataWarning, match="'Wren' and 'wren' read alike"):
        data = tk.table(file, split="train")
    assert any("read alike" in note for note in data.notes)


def labelled(labels):
    rng = np.random.default_rng(0)
    parts = {"heads": (40, 2, 3, 8), "mlps": (40, 3, 8), "rest": (40, 8)}
    arrays = {name: rng.normal(size=shape) for name, shape in parts.items()}
    return tk.from_arrays(**arrays, labels=labels, scale="raw"), tk.classes(
        ["a b", "c"], vectors=rng.normal(size=(2, 8))
    )


def test_labels_that_read_like_a_class_are_told_and_named_in_the_result():
    acts, classes = labelled(["a_b", "c", "dog", "c"] * 10)
    with pytest.warns(tk.ClassWarning, match="left out: 'a_b' is not 'a b'"):
        found = tk.ablate(acts, classes, "L0.H0")
    assert found.before.others == ("a_b", "dog")
    assert "(20 left out: label not in the class set: 'a_b', 'dog')" in str(found)
    with pytest.raises(tk.InputError, match="'A B' is not 'a b'"):
        tk.ablate(labelled(["A B", "dog"] * 20)[0], classes, "L0.H0")


def test_labels_of_minus_one_are_named_too():
    acts, classes = labelled([-1, 1] * 20)
    assert "(20 left out: label not in the class set: '-1')" in str(tk.ablate(acts, classes, "L0.H0"))
