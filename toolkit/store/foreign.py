"""Head contributions of other code written as a store, block by block, so that nothing need fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from numpy.typing import NDArray
from zarr.storage import MemoryStore

from toolkit.core.moments import HeadMoments, moments_of
from toolkit.core.rank import row_basis
from toolkit.core.state import State
from toolkit.errors import InputError, StoreError
from toolkit.store.errors import storing
from toolkit.store.layout import AXES, READOUT_AXES, chunk_rows, fixed_array, string_array
from toolkit.store.place import Place
from toolkit.store.reader import Store, open_store, unknown
from toolkit.store.writer import OK

BLOCK_BYTES = 64_000_000
"""Of contributions that are in memory at a time."""


@dataclass(frozen=True)
class Foreign:
    """heads [b, l, h, d], mlps [b, m, d] or None, rest [b, d] or None: arrays or memory maps. columns: ids, labels,
    groups. unit: whether all parts must sum to unit norm. tolerance: below this share of the largest, a singular value
    of a head is rounding. attrs: of the store.
    """

    heads: Any
    mlps: Any
    rest: Any
    columns: dict[str, list[str]]
    unit: bool
    tolerance: float
    attrs: dict[str, Any]

    @property
    def partial(self) -> bool:
        """Whether the embedding cannot be known from what was passed."""
        return self.mlps is None and self.rest is None

    def block(self, rows: slice) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
        """Heads, MLPs and rest of some rows; InputError where they are not finite."""
        b, _, _, d = self.heads.shape
        n = len(range(b)[rows])
        mlps = np.zeros((n, 0, d)) if self.mlps is None else self.mlps[rows]
        rest = np.zeros((n, d)) if self.rest is None else self.rest[rows]
        found: dict[str, NDArray[Any]] = {
            "heads": np.asarray(self.heads[rows], np.float64),
            "mlps": np.asarray(mlps, np.float32),
            "rest": np.asarray(rest, np.float32),
        }
        for what, values in found.items():
            if not np.isfinite(values).all():
                given = f"{what} that are not finite among images {rows.start}…{rows.start + n - 1}"
                raise InputError("from_arrays", given, "finite numbers", "clean the arrays first")
        return found["heads"], found["mlps"], found["rest"]


def write_foreign(given: Foreign, place: Path | None) -> Store:
    """A store of other code's parts, in memory or at a new place."""
    maps = head_maps(given.heads, given.tolerance)
    with _group(place) as group:
        _write(group, given, maps)
        made = None if place is not None else Store(group)
    return made or open_store(place, "from_arrays")  # type: ignore[arg-type]


