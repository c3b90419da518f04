"""Models by name through open_clip, and from local checkpoints."""

from __future__ import annotations

import re
import socket
import warnings
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch

from toolkit.errors import InputError, MissingWeightsError
from toolkit.models.catalogue import refuse_named
from toolkit.models.checkpoints import build, fill, prepare, read_state, written_facts
from toolkit.models.claims import (
    Claims,
    activation,
    claims_beside,
    claims_of_download,
    claims_of_tag,
    claims_of_written,
)
from toolkit.models.folders import claims_of_folder, from_folder, local_tokenizer
from toolkit.models.model import Model, check_device, wrap
from toolkit.models.processors import Tokenizer
from toolkit.models.torchscript import (
    FACTS,
    activation_of,
    architecture,
    differences,
    is_torchscript,
    looks_like,
    model_names,
    way_on,
)
from toolkit.models.words import tell

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp64": torch.float64}
_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


def load_open_clip(
    name: str | Path | None,
    pretrained: str | None = None,
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    precision: str = "fp32",
) -> Model:
    """A model by open_clip name with a pretrained tag or a local checkpoint, or from a file or folder alone. See
    `toolkit.load`.
    """
    target = check_device(device, "load")
    if precision not in PRECISIONS:
        raise InputError("load", f"precision={precision!r}", ", ".join(PRECISIONS), "pass one of these")
    name, pretrained, checkpoint = _given(name, pretrained, checkpoint)
    if name is not None and Path(name).is_dir():
        clip, tokenizer, claims = from_folder(Path(name))
        placed = _placed(clip, target, precision)
        return _claimed(wrap(placed, tokenizer=tokenizer, name=Path(name).absolute().name), claims)
    if name is not None:
        _known(name)
    if checkpoint is not None:
        clip, tokenizer, claims = _from_file(name, checkpoint)
        own = written_facts(checkpoint).get("id") or ":".join(filter(None, (name, checkpoint.name)))
        return _claimed(wrap(_placed(clip, target, precision), tokenizer=tokenizer, name=own), claims)
    assert name is not None
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
    clip = _placed(_pretrained(name, pretrained), target, precision)
    found = wrap(clip, tokenizer=_named_tokenizer(name), name=f"{name}:{pretrained}")
    return _claimed(found, claims_of_tag(name, pretrained))


def claims_of(checkpoint: str | Path, operation: str) -> Claims:
    """What is said about weights: an open_clip "name:tag", or the path of their file or folder.

    Raises InputError for a tag that open_clip does not have, and what `read_state` raises for files.
    """
    path = Path(checkpoint).expanduser()
    if path.is_dir():
        return claims_of_folder(path)
    if path.is_file():
        return _claims(None, path, read_state(path))
    name, _, tag = str(checkpoint).partition(":")
    found = claims_of_tag(name, tag) if tag else None
    if found is None:
        accepted = 'an open_clip "name:tag", or the path of a weight file or folder'
        raise InputError(operation, f"checkpoint={str(checkpoint)!r}", accepted, "name what the weights are")
    return found


def _claimed(model: Model, claims: Claims | None) -> Model:
    """A model that knows what is said of its weights."""
    model.claims = claims
    return model


def _given(
    name: Any, pretrained: str | None, checkpoint: str | Path | None
) -> tuple[str | None, str | None, Path | None]:
    """The arguments in one form: a weight file is the checkpoint, whichever argument named it."""
    if not isinstance(name, str | Path | None):
        given = f"name={name!r}"
        raise InputError("load", given, "an open_clip name, a file or a folder, as a string", "pass such a name")
    name = None if name is None else str(name).removeprefix("local-dir:")
    if pretrained and checkpoint is None and Path(pretrained).suffix and Path(pretrained).exists():
        pretrained, checkpoint = None, pretrained
    for what, value in (("name", name), ("checkpoint", checkpoint)):
        if not isinstance(value, str | Path | None):
            given = f"{what} of type {type(value).__name__}"
            raise InputError("load", given, "the path of a file", "save it first: torch.save(state_dict, path)")
        if value is not None and re.match(r"[a-z0-9+]{2,}://", str(value), re.IGNORECASE):
            given = f"the address {str(value)!r}"
            raise InputError("load", given, "a file on this machine", "download it, and pass its path")
    if name is not None and (Path(name).exists() or Path(name).suffix in _SUFFIXES):
        if pretrained or checkpoint:
            kind = "folder" if Path(name).is_dir() else "file"
            given = f"the {kind} {name!r} and other weights"
            raise InputError("load", given, f"a {kind} alone", "leave pretrained and checkpoint out")
        if not Path(name).is_dir():
            name, checkpoint = None, name
    if pretrained and checkpoint is not None:
        raise InputError(
            "load", f"pretrained={pretrained!r} and checkpoint={str(checkpoint)!r}", "one of them", "leave one out"
        )
    return name, pretrained, None if checkpoint is None else Path(checkpoint).expanduser()


