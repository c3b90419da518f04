"""Writing a store shard by shard, so that a kill at any moment costs at most the shard in work."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import zarr
from numpy.typing import NDArray
from zarr.storage import MemoryStore

from toolkit.core.moments import HeadMoments, moments_of
from toolkit.core.state import State
from toolkit.errors import InputError, StoreError
from toolkit.store import keep, layout
from toolkit.store import manifest as manifests
from toolkit.store.errors import check_space, storing
from toolkit.store.layout import ABOUT, Header, fixed_array, image_array, shard_files
from toolkit.store.manifest import Manifest, Seal, sealed
from toolkit.store.place import Place, is_store
from toolkit.store.whole import whole_file
from toolkit.store.words import Words

MEASURED = ("mixes", "sigma", "mu", "output")
"""The arrays that the moments of heads are made of."""
KEEP_MOMENTS = 30.0
"""Seconds between two times the moments are written down; what is younger is computed again from its shards."""
DONE = f"{ABOUT}/done"
"""The folder of marks, one per shard that is whole: its files and notes. Gone when the store is."""
MOMENTS = f"{ABOUT}/moments.npz"
Arrays = dict[str, NDArray[Any]]


class Writer:
    """The files of a store, in memory (place None) or at a place on disk (`Place`).

    written: shards that are done. readout: arrays that are there once (layout.READOUT_AXES). normed: whether the model
    has a last LayerNorm. overwrite: replace what is at the place. resume: take up what a killed run left; else that is
    in the way. operation: named in errors.
    """

    def __init__(
        self, place: Path | None, header: Header, words: Words, readout: Arrays, normed: bool, *,
        overwrite: bool = False, resume: bool = True, operation: str = "extract",
    ) -> None:  # fmt: skip
        self.header, self._words, self._readout = header, words, readout
        self._overwrite, self._operation = overwrite, operation
        self._attrs = {**header.attrs(), "normed": normed, "identity": uuid.uuid4().hex, "complete": False}
        self.images, self.shards = len(words), -(-len(words) // header.chunk)
        self.written, self.moments = 0, None
        self._notes: dict[int, tuple[int, str]] = {}
        self._kept = time.monotonic()
        self._place = None if place is None else Place(place, operation)
        self._name = place or Path("memory")
        if self._place is None:
            self.group = zarr.create_group(store=MemoryStore(), attributes=self._attrs)
            self._fill()
            return
        with storing(self._name, operation):
            self._place.acquire()
            try:
                self._open(self._place, resume)
            except BaseException:
                self.release()
                raise

    moments: HeadMoments | None

    @property
    def words(self) -> Words:
        """What is known of the images so far."""
        return self._words.noted(self._notes)

    def _open(self, place: Place, resume: bool) -> None:
        if not resume and place.partial.exists():
            given = f"{place.partial.name!r}, left by another run, in the way"
            raise StoreError(self._operation, given, "a free name", "resume or delete it, or name another store")
        if is_store(place.partial) and self._resume(place):
            return
        place.clear()
        check_space(place.partial, self.bytes)
        # the attributes come first: from its first moment on, the folder says what it is
        self.group = zarr.create_group(store=str(place.partial), attributes=self._attrs)
        self._fill()

    @property
    def bytes(self) -> int:
        """What the arrays of all images take."""
        each = layout.image_bytes(self.header.shapes, self.header.precision)
        return self.images * each + sum(a.nbytes for a in self._readout.values())

    def _fill(self) -> None:
        """All arrays, empty, and those that are known from the start."""
        h = self.header
        self.group.create_group(ABOUT)
        for name, shape in h.shapes.items():
            image_array(self.group, name, self.images, h.chunk, shape, layout.dtype_of(name, h.precision))
        for name, values in self._readout.items():
            fixed_array(self.group, f"readout/{name}", values)

    def _resume(self, place: Place) -> bool:
        """Take up what a killed run left; False where there is nothing to take up."""
        self.group = zarr.open_group(store=str(place.partial), mode="r+")
        if self.group.attrs.get("format") != layout.FORMAT and not self._overwrite:
            given = f"{place.partial.name}, a half-written store of format {self.group.attrs.get('format')}"
            fix = "finish it with the version that began it, pass overwrite=True, or delete it"
            raise StoreError(self._operation, given, f"one of format {layout.FORMAT}", fix)
        if not (place.partial / DONE).is_dir():
            return False  # killed before its first shard: nothing is lost
        if self.group.attrs.get("source") != self.header.more.get("source"):
            return False  # the rewriting of a store that is no longer there
        if self.group.attrs["digest"] != self.header.digest:
            if self._overwrite:
                return False
            differs = different(self.group.attrs.get("key"), self.header.key)
            given = f"{place.partial.name}, a half-written store of something else ({differs})"
            fix = "name another store, pass overwrite=True, or delete it"
            raise StoreError(self._operation, given, "the same model, data and settings", fix)
        while self.written < self.shards and self._is_done(place.partial):
            self.written += 1
        self._restore_moments(place.partial)
        return True

    def _is_done(self, folder: Path) -> bool:
        """Whether the next shard is whole; takes its notes over."""
        try:
            mark = json.loads(_mark(folder, self.written).read_text(encoding="utf-8"))
            found, notes = Manifest.of(mark["files"]), mark["notes"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        if next(found.resized(folder), None) is not None:
            return False
        self._notes |= {int(row): (int(what), str(words)) for row, (what, words) in notes.items()}
        return True

    def _restore_moments(self, folder: Path) -> None:
        """What was kept of the moments; where that is damaged, which numpy says in any way, they are gathered anew."""
        upto = 0
        with contextlib.suppress(Exception), np.load(folder / MOMENTS) as kept:
            if int(kept["shards"]) <= self.written:
                upto = int(kept["shards"])
                mean, scatter = (torch.from_numpy(kept[n]) for n in ("mean", "scatter"))
                self.moments = HeadMoments(int(kept["count"]), mean, scatter)
        for shard in range(upto, self.written):
            self._gather({name: self._array(name)[self._rows(shard)] for name in MEASURED})

    def _array(self, name: str) -> Any:
        return self.group[name]

    def _rows(self, shard: int) -> slice:
        return slice(shard * self.header.chunk, min((shard + 1) * self.header.chunk, self.images))

    def rows(self, shard: int) -> range:
        """The rows of a shard."""
        return range(self.images)[self._rows(shard)]

    def write(self, arrays: Arrays, notes: dict[int, tuple[int, str]]) -> None:
        """The next shard: arrays of all its rows as they are stored, nan for images that were left out; what became of
        which rows.
        """
        rows = self._rows(self.written)
        with storing(self._name, self._operation):
            if self._place is not None:
                clear_shard(self._place.partial, self.header, self.written)
            write_shard(self.group, rows, arrays)
            self._gather(arrays)
            self._notes |= notes
            if self._place is not None:
                self._note_done(self._place.partial, notes)
            self.written += 1

    def _gather(self, arrays: Arrays) -> None:
        good = torch.from_numpy(np.isfinite(arrays["sigma"]))
        if not good.any():
            return
        kept: dict[str, Any] = {name: torch.from_numpy(arrays[name])[good] for name in MEASURED}
        kept = {name: values.float() if values.dtype == torch.float16 else values for name, values in kept.items()}
        if self.header.more.get("partial"):
            kept["output"] = unknown(*kept["output"].shape)
        new = moments_of(State.of_heads(**kept))
        self.moments = new if self.moments is None else self.moments.merge(new)

    def _note_done(self, folder: Path, notes: dict[int, tuple[int, str]]) -> None:
        """The mark is written last: a shard counts only when all of it is on disk."""
        if self.moments is not None and time.monotonic() - self._kept > KEEP_MOMENTS:
            m, new = self.moments, folder / ABOUT / "moments.new.npz"
            np.savez(new, shards=self.written + 1, count=m.count, mean=m.mean.numpy(), scatter=m.scatter.numpy())
            new.replace(folder / MOMENTS)
            self._kept = time.monotonic()
        seals = Manifest({name: sealed(folder / name) for name in shard_files(self.header.shapes, self.written)})
        (folder / DONE).mkdir(exist_ok=True)
        with whole_file(_mark(folder, self.written)) as part, part.open("w", encoding="utf-8") as file:
            json.dump({"files": seals.plain, "notes": notes}, file)
            file.flush()
            os.fsync(file.fileno())

    def finish(self, facts: dict[str, Any]) -> None:
        """All shards are there: write what is known only now and move the store to its place.

        Raises InputError, and leaves nothing, where not one image could be used.
        """
        if self.moments is None:
            self._nothing()
        assert self.moments is not None
        with storing(self._name, self._operation):
            for name in ("mean", "scatter"):
                fixed_array(self.group, f"moments/{name}", getattr(self.moments, name).numpy())
            self.group.attrs.update({"complete": True, "facts": {**facts, "images used": self.moments.count}})
            if self._place is not None:
                self.words.write(self._place.partial, self.header.chunk)
                self._seal(self._place.partial)
                self._place.move(self._overwrite)  # killed before it, the next run only moves the store
                shutil.rmtree(self._place.path / DONE, ignore_errors=True)
                (self._place.path / MOMENTS).unlink(missing_ok=True)

    def _seal(self, folder: Path) -> None:
        """Write down which files there are: those of the shards as they were marked, the others as they are now."""
        files: dict[str, Seal] = {}
        for shard in range(self.shards):
            files |= Manifest.of(json.loads(_mark(folder, shard).read_text(encoding="utf-8"))["files"]).files
        passing = {manifests.NAME, "zarr.json", MOMENTS}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name not in files and name not in passing and not name.startswith(f"{DONE}/"):
                files[name] = sealed(path)
        Manifest(files).write(folder)

    def _nothing(self) -> None:
        self.discard()
        why = next((words for _, words in self._notes.values()), "")
        given = f"{self.images} images of which not one could be used ({why})"
        raise InputError(self._operation, given, "images that can be read", "look at the files and at the preprocess")

    def discard(self) -> None:
        """Remove what is written."""
        if self._place is not None:
            self._place.clear()

    def release(self) -> None:
        """Let others write here."""
        if self._place is not None:
            self._place.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def write_shard(group: Any, rows: slice, arrays: Arrays) -> None:
    """Arrays of all rows of a shard. What is all fill has no file; zarr itself would look for that chunk by chunk."""
    with zarr.config.set({"array.write_empty_chunks": True}):
        for name, values in arrays.items():
            assert len(values) == rows.stop - rows.start, "a shard is written whole, by one writer"
            if not _is_fill(values):
                group[name][rows] = values


def _is_fill(values: NDArray[Any]) -> bool:
    return values.size == 0 or bool(np.isnan(values.flat[0]) and np.isnan(values).all())


def clear_shard(folder: Path, header: Header, shard: int) -> None:
    """Remove what is left of a shard: what is there zarr would read, and keep parts of."""
    for name in shard_files(header.shapes, shard):
        (folder / name).unlink(missing_ok=True)


def unknown(n: int, d: int) -> torch.Tensor:
    """What stands for embeddings that are not known: unit vectors, which leave head contributions as they are."""
    return torch.eye(1, d, dtype=torch.float32).repeat(n, 1)


def _mark(folder: Path, shard: int) -> Path:
    return folder / DONE / f"{shard:06}.json"


def different(theirs: Any, ours: dict[str, str]) -> str:
    """Where two keys differ, in words."""
    if not isinstance(theirs, dict):
        return "arrays of other code"
    there, here = ({keep.NAME: "all parts", **key} for key in (theirs, ours))
    differing = [name for name in here if there.get(name) != here[name]]
    if differing == ["files"]:
        return "the same images, whose files were changed or copied since"
    return "; ".join(f"{name}: {there.get(name)!s:.60} there, {here[name]:.60} here" for name in differing)
