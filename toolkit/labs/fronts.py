"""What every strategy can reach: its frontier over α and β from several draws of the few images, coarse cells first."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.api.checks import Check, quiet
from toolkit.api.edit.frontier import default_weights, grid
from toolkit.api.edit.frontier_result import Frontier, Measure
from toolkit.api.edit.held_out import HeldOut
from toolkit.api.edit.problem import EditProblem
from toolkit.labs.edit import EditSession, Settings
from toolkit.labs.edit_records import BandSent, FrontsSent

FRONTED = ("diagonal", "strengths", "strengths all", "directions 2", "class vectors")
"""Strategies whose fronts are drawn: of few numbers, so that five draws of all take a minute at most."""
ACROSS: tuple[Measure, ...] = ("success", "worst", "like")
UP: tuple[Measure, ...] = ("locality", "agreement")
LEVELS = 24
COARSE = 4
"""Of the weights every fourth first."""
Fronts = dict[str, Frontier]


def in_background() -> bool:
    """Whether what nobody asked for may be worked out: not with TOOLKIT_BACKGROUND=0 in the environment."""
    return os.environ.get("TOOLKIT_BACKGROUND") != "0"


def any_strategy(settings: Settings) -> Settings:
    """What fronts depend on."""
    return settings.plane._replace(strategy="", nonnegative=False)


def front_weights(scale: float) -> tuple[float, ...]:
    """0 and eight half decades: nine values."""
    known = default_weights(scale)
    return (*known, float(f"{known[-1] * 10**0.5:.3g}"))


def fronts(
    session: EditSession, settings: Settings, each: Callable[[Fronts], None], check: Check = quiet
) -> tuple[Fronts, int]:
    """The frontiers of FRONTED and of the strategy set, by name, and the draws that were left out as nobody is wrong so
    in them. each: called with what there is, coarse frontiers first, the strategy set before the others. Empty where
    there is nothing to learn from.
    """
    drawn = (session.problem(settings.heads, settings.pair, settings.scale, draw) for draw in range(session.draws))
    possible = [(problem, held) for problem, held in drawn if problem.teaches]
    names = list(FRONTED) if possible else []
    names.sort(key=lambda name: name != settings.strategy)
    found: Fronts = {}
    every = front_weights(session.images.acts.card.logit_scale if settings.scale is None else settings.scale)
    for weights in (every[::COARSE], every):
        for name in names:
            found[name] = _front(possible, settings._replace(strategy=name), weights, check)
            each(found)
    return found, session.draws - len(possible)


def _front(
    possible: Sequence[tuple[EditProblem, HeldOut]], settings: Settings, weights: Sequence[float], check: Check
) -> Frontier:
    """The frontier of one strategy."""
    return grid(
        [problem for problem, _ in possible], [held for _, held in possible], weights, weights, settings.steps,
        settings.strategy, nonnegative=settings.nonnegative and settings.strategy == "diagonal",
        hold=dict(settings.holds), check=check,
    )  # fmt: skip


def sent(found: Fronts, settings: Settings, left: int) -> FrontsSent:
    """Fronts for the browser. left: draws that were left out."""
    bands = [
        band
        for name, frontier in found.items()
        for x in ACROSS
        for y in UP
        if (band := _band(name, frontier, x, y)) is not None
    ]
    draws = len(next(iter(found.values())).success) if found else 0
    return {"of": any_strategy(settings).told, "draws": draws, "left": left, "bands": bands}


def _band(name: str, frontier: Frontier, x: Measure, y: Measure) -> BandSent | None:
    """None where a measure is unknown. Levels that some draw does not reach are left out: a mean must be over all."""
    if not (np.isfinite(frontier.of(x)).any() and np.isfinite(frontier.of(y)).any()):
        return None
    levels = np.linspace(np.nanmin(frontier.of(x)), np.nanmax(frontier.of(x)), LEVELS)
    at, best = frontier.band(levels, x, y)
    reached = np.isfinite(best).all(0)
    at, best = at[reached], best[:, reached]
    return {
        "strategy": name, "across": x, "up": y, "x": _digits(at), "y": _digits(best.mean(0)),
        "low": _digits(best.min(0)), "high": _digits(best.max(0)),
    }  # fmt: skip


def _digits(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in values.round(4)]
