"""Choosing a head set: prefixes of ranked lists, and the one that serves best (R25 alg. 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from typing import Literal

import torch
from torch import Tensor

from toolkit.core.estimates import OneNumber
from toolkit.core.headspace import HeadSpace
from toolkit.core.precision import full_precision
from toolkit.core.room import ROWS
from toolkit.signs import counted

By = Literal["utility", "balanced", "accuracy", "worst_group", "group_mean", "stable", "cross_validation"]
CRITERIA: tuple[By, ...] = ("utility", "balanced", "accuracy", "worst_group", "group_mean")
STEADY: tuple[By, ...] = ("stable", "cross_validation")
"""Criteria that are more than a value of a set on some images."""
ROUNDING = 1e-9
"""Points by which an accuracy in per cent may be rounded."""
Head = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Judge:
    """Labelled images to judge head sets on.

    space: their heads. truth [b]: labels ≥ 0. texts [c, d]: unit class vectors. member [b], groups: group index of
    every image, and how many groups there are. side [b]: 0 for images of W, 1 for images of C ∪ A, −1 for others (for
    "balanced"). others [b]: images of classes that are not repaired; None: of none. within: points of accuracy that
    these may lose together; a set that costs them more is worth −∞.
    """

    space: HeadSpace
    truth: Tensor
    texts: Tensor
    member: Tensor
    groups: int
    side: Tensor
    others: Tensor | None = None
    within: float = inf

    def part(self, rows: Tensor) -> Judge:
        """The same of some images."""
        own = {name: getattr(self, name)[rows] for name in ("space", "truth", "member", "side")}
        return replace(self, **own, others=None if self.others is None else self.others[rows])

    @cached_property
    def sizes(self) -> Tensor:
        """[groups]: images of each."""
        return torch.bincount(self.member.cpu(), minlength=self.groups)

    @cached_property
    def counted(self) -> Tensor:
        """[groups]: which groups count: those with images, of the classes that are repaired."""
        if self.others is None:
            return self.sizes > 0
        return torch.bincount(self.member[~self.others].cpu(), minlength=self.groups) > 0

    @full_precision
    def values(self, order: Sequence[Head], by: By) -> list[float]:
        """What a criterion says with nothing off, then with the first 1, 2, … heads of `order` off (zero-ablation in
        the sum). Heads are positions among the layers of the head space. Some images at a time.

        "utility": mean margin (R25), the cosine with the own class less the mean cosine with the others. "balanced":
        its mean over W and over C ∪ A separately. "accuracy": over images. "worst_group", "group_mean": the least and
        the mean of the group accuracies.
        """
        tallies = [Tally(self) for _ in range(len(order) + 1)]
        texts = self.texts.to(self.space.embedding).T
        along = [self.space.maps[layer, head] @ texts for layer, head in order]
        for rows in torch.arange(len(self.space)).split(ROWS):
            x = self.space.embedding[rows].clone()
            logits = x @ texts
            tallies[0].add(rows, logits, x)
            for tally, (layer, head), own in zip(tallies[1:], order, along, strict=True):
                q = self.space.q[rows, layer, head]
                x -= q @ self.space.maps[layer, head]
                logits -= q @ own  # far less than all of x along all classes again
                tally.add(rows, logits, x)
        kept = [tally.others for tally in tallies]
        lost = [kept[0] - own for own in kept]
        return [
            tally.value(by) if points <= self.within + ROUNDING else -inf
            for tally, points in zip(tallies, lost, strict=True)
        ]


@full_precision
def predicted(judge: Judge, heads: Sequence[Head]) -> tuple[Tensor, Tensor]:
    """[c] and [c]: the share of the images that is taken for each class, with nothing off and with these heads off."""
    texts, classes = judge.texts.to(judge.space.embedding).T, len(judge.texts)
    counts = [torch.zeros(classes, dtype=torch.double) for _ in range(2)]
    for rows in torch.arange(len(judge.space)).split(ROWS):
        x = judge.space.embedding[rows].clone()
        counts[0] += torch.bincount((x @ texts).argmax(1).cpu(), minlength=classes)
        for layer, head in heads:
            x -= judge.space.q[rows, layer, head] @ judge.space.maps[layer, head]
        counts[1] += torch.bincount((x @ texts).argmax(1).cpu(), minlength=classes)
    before, after = (count / count.sum() for count in counts)
    return before, after


class Tally:
    """Margins and right answers of changed embeddings of a judge's images, summed some images at a time."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._margin, self._of_side = 0.0, [0.0, 0.0]
        self._hits = torch.zeros(judge.groups, dtype=torch.long)
        self._others = 0

    def add(self, rows: Tensor, logits: Tensor, x: Tensor) -> None:
        """Images by their rows [n]: their changed embeddings x [n, d], of any norm, and x along the classes [n, c]."""
        judge = self._judge
        cosines = logits / x.norm(dim=1, keepdim=True).clamp(min=1e-300)
        truth, side = judge.truth[rows], judge.side[rows]
        own = cosines.gather(1, truth[:, None])[:, 0]
        margin = own - (cosines.sum(1) - own) / max(1, cosines.shape[1] - 1)
        right = cosines.argmax(1) == truth
        self._margin += float(margin.sum())
        self._of_side = [total + float(margin[side == i].sum()) for i, total in enumerate(self._of_side)]
        self._hits += torch.bincount(judge.member[rows][right].cpu(), minlength=judge.groups)
        if judge.others is not None:
            self._others += int(right[judge.others[rows]].sum())

    @property
    def others(self) -> float:
        """Accuracy in per cent of the classes that are not repaired; 0 where there are none."""
        judge = self._judge
        return 0.0 if judge.others is None else 100 * self._others / max(1, int(judge.others.sum()))

    def value(self, by: By) -> float:
        """What a criterion says of all of them."""
        judge = self._judge
        if by == "utility":
            return self._margin / len(judge.truth)
        if by == "balanced":
            sizes = [int((judge.side == i).sum()) for i in (0, 1)]
            shares = [total / n if n else float("nan") for total, n in zip(self._of_side, sizes, strict=True)]
            return sum(shares) / 2
        if by == "accuracy":
            return int(self._hits.sum()) / len(judge.truth)
        shares_of = (self._hits / judge.sizes)[judge.counted]
        return float(shares_of.min() if by == "worst_group" else shares_of.mean())


