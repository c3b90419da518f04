"""A store of an older format written anew in this one; the old store stays until the new one is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError
from toolkit.store import layout
from toolkit.store.layout import FORMAT, IMAGE_AXES, READOUT_AXES, Header
from toolkit.store.reader import open_store
from toolkit.store.writer import Writer

KEPT = ("terms", "partial", "convention")
"""Attributes that only some stores have."""


def upgrade(path: str | Path, report: Callable[[int, int], None] = lambda done, of: None) -> None:
    """Rewrite a store of format 1 in format 2, image for image the same numbers. Killed at any point, the same call
    takes it up; parts of one shard are in memory at a time.

    report: called with (images done, of) after every shard. Raises InputError for a store that is in this format.
    """
    store = open_store(path, "upgrade")
    assert store.folder is not None
    attrs: dict[str, Any] = store.attrs
    if int(attrs["format"]) == FORMAT:
        raise InputError("upgrade", f"{store.name!r}, of format {FORMAT}", "an older store", "use it as it is")
    arrays: dict[str, Any] = {name: store.group[name] for name in IMAGE_AXES if name in store.group}
    shapes = {name: tuple(int(n) for n in array.shape[1:]) for name, array in arrays.items()}
    source = hashlib.sha256((store.folder / "zarr.json").read_bytes()).hexdigest()
    more = {name: attrs[name] for name in KEPT if name in attrs} | {"source": source}
    images, precision = len(store.words), attrs["precision"]
    rows = min(layout.shard_rows(shapes, precision), images)
    header = Header(attrs.get("key", {}), attrs["card"], attrs["split"], rows, precision, shapes, more)
    whole: Any = store.group
    readout = {name: np.asarray(whole[f"readout/{name}"][:]) for name in READOUT_AXES}
    normed = bool(attrs["normed"])
    with Writer(store.folder, header, store.words, readout, normed, overwrite=True, operation="upgrade") as new:
        report(min(new.written * rows, images), images)
        while new.written < new.shards:
            at = new.rows(new.written)
            new.write({name: np.asarray(array[at.start : at.stop]) for name, array in arrays.items()}, {})
            report(at.stop, images)
        new.moments = store.moments
        new.finish({name: value for name, value in attrs["facts"].items() if name != "images used"})
