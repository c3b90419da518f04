"""`History`: an edit step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.objective import Objective
from toolkit.core.solvers import loss
from toolkit.core.strategies import Strategy

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """An edit along its steps, on the images it was made from. Arrays over the steps recorded [m].

    steps: their numbers (of L-BFGS: iterations; the start and the end alone carry parameters). theta [m, k]:
    parameters. ce, success, locality, total: losses. corrected: share of W that is right (nan without W). retained:
    share of C ∪ A that is still right. negative: parameters below zero.
    """

    steps: NDArray[np.int64]
    theta: Tensor
    ce: Array
    success: Array
    locality: Array
    total: Array
    corrected: Array
    retained: Array
    negative: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.steps)

    def best(self, allowance: float) -> int:
        """The position of the best step within a locality allowance: among those that keep at least 1 − allowance of
        the images of C ∪ A right, the one with most of W right; ties: smaller total, then earlier. Step 0 always
        qualifies. Everything is judged on the images the edit is made from.
        """
        allowed = np.nan_to_num(self.retained, nan=1.0) >= 1 - allowance - 1e-12
        right = np.where(allowed, np.nan_to_num(self.corrected), -1.0)
        order = np.lexsort((self.steps, self.total, -right))
        return int(order[0])

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per step: step, ce, success, locality, total, corrected, retained, negative."""
        import pandas

        names = ("ce", "success", "locality", "total", "corrected", "retained", "negative")
        return pandas.DataFrame({"step": self.steps} | {name: getattr(self, name) for name in names})

    def __repr__(self) -> str:
        last = int(self.steps[-1])
        return f"History({len(self)} records to step {last}, total {self.total[0]:.4g} → {self.total[-1]:.4g})"


def history_of(
    objective: Objective, strategy: Strategy, steps: NDArray[np.int64], theta: Tensor, alpha: float, beta: float
) -> History:
    """The history of recorded parameters [m, k]."""
    found = [loss(objective, strategy, part) for part in theta.split(_together(objective, strategy))]
    ce, success, locality = (torch.cat([terms[i] for terms in found]) for i in range(3))
    right = torch.cat([terms.log_probs.argmax(-1) == objective.truth for terms in found]).double()
    total = ce + alpha * success.nan_to_num(nan=0.0) + beta * locality.nan_to_num(nan=0.0)
    shares = [right[:, rows].mean(1) for rows in (objective.wrong, objective.kept)]
    a, b, c, d, e, f = (x.cpu().numpy() for x in (ce, success, locality, total, *shares))
    return History(steps, theta, a, b, c, d, e, f, (theta < 0).sum(1).cpu().numpy())


def _together(objective: Objective, strategy: Strategy) -> int:
    """Records that are looked at in one go."""
    n, c = len(objective.truth), len(objective.texts)
    return max(1, 20_000_000 // max(1, n * (c + strategy.d) + strategy.size))
