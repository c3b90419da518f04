"""Parts made by other code as `Acts`: arrays in memory or on disk, and the files of the public decomposition code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from toolkit.api.images.acts import Acts
from toolkit.core.parts import CONVENTIONS, Convention
from toolkit.core.rank import TOLERANCE
from toolkit.data.characters import sendable
from toolkit.data.spelling import nfc
from toolkit.errors import InputError
from toolkit.store.errors import local
from toolkit.store.foreign import Foreign, write_foreign


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
    store: str | Path | None = None,
) -> Acts:
    """Head contributions made by other code, as `Acts`; everything after extraction runs on them as on our own.

    Every head is kept as coordinates in its own span: its numerical rank, singular values above 1e-6 of the largest for
    float32, 1e-12 for float64, 2e-3 for float16, 2e-2 for bfloat16. What comes as float64 is kept as float64. Without
    mlps and rest the sum is not known; whatever needs the embedding then says so.

    Arguments:
        heads: [b, l, h, d] in the joint space, an array, tensor or memory map, which is read in blocks.
        mlps: [b, m, d], the other parts of the embedding; default none.
        rest: [b, d], what neither holds (biases and the constant); default none.
        labels: the true class of every image [b]; default "" for all.
        groups: the group of every image [b]; default "" for all.
        ids: a different name for every image [b]; default "0", "1", ….
        scale: "unit" where the parts sum to the unit embedding, "raw" where to the model's own; default "unit".
        convention: in which the parts were made, "separate" or "reference"; it cannot be changed afterwards; default
            "separate".
        name: of the model, as results show it; default "arrays".
        split: which split the images are of; default "test".
        store: a new place on disk for what does not fit in memory; default in memory.

    Raises:
        InputError: for shapes that do not fit, numbers that are not finite, and sums far from unit norm with
            scale="unit".

    >>> import numpy as np, toolkit as tk
    >>> rng = np.random.default_rng(0)
    >>> tk.from_arrays(rng.normal(size=(30, 2, 3, 8)) @ rng.normal(size=(8, 16)), labels=["a", "b"] * 15)
    Acts(30 images, split 'test', arrays, 2 layers × 3 heads × 8, convention='separate')
    """
    made_as = str(getattr(heads, "dtype", "")).removeprefix("torch.")
    heads = _array("heads", heads, 4)
    tolerance = TOLERANCE.get(made_as, TOLERANCE.get(str(heads.dtype), TOLERANCE["float32"]))
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
    card = {"id": name, "fingerprint": "", "layers": layers, "heads": count, "head_dim": 0, "width": 0, "embed_dim": d,
            "grid": [0, 0], "image_size": [0, 0], "pool": "cls", "logit_scale": 100.0, "mean": [], "std": [],
            "precision": "float32", "device": "cpu"}  # fmt: skip
    listed = (columns["ids"], columns["labels"], columns["groups"])
    foreign = Foreign(heads, parts["mlps"], parts["rest"], listed, scale == "unit", tolerance, card, split, convention)
    place = None if store is None else local(store, "from_arrays")
    return Acts(write_foreign(foreign, place), None, convention)


def _mapped(path: Path) -> Any:
    """The array of a .npy file, as a memory map. Raises InputError for one that is cut, empty, or holds objects."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        raise ValueError("it is an archive of several arrays (.npz)")
    except Exception as error:  # damaged headers and archives make numpy raise anything
        size = f" of {path.stat().st_size:,} bytes" if path.exists() else ""
        given = f"{path.name}{size}, which cannot be read ({error})"
        fix = "copy it again; files of objects cannot be read, as they may run code"
        raise InputError("from_npy", given, "a whole .npy file of numbers", fix) from error


