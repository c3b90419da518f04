"""Full precision whatever is switched on around a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def exact() -> Iterator[None]:
    """Autocast off inside."""
    with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
        yield


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with autocast off: sums of parts and rendered pixels must not depend on the user's autocast."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with exact():
            return function(*args, **kwargs)

    return run
