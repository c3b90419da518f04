"""`LivePanel`: a panel whose answers come from an engine, and whose browser asks one thing after the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import traitlets

from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker, engine_for
from toolkit.errors import InputError
from toolkit.panels.base.panel import LOCK, Panel, observes

_names = itertools.count()
REMEMBERED = 200
"""Asks whose numbers are remembered, so that none is done twice."""


class LivePanel(Panel):
    """Base class of panels with an engine.

    `_work` lists the parts whose newest answer is still on its way, `_failed` what was raised by those that have none.
    What the browser asks comes in `_asked`, a list of {"id", "do", …} from which nothing goes before its id stands in
    `_answered`: messages that Jupyter merges while the kernel is busy lose none.
    """

    _work = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _asked: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _answered: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def _begin(self, engine: Any, model: Any = None) -> None:
        """Before anything is asked: the engine given, else the worker of a model, else a worker of the panel's own."""
        if engine is not None and not isinstance(engine, Engine):
            accepted, fix = "a tk.Engine, or None", "leave engine out; tk.Engine() works inline"
            raise InputError(type(self).__name__, f"engine={engine!r}", accepted, fix)
        if engine is None:
            engine = Worker() if model is None else engine_for(model)
        self.engine: Engine = engine
        self._name = f"{type(self).__name__} {next(_names)}"
        self._turn, self._shown_turn = dict[str, int](), dict[str, int]()
        self._failed = dict[str, BaseException]()
        self._following = False

    def _key(self, part: str) -> str:
        return f"{self._name}: {part}"

    def _submit(
        self,
        part: str,
        work: Callable[[Any], Any],
        paint: Callable[[Any], None],
        key: str | None = None,
        engine: Engine | None = None,
        then: Callable[[Any], None] | None = None,
        **more: Any,
    ) -> None:
        """Ask an engine (default: the panel's) for a part. What comes is painted in order, under LOCK and as one
        message; the part stays in `_work` until its newest answer is there. then: called with what was painted, once
        it has left for the page: what others make of it must not keep it waiting.
        """
        with LOCK:
            turn = self._turn[part] = self._turn.get(part, 0) + 1
            self._work = sorted({*self._work, part})

        def done(value: Any) -> None:
            with LOCK:
                with self.painting():
                    painted = turn > self._shown_turn.get(part, 0)  # an answer to an earlier ask is better than none
                    if painted:
                        self._shown_turn[part] = turn
                        self._forgive(part)
                        self._failed.pop(part, None)
                        paint(value)
                    over()
                if painted and then is not None:
                    then(value)

        def failed(error: BaseException) -> None:
            with self.painting():
                if self._turn[part] == turn:
                    self._failed[part] = error
                    self.error, self._error_of = f"{type(error).__name__}: {error}", part

        def over() -> None:
            with self.painting():
                if self._turn[part] == turn and part in self._work:
                    self._work = [p for p in self._work if p != part]

        (engine or self.engine).submit(self._key(key or part), work, done, failed=failed, over=over, **more)

    def _forgive(self, *parts: str) -> None:
        """Take an error of these parts back."""
        if self._error_of in parts:
            self.error, self._error_of = "", ""

    @observes("_asked")
    def _browser_asked(self, change: Any) -> None:
        new = [ask for ask in self._asked if ask["id"] not in self._answered]
        self._answered = [*self._answered, *(ask["id"] for ask in new)][-REMEMBERED:]
        for ask in new:
            self._do(ask)

    def _do(self, ask: dict[str, Any]) -> None:
        """One thing the browser asks."""
        raise NotImplementedError(f"{type(self).__name__} is asked nothing")  # pragma: no cover

    def _followed(self, name: str, value: Any) -> None:
        """Take over what another panel chose; observers see `_following` and do not answer."""
        with LOCK:
            before, self._following = self._following, True
            try:
                setattr(self, name, value)
            finally:
                self._following = before
