"""An interrupt in every moment in which the main thread has just entered a lock of Python's own: `python FILE ACTION`.

Writes "good after N", N the number of such moments. Ends with a traceback where something waits for ever.
"""

from __future__ import annotations

import faulthandler
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import patience
import torch

import toolkit as tk
from toolkit.engine.worker import Worker
from toolkit.models.card import fingerprint

MOST = 60
"""Moments that are tried of an action with more."""


def worker() -> None:
    made = Worker()
    found = [made.submit(str(i), lambda request: 1) for i in range(3)]
    assert [request.result(patience.seconds(20)) for request in found] == [1, 1, 1]


CLIP = tk.load().clip
ACTS = tk.extract(tk.load(), tk.scenes("val", n=30), progress=False)
ACTIONS: dict[str, Callable[[], Any]] = {
    "fingerprint": lambda: fingerprint(CLIP),
    "scenes": lambda: tk.scenes("val", n=600, seed=3).pixels(range(600)),
    "pursuit": lambda: tk.textspan(ACTS, "world", size=2),
    "extraction": lambda: tk.extract(tk.load(), tk.scenes("val", n=20, seed=4), progress=False),
    "worker": worker,
}


class Moments:
    """Interrupts the main thread inside its n-th entry of a condition's lock."""

    def __init__(self) -> None:
        self.left = 0
        enter, main_thread = threading.Condition.__enter__, threading.get_ident()

        def interrupted(condition: threading.Condition) -> bool:
            found = enter(condition)
            if self.left and threading.get_ident() == main_thread:
                self.left -= 1
                if not self.left:
                    os.kill(os.getpid(), signal.SIGINT)
            return found

        threading.Condition.__enter__ = interrupted  # type: ignore[method-assign]


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(2)
    act, moments = ACTIONS[sys.argv[1]], Moments()
    act()
    for number in itertools.count(1):
        faulthandler.dump_traceback_later(patience.seconds(60), exit=True)
        moments.left = number
        try:
            act()
        except KeyboardInterrupt:
            pass
        else:
            assert moments.left, "an interrupt was lost"
            moments.left = 0
            break
        act()
        if number == MOST:
            break
    faulthandler.cancel_dump_traceback_later()
    sys.stdout.write(f"good after {number - 1}\n")


main()
