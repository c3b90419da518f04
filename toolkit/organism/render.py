"""From factors to pixels: background, objects, light, weather, style; and the masks that go with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.precision import full_precision
from toolkit.organism import backgrounds, shapes
from toolkit.organism.backgrounds import SIZE
from toolkit.organism.draws import Draws
from toolkit.organism.factors import BACKGROUNDS, CLASSES, FACTORS

Factors = dict[str, NDArray[np.int64]]

COLOURS = {
    "red": (0.80, 0.16, 0.16), "orange": (0.94, 0.52, 0.12), "yellow": (0.95, 0.85, 0.18), "green": (0.20, 0.60, 0.24),
    "blue": (0.16, 0.32, 0.80), "purple": (0.54, 0.26, 0.68), "brown": (0.48, 0.30, 0.17),
    "white": (0.96, 0.96, 0.94), "black": (0.15, 0.15, 0.17),
}  # fmt: skip
_RADIUS = torch.tensor([[13.0, 20.0], [10.5, 14.0], [9.5, 12.5]])  # count, size → pixels
_SHIFT = torch.tensor([[13.0, 11.0], [11.0, 7.5], [11.0, 8.0]])
_CENTRES = torch.tensor(  # count → up to three centres, in radii
    [[[0.0, 0.0]] * 3, [[-0.78, 0.5], [0.78, -0.5], [0.78, -0.5]], [[-0.84, 0.6], [0.84, 0.6], [0.0, -0.85]]]
)


@dataclass(frozen=True)
class Picture:
    """pixels [n, 3, 64, 64] uint8; object [n, 64, 64] bool and parts [n, 64, 64] uint8 (index into shapes.PARTS), or
    None.
    """

    pixels: Tensor
    object: Tensor | None
    parts: Tensor | None


@full_precision
def render(draws: Draws, factors: Factors, masks: bool = False, chunk: int = 64) -> Picture:
    """Paint every sample; a sample's pixels do not depend on the others of the call."""
    f = {name: torch.from_numpy(values) for name, values in factors.items()}
    n = len(draws)
    ground = torch.from_numpy(draws.uniform("ground", 264))
    numbers = torch.from_numpy(draws.uniform("numbers", 24))
    layout = torch.from_numpy(draws.uniform("layout", 8))
    pixels = torch.empty(n, 3, SIZE, SIZE, dtype=torch.uint8)
    inside = torch.empty(n, SIZE, SIZE, dtype=torch.bool) if masks else None
    parts = torch.empty(n, SIZE, SIZE, dtype=torch.uint8) if masks else None
    for kind in range(len(CLASSES)):
        for rows in (f["class"] == kind).nonzero()[:, 0].split(chunk):
            if not len(rows):
                continue
            some = {name: values[rows] for name, values in f.items()}
            image = _backgrounds(some["background"], ground[rows], numbers[rows])
            pen = _objects(kind, some, layout[rows], masks)
            alpha = (0.5 - pen.distance).clamp_(0, 1)
            shade = 1.0 - 0.10 * (pen.u + pen.v)
            paint = (pen.rgb * shade[:, None]).clamp_(0, 1)
            rim = (1.2 - (pen.distance + 0.6).abs()).clamp_(0, 1) * 0.45
            image = torch.lerp(image, paint * (1 - rim)[:, None], alpha[:, None])
            image = _light(image, some["light"])
            image = _style(image, some["style"], pen.distance, ground[rows])
            image = _weather(image, some["weather"], numbers[rows], ground[rows])
            pixels[rows] = (image * 255 + 0.5).clamp_(0, 255).to(torch.uint8)
            if inside is not None and parts is not None and pen.parts is not None:
                inside[rows] = pen.distance < 0
                parts[rows] = pen.parts
    grain = torch.from_numpy(
        (draws.bits("grain", SIZE * SIZE // 8).view(np.uint8).reshape(n, 1, SIZE, SIZE) >> 5).astype(np.int16)
    )
    pixels = (pixels.to(torch.int16) + grain - 4).clamp_(0, 255).to(torch.uint8)
    return Picture(pixels, inside, parts)


def _backgrounds(kinds: Tensor, noise: Tensor, numbers: Tensor) -> Tensor:
    image = torch.empty(len(kinds), 3, SIZE, SIZE)
    for kind, name in enumerate(BACKGROUNDS):
        rows = (kinds == kind).nonzero()[:, 0]
        if len(rows):
            image[rows] = backgrounds.PAINTERS[name](backgrounds.Ground(noise[rows], numbers[rows, :8]))
    return image


def _objects(kind: int, f: dict[str, Tensor], layout: Tensor, parts: bool) -> shapes.Pen:
    """All copies of the object at once: every pixel uses the coordinates of its nearest copy."""
    radius = _RADIUS[f["count"], f["size"]] * (0.95 + 0.1 * layout[:, 0])
    centre = SIZE / 2 + (f["position"] - 1) * _SHIFT[f["count"], f["size"]] + 2.5 * (layout[:, 1] - 0.5)
    middle = SIZE * 0.54 + 5 * (layout[:, 2] - 0.5)
    flip = torch.where(layout[:, 3] < 0.5, -1.0, 1.0)
    axis = torch.arange(SIZE, dtype=torch.float32) + 0.5
    unit = radius.view(-1, 1, 1)
    x = (axis.view(1, 1, -1) - centre.view(-1, 1, 1)) / unit
    y = (axis.view(1, -1, 1) - middle.view(-1, 1, 1)) / unit
    # a mirrored layout as well as mirrored objects
    spots = _CENTRES[f["count"]] * torch.stack([flip, torch.ones_like(flip)], -1)[:, None]
    u = v = nearest = None
    for k in range(1 if int(f["count"].max()) == 0 else 3):
        du, dv = x - spots[:, k, 0].view(-1, 1, 1), y - spots[:, k, 1].view(-1, 1, 1)
        far = du * du + dv * dv
        if nearest is None or u is None or v is None:
            u, v, nearest = du.expand_as(far).clone(), dv.expand_as(far).clone(), far
        else:
            closer = far < nearest
            u, v, nearest = torch.where(closer, du, u), torch.where(closer, dv, v), torch.where(closer, far, nearest)
    assert u is not None
    assert v is not None
    u = u * flip.view(-1, 1, 1)
    pen = shapes.Pen(u, v, unit, _textured(u, v, unit, f["colour"], f["texture"]), parts)
    if kind < 2:
        shapes.bird(pen, f["neck"], f["bill"], f["feet"])
    else:
        shapes.PAINTERS[CLASSES[kind]](pen)
    return pen


def _textured(u: Tensor, v: Tensor, unit: Tensor, colour: Tensor, texture: Tensor) -> Tensor:
    palette = torch.tensor([COLOURS[name] for name in FACTORS["colour"]])
    main = palette[colour][:, :, None, None]
    dark = (main.mean(1, keepdim=True) < 0.25).float()
    second = main * 0.42 * (1 - dark) + (main * 0.5 + 0.42) * dark  # the other tone of the texture
    pitch = (6.0 / unit).clamp(min=0.42)
    a, b = u / pitch, v / pitch
    fa, fb = a - a.floor(), b - b.floor()
    diagonal = (a + b) * 0.75
    striped = ((diagonal - diagonal.floor()) - 0.5).abs() < 0.25
    spotted = ((fa - 0.5) ** 2 + (fb - 0.5) ** 2) < 0.12
    checkered = (fa < 0.5) != (fb < 0.5)
    kind = texture.view(-1, 1, 1)
    marked = (striped & (kind == 1)) | (spotted & (kind == 2)) | (checkered & (kind == 3))
    return torch.where(marked[:, None], second, main)


def _light(image: Tensor, light: Tensor) -> Tensor:
    gain = torch.tensor([[1.0, 1.0, 1.0], [1.02, 0.78, 0.62], [0.42, 0.45, 0.66]])[light][:, :, None, None]
    glow = torch.tensor([[0.0, 0.0, 0.0], [0.16, 0.05, 0.0], [0.0, 0.0, 0.05]])[light][:, :, None, None]
    height = 1 - torch.arange(SIZE, dtype=torch.float32).view(1, 1, -1, 1) / SIZE
    return image * gain + glow * height


def _style(image: Tensor, style: Tensor, distance: Tensor, noise: Tensor) -> Tensor:
    out = image.clone()
    for kind, change in ((1, _painting), (2, _sketch), (3, _cartoon)):
        rows = (style == kind).nonzero()[:, 0]
        if len(rows):
            out[rows] = change(image[rows], distance[rows], noise[rows])
    return out


def _painting(image: Tensor, distance: Tensor, noise: Tensor) -> Tensor:
    n = len(image)
    stroke = backgrounds.value_noise(noise[:, :256].reshape(n, 8, 32))[:, None] - 0.5
    dab = backgrounds.value_noise(noise[:, 8:264].reshape(n, 32, 8))[:, None] - 0.5
    soft = torch.nn.functional.avg_pool2d(image, 3, 1, 1, count_include_pad=False) * 0.55 + image * 0.45
    return ((soft * 6 + stroke * 1.1 + dab * 0.9).round() / 6 * 0.65 + soft * 0.35).clamp(0, 1)


def _sketch(image: Tensor, distance: Tensor, noise: Tensor) -> Tensor:
    tone = image.mean(1, keepdim=True)
    edge = torch.zeros_like(tone)
    edge[:, :, :, 1:] += (tone[:, :, :, 1:] - tone[:, :, :, :-1]).abs()
    edge[:, :, 1:] += (tone[:, :, 1:] - tone[:, :, :-1]).abs()
    outline = (1.3 - distance.abs()).clamp(0, 1)[:, None] * 0.7
    paper = 0.60 + 0.25 * tone + 0.15
    tint = (image - tone) * 0.55
    return (paper + tint - 1.8 * edge - outline).clamp(0.06, 1)


def _cartoon(image: Tensor, distance: Tensor, noise: Tensor) -> Tensor:
    tone = image.mean(1, keepdim=True)
    flat = (((tone + (image - tone) * 1.35) * 4).round() / 4).clamp(0, 1)
    outline = (1.8 - distance.abs()).clamp(0, 1)[:, None]
    return flat * (1 - outline)


def _weather(image: Tensor, weather: Tensor, numbers: Tensor, noise: Tensor) -> Tensor:
    out = image.clone()
    rows = (weather == 1).nonzero()[:, 0]
    if len(rows):
        axis = torch.arange(SIZE, dtype=torch.float32)
        lane = (axis.view(1, 1, -1) + 0.35 * axis.view(1, -1, 1)) / 4 + numbers[rows, 8].view(-1, 1, 1)
        column = lane.floor()
        phase = torch.gather(noise[rows, 100:132], 1, column.long().flatten(1).remainder(32)).view_as(column)
        drop = axis.view(1, -1, 1) / 16 - phase
        streak = ((drop - drop.floor()) < 0.45) & ((lane - column) < 0.28)
        out[rows] = torch.lerp(out[rows] * 0.86, torch.tensor(0.92), streak[:, None].float() * 0.7)
    rows = (weather == 2).nonzero()[:, 0]
    if len(rows):
        veil = 0.42 + 0.22 * backgrounds.value_noise(noise[rows, :36].reshape(-1, 6, 6))
        out[rows] = torch.lerp(out[rows], torch.tensor(0.82), veil[:, None])
    return out
