"""Models by name through open_clip, and from local checkpoints."""

from __future__ import annotations

import copy
import socket
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch

from toolkit.errors import InputError, MissingWeightsError
from toolkit.models.checkpoints import (
    fill,
    from_huggingface,
    huggingface_config,
    huggingface_preprocess,
    read_config,
    read_state,
    weights_in,
    written_name,
)
from toolkit.models.model import Model, check_device, wrap

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp64": torch.float64}


def load_open_clip(
    name: str,
    pretrained: str | None = None,
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    precision: str = "fp32",
) -> Model:
    """A model by open_clip name with a pretrained tag or a local checkpoint, or from a folder. See `toolkit.load`."""
    if not isinstance(name, str):
        raise InputError("load", f"name={name!r}", "an open_clip name or a folder, as a string", "pass such a name")
    target = check_device(device, "load")
    if precision not in PRECISIONS:
        raise InputError("load", f"precision={precision!r}", ", ".join(PRECISIONS), "pass one of these")
    if pretrained and checkpoint is None and Path(pretrained).suffix and Path(pretrained).exists():
        pretrained, checkpoint = None, pretrained
    if Path(name).is_dir():
        if pretrained or checkpoint:
            raise InputError(
                "load",
                f"the folder {name!r} and other weights",
                "a folder alone",
                "leave pretrained and checkpoint out",
            )
        return _folder(Path(name), target, precision)
    _known(name)
    if checkpoint is not None:
        if pretrained:
            raise InputError(
                "load", f"pretrained={pretrained!r} and checkpoint={str(checkpoint)!r}", "one of them", "leave one out"
            )
        state = read_state(Path(checkpoint))
        clip = _create(name)
        fill(clip, state, Path(checkpoint).name)
        own = written_name(Path(checkpoint)) or f"{name}:{Path(checkpoint).name}"
        return _finish(clip, name, own, target, precision)
    if not pretrained:
        raise InputError(
            "load",
            f"{name!r} without weights",
            f"pretrained= one of {', '.join(_tags(name)) or 'none known'}; or checkpoint= a file",
            "name the weights; tk.load() gives the built-in model",
        )
    if pretrained not in _tags(name):
        near = get_close_matches(pretrained, _tags(name), 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise InputError(
            "load",
            f"pretrained={pretrained!r} for {name}{hint}",
            ", ".join(_tags(name)) or "no tag: pass checkpoint=",
            "pass one of these, or checkpoint= a file",
        )
    return _finish(_pretrained(name, pretrained), name, f"{name}:{pretrained}", target, precision)


def _known(name: str) -> None:
    import open_clip

    if name.replace("/", "-") not in open_clip.list_models():
        near = get_close_matches(name, open_clip.list_models(), 3, 0.5)
        raise InputError(
            "load",
            f"the model name {name!r}",
            "a name in open_clip.list_models(), or a folder",
            f"did you mean {', '.join(near)}?" if near else "list the names with open_clip.list_models()",
        )


def _tags(name: str) -> list[str]:
    import open_clip

    return list(open_clip.list_pretrained_tags_by_model(name.replace("/", "-")))


def _create(name: str) -> Any:
    import open_clip

    with torch.random.fork_rng(devices=[]):
        return open_clip.create_model(name, pretrained=None, pretrained_text=False).eval()


def _pretrained(name: str, tag: str) -> Any:
    import open_clip

    if not cached_file(name, tag) and not _reachable(name, tag):
        raise _missing(name, tag)
    try:
        with torch.random.fork_rng(devices=[]):
            return open_clip.create_model(name, pretrained=tag, weights_only=True).eval()
    except Exception as error:  # open_clip wraps every failure of a download in a RuntimeError of its own
        if not cached_file(name, tag):
            raise _missing(name, tag) from error
        given = f"{name}:{tag}, which is cached but cannot be loaded ({error})"
        raise InputError("load", given, "an intact download", "delete it from the cache and fetch it again") from error


def _missing(name: str, tag: str) -> MissingWeightsError:
    have = cached()
    listed = ", ".join(f"{n}:{t}" for n, t in have[:8]) or "nothing"
    return MissingWeightsError(
        "load",
        f"{name}:{tag}, which is not cached and could not be downloaded",
        f"cached here: {listed}; or a file with checkpoint=; or tk.load(), the built-in model, which needs no network",
        "connect to the network once, or copy the file over and pass checkpoint=",
    )


def _reachable(name: str, tag: str) -> bool:
    """Whether the host that has a tag's weights can be looked up; the hub's client would retry for a minute first."""
    import open_clip
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if getproxies():
        return True
    config = open_clip.get_pretrained_cfg(name.replace("/", "-"), tag) or {}
    address = constants.ENDPOINT if config.get("hf_hub") else str(config.get("url", ""))
    try:
        return bool(socket.getaddrinfo(urlsplit(address).hostname, 443))
    except OSError:
        return False


def cached_file(name: str, tag: str) -> str | None:
    """The path of a pretrained tag's weights in the local caches, or None; never touches the network."""
    import open_clip
    from huggingface_hub import try_to_load_from_cache

    config = open_clip.get_pretrained_cfg(name.replace("/", "-"), tag) or {}
    hub, _, file = str(config.get("hf_hub", "")).rpartition("/")
    for filename in ([file] if file else ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"]) if hub else []:
        found = try_to_load_from_cache(hub, filename)
        if isinstance(found, str):
            return found
    url = config.get("url", "")
    local = Path("~/.cache/clip").expanduser() / Path(url).name
    return str(local) if url and local.is_file() else None


def cached() -> list[tuple[str, str]]:
    """Every (name, tag) whose weights are in the local caches."""
    import open_clip

    return [(name, tag) for name, tag in open_clip.list_pretrained() if cached_file(name, tag)]


def _folder(folder: Path, device: torch.device, precision: str) -> Model:
    import open_clip

    own = folder / "open_clip_config.json"
    if own.is_file():
        config = read_config(own)
        arguments, preprocess = config.get("model_cfg"), config.get("preprocess_cfg", {})
        if not isinstance(arguments, dict) or not {"embed_dim", "vision_cfg", "text_cfg"} <= arguments.keys():
            given = f"{own.name} without a model_cfg of embed_dim, vision_cfg and text_cfg"
            raise InputError("load", given, "the config open_clip writes beside its weights", "fetch it again")
        state = read_state(weights_in(folder))
    elif (folder / "config.json").is_file():
        arguments, preprocess = huggingface_config(folder), huggingface_preprocess(folder)
        state = from_huggingface(read_state(weights_in(folder)))
    else:
        raise InputError(
            "load",
            f"the folder {folder.name!r} without a config",
            "open_clip_config.json or config.json beside the weights",
            "point to the folder that holds them",
        )
    arguments = copy.deepcopy(arguments)
    if "multimodal_cfg" in arguments:
        raise InputError(
            "load", f"the folder {folder.name!r} of a CoCa model", "a CLIP", "choose a model without captioner"
        )
    arguments["text_cfg"] |= {"hf_model_pretrained": False} if "hf_model_name" in arguments["text_cfg"] else {}
    custom = arguments.pop("custom_text", False) or "hf_model_name" in arguments.get("text_cfg", {})
    with torch.random.fork_rng(
        devices=[]
    ):  # the random start is overwritten, and must not cost the user's random state
        clip = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**arguments).eval()
    fill(clip, state, folder.name)
    clip.visual.preprocess_cfg = {"size": clip.visual.image_size, **preprocess}
    tokenizer = (
        open_clip.get_tokenizer(f"local-dir:{folder}")
        if own.is_file() and "hf_tokenizer_name" in arguments["text_cfg"]
        else None
    )
    return wrap(_placed(clip, device, precision), tokenizer=tokenizer, name=folder.name)


def _finish(clip: Any, name: str, label: str, device: torch.device, precision: str) -> Model:
    import open_clip

    tokenizer: Callable[..., Any] | None
    try:
        tokenizer = open_clip.get_tokenizer(name)
    except Exception:  # noqa: BLE001 – a tokenizer that would have to be fetched; encode_text then says what is missing
        tokenizer = None
    return wrap(_placed(clip, device, precision), tokenizer=tokenizer, name=label)


def _placed(clip: Any, device: torch.device, precision: str) -> Any:
    return clip.to(device=device, dtype=PRECISIONS[precision])
