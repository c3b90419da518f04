"""OpenAI's released files: TorchScript archives read without running them, and the architecture their shapes tell."""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

State = dict[str, Tensor]
FACTS = frozenset({"input_resolution", "context_length", "vocab_size"})
"""Numbers, not weights, that OpenAI's files hold beside the weights."""
_TYPES = {
    "Float": torch.float32, "Half": torch.float16, "BFloat16": torch.bfloat16, "Double": torch.float64,
    "Long": torch.int64, "Int": torch.int32, "Short": torch.int16, "Char": torch.int8, "Byte": torch.uint8,
    "Bool": torch.bool, "ComplexFloat": torch.complex64, "ComplexDouble": torch.complex128,
}  # fmt: skip
_MOST_MODULES = 100_000  # a file can repeat one module without end; no model has as many


_NO_DIFFERENCE = {
    "hf_tokenizer_name", "tokenizer_mode", "tokenizer_kwargs", "patch_dropout", "timm_model_pretrained", "timm_drop",
    "timm_drop_path", "hf_model_pretrained", "output_dict", "init_logit_scale",
}  # fmt: skip
"""Settings that change no embedding of a loaded model."""


class RefusedError(pickle.UnpicklingError):
    """A name in an archive that reading weights does not need; nothing was run."""


def records(path: Path) -> list[str] | None:
    """The table of contents of a zip archive; None for any other file, and for a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, OverflowError, struct.error):
        return None


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive (told by its table of contents alone)."""
    return any(name.endswith("/constants.pkl") for name in records(path) or [])


def read_torchscript(path: Path) -> State:
    """The parameters and buffers of a TorchScript archive under the names of its `state_dict`. No code of the archive
    is run or compiled: its pickle may name tensors, lists and its own classes, which become inert, and nothing else.

    Raises RefusedError for any other name and all kinds of errors for a damaged archive.
    """
    with zipfile.ZipFile(path) as archive:
        source = _Records(archive)
        module = _Reader(archive, source.prefix).load()
        if not isinstance(module, _Module):
            raise pickle.UnpicklingError("no module at the top")
        return _tensors(module, source)


def activation_of(path: Path) -> bool | None:
    """Whether a TorchScript archive's own classes use QuickGELU; None where they name no activation."""
    with zipfile.ZipFile(path) as archive:
        program = archive.read(_Records(archive).prefix + "data.pkl")
    named = {str(a).rpartition(" ")[2] for code, a, _ in pickletools.genops(program) if code.name == "GLOBAL"}
    return True if "QuickGELU" in named else False if "GELU" in named else None


MOST_PROGRAM = 64_000_000
"""Bytes of a data.pkl: OpenAI's largest has a fiftieth."""
MOST_REPEATED = 1_000_000
"""Numbers that a tensor may repeat: a few bytes that stand for gigabytes are no weights."""


