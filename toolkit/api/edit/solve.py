"""The way from the identity to an edit: steps of Adam, or L-BFGS to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.checks import Check
from toolkit.api.edit.history import History
from toolkit.api.edit.problem import EditProblem
from toolkit.core.solvers import adam, converge
from toolkit.core.strategies import Strategy
from toolkit.core.threads import one_blas_thread

Each = Callable[[int, Tensor], None]
RECORDED = 200_000_000
"""Bytes of parameters that a history may hold; of larger edits some steps alone are recorded."""
FEWEST = 21


def converged(
    problem: EditProblem, way: Strategy, a: float, b: float, options: dict[str, Any], place: torch.device, check: Check
) -> tuple[History, bool]:
    """The start and the end of L-BFGS, and whether it ended by itself."""
    with one_blas_thread():
        ended = converge(
            problem.objective.to(place), way, a, b, nonnegative=options["nonnegative"], seed=options["seed"],
            tolerance=1e-6, check=lambda total: check(0, 1),
        )  # fmt: skip
    theta = torch.stack([way.start(1, options["seed"], ended.theta)[0], ended.theta])
    at = np.array([0, max(1, len(ended.totals) - 1)])
    return History(at, theta.cpu(), a, b, problem.objective, way), ended.done


def stepped(
    problem: EditProblem, way: Strategy, a: float, b: float, steps: int, options: dict[str, Any], place: torch.device,
    check: Check, each: Each | None,
) -> History:  # fmt: skip
    objective = problem.objective if place.type == "cpu" else problem.objective.to(place)
    weights = (objective.embedding.new_tensor([x]) for x in (a, b))
    keep = recorded(way, steps)
    kept: list[Tensor] = []
    for step, theta in enumerate(adam(objective, way, *weights, **options)):
        if step == keep[len(kept)]:
            kept.append(theta[0])
        if step == steps:
            break
        check(step, steps)
        if each is not None:
            each(step, theta[0])
    return History(keep, torch.stack(kept).cpu(), a, b, problem.objective, way)


def recorded(way: Strategy, steps: int) -> NDArray[np.int64]:
    """The steps whose parameters a history keeps."""
    most = max(FEWEST, RECORDED // (8 * way.size))
    if steps < most:
        return np.arange(steps + 1)
    return np.unique(np.linspace(0, steps, most).round().astype(np.int64))
