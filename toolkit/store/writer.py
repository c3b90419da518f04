"""Writing a store chunk by chunk, so that a kill at any moment costs at most the chunk in work."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import zarr
from zarr.storage import MemoryStore

from toolkit.core.moments import HeadMoments, moments_of
from toolkit.core.readout import Readout
from toolkit.core.state import State
from toolkit.data.samples import Samples
from toolkit.errors import InputError, StoreError
from toolkit.store import layout
from toolkit.store.errors import check_space, storing
from toolkit.store.layout import AXES, ERROR_AXES, Header, fixed_array, string_array
from toolkit.store.place import Place, is_store

OK, CONVERTED, SKIPPED = 1, 2, 3
"""What became of an image."""
KEEP_MOMENTS = 30.0
"""Seconds between two times the moments are written down; what is younger is computed again from its chunks."""


class Writer:
    """One extraction's files, in memory (place None) or at a place on disk (`Place`).

    written: chunks that are done. notes: row → (status, words).
    """

    def __init__(
        self, place: Path | None, header: Header, data: Samples, readout: Readout, overwrite: bool = False
    ) -> None:
        self.header, self._readout, self._overwrite = header, readout, overwrite
        self.images, self.chunks = len(data), -(-len(data) // header.chunk)
        self.written, self.notes = 0, dict[int, tuple[int, str]]()
        self.moments: HeadMoments | None = None
        self._kept = time.monotonic()
        self._place = None if place is None else Place(place, "extract")
        self._name = place or Path("memory")
        if self._place is None:
            self.group = zarr.create_group(store=MemoryStore(), attributes=self._attrs())
            self._fill(data)
            return
        with storing(self._name, "extract"):
            self._place.acquire()
            try:
                self._open(self._place, data)
            except BaseException:
                self.release()
                raise

    def _open(self, place: Place, data: Samples) -> None:
        if is_store(place.partial) and self._resume(place):
            return
        place.clear()
        check_space(place.partial, self.bytes)
        # the attributes come first: from its first moment on, the folder says what it is
        self.group = zarr.create_group(store=str(place.partial), attributes=self._attrs())
        self._fill(data)

    def _attrs(self) -> dict[str, Any]:
        return {**self.header.attrs(), "normed": self._readout.normed, "complete": False}

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

    def _resume(self, place: Place) -> bool:
        """Take up what a killed run left; False where there is nothing to take up."""
        self.group = zarr.open_group(store=str(place.partial), mode="r+")
        try:
            kept = (place.partial / "progress.json").read_text()
        except FileNotFoundError:
            return False  # killed before its first chunk: nothing is lost
        if self.group.attrs["digest"] != self.header.digest:
            if self._overwrite:
                return False
            differs = different(self.group.attrs.get("key"), self.header.key)
            given = f"{place.partial.name}, a half-written store of something else ({differs})"
            fix = "name another store, pass overwrite=True, or delete it"
            raise StoreError("extract", given, "the same model, data and settings", fix)
        try:
            progress = json.loads(kept)
        except ValueError as error:
            given = f"{place.partial.name}, whose progress.json is damaged"
            raise StoreError("extract", given, "a half-written store", "delete it and start anew") from error
        self.written = int(progress["chunks"])
        self.notes = {int(row): (int(s), str(words)) for row, (s, words) in progress["notes"].items()}
        self._restore_moments(place)
        return True

    def _restore_moments(self, place: Place) -> None:
        upto = 0
        with contextlib.suppress(OSError, ValueError, KeyError), np.load(place.partial / "moments.npz") as kept:
            if int(kept["chunks"]) <= self.written:
                upto = int(kept["chunks"])
                mean, scatter = (torch.from_numpy(kept[n]) for n in ("mean", "scatter"))
                self.moments = HeadMoments(int(kept["count"]), mean, scatter)
        for chunk in range(upto, self.written):
            self._gather({name: self._array(name)[self._rows(chunk)] for name in AXES if name in self.header.shapes})

    def _array(self, name: str) -> Any:
        return self.group[name]

    def _rows(self, chunk: int) -> slice:
        return slice(chunk * self.header.chunk, min((chunk + 1) * self.header.chunk, self.images))

    def rows(self, chunk: int) -> range:
        """The rows of a chunk."""
        return range(self.images)[self._rows(chunk)]

    def write(self, arrays: dict[str, np.ndarray], notes: dict[int, tuple[int, str]]) -> None:
        """The next chunk: arrays of all its rows as they are stored, nan for images that were left out."""
        with storing(self._name, "extract"):
            for name, values in arrays.items():
                self._array(name)[self._rows(self.written)] = values
            self._gather(arrays)
            self.notes |= notes
            self.written += 1
            if self._place is not None:
                self._note_progress(self._place.partial)

    def _gather(self, arrays: dict[str, np.ndarray]) -> None:
        good = torch.from_numpy(np.isfinite(arrays["sigma"]))
        if not good.any():
            return
        kept: dict[str, Any] = {n: torch.from_numpy(arrays[n]).float()[good] for n in AXES if n in arrays}
        new = moments_of(State(**kept))
        self.moments = new if self.moments is None else self.moments.merge(new)

    def _note_progress(self, folder: Path) -> None:
        """The count is written last: a chunk counts only when all of it is on disk."""
        if self.moments is not None and time.monotonic() - self._kept > KEEP_MOMENTS:
            m, new = self.moments, folder / "moments.new.npz"
            np.savez(new, chunks=self.written, count=m.count, mean=m.mean.numpy(), scatter=m.scatter.numpy())
            new.replace(folder / "moments.npz")
            self._kept = time.monotonic()
        new = folder / "progress.new"
        with new.open("w") as file:
            json.dump({"chunks": self.written, "notes": self.notes}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(folder / "progress.json")

    def finish(self, facts: dict[str, Any]) -> None:
        """All chunks are there: write what is known only now and move the store to its place.

        Raises InputError, and leaves nothing, where not one image could be used.
        """
        if self.moments is None:
            self._nothing()
        assert self.moments is not None
        with storing(self._name, "extract"):
            status = np.full(self.images, OK, np.int8)
            words = [""] * self.images
            for row, (what, note) in self.notes.items():
                status[row], words[row] = what, note
            fixed_array(self.group, "status", status)
            string_array(self.group, "note", words)
            for name in ("mean", "scatter"):
                fixed_array(self.group, f"moments/{name}", getattr(self.moments, name).numpy())
            self.group.attrs.update({"complete": True, "facts": {**facts, "images used": self.moments.count}})
            if self._place is not None:  # killed from here on, the next run only moves it
                self._place.move(self._overwrite)
                for name in ("progress.json", "moments.npz"):
                    (self._place.path / name).unlink(missing_ok=True)

    def _nothing(self) -> None:
        if self._place is not None:
            self._place.clear()
        why = next((words for _, words in self.notes.values()), "")
        given = f"{self.images} images of which not one could be used ({why})"
        raise InputError("extract", given, "images that can be read", "look at the files and at the preprocess")

    def release(self) -> None:
        """Let others write here."""
        if self._place is not None:
            self._place.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def different(theirs: Any, ours: dict[str, str]) -> str:
    """Where two keys differ, in words."""
    if not isinstance(theirs, dict):
        return "arrays of other code"
    if {k for k in ours if theirs.get(k) != ours[k]} == {"files"}:
        return "the same images, whose files were changed or copied since"
    return "; ".join(f"{k}: {theirs.get(k)!s:.40} there, {v:.40} here" for k, v in ours.items() if theirs.get(k) != v)
