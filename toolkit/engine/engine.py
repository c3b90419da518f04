"""`Engine`: what panels ask for work, run inline. `Worker`: the same on a thread of its own. `Request`: one such."""

from __future__ import annotations

import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal

from toolkit.errors import ToolkitError
from toolkit.signs import Sign, shown_by

State = Literal["waiting", "running", "done", "failed", "superseded", "cancelled"]
PATIENCE = 0.25
"""Seconds a key may go without a painted result before its running work is let on to the next one although a newer
request waits: cancelling alone would starve the picture while a slider moves."""
EVERY = 0.1
"""Seconds between two signs of how far the work is."""
QUICK = 0.1
"""Seconds in which work goes on although a newer one waits: what is nearly done is best done."""
QUIET = 0.5
"""Seconds of work before the first of them: what is quick says nothing."""


class Engine:
    """Runs requests one at a time, in the thread that submits them: for tests, scripts and notebooks without a live
    kernel. The newest request of a key replaces the one that waits; keys take turns in the order of submission.

    A request that is submitted while another runs (by a callback, say) runs after it.

    >>> engine = Engine()
    >>> engine.submit("double", lambda request: 2 * 21).result()
    42
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, Request] = OrderedDict()
        self._newest: dict[str, Request] = {}
        self._painted: dict[str, float] = {}
        self._running = False
        self._current: Request | None = None

    def submit(
        self,
        key: str,
        work: Callable[[Request], Any],
        done: Callable[[Any], None] | None = None,
        *,
        partial: Callable[[Any], None] | None = None,
        signs: Callable[[Sign], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
        over: Callable[[], None] | None = None,
        waits: Callable[[str], bool] | None = None,
        what: str = "",
    ) -> Request:
        """Ask for work; returns at once with a Request (the inline engine: when it is done).

        Nothing of a request that a newer one's result has overtaken is ever handed on.

        Arguments:
            key: what is asked for, e.g. "edit lab 3: solve"; a newer request of the same key replaces this one.
            work: called with the request; long work calls its `.partial`, `.progress` or `.check` now and then.
            done: called with the result, from the thread that works; default nothing.
            partial: called with an intermediate result, from the thread that works; default nothing.
            signs: called with how far the work is (`Sign`), which verbs of the toolkit say by themselves, from the
                thread that works, once that has taken a moment; default nothing.
            failed: called with an exception, from the thread that works; default nothing.
            over: called at the end of every request, however it ended, from the thread that ended it; default nothing.
            waits: called with what a request does that takes long and that this one waits for, and with "" when this
                one begins after all, from the thread that works; returns whether it took note, else it is called again;
                default nothing.
            what: the work in words, for those that wait for it; default the key.
        """
        request = Request(self, key, work, done, partial, signs, failed, over, waits, what or key)
        with self._lock:
            old = self._waiting.get(key)
            self._waiting[key] = request  # takes the place in the queue of the one it replaces
            self._newest[key] = request
        if old is not None:
            old.replaced()
        self._wake()
        return request

    def cancel(self, key: str | None = None) -> None:
        """Cancel the request of a key, or all.

        Arguments:
            key: of the request; default all.
        """
        with self._lock:
            requests = [r for r in {*self._newest.values(), self._current} if r is not None and key in (None, r.key)]
        for request in requests:
            request.cancel()

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        with self._lock:
            return not self._running and not self._waiting

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until idle; False if it took too long. Not for callbacks of widgets.

        Arguments:
            timeout: seconds; default for ever.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self.idle:
            if end is not None and time.monotonic() > end:
                return False
            time.sleep(0.002)
        return True

    def newest(self, key: str) -> Request | None:
        """The newest request of a key that is not over (`Request`), or None.

        Arguments:
            key: of the request.
        """
        return self._newest.get(key)

    def painted(self, key: str) -> float:
        """When the last result of a key was handed on, in seconds (time.monotonic; −∞: never since it was idle).

        Arguments:
            key: of the request.
        """
        return self._painted.get(key, float("-inf"))

    def mark(self, key: str) -> None:
        """A result of this key was handed on just now.

        Arguments:
            key: of the request.
        """
        self._painted[key] = time.monotonic()

    def over(self, request: Request) -> None:
        """A request ended: forget it.

        Arguments:
            request: the one that ended.
        """
        with self._lock:
            if self._newest.get(request.key) is request:
                del self._newest[request.key]
                if self._current is None or self._current is request or self._current.key != request.key:
                    self._painted.pop(request.key, None)
            if self._waiting.get(request.key) is request:
                del self._waiting[request.key]

    def delays(self, what: str) -> None:
        """Tell all that wait what they wait for.

        Arguments:
            what: the running work does.
        """
        with self._lock:
            waiting = list(self._waiting.values())
        for request in waiting:
            request.waits_for(what)

    def _next(self) -> Request | None:
        """The request to run now; None, and the engine at rest, where nothing waits."""
        with self._lock:
            self._running = bool(self._waiting)
            self._current = self._waiting.popitem(last=False)[1] if self._waiting else None
            return self._current

    def _wake(self) -> None:
        """Work until nothing waits, unless somebody already does."""
        with self._lock:
            if self._running:
                return
            self._running = True
        try:
            while (request := self._next()) is not None:
                request.run()
        except BaseException:
            self._running, self._current = False, None
            raise


class StoppedError(ToolkitError):
    """The work was superseded by a newer request of its key, or cancelled; nothing is wrong."""


class Request:
    """One request. The work gets it as its only argument and calls `partial`, `progress` and `check`.

    key: requests of one key replace each other. state: "waiting", "running", then "done", "failed", "superseded" or
    "cancelled".
    """

    def __init__(
        self,
        engine: Engine,
        key: str,
        work: Callable[[Request], Any],
        done: Callable[[Any], None] | None,
        partial: Callable[[Any], None] | None,
        signs: Callable[[Sign], None] | None,
        failed: Callable[[BaseException], None] | None,
        over: Callable[[], None] | None = None,
        waits: Callable[[str], bool] | None = None,
        what: str = "",
    ) -> None:
        self.key, self.what = key, what
        self.state: State = "waiting"
        self._engine: Engine | None = engine
        self._work: Callable[[Request], Any] | None = work
        self._done, self._partial, self._signs, self._failed = done, partial, signs, failed
        self._ended, self._waits, self._behind = over, waits, ""
        self._own = Sign("")
        self._painted, self._began, self._told = False, 0.0, 0.0
        self._value: Any = None
        self._error: BaseException | None = None
        self._gate = threading.Lock()
        self._over = threading.Lock()  # held until then: an event's own lock may stay held after an interrupt
        self._over.acquire()

    @property
    def current(self) -> bool:
        """Whether no newer request of its key was made and nobody cancelled it."""
        return (
            self.state in ("waiting", "running") and self._engine is not None and self._engine.newest(self.key) is self
        )

    def check(self) -> None:
        """A point where the work may end: raises StoppedError when it was cancelled, or superseded and not kept on by
        PATIENCE. Let it pass through.
        """
        if self.state == "cancelled":
            raise self._stopped()
        if not self.current:
            assert self._engine is not None
            waits = self._engine.newest(self.key) is not None  # else the newer one was cancelled: nobody wants this
            if not waits or self._painted or time.monotonic() - self._engine.painted(self.key) < PATIENCE:
                raise self._stopped()

    def partial(self, value: Any) -> None:
        """Hand on an intermediate result to be painted, then `check`."""
        if self.state == "cancelled":
            raise self._stopped()
        if self._partial is not None:
            self._partial(value)
            self._mark()
        self.check()

    def progress(self, done: int, of: int) -> None:
        """Say how far the work is, then `check`."""
        self._own.at(done, of)
        self.show(self._own)
        self.check()

    def show(self, sign: Sign) -> None:
        """Hand on how far the work is, at most every EVERY seconds; then, unless it has just begun, `check`."""
        if self.state == "cancelled":
            raise self._stopped()
        now = time.monotonic()
        if self._signs is not None and now - max(self._told, self._began + QUIET - EVERY) >= EVERY:
            self._told = now
            self._signs(sign)
            if self._engine is not None:
                self._engine.delays(self.what)
        if now - self._began > QUICK:
            self.check()

    def waits_for(self, what: str) -> None:
        """Say what it waits for, once; "" when it waits no longer."""
        if self._waits is not None and what != self._behind and self._waits(what):
            self._behind = what

    def cancel(self) -> None:
        """End it: at once if it waits, at its next `check` if it runs; nothing of it is handed on any more."""
        with self._gate:
            waited = self.state == "waiting"
            if self.state in ("waiting", "running"):
                self.state = "cancelled"
        if waited:
            self._finish()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result. Not for callbacks of widgets, which must never wait.

        Raises what the work raised, StoppedError when it was superseded or cancelled, TimeoutError after `timeout` s.
        """
        if not self._over.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            raise TimeoutError(f"{self.key!r} is still {self.state} after {timeout} s")
        self._over.release()
        if self._error is not None:
            raise self._error
        if self.state != "done":
            raise self._stopped()
        return self._value

    def run(self) -> None:
        """Do the work and hand on what comes of it; called by the engine. Raises only what ends a program."""
        with self._gate:
            if self.state != "waiting":
                return
            self.state = "running"
        try:
            assert self._work is not None
            self._began = time.monotonic()
            self.waits_for("")
            with shown_by(self.show):
                value = self._work(self)
            if self.state == "running" and self._done is not None:
                self._done(value)
                self._mark()
            self._end("done", value)
        except StoppedError:
            self._end("superseded")
        except Exception as error:  # noqa: BLE001 – whatever it is, the panel must show it and the worker live on
            self._fail(error)
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            self._finish()

    def replaced(self) -> None:
        """A newer request of the key was made while this one waited."""
        with self._gate:
            waited = self.state == "waiting"
            if waited:
                self.state = "superseded"
        if waited:
            self._finish()

    def _end(self, state: State, value: Any = None) -> None:
        with self._gate:
            if self.state == "running":
                self._value, self.state = value, state

    def _fail(self, error: BaseException) -> None:
        if self.state == "cancelled":
            return
        self._end("failed")
        self._error = error
        if self._failed is not None:
            try:
                self._failed(error)
            except Exception as second:  # noqa: BLE001 – the worker must outlive the panel that reports
                self._error = second
        _forget_frames(self._error)

    def _mark(self) -> None:
        self._painted = True
        if self._engine is not None:
            self._engine.mark(self.key)

    def _stopped(self) -> StoppedError:
        what = "cancelled" if self.state == "cancelled" else "superseded by a newer one"
        return StoppedError(
            "engine", f"the result of a request of {self.key!r} that was {what}", "a finished one", "ask the newest"
        )

    def _finish(self) -> None:
        """Let go of everything but the result: a ticket kept by somebody must not keep images alive."""
        if self._engine is not None:
            self._engine.over(self)
        ended, self._ended = self._ended, None
        self._work = self._done = self._partial = self._signs = self._failed = self._waits = None
        self._engine = None
        self._over.release()
        if ended is not None:
            ended()

    def __repr__(self) -> str:
        return f"Request({self.key!r}, {self.state})"


def _forget_frames(error: BaseException | None) -> None:
    """Keep an error's traceback as a note: its frames would keep every image and tensor of the work alive."""
    if error is not None and error.__traceback__ is not None:
        error.add_note("In the engine:\n" + "".join(traceback.format_tb(error.__traceback__)))
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
