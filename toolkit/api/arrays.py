"""Parts made by other code as `Acts`: arrays in memory or on disk, and the files of the public decomposition code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import zarr
from numpy.typing import NDArray
from zarr.storage import MemoryStore

from toolkit.api.acts import Acts
from toolkit.core.moments import moments_of
from toolkit.core.parts import CONVENTIONS, Convention
from toolkit.core.rank import TOLERANCE, row_basis
from toolkit.core.state import State
from toolkit.errors import InputError
from toolkit.store.layout import AXES, READOUT_AXES
from toolkit.store.reader import Store
from toolkit.store.writer import OK

BLOCK_BYTES = 64_000_000
"""Of a layer's contributions that are in memory at a time."""


def from_arrays(
    heads: Any,
    mlps: Any = None,
    rest: Any = None,
    labels: Sequence[Any] | None = None,
    groups: Sequence[Any] | None = None,
    ids: Sequence[Any] | None = None,
    scale: Literal["unit", "raw"] = "unit",
    convention: Convention = "separate",
    name: str = "arrays",
    split: str = "test",
) -> Acts:
    """Head contributions made by other code, as `Acts`; everything after extraction runs on them as on our own.

    heads: [b, l, h, d] in the joint space, an array, tensor or memory map, which is read in blocks; every head is kept
    as coordinates in its own span (its numerical rank: singular values above 1e-6 of the largest for float32, 1e-12 for
    float64, 2e-3 for float16). mlps: [b, m, d], the other parts of the embedding. rest: [b, d], what neither holds
    (biases and the constant). scale: "unit" (default): the parts sum to the unit embedding; "raw": to the model's own.
    labels, groups, ids: one per image. convention: in which the parts were made; it cannot be changed afterwards.

    Without mlps and rest the sum is not known; whatever needs the embedding then says so. Raises InputError for shapes
    that do not fit, numbers that are not finite, and sums far from unit norm with scale="unit".

    >>> import numpy as np, toolkit as tk
    >>> rng = np.random.default_rng(0)
    >>> tk.from_arrays(rng.normal(size=(30, 2, 3, 8)) @ rng.normal(size=(8, 16)), labels=["a", "b"] * 15)
    Acts(30 images, split 'test', arrays, 2 layers × 3 heads × 8, convention='separate')
    """
    heads = _array("heads", heads, 4)
    b, layers, count, d = heads.shape
    parts = {
        "mlps": None if mlps is None else _array("mlps", mlps, 3),
        "rest": None if rest is None else _array("rest", rest, 2),
    }
    for what, values in parts.items():
        if values is not None and (len(values) != b or values.shape[-1] != d):
            given = f"{what} of shape {values.shape} beside heads {heads.shape}"
            raise InputError(
                "from_arrays", given, f"{b} images and d = {d}", "pass arrays of the same images and space"
            )
    for what, allowed, value in (("scale", ("unit", "raw"), scale), ("convention", CONVENTIONS, convention)):
        if value not in allowed:
            raise InputError("from_arrays", f"{what}={value!r}", " or ".join(map(repr, allowed)), "pass one of these")
    columns = {
        what: _column(what, values, b) for what, values in (("ids", ids), ("labels", labels), ("groups", groups))
    }
    mixes, maps = _compressed(heads)
    others = np.zeros((b, 0, d), np.float32) if parts["mlps"] is None else _finite("mlps", parts["mlps"])
    partial = parts["mlps"] is None and parts["rest"] is None
    left = np.zeros((b, d), np.float32) if parts["rest"] is None else _finite("rest", parts["rest"])
    output = np.einsum("blhk,lhkd->bd", mixes, maps, optimize=True) + others.sum(1) + left
    norm = np.linalg.norm(output, axis=1)
    if partial:  # the embedding is not known; a unit vector in its place leaves the heads as they are
        output = np.eye(1, d, dtype=np.float32).repeat(b, 0)
    elif scale == "unit" and np.abs(norm - 1).max() > 0.02:
        given = f"parts that sum to norms of {norm.min():.3g} to {norm.max():.3g}"
        raise InputError("from_arrays", given, 'unit norm with scale="unit"', 'pass all parts, or scale="raw"')
    zero = np.zeros(b, np.float32)
    arrays = {"mixes": mixes, "mlps": others, "means": zero[:, None].repeat(others.shape[1], 1),
              "sigma": zero + 1, "mu": zero, "output": output.astype(np.float32),
              "error": zero + (np.nan if partial else 0)}  # fmt: skip
    if parts["rest"] is not None:
        arrays["rest"] = left
    group = zarr.create_group(store=MemoryStore())
    _fill(group, arrays, maps, columns)
    card = {"id": name, "fingerprint": "", "layers": layers, "heads": count, "head_dim": mixes.shape[-1], "width": 0,
            "embed_dim": d, "grid": [0, 0], "image_size": [0, 0], "pool": "cls", "logit_scale": 100.0, "mean": [],
            "std": [], "precision": "float32", "device": "cpu"}  # fmt: skip
    facts = {"images used": b}
    attrs = {"digest": "", "card": card, "split": split, "chunk": max(1, b), "precision": "float32", "complete": True}
    group.attrs.update({**attrs, "normed": False, "convention": convention, "partial": partial, "facts": facts})
    return Acts(Store(group), None, convention)


