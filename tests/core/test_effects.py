"""DE_A … DE_D: against the paper's words, one image and head at a time; and the identities of methods §3."""

from __future__ import annotations

import families
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_loops import literal

from toolkit.core import effects as module
from toolkit.core.choice import CRITERIA, Judge, best_prefix, choose, prefix_values
from toolkit.core.effects import NAMES, SIGN, direct_effects, error_sets, resampled
from toolkit.core.headspace import head_space
from toolkit.core.moments import moment_maps
from toolkit.core.parts import CONVENTIONS, parts_from
from toolkit.core.state import state_of
from toolkit.models.model import wrap

LAYERS = (1, 2)


@pytest.fixture(scope="module", params=["vit", "vit-layerscale", "average-pool-of-normed", "resnet"])
def setting(request):
    clip = families.build(request.param, torch.float64)
    model = wrap(clip)
    images = families.pictures(clip, 14, torch.float64)
    state = state_of(model.trace(images), model.readout())
    texts = torch.randn(3, 48, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return state, model.readout(), torch.nn.functional.normalize(texts, dim=1)


def layers_of(state):
    return tuple(range(state.mixes.shape[1]))[-2:]


def spread(truth_guess, n=14):
    """Labels and predictions as asked, over and over."""
    pairs = torch.tensor((truth_guess * n)[:n])
    return pairs[:, 0], pairs[:, 1]


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize(
    "cells",
    [
        [(0, 1), (0, 0), (1, 1)],
        [(0, 1), (0, 0), (1, 1), (2, 2), (1, 0)],
        [(0, 1), (1, 1)],  # C is empty
        [(0, 1), (0, 0)],  # A is empty
        [(0, 1)],  # both are
    ],
)
def test_equals_the_plain_loops(setting, convention, cells):
    state, readout, texts = setting
    truth, guess = spread(cells)
    parts = parts_from(state, readout, convention)
    layers = layers_of(state)
    space = head_space([state], moment_maps(readout, convention), layers)
    expected = literal.scores(parts.embedding, parts.heads, truth, guess, texts, 0, 1)
    found = direct_effects(space, error_sets(truth, guess, 0, 1), texts[:2])
    for i, name in enumerate("ABCD"):
        if name not in expected:
            assert found[i].isnan().all()
            continue
        for row, layer in enumerate(layers):
            for head in range(found.shape[2]):
                assert float(SIGN[i] * found[i, row, head]) == pytest.approx(expected[name][layer, head], abs=1e-10)


@given(st.integers(0, 10_000), st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=3, max_size=14))
@settings(max_examples=40, deadline=None)
def test_proposition_1(setting_vit, seed, cells):
    """Inner product: A = −B and C = −D; with C and A both empty, A = −D; a constant added to a head changes nothing."""
    state, readout = setting_vit
    rng = torch.Generator().manual_seed(seed)
    truth, guess = spread([(0, 1), *cells])
    texts = torch.nn.functional.normalize(torch.randn(2, 48, generator=rng, dtype=torch.float64), dim=1)
    space = head_space([state], moment_maps(readout, "separate"), LAYERS)
    sets = error_sets(truth, guess, 0, 1)
    a, b, c, d = direct_effects(space, sets, texts, "inner")
    if len(sets.correct):
        torch.testing.assert_close(a, -b, rtol=0, atol=1e-12)
    if len(sets.others):
        torch.testing.assert_close(c, -d, rtol=0, atol=1e-12)
    if not len(sets.correct) and not len(sets.others):
        torch.testing.assert_close(a, -d, rtol=0, atol=1e-12)
    if len(sets.correct) and len(sets.others):
        moved = type(space)(space.q + 0.3, space.maps, space.embedding, space.pull, space.gram, space.own, space.square)
        again = direct_effects(moved, sets, texts, "inner")
        torch.testing.assert_close(again, torch.stack([a, b, c, d]), rtol=0, atol=1e-12)


@pytest.fixture(scope="module")
def setting_vit():
    clip = families.build("vit", torch.float64)
    model = wrap(clip)
    return state_of(model.trace(families.pictures(clip, 14, torch.float64)), model.readout()), model.readout()


def test_images_in_pieces_give_the_same(setting_vit, monkeypatch):
    state, readout = setting_vit
    truth, guess = spread([(0, 1), (0, 0), (1, 1)])
    space = head_space([state], moment_maps(readout, "separate"), LAYERS)
    texts = torch.eye(48, dtype=torch.float64)[:2]
    whole = direct_effects(space, error_sets(truth, guess, 0, 1), texts)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    torch.testing.assert_close(direct_effects(space, error_sets(truth, guess, 0, 1), texts), whole)


def test_weights_count_images(setting_vit):
    """A bootstrap sample given as weights is the sample itself, images repeated."""
    state, readout = setting_vit
    truth, guess = spread([(0, 1), (0, 0), (1, 1)])
    space = head_space([state], moment_maps(readout, "separate"), LAYERS)
    weights = resampled(truth, guess, 3, 0)[1]
    rows = torch.arange(14).repeat_interleave(weights.long())
    texts = torch.eye(48, dtype=torch.float64)[:2]
    several = torch.stack([torch.ones(14), weights])
    whole, found = direct_effects(space, error_sets(truth, guess, 0, 1), texts, "cosine", several)
    torch.testing.assert_close(whole, direct_effects(space, error_sets(truth, guess, 0, 1), texts))
    expected = direct_effects(space[rows], error_sets(truth[rows], guess[rows], 0, 1), texts)
    torch.testing.assert_close(found, expected)
    for y, g in ((0, 1), (0, 0), (1, 1)):  # cells keep their sizes
        cell = (truth == y) & (guess == g)
        assert weights[cell].sum() == cell.sum()


