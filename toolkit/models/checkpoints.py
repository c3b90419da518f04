"""Weights from local files and folders, read without ever running code from them."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import pickletools
import re
import zipfile
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import Any

import torch
from torch import Tensor

from toolkit.errors import InputError, MissingWeightsError
from toolkit.models.card import image_size
from toolkit.models.configs import read_config
from toolkit.models.torchscript import (
    FACTS,
    RefusedError,
    is_torchscript,
    looks_like,
    read_torchscript,
    records,
    way_on,
)
from toolkit.models.words import tell
from toolkit.models.wrappers import without_wrappers

State = dict[str, Tensor]
NESTED = ("state_dict", "model_state_dict", "model")
"""Entries of a checkpoint that hold its weights, by their usual names."""
PICKLE_BYTES = 10_000_000
"""Of a pickle that is no archive, looked at for the names it wants."""
OTHER_SIZE = (
    "weights for images of the size that the name stands for",
    "build it with open_clip.create_model(name, pretrained=path, force_image_size=pixels) and pass that to tk.wrap",
)
"""What is accepted and what to do where weights were trained, or interpolated, for another size of images."""
_ACCEPTED = "a .safetensors file, a .pt/.pth/.bin state dict, an open_clip folder or a Hugging Face CLIP folder"


def read_state(path: Path) -> State:
    """The tensors of a checkpoint file; a nested "state_dict" and what wrappers add to names are taken off.

    A TorchScript archive, as OpenAI released them, is read without running its code.

    Raises MissingWeightsError (no such file) and InputError (damaged, of another kind, or needing code to be
    unpickled).
    """
    if path.is_dir():
        raise InputError("load", f"{str(path)!r}, which is a folder", _ACCEPTED, f"write tk.load({str(path)!r})")
    if not path.is_file():
        raise MissingWeightsError("load", f"{str(path)!r}, which is not a file", _ACCEPTED, "check the path")
    if not path.stat().st_size:
        raise InputError("load", f"{path.name}, which is empty", _ACCEPTED, "download or write it again")
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"version https://git-lfs"):
        given = f"{path.name}, a pointer of git-lfs and not the file itself"
        raise InputError("load", given, _ACCEPTED, "fetch it: git lfs pull")
    if path.suffix == ".safetensors" or start[8:9] == b"{":  # by another name
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            content: Any = load_file(path)
        except SafetensorError as error:
            raise InputError(
                "load", f"{path.name}, which cannot be read ({error})", _ACCEPTED, "download or write it again"
            ) from error
    else:
        content = _read_pickle(path)
    content = _inside(content, path.name)
    named = isinstance(content, dict) and all(isinstance(k, str) and isinstance(t, Tensor) for k, t in content.items())
    if not named or not content:
        raise InputError(
            "load",
            f"{path.name}, which holds no state dict",
            _ACCEPTED,
            "save it with torch.save(model.state_dict(), path)",
        )
    return without_wrappers(content, path.name)


def _inside(content: Any, source: str) -> Any:
    """The state dict in what a checkpoint holds: itself, or the one of its entries that is one, however deep."""
    if not isinstance(content, dict) or _is_state(content):
        return content
    kept = {key: value for key, value in content.items() if _holds_state(value) and "optim" not in str(key)}
    if not kept:
        return content
    first = next((key for key in NESTED if key in kept), None)
    if first is None and len(kept) > 1:
        given = f"{source} with several sets of weights, {', '.join(map(repr, kept))}"
        raise InputError("load", given, "one set of weights", "save one alone: torch.save(content[name], path)")
    first = first or next(iter(kept))
    if others := [key for key in kept if key != first]:
        tell(f"{source} holds several sets of weights: {first!r} is used, {', '.join(map(repr, others))} is not")
    return _inside(kept[first], source)


def _holds_state(value: Any, depth: int = 8) -> bool:
    """Whether this is a table of tensors by name, or one of its entries is; optimisers count their tables."""
    inner = value.items() if isinstance(value, dict) and depth else ()
    return _is_state(value) or any(isinstance(name, str) and _holds_state(entry, depth - 1) for name, entry in inner)


def _is_state(value: Any) -> bool:
    """Whether this is a table of tensors by name."""
    return isinstance(value, dict) and bool(value) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items()
    )  # fmt: skip


def read_weights(path: Path) -> State:
    """The tensors of a weight file, or of all the shards that an index names."""
    return _read_shards(path) if path.name.endswith(".index.json") else read_state(path)


def _read_shards(index: Path) -> State:
    """The tensors of all the files that a "….index.json" names.

    Raises MissingWeightsError naming the files that are not there, and InputError for an index or files that do not
    agree.
    """
    places = read_config(index).get("weight_map")
    accepted = 'a "weight_map" from every tensor to a file beside the index'
    if not isinstance(places, dict) or not places or not all(isinstance(f, str) for f in places.values()):
        raise InputError("load", f"{index.name} without a weight_map", accepted, "fetch it again")
    files = sorted(set(places.values()))
    outside = [file for file in files if Path(file).name != file or not file.endswith((".safetensors", ".bin"))]
    if outside:
        raise InputError("load", f"{index.name} that names {outside[0]!r}", accepted, "fetch it again")
    absent = [file for file in files if not (index.parent / file).is_file()]
    if absent:
        given = (
            f"{index.name}, of whose {len(files)} files {_listed(absent)} {'is' if len(absent) == 1 else 'are'} missing"
        )
        raise MissingWeightsError("load", given, "all files beside the index", "fetch the missing ones")
    state: State = {}
    for file in files:
        state |= read_state(index.parent / file)
    lost = [name for name in places if name not in state]
    if lost:
        given = f"{index.name}, whose files lack {_listed(lost)}"
        raise InputError("load", given, "files that hold what the index names", "fetch them again")
    return state


def written_facts(path: Path) -> dict[str, Any]:
    """What `tk.save_checkpoint` wrote into a checkpoint: id (such as "…, without L3.H7 (total effect)"), activation and
    normalisation; {} for other files.
    """
    if path.suffix != ".safetensors":
        return {}
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        facts = (file.metadata() or {}).get("toolkit", "{}")
    try:
        found = json.loads(facts)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("id"), str) else {}


def _read_pickle(path: Path) -> Any:
    if is_torchscript(path):
        try:
            return read_torchscript(path)
        except RefusedError as error:
            given = (
                f"{path.name}, a TorchScript archive that names {error}, which weights do not need (nothing was run)"
            )
            raise InputError("load", given, _ACCEPTED, "get the file from where it was released") from error
        except Exception as error:
            raise _damaged(path) from error
    with path.open("rb") as file:
        start = file.read(2)
    # a zip archive or a pickle; anything else is no checkpoint
    if not start.startswith((b"PK", b"\x80")) or (start == b"PK" and records(path) is None):
        raise _damaged(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Weights only" in str(error) or "Unsupported" in str(error):
            raise InputError(
                "load",
                f"{path.name}, a pickle that {_refused_names(path)} and would run code to be read (nothing was run)",
                _ACCEPTED,
                "save it with torch.save(model.state_dict(), path), or as safetensors",
            ) from error
        raise _damaged(path) from error
    except Exception as error:
        raise _damaged(path) from error


def _refused_names(path: Path) -> str:
    """What a pickle wants beside tensors, in words, read off its text."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            text = b"".join(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
    else:
        with path.open("rb") as file:
            text = file.read(PICKLE_BYTES)
    names, last = list[str](), list[str]()
    try:
        for code, argument, _ in pickletools.genops(text):
            if code.name == "GLOBAL":
                names.append(str(argument).replace(" ", "."))
            elif code.name == "STACK_GLOBAL":
                names.append(".".join(last[-2:]))
            elif isinstance(argument, str):
                last.append(argument)
    except ValueError:  # cut off, or more than one pickle
        pass
    odd = [name for name in dict.fromkeys(names) if name.partition(".")[0] not in ("torch", "collections")]
    return f"names {_listed(odd)}" if odd else "holds more than tensors"


