"""Every object painted once, large, as a sprite that scenes look up: shape, tones and parts of 26 figures.

A bird has eight figures (neck, bill and feet each in two forms), every other class one. A sprite is painted for each
of the six nominal sizes at `FINE` texels a pixel, so thin lines stay as thick as they would be in place.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from toolkit.organism import shapes
from toolkit.organism.factors import CLASSES

RADIUS = ((13.0, 20.0), (10.5, 14.0), (9.5, 12.5))
"""count, size → pixels per object unit."""
FINE = 2
SIDE = 96
"""Texels along a sprite: ±1.2 object units at the largest radius."""
BIRDS, FORMS = 16, 8
"""Figures that are birds, of two classes; forms a bird has, the same in both."""
CHANNELS = 5
"""Distance to the outline in pixels, share of the object's own colour, and the fixed colour that is added."""

_RADII = torch.from_numpy(np.array(RADIUS, np.float32).ravel())


def figure(kind: Tensor, neck: Tensor, bill: Tensor, feet: Tensor) -> Tensor:
    """Number of the figure [n]: 0–15 birds (class, neck, bill, feet), then one per other class."""
    return torch.where(kind < 2, ((kind * 2 + neck) * 2 + bill) * 2 + feet, kind + 14)


def sprite(number: int, count: int, size: int) -> tuple[Tensor, Tensor]:
    """Look [CHANNELS, SIDE, SIDE] and part of every texel [SIDE, SIDE] (also just outside the outline)."""
    nominal = count * len(RADIUS[0]) + size
    if number < BIRDS:
        looks, parts = _birds()
        return looks[number % FORMS, nominal], parts[number % FORMS, nominal]
    looks, parts = _others(CLASSES[number - 14])
    return looks[nominal], parts[nominal]


@lru_cache
def _birds() -> tuple[Tensor, Tensor]:
    """All birds at all nominal sizes, [FORMS, sizes, …]: neck, bill and feet are the bits of a form."""
    sizes = len(_RADII)
    pen = _pen(_RADII.repeat(FORMS))
    form = torch.arange(FORMS).repeat_interleave(sizes)
    shapes.bird(pen, *(form >> bit & 1 for bit in (2, 1, 0)))
    looks, parts = _painted(pen)
    return looks.unflatten(0, (FORMS, sizes)), parts.unflatten(0, (FORMS, sizes))


@lru_cache
def _others(name: str) -> tuple[Tensor, Tensor]:
    """A class at all nominal sizes, [sizes, …]."""
    pen = _pen(_RADII)
    shapes.PAINTERS[name](pen)
    return _painted(pen)


def _pen(radii: Tensor) -> shapes.Pen:
    """A pen for sprites of these radii, in pixels [n]."""
    unit = (radii * FINE).view(-1, 1, 1)
    axis = (torch.arange(SIDE, dtype=torch.float32) - (SIDE - 1) / 2) / unit
    u = axis.view(-1, 1, SIDE).expand(-1, SIDE, SIDE)
    v = axis.view(-1, SIDE, 1).expand(-1, SIDE, SIDE)
    return shapes.Pen(u, v, unit, FINE)


def _painted(pen: shapes.Pen) -> tuple[Tensor, Tensor]:
    return torch.cat([pen.distance[:, None] / FINE, pen.tone], 1), pen.part


def look_up(
    number: Tensor, count: Tensor, size: Tensor, at: Tensor, parts: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """distance [n, H, W] in nominal pixels, own [n, H, W], fixed [n, 3, H, W] and part [n, H, W] of every pixel.

    at: [n, H, W, 2], pixels right of and below the middle of the object, at its nominal size.
    """
    keys, place = torch.unique(torch.stack([number, count, size], 1), dim=0, return_inverse=True)
    found = [sprite(*key) for key in keys.tolist()]
    looks = torch.stack([look for look, _ in found])[place]
    grid = at * (2 * FINE / SIDE)
    sampled = torch.nn.functional.grid_sample(looks, grid, "bilinear", "border", align_corners=False)
    part = None
    if parts:
        texel = (at * FINE + SIDE / 2).floor().clamp_(0, SIDE - 1).long()
        part = torch.stack([p for _, p in found])[place[:, None, None], texel[..., 1], texel[..., 0]]
    return sampled[:, 0], sampled[:, 1], sampled[:, 2:], part
