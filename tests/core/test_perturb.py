"""Insertion and deletion: orders, removals, fills and curves whose values are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from scipy.ndimage import gaussian_filter1d

from toolkit.core.perturb import curves, fill, normal, order, ranks, removed, spread
from toolkit.errors import InputError


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(max_examples=80)
@given(st.integers(0, 4), st.integers(1, 30), st.integers(1, 5), st.integers(0, 9), st.booleans())
def test_an_order_holds_every_place_once_and_never_goes_up(b, n, levels, seed, descending):
    maps = torch.randint(levels, (b, n), generator=rng(seed)).float()
    found = order(maps, seed, descending)
    assert torch.equal(found.sort(1).values, torch.arange(n).expand(b, n))
    steps = maps.gather(1, found).diff(dim=1)
    assert bool((steps <= 0).all() if descending else (steps >= 0).all())
    assert torch.equal(found, order(maps, seed, descending))
    if b:
        assert torch.equal(found[:1], order(maps[:1], seed, descending))  # whatever else is in the batch


def test_ties_are_broken_at_random_and_nothing_else_is():
    first = order(torch.zeros(4000, 4), 0)[:, 0].bincount(minlength=4)
    assert first.tolist() == pytest.approx([1000] * 4, abs=120)
    assert not torch.equal(order(torch.zeros(1, 50), 0), order(torch.zeros(1, 50), 1))
    assert order(torch.tensor([[1.0, 3.0, 2.0]]), 5).tolist() == [[1, 2, 0]]


@pytest.mark.parametrize("count", [0, 1, 37, 100])
def test_exactly_so_many_are_removed(count):
    maps = torch.randn(5, 100, generator=rng()).clamp(min=1.2)  # 90 % ties
    found = order(maps, 0)
    flags = removed(found, count)
    assert flags.sum(1).tolist() == [count] * 5
    for row, places in zip(flags, found, strict=True):
        assert set(row.nonzero()[:, 0].tolist()) == set(places[:count].tolist())


@settings(max_examples=60)
@given(*[st.integers(1, 5)] * 2, *[st.integers(1, 12)] * 2)
def test_pixels_take_the_flag_of_their_cell(rows, columns, h, w):
    flags = torch.rand(2, rows * columns, generator=rng()) < 0.5
    found = spread(flags, (rows, columns), (h, w))
    for y in range(h):
        for x in range(w):
            cell = (y * rows // h) * columns + x * columns // w
            assert torch.equal(found[:, y, x], flags[:, cell])
    if h % rows == 0 and w % columns == 0:
        blocks = flags.view(2, rows, columns).repeat_interleave(h // rows, 1).repeat_interleave(w // columns, 2)
        assert torch.equal(found, blocks)


@pytest.mark.parametrize("size", [(32, 32), (3, 40), (1, 1), (7, 2)])
def test_fills(size):
    images = torch.randn(3, 3, *size, generator=rng(), dtype=torch.float64) + 2
    mean = fill(images, "mean")
    torch.testing.assert_close(mean, images.mean((2, 3), keepdim=True).expand_as(images))
    black = fill(images, "black", black=torch.tensor([-1.0, -2.0, -3.0]))
    assert black[2, :, 0, 0].tolist() == [-1, -2, -3]
    assert black.dtype == images.dtype
    blur, expected = fill(images, "blur"), images.numpy()
    for axis in (2, 3):
        expected = gaussian_filter1d(expected, max(size) / 8, axis=axis, mode="reflect")
    np.testing.assert_allclose(blur, expected, atol=1e-12)
    noise = fill(images, "noise", seed=3)
    assert torch.equal(noise, fill(images, "noise", seed=3))
    assert torch.equal(noise[:2], fill(images[:2], "noise", seed=3))
    for kind in ("mean", "blur", "noise"):
        assert fill(images.float(), kind).dtype == torch.float32
        torch.testing.assert_close(fill(torch.full_like(images, 2.5), kind), torch.full_like(images, 2.5))


def test_noise_has_the_images_moments():
    images = 4 + 3 * torch.rand(2, 3, 100, 100, generator=rng())
    found = fill(images, "noise")
    torch.testing.assert_close(found.mean((2, 3)), images.mean((2, 3)), atol=0.05, rtol=0)
    torch.testing.assert_close(found.std((2, 3)), images.std((2, 3)), rtol=0.05, atol=0)
    drawn = normal(torch.zeros(1, 3, 200, 200), 0)
    assert float(drawn.mean()) == pytest.approx(0, abs=0.01)
    assert float(drawn.std()) == pytest.approx(1, abs=0.01)


GRID, SIZE = (4, 4), (8, 8)
WEIGHTS = torch.linspace(-1, 3, 16, dtype=torch.float64)


def cells(images):
    """[b, 16]: the sum of every cell over channels and pixels."""
    return images.view(len(images), 3, 4, 2, 4, 2).sum((1, 3, 5)).flatten(1)


def linear(images):
    return cells(images) @ WEIGHTS


def pictures(b=5):
    return torch.rand(b, 3, *SIZE, generator=rng(4), dtype=torch.float64)


def run(images, places, steps=8, batch_size=7, score=linear, instead=None, **more):
    instead = torch.zeros_like(images) if instead is None else instead
    return curves(score, images, places, GRID, steps, instead, batch_size, **more)


@pytest.mark.parametrize("steps", [1, 5, 8, 16, 40])
def test_curves_equal_the_literal_ones(steps):
    images, instead = pictures(), fill(pictures(), "blur")
    places = order(torch.randn(5, 16, generator=rng()), 0)
    found = run(images, places, steps, instead=instead)
    assert found.fractions.shape == (steps + 1,)
    for k in range(steps + 1):
        count = int(np.floor(k * 16 / steps + 0.5))
        assert float(found.fractions[k]) == count / 16
        gone = spread(removed(places, count), GRID, SIZE)[:, None]
        torch.testing.assert_close(found.deletion[:, k], linear(torch.where(gone, instead, images)))
        torch.testing.assert_close(found.insertion[:, k], linear(torch.where(gone, images, instead)))
    np.testing.assert_allclose(found.deletion_auc, trapezoid(found.deletion, found.fractions, axis=1))
    np.testing.assert_allclose(found.insertion_auc, trapezoid(found.insertion, found.fractions, axis=1))


@pytest.mark.parametrize("batch_size", [1, 3, 5, 1000])
def test_ends_are_the_same_numbers_and_batches_do_not_matter(batch_size):
    images = pictures()
    places = order(cells(images), 0)
    sizes = []

    def score(x):
        sizes.append(len(x))
        return linear(x)

    found, other = run(images, places, batch_size=batch_size, score=score), run(images, places)
    assert max(sizes) <= batch_size
    assert sum(sizes) == 5 * 16  # 9 + 9 points, of which two are shared
    assert torch.equal(found.deletion[:, 0], found.insertion[:, -1])
    assert torch.equal(found.deletion[:, -1], found.insertion[:, 0])
    torch.testing.assert_close(found.deletion[:, 0], linear(images))
    torch.testing.assert_close(found.deletion[:, -1], torch.zeros(5, dtype=torch.float64))
    torch.testing.assert_close(found.deletion, other.deletion)
    torch.testing.assert_close(found.insertion, other.insertion)


def test_more_steps_than_cells_score_nothing_twice():
    sizes = []
    run(pictures(), order(torch.zeros(5, 16), 0), steps=100, score=lambda x: sizes.append(len(x)) or linear(x))
    assert sum(sizes) == 5 * 2 * 16


def test_the_best_order_beats_a_random_one_and_the_reverse_loses():
    images = pictures()
    worth = cells(images) * WEIGHTS
    best, worst = (run(images, order(worth, 0, d)) for d in (True, False))
    for seed in range(10):
        chance = run(images, order(torch.zeros(5, 16), seed))
        assert bool((best.deletion_auc < chance.deletion_auc).all())
        assert bool((best.insertion_auc > chance.insertion_auc).all())
        assert bool((worst.deletion_auc > chance.deletion_auc).all())


def test_a_constant_map_is_a_random_order():
    """With a linear score the expected curve is the chord between its ends, so the expected AUC their mean."""
    images = pictures(1)
    many = images.expand(3000, -1, -1, -1)
    constant = run(many, order(torch.full((3000, 16), 0.7), 0), batch_size=5000)
    drawn = torch.argsort(torch.rand(3000, 16, generator=rng(9)), 1)
    chance = run(many, drawn, batch_size=5000)
    expected, spread_of_one = float(linear(images)) / 2, float(chance.deletion_auc.std())
    assert float(constant.deletion_auc.mean()) == pytest.approx(expected, abs=4 * spread_of_one / 3000**0.5)
    assert float(chance.deletion_auc.mean()) == pytest.approx(expected, abs=4 * spread_of_one / 3000**0.5)
    assert float(constant.deletion_auc.std()) == pytest.approx(spread_of_one, rel=0.08)


def test_scores_run_without_gradients_and_can_be_ended():
    images, calls = pictures().requires_grad_(), []
    places = order(torch.zeros(5, 16), 0)

    def check():
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(images, places, check=check)
    assert not run(images, places).deletion.requires_grad


def test_the_ranks_undo_the_order():
    places = order(torch.randn(3, 9, generator=rng()), 0)
    assert torch.equal(ranks("test", places, 9).gather(1, places), torch.arange(9).expand(3, 9))


PLACES = order(torch.zeros(5, 16), 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: order(torch.tensor([[0.0, torch.nan]]), 0),
        lambda: order(torch.tensor([[0.0, torch.inf]]), 0),
        lambda: order(torch.zeros(3), 0),
        lambda: removed(PLACES, 17),
        lambda: removed(PLACES, -1),
        lambda: removed(PLACES, 0.5),
        lambda: removed(PLACES.clamp(min=1), 3),
        lambda: spread(torch.zeros(1, 5).bool(), (2, 2), (4, 4)),
        lambda: fill(pictures(), "grey"),
        lambda: fill(pictures(), "black"),
        lambda: fill(pictures()[:, :1], "mean"),
        lambda: fill(pictures() * torch.nan, "mean"),
        lambda: run(pictures(), PLACES[:4]),
        lambda: run(pictures(), PLACES, steps=0),
        lambda: run(pictures(), PLACES, batch_size=0),
        lambda: run(pictures(), PLACES[:, :9]),
        lambda: run(pictures(), PLACES, score=lambda x: x),
        lambda: run(pictures(), PLACES, instead=pictures()[:1]),
    ],
)
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(InputError):
        call()
