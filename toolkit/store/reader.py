"""Reading a store: rows of it as states, a few chunks at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from numpy.typing import NDArray

from toolkit.core.moments import HeadMoments
from toolkit.core.parts import term_names
from toolkit.core.readout import Readout
from toolkit.core.state import State
from toolkit.errors import StoreError
from toolkit.models.card import ModelCard
from toolkit.store.layout import AXES, FORMAT, READOUT_AXES, card_from
from toolkit.store.place import Place, is_store
from toolkit.store.writer import SKIPPED


def unknown(n: int, d: int) -> torch.Tensor:
    """What stands for embeddings that are not known: unit vectors, which leave head contributions as they are."""
    return torch.eye(1, d).repeat(n, 1)


Rows = Sequence[int] | NDArray[np.int64]


class Store:
    """A whole store, on disk or in memory.

    name: of the file, "" in memory. ids, labels, groups, status, notes: of every image that was given, in order;
    `usable`: rows of those that were not left out.
    """

    def __init__(self, group: zarr.Group, name: str = "") -> None:
        self.group, self.name = group, name
        self.attrs: dict[str, Any] = dict(group.attrs)
        self.ids, self.labels, self.groups, self.notes = (
            np.asarray(self._array(n)[:], dtype=object) for n in ("image", "label", "group", "note")
        )
        self.status = np.asarray(self._array("status")[:])
        self.usable = np.flatnonzero(self.status != SKIPPED)
        self.chunk = int(self.attrs["chunk"])
        self.partial = bool(self.attrs.get("partial"))
        self.shape = tuple(int(n) for n in self._array("mixes").shape[1:])

    def _array(self, name: str) -> Any:
        return self.group[name]

    @cached_property
    def card(self) -> ModelCard:
        """Of the model it was made with."""
        return card_from(self.attrs)

    @cached_property
    def readout(self) -> Readout:
        """The readout of that model, float32."""
        arrays: dict[str, Any] = {name: torch.from_numpy(self._array(f"readout/{name}")[:]) for name in READOUT_AXES}
        return Readout(**arrays, normed=bool(self.attrs["normed"]))

    @cached_property
    def error(self) -> np.ndarray:
        """Relative error of the sum of the stored parts, per image."""
        return np.asarray(self._array("error")[:])

    @cached_property
    def moments(self) -> HeadMoments | None:
        """The moments gathered while extracting; None where no image was usable."""
        if "moments" not in self.group:
            return None
        mean, scatter = (torch.from_numpy(self._array(f"moments/{n}")[:]) for n in ("mean", "scatter"))
        return HeadMoments(int(self.attrs["facts"]["images used"]), mean, scatter)

    def state(self, rows: Rows) -> State:
        """The state of some rows, in the order asked for; reads the chunks they lie in and nothing else."""
        at = np.asarray(rows, np.int64)
        found = {name: self.array(name, at) for name in AXES if name in self.group}
        if self.partial:
            found["output"] = unknown(len(at), found["output"].shape[1])
        return State(**found)

    def array(self, name: str, rows: Rows) -> torch.Tensor:
        """Some rows of one array, float32."""
        return torch.from_numpy(self._some(name, np.asarray(rows, np.int64)))

    def rest(self, rows: Rows) -> torch.Tensor | None:
        """[b, d]: what other code's arrays left over beside heads and MLPs; None in a store made by extraction."""
        return self.array("rest", rows) if "rest" in self.group else None

    def _some(self, name: str, at: np.ndarray) -> np.ndarray:
        array = self._array(name)
        out = np.empty((len(at), *array.shape[1:]), np.float32)
        chunks = at // self.chunk
        for chunk in np.unique(chunks):
            here = np.flatnonzero(chunks == chunk)
            low, high = int(at[here].min()), int(at[here].max()) + 1
            out[here] = array[low:high][at[here] - low]
        return out

    def to_xarray(self) -> Any:
        """The store as a labelled xarray.Dataset, read when asked for."""
        import xarray

        found = xarray.open_zarr(self.group.store, consolidated=False, chunks=None)
        found = found.set_coords([n for n in ("label", "group", "status") if n in found])
        layers, heads = found.sizes["layer"], found.sizes["head"]
        terms = self.attrs.get("terms") or term_names(found.sizes["term"], layers)
        return found.assign_coords(layer=range(layers), head=range(heads), term=terms)


def open_store(path: str | Path, operation: str = "extract") -> Store:
    """The whole store at a path.

    Raises StoreError for what is no store, only half of one, or of a later version.
    """
    place = Path(path).expanduser()
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
            operation, f"a store of format {group.attrs['format']}", f"format {FORMAT}", "update the toolkit"
        )
    if not group.attrs.get("complete"):
        raise StoreError(
            operation, f"{place.name!r}, a store that was never finished", "a whole store", "extract again"
        )
    try:
        return Store(group, place.name)
    except (KeyError, ValueError, OSError) as error:
        given = f"{place.name!r}, a damaged store ({error})"
        raise StoreError(operation, given, "a whole store", "extract again with overwrite=True") from error
