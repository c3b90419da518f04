"""Counter-based random numbers: draw (split, seed, index, slot) is the same number on every machine, in any order."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "val", "edit", "test")

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)


def mix64(x: Any) -> Any:
    """A bijective 64-bit scrambler (the splitmix64 finaliser) of a uint64 or an array of them."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * _M1
        x = (x ^ (x >> np.uint64(27))) * _M2
        return x ^ (x >> np.uint64(31))


class Draws:
    """Random numbers of a run of samples; every method returns one value (or one row) per sample.

    A *slot* names what the number is for, so adding a factor later leaves the other factors of a sample unchanged.

    >>> a = Draws("test", 0, np.arange(3)); b = Draws("test", 0, np.arange(100))
    >>> bool((a.uniform("light") == b.uniform("light")[:3]).all())
    True
    """

    def __init__(self, split: str, seed: int, index: NDArray[np.integer]) -> None:
        with np.errstate(over="ignore"):
            stream = mix64(np.uint64(SPLITS.index(split) + 1) * _GOLDEN + np.uint64(seed))
            self._keys = mix64(stream + (index.astype(np.uint64) + np.uint64(1)) * _GOLDEN)

    def __len__(self) -> int:
        return len(self._keys)

    def take(self, rows: NDArray[np.integer]) -> Draws:
        """The draws of some of the samples."""
        part = object.__new__(Draws)
        part._keys = self._keys[rows]
        return part

    def bits(self, slot: str, width: int | None = None) -> NDArray[np.uint64]:
        """64 random bits per sample, or `width` of them per sample."""
        name = np.uint64(int.from_bytes(blake2b(slot.encode(), digest_size=8).digest(), "little"))
        with np.errstate(over="ignore"):
            keys = mix64(self._keys ^ mix64(np.asarray(name) * _GOLDEN))
            if width is None:
                return mix64(keys)
            return mix64(keys[:, None] + np.arange(1, width + 1, dtype=np.uint64)[None] * _GOLDEN)

    def uniform(self, slot: str, width: int | None = None) -> NDArray[np.float32]:
        """Uniform numbers in [0, 1) with 24 bits, float32."""
        return (self.bits(slot, width) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)

    def choice(self, slot: str, weights: list[float] | int) -> NDArray[np.int64]:
        """An index per sample, uniform over `weights` options or in proportion to a list of weights."""
        u = (self.bits(slot) >> np.uint64(32)).astype(np.int64)
        if isinstance(weights, int):
            return (u * weights) >> 32
        edges = np.cumsum(np.asarray(weights, np.float64) / sum(weights))[:-1]
        return np.searchsorted(np.round(edges * 2**32).astype(np.int64), u, side="right")

    def coin(self, slot: str, p: float) -> NDArray[np.bool_]:
        """True with probability p."""
        return (self.bits(slot) >> np.uint64(32)).astype(np.int64) < round(p * 2**32)
