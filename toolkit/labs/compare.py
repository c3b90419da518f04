"""What a panel that compares cures knows: methods fitted to a few images, their paths, and where each dial stands."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.api.edit.held_out import HeldOut
from toolkit.api.edit.outcome import Outcome, outcome_of
from toolkit.api.edit.result import Edit
from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import Judged
from toolkit.api.methods.as_it_is import AsItIs
from toolkit.api.methods.compared import Compared, Turned
from toolkit.api.methods.comparison import Comparison, asked_methods
from toolkit.api.methods.dial import Dial
from toolkit.api.methods.edit_method import EditMethod, fitted_edit
from toolkit.api.methods.field import JudgedField, field_of, path_of
from toolkit.api.methods.fitted import Fitted
from toolkit.api.methods.heads_off import HeadsOff
from toolkit.api.methods.heads_under import HeadsUnder, heads_under
from toolkit.api.methods.method import Method
from toolkit.api.methods.placebo import placebo
from toolkit.core.metrics import Change
from toolkit.data.classes import ClassSet
from toolkit.errors import InputError
from toolkit.labs.edit_shown import rows
from toolkit.labs.keywords import KeywordSession, Pair

Array = NDArray[np.float64]
How = Literal["paper", "validation", "here"]
AS_IT_IS = "as it is"
PLACEBOS = 8
"""Cures told nothing that a cloud is made of."""
MOST_WRONG = 300
"""Mistakes that heads are looked at on."""


@dataclass(frozen=True, eq=False)
class MethodPath:
    """A fitted method along its dial. values [m]; measures: by name [m]; on validation images the same, or None."""

    fitted: Fitted
    values: tuple[float, ...]
    measures: dict[str, Array]
    on_validation: dict[str, Array] | None

    @cached_property
    def paper(self) -> int:
        """Position of the paper's value, or of the nearest one."""
        return self.nearest(self.fitted.dial.paper)

    @cached_property
    def validated(self) -> int | None:
        """Position with the best worst group of the validation images, the first of equal ones; None without them."""
        return self._best(np.ones(len(self.values), bool))

    def within(self, loss: float) -> int | None:
        """Position with the best worst group among those that lose at most so much locality on the validation images;
        None where none does, or there are no such images.
        """
        if self.on_validation is None:
            return None
        kept = self.on_validation["locality"]
        return self._best(kept >= kept[self.start] - loss - 1e-12)

    @property
    def start(self) -> int:
        """Position at which the method is the model as it is."""
        return self.values.index(self.fitted.dial.start)

    def _best(self, kept: NDArray[np.bool_]) -> int | None:
        if self.on_validation is None or not kept.any():
            return None
        worst = self.on_validation["worst"]
        if not np.isfinite(worst).any():
            worst = self.on_validation["success"]
        allowed = np.where(kept & np.isfinite(worst), worst, -1.0)
        return int(np.flatnonzero(allowed >= allowed.max() - 1e-12)[0]) if allowed.max() >= 0 else None

    def nearest(self, value: float) -> int:
        """Position of the value that is nearest to one: of the same one where it is there."""
        if value in self.values:
            return self.values.index(value)
        finite = [abs(v - value) if np.isfinite(v) else np.inf for v in self.values]
        return int(np.argmin(finite))


def with_paper(dial: Dial) -> tuple[float, ...]:
    """The grid of a dial, with the paper's value in its place."""
    grid = dial.grid
    if dial.paper in grid or len(grid) < 2:
        return grid
    rises = grid[-1] > grid[0]
    at = next((i for i, value in enumerate(grid) if (value > dial.paper) == rises and value != dial.paper), len(grid))
    return (*grid[:at], dial.paper, *grid[at:])


