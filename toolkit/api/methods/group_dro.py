"""`GroupDRO`: the worst group's loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from toolkit.api.checks import whole
from toolkit.api.methods.method import Told, checked_number
from toolkit.api.methods.probe import Array, ClassProbe
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.core.methods.probes import ProbeProblem, group_dro


@method
@dataclass(frozen=True, eq=False, repr=False)
class GroupDRO(ClassProbe):
    """Group DRO from the class vectors, full batch: q ∝ q exp(η ℓ), then a step along Σ q ∇ℓ + λ(W − T).

    Sagawa et al. 2020 (arXiv 1911.08731), algorithm 1. The rate is divided by s², as the loss has curvature up to s²/2:
    with a rate of its own 1e-2 it diverges at s = 100. Groups without images among the shots have no say.

    Arguments:
        logit_scale: s, above 0; default the checkpoint's.
        eta: η, of the groups' weights; default 0.01.
        rate: of the descent, before it is divided by s²; default 1.
        steps: at least 1; default 1,000.
        adjust: C of the adjusted loss, ℓ + C/√n; default 0.

    >>> import toolkit as tk
    >>> GroupDRO().steps
    1000
    """

    name: ClassVar[str] = "GroupDRO"
    told: ClassVar[Told] = "groups"
    source: ClassVar[str] = "Sagawa et al. 2020"
    eta: float = 0.01
    rate: float = 1.0
    steps: int = 1000
    adjust: float = 0.0

    def coordinates(self, problem: ProbeProblem, shots: Shots, lam: float) -> Array:
        for name, low in (("eta", 0), ("rate", 0), ("adjust", 0)):
            checked_number(self.name, name, getattr(self, name), low, 1e3)
        whole("steps", self.steps, 1, self.name)
        settings = {"eta": self.eta, "rate": self.rate, "steps": self.steps, "adjust": self.adjust}
        return group_dro(problem, shots.members[1], lam=lam, **settings).b  # type: ignore[arg-type]
