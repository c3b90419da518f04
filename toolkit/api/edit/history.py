"""`History`: an edit step by step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.objective import Objective
from toolkit.core.solvers import Pull, loss
from toolkit.core.strategies import Strategy

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]
NUMBERS = 20_000_000
"""Numbers that are made at once."""


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """An edit along its steps, on the images it was made from. Arrays over the steps recorded [m]; losses and shares
    are worked out when first asked for.

    steps: their numbers (of L-BFGS: iterations; the start and the end alone carry parameters). theta [m, k]:
    parameters.
    """

    steps: NDArray[np.int64]
    theta: Tensor
    alpha: float
    beta: float
    _objective: Objective
    _strategy: Strategy
    _pull: Pull | None = None

    @cached_property
    def _found(self) -> tuple[Array, ...]:
        """ce, success, locality; shares of W and of C ∪ A that are right."""
        objective = self._objective
        found = [loss(objective, self._strategy, part) for part in self.theta.split(self._together)]
        right = torch.cat([terms.log_probs.argmax(-1) == objective.truth for terms in found]).double()
        losses = [torch.cat([terms[i] for terms in found]) for i in range(3)]
        shares = [right[:, rows].mean(1) for rows in (objective.wrong, objective.kept)]
        return tuple(x.cpu().numpy() for x in (*losses, *shares))

    @property
    def _together(self) -> int:
        """Records that are looked at in one go."""
        n, c = len(self._objective.truth), len(self._objective.texts)
        return max(1, NUMBERS // max(1, n * (c + self._strategy.d) + self._strategy.size))

    @property
    def ce(self) -> Array:
        """L_CE [m]."""
        return self._found[0]

    @property
    def success(self) -> Array:
        """L_success [m], unweighted; nan without W."""
        return self._found[1]

    @property
    def locality(self) -> Array:
        """L_locality [m], unweighted; nan without C ∪ A."""
        return self._found[2]

    @property
    def total(self) -> Array:
        """L_CE + α L_success + β L_locality and the pull towards the identity [m]."""
        weighted = self.alpha * np.nan_to_num(self.success) + self.beta * np.nan_to_num(self.locality)
        pulled = 0.0 if self._pull is None else self._pull.of(self.theta).cpu().numpy()
        return np.asarray(self.ce + weighted + pulled)

    @property
    def corrected(self) -> Array:
        """Share of W that is right [m]; nan without W."""
        return self._found[3]

    @property
    def retained(self) -> Array:
        """Share of C ∪ A that is right [m]; nan without C ∪ A."""
        return self._found[4]

    @property
    def negative(self) -> NDArray[np.int64]:
        """Parameters below zero [m]."""
        return np.asarray((self.theta < 0).sum(1).cpu().numpy())

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
