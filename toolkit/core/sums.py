"""Class logits as sums over heads: what direct ablation of any heads costs every group, in one call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from toolkit.core.parts import Parts
from toolkit.core.precision import full_precision


@dataclass(frozen=True, eq=False)
class ClassSums:
    """Cosines with c class vectors before the norm is made anew, which arg-max does not need (methods §1).

    logits [b, c]: E · T. along [b, l, h, c]: contribution of every head along T.
    """

    logits: Tensor
    along: Tensor

    def without(self, gone: Tensor, instead: Tensor | None = None) -> Tensor:
        """[b, c], or [s, b, c] for s tables: logits after taking the share `gone` [l, h] or [s, l, h] of every head
        away (1: off, 0: as is, −1: doubled) and putting the same share of `instead` in its place.

        instead: [l, h, c] or [b, l, h, c] along the class vectors; None is nothing (zero ablation).
        """
        tables = gone.to(self.along).flatten(-2)
        used = (tables.reshape(-1, tables.shape[-1]) != 0).any(0)  # of hundreds of heads a few are off
        along = self.along.flatten(1, 2)[:, used]
        if instead is not None:
            along = along - instead.flatten(-3, -2)[..., used, :]
        return self.logits - torch.einsum("...h,bhc->...bc", tables[..., used], along)

    @cached_property
    def mean(self) -> Tensor:
        """[l, h, c]: the heads' means along the class vectors."""
        return self.along.mean(0)


@full_precision
def class_sums(batches: Iterable[Parts], texts: Tensor) -> ClassSums:
    """The sums of all images of some batches of parts. texts [c, d]: unit class vectors."""
    logits, along = [], []
    for parts in batches:
        vectors = texts.to(parts.embedding)
        logits.append(parts.embedding @ vectors.T)
        along.append(parts.toward(vectors))
    return ClassSums(torch.cat(logits), torch.cat(along))


def group_hits(logits: Tensor, truth: Tensor, member: Tensor, groups: int) -> Tensor:
    """[..., g]: how many images of each group are right. logits [..., b, c]; truth, member (group index) [b]."""
    right = (logits.argmax(-1) == truth).to(torch.float64)
    one_hot = torch.nn.functional.one_hot(member, groups).to(right)
    return right @ one_hot
