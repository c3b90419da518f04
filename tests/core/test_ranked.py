"""Kinds of mistakes and classes in order: against plain loops, at any number of classes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.ranked import RANKS, by_change, known_rank, mistakes, named
from toolkit.errors import InputError

NAMES = ("crane", "heron", "crane fly", "Grey Heron", "tench")
labelled = st.integers(0, 60).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 4), min_size=n, max_size=n) for _ in range(3)))
)


@given(labelled, st.sampled_from(sorted(RANKS)))
def test_the_counts_are_those_of_a_loop_and_in_order(data, rank):
    truth, before, after = data
    found = mistakes(truth, before, after, NAMES)
    old, new = (Counter((y, o) for y, o in zip(truth, guess, strict=True) if y != o) for guess in (before, after))
    rows = found.ranked("", rank)
    assert {(row.true, row.predicted): (row.before, row.after) for row in rows} == {
        (NAMES[y], NAMES[o]): (old[y, o], new[y, o]) for y, o in old.keys() | new.keys()
    }
    assert len(found) == len(rows)
    keys = {
        "loss": [row.before - row.after for row in rows], "gain": [row.after - row.before for row in rows],
        "before": [-row.before for row in rows], "after": [-row.after for row in rows],
    }  # fmt: skip
    assert keys[rank] == sorted(keys[rank])
    assert found.ranked("", rank, 2) == rows[:2]


def test_a_kind_is_found_by_either_name_or_by_both():
    truth, guess = [0, 1, 2, 3, 4], [1, 0, 3, 2, 0]
    found = mistakes(truth, guess, guess, NAMES)
    pairs = lambda text: {(row.true, row.predicted) for row in found.ranked(text)}  # noqa: E731
    assert pairs("TENCH") == {("tench", "crane")}
    assert pairs(" heron ") == {
        ("crane", "heron"),
        ("heron", "crane"),
        ("crane fly", "Grey Heron"),
        ("Grey Heron", "crane fly"),
    }
    assert pairs("crane → heron") == pairs("crane -> heron") == {("crane", "heron"), ("crane fly", "Grey Heron")}
    assert pairs("→ tench") == set()
    assert pairs("") == pairs("→") == {(NAMES[y], NAMES[o]) for y, o in zip(truth, guess, strict=True)}
    assert found.count("crane", "heron").before == 1
    assert found.count("heron", "tench") == ("heron", "tench", 0, 0)
    assert named(NAMES, "crane → grey").tolist() == [True, False, True, True, False]


def test_what_no_image_does_is_no_kind_of_mistake():
    found = mistakes([0, 1], [0, 1], [0, 1], NAMES)
    assert len(found) == 0
    assert found.ranked() == []


def test_groups_by_what_a_change_did_to_them():
    before, after = [0.5, 0.9, 0.2, 0.9], [0.6, 0.4, 0.2, 0.9]
    assert by_change(before, after, "loss").tolist() == [1, 2, 3, 0]
    assert by_change(before, after, "gain").tolist() == [0, 2, 3, 1]
    assert by_change(before, after, "before").tolist() == [2, 0, 1, 3]
    assert by_change(before, after, "after").tolist() == [2, 1, 0, 3]
    with pytest.raises(InputError, match="rank='worst'"):
        known_rank("worst", "ablation.by_class")


def test_a_thousand_classes_and_fifty_thousand_images():
    rng = np.random.default_rng(0)
    names = [f"class {i:03}" for i in range(1000)]
    truth, before, after = rng.integers(0, 1000, (3, 50_000))
    found = mistakes(truth, before, after, names)
    assert found.before.sum() == (truth != before).sum()
    assert found.after.sum() == (truth != after).sum()
    assert len(found.ranked("class 12", "loss", 20)) == 20
