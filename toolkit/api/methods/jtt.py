"""`JTT`: mistakes of a first stage weigh more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from toolkit.api.checks import whole
from toolkit.api.methods.method import checked_number
from toolkit.api.methods.probe import Array, ClassProbe
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.core.methods.probes import ProbeProblem
from toolkit.errors import InputError

First = Literal["zero_shot", "erm"]


@method
@dataclass(frozen=True, eq=False, repr=False)
class JTT(ClassProbe):
    """Just train twice: a `Probe` in which the images that a first stage got wrong weigh `up` times as much.

    Liu et al. 2021 (arXiv 2107.09044). Needs no groups to fit; a λ chosen on validation images by their worst group
    does. `first="zero_shot"`, the model's own mistakes, is ours; "erm" are those of as many full-batch steps of rate
    1/s² as `first_steps`, the paper's T epochs.

    Arguments:
        logit_scale: s, above 0; default the checkpoint's.
        up: how much more the mistakes weigh, from 1; default 20.
        first: "zero_shot" or "erm"; default "zero_shot".
        first_steps: of "erm"; default 1.

    >>> import toolkit as tk
    >>> JTT().up
    20.0
    """

    name: ClassVar[str] = "JTT"
    source: ClassVar[str] = "Liu et al. 2021"
    up: float = 20.0
    first: First = "zero_shot"
    first_steps: int = 1

    def mistakes(self, problem: ProbeProblem, shots: Shots) -> NDArray[np.bool_]:
        """[n]: what the first stage gets wrong.

        Arguments:
            problem: images, labels and class vectors.
            shots: their labels.
        """
        if self.first not in get_args(First):
            raise InputError(self.name, f"first={self.first!r}", " or ".join(map(repr, get_args(First))), "name one")
        b = problem.origin
        if self.first == "erm":
            even = np.full(len(shots), 1 / len(shots))
            for _ in range(self.first_steps):
                b = b - problem.slope(b, even)[0] / problem.scale**2
        guess = (shots.embedding @ problem.vectors(b).T).argmax(1)
        return np.asarray((guess != shots.labels).numpy())

    def coordinates(self, problem: ProbeProblem, shots: Shots, lam: float) -> Array:
        checked_number(self.name, "up", self.up, 1, 1e6)
        whole("first_steps", self.first_steps, 0, self.name)
        weights = np.where(self.mistakes(problem, shots), float(self.up), 1.0)
        return problem.solve(weights / weights.sum(), np.full(len(shots.classes), lam))