def head_maps(heads: Any, tolerance: float) -> NDArray[np.float64]:
    """[l, h, r, d]: an orthonormal basis of every head's span; r the largest rank of all, smaller ones end in zeros."""
    b, layers, count, d = heads.shape
    step = max(1, BLOCK_BYTES // (8 * d))

    def blocks(layer: int, head: int) -> Callable[[], Iterator[NDArray[np.float64]]]:
        def read() -> Iterator[NDArray[np.float64]]:
            for start in range(0, b, step):
                block = np.asarray(heads[start : start + step, layer, head], np.float64)
                if not np.isfinite(block).all():
                    given = f"heads of layer {layer} that are not finite among images {start}…{start + len(block) - 1}"
                    raise InputError("from_arrays", given, "finite numbers", "clean the arrays first")
                yield block

        return read

    bases = [[row_basis(blocks(layer, head), tolerance) for head in range(count)] for layer in range(layers)]
    rank = max(1, max(len(basis) for row in bases for basis in row))
    maps = np.zeros((layers, count, rank, d))
    for layer, row in enumerate(bases):
        for head, basis in enumerate(row):
            maps[layer, head, : len(basis)] = basis
    return maps


def _write(group: zarr.Group, given: Foreign, maps: NDArray[np.float64]) -> None:
    b, layers, count, d = given.heads.shape
    terms = 0 if given.mlps is None else given.mlps.shape[1]
    shapes: dict[str, tuple[int, ...]] = {
        "mixes": (layers, count, maps.shape[2]), "mlps": (terms, d), "means": (terms,), "sigma": (), "mu": (),
        "output": (d,), "error": (),
    }  # fmt: skip
    chunk = min(chunk_rows(shapes, "float32"), b)
    if given.rest is not None:
        shapes["rest"] = (d,)
    arrays: dict[str, Any] = {
        name: group.create_array(
            name, shape=(b, *shape), chunks=(chunk, *(max(1, n) for n in shape)), dtype="float32", compressors=None,
            dimension_names=AXES.get(name, ("image", "d")[: 1 + len(shape)]),
        )
        for name, shape in shapes.items()
    }  # fmt: skip
    moments: HeadMoments | None = None
    step = max(1, min(chunk, BLOCK_BYTES // (8 * layers * count * d)))
    for start in range(0, b, chunk):  # a chunk is written once, however many blocks it is made of
        stop = min(start + chunk, b)
        blocks = [_block(given, slice(i, min(i + step, stop)), maps) for i in range(start, stop, step)]
        whole = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        for name, array in arrays.items():
            array[start:stop] = whole[name]
        kept = {name: torch.from_numpy(whole[name]) for name in AXES if name in whole}
        if given.partial:
            kept["output"] = unknown(stop - start, d)
        new = moments_of(State(**kept))
        moments = new if moments is None else moments.merge(new)
    assert moments is not None
    zeros = {"head_means": maps.shape[:3], "bias_map": (layers, d), "bias_means": (layers,), "mean_map": (d,),
             "constant": (d,)}  # fmt: skip
    for name in READOUT_AXES:
        fixed_array(
            group, f"readout/{name}", (maps if name == "head_map" else np.zeros(zeros[name])).astype(np.float32)
        )
    for name in ("mean", "scatter"):
        fixed_array(group, f"moments/{name}", getattr(moments, name).numpy())
    for name, column in (("image", "ids"), ("label", "labels"), ("group", "groups")):
        string_array(group, name, given.columns[column])
    string_array(group, "note", [""] * b)
    fixed_array(group, "status", np.full(b, OK, np.int8))
    terms_of = ["embedding", *(f"mlp {i}" for i in range(layers))] if terms == layers + 1 else None
    names = terms_of or [f"term {i}" for i in range(terms)]
    group.attrs.update(
        {**given.attrs, "terms": names, "chunk": chunk, "partial": given.partial, "facts": {"images used": b}}
    )
    group.attrs["card"] = {**given.attrs["card"], "head_dim": maps.shape[2]}
    group.attrs["complete"] = True


def _block(given: Foreign, rows: slice, maps: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    heads, mlps, rest = given.block(rows)
    n, d = rest.shape
    mixes = np.einsum("blhd,lhkd->blhk", heads, maps, optimize=True).astype(np.float32)
    others = mlps.sum(1, dtype=np.float64) + rest
    exact = heads.sum((1, 2)) + others
    kept = np.einsum("blhk,lhkd->bd", mixes.astype(np.float64), maps, optimize=True) + others
    norm = np.linalg.norm(exact, axis=1)
    if given.partial:
        kept, error = np.full((n, d), np.nan), np.full(n, np.nan)
    else:
        if given.unit and np.abs(norm - 1).max() > 0.02:
            words = f"parts that sum to norms of {norm.min():.3g} to {norm.max():.3g}"
            raise InputError("from_arrays", words, 'unit norm with scale="unit"', 'pass all parts, or scale="raw"')
        if not norm.all():
            raise InputError("from_arrays", "parts that sum to zero", "an embedding", "leave these images out")
        error = np.linalg.norm(kept - exact, axis=1) / norm
    one = np.ones(n, np.float32)
    return {
        "mixes": mixes,
        "mlps": np.array(mlps),  # a copy: a memory map may not be writable, which torch dislikes
        "means": np.zeros((n, mlps.shape[1]), np.float32),
        "sigma": one,
        "mu": 0 * one,
        "output": kept.astype(np.float32),
        "error": error.astype(np.float32),
        "rest": rest,
    }


@contextmanager
def _group(path: Path | None) -> Iterator[zarr.Group]:
    """Where to write; at a place it appears whole or not at all."""
    if path is None:
        yield zarr.create_group(store=MemoryStore())
        return
    if path.exists():
        fix = "name another place, or delete it first"
        raise StoreError("from_arrays", f"store={str(path)!r}, where something lies", "a new name", fix)
    place = Place(path, "from_arrays")
    with storing(path, "from_arrays"):
        place.acquire()
        try:
            if place.partial.exists():
                given = f"{place.partial.name!r}, left by another run, in the way"
                raise StoreError("from_arrays", given, "a free name", "resume or delete it, or name another store")
            try:
                yield zarr.create_group(store=str(place.partial), attributes={"digest": "arrays", "complete": False})
                place.move(overwrite=False)
            except BaseException:
                place.clear()
                raise
        finally:
            place.release()
