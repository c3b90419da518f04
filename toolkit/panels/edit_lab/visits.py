"""Where a lab has been: a trail of points, and a way back."""

from __future__ import annotations

import time
from typing import Any

from toolkit.api.edit.frontier_result import MEASURES
from toolkit.core.heads import HeadSet
from toolkit.labs.edit import Settings

REST = 0.6
"""Seconds without a move after which the next one can be undone by itself: a drag is one move."""
MOST = 200
"""Points of the trail, and moves that can be undone."""


class Visits:
    """The settings a lab has shown, with what they did, and those it can go back and forward to.

    planes: what settings share but α, β and steps: [strategy, scale, nonnegative, heads, pair]. trail: rows [α, β,
    steps, index of the plane, every measure].
    """

    def __init__(self) -> None:
        self.planes: list[tuple[Any, ...]] = []
        self.trail: list[list[Any]] = []
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
    def can(self) -> list[bool]:
        """Whether there is a way back, and one forward."""
        return [bool(self._back), bool(self._forth)]

    def seen(self, settings: Settings, point: dict[str, Any]) -> None:
        """Settings were shown, and did this."""
        plane = settings[3:]
        if plane not in self.planes:
            self.planes.append(plane)
        where = [*settings[:3], self.planes.index(plane)]
        self.trail = [row for row in self.trail if row[:4] != where][-MOST + 1 :]
        self.trail.append([*where, *(None if point[m] is None else round(point[m], 5) for m in MEASURES)])

    def settings(self, alpha: float, beta: float, steps: int, plane: int) -> Settings:
        """The settings of a row of the trail."""
        strategy, scale, nonnegative, heads, pair = self.planes[plane]
        return Settings(alpha, beta, steps, strategy, scale, nonnegative, heads, pair)

    def at(self, row: Any) -> Settings | None:
        """The settings of a row [α, β, steps, plane] that a browser names; None where there is no such row."""
        known = [list(one[:4]) for one in self.trail]
        return self.settings(*row) if list(row) in known else None

    @property
    def words(self) -> list[str]:
        """Every plane in words."""
        found = []
        for strategy, scale, floor, heads, pair in self.planes:
            parts = [strategy, "θ ≥ 0" if floor else "", f"scale {scale:g}" if scale else ""]
            parts += [f"heads {HeadSet(heads) or 'none'}", f"{pair[0]} → {pair[1]}" if pair else ""]
            found.append(", ".join(filter(None, parts)))
        return found
