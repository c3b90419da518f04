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
        q, e, pull, own, square = (x[rows] for x in (self.q, self.embedding, self.pull, self.own, self.square))
        return type(self)(q, self.maps, e, pull, self.gram, own, square)

    @full_precision
    def contributions(self, layer: int, head: int) -> Tensor:
        """c [b, d] of one head (positions among the layers here)."""
        return self.q[:, layer, head] @ self.maps[layer, head]


@full_precision
def head_space(states: Iterable[State], maps: Tensor, layers: Sequence[int]) -> HeadSpace:
    """The head space of the images of `states` and of some layers. maps [l, h, k + 3, d]: of all layers of the model
    (`moment_maps`).
    """
    at = list(layers)
    a = maps[at].double()
    numbers, outputs_ = [], []
    for state in states:  # some at a time: a whole store holds far more than this
        numbers.append(head_numbers(state, at))
        outputs_.append(state.output.double())
    q, outputs = torch.cat(numbers), torch.cat(outputs_)
    embedding = outputs / outputs.norm(dim=-1, keepdim=True)
    l, h, k, d = a.shape
    pull = (embedding @ a.reshape(l * h * k, d).T).unflatten(-1, (l, h, k))
    gram = a @ a.mT
    own = (q * pull).sum(-1)
    square = torch.einsum("blhk,lhkj,blhj->blh", q, gram, q)
    return HeadSpace(q, a, embedding, pull, gram, own, square)