def _array(what: str, values: Any, ndim: int) -> Any:
    axes = {"heads": "[b, l, h, d]", "mlps": "[b, m, d]", "rest": "[b, d]"}[what]
    if isinstance(values, torch.Tensor):
        values = _plain(what, values)
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        given = f"{what} of shape {values.shape}, {int(values.mask.sum())} numbers of which are masked"
        raise InputError("from_arrays", given, f"numbers {axes}", "leave these images out, or fill what is masked")
    try:
        array = values if isinstance(values, np.ndarray) else np.asarray(values)
    except (TypeError, ValueError) as error:  # rows of different lengths
        fix = "give all images as many heads and dimensions"
        raise InputError("from_arrays", f"{what}, which are no array ({error})", f"one array {axes}", fix) from error
    if array.ndim != ndim or array.dtype.kind != "f" or 0 in array.shape:
        given = f"{what} of shape {array.shape} and type {array.dtype}"
        raise InputError("from_arrays", given, f"floating-point numbers {axes}, none of them 0", "pass such an array")
    if array.dtype.itemsize > 8:  # long doubles
        return array.astype(np.float64)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _plain(what: str, tensor: torch.Tensor) -> Any:
    """A tensor of any layout as an array; bfloat16 as float32. Raises InputError for one without numbers in it."""
    if tensor.is_meta:
        given = f"{what} on the meta device, which hold no numbers"
        raise InputError("from_arrays", given, "numbers", "compute them on a device")
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    own = tensor.detach().cpu().resolve_conj().resolve_neg()
    return (own.float() if own.dtype == torch.bfloat16 or own.element_size() == 1 else own).numpy()


def _column(what: str, values: Any, b: int) -> list[str]:
    if values is None:
        return [str(i) for i in range(b)] if what == "ids" else [""] * b
    values = values.tolist() if isinstance(values, torch.Tensor | np.ndarray) else list(values)
    if any(isinstance(value, list | tuple | np.ndarray | torch.Tensor) and np.ndim(value) for value in values):
        fix = "pass one name or number for every image: one_hot.argmax(1) for a table"
        raise InputError("from_arrays", f"{what} of several values an image", f"{b}, one per image", fix)
    column = [sendable(_word(v) if what == "ids" else nfc(_word(v))) for v in values]
    if len(column) != b or (what == "ids" and len(set(column)) != b):
        given = f"{len(column)} {what}, {len(set(column))} of them different"
        raise InputError(
            "from_arrays", given, f"{b}, one per image{', all different' * (what == 'ids')}", "pass such a list"
        )
    return column


def _word(value: Any) -> str:
    """A label as a text; a whole number that another cell of its column made a float is one again."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)


def from_npy(
    folder: str | Path,
    dataset: str | None = None,
    model: str | None = None,
    labels: Sequence[Any] | None = None,
    **given: Any,
) -> Acts:
    """The .npy files that the public decomposition code writes, as `Acts` (reference_decomposition A4).

    They are `DATASET_attn_MODEL.npy` [b, l, h, d] and `DATASET_mlp_MODEL.npy` [b, l + 1, d], in unit scale and
    convention `reference`; read as memory maps. They hold no labels, groups or ids.

    Arguments:
        folder: where they lie.
        dataset: which pair, by the first word of its name, where there are several; default the only one.
        model: which pair, by the last word of its name, where there are several; default the only one.
        labels: the true class of every image [b]; default "" for all.
        groups: as in `from_arrays`; so are ids, rest, scale, split and store.

    Raises:
        InputError: where there is no such pair.

    >>> import toolkit as tk
    >>> tk.from_npy("output_dir", "imagenet", "ViT-H-14")  # doctest: +SKIP
    Acts(50000 images, split 'test', ViT-H-14, 32 layers × 16 heads × 83, convention='reference')
    """
    place = Path(folder).expanduser()
    pairs = {}
    for path in sorted(place.glob("*_attn_*.npy")):
        match = re.fullmatch(r"(?P<data>.+?)_attn_(?P<model>.+)\.npy", path.name)
        assert match is not None
        pair = (match["data"], match["model"])
        if not pair[0].endswith("_cls") and dataset in (None, pair[0]) and model in (None, pair[1]):
            pairs[pair] = path
    if len(pairs) != 1:
        names = ", ".join(f"{d} / {m}" for d, m in pairs) or "none"
        given_ = f"{str(folder)!r} with dataset={dataset!r}, model={model!r}: {names}"
        raise InputError("from_npy", given_, "one DATASET_attn_MODEL.npy", "name dataset= and model=")
    (data, name), path = next(iter(pairs.items()))
    other = place / f"{data}_mlp_{name}.npy"
    if not other.exists():
        raise InputError("from_npy", f"{path.name} without {other.name}", "both files", "copy the other one too")
    heads, mlps = (_mapped(p) for p in (path, other))
    return from_arrays(heads, mlps, labels=labels, convention="reference", name=name, **given)
