"""Writing a store chunk by chunk, so that a kill at any moment costs at most the chunk in work."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
import uuid
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import zarr
from filelock import FileLock, Timeout
from zarr.storage import MemoryStore

from toolkit.core.moments import HeadMoments, moments_of
from toolkit.core.readout import Readout
from toolkit.core.state import State
from toolkit.data.samples import Samples
from toolkit.errors import StoreError
from toolkit.store import layout
from toolkit.store.errors import check_space, storing
from toolkit.store.layout import AXES, ERROR_AXES, Header, fixed_array, string_array

OK, CONVERTED, SKIPPED = 1, 2, 3
"""What became of an image."""
KEEP_MOMENTS = 30.0
"""Seconds between two times the moments are written down; what is younger is computed again from its chunks."""


class Writer:
    """One extraction's files. Everything is written beside the place, as PLACE.partial, and moved there when whole, so
    that what lies at the place is always a whole store, the old one until the new one is done.

    place: a path, or None for memory. written: chunks that are done. notes: row → (status, words).
    """

    def __init__(self, place: Path | None, header: Header, data: Samples, readout: Readout, overwrite: bool) -> None:
        self.place, self.header, self._readout, self._overwrite = place, header, readout, overwrite
        self.images, self.chunks = len(data), -(-len(data) // header.chunk)
        self.written, self.notes = 0, dict[int, tuple[int, str]]()
        self.moments: HeadMoments | None = None
        self._lock: FileLock | None = None
        self._kept = time.monotonic()
        if place is None:
            self.group = zarr.create_group(store=MemoryStore())
            self._fill(data)
            return
        self.partial = place.with_name(place.name + ".partial")
        with storing(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            self._acquire()
            try:
                self._open(data)
            except BaseException:
                self.release()
                raise

    def _acquire(self) -> None:
        assert self.place is not None
        self._lock = FileLock(self.place.with_name(self.place.name + ".lock"), timeout=0)
        try:
            self._lock.acquire()
        except Timeout as error:
            given = f"store={self.place.name!r}, which another process is writing at this moment"
            raise StoreError("extract", given, "one writer at a time", "wait for it, or name another store") from error

    def _open(self, data: Samples) -> None:
        if self.partial.exists() and not self._resume():
            shutil.rmtree(self.partial)
        if not self.partial.exists():
            check_space(self.partial, self.bytes)
            self.group = zarr.create_group(store=str(self.partial))
            self._fill(data)

    @property
    def bytes(self) -> int:
        """What the arrays of all images take."""
        each = layout.image_bytes(self.header.shapes, self.header.precision)
        return self.images * each + sum(a.nbytes for a in layout.readout_arrays(self._readout).values())

    def _fill(self, data: Samples) -> None:
        """All arrays, empty, and the parts that are known from the start."""
        h = self.header
        for name, shape in h.shapes.items():
            self.group.create_array(
                name, shape=(self.images, *shape), chunks=(h.chunk, *(max(1, n) for n in shape)),
                dtype=layout.dtype_of(name, h.precision), compressors=None, fill_value=np.nan,
                dimension_names=(AXES | ERROR_AXES)[name],
            )  # fmt: skip
        for name, values in layout.readout_arrays(self._readout).items():
            fixed_array(self.group, f"readout/{name}", values)
        for name, column in (("image", data.ids), ("label", data.labels), ("group", data.groups)):
            string_array(self.group, name, [str(x) for x in column])
        self.group.attrs.update({**h.attrs(), "normed": self._readout.normed, "complete": False})

    def _resume(self) -> bool:
        """Take up what a killed run left; False where there is nothing to take up."""
        try:
            self.group = zarr.open_group(store=str(self.partial), mode="r+")
            digest = str(self.group.attrs["digest"])
            progress = json.loads((self.partial / "progress.json").read_text())
        except (OSError, KeyError, ValueError):
            return False  # it was killed before its first chunk
        if digest != self.header.digest:
            if self._overwrite:
                return False
            raise StoreError(
                "extract",
                f"{self.partial.name}, a half-written store of something else"
                f" ({different(self.group.attrs['key'], self.header.key)})",
                "a new name, or the same model, data and settings",
                "name another store, pass overwrite=True, or delete it",
            )
        self.written = int(progress["chunks"])
        self.notes = {int(row): (int(s), str(words)) for row, (s, words) in progress["notes"].items()}
        self._restore_moments()
        return True

    def _restore_moments(self) -> None:
        upto = 0
        with contextlib.suppress(OSError, ValueError, KeyError), np.load(self.partial / "moments.npz") as kept:
            if int(kept["chunks"]) <= self.written:
                upto = int(kept["chunks"])
                mean, scatter = (torch.from_numpy(kept[n]) for n in ("mean", "scatter"))
                self.moments = HeadMoments(int(kept["count"]), mean, scatter)
        for chunk in range(upto, self.written):
            self._gather({name: self._array(name)[self._rows(chunk)] for name in AXES})

    def _array(self, name: str) -> Any:
        return self.group[name]

    def _rows(self, chunk: int) -> slice:
        return slice(chunk * self.header.chunk, min((chunk + 1) * self.header.chunk, self.images))

    def rows(self, chunk: int) -> range:
        """The rows of a chunk."""
        return range(self.images)[self._rows(chunk)]

    def write(self, arrays: dict[str, np.ndarray], notes: dict[int, tuple[int, str]]) -> None:
        """The next chunk: arrays of all its rows as they are stored, nan for images that were left out."""
        with storing(self.place or Path("memory")):
            for name, values in arrays.items():
                self._array(name)[self._rows(self.written)] = values
            self._gather(arrays)
            self.notes |= notes
            self.written += 1
            if self.place is not None:
                self._note_progress()

    def _gather(self, arrays: dict[str, np.ndarray]) -> None:
        good = torch.from_numpy(np.isfinite(arrays["sigma"]))
        if not good.any():
            return
        new = moments_of(State(*(torch.from_numpy(arrays[name]).float()[good] for name in AXES)))
        self.moments = new if self.moments is None else self.moments.merge(new)

    def _note_progress(self) -> None:
        """The count is written last: a chunk counts only when all of it is on disk."""
        if self.moments is not None and time.monotonic() - self._kept > KEEP_MOMENTS:
            m, new = self.moments, self.partial / "moments.new.npz"
            np.savez(new, chunks=self.written, count=m.count, mean=m.mean.numpy(), scatter=m.scatter.numpy())
            new.replace(self.partial / "moments.npz")
            self._kept = time.monotonic()
        new = self.partial / "progress.new"
        new.write_text(json.dumps({"chunks": self.written, "notes": self.notes}))
        new.replace(self.partial / "progress.json")

    def finish(self, facts: dict[str, Any]) -> None:
        """All chunks are there: write what is known only now and move the store to its place."""
        with storing(self.place or Path("memory")):
            status = np.full(self.images, OK, np.int8)
            words = [""] * self.images
            for row, (what, note) in self.notes.items():
                status[row], words[row] = what, note
            fixed_array(self.group, "status", status)
            string_array(self.group, "note", words)
            if self.moments is not None:
                for name in ("mean", "scatter"):
                    fixed_array(self.group, f"moments/{name}", getattr(self.moments, name).numpy())
                facts = {**facts, "images used": self.moments.count}
            self.group.attrs.update({"complete": True, "facts": facts})
            if self.place is not None:
                for name in ("progress.json", "moments.npz"):
                    (self.partial / name).unlink(missing_ok=True)
                self._move()

    def _move(self) -> None:
        assert self.place is not None
        old = self.place.with_name(f".{self.place.name}.{uuid.uuid4().hex[:8]}.old")
        if self.place.exists():
            self.place.rename(old)
        self.partial.rename(self.place)
        if old.exists():
            shutil.rmtree(old)

    def release(self) -> None:
        """Let others write here."""
        if self._lock is not None and self._lock.is_locked:
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def different(theirs: Any, ours: dict[str, str]) -> str:
    """Where two keys differ, in words."""
    return "; ".join(f"{k}: {theirs.get(k)!s:.40} there, {v:.40} here" for k, v in ours.items() if theirs.get(k) != v)
