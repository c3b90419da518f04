"""The twenty classes as layered signed-distance shapes.

Object coordinates: u to the right, v down, the object fills about [−1, 1]². A shape is painted back to front; every
layer has a part number (pixel masks) and a paint: the object's own colour ("main", or a darker or lighter tone of it)
or a fixed colour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import cos, pi, sin

import torch
from torch import Tensor

PARTS = ("none", "body", "neck", "bill", "feet", "detail")
INK = (0.10, 0.10, 0.12)
CREAM = (0.97, 0.95, 0.88)
ORANGE = (0.96, 0.62, 0.10)
SLATE = (0.28, 0.29, 0.33)
GREEN = (0.27, 0.55, 0.26)
PALE_BLUE = (0.72, 0.86, 0.95)

Value = float | Tensor
Point = tuple[Value, Value]
Paint = str | tuple[float, float, float]


TONES = {"main": (1.0, 0.0), "dark": (0.62, 0.0), "light": (0.45, 0.55)}
"""Share of the object's own colour in a tone, and how much white is added."""


class Pen:
    """Paints shapes: distances in texels, tones with a soft edge.

    u, v: object coordinates of every texel [n, H, W]. unit: texels per object unit [n, 1, 1]. fine: texels per pixel.
    After painting: distance [n, H, W] to the outline, negative inside; tone [n, 4, H, W], the share of the object's own
    colour and the fixed colour that is added; part [n, H, W] of a texel, outside the outline that of the nearest shape.
    """

    def __init__(self, u: Tensor, v: Tensor, unit: Tensor, fine: int = 1) -> None:
        self.u, self.v, self.unit, self.fine = u, v, unit, fine
        self.distance = torch.full_like(u, 1e3)
        self.tone = torch.zeros(len(u), 4, *u.shape[1:], dtype=u.dtype)
        self.tone[:, 0] = 1.0
        self.part = torch.zeros_like(u, dtype=torch.uint8)

    def _lay(self, d: Tensor, paint: Paint, part: str) -> None:
        self.part.masked_fill_((d < 0) | ((d < self.distance) & (self.distance > 0)), PARTS.index(part))
        self.distance = torch.minimum(self.distance, d)
        if isinstance(paint, str):
            own, white = TONES[paint]
            tone = torch.tensor((own, white, white, white), dtype=d.dtype)
        else:
            tone = torch.tensor((0.0, *paint), dtype=d.dtype)
        alpha = (0.5 - d / self.fine).clamp_(0, 1)
        self.tone = torch.lerp(self.tone, tone.view(1, 4, 1, 1), alpha[:, None])

    def ellipse(
        self, c: Point, r: Point, paint: Paint = "main", part: str = "body", below: float | None = None
    ) -> None:
        """An ellipse; `below` keeps only what lies above that v (a dome)."""
        x, y = (self.u - c[0]) / r[0], (self.v - c[1]) / r[1]
        small = r[0] if not isinstance(r[0], Tensor) and r[0] < r[1] else r[1]
        d = ((x * x).addcmul_(y, y).sqrt_() - 1) * (self.unit * small)
        if below is not None:
            d = torch.maximum(d, (self.v - below) * self.unit)
        self._lay(d, paint, part)

    def capsule(self, a: Point, b: Point, r: Value, paint: Paint = "main", part: str = "body") -> None:
        """A line from a to b with round ends; never thinner than a pixel and a half."""
        bx, by = b[0] - a[0], b[1] - a[1]
        px, py = self.u - a[0], self.v - a[1]
        t = ((px * bx).add_(py * by) / (bx * bx + by * by)).clamp_(0, 1)
        px, py = px - t * bx, py - t * by
        radius = (self.unit * r).clamp(min=0.75 * self.fine)
        self._lay((px * px).addcmul_(py, py).sqrt_() * self.unit - radius, paint, part)

    def polygon(self, points: Sequence[Point], paint: Paint = "main", part: str = "body") -> None:
        """A convex polygon; corners that are tensors must run clockwise on the screen."""
        if not any(isinstance(x, Tensor) for corner in points for x in corner):
            points = _clockwise(points)  # type: ignore[arg-type]
        d: Tensor | None = None
        for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True):
            nx, ny = y2 - y1, x1 - x2
            length = (nx * nx + ny * ny) ** 0.5
            edge = (self.u - x1) * (nx / length) + (self.v - y1) * (ny / length)
            d = edge if d is None else torch.maximum(d, edge)
        assert d is not None
        self._lay(d * self.unit, paint, part)

    def ring(self, c: Point, r: float, thick: float, paint: Paint = "main", part: str = "body") -> None:
        """A circle line."""
        x, y = self.u - c[0], self.v - c[1]
        d = ((x * x).addcmul_(y, y).sqrt_() - r).abs_() * self.unit - (self.unit * thick).clamp(min=0.75 * self.fine)
        self._lay(d, paint, part)


