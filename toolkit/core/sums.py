"""Class logits as sums over heads: what direct ablation of any heads costs every group, exactly, at any size.

Everything is linear in q (methods §1): of the heads that change, a product with as many columns as they have numbers
is taken off the logits of the unchanged model, which are kept. No array of images × heads × classes is ever made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from toolkit.core.moments import head_numbers
from toolkit.core.precision import full_precision
from toolkit.core.state import State

TIE = 1e-6
"""Cosines closer than this are not told apart in float32: such images are worked out in float64."""
BLOCK, NUMBERS = 1024, 60_000_000
"""Images that are decided together, and numbers of heads up to which they are."""
ROWS = 4096
"""Images that are looked at together."""
How = Literal["zero", "mean"]
Instead = How | Tensor
"""What takes a head's place: nothing, its mean over the images, or what it wrote for other images [b], by row."""


class HeadSource(Protocol):
    """Where the numbers q of heads come from (methods §1)."""

    def some(self, layer: int, heads: Tensor) -> Tensor:
        """[b, n, k + 3] of some heads of a layer, of all images."""
        ...

    def exact(self, layer: int, rows: Tensor) -> Tensor:
        """[r, h, k + 3] of some images, float64."""
        ...

    def embedding(self, rows: Tensor) -> Tensor:
        """[r, d]: unit embeddings of some images, as they are kept."""
        ...


@dataclass(frozen=True, eq=False)
class ClassSums:
    """Cosines with c class vectors before the norm is made anew, which arg-max does not need (methods §1).

    logits [b, c]: E · T. texts [c, d]: T. maps [l, h, k + 3, d]: what q is worth in the joint space (`moment_maps`).
    source: of q.
    """

    logits: Tensor
    texts: Tensor
    maps: Tensor
    source: HeadSource

    @property
    def shape(self) -> tuple[int, int]:
        """Layers, and heads a layer."""
        return int(self.maps.shape[0]), int(self.maps.shape[1])

    @full_precision
    def taken(self, gone: Tensor, instead: Instead = "zero") -> Tensor:
        """[b, c]: what logits lose when the share `gone` [l, h] of every head is taken away (1: off, 0: as is, −1:
        doubled) and the same share of what takes its place is put there.
        """
        lost = torch.zeros_like(self.logits)
        for layer, heads, q in self._changed(gone, instead):
            lost.addmm_(q.flatten(1), self._worth(layer, heads, gone))
        return lost

    def without(self, gone: Tensor, instead: Instead = "zero") -> Tensor:
        """[b, c]: logits after that."""
        lost = self.taken(gone, instead)
        return torch.sub(self.logits, lost, out=lost)

    def decide(self, gone: Tensor, instead: Instead = "zero") -> tuple[Tensor, int]:
        """[b]: predictions after that; how many were too close to call in float32 and were worked out in float64. Of a
        few heads some images at a time, so that no second array of images × classes is made.
        """
        numbers = int((gone != 0).sum()) * self.maps.shape[2] * len(self.logits)
        if numbers > NUMBERS:
            return arg_max(self.without(gone, instead), lambda rows: self.exact(rows, gone, instead))
        changed = [(q.flatten(1), self._worth(layer, heads, gone)) for layer, heads, q in self._changed(gone, instead)]
        guess, close = [], 0
        for start in range(0, len(self.logits), BLOCK):
            some = slice(start, start + BLOCK)
            logits = self.logits[some].clone() if changed else self.logits[some]
            for q, worth in changed:
                logits.addmm_(q[some], worth, alpha=-1)
            found, ties = arg_max(logits, lambda at, first=start: self.exact(first + at, gone, instead))  # type: ignore[misc]
            guess.append(found)
            close += ties
        return torch.cat(guess), close

    def _worth(self, layer: int, heads: Tensor, gone: Tensor) -> Tensor:
        """[n · (k + 3), c]: what the numbers of some heads that go are worth along the classes."""
        along = self._along(layer, heads, self.logits) * gone[layer, heads].to(self.logits)[:, None, None]
        return along.flatten(0, 1)

    @full_precision
    def exact(self, rows: Tensor, gone: Tensor, instead: Instead = "zero") -> Tensor:
        """[r, c]: `without` of some images, float64."""
        found = self.source.embedding(rows).double() @ self.texts.double().T
        for layer in gone.any(1).nonzero()[:, 0].tolist():
            heads = gone[layer].nonzero()[:, 0]
            q = self.source.exact(layer, rows)[:, heads]
            if isinstance(instead, Tensor):
                q = q - self.source.exact(layer, instead[rows])[:, heads]
            elif instead == "mean":
                q = q - self.source.some(layer, heads).double().mean(0)
            along = self._along(layer, heads, found) * gone[layer, heads].to(found)[:, None, None]
            found -= q.flatten(1) @ along.flatten(0, 1)
        return found

    def _changed(self, gone: Tensor, instead: Instead) -> Iterable[tuple[int, Tensor, Tensor]]:
        """Layers, their heads that change, and the numbers that go [b, n, k + 3]."""
        for layer in gone.any(1).nonzero()[:, 0].tolist():
            heads = gone[layer].nonzero()[:, 0]
            q = self.source.some(layer, heads).to(self.logits)
            if isinstance(instead, Tensor):
                q = q - q[instead]
            elif instead == "mean":
                q = q - q.double().mean(0).to(q)
            yield layer, heads, q

    def _along(self, layer: int, heads: Tensor, like: Tensor) -> Tensor:
        """[n, k + 3, c]: what q of some heads is worth along the classes."""
        return self.maps[layer, heads].to(like) @ self.texts.T.to(like)


