"""`Edit` as a method: the α, β edit along the steps of its solver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from toolkit.api.edit.edit import edit
from toolkit.api.edit.result import Edit
from toolkit.api.methods.as_it_is import UnchangedFitted
from toolkit.api.methods.dial import Dial, Ledger
from toolkit.api.methods.fitted import Fitted, Names
from toolkit.api.methods.heads_off import known_heads, located_heads
from toolkit.api.methods.method import Method, Told
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.core.class_vectors import ClassVectors
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.heads import HeadSet
from toolkit.core.methods.head_sums import TOGETHER
from toolkit.core.projection_strategies import ProjectionChange
from toolkit.core.seen import Seen
from toolkit.core.strategies import Linear
from toolkit.errors import InputError
from toolkit.models.model import Model

POINTS = 25


@method
@dataclass(frozen=True, eq=False, repr=False)
class EditMethod(Method):
    """The edit of R25 (eq. 11 to 13): its path are the steps of the solver, whose start is the model as it is.

    Arguments:
        alpha: weight of success, no unit, 0 to 1e12; default 10.
        beta: weight of locality, no unit, 0 to 1e12; default 10.
        heads: success learns to do without; default those that `tk.locate` chooses on the shots, by U.
        strategy: "diagonal", "full", "rank R", "strengths", "directions R" or "class vectors"; default "diagonal".
        steps: of Adam, or "converge"; default 100.
        logit_scale: of g; default the checkpoint's.

    >>> import toolkit as tk
    >>> tk.methods.Edit(heads="L3.H7").strategy
    'diagonal'
    """

    name: ClassVar[str] = "edit"
    told: ClassVar[Told] = "labels"
    source: ClassVar[str] = "R25 §3.3"
    alpha: float = 10.0
    beta: float = 10.0
    heads: Any = None
    strategy: str = "diagonal"
    steps: int | str = 100
    logit_scale: float | None = None

    def solve(self, shots: Shots) -> Fitted:
        heads = located_heads(shots) if self.heads is None else known_heads(shots, self.heads)
        wrong = bool((shots.images.guess != shots.images.truth).any())
        alpha = self.alpha if wrong and len(heads) else 0.0
        by_heads = self.strategy.split()[0] in ("strengths", "directions") and self.strategy != "strengths all"
        if by_heads and not len(heads):
            nothing = UnchangedFitted(self, shots)
            nothing.notes = ("no image is wrong, or no head was found: there is nothing to scale",)
            return nothing
        solved = edit(
            shots.images.acts, shots.classes, heads, alpha, self.beta, self.steps, strategy=self.strategy,
            logit_scale=self.logit_scale, seed=shots.seed,
        )  # fmt: skip
        made = fitted_edit(self, shots, solved)
        if alpha != self.alpha:
            made.notes += ("no image is wrong, or no head was found: α is 0",)
        return made


def fitted_edit(method: EditMethod, shots: Shots, solved: Edit) -> EditFitted:
    """An edit with its history as a fitted method."""
    made = EditFitted(method, shots)
    made.edit = solved
    assert solved.history is not None
    steps = solved.history.steps.tolist()
    last = float(steps[-1])
    grid = tuple(float(steps[i]) for i in np.unique(np.linspace(0, len(steps) - 1, POINTS).round().astype(int)))
    made.dial = Dial("step", grid, paper=last, high=last, says="how many steps the solver has taken")
    made.ledger = Ledger(labels=len(shots), parameters=len(solved.theta))
    made.notes = (f"heads {HeadSet.of(solved.settings['heads']) or 'none'}",)
    return made


class EditFitted(Fitted):
    """The edit, solved. edit: the `Edit` itself."""

    edit: Edit
    method: EditMethod

    def theta(self, value: float) -> Tensor:
        """[k]: parameters at a step; between two that are recorded those of the earlier one."""
        history = self.edit.history
        assert history is not None
        return history.theta[int(np.searchsorted(history.steps, value, side="right")) - 1]

    def embedded(self, seen: Seen, value: float) -> Tensor:
        way = self.edit.strategy
        if isinstance(way, HeadStrengths | ProjectionChange):
            return way.embedded(self.theta(value), seen)
        return seen.embedding

    def contribution(self, seen: Seen, head: tuple[int, int], part: Tensor, value: float) -> Tensor:
        way = self.edit.strategy
        if isinstance(way, ProjectionChange):
            given = "an edit of the projection: what a head writes before it is not kept"
            raise InputError(self.name, given, "a method that leaves the projection", "fold it and extract anew")
        if not isinstance(way, HeadStrengths):
            return part
        change = way.change(self.theta(value))
        if head not in change.heads:
            return part
        layer, at = head
        numbers = torch.cat([q[:, 0, at].double().cpu() for q in seen.numbers([layer], TOGETHER)])
        worth = seen.maps()[layer, at].double().cpu()
        return part + numbers @ change.of(change.heads.index(head), worth)

    def judge(self, images: Tensor, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        way, theta = self.edit.strategy, self.theta(value)
        if isinstance(way, Linear):
            return normalize(way.apply(theta, images), dim=-1) @ texts.T
        if isinstance(way, ClassVectors):
            return images @ way.texts(theta[None], texts, names)[0].T
        return images @ texts.T

    def quick(self, seen: Seen, value: float, second: float | None) -> Tensor:
        way, theta = self.edit.strategy, self.theta(value)
        if isinstance(way, Linear):
            y = way.apply(theta, seen.embedding)
            found: Tensor = (y @ seen.texts.T) / y.norm(dim=1, keepdim=True).clamp(min=1e-12)
            return found
        if isinstance(way, ClassVectors):
            return self.judge(seen.embedding, seen.texts, seen.names, value, second)
        return super().quick(seen, value, second)

    def matrices(self, value: float, second: float | None) -> tuple[Tensor, Tensor] | None:
        way, theta = self.edit.strategy, self.theta(value)
        eye = torch.eye(self.shots.embedding.shape[1], dtype=torch.float64)
        if isinstance(way, Linear):
            return way.apply(theta, eye), self.shots.texts
        if isinstance(way, ClassVectors):
            return eye, way.texts(theta[None], self.shots.texts, self.classes.names)[0]
        return None

    def fold(self, model: Model, value: float | None = None, second: float | None = None) -> Model:
        """A model with the edit in its weights (`Edit.fold`). Arguments as for `Fitted`."""
        at = self.dial.checked(value, self.name)
        assert self.edit.history is not None
        steps = self.edit.history.steps
        return self.edit.at(int(steps[np.searchsorted(steps, at, side="right") - 1])).fold(model)
