"""What fitted methods are judged on, the paths of their dials there, and where a dial is put."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from toolkit.api.edit.held_out import HeldOut, held_out
from toolkit.api.edit.problem import edit_problem
from toolkit.api.images.acts import Acts
from toolkit.api.methods.compared import Turned
from toolkit.api.methods.fitted import Fitted
from toolkit.data.classes import ClassSet
from toolkit.data.counts import many
from toolkit.errors import InputError

Choose = Literal["paper", "validation", "loo"]


@dataclass(frozen=True, eq=False)
class JudgedField:
    """What one draw is judged on, and chosen on."""

    problem: Any
    held: HeldOut
    chosen_on: HeldOut | None
    notes: tuple[str, ...]


def field_of(few: Acts, classes: ClassSet, held: Any, unrelated: Any, validation: Any) -> JudgedField:
    problem = edit_problem(few, classes, (), operation="comparison")
    judging = held_out(problem, held, unrelated)
    chosen_on = None if validation is None else held_out(problem, validation)
    notes = []
    if judging.used:
        notes.append(f"{many(judging.used, 'held-out image')} are among the few: left out of what is judged")
    if chosen_on is not None and chosen_on.used:
        notes.append(f"{many(chosen_on.used, 'validation image')} are among the few: left out")
    if chosen_on is not None:
        shared = np.isin(chosen_on.images.acts.ids.astype(str), judging.images.acts.ids.astype(str))
        if shared.any():
            given = f"{int(shared.sum())} images that both choose and judge"
            accepted = "validation images that are not held out"
            raise InputError("comparison", given, accepted, "take them out of one of the two")
    return JudgedField(problem, judging, chosen_on, tuple(notes))


def path_of(fitted: Fitted, values: Sequence[float], held: HeldOut) -> dict[str, Any]:
    """Measures along the path [m]."""
    found = held.rates(lambda seen: torch.stack([fitted.scores_of(seen, value).argmax(1) for value in values]))
    return dict(found)


def turned_by(fitted: Fitted, field: JudgedField, choose: Choose, within: float | None) -> Turned:
    """The dial put as it was asked for."""
    dial, chosen = fitted.dial, "paper"
    value = dial.paper
    if choose == "validation" and field.chosen_on is not None and len(dial.grid) > 1:
        chosen = "validation"
        rates = path_of(fitted, dial.grid, field.chosen_on)
        grouped = field.chosen_on.images.has_groups and np.isfinite(rates["worst"]).all()
        worst = rates["worst"] if grouped else rates["success"]
        if not np.isfinite(worst).all():
            given = "validation images, none of a class that the shots are of"
            raise InputError("comparison", given, f"images of {', '.join(field.problem.targets)}", "add some")
        kept = rates["locality"]
        if within is not None and np.isfinite(kept).all():
            worst = np.where(kept >= kept[dial.grid.index(dial.start)] - within / 100 - 1e-12, worst, -1.0)
        value = dial.grid[int(np.flatnonzero(worst >= worst.max() - 1e-12)[0])]  # the grid begins at the start
    if choose == "loo" and len(dial.grid) > 1:
        value, chosen = left_out_value(fitted)
    return Turned(fitted, value, chosen, field.problem, field.held)


def left_out_value(fitted: Fitted) -> tuple[float, str]:
    """The value with which most shots are right that were left out; the paper's where a method cannot leave one out."""
    labels, right = fitted.shots.labels, []
    try:
        right = [int((fitted.leave_one_out(v).argmax(1) == labels).sum()) for v in fitted.dial.grid]
    except InputError:
        return fitted.dial.paper, "paper: it cannot leave one out"
    return fitted.dial.grid[int(np.argmax(right))], "leave one out"
