"""BLAS on one thread while this code runs its own work side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

_lock = Lock()
_inside = 0
_limit: Any = None


@cache
def _controller() -> Any:
    """Of numpy's BLAS; None where threadpoolctl is not installed, which costs speed and nothing else."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """The number of threads is the process's: the first to enter limits it, the last to leave restores it."""
    global _inside, _limit
    with _lock:
        if _inside == 0 and (controller := _controller()) is not None:
            _limit = controller.limit(limits=1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _limit is not None:
                _limit.restore_original_limits()
                _limit = None
