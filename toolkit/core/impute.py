"""ROAD: scores as pixels go, with what a neighbourhood tells of a pixel in its place (Rong et al. 2022, 2202.00449).

A removed pixel is the mean of its neighbours in the image, weighted 1/6 (side) and 1/12 (corner), plus noise: a linear
system D − W over the removed pixels, symmetric and positive definite as long as one pixel is left. All images are
solved at once by conjugate gradients. Residuals that are smooth over a large hole need many iterations, so they are
also corrected on coarser and coarser blocks of pixels (an additive multilevel preconditioner).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.core.perturb import Check, Score, check_images, normal, ranks, scored
from toolkit.core.precision import full_precision
from toolkit.errors import InputError, ToolkitError

NOISE = 0.01
FRACTIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-10}
"""Norm of the residual as a share of the right-hand side's."""
ROUGH = 1e-4
"""The same where noise a hundred times larger is added."""
ITERATIONS, LOOK = 1000, 10
"""At most; and between two looks at whether all are done, each of which waits for the device."""
LEAST = 1 / 24
"""Half the smallest weight: a block that is less tied to its surroundings is not tied at all."""


@dataclass(frozen=True, eq=False)
class Road:
    """fractions [s]: asked for. counts [s]: pixels removed, ⌊q · h · w⌋. morf, lerf [b, s]: scores with the most, and
    with the least, relevant pixels imputed.
    """

    fractions: tuple[float, ...]
    counts: tuple[int, ...]
    morf: Tensor
    lerf: Tensor

    @property
    def combined(self) -> Tensor:
        """[b]: mean of (LeRF − MoRF) / 2 over the fractions; 0 is what a random order gets on average."""
        return ((self.lerf.double() - self.morf.double()) / 2).mean(1)


@torch.no_grad()
def impute(images: Tensor, removed: Tensor, noise: float = NOISE, seed: int = 0) -> Tensor:
    """[b, 3, h, w]: the images with removed pixels [b, h, w] (bool) imputed from the others.

    noise: standard deviation, in the images' units, of what is added to removed pixels; 0 adds nothing. Image i depends
    on seed, i, its own pixels and holes alone. An image of which nothing is left becomes its channels' means.
    Raises ToolkitError if the system is not solved to TOLERANCE in ITERATIONS.
    """
    check_images("impute", images)
    if removed.dtype != torch.bool or removed.shape != (len(images), *images.shape[2:]):
        given = f"removed {tuple(removed.shape)} {removed.dtype} for images {tuple(images.shape)}"
        raise InputError("impute", given, "bool [b, h, w]", "use `spread` or view an order's flags as [b, h, w]")
    _check_noise("impute", noise)
    hole = removed.to(images.device)
    found = solve(images, hole)
    return torch.where(hole[:, None], found + noise * normal(images, seed), found) if noise else found


