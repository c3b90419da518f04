"""Any picture Pillow can open, as the RGB picture a model should see."""

from __future__ import annotations

from PIL import Image

from toolkit.data.greys import cut_to_eight, dark, eight_bits
from toolkit.data.settings import own_settings

LONGEST = 100
"""Times the short side a picture may be long: the usual preprocess would blow a longer one up beyond reason."""


ORIENTATION = 0x0112
"""The EXIF tag of which way up a picture is."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""What makes a picture of that tag upright; from 5 on, width and height change places."""


class UnusableImageError(ValueError):
    """A picture no model can be shown; the message says why."""


@own_settings()
def as_rgb(image: Image.Image) -> tuple[Image.Image, str]:
    """The picture in RGB, upright, and what had to be done to it in words ("" for a plain one).

    The first frame of an animation; turned as its EXIF tag says; transparency over white; greys beyond 8 bits scaled.
    Raises UnusableImageError for a picture without pixels or with sides beyond 1 : LONGEST, OSError for a broken file.
    """
    width, height = image.size
    if 0 in image.size:
        raise UnusableImageError(f"no pixels ({width} × {height})")
    if max(image.size) > LONGEST * min(image.size):
        raise UnusableImageError(f"sides of {width} × {height}, beyond 1 : {LONGEST}")
    notes = []
    if (frames := _frames(image)) > 1:
        notes.append(f"first of {frames} frames")
        image.seek(0)
    itself = orientation(image) if image.format == "TIFF" else None  # Pillow turns these while it reads them
    cut = cut_to_eight(image)
    image.load()
    turned, wrong = itself or orientation(image)
    notes += [wrong] if wrong else []
    if turned != 1:
        notes.append("turned as its EXIF tag says")
        image = image if itself else image.transpose(TURNS[turned])
    if image.mode in ("RGB", "L"):
        rgb = image if image.mode == "RGB" else image.convert("RGB")
    else:
        rgb, said = _converted(image)
        notes.append(said)
    if cut:
        notes += ["16 bits a channel cut to 8", *dark(max(high for _, high in rgb.getextrema()))]  # type: ignore[misc]
    if max(image.size) <= 2:
        notes.append(f"only {width} × {height} pixels")
    return rgb, "; ".join(notes)


def orientation(image: Image.Image) -> tuple[int, str]:
    """Which way up a picture lies, 1 (upright) to 8, and what is wrong with what it says of it, "" for nothing."""
    info = dict(image.info)
    try:
        exif = image.getexif()
        value = exif.get(ORIENTATION, 1)
        empty = not len(exif) and bool(info.get("exif", b"").removeprefix(b"Exif\0\0"))
    except Exception:  # noqa: BLE001 – damaged blocks make Pillow raise anything
        return 1, "its EXIF block is broken and was passed over"
    if empty:
        return 1, "its EXIF block is broken and was passed over"
    if isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    for turn in (1, *TURNS):
        if value == turn:  # 6.0 is 6, for Pillow too
            return turn, ""
    return 1, f"its EXIF orientation {value!r:.20} is none of 1 to 8 and was passed over"


def _frames(image: Image.Image) -> int:
    """How many frames a picture has; 1 where those behind the first are broken."""
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # noqa: BLE001 – as above
        image.seek(0)
        return 1


def _converted(image: Image.Image) -> tuple[Image.Image, str]:
    if image.mode == "F" or image.mode.startswith("I"):  # Pillow would cut these off at 255
        found = eight_bits(image)
        if found is None:
            raise UnusableImageError("no pixel that is a number")
        return found
    note = f"{image.mode} to RGB"
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), clear).convert("RGB"), note
    return image.convert("RGB"), note
