"""Edits of the projection itself: P becomes P + M, or P + A B (R25 app. D), given the vectors it is multiplied by.

An edit of the embedding, E M, never leaves what P can write; one of P may read directions that P throws away.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from toolkit.core.objective import Objective, Slopes
from toolkit.core.seen import NUMBERS, Seen
from toolkit.core.strategies import Back
from toolkit.errors import InputError


class ProjectionChange(ABC):
    """What all edits y = E + u M have in common; u [n, w]: pooled vectors over the norm of the embedding they give.

    Its objective must hold u (`Objective.inputs`), and so must the images it is applied to (`Seen.inputs`).
    """

    w: int
    d: int

    @abstractmethod
    def matrix(self, theta: Tensor) -> Tensor:
        """M [w, d] of one θ [k]."""

    def embedded(self, theta: Tensor, seen: Seen) -> Tensor:
        matrix = self.matrix(theta)
        added = [some.to(matrix) @ matrix for some in _inputs(seen).split(max(1, NUMBERS // self.d))]
        return seen.embedding + torch.cat(added).to(seen.embedding)

    def vectors(self, theta: Tensor, seen: Seen) -> Tensor:
        return seen.texts

    def guess(self, theta: Tensor, seen: Seen) -> Tensor:
        texts = seen.texts.double().cpu()
        plain = seen.embedding.double().cpu() @ texts.T
        inputs = _inputs(seen).double().cpu()
        found = [(plain + inputs @ (self.matrix(one) @ texts.T)).argmax(-1) for one in theta.double().cpu()]
        return torch.stack(found)

    def layer_maps(self, theta: Tensor, layer: int, maps: Tensor) -> Tensor:
        given = "an edit of the projection: what a head writes before it is not kept"
        fix = "fold the edit, extract the images with that model, and look at those parts"
        raise InputError("edit.inspect", given, "an edit of the embedding or of heads", fix)


def _inputs(seen: Seen) -> Tensor:
    if seen.inputs is None:
        given = "images without the vectors that the projection is multiplied by"
        raise InputError("edit", given, "parts with pooled vectors", "extract them with pooled=True")
    return seen.inputs()


@dataclass(frozen=True)
class ProjectionMatrix(ProjectionChange):
    """P + M; M [w, d] starts at zero."""

    w: int
    d: int
    name: str = "projection full"

    @property
    def size(self) -> int:
        return self.w * self.d

    def start(self, pairs: int, seed: int, like: Tensor) -> Tensor:
        return torch.zeros(pairs, self.size, dtype=like.dtype, device=like.device)

    def matrix(self, theta: Tensor) -> Tensor:
        return theta.unflatten(-1, (self.w, self.d))

    def forward(self, theta: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Back]:
        inputs = objective.inputs
        assert inputs is not None
        y = objective.embedding + inputs @ self.matrix(theta)

        def back(slopes: Slopes) -> Tensor:
            return (inputs.T @ _by_embedding(slopes, objective, y)).flatten(1)

        return y @ objective.texts.T, y.square().sum(-1), back


@dataclass(frozen=True)
class ProjectionRank(ProjectionChange):
    """P + A B, A [w, r], B [r, d] (LoRA): A starts random by `seed` with variance 1/w, B at zero."""

    w: int
    d: int
    rank: int

    @property
    def name(self) -> str:
        return f"projection rank {self.rank}"

    @property
    def size(self) -> int:
        return (self.w + self.d) * self.rank

    def start(self, pairs: int, seed: int, like: Tensor) -> Tensor:
        random = torch.Generator().manual_seed(seed)
        a = torch.randn(self.w * self.rank, generator=random, dtype=torch.float64) / self.w**0.5
        b = torch.zeros(self.rank * self.d, dtype=torch.float64)
        return torch.cat([a, b]).to(like).repeat(pairs, 1)

    def matrix(self, theta: Tensor) -> Tensor:
        a, b = self._factors(theta)
        return a @ b

    def forward(self, theta: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Back]:
        inputs = objective.inputs
        assert inputs is not None
        a, b = self._factors(theta)
        inner = inputs @ a  # [p, n, r]
        y = objective.embedding + inner @ b

        def back(slopes: Slopes) -> Tensor:
            by_y = _by_embedding(slopes, objective, y)
            by_a = inputs.T @ (by_y @ b.mT)
            by_b = inner.mT @ by_y
            return torch.cat([by_a.flatten(1), by_b.flatten(1)], 1)

        return y @ objective.texts.T, y.square().sum(-1), back

    def _factors(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        a, b = theta.split([self.w * self.rank, self.rank * self.d], -1)
        return a.unflatten(-1, (self.w, self.rank)), b.unflatten(-1, (self.rank, self.d))


def _by_embedding(slopes: Slopes, objective: Objective, y: Tensor) -> Tensor:
    """[p, n, d]: the gradient by edited embeddings."""
    return (slopes.products @ objective.texts).addcmul_(slopes.squares[..., None], y, value=2)