def set_value(judge: Judge, heads: Sequence[Head], by: By) -> float:
    """The criterion with all of these heads off."""
    return judge.values(heads, by)[-1]


def prefix_values(judge: Judge, order: Sequence[Head], by: By) -> list[float]:
    """The criterion with nothing off, then with the first 1, 2, … heads of `order` off."""
    return judge.values(order, by)


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
    shown = counted(lists.items(), "switch the worst heads off", "list", len(lists))
    curves = {name: tuple(prefix_values(judge, order, by)) for name, order in shown}
    first = next(iter(curves.values()), None)
    base = set_value(judge, (), by) if first is None else first[0]
    name, length = best_prefix(curves, guard)
    return Choice(
        tuple(lists[name][:length]) if length else (), name, curves[name][length] if length else base, base, curves
    )


def best_prefix(curves: Mapping[str, Sequence[float]], guard: bool = True) -> tuple[str, int]:
    """The list and the length t with the largest value; "" and 0 for no head at all, where nothing is better.

    curves: by list, the value at t = 0, 1, …. guard: compare t = 0 as well. Ties go to the smaller t, then to the
    earlier list.
    """
    base = next((curve[0] for curve in curves.values()), -inf)
    name, length, value = "", 0, base if guard else -inf
    for t in range(1, max((len(curve) for curve in curves.values()), default=0)):
        for own, curve in curves.items():
            if t < len(curve) and (curve[t] > value or (not guard and not length)):
                name, length, value = own, t, curve[t]
    return name, length
