"""Memory that nothing uses any more goes back to the system."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


@cache
def _trim() -> Any:
    """glibc's malloc_trim; None on other systems."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None


def give_back() -> None:
    """Let the C library hand back what it keeps for later: after a run of a model that is a hundred megabytes."""
    if (trim := _trim()) is not None:
        trim(0)