def bird(pen: Pen, neck: Tensor, bill: Tensor, feet: Tensor) -> None:
    """A bird; neck, bill, feet [n] are 0 for the water form (long, flat, webbed) and 1 for the land form."""
    long, flat, webbed = ((x == 0).to(pen.u.dtype).view(-1, 1, 1) for x in (neck, bill, feet))

    def pick(which: Tensor, yes: float, no: float) -> Tensor:
        return no + which * (yes - no)

    hx, hy = pick(long, 0.56, 0.46), pick(long, -0.74, -0.30)
    for leg in (-0.12, 0.2):
        pen.capsule((leg, 0.4), (leg, 0.86), 0.045, ORANGE, "feet")
        heel, web = leg - pick(webbed, 0.2, 0.06), leg + pick(webbed, 0.42, 0.08)
        pen.polygon([(leg, pick(webbed, 0.68, 0.84)), (web, 0.97), (heel, 0.97)], ORANGE, "feet")
        for toe in (-0.17, 0.06, 0.27):
            reach = pick(webbed, 0.0, toe)
            pen.capsule((leg, 0.86), (leg + reach, 0.96), 0.035, ORANGE, "feet")
    pen.polygon([(-0.4, -0.02), (-0.4, 0.32), (-1.0, 0.16), (-0.98, -0.1)], "dark")
    pen.ellipse((-0.05, 0.17), (0.56, 0.34))
    pen.capsule((pick(long, 0.32, 0.3), 0.04), (hx, hy), pick(long, 0.1, 0.17), "main", "neck")
    # a flat bill is a broad bar, a pointed one a dark spike
    pen.polygon(
        [
            (hx + 0.08, hy - pick(flat, 0.03, 0.11)),
            (hx + pick(flat, 0.46, 0.56), hy + pick(flat, 0.0, 0.05)),
            (hx + pick(flat, 0.46, 0.50), hy + pick(flat, 0.15, 0.08)),
            (hx + 0.08, hy + pick(flat, 0.15, 0.13)),
        ],
        ORANGE,
        "bill",
    )
    pen.ellipse((hx, hy), (0.19, 0.18), "main", "neck")
    pen.ellipse((-0.14, 0.13), (0.34, 0.19), "dark")
    pen.ellipse((hx + 0.06, hy - 0.04), (0.05, 0.055), INK, "detail")


def fish(pen: Pen) -> None:
    pen.polygon([(-0.45, 0.0), (-0.98, 0.45), (-0.98, -0.45)], "dark")
    pen.polygon([(-0.25, -0.35), (0.1, -0.72), (0.3, -0.3)], "dark")
    pen.ellipse((0.15, 0.0), (0.8, 0.45))
    pen.capsule((0.45, -0.3), (0.45, 0.3), 0.03, "dark", "detail")
    pen.ellipse((0.66, -0.1), (0.09, 0.09), CREAM, "detail")
    pen.ellipse((0.68, -0.1), (0.05, 0.05), INK, "detail")


