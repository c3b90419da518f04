"""Pictures to extract, and whether two stores hold the same."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from toolkit.data.samples import Samples
from toolkit.store.layout import AXES


class Pictures(Samples):
    """Random pictures in memory, of the size asked for."""

    def __init__(self, n, size=32, split="test", seed=0):
        self.n, self.size, self.seed = n, size, seed
        super().__init__([f"p{i}" for i in range(n)], ["a", "b"] * (n // 2) + ["a"] * (n % 2), ["g"] * n, split)

    def pixels(self, rows):
        return [
            Image.fromarray(np.random.default_rng([self.seed, r]).integers(0, 255, (self.size, self.size, 3), np.uint8))
            for r in rows
        ]

    def take(self, rows):
        part = Pictures(self.n, self.size, self.split, self.seed)
        part.ids, part.labels, part.groups = (c[list(rows)] for c in (self.ids, self.labels, self.groups))
        part.pixels = lambda some: self.pixels([rows[i] for i in some])
        return part


def same(a, b):
    for name in [n for n in AXES if n in a.group]:
        x, y = (np.asarray(s._array(name)[:]) for s in (a, b))
        np.testing.assert_array_equal(x, y, err_msg=name)
    torch.testing.assert_close(a.moments.scatter, b.moments.scatter, rtol=0, atol=0)
    torch.testing.assert_close(a.moments.mean, b.moments.mean, rtol=0, atol=0)
    assert a.attrs["facts"] == b.attrs["facts"]
