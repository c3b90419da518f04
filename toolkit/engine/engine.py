"""`Engine`: what panels ask for work; runs it inline. `Worker` does the same on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from toolkit.engine.request import Request


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
        progress: Callable[[int, int], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
        over: Callable[[], None] | None = None,
    ) -> Request:
        """Ask for work; returns at once with a Request (the inline engine: when it is done).

        Nothing of a request that a newer one's result has overtaken is ever handed on.

        Arguments:
            key: what is asked for, e.g. "edit lab 3: solve"; a newer request of the same key replaces this one.
            work: called with the request; long work calls its `.partial`, `.progress` or `.check` now and then.
            done: called with the result, from the thread that works; default nothing.
            partial: called with an intermediate result, from the thread that works; default nothing.
            progress: called with (done, of), from the thread that works; default nothing.
            failed: called with an exception, from the thread that works; default nothing.
            over: called at the end of every request, however it ended, from the thread that ended it; default nothing.
        """
        request = Request(self, key, work, done, partial, progress, failed, over)
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
