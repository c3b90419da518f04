"""The config and image processor of a Hugging Face CLIP folder, in open_clip's terms."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from toolkit.errors import InputError
from toolkit.models.configs import fits, read_config, three_numbers
from toolkit.models.words import tell


def huggingface_preprocess(folder: Path) -> dict[str, Any]:
    """The open_clip preprocess settings that a Hugging Face folder's image processor describes; {} without one. What
    open_clip has no setting for is told in a ModelWarning; what no image can be made by is an InputError.
    """
    path, both = folder / "preprocessor_config.json", folder / "processor_config.json"
    found = read_config(path) if path.is_file() else {}
    if not found and both.is_file():
        path, found = both, read_config(both).get("image_processor") or {}
    if not isinstance(found, dict) or not found:
        return {}
    resample = found.get("resample", 3)
    usable, other = {2: "bilinear", 3: "bicubic"}, {0: "nearest", 1: "lanczos", 4: "box", 5: "hamming"}
    if type(resample) is not int or resample not in usable | other:
        given = f"{path.name} with resample={resample!r}"
        raise InputError("load", given, "2 (bilinear) or 3 (bicubic)", "correct the config")
    if resample in other:
        tell(f"{path.name} resizes by {other[resample]}, which open_clip has not: bicubic is used")
    resized = {"interpolation": usable.get(resample, "bicubic"), **_resizing(found, path.name)}
    return _normalising(found, path.name) | resized


def _normalising(found: dict[str, Any], source: str) -> dict[str, Any]:
    """Mean and std for pixels of 0 … 1, with the file's own factor for pixels of 0 … 255 folded into them."""
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    factor = found.get("rescale_factor", 1 / 255) if found.get("do_rescale", True) else 1
    if not fits(factor, float) or factor <= 0:
        raise InputError("load", f"{source} with rescale_factor={factor!r}", "a number above 0", "correct the config")
    unit = math.isclose(255 * factor, 1, rel_tol=1e-6)
    out = {
        own: three_numbers(found[key], f"{source} with {key}", above_zero=own == "std")
        for own, key in (("mean", "image_mean"), ("std", "image_std"))
        if key in found
    }
    if not found.get("do_normalize", True):
        out = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    if unit:
        return dict(out)
    tell(f"{source} multiplies pixels of 0 … 255 by {factor:g}, not by 1/255, before it normalises: so it is done here")
    usual = {"mean": OPENAI_DATASET_MEAN, "std": OPENAI_DATASET_STD} | out
    return {key: tuple(float(n) / (255 * factor) for n in value) for key, value in usual.items()}


def _resizing(found: dict[str, Any], source: str) -> dict[str, Any]:
    """How pictures reach the model's size, and that size where it is said."""
    kind = str(found.get("image_processor_type") or found.get("feature_extractor_type") or "CLIP")
    crops = bool(found.get("do_center_crop", kind.startswith("CLIP")))
    shortest, size = _pixels(found, "size", source)
    _, crop = _pixels(found, "crop_size", source)
    if not found.get("do_resize", True):
        tell(f"{source} does not resize; the model takes one size, so pictures are resized to it all the same")
        return {"resize_mode": "shortest", **({"size": crop} if crop and crops else {})}
    if size and crops and crop and crop != size:
        tell(f"{source} resizes to {size} and then crops to {crop}, which open_clip cannot: resized to {crop} at once")
    if shortest and size and not crops:
        tell(f"{source} resizes the shorter side and does not crop; the model takes one size, so pictures are squashed")
    end = (crop if crops else None) or size
    return {"resize_mode": "shortest" if shortest and crops else "squash", **({"size": end} if end else {})}


def _pixels(found: dict[str, Any], key: str, source: str) -> tuple[bool, tuple[int, int] | None]:
    """A size of an image processor: whether it is that of the shorter side, and (height, width) after a square crop."""
    size = found.get(key)
    if size is None:
        return True, None
    pair = size if isinstance(size, dict) else {"shortest_edge": size}
    for keys in (("shortest_edge", "shortest_edge"), ("height", "width")):
        if pair.keys() == set(keys) and all(type(n) is int and n > 0 for n in pair.values()):
            return keys[0] == keys[1], (pair[keys[0]], pair[keys[1]])
    accepted = 'a whole number, {"shortest_edge": n} or {"height": h, "width": w}'
    raise InputError("load", f"{source} with {key}={size!r}", accepted, "correct the config")


_VISION = {
    "image_size": 224, "patch_size": 32, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
}  # fmt: skip
_TEXT = {
    "max_position_embeddings": 77, "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048,
    "num_hidden_layers": 12, "num_attention_heads": 8, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
}  # fmt: skip
"""What a Hugging Face CLIP config means where it leaves a value out."""


def _part(config: dict[str, Any], key: str, usual: dict[str, Any]) -> dict[str, Any]:
    """One tower of a Hugging Face config with its defaults; InputError for a value no tower can have."""
    own = config.get(key) or {}
    if not isinstance(own, dict):
        raise InputError("load", f"config.json with {key}={own!r}", "a JSON object", "correct the config")
    found = usual | own
    for name, default in usual.items():
        value, whole = found[name], isinstance(default, int)
        if isinstance(default, str):
            right, accepted = isinstance(value, str), "a name"
        else:
            right = type(value) in ((int,) if whole else (int, float)) and value > 0
            accepted = f"a {'whole ' if whole else ''}number above 0"
        if not right:
            raise InputError("load", f"config.json with {key}.{name}={value!r}", accepted, "correct the config")
    if found["hidden_size"] % found["num_attention_heads"]:
        given = f"config.json with {key}.hidden_size={found['hidden_size']} for {found['num_attention_heads']} heads"
        raise InputError("load", given, "a width that the number of heads divides", "correct the config")
    return found


def huggingface_config(folder: Path) -> dict[str, Any]:
    """open_clip constructor arguments for a Hugging Face CLIP folder (config.json)."""
    config = read_config(folder / "config.json")
    if config.get("model_type") != "clip":
        given = f"a Hugging Face folder of type {config.get('model_type')!r}"
        raise InputError("load", given, '"clip" (CLIPModel)', "convert it to open_clip first")
    vision, text = _part(config, "vision_config", _VISION), _part(config, "text_config", _TEXT)
    embed = config.get("projection_dim", 512)
    if type(embed) is not int or embed <= 0:
        raise InputError("load", f"config.json with projection_dim={embed!r}", "a whole number above 0", "correct it")
    activations = {vision["hidden_act"], text["hidden_act"]}
    if activations not in ({"quick_gelu"}, {"gelu"}):
        given = f"a Hugging Face CLIP with activations {', '.join(sorted(activations))}"
        raise InputError("load", given, '"quick_gelu" or "gelu", in both towers', "convert it to open_clip first")
    return {
        "embed_dim": embed,
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