def _known(name: str) -> None:
    import open_clip

    scheme, _, rest = name.partition(":")
    known = name.replace("/", "-") in open_clip.list_models()
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not known:
        name, scheme, rest = f"hf-hub:{name}", "hf-hub", name
    if scheme == "hf-hub" and rest:
        made = f"clip, preprocess = open_clip.create_model_from_pretrained({name!r})"
        fix = f"{made}; tk.wrap(clip, preprocess, open_clip.get_tokenizer({name!r}))"
        raise InputError("load", f"{name!r}, a place on the hub", "open_clip names, files and folders", fix)

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


def _pretrained(name: str, tag: str) -> Any:
    """A tag's weights under the tag's activation; open_clip itself warns of a mismatch and builds the name's."""
    import open_clip

    found, name = cached_file(name, tag), name.replace("/", "-")
    if found and Path(found).parent == _url_cache():  # open_clip would ask the hub for the same weights first
        return _from_file(name, Path(found))[0]
    if not found:
        refuse_named(name)  # before a download that could not be used
    if not found and not _reachable(name, tag):
        raise _missing(name, tag)
    config, claims = open_clip.get_model_config(name) or {}, claims_of_tag(name, tag)
    own = config.get("quick_gelu", False)
    changed = {"quick_gelu": claims.quick_gelu} if claims and claims.quick_gelu != own else {}
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "QuickGELU mismatch")
            clip = open_clip.create_model(name, pretrained=tag, weights_only=True, **changed).eval()
    except Exception as error:  # open_clip wraps every failure of a download in a RuntimeError of its own
        if not cached_file(name, tag):
            raise _missing(name, tag) from error
        given = f"{name}:{tag}, which is cached but cannot be loaded ({error})"
        raise InputError("load", given, "an intact download", "delete it from the cache and fetch it again") from error
    if changed:
        _tell_activation(name, tag, "open_clip's table", not own)
    return clip


def _tell_activation(name: str, weights: str, source: str, used: bool) -> None:
    said = f"{name} has {activation(not used)}, but {weights} was trained with {activation(used)} (by {source})"
    tell(f"{said}: {activation(used)} is used")


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
    local = _url_cache() / Path(url).name
    return str(local) if url and local.is_file() else None


def _url_cache() -> Path:
    return Path("~/.cache/clip").expanduser()


def cached() -> list[tuple[str, str]]:
    """Every (name, tag) whose weights are in the local caches."""
    import open_clip

    return [(name, tag) for name, tag in open_clip.list_pretrained() if cached_file(name, tag)]


def _from_file(name: str | None, path: Path) -> tuple[Any, Tokenizer | None, Claims]:
    """The model of a weight file, its tokenizer and what is said of it, with what lies beside the weights put to use
    and contradictions told.
    """
    state = read_state(path)
    claims = _claims(name, path, state)
    named, source = (name, name) if name else (claims.name, path.name)
    config = _named_config(name) if name else _unnamed_config(path, state, claims)
    if claims.quick_gelu not in (None, config.get("quick_gelu", False)):
        quick = bool(claims.quick_gelu)
        if name:
            _tell_activation(name, path.name, claims.source, quick)
        config = config | {"quick_gelu": quick}
    clip = build(config, source, path.parent)
    fill(clip, state, path.name)
    found = differences(config, claims.model) if name and claims.model else []
    if found and claims.model:
        listed = "; ".join(f"{key} {mine!r}, there {theirs!r}" for key, mine, theirs in found[:4])
        tell(f"{name} and {claims.source} differ ({listed}): the values there are used")
        config = claims.model | {"quick_gelu": config.get("quick_gelu", False)}
        clip = build(config, claims.source, path.parent)
        fill(clip, state, f"{path.name}, under {claims.source},")
    prepare(clip, claims.preprocess, claims.source)
    local = claims.model and "hf_tokenizer_name" in claims.model["text_cfg"]
    return clip, (local_tokenizer(path.parent) if local else _named_tokenizer(named) if named else None), claims


