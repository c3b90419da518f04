"""`Compared`: one method in a comparison, its path and its point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.api.edit.frontier_result import MEASURES
from toolkit.api.edit.held_out import HeldOut, held_out
from toolkit.api.edit.outcome import Outcome, outcome_of
from toolkit.api.edit.problem import EditProblem
from toolkit.api.methods.fitted import Fitted
from toolkit.core.seen import Seen

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Turned:
    """A fitted method at a value of its dial.

    Attributes:
        fitted: the method.
        position: of its dial.
        chosen: how it was chosen: "paper", "validation", "leave one out" or "by hand".
        problem: what it was fitted to.
        held: images it is judged on by default.
    """

    fitted: Fitted
    position: float
    chosen: str
    problem: EditProblem
    held: HeldOut

    def guess(self, seen: Seen) -> torch.Tensor:
        """Predictions [1, b] of images as the core sees them."""
        return self.fitted.scores_of(seen, self.position).argmax(1)[None]

    def on(self, acts: Any = None, unrelated: Mapping[str, Any] | None = None) -> Outcome:
        """What it does to other images (`Outcome`); those it was made from are left out.

        Arguments:
            acts: parts of labelled images; default the comparison's held-out images.
            unrelated: by name, parts of images that should stay as they are, or (parts, classes of their own); default
                none, with `acts` left out the comparison's.
        """
        held = self.held if acts is None else held_out(self.problem, acts, unrelated)
        return outcome_of(held, self.guess)

    def __repr__(self) -> str:
        return f"{self.fitted.name}, {self.fitted.dial.name} = {self.position:g} ({self.chosen})\n{self.on()}"


@dataclass(frozen=True, eq=False, repr=False)
class Compared:
    """One method in a comparison, fitted to every draw.

    Attributes:
        turned: where its dial was put, for every draw.
        values: of the dial along the path [m].
        paths: by name of the measure, along the path [draw, m], 0 to 1; nan where there are no such images.
    """

    turned: tuple[Turned, ...]
    values: tuple[float, ...]
    paths: dict[str, Array]

    @property
    def name(self) -> str:
        """Of the method."""
        return self.fitted.name

    @property
    def fitted(self) -> Fitted:
        """Fitted to the first draw."""
        return self.turned[0].fitted

    @property
    def position(self) -> float:
        """Of the dial, in the first draw."""
        return self.turned[0].position

    def at(self, value: float) -> Turned:
        """The method with its dial put elsewhere, by hand.

        Arguments:
            value: of the dial.
        """
        first = self.turned[0]
        return Turned(first.fitted, first.fitted.dial.checked(value, self.name), "by hand", first.problem, first.held)

    def points(self) -> dict[str, Array]:
        """By name of the measure, where the dial was put [draw], 0 to 1."""
        rows = [one.held.rates(one.guess) for one in self.turned]
        return {name: np.array([float(row[name][0]) for row in rows]) for name in MEASURES}

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per draw and value: method, draw, value, every measure."""
        import pandas

        draws, m = self.paths["success"].shape
        at = {"draw": np.repeat(np.arange(draws), m), "value": np.tile(self.values, draws)}
        measured = {name: path.ravel() for name, path in self.paths.items()}
        return pandas.DataFrame({"method": self.name} | at | measured)

    def __repr__(self) -> str:
        return f"{self.fitted.method!r} over {len(self.turned)} draws; in the first: {self.turned[0]!r}"
