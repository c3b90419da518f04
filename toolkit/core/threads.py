"""Work side by side: threads in which every operation runs on one core, and BLAS on one meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Barrier, Lock
from typing import Any, ParamSpec, TypeVar

import torch

from toolkit.interrupts import whole

P = ParamSpec("P")
A = TypeVar("A")
T = TypeVar("T")

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


class Threads(ThreadPoolExecutor):
    """Threads that an interrupt of the thread which asks them cannot lock out; what then still waits is not begun.

    Wait for a future of it with `whole(future.result)`.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return whole(super().submit, fn, *args, **kwargs)

    def results(self, work: Callable[[A], T], items: Iterable[A]) -> Iterator[T]:
        """What work makes of every item, in order; all of them are asked for at once."""
        for future in [self.submit(work, item) for item in items]:
            yield whole(future.result)

    def __exit__(self, *error: object) -> None:
        self.shutdown(wait=True, cancel_futures=True)


@contextmanager
def one_core_each(workers: int, name: str) -> Iterator[Threads]:
    """Threads for work that runs beside other work: torch uses one core in each, and as many as before elsewhere.

    torch.set_num_threads is also what threads begin with that are started later, by whomever: it is set back once all
    of these have started.
    """
    before = torch.get_num_threads()
    started = Barrier(workers)
    with Threads(workers, name, _use_one_core) as pool:
        try:
            for waiting in [pool.submit(started.wait) for _ in range(workers)]:
                whole(waiting.result)
        except BaseException:  # no more threads to be had, or an interrupt: nobody must wait for the others
            whole(started.abort)
            raise
        finally:
            torch.set_num_threads(before)
        yield pool


def _use_one_core() -> None:
    torch.get_num_threads()  # a thread takes over the number of the process when it first asks
    torch.set_num_threads(1)