class CompareSession:
    """Methods by name, each fitted to every draw when it is first asked for; several workers may ask at once.

    few: parts of a few labelled images, or a list of draws. The others as for `tk.comparison`.
    """

    def __init__(
        self, few: Acts | Sequence[Acts], classes: ClassSet, methods: Sequence[Any] | None, held_out: Any,
        unrelated: Mapping[str, Any] | None, validation: Acts | None, heads: Any,
    ) -> None:  # fmt: skip
        self.draws = [few] if isinstance(few, Acts) else list(few)
        if not self.draws:
            given = "no images to fit to"
            raise InputError("CompareLab", given, "parts of a few labelled images", "draw some: acts.draw(10)")
        if not isinstance(held_out, Acts):
            given = f"held_out: a {type(held_out).__name__}"
            raise InputError("CompareLab", given, "parts of other labelled images, which judge", "hold some out")
        self.classes, self.validation = classes, validation
        self._held_out, self._unrelated = held_out, unrelated
        asked = asked_methods(methods, self.draws[0], heads)
        self.settings: dict[str, Method] = {one.name: one for one in asked if not isinstance(one, AsItIs)}
        self.fields: list[JudgedField] = [
            field_of(some, classes, held_out, unrelated, validation) for some in self.draws
        ]
        self._lock = threading.RLock()
        self._fitted: dict[tuple[str, int], Fitted] = {}
        self._paths: dict[tuple[str, int], MethodPath] = {}
        self._told_nothing: dict[tuple[str, int, int], Fitted] = {}

    def held(self, draw: int = 0) -> HeldOut:
        """What a draw is judged on."""
        return self.fields[draw].held

    def origin(self, draw: int = 0) -> dict[str, float]:
        """The measures of the model as it is."""
        return {name: float(values[0]) for name, values in self.held(draw).rates().items()}

    def knows_heads(self, name: str) -> bool:
        """Whether a method was given heads that somebody located elsewhere."""
        settings = self.settings[name]
        return any(getattr(settings, field, None) is not None for field in ("heads", "spurious"))

    def put(self, settings: Method) -> None:
        """A method in the place of another of its name."""
        with self._lock:
            self.settings[settings.name] = settings
            self._forget(settings.name)

    def put_heads(self, heads: Any) -> str | None:
        """Other heads for the path of heads off; its name, None where there is none."""
        for name, one in self.settings.items():
            if isinstance(one, HeadsOff):
                self.put(replace(one, heads=heads or None))
                return name
        return None

    def put_edit(self, edit: Edit) -> str | None:
        """An edit that a lab has solved as the path of the first edit; its name, None where there is none, or the edit
        knows no steps.
        """
        for name, one in self.settings.items():
            if isinstance(one, EditMethod) and edit.history is not None:
                with self._lock:
                    self._forget(name)
                    shots = self.fitted(name).shots
                    self._forget(name)
                    self._fitted[name, 0] = fitted_edit(one, shots, edit)
                return name
        return None

    def _forget(self, name: str) -> None:
        self._fitted = {key: one for key, one in self._fitted.items() if key[0] != name}
        self._paths = {key: one for key, one in self._paths.items() if key[0] != name}
        self._told_nothing = {key: one for key, one in self._told_nothing.items() if key[0] != name}

    def fitted(self, name: str, draw: int = 0) -> Fitted:
        """A method, fitted to a draw. Raises InputError where it cannot be."""
        with self._lock:
            if (name, draw) not in self._fitted:
                settings = self.settings[name]
                self._fitted[name, draw] = settings.fit(self.draws[draw], self.classes, None, self.validation)
            return self._fitted[name, draw]

    def path(self, name: str, draw: int = 0) -> MethodPath:
        """A method along its dial. Raises InputError where it cannot run."""
        with self._lock:
            if (name, draw) not in self._paths:
                fitted, field = self.fitted(name, draw), self.fields[draw]
                values = with_paper(fitted.dial)
                measures = path_of(fitted, values, field.held)
                chosen = None if field.chosen_on is None else path_of(fitted, values, field.chosen_on)
                self._paths[name, draw] = MethodPath(fitted, values, measures, chosen)
            return self._paths[name, draw]

    def outcome(self, name: str, value: float, draw: int = 0) -> Outcome:
        """What a method does to the held-out images with its dial at a value."""
        held = self.held(draw)
        if name == AS_IT_IS:
            return outcome_of(held, lambda seen: (seen.embedding @ seen.texts.T.to(seen.embedding)).argmax(1)[None])
        fitted = self.fitted(name, draw)
        return outcome_of(held, lambda seen: fitted.scores_of(seen, value).argmax(1)[None])

    def other_draws(self, name: str, value: float, draw: int) -> Iterator[dict[str, float]]:
        """The measures of a method made from each of the other draws, its dial at the same value."""
        for other in range(len(self.draws)):
            if other != draw:
                yield self._measured(self.fitted(name, other), value, other)

    def placebos(self, name: str, value: float, draw: int) -> Iterator[dict[str, float]]:
        """The measures of a method told nothing, its dial at the same value; made once for every method and draw.
        Raises InputError where it has none.
        """
        for seed in range(PLACEBOS):
            key = (name, draw, seed)
            with self._lock:
                if key not in self._told_nothing:
                    settings, few = placebo(self.settings[name], self.draws[draw], self.classes, seed)
                    self._told_nothing[key] = settings.fit(few, self.classes, None, self.validation)
                fitted = self._told_nothing[key]
            yield self._measured(fitted, value, draw)

    def _measured(self, fitted: Fitted, value: float, draw: int) -> dict[str, float]:
        at = min(max(value, fitted.dial.low), fitted.dial.high) if value != fitted.dial.start else value
        found = path_of(fitted, [at], self.held(draw))
        return {name: float(values[0]) for name, values in found.items()}

    def shown(self, at: Mapping[str, int], how: Mapping[str, str], draw: int) -> Comparison:
        """The methods of a draw with their dials where they stand, frozen. at: positions on the paths, by name. how:
        each was put.
        """
        field = self.fields[draw]
        base = AsItIs().fit(self.draws[draw], self.classes)
        found = {base.name: self._compared(base, base.dial.grid, base.dial.paper, "paper", draw)}
        for name, place in at.items():
            path = self.path(name, draw)
            found[name] = self._compared(path.fitted, path.values, path.values[place], how.get(name, "paper"), draw)
        n = 0 if self.validation is None else len(self.validation)
        return Comparison(found, "as they stand", (field.held,), field.notes, n)

    def _compared(self, fitted: Fitted, values: tuple[float, ...], value: float, how: str, draw: int) -> Compared:
        field = self.fields[draw]
        told = "chosen here" if how == "here" else how
        measures = path_of(fitted, values, field.held)
        paths = {name: found[None] for name, found in measures.items()}
        return Compared((Turned(fitted, value, told, field.problem, field.held),), values, paths)

    def heads(self, name: str, value: float, draw: int = 0) -> HeadsUnder:
        """What every head does to the margin of mistakes, under a method and in the model as it is."""
        wrong = self.held(draw).images
        at = torch.from_numpy(np.flatnonzero((wrong.truth != wrong.guess).numpy() & self.held(draw).target.numpy()))
        rows_of = at[:MOST_WRONG].tolist()
        if not rows_of:
            given = "held-out images, none of which is wrong"
            raise InputError("CompareLab", given, "some mistakes", "there is nothing that heads push towards")
        return heads_under(self.fitted(name, draw), wrong.acts.take(rows_of), value)