def road(
    score: Score, images: Tensor, order: Tensor, fractions: Sequence[float] = FRACTIONS, noise: float = NOISE,
    seed: int = 0, batch_size: int = 64, check: Check | None = None,
) -> Road:  # fmt: skip
    """Scores as a growing share of the pixels is imputed, most and least relevant first, as a `Road`.

    score: images [m, 3, h, w] to [m], run without gradients on at most `batch_size` at once. order [b, h · w]: pixels,
    the most relevant first, as from `perturb.order`. An image has one field of noise for all fractions and directions.
    """
    check_images("road", images)
    _check_noise("road", noise)
    b, h, w = len(images), *images.shape[2:]
    rank = ranks("road", order.to(images.device), h * w)
    if len(rank) != b or not fractions or not all(0 <= q <= 1 for q in fractions):
        given = f"{b} images, {len(rank)} orders, fractions {tuple(fractions)}"
        raise InputError("road", given, "one order per image, and shares in [0, 1]", f"use fractions={FRACTIONS}")
    counts = tuple(int(Fraction(str(float(q))) * h * w) for q in fractions)  # .29 of 100 pixels are 29, not 28
    bounds = torch.tensor(counts, device=images.device)
    field = noise * normal(images, seed) if noise else None

    def build(jobs: Tensor) -> Tensor:
        """Job j, of 2 · s times b: image j mod b; the fractions in turn, first MoRF, then LeRF."""
        image, turn = jobs % b, jobs // b
        least = (turn % 2 == 1)[:, None]
        place = torch.where(least, h * w - 1 - rank[image], rank[image])
        hole = (place < bounds[turn // 2][:, None]).view(-1, h, w)
        found = solve(images[image], hole, None if field is None else ROUGH)
        return found if field is None else torch.where(hole[:, None], found + field[image], found)

    found = scored(build, 2 * len(counts) * b, score, batch_size, images.device, check).view(len(counts), 2, b)
    return Road(tuple(fractions), counts, found[:, 0].T, found[:, 1].T)


@full_precision
def solve(images: Tensor, removed: Tensor, tolerance: float | None = None) -> Tensor:
    """[b, 3, h, w]: every removed pixel [b, h, w] is the weighted mean of its neighbours. In float32 or float64.
    tolerance: of the residual, default TOLERANCE.
    """
    dtype = images.dtype if images.dtype in TOLERANCE else torch.float32
    hole = removed[:, None].to(dtype)
    degree = neighbours(hole.new_ones(1, 1, *hole.shape[2:]))
    pixels, kept = images.to(dtype), 1 - hole
    left = kept.sum((-2, -1), keepdim=True)
    known = (pixels * kept).sum((-2, -1), keepdim=True) / left.clamp(min=1)
    mean = torch.where(left > 0, known, pixels.mean((-2, -1), keepdim=True))  # constants solve the system: kept out of
    b = hole * neighbours(kept * (pixels - mean))  # it, they cost no digits
    x = _conjugate_gradients(b, hole, degree, TOLERANCE[dtype] if tolerance is None else tolerance)
    return torch.where(removed[:, None], (x + mean).to(images.dtype), images)


def neighbours(x: Tensor) -> Tensor:
    """W x [..., h, w]: the weighted sum over the up to eight neighbours, from 1/12 of the binomial window."""
    total = F.pad(x, (1, 1, 1, 1))
    for _ in range(2):
        total = total[..., :-1] + total[..., 1:]
    for _ in range(2):
        total = total[..., :-1, :] + total[..., 1:, :]
    return total.mul_(1 / 12).sub_(x, alpha=1 / 3)


def _conjugate_gradients(b: Tensor, hole: Tensor, degree: Tensor, tolerance: float) -> Tensor:
    """x [b, 3, h, w], 0 outside holes: (D − W) x = b. Every channel of every image stops by itself."""
    blocks = _blocks(hole, degree)
    own = hole / degree if degree.numel() > 1 else hole
    x, r = torch.zeros_like(b), b.clone()
    limit = tolerance**2 * _dot(b, b)
    z = _corrected(r, own, blocks, hole)
    p, rz = z, _dot(r, z)
    active = _dot(r, r) > limit
    for k in range(ITERATIONS):
        if k % LOOK == 0 and not bool(active.any()):
            return x
        ap = hole * (degree * p - neighbours(p))
        step = torch.where(active, rz / _dot(p, ap), 0)
        x.addcmul_(step, p)
        r.addcmul_(step, ap, value=-1)
        z = _corrected(r, own, blocks, hole)
        rz, before = _dot(r, z), rz
        active = active & (_dot(r, r) > limit)
        p = torch.addcmul(z, torch.where(active, rz / before, 0), p)
    given = f"{int(active.sum())} of {active.numel()} channels unsolved after {ITERATIONS} iterations"
    raise ToolkitError("impute", given, "pixels of ordinary range", "look for huge pixels, or use float64 images")


def _blocks(hole: Tensor, degree: Tensor) -> list[Tensor]:
    """[b, 1, h / s, w / s] for blocks of s = 2, 4, … pixels a side: 1 / how strongly the block's removed pixels, moved
    together, are tied to everything else; 0 where they are not. Blocks of one of four colours do not touch, so one
    product serves all of them.
    """
    h, w = hole.shape[2:]
    y, x = torch.arange(h, device=hole.device)[:, None], torch.arange(w, device=hole.device)
    found: list[Tensor] = []
    while 2 ** len(found) < max(h, w):
        s = 2 ** (len(found) + 1)
        ties = torch.zeros_like(hole)
        for colour in range(4):
            chosen = hole * ((y // s % 2 == colour // 2) & (x // s % 2 == colour % 2))
            ties += chosen * (degree * chosen - neighbours(chosen))
        total = F.avg_pool2d(F.pad(ties, (0, -w % s, 0, -h % s)), s) * s**2
        found.append(torch.where(total > LEAST, 1 / total, 0))
    return found


def _corrected(r: Tensor, own: Tensor, blocks: list[Tensor], hole: Tensor) -> Tensor:
    """The residual over the diagonal, of the pixels plus of the blocks of every size: what is added to a solution."""
    sums = [r]
    for _ in blocks:
        fine = F.pad(sums[-1], (0, sums[-1].shape[-1] % 2, 0, sums[-1].shape[-2] % 2))
        sums.append(F.avg_pool2d(fine, 2).mul_(4))
    total: Tensor | None = None
    for fine, scale in zip(reversed(sums), [*reversed(blocks), own], strict=True):
        total = fine * scale if total is None else torch.addcmul(_doubled(total, fine), fine, scale)
    return r * own if total is None else total.mul_(hole)


def _doubled(x: Tensor, like: Tensor) -> Tensor:
    """[..., h, w] of `like`: every value on 2 × 2 pixels."""
    b, c, h, w = x.shape
    whole = x[:, :, :, None, :, None].expand(b, c, h, 2, w, 2).reshape(b, c, 2 * h, 2 * w)
    return whole[..., : like.shape[-2], : like.shape[-1]]


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((-2, -1), keepdim=True)


def _check_noise(operation: str, noise: float) -> None:
    if not 0 <= noise < float("inf"):
        raise InputError(operation, f"noise={noise!r}", "a standard deviation ≥ 0", "use 0 for none")
