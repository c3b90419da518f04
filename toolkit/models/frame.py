"""Where the pixels of a model's input come from in the picture it was given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

EDGE = 0.25
"""Pixels of the picture by which the input's edge may be off: a pixel that near it counts as seen."""


@dataclass(frozen=True)
class Frame:
    """The part of a picture a model saw.

    size: (width, height) of the picture in pixels. box: (left, top, right, bottom) of the model's whole input in the
    picture's pixels; it may reach beyond the picture where the preprocess pads. seen: (height, width) of the input.
    exact: False where the preprocess could not be traced and the whole picture was assumed.
    """

    size: tuple[int, int]
    box: tuple[float, float, float, float]
    seen: tuple[int, int]
    exact: bool = True

    def cell(self, row: int, column: int, grid: tuple[int, int]) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of a grid's cell in the picture's pixels."""
        left, top, right, bottom = self.box
        width, height = (right - left) / grid[1], (bottom - top) / grid[0]
        return (left + column * width, top + row * height, left + (column + 1) * width, top + (row + 1) * height)

    def at(self, x: float, y: float, grid: tuple[int, int]) -> tuple[int, int] | None:
        """(row, column) of the cell under a point of the picture, or None outside."""
        left, top, right, bottom = self.box
        column, row = (x - left) / (right - left) * grid[1], (y - top) / (bottom - top) * grid[0]
        inside = 0 <= row < grid[0] and 0 <= column < grid[1]
        return (int(row), int(column)) if inside else None

    def on_picture(self, values: NDArray[np.floating], smooth: bool = False) -> NDArray[np.float64]:
        """A grid [rows, columns] at the resolution of the picture [height, width]; NaN where the model saw nothing.

        smooth: bilinear between the cells' centres; default: every pixel has its cell's value.
        """
        width, height = self.size
        left, top, right, bottom = self.box
        rows, columns = values.shape
        y = (np.arange(height) + 0.5 - top) / (bottom - top) * rows
        x = (np.arange(width) + 0.5 - left) / (right - left) * columns
        near_y, near_x = (EDGE * n / length for n, length in ((rows, bottom - top), (columns, right - left)))
        inside = (abs(y - rows / 2) < rows / 2 + near_y)[:, None] & (abs(x - columns / 2) < columns / 2 + near_x)[None]
        table = np.asarray(values, np.float64)
        if smooth:
            (i, di), (j, dj) = (_between(at, n) for at, n in ((y, rows), (x, columns)))
            low = table[i][:, j] * (1 - dj) + table[i][:, np.minimum(j + 1, columns - 1)] * dj
            below = np.minimum(i + 1, rows - 1)
            high = table[below][:, j] * (1 - dj) + table[below][:, np.minimum(j + 1, columns - 1)] * dj
            found = low * (1 - di[:, None]) + high * di[:, None]
        else:
            i, j = (np.clip(at.astype(int), 0, n - 1) for at, n in ((y, rows), (x, columns)))
            found = table[i][:, j]
        return np.where(inside, found, np.nan)

    def crop(self, mask: NDArray[Any], outside: int = 0) -> NDArray[Any]:
        """A mask of the picture [height, width] as the model saw it, nearest pixels; `outside` beyond the picture."""
        left, top, right, bottom = self.box
        rows, columns = self.seen
        y = np.floor(top + (np.arange(rows) + 0.5) * (bottom - top) / rows).astype(int)
        x = np.floor(left + (np.arange(columns) + 0.5) * (right - left) / columns).astype(int)
        inside = ((y >= 0) & (y < mask.shape[0]))[:, None] & ((x >= 0) & (x < mask.shape[1]))[None]
        found = mask[np.clip(y, 0, mask.shape[0] - 1)][:, np.clip(x, 0, mask.shape[1] - 1)]
        return np.where(inside, found, np.asarray(outside, mask.dtype))


def whole(size: tuple[int, int], seen: tuple[int, int], exact: bool = True) -> Frame:
    """The frame of a picture that is the model's input as a whole. size: (width, height); seen: (height, width)."""
    return Frame(size, (0.0, 0.0, float(size[0]), float(size[1])), seen, exact)


