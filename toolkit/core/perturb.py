"""Insertion and deletion: how a score moves as an image's places go, or come, in the order of a map (methods §6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import torch
from torch import Tensor

from toolkit.core.precision import full_precision
from toolkit.errors import InputError

Score = Callable[[Tensor], Tensor]
"""Images [m, 3, h, w] to one number each [m]."""
Check = Callable[[], None]
"""Called before every batch; may raise to end the work."""
Fill = Literal["mean", "blur", "black", "noise"]
BLUR = 1 / 8
"""Standard deviation of the blur as a share of the longer side."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Scores as places go and come; made by `curves`.

    fractions [s]: of the places, from 0 to 1, exactly as taken (count / n). deletion [b, s]: with the first of the
    order replaced. insertion [b, s]: with only the first of the order shown.
    """

    fractions: Tensor
    deletion: Tensor
    insertion: Tensor

    @cached_property
    def deletion_auc(self) -> Tensor:
        """[b]: area under the deletion curve; small where the first places carry the score."""
        return torch.trapezoid(self.deletion.double(), self.fractions, dim=1)

    @cached_property
    def insertion_auc(self) -> Tensor:
        """[b]: area under the insertion curve; large where the first places carry the score."""
        return torch.trapezoid(self.insertion.double(), self.fractions, dim=1)


def order(maps: Tensor, seed: int, descending: bool = True) -> Tensor:
    """[b, n] int64: places by value, the largest first unless not `descending`; ties in random order.

    maps [b, n]. Row i depends on seed, i and its own values alone: not on the other rows, nor on the device.
    Raises InputError for NaN and infinite values.
    """
    if maps.ndim != 2 or maps.dtype == torch.bool or maps.is_complex():
        raise InputError("order", f"maps {tuple(maps.shape)} {maps.dtype}", "numbers [b, n]", "use maps.flatten(1)")
    if not bool(maps.isfinite().all()):
        raise InputError("order", "maps with NaN or infinite values", "finite maps", "find where they come from")
    shuffle = uniform(tuple(maps.shape), seed).argsort(1).to(maps.device)
    found = maps.gather(1, shuffle).argsort(dim=1, descending=descending, stable=True)
    return shuffle.gather(1, found)


def removed(order: Tensor, count: int) -> Tensor:
    """[b, n] bool: the first `count` places of every row of an order [b, n]."""
    return ranks("removed", order, order.shape[-1]) < _within("removed", count, order.shape[1])


def spread(flags: Tensor, grid: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """[b, h, w] bool: every pixel takes the flag of its cell. flags [b, rows · columns]; grid: (rows, columns); size:
    (h, w). Pixel (y, x) is in cell (⌊y · rows / h⌋, ⌊x · columns / w⌋).

    >>> spread(torch.tensor([[True, False]]), (1, 2), (1, 5)).int().tolist()
    [[[1, 1, 1, 0, 0]]]
    """
    rows, columns = grid
    if flags.ndim != 2 or flags.shape[1] != rows * columns or min(*grid, *size) < 1:
        given = f"flags {tuple(flags.shape)}, grid {rows} × {columns}, size {size[0]} × {size[1]}"
        raise InputError("spread", given, "[b, rows · columns] flags, positive sizes", "use the map's own grid")
    y, x = (torch.arange(n, device=flags.device) * k // n for n, k in zip(size, grid, strict=True))
    return flags.view(-1, rows, columns)[:, y[:, None], x]


@full_precision
def fill(images: Tensor, kind: Fill, seed: int = 0, black: Tensor | None = None) -> Tensor:
    """[b, 3, h, w]: what stands in removed places.

    kind: "mean", every channel's own mean; "blur", the image under a Gaussian as wide as an eighth of its longer side;
    "black"; "noise", normal with every channel's own mean and standard deviation. black [3]: the value of black in the
    images' units, for "black" only. Image i depends on seed, i and its own pixels alone.
    """
    check_images("fill", images)
    if kind == "black":
        if black is None or black.shape != images.shape[1:2]:
            given = "no value" if black is None else f"values {tuple(black.shape)}"
            raise InputError("fill", f"{given} of black", "one number per channel", "give (0 − mean) / std per channel")
        return black.to(images)[:, None, None].expand_as(images).clone()
    mean = images.mean((-2, -1), keepdim=True)
    if kind == "mean":
        return mean.expand_as(images).clone()
    if kind == "noise":
        return mean + images.std((-2, -1), keepdim=True, correction=0) * normal(images, seed)
    if kind == "blur":
        h, w = images.shape[-2:]
        sigma = BLUR * max(h, w)
        return _smoothing(h, sigma).to(images) @ images @ _smoothing(w, sigma).to(images).T
    raise InputError("fill", f"kind={kind!r}", f"one of {', '.join(get_args(Fill))}", "use one of these names")


def curves(
    score: Score, images: Tensor, order: Tensor, grid: tuple[int, int], steps: int, fill: Tensor,
    batch_size: int, check: Check | None = None,
) -> Curve:  # fmt: skip
    """Insertion and deletion along an order, as a `Curve` of steps + 1 points.

    score: images [m, 3, h, w] to [m], run without gradients on at most `batch_size` at once, of any images and steps.
    order [b, rows · columns]: cells of `grid`, the first to go first. fill [b, 3, h, w]: what removed cells show.
    Both ends are scored once: deletion at 0 is insertion at 1, the image; deletion at 1 is insertion at 0, the fill.
    """
    check_images("curves", images)
    b, n, device = len(images), grid[0] * grid[1], images.device
    rank = ranks("curves", order.to(device), n)
    if len(rank) != b or fill.shape != images.shape or steps < 1:
        given = f"{b} images, order {tuple(order.shape)}, fill {tuple(fill.shape)}, {steps} steps"
        accepted = "one order and one fill per image, and at least one step"
        raise InputError("curves", given, accepted, "make order and fill from these images")
    counts = torch.tensor([(2 * k * n + steps) // (2 * steps) for k in range(steps + 1)], device=device)
    levels, column = counts.unique(return_inverse=True)  # fewer cells than steps: nothing is scored twice
    size = (images.shape[-2], images.shape[-1])
    instead, last = fill.to(images), len(levels) - 1

    def build(jobs: Tensor) -> Tensor:
        """Job j, of 2 · last times b: image j mod b after 0 … last removals, then with only 1 … last − 1 left."""
        image, level = jobs % b, jobs // b
        kept = level > last
        bound = levels[torch.where(kept, level - last, level)][:, None]
        gone = spread((rank[image] < bound) ^ kept[:, None], grid, size)
        return torch.where(gone[:, None], instead[image], images[image])

    found = scored(build, 2 * last * b, score, batch_size, device, check).view(-1, b).T
    ends = found[:, :1], found[:, last : last + 1]
    insertion = torch.cat([ends[1], found[:, last + 1 :], ends[0]], 1)
    fractions, at = counts.to(found.device).double() / n, column.to(found.device)
    return Curve(fractions, found[:, at], insertion[:, at])


def scored(
    build: Callable[[Tensor], Tensor], jobs: int, score: Score, batch_size: int, device: torch.device,
    check: Check | None = None,
) -> Tensor:  # fmt: skip
    """[jobs]: the scores of the images that `build` makes for job indices [m], at most `batch_size` at once."""
    found = []
    for at in torch.arange(jobs, device=device).split(_within("batch_size", batch_size, None)):
        if check is not None:
            check()
        with torch.no_grad():
            values = score(build(at))
        if values.shape != at.shape:
            given = f"a score {tuple(values.shape)} for {len(at)} images"
            raise InputError("score", given, "one number per image", "return a tensor [m]")
        found.append(values)
    return torch.cat(found) if found else torch.zeros(0, device=device)


def ranks(operation: str, order: Tensor, n: int) -> Tensor:
    """[b, n] int64: the position of every place in an order [b, n], which must hold every place once."""
    places = torch.arange(n, device=order.device)
    fits = order.ndim == 2 and order.shape[1] == n and order.dtype == torch.int64
    if not fits or not bool((order.sort(1).values == places).all()):
        given = f"order {tuple(order.shape)} {order.dtype}"
        raise InputError(operation, given, f"the places 0 … {n - 1} once in every row, int64", "make it with `order`")
    return torch.empty_like(order).scatter_(1, order, places.expand_as(order))


def uniform(shape: tuple[int, ...], seed: int) -> Tensor:
    """float64 on the CPU, in [0, 1): the first rows of more rows are the same."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def normal(images: Tensor, seed: int) -> Tensor:
    """Standard normal numbers like the images; those of image i depend on seed and i alone, not on the device."""
    return torch.special.ndtri(uniform(tuple(images.shape), seed).clamp(min=2.0**-54)).to(images)


