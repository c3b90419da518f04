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


def _read_pickle(path: Path) -> Any:
    if zipfile.is_zipfile(path) and any(name.endswith("constants.pkl") for name in zipfile.ZipFile(path).namelist()):
        raise InputError(
            "load",
            f"{path.name}, a TorchScript program",
            _ACCEPTED,
            "save its state dict: torch.save(torch.jit.load(path).state_dict(), 'weights.pt'), if you trust the file",
        )
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
        raise InputError(
            "load", f"{path.name}, which is damaged or no checkpoint", _ACCEPTED, "download or write it again"
        ) from error
    except (RuntimeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise InputError(
            "load", f"{path.name}, which is damaged or no checkpoint", _ACCEPTED, "download or write it again"
        ) from error


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


def huggingface_config(folder: Path) -> dict[str, Any]:
    """open_clip constructor arguments for a Hugging Face CLIP folder (config.json with vision_config and
    text_config).
    """
    config = json.loads((folder / "config.json").read_text())
    if config.get("model_type") != "clip":
        raise InputError(
            "load",
            f"a Hugging Face folder of type {config.get('model_type')!r}",
            '"clip" (CLIPModel)',
            "convert it to open_clip first",
        )
    vision, text = config["vision_config"], config["text_config"]
    activation = vision.get("hidden_act", "quick_gelu")
    if activation not in ("quick_gelu", "gelu"):
        raise InputError(
            "load",
            f"a Hugging Face CLIP with activation {activation!r}",
            '"quick_gelu" or "gelu"',
            "convert it to open_clip first",
        )
    eps = {"norm_kwargs": {"eps": vision.get("layer_norm_eps", 1e-5)}}
    return {
        "embed_dim": config.get("projection_dim", 512),
        "quick_gelu": activation == "quick_gelu",
        "vision_cfg": {
            "image_size": vision["image_size"],
            "patch_size": vision["patch_size"],
            "layers": vision["num_hidden_layers"],
            "width": vision["hidden_size"],
            "head_width": vision["hidden_size"] // vision["num_attention_heads"],
            "mlp_ratio": vision["intermediate_size"] / vision["hidden_size"],
            **eps,
        },
        "text_cfg": {
            "context_length": text["max_position_embeddings"],
            "vocab_size": text["vocab_size"],
            "width": text["hidden_size"],
            "heads": text["num_attention_heads"],
            "layers": text["num_hidden_layers"],
            "mlp_ratio": text["intermediate_size"] / text["hidden_size"],
            "norm_kwargs": {"eps": text.get("layer_norm_eps", 1e-5)},
        },
    }


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
