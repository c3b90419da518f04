"""How an edit may change embeddings: a scale per dimension, a full matrix, or a matrix of low rank (R25 §3.3, app. D).

Parameters are one flat row per edit [p, k], so that solvers need to know nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from toolkit.core.objective import Objective, Slopes

TOGETHER = 8
"""Edits from which the crossed products of images and texts pay off; before, they are read for nothing."""
CROSSED = 400_000_000
"""Bytes of crossed products that may be made."""
Back = Callable[[Slopes], Tensor]


class Strategy(Protocol):
    """A family of linear edits y = E M of d numbers."""

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

    def texts(self, theta: Tensor, texts: Tensor) -> Tensor:
        """[p, c, d]: T Mᵀ, so that y · T = E · (T Mᵀ): an edit seen as a change of the class vectors."""
        ...

    def apply(self, theta: Tensor, x: Tensor) -> Tensor:
        """y = x M [..., d] of one θ [k]."""
        ...


@dataclass(frozen=True)
class Diagonal:
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
class FullMatrix:
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
class LowRank:
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
        inner = objective.embedding @ a
        y = objective.embedding + inner @ b

        def back(slopes: Slopes) -> Tensor:
            by_y = (slopes.products @ objective.texts).addcmul_(slopes.squares[..., None], y, value=2)
            by_a = objective.embedding.T @ (by_y @ b.mT)
            return torch.cat([by_a.flatten(1), (inner.mT @ by_y).flatten(1)], 1)

        return y @ objective.texts.T, y.square().sum(-1), back

    def texts(self, theta: Tensor, texts: Tensor) -> Tensor:
        a, b = self._factors(theta)
        return texts + texts @ b.mT @ a.mT

    def apply(self, theta: Tensor, x: Tensor) -> Tensor:
        a, b = (part[0].to(x) for part in self._factors(theta[None]))
        return x + x @ a @ b

    def _factors(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        a, b = theta.tensor_split(2, -1)
        return a.unflatten(-1, (self.d, self.rank)), b.unflatten(-1, (self.rank, self.d))
