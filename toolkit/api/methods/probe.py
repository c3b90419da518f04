"""`Probe`: linear probes that begin at the class vectors."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from toolkit.api.methods.by_texts import TextFitted
from toolkit.api.methods.dial import Dial, Ledger
from toolkit.api.methods.fitted import Fitted, Names, by_name, wide
from toolkit.api.methods.heads_off import known_heads
from toolkit.api.methods.method import Method, Told, checked_number
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.core.heads import HeadSet
from toolkit.core.methods.head_sums import head_sum
from toolkit.core.methods.probes import ProbeProblem
from toolkit.core.seen import Seen
from toolkit.errors import InputError

Array = NDArray[np.float64]
LAMBDAS = (math.inf, *(float(x) for x in np.round(10 ** np.linspace(3, -2, 24), 6)))
LAMBDA = Dial(
    "λ", LAMBDAS, paper=1.0, start=math.inf, low=1e-6, log=True, says="how hard class vectors are held where they were"
)


@dataclass(frozen=True, eq=False, repr=False)
class ClassProbe(Method):
    """Base class of probes: W from T, logits s E Wᵀ, an objective of their own and the pull (λ/2)‖W − T‖².

    Arguments:
        logit_scale: s, above 0; default the checkpoint's.
    """

    told: ClassVar[Told] = "labels"
    logit_scale: float | None = None

    def problem(self, shots: Shots, images: Tensor | None = None) -> ProbeProblem:
        """What is to be solved.

        Arguments:
            shots: the images and their labels.
            images: other embeddings of them [n, d]; default their own.
        """
        given = shots.scale if self.logit_scale is None else self.logit_scale
        scale = checked_number(self.name, "logit_scale", given, 0, 1e4, above=True)
        return ProbeProblem(shots.embedding if images is None else images, shots.labels, shots.texts, scale)

    @abstractmethod
    def coordinates(self, problem: ProbeProblem, shots: Shots, lam: float) -> Array:
        """[c, r]: where the objective is least.

        Arguments:
            problem: images, labels and class vectors.
            shots: what else is known of the images.
            lam: λ.
        """

    def solve(self, shots: Shots) -> Fitted:
        made = ProbeFitted(self, shots)
        made.problem = self.problem(shots)
        made.ledger = self.told_of(shots)
        made.weights(LAMBDA.paper)  # refuses what is missing now
        return made

    def told_of(self, shots: Shots) -> Ledger:
        """What it was told.

        Arguments:
            shots: the images it is fitted to.
        """
        grouped = len(shots) if self.told == "groups" else 0
        return Ledger(labels=len(shots), group_labels=grouped, parameters=shots.texts.numel())


class ProbeFitted(TextFitted):
    """A probe, solved for every λ it is asked for. problem: what is solved."""

    dial = LAMBDA
    problem: ProbeProblem
    method: ClassProbe

    def weights(self, value: float) -> Tensor:
        """[c, d]: W of the classes it was made for; solved once for every λ.

        Arguments:
            value: λ.
        """
        made: dict[float, Tensor] = self.__dict__.setdefault("_solved", {})
        if value not in made:
            if len(made) > 64:
                made.clear()
            made[value] = self.problem.vectors(self.method.coordinates(self.problem, self.shots, value))
        return made[value]

    def leave_one_out(self, value: float | None = None, second: float | None = None) -> Tensor:
        at = self.dial.checked(value, self.name)
        if len(self.shots) < 2:
            raise InputError(self.name, "one shot left out of one", "two shots or more", "draw more images")
        found = []
        for i in range(len(self.shots)):
            rest = self.shots.without(i)
            problem = self.method.problem(rest)
            own = rest.texts if at == self.dial.start else problem.vectors(self.method.coordinates(problem, rest, at))
            found.append(self.shots.embedding[i] @ own.T)
        return torch.stack(found)

    def vectors(self, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        own = self.weights(value)
        if names == self.classes.names:
            return own
        found = texts.clone()
        for mine, theirs in by_name(self.classes, names):
            found[theirs] = own[mine]
        return found


@method
@dataclass(frozen=True, eq=False, repr=False)
class Probe(ClassProbe):
    """ERM from the class vectors: mean cross-entropy of s E Wᵀ + (λ/2)‖W − T‖², no bias; convex, one optimum.

    Classes without images keep their vector as a start and move only as their softmax competes.

    Arguments:
        logit_scale: s, above 0; default the checkpoint's.
        on: heads the images are freed of first, in any spelling (R25 Table 6: a few-shot classifier on changed
            embeddings); the dial then takes the heads away from 0 to 1, and turns λ from there to 2; default none.

    >>> import toolkit as tk
    >>> Probe()
    Probe(logit_scale=None, on=None)
    """

    name: ClassVar[str] = "probe"
    source: ClassVar[str] = "ERM"
    on: Any = None

    def coordinates(self, problem: ProbeProblem, shots: Shots, lam: float) -> Array:
        n, c = len(shots), len(shots.classes)
        return problem.solve(np.full(n, 1 / n), np.full(c, lam))

    def solve(self, shots: Shots) -> Fitted:
        if self.on is None:
            return super().solve(shots)
        made = HeadlessProbeFitted(self, shots)
        made.heads = known_heads(shots, self.on)
        left = made.embedded(wide(made.seen(shots.images.acts)), 1.0)
        made.problem = self.problem(shots, normalize(left, dim=-1))
        made.ledger = self.told_of(shots)
        return made


class HeadlessProbeFitted(Fitted):
    """A probe on images without some heads. heads: which; problem: what is solved."""

    dial = Dial("way", tuple(i / 12 for i in range(25)), paper=1.8, high=2.0,
                says="to 1: the heads go; from there to 2: λ from 1,000 to 0.01")  # fmt: skip
    heads: HeadSet
    problem: ProbeProblem
    method: Probe

    @staticmethod
    def lam(value: float) -> float:
        """λ at a place of the dial from 1 on."""
        return float(10 ** (3 - 5 * (value - 1)))

    def embedded(self, seen: Seen, value: float) -> Tensor:
        kept = self.kept(seen)
        if "taken" not in kept:
            kept["taken"] = head_sum(seen, self.heads.heads)
        found: Tensor = seen.embedding - min(1.0, value) * kept["taken"]
        return found

    def contribution(self, seen: Seen, head: tuple[int, int], part: Tensor, value: float) -> Tensor:
        return (1 - min(1.0, value)) * part if head in self.heads else part

    def judge(self, images: Tensor, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        if value <= 1:
            return images @ texts.T
        own = self.problem.vectors(self.method.coordinates(self.problem, self.shots, self.lam(value)))
        found = texts.clone()
        for mine, theirs in by_name(self.classes, names):
            found[theirs] = own[mine]
        return images @ found.T
