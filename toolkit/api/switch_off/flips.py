"""Images whose answer an intervention turned, for galleries."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.api.images.judged import Judged


def flips(images: Judged, before: NDArray[np.int64], after: NDArray[np.int64], most: int) -> dict[str, Any]:
    """right, wrong: id, group and change in words of the first images that became so; n: how many did.

    before, after [b]: predictions.
    """
    truth = images.truth.numpy()
    kinds = {"right": (before != truth) & (after == truth), "wrong": (before == truth) & (after != truth)}
    names, groups, ids = images.classes.names, images.group_names, images.acts.ids
    found: dict[str, Any] = {"n": [int(kind.sum()) for kind in kinds.values()]}
    for name, kind in kinds.items():
        found[name] = [
            [str(ids[i]), str(groups[i]), f"{names[before[i]]} → {names[after[i]]}"]
            for i in np.flatnonzero(kind)[:most]
        ]
    return found
