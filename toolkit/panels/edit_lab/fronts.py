"""The grid of the strategy one is in, the fronts of all, and the folded model's numbers: what takes longer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import traitlets

from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.errors import InputError
from toolkit.labs.edit import Settings
from toolkit.labs.edit_records import FoldedSent, FrontsSent
from toolkit.labs.edit_shown import plane, rows
from toolkit.labs.fronts import Fronts, any_strategy, fronts, in_background, sent
from toolkit.panels.edit_lab.visits import VisitedEdits

if TYPE_CHECKING:
    from toolkit.api.edit.frontier_result import Frontier
    from toolkit.api.edit.outcome import Outcome

REST = 1.5
"""Seconds without another request after which fronts are drawn that nobody asked for."""
NAP = 0.05
LARGE = 40_000
"""Images an edit is made from times classes, up to which they are."""
Drawn = tuple[Settings, Fronts, FrontsSent]


class FrontedEdits(VisitedEdits):
    """Base class of the edit lab: what it asks for besides the two edits."""

    _threads: bool
    _filling: Engine
    _filled: Settings | None = None
    _folded: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _front: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _fronts: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    frontier: Frontier | None = None
    fronts: Fronts
    folded: Outcome | None = None

    def _begin_fronts(self) -> None:
        self.fronts = {}
        self._fronts_asked: Settings | None = None
        # a worker of their own: nothing that is asked for may wait for what nobody asked for
        self._fronting = Worker() if self._threads else self.engine

    def fill(self, weights: Any = None) -> None:
        """Solve the grid of α and β of the plane one is in, painted as it fills.

        Arguments:
            weights: of either axis, no unit, each 0 to 1e12; default those of `tk.frontier`.
        """
        asked, session = self.settings, self._session

        def work(request: Any) -> tuple[Settings, Frontier]:
            found = session.frontier(asked, lambda part: request.partial((asked, part)), weights)
            return asked, found

        paint = self._paint_front
        self._submit("fill", work, paint, engine=self._filling, partial=paint)

    def _paint_front(self, found: tuple[Settings, Frontier]) -> None:
        with self.painting():
            self._filled, self.frontier = settings, frontier = found
            self._front = plane(frontier, settings.plane.told)

    def draw_fronts(self) -> None:
        """Solve the frontiers of all strategies of few numbers, from every draw of the few images: `.fronts` by name,
        coarse ones first.

        With live sliders that is done by itself once they rest, unless the images are many or TOOLKIT_BACKGROUND=0 is
        in the environment.
        """
        self._ask_fronts(self.settings, 0.0)

    def _fronts_follow(self) -> None:
        """Draw the fronts of the present settings once nothing else is asked for."""
        images, settings = self._session.images, self.settings
        quick = len(images) * len(images.classes) <= LARGE and self._facts.get("others")
        stopped = self._signs.get("fronts", {}).get("stopped", False)
        if not (self._threads and quick and in_background()) or stopped:
            return
        if self._fronts_asked is None or any_strategy(self._fronts_asked) != any_strategy(settings):
            self._ask_fronts(settings, REST)

    def _ask_fronts(self, settings: Settings, rest: float) -> None:
        session, self._fronts_asked = self._session, settings
        begun = time.monotonic()

        def pause(*_: Any) -> None:
            """Let everything else go first."""
            while self._others_work() or time.monotonic() < begun + rest:
                request.check()
                time.sleep(NAP)
            request.check()

        request: Any = None

        def work(asked: Any) -> Drawn:
            nonlocal request
            request = asked
            pause()
            painted: Fronts = {}

            def each(found: Fronts) -> None:
                painted.update(found)
                asked.partial((settings, dict(painted), sent(painted, settings, 0)))

            found, left = fronts(session, settings, each, pause)
            return settings, found, sent(found, settings, left)

        self._submit("fronts", work, self._paint_fronts, engine=self._fronting, partial=self._paint_fronts)

    def _others_work(self) -> bool:
        """Whether another part of the panel is being worked out, on a thread of its own."""
        return self._threads and bool(self.awaited)

    def _paint_fronts(self, found: Drawn) -> None:
        _, self.fronts, self._fronts = found

    def measure_folded(self) -> None:
        """Run the held-out images through a model with the strengths shown folded in: what it does stands beside the
        direct numbers. `.folded` is the outcome.

        Raises:
            InputError: for an edit that folds exactly, or is still being solved, and without the model or the images.
        """
        made, settings = self._shown_edit("EditLab.measure_folded"), self.settings.told
        if not self._session.can_fold(made):
            accepted = "an edit of strengths or directions, with its live model and held-out images"
            given = f"strategy={made.strategy.name!r} on {self._session.images.acts.card.id}"
            raise InputError(
                "EditLab.measure_folded", given, accepted, "other edits fold as they are: edit.fold(model)"
            )

        def work(request: Any) -> tuple[FoldedSent, Outcome]:
            model = made.problem.images.acts.model
            found = made.folded_outcome(model, check=lambda done, of: request.check())
            # in the same order; the worst group may be another one, by another name
            beside = zip(rows(made.on()), rows(found), strict=True)
            return {"of": settings, "after": {row["name"]: other["after"] for row, other in beside}}, found

        self._submit("folded", work, self._paint_folded, engine=self._filling)

    def _paint_folded(self, found: tuple[FoldedSent, Outcome]) -> None:
        self._folded, self.folded = found