def boat(pen: Pen) -> None:
    pen.capsule((0.0, 0.3), (0.0, -0.95), 0.05, SLATE, "detail")
    pen.polygon([(0.1, -0.9), (0.8, 0.18), (0.1, 0.18)], CREAM, "detail")
    pen.polygon([(-0.1, -0.7), (-0.1, 0.18), (-0.6, 0.18)], CREAM, "detail")
    pen.polygon([(-0.98, 0.3), (0.98, 0.3), (0.62, 0.85), (-0.66, 0.85)])


def crab(pen: Pen) -> None:
    for side in (-1.0, 1.0):
        for k in range(3):
            pen.capsule((side * 0.4, 0.25), (side * (0.9 - 0.16 * k), 0.5 + 0.2 * k), 0.06, "dark")
        pen.capsule((side * 0.45, 0.05), (side * 0.78, -0.35), 0.07)
        pen.ellipse((side * 0.78, -0.55), (0.2, 0.26))
        pen.polygon([(side * 0.78, -0.5), (side * 0.78 - 0.13, -0.95), (side * 0.78 + 0.13, -0.95)], INK, "detail")
    pen.ellipse((0.0, 0.2), (0.62, 0.38))
    for side in (-0.2, 0.2):
        pen.capsule((side, -0.1), (side, -0.32), 0.04, "dark")
        pen.ellipse((side, -0.36), (0.09, 0.09), INK, "detail")


def cactus(pen: Pen) -> None:
    pen.capsule((0.0, 0.85), (0.0, -0.75), 0.2)
    for side, low, high in ((-0.62, 0.25, -0.3), (0.62, 0.05, -0.5)):
        pen.capsule((0.0, low), (side, low), 0.14)
        pen.capsule((side, low), (side, high), 0.14)
    for y in (-0.6, -0.2, 0.2, 0.6):
        pen.capsule((-0.04, y), (0.04, y), 0.03, CREAM, "detail")


def snake(pen: Pen) -> None:
    path = [(-0.95, 0.55), (-0.55, 0.05), (-0.2, 0.55), (0.2, 0.05), (0.5, 0.5), (0.72, -0.25)]
    for a, b in pairwise(path):
        pen.capsule(a, b, 0.14)
    pen.capsule((0.8, -0.42), (1.0, -0.36), 0.03, (0.85, 0.1, 0.15), "detail")
    pen.ellipse((0.72, -0.42), (0.24, 0.18))
    pen.ellipse((0.78, -0.47), (0.05, 0.05), INK, "detail")


def rabbit(pen: Pen) -> None:
    for x in (-0.1, 0.25):
        pen.capsule((x + 0.12, -0.3), (x + 0.05, -0.88), 0.11)
        pen.capsule((x + 0.11, -0.4), (x + 0.06, -0.82), 0.05, (0.95, 0.72, 0.74), "detail")
    pen.ellipse((-0.68, 0.5), (0.18, 0.18), CREAM, "detail")
    pen.ellipse((-0.2, 0.5), (0.52, 0.42))
    pen.ellipse((0.22, -0.1), (0.34, 0.31))
    pen.ellipse((0.33, -0.16), (0.055, 0.065), INK, "detail")
    pen.ellipse((0.52, -0.03), (0.06, 0.05), (0.95, 0.6, 0.65), "detail")
    pen.ellipse((0.22, 0.85), (0.24, 0.1), "dark")


def cat(pen: Pen) -> None:
    pen.capsule((-0.5, 0.7), (-0.85, 0.2), 0.09, "dark")
    pen.capsule((-0.85, 0.2), (-0.7, -0.2), 0.09, "dark")
    pen.ellipse((-0.05, 0.5), (0.5, 0.46))
    for side in (-1.0, 1.0):
        pen.polygon([(0.12 + side * 0.42, -0.88), (0.12 + side * 0.4, -0.2), (0.12 + side * 0.05, -0.45)])
    pen.ellipse((0.12, -0.22), (0.44, 0.38))
    for side in (-0.17, 0.17):
        pen.ellipse((0.12 + side, -0.27), (0.07, 0.08), (0.75, 0.9, 0.3), "detail")
        pen.ellipse((0.12 + side, -0.27), (0.03, 0.07), INK, "detail")
    pen.polygon([(0.05, -0.12), (0.19, -0.12), (0.12, -0.03)], (0.95, 0.6, 0.65), "detail")


