"""`tk.load`: a model by name, from a file or folder, or the built-in one."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import InputError
from toolkit.models.loading import PRECISIONS, load_open_clip
from toolkit.models.model import Model, check_device, wrap


def load(
    name: str | None = None,
    pretrained: str | None = None,
    *,
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    precision: str = "fp32",
) -> Model:
    """A model ready to be taken apart.

    name: an open_clip name ("ViT-L-14"), a folder (open_clip's or a Hugging Face CLIP's), or None (default): the
    built-in model, which needs no network and no GPU. pretrained: an open_clip tag ("laion2b_s32b_b82k"); what is not
    cached is downloaded. checkpoint: a local .safetensors or .pt state dict instead; nothing in it is ever executed.
    device: "cpu" (default), "cuda" …; precision: "fp32" (default), "bf16", "fp16", "fp64".

    Raises InputError (unknown name, tag or file of another model), MissingWeightsError (not cached and no network; it
    names what is cached), UnsupportedModelError (no exact decomposition), DeviceError (no such device).

    >>> import toolkit as tk
    >>> tk.load().card.layers
    4
    """
    if name is not None:
        return load_open_clip(name, pretrained, checkpoint, device, precision)
    if pretrained or checkpoint:
        raise InputError(
            "load",
            "weights without a model name",
            "name= with pretrained= or checkpoint=",
            'name the architecture, for example "ViT-B-32"',
        )
    if precision not in PRECISIONS:
        raise InputError("load", f"precision={precision!r}", ", ".join(PRECISIONS), "pass one of these")
    target = check_device(device, "load")
    from toolkit.organism.model import MEAN, STD, load_clip

    clip, tokenizer, provenance = load_clip()
    clip.visual.preprocess_cfg = {"mean": MEAN, "std": STD}
    clip = clip.to(device=target, dtype=PRECISIONS[precision])
    return wrap(clip, tokenizer=tokenizer, name=f"built-in world model, seed {provenance['seed']}")
