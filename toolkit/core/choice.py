"""Choosing a head set: prefixes of ranked lists, and the one that serves best (R25 alg. 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from toolkit.core.estimates import OneNumber
from toolkit.core.headspace import HeadSpace
from toolkit.core.precision import full_precision

By = Literal["utility", "balanced", "accuracy", "worst_group", "group_mean"]
CRITERIA: tuple[By, ...] = ("utility", "balanced", "accuracy", "worst_group", "group_mean")
Head = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Judge:
    """Labelled images to judge head sets on.

    space: their heads. truth [b]: labels ≥ 0. texts [c, d]: unit class vectors. member [b], groups: group index of
    every image, and how many groups there are. side [b]: 0 for images of W, 1 for images of C ∪ A, −1 for others (for
    "balanced").
    """

    space: HeadSpace
    truth: Tensor
    texts: Tensor
    member: Tensor
    groups: int
    side: Tensor

    @full_precision
    def margins(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[b]: cosine with the own class minus the mean cosine with the others; [b]: whether the prediction is right.
        x [b, d]: embeddings of any norm.
        """
        cosines = (x @ self.texts.to(x).T) / x.norm(dim=1, keepdim=True).clamp(min=1e-300)
        own = cosines.gather(1, self.truth[:, None])[:, 0]
        rest = (cosines.sum(1) - own) / max(1, cosines.shape[1] - 1)
        return own - rest, cosines.argmax(1) == self.truth

    def value(self, x: Tensor, by: By) -> float:
        """What a criterion says of ablated embeddings x [b, d].

        "utility": mean margin (R25). "balanced": mean over W and over C ∪ A separately. "accuracy": over images.
        "worst_group", "group_mean": the least and the mean of the group accuracies.
        """
        margin, right = self.margins(x)
        if by == "utility":
            return float(margin.mean())
        if by == "balanced":
            return float((margin[self.side == 0].mean() + margin[self.side == 1].mean()) / 2)
        if by == "accuracy":
            return float(right.double().mean())
        hits = torch.bincount(self.member[right], minlength=self.groups)
        shares = hits / torch.bincount(self.member, minlength=self.groups)
        return float(shares.min() if by == "worst_group" else shares.mean())


@full_precision
def set_value(judge: Judge, heads: Sequence[Head], by: By) -> float:
    """The criterion with all of these heads off."""
    gone = sum((judge.space.contributions(*head) for head in heads), torch.zeros_like(judge.space.embedding))
    return judge.value(judge.space.embedding - gone, by)


@full_precision
def prefix_values(judge: Judge, order: Sequence[Head], by: By) -> list[float]:
    """The criterion with nothing off, then with the first 1, 2, … heads of `order` off (zero-ablation in the sum).

    Heads are positions among the layers of the judge's head space.
    """
    x = judge.space.embedding.clone()
    values = [judge.value(x, by)]
    for layer, head in order:
        x -= judge.space.contributions(layer, head)
        values.append(judge.value(x, by))
    return values


@dataclass(frozen=True)
class Choice(OneNumber):
    """heads: the chosen prefix. score: the list it is of ("" for no head at all). value: of the criterion. base: its
    value with nothing off. curves: by list, the value at t = 0, 1, ….
    """

    heads: tuple[Head, ...]
    score: str
    value: float
    base: float
    curves: dict[str, tuple[float, ...]]


def choose(judge: Judge, lists: Mapping[str, Sequence[Head]], by: By, guard: bool = True) -> Choice:
    """The prefix with the largest value over all lists and lengths; ties go to the smaller t, then to the earlier list.

    guard: compare t = 0 as well (R25's algorithm always takes at least one head).
    """
    curves = {name: tuple(prefix_values(judge, order, by)) for name, order in lists.items()}
    base = judge.value(judge.space.embedding, by)
    found: Choice | None = Choice((), "", base, base, curves) if guard else None
    for t in range(1, max((len(order) for order in lists.values()), default=0) + 1):
        for name, order in lists.items():
            if t <= len(order) and (found is None or curves[name][t] > found.value):
                found = Choice(tuple(order[:t]), name, curves[name][t], base, curves)
    return found or Choice((), "", base, base, curves)
