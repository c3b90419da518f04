"""`HeadsOff`: heads out of the sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from toolkit.api.locate.locate import locate
from toolkit.api.methods.dial import Ledger
from toolkit.api.methods.method import Method, Told
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.api.methods.without_heads import WithoutHeads, mean_of
from toolkit.core.heads import HeadSet
from toolkit.errors import InputError

Instead = Literal["zero", "mean"]


@method
@dataclass(frozen=True, eq=False, repr=False)
class HeadsOff(Method):
    """Heads with a strength from 1, as they are, to 0, out of the sum: the located ablation of R25 (Algorithm 1).

    Arguments:
        heads: in any spelling; default those that `tk.locate` chooses on the shots, by U.
        how: what stands in their place: "zero", nothing, or "mean", their mean over the shots; default "zero".

    >>> import toolkit as tk
    >>> HeadsOff("L3.H7 L3.H5").how
    'zero'
    """

    name: ClassVar[str] = "heads off"
    told: ClassVar[Told] = "labels"
    source: ClassVar[str] = "R25 §3.2"
    heads: Any = None
    how: Instead = "zero"

    def solve(self, shots: Shots) -> WithoutHeads:
        if self.how not in ("zero", "mean"):
            raise InputError(self.name, f"how={self.how!r}", "'zero' or 'mean'", "name one of the two")
        made = WithoutHeads(self, shots)
        made.heads = located_heads(shots) if self.heads is None else known_heads(shots, self.heads)
        zero = torch.zeros(shots.embedding.shape[1], dtype=torch.float64)
        made.mean = mean_of(shots, made.seen(shots.images.acts), made.heads) if self.how == "mean" else zero
        made.ledger = Ledger(labels=len(shots) if self.heads is None else 0)
        made.notes = (f"heads {made.heads or 'none'}",)
        return made


def known_heads(shots: Shots, heads: Any) -> HeadSet:
    """Heads in any spelling, which the model has."""
    return HeadSet.of(heads, *shots.images.acts.shape[1:3])


def located_heads(shots: Shots) -> HeadSet:
    """The heads that Algorithm 1 chooses on the shots; none where none of them is wrong."""
    if bool((shots.images.guess == shots.images.truth).all()):
        return HeadSet(())
    return locate(shots.images.acts, shots.classes, resamples=1).choose()
