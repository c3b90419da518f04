"""`AnchoredProbe`: CLAP of Silva-Rodriguez et al."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from toolkit.api.methods.probe import Array, ClassProbe
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.core.methods.probes import ProbeProblem, anchors


@method
@dataclass(frozen=True, eq=False, repr=False)
class AnchoredProbe(ClassProbe):
    """CLAP (Silva-Rodriguez 2024): a `Probe` whose pull is stronger where zero-shot is surer, mean_c a_c ‖w_c − t_c‖².

    arXiv 2312.12730. a_c is the mean zero-shot probability of the true class over the images of c, 1 without any; λ
    multiplies the mean.

    Arguments:
        logit_scale: s, above 0; default the checkpoint's.

    >>> import toolkit as tk
    >>> AnchoredProbe().name
    'CLAP (Silva-Rodriguez 2024)'
    """

    name: ClassVar[str] = "CLAP (Silva-Rodriguez 2024)"
    source: ClassVar[str] = "Silva-Rodriguez et al. 2024"

    def coordinates(self, problem: ProbeProblem, shots: Shots, lam: float) -> Array:
        n = len(shots)
        sure = torch.softmax(problem.scale * shots.embedding @ problem.texts.T, 1)
        c = len(shots.classes)
        return problem.solve(np.full(n, 1 / n), 2 * lam / c * anchors(sure, shots.labels, c))
