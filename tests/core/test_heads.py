"""Head sets: every way to write one, order, repeats, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core.heads import HeadSet
from toolkit.errors import InputError

pairs = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12)


@given(pairs)
def test_every_spelling_means_the_same(heads):
    expected = HeadSet(tuple(dict.fromkeys(heads)))
    text = " ".join(f"L{a}.H{b}" for a, b in heads)
    for spelling in (
        heads,
        tuple(heads),
        text,
        text.replace(" ", ", "),
        text.lower().split(),
        [list(h) for h in heads],
        expected,
    ):
        assert HeadSet.of(spelling) == expected
    assert HeadSet.of(np.array(heads, int).reshape(-1, 2)) == expected
    assert HeadSet.of(str(expected)) == expected
    assert len(expected) == len(set(heads))


def test_single_pair_and_membership():
    assert HeadSet.of((2, 6)) == HeadSet.of("L2.H6") == HeadSet.of("L2H6")
    assert (2, 6) in HeadSet.of("L2.H6")
    assert repr(HeadSet.of([(3, 1), (2, 6), (3, 1)])) == "HeadSet('L3.H1 L2.H6')"


def test_scale_table():
    table = HeadSet.of("L1.H0").scale(2, 3, 0.25)
    assert torch.equal(table, torch.tensor([[1, 1, 1], [0.25, 1, 1]], dtype=torch.float64))


@pytest.mark.parametrize("heads", ["head 3", "L2", 5, None, [(1, 2, 3)], [(0.5, 1)], [(-1, 0)], ["L1.H2", "x"]])
def test_what_is_no_head_set_is_refused(heads):
    with pytest.raises(InputError, match="heads: got"):
        HeadSet.of(heads)