class _Records:
    """The records of an archive, and the storages built from them, each once."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.names = set(archive.namelist())
        self.prefix = next(n for n in archive.namelist() if n.count("/") == 1 and n.endswith("/data.pkl"))[:-8]
        self._storages: dict[str, Tensor] = {}
        order = self.prefix + "byteorder"
        if order in self.names and archive.read(order).decode() != sys.byteorder:
            raise RefusedError("a byte order that is not this machine's")

    def tensor(self, piece: _Piece) -> Tensor:
        """The tensor that a piece of the pickle describes; torch refuses what would reach past its storage's end."""
        kept, key = piece.storage, piece.storage.key
        if key not in self._storages:
            places = (f"{self.prefix}{folder}/{key}" for folder in ("data", "constants"))
            record = self.archive.getinfo(next(place for place in places if place in self.names))
            if record.compress_type != zipfile.ZIP_STORED:
                raise RefusedError("compressed tensors")
            if record.file_size < kept.count * kept.dtype.itemsize:
                raise pickle.UnpicklingError(f"storage {key} of {record.file_size} bytes")
            empty = torch.empty(0, dtype=kept.dtype)
            content = bytearray(self.archive.read(record))
            self._storages[key] = torch.frombuffer(content, dtype=kept.dtype, count=kept.count) if kept.count else empty
        found = self._storages[key]
        if (found.dtype, len(found)) != (kept.dtype, kept.count):
            raise pickle.UnpicklingError(f"storage {key} of two kinds")
        if isinstance(piece.size, tuple) and math.prod(piece.size) > max(MOST_REPEATED, kept.count):
            raise RefusedError("a large tensor of more numbers than it stores")
        return found.as_strided(piece.size, piece.stride, piece.offset)

    def declared(self, module: str, name: str) -> set[str] | None:
        """The parameters and buffers that a class's source declares (read as text); None where it declares none."""
        record = f"{self.prefix}code/{module.replace('.', '/')}.py"
        if record not in self.names:
            return None
        source = self.archive.read(record).decode()
        body = re.search(rf"^class {re.escape(name)}\(.*\):\n((?:[ \t]+.*\n?|\n)*)", source, re.MULTILINE)
        lists = re.findall(r"^  __(?:parameters|buffers)__ = \[(.*)\]", body[1], re.MULTILINE) if body else []
        return set(re.findall(r'"([^"]*)"', " ".join(lists))) if lists else None


class _Fixed:
    """Something the pickle is given; unlike a function or a tensor it cannot be altered by the pickle."""

    def __setstate__(self, state: Any) -> None:
        raise RefusedError("a pickle that alters what it was given")


@dataclass(frozen=True)
class _Call(_Fixed):
    """A function the pickle may call."""

    run: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        return self.run(*arguments)


@dataclass(frozen=True)
class _Storage(_Fixed):
    dtype: torch.dtype
    key: str
    count: int


@dataclass(frozen=True)
class _Piece(_Fixed):
    """A tensor, before anything of it is read."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Module:
    """What stands for an object of one of the archive's classes: its attributes and no behaviour."""

    origin: ClassVar[tuple[str, str]] = ("", "")
    attributes: dict[str, Any]

    def __new__(cls, *_: Any) -> _Module:
        made = object.__new__(cls)
        made.attributes = {}
        return made

    def __setstate__(self, state: Any) -> None:
        self.attributes = state if isinstance(state, dict) else {}


class _Reader(pickle.Unpickler):
    """Unpickles data.pkl with nothing but tensors, lists and inert objects."""

    def __init__(self, archive: zipfile.ZipFile, prefix: str) -> None:
        record = archive.getinfo(prefix + "data.pkl")
        if record.compress_type != zipfile.ZIP_STORED or record.file_size > MOST_PROGRAM:
            raise RefusedError("a compressed or oversized data.pkl")
        program = archive.read(record)
        if any("PUT" in code.name and int(a or 0) > len(program) for code, a, _ in pickletools.genops(program)):
            raise RefusedError("a pickle that remembers more than it holds")
        super().__init__(io.BytesIO(program))
        self.classes: dict[tuple[str, str], type[_Module]] = {}
        first = _Call(lambda value, *_: value)
        self.known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): _Call(OrderedDict),
            ("torch._utils", "_rebuild_tensor"): _Call(_piece),
            ("torch._utils", "_rebuild_tensor_v2"): _Call(_piece),
            ("torch._utils", "_rebuild_parameter"): first,
            ("torch", "device"): first,
        }
        builders = ("intlist", "tensorlist", "doublelist", "boollist", "tensor_from_id")
        self.known |= {("torch.jit._pickle", f"build_{name}"): first for name in builders}
        self.known["torch.jit._pickle", "restore_type_tag"] = first

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            made = type("_Inert", (_Module,), {"origin": (module, name)})
            return self.classes.setdefault((module, name), made)
        if module == "torch" and name.removesuffix("Storage") in _TYPES:
            return _TYPES[name.removesuffix("Storage")]
        if (module, name) not in self.known:
            raise RefusedError(f"{module}.{name}")
        return self.known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or type(count) is not int or count < 0:
            raise pickle.UnpicklingError("no storage")
        return _Storage(dtype, str(key), count)


