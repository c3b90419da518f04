"""What is said about a checkpoint's activation and preprocessing: beside it, in it, or in open_clip's table."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from toolkit.models.configs import check_config, check_preprocess, model_config, read_config


def computes_quick(clip: Any) -> bool:
    """Whether a model computes QuickGELU."""
    return any(type(module).__name__.startswith("QuickGELU") for module in clip.modules())


def activation(quick: bool) -> str:
    """The name of an activation."""
    return "QuickGELU" if quick else "GELU"


@dataclass(frozen=True)
class Claims:
    """What lies beside the weights of a checkpoint. source: in words; model: an open_clip model_cfg; preprocess: the
    settings found; quick_gelu: None where nothing is said; name: the open_clip name of a known download; heads: per
    layer of the image and the text tower, where they are said.
    """

    source: str = ""
    model: dict[str, Any] | None = None
    preprocess: dict[str, Any] = field(default_factory=dict)
    quick_gelu: bool | None = None
    name: str | None = None
    heads: tuple[int | None, int | None] = (None, None)


def claims_beside(path: Path) -> Claims | None:
    """The claims of an open_clip_config.json in a checkpoint's folder; None without one."""
    own = path.absolute().parent / "open_clip_config.json"
    if not own.is_file():
        return None
    config = read_config(own)
    model = check_config(model_config(config), own.name)
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
        said = written.get("heads")
        heads = tuple(n if type(n) is int and n > 0 else None for n in said) if isinstance(said, list) else ()
        return Claims(source, preprocess=preprocess, quick_gelu=written["quick_gelu"],
                      heads=(heads[0], heads[1]) if len(heads) == 2 else (None, None))  # fmt: skip
    found = re.match(r"([^:,]+):([^,]+)", written.get("id", ""))
    return (claims_of_tag(found[1], found[2]) or claims_of_download(Path(found[2]), found[1])) if found else None