def _fill(group: zarr.Group, arrays: dict[str, Any], maps: NDArray[Any], columns: dict[str, list[str]]) -> None:
    for key, values in arrays.items():
        group.create_array(key, data=values, chunks=tuple(max(1, n) for n in values.shape), compressors=None)
    layers, heads, k, d = maps.shape
    zeros = {"head_means": (layers, heads, k), "bias_map": (layers, d), "bias_means": (layers,), "mean_map": (d,),
             "constant": (d,)}  # fmt: skip
    for key in READOUT_AXES:
        values = maps if key == "head_map" else np.zeros(zeros[key], np.float32)
        group.create_array(
            f"readout/{key}", data=values, chunks=tuple(max(1, n) for n in values.shape), compressors=None
        )
    b = len(arrays["sigma"])
    for key, column in (
        ("image", columns["ids"]),
        ("label", columns["labels"]),
        ("group", columns["groups"]),
        ("note", [""] * b),
    ):
        group.create_array(key, shape=(b,), chunks=(b,), dtype="str")[:] = np.array(column, dtype=object)
    group.create_array("status", data=np.full(b, OK, np.int8), chunks=(b,))
    moments = moments_of(State(**{key: torch.from_numpy(np.array(arrays[key])) for key in AXES}))
    for key in ("mean", "scatter"):
        values = getattr(moments, key).numpy()
        group.create_array(f"moments/{key}", data=values, chunks=values.shape, compressors=None)


