"""Moments of heads: equal to those of the contributions themselves, mergeable in any way, exact where it is hard."""

from __future__ import annotations

import families
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core.moments import moment_maps, moments_of
from toolkit.core.parts import CONVENTIONS, parts_from
from toolkit.core.state import State, state_of
from toolkit.errors import InputError
from toolkit.models.model import wrap


def state_and_model(family="vit", n=9):
    clip = families.build(family, torch.float64)
    model = wrap(clip)
    return state_of(model.trace(families.pictures(clip, n, torch.float64)), model.readout()), model


def some(state, rows):
    return State(*(getattr(state, f)[rows] for f in ("mixes", "mlps", "means", "sigma", "mu", "output")))


@pytest.mark.parametrize("family", ["vit", "vit-layerscale", "average-pool-of-normed", "resnet"])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_moments_are_those_of_the_contributions(family, convention):
    state, model = state_and_model(family)
    heads = parts_from(state, model.readout(), convention).heads
    moments, maps = moments_of(state), moment_maps(model.readout(), convention)
    torch.testing.assert_close((moments.mean[..., None, :] @ maps)[..., 0, :], heads.mean(0))
    centred = heads - heads.mean(0)
    torch.testing.assert_close(maps.mT @ moments.scatter @ maps, torch.einsum("blhd,blhe->lhde", centred, centred))
    torch.testing.assert_close(maps.mT @ moments.second @ maps, torch.einsum("blhd,blhe->lhde", heads, heads))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 8), min_size=0, max_size=4, unique=True), st.randoms(use_true_random=False))
def test_any_split_merges_to_the_whole(cuts, random):
    state, _ = state_and_model()
    pieces = [r for r in np.split(np.arange(9), sorted(cuts)) if len(r)]
    random.shuffle(pieces)
    merged = moments_of(some(state, torch.as_tensor(pieces[0])))
    for rows in pieces[1:]:
        merged = merged.merge(moments_of(some(state, torch.as_tensor(rows))))
    whole = moments_of(state)
    assert merged.count == 9
    torch.testing.assert_close(merged.mean, whole.mean)
    torch.testing.assert_close(merged.scatter, whole.scatter, rtol=1e-9, atol=1e-14)


def test_a_large_constant_does_not_swallow_a_small_variance():
    """Naive Σqq ᵀ − n q̄q̄ᵀ in float64 would lose a spread of 1e-9 beside a mean of 1."""
    state, _ = state_and_model()
    mixes = torch.ones_like(state.mixes)
    mixes[..., 0] += 1e-9 * torch.arange(9.0)[:, None, None]
    flat = State(mixes, state.mlps, state.means, torch.ones(9), torch.zeros(9), torch.ones(9, 1))
    a = moments_of(some(flat, torch.arange(4))).merge(moments_of(some(flat, torch.arange(4, 9))))
    exact = 1e-18 * np.var(np.arange(9), ddof=1)
    np.testing.assert_allclose(a.covariance[..., 0, 0], exact, rtol=1e-5)


def test_one_image_has_no_covariance_and_none_no_moments():
    state, _ = state_and_model()
    with pytest.raises(InputError, match="at least two images"):
        _ = moments_of(some(state, torch.arange(1))).covariance
    with pytest.raises(InputError, match="no images"):
        moments_of(some(state, torch.arange(0)))
