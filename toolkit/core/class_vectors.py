"""Moving the vectors of some classes instead of the images: the text side of an edit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from toolkit.core.objective import LEAST, Objective, Slopes
from toolkit.core.seen import Seen, nearest
from toolkit.core.strategies import Back

ALIKE = 1e-6
"""Distance up to which a class vector of another set is taken for the one that was moved."""


@dataclass(frozen=True, eq=False)
class ClassVectors:
    """T′ = θ / ‖θ‖ for the classes named, the others as they are; θ [t · d] starts at their vectors.

    names: of the classes. original [t, d]: their unit vectors. rows [t]: where they stand among those of the objective.
    In another class set, classes of the same name are moved as far.
    """

    names: tuple[str, ...]
    original: Tensor
    rows: tuple[int, ...]
    name: str = "class vectors"

    @property
    def d(self) -> int:
        return self.original.shape[1]

    @property
    def size(self) -> int:
        return self.original.numel()

    def start(self, pairs: int, seed: int, like: Tensor) -> Tensor:
        return self.original.to(like).flatten().repeat(pairs, 1)

    def _moved(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unit vectors [p, t, d], how far they moved, and 1 / ‖θ‖; at the start nothing moved, to the last bit."""
        at = theta.unflatten(-1, tuple(self.original.shape))
        inverse = at.square().sum(-1, keepdim=True).clamp(min=LEAST).rsqrt()
        first = self.original.to(theta)
        own = first.square().sum(-1, keepdim=True).clamp(min=LEAST).rsqrt()
        unit = at * inverse
        return unit, unit - first * own, inverse

    def forward(self, theta: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Back]:
        e, rows = objective.embedding, list(self.rows)
        unit, moved, inverse = self._moved(theta)
        products = objective.plain.repeat(len(theta), 1, 1)
        products[..., rows] += e @ moved.mT

        def back(slopes: Slopes) -> Tensor:
            by_unit = slopes.products[..., rows].mT @ e
            inward = (by_unit * unit).sum(-1, keepdim=True)
            return ((by_unit - inward * unit) * inverse).flatten(1)

        return products, objective.norms.expand(len(theta), -1), back

    def texts(self, theta: Tensor, texts: Tensor, names: tuple[str, ...]) -> Tensor:
        """[p, c, d]: the vectors of a class set, its classes of these names moved."""
        moved = self._moved(theta.double())[1].to(texts)
        found = texts.repeat(len(theta), 1, 1)
        for i, name in enumerate(self.names):
            if name in names:
                at = names.index(name)
                found[:, at] += moved[:, i]
                if (texts[at] - self.original[i].to(texts)).norm() > ALIKE:  # another prompt: no unit vector any more
                    found[:, at] = torch.nn.functional.normalize(found[:, at], dim=-1)
        return found

    def shifts(self, theta: Tensor) -> Tensor:
        """[t, d]: how far one θ [k] moves every vector."""
        return self._moved(theta[None])[1][0]

    def embedded(self, theta: Tensor, seen: Seen) -> Tensor:
        return seen.embedding

    def vectors(self, theta: Tensor, seen: Seen) -> Tensor:
        return self.texts(theta[None], seen.texts, seen.names)[0]

    def layer_maps(self, theta: Tensor, layer: int, maps: Tensor) -> Tensor:
        return maps

    def guess(self, theta: Tensor, seen: Seen) -> Tensor:
        return nearest(seen.embedding, self.texts(theta, seen.texts.double(), seen.names))
