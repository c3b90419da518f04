"""Intervals: against scipy, against literal bootstraps that resample images one by one, and at the extremes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, ks_2samp

from toolkit.core.intervals import (
    Interval,
    accuracy_replicates,
    mean_interval,
    paired_bootstrap,
    paired_replicates,
    stratified_bootstrap,
    wilson,
    worst_interval,
)
from toolkit.errors import InputError

RIGHT, SIZES = np.array([20, 41, 57]), np.array([30, 50, 60])
OUTCOMES = np.array([[8, 5, 2, 15], [4, 9, 1, 36], [10, 1, 7, 42]])


def counts(max_n: int = 400) -> st.SearchStrategy[tuple[int, int]]:
    return st.integers(1, max_n).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts(5000), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999]))
def test_wilson_agrees_with_scipy(pair: tuple[int, int], level: float) -> None:
    right, n = pair
    ours, theirs = wilson(right, n, level), binomtest(right, n).proportion_ci(level, method="wilson")
    assert ours.low == pytest.approx(theirs.low, abs=1e-12)
    assert ours.high == pytest.approx(theirs.high, abs=1e-12)
    assert right / n in ours


def test_wilson_at_the_ends_is_exact_on_one_side_and_open_on_the_other() -> None:
    none, every = wilson(0, 10), wilson(10, 10)
    assert none.low == 0.0
    assert every.high == 1.0
    assert none.high == pytest.approx(0.2775327998628892, abs=1e-12)  # z²/(n + z²)
    assert every.low == pytest.approx(1 - none.high, abs=1e-12)


@given(counts(), st.floats(1e-6, 1 - 1e-6))
def test_wilson_mirrors_and_widens_with_level(pair: tuple[int, int], level: float) -> None:
    right, n = pair
    interval, mirror = wilson(right, n, level), wilson(n - right, n, level)
    assert interval.low == pytest.approx(1 - mirror.high, abs=1e-9)
    assert wilson(right, n, (1 + level) / 2).width >= interval.width
    assert 0 <= interval.low <= interval.high <= 1


def literal_accuracies(seed: int, replicates: int) -> np.ndarray:
    """[replicate, g], by drawing images with replacement inside every group."""
    rng = np.random.default_rng(seed)
    groups = [np.arange(n) < r for r, n in zip(RIGHT, SIZES, strict=True)]
    return np.array([[rng.choice(images, len(images)).mean() for images in groups] for _ in range(replicates)])


def literal_pairs(seed: int, replicates: int) -> tuple[np.ndarray, np.ndarray]:
    """Before and after [replicate, g]; an image keeps its two answers together when it is drawn."""
    rng = np.random.default_rng(seed)
    groups = [np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], row, axis=0) for row in OUTCOMES]
    drawn = np.array([[g[rng.integers(len(g), size=len(g))].mean(axis=0) for g in groups] for _ in range(replicates)])
    return drawn[:, :, 0], drawn[:, :, 1]


def same_distribution(ours: np.ndarray, literal: np.ndarray, tolerance: float) -> None:
    levels = [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975]
    np.testing.assert_allclose(np.quantile(ours, levels), np.quantile(literal, levels), atol=tolerance)
    assert ks_2samp(ours, literal).pvalue > 1e-3
    assert ours.std() == pytest.approx(literal.std(), rel=0.08)


def test_binomial_draws_are_the_bootstrap_over_images() -> None:
    ours, literal = accuracy_replicates(RIGHT, SIZES, 20_000, seed=1), literal_accuracies(2, 2000)
    weights = np.array([0.6, 0.1, 0.3])
    same_distribution(ours.min(axis=1), literal.min(axis=1), 1.5 / 30)
    same_distribution(ours @ weights, literal @ weights, 0.008)
    assert abs(np.corrcoef(ours.T)[0, 1]) < 0.03  # groups are drawn independently


def test_multinomial_draws_are_the_paired_bootstrap_over_images() -> None:
    (before, after), (old, new) = paired_replicates(OUTCOMES, 20_000, seed=3), literal_pairs(4, 2000)
    same_distribution(after.min(axis=1) - before.min(axis=1), new.min(axis=1) - old.min(axis=1), 1.5 / 30)
    same_distribution((after - before).mean(axis=1), (new - old).mean(axis=1), 0.008)
    for g in range(3):
        ours, literal = (np.corrcoef(x[:, g], y[:, g])[0, 1] for x, y in ((before, after), (old, new)))
        assert ours == pytest.approx(literal, abs=0.06)


def test_the_minimum_is_taken_inside_each_replicate() -> None:
    right, n = [50] * 20, [100] * 20
    worst = worst_interval(right, n)
    assert worst.high < 0.5, "the minimum of 20 equal groups lies below each of them"
    assert wilson(50, 100).high > 0.58
    assert worst.method == "stratified bootstrap (2000 replicates, seed 0), minimum inside"


def test_mean_interval_covers_the_true_mean() -> None:
    rng = np.random.default_rng(0)
    truth, sizes, weights = np.array([0.9, 0.6, 0.3]), np.array([200, 60, 90]), np.array([0.2, 0.5, 0.3])
    covered = [
        float(truth @ weights) in mean_interval(rng.binomial(sizes, truth), sizes, weights, replicates=500, seed=t)
        for t in range(400)
    ]
    assert 0.91 < np.mean(covered) < 0.985


def test_paired_interval_is_narrower_than_an_unpaired_one() -> None:
    paired = paired_bootstrap([[40, 5, 1, 54]], lambda a: a[:, 0])
    before = stratified_bootstrap([55], [100], lambda a: a[:, 0])
    after = stratified_bootstrap([59], [100], lambda a: a[:, 0])
    assert paired.width < 0.5 * (before.width**2 + after.width**2) ** 0.5
    assert 0.04 in paired


def test_images_that_do_not_vary_still_get_a_width() -> None:
    perfect = worst_interval([5, 900], [5, 900])
    assert (perfect.low, perfect.high) == (wilson(5, 5).low, 1.0)
    hopeless = worst_interval([0, 0, 70], [10, 40, 100])
    assert (hopeless.low, hopeless.high) == (0.0, wilson(0, 40).high)
    mean = mean_interval([10, 0], [10, 10], [0.5, 0.5])
    assert mean.low == pytest.approx(0.5 - 0.5 * wilson(0, 10).high)
    assert "do not vary" in perfect.method
    assert "do not vary" in hopeless.method
    assert "do not vary" in mean.method
    assert mean_interval([10, 5], [10, 10], [1, 0]).width > 0, "an unweighted group lends no variation"
    assert "no replicate differs" in paired_bootstrap([[3, 0, 0, 7]], lambda a: a[:, 0]).method


@settings(max_examples=40)
@given(st.lists(counts(60), min_size=1, max_size=6), st.integers(0, 2**32))
def test_bootstraps_stay_in_range_and_repeat_with_their_seed(pairs: list[tuple[int, int]], seed: int) -> None:
    right, n = np.array(pairs).T
    for make in (worst_interval, lambda r, m, **k: mean_interval(r, m, np.full(len(m), 1 / len(m)), **k)):
        interval = make(right, n, replicates=50, seed=seed)
        assert 0 <= interval.low <= interval.high <= 1
        assert interval == make(right, n, replicates=50, seed=seed)


@given(st.lists(st.lists(st.integers(0, 30), min_size=4, max_size=4).filter(any), min_size=1, max_size=5))
def test_paired_replicates_centre_on_the_accuracies_before_and_after(rows: list[list[int]]) -> None:
    before, after = paired_replicates(rows, 200, seed=0)
    assert before.shape == after.shape == (200, len(rows))
    table = np.array(rows)
    share = table / table.sum(axis=1, keepdims=True)
    spread = 5 * 0.5 / np.sqrt(200 * table.sum(axis=1))  # five standard errors at most
    assert np.all(np.abs(before.mean(axis=0) - share[:, 2:].sum(axis=1)) <= spread)
    assert np.all(np.abs(after.mean(axis=0) - share[:, [1, 3]].sum(axis=1)) <= spread)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: wilson(1, 0), "1 right of 0 images"),
        (lambda: wilson(3, 2), "3 right of 2"),
        (lambda: wilson(-1, 2), "-1 right"),
        (lambda: wilson(0.5, 2), "float64"),
        (lambda: wilson(1, 2, level=95), "level=0.95"),
        (lambda: wilson(1, 2, level=float("nan")), "level=nan"),
        (lambda: worst_interval([], []), "one per group"),
        (lambda: worst_interval([1, 2], [3]), r"\[2\].*\[1\]"),
        (lambda: worst_interval([1, 0], [3, 0]), "group 1"),
        (lambda: worst_interval([1], [3], replicates=0), "replicates=0"),
        (lambda: worst_interval([1], [3], seed=-1), "seed=-1"),
        (lambda: mean_interval([1, 1], [3, 3], [1, 1]), "sum to 1"),
        (lambda: mean_interval([1, 1], [3, 3], [float("nan"), 1]), "nan"),
        (lambda: mean_interval([1, 1], [3, 3], [1]), "2 non-negative"),
        (lambda: stratified_bootstrap([1], [3], lambda a: a), "axis=1"),
        (lambda: paired_replicates([[1, 2, 3]]), r"\[1, 3\]"),
        (lambda: paired_replicates([[0, 0, 0, 0]]), "0 images"),
        (lambda: paired_replicates([[1, -1, 1, 1]]), "negative"),
    ],
)
def test_bad_input_is_refused_in_words(call: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()  # type: ignore[operator]


def test_interval_reads_as_text() -> None:
    assert str(Interval(0.25, 0.5, 0.95, "Wilson")) == "[0.2500, 0.5000] (0.95 Wilson)"