def _damaged(path: Path) -> InputError:
    given = f"{path.name}, which is damaged or no checkpoint"
    return InputError("load", given, _ACCEPTED, "download or write it again")


def build(config: dict[str, Any], source: str, folder: Path) -> Any:
    """An open_clip model of a model_cfg, in eval mode, its weights random; nothing is fetched, and the random state is
    left as it was. folder: where the config of a Hugging Face text tower may lie.
    """
    import open_clip

    config = copy.deepcopy(config)
    if "multimodal_cfg" in config:
        raise InputError("load", f"{source}, a CoCa model", "a CLIP", "choose a model without captioner")
    if config["vision_cfg"].get("timm_model_name"):
        config["vision_cfg"]["timm_model_pretrained"] = False
    text = config["text_cfg"].get("hf_model_name")
    if text:
        config["text_cfg"] |= {"hf_model_pretrained": False, "hf_model_name": _text_model(text, source, folder)}
    kind = open_clip.CustomTextCLIP if config.pop("custom_text", False) or text else open_clip.CLIP
    try:
        with torch.random.fork_rng(devices=[]):
            return kind(**config).eval()
    except Exception as error:
        given = f"{source}, from whose config open_clip cannot build a model ({error})"
        raise InputError("load", given, "a config that open_clip can build", "correct the config") from error