def butterfly(pen: Pen) -> None:
    for side in (-1.0, 1.0):
        pen.ellipse((side * 0.5, -0.35), (0.46, 0.48))
        pen.ellipse((side * 0.42, 0.45), (0.34, 0.4), "dark")
        pen.ellipse((side * 0.55, -0.38), (0.18, 0.18), "light", "detail")
        pen.capsule((0.0, -0.5), (side * 0.22, -0.92), 0.03, INK, "detail")
    pen.capsule((0.0, -0.5), (0.0, 0.6), 0.09, INK, "detail")


def mushroom(pen: Pen) -> None:
    pen.polygon([(-0.2, 0.0), (0.2, 0.0), (0.3, 0.92), (-0.3, 0.92)], CREAM)
    pen.ellipse((0.0, 0.08), (0.92, 0.95), "main", "body", below=0.1)
    for x, y, r in ((-0.45, -0.2, 0.14), (0.1, -0.5, 0.16), (0.5, -0.12, 0.12)):
        pen.ellipse((x, y), (r, r), CREAM, "detail")


def flower(pen: Pen) -> None:
    pen.capsule((0.0, 0.0), (0.0, 0.95), 0.06, GREEN, "detail")
    pen.ellipse((0.3, 0.65), (0.26, 0.11), GREEN, "detail")
    for k in range(5):
        angle = 2 * pi * k / 5 - pi / 2
        pen.ellipse((0.42 * cos(angle), -0.32 + 0.42 * sin(angle)), (0.27, 0.27))
    pen.ellipse((0.0, -0.32), (0.22, 0.22), (0.98, 0.82, 0.2), "detail")


def house(pen: Pen) -> None:
    pen.polygon([(0.35, -0.9), (0.6, -0.9), (0.6, -0.1), (0.35, -0.1)], SLATE, "detail")
    pen.polygon([(-0.72, -0.1), (0.72, -0.1), (0.72, 0.9), (-0.72, 0.9)])
    pen.polygon([(0.0, -0.92), (0.98, -0.05), (-0.98, -0.05)], "dark")
    pen.polygon([(-0.16, 0.35), (0.16, 0.35), (0.16, 0.9), (-0.16, 0.9)], INK, "detail")
    for x in (-0.46, 0.46):
        pen.polygon([(x - 0.15, 0.1), (x + 0.15, 0.1), (x + 0.15, 0.4), (x - 0.15, 0.4)], PALE_BLUE, "detail")


def car(pen: Pen) -> None:
    pen.polygon([(-0.4, -0.5), (0.3, -0.5), (0.6, 0.05), (-0.65, 0.05)])
    pen.polygon([(-0.36, -0.4), (-0.08, -0.4), (-0.08, 0.0), (-0.5, 0.0)], PALE_BLUE, "detail")
    pen.polygon([(0.02, -0.4), (0.24, -0.4), (0.44, 0.0), (0.02, 0.0)], PALE_BLUE, "detail")
    pen.capsule((-0.75, 0.22), (0.75, 0.22), 0.22)
    for x in (-0.48, 0.48):
        pen.ellipse((x, 0.45), (0.23, 0.23), INK, "detail")
        pen.ellipse((x, 0.45), (0.1, 0.1), (0.8, 0.8, 0.82), "detail")


def plane(pen: Pen) -> None:
    pen.polygon([(-0.95, -0.55), (-0.7, -0.55), (-0.5, 0.0), (-0.85, 0.0)], "dark")
    pen.polygon([(-0.2, -0.05), (0.2, -0.05), (-0.25, -0.8), (-0.45, -0.8)], "dark")
    pen.capsule((-0.75, 0.0), (0.7, 0.0), 0.2)
    pen.polygon([(-0.15, 0.05), (0.25, 0.05), (-0.3, 0.85), (-0.55, 0.85)], "dark")
    for x in (-0.4, -0.1, 0.2):
        pen.ellipse((x, -0.05), (0.065, 0.065), PALE_BLUE, "detail")
    pen.ellipse((0.68, -0.06), (0.13, 0.08), PALE_BLUE, "detail")


