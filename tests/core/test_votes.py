"""Locate-Then-Correct: counts with planted heads, and the injection."""

from __future__ import annotations

import pytest
import torch

from toolkit.core import votes as module
from toolkit.core.inject import directions, inject


def count_votes(along, logits, truth, layers):
    b, l, h, _ = along.shape  # every image with a number of its own, worth what it gives along the classes
    q = torch.eye(b, dtype=along.dtype)[:, None, None].expand(b, l, h, b)
    best, other = module.rivals(logits, truth)
    race = module.Race(best, other)
    for layer, worth in enumerate(along.permute(1, 2, 0, 3)):
        for rows in (slice(0, b // 2), slice(b // 2, b)):
            race.run(rows, layer, q[rows, layer], worth)
    return module.count_votes(race.winner, best == truth, along.shape[1:3], layers)


def planted(n=40, seed=0):
    """Head (1, 2) decides wrong images, head (0, 1) right ones; class 1 is the other class of everything."""
    rng = torch.Generator().manual_seed(seed)
    along = 0.01 * torch.rand(n, 2, 3, 3, generator=rng, dtype=torch.float64)
    truth = torch.zeros(n, dtype=torch.long)
    guess = (torch.arange(n) % 2).long()
    for i in range(n):
        layer, head = (0, 1) if guess[i] == 0 else (1, 2)
        along[i, layer, head, guess[i]] += 1.0
    logits = along.sum((1, 2))
    return along, logits, truth


def test_planted_heads_are_found():
    along, logits, truth = planted()
    votes = count_votes(along, logits, truth, (4, 7))
    assert votes.spurious.heads == ((7, 2),)
    assert votes.salient.heads == ((4, 1),)
    assert votes.n == (20, 20)
    assert votes.heads == 2
    assert votes.threshold == 0.5
    assert float(votes.wrong.sum()) == pytest.approx(1)
    assert float(votes.correct.sum()) == pytest.approx(1)


def test_the_other_class_is_the_runner_up_or_the_true_one():
    """One image each, three classes, by hand."""
    along = torch.zeros(2, 1, 2, 3, dtype=torch.float64)
    along[0, 0, 0] = torch.tensor([2.0, 1.9, 0.0])  # right: 0 against the runner-up 1, margin 0.1
    along[0, 0, 1] = torch.tensor([0.5, 0.0, 0.0])  # margin 0.5: this head counts
    along[1, 0, 0] = torch.tensor([1.0, 2.0, 0.0])  # wrong: 1 against the true 2, margin 2.0: this head counts
    along[1, 0, 1] = torch.tensor([0.0, 1.0, 0.5])
    votes = count_votes(along, along.sum((1, 2)), torch.tensor([0, 2]), (0,))
    assert votes.correct.tolist() == [[0.0, 1.0]]
    assert votes.wrong.tolist() == [[1.0, 0.0]]


def test_no_wrong_image_gives_no_wrong_votes():
    along, logits, _ = planted()
    votes = count_votes(along, logits, logits.argmax(1), (0, 1))
    assert votes.n == (0, 40)
    assert not votes.wrong.any()
    assert not len(votes.spurious)
    assert not len(votes.salient)  # a difference needs both


def test_injection_step_by_step():
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(4, 6, generator=rng, dtype=torch.float64)
    basis = directions(torch.randn(2, 6, generator=rng, dtype=torch.float64))
    torch.testing.assert_close(basis @ basis.T, torch.eye(2, dtype=torch.float64))
    expected = []
    for row in x:
        for u in basis:
            row = row + (row @ u) / row.norm() * u
            row = row / row.norm()
        expected.append(row)
    released = inject(x, basis, "released")
    torch.testing.assert_close(released, torch.stack(expected))
    torch.testing.assert_close(released.norm(dim=1), torch.ones(4, dtype=torch.float64))
    own = inject(x, basis, "own_norm")
    torch.testing.assert_close(own.norm(dim=1), x.norm(dim=1))
    torch.testing.assert_close(inject(5 * x, basis, "own_norm"), 5 * own)  # its own norm: no scale is special


def test_differences_that_depend_on_earlier_ones_go():
    a = torch.eye(4, dtype=torch.float64)[:1]
    assert directions(torch.cat([a, 2 * a, a + torch.eye(4, dtype=torch.float64)[1:2]])).shape == (2, 4)
