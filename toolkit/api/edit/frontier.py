"""`tk.frontier`: the trade of locality for success over a grid of α and β, solved together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.checks import Check, quiet
from toolkit.api.edit.frontier_result import MEASURES, Frontier, Point
from toolkit.api.edit.held_out import HeldOut
from toolkit.api.edit.held_out import held_out as judged_on
from toolkit.api.edit.problem import EditProblem, check_possible, edit_problem
from toolkit.api.edit.settings import Pair, known_hold, known_options, known_pairs, known_steps, known_weight
from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import judged
from toolkit.core.heads import HeadSet
from toolkit.core.parts import Convention
from toolkit.core.precision import full_precision
from toolkit.core.room import filled
from toolkit.core.solvers import AHEAD, adam
from toolkit.core.strategies import Bounds, Strategy
from toolkit.errors import InputError
from toolkit.signs import both, sign

TOGETHER, FIRST = 32, 8
"""Cells that are solved in one go, and how many of them first: something is to be seen soon."""
LONG, STIFF = 100, 1e8
"""Steps and weights up to which θ of a batch is that of a single solve to 1e-8."""
NUMBERS = 30_000_000
"""Parameters and products of them that may be alive: of full matrices fewer cells are solved together."""


@full_precision
def frontier(
    acts: Any,
    classes: Any,
    heads: Any,
    alphas: Sequence[float] | None = None,
    betas: Sequence[float] | None = None,
    *,
    held_out: Any = None,
    steps: int = 100,
    strategy: str = "diagonal",
    logit_scale: float | None = None,
    true: str | int | None = None,
    predicted: str | int | None = None,
    pairs: Sequence[Pair] | None = None,
    unrelated: Mapping[str, Any] | None = None,
    nonnegative: bool = False,
    rate: float | None = None,
    seed: int = 0,
    bounds: Bounds | None = None,
    ridge: float | None = None,
    hold: Mapping[Any, float] | None = None,
    layers: Any = None,
    convention: Convention | None = None,
    check: Check = quiet,
    each: Callable[[Frontier], None] | None = None,
) -> Frontier:
    """Edit success and edit locality over a grid of α and β (R25 fig. 7–8). Every cell's θ is that of `tk.edit`.

    Arguments:
        acts: parts of the few labelled images edits are made from (`Acts`); a list of such draws gives a band.
        classes: all classes to tell apart (`tk.classes`), those that should stay as they are too.
        heads: which L_success learns from, in any spelling; for several draws a list of as many HeadSets, or one set
            for all.
        alphas: weights of success, no unit, each 0 to 1e12; default 0 and half decades that suit the logit scale.
        betas: weights of locality, no unit, each 0 to 1e12; default 0 and half decades that suit the logit scale.
        held_out: parts of other images, of target and of other classes (or name an `unrelated` set); default the images
            edits are made from, where locality is that of the images that were right.
        steps: of Adam on the full batch, 0 to 100,000; default 100.
        strategy: "diagonal", "full", "rank R", "strengths", "strengths all", "directions R" or "class vectors"; default
            "diagonal".
        logit_scale: of g = softmax(scale · cosine), above 0; default the checkpoint's.
        true: the class whose images are to be mended, by name or index; default all.
        predicted: the class they are taken for, by name or index; default all.
        pairs: several mistakes (true, predicted) instead; default all mistakes.
        unrelated: by name, parts an edit should leave alone, or (parts, their own class set); default none.
        nonnegative: keep θ ≥ 0, of the diagonal alone; default False.
        rate: of Adam, above 0; default 0.01, 0.03 for “strengths all” and directions.
        seed: of the start of "rank R"; default 0.
        bounds: the least and the largest strength, or scale of the diagonal; default (0, 2) of strengths and
            directions.
        ridge: weight of ½ ‖θ − θ₀‖², θ₀ the identity; default as for `tk.edit`.
        hold: strengths that stay as given, by head; default none.
        layers: whose heads “strengths all” scales: a list, or a negative int for the last |n|; default the last four.
        convention: "separate" or "reference"; default that of `acts`.
        check: called with (cells done, of); what it raises ends the work; default nothing.
        each: called with the frontier as it fills (nan where nothing is known yet), coarse cells first; default
            nothing.

    Returns:
        `Frontier`: .success, .worst, .like, .locality, .agreement [draw, α, β], .pareto, .point(name, …).

    >>> import toolkit as tk
    >>> names = ["waterbird", "landbird", "cat", "car"]
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
    >>> val = tk.extract(tk.load(), tk.scenes("val", n=200), progress=False)
    >>> tk.frontier(few, tk.classes(names), "L3.H7", [0, 10], [0, 10], held_out=val, steps=5).success.shape
    (1, 2, 2)
    """
    draws = list(acts) if isinstance(acts, list | tuple) else [acts]
    if not draws:
        fix = "pass few = acts.draw(per_class=10), or a list of such draws"
        raise InputError("frontier", "an empty list of draws", "parts, or several of them", fix)
    several = isinstance(heads, list | tuple) and bool(heads) and all(isinstance(h, HeadSet) for h in heads)
    sets = list(heads) if several else [heads] * len(draws)
    if len(sets) != len(draws):
        given = f"{len(sets)} head sets for {len(draws)} draws"
        raise InputError("frontier", given, "one set, or one for each draw", "pass as many sets as draws")
    problems = []
    for draw, chosen in zip(draws, sets, strict=True):
        images = judged(draw, classes, "frontier", convention)
        asked = known_pairs(classes, true, predicted, pairs, images)
        problems.append(edit_problem(draw, classes, chosen, asked, logit_scale, convention, "frontier", layers))
    held = [judged_on(problem, held_out, unrelated) for problem in problems]
    return grid(
        problems, held, alphas, betas, steps, strategy, nonnegative=nonnegative, rate=rate, seed=seed, bounds=bounds,
        ridge=ridge, hold=hold, check=check, each=each,
    )  # fmt: skip


def default_weights(scale: float) -> tuple[float, ...]:
    """0 and half decades: 1 to 1000 at a CLIP's logit scale; at 1, where a divergence is far smaller, 100 to 10⁵."""
    first = 0.0 if scale > 10 else 2.0
    return (0.0, *(float(f"{10 ** (first + i / 2):.3g}") for i in range(7)))


