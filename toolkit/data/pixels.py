"""Any picture Pillow can open, as the RGB picture a model should see."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

LONGEST = 100
"""Times the short side a picture may be long: the usual preprocess would blow a longer one up beyond reason."""


class UnusableImageError(ValueError):
    """A picture no model can be shown; the message says why."""


def as_rgb(image: Image.Image) -> tuple[Image.Image, str]:
    """The picture in RGB, upright, and what had to be done to it in words ("" for a plain one).

    The first frame of an animation; turned as its EXIF tag says; transparency over white; 16-bit greys scaled to 8.
    Raises UnusableImageError for a picture without pixels or with sides beyond 1 : LONGEST, OSError for a broken file.
    """
    width, height = image.size
    if 0 in image.size:
        raise UnusableImageError(f"no pixels ({width} × {height})")
    if max(image.size) > LONGEST * min(image.size):
        raise UnusableImageError(f"sides of {width} × {height}, beyond 1 : {LONGEST}")
    notes = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"first of {image.n_frames} frames")  # type: ignore[attr-defined]
        image.seek(0)
    image.load()
    if image.getexif().get(0x0112, 1) != 1:
        notes.append("turned as its EXIF tag says")
        image = ImageOps.exif_transpose(image)
    if image.mode in ("RGB", "L"):
        rgb = image if image.mode == "RGB" else image.convert("RGB")
    else:
        notes.append(f"{image.mode} to RGB")
        rgb = _converted(image)
    if max(image.size) <= 2:
        notes.append(f"only {width} × {height} pixels")
    return rgb, "; ".join(notes)


def _converted(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):  # Pillow would cut these off at 255
        grey = np.nan_to_num(np.asarray(image, np.float64), posinf=0.0, neginf=0.0)
        top = 65535.0 if image.mode.startswith("I") else max(1.0, float(grey.max()))
        return Image.fromarray((grey / top * 255).clip(0, 255).round().astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), clear).convert("RGB")
    return image.convert("RGB")
