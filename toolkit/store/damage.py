"""What of a store is no longer what was written, and which of its shards that costs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from toolkit.errors import StoreError
from toolkit.store.layout import ABOUT, IMAGE_AXES, shard_file
from toolkit.store.manifest import Manifest
from toolkit.store.words import SKIPPED

SUSPECTS = f"{ABOUT}/suspects.json"
SHOWN = 3
"""Files that are named, of those that are damaged."""


@dataclass(frozen=True)
class Damage:
    """Files that are not as they were written, each with what is wrong.

    files: name in the store, what is wrong with it. shards: what the files hold, where all of them belong to shards;
    None where others are among them, which a repair cannot make anew.
    """

    files: tuple[tuple[str, str], ...]
    shards: tuple[int, ...] | None

    def error(self, operation: str, name: str, rows: int) -> StoreError:
        """What to raise. name: of the store. rows: images a shard."""
        more = f" and {len(self.files) - SHOWN} more" if len(self.files) > SHOWN else ""
        named = ", ".join(f"{file} {what}" for file, what in self.files[:SHOWN]) + more
        fix = "extract again with overwrite=True"
        if self.shards is not None:
            parts = ", ".join(f"{k * rows}…{(k + 1) * rows - 1}" for k in self.shards[:SHOWN])
            more = " and others" if len(self.shards) > SHOWN else ""
            fix = f"run the same tk.extract again: it makes rows {parts}{more} anew and leaves the rest"
        given = f"{name!r}, a damaged store: {named}"
        return StoreError(operation, given, "every file as it was written", fix)


def damage(found: Iterable[tuple[str, str]]) -> Damage | None:
    """The damage that files with what is wrong with them are; None where there are none."""
    files = tuple(found)
    if not files:
        return None
    shards = {_shard(name) for name, _ in files}
    return Damage(files, None if None in shards else tuple(sorted(k for k in shards if k is not None)))


def _shard(file: str) -> int | None:
    """The shard a file belongs to; None for files of the whole store."""
    name, _, rest = file.partition("/c/")
    return int(rest.split("/")[0]) if name in IMAGE_AXES and rest else None


def missing_files(group: Any, folder: Path) -> Iterator[tuple[str, str]]:
    """Of a store of format 1, which had no list of its files: those that must be there and are not, or not whole.

    A file that would be all fill value was never written: there may be none where all images were left out, nor of
    arrays of zeros.
    """
    status, rows = np.asarray(group["status"][:]), int(group.attrs["chunk"])
    own = "convention" not in group.attrs  # not made of other code's arrays, which may hold zeros
    for name in [*(n for n in IMAGE_AXES if n in group), "readout/head_map"]:
        array = group[name]
        size = int(np.prod(array.chunks)) * array.dtype.itemsize
        per_image = name in IMAGE_AXES
        for k in range(-(-array.shape[0] // rows) if per_image and array.size else 1):
            file = shard_file(name, k, array.ndim)
            used = not per_image or bool((status[k * rows : (k + 1) * rows] != SKIPPED).any())
            must = used and array.size > 0 and (own or name in ("mixes", "sigma", "readout/head_map"))
            path = folder / file
            if path.exists() and path.stat().st_size != size:
                yield file, f"has {path.stat().st_size:,} bytes instead of {size:,}"
            elif must and not path.exists():
                yield file, f"is missing ({size:,} bytes)"


def damage_at(folder: Path) -> Damage | None:
    """What a look at the folder of a whole store shows: files that are missing or of another size than was written, and
    those that were found to hold other bytes before. Raises OSError or ValueError where its list of files is no more.
    """
    group: Any = zarr.open_group(store=str(folder), mode="r")
    if int(group.attrs["format"]) == 1:
        return damage(missing_files(group, folder))
    files = Manifest.read(folder)
    resized = list(files.resized(folder))
    known = {name for name, _ in resized}
    suspects = [name for name in suspected(folder) if name in files.files and name not in known]
    return damage([*resized, *files.changed(folder, suspects)])


def full_damage_at(folder: Path) -> Damage | None:
    """The same after every file was read and its digest compared; what is found is remembered (`suspect`)."""
    if int(str(zarr.open_group(store=str(folder), mode="r").attrs["format"])) == 1:
        return damage_at(folder)
    found = damage(Manifest.read(folder).changed(folder))
    if found is not None:
        suspect(folder, [name for name, _ in found.files])
    return found


def suspect(folder: Path, files: Iterable[str]) -> None:
    """Remember files that hold other bytes than were written, so that the next extraction makes their shards anew
    without reading all others. Where nothing can be written, nothing can be made anew either.
    """
    with contextlib.suppress(OSError):
        (folder / SUSPECTS).write_text(json.dumps(sorted({*suspected(folder), *files})), encoding="utf-8")


def suspected(folder: Path) -> list[str]:
    """Files that were found to hold other bytes."""
    try:
        return [str(name) for name in json.loads((folder / SUSPECTS).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
