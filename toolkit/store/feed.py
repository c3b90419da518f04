"""Images decoded and preprocessed ahead of the model, in parallel; a broken one costs nothing but itself."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from toolkit.core.threads import one_core_each
from toolkit.data.samples import Read, Samples
from toolkit.interrupts import whole
from toolkit.models.model import Model
from toolkit.models.own_preprocess import OwnPreprocess
from toolkit.store.words import CONVERTED, SKIPPED

AHEAD = 3
"""Batches that are read before they are needed."""


@dataclass(frozen=True)
class Batch:
    """rows: of the images in `pixels` [n, 3, H, W]. notes: row → (status, words), also of rows left out."""

    rows: list[int]
    pixels: Tensor | None
    notes: dict[int, tuple[int, str]]


class Feed:
    """Reads `data` for `model`, a few batches ahead. Use as a context; workers: threads, default one per core."""

    def __init__(self, model: Model, data: Samples, workers: int | None = None) -> None:
        self._model, self._data = model, data
        self._each = type(data).read is not Samples.read  # else all images of a batch come at once
        self._images = model.images(data, "extract")
        self._pin = model.device.type == "cuda"
        self._workers = workers or os.cpu_count() or 1
        self._within = ExitStack()

    def __enter__(self) -> Feed:
        if self._each and isinstance(self._model.preprocess, OwnPreprocess):
            self._model.preprocess.prepare()
        self._pool = self._within.enter_context(one_core_each(self._workers, "decode"))
        return self

    def __exit__(self, *_: object) -> None:
        self._within.close()

    def batches(self, rows: range, size: int) -> Iterator[Batch]:
        """The images of these rows, `size` at a time, in order."""
        ahead = AHEAD if self._each or self._pin else 1
        waiting: deque[tuple[range, list[Future[Any]]]] = deque()
        starts = iter(range(rows.start, rows.stop, size))
        while True:
            while len(waiting) < ahead and (start := next(starts, None)) is not None:
                some = range(start, min(start + size, rows.stop))
                waiting.append((some, self._submit(some)))
            if not waiting:
                return
            some, futures = waiting.popleft()
            yield self._gather(some, futures)

    def _submit(self, rows: range) -> list[Future[Any]]:
        if self._each:
            return [self._pool.submit(self._one, row) for row in rows]
        if self._pin:
            return [self._pool.submit(self._many, rows)]
        done = Future[Any]()  # what makes pixels with all cores must not do so beside a model that uses them too
        done.set_result(self._many(rows))
        return [done]

    def _one(self, row: int) -> tuple[Tensor | None, str]:
        read = self._data.read(row)
        return self._prepared(read)

    def _prepared(self, read: Read) -> tuple[Tensor | None, str]:
        """A picture that cannot be shown is left out; a preprocess that fails is nobody's picture and stops the run."""
        if read.image is None:
            return None, read.note
        if 0 in read.image.size:
            return None, "no pixels"
        try:
            rgb = read.image.convert("RGB")
        except OSError as error:  # a picture that is decoded only now, and broken
            return None, str(error)
        return next(self._model.images([rgb], "extract").batches(1))[0], read.note

    def _many(self, rows: range) -> Tensor | None:
        try:
            return self._images.batch(rows)
        except Exception:  # noqa: BLE001 – one image spoils a batch: they are looked at one by one
            return None

    def _gather(self, rows: range, futures: list[Future[Any]]) -> Batch:
        if not self._each:
            pixels = whole(futures[0].result)
            if pixels is not None:
                return Batch(list(rows), self._ready(pixels), {})
            read = [self._careful(row) for row in rows]
        else:
            read = [whole(future.result) for future in futures]
        notes = {
            row: (SKIPPED if pixels is None else CONVERTED, words)
            for row, (pixels, words) in zip(rows, read, strict=True)
            if pixels is None or words
        }
        good = [row for row, (pixels, _) in zip(rows, read, strict=True) if pixels is not None]
        kept = [pixels for pixels, _ in read if pixels is not None]
        return Batch(good, self._ready(torch.stack(kept)) if kept else None, notes)

    def _ready(self, pixels: Tensor) -> Tensor:
        """In pinned memory for a CUDA device: the copy then needs no second one and does not hold up this thread."""
        return pixels.pin_memory() if self._pin and not pixels.is_cuda else pixels

    def _careful(self, row: int) -> tuple[Tensor | None, str]:
        try:
            read = self._data.read(row)
        except Exception as error:  # noqa: BLE001 – whatever a reader raises, the other images go on
            return None, f"{type(error).__name__}: {error}"
        return self._prepared(read)
