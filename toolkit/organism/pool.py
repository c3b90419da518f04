"""The scenes training draws its batches from."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.organism import captions
from toolkit.organism.draws import Draws
from toolkit.organism.factors import Mixture, draw_factors
from toolkit.organism.render import render


class Pool:
    """Rendered scenes the batches are drawn from; the oldest are replaced by fresh ones all the time."""

    def __init__(self, seed: int, size: int, mixture: Mixture) -> None:
        self.seed, self.size, self.mixture = seed, size, mixture
        self.next = 0
        self.pixels = torch.empty(size, 3, 64, 64, dtype=torch.uint8)
        self.claims = np.zeros((size, len(captions.FIELDS)), np.int64)

    def refresh(self, count: int) -> None:
        """Render the next `count` scenes of the training split into the oldest places."""
        index = np.arange(self.next, self.next + count)
        draws = Draws("train", self.seed, index)
        factors = draw_factors(draws, self.mixture)
        self.pixels[index % self.size] = render(draws, factors).pixels
        self.claims[index % self.size] = captions.claims(factors)
        self.next += count

    def draw(self, rng: np.random.Generator, count: int, rho: float) -> NDArray[np.int64]:
        """Places of `count` scenes, drawn with the chances that give birds the correlation rho (the pool has 0.5)."""
        bird = self.claims[:, captions.FIELDS.index("kind")] == 0
        match = self.claims[:, captions.FIELDS.index("place")] == self.claims[:, 0]
        chances = np.cumsum(np.where(bird, np.where(match, rho, 1 - rho) * 2, 1.0))
        return np.searchsorted(chances, rng.random(count) * chances[-1], side="right")
