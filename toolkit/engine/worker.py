"""`Worker`: an engine with a thread of its own, so that no callback ever waits for a model."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from typing import Any

import torch

from toolkit.engine.engine import Engine, Request

IDLE = 5.0
"""Seconds without work after which the thread ends; the next request starts another."""


PATIENT = 5.0
"""Seconds the interpreter waits at its end for work that runs."""
_ALL: weakref.WeakSet[Worker] = weakref.WeakSet()


class Worker(Engine):
    """Runs requests one at a time on one background thread. Everything else is as in `Engine`.

    Submitting never blocks, from whatever thread: the kernel's main thread, a subshell, a busy cell. The thread is
    started when there is work and ends when there has been none for a while, so that an engine that is dropped leaves
    nothing behind. An interrupt of the kernel reaches the cell, not the worker.

    >>> engine = Worker()
    >>> engine.submit("double", lambda request: 2 * 21).result(timeout=10)
    42
    """

    def __init__(self) -> None:
        super().__init__()
        self._more = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        _ALL.add(self)

    def _wake(self) -> None:
        with self._more:
            if self._thread is None or not self._thread.is_alive():  # a fork leaves a thread object without a thread
                self._thread = threading.Thread(target=self._loop, name="toolkit engine", daemon=True)
                self._thread.start()
            self._more.notify()

    def _loop(self) -> None:
        while True:
            with self._more:
                if not self._waiting and not self._more.wait_for(lambda: bool(self._waiting), IDLE):
                    self._thread = None
                    return
                request: Request | None = self._waiting.popitem(last=False)[1]
                self._running, self._current = True, request
            assert request is not None
            try:
                with torch.no_grad():  # the mode is per thread: the user's own is untouched
                    request.run()
            except BaseException:  # noqa: BLE001 – the request carries it; the thread lives on
                pass
            finally:
                request = None  # what it returned must not live until the next one
                with self._more:
                    self._running, self._current = False, None


@atexit.register
def _end_all() -> None:
    """Give running work the chance to end before the interpreter does: a thread that is killed inside a tensor
    operation takes the whole process down with it.
    """
    threads = [worker._thread for worker in list(_ALL)]
    for worker in list(_ALL):
        worker.cancel()
    end = time.monotonic() + PATIENT
    for worker, thread in zip(list(_ALL), threads, strict=False):
        while thread is not None and thread.is_alive() and not worker.idle and time.monotonic() < end:
            time.sleep(0.005)


_WORKERS: weakref.WeakKeyDictionary[Any, Worker] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


def engine_for(model: Any) -> Worker:
    """The one worker of a model; all panels of the model share it."""
    with _LOCK:
        if model not in _WORKERS:
            _WORKERS[model] = Worker()
        return _WORKERS[model]
