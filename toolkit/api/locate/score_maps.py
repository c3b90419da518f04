"""`ScoreMaps`: what tells a map of scores from any other numbers of heads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class ScoreMaps(dict[str, NDArray[np.float64]]):
    """Maps [l, h] by the name of a score: higher = guiltier."""