def frame_of(preprocess: Callable[[Image.Image], Tensor], size: tuple[int, int], seen: tuple[int, int]) -> Frame:
    """The frame of a picture of a size (width, height), found by sending pictures of ramps through the preprocess: any
    mixture of resizing, cropping and padding is inverted, whatever library it is made of.

    Where little of the picture is seen, twice: then with a ramp over that alone, as a ramp has only 256 steps. Without
    a linear relation (colours changed, rotated) the whole picture is assumed, and `exact` is False.
    """
    low = _seen(preprocess, Image.new("RGB", (16, 16), (0, 0, 0)))
    span = _seen(preprocess, Image.new("RGB", (16, 16), (255, 255, 255))) - low
    if low.shape != (3, *seen) or not np.isfinite(span).all() or np.abs(span).min() < 1e-6:
        return whole(size, seen, exact=False)
    ends = [(0.0, float(n)) for n in size]
    found = _fit(_seen(preprocess, _ramps(size, ends)) - low, span, seen, ends)
    if found is not None and any(b - a < 0.6 * n for (a, b), n in zip(found, size, strict=True)):
        ends = [(max(0.0, a - 2), min(float(n), b + 2)) for (a, b), n in zip(found, size, strict=True)]
        found = _fit(_seen(preprocess, _ramps(size, ends)) - low, span, seen, ends)
    if found is None:
        return whole(size, seen, exact=False)
    (left, right), (top, bottom) = found
    return Frame(size, (left, top, right, bottom), seen)


def _seen(preprocess: Callable[[Image.Image], Tensor], picture: Image.Image) -> NDArray[np.float64]:
    with torch.no_grad():
        return np.asarray(preprocess(picture).double().cpu().numpy())


def _ramps(size: tuple[int, int], ends: list[tuple[float, float]]) -> Image.Image:
    """Red grows from 0 to 255 along x between the ends, green along y; blue is full everywhere."""
    levels = []
    for n, (low, high) in zip(size, ends, strict=True):
        at = (np.arange(n) + 0.5 - low) / (high - low)
        levels.append(np.clip(np.round(at * 255), 0, 255).astype(np.uint8))
    picture = np.full((size[1], size[0], 3), 255, np.uint8)
    picture[..., 0], picture[..., 1] = levels[0][None], levels[1][:, None]
    return Image.fromarray(picture)


def _fit(
    values: NDArray[np.float64], span: NDArray[np.float64], seen: tuple[int, int], ends: list[tuple[float, float]]
) -> list[tuple[float, float]] | None:
    """Where the input's edges lie along x and y, by least squares over the unclipped part of each ramp."""
    with np.errstate(divide="ignore", invalid="ignore"):
        level = values / span
    inside = level[2] > 0.98  # beyond it is padding
    if not inside.any():
        return None
    found = []
    for axis, count in ((0, seen[1]), (1, seen[0])):
        ramp = np.where(inside, level[axis], np.nan)
        kept = inside.any(axis)  # columns, then rows, that hold anything of the picture
        line = np.full(count, np.nan)
        line[kept] = np.nanmedian(ramp[:, kept] if axis == 0 else ramp[kept].T, axis=0)
        edges = (0.0, 1.0) if ends[axis] == (0.0, 1.0) else _line(line, *ends[axis])  # one pixel wide: seen whole
        if edges is None:
            return None
        found.append(edges)
    return found


def _line(line: NDArray[np.float64], low: float, high: float) -> tuple[float, float] | None:
    """Where the first and the last edge lie, of levels along one axis that grow from 0 at `low` to 1 at `high`."""
    known = np.flatnonzero((line > 0.02) & (line < 0.98))
    known = np.flatnonzero(~np.isnan(line)) if len(known) < 3 else known
    if len(known) < 2 or np.ptp(line[known]) < 1e-6:
        return None
    places, reached = known + 0.5, low + line[known] * (high - low)
    slope, start = np.polyfit(places, reached, 1)
    off = np.abs(start + slope * places - reached).max()
    if slope <= 0 or off > max(4.0, 0.05 * (high - low)):
        return None
    return float(start), float(start + slope * len(line))


def _between(at: NDArray[np.float64], n: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The cell centre before every position and the share of the way to the next one; flat beyond the outermost."""
    centred = np.clip(at - 0.5, 0, n - 1)
    below = np.floor(centred).astype(np.int64)
    return below, centred - below
