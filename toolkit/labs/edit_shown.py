"""What is shown of edits: rows of groups, a place in the plane, curves and words. No widget; nothing is solved here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.api.edit.frontier_result import MEASURES, Frontier, Measure
from toolkit.api.edit.held_out import HeldOut
from toolkit.api.edit.outcome import Locality, Outcome
from toolkit.api.edit.problem import EditProblem
from toolkit.api.edit.result import Edit
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.projection_strategies import ProjectionChange
from toolkit.core.strategies import Linear
from toolkit.labs.edit_records import (
    BesideSent,
    Columns,
    CurveSent,
    EditFacts,
    EditWords,
    FrontSent,
    Measures,
    NamedMeasures,
    RowBeside,
    Scaled,
    SettingsSent,
    StrengthsSent,
)

TOLD = 5
"""Dimensions and heads that are told in words."""
POINTS = 26
"""Points of the step curve."""
NO_STRENGTHS: StrengthsSent = {"heads": [], "values": []}
LARGE = 20_000
"""Parameters up to which it is worked out how far an edit is from convergence."""


@dataclass(frozen=True, eq=False)
class EditShown:
    """An edit as it is painted.

    outcome: what it does. rows: groups before and after. told: shares that are no accuracies, in words. point: its
    measures, by name. strengths: of heads; empty for an edit that is none of them. words: all in a sentence.
    """

    edit: Edit
    outcome: Outcome
    rows: list[dict[str, Any]]
    told: list[str]
    point: Measures
    strengths: StrengthsSent
    words: str


def shown(edit: Edit) -> EditShown:
    """An edit as it is painted."""
    outcome = edit.on()
    place = point(outcome)
    words = sentence(edit, place, outcome.held)
    return EditShown(edit, outcome, rows(outcome), told(outcome), place, strengths(edit), words)


def beside(made: EditShown, other: EditShown, of: SettingsSent) -> BesideSent:
    """An edit as it stands beside another one, `made`: what becomes of its rows. of: the settings of the second."""
    found: dict[str, RowBeside] = {
        row["name"]: {"after": theirs["after"], "low": theirs["low"], "high": theirs["high"]}
        for row, theirs in _alike(made.rows, other.rows)
    }
    return {"of": of, "rows": found, "point": other.point, "strengths": other.strengths, "error": ""}


def _alike(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Rows of two edits side by side. For one mistake they come in one order, and the worst group may have two names;
    an edit for another mistake shares some by name.
    """
    if [row["n"] for row in rows if "sum" not in row] == [row["n"] for row in others if "sum" not in row]:
        return list(zip(rows, others, strict=True))
    named = {row["name"]: row for row in others}
    return [(row, named[row["name"]]) for row in rows if row["name"] in named and "sum" not in row]


def strengths(edit: Edit) -> StrengthsSent:
    """The strengths of an edit that scales whole heads; else none."""
    way = edit.strategy
    if not isinstance(way, HeadStrengths) or way.parts.directions is not None:
        return NO_STRENGTHS
    return {"heads": [list(head) for head in way.parts.heads], "values": edit.theta.tolist()}


