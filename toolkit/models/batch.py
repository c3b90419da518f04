"""How many images at a time fit a device."""

from __future__ import annotations

from collections.abc import Callable

import torch

from toolkit.models.model import Model

CPU_BATCH, CPU_LEAST = 64, 4
CPU_WORK = 4e11
"""Operations of a batch on a CPU: a few seconds, between which the work says how far it is and can be ended."""
MOST = 1024
SHARE = 0.7
"""Of the free memory that a batch may take: the rest is for fragmentation and for others."""
PROBES = (2, 8)


def best_batch(model: Model) -> int:
    """Images at a time for captured forwards: on a CUDA device the largest power of two whose working memory, measured
    on small batches, takes at most SHARE of what is free (and at most MOST); elsewhere as many as take a few seconds,
    CPU_LEAST to CPU_BATCH.
    """
    device = model.device
    if device.type != "cuda":
        return short_batch(model)
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


def short_batch(model: Model) -> int:
    """Images at a time that take a few seconds on a CPU, by the operations of an image: two for every weight and every
    token. Elsewhere CPU_BATCH.
    """
    if model.device.type != "cpu":
        return CPU_BATCH
    rows, columns = model.card.grid
    weights = sum(p.numel() for p in model.clip.visual.parameters())
    each = 2 * weights * (rows * columns + model.card.prefix)
    best = CPU_BATCH
    while best > CPU_LEAST and best * each > CPU_WORK:
        best //= 2
    return best


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
