"""Ctrl-C waits while a package is being imported, and while a lock changes hands: what was done by half never works
again.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import signal
import sys
import sysconfig
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
LATER = 0.05
"""Seconds after an import at which an interrupt of it is raised: the module must be in its place by then."""
_PLACES = tuple({sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")})
_OWN = str(Path(__file__).parent)
_inside = 0


def held() -> AbstractContextManager[None]:
    """An interrupt that comes inside is raised shortly after. Only the main thread hears interrupts at all."""
    return _recorded(lambda handler, signalled: threading.Timer(LATER, _interrupt).start())


def whole(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a call returns, in which no interrupt is raised; one that comes meanwhile is raised right after it.

    Python's own conditions, events, semaphores, futures and threads enter their locks in Python: an interrupt in that
    moment leaves the lock held for ever, and whoever waits for it, threads that are to be joined among them.
    """
    with _recorded(lambda handler, signalled: handler(*signalled)):
        return call(*args, **kwargs)


@contextmanager
def _recorded(deliver: Callable[[Callable[..., Any], tuple[int, Any]], object]) -> Iterator[None]:
    """Interrupts that come inside are kept. deliver: called with their handler and what the first would have called it
    with, once it is in its place again.

    Nothing is kept in other threads, where interrupts are ignored, and inside another such place, which keeps them.
    """
    global _inside
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or _inside or not callable(before):
        yield
        return
    came = list[tuple[int, Any]]()
    signal.signal(signal.SIGINT, lambda *signalled: came.append(signalled))
    _inside += 1
    try:
        yield
    finally:
        _inside -= 1
        signal.signal(signal.SIGINT, before)
        if came:
            deliver(before, came[0])


def _interrupt() -> None:
    """Interrupt the main thread, in whatever call of the system it waits: a signal to this thread would not."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


class Whole(importlib.abc.MetaPathFinder):
    """A finder that finds nothing itself: what the others find among installed packages is executed as a whole.

    Others work in this way too, asking every finder, this one among them: it keeps silent while it asks them.
    """

    def __init__(self) -> None:
        self._asking = set[str]()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec that the next finder has, whose loader holds interrupts."""
        if threading.current_thread() is not threading.main_thread() or name in self._asking:
            return None
        self._asking.add(name)
        try:
            for finder in sys.meta_path:
                spec = finder.find_spec(name, path, target) if hasattr(finder, "find_spec") else None
                if spec is not None:
                    _hold(spec)
                    return spec
        finally:
            self._asking.discard(name)
        return None


def _hold(spec: importlib.machinery.ModuleSpec) -> None:
    """Let the loader of an installed package execute its module with interrupts held."""
    loader: Any = spec.loader
    own = (spec.origin or "").startswith((*_PLACES, _OWN))
    if not own or not hasattr(loader, "exec_module") or "exec_module" in getattr(loader, "__dict__", "exec_module"):
        return
    execute: Callable[[types.ModuleType], None] = loader.exec_module

    def whole(module: types.ModuleType) -> None:
        del loader.exec_module
        with held():
            execute(module)

    loader.exec_module = whole


def hold_imports() -> None:
    """From now on every import of an installed package is done whole; once for a process."""
    if not any(isinstance(finder, Whole) for finder in sys.meta_path):
        sys.meta_path.insert(0, Whole())
