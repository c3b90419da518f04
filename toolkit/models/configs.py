"""Configurations that lie beside a model's weights, checked before a model is made from them."""

from __future__ import annotations

import json
import math
import typing
from collections.abc import Mapping
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from toolkit.errors import InputError

_ABOVE_ZERO = {
    "embed_dim", "layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size", "attn_pooler_queries",
    "attn_pooler_heads", "context_length", "vocab_size", "heads",
}  # fmt: skip
_TOP = {
    "embed_dim": int, "quick_gelu": bool, "custom_text": bool, "init_logit_scale": float,
    "init_logit_bias": float | None, "nonscalar_logit_scale": bool, "output_dict": bool,
}  # fmt: skip

TOKENIZER_OPTIONS = {"clean", "strip_sep_token", "language", "tokenizer_mode", "context_length", "reduction_mask"}
"""What a file may ask of a tokenizer: the rest is handed on to a library that could be told to run code."""


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object from a file; InputError where it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(
            "load", f"{path.name}, which is no JSON ({error})", "a model's config", "fetch it again"
        ) from error
    if not isinstance(content, dict):
        raise InputError("load", f"{path.name}, which is no JSON object", "a model's config", "fetch it again")
    return content


def model_config(content: dict[str, Any]) -> Any:
    """The model_cfg in the content of an open_clip_config.json; the content itself where it is no more than that, as in
    the files that open_clip has of its own architectures.
    """
    return content if "embed_dim" in content and "model_cfg" not in content else content.get("model_cfg")


def check_config(config: Any, source: str) -> dict[str, Any]:
    """An open_clip model_cfg, as it is; InputError, naming the setting, for one from which no model can be made."""
    import timm
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
    options = config["text_cfg"].get("tokenizer_kwargs") or {}
    if set(options) - TOKENIZER_OPTIONS:
        given = f"{source} with text_cfg.tokenizer_kwargs {', '.join(sorted(set(options) - TOKENIZER_OPTIONS))}"
        fix = "take them out; wrap the model with a tokenizer of your own if it needs them"
        raise InputError("load", given, ", ".join(sorted(TOKENIZER_OPTIONS)), fix)
    vision, text = asdict(CLIPVisionCfg(**config["vision_cfg"])), asdict(CLIPTextCfg(**config["text_cfg"]))
    plain = not vision["timm_model_name"] and not isinstance(vision["layers"], list | tuple)
    timm_name = vision["timm_model_name"]
    if timm_name and not timm.is_model(timm_name):
        given = f"{source} with vision_cfg.timm_model_name={timm_name!r}"
        raise InputError("load", given, "a name in timm.list_models()", "correct the config, or update timm")
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
        if not fits(value, hints[key]) or (positive and not all(n > 0 for n in numbers)):
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


def fits(value: Any, hint: Any) -> bool:
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return isinstance(value, list | tuple) and len(value) == len(inner) and all(map(fits, value, inner))
    if inner and typing.get_origin(hint) is not dict:
        return any(fits(value, one) for one in inner)
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
        if not fits(pair, tuple[int, int]) or min(pair) <= 0:
            given = f"{source} with preprocess_cfg.size={size!r}"
            raise InputError("load", given, "a whole number above 0, or two (height, width)", "correct the config")
        out["size"] = tuple(pair)
    return out


def three_numbers(value: Any, given: str, above_zero: bool) -> tuple[float, ...]:
    """A number a colour channel, from JSON."""
    fine = isinstance(value, list | tuple) and len(value) == 3 and all(fits(n, float) for n in value)
    if not fine or (above_zero and min(value) <= 0):
        accepted = "three numbers" + (" above 0" if above_zero else "")
        raise InputError("load", f"{given}={value!r}", accepted, "correct the config")
    return tuple(float(n) for n in value)
