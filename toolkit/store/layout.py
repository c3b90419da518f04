"""What a store holds: arrays, their axes, how they are cut into files, and the key that says of which model and data.

Format 2: a file, here a shard, holds so many images of an array; inside it a chunk holds one layer (or MLP) of them, so
that a layer is read without the others. Format 1 had no chunks inside its files.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

import numpy as np
from PIL import Image
from zarr.codecs import Crc32cCodec

from toolkit.core.readout import Readout
from toolkit.core.state import State
from toolkit.data.samples import Samples
from toolkit.models.card import ModelCard
from toolkit.models.model import Model
from toolkit.store.keep import Keep

FORMAT = 2
Precision = Literal["float32", "float16", "float64"]
"""Of what is stored: REDUCED arrays may be halved; float64 is for other code's arrays that came in it, as a whole."""
AXES: dict[str, tuple[str, ...]] = {
    "mixes": ("image", "layer", "head", "k"), "mlps": ("image", "term", "d"), "means": ("image", "term"),
    "sigma": ("image",), "mu": ("image",), "output": ("image", "d"), "biases": ("image", "layer", "d"),
}  # fmt: skip
"""The arrays of a State and their axes; `biases` only where they are not the same for all images."""
READOUT_AXES: dict[str, tuple[str, ...]] = {
    "head_map": ("layer", "head", "k", "d"), "head_means": ("layer", "head", "k"), "bias_map": ("layer", "d"),
    "bias_means": ("layer",), "mean_map": ("d",), "constant": ("d",),
}  # fmt: skip
IMAGE_AXES = AXES | {"error": ("image",), "rest": ("image", "d"), "pooled": ("image", "w")}
"""Also: relative error of the sum of the parts as stored, what other code's arrays left over beside heads and MLPs, and
what the model multiplies by its projection, where that was asked for.
"""
REDUCED = ("mixes", "mlps", "biases")
"""The large arrays, which `precision="float16"` halves."""
LAYERED = ("mixes", "mlps", "biases")
"""Arrays whose files hold a chunk a layer (or MLP)."""
SHARD_BYTES = 24_000_000
ABOUT = "about"
"""The group in a store whose folder holds what is no array: words, the list of files, marks of a run. A file of any
other name beside the arrays would have zarr warn whoever lists them.
"""


@dataclass(frozen=True)
class Header:
    """Everything about a store but its numbers.

    key: what must agree for a store to be taken up again. card: of the model. chunk: images a shard. shapes: what is
    kept of an image, array by array. more: attributes that only some stores have.
    """

    key: dict[str, str]
    card: dict[str, Any]
    split: str
    chunk: int
    precision: Precision
    shapes: dict[str, tuple[int, ...]]
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The key as 16 hex digits; of other code's arrays, whose origin nobody knows, a word."""
        if not self.key:
            return "arrays"
        return hashlib.sha256(json.dumps(self.key, sort_keys=True).encode()).hexdigest()[:16]

    def attrs(self) -> dict[str, Any]:
        """As attributes of the store."""
        own = {k: v for k, v in asdict(self).items() if k not in ("shapes", "more") and (k != "key" or self.key)}
        return {"format": FORMAT, "digest": self.digest, **own, **self.more}


def shapes_of(card: ModelCard, keep: Keep, pooled: int) -> dict[str, tuple[int, ...]]:
    """What is kept of one image, array by array. pooled: numbers the model's projection reads."""
    found: dict[str, tuple[int, ...]] = {"mixes": (len(keep.layers), card.heads, card.head_dim)}
    if keep.mlps:
        found |= {"mlps": (card.terms, card.embed_dim), "means": (card.terms,)}
    found |= {"sigma": (), "mu": (), "output": (card.embed_dim,)}
    if keep.whole and not card.fixed_biases:
        found["biases"] = (card.layers, card.embed_dim)
    if keep.pooled:
        found["pooled"] = (pooled,)
    return found | {"error": ()}


def array_bytes(shapes: dict[str, tuple[int, ...]], precision: Precision) -> dict[str, int]:
    """What every array takes of one image on disk."""
    return {n: int(np.prod(s)) * np.dtype(dtype_of(n, precision)).itemsize for n, s in shapes.items()}


def image_bytes(shapes: dict[str, tuple[int, ...]], precision: Precision) -> int:
    """What the arrays of one image take on disk."""
    return sum(array_bytes(shapes, precision).values())


def readout_bytes(card: ModelCard) -> int:
    """What the readout takes, once a store."""
    layers, mixes, d = card.layers, card.layers * card.heads * card.head_dim, card.embed_dim
    return 4 * (mixes * d + mixes + layers * d + layers + 2 * d)


