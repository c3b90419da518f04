"""Making shards of a whole store anew, where their files are no longer what was written."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import zarr

from toolkit.store.damage import SUSPECTS
from toolkit.store.errors import storing
from toolkit.store.layout import Header, shard_files
from toolkit.store.manifest import Manifest, sealed
from toolkit.store.place import Place
from toolkit.store.writer import Arrays, clear_shard, write_shard


class Repair:
    """Writes single shards of the store at a place, under its lock. What it replaces is damaged already, so that a kill
    on the way leaves a store that says so again.
    """

    def __init__(self, place: Path, header: Header) -> None:
        self._place, self._header = Place(place, "extract"), header
        self._folder = self._place.path

    def __enter__(self) -> Repair:
        self._place.acquire()
        self._group: Any = zarr.open_group(store=str(self._folder), mode="r+")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._place.release()

    @property
    def images(self) -> int:
        """Of the store, those that were left out too."""
        return int(self._group["sigma"].shape[0])

    def rows(self, shard: int) -> range:
        """The rows of a shard."""
        start = shard * self._header.chunk
        return range(start, min(start + self._header.chunk, self.images))

    def write(self, shard: int, arrays: Arrays) -> None:
        """One shard, whole, and in the list of files how its files are now."""
        rows = self.rows(shard)
        with storing(self._folder, "extract"):
            clear_shard(self._folder, self._header, shard)
            write_shard(self._group, slice(rows.start, rows.stop), arrays)
            found = Manifest.read(self._folder)
            new = {name: sealed(self._folder / name) for name in shard_files(self._header.shapes, shard)}
            Manifest(found.files | new).write(self._folder)

    def finish(self) -> None:
        """All that was damaged is whole again."""
        (self._folder / SUSPECTS).unlink(missing_ok=True)
