"""Random numbers by counter: independent of order and count, well spread, with known values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.organism.draws import SPLITS, Draws
from toolkit.organism.factors import BACKGROUNDS, FACTORS, PLACE_OF, Mixture, draw_factors


@given(st.sampled_from(SPLITS), st.integers(0, 2**32 - 1), st.integers(0, 2**40))
def test_a_draw_depends_on_split_seed_and_index_alone(split, seed, index):
    alone = Draws(split, seed, np.array([index]))
    among = Draws(split, seed, np.arange(index - min(index, 5), index + 7))
    at = min(index, 5)
    for slot in ("class", "light"):
        assert alone.bits(slot)[0] == among.bits(slot)[at]
        assert (alone.uniform(slot, 4)[0] == among.uniform(slot, 4)[at]).all()
        assert alone.choice(slot, 7)[0] == among.choice(slot, 7)[at]


def test_known_values():
    """Pinned, so that the world is the same world in every release and on every machine."""
    draws = Draws("test", 0, np.arange(3))
    assert draws.bits("class").tolist() == KNOWN["bits"]
    assert draws.choice("class", 20).tolist() == KNOWN["choice"]


KNOWN = {"bits": [18271591781134100408, 17588247752202447767, 6132182782439096962], "choice": [19, 19, 6]}


def test_splits_seeds_and_slots_are_unrelated():
    index = np.arange(4000)
    columns = [Draws(split, seed, index).uniform(slot) for split in SPLITS for seed in (0, 1) for slot in ("a", "b")]
    correlation = np.corrcoef(np.stack(columns)) - np.eye(len(columns))
    assert abs(correlation).max() < 0.08
    assert all(abs(c.mean() - 0.5) < 0.02 for c in columns)


@pytest.mark.parametrize("weights", [[1.0, 3.0], [0.2, 0.0, 0.8], [5.0]])
def test_choice_follows_its_weights(weights):
    found = np.bincount(Draws("val", 1, np.arange(20000)).choice("x", weights), minlength=len(weights)) / 20000
    assert found == pytest.approx(np.array(weights) / sum(weights), abs=0.012)


def test_mixture_decides_how_often_things_occur_together():
    factors = draw_factors(Draws("train", 0, np.arange(20000)), Mixture(birds=0.4, rho=0.9, parts=0.95))
    bird = factors["class"] < 2
    water = np.array([PLACE_OF[b] == "water" for b in BACKGROUNDS])[factors["background"]]
    assert bird.mean() == pytest.approx(0.4, abs=0.015)
    assert (water == (factors["class"] == 0))[bird].mean() == pytest.approx(0.9, abs=0.015)
    assert (factors["neck"] == factors["class"])[bird].mean() == pytest.approx(0.95, abs=0.01)
    assert (factors["neck"][~bird] == -1).all()
    assert set(factors) == set(FACTORS)
    for name, values in FACTORS.items():
        assert set(np.unique(factors[name])) - {-1} == set(range(len(values)))


def test_rho_moves_birds_and_leaves_every_other_factor_of_a_sample():
    a, b = (draw_factors(Draws("train", 0, np.arange(500)), Mixture(rho=r)) for r in (0.5, 0.98))
    changed = {name for name in a if (a[name] != b[name]).any()}
    assert changed == {"background"}
