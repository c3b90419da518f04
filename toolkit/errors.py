"""The toolkit's errors: every message says the operation, what was given, what is accepted and how to fix it."""

from __future__ import annotations

import sys
import warnings


class ToolkitError(Exception):
    """Base class of everything the toolkit raises on purpose."""

    def __init__(self, operation: str, given: str, accepted: str, fix: str) -> None:
        self.operation, self.given, self.accepted, self.fix = operation, given, accepted, fix
        super().__init__(f"{operation}: got {given}. Accepted: {accepted}. To fix: {fix}.")


class InputError(ToolkitError, ValueError):
    """An argument has the wrong shape, type, name or value."""


class UnsupportedModelError(ToolkitError, TypeError):
    """A model cannot be decomposed exactly, or is not an image–text model."""


class MissingWeightsError(ToolkitError, FileNotFoundError):
    """Weights are neither on disk nor reachable."""


class DeviceError(ToolkitError, RuntimeError):
    """A device was asked for that this machine does not have."""


class MemoryExhaustedError(ToolkitError, MemoryError):
    """The work did not fit into the memory of its device; nothing of it was kept."""


class StoreError(ToolkitError, OSError):
    """A store cannot be written, read or taken up again; what was there before is untouched."""


def warn_caller(message: str, category: type[Warning]) -> None:
    """A warning at the line outside the toolkit that led here."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "toolkit":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
