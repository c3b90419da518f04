"""Images whose answer an intervention turned, for galleries."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from toolkit.api.images.judged import Judged


class Flip(TypedDict):
    """An image whose answer was turned. change: from which class to which, in words."""

    id: str
    group: str
    change: str


class HowMany(TypedDict):
    """How many images became right, and how many wrong."""

    right: int
    wrong: int


class Flips(TypedDict):
    """right, wrong: the first images that became so. n: how many did."""

    right: list[Flip]
    wrong: list[Flip]
    n: HowMany


def flips(images: Judged, before: NDArray[np.int64], after: NDArray[np.int64], most: int) -> Flips:
    """The images whose answer was turned, of either kind the first `most`.

    before, after [b]: predictions.
    """
    truth = images.truth.numpy()
    names, groups, ids = images.classes.names, images.group_names, images.acts.ids
    right = (before != truth) & (after == truth)
    wrong = (before == truth) & (after != truth)

    def listed(kind: NDArray[np.bool_]) -> list[Flip]:
        return [
            {"id": str(ids[i]), "group": str(groups[i]), "change": f"{names[before[i]]} → {names[after[i]]}"}
            for i in np.flatnonzero(kind)[:most]
        ]

    return {"right": listed(right), "wrong": listed(wrong), "n": {"right": int(right.sum()), "wrong": int(wrong.sum())}}
