"""`MIClip`: dimensions that tell an attribute set to zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor

from toolkit.api.methods.dial import Dial, Ledger
from toolkit.api.methods.fitted import Fitted, Names
from toolkit.api.methods.method import Method, Told
from toolkit.api.methods.registry import method
from toolkit.api.methods.robo_shot import CANCELS
from toolkit.api.methods.shots import Shots
from toolkit.api.switch_off.fold import fold_both
from toolkit.core.methods.dimensions import clipped, explained_share, mutual_information, ranked_dimensions
from toolkit.core.seen import Seen
from toolkit.errors import InputError
from toolkit.models.model import Model

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
        attribute: a value for every image [n], or by id; default what the groups' names say beside the class.
        answers: two or more texts of the attribute's values, such as ("a water background", "a land background"), or
            vectors [v, d]: each image gets the nearest, no group is asked for, and a note says so; default none.

    >>> import toolkit as tk
    >>> MIClip()
    MIClip(score='share', attribute=None, answers=None)
    """

    name: ClassVar[str] = "MI-clip"
    told: ClassVar[Told] = "groups"
    source: ClassVar[str] = "Wang et al. 2021"
    score: Score = "share"
    attribute: Any = None
    answers: Any = None

    def solve(self, shots: Shots) -> MIClipFitted:
        if self.score not in get_args(Score):
            raise InputError(self.name, f"score={self.score!r}", " or ".join(map(repr, get_args(Score))), "name one")
        asked = self.answers is not None
        if asked and self.attribute is not None:
            raise InputError(self.name, "attribute= and answers=", "one of the two", "leave one out")
        values = self._answered(shots) if asked else self._attribute(shots)
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
        made.ledger = Ledger(
            labels=len(shots), group_labels=0 if asked else len(shots), texts=len(self.answers) if asked else 0
        )
        if asked:
            made.notes = ("the attribute's values are the model's own answers, not labels",)
        return made

    def _answered(self, shots: Shots) -> list[str]:
        """For every image the place of the nearest text."""
        texts = shots.encoded(self.answers, "answers")
        if len(texts) < 2:
            raise InputError(self.name, f"answers: {len(texts)} text", "two or more", "name the other values")
        return [str(i) for i in (shots.embedding @ texts.T).argmax(1).tolist()]

    def _attribute(self, shots: Shots) -> list[str]:
        """The value of every image: of "landbird on water", a landbird, it is "on water"."""
        if isinstance(self.attribute, Mapping):
            ids = shots.images.acts.ids.astype(str).tolist()
            missing = [name for name in ids if name not in self.attribute]
            if missing:
                raise InputError(
                    self.name, f"no value of {missing[0]!r}", "a value for every image", "name each image's"
                )
            return [str(self.attribute[name]) for name in ids]
        if self.attribute is not None:
            if len(self.attribute) != len(shots):
                given = f"{len(self.attribute)} values for {len(shots)} images"
                raise InputError(self.name, given, "one value per image", "name each image's")
            return [str(value) for value in self.attribute]
        labels = [shots.classes.names[i] for i in shots.labels.tolist()]
        pairs = list(zip(shots.groups, labels, strict=True))
        values = [_beside(str(group), label) for group, label in pairs]
        by_class = [{v for v, (_, label) in zip(values, pairs, strict=True) if label == name} for name in set(labels)]
        if len(by_class) > 1 and not any(one & other for one, other in combinations(by_class, 2)):
            given = f"groups such as {str(shots.groups[0])!r}, whose attribute no two classes share"
            raise InputError(self.name, given, "attribute=[…], a value per image", "name the attribute of every image")
        return values


def _beside(group: str, label: str) -> str:
    """What a group's name says beside the class: “on water” of “landbird on water”, “0” of “1_0”; else all of it."""
    for own, rest in ((group[: len(label)], group[len(label) :]), (group[-len(label) :], group[: -len(label)])):
        edge = rest[:1] if group.startswith(label) and rest == group[len(label) :] else rest[-1:]
        if own == label and rest and not edge.isalnum():
            return rest.strip(" _-,:/|")
    return group


class MIClipFitted(Fitted):
    """`MIClip`, its dimensions ranked. found [d]: the score of every dimension; order [d]: the largest first."""

    found: Tensor
    order: Tensor

    def judge(self, images: Tensor, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        return clipped(images, self.order, round(value)) @ clipped(texts, self.order, round(value)).T

    def quick(self, seen: Seen, value: float, second: float | None) -> Tensor:
        gone = self.order[: round(value)]
        taken = seen.embedding[:, gone]
        squares = [1 - x.square().sum(1) for x in (taken, seen.texts[:, gone])]
        if min(float(square.min()) for square in squares) < CANCELS:
            return self.judge(seen.embedding, seen.texts, seen.names, value, second)
        left, norms = (square.sqrt() for square in squares)
        products = self._as_it_is(seen) - taken @ seen.texts[:, gone].T
        return products / left[:, None] / norms

    def fold(self, model: Model, value: float | None = None, second: float | None = None) -> Model:
        """A model with these dimensions 0 in both projections (`Model`). Arguments as for `Fitted`."""
        self._check_model(model)
        at = self.dial.checked(value, self.name)
        return fold_both(model, self.matrices(at, None)[0], f"{model.card.id}, {self.name} (m = {at:g})")

    def matrices(self, value: float, second: float | None) -> tuple[Tensor, Tensor]:
        kept = torch.ones(len(self.order), dtype=torch.float64)
        kept[self.order[: round(value)]] = 0
        return torch.diag(kept), clipped(self.shots.texts, self.order, round(value))
