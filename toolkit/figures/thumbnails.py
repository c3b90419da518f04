"""Many small pictures as one binary sheet."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from toolkit.figures.pictures import INK


@dataclass(frozen=True)
class Sheet:
    """jpeg: the sheet. columns: tiles in a row. tile: their side in pixels. n: tiles."""

    jpeg: bytes
    columns: int
    tile: int
    n: int


def sheet(images: Sequence[Image.Image | None], tile: int = 96, quality: int = 85) -> Sheet:
    """Images as square tiles, whole, on a neutral ground; one JPEG. None stands for one that cannot be read."""
    columns = max(1, math.ceil(math.sqrt(len(images))))
    rows = max(1, math.ceil(len(images) / columns))
    ground = Image.new("RGB", (columns * tile, rows * tile), (128, 128, 128))
    for i, image in enumerate(images):
        small = fitted(missing(tile) if image is None else image, tile)
        left, top = (i % columns) * tile, (i // columns) * tile
        ground.paste(small, (left + (tile - small.width) // 2, top + (tile - small.height) // 2))
    out = io.BytesIO()
    ground.save(out, "JPEG", quality=quality)
    return Sheet(out.getvalue(), columns, tile, len(images))


def fitted(image: Image.Image, side: int) -> Image.Image:
    """The image in RGB, as large as fits into a square; enlarged by whole factors without smoothing."""
    image = image.convert("RGB")
    width, height = image.size
    scale = side / max(width, height)
    if scale >= 2:
        return image.resize((width * int(scale), height * int(scale)), Image.Resampling.NEAREST)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image.draft("RGB", size)  # a JPEG not decoded yet comes out near the size asked for
    return image.resize(size, Image.Resampling.BILINEAR if scale > 1 else Image.Resampling.BOX, reducing_gap=2.0)


def missing(side: int = 96) -> Image.Image:
    """What stands for an image that cannot be read: a grey tile, crossed out."""
    from PIL import ImageDraw

    tile = Image.new("RGB", (side, side), (200, 200, 200))
    draw = ImageDraw.Draw(tile)
    for line in ((0, 0, side, side), (0, side, side, 0)):
        draw.line(line, fill=(120, 120, 120), width=2)
    return tile


def captioned(images: Sequence[Image.Image], captions: Sequence[str], tile: int = 72, columns: int = 12) -> Image.Image:
    """A page of tiles with their captions, for a notebook without a kernel; few colours, so that it stays small."""
    from PIL import ImageDraw

    columns = max(1, min(columns, len(images)))
    rows, label, gap = max(1, math.ceil(len(images) / columns)), 14, 4
    page = Image.new("RGB", (columns * (tile + gap) + gap, rows * (tile + label + gap) + gap), "white")
    draw = ImageDraw.Draw(page)
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = gap + (i % columns) * (tile + gap), gap + (i // columns) * (tile + label + gap)
        small = fitted(image, tile)
        page.paste(small, (left + (tile - small.width) // 2, top + (tile - small.height) // 2))
        draw.text((left, top + tile + 1), caption[: tile // 6], fill=INK, font_size=10)
    return page.quantize(96)
