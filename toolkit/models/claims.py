"""What files say about a model beside its weights: its configuration, activation and preprocessing; checked, and told
where two sources disagree.
"""

from __future__ import annotations

import json
import math
import re
import sys
import typing
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from toolkit.errors import InputError

_ABOVE_ZERO = {
    "embed_dim", "layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size", "attn_pooler_queries",
    "attn_pooler_heads", "context_length", "vocab_size", "heads",
}  # fmt: skip
_TOP = {
    "embed_dim": int, "quick_gelu": bool, "custom_text": bool, "init_logit_scale": float,
    "init_logit_bias": float | None, "nonscalar_logit_scale": bool, "output_dict": bool,
}  # fmt: skip


class ModelWarning(UserWarning):
    """Two sources say different things about a model, or a file is odd; the message says both and what was used."""


def tell(note: str) -> None:
    """A ModelWarning at the line outside the toolkit that led here."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "toolkit":
        level, frame = level + 1, frame.f_back
    warnings.warn(ModelWarning(f"load: {note}"), stacklevel=level)


def computes_quick(clip: Any) -> bool:
    """Whether a model computes QuickGELU."""
    return any(type(module).__name__.startswith("QuickGELU") for module in clip.modules())


def activation(quick: bool) -> str:
    """The name of an activation."""
    return "QuickGELU" if quick else "GELU"


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object from a file; InputError where it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(
            "load", f"{path.name}, which is no JSON ({error})", "a model's config", "fetch it again"
        ) from error
    if not isinstance(content, dict):
        raise InputError("load", f"{path.name}, which is no JSON object", "a model's config", "fetch it again")
    return content


def check_config(config: Any, source: str) -> dict[str, Any]:
    """An open_clip model_cfg, as it is; InputError, naming the setting, for one from which no model can be made."""
    from open_clip import CLIPTextCfg, CLIPVisionCfg

    if not isinstance(config, dict) or not {"embed_dim", "vision_cfg", "text_cfg"} <= config.keys():
        given = f"{source} without a model_cfg of embed_dim, vision_cfg and text_cfg"
        raise InputError("load", given, "the config open_clip writes beside its weights", "fetch it again")
    top = {k: v for k, v in config.items() if k not in ("vision_cfg", "text_cfg", "multimodal_cfg")}
    _check_part(top, _TOP, {}, source, "")
    for name, kind in (("vision_cfg", CLIPVisionCfg), ("text_cfg", CLIPTextCfg)):
        part = config[name]
        if not isinstance(part, dict):
            raise InputError("load", f"{source} with {name}={part!r}", "a JSON object", "correct the config")
        _check_part(part, typing.get_type_hints(kind), asdict(kind()), source, f"{name}.")
    vision, text = asdict(CLIPVisionCfg(**config["vision_cfg"])), asdict(CLIPTextCfg(**config["text_cfg"]))
    plain = not vision["timm_model_name"] and not isinstance(vision["layers"], list | tuple)
    uneven = [("vision_cfg", "head_width", vision)] if plain else []
    uneven += [] if text["hf_model_name"] else [("text_cfg", "heads", text)]
    for name, key, part in uneven:
        if part["width"] % part[key]:
            given = f"{source} with {name}.width={part['width']} and {name}.{key}={part[key]}"
            raise InputError("load", given, f"a width that {key} divides", "correct the config")
    return config


def _check_part(part: dict[str, Any], hints: Mapping[str, Any], usual: dict[str, Any], source: str, at: str) -> None:
    unknown = [key for key in part if key not in hints]
    if unknown:
        near = get_close_matches(unknown[0], list(hints), 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        given = f"{source} with {at or 'model_cfg: '}{', '.join(unknown)}, which open_clip does not know{hint}"
        raise InputError("load", given, ", ".join(hints), "correct the config, or update open_clip")
    for key, value in part.items():
        resnet = key == "patch_size" and isinstance(part.get("layers"), list)
        if value is None and (resnet or hints[key] in (str, bool, dict) or usual.get(key, 0) is None):
            continue
        numbers = value if isinstance(value, list | tuple) else [value]
        positive = key in _ABOVE_ZERO
        if not _fits(value, hints[key]) or (positive and not all(n > 0 for n in numbers)):
            accepted = _said(hints[key]) + (", all above 0" if positive else "")
            raise InputError("load", f"{source} with {at}{key}={value!r}", accepted, "correct the config")


def _said(hint: Any) -> str:
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return f"a list of {len(inner)} whole numbers"
    if inner:
        return " or ".join(_said(one) for one in inner)
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}
    return words.get(hint, "a JSON object")


def _fits(value: Any, hint: Any) -> bool:
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return isinstance(value, list | tuple) and len(value) == len(inner) and all(map(_fits, value, inner))
    if inner and typing.get_origin(hint) is not dict:
        return any(_fits(value, one) for one in inner)
    if hint is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is hint


def check_preprocess(found: Any, source: str) -> dict[str, Any]:
    """The settings of a preprocess_cfg that are given; InputError, naming the setting, for what cannot be used."""
    if not isinstance(found, dict):
        raise InputError("load", f"{source} with preprocess_cfg={found!r}", "a JSON object", "correct the config")
    known = {
        "mode": ("RGB",), "interpolation": ("bicubic", "bilinear"), "resize_mode": ("shortest", "longest", "squash"),
    }  # fmt: skip
    out = {k: v for k, v in found.items() if v is not None and k in ("mean", "std", "size", "fill_color", *known)}
    for key, accepted in known.items():
        if key in out and out[key] not in accepted:
            raise InputError("load", f"{source} with {key}={out[key]!r}", ", ".join(accepted), "correct the config")
    for key in ("mean", "std"):
        if key in out:
            out[key] = three_numbers(out[key], f"{source} with {key}", above_zero=key == "std")
    if "size" in out:
        size = out["size"]
        pair = [size, size] if type(size) is int else size
        if not _fits(pair, tuple[int, int]) or min(pair) <= 0:
            given = f"{source} with preprocess_cfg.size={size!r}"
            raise InputError("load", given, "a whole number above 0, or two (height, width)", "correct the config")
        out["size"] = tuple(pair)
    return out


def three_numbers(value: Any, given: str, above_zero: bool) -> tuple[float, ...]:
    """A number a colour channel, from JSON."""
    fine = isinstance(value, list | tuple) and len(value) == 3 and all(_fits(n, float) for n in value)
    if not fine or (above_zero and min(value) <= 0):
        accepted = "three numbers" + (" above 0" if above_zero else "")
        raise InputError("load", f"{given}={value!r}", accepted, "correct the config")
    return tuple(float(n) for n in value)


@dataclass(frozen=True)
class Claims:
    """What lies beside the weights of a checkpoint. source: in words; model: an open_clip model_cfg; preprocess: the
    settings found; quick_gelu: None where nothing is said; name: the open_clip name of a known download.
    """

    source: str = ""
    model: dict[str, Any] | None = None
    preprocess: dict[str, Any] = field(default_factory=dict)
    quick_gelu: bool | None = None
    name: str | None = None


def claims_beside(path: Path) -> Claims | None:
    """The claims of an open_clip_config.json in a checkpoint's folder; None without one."""
    own = path.absolute().parent / "open_clip_config.json"
    if not own.is_file():
        return None
    config = read_config(own)
    model = check_config(config.get("model_cfg"), own.name)
    preprocess = check_preprocess(config.get("preprocess_cfg") or {}, own.name)
    return Claims(f"the {own.name} beside it", model, preprocess, model.get("quick_gelu", False))


