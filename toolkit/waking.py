"""`waking`, `saying`: say that something is being loaded, before the seconds that this takes."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from importlib import import_module
from typing import Any

NAMES = {"torch": "PyTorch", "open_clip": "open_clip"}
"""Libraries that take over a second to load, and their names for people."""


@contextmanager
def waking(module: str) -> Iterator[None]:
    """Load one of NAMES, or what imports it, inside; said only where it is not loaded yet."""
    if module in sys.modules:
        yield
    else:
        with saying(f"Loading {NAMES[module]}, once in a session: a few seconds …"), _uncollected():
            yield


@contextmanager
def _uncollected() -> Iterator[None]:
    """Inside, nothing looks for garbage: modules make none, and looking takes a tenth of the time of loading them."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@contextmanager
def saying(words: str) -> Iterator[None]:
    """Say what is done inside, which nobody can say how far it is, and take it back afterwards.

    In a notebook an output of its own says so and is emptied afterwards, in a terminal a line of standard error, which
    is wiped. Elsewhere, as in a log or beside the main thread, nothing is said.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    forget = _say(words)
    try:
        yield
    finally:
        forget()


def _say(words: str) -> Callable[[], None]:
    """Say it now; what takes it back."""
    if "ipykernel" in sys.modules:
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        if shell is not None and getattr(shell, "kernel", None) is not None:
            return _output(words)
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write(f"\r{words}")
        sys.stderr.flush()
        return lambda: _wipe(len(words))
    return lambda: None


def _output(words: str) -> Callable[[], None]:
    outputs: Any = import_module("IPython.display")  # whoever runs a kernel has it
    html = f'<div role="status" style="opacity: .7">{escape(words)}</div>'
    shown = outputs.display(outputs.HTML(html), display_id=True)
    return lambda: shown.update(outputs.HTML(""))


def _wipe(width: int) -> None:
    sys.stderr.write(f"\r{' ' * width}\r")
    sys.stderr.flush()