def check_images(operation: str, images: Tensor) -> None:
    """InputError unless images are finite, floating-point and [b, 3, h, w] with b, h, w ≥ 1."""
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape or not images.is_floating_point():
        given = f"images {tuple(images.shape)} {images.dtype}"
        raise InputError(operation, given, "at least one image, [b, 3, h, w], floating point", "preprocess them first")
    if not bool(images.isfinite().all()):
        raise InputError(operation, "images with NaN or infinite values", "finite pixels", "look at the preprocessing")


def _smoothing(n: int, sigma: float) -> Tensor:
    """[n, n] float64: a Gaussian, cut off at 4σ, over a line that is reflected at both ends as often as needed."""
    reach = int(4 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1)
    weights = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    source = (torch.arange(n)[:, None] + offsets) % (2 * n)
    source = torch.minimum(source, 2 * n - 1 - source)
    table = torch.zeros(n, n, dtype=torch.float64)
    return table.scatter_add_(1, source, (weights / weights.sum()).expand(n, -1))


def _within(name: str, count: int, n: int | None) -> int:
    """A count in 0 … n, or a batch size ≥ 1 where n is None."""
    low = 1 if n is None else 0
    if isinstance(count, bool) or not isinstance(count, int) or count < low or (n is not None and count > n):
        accepted = "an integer ≥ 1" if n is None else f"an integer in 0 … {n}"
        raise InputError(name, repr(count), accepted, "count places, not shares" if n is not None else "use 1 or more")
    return count
