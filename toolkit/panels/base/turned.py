"""Thumbnails of the images whose answer was turned, as panels show them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.api.images.judged import Judged
from toolkit.api.switch_off.flips import Flips, flips
from toolkit.figures.thumbnails import sheet

TILE, SIDE = 64, 12
"""Pixels of a thumbnail, and how many images of each kind of flip."""
PAUSE = 0.04
"""Seconds after which pictures follow numbers, if nothing newer was asked for."""


class FlipsSent(Flips):
    """Flips as a page is told of them. columns: of their sheet. side: pixels of a thumbnail."""

    columns: int
    side: int


EMPTY: FlipsSent = {"right": [], "wrong": [], "n": {"right": 0, "wrong": 0}, "columns": 1, "side": TILE}


def turned(
    images: Judged, before: NDArray[np.int64], after: NDArray[np.int64], request: Any, pause: float
) -> tuple[FlipsSent, bytes]:
    """The flips from one prediction to another [b], and their pictures in one JPEG (b"" without images). pause:
    seconds to wait for newer requests first.
    """
    if pause:
        time.sleep(pause)
        request.check()
    found: FlipsSent = {**flips(images, before, after, SIDE), "columns": 1, "side": TILE}
    ids = [flip["id"] for flip in found["right"] + found["wrong"]]
    if not images.acts.has_images or not ids:
        return found, b""
    request.check()
    made = sheet([images.acts.read(name).image for name in ids], TILE)
    return {**found, "columns": made.columns}, made.jpeg