def claims_of_tag(name: str, tag: str) -> Claims | None:
    """The claims of a pretrained tag in open_clip's table; None for a tag the table does not have."""
    import open_clip

    tagged, model = open_clip.get_pretrained_cfg(name, tag), open_clip.get_model_config(name)
    if not tagged or not model:
        return None
    preprocess = check_preprocess({k: tagged.get(k) for k in ("mean", "std", "interpolation", "resize_mode")}, tag)
    # a tag without the word was trained with the activation of the model it is listed under
    quick = bool(tagged.get("quick_gelu", model.get("quick_gelu", False)))
    return Claims(f"the weights {name}:{tag}", None, preprocess, quick, name)


def claims_of_download(path: Path, name: str | None) -> Claims | None:
    """The claims of the pretrained tag whose download has this file's name or folder; None for any other file.

    name: preferred where several models share the download.
    """
    import open_clip

    def is_it(tagged: dict[str, Any]) -> bool:
        file = PurePosixPath(urlsplit(str(tagged.get("url", ""))).path).name
        hub = str(tagged.get("hf_hub", "")).rpartition("/")[0]
        cache, repository = "models--" + hub.replace("/", "--"), hub.rpartition("/")[2]
        whole = path.absolute()
        return path.name == file or bool(hub and (repository in (path.stem, whole.parent.name) or cache in whole.parts))

    tags = [(n, t) for n, t in open_clip.list_pretrained() if is_it(open_clip.get_pretrained_cfg(n, t))]
    return claims_of_tag(*min(tags, key=lambda found: (found[0] != name, len(found[0])))) if tags else None


def claims_of_written(written: dict[str, Any]) -> Claims | None:
    """The claims in a checkpoint of `tk.save_checkpoint`, or of the tag or download that it says it was made from."""
    if type(written.get("quick_gelu")) is bool:
        source = "what tk.save_checkpoint wrote into it"
        preprocess = check_preprocess(written.get("preprocess") or {}, source)
        return Claims(source, preprocess=preprocess, quick_gelu=written["quick_gelu"])
    found = re.match(r"([^:,]+):([^,]+)", written.get("id", ""))
    return (claims_of_tag(found[1], found[2]) or claims_of_download(Path(found[2]), found[1])) if found else None


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
    if not _fits(factor, float) or factor <= 0:
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
