"""Stores of format 1, written here as older versions wrote them: whole images a chunk, words in arrays, no digests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from toolkit.store.layout import IMAGE_AXES, READOUT_AXES
from toolkit.store.reader import Store


def write(store: Store, place: Path, rows: int = 16) -> None:
    """The same images as in a store, at a place. rows: images a chunk."""
    source: Any = store.group
    own = ("card", "split", "precision", "normed", "key", "facts", "convention", "partial", "terms")
    attrs = {name: store.attrs[name] for name in own if name in store.attrs}
    group = zarr.create_group(
        store=str(place),
        attributes={"format": 1, "digest": store.attrs["digest"], **attrs, "chunk": rows, "complete": True},
    )
    for name in (n for n in IMAGE_AXES if n in source):
        values = source[name][:]
        group.create_array(
            name, shape=values.shape, chunks=(rows, *(max(1, n) for n in values.shape[1:])), dtype=values.dtype,
            compressors=None, fill_value=np.nan, dimension_names=IMAGE_AXES[name],
        )[:] = values  # fmt: skip
    for name in [*(f"readout/{n}" for n in READOUT_AXES), "moments/mean", "moments/scatter"]:
        values = source[name][:]
        group.create_array(name, data=values, chunks=tuple(max(1, n) for n in values.shape), compressors=None)
    words = store.words
    columns = {"image": words.ids, "label": words.labels, "group": words.groups, "note": words.notes}
    for name, column in columns.items():
        own = {"shape": (len(column),), "chunks": (len(column),), "dimension_names": ["image"]}
        group.create_array(name, dtype="str", **own)[:] = column
    group.create_array("status", data=words.status, chunks=(len(words),), compressors=None, dimension_names=["image"])