def _claims(name: str | None, path: Path, state: dict[str, Any]) -> Claims:
    """What is said about a weight file: by a config beside it, its name, its program, or the facts in it."""
    written, beside = claims_of_written(written_facts(path)), claims_beside(path)
    own = written if written and written.preprocess else None
    if own and beside:  # the file's own facts, on the architecture that lies beside it
        pairs = [("quick_gelu", own.quick_gelu, beside.quick_gelu)]
        pairs += [(key, value, beside.preprocess.get(key, value)) for key, value in own.preprocess.items()]
        differ = ", ".join(f"{key} {mine!r} and {other!r}" for key, mine, other in pairs if mine != other)
        if differ:
            tell(f"{own.source} and {beside.source} differ for {path.name} ({differ}): the first is used")
        own = replace(own, model=beside.model)
    found = own or beside or claims_of_download(path, name) or written
    shaped = architecture(state)
    if found and found.name and shaped and found.name not in model_names(shaped):
        tell(f"{path.name} is named like {found.source}, but its tensors are not of {found.name}: the name is ignored")
        found = None
    program = activation_of(path) if is_torchscript(path) else None
    if program is None:
        return found or (Claims("OpenAI's format", quick_gelu=True) if state.keys() & FACTS else Claims())
    if found and found.quick_gelu not in (None, program):
        said, used = activation(not program), activation(program)
        tell(f"by {found.source}, {path.name} has {said}, but the program in it computes {used}: {used} is used")
    return replace(found or Claims(f"the program in {path.name}"), quick_gelu=program)


def _named_config(name: str) -> dict[str, Any]:
    import open_clip

    return dict(open_clip.get_model_config(name.replace("/", "-")))


def _unnamed_config(path: Path, state: dict[str, Any], claims: Claims) -> dict[str, Any]:
    """The model_cfg of a file alone: the one beside it, that of the known download, or what the shapes tell."""
    if claims.model or claims.name:
        return claims.model or _named_config(str(claims.name))
    fix = f"name it: tk.load(name, checkpoint={path.name!r})"
    config = architecture(state)
    if config is None:
        looks = looks_like(state)
        given = f"{path.name} alone, whose architecture its tensors do not tell" + (
            f" (it looks like {looks})" * bool(looks)
        )
        raise InputError("load", given, "a CLIP with OpenAI's names, or a config beside the file", way_on(state) or fix)
    _with_heads(config, claims, path)
    names = model_names(config)
    other = [differences(config, _named_config(name)) for name in names]
    if names and all(other):
        given = f"{path.name} alone, with the shapes of {names[0]}, which is not OpenAI's ({other[0][0][0]})"
        raise InputError("load", given, f"a file with its name, such as {' or '.join(map(repr, names[:2]))}", fix)
    other_size = [] if names or claims.quick_gelu is not None else model_names(config, any_size=True)
    if other_size:
        size = config["vision_cfg"]["image_size"]
        given = f"{path.name} alone, with the shapes of {other_size[0]} for images of {size} pixels"
        fix = f"open_clip.create_model({other_size[0]!r}, pretrained=path, force_image_size={size}), passed to tk.wrap"
        raise InputError("load", given, "a file whose activation is known: its size goes with no name", fix)
    if claims.quick_gelu is None:
        also = f", or {' or '.join(map(repr, names[:2]))}" if names else ""
        tell(
            f"nothing says which activation {path.name} was trained with: QuickGELU is used, as in OpenAI's models;"
            f" name the architecture to choose{also}"
        )
    return config


def _with_heads(config: dict[str, Any], claims: Claims, path: Path) -> None:
    """Put the numbers of heads that a file tells into a config made from shapes, which assumes heads of 64."""
    for part, heads in zip(("vision_cfg", "text_cfg"), claims.heads, strict=True):
        own = config[part]
        if heads is None or isinstance(own["layers"], list):
            continue
        if own["width"] % heads:
            given = f"{path.name}, which says {heads} heads for a {part[:-4]} tower of width {own['width']}"
            raise InputError("load", given, "a number that divides it", "write the checkpoint again")
        if part == "text_cfg":
            own["heads"] = heads
        elif own["width"] // heads != 64:
            own["head_width"] = own["width"] // heads


def _named_tokenizer(name: str) -> Tokenizer | None:
    import open_clip

    try:
        found: Tokenizer = open_clip.get_tokenizer(name)
    except Exception:  # noqa: BLE001 – a tokenizer that would have to be fetched; encode_text then says what is missing
        return None
    return found


def _placed(clip: Any, device: torch.device, precision: str) -> Any:
    return clip.to(device=device, dtype=PRECISIONS[precision])