@dataclass(frozen=True, eq=False)
class KeptNumbers:
    """A source that has everything in memory. q [b, l, h, k + 3], outputs [b, d]."""

    q: Tensor
    outputs: Tensor

    def some(self, layer: int, heads: Tensor) -> Tensor:
        return self.q[:, layer, heads]

    def exact(self, layer: int, rows: Tensor) -> Tensor:
        return self.q[rows, layer].double()

    def embedding(self, rows: Tensor) -> Tensor:
        return torch.nn.functional.normalize(self.outputs[rows], dim=-1)


@full_precision
def class_sums(states: Iterable[State], maps: Tensor, texts: Tensor) -> ClassSums:
    """The sums of all images of some states, in memory. maps [l, h, k + 3, d]. texts [c, d]: unit class vectors."""
    kept = list(states)
    outputs = torch.cat([state.output for state in kept])
    source = KeptNumbers(torch.cat([head_numbers(state) for state in kept]), outputs)
    vectors = texts.to(outputs)
    return ClassSums(torch.nn.functional.normalize(outputs, dim=-1) @ vectors.T, vectors, maps, source)


def arg_max(logits: Tensor, exact: Callable[[Tensor], Tensor]) -> tuple[Tensor, int]:
    """[b]: the class with the largest logit, and how many images had another within TIE of it: those are decided by
    `exact` logits [r, c] of these rows, in float64. logits [b, c].
    """
    guess, close = [], []
    for some in logits.split(ROWS):
        best = some.max(1)
        guess.append(best.indices)
        close.append((some >= best.values[:, None] - TIE).sum(1) > 1)
    found, rows = torch.cat(guess), torch.cat(close).nonzero()[:, 0]
    for part in rows.split(ROWS) if len(rows) else ():
        found[part] = exact(part).argmax(1)
    return found, len(rows)


def group_hits(logits: Tensor, truth: Tensor, member: Tensor, groups: int) -> Tensor:
    """[..., g]: how many images of each group are right. logits [..., b, c]; truth, member (group index) [b]."""
    return right_by_group(logits.argmax(-1) == truth, member, groups)


def right_by_group(right: Tensor, member: Tensor, groups: int) -> Tensor:
    """[..., g]: the same of whether each image is right [..., b]."""
    found = torch.zeros(*right.shape[:-1], groups, dtype=torch.float64, device=right.device)
    return found.index_add_(-1, member, right.to(torch.float64))
