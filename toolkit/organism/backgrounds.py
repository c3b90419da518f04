"""The eleven backgrounds, painted over a batch of images."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

SIZE = 64
Colour = tuple[float, float, float]


@lru_cache
def _upsampler(cells: int) -> Tensor:
    """[SIZE, cells] smooth interpolation weights (value noise)."""
    position = torch.arange(SIZE, dtype=torch.float32) * ((cells - 1) / (SIZE - 1))
    low = position.floor().clamp(max=cells - 2)
    t = position - low
    t = t * t * (3 - 2 * t)
    weights = torch.zeros(SIZE, cells, dtype=torch.float32)
    rows = torch.arange(SIZE)
    weights[rows, low.long()] = 1 - t
    weights[rows, low.long() + 1] += t
    return weights


def value_noise(lattice: Tensor) -> Tensor:
    """Smooth noise [n, SIZE, SIZE] in [0, 1) from lattice values [n, rows, cols]."""
    rows, cols = lattice.shape[-2:]
    return _upsampler(rows) @ lattice @ _upsampler(cols).T


class Ground:
    """What a painter gets: pixel coordinates x, y in [0, 1], three smooth noise fields and eight numbers per image."""

    def __init__(self, noise: Tensor, numbers: Tensor) -> None:
        n = len(noise)
        self.numbers = numbers.view(n, -1, 1, 1)
        self.coarse = value_noise(noise[:, :36].reshape(n, 6, 6))
        self.fine = value_noise(noise[:, 36:180].reshape(n, 12, 12))
        self.wide = value_noise(noise[:, 180:264].reshape(n, 21, 4))
        axis = (torch.arange(SIZE, dtype=torch.float32) + 0.5) / SIZE
        self.x, self.y = axis.view(1, 1, SIZE), axis.view(1, SIZE, 1)
        self.n = n

    def number(self, k: int, low: float, high: float) -> Tensor:
        """One number per image [n, 1, 1] between low and high."""
        return low + (high - low) * self.numbers[:, k]


def _mix(a: Tensor | Colour, b: Tensor | Colour, t: Tensor) -> Tensor:
    """a where t = 0, b where t = 1; colours or images."""
    a = a if isinstance(a, Tensor) else torch.tensor(a, dtype=t.dtype).view(1, 3, 1, 1)
    b = b if isinstance(b, Tensor) else torch.tensor(b, dtype=t.dtype).view(1, 3, 1, 1)
    return torch.lerp(a, b, t[:, None])


def _step(t: Tensor, softness: float = 0.02) -> Tensor:
    """0 for t < 0, 1 for t > 0, soft over `softness`."""
    return (t / softness + 0.5).clamp(0, 1)


def _wave(t: Tensor) -> Tensor:
    """A triangle wave in [0, 1] with period 1."""
    return (t - t.floor() - 0.5).abs() * 2


def _sky(g: Ground, top: Colour = (0.45, 0.68, 0.92), low: Colour = (0.80, 0.90, 0.97)) -> Tensor:
    image = _mix(top, low, (g.y * 1.6).clamp(0, 1).expand(g.n, SIZE, SIZE))
    return _mix(image, (1.0, 1.0, 1.0), _step(g.wide * 0.5 + g.coarse * 0.5 - 0.62, 0.2) * 0.8)


def sea(g: Ground) -> Tensor:
    horizon = g.number(0, 0.18, 0.3)
    depth = ((g.y - horizon) / 0.8).clamp(0, 1)
    water = _mix((0.20, 0.55, 0.75), (0.04, 0.25, 0.52), depth.expand(g.n, SIZE, SIZE))
    crest = _wave(g.y * g.number(1, 9, 12) + g.coarse * 1.6 + g.x * 0.5)
    water = _mix(water, (0.85, 0.95, 0.98), _step(crest - 0.86, 0.2) * 0.75)
    return _mix(_sky(g), water, _step(g.y - horizon).expand(g.n, SIZE, SIZE))


def lake(g: Ground) -> Tensor:
    horizon = g.number(0, 0.34, 0.44)
    trees = _step(g.y - (horizon - 0.1 - 0.12 * g.fine))
    image = _mix(_sky(g, (0.62, 0.80, 0.93)), (0.16, 0.36, 0.24), trees)
    water = _mix((0.30, 0.52, 0.52), (0.13, 0.34, 0.42), ((g.y - horizon) / 0.6).clamp(0, 1).expand(g.n, SIZE, SIZE))
    gleam = _step(_wave(g.y * 7 + g.wide * 0.6) - 0.8, 0.3) * _step(g.coarse - 0.45, 0.2)
    return _mix(image, _mix(water, (0.72, 0.86, 0.85), gleam * 0.7), _step(g.y - horizon).expand(g.n, SIZE, SIZE))


def forest(g: Ground) -> Tensor:
    image = _mix((0.12, 0.30, 0.14), (0.36, 0.55, 0.22), g.fine)
    trunk = _wave(g.x * g.number(0, 4.0, 5.5) + g.number(1, 0, 1) + 0.08 * g.coarse)
    bark = _mix((0.24, 0.15, 0.09), (0.42, 0.28, 0.17), g.fine)
    image = _mix(image, bark, _step(trunk - 0.68, 0.12) * _step(g.y - 0.16 - 0.25 * g.coarse, 0.1))
    floor = _mix((0.27, 0.24, 0.10), (0.40, 0.42, 0.16), g.wide)
    return _mix(image, floor, _step(g.y - 0.84 + 0.06 * g.coarse, 0.05))


def bamboo(g: Ground) -> Tensor:
    image = _mix((0.55, 0.70, 0.38), (0.78, 0.86, 0.55), g.coarse)
    lane = g.x * g.number(0, 7, 9) + g.number(1, 0, 1)
    stalk = _step(_wave(lane) - 0.45, 0.15)
    shade = _mix((0.36, 0.56, 0.12), (0.66, 0.76, 0.28), _wave(lane + 0.12).expand(g.n, SIZE, SIZE))
    joint = _step(_wave(g.y * 3.2 + lane.floor() * 0.37) - 0.9, 0.08)
    return _mix(image, _mix(shade, (0.22, 0.36, 0.08), joint), stalk.expand(g.n, SIZE, SIZE))


def meadow(g: Ground) -> Tensor:
    hill = 0.36 + 0.16 * g.coarse
    grass = _mix((0.38, 0.66, 0.24), (0.56, 0.80, 0.34), g.fine)
    dots = _step(_wave(g.x * 11 + 3 * g.coarse) * _wave(g.y * 11 + 3 * g.wide) - 0.78, 0.1)
    grass = _mix(grass, (0.98, 0.92, 0.62), dots)
    return _mix(_sky(g), grass, _step(g.y - hill))


def desert(g: Ground) -> Tensor:
    sand = _mix((0.85, 0.62, 0.32), (0.95, 0.78, 0.48), _wave(g.y * 6 + g.coarse * 3))
    dune = 0.42 + 0.22 * g.coarse
    far = _mix(_sky(g, (0.96, 0.82, 0.60), (0.99, 0.92, 0.78)), (0.80, 0.52, 0.28), _step(g.y - dune + 0.12 * g.wide))
    return _mix(far, sand, _step(g.y - dune - 0.06))


def beach(g: Ground) -> Tensor:
    shore = 0.48 + 0.1 * g.coarse
    image = _mix(_sky(g), (0.15, 0.62, 0.75), _step(g.y - 0.24).expand(g.n, SIZE, SIZE))
    image = _mix(image, (0.96, 0.98, 0.98), _step(g.y - shore + 0.06))
    sand = _mix((0.93, 0.84, 0.62), (0.98, 0.92, 0.74), g.fine)
    return _mix(image, sand, _step(g.y - shore))


def city(g: Ground) -> Tensor:
    lane = g.x * 4 + g.number(0, 0, 1)
    column = lane.floor()
    height = 0.12 + 0.35 * _wave(column * 0.37 + g.number(1, 0, 1))
    wall = _mix(
        (0.42, 0.45, 0.52), (0.62, 0.60, 0.60), _wave(column * 0.61 + g.number(2, 0, 1)).expand(g.n, SIZE, SIZE)
    )
    pane = _step(_wave(lane * 3) - 0.5, 0.2) * _step(_wave(g.y * 11) - 0.5, 0.2)
    lit = _step(_wave((lane * 3).floor() * 0.71 + (g.y * 11).floor() * 0.37 + g.number(3, 0, 1)) - 0.4)
    wall = _mix(wall, _mix((0.22, 0.27, 0.36), (0.99, 0.90, 0.55), lit), pane.expand(g.n, SIZE, SIZE))
    image = _mix(_sky(g, (0.66, 0.74, 0.84)), wall, _step(g.y - height).expand(g.n, SIZE, SIZE))
    road = _step(g.y - 0.86).expand(g.n, SIZE, SIZE)
    image = _mix(image, (0.28, 0.28, 0.31), road)
    dash = _step(_wave(g.x * 5 + g.number(4, 0, 1)) - 0.5) * _step(0.025 - (g.y - 0.93).abs())
    return _mix(image, (0.95, 0.93, 0.85), dash)


def snow(g: Ground) -> Tensor:
    image = _sky(g, (0.70, 0.80, 0.90), (0.86, 0.91, 0.96))
    lane = g.x * 5 + g.number(0, 0, 1)
    pine = 0.5 - 0.3 * _wave(lane + 0.5) * (0.5 + _wave(lane.floor() * 0.43))
    image = _mix(image, (0.30, 0.45, 0.44), _step(g.y - pine.expand(g.n, SIZE, SIZE) - 0.05))
    drift = _mix((0.86, 0.91, 0.97), (0.99, 0.99, 1.0), g.coarse)
    return _mix(image, drift, _step(g.y - 0.46 - 0.1 * g.coarse))


def sky(g: Ground) -> Tensor:
    image = _mix((0.28, 0.55, 0.90), (0.62, 0.82, 0.97), g.y.expand(g.n, SIZE, SIZE))
    cloud = _step(g.coarse * 0.6 + g.fine * 0.4 - 0.52, 0.25)
    return _mix(image, (1.0, 1.0, 1.0), cloud * 0.9)


def room(g: Ground) -> Tensor:
    stripe = _step(_wave(g.x * 6 + g.number(0, 0, 1)) - 0.5, 0.1)
    wall = _mix((0.86, 0.76, 0.68), (0.92, 0.85, 0.78), stripe.expand(g.n, SIZE, SIZE))
    left = g.number(1, 0.08, 0.6)
    inside = torch.minimum(0.14 - (g.x - left - 0.14).abs(), 0.15 - (g.y - 0.24).abs())
    wall = _mix(wall, (0.55, 0.38, 0.25), _step(inside + 0.03))
    wall = _mix(wall, (0.75, 0.88, 0.96), _step(inside))
    floor = _mix((0.52, 0.33, 0.20), (0.64, 0.43, 0.27), _step(_wave(g.x * 4 + (g.y * 12).floor() * 0.5) - 0.12))
    image = _mix(wall, floor, _step(g.y - 0.72).expand(g.n, SIZE, SIZE))
    return _mix(image, (0.97, 0.95, 0.92), _step(0.02 - (g.y - 0.71).abs()).expand(g.n, SIZE, SIZE))


PAINTERS: dict[str, Callable[[Ground], Tensor]] = {
    "sea": sea, "lake": lake, "forest": forest, "bamboo": bamboo, "meadow": meadow, "desert": desert,
    "beach": beach, "city": city, "snow": snow, "sky": sky, "room": room,
}  # fmt: skip