def grid(
    problems: Sequence[EditProblem],
    held: Sequence[HeldOut],
    alphas: Sequence[float] | None = None,
    betas: Sequence[float] | None = None,
    steps: int = 100,
    strategy: str = "diagonal",
    *,
    nonnegative: bool = False,
    rate: float | None = None,
    seed: int = 0,
    bounds: Bounds | None = None,
    ridge: float | None = None,
    hold: Mapping[Any, float] | None = None,
    check: Check = quiet,
    each: Callable[[Frontier], None] | None = None,
) -> Frontier:
    """The frontier of problems, each judged on its own held-out images; arguments as for `frontier`."""
    default = default_weights(problems[0].scale)
    a = _weights("alphas", default if alphas is None else alphas)
    b = _weights("betas", default if betas is None else betas)
    count = known_steps(steps)
    if count is None:
        raise InputError("frontier", 'steps="converge"', "a number of steps", "solve single edits to convergence")
    ways = [problem.strategy(strategy) for problem in problems]
    name, sizes = ways[0].name, zip(problems, ways, strict=True)
    options = [
        known_options(name, way.size, len(problem.images), rate, nonnegative, seed, bounds, ridge)
        for problem, way in sizes
    ]
    options = [one._replace(hold=known_hold(hold, way, one.bounds)) for one, way in zip(options, ways, strict=True)]
    for problem, on in zip(problems, held, strict=True):
        check_possible(problem, max(a))
        if not on.target.any() or not (on.has_others or on.unrelated):
            given = "held_out without images of " + ("the target classes" if not on.target.any() else "other classes")
            fix = "hold out images of all classes, or name an unrelated set: unrelated={…}"
            raise InputError("frontier", given, "images of target classes and of others", fix)
    values = {name: np.full((len(problems), len(a), len(b)), np.nan) for name in MEASURES}
    settings = {
        "steps": count, "strategy": name, "logit_scale": problems[0].scale, "split": held[0].split,
        "n": len(held[0].images), "sizes": held[0].sizes, "draws": len(problems),
    } | options[0].told  # fmt: skip
    points = [references(problem, on) for problem, on in zip(problems, held, strict=True)]
    arrays: dict[str, Any] = {str(name): table for name, table in values.items()}
    made = Frontier(
        a, b, **arrays, points=_mean_points(points), settings=settings, _problems=tuple(problems), _held=tuple(held)
    )
    done, total = 0, len(problems) * a.size * b.size
    with sign("solve the frontier", "edit") as report:
        told = both(report, check)
        for cells in _batches(a, b, max(way.size for way in ways), problems[0], count):
            for draw, (problem, on, way) in enumerate(zip(problems, held, ways, strict=True)):
                objective, how = problem.objective_of(way), options[draw]
                weights = [torch.from_numpy(x[cells[:, i]]).to(objective.embedding) for i, x in enumerate((a, b))]
                path = adam(objective, way, *weights, rate=how.rate, **how.solver)
                found = _judged(on, way, path, count, partial(told, done, total))
                for name in MEASURES:
                    values[name][draw, cells[:, 0], cells[:, 1]] = found[name]
                done += len(cells)
                told(done, total)
            if each is not None:
                each(made)
    return made


