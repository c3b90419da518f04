"""Weights from local files and folders, read without ever running code from them."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolkit.errors import InputError, MissingWeightsError

State = dict[str, Tensor]
_ACCEPTED = "a .safetensors file, a .pt/.pth/.bin state dict, an open_clip folder or a Hugging Face CLIP folder"


def read_state(path: Path) -> State:
    """The tensors of a checkpoint file; a nested "state_dict" and a "module." prefix are taken off.

    Raises MissingWeightsError (no such file) and InputError (damaged, of another kind, or needing code to be
    unpickled).
    """
    if not path.is_file():
        raise MissingWeightsError("load", f"{str(path)!r}, which is not a file", _ACCEPTED, "check the path")
    if path.suffix == ".safetensors":
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
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content or not all(isinstance(t, Tensor) for t in content.values()):
        raise InputError(
            "load",
            f"{path.name}, which holds no state dict",
            _ACCEPTED,
            "save it with torch.save(model.state_dict(), path)",
        )
    return {name.removeprefix("module."): t for name, t in content.items()}


def written_name(path: Path) -> str:
    """The model's name in a checkpoint of `tk.save_checkpoint` (such as "…, without L3.H7 (total effect)"); else ""."""
    if path.suffix != ".safetensors":
        return ""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        facts = (file.metadata() or {}).get("toolkit", "{}")
    try:
        found = json.loads(facts)
    except ValueError:
        return ""
    name = found.get("id", "") if isinstance(found, dict) else ""
    return name if isinstance(name, str) else ""


def _read_pickle(path: Path) -> Any:
    if _is_torchscript(path):
        raise InputError(
            "load",
            f"{path.name}, a TorchScript program",
            _ACCEPTED,
            "save its state dict: torch.save(torch.jit.load(path).state_dict(), 'weights.pt'), if you trust the file",
        )
    with path.open("rb") as file:
        start = file.read(2)
    if not start.startswith((b"PK", b"\x80")):  # a zip archive or a pickle; anything else is no checkpoint
        raise _damaged(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Weights only" in str(error) or "Unsupported" in str(error):
            raise InputError(
                "load",
                f"{path.name}, which holds more than tensors and would run code to be read",
                _ACCEPTED,
                "save it with torch.save(model.state_dict(), path), or as safetensors",
            ) from error
        raise _damaged(path) from error
    except Exception as error:
        raise _damaged(path) from error


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError):
        return False


def _damaged(path: Path) -> InputError:
    given = f"{path.name}, which is damaged or no checkpoint"
    return InputError("load", given, _ACCEPTED, "download or write it again")


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object from a file; InputError where it is none."""
    try:
        content = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise InputError(
            "load", f"{path.name}, which is no JSON ({error})", "a model's config", "fetch it again"
        ) from error
    if not isinstance(content, dict):
        raise InputError("load", f"{path.name}, which is no JSON object", "a model's config", "fetch it again")
    return content


def fill(clip: Any, state: State, source: str) -> None:
    """Load a state dict into a model, every tensor of it; raises InputError naming what does not fit, with nothing
    loaded.
    """
    own = clip.state_dict()
    ignored = {"input_resolution", "context_length", "vocab_size"}  # facts, not weights, in OpenAI's files
    state = {name: t for name, t in state.items() if name not in ignored}
    wrong = [
        f"{n} {tuple(state[n].shape)} for {tuple(own[n].shape)}"
        for n in own
        if n in state and state[n].shape != own[n].shape
    ]
    missing, extra = [n for n in own if n not in state], [n for n in state if n not in own]
    for what, names in (("of another shape", wrong), ("missing", missing), ("too many", extra)):
        if names:
            listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            raise InputError(
                "load",
                f"{source} with tensors {what}: {listed}",
                f"a checkpoint of exactly this architecture ({type(clip).__name__})",
                "name the architecture the checkpoint was made with",
            )
    clip.load_state_dict(state)


def weights_in(folder: Path) -> Path:
    """The one weight file of a folder, by the usual names, safetensors first."""
    names = ["open_clip_model.safetensors", "model.safetensors", "open_clip_pytorch_model.bin", "pytorch_model.bin"]
    found = [folder / n for n in names if (folder / n).is_file()]
    found += sorted(
        p for p in folder.iterdir() if p.suffix in (".safetensors", ".pt", ".pth", ".bin") and p not in found
    )
    if not found:
        raise MissingWeightsError(
            "load",
            f"the folder {folder.name!r} without a weight file",
            ", ".join(names),
            "put the weight file beside the config",
        )
    return found[0]


_VISION = {
    "image_size": 224, "patch_size": 32, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
}  # fmt: skip
_TEXT = {
    "max_position_embeddings": 77, "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048,
    "num_hidden_layers": 12, "num_attention_heads": 8, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
}  # fmt: skip
"""What a Hugging Face CLIP config means where it leaves a value out."""


def huggingface_config(folder: Path) -> dict[str, Any]:
    """open_clip constructor arguments for a Hugging Face CLIP folder (config.json)."""
    config = read_config(folder / "config.json")
    if config.get("model_type") != "clip":
        given = f"a Hugging Face folder of type {config.get('model_type')!r}"
        raise InputError("load", given, '"clip" (CLIPModel)', "convert it to open_clip first")
    vision, text = _VISION | config.get("vision_config", {}), _TEXT | config.get("text_config", {})
    activations = {vision["hidden_act"], text["hidden_act"]}
    if activations not in ({"quick_gelu"}, {"gelu"}):
        given = f"a Hugging Face CLIP with activations {', '.join(sorted(activations))}"
        raise InputError("load", given, '"quick_gelu" or "gelu", in both towers', "convert it to open_clip first")
    return {
        "embed_dim": config.get("projection_dim", 512),
        "quick_gelu": activations == {"quick_gelu"},
        "vision_cfg": {
            "image_size": vision["image_size"],
            "patch_size": vision["patch_size"],
            "layers": vision["num_hidden_layers"],
            "width": vision["hidden_size"],
            "head_width": vision["hidden_size"] // vision["num_attention_heads"],
            "mlp_ratio": vision["intermediate_size"] / vision["hidden_size"],
            "norm_kwargs": {"eps": vision["layer_norm_eps"]},
        },
        "text_cfg": {
            "context_length": text["max_position_embeddings"],
            "vocab_size": text["vocab_size"],
            "width": text["hidden_size"],
            "heads": text["num_attention_heads"],
            "layers": text["num_hidden_layers"],
            "mlp_ratio": text["intermediate_size"] / text["hidden_size"],
            "norm_kwargs": {"eps": text["layer_norm_eps"]},
        },
    }


def huggingface_preprocess(folder: Path) -> dict[str, Any]:
    """The open_clip preprocess settings that a folder's preprocessor_config.json describes; {} without one."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return {}
    found = read_config(path)
    out: dict[str, Any] = {k: tuple(found[v]) for k, v in (("mean", "image_mean"), ("std", "image_std")) if v in found}
    out["interpolation"] = {2: "bilinear", 3: "bicubic"}.get(found.get("resample", 3), "bicubic")
    out["resize_mode"] = "shortest" if found.get("do_center_crop", True) else "squash"
    return out


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
