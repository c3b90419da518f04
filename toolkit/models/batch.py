"""How many images at a time fit a device."""

from __future__ import annotations

from collections.abc import Callable

import torch

from toolkit.models.model import Model

CPU_BATCH = 64
MOST = 1024
SHARE = 0.7
"""Of the free memory that a batch may take: the rest is for fragmentation and for others."""
PROBES = (2, 8)


def best_batch(model: Model) -> int:
    """Images at a time for captured forwards: on a CUDA device the largest power of two whose working memory, measured
    on small batches, takes at most SHARE of what is free (and at most MOST); elsewhere CPU_BATCH.
    """
    device = model.device
    if device.type != "cuda":
        return CPU_BATCH
    height, width = model.card.image_size

    def measure(images: int) -> int:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        model.trace(torch.zeros(images, 3, height, width, dtype=torch.float32))
        torch.cuda.synchronize(device)
        return int(torch.cuda.max_memory_allocated(device)) - before

    try:
        model.trace(
            torch.zeros(1, 3, height, width, dtype=torch.float32)
        )  # libraries take memory of their own at their first call
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return fitting(measure, int(torch.cuda.mem_get_info(device)[0]) + int(unused))
    except torch.OutOfMemoryError:  # not even the small batches fit: one at a time is tried, and says so if it does not
        torch.cuda.empty_cache()
        return 1


def fitting(measure: Callable[[int], int], free: int) -> int:
    """The largest power of two of images that fits. measure: bytes that a batch of so many images takes. free: bytes.

    What a batch takes is a fixed part and a part per image; both are read off two small batches.

    >>> fitting(lambda images: 50_000_000 + images * 20_000_000, free=10_000_000_000)
    256
    """
    few, more = measure(PROBES[0]), measure(PROBES[1])
    each = max(1.0, (more - few) / (PROBES[1] - PROBES[0]))
    room = SHARE * free - max(0.0, few - PROBES[0] * each)
    best = 1
    while best < MOST and 2 * best * each <= room:
        best *= 2
    return best