def cures_of_words(images: Judged, pair: Pair) -> list[Method]:
    """Cures told words that nobody typed: keywords of the mistakes of some images, as a pair to take away and in the
    prompts. None where nothing is wrong, or there are no words for it.
    """
    asked = pair if pair in images.mistakes else None
    try:
        found = KeywordSession(images.acts, images.classes, None, None, None, None, None).found(asked, ())
    except InputError:
        return []
    return [found.as_pair(), found.as_prompts()]


def rows_between(before: Outcome, after: Outcome) -> list[dict[str, Any]]:
    """Rows of groups from what one method predicts to what another does, paired."""
    success, place = after.success, after.locality
    if success is not None and before.success is not None:
        success = replace(success, change=Change(before.success.change.after, success.change.after))
    if place is not None and before.locality is not None and place.change is not None:
        was = before.locality.change
        if was is not None:
            place = replace(place, change=Change(was.after, place.change.after))
    others = []
    for one, other in zip(before.unrelated, after.unrelated, strict=True):
        if one.change is not None and other.change is not None:
            others.append(replace(other, change=Change(one.change.after, other.change.after)))
        else:
            others.append(other)
    return rows(replace(after, success=success, locality=place, unrelated=tuple(others)))


def table_row(outcome: Outcome) -> dict[str, Any]:
    """Of the table: worst group and other classes with the limits of their changes; None where there are none."""
    found: dict[str, Any] = dict.fromkeys(("worst", "low", "high", "others", "others_low", "others_high"))
    if outcome.success is not None:
        worst = outcome.success.change.worst
        found |= {"worst": worst.after, "low": worst.interval.low, "high": worst.interval.high}
    place = outcome.locality or next(iter(outcome.unrelated), None)
    if place is not None and place.change is not None:
        other = place.change.average("plain")
        found |= {"others": other.after, "others_low": other.interval.low, "others_high": other.interval.high}
    return found
