"""`tk.estimate`: what a decomposition will cost, before it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from toolkit.api.checks import check_model
from toolkit.data.samples import Samples
from toolkit.errors import InputError
from toolkit.models.model import Model
from toolkit.store.errors import size
from toolkit.store.keep import Keep
from toolkit.store.layout import Precision, array_bytes, readout_bytes, shapes_of

LOOKED_AT = 64
"""Images among which some that can be read are looked for."""


@dataclass(frozen=True)
class Estimate:
    """What taking a data set apart costs.

    Attributes:
        images: how many there are.
        seconds: the whole run, from a timed probe of `probed` images, reading them included.
        bytes: of all parts in memory, as `tk.decompose` returns them.
        store_bytes: on disk, as `tk.extract` keeps them.
        stored: the same array by array, and the "readout" that is kept once.
        kept: what of an image is kept, and what that rules out; in words.
        peak_memory: bytes for the weights, one batch on the way and all parts in memory.
        probed: images that were timed.
        batch_size: images at a time.
    """

    images: int
    seconds: float
    bytes: int
    store_bytes: int
    stored: dict[str, int]
    kept: str
    peak_memory: int
    probed: int
    batch_size: int

    def __str__(self) -> str:
        per = self.seconds / self.images
        largest = sorted(self.stored.items(), key=lambda each: -each[1])[:4]
        return (
            f"{self.images:,} images: about {_time(self.seconds)} ({1 / per:,.0f} images/s, from {self.probed} timed), "
            f"{size(self.bytes)} of parts ({size(self.bytes / self.images)} an image), {size(self.store_bytes)} in a"
            f" store ({', '.join(f'{name} {size(n)}' for name, n in largest)}) of {self.kept}, "
            f"about {size(self.peak_memory)} of memory at {self.batch_size} images at a time"
        )


def estimate(
    model: Model,
    data: Any,
    batch_size: int = 64,
    *,
    precision: Precision = "float32",
    layers: Any = None,
    mlps: bool = True,
    pooled: bool = False,
) -> Estimate:
    """What `tk.decompose` and `tk.extract` of (model, data) will cost, from the geometry and a short timed probe.

    Arguments:
        model: a live one (`Model`).
        data: anything `tk.decompose` accepts as images.
        batch_size: images at a time, as it will be used; default 64.
        precision: of the store, as for `tk.extract`; default "float32".
        layers: of whose heads the store keeps mixes, as for `tk.extract`; default all.
        mlps: whether it keeps the MLP terms, as for `tk.extract`; default True.
        pooled: whether it keeps the pooled vectors, as for `tk.extract`; default False.

    Returns:
        `Estimate`: .seconds, .bytes, .store_bytes, .stored, .peak_memory; printed, it is a sentence.

    >>> import toolkit as tk
    >>> tk.estimate(tk.load(), tk.scenes("test", n=100)).images
    100
    """
    check_model(model, "estimate")
    if precision not in ("float32", "float16"):
        raise InputError("estimate", f"precision={precision!r}", "'float32' or 'float16'", "pass one as precision")
    keep = Keep.asked(model.card, layers, mlps, pooled, "estimate")
    source = model.images(data, "estimate")
    card = model.card
    probe = min(len(source), batch_size, 16)
    some = model.images(_readable(data, probe), "estimate") if isinstance(data, Samples) else source
    probe = min(len(some), probe)
    model.trace(next(some.batches(probe))[:1])  # first call: lazy initialisation is not part of the rate
    _settle(model)
    start = time.perf_counter()
    model.trace(next(some.batches(probe)))
    _settle(model)
    seconds = (time.perf_counter() - start) * len(source) / probe
    terms = card.terms
    mixes, d = card.layers * card.heads * card.head_dim, card.embed_dim
    numbers = mixes + terms * d + card.layers * d + 2 * d + 3  # mixes, mlps, biases, constant, embedding, norm, σ, μ
    kept = torch.promote_types(model.dtype, torch.float32).itemsize
    weights = sum(p.numel() * p.element_size() for p in model.clip.parameters())
    tokens = card.grid[0] * card.grid[1] + 1
    itemsize = model.dtype.itemsize
    # widest moment of a block: stream, its norm, q, k, v, the mix and the 4× MLP
    working = batch_size * tokens * card.width * 12 * itemsize
    if card.pool == "norm_then_mean":
        working += batch_size * tokens * card.width * (2 * card.layers + 1) * 2 * itemsize
    total = len(source) * numbers * kept
    each = array_bytes(shapes_of(card, keep, model.tower.pooled), precision)
    stored = {name: len(source) * n for name, n in each.items()} | {"readout": readout_bytes(card)}
    told = keep.words + (f" (rules out: {keep.rules_out})" if keep.rules_out else "")
    return Estimate(
        images=len(source),
        seconds=seconds,
        bytes=total,
        store_bytes=sum(stored.values()),
        stored=stored,
        kept=told,
        peak_memory=weights + working + 2 * total,
        probed=probe,
        batch_size=batch_size,
    )


def _readable(data: Samples, count: int) -> Samples:
    """The first images that can be read: `tk.extract` leaves the others out. Raises InputError where there are none
    among the first LOOKED_AT.
    """
    rows = (row for row in range(min(len(data), LOOKED_AT)) if data.read(row).image is not None)
    found = list(islice(rows, count))
    if not found:
        why = data.read(0).note if len(data) else "there are none"
        given = f"data of which none of the first {min(len(data), LOOKED_AT)} images can be read ({why})"
        raise InputError("estimate", given, "images that can be read", "look at the files")
    return data.take(found)


def _settle(model: Model) -> None:
    """Wait for the device: CUDA runs behind the clock."""
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
