"""The colour scales, as explicit colours: perceptually even, readable with any colour vision, light and dark.

Blue–orange diverging scales meet in the background's grey at zero. The browser gets these lists from Python, so that a
panel and its static figure show the same colour for the same value.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def _palette(text: str) -> NDArray[np.int64]:
    return np.array([[int(word[i : i + 2], 16) for i in (0, 2, 4)] for word in text.split()])


DIVERGING = _palette(
    "1846a0 235db7 2f75cf 428ee2 5ea6ef 80bdf6 a5d2f9 cce4f8 f6f6f6 "
    "f1dfc8 edc69b e7ac71 de9149 d17624 be5d02 a84a02 913801"
)
DIVERGING_DARK = _palette(
    "84d2ff 5fc1fc 4ca7e5 3b8ece 2f76b4 2d5f94 2e4b71 2c394c 282828 "
    "4b3122 6d3a15 8a4701 a35a03 be6e05 d7830c ee9e31 ffb756"
)
SEQUENTIAL = _palette("f7f7f7 d1e2c4 98d0a7 50bca1 03a3a2 08869a 006791 0e4b8a 262b71")
SEQUENTIAL_DARK = _palette("282828 2a3e57 015b7d 017588 099491 0daf91 68c889 adde82 edf085")
NAN = {False: (208, 210, 214), True: (84, 88, 96)}
"""The colour under the cross of a missing value, by dark."""


def color(values: NDArray[np.floating], limit: float, dark: bool = False) -> NDArray[np.uint8]:
    """RGB [..., 3] of signed values on a scale symmetric about zero; beyond ±limit the end colour; NaN is grey."""
    palette = DIVERGING_DARK if dark else DIVERGING
    values = np.asarray(values, np.float64)
    at = (np.clip(np.nan_to_num(values / limit, nan=0.0, posinf=1, neginf=-1), -1, 1) + 1) / 2 * (len(palette) - 1)
    rgb = np.stack([np.interp(at, np.arange(len(palette)), palette[:, c]) for c in range(3)], -1)
    return np.where(np.isnan(values)[..., None], NAN[dark], np.floor(rgb + 0.5)).astype(np.uint8)


def is_bright(rgb: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether dark ink reads better than light ink on a colour [..., 3]."""
    return rgb @ np.array([0.299, 0.587, 0.114]) > 140


def hexes(palette: NDArray[np.int64]) -> list[str]:
    """The colours as "#rrggbb"."""
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in palette]


def plotly_scale(palette: NDArray[np.int64]) -> list[tuple[float, str]]:
    """The palette as plotly wants it."""
    return list(zip(np.linspace(0, 1, len(palette)).tolist(), hexes(palette), strict=True))
