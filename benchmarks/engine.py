"""A soak of the engine: bursts of requests on a few keys from several threads, as panels that are dragged make them.

`toolkit bench engine [--json]`. How long submitting takes, how long the newest request waits for its result, what is
left behind in memory and threads.
"""

from __future__ import annotations

import gc
import resource
import statistics
import threading
import time
from typing import Any

KEYS = 4


def run(quick: bool = False) -> dict[str, Any]:
    """The whole soak; `quick` for the tests."""
    import torch

    from toolkit.engine.worker import Worker

    engine, requests, callers = Worker(), 1_000 if quick else 20_000, 3
    weights = torch.randn(256, 256)
    submitted: list[float] = []
    painted = dict.fromkeys(range(KEYS), 0)

    def work(request: Any) -> Any:
        x = weights
        for _ in range(3):
            x = (x @ weights).tanh()
            request.partial(x)
        return x

    def paint(key: int) -> None:
        painted[key] += 1

    def drag(caller: int) -> None:
        for i in range(requests // callers):
            key, start = (i + caller) % KEYS, time.perf_counter()
            engine.submit(f"key {key}", work, lambda v, k=key: paint(k), partial=lambda v, k=key: paint(k))
            submitted.append(time.perf_counter() - start)
            time.sleep(0.0005)

    warm = [engine.submit("warm", work) for _ in range(50)]
    assert engine.wait(60)
    del warm
    gc.collect()
    before, threads, start = _resident(), threading.active_count(), time.perf_counter()
    crowd = [threading.Thread(target=drag, args=(i,)) for i in range(callers)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    seconds, last = time.perf_counter() - start, time.perf_counter()
    assert engine.wait(60)
    settle = time.perf_counter() - last
    gc.collect()
    submitted.sort()
    return {
        "requests": len(submitted),
        "seconds": round(seconds, 2),
        "submit_ms_median": round(1000 * statistics.median(submitted), 4),
        "submit_ms_p99": round(1000 * submitted[int(0.99 * len(submitted))], 3),
        "painted": sum(painted.values()),
        "painted_per_key": list(painted.values()),
        "settle_ms": round(1000 * settle, 2),
        "resident_growth_mb": round((_resident() - before) / 1e6, 2),
        "threads_growth": threading.active_count() - threads,
    }


def _resident() -> int:
    """Resident bytes now (on Linux), else the peak so far."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123 – a file of the kernel
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    return (
        f"engine: {result['requests']:,} requests of {KEYS} keys from three threads in {result['seconds']} s\n"
        f"  submitting: median {result['submit_ms_median']} ms, 99 % within {result['submit_ms_p99']} ms\n"
        f"  results painted: {result['painted']:,} ({', '.join(map(str, result['painted_per_key']))} a key); settled"
        f" {result['settle_ms']} ms after the last request\n"
        f"  left behind: {result['resident_growth_mb']} MB, {result['threads_growth']} threads"
    )
