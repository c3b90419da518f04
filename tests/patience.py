"""How long a test waits before it gives up: a number of seconds on a quiet machine, more of them on a slow or busy one.

Nothing here is a claim about speed. What is waited for comes at once or later; only what never comes costs the time.
"""

from __future__ import annotations

import json
import time

import numpy as np

USUAL = 60.0
"""Seconds to wait for anything, on two quiet cores."""
SOON = 20.0
"""The same where that it comes soon is what is tested: a backlog, or a kernel that only idleness ends, comes later."""
QUIET = 0.05
"""Seconds that the job takes there."""
LASTS = 20.0
"""Seconds after which the machine is measured again."""

_measured = (-LASTS, 1.0)


def job() -> float:
    """Seconds by the clock for a fixed piece of work: a product of matrices, and a loop over JSON."""
    begun = time.perf_counter()
    matrix = np.ones((160, 160))
    text = json.dumps({str(i): [i, "x" * 20] for i in range(200)})
    for _ in range(240):
        matrix = matrix @ matrix / 160
        json.loads(text)
    return time.perf_counter() - begun


def factor(anew: bool = False) -> float:
    """How many times slower than the quiet machine this one is just now; at least 1. anew: whatever was measured."""
    global _measured
    if anew or time.monotonic() > _measured[0] + LASTS:
        _measured = (time.monotonic(), max(1.0, job() / QUIET))
    return _measured[1]


def seconds(quiet: float = USUAL) -> float:
    """So many seconds of a quiet machine, here and now."""
    return quiet * factor()


def milliseconds(quiet: float = USUAL) -> float:
    """The same as Playwright takes it."""
    return 1000 * seconds(quiet)


class Deadline:
    """A time to give up; it moves on where the machine has become slower since."""

    def __init__(self, quiet: float = USUAL) -> None:
        self._begun, self._quiet = time.monotonic(), quiet

    def passed(self) -> bool:
        """Whether the time is up, by how fast the machine was and by how fast it is."""
        waited = time.monotonic() - self._begun
        return waited > self._quiet * factor() and waited > self._quiet * factor(anew=True)
