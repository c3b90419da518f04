"""Thumbnails of the images whose answer was turned, as panels show them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.api.images.judged import Judged
from toolkit.api.switch_off.flips import flips
from toolkit.figures.thumbnails import sheet

TILE, SIDE = 64, 12
"""Pixels of a thumbnail, and how many images of each kind of flip."""
PAUSE = 0.04
"""Seconds after which pictures follow numbers, if nothing newer was asked for."""
EMPTY = {"right": [], "wrong": [], "n": [0, 0], "columns": 1, "side": TILE}


def turned(
    images: Judged, before: NDArray[np.int64], after: NDArray[np.int64], request: Any, pause: float
) -> tuple[dict[str, Any], bytes]:
    """The flips from one prediction to another [b], and their pictures in one JPEG (b"" without images). pause:
    seconds to wait for newer requests first.
    """
    if pause:
        time.sleep(pause)
        request.check()
    found = flips(images, before, after, SIDE) | {"columns": 1, "side": TILE}
    ids = [row[0] for name in ("right", "wrong") for row in found[name]]
    if not images.acts.has_images or not ids:
        return found, b""
    request.check()
    made = sheet([images.acts.read(name).image for name in ids], TILE)
    return found | {"columns": made.columns}, made.jpeg
