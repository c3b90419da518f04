"""What an edit lab asks: edits for settings of its sliders, what they do, and the frontier they move on."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from toolkit.api.checks import Check, quiet
from toolkit.api.edit.frontier import default_weights, grid
from toolkit.api.edit.frontier_result import MEASURES, Frontier
from toolkit.api.edit.held_out import HeldOut, held_out
from toolkit.api.edit.outcome import Locality, Outcome
from toolkit.api.edit.problem import EditProblem, check_possible, edit_problem
from toolkit.api.edit.result import Edit, fit
from toolkit.api.edit.settings import Pair, known_strategy
from toolkit.api.images.judged import judged
from toolkit.api.locate.locate import locate
from toolkit.core.heads import HeadSet

MOST = 14
"""Groups that are shown one by one; of more, those that are worst off."""
KEPT = 8
"""Problems and trajectories that are kept."""
PAINT = 0.25
"""Seconds after which a long solve is painted as far as it is."""
POINTS = 26
"""Points of the step curve."""
LARGE = 20_000
"""Parameters up to which it is worked out how far an edit is from convergence."""
STEPS = 1000
"""The longest trajectory a slider asks for."""


class Settings(NamedTuple):
    """Everything an edit of the lab depends on. scale: None for the checkpoint's. heads: (layer, head) pairs. pair:
    (true, predicted), or None for all mistakes.
    """

    alpha: float
    beta: float
    steps: int
    strategy: str
    scale: float | None
    nonnegative: bool
    heads: tuple[tuple[int, int], ...]
    pair: Pair | None

    @property
    def path(self) -> Settings:
        """The trajectory it lies on."""
        return self._replace(steps=0)

    @property
    def plane(self) -> Settings:
        """The plane of α and β it lies in."""
        return self._replace(alpha=0.0, beta=0.0)

    @property
    def told(self) -> list[Any]:
        """As a browser sees it."""
        pair = None if self.pair is None else list(self.pair)
        return [*self[:6], [list(head) for head in self.heads], pair]


class EditSession:
    """The labelled images edits are made from, the images they are judged on, and everything worked out of them."""

    def __init__(self, acts: Any, classes: Any, held: Any = None, unrelated: Mapping[str, Any] | None = None) -> None:
        self.images = judged(acts, classes, "EditLab")
        self.shape = self.images.acts.shape[1:3]
        self._given, self._unrelated = held, dict(unrelated or {})
        self._lock = threading.Lock()
        self._problems: OrderedDict[Any, tuple[EditProblem, HeldOut]] = OrderedDict()
        self._paths: OrderedDict[Settings, Edit] = OrderedDict()
        self.problem((), None, None)  # what is wrong with the arguments is said now

    def note(self, heads: HeadSet) -> str:
        """What a user should know of a head set before using it here; "" if nothing."""
        if not heads.class_set or heads.class_set == self.images.classes.hash:
            return ""
        return f"The heads {heads} were found under another class set than these {len(self.images.classes)} classes."

    @property
    def pairs(self) -> list[tuple[str, str, int]]:
        """Mistakes among the images: true, predicted, how many; the most frequent first."""
        found = sorted(self.images.mistakes.items(), key=lambda item: -item[1])
        return [(*pair, n) for pair, n in found]

    def problem(self, heads: Sequence[Any], pair: Pair | None, scale: float | None) -> tuple[EditProblem, HeldOut]:
        """The problem of some settings and the images its edits are judged on."""
        key = (tuple(heads), pair, scale)
        with self._lock:
            if key not in self._problems:
                pairs = () if pair is None else (pair,)
                acts, classes = self.images.acts, self.images.classes
                problem = edit_problem(acts, classes, HeadSet(tuple(heads)), pairs, scale, operation="EditLab")
                known = [held for other, (_, held) in self._problems.items() if other[1] == pair]
                held = known[0] if known else held_out(problem, self._given, self._unrelated)
                self._keep(self._problems, key, (problem, held))
            return self._problems[key]

    def choose(self, pair: Pair | None) -> HeadSet:
        """Algorithm 1 of R25 on the images the edit is made from."""
        true, predicted = pair or (None, None)
        return locate(self.images.acts, self.images.classes, true, predicted, resamples=1).choose()

    def solve(self, settings: Settings, check: Check = quiet, partial: Callable[[Edit], None] | None = None) -> Edit:
        """The edit of some settings: read off a trajectory that is known, or solved. partial: called now and then with
        the edit as far as a long solve is.
        """
        known = self._paths.get(settings.path)
        if known is not None and known.history is not None and settings.steps in known.history.steps:
            return known.at(settings.steps)
        problem, held = self.problem(settings.heads, settings.pair, settings.scale)
        painted, pause = time.monotonic(), PAINT

        def each(step: int, theta: Tensor) -> None:
            nonlocal painted, pause
            start = time.monotonic()
            if partial is not None and step and start - painted > pause:
                partial(self._edit(settings, problem, held, step, theta))
                painted = time.monotonic()
                pause = max(PAINT, 4 * (painted - start))  # most of the time is for solving

        alpha, beta, steps, strategy = settings[:4]
        made = fit(
            problem, alpha, beta, steps, strategy, held=held, nonnegative=settings.nonnegative, check=check, each=each
        )
        self._keep(self._paths, settings.path, made)
        return made

    def _edit(self, settings: Settings, problem: EditProblem, held: HeldOut, step: int, theta: Tensor) -> Edit:
        way = known_strategy(settings.strategy, problem.images.embedding.shape[1])
        facts = {"logit_scale": problem.scale, "heads": str(problem.heads), "notes": [], "steps": settings.steps}
        return Edit(theta.clone(), way, settings.alpha, settings.beta, step, "", facts, None, problem, held)

    def strategy(self, name: Any) -> str:
        """A strategy by its proper name."""
        return known_strategy(name, self.images.embedding.shape[1]).name

    def check(self, settings: Settings) -> None:
        """Raise InputError where settings cannot be solved."""
        check_possible(self.problem(settings.heads, settings.pair, settings.scale)[0], settings.alpha)

    # what is shown of an edit

    def picture(self, settings: Settings, edit: Edit) -> dict[str, Any]:
        """What is painted of an edit: edit, settings, outcome; rows, told, point (its measures), step, words."""
        outcome = edit.on()
        rows, point = self.rows(outcome), _point(outcome)
        return {"edit": edit, "settings": settings, "outcome": outcome, "rows": rows, "told": self.told(outcome),
                "point": point, "step": edit.step, "words": self._sentence(settings, point, outcome.held)}  # fmt: skip

    def _sentence(self, s: Settings, point: dict[str, float | None], held: HeldOut) -> str:
        facts, sizes = self.facts, held.sizes
        own = "the images it was made from" if facts["own"] else f"split {facts['split']}"
        names = {"success": "target classes", "worst": "worst group of", "like": "same mistakes, now right",
                 "locality": "images that were right" if facts["own"] else "other classes",
                 "agreement": "predictions there that stay"}  # fmt: skip
        told = [f"{names[m]} {100 * v:.1f} % (n = {sizes[m]:,})" for m, v in point.items() if v is not None]
        floor = ", θ ≥ 0" if s.nonnegative else ""
        scale = f"{s.scale or facts['scale']:.3g}"
        return (
            f"{s.strategy}, α = {s.alpha:g}, β = {s.beta:g}, {s.steps} steps, scale {scale}{floor}, heads"
            f" {HeadSet(s.heads) or 'none'}: {', '.join(told)}; {own}, plain averages."
        )

    @staticmethod
    def plane(settings: Settings, found: Frontier) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A frontier for the browser: weights, every measure flat (None where not solved), settings; and other methods'
        points.
        """
        tables = {name: [_known(v) for v in found.mean(name).ravel()] for name in MEASURES}
        points = [{"name": p.name} | {name: _known(getattr(p, name)) for name in MEASURES} for p in found.points]
        of = settings.plane.told
        return {"alphas": found.alphas.tolist(), "betas": found.betas.tolist(), "of": of} | tables, points

    @staticmethod
    def rows(outcome: Outcome) -> list[dict[str, Any]]:
        """Groups of the target classes, worst and average, then other classes and unrelated sets: name, n, before,
        after, low and high of the change.
        """
        found: list[dict[str, Any]] = []
        if outcome.success is not None:
            moved = outcome.success.change
            groups = moved.groups
            shown = groups if len(groups) <= MOST else sorted(groups, key=lambda row: row.after)[:MOST]
            names = ("n", "before", "after", "low", "high")
            found += [{"name": row.group} | {name: getattr(row, name) for name in names} for row in shown]
            found += [_row(one.of, one) for one in (moved.worst, moved.average("plain"))]
        for place in [*filter(None, [outcome.locality]), *outcome.unrelated]:
            if place.change is not None:
                found.append(_row(place.of, place.change.average("plain")) | {"other": True})
            else:
                found.append(_agreement(place))
        return found

    @staticmethod
    def told(outcome: Outcome) -> list[str]:
        """Shares that are no accuracies, in words: images like W, predictions that stay."""
        return [
            f"{s.what}: {100 * s.value:.1f} % [{100 * s.interval.low:.1f}, {100 * s.interval.high:.1f}], n = {s.n}"
            for s in outcome.shares
        ]

    def curve(self, edit: Edit) -> dict[str, list[float | None]]:
        """Along the steps: step, and every measure and the total at POINTS of them."""
        frame = edit.curve(POINTS)
        columns = ["step", *MEASURES, "total"]
        return {
            name: [None if not np.isfinite(v) else float(v) for v in frame[name].to_numpy(dtype=float)]
            for name in columns
        }

    def words(self, edit: Edit, check: Callable[[], None]) -> dict[str, Any]:
        """What the edit did and how far it is: pulls, gap, bound, dimensions; with a live model texts and heads."""
        moved = edit.moved
        found: dict[str, Any] = {
            "pulls": edit.pulls(), "gap": edit.gap_to(check) if edit.strategy.size <= LARGE else None,
            "negative": edit.negative if edit.strategy.name == "diagonal" else None,
            "moved": [[int(i), float(moved[i])] for i in np.argsort(-np.abs(moved), kind="stable")[:5]],
        }  # fmt: skip
        check()
        seen_on = edit.on().held
        if self.images.acts.live is not None and max(int(seen_on.target.sum()), 3 * seen_on.own) > 2:
            seen = edit.inspect()
            down, up = seen.turned()
            found |= {"down": down, "up": up, "heads": seen.scaled()}
        return found

    def frontier(
        self, settings: Settings, check: Check, each: Callable[[Frontier], None], weights: Sequence[float] | None = None
    ) -> Frontier:
        """The grid of the plane that settings lie in."""
        problem, held = self.problem(settings.heads, settings.pair, settings.scale)
        values = default_weights(problem.scale) if weights is None else weights
        return grid(
            [problem], [held], values, values, settings.steps, settings.strategy, nonnegative=settings.nonnegative,
            check=check, each=each,
        )  # fmt: skip

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Of the images: n, split and whether they are held out; classes an edit is for; whether there are others."""
        problem, held = self.problem((), None, None)
        return {
            "n": len(held.images), "split": held.images.acts.split, "own": held.own, "used": held.used,
            "left": held.images.left_out, "targets": list(problem.targets),
            "others": held.others is not None or bool(held.unrelated),
            "made": len(self.images), "from": self.images.acts.split, "scale": self.images.acts.card.logit_scale,
        }  # fmt: skip

    @staticmethod
    def _keep(store: OrderedDict[Any, Any], key: Any, value: Any) -> None:
        store[key] = value
        while len(store) > KEPT:
            store.popitem(last=False)


def _known(value: float) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None


def _point(outcome: Outcome) -> dict[str, float | None]:
    """Its place in the plane, by measure; None where there are no such images."""
    found: dict[str, float | None] = dict.fromkeys(MEASURES)
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


def _row(name: str, one: Any) -> dict[str, Any]:
    limits = {"low": one.interval.low, "high": one.interval.high}
    return {"name": name, "n": one.n, "before": one.before, "after": one.after} | limits


def _agreement(place: Locality) -> dict[str, Any]:
    share = place.agreement
    limits = {"low": share.interval.low - 1, "high": share.interval.high - 1}
    name = f"{place.of}: predictions that stay"
    return {"name": name, "n": share.n, "before": 1.0, "after": share.value, "other": True} | limits
