"""Picture files decoded: under our settings, and without their metadata where that is broken."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from toolkit.data.bare import bare
from toolkit.data.pixels import UnusableImageError, as_rgb, orientation
from toolkit.data.settings import own_settings

TRIES = 20
"""How often a picture is read anew where Pillow's settings were changed meanwhile: half a file may have been taken."""


def shown(file: Path | BinaryIO) -> tuple[Image.Image, str]:
    """The picture of a file as `as_rgb` makes it, and what had to be done to it in words.

    Where Pillow cannot read it, it is tried without the metadata that does not change its pixels; where another thread
    meddled with Pillow's settings meanwhile, once more. Raises what Pillow raises at the whole file where that does not
    help, UnusableImageError, and OSError of the file system.
    """
    for again in reversed(range(TRIES)):
        with own_settings() as undisturbed:
            try:
                found = _once(file)
            except Exception:
                if again and not undisturbed():
                    continue
                raise
            if undisturbed():
                break
    return found


def _once(file: Path | BinaryIO) -> tuple[Image.Image, str]:
    try:
        if not isinstance(file, Path):
            file.seek(0)
        with Image.open(file) as opened:
            return as_rgb(opened)
    except (UnusableImageError, MemoryError, Image.DecompressionBombError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        found = _without_metadata(file)
        if found is None:
            raise
        return found


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) of a picture as it is shown; only its header is read where that is enough."""
    with own_settings(), suppress(Exception), Image.open(path) as opened:
        if opened.format != "TIFF":  # these Pillow turns itself, some when opened and some when read
            turned, _ = orientation(opened)
            width, height = opened.size
            return (height, width) if turned >= 5 else (width, height)
    return shown(path)[0].size


def _without_metadata(file: Path | BinaryIO) -> tuple[Image.Image, str] | None:
    """The picture without its metadata, first with the EXIF block still there; None where it is not that."""
    if isinstance(file, Path):
        data = file.read_bytes()
    else:
        file.seek(0)
        data = file.read()
    for keep_exif in (True, False):
        less = bare(data, keep_exif)
        if less is None:
            continue
        with suppress(Exception), Image.open(io.BytesIO(less)) as opened:
            picture, note = as_rgb(opened)
            said = "its metadata is broken and was passed over" + ("" if keep_exif else ", its EXIF block too")
            return picture, "; ".join(filter(None, (note, said)))
    return None
