"""Images as an edit changes them: embeddings, class vectors, and the parts behind the embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from toolkit.core.head_parts import HeadParts
from toolkit.core.moments import head_numbers
from toolkit.core.state import State

NUMBERS, FEWEST = 20_000_000, 256
"""Logits that are made at once, and images that should be among them."""
KEPT = 20_000_000
"""Products of parts of heads with class vectors that are kept."""


@dataclass(frozen=True, eq=False)
class Seen:
    """b images and the c classes they are told apart by.

    embedding [b, d]. texts [c, d]: class vectors. names: of the classes. states: gives what is kept of the heads of
    some layers, some images at a time, in order. maps: gives A of all layers [l, h, k + 3, d]. inputs: gives what the
    projection is multiplied by, over the norm of the embedding [b, w]; None where nobody knows.
    """

    embedding: Tensor
    texts: Tensor
    names: tuple[str, ...]
    states: Callable[[Sequence[int]], Iterable[State]]
    maps: Callable[[], Tensor]
    inputs: Callable[[], Tensor] | None = None
    _along: dict[HeadParts, Tensor] = field(default_factory=dict, repr=False)

    def numbers(self, layers: Sequence[int], most: int) -> Iterator[Tensor]:
        """q [b', len(layers), h, k + 3] of the images in order, at most so many at a time, float64."""
        at = list(layers)
        for state in self.states(at):
            yield from head_numbers(state).split(max(1, most))

    def along(self, parts: HeadParts, most: int) -> Iterator[Tensor]:
        """Parts of heads times class vectors [k, b', c] of the images in order, at most so many at a time. Those of the
        parts asked for last are kept, up to KEPT numbers: a slider asks for them again and again.
        """
        if parts in self._along:
            yield self._along[parts]
            return
        worth = parts.maps(self.maps()).cpu() @ self.texts.double().cpu().T  # [k, m, c]
        kept: list[Tensor] = []
        fits = len(parts) * len(self.embedding) * len(self.texts) <= KEPT
        for q in self.numbers(parts.layers, most):
            found = torch.einsum("bkm,kmc->kbc", parts.numbers(q.cpu()), worth)
            if fits:
                kept.append(found)
            yield found
        if fits:
            self._along.clear()
            self._along[parts] = torch.cat(kept, 1)


def nearest(embedding: Tensor, texts: Tensor) -> Tensor:
    """[p, b]: predictions of embeddings [b, d] with p sets of class vectors [p, c, d]."""
    edits, c = texts.shape[:2]
    found = torch.empty(edits, len(embedding), dtype=torch.long)
    together = max(1, min(edits, NUMBERS // (c * FEWEST)))
    for start in range(0, edits, together):
        part = texts[start : start + together]
        vectors = part.flatten(0, 1).T.to(embedding)
        at = 0
        for some in embedding.split(max(1, NUMBERS // vectors.shape[1])):
            logits = (some @ vectors).unflatten(-1, (len(part), c))
            found[start : start + len(part), at : at + len(some)] = logits.argmax(-1).T
            at += len(some)
    return found
