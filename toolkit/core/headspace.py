"""What scores need of images and heads, and nothing of d: every inner product of an embedding, a head's contribution
and a head's mean follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from toolkit.core.moments import head_numbers
from toolkit.core.precision import full_precision
from toolkit.core.room import ROWS, gathered, room
from toolkit.core.state import State


@dataclass(frozen=True, eq=False)
class HeadSpace:
    """Images and the heads of some layers, c = q A (methods §1); float64.

    q [b, l, h, k + 3]. maps A [l, h, k + 3, d]. embedding [b, d]: unit. pull [b, l, h, k + 3]: A E, so that E·c' = pull
    · q' for any contribution or mean c' = q' A of that head. gram [l, h, k + 3, k + 3]: A Aᵀ, so that c·c' = q gram
    q'ᵀ. own [b, l, h]: E·c. square [b, l, h]: ‖c‖².
    """

    q: Tensor
    maps: Tensor
    embedding: Tensor
    pull: Tensor
    gram: Tensor
    own: Tensor
    square: Tensor

    def __len__(self) -> int:
        return len(self.q)

    @full_precision
    def __getitem__(self, rows: Tensor) -> Self:
        """Some of the images."""
        q, pull = (gathered(x, rows) for x in (self.q, self.pull))
        e, own, square = (x[rows] for x in (self.embedding, self.own, self.square))
        return type(self)(q, self.maps, e, pull, self.gram, own, square)

    @full_precision
    def along(self, direction: Tensor) -> Tensor:
        """[b, l, h]: c · direction [d] of every head."""
        worth = self.maps @ direction.to(self.maps)
        return torch.cat([torch.einsum("blhk,lhk->blh", q, worth) for q in self.q.split(ROWS)])

    @full_precision
    def contributions(self, layer: int, head: int) -> Tensor:
        """c [b, d] of one head (positions among the layers here)."""
        return self.q[:, layer, head] @ self.maps[layer, head]


@full_precision
def head_space(states: Iterable[State], maps: Tensor, layers: Sequence[int], images: int | None = None) -> HeadSpace:
    """The head space of the images of `states` and of some layers. maps [l, h, k + 3, d]: of all layers of the model
    (`moment_maps`). images: how many there are, where the states come one after the other; default as many as a list
    of states holds.
    """
    at = list(layers)
    if images is None:
        states = list(states)
        images = sum(map(len, states))
    a = maps[at].double()
    gram = a @ a.mT
    l, h, k, d = a.shape
    q, pull = (room(images, l, h, k, like=a) for _ in range(2))
    embedding = room(images, d, like=a)
    own, square = (torch.empty(images, l, h, dtype=torch.float64, device=a.device) for _ in range(2))
    first = 0
    for state in states:  # some at a time: a whole store holds far more than this
        some = slice(first, first := first + len(state))
        numbers, output = head_numbers(state, at), state.output.double()
        e = output / output.norm(dim=-1, keepdim=True)
        along = (e @ a.reshape(l * h * k, d).T).unflatten(-1, (l, h, k))
        q[some], pull[some], embedding[some] = numbers, along, e
        own[some] = (numbers * along).sum(-1)
        square[some] = torch.einsum("blhk,lhkj,blhj->blh", numbers, gram, numbers)
    return HeadSpace(q, a, embedding, pull, gram, own, square)
