"""ROAD: the imputation against a sparse solve written out and against pytorch-grad-cam's, and exact removals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from toolkit.core import impute as module
from toolkit.core.impute import impute, neighbours, road
from toolkit.core.perturb import order
from toolkit.errors import InputError, ToolkitError

WEIGHT = {1: 1 / 6, 2: 1 / 12}


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def literal(image, hole):
    """[3, h, w]: the system of one image, entry by entry, in float64."""
    h, w = hole.shape
    at = {p: i for i, p in enumerate(zip(*np.nonzero(hole.numpy()), strict=True))}
    found = image.double().clone()
    if not at or hole.all():
        return found
    a, b = lil_matrix((len(at), len(at))), np.zeros((len(at), 3))
    for (y, x), i in at.items():
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                near = (y + dy, x + dx)
                if (dy or dx) and 0 <= near[0] < h and 0 <= near[1] < w:
                    weight = WEIGHT[abs(dy) + abs(dx)]
                    a[i, i] += weight
                    if near in at:
                        a[i, at[near]] -= weight
                    else:
                        b[i] += weight * image[:, near[0], near[1]].double().numpy()
    found[:, hole] = torch.from_numpy(np.atleast_2d(spsolve(a.tocsc(), b)).reshape(len(at), 3).T)
    return found


def pictures(b, h, w, dtype=torch.float64):
    return torch.randn(b, 3, h, w, generator=rng(1), dtype=dtype).cumsum(2).cumsum(3) / (h * w) ** 0.5


def holes(kind, b, h, w):
    flags = torch.zeros(b, h, w, dtype=torch.bool)
    if kind == "random":
        return torch.rand(b, h, w, generator=rng(2)) < 0.5
    if kind == "half":
        flags[:, h // 2 :] = True
    elif kind == "centre":
        flags[:, 2:-2, 1:-3] = True
    elif kind == "corner left":
        flags[:] = True
        flags[:, 0, 0] = False
    elif kind == "frame":
        flags[:] = True
        flags[:, h // 3 : h // 2, w // 3 : w // 2] = False
    return flags


@pytest.mark.parametrize("kind", ["random", "half", "centre", "corner left", "frame", "none"])
@pytest.mark.parametrize("size", [(24, 24), (17, 30), (40, 9)])
def test_the_solution_is_the_sparse_solves(kind, size):
    images, hole = pictures(2, *size), holes(kind, 2, *size)
    expected = torch.stack([literal(x, m) for x, m in zip(images, hole, strict=True)])
    torch.testing.assert_close(impute(images, hole, noise=0), expected, rtol=0, atol=1e-7)
    single = impute(images.float(), hole, noise=0)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), expected, rtol=0, atol=2e-4)


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
@pytest.mark.parametrize("kind", ["random", "half", "frame"])
def test_the_solution_is_pytorch_grad_cams(kind):
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer

    images, hole = pictures(2, 32, 32, torch.float32), holes(kind, 2, 32, 32)
    library = NoisyLinearImputer(noise=0.0)
    expected = torch.stack([library(x, (~m).float()) for x, m in zip(images, hole, strict=True)])
    torch.testing.assert_close(impute(images, hole, noise=0), expected, rtol=0, atol=1e-4)


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 6), st.floats(0, 1), st.integers(0, 99))
def test_small_images_and_any_hole(h, w, share, seed):
    images = torch.randn(2, 3, h, w, generator=rng(seed), dtype=torch.float64)
    hole = torch.rand(2, h, w, generator=rng(seed + 1)) < share
    found = impute(images, hole, noise=0)
    for i in range(2):
        expected = literal(images[i], hole[i])
        if hole[i].all():
            expected = images[i].mean((1, 2), keepdim=True).expand_as(images[i])
        torch.testing.assert_close(found[i], expected, rtol=0, atol=1e-7)


def test_large_holes_are_solved_in_few_iterations(monkeypatch):
    """The residual, put in again, of every kind of hole at once; half of 128 × 128 takes plain CG 250 iterations."""
    kinds = ("random", "half", "centre", "frame")
    images = pictures(4, 128, 128)
    hole = torch.cat([holes(kind, 1, 128, 128) for kind in kinds])
    monkeypatch.setattr(module, "ITERATIONS", 200)
    found = impute(images, hole, noise=0)
    degree = neighbours(torch.ones(1, 1, 128, 128, dtype=torch.float64))
    off = hole[:, None] * (degree * found - neighbours(found))
    centred = (images - images.mean((2, 3), keepdim=True)) * ~hole[:, None]
    right = (hole[:, None] * neighbours(centred)).flatten(2).norm(dim=2)
    assert bool((off.flatten(2).norm(dim=2) <= 2e-10 * right).all())
    assert torch.equal(found[~hole[:, None].expand_as(found)], images[~hole[:, None].expand_as(images)])


def test_what_is_not_solved_is_an_error(monkeypatch):
    monkeypatch.setattr(module, "ITERATIONS", 3)
    with pytest.raises(ToolkitError, match="unsolved"):
        impute(pictures(1, 32, 32), holes("half", 1, 32, 32))


def test_noise_is_seeded_and_on_removed_pixels_only():
    images, hole = pictures(4, 40, 40, torch.float32), holes("half", 4, 40, 40)
    plain, noisy = impute(images, hole, noise=0), impute(images, hole, noise=0.5, seed=3)
    change = (noisy - plain).movedim(1, -1)
    assert not change[~hole].any()
    assert float(change[hole].std()) == pytest.approx(0.5, rel=0.03)
    assert torch.equal(noisy, impute(images, hole, noise=0.5, seed=3))
    assert not torch.equal(noisy, impute(images, hole, noise=0.5, seed=4))
    torch.testing.assert_close(noisy[:2], impute(images[:2], hole[:2], noise=0.5, seed=3), rtol=0, atol=1e-6)


def test_autocast_gradients_and_half_precision_change_nothing():
    images, hole = pictures(2, 16, 16, torch.float32), holes("half", 2, 16, 16)
    expected = impute(images, hole)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = impute(images.clone().requires_grad_(), hole)
    assert not found.requires_grad
    assert torch.equal(found, expected)
    half = impute(images.half(), hole)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), expected, rtol=0, atol=0.02)


WEIGHTS = torch.linspace(-1, 2, 100, dtype=torch.float64)


def linear(images):
    return images.sum(1).flatten(1) @ WEIGHTS


def test_road_removes_exactly_the_share_of_a_map_that_is_mostly_ties():
    images = torch.rand(3, 3, 10, 10, generator=rng(), dtype=torch.float64)
    maps = torch.randn(3, 100, generator=rng(5)).clamp(min=1.3)
    assert float((maps == maps.amin()).float().mean()) > 0.85
    places, shares, seen = order(maps, 0), (0.0, 0.1, 0.29, 0.3, 0.7, 1.0), []

    def score(x):
        seen.append(x)
        return linear(x)

    found = road(score, images, places, shares, noise=0.1, batch_size=1)
    assert found.counts == (0, 10, 29, 30, 70, 100)
    for j, (share, count) in enumerate(zip(shares, found.counts, strict=True)):
        for i in range(3):
            for direction, value in enumerate((found.morf, found.lerf)):
                x = seen[(2 * j + direction) * 3 + i]
                changed = (x[0] != images[i]).any(0).flatten()
                assert int(changed.sum()) == count, share
                gone = places[i, :count] if direction == 0 else places[i, 100 - count :]
                assert set(changed.nonzero()[:, 0].tolist()) == set(gone.tolist())
                torch.testing.assert_close(value[i, j], linear(x)[0])
    torch.testing.assert_close(found.combined, ((found.lerf - found.morf) / 2).mean(1))
    torch.testing.assert_close(found.morf[:, 0], linear(images))
    assert torch.equal(found.morf[:, 0], found.lerf[:, 0])


@pytest.mark.parametrize("batch_size", [4, 500])
def test_batches_do_not_matter(batch_size):
    images = torch.rand(5, 3, 10, 10, generator=rng(), dtype=torch.float64)
    places, sizes = order(torch.randn(5, 100, generator=rng(5)), 0), []
    found = road(lambda x: sizes.append(len(x)) or linear(x), images, places, batch_size=batch_size, seed=2)
    other = road(linear, images, places, batch_size=7, seed=2)
    assert max(sizes) <= batch_size
    assert found.morf.shape == found.lerf.shape == (5, 9)
    torch.testing.assert_close(found.morf, other.morf)
    torch.testing.assert_close(found.lerf, other.lerf)


def test_the_right_order_is_told_from_a_random_and_the_wrong_one():
    """The score is the brightness of one square, unlike what surrounds it."""
    images = 0.1 * torch.randn(6, 3, 16, 16, generator=rng())
    square = torch.zeros(16, 16)
    square[4:8, 4:8] = 1
    images += square

    def score(x):
        return (x.mean(1) * square).sum((1, 2)) / 16

    right, wrong, chance = (
        road(score, images, order(m.flatten().expand(6, -1), 0), batch_size=100)
        for m in (square, -square, torch.zeros(16, 16))
    )
    assert bool((right.combined > 0.2).all())
    assert bool((wrong.combined < -0.2).all())
    assert bool((chance.combined.abs() < 0.15).all())


def test_road_can_be_ended():
    def check():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        road(linear, pictures(1, 10, 10), order(torch.zeros(1, 100), 0), check=check)


PLACES = order(torch.zeros(1, 64), 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: impute(pictures(1, 8, 8), torch.zeros(1, 8, 8)),
        lambda: impute(pictures(1, 8, 8), torch.zeros(2, 8, 8).bool()),
        lambda: impute(pictures(1, 8, 8), torch.zeros(1, 8, 8).bool(), noise=-1),
        lambda: impute(pictures(1, 8, 8) * torch.inf, torch.zeros(1, 8, 8).bool()),
        lambda: impute(pictures(1, 8, 8)[0], torch.zeros(8, 8).bool()),
        lambda: road(linear, pictures(1, 8, 8), PLACES, fractions=(1.1,)),
        lambda: road(linear, pictures(1, 8, 8), PLACES, fractions=()),
        lambda: road(linear, pictures(1, 8, 8), PLACES[:, :10]),
        lambda: road(linear, pictures(2, 8, 8), PLACES),
        lambda: road(linear, pictures(1, 8, 8), PLACES, noise=float("nan")),
    ],
)
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(InputError):
        call()
