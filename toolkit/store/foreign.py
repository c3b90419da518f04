"""Head contributions of other code written as a store, block by block, so that nothing need fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.rank import row_basis
from toolkit.errors import InputError, StoreError
from toolkit.store import layout
from toolkit.store.layout import Header, Precision
from toolkit.store.reader import Store, open_store
from toolkit.store.words import Words
from toolkit.store.writer import Arrays, Writer

BLOCK_BYTES = 64_000_000
"""Of contributions that are in memory at a time."""

LARGEST = 1e100
"""Above this the squares of numbers soon have no finite sum."""


@dataclass(frozen=True)
class Foreign:
    """heads [b, l, h, d], mlps [b, m, d] or None, rest [b, d] or None: arrays or memory maps. columns: ids, labels,
    groups. unit: whether all parts must sum to unit norm. tolerance: below this share of the largest, a singular value
    of a head is rounding. card, split, convention: of the store.
    """

    heads: Any
    mlps: Any
    rest: Any
    columns: tuple[list[str], list[str], list[str]]
    unit: bool
    tolerance: float
    card: dict[str, Any]
    split: str
    convention: str

    @property
    def partial(self) -> bool:
        """Whether the embedding cannot be known from what was passed."""
        return self.mlps is None and self.rest is None

    @property
    def kind(self) -> Precision:
        """The type everything is kept in."""
        return "float64" if self.heads.dtype == np.float64 else "float32"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """What is kept of an image beside its heads."""
        d, terms = self.heads.shape[3], 0 if self.mlps is None else self.mlps.shape[1]
        own: dict[str, tuple[int, ...]] = {"mlps": (terms, d), "means": (terms,), "sigma": (), "mu": (), "output": (d,)}
        return own | {"error": ()} | ({} if self.rest is None else {"rest": (d,)})

    def header(self, maps: NDArray[np.float64]) -> Header:
        """Of the store. maps [l, h, r, d]: a basis of every head (`head_maps`)."""
        layers, terms = self.heads.shape[1], self.shapes["mlps"][0]
        names = ["embedding", *(f"mlp {i}" for i in range(layers))]
        names = names if terms == len(names) else [f"term {i}" for i in range(terms)]
        shapes = {"mixes": maps.shape[:3], **self.shapes}
        more = {"terms": names, "partial": self.partial, "convention": self.convention}
        rows = min(layout.shard_rows(shapes, self.kind), len(self.heads))
        card = {**self.card, "head_dim": maps.shape[2]}
        return Header({}, card, self.split, rows, self.kind, shapes, more)

    def readout(self, maps: NDArray[np.float64]) -> Arrays:
        """Of the store: the bases, and nothing else that would be added."""
        layers, d = maps.shape[0], maps.shape[3]
        zeros = {"head_means": maps.shape[:3], "bias_map": (layers, d), "bias_means": (layers,), "mean_map": (d,),
                 "constant": (d,)}  # fmt: skip
        own = {name: np.zeros(shape, self.kind) for name, shape in zeros.items()}
        return {"head_map": maps.astype(self.kind), **own}

    def shard(self, rows: range, maps: NDArray[np.float64]) -> Arrays:
        """The arrays of a shard, made block by block."""
        step = max(1, BLOCK_BYTES // (8 * int(np.prod(self.heads.shape[1:]))))
        starts = range(rows.start, rows.stop, step)
        blocks = [_block(self, slice(i, min(i + step, rows.stop)), maps) for i in starts]
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}

    def block(self, rows: slice) -> tuple[NDArray[np.float64], NDArray[Any], NDArray[Any]]:
        """Heads, MLPs and rest of some rows; InputError where they are not finite."""
        b, _, _, d = self.heads.shape
        n = len(range(b)[rows])
        mlps = np.zeros((n, 0, d)) if self.mlps is None else self.mlps[rows]
        rest = np.zeros((n, d)) if self.rest is None else self.rest[rows]
        found: dict[str, NDArray[Any]] = {
            "heads": np.asarray(self.heads[rows], np.float64),
            "mlps": np.asarray(mlps, self.kind),
            "rest": np.asarray(rest, self.kind),
        }
        for what, values in found.items():
            _check(values, what, range(rows.start, rows.start + n))
        return found["heads"], found["mlps"], found["rest"]


def write_foreign(given: Foreign, place: Path | None) -> Store:
    """A store of other code's parts, in memory or at a new place, where it appears whole or not at all."""
    if place is not None and place.exists():
        fix = "name another place, or delete it first"
        raise StoreError("from_arrays", f"store={str(place)!r}, where something lies", "a new name", fix)
    maps = head_maps(given.heads, given.tolerance)
    words, readout = Words.made(*given.columns), given.readout(maps)
    with Writer(place, given.header(maps), words, readout, normed=False, resume=False, operation="from_arrays") as run:
        try:
            while run.written < run.shards:
                run.write(given.shard(run.rows(run.written), maps), {})
            run.finish({})
        except BaseException:
            run.discard()
            raise
    return Store(run.group, run.words) if place is None else open_store(place, "from_arrays")


def _check(values: NDArray[Any], what: str, rows: range) -> None:
    """Raises InputError for numbers that are not finite, or too large for the sum of their squares to be."""
    if not np.isfinite(values).all():
        given = f"{what} that are not finite among images {rows.start}…{rows.stop - 1}"
        raise InputError("from_arrays", given, "finite numbers", "clean the arrays first")
    if values.size and (largest := float(np.abs(values).max())) > LARGEST:
        given = f"{what} as large as {largest:.3g} among images {rows.start}…{rows.stop - 1}"
        raise InputError("from_arrays", given, f"numbers of {LARGEST:.0g} at most", "divide all parts by one number")


def head_maps(heads: Any, tolerance: float) -> NDArray[np.float64]:
    """[l, h, r, d]: an orthonormal basis of every head's span; r the largest rank of all, smaller ones end in zeros."""
    b, layers, count, d = heads.shape
    step = max(1, BLOCK_BYTES // (8 * d))

    def blocks(layer: int, head: int) -> Callable[[], Iterator[NDArray[np.float64]]]:
        def read() -> Iterator[NDArray[np.float64]]:
            for start in range(0, b, step):
                block = np.asarray(heads[start : start + step, layer, head], np.float64)
                _check(block, f"heads of layer {layer}", range(start, start + len(block)))
                yield block

        return read

    bases = [[row_basis(blocks(layer, head), tolerance) for head in range(count)] for layer in range(layers)]
    rank = max(1, max(len(basis) for row in bases for basis in row))
    maps = np.zeros((layers, count, rank, d))
    for layer, row in enumerate(bases):
        for head, basis in enumerate(row):
            maps[layer, head, : len(basis)] = basis
    return maps


def _block(given: Foreign, rows: slice, maps: NDArray[np.float64]) -> Arrays:
    heads, mlps, rest = given.block(rows)
    n, d = rest.shape
    mixes = np.einsum("blhd,lhkd->blhk", heads, maps, optimize=True).astype(given.kind)
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
    one = np.ones(n)
    found = {
        "mixes": mixes, "mlps": mlps, "means": np.zeros((n, mlps.shape[1])), "sigma": one, "mu": 0 * one,
        "output": kept, "error": error, **({} if given.rest is None else {"rest": rest}),
    }  # fmt: skip
    return {name: np.array(values, given.kind) for name, values in found.items()}  # copies: a map may be read-only
