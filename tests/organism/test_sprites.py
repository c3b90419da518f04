"""Sprites look as if the figure were painted in place."""

from __future__ import annotations

import pytest
import torch

from toolkit.organism import shapes, sprites
from toolkit.organism.factors import CLASSES


def in_place(number, radius, shift):
    """The figure painted directly on a 64-pixel grid, its middle off the pixel grid by `shift`."""
    axis = torch.arange(64, dtype=torch.float32) + 0.5 - 32 - shift
    u, v = (axis / radius).view(1, 1, 64).expand(1, 64, 64), (axis / radius).view(1, 64, 1).expand(1, 64, 64)
    pen = shapes.Pen(u, v, torch.full((1, 1, 1), radius))
    if number < 16:
        shapes.bird(pen, *(torch.tensor([number >> bit & 1]) for bit in (2, 1, 0)))
    else:
        shapes.PAINTERS[CLASSES[number - 14]](pen)
    return pen


@pytest.mark.parametrize("number", range(34))
def test_a_sprite_is_the_figure_painted_in_place(number):
    count, size = number % 3, number % 2
    radius, shift = sprites.RADIUS[count][size], 0.3
    pen = in_place(number, radius, shift)
    axis = torch.arange(64, dtype=torch.float32) + 0.5 - 32 - shift
    at = torch.stack(torch.broadcast_tensors(axis.view(1, 1, 64), axis.view(1, 64, 1)), -1)
    one = torch.tensor
    distance, own, fixed, part = sprites.look_up(one([number]), one([count]), one([size]), at, True)
    near = pen.distance.abs() < 1.5
    assert (distance - pen.distance).abs()[near].quantile(0.99) < 0.5
    inside = pen.distance < -1
    tone = torch.cat([own[:, None], fixed], 1)
    assert (tone - pen.tone).abs().mean(1)[inside].mean() < 0.06
    assert (part == pen.part)[inside].float().mean() > 0.9
    eyes = {shapes.PARTS.index("detail")}  # may be smaller than a pixel
    assert set(part[distance < 0].tolist()) - eyes == set(pen.part[pen.distance < 0].tolist()) - eyes


def test_every_figure_has_its_own_number_and_all_its_parts():
    kinds = torch.arange(20)
    parts = torch.where(kinds < 2, kinds, -1)
    numbers = sprites.figure(kinds, parts, parts, parts)
    assert len(set(numbers.tolist())) == 20
    bits = torch.tensor([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    birds = torch.cat([sprites.figure(torch.full((8,), k), *bits.T) for k in (0, 1)])
    assert sorted(birds.tolist()) == list(range(16))
    for number in range(16):
        _, part = sprites.sprite(number, 0, 1)
        assert set(part.unique().tolist()) == {1, 2, 3, 4, 5}


def test_a_sprite_reaches_beyond_every_outline():
    """Outside a sprite its border is repeated, so the border must lie outside the figure."""
    for number in range(34):
        look, _ = sprites.sprite(number, 0, 1)
        edge = torch.cat([look[0, 0], look[0, -1], look[0, :, 0], look[0, :, -1]])
        assert edge.min() > 0.5, number