def _piece(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Piece:
    if not isinstance(storage, _Storage) or not all(type(n) is int and n >= 0 for n in (offset, *size, *stride)):
        raise pickle.UnpicklingError("no tensor")
    return _Piece(storage, offset, tuple(size), tuple(stride))


def _tensors(module: _Module, source: _Records) -> State:
    """The tensors of a module and of the modules under it, by dotted name."""
    found: State = {}
    waiting, visits = [("", module)], 0
    declared: dict[tuple[str, str], set[str] | None] = {}
    while waiting:
        prefix, at = waiting.pop()
        visits += 1
        if visits > _MOST_MODULES:
            raise pickle.UnpicklingError("modules without end")
        if at.origin not in declared:
            declared[at.origin] = source.declared(*at.origin)
        own = declared[at.origin]
        for name, value in at.attributes.items():
            if isinstance(value, _Piece) and (own is None or name in own):
                found[f"{prefix}{name}"] = source.tensor(value)
            elif isinstance(value, _Module):
                waiting.append((f"{prefix}{name}.", value))
    return found


def architecture(state: State) -> dict[str, Any] | None:
    """open_clip's constructor arguments as the shapes of a CLIP state dict tell them, under OpenAI's conventions (heads
    of 64, QuickGELU); None for a state dict that is not named like OpenAI's.
    """
    needed = {"visual.conv1.weight": 4, "text_projection": 2, "token_embedding.weight": 2, "positional_embedding": 2}
    if not needed.keys() <= state.keys() or any(state[name].ndim != axes for name, axes in needed.items()):
        return None
    vision = _vit(state) if "visual.proj" in state else _resnet(state)
    words, width = state["token_embedding.weight"].shape
    layers = _count(state, r"transformer\.resblocks\.(\d+)\.")
    if vision is None or not layers or not width // 64:
        return None
    text = {
        "context_length": len(state["positional_embedding"]), "vocab_size": words, "width": width,
        "heads": width // 64, "layers": layers,
    }  # fmt: skip
    return {
        "embed_dim": state["text_projection"].shape[1], "quick_gelu": True, "vision_cfg": vision, "text_cfg": text
    }  # fmt: skip


def _vit(state: State) -> dict[str, Any] | None:
    width, _, patch, _ = state["visual.conv1.weight"].shape
    side = _side(state.get("visual.positional_embedding"))
    layers = _count(state, r"visual\.transformer\.resblocks\.(\d+)\.")
    if not (side and layers and width % 64 == 0):
        return None
    found: dict[str, Any] = {"image_size": side * patch, "patch_size": patch, "layers": layers, "width": width}
    hidden = state.get("visual.transformer.resblocks.0.mlp.c_fc.weight")
    if hidden is not None and len(hidden) != 4 * width:
        found["mlp_ratio"] = (len(hidden) + 0.5) / width  # open_clip rounds width × ratio down
    return found


def _resnet(state: State) -> dict[str, Any] | None:
    layers = [_count(state, rf"visual\.layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4)]
    side, first = _side(state.get("visual.attnpool.positional_embedding")), state.get("visual.layer1.0.conv1.weight")
    if not (side and all(layers) and first is not None):
        return None
    return {"image_size": side * 32, "layers": layers, "width": len(first)}


def _side(positions: Tensor | None) -> int:
    """The rows of a square grid that has these positions beside a class token; 0 where there is none."""
    count = 0 if positions is None or positions.ndim != 2 else len(positions) - 1
    side = round(max(count, 0) ** 0.5)
    return side if side * side == count else 0


def _count(state: State, pattern: str) -> int:
    return len({found[1] for name in state if (found := re.match(pattern, name))})


def model_names(config: dict[str, Any], any_size: bool = False) -> list[str]:
    """The open_clip names whose numbers are those of a config that `architecture` made, plain names first. any_size:
    whatever the size of the images.
    """
    import open_clip

    def numbers(of: dict[str, Any]) -> tuple[Any, ...]:
        vision, text = of["vision_cfg"], of["text_cfg"]
        plain = "timm_model_name" not in vision and "hf_model_name" not in text and not of.get("custom_text")
        tower = (vision.get(key) for key in (() if any_size else ("image_size",)) + ("patch_size", "layers", "width"))
        words = (text.get(key) for key in ("context_length", "vocab_size", "width", "layers"))
        return (plain, of["embed_dim"], round(vision.get("mlp_ratio", 4.0), 2), *tower, *words)

    mine = numbers(config)
    found = [name for name in open_clip.list_models() if numbers(open_clip.get_model_config(name)) == mine]
    return sorted(found, key=len)


def differences(mine: dict[str, Any], theirs: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Settings, other than the activation, in which two model_cfg differ: name, this one's value, that one's."""
    a, b = _flat(mine), _flat(theirs)
    return [(key, a.get(key), b.get(key)) for key in a if a.get(key) != b.get(key)]


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    from open_clip import CLIPTextCfg, CLIPVisionCfg

    vision, text = asdict(CLIPVisionCfg(**config["vision_cfg"])), asdict(CLIPTextCfg(**config["text_cfg"]))
    out: dict[str, Any] = {"embed_dim": config["embed_dim"], "init_logit_bias": config.get("init_logit_bias")}
    out |= {f"vision_cfg.{k}": v for k, v in vision.items() if k not in _NO_DIFFERENCE}
    out |= {f"text_cfg.{k}": v for k, v in text.items() if k not in _NO_DIFFERENCE}
    size = out["vision_cfg.image_size"]
    out["vision_cfg.image_size"] = [size, size] if isinstance(size, int) else size
    if isinstance(vision["layers"], list | tuple):
        del out["vision_cfg.patch_size"]  # a ResNet has none
    return {k: list(v) if isinstance(v, tuple) else v for k, v in out.items()}


_MARKS = {
    "visual_projection.weight": "a Hugging Face CLIPModel",
    "image_encoder.model.patch_embed.0.rbr_conv.0.conv.weight": "Apple's own MobileCLIP, not open_clip's",
    "text_decoder.text_projection": "a CoCa",
}


def way_on(state: State) -> str:
    """What to do with tensors that are no whole CLIP under open_clip's names, where that is known; else ""."""
    looks = looks_like(state)
    if looks == _MARKS["visual_projection.weight"]:
        return "put it into a folder with its config.json and load that: tk.load(folder)"
    if looks == "an image tower alone":
        return "save the whole model, text tower and logit_scale too: torch.save(clip.state_dict(), path)"
    return ""


def looks_like(state: State) -> str:
    """In words, the architecture that the names and shapes of a state dict tell; "" where they tell none."""
    for mark, what in _MARKS.items():
        if mark in state:
            return what
    config = architecture(state)
    if config:
        vision, names = config["vision_cfg"], model_names(config)
        kind = f"width {vision['width']}, {vision['layers']} layers, {vision['image_size']} px"
        kind += f", patches of {vision['patch_size']}" if "patch_size" in vision else ""
        return f"{' or '.join(names[:2])}" if names else f"a CLIP of {kind}, {config['embed_dim']} dimensions"
    if any(name.startswith("visual.trunk.") for name in state):
        return "an open_clip model with a timm image tower"
    if not any(name.startswith("visual.") for name in state):
        alone = "class_embedding" in state or any(name.startswith("attnpool.") for name in state)
        return "an image tower alone" if alone else "no CLIP: it has no image tower"
    if all(name.startswith("visual.") for name in state):
        return "an image tower alone"
    return "a CLIP whose text tower has names of its own" if "text.positional_embedding" in state else ""
