"""Models from folders: open_clip's and Hugging Face's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.errors import InputError
from toolkit.models.checkpoints import build, fill, from_huggingface, prepare, read_weights, weights_in
from toolkit.models.claims import Claims
from toolkit.models.configs import check_config, check_preprocess, model_config, read_config
from toolkit.models.huggingface_files import huggingface_config, huggingface_preprocess
from toolkit.models.processors import Tokenizer
from toolkit.models.words import tell

_TOKENIZERS = (
    "tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model",
    "sentencepiece.bpe.model",
)  # fmt: skip


def claims_of_folder(folder: Path) -> Claims:
    """What the config of an open_clip folder or a Hugging Face CLIP folder says of its weights."""
    return _described(folder)[1]


def from_folder(folder: Path) -> tuple[Any, Tokenizer | None, Claims]:
    """The model of an open_clip folder or a Hugging Face CLIP folder, its tokenizer where it has one, and what its
    config says.
    """
    own, other = folder / "open_clip_config.json", folder / "config.json"
    arguments, claims = _described(folder)
    tokenizer = None
    if own.is_file():
        if other.is_file() and "model_type" in read_config(other):
            tell(f"the folder {folder.name!r} has {own.name} and {other.name}: {own.name} is used")
        state = read_weights(weights_in(folder))
        state = from_huggingface(state) if "visual_projection.weight" in state else state
        tokenizer = local_tokenizer(folder) if "hf_tokenizer_name" in arguments["text_cfg"] else None
    else:
        state = from_huggingface(read_weights(weights_in(folder, huggingface=True)))
    clip = build(arguments, folder.name, folder)
    fill(clip, state, folder.name)
    prepare(clip, claims.preprocess, claims.source)
    return clip, tokenizer, claims


def _described(folder: Path) -> tuple[dict[str, Any], Claims]:
    """The model_cfg of a folder, and what its config says of activation and preprocess."""
    own, other = folder / "open_clip_config.json", folder / "config.json"
    if own.is_file():
        config = read_config(own)
        arguments = check_config(model_config(config), own.name)
        preprocess, source = check_preprocess(config.get("preprocess_cfg") or {}, own.name), own.name
    elif other.is_file():
        arguments, preprocess = huggingface_config(folder), huggingface_preprocess(folder)
        source = "the image processor's config"
    else:
        raise InputError(
            "load",
            f"the folder {folder.name!r} without a config",
            "open_clip_config.json or config.json beside the weights",
            "point to the folder that holds them",
        )
    return arguments, Claims(source, preprocess=preprocess, quick_gelu=bool(arguments.get("quick_gelu", False)))


def local_tokenizer(folder: Path) -> Tokenizer | None:
    """The Hugging Face tokenizer of an open_clip folder; None, told, where it is not there."""
    import open_clip

    if not any((folder / file).is_file() for file in _TOKENIZERS):
        tell(f"the folder {folder.name!r} has no tokenizer beside its config, so the model encodes images only")
        return None
    for file in ("tokenizer_config.json", "config.json"):
        if (folder / file).is_file() and "auto_map" in read_config(folder / file):
            given = f"the folder {folder.name!r}, whose {file} names code of its own (auto_map)"
            raise InputError(
                "load", given, "a tokenizer that needs no code", "wrap the model: tk.wrap(clip, tokenizer=…)"
            )
    try:
        found: Tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    except Exception as error:
        given = f"the folder {folder.name!r} with a tokenizer that cannot be read ({error})"
        raise InputError("load", given, "the files of a Hugging Face tokenizer", "fetch them again") from error
    return found
