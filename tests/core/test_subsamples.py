"""Halves and folds hold what they say of every class; how many heads a half may name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core.subsamples import folds, halves, named_by_each, wrongly_kept

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=40).map(torch.tensor)


@pytest.mark.parametrize(("candidates", "named"), [(32, 5), (1, 1), (2, 1), (384, 17), (768, 24)])
def test_each_names_as_many_as_keep_the_expected_errors_below_one(candidates, named):
    assert named_by_each(candidates, 0.9) == named
    assert wrongly_kept(named, candidates, 0.9) <= 1.25  # of one candidate 1 / 0.8, as at least one is named
    assert wrongly_kept(named + 1, candidates, 0.9) > 1


@given(LABELS, st.integers(0, 3))
@settings(max_examples=40)
def test_a_half_holds_half_of_every_class(labels, seed):
    drawn = halves(labels, 7, seed)
    assert drawn.shape == (7, len(labels))
    assert set(drawn.unique().tolist()) <= {0.0, 1.0}
    for label in labels.unique():
        own = drawn[:, labels == label].sum(1)
        assert own.tolist() == [max(1, int((labels == label).sum()) // 2)] * 7
    assert torch.equal(drawn, halves(labels, 7, seed))


@given(LABELS, st.integers(2, 6))
@settings(max_examples=40)
def test_folds_share_every_class_evenly(labels, number):
    found = folds(labels, number, 3, 0)
    assert found.shape == (3, len(labels))
    for partition in found:
        for rows in (labels == label for label in [*labels.unique(), labels]):
            rows = torch.ones_like(labels, dtype=torch.bool) if rows.all() else rows
            counts = np.bincount(partition[rows].numpy(), minlength=number)
            assert counts.max() - counts.min() <= 1
    if len(labels) > 12:
        assert not torch.equal(found[0], found[1])
