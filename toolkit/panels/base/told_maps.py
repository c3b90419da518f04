"""Maps as the browser holds them, and in words."""

from __future__ import annotations

import io
import operator
from typing import Any, TypedDict

import numpy as np
from PIL import Image

from toolkit.api.where.attribution import TokenAttribution
from toolkit.errors import InputError

LARGEST = 640
"""Pixels of a picture's longer side as it is sent."""


def encoded(picture: Image.Image, kind: str = "") -> bytes:
    """A picture as it is sent: small ones exactly, large ones as a JPEG of at most LARGEST pixels a side. kind: "PNG"
    for a PNG of any size.
    """
    out = io.BytesIO()
    if max(picture.size) <= 128 or kind == "PNG":
        picture.convert("RGB").save(out, "PNG")
    else:
        small = picture.convert("RGB")
        small.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
        small.save(out, "JPEG", quality=88)
    return out.getvalue()


class Rest(TypedDict):
    """A part of a cosine that no patch has."""

    name: str
    value: float


class Size(TypedDict):
    """Of a picture, in its pixels."""

    width: int
    height: int


class Box(TypedDict):
    """A part of a picture, in its pixels."""

    left: float
    top: float
    right: float
    bottom: float


class PatchMap(TypedDict):
    """One map as the browser holds it: of an image (its id). grid: [rows, columns]. box: what of the picture the model
    saw. minus: it is a difference. sum, left, total: of the patches, of the rest, of both.
    """

    image: str
    values: bytes
    by_head: bytes
    grid: list[int]
    size: Size
    box: Box
    state: str
    method: str
    target: str
    heads: str
    minus: bool
    additive: bool
    scale: str
    sum: float
    left: float
    total: float
    rest: list[Rest]


def told(m: TokenAttribution, image: str) -> PatchMap:
    """One map as the browser holds it."""
    rest: list[Rest] = [{"name": name, "value": float(value)} for name, value in zip(m.rest_names, m.rest, strict=True)]
    frame = m.frames[0]
    left, top, right, bottom = frame.box
    width, height = frame.size
    return {
        "image": image, "values": m.values.astype("<f4").tobytes(), "grid": list(m.grid), "rest": rest,
        "by_head": b"" if m.by_head is None else m.by_head.astype("<f4").tobytes(), "total": float(m.total),
        "sum": float(m.values.sum()), "left": float(m.rest.sum()), "method": m.method, "target": m.target,
        "state": str(m.settings.get("state", "base")), "scale": m.scale, "additive": m.additive,
        "heads": "" if m.heads is None else str(m.heads), "minus": "difference" in m.settings,
        "size": {"width": width, "height": height},
        "box": {"left": left, "top": top, "right": right, "bottom": bottom},
    }  # fmt: skip


def in_words(m: TokenAttribution, image: str) -> str:
    """One map in words."""
    row, column = np.unravel_index(int(np.abs(m.values).argmax()), m.values.shape)
    said = f"{m.method} of {m.target} in {image}"
    state = str(m.settings.get("state", "base"))
    said += f", {state}" if state != "base" else ""
    said += f", heads {m.heads}" if m.heads is not None else ""
    if "difference" in m.settings:
        said += ", the difference it makes"
    sums = f"patches {_signed(m.values.sum())}, rest {_signed(m.rest.sum())}, together {_signed(m.total)}"
    said += f": {sums}" if m.additive else f": score {_signed(m.total)}"
    return f"{said}; strongest patch ({row}, {column}) {_signed(m.values[row, column])}."


def _signed(value: Any) -> str:
    number = float(value)
    return (f"{number:+.4f}" if abs(number) >= 5e-5 else f"{number:+.1e}").replace("-", "−")


def known_patch(value: Any, grid: tuple[int, int]) -> tuple[int, int]:
    """(row, column) of a patch there is."""
    try:
        row, column = (operator.index(x) for x in value)
    except (TypeError, ValueError):
        row = column = -1
    if not (0 <= row < grid[0] and 0 <= column < grid[1]):
        accepted = f"(row, column), rows 0…{grid[0] - 1}, columns 0…{grid[1] - 1}, or None"
        raise InputError("TokenMap.patch", repr(value), accepted, "pin such a patch")
    return row, column
