"""Work side by side: threads in which every operation runs on one core, and BLAS on one meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Barrier, Lock
from typing import Any

import torch

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


@contextmanager
def one_core_each(workers: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads for work that runs beside other work: torch uses one core in each, and as many as before elsewhere.

    torch.set_num_threads is also what threads begin with that are started later, by whomever: it is set back once all
    of these have started.
    """
    before = torch.get_num_threads()
    started = Barrier(workers)
    with ThreadPoolExecutor(workers, name, _use_one_core) as pool:
        try:
            for waiting in [pool.submit(started.wait) for _ in range(workers)]:
                waiting.result()
        except BaseException:  # no more threads to be had, or an interrupt: nobody must wait for the others
            started.abort()
            raise
        finally:
            torch.set_num_threads(before)
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _use_one_core() -> None:
    torch.get_num_threads()  # a thread takes over the number of the process when it first asks
    torch.set_num_threads(1)
