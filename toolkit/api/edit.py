"""`tk.edit`: fit a change of the image projection to a few images, with success and locality in balance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.edit_problem import EditProblem, check_possible, edit_problem
from toolkit.api.edit_settings import (
    Pair,
    known_options,
    known_pairs,
    known_steps,
    known_strategy,
    known_weight,
)
from toolkit.api.edits import Edit
from toolkit.api.held_out import HeldOut
from toolkit.api.held_out import held_out as judged_on
from toolkit.api.history import History
from toolkit.api.judged import judged
from toolkit.api.total import Check, quiet
from toolkit.core.parts import Convention
from toolkit.core.solvers import RATE, adam, converge
from toolkit.core.strategies import Strategy
from toolkit.core.threads import one_blas_thread
from toolkit.models.model import check_device

Each = Callable[[int, Tensor], None]
RECORDED = 200_000_000
"""Bytes of parameters that a history may hold; of larger edits some steps alone are recorded."""
FEWEST = 21


def edit(
    acts: Any,
    classes: Any,
    heads: Any = (),
    alpha: float = 10,
    beta: float = 10,
    steps: int | str = 100,
    strategy: str = "diagonal",
    logit_scale: float | None = None,
    true: str | int | None = None,
    predicted: str | int | None = None,
    *,
    pairs: Sequence[Pair] | None = None,
    held_out: Any = None,
    unrelated: Mapping[str, Any] | None = None,
    nonnegative: bool = False,
    allowance: float | None = None,
    rate: float = RATE,
    seed: int = 0,
    name: str = "",
    device: Any = "cpu",
    convention: Convention | None = None,
    check: Check = quiet,
) -> Edit:
    """Edit the image projection: minimise L_CE + α L_success + β L_locality over θ (R25 eq. 11–13; methods §4).

    L_success draws the wrong images W to what the model says of them without `heads`, L_locality keeps the right ones C
    ∪ A at what it says now, L_CE draws all of them to their labels. α = β = 0 is standard fine-tuning. θ starts at the
    identity and depends on nothing but these arguments.

    acts: parts of the few labelled images it is made from, ten a class in R25. classes: all classes to tell apart,
    those that should stay as they are too. heads: in any spelling. alpha, beta: 0 (off) to 1e12. steps: of Adam on the
    full batch, default 100; or "converge": L-BFGS to its end, which overfits. strategy: "diagonal" (default), "full",
    "rank R". logit_scale: of g = softmax(scale · cosine); default the checkpoint's, 1 as in R25 (then α, β of 1e3 to
    1e4). true, predicted: the mistake to mend, default all of them; pairs: several mistakes. held_out: parts of other
    images, which `.success` and `.locality` are measured on (default: the images it was made from, and it says so).
    unrelated: by name, parts an edit should leave alone, or (parts, their own class set). nonnegative: keep θ ≥ 0.
    allowance: take the best step that keeps at least 1 − allowance of C ∪ A right. rate: of Adam, 1e-2. seed: of the
    start of "rank R". check: called with (steps done, of); may raise to end it.

    Returns an `Edit`: .theta [d], .success, .locality, .history, .fold(model), .save(path). Raises InputError where no
    image is wrong in this way, without heads (for α > 0), for one class, and weights below 0 or NaN; warns of heads
    that were found under another class set.

    >>> import toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
    >>> tk.edit(few, tk.classes(["waterbird", "landbird"]), "L3.H7 L3.H5", steps=20).theta.shape
    torch.Size([96])
    """
    images = judged(acts, classes, "edit", convention)
    asked = known_pairs(classes, true, predicted, pairs, images.mistakes)
    problem = edit_problem(acts, classes, heads, asked, logit_scale, convention)
    held = None if held_out is None and not unrelated else judged_on(problem, held_out, unrelated)
    return fit(
        problem, alpha, beta, steps, strategy, held=held, nonnegative=nonnegative, allowance=allowance, rate=rate,
        seed=seed, name=name, device=device, check=check,
    )  # fmt: skip


def fit(
    problem: EditProblem,
    alpha: float,
    beta: float,
    steps: int | str = 100,
    strategy: str = "diagonal",
    *,
    held: HeldOut | None = None,
    nonnegative: bool = False,
    allowance: float | None = None,
    rate: float = RATE,
    seed: int = 0,
    name: str = "",
    device: Any = "cpu",
    check: Check = quiet,
    each: Each | None = None,
) -> Edit:
    """The edit of a problem; arguments as for `edit`. each: called after every step with its number and θ [k]."""
    a, b = known_weight("alpha", alpha), known_weight("beta", beta)
    count, way = known_steps(steps), known_strategy(strategy, problem.images.embedding.shape[1])
    options = known_options(way, rate, nonnegative, allowance, seed)
    place = check_device(device, "edit")
    check_possible(problem, a)
    settings = _settings(problem) | options | {"steps": "converge" if count is None else count}
    options.pop("allowance")
    if count is None:
        history, done = _converged(problem, way, a, b, options, place, check)
        settings["done"] = done
    else:
        history = _stepped(problem, way, a, b, count, options, place, check, each)
    at = len(history) - 1 if allowance is None else history.best(allowance)
    return Edit(
        history.theta[at].clone(), way, a, b, int(history.steps[at]), name, settings, history, problem, held
    )  # fmt: skip


def _converged(
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


def _stepped(
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


def _settings(problem: EditProblem) -> dict[str, Any]:
    """What the edit was made from, as plain values."""
    facts = dict(problem.images.facts)
    return facts | {
        "classes": list(facts["classes"]), "heads": str(problem.heads), "logit_scale": problem.scale,
        "pairs": [list(pair) for pair in problem.pairs], "targets": list(problem.targets),
        "ids": problem.ids, "sizes": {name: len(ids) for name, ids in problem.ids.items()},
        "notes": list(problem.notes),
    }  # fmt: skip