def _weights(name: str, given: Any) -> NDArray[np.float64]:
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise InputError("frontier", f"{name}={given!r}", "a list of weights", f"pass {name}=[0, 1, 10, 100]")
    found = sorted({known_weight(name, float(x) if isinstance(x, np.number) else x) for x in given})
    if not found:
        raise InputError("frontier", f"no {name}", "at least one weight", f"pass {name}=[0, 1, 10, 100]")
    return np.array(found)


def _judged(
    held: HeldOut, way: Strategy, path: Iterator[Tensor], steps: int, check: Callable[[], None]
) -> dict[str, NDArray[np.float64]]:
    """What the edits at the end of some trajectories do."""
    for _ in islice(path, steps):
        check()
    theta = next(path)
    found = held.rates(lambda seen: way.guess(theta, seen))
    lost = ~theta.isfinite().all(1).numpy()  # numbers of an edit that is none are no accuracies
    return {name: np.where(lost, np.nan, rate) for name, rate in found.items()}


def _batches(
    alphas: NDArray[np.float64], betas: NDArray[np.float64], size: int, problem: EditProblem, steps: int
) -> list[NDArray[np.int64]]:
    """Cells [m, 2] to solve together, a coarse grid first. Long and stiff trajectories are solved one by one, as
    `tk.edit` solves them: rounding, which differs from batch to batch, grows along them.
    """
    a, b = alphas.size, betas.size
    rows, columns = np.indices((a, b)).reshape(2, -1)
    level = np.full(a * b, 3)
    for power in (1, 2, 4, 8):
        level[(rows % power == 0) & (columns % power == 0)] = {1: 3, 2: 2, 4: 1, 8: 0}[power]
    order = np.stack([rows, columns], 1)[np.argsort(level, kind="stable")]
    logits = len(problem.images) * len(problem.images.classes)
    step = max(1, min(TOGETHER, NUMBERS // (size * (AHEAD + 4) + 5 * logits)))
    if steps > LONG or max(alphas[-1], betas[-1]) > STIFF:
        step = 1
    ends = [min(FIRST, step), *range(step + min(FIRST, step), len(order), step)]
    return [part for part in np.split(order, ends) if len(part)]


def references(problem: EditProblem, held: HeldOut) -> dict[str, dict[str, float]]:
    """Measures of the model as it is, and with the heads off (which is no linear edit of the embedding alone)."""
    found = {"as it is": {name: float(v[0]) for name, v in held.rates().items()}}
    if len(problem.heads):
        found["heads off"] = _ablated(problem, held)
    return found


def _ablated(problem: EditProblem, held: HeldOut) -> dict[str, float]:
    gone = 1 - problem.heads.scale(*held.images.acts.shape[1:3], 0.0)

    def off(acts: Acts, embedding: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        removed = filled(acts.sums(gone), len(acts)).to(embedding)
        return torch.sub(embedding, removed, out=removed), texts

    return {name: float(v[0]) for name, v in held.changed(off).rates().items()}


def _mean_points(points: list[dict[str, dict[str, float]]]) -> tuple[Point, ...]:
    names = points[0]
    return tuple(Point(name, **{m: float(np.mean([p[name][m] for p in points])) for m in MEASURES}) for name in names)
