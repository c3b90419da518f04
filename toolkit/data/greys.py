"""Greys of more than 8 bits as 8: the scale is that of the numbers' type and of the file's own."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DARK = 16
"""A picture without a grey above this, of 255, is nearly black: 12 bits in a file of 16 are."""
BITS, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339


def full(values: NDArray[Any], bits: int = 0) -> float:
    """What counts as white among numbers: the range of 8 bits where none exceeds it, then that of 16, then their own.

    bits: how many a pixel has by the file, 0 where it does not say. Fractions are of 1 or of these; where that made
    them nearly black, their own largest is white.

    >>> full(np.array([0, 200])), full(np.array([0, 300])), full(np.array([0, 300]), bits=12)
    (255.0, 65535.0, 4095.0)
    >>> full(np.array([0, 0.5])), full(np.array([0, 1.2])), full(np.array([0, 70_000]))
    (1.0, 1.2, 70000.0)
    """
    top = float(values.max())
    fractions = values.dtype.kind == "f"
    steps = [2.0**bits - 1] if 8 < bits < 16 else []
    steps += [1.0] if fractions else []
    found = next((step for step in (*steps, 255.0, 65535.0) if top <= step), top)
    return top if fractions and 0 < top < found * DARK / 255 and top > 1 else found


def eight_bits(image: Image.Image) -> tuple[Image.Image, str] | None:
    """A picture of mode I, I;16 or F in RGB, and what was done in words; None where no pixel is a number."""
    values, bits = _numbers(image)
    kept = np.isfinite(values)
    if not kept.any():
        return None
    notes = []
    if not kept.all():
        notes.append(f"{int((~kept).sum())} pixels are NaN or infinite")
    low, high = float(values[kept].min()), float(values[kept].max())
    top = full(values[kept].clip(0), bits)
    signed = low < 0 and -low > max(high, 0.0) / 16  # a little below 0 is what sharpening leaves
    bottom, top = (low, max(high, low + 1)) if signed else (0.0, top)
    if low < 0 and not signed:
        notes.append("greys below 0 cut off")
    with np.errstate(all="ignore"):
        finite = np.nan_to_num(values.astype(np.float64), nan=bottom, posinf=top, neginf=bottom)
        grey = (finite - bottom) * (255 / (top - bottom))
    if _tag(image, PHOTOMETRIC) == 0 and image.mode != "F":
        grey = 255 - grey
        notes.append("0 is white")
    found = grey.clip(0, 255).round().astype(np.uint8)
    said = [f"{image.mode} to RGB, {bottom:g} … {top:g} as 0 … 255", *notes, *dark(int(found.max()))]
    return Image.fromarray(found).convert("RGB"), "; ".join(said)


def dark(brightest: int) -> list[str]:
    """What is said of a picture that is nearly black.

    >>> dark(3), dark(200)
    (['nearly black: no grey above 3 of 255'], [])
    """
    return [f"nearly black: no grey above {brightest} of 255"] if brightest <= DARK else []


def cut_to_eight(image: Image.Image) -> bool:
    """Whether Pillow keeps the upper 8 of 16 bits of every channel when it reads the picture."""
    args = [str(tile[3]) for tile in getattr(image, "tile", [])]
    return image.mode in ("RGB", "RGBA", "RGBX", "LA", "CMYK") and any(";16" in words for words in args)


def _numbers(image: Image.Image) -> tuple[NDArray[Any], int]:
    """The pixels, and how many bits the file says they have, 0 where it does not."""
    values, bits = np.asarray(image), _tag(image, BITS)
    if bits == 32 and _tag(image, SAMPLE_FORMAT) == 1 and values.dtype == np.int32:
        values = values.view(np.uint32)  # Pillow has no type for it
    if values.dtype.kind == "f":
        return values, 0
    return values.astype(np.int64), bits


def _tag(image: Image.Image, tag: int) -> int:
    """The first number of a TIFF's tag, −1 where there is none."""
    with suppress(Exception):
        found = image.tag_v2[tag]  # type: ignore[attr-defined]
        return int(found[0] if isinstance(found, tuple) else found)
    return -1
