"""`sign`: what work that takes long says of itself, the same in a terminal, a notebook and a panel."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Report = Callable[[int, int], None]
"""Called with (done, of) after every step; what it raises ends the work."""
LATER = 1.0
"""Seconds of work before anything is said of it."""


class Sign:
    """How far some work is.

    what: it does ("encode texts"). unit: what it counts ("text"). done, of: how many, of how many; 0 of 0 at first.
    """

    def __init__(self, what: str, unit: str = "") -> None:
        self.what, self.unit = what, unit
        self.done = self.of = 0
        self._began = time.monotonic()
        self._first: tuple[float, int] | None = None

    def at(self, done: int, of: int) -> None:
        """It is so far now."""
        self.done, self.of = done, of
        if self._first is None:  # the rate is of this run alone, which may take up where another ended
            self._first = (self._began, 0) if done <= 1 else (time.monotonic(), done)

    @property
    def rate(self) -> float | None:
        """Units a second; None before it can be told."""
        if self._first is None:
            return None
        since, first = self._first
        seconds = time.monotonic() - since
        return (self.done - first) / seconds if self.done > first and seconds > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds that are left at this rate; None before it can be told."""
        rate = self.rate
        return None if rate is None else max(0, self.of - self.done) / rate


Shower = Callable[[Sign], None]
"""Shows a sign after each of its steps; what it raises ends the work."""
_SHOWER: ContextVar[Shower | None] = ContextVar("what shows signs here; a bar where nothing does", default=None)
_OPEN: list[Any] = []
"""Bars that are drawn now: those inside another go when they are over."""


@contextmanager
def shown_by(shower: Shower) -> Iterator[None]:
    """Signs of work inside are shown by this, and not by a bar."""
    token = _SHOWER.set(shower)
    try:
        yield
    finally:
        _SHOWER.reset(token)


@contextmanager
def sign(what: str, unit: str, progress: bool | Report = True) -> Iterator[Report]:
    """What to call with (done, of) after every step of work that may take over a second.

    Inside a panel the panel shows it, with a button that ends the work. Elsewhere a bar with rate and time left goes to
    standard error, once the work has taken a second.

    Arguments:
        what: the work does, such as "encode texts".
        unit: what is counted, in the singular.
        progress: False for no bar, or a function to call in its place; default True.
    """
    shower = _SHOWER.get()
    if callable(progress):
        yield progress
    elif shower is not None:
        yield from _told(Sign(what, unit), shower)
    elif not progress:
        yield lambda done, of: None
    else:
        yield from _drawn(what, unit)


def counted(items: Iterable[T], what: str, unit: str, of: int | None = None, progress: bool = True) -> Iterator[T]:
    """The items one after the other, with a sign of how many are done.

    Arguments:
        items: to go through.
        what, unit, progress: as in `sign`.
        of: how many there are; default their length.
    """
    total = of if of is not None else len(items) if isinstance(items, Sized) else 0
    with sign(what, unit, progress) as report:
        for done, item in enumerate(items, 1):
            yield item
            report(done, total)


def both(first: Callable[P, None], second: Callable[P, None]) -> Callable[P, None]:
    """Two reports as one."""

    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        first(*args, **kwargs)
        second(*args, **kwargs)

    return told


def _told(one: Sign, shower: Shower) -> Iterator[Report]:
    def report(done: int, of: int) -> None:
        one.at(done, of)
        shower(one)

    yield report


def _drawn(what: str, unit: str) -> Iterator[Report]:
    bars: list[Any] = []
    begun = since = time.monotonic()
    first: int | None = None

    def report(done: int, of: int) -> None:
        nonlocal first, since
        now = time.monotonic()
        if first is None:  # from where this run takes up: the rate is of this run alone
            first, since = (0, begun) if done <= 1 else (done, now)
        if not bars and now - begun >= LATER:  # a bar that is not shown would cost a notebook as much as one that is
            bars.append(_bar(what, unit, first, of, now - since))
            _OPEN.append(bars[0])
        if bars:
            bars[0].update(done - bars[0].n)

    try:
        yield report
    finally:
        for one in bars:
            _OPEN.remove(one)
            one.set_postfix_str("", refresh=False)
            one.close()


def _bar(what: str, unit: str, done: int, of: int, spent: float) -> Any:
    """A bar of tqdm; $TQDM_DISABLE=1 turns all of them off. spent: seconds in which more than `done` was made."""
    from tqdm.auto import tqdm

    stops = "■ stops" if "ipykernel" in sys.modules else "Ctrl-C stops"
    made = tqdm(
        total=of or None, initial=done, unit=f" {unit}", desc=what, file=sys.stderr, postfix=stops, leave=not _OPEN,
        dynamic_ncols=True,
    )  # fmt: skip
    if not made.disable:
        made.start_t -= spent
    return made
