"""Edits in head space: y = E + Σ (θ_k − 1) c_k over parts c_k of head contributions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from toolkit.core.head_parts import Head, HeadChange, HeadParts
from toolkit.core.objective import Objective, Slopes
from toolkit.core.seen import NUMBERS, Seen
from toolkit.core.strategies import Back


@dataclass(frozen=True, eq=False)
class HeadStrengths:
    """y = E + Σ (θ_k − 1) c_k; θ [k] starts at one: a strength for every head, or for directions inside heads.

    Its objective must hold the products of its parts (`Objective.parts`).
    """

    name: str
    parts: HeadParts
    d: int

    @property
    def size(self) -> int:
        return len(self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """What every parameter scales: "L3.H7", or of directions "L3.H7 · 1"."""
        found, seen = [], dict[Head, int]()
        for layer, head in self.parts.heads:
            seen[layer, head] = number = seen.get((layer, head), 0) + 1
            found.append(f"L{layer}.H{head}" + ("" if self.parts.directions is None else f" · {number}"))
        return tuple(found)

    def start(self, pairs: int, seed: int, like: Tensor) -> Tensor:
        return torch.ones(pairs, self.size, dtype=like.dtype, device=like.device)

    def forward(self, theta: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Back]:
        parts = objective.parts
        assert parts is not None
        n, c = objective.plain.shape
        along = parts.along.transpose(1, 2).reshape(n * c, self.size)
        amounts = theta - 1
        products = (amounts @ along.T).unflatten(-1, (n, c)) + objective.plain
        # half the slope of ‖y‖² by θ; at the start it is `against` alone
        met = (amounts @ parts.gram.reshape(n * self.size, self.size).T).unflatten(-1, (n, self.size))
        met = met + parts.against
        squares = objective.norms + (amounts[:, None] * (met + parts.against)).sum(-1)

        def back(slopes: Slopes) -> Tensor:
            by_square = (slopes.squares[:, None] @ met)[:, 0]
            return (slopes.products.flatten(-2) @ along).add_(by_square, alpha=2)

        return products, squares, back

    def change(self, theta: Tensor) -> HeadChange:
        """What the edit of one θ [k] makes of heads."""
        return self.parts.change(theta - 1)

    def embedded(self, theta: Tensor, seen: Seen) -> Tensor:
        change = self.change(theta)
        if not change.heads:
            return seen.embedding
        found, maps, done = seen.embedding.clone(), seen.maps().double().cpu(), 0
        for q in seen.numbers(change.layers, NUMBERS // maps[0, 0].numel()):
            rows = slice(done, done := done + len(q))
            found[rows] += change.added(q.cpu(), maps).to(found)
        return found

    def vectors(self, theta: Tensor, seen: Seen) -> Tensor:
        return seen.texts

    def layer_maps(self, theta: Tensor, layer: int, maps: Tensor) -> Tensor:
        change, found = self.change(theta), maps.clone()
        for i, (at, head) in enumerate(change.heads):
            if at == layer:
                found[head] += change.of(i, maps[head])
        return found

    def guess(self, theta: Tensor, seen: Seen) -> Tensor:
        found = torch.empty(len(theta), len(seen.embedding), dtype=torch.long)
        texts, done = seen.texts.to(seen.embedding), 0
        most = NUMBERS // max(1, len(texts) * max(self.size, len(theta)))
        for along in seen.along(self.parts, most):
            for some in along.split(max(1, most), 1):
                rows = slice(done, done := done + some.shape[1])
                plain = (seen.embedding[rows] @ texts.T).double()
                products = ((theta - 1).double() @ some.flatten(1)).unflatten(-1, plain.shape)
                found[:, rows] = products.add_(plain).argmax(-1)
        return found
