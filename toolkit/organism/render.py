"""From factors to pixels: background, objects, light, weather, style; and the masks that go with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.precision import full_precision
from toolkit.core.threads import one_core_each
from toolkit.organism import backgrounds, sprites
from toolkit.organism.backgrounds import SIZE
from toolkit.organism.draws import Draws
from toolkit.organism.factors import BACKGROUNDS, FACTORS

Factors = dict[str, NDArray[np.int64]]

COLOURS = {
    "red": (0.80, 0.16, 0.16), "orange": (0.94, 0.52, 0.12), "yellow": (0.95, 0.85, 0.18), "green": (0.20, 0.60, 0.24),
    "blue": (0.16, 0.32, 0.80), "purple": (0.54, 0.26, 0.68), "brown": (0.48, 0.30, 0.17),
    "white": (0.96, 0.96, 0.94), "black": (0.15, 0.15, 0.17),
}  # fmt: skip


def _constant(values: Any) -> Tensor:
    """In float32 and on the CPU, whatever is the default while this file is imported."""
    return torch.from_numpy(np.array(values, np.float32))


_RADIUS = _constant(sprites.RADIUS)
_SHIFT = _constant([[13.0, 11.0], [11.0, 7.5], [11.0, 8.0]])
_CENTRES = _constant(  # count → up to three centres, in radii
    [[[0.0, 0.0]] * 3, [[-0.78, 0.5], [0.78, -0.5], [0.78, -0.5]], [[-0.84, 0.6], [0.84, 0.6], [0.0, -0.85]]]
)
_GAIN = _constant([[1.0, 1.0, 1.0], [1.02, 0.78, 0.62], [0.42, 0.45, 0.66]])
_GLOW = _constant([[0.0, 0.0, 0.0], [0.16, 0.05, 0.0], [0.0, 0.0, 0.05]])


@dataclass(frozen=True)
class Picture:
    """pixels [n, 3, 64, 64] uint8; object [n, 64, 64] bool and parts [n, 64, 64] uint8 (index into shapes.PARTS), or
    None.
    """

    pixels: Tensor
    object: Tensor | None
    parts: Tensor | None


@dataclass(frozen=True)
class _Objects:
    """Of every pixel: distance to the nearest outline [n, H, W] (pixels), paint [n, 3, H, W] and part [n, H, W]."""

    distance: Tensor
    paint: Tensor
    parts: Tensor | None


@full_precision
def render(draws: Draws, factors: Factors, masks: bool = False, chunk: int = 48) -> Picture:
    """Paint every sample; a sample's pixels do not depend on the others of the call."""
    f = {name: torch.from_numpy(values) for name, values in factors.items()}
    n = len(draws)
    ground = torch.from_numpy(draws.uniform("ground", 264))
    numbers = torch.from_numpy(draws.uniform("numbers", 24))
    layout = torch.from_numpy(draws.uniform("layout", 8))
    grain = torch.from_numpy(draws.bits("grain", SIZE * SIZE // 8).view(np.int8).reshape(n, 1, SIZE, SIZE) >> 5)
    pixels = torch.empty(n, 3, SIZE, SIZE, dtype=torch.uint8)
    inside = torch.empty(n, SIZE, SIZE, dtype=torch.bool) if masks else None
    parts = torch.empty(n, SIZE, SIZE, dtype=torch.uint8) if masks else None

    def paint(rows: Tensor) -> None:
        some = {name: values[rows] for name, values in f.items()}
        image = _backgrounds(some["background"], ground[rows], numbers[rows])
        thing = _objects(some, layout[rows], masks)
        image = torch.lerp(image, thing.paint, (0.5 - thing.distance).clamp_(0, 1)[:, None])
        image = _light(image, some["light"])
        _style(image, some["style"], thing.distance, ground[rows])
        _weather(image, some["weather"], numbers[rows], ground[rows])
        pixels[rows] = image.mul_(255).add_(grain[rows]).add_(0.5).clamp_(0, 255).to(torch.uint8)
        if inside is not None and parts is not None and thing.parts is not None:
            inside[rows] = thing.distance < 0
            parts[rows] = thing.parts * inside[rows]

    alike = (f["background"] * 3 + f["count"]) * 4 + f["style"]  # neighbours take the same branches
    _in_threads(paint, torch.argsort(alike, stable=True).split(chunk))
    return Picture(pixels, inside, parts)


def _in_threads(work: Callable[[Tensor], None], pieces: Sequence[Tensor]) -> None:
    """Every piece once, in as many threads as torch may use: twice as fast as many threads inside each operation."""
    workers = min(torch.get_num_threads(), len(pieces) // 2)
    if workers < 2:
        for piece in pieces:
            work(piece)
        return
    with one_core_each(workers, "paint") as pool:
        for _ in pool.results(full_precision(work), pieces):
            pass


def _backgrounds(kinds: Tensor, noise: Tensor, numbers: Tensor) -> Tensor:
    image = torch.empty(len(kinds), 3, SIZE, SIZE, dtype=torch.float32)
    for kind, name in enumerate(BACKGROUNDS):
        rows = (kinds == kind).nonzero()[:, 0]
        if len(rows):
            image[rows] = backgrounds.PAINTERS[name](backgrounds.Ground(noise[rows], numbers[rows, :8]))
    return image


def _objects(f: dict[str, Tensor], layout: Tensor, parts: bool) -> _Objects:
    """All copies of the object at once: every pixel belongs to the nearest copy."""
    nominal = _RADIUS[f["count"], f["size"]]
    radius = nominal * (0.95 + 0.1 * layout[:, 0])
    centre = SIZE / 2 + (f["position"] - 1) * _SHIFT[f["count"], f["size"]] + 2.5 * (layout[:, 1] - 0.5)
    middle = SIZE * 0.54 + 5 * (layout[:, 2] - 0.5)
    flip = torch.where(layout[:, 3] < 0.5, -1.0, 1.0).view(-1, 1, 1)
    axis = torch.arange(SIZE, dtype=torch.float32) + 0.5
    x = axis.view(1, 1, -1) - centre.view(-1, 1, 1)
    y = axis.view(1, -1, 1) - middle.view(-1, 1, 1)
    # a mirrored layout as well as mirrored objects
    spots = _CENTRES[f["count"]] * radius.view(-1, 1, 1)
    at = torch.empty(len(x), SIZE, SIZE, 2, dtype=torch.float32)
    u, v, nearest = at[..., 0], at[..., 1], None
    for k in range(int(f["count"].max()) + 1):
        du, dv = x - flip * spots[:, k : k + 1, :1], y - spots[:, k : k + 1, 1:]
        far = du * du + dv * dv
        closer = torch.ones_like(far, dtype=torch.bool) if nearest is None else far < nearest
        u.copy_(torch.where(closer, du, u))
        v.copy_(torch.where(closer, dv, v))
        nearest = far if nearest is None else torch.minimum(far, nearest)
    scale = (nominal / radius).view(-1, 1, 1)
    u.mul_(flip * scale)
    v.mul_(scale)
    number = sprites.figure(f["class"], f["neck"], f["bill"], f["feet"])
    distance, own, fixed, part = sprites.look_up(number, f["count"], f["size"], at, parts)
    distance = distance / scale
    unit = nominal.view(-1, 1, 1)
    paint = torch.addcmul(fixed, _textured(u, v, unit, f["colour"], f["texture"]), own[:, None])
    shade = 1.0 - 0.10 * (u + v) / unit
    rim = 1 - (1.2 - (distance + 0.6).abs()).clamp_(0, 1) * 0.45
    return _Objects(distance, paint.mul_((shade * rim)[:, None]).clamp_(0, 1), part)


def _textured(u: Tensor, v: Tensor, unit: Tensor, colour: Tensor, texture: Tensor) -> Tensor:
    """The object's own colour [n, 3, H, W]: stripes and checks in a darker tone, spots in cream (dark on pale)."""
    palette = _constant([COLOURS[name] for name in FACTORS["colour"]])
    main = palette[colour]
    level = main.mean(1, keepdim=True)
    deep = torch.where(level < 0.25, main * 0.5 + 0.45, main * 0.36)
    spot = torch.where((level > 0.6) & (colour != 1)[:, None], main * 0.3, main * 0.15 + 0.8)
    second = torch.where((texture == 2)[:, None], spot, deep)
    pitch = torch.clamp(0.42 * unit, min=6.0)
    mark = torch.zeros_like(u)
    for kind in (1, 2, 3):
        rows = (texture == kind).nonzero()[:, 0]
        a, b = u[rows] / pitch[rows], v[rows] / pitch[rows]
        if kind == 1:
            diagonal = (a + b).mul_(0.75)
            mark[rows] = ((diagonal - diagonal.floor() - 0.5).abs() < 0.25).float()
        else:
            a, b = a - a.floor() - 0.5, b - b.floor() - 0.5
            mark[rows] = ((a * a + b * b < 0.12) if kind == 2 else ((a < 0) != (b < 0))).float()
    return torch.addcmul(main[:, :, None, None], (second - main)[:, :, None, None], mark[:, None])


def _light(image: Tensor, light: Tensor) -> Tensor:
    gain, glow = (table[light][:, :, None, None] for table in (_GAIN, _GLOW))
    height = 1 - torch.arange(SIZE, dtype=torch.float32).view(1, 1, -1, 1) / SIZE
    return image * gain + glow * height


def _style(image: Tensor, style: Tensor, distance: Tensor, noise: Tensor) -> None:
    for kind, change in ((1, _painting), (2, _sketch), (3, _cartoon)):
        rows = (style == kind).nonzero()[:, 0]
        if len(rows) == len(style):
            image.copy_(change(image, distance, noise))
        elif len(rows):
            image[rows] = change(image[rows], distance[rows], noise[rows])


def _painting(image: Tensor, distance: Tensor, noise: Tensor) -> Tensor:
    n = len(image)
    stroke = backgrounds.value_noise(noise[:, :256].reshape(n, 8, 32))[:, None] - 0.5
    dab = backgrounds.value_noise(noise[:, 8:264].reshape(n, 32, 8))[:, None] - 0.5
    soft = torch.nn.functional.avg_pool2d(image, 3, 1, 1, count_include_pad=False) * 0.55 + image * 0.45
    return ((soft * 6 + stroke * 0.9 + dab * 0.7).round() / 6 * 0.65 + soft * 0.35).clamp(0, 1)


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
    outline = (1.5 - distance.abs()).clamp(0, 1)[:, None]
    return flat * (1 - outline)


def _weather(image: Tensor, weather: Tensor, numbers: Tensor, noise: Tensor) -> None:
    rows = (weather == 1).nonzero()[:, 0]
    if len(rows):
        axis = torch.arange(SIZE, dtype=torch.float32)
        lane = (axis.view(1, 1, -1) + 0.35 * axis.view(1, -1, 1)) / 4 + numbers[rows, 8].view(-1, 1, 1)
        column = lane.floor()
        phase = torch.gather(noise[rows, 100:132], 1, column.long().flatten(1).remainder(32)).view_as(column)
        drop = axis.view(1, -1, 1) / 16 - phase
        streak = ((drop - drop.floor()) < 0.45) & ((lane - column) < 0.28)
        image[rows] = torch.lerp(image[rows] * 0.86, _constant(0.92), streak[:, None].float() * 0.7)
    rows = (weather == 2).nonzero()[:, 0]
    if len(rows):
        veil = 0.34 + 0.22 * backgrounds.value_noise(noise[rows, :36].reshape(-1, 6, 6))
        image[rows] = torch.lerp(image[rows], _constant(0.82), veil[:, None])
