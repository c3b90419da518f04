"""How an edit may change embeddings: a scale per dimension, a full matrix, or one of low rank (R25 §3.3, app. D).

Parameters are one flat row per edit [p, k], so that solvers need to know nothing of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from toolkit.core.objective import Objective, Slopes
from toolkit.core.seen import Seen, nearest

TOGETHER = 8
"""Edits from which the crossed products of images and texts pay off; before, they are read for nothing."""
CROSSED = 400_000_000
"""Bytes of crossed products that may be made."""
Bounds = tuple[float, float]
"""The least and the largest value a parameter may have."""
Back = Callable[[Slopes], Tensor]


class Strategy(Protocol):
    """A family of edits, θ [k] to edited embeddings y and class vectors."""

    @property
    def name(self) -> str: ...

    @property
    def d(self) -> int: ...

    @property
    def size(self) -> int:
        """k: parameters."""
        ...

    def start(self, pairs: int, seed: int, like: Tensor) -> Tensor:
        """[p, k]: parameters at which the edit is the identity."""
        ...

    def forward(self, theta: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Back]:
        """Products y · T [p, n, c], squares ‖y‖² [p, n], and what turns their gradients into those of θ [p, k]."""
        ...

    def embedded(self, theta: Tensor, seen: Seen) -> Tensor:
        """[b, d]: embeddings as one θ [k] edits them, not normalised."""
        ...

    def vectors(self, theta: Tensor, seen: Seen) -> Tensor:
        """[c, d]: class vectors as one θ [k] edits them."""
        ...

    def guess(self, theta: Tensor, seen: Seen) -> Tensor:
        """[p, b]: the classes that p edits [p, k] predict."""
        ...

    def layer_maps(self, theta: Tensor, layer: int, maps: Tensor) -> Tensor:
        """[h, k + 3, d]: what entries of q are worth in edited embeddings of one θ [k]; maps: before, of a layer."""
        ...


class Linear(ABC):
    """What all edits y = E M have in common."""

    @abstractmethod
    def texts(self, theta: Tensor, texts: Tensor) -> Tensor:
        """[p, c, d]: T Mᵀ, so that y · T = E · (T Mᵀ): an edit seen as a change of the class vectors."""

    @abstractmethod
    def apply(self, theta: Tensor, x: Tensor) -> Tensor:
        """y = x M [..., d] of one θ [k]."""

    def embedded(self, theta: Tensor, seen: Seen) -> Tensor:
        return self.apply(theta, seen.embedding)

    def vectors(self, theta: Tensor, seen: Seen) -> Tensor:
        return seen.texts

    def guess(self, theta: Tensor, seen: Seen) -> Tensor:
        return nearest(seen.embedding, self.texts(theta, seen.texts.double()))

    def layer_maps(self, theta: Tensor, layer: int, maps: Tensor) -> Tensor:
        return self.apply(theta, maps)


@dataclass(frozen=True)
class Diagonal(Linear):
    """y = θ ⊙ E; θ [d] starts at one."""

    d: int
    name: str = "diagonal"

    @property
    def size(self) -> int:
        return self.d

    def start(self, pairs: int, seed: int, like: Tensor) -> Tensor:
        return torch.ones(pairs, self.d, dtype=like.dtype, device=like.device)

    def forward(self, theta: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Back]:
        n, c = len(objective.truth), len(objective.texts)
        squares = theta.square() @ objective.squares.T
        if len(theta) >= TOGETHER and n * c * self.d * theta.element_size() <= CROSSED:
            products = (theta @ objective.crossed.T).unflatten(-1, (n, c))

            def by_theta(slope: Tensor) -> Tensor:
                return slope.flatten(-2) @ objective.crossed
        elif len(theta) == 1:  # two small products, without the cost of batched ones
            products = (objective.embedding @ (theta * objective.texts).T)[None]

            def by_theta(slope: Tensor) -> Tensor:
                return (slope[0].T @ objective.embedding).mul_(objective.texts).sum(0, keepdim=True)
        else:
            products = objective.embedding @ (theta[:, None] * objective.texts).mT

            def by_theta(slope: Tensor) -> Tensor:
                return (slope.mT @ objective.embedding).mul_(objective.texts).sum(-2)

        def back(slopes: Slopes) -> Tensor:
            return by_theta(slopes.products).addcmul_(theta, slopes.squares @ objective.squares, value=2)

        return products, squares, back

    def texts(self, theta: Tensor, texts: Tensor) -> Tensor:
        return theta[:, None] * texts

    def apply(self, theta: Tensor, x: Tensor) -> Tensor:
        return x * theta.to(x)


@dataclass(frozen=True)
class FullMatrix(Linear):
    """y = E M; M [d, d] starts at the identity."""

    d: int
    name: str = "full"

    @property
    def size(self) -> int:
        return self.d * self.d

    def start(self, pairs: int, seed: int, like: Tensor) -> Tensor:
        return torch.eye(self.d, dtype=like.dtype, device=like.device).flatten().repeat(pairs, 1)

    def forward(self, theta: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Back]:
        y = objective.embedding @ self._matrix(theta)

        def back(slopes: Slopes) -> Tensor:
            by_y = (slopes.products @ objective.texts).addcmul_(slopes.squares[..., None], y, value=2)
            return (objective.embedding.T @ by_y).flatten(1)

        return y @ objective.texts.T, y.square().sum(-1), back

    def texts(self, theta: Tensor, texts: Tensor) -> Tensor:
        return texts @ self._matrix(theta).mT

    def apply(self, theta: Tensor, x: Tensor) -> Tensor:
        return x @ self._matrix(theta).to(x)

    def _matrix(self, theta: Tensor) -> Tensor:
        return theta.unflatten(-1, (self.d, self.d))


@dataclass(frozen=True)
class LowRank(Linear):
    """y = E (I + A B), A [d, r], B [r, d] (LoRA): A starts random by `seed` with variance 1/d, B at zero."""

    d: int
    rank: int

    @property
    def name(self) -> str:
        return f"rank {self.rank}"

    @property
    def size(self) -> int:
        return 2 * self.d * self.rank

    def start(self, pairs: int, seed: int, like: Tensor) -> Tensor:
        random = torch.Generator().manual_seed(seed)
        a = torch.randn(self.d * self.rank, generator=random, dtype=torch.float64) / self.d**0.5
        return torch.cat([a, torch.zeros_like(a)]).to(like).repeat(pairs, 1)

    def forward(self, theta: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Back]:
        a, b = self._factors(theta)
        e, t = objective.embedding, objective.texts
        inner = _each(e, a)  # r numbers an image: y itself is never made
        to_texts, to_images, to_itself = b @ t.T, _each(e, b.mT), b @ b.mT
        products = inner @ to_texts + objective.plain
        met = to_images + inner @ to_itself
        squares = objective.norms + (inner * (met + to_images)).sum(-1)

        def back(slopes: Slopes) -> Tensor:
            twice = 2 * slopes.squares[..., None]
            by_inner = (slopes.products @ to_texts.mT).addcmul_(twice, met)
            weighed = inner * twice
            by_b = inner.mT @ slopes.products @ t + weighed.mT @ e + weighed.mT @ inner @ b
            return torch.cat([_each(e.T, by_inner).flatten(1), by_b.flatten(1)], 1)

        return products, squares, back

    def texts(self, theta: Tensor, texts: Tensor) -> Tensor:
        a, b = self._factors(theta)
        return texts + texts @ b.mT @ a.mT

    def apply(self, theta: Tensor, x: Tensor) -> Tensor:
        a, b = (part[0].to(x) for part in self._factors(theta[None]))
        return x + x @ a @ b

    def _factors(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        a, b = theta.tensor_split(2, -1)
        return a.unflatten(-1, (self.d, self.rank)), b.unflatten(-1, (self.rank, self.d))


def _each(x: Tensor, several: Tensor) -> Tensor:
    """x [i, j] times each of [p, j, r], as one product: [p, i, r]."""
    p, j, r = several.shape
    return (x @ several.transpose(0, 1).reshape(j, p * r)).unflatten(1, (p, r)).transpose(0, 1)