def header_of(model: Model, data: Samples, precision: Precision, keep: Keep) -> Header:
    """The header of what extracting `data` with `model` gives."""
    card, shapes = model.card, shapes_of(model.card, keep, model.tower.pooled)
    key = {
        "model": card.fingerprint, "weights as": card.precision, "preprocess": described(model.preprocess),
        "data": data_digest(data), "files": hashlib.sha256(data.stamp().encode()).hexdigest()[:16],
        "images": str(len(data)), "split": data.split, "precision": precision, **keep.key,
    }  # fmt: skip
    rows = min(shard_rows(shapes, precision), len(data))  # zarr pads a chunk to its full size
    return Header(key, _plain(card), data.split, rows, precision, shapes, keep.attrs)


def _plain(card: ModelCard) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in card.to_dict().items()}


def card_from(attrs: dict[str, Any]) -> ModelCard:
    """The card of the model a store was made with."""
    known = {f.name for f in fields(ModelCard)}
    values: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in attrs["card"].items() if k in known}
    return ModelCard(**values)


def described(preprocess: Any) -> str:
    """A preprocess in words that do not change from one process to the next. What words do not tell apart (a function,
    an object without a repr) is told apart by what it makes of a fixed picture.
    """
    words = " ".join(str(preprocess).split())
    plain = re.sub(r" at 0x[0-9a-f]+", "", words)
    if plain == words and "<" not in words:
        return words
    ramp = np.add.outer(np.arange(61), np.arange(97))[..., None] * np.array([1, 2, 3]) % 256
    try:
        made = np.ascontiguousarray(preprocess(Image.fromarray(ramp.astype(np.uint8))), dtype="<f4")
    except Exception as error:  # noqa: BLE001 – its own fault comes out when it meets the images
        return f"{plain} ({type(error).__name__})"
    return f"{plain} {hashlib.sha256(made.tobytes()).hexdigest()[:16]}"


def data_digest(data: Samples) -> str:
    """Ids, labels and groups: 16 hex digits."""
    found = hashlib.sha256()
    for column in (data.ids, data.labels, data.groups):
        found.update("\0".join(map(str, column)).encode() + b"\1")
    return found.hexdigest()[:16]


def shard_rows(shapes: dict[str, tuple[int, ...]], precision: Precision) -> int:
    """Images a shard: a power of two between 256 and 1,024 whose mixes take about SHARD_BYTES."""
    size = int(np.prod(shapes["mixes"])) * np.dtype(precision).itemsize
    return 2 ** int(np.clip(np.log2(SHARD_BYTES / size), 8, 10))


def image_array(group: Any, name: str, images: int, rows: int, shape: tuple[int, ...], dtype: str) -> None:
    """An empty array of something of every image. rows: images a shard. shape: of one image's."""
    whole = (rows, *(max(1, n) for n in shape))
    cut = (
        {"chunks": (rows, 1, *whole[2:]), "shards": whole} if name in LAYERED and 0 not in shape else {"chunks": whole}
    )
    group.create_array(
        name, shape=(images, *shape), dtype=dtype, compressors=[Crc32cCodec()], fill_value=np.nan,
        dimension_names=IMAGE_AXES.get(name, ("image", "d")[: 1 + len(shape)]), **cut,
    )  # fmt: skip


def shard_file(name: str, shard: int, axes: int) -> str:
    """The file that holds a shard of an array with so many axes, by its name in the store."""
    return "/".join([name, "c", str(shard), *["0"] * (axes - 1)])


def shard_files(shapes: dict[str, tuple[int, ...]], shard: int) -> list[str]:
    """The files of a shard, by their names in the store. shapes: of one image, array by array."""
    return [shard_file(name, shard, 1 + len(shape)) for name, shape in shapes.items()]


def dtype_of(name: str, precision: Precision) -> str:
    """The type an array is stored in."""
    return precision if name in REDUCED or precision == "float64" else "float32"


def rounded(state: State, precision: Precision) -> State:
    """A state in float32, its large arrays as exact as they will be stored."""
    found = {f.name: getattr(state, f.name) for f in fields(state)}
    values: dict[str, Any] = {name: None if t is None else t.float() for name, t in found.items()}
    if precision == "float16":
        values |= {name: values[name].half().float() for name in REDUCED if values[name] is not None}
    return State(**values)


def state_arrays(state: State, precision: Precision, keep: Keep, shapes: Container[str]) -> dict[str, np.ndarray]:
    """What is kept of a state as it is stored. shapes: the names of the arrays."""
    found = {f.name: getattr(state, f.name) for f in fields(state) if f.name in shapes}
    if not keep.all_layers:
        found["mixes"] = found["mixes"][:, list(keep.layers)]
    return {name: t.cpu().numpy().astype(dtype_of(name, precision)) for name, t in found.items()}


def readout_arrays(readout: Readout) -> dict[str, np.ndarray]:
    """A readout as it is stored: float32."""
    return {name: getattr(readout, name).detach().cpu().float().numpy() for name in READOUT_AXES}


def fixed_array(group: Any, name: str, values: np.ndarray) -> None:
    """An array that is written once, one chunk."""
    axes = READOUT_AXES.get(name.removeprefix("readout/"))
    chunks = tuple(max(1, n) for n in values.shape)
    group.create_array(name, data=values, chunks=chunks, compressors=None, dimension_names=axes, overwrite=True)