def _compressed(heads: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Coordinates [b, l, h, r] and maps [l, h, r, d]; r the largest rank of a head, smaller ones padded with zeros."""
    b, layers, count, d = heads.shape
    tolerance = TOLERANCE.get(str(heads.dtype), TOLERANCE["float32"])
    step = max(1, BLOCK_BYTES // (8 * count * d))
    bases: list[list[NDArray[np.float64]]] = []
    for layer in range(layers):

        def blocks(head: int, layer: int = layer) -> Callable[[], Iterator[NDArray[np.float64]]]:
            return lambda: (
                np.asarray(heads[start : start + step, layer, head], np.float64) for start in range(0, b, step)
            )

        for start in range(0, b, step):
            if not np.isfinite(heads[start : start + step, layer]).all():
                given = f"heads of layer {layer} that are not finite among images {start}…{min(start + step, b) - 1}"
                raise InputError("from_arrays", given, "finite numbers", "clean the arrays first")
        bases.append([row_basis(blocks(head), tolerance) for head in range(count)])
    rank = max(1, max(len(basis) for row in bases for basis in row))
    maps = np.zeros((layers, count, rank, d), np.float32)
    mixes = np.zeros((b, layers, count, rank), np.float32)
    for layer, row in enumerate(bases):
        for head, basis in enumerate(row):
            maps[layer, head, : len(basis)] = basis
            for start in range(0, b, step):
                block = np.asarray(heads[start : start + step, layer, head], np.float64)
                mixes[start : start + step, layer, head, : len(basis)] = block @ basis.T
    return mixes, maps


def _array(what: str, values: Any, ndim: int) -> Any:
    axes = {"heads": "[b, l, h, d]", "mlps": "[b, m, d]", "rest": "[b, d]"}[what]
    found = values.detach().cpu().float().numpy() if isinstance(values, torch.Tensor) else values
    found = found if isinstance(found, np.ndarray) else np.asarray(found)
    if found.ndim != ndim or found.dtype.kind != "f" or 0 in found.shape:
        given = f"{what} of shape {found.shape} and type {found.dtype}"
        raise InputError("from_arrays", given, f"floating-point numbers {axes}, none of them 0", "pass such an array")
    return found


def _finite(what: str, values: Any) -> NDArray[np.float32]:
    found = np.asarray(values, np.float32)
    if not np.isfinite(found).all():
        raise InputError("from_arrays", f"{what} that are not finite", "finite numbers", "clean the arrays first")
    return found


def _column(what: str, values: Sequence[Any] | None, b: int) -> list[str]:
    if values is None:
        return [str(i) for i in range(b)] if what == "ids" else [""] * b
    column = [str(v) for v in values]
    if len(column) != b or (what == "ids" and len(set(column)) != b):
        given = f"{len(column)} {what}, {len(set(column))} of them different"
        raise InputError(
            "from_arrays", given, f"{b}, one per image{', all different' * (what == 'ids')}", "pass such a list"
        )
    return column


def from_npy(
    folder: str | Path,
    dataset: str | None = None,
    model: str | None = None,
    labels: Sequence[Any] | None = None,
    **given: Any,
) -> Acts:
    """The .npy files that the public decomposition code writes (reference_decomposition A4): `DATASET_attn_MODEL.npy`
    [b, l, h, d] and `DATASET_mlp_MODEL.npy` [b, l + 1, d], unit scale, convention `reference`; read as memory maps.

    folder: where they lie. dataset, model: which pair, where there are several. labels, groups, ids: as in
    `from_arrays`; the files hold none. Raises InputError when there is no such pair.

    >>> import toolkit as tk
    >>> tk.from_npy("output_dir", "imagenet", "ViT-H-14")  # doctest: +SKIP
    Acts(50000 images, split 'test', ViT-H-14, 32 layers × 16 heads × 83, convention='reference')
    """
    place = Path(folder).expanduser()
    found = {}
    for path in sorted(place.glob("*_attn_*.npy")):
        match = re.fullmatch(r"(?P<data>.+?)_attn_(?P<model>.+)\.npy", path.name)
        assert match is not None
        pair = (match["data"], match["model"])
        if not pair[0].endswith("_cls") and dataset in (None, pair[0]) and model in (None, pair[1]):
            found[pair] = path
    if len(found) != 1:
        names = ", ".join(f"{d} / {m}" for d, m in found) or "none"
        given_ = f"{str(folder)!r} with dataset={dataset!r}, model={model!r}: {names}"
        raise InputError("from_npy", given_, "one DATASET_attn_MODEL.npy", "name dataset= and model=")
    (data, name), path = next(iter(found.items()))
    other = place / f"{data}_mlp_{name}.npy"
    if not other.exists():
        raise InputError("from_npy", f"{path.name} without {other.name}", "both files", "copy the other one too")
    heads, mlps = (np.load(p, mmap_mode="r", allow_pickle=False) for p in (path, other))
    return from_arrays(heads, mlps, labels=labels, convention="reference", name=name, **given)
