"""`LivePanel`: a panel whose answers come from an engine, and whose browser asks one thing after the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypedDict

import traitlets

from toolkit.engine.engine import Engine, Request
from toolkit.engine.worker import Worker, engine_for
from toolkit.errors import InputError
from toolkit.panels.base.panel import LOCK, Panel, observes
from toolkit.signs import Sign

_names = itertools.count()
REMEMBERED = 200
"""Asks whose numbers are remembered, so that none is done twice."""


class SignSent(TypedDict):
    """How far a part is. what: it does just now, "" for no more than its `doing` says. of: 0 where that is unknown.
    rate: units a second. left: seconds. stopped: whether it was ended before it was there.
    """

    what: str
    unit: str
    done: int
    of: int
    rate: float | None
    left: float | None
    stopped: bool


class _Ask(NamedTuple):
    """A request of a part and how to make it again."""

    request: Request
    again: Callable[[], None]


class LivePanel(Panel):
    """Base class of panels with an engine.

    doing: part → what the panel does while `_work` holds it, in words. unasked: parts it works out by itself in quiet
    moments, which nobody waits for.

    `_work` lists the parts whose newest answer is still on its way, `_failed` what was raised by those that have none,
    `_signs` how far those are that take long. The front end shows both after a second, with a button that ends the
    work, and another that takes it up again (`stop`, `go_on`).
    What the browser asks comes in `_asked`, a list of {"id", "do", …} from which nothing goes before its id stands in
    `_answered`: messages that Jupyter merges while the kernel is busy lose none.
    """

    doing: ClassVar[dict[str, str]] = {}
    unasked: ClassVar[frozenset[str]] = frozenset()
    _work = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _signs: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _doing: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
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
        self._requests = dict[str, _Ask]()
        self._ending = set[str]()
        self._following = False

    @traitlets.default("_doing")
    def _told_of_work(self) -> dict[str, str]:
        return self.doing

    @property
    def awaited(self) -> list[str]:
        """Parts whose answer is on its way, but for those that nobody asked for."""
        return [part for part in self._work if part not in self.unasked]

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
        turn = self._begins(part)

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
                    self._is_over(part)

        def signs(sign: Sign) -> None:
            _unless_locked(lambda: self._tell(part, sign))

        def waits(what: str) -> bool:
            return _unless_locked(lambda: self._tell_wait(part, what))

        def again() -> None:
            self._submit(part, work, paint, key, engine, then, **more)

        request = (engine or self.engine).submit(
            self._key(key or part), work, done, failed=failed, over=over, signs=signs, waits=waits,
            what=self.doing.get(part, ""), **more,
        )  # fmt: skip
        with LOCK:
            if self._turn[part] == turn and part in self._work:
                self._requests[part] = _Ask(request, again)

    def stop(self, *parts: str) -> None:
        """End what is being worked out, as the button of its sign does; `go_on` takes it up again.

        Arguments:
            parts: of the panel, such as "map"; default all whose answer is on its way.
        """
        for part in parts or tuple(self._work):
            with LOCK:
                ask = self._requests.get(part)
                if ask is not None:
                    self._ending.add(part)
            if ask is not None:
                ask.request.cancel()

    def go_on(self, *parts: str) -> None:
        """Work out anew what was stopped.

        Arguments:
            parts: of the panel; default all that were stopped.
        """
        stopped = [part for part, sign in self._signs.items() if sign["stopped"]]
        for part in parts or stopped:
            if part in stopped:
                self._requests[part].again()

    def _tell(self, part: str, sign: Sign) -> None:
        """Say how far a part is, where it is made of many requests."""
        self._signs = {**self._signs, part: _sent(sign)}

    def _tell_wait(self, part: str, what: str) -> None:
        """Say what a part waits for; "": nothing any more."""
        if what:
            self._tell(part, Sign(f"{self.doing.get(part, part)}, once this is done: {what}"))
        elif part in self._signs:
            self._forget_sign(part)

    def _begins(self, part: str) -> int:
        """A part is asked for: the number of this ask."""
        with LOCK, self.hold_sync():
            self._turn[part] = self._turn.get(part, 0) + 1
            self._requests.pop(part, None)
            self._ending.discard(part)
            self._work = sorted({*self._work, part})
            if self._signs.get(part, {}).get("stopped"):
                self._forget_sign(part)
            return self._turn[part]

    def _is_over(self, part: str) -> None:
        """The newest ask of a part came to its end; where somebody stopped it, its sign stays, and says so."""
        self._work = [p for p in self._work if p != part]
        if part in self._ending and self._requests[part].request.state == "cancelled":
            sign = self._signs.get(part) or _sent(Sign(""))
            self._signs = {**self._signs, part: {**sign, "stopped": True, "left": None}}
        else:
            self._requests.pop(part, None)
            self._forget_sign(part)

    def _forget_sign(self, part: str) -> None:
        if part in self._signs:
            self._signs = {name: sign for name, sign in self._signs.items() if name != part}

    def _forgive(self, *parts: str) -> None:
        """Take an error of these parts back."""
        if self._error_of in parts:
            self.error, self._error_of = "", ""

    @observes("_asked")
    def _browser_asked(self, change: Any) -> None:
        new = [ask for ask in self._asked if ask["id"] not in self._answered]
        self._answered = [*self._answered, *(ask["id"] for ask in new)][-REMEMBERED:]
        for ask in new:
            if ask["do"] in ("stop work", "go on"):
                (self.stop if ask["do"] == "stop work" else self.go_on)(str(ask["part"]))
            else:
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


def _unless_locked(act: Callable[[], None]) -> bool:
    """Do something under LOCK, unless somebody holds it, who may be waiting for this work; whether it was done."""
    if not LOCK.acquire(blocking=False):
        return False
    try:
        act()
    finally:
        LOCK.release()
    return True


def _sent(sign: Sign) -> SignSent:
    return {
        "what": sign.what, "unit": sign.unit, "done": sign.done, "of": sign.of, "rate": sign.rate, "left": sign.left,
        "stopped": False,
    }  # fmt: skip
