"""Reading a store: rows of it as states, a few shards and layers at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from numpy.typing import NDArray

from toolkit.core.moments import HeadMoments, moment_maps
from toolkit.core.parts import term_names
from toolkit.core.readout import Readout
from toolkit.core.state import State
from toolkit.errors import StoreError
from toolkit.models.card import ModelCard
from toolkit.store.damage import damage, damage_at, suspect
from toolkit.store.errors import local
from toolkit.store.identity import Identity
from toolkit.store.keep import Keep
from toolkit.store.layout import AXES, FORMAT, READOUT_AXES, card_from, shard_file
from toolkit.store.manifest import Manifest
from toolkit.store.place import Place, is_store
from toolkit.store.words import SKIPPED, Words
from toolkit.store.writer import unknown

Rows = Sequence[int] | NDArray[np.int64]
TOGETHER = 16
"""Shards' worth of rows that are read in one go."""


class Store:
    """A whole store, on disk or in memory.

    name: of the file, "" in memory. words: what is known of every image that was given, in order (`Words`); `usable`:
    rows of those that were not left out. chunk: images a shard. keep: what of an image is kept (`Keep`). shape: (layers
    of the model, heads, numbers kept a head).
    """

    def __init__(self, group: zarr.Group, words: Words, folder: Path | None = None) -> None:
        self.group, self.words = group, words
        self.folder, self.name = folder, "" if folder is None else folder.name
        self._identity = None if folder is None else Identity(folder)
        self.attrs: dict[str, Any] = dict(group.attrs)
        self.usable = np.flatnonzero(words.status != SKIPPED)
        self.chunk = int(self.attrs["chunk"])
        self.partial = bool(self.attrs.get("partial"))
        kept, heads, k = (int(n) for n in self._array("mixes").shape[1:])
        self.keep = Keep.read(self.attrs, kept)
        self.shape = (self.keep.of, heads, k)
        self._sound: set[str] = set()
        self._maps: dict[str, torch.Tensor] = {}

    def _array(self, name: str) -> Any:
        return self.group[name]

    @cached_property
    def card(self) -> ModelCard:
        """Of the model it was made with."""
        return card_from(self.attrs)

    @cached_property
    def readout(self) -> Readout:
        """The readout of that model."""
        with self._reading():
            arrays: dict[str, Any] = {n: torch.from_numpy(self._array(f"readout/{n}")[:]) for n in READOUT_AXES}
        return Readout(**arrays, normed=bool(self.attrs["normed"]))

    def head_maps(self, convention: str) -> torch.Tensor:
        """[l, h, k + 3, d]: what the numbers of heads are worth in the joint space (`moment_maps`); made once for
        everyone who reads this store.
        """
        if convention not in self._maps:
            self._maps[convention] = moment_maps(self.readout, convention)
        return self._maps[convention]

    @cached_property
    def error(self) -> np.ndarray:
        """Relative error of the sum of the stored parts, per image."""
        with self._reading():
            return np.asarray(self._array("error")[:])

    @cached_property
    def moments(self) -> HeadMoments | None:
        """The moments gathered while extracting; None where no image was usable."""
        if "moments" not in self.group:
            return None
        with self._reading():
            mean, scatter = (torch.from_numpy(self._array(f"moments/{n}")[:]) for n in ("mean", "scatter"))
        found = HeadMoments(int(self.attrs["facts"]["images used"]), mean, scatter)
        return found if self.keep.all_layers else found.among(self.keep.layers, self.keep.of)

    def state(self, rows: Rows, layers: Sequence[int] | None = None) -> State:
        """The state of some rows, in the order asked for; reads the shards they lie in and nothing else.

        layers: of whose heads alone, without MLP terms and biases; default all there is.
        """
        at = np.asarray(rows, np.int64)
        if layers is None:
            self.keep.check_whole("acts")
            found = {name: self.array(name, at) for name in AXES if name in self.group}
        else:
            found = {name: self.array(name, at) for name in ("sigma", "mu", "output")}
            found["mixes"] = self.array("mixes", at, layers)
        if self.partial:
            found["output"] = unknown(*found["output"].shape).to(found["output"])
        return State(**found) if layers is None else State.of_heads(**found)

    def array(
        self, name: str, rows: Rows, layers: Sequence[int] | None = None, as_stored: bool = False
    ) -> torch.Tensor:
        """Some rows of one array, float64 where that is stored, else float32; of the arrays of layers only these, read
        without the others.

        layers: of mixes, by their number in the model; of MLP terms and biases, positions along the second axis;
        default all. as_stored: float16 where that is stored.
        """
        at = np.asarray(rows, np.int64)
        if name == "mixes":
            asked = range(self.keep.of) if layers is None else layers
            layers = None if self.keep.all_layers and layers is None else self.keep.places(asked, "acts")
        kind = self._array(name).dtype if as_stored else np.promote_types(self._array(name).dtype, np.float32)
        with self._reading():
            return torch.from_numpy(self._some(name, at, None if layers is None else list(layers), kind))

    def rest(self, rows: Rows) -> torch.Tensor | None:
        """[b, d]: what other code's arrays left over beside heads and MLPs; None in a store made by extraction."""
        return self.array("rest", rows) if "rest" in self.group else None

    def _some(self, name: str, at: NDArray[np.int64], layers: list[int] | None, kind: Any) -> NDArray[Any]:
        array = self._array(name)
        kept = array.shape[1:] if layers is None else (len(layers), *array.shape[2:])
        out = np.empty((len(at), *kept), kind)
        for here, rows in _runs(at, self.chunk):
            if layers is None:
                self._check_whole(name, rows)
                out[here] = _picked(array[rows], at[here] - rows.start)
                continue
            for i, run in _stretches(layers):
                out[here, i] = _picked(array[rows, run], at[here] - rows.start)
        return out

    def _check_whole(self, name: str, rows: slice) -> None:
        """Compare the digests of shards that are about to be read whole, each once."""
        if self.folder is None or not self._seals.files:
            return
        first, last = -(-rows.start // self.chunk), rows.stop // self.chunk
        if rows.stop == len(self.words):
            last = -(-rows.stop // self.chunk)
        axes = self._array(name).ndim
        files = [shard_file(name, k, axes) for k in range(first, last)]
        new = [file for file in files if file in self._seals.files and file not in self._sound]
        found = damage(self._seals.changed(self.folder, new))
        if found is not None:
            suspect(self.folder, [name for name, _ in found.files])
            raise found.error("store", self.name, self.chunk)
        self._sound.update(new)

    @cached_property
    def _seals(self) -> Manifest:
        """The list of its files; empty for what was written before there was one."""
        if self.folder is None or int(self.attrs["format"]) == 1:
            return Manifest()
        return Manifest.read(self.folder)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Only the store that was opened is read; what zarr says of damaged files is a StoreError."""
        if self._identity is not None:
            self._identity.check("store")
        try:
            yield
        except StoreError:
            raise
        except (ValueError, KeyError, OSError, RuntimeError) as error:
            if self._identity is not None:
                self._identity.check("store")
            given = f"{self.name!r}, a damaged store ({error})"
            fix = "run the same tk.extract again, or look with: toolkit info STORE --check"
            raise StoreError("store", given, "every file as it was written", fix) from error

    def to_xarray(self) -> Any:
        """The store as a labelled xarray.Dataset, read when asked for."""
        import xarray

        found = xarray.open_zarr(self.group.store, consolidated=False, chunks=None)
        own, words = ["image", "label", "group", "status", "note"], self.words
        found = found.drop_vars(own, errors="ignore")  # format 1 kept them as arrays
        columns = (words.ids, words.labels, words.groups, words.status)
        coordinates: dict[str, Any] = {name: ("image", c) for name, c in zip(own, columns, strict=False)}
        coordinates |= {"layer": list(self.keep.layers), "head": range(found.sizes["head"])}
        if "term" in found.sizes:
            coordinates["term"] = self.attrs.get("terms") or term_names(found.sizes["term"], self.keep.of)
        found = found.assign_coords(coordinates)
        return found.assign(note=("image", words.notes))


def _picked(values: NDArray[Any], at: NDArray[np.int64]) -> NDArray[Any]:
    """Some rows of what was read; no copy where they are all of it, in order."""
    return values if len(at) == len(values) and bool((np.diff(at) == 1).all()) else values[at]


def _runs(at: NDArray[np.int64], rows: int) -> Iterator[tuple[slice | NDArray[np.intp], slice]]:
    """Which positions of `at` to read together, and the rows to read: several shards at once where all rows are one
    stretch, else shard by shard.
    """
    if len(at) and at[-1] - at[0] == len(at) - 1 and bool((np.diff(at) == 1).all()):
        step = rows * TOGETHER
        for start in range(0, len(at), step):
            stop = min(start + step, len(at))
            yield slice(start, stop), slice(int(at[start]), int(at[stop - 1]) + 1)
        return
    shards = at // rows
    for shard in np.unique(shards):
        here = np.flatnonzero(shards == shard)
        yield here, slice(int(at[here].min()), int(at[here].max()) + 1)


def _stretches(layers: list[int]) -> Iterator[tuple[slice, slice]]:
    """Neighbouring layers together: where they go, and which they are."""
    start = 0
    for i in range(1, len(layers) + 1):
        if i == len(layers) or layers[i] != layers[i - 1] + 1:
            yield slice(start, i), slice(layers[start], layers[i - 1] + 1)
            start = i


def open_store(path: str | Path, operation: str = "extract") -> Store:
    """The whole store at a path; it is looked at whether all of its files are there, of the size they were written.

    Raises StoreError for what is no store, only half of one, damaged, or of a later version.
    """
    place = local(path, operation)
    Place(place, operation).recover()
    partial = place.with_name(place.name + ".partial")
    if not place.exists():
        if partial.exists():
            given = f"{place.name!r}, of which only a half-written store ({partial.name}) exists"
            raise StoreError(operation, given, "a whole store", "run the same extraction again: it resumes")
        raise StoreError(
            operation, f"{str(path)!r}, which does not exist", "a store", "make it with tk.extract(…, store=…)"
        )
    if not is_store(place):
        fix = "make one with tk.extract(…, store=…)"
        raise StoreError(operation, f"{place.name!r}, which is no store of this toolkit", "a store", fix)
    group = zarr.open_group(store=str(place), mode="r")
    if int(str(group.attrs.get("format", 0))) > FORMAT:
        raise StoreError(
            operation, f"a store of format {group.attrs['format']}", f"format {FORMAT} or older", "update the toolkit"
        )
    if not group.attrs.get("complete"):
        raise StoreError(
            operation, f"{place.name!r}, a store that was never finished", "a whole store", "extract again"
        )
    try:
        found = damage_at(place)
        if found is None:
            return Store(group, _words(group, place), place)
    except (KeyError, ValueError, OSError) as error:
        given = f"{place.name!r}, a damaged store ({error})"
        raise StoreError(operation, given, "a whole store", "extract again with overwrite=True") from error
    raise found.error(operation, place.name, int(str(group.attrs["chunk"])))


def _words(group: Any, folder: Path) -> Words:
    """What is known of the images; format 1 kept it in arrays."""
    if int(group.attrs["format"]) > 1:
        return Words.read(folder)
    ids, labels, groups, status, notes = (group[name][:] for name in ("image", "label", "group", "status", "note"))
    return Words.made(ids, labels, groups, status, notes)
