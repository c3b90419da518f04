"""`MIClip`: dimensions that tell an attribute set to zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from toolkit.api.methods.dial import Dial, Ledger
from toolkit.api.methods.fitted import Fitted, Names
from toolkit.api.methods.method import Method, Told
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.core.methods.dimensions import clipped, explained_share, mutual_information, ranked_dimensions
from toolkit.core.seen import Seen
from toolkit.errors import InputError

Score = Literal["share", "mi"]


@method
@dataclass(frozen=True, eq=False, repr=False)
class MIClip(Method):
    """MI-clip: the m dimensions that tell an attribute best are 0 in images and class vectors, both made unit again.

    Wang, Liu, Wang 2021 (arXiv 2109.05433), whose estimator is open: `score="share"` is η², the share of a dimension's
    variance between the values of the attribute, "mi" the mutual information of a median split. The nearest relative of
    the diagonal edit: its θ is 0 or 1. The attribute is what the groups tell beside the class.

    Arguments:
        score: "share" or "mi"; default "share".
        attribute: a value for every image [n]; default the part of the groups' names that the classes do not tell, else
            the groups.

    >>> import toolkit as tk
    >>> MIClip()
    MIClip(score='share', attribute=None)
    """

    name: ClassVar[str] = "MI-clip"
    told: ClassVar[Told] = "groups"
    source: ClassVar[str] = "Wang et al. 2021"
    score: Score = "share"
    attribute: tuple[str, ...] | None = None

    def solve(self, shots: Shots) -> MIClipFitted:
        if self.score not in get_args(Score):
            raise InputError(self.name, f"score={self.score!r}", " or ".join(map(repr, get_args(Score))), "name one")
        values = self._attribute(shots)
        names, member = sorted(set(values)), [sorted(set(values)).index(value) for value in values]
        if len(names) < 2:
            given = f"an attribute with one value, {names[0]!r}"
            raise InputError(self.name, given, "two or more values", "pass attribute=[…], or images of both")
        find = explained_share if self.score == "share" else mutual_information
        made = MIClipFitted(self, shots)
        made.found = find(shots.embedding, torch.tensor(member))
        made.order = ranked_dimensions(made.found)
        d = len(made.order)
        steps = sorted({0, *(round(d ** (i / 24)) for i in range(24))} - {d})
        made.dial = Dial("m", tuple(map(float, steps)), paper=float(min(20, d - 1)), high=float(d - 1), log=True,
                         says="how many dimensions are set to 0")  # fmt: skip
        made.ledger = Ledger(labels=len(shots), group_labels=len(shots))
        return made

    def _attribute(self, shots: Shots) -> list[str]:
        """The value of every image: of "landbird on water", a landbird, it is "on water"."""
        if self.attribute is not None:
            if len(self.attribute) != len(shots):
                given = f"{len(self.attribute)} values for {len(shots)} images"
                raise InputError(self.name, given, "one value per image", "name each image's")
            return [str(value) for value in self.attribute]
        labels = [shots.classes.names[i] for i in shots.labels.tolist()]
        return [group.replace(label, "").strip() or group for group, label in zip(shots.groups, labels, strict=True)]


class MIClipFitted(Fitted):
    """`MIClip`, its dimensions ranked. found [d]: the score of every dimension; order [d]: the largest first."""

    found: Tensor
    order: Tensor

    def judge(self, images: Tensor, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        return clipped(images, self.order, round(value)) @ clipped(texts, self.order, round(value)).T

    def quick(self, seen: Seen, value: float, second: float | None) -> Tensor:
        gone = self.order[: round(value)]
        taken = seen.embedding[:, gone]
        products = self._as_it_is(seen) - taken @ seen.texts[:, gone].T
        norms = (1 - seen.texts[:, gone].square().sum(1)).clamp(min=1e-300).sqrt()
        left = (1 - taken.square().sum(1)).clamp(min=1e-300).sqrt()
        return products / left[:, None] / norms

    def matrices(self, value: float, second: float | None) -> tuple[Tensor, Tensor]:
        kept = torch.ones(len(self.order), dtype=torch.float64)
        kept[self.order[: round(value)]] = 0
        return torch.diag(kept), clipped(self.shots.texts, self.order, round(value))