def sentence(edit: Edit, place: Measures, held: HeldOut) -> str:
    """How an edit was made and what it does, measured on `held`."""
    made, sizes = edit.settings, held.sizes
    own = "the images it was made from" if held.own else f"split {held.split}"
    names = {"success": "target classes", "worst": "worst group of", "like": "same mistakes, now right",
             "locality": "images that were right" if held.own else "other classes",
             "agreement": "predictions there that stay"}  # fmt: skip
    known = [(m, share) for m in MEASURES if (share := place[m]) is not None]
    measured = [f"{names[m]} {100 * share:.1f} % (n = {sizes[m]:,})" for m, share in known]
    floor = ", θ ≥ 0" if made["nonnegative"] else ""
    return (
        f"{edit.strategy.name}, α = {edit.alpha:g}, β = {edit.beta:g}, {made['steps']} steps, scale"
        f" {made['logit_scale']:.3g}{floor}, heads {made['heads'] or 'none'}: {', '.join(measured)}; {own}, plain"
        f" averages."
    )


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Groups of the target classes, worst and average, then other classes and unrelated sets: name, n, before,
    after, low and high of the change.
    """
    found: list[dict[str, Any]] = []
    if outcome.success is not None:
        moved = outcome.success.change
        names = ("n", "before", "after", "low", "high")
        found += [{"name": row.group} | {name: getattr(row, name) for name in names} for row in moved.groups]
        found.append(_row(moved.worst.of, moved.worst) | {"sum": True, "sizes": moved.worst_sizes})
        found.append(_row("plain average", moved.average("plain")) | {"sum": True})
    for place in [*filter(None, [outcome.locality]), *outcome.unrelated]:
        if place.change is not None:
            found.append(_row(place.of, place.change.average("plain")) | {"other": True})
        else:
            found.append(_agreement(place))
    return found


def told(outcome: Outcome) -> list[str]:
    """Shares that are no accuracies, in words: images like W, predictions that stay."""
    return [
        f"{s.what}: {100 * s.value:.1f} % [{100 * s.interval.low:.1f}, {100 * s.interval.high:.1f}], n = {s.n}"
        for s in outcome.shares
    ]


def point(outcome: Outcome) -> Measures:
    """Its place in the plane; None where there are no such images."""
    found: Measures = {"success": None, "worst": None, "like": None, "locality": None, "agreement": None}
    if outcome.success is not None:
        after = outcome.success.change.after
        found["success"] = float(after.counts.sum() / after.n)
        found["worst"] = float((after.counts / after.sizes).min())
        found["like"] = None if outcome.success.like is None else outcome.success.like.value
    place = outcome.locality or next(iter(outcome.unrelated), None)
    if place is not None:
        if place.change is not None:
            after = place.change.after
            found["locality"] = float(after.counts.sum() / after.n)
        found["agreement"] = place.agreement.value
    return found


def curve(edit: Edit, of: SettingsSent) -> CurveSent:
    """Along the steps: step, and every measure and the total at POINTS of them. of: the settings it was made for."""
    frame = edit.curve(POINTS)

    def column(name: str) -> list[float | None]:
        return [float(v) if np.isfinite(v) else None for v in frame[name].to_numpy(dtype=float)]

    return {"step": column("step"), **_columns(column), "total": column("total"), "of": of}


def words(edit: Edit) -> EditWords:
    """What the edit did and how far it is: pulls, gap, bound, dimensions; with a live model texts and heads."""
    pulls = edit.pulls()
    found: EditWords = {
        "pulls": {"ce": pulls["ce"], "success": pulls["success"], "locality": pulls["locality"]},
        "gap": edit.gap if edit.strategy.size <= LARGE else None,
    }
    if isinstance(edit.strategy, Linear):
        moved = edit.moved
        order = np.argsort(-np.abs(moved), kind="stable")[:TOLD]
        found["moved"] = [{"dimension": int(i), "by": float(moved[i])} for i in order]
        found["negative"] = edit.negative if edit.strategy.name == "diagonal" else None
    elif isinstance(edit.strategy, HeadStrengths):
        found["made"] = [f"{name} × {g:.2f}" for name, g in furthest(edit)]
    seen_on = edit.on().held
    through_heads = not isinstance(edit.strategy, ProjectionChange)  # what heads write is changed before it is kept
    if (
        through_heads
        and edit.problem.images.acts.live is not None
        and max(int(seen_on.target.sum()), 3 * seen_on.own) > 2
    ):
        seen = edit.inspect()
        down, up = seen.turned()
        found["down"], found["up"], found["heads"] = _scaled(down), _scaled(up), _scaled(seen.scaled())
        if seen.strengths or seen.classes:
            found["made"] = [str(one) for one in (*seen.strengths[:TOLD], *seen.classes)]
    return found


def furthest(edit: Edit) -> list[tuple[str, float]]:
    """The strengths of heads furthest from 1."""
    return sorted(edit.strengths.items(), key=lambda pair: -abs(pair[1] - 1))[:TOLD]


def _scaled(pairs: list[tuple[str, float]]) -> list[Scaled]:
    return [{"name": name, "ratio": ratio} for name, ratio in pairs]


def plane(found: Frontier, of: SettingsSent) -> FrontSent:
    """A frontier for the browser: weights, and every measure flat (None where not solved). of: the settings of its
    plane.
    """
    columns = _columns(lambda name: [_known(v) for v in found.mean(name).ravel()])
    return {"alphas": found.alphas.tolist(), "betas": found.betas.tolist(), **columns, "of": of}


def _columns(column: Callable[[Measure], list[float | None]]) -> Columns:
    return {
        "success": column("success"), "worst": column("worst"), "like": column("like"),
        "locality": column("locality"), "agreement": column("agreement"),
    }  # fmt: skip


def named(points: dict[str, dict[str, float]]) -> list[NamedMeasures]:
    """Points by name, for the browser."""
    return [
        {
            "name": name, "success": _known(p["success"]), "worst": _known(p["worst"]), "like": _known(p["like"]),
            "locality": _known(p["locality"]), "agreement": _known(p["agreement"]),
        }
        for name, p in points.items()
    ]  # fmt: skip


def rounded(measures: Measures) -> Measures:
    """Five digits of each: a trail of them is sent again and again."""

    def of(name: Measure) -> float | None:
        value = measures[name]
        return None if value is None else round(value, 5)

    return {
        "success": of("success"), "worst": of("worst"), "like": of("like"), "locality": of("locality"),
        "agreement": of("agreement"),
    }  # fmt: skip


def facts(problem: EditProblem, held: HeldOut) -> EditFacts:
    """Of the images an edit is made from and measured on."""
    return {
        "n": len(held.images), "split": held.images.acts.split, "own": held.own, "used": held.used,
        "left": held.images.left_out, "targets": list(problem.targets),
        "others": held.has_others or bool(held.unrelated),
        "made": len(problem.images), "made_split": problem.images.acts.split,
        "scale": problem.images.acts.card.logit_scale, "heads": int(problem.images.acts.shape[2]),
    }  # fmt: skip


def _known(value: float) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None


def _row(name: str, one: Any) -> dict[str, Any]:
    limits = {"low": one.interval.low, "high": one.interval.high}
    return {"name": name, "n": one.n, "before": one.before, "after": one.after} | limits


def _agreement(place: Locality) -> dict[str, Any]:
    share = place.agreement
    limits = {"low": share.interval.low - 1, "high": share.interval.high - 1}
    name = f"{place.of}: predictions that stay"
    return {"name": name, "n": share.n, "before": 1.0, "after": share.value, "other": True} | limits