def _text_model(name: str, source: str, folder: Path) -> str:
    """The local folder that holds the config of a Hugging Face text tower."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError
    from open_clip.hf_configs import arch_dict

    if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        given = f"{source} with text_cfg.hf_model_name={name!r}, which leads out of the folder"
        raise InputError("load", given, "a name on the Hugging Face hub", "correct the config")
    places = [folder / name / "config.json", folder / "config.json"]
    with contextlib.suppress(HFValidationError):
        kept = try_to_load_from_cache(name, "config.json")
        places += [Path(kept)] if isinstance(kept, str) else []
    for place in places:
        if place.is_file():
            found = read_config(place)
            if found.get("model_type") in arch_dict and "auto_map" not in found:
                return str(place.parent)
    raise MissingWeightsError(
        "load",
        f"{source}, whose text tower is {name!r} of Hugging Face, with no config of it here",
        f"its config.json in the folder, in {name}/ in the folder, or in the Hugging Face cache",
        "put it there; nothing is fetched while a local file is loaded",
    )


def prepare(clip: Any, preprocess: dict[str, Any], source: str) -> None:
    """Attach the preprocessing that was found, as open_clip does; the size is the model's, and told if another is
    asked for.
    """
    from open_clip.model import set_model_preprocess_cfg
    from open_clip.transform import PreprocessCfg

    takes = image_size(clip)
    if preprocess.get("size", takes) != takes:
        height, width = preprocess["size"]
        tell(f"{source} makes images of {height}×{width}, but the model takes {takes[0]}×{takes[1]}: that is used")
    set_model_preprocess_cfg(clip, asdict(PreprocessCfg()) | preprocess | {"size": clip.visual.image_size})


def fill(clip: Any, state: State, source: str) -> None:
    """Load a state dict into a model, every tensor of it, widened to the model's type; raises InputError naming what
    does not fit and what it looks like, with nothing loaded. Weights that are no numbers are told.
    """
    own = clip.state_dict()
    # OpenAI's files hold facts beside the weights; a compiled model's hold the attention mask, which follows from none
    state = {name: t for name, t in state.items() if name in own or name not in FACTS | {"attn_mask"}}
    absent = [name for name, tensor in state.items() if tensor.is_meta]
    if absent:
        given = f"{source} with tensors on the meta device, which hold no numbers: {_listed(absent)}"
        raise InputError("load", given, "weights", "save the model after it was loaded")
    whole = [n for n, t in state.items() if n in own and own[n].is_floating_point() and not t.is_floating_point()]
    if whole:
        given = f"{source} with {str(state[whole[0]].dtype).removeprefix('torch.')} for floats: {_listed(whole)}"
        raise InputError("load", given, "weights in a type of floats", "save the model before it is quantised")
    small = [n for n, t in state.items() if t.is_floating_point() and t.element_size() == 1]
    if small:
        tell(f"{source} holds weights of eight bits ({_listed(small)}): they are as rough as that")
    for name in ("logit_scale", "logit_bias"):  # a number, or a list of one
        if name in state and name in own and state[name].numel() == own[name].numel() == 1:
            state[name] = state[name].reshape(own[name].shape)
    # older files do not count the batches that batch norm has seen; nothing but training reads the count
    state |= {n: own[n] for n in own if n.endswith(".num_batches_tracked") and n not in state}
    wrong = [
        f"{n} {tuple(state[n].shape)} for {tuple(own[n].shape)}"
        for n in own
        if n in state and state[n].shape != own[n].shape
    ]
    if wrong and all("positional_embedding" in name or "attnpool" in name for name in wrong):
        raise InputError("load", f"{source} with {_listed(wrong)}: weights for images of another size", *OTHER_SIZE)
    missing, extra = [n for n in own if n not in state], [n for n in state if n not in own]
    for what, names in (("of another shape", wrong), ("missing", missing), ("too many", extra)):
        if names:
            looks = looks_like(state)
            raise InputError(
                "load",
                f"{source} with tensors {what}: {_listed(names)}" + (f"; it looks like {looks}" if looks else ""),
                f"a checkpoint of exactly this architecture ({type(clip).__name__})",
                way_on(state) or "name the architecture the checkpoint was made with",
            )
    odd = [n for n, t in state.items() if t.is_floating_point() and not bool(torch.isfinite(t.float()).all())]
    if odd:
        tell(f"{source} holds NaN or infinite weights, in {_listed(odd)}; what they reach is NaN")
    clip.load_state_dict(state)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def weights_in(folder: Path, huggingface: bool = False) -> Path:
    """The one weight file of a folder, or the index of its shards, by the usual names and safetensors first: those of
    open_clip before those of `transformers`, or only the latter.
    """
    own = [f"open_clip_{stem}" for stem in ("model.safetensors", "pytorch_model.safetensors", "pytorch_model.bin")]
    shared = ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"]
    names = shared if huggingface else own + shared
    found = [folder / name for name in names if (folder / name).is_file()]
    if found:
        return found[0]
    files = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".pt", ".pth", ".bin") and p.is_file())
    files = [p for p in files if not (huggingface and p.name.startswith("open_clip_"))]
    if not files:
        raise MissingWeightsError(
            "load",
            f"the folder {folder.name!r} without a weight file",
            ", ".join(names),
            "put the weight file beside the config",
        )
    shard = re.search(r"-\d+-of-\d+$", files[0].stem)
    if shard:
        given = f"the folder {folder.name!r} with {files[0].name} and no index"
        index = f"{files[0].name.replace(shard[0], '')}.index.json"
        raise MissingWeightsError("load", given, f"the shards with their {index}", "fetch the index too")
    if len(files) > 1:
        tell(f"the folder {folder.name!r} holds {_listed([p.name for p in files])}: {files[0].name} is used")
    return files[0]


_TOWERS = (("vision_model.", "visual."), ("text_model.", ""))
_NAMES = (
    (r"embeddings\.patch_embedding\.weight", "conv1.weight"),
    (r"embeddings\.class_embedding", "class_embedding"),
    (r"embeddings\.position_embedding\.weight", "positional_embedding"),
    (r"embeddings\.token_embedding\.weight", "token_embedding.weight"),
    (r"pre_layrnorm\.", "ln_pre."),
    (r"post_layernorm\.", "ln_post."),
    (r"final_layer_norm\.", "ln_final."),
    (r"encoder\.layers\.(\d+)\.layer_norm([12])\.", r"transformer.resblocks.\1.ln_\2."),
    (r"encoder\.layers\.(\d+)\.mlp\.fc1\.", r"transformer.resblocks.\1.mlp.c_fc."),
    (r"encoder\.layers\.(\d+)\.mlp\.fc2\.", r"transformer.resblocks.\1.mlp.c_proj."),
    (r"encoder\.layers\.(\d+)\.self_attn\.out_proj\.", r"transformer.resblocks.\1.attn.out_proj."),
)


def from_huggingface(state: State) -> State:
    """A Hugging Face CLIPModel state dict under open_clip's names; q, k and v are stacked."""
    absent = [n for n in ("logit_scale", "visual_projection.weight", "text_projection.weight") if n not in state]
    if absent:
        looks = looks_like(state)
        given = f"a Hugging Face folder whose weights lack {_listed(absent)}" + (
            f"; they look like {looks}" * bool(looks)
        )
        raise InputError("load", given, "the weights of a CLIPModel", "fetch the folder again")
    out: State = {"logit_scale": state["logit_scale"]}
    out["visual.proj"] = state["visual_projection.weight"].T.contiguous()
    out["text_projection"] = state["text_projection.weight"].T.contiguous()
    stacked: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        tower = next((t for t in _TOWERS if name.startswith(t[0])), None)
        if tower is None or name.endswith("position_ids"):
            continue
        rest, prefix = name.removeprefix(tower[0]), tower[1]
        qkv = re.fullmatch(r"encoder\.layers\.(\d+)\.self_attn\.([qkv])_proj\.(weight|bias)", rest)
        if qkv:
            key = f"{prefix}transformer.resblocks.{qkv[1]}.attn.in_proj_{qkv[3]}"
            stacked.setdefault(key, {})[qkv[2]] = tensor
            continue
        for pattern, new in _NAMES:
            if re.match(pattern, rest):
                out[prefix + re.sub(f"^{pattern}", new, rest)] = tensor
                break
        else:
            out[prefix + rest] = tensor  # kept, so that `fill` names it
    return out | {key: torch.cat([parts[x] for x in "qkv"]) for key, parts in stacked.items()}
