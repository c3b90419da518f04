"""Scores of keywords: against plain loops, and hand-made values."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from toolkit.core.keywords import (
    CellMoments,
    Shuffled,
    as_good,
    by_sets,
    folded,
    log_odds,
    scored,
    split_count,
    splits,
    without_direction,
)


def test_eight_of_ten_against_two_of_twenty():
    assert log_odds(np.array([8]), 10, np.array([2]), 20)[0] == pytest.approx(3.225255, abs=5e-7)


@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 1000))
def test_scores_are_welchs(n1, n0, seed):
    rng = np.random.default_rng(seed)
    cosines = 0.1 * rng.standard_normal((n1 + n0, 3)) + 0.2
    cell = torch.tensor([0] * n1 + [1] * n0)
    parts = iter(torch.from_numpy(cosines).split(4))
    found = scored(CellMoments.of(parts, cell, 2), 0, 1)
    plain = ttest_ind(cosines[:n1], cosines[n1:], equal_var=False, alternative="greater")
    np.testing.assert_allclose(found.score, 100 * (cosines[:n1].mean(0) - cosines[n1:].mean(0)), atol=1e-9)
    np.testing.assert_allclose(found.t, plain.statistic, rtol=1e-8)
    np.testing.assert_allclose(found.p, plain.pvalue, rtol=1e-7, atol=1e-12)
    limits = ttest_ind(cosines[:n1], cosines[n1:], equal_var=False).confidence_interval(0.95)
    np.testing.assert_allclose(found.low, 100 * limits.low, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(found.high, 100 * limits.high, rtol=1e-7, atol=1e-7)


def test_one_image_has_a_score_and_no_interval():
    found = scored(CellMoments.of(iter([torch.tensor([[0.5], [0.1], [0.3]])]), torch.tensor([0, 1, 1]), 2), 0, 1)
    assert found.score[0] == pytest.approx(30)
    assert np.isnan([found.low[0], found.high[0], found.t[0], found.p[0]]).all()


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 1000))
def test_few_splits_are_counted_one_by_one(n1, n0, seed):
    cosines = np.random.default_rng(seed).standard_normal((n1 + n0, 2))
    chosen = np.concatenate(list(splits(n1, n0, 7, 0)))
    assert len(chosen) == split_count(n1, n0)
    assert len({tuple(row) for row in chosen.tolist()}) == len(chosen)
    there = cosines[:n1].mean(0) - cosines[n1:].mean(0)
    plain = np.zeros(2)
    for rows in combinations(range(n1 + n0), n1):
        rest = [i for i in range(n1 + n0) if i not in rows]
        plain += cosines[list(rows)].mean(0) - cosines[rest].mean(0) >= there - 1e-9
    for kind in (np.float64, np.float32):
        assert as_good(chosen, Shuffled.of(cosines.astype(kind), n1)).tolist() == plain.tolist()


def test_many_splits_are_drawn_each_with_as_many_ones():
    some = np.concatenate(list(splits(30, 40, 1200, 3)))
    assert some.shape == (1200, 70)
    assert set(some.sum(1).tolist()) == {30.0}
    assert abs(some.mean() - 30 / 70) < 1e-6
    again = np.concatenate(list(splits(30, 40, 1200, 3)))
    assert (some == again).all()


def test_a_keyword_that_says_nothing_is_found_as_often_as_chance_says():
    rng = np.random.default_rng(0)
    cosines = rng.standard_normal((60, 400))
    chosen = np.concatenate(list(splits(20, 40, 1000, 0)))
    p = (1 + as_good(chosen, Shuffled.of(cosines, 20))) / 1001
    assert abs((p <= 0.1).mean() - 0.1) < 0.05


def test_a_direction_is_taken_out():
    texts = torch.nn.functional.normalize(torch.randn(6, 5, dtype=torch.float64), dim=1)
    d = torch.randn(5, dtype=torch.float64)
    rest, norm = without_direction(texts, d)
    assert float((rest @ d).abs().max()) < 1e-12
    torch.testing.assert_close(rest.norm(dim=1), torch.ones(6, dtype=torch.float64))
    torch.testing.assert_close(norm**2 + (texts @ (d / d.norm())) ** 2, torch.ones(6, dtype=torch.float64))


def test_texts_that_repeat_a_better_one_stand_under_it():
    texts = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1, 0], [0, 1]]), dim=1)
    assert folded(texts, np.array([1, 0, 2]), 0.9).tolist() == [1, 1, 2]
    assert folded(texts, np.array([1, 0, 2]), 0.999).tolist() == [0, 1, 2]


def test_a_set_counts_with_all_its_texts():
    cosines = torch.tensor([[0.30, 0.29, 0.305], [0.1, 0.1, 0.4]])
    assert by_sets(cosines, [[0, 1], [2]], 0.02).tolist() == [0, 1]
    assert by_sets(cosines, [[0], [2]], 0.02).tolist() == [1, 1]
