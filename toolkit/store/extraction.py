"""Extraction: every image through the model once, its state into a store."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from toolkit.core.parts import parts_from
from toolkit.core.readout import Readout
from toolkit.core.state import State, state_of
from toolkit.data.samples import Samples
from toolkit.errors import InputError, UnsupportedModelError
from toolkit.models.model import Model
from toolkit.store import layout
from toolkit.store.feed import Feed
from toolkit.store.keep import Keep
from toolkit.store.layout import AXES, Precision
from toolkit.store.repair import Repair
from toolkit.store.words import Words
from toolkit.store.writer import Arrays, Writer

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")
TOLERATED = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2}
"""Largest relative error of the sum that rounding can explain, by the type of the weights and of the store."""


class Extraction:
    """One run over a data set. report: called with (images done, of) after every batch."""

    def __init__(
        self,
        model: Model,
        data: Samples,
        *,
        keep: Keep,
        precision: Precision = "float32",
        batch_size: int = 64,
        workers: int | None = None,
        report: Callable[[int, int], None] = lambda done, of: None,
    ) -> None:
        self.model, self.data, self.report = model, data, report
        self.keep, self.header = keep, layout.header_of(model, data, precision, keep)
        self.batch = min(batch_size, self.header.chunk)
        self._workers, self._size, self._halved = workers, self.batch, 0
        self._in_memory: Writer | None = None
        self._limit = max(TOLERATED[precision], TOLERATED.get(self.header.key["weights as"], 0))

    @cached_property
    def _readout(self) -> Readout:
        return self.model.readout(fresh=True)

    @cached_property
    def _single(self) -> Readout:
        return self._readout.to(torch.float32)

    def run(self, place: Path | None, overwrite: bool = False) -> Writer:
        """To the end, or to the first error: a store at a place, or in memory; what wrote it. What is written stays and
        is taken up by the next run; in memory, by the next of this object.
        """
        writer = self._writer(place, overwrite) if place is not None else self._in_memory or self._writer(None, False)
        if place is None:
            self._in_memory = writer
        with writer, self._feeding() as feed:
            self.report(min(writer.written * self.header.chunk, len(self.data)), len(self.data))
            while writer.written < writer.shards:
                writer.write(*self._made(feed, writer.rows(writer.written)))
            facts: dict[str, Any] = {"batch": self.batch}
            if self._halved:
                facts["batch halved, times"] = self._halved
            writer.finish(facts)
        return writer

    def _writer(self, place: Path | None, overwrite: bool) -> Writer:
        arrays, normed = layout.readout_arrays(self._readout), self._readout.normed
        return Writer(place, self.header, Words.of(self.data), arrays, normed, overwrite=overwrite)

    def repair(self, place: Path, shards: Sequence[int]) -> None:
        """Shards of a whole store at a place anew, in batches of the same rows as when it was made."""
        with Repair(place, self.header) as store, self._feeding() as feed:
            for shard in shards:
                arrays, _ = self._made(feed, store.rows(shard))
                store.write(shard, arrays)
            store.finish()

    @contextmanager
    def _feeding(self) -> Iterator[Feed]:
        with Feed(self.model, self.data, self._workers) as feed, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large pictures are meant to be read
            yield feed

    def _made(self, feed: Feed, rows: range) -> tuple[Arrays, dict[int, tuple[int, str]]]:
        """A shard: its arrays as they are stored, and what became of which rows."""
        arrays = {
            name: np.full((len(rows), *shape), np.nan, layout.dtype_of(name, self.header.precision))
            for name, shape in self.header.shapes.items()
        }
        notes: dict[int, tuple[int, str]] = {}
        done = rows.start
        for batch in feed.batches(rows, self.batch):
            notes |= batch.notes
            if batch.pixels is not None:
                state = layout.rounded(self._forward(batch.pixels), self.header.precision)
                arrays["error"][np.array(batch.rows) - rows.start] = self._checked(state, batch.rows)
                kept = layout.state_arrays(state, self.header.precision, self.keep, self.header.shapes)
                for name, values in kept.items():
                    arrays[name][np.array(batch.rows) - rows.start] = values
            done = min(done + self.batch, rows.stop)
            self.report(done, len(self.data))
        return arrays, notes

    def _forward(self, pixels: Tensor) -> State:
        """The state of a batch, in smaller pieces where memory does not hold it whole."""
        states, start = [], 0
        while start < len(pixels):
            piece = pixels[start : start + self._size]
            try:
                states.append(state_of(self.model.trace(piece), self._readout))
            except (RuntimeError, MemoryError) as error:
                if self._size == 1 or not _is_out_of_memory(error):
                    raise
                self._size, self._halved = max(1, self._size // 2), self._halved + 1
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                continue
            start += len(piece)
        return State.cat(states)

    def _checked(self, state: State, rows: list[int]) -> np.ndarray:
        """Relative error of the sum of what will be stored, per image; refuses what is no longer a sum."""
        if self.keep.pooled and state.pooled is None:
            given = "pooled=True with a model whose forward does not multiply by the projection its tower names"
            raise UnsupportedModelError("extract", given, "a plain projection of one vector", "leave pooled out")
        arrays = [t for name in (*AXES, "pooled") if (t := getattr(state, name)) is not None]
        finite = torch.stack([t.isfinite().view(len(rows), -1).all(1) for t in arrays]).all(0)
        if not bool(finite.all()):
            first = rows[int((~finite).nonzero()[0])]
            given = f"image {self.data.ids[first]!r}, whose parts are not finite in {self.header.precision}"
            fix = 'pass precision="float32"' if self.header.precision == "float16" else "look for NaN weights"
            raise InputError("extract", given, "finite parts", fix)
        parts = parts_from(state, self._single)
        error = (parts.residual.norm(dim=-1) / parts.embedding.norm(dim=-1)).cpu().numpy()
        if error.max() > self._limit:
            given = f"a model whose parts miss its embedding by {error.max():.1e} (relative)"
            fix = "take off forward hooks and wrappers that change what its layers return"
            raise UnsupportedModelError("extract", given, f"at most {self._limit:g}", fix)
        return error


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        words in str(error).lower() for words in OUT_OF_MEMORY
    )
