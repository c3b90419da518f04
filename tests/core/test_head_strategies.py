"""Edits in head space and of class vectors, against loops over images, heads and classes."""

from __future__ import annotations

import pytest
import torch

import toolkit as tk
from toolkit.core.class_vectors import ClassVectors
from toolkit.core.head_parts import HeadParts, own_directions
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.moments import SHARES, head_numbers
from toolkit.core.seen import Seen

B, L, H, K, D, C = 7, 3, 2, 4, 9, 5
HEADS = ((0, 1), (2, 0), (2, 1))


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def acts():
    data = tk.scenes("val", 40, 3)
    return tk.extract(tk.load(), data, progress=False)


@pytest.fixture(scope="module", params=["separate", "reference"])
def seen(request, acts):
    own = acts.using(request.param)
    texts = torch.nn.functional.normalize(random(C, 96, seed=2), dim=-1)
    return Seen(own.embedding, texts, tuple("abcde"), own.states, lambda: own.head_maps)


def numbers(seen):
    """q [b, l, h, k + 3] of all layers."""
    return torch.cat([head_numbers(state) for state in seen.states(range(4))])


def edited(seen, parts, theta):
    """One image, one part at a time."""
    q, maps, found = numbers(seen), seen.maps().double(), seen.embedding.double().clone()
    for i in range(len(q)):
        for k, (layer, head) in enumerate(parts.heads):
            row = q[i, layer, head]
            if parts.directions is not None:
                v = parts.directions[k]
                row = (row @ v) * v
            found[i] += (theta[k] - 1) * (row @ maps[layer, head])
    return found


def strategies_of(seen):
    heads = ((0, 1), (3, 7), (3, 5))
    second = torch.einsum("blhk,blhj->lhkj", numbers(seen), numbers(seen))
    return [
        HeadStrengths("strengths", HeadParts(heads), 96),
        HeadStrengths("directions 2", own_directions(second, heads, 2), 96),
    ]


def test_strengths_and_directions_are_the_loops(seen):
    for way in strategies_of(seen):
        theta = random(way.size, seed=4).abs()
        expected = edited(seen, way.parts, theta)
        found = way.embedded(theta, seen)
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-6)
        many = torch.stack([theta, torch.ones_like(theta), 2 - theta])
        guess = way.guess(many, seen)
        for row, at in zip(guess, many, strict=True):
            logits = edited(seen, way.parts, at) @ seen.texts.T
            best = logits.gather(1, row[:, None])[:, 0]
            assert (logits.max(1).values - best).max() < 1e-6
        torch.testing.assert_close(way.embedded(torch.ones_like(theta), seen), seen.embedding, rtol=0, atol=0)


def test_products_are_those_of_the_parts(seen):
    q, e = numbers(seen), seen.embedding.double()
    for way in strategies_of(seen):
        layers = list(way.parts.layers)
        found = way.parts.products(q[:, layers].split(9), seen.maps(), e, seen.texts)
        unit = torch.eye(way.size, dtype=torch.float64)
        c = torch.stack([edited(seen, way.parts, 1 + row) - e for row in unit], 1)
        torch.testing.assert_close(found.along, c @ seen.texts.T, rtol=0, atol=1e-9)
        torch.testing.assert_close(found.against, torch.einsum("bkd,bd->bk", c, e), rtol=0, atol=1e-9)
        torch.testing.assert_close(found.gram, c @ c.mT, rtol=0, atol=1e-9)


def test_directions_are_the_largest_of_the_uncentred_mix(seen):
    q = numbers(seen)[:, 3, 7, :-SHARES]
    second = torch.einsum("blhk,blhj->lhkj", numbers(seen), numbers(seen))
    parts = own_directions(second, [(3, 7)], 3)
    v = parts.directions[:, :-SHARES]
    torch.testing.assert_close(v @ v.T, torch.eye(3, dtype=torch.float64))
    assert not parts.directions[:, -SHARES:].any()
    kept = (q @ v.T).square().sum(0)
    expected = torch.linalg.svdvals(q)[:3].square()
    torch.testing.assert_close(kept, expected)
    assert (v.gather(1, v.abs().argmax(1, keepdim=True)) > 0).all(), "a sign of its own, on every machine"


def test_a_change_says_the_same_of_maps_and_scales(seen):
    for way in strategies_of(seen):
        theta = random(way.size, seed=6)
        change, maps = way.change(theta), seen.maps().double()
        for layer in range(4):
            after = way.layer_maps(theta, layer, maps[layer])
            moved = torch.einsum("bhk,hkd->bd", numbers(seen)[:, layer], after - maps[layer])
            alone = [k for k, (at, _) in enumerate(way.parts.heads) if at == layer]
            only = torch.ones_like(theta)
            only[alone] = theta[alone]
            expected = edited(seen, way.parts, only) - seen.embedding.double()
            torch.testing.assert_close(moved, expected, rtol=0, atol=1e-9)
        table = change.scales(4, 8)
        if way.parts.directions is not None:
            assert table is None
        else:
            assert table[3, 7] == theta[1]
            assert (table != 1).sum() == 3


def test_class_vectors_move_by_name(seen):
    original = seen.texts[[1, 4]]
    way = ClassVectors(("b", "e"), original, (1, 4))
    theta = (original + 0.3 * random(2, 96, seed=8)).flatten()
    unit = torch.nn.functional.normalize(theta.view(2, -1), dim=-1)
    expected = seen.texts.clone()
    expected[[1, 4]] = unit
    torch.testing.assert_close(way.vectors(theta, seen), expected, rtol=0, atol=1e-12)
    guess = way.guess(torch.stack([theta, original.flatten()]), seen)
    assert torch.equal(guess[0], (seen.embedding @ expected.to(seen.embedding).T).argmax(1))
    assert torch.equal(guess[1], (seen.embedding @ seen.texts.to(seen.embedding).T).argmax(1))
    assert torch.equal(way.vectors(original.flatten(), seen), seen.texts), "at the start not a bit is moved"
    # another set: classes of the same name move as far, and stay unit vectors
    other = Seen(seen.embedding, seen.texts.flip(0), ("x", "b", "y", "z", "w"), seen.states, seen.maps)
    found = way.vectors(theta, other)
    torch.testing.assert_close(found[1], torch.nn.functional.normalize(other.texts[1] + unit[0] - original[0], dim=-1))
    assert torch.equal(found[[0, 2, 3, 4]], other.texts[[0, 2, 3, 4]])
