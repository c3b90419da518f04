"""Adam for a single edit on the CPU, in numpy, whose calls cost a third of torch's: what a slider waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.class_vectors import ClassVectors
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.objective import LEAST, Objective
from toolkit.core.strategies import Bounds, Diagonal
from toolkit.core.threads import one_blas_thread

Array = NDArray[np.float64]
DECAY = (0.9, 0.999)
SMALL = 1e-8
NOTHING: Mapping[int, float] = MappingProxyType({})
"""What is held: nothing."""


class SmallEdit(Protocol):
    """One edit."""

    def forward(self, at: Array) -> tuple[Array, Array]:
        """Products y · T [n, c] and squares ‖y‖² [n]."""
        ...

    def back(self, by: Array, by_square: Array) -> Array:
        """Gradients of both, at the parameters of the last `forward`, to that of θ [k]."""
        ...


class SmallDiagonal:
    """y = θ ⊙ E."""

    def __init__(self, objective: Objective) -> None:
        self.e, self.texts = objective.embedding.numpy(), objective.texts.numpy()
        self.squares = objective.squares.numpy()
        self.at = np.ones(self.e.shape[1])

    def forward(self, at: Array) -> tuple[Array, Array]:
        self.at = at
        return self.e @ (at * self.texts).T, self.squares @ (at * at)

    def back(self, by: Array, by_square: Array) -> Array:
        slope: Array = ((by.T @ self.e) * self.texts).sum(0) + 2 * self.at * (by_square @ self.squares)
        return slope


class SmallStrengths:
    """y = E + Σ (θ_k − 1) c_k."""

    def __init__(self, objective: Objective) -> None:
        assert objective.parts is not None
        n, k, c = objective.parts.along.shape
        self.plain, self.norms = objective.plain.numpy(), objective.norms.numpy()
        self.along = np.ascontiguousarray(objective.parts.along.numpy().transpose(0, 2, 1).reshape(n * c, k))
        self.against = objective.parts.against.numpy()
        self.gram = objective.parts.gram.numpy().reshape(n * k, k)
        self.met = self.against

    def forward(self, at: Array) -> tuple[Array, Array]:
        amounts = at - 1
        self.met = (self.gram @ amounts).reshape(self.against.shape) + self.against
        squares: Array = self.norms + (self.met + self.against) @ amounts
        return (self.along @ amounts).reshape(self.plain.shape) + self.plain, squares

    def back(self, by: Array, by_square: Array) -> Array:
        slope: Array = by.ravel() @ self.along + 2 * (by_square @ self.met)
        return slope


class SmallClassVectors:
    """T′ = θ / ‖θ‖ for some classes."""

    def __init__(self, objective: Objective, strategy: ClassVectors) -> None:
        self.e, self.plain, self.norms = (x.numpy() for x in (objective.embedding, objective.plain, objective.norms))
        self.original, self.rows = strategy.original.numpy(), list(strategy.rows)
        self.first = self.original * _inverse(self.original)
        self.unit, self.inverse = self.first, np.ones((len(self.rows), 1))

    def forward(self, at: Array) -> tuple[Array, Array]:
        vectors = at.reshape(self.original.shape)
        self.inverse = _inverse(vectors)
        self.unit = vectors * self.inverse
        products = self.plain.copy()
        products[:, self.rows] += self.e @ (self.unit - self.first).T
        return products, self.norms

    def back(self, by: Array, by_square: Array) -> Array:
        by_unit = by[:, self.rows].T @ self.e
        inward = (by_unit * self.unit).sum(1, keepdims=True)
        slope: Array = ((by_unit - inward * self.unit) * self.inverse).ravel()
        return slope


def _inverse(vectors: Array) -> Array:
    """1 / ‖·‖ of every row [t, 1]."""
    found: Array = 1 / np.sqrt(np.maximum((vectors * vectors).sum(1, keepdims=True), LEAST))
    return found


def small_edit(objective: Objective, strategy: Any) -> SmallEdit | None:
    """An edit to be solved alone; None for matrices, of which the work is in products that torch does as well."""
    if isinstance(strategy, Diagonal):
        return SmallDiagonal(objective)
    if isinstance(strategy, ClassVectors):
        return SmallClassVectors(objective, strategy)
    return SmallStrengths(objective) if isinstance(strategy, HeadStrengths) else None


def small_steps(
    objective: Objective, edit: SmallEdit, theta: Tensor, weights: Tensor, rate: float, bounds: Bounds | None,
    ridge: float, ahead: int, hold: Mapping[int, float] = NOTHING,
) -> Iterator[list[Tensor]]:  # fmt: skip
    """Parameters [1, k] after 1, 2, … steps, `ahead` at a time; arguments as for `solvers.adam`. weights [1, n, 1]."""
    labels, probs, share = (x.numpy() for x in (objective.labels, objective.probs.clone(), weights[0]))
    at, n, kept = theta[0].numpy(), len(labels), objective.kept.numpy()
    start = np.ones_like(at) if hold else at
    places, values = list(hold), list(hold.values())
    mean, square = np.zeros_like(at), np.zeros_like(at)
    one, two = DECAY
    for done in count(1, ahead):
        found = []
        with one_blas_thread():
            for step in range(done, done + ahead):
                products, squares = edit.forward(at)
                inverse = 1 / np.sqrt(np.maximum(squares, LEAST))
                scaled = (objective.scale * inverse)[:, None]
                q = products * scaled
                q -= q.max(1, keepdims=True)
                np.exp(q, out=q)
                q /= q.sum(1, keepdims=True)
                if step == 1 and not hold:  # at the identity the model is its own teacher, to the last bit
                    probs[kept] = q[kept]
                by = (q - labels) / n
                q -= probs
                by += q * share
                by *= scaled
                slope = edit.back(by, (by * products).sum(1) * (inverse * inverse) * -0.5)
                if ridge:
                    slope += ridge * (at - start)
                mean = one * mean + (1 - one) * slope
                square = two * square + (1 - two) * slope * slope
                size = np.sqrt(square) * (1 - two**step) ** -0.5 + SMALL
                at = at - (rate / (1 - one**step)) * mean / size
                if bounds is not None:
                    at = np.clip(at, *bounds)
                if places:
                    at[places] = values
                found.append(torch.from_numpy(at)[None])
        yield found
