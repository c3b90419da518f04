"""Masks from image files: where the object is, and the box around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toolkit.data.greys import full
from toolkit.data.settings import own_settings
from toolkit.data.spelling import spelled
from toolkit.errors import InputError


def mask_from(path: Path, size: tuple[int, int], picture: str, operation: str) -> NDArray[np.bool_]:
    """Bool [height, width]: where a mask file says the object is.

    A pixel is the object's where it is brighter than half of the full range (of 255: above 127); in a mask of zeros and
    ones, where it is one. size: (width, height) it must have. picture: whose mask it is, for errors.
    Raises InputError for a file that is not there or cannot be read, for another size, and for a file that says
    something, but nothing above half: class numbers, a palette, a shape in the alpha channel.
    """
    accepted = f"a mask of {size[0]} × {size[1]} pixels"
    try:
        with own_settings(), Image.open(spelled(Path(path))) as opened:
            opened.load()
            if opened.mode in ("RGBA", "LA") and len(set(opened.getchannel("A").getextrema())) > 1:
                raise ValueError("part of it is transparent: where is the object?")
            grey = opened if opened.mode in ("1", "L", "F") or opened.mode.startswith("I") else opened.convert("L")
            values = np.asarray(grey)
    except FileNotFoundError as error:
        given = f"{picture!r}, whose mask {str(path)!r} is not there"
        raise InputError(operation, given, accepted, "add the file, or ask for other rows") from error
    except Exception as error:  # damaged files make Pillow's decoders raise anything
        given = f"{picture!r}, whose mask {str(path)!r} cannot be read ({error})"
        raise InputError(operation, given, accepted, "replace the file, or ask for other rows") from error
    if values.shape != (size[1], size[0]):
        given = f"{picture!r}, whose mask {path.name!r} has {values.shape[1]} × {values.shape[0]} pixels"
        fix = "use masks of the picture's own pixels (pictures with an EXIF tag are turned upright)"
        raise InputError(operation, given, accepted, fix)
    found = above_half(values)
    if not found.any() and values.any():
        given = f"{picture!r}, whose mask {path.name!r} has values up to {values.max()}, none above half of full"
        raise InputError(operation, given, "0 and 255 (or 0 and 1)", "write 255 where the object is")
    return found


def above_half(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a grey picture is brighter than half of its type's range; where a picture of zeros and ones is one.

    >>> above_half(np.array([[0, 127, 128, 255]], np.uint8)).tolist()
    [[False, False, True, True]]
    """
    if values.dtype == bool or not values.size:
        return values.astype(bool)
    grey = np.asarray(values, np.float64)
    half = 0.5 if grey.max() <= 1 else full(values) / 2
    return np.asarray(grey > half)


def box_around(mask: NDArray[np.bool_], picture: str, operation: str) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the smallest box around an object, right and bottom just past its last pixel.

    Raises InputError for a mask without any.

    >>> box_around(np.array([[0, 0, 0], [0, 1, 1]], bool), "a.png", "boxes")
    (1, 1, 3, 2)
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        given = f"{picture!r}, whose mask is empty"
        raise InputError(operation, given, "masks with at least one pixel", "leave the image out: boxes(rows)")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
