"""A process that is interrupted at random moments, and then does everything as if nothing had been.

python tests/interrupted.py SEED TIMES: prints one line a moment, and "good" at the end.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from test_settings_of_others import VERBS, World, numbers

import toolkit as tk

PANELS: dict[str, Callable[[World], Any]] = {
    "Explorer": lambda w: tk.Explorer(w.model, w.data, w.classes),
    "AblationLab": lambda w: tk.AblationLab(w.acts, w.classes),
    "EditLab": lambda w: tk.EditLab(w.acts, w.classes),
    "SpanExplorer": lambda w: tk.SpanExplorer(w.acts),
    "TokenMap": lambda w: tk.TokenMap(w.model, w.data[:4], text="a bird"),
    "HeadGrid": lambda w: tk.HeadGrid(tk.locate(w.acts, w.classes)),
}


@contextlib.contextmanager
def interrupted(delay: float) -> Any:
    """Ctrl-C after so many seconds, if the body still runs."""
    timer = threading.Timer(delay, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def main(seed: int, times: int) -> None:
    """Interrupt verbs and constructors drawn with a seed, then hold every result against one without interrupts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts this may ignore interrupts
    draw = random.Random(seed)
    world = World()
    everything = VERBS | PANELS
    took, expected = dict[str, float](), dict[str, Any]()
    for name, do in everything.items():
        begun = time.monotonic()
        found = do(world)
        took[name] = time.monotonic() - begun
        if name in VERBS:
            expected[name] = numbers(found)
    came = tries = 0
    while came < times and tries < 20 * times:
        tries += 1
        name = draw.choice(sorted(everything))
        fresh = World() if draw.random() < 0.2 else world
        try:
            with interrupted(draw.uniform(0, took[name])):
                everything[name](fresh)
        except KeyboardInterrupt:
            came += 1
            sys.stdout.write(f"interrupted: {name}\n")
    for name, verb in VERBS.items():
        np.testing.assert_allclose(numbers(verb(world)), expected[name], rtol=1e-6, atol=1e-7, err_msg=name)
    for name, make in PANELS.items():
        panel = make(world)
        assert not panel.error, f"{name}: {panel.error}"
    tk.Explorer(world.model, world.data, world.classes).wait()
    assert came == times
    sys.stdout.write(f"good after {came} of {tries}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
