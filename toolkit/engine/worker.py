"""`Worker`: an engine with a thread of its own, so that no callback ever waits for a model."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 – registers its own end of the process, which must come after ours
import ctypes
import sys
import threading
import time
import weakref
from typing import Any

import torch

from toolkit.engine.engine import Engine, Request
from toolkit.engine.memory import give_back
from toolkit.interrupts import whole

IDLE = 5.0
"""Seconds without work after which the thread ends; the next request starts another."""
LONG = 0.5
"""Seconds of work after which memory is given back to the system."""
AGAIN = 0.1
"""Seconds that work has to end with the process at a check of its own; after that an exception is raised in it wherever
it is, and again after as many, as what it called may have taken the exception for its own."""
SAID = 3.0
"""Seconds after which the process says what it still waits for."""
PATIENT = 60.0
"""Seconds after which it waits no longer."""
_ALL: weakref.WeakSet[Worker] = weakref.WeakSet()


class ProcessEnds(BaseException):
    """Raised in the thread of a worker, wherever it is, when the process ends."""


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
        # other threads enter by the lock itself: a condition does so in Python, where an interrupt leaves it locked
        self._more = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._closed = False
        _ALL.add(self)

    def close(self, now: bool = False) -> threading.Thread | None:
        """Take no more work, cancel what runs and what waits, and end the thread, which is returned.

        now: whether what runs is ended wherever it is, and not at its next check.
        """
        with self._lock:
            self._closed = True
            thread, busy = self._thread, self._running
            self._more.notify()
        self.cancel()
        if now and busy and thread is not None and thread.ident is not None:
            _raise_in(thread.ident, ProcessEnds)
        return thread

    def _wake(self) -> None:
        with self._lock:
            if not self._closed:
                # a fork leaves a thread object without a thread
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._live, name="toolkit engine", daemon=True)
                    whole(self._thread.start)
                self._more.notify()
                return
        self.cancel()

    def _live(self) -> None:
        try:
            self._loop()
        except BaseException:  # noqa: BLE001 – the end of the process, between two requests
            self._thread = None

    def _loop(self) -> None:
        while True:
            with self._more:
                if not self._closed and not self._waiting:
                    self._more.wait_for(lambda: self._closed or bool(self._waiting), IDLE)
                if self._closed or not self._waiting:
                    self._thread = None
                    return
                request: Request | None = self._waiting.popitem(last=False)[1]
                self._running, self._current = True, request
            assert request is not None
            begun = time.monotonic()
            try:
                with torch.no_grad():  # the mode is per thread: the user's own is untouched
                    request.run()
            except BaseException:  # noqa: BLE001 – the request carries it; the thread lives on
                pass
            finally:
                request = None  # what it returned must not live until the next one
                if time.monotonic() - begun > LONG:
                    give_back()
                with self._more:
                    self._running, self._current = False, None


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """Raise an exception in another thread, at the next step of Python that it makes. thread: its ident."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def end_all() -> None:
    """End the threads of all workers and wait for them: the interpreter kills a thread that is still inside a tensor
    operation, which takes the whole process down with it.
    """
    begun, said, threads = time.monotonic(), False, set[threading.Thread]()
    while time.monotonic() < begun + PATIENT:
        try:
            asked = time.monotonic()
            ending = {worker.close(now=bool(threads)) for worker in list(_ALL)}
            threads |= {thread for thread in ending if thread is not None}
            for thread in threads:
                thread.join(max(0.0, asked + AGAIN - time.monotonic()))
            if not any(thread.is_alive() for thread in threads):
                return
            if not said and time.monotonic() > begun + SAID:
                said = True
                sys.stderr.write("toolkit: waiting for work in the background to end\n")
        except KeyboardInterrupt:
            continue


# Before the threads of pools are waited for, which would run all that waits in them; atexit comes after that.
getattr(threading, "_register_atexit", atexit.register)(end_all)


_WORKERS: weakref.WeakKeyDictionary[Any, Worker] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


def engine_for(model: Any) -> Worker:
    """The one worker of a model; all panels of the model share it."""
    with _LOCK:
        if model not in _WORKERS:
            _WORKERS[model] = Worker()
        return _WORKERS[model]
