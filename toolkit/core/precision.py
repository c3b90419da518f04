"""Full precision, on the device that is asked for, whatever others have switched on around a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def _knows_autocast(device: str) -> bool:
    try:
        torch.is_autocast_enabled(device)
    except RuntimeError:
        return False
    return True


AUTOCAST = tuple(filter(_knows_autocast, ("cpu", "cuda", "mps", "xpu", "hpu", "mtia", "maia", "privateuseone")))
"""Kinds of devices that autocast can be switched on for, in this torch."""


@contextmanager
def exact() -> Iterator[None]:
    """Inside, autocast is off on every device, new tensors are on the CPU where no device is named, and none is an
    inference tensor, which could never be part of a gradient.

    All three belong to a thread. The default type of floats belongs to the process: what depends on it names its type.
    """
    with ExitStack() as stack:
        for device in AUTOCAST:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.no_grad())  # leaving the mode switches gradients on
        yield


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with `exact` around it: sums of parts, embeddings and rendered pixels must not depend on the
    caller's settings.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with exact():
            return function(*args, **kwargs)

    return run