def balloon(pen: Pen) -> None:
    pen.capsule((0.0, 0.45), (0.12, 0.98), 0.025, INK, "detail")
    pen.polygon([(0.0, 0.3), (0.14, 0.55), (-0.14, 0.55)], "dark")
    pen.ellipse((0.0, -0.28), (0.6, 0.68))
    pen.ellipse((-0.22, -0.5), (0.13, 0.2), "light", "detail")


def umbrella(pen: Pen) -> None:
    pen.capsule((0.0, -0.2), (0.0, 0.75), 0.05, INK, "detail")
    pen.capsule((0.0, 0.75), (0.13, 0.88), 0.05, INK, "detail")
    pen.capsule((0.13, 0.88), (0.28, 0.72), 0.05, INK, "detail")
    pen.capsule((0.0, -0.95), (0.0, -0.7), 0.04, INK, "detail")
    pen.ellipse((0.0, 0.1), (0.98, 0.9), "main", "body", below=0.1)
    for x in (-0.36, 0.36):
        pen.capsule((0.0, -0.78), (x, 0.08), 0.025, "dark", "detail")


def cup(pen: Pen) -> None:
    for x in (-0.4, -0.05):
        pen.capsule((x, -0.6), (x + 0.1, -0.75), 0.04, CREAM, "detail")
        pen.capsule((x + 0.1, -0.75), (x, -0.95), 0.04, CREAM, "detail")
    pen.ring((0.55, 0.15), 0.3, 0.09)
    pen.polygon([(-0.75, -0.35), (0.5, -0.35), (0.36, 0.8), (-0.6, 0.8)])
    pen.ellipse((-0.125, -0.35), (0.625, 0.14), "dark")
    pen.ellipse((-0.125, -0.33), (0.5, 0.09), (0.3, 0.17, 0.09), "detail")
    pen.capsule((-0.8, 0.9), (0.6, 0.9), 0.06, CREAM, "detail")


def clock(pen: Pen) -> None:
    for x in (-0.5, 0.5):
        pen.capsule((x * 0.9, 0.75), (x * 1.15, 0.95), 0.08, "dark")
        pen.ellipse((x * 1.1, -0.72), (0.24, 0.2), "dark")
    pen.ellipse((0.0, 0.0), (0.86, 0.86))
    pen.ellipse((0.0, 0.0), (0.64, 0.64), CREAM, "detail")
    for x, y in ((0.0, -0.5), (0.5, 0.0), (0.0, 0.5), (-0.5, 0.0)):
        pen.ellipse((x, y), (0.07, 0.07), INK, "detail")
    pen.capsule((0.0, 0.0), (0.0, -0.42), 0.055, INK, "detail")
    pen.capsule((0.0, 0.0), (0.3, 0.14), 0.055, INK, "detail")


def star(pen: Pen) -> None:
    tips = [(cos(2 * pi * k / 5 - pi / 2), 0.06 + sin(2 * pi * k / 5 - pi / 2)) for k in range(5)]
    dents = [
        (0.4 * cos(2 * pi * (k + 0.5) / 5 - pi / 2), 0.06 + 0.4 * sin(2 * pi * (k + 0.5) / 5 - pi / 2))
        for k in range(5)
    ]
    for k in range(5):
        pen.polygon([tips[k], dents[k], (0.0, 0.06), dents[k - 1]])
    pen.polygon(dents)


def _clockwise(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True))
    return list(points) if area > 0 else list(points)[::-1]


PAINTERS: dict[str, Callable[[Pen], None]] = {
    "fish": fish, "boat": boat, "crab": crab, "cactus": cactus, "snake": snake, "rabbit": rabbit, "cat": cat,
    "butterfly": butterfly, "mushroom": mushroom, "flower": flower, "house": house, "car": car, "plane": plane,
    "balloon": balloon, "umbrella": umbrella, "cup": cup, "clock": clock, "star": star,
}  # fmt: skip
