"""`BalancedProbe`: every group weighs as much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from toolkit.api.methods.method import Told
from toolkit.api.methods.probe import Array, ClassProbe
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.core.methods.probes import ProbeProblem, balanced_weights


@method
@dataclass(frozen=True, eq=False, repr=False)
class BalancedProbe(ClassProbe):
    """`Probe` whose groups of images weigh alike, w ∝ 1/n_g.

    Arguments:
        logit_scale: s, above 0; default the checkpoint's.

    >>> import toolkit as tk
    >>> BalancedProbe().told
    'groups'
    """

    name: ClassVar[str] = "balanced probe"
    told: ClassVar[Told] = "groups"
    source: ClassVar[str] = "ERM, groups weighed alike"

    def coordinates(self, problem: ProbeProblem, shots: Shots, lam: float) -> Array:
        return problem.solve(balanced_weights(shots.members[1]), np.full(len(shots.classes), lam))
