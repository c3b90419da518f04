"""What an edit lab asks: edits for settings of its sliders, and the frontier they move on; and where it has been."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

from torch import Tensor

from toolkit.api.edit.frontier import default_weights, grid, references
from toolkit.api.edit.frontier_result import Frontier
from toolkit.api.edit.held_out import HeldOut, held_out
from toolkit.api.edit.problem import EditProblem, check_possible, edit_problem
from toolkit.api.edit.result import Edit, solved
from toolkit.api.edit.settings import HOLDABLE, Options, Pair, known_hold, known_options, known_strategy
from toolkit.api.images.judged import judged
from toolkit.api.locate.locate import locate
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.heads import HeadSet
from toolkit.core.strategies import Strategy
from toolkit.errors import InputError
from toolkit.labs.edit_records import (
    BesideSent,
    EditFacts,
    Measures,
    Mistakes,
    NamedMeasures,
    SettingsSent,
    Visit,
    VisitPlace,
    Ways,
)
from toolkit.labs.edit_shown import NO_STRENGTHS, EditShown, beside, facts, named, rounded, shown

KEPT = 8
"""Problems and trajectories that are kept."""
PAINT = 0.25
"""Seconds after which a long solve is painted as far as it is."""
REST = 0.6
"""Seconds without a move after which the next one can be undone by itself: a drag is one move."""
MOST = 200
"""Points of the trail, and moves that can be undone."""
PlaceName = Literal["alpha", "beta", "steps", "plane"]
STEPS = 1000
"""The longest trajectory a slider asks for."""
Chooser = Callable[[Pair | None], HeadSet]


class Settings(NamedTuple):
    """Everything an edit of the lab depends on. scale: None for the checkpoint's. heads: (layer, head) pairs. pair:
    (true, predicted), or None for all mistakes. hold: strengths that were set by hand, of heads.
    """

    alpha: float
    beta: float
    steps: int
    strategy: str
    scale: float | None
    nonnegative: bool
    heads: tuple[tuple[int, int], ...]
    pair: Pair | None
    hold: tuple[tuple[tuple[int, int], float], ...] = ()

    @property
    def path(self) -> Settings:
        """The trajectory it lies on."""
        return self._replace(steps=0, hold=self.holds)

    @property
    def holds(self) -> tuple[tuple[tuple[int, int], float], ...]:
        """What is held of the strengths that are solved for."""
        if self.strategy not in HOLDABLE:
            return ()
        return tuple(one for one in self.hold if self.strategy != "strengths" or one[0] in self.heads)

    @property
    def plane(self) -> Settings:
        """The plane of α and β it lies in."""
        return self._replace(alpha=0.0, beta=0.0)

    @property
    def told(self) -> SettingsSent:
        """As a browser sees it."""
        return {
            "alpha": self.alpha, "beta": self.beta, "steps": self.steps, "strategy": self.strategy,
            "scale": self.scale, "nonnegative": self.nonnegative, "heads": [list(head) for head in self.heads],
            "pair": None if self.pair is None else list(self.pair),
            "hold": [{"head": list(head), "strength": strength} for head, strength in self.hold],
        }  # fmt: skip


class Visits:
    """The settings a lab has shown, with what they did, and those it can go back and forward to.

    planes: settings that differ in more than α, β and steps, with those at 0. trail: the visits, oldest first.
    """

    def __init__(self) -> None:
        self.planes: list[Settings] = []
        self.trail: list[Visit] = []
        self._back: list[Settings] = []
        self._forth: list[Settings] = []
        self._moved = float("-inf")

    def moved(self, before: Settings, now: bool = False) -> None:
        """Settings change; before: what they were. now: a move of its own, however soon it came."""
        at = time.monotonic()
        if now or at - self._moved > REST:
            self._back = [*self._back, before][-MOST:]
        self._forth = []
        self._moved = at

    def undo(self, present: Settings) -> Settings | None:
        """The settings before the last move; None where there are none."""
        return self._swap(self._back, self._forth, present)

    def redo(self, present: Settings) -> Settings | None:
        """The settings that the last `undo` left; None where there are none."""
        return self._swap(self._forth, self._back, present)

    def _swap(self, source: list[Settings], target: list[Settings], present: Settings) -> Settings | None:
        self._moved = float("-inf")
        while source and source[-1] == present:
            source.pop()
        if not source:
            return None
        target.append(present)
        return source.pop()

    @property
    def can(self) -> Ways:
        """Whether there is a way back, and one forward."""
        return {"undo": bool(self._back), "redo": bool(self._forth)}

    def seen(self, settings: Settings, point: Measures) -> None:
        """Settings were shown, and did this."""
        plane = settings.path.plane
        if plane not in self.planes:
            self.planes.append(plane)
        place: VisitPlace = {
            "alpha": settings.alpha, "beta": settings.beta, "steps": settings.steps,
            "plane": self.planes.index(plane),
        }  # fmt: skip
        self.trail = [visit for visit in self.trail if not _is_at(visit, place)][-MOST + 1 :]
        self.trail.append({**place, **rounded(point)})

    def settings(self, place: VisitPlace) -> Settings:
        """The settings of a visit."""
        plane = self.planes[place["plane"]]
        return plane._replace(alpha=place["alpha"], beta=place["beta"], steps=place["steps"])

    def at(self, place: VisitPlace) -> Settings | None:
        """The settings of a visit that a browser names; None where there is no such visit."""
        found = [visit for visit in self.trail if _is_at(visit, place)]
        return self.settings(found[0]) if found else None

    @property
    def words(self) -> list[str]:
        """Every plane in words."""
        found = []
        for plane in self.planes:
            scale, pair = plane.scale, plane.pair
            parts = [plane.strategy, "θ ≥ 0" if plane.nonnegative else "", f"scale {scale:g}" if scale else ""]
            parts += [f"heads {HeadSet(plane.heads) or 'none'}", f"{pair[0]} → {pair[1]}" if pair else ""]
            found.append(", ".join(filter(None, parts)))
        return found


def _is_at(visit: Visit, place: VisitPlace) -> bool:
    names: tuple[PlaceName, ...] = get_args(PlaceName)
    return all(visit[name] == place.get(name) for name in names)


class EditSession:
    """The labelled images edits are made from, the images they are judged on, and everything worked out of them.

    chooser: what chooses heads for a pair, None for all mistakes; default Algorithm 1 on the images of the edits.
    draws: other images to make edits from, each of which makes a front of its own.
    """

    def __init__(
        self, acts: Any, classes: Any, held: Any = None, unrelated: Mapping[str, Any] | None = None,
        chooser: Chooser | None = None, draws: Sequence[Any] = (),
    ) -> None:  # fmt: skip
        self.images = judged(acts, classes, "EditLab")
        self._sources = [self.images.acts, *draws]
        self.shape = self.images.acts.shape[1:3]
        self._given, self._unrelated, self._chooser = held, dict(unrelated or {}), chooser
        self._lock = threading.Lock()
        self._problems: OrderedDict[Any, tuple[EditProblem, HeldOut]] = OrderedDict()
        self._paths: OrderedDict[Settings, Edit] = OrderedDict()
        self._options: dict[tuple[str, int, bool], Options] = {}
        self._marks: OrderedDict[Any, list[NamedMeasures]] = OrderedDict()
        live = self.images.acts if held is None else held
        self._has_model = getattr(live, "live", None) is not None and getattr(live, "has_images", False)
        self.problem((), None, None)  # what is wrong with the arguments is said now

    def note(self, heads: HeadSet) -> str:
        """What a user should know of a head set before using it here; "" if nothing."""
        if not heads.class_set or heads.class_set == self.images.classes.hash:
            return ""
        return f"The heads {heads} were found under another class set than these {len(self.images.classes)} classes."

    @property
    def pairs(self) -> list[Mistakes]:
        """Mistakes among the images, the most frequent first."""
        told_apart = {pair: n for pair, n in self.images.mistakes.items() if pair not in self.images.twins}
        found = sorted(told_apart.items(), key=lambda item: -item[1])
        return [{"pair": list(pair), "n": n} for pair, n in found]

    @property
    def draws(self) -> int:
        """Draws of images that edits are made from: the few, and others."""
        return len(self._sources)

    def problem(
        self, heads: Sequence[Any], pair: Pair | None, scale: float | None, draw: int = 0
    ) -> tuple[EditProblem, HeldOut]:
        """The problem of some settings and the images its edits are judged on. draw: which images edits are made from,
        0 for those of the lab.
        """
        key = (tuple(heads), pair, scale, draw)
        with self._lock:
            if key not in self._problems:
                pairs = () if pair is None else (pair,)
                acts, classes = self._sources[draw], self.images.classes
                problem = edit_problem(acts, classes, HeadSet(tuple(heads)), pairs, scale, operation="EditLab")
                known = [held for other, (_, held) in self._problems.items() if (other[1], other[3]) == (pair, draw)]
                held = known[0] if known else held_out(problem, self._given, self._unrelated)
                self._keep(self._problems, key, (problem, held))
            return self._problems[key]

    def choose(self, pair: Pair | None) -> HeadSet:
        """Heads for a pair: what was given for it, else Algorithm 1 of R25 on the images the edit is made from."""
        if self._chooser is not None:
            return self._chooser(pair)
        true, predicted = pair or (None, None)
        return locate(self.images.acts, self.images.classes, true, predicted, resamples=1).choose()

    def solve(self, settings: Settings, partial: Callable[[Edit], None] | None = None) -> Edit:
        """The edit of some settings: read off a trajectory that is known, or solved. partial: called now and then with
        the edit as far as a long solve is.
        """
        known = self._paths.get(settings.path)
        if known is not None and known.history is not None and settings.steps in known.history.steps:
            return known.at(settings.steps)
        problem, held = self.problem(settings.heads, settings.pair, settings.scale)
        way = problem.strategy(settings.strategy)
        alpha, beta, steps, floor = settings.alpha, settings.beta, settings.steps, settings.nonnegative
        options = self._options_of(problem, way, floor)
        options = options._replace(hold=known_hold(dict(settings.holds), way, options.bounds))
        painted, pause = time.monotonic(), PAINT

        def each(step: int, theta: Tensor) -> None:
            nonlocal painted, pause
            start = time.monotonic()
            if partial is not None and step and start - painted > pause:
                made = problem.facts | options.told | {"steps": steps}
                partial(Edit(theta.clone(), way, alpha, beta, step, "", made, None, problem, held))
                painted = time.monotonic()
                pause = max(PAINT, 4 * (painted - start))  # most of the time is for solving

        made = solved(problem, way, alpha, beta, steps, options, held=held, each=each)
        self._keep(self._paths, settings.path, made)
        return made

    def _options_of(self, problem: EditProblem, way: Strategy, floor: bool) -> Options:
        """How a strategy is solved by default: worked out once, as a slider asks for it again and again."""
        key = way.name, way.size, floor
        if key not in self._options:
            self._options[key] = known_options(way.name, way.size, len(problem.images), None, floor, 0, None, None)
        return self._options[key]

    def strategy(self, name: Any) -> str:
        """A strategy by its proper name."""
        return known_strategy(name, self.images.embedding.shape[1])

    def check(self, settings: Settings) -> None:
        """Raise InputError where settings cannot be solved."""
        check_possible(self.problem(settings.heads, settings.pair, settings.scale)[0], settings.alpha)

    def frontier(
        self, settings: Settings, each: Callable[[Frontier], None], weights: Sequence[float] | None = None
    ) -> Frontier:
        """The grid of the plane that settings lie in."""
        problem, held = self.problem(settings.heads, settings.pair, settings.scale)
        values = default_weights(problem.scale) if weights is None else weights
        return grid(
            [problem], [held], values, values, settings.steps, settings.strategy, nonnegative=settings.nonnegative,
            hold=dict(settings.holds), each=each,
        )  # fmt: skip

    def marks(self, settings: Settings) -> list[NamedMeasures]:
        """The points of the plane that are no edits: the model as it is, and with the heads off."""
        problem, held = self.problem(settings.heads, settings.pair, settings.scale)
        key = settings.heads, settings.pair
        if key not in self._marks:
            self._keep(self._marks, key, named(references(problem, held)))
        return self._marks[key]

    def can_fold(self, edit: Edit) -> bool:
        """Whether the folded model's numbers differ from the direct ones, and can be measured here."""
        return self._has_model and isinstance(edit.strategy, HeadStrengths)

    @cached_property
    def facts(self) -> EditFacts:
        """Of the images, as a panel tells them (`edit_shown.facts`)."""
        return facts(*self.problem((), None, None))

    @staticmethod
    def _keep(store: OrderedDict[Any, Any], key: Any, value: Any) -> None:
        store[key] = value
        while len(store) > KEPT:
            store.popitem(last=False)


def second(
    session: EditSession, made: EditShown, settings: Settings | None, kept: Edit | None
) -> tuple[Edit | None, BesideSent | dict[str, Any]]:
    """The edit beside the one that was `made`, and how it is told; an error of its own stands in its place alone. kept:
    that edit, where it was kept.
    """
    if settings is None:
        return None, {}
    try:
        edit = session.solve(settings) if kept is None else kept
        return edit, beside(made, shown(edit), settings.told)
    except InputError as error:
        told: BesideSent = {"of": settings.told, "rows": {}, "strengths": NO_STRENGTHS, "error": str(error)}
        return None, told