def test_the_order_of_states_does_not_matter_and_chunks_add_up(setting_vit):
    state, readout = setting_vit
    maps = moment_maps(readout, "separate")
    whole = head_space([state], maps, LAYERS)
    given = {f: t for f in state.__dataclass_fields__ if (t := getattr(state, f)) is not None}
    pieces = [type(state)(**{f: t[i : i + 5] for f, t in given.items()}) for i in (0, 5, 10)]
    torch.testing.assert_close(head_space(pieces, maps, LAYERS).own, whole.own)


def test_inner_products_follow_from_head_space(setting_vit):
    state, readout = setting_vit
    parts = parts_from(state, readout)
    space = head_space([state], moment_maps(readout, "separate"), LAYERS)
    c = parts.heads[:, list(LAYERS)]
    torch.testing.assert_close(space.own, torch.einsum("blhd,bd->blh", c, parts.embedding))
    torch.testing.assert_close(space.square, (c**2).sum(-1))
    torch.testing.assert_close(space.contributions(1, 2), c[:, 1, 2])


def test_choice_is_that_of_the_plain_loops(setting):
    state, readout, texts = setting
    parts = parts_from(state, readout)
    truth = torch.arange(14) % 3
    layers = layers_of(state)
    expected = literal.locate(parts.embedding, parts.heads, truth, texts, top=5, layers=2)
    space = head_space([state], moment_maps(readout, "separate"), layers)
    guess = (parts.embedding @ texts.T).argmax(1)
    judge = Judge(space, truth, texts, truth, 3, (truth == guess).long())
    lists = {}
    for y in range(3):
        for other in range(3):
            if y == other or not ((truth == y) & (guess == other)).any():
                continue
            raw = direct_effects(space, error_sets(truth, guess, y, other), texts[[y, other]])
            for i, name in enumerate(NAMES):
                if raw[i].isfinite().all():
                    order = (-SIGN[i] * raw[i]).flatten().argsort(stable=True)[:5].tolist()
                    lists[f"{name} {y}{other}"] = [divmod(j, raw.shape[2]) for j in order]
    found = choose(judge, lists, "utility")
    assert found.base <= found.value <= expected.utility + 1e-12  # the plain loops have a pooled list besides
    best = max(value for curve in found.curves.values() for value in curve)
    assert found.value == best
    names = [(layers[row], head) for row, head in found.heads]
    assert literal.utility(parts.embedding, parts.heads, truth, texts, names) == pytest.approx(found.value, abs=1e-12)
    assert found.base == pytest.approx(literal.utility(parts.embedding, parts.heads, truth, texts, []), abs=1e-12)


def test_ties_go_to_the_smaller_set_then_to_the_earlier_list(setting_vit):
    state, readout = setting_vit
    space = head_space([state], moment_maps(readout, "separate"), LAYERS)
    still = type(space)(space.q * 0, space.maps, space.embedding, space.pull, space.gram, space.own, space.square)
    truth = torch.arange(14) % 2
    judge = Judge(still, truth, torch.eye(48, dtype=torch.float64)[:2], truth, 2, truth)
    lists = {"A": [(0, 0), (0, 1)], "B": [(1, 0)]}
    assert choose(judge, lists, "utility").heads == ()
    assert choose(judge, lists, "utility", guard=False).heads == ((0, 0),)
    assert choose(judge, lists, "utility", guard=False).score == "A"


CURVES = st.dictionaries(
    st.sampled_from("ABCD"), st.lists(st.integers(-2, 2), min_size=1, max_size=5).map(lambda curve: [0, *curve])
)


@given(CURVES, st.booleans())
def test_the_best_prefix_in_plain_words(curves, guard):
    found = (0.0 if guard and curves else -np.inf, "", 0)
    for t in range(1, 7):
        for name, curve in curves.items():
            if t < len(curve) and curve[t] > found[0]:
                found = (curve[t], name, t)
    assert best_prefix(curves, guard) == found[1:]


@pytest.mark.parametrize("by", CRITERIA)
def test_criteria_in_words(setting_vit, by):
    state, readout = setting_vit
    space = head_space([state], moment_maps(readout, "separate"), LAYERS)
    truth, member = torch.arange(14) % 2, torch.arange(14) % 4
    texts = torch.nn.functional.normalize(
        torch.randn(2, 48, generator=torch.Generator().manual_seed(0), dtype=torch.float64), dim=1
    )
    side = torch.tensor([0, 1, -1] * 5)[:14]
    judge = Judge(space, truth, texts, member, 4, side)
    x = space.embedding - space.contributions(0, 1)
    cosines = torch.nn.functional.normalize(x, dim=1) @ texts.T
    margin = np.array([float(c[y] - c[1 - y]) for c, y in zip(cosines, truth, strict=True)])
    right = (cosines.argmax(1) == truth).numpy()
    groups = [right[member == g].mean() for g in range(4)]
    expected = {
        "utility": margin.mean(), "balanced": (margin[side == 0].mean() + margin[side == 1].mean()) / 2,
        "accuracy": right.mean(), "worst_group": min(groups), "group_mean": np.mean(groups),
    }  # fmt: skip
    assert prefix_values(judge, [(0, 1)], by)[1] == pytest.approx(expected[by])
