"""`tk.load`: a model by name, from a file or folder, or the built-in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.core.precision import full_precision
from toolkit.errors import InputError
from toolkit.models.claims import Claims, computes_quick
from toolkit.models.loading import PRECISIONS, load_open_clip
from toolkit.models.model import Model, check_device, wrap
from toolkit.waking import saying, waking

BUILT_IN = "built-in world model"
SHORT = "built-in"


@full_precision
def load(
    name: str | Path | None = None,
    pretrained: str | None = None,
    *,
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    precision: str = "fp32",
) -> Model:
    """A model ready to be taken apart.

    Activation and normalisation are those the weights were trained with, as far as an open_clip_config.json beside the
    file, the name of a known download or the archive tell; where that contradicts the name given, a ModelWarning says
    both and what is used. Nothing in a weight file is ever executed.

    Arguments:
        name: an open_clip name ("ViT-L-14"), a folder (open_clip's or a Hugging Face CLIP's) or a weight file; default
            the built-in model, which needs no network and no GPU; "built-in:home" and "built-in:mlps" are variants of
            it, in which the place decides the other classes too, and in which MLPs carry half of what the place says.
        pretrained: an open_clip tag ("laion2b_s32b_b82k"); what is not cached is downloaded; default none.
        checkpoint: a local .safetensors or .pt file instead, a state dict or a TorchScript archive as OpenAI released
            them; default none. With a file and no name, the architecture follows from the config beside the file, its
            name or its shapes.
        device: "cpu", "cuda" …; default "cpu".
        precision: "fp32", "bf16", "fp16" or "fp64"; default "fp32".

    Raises:
        InputError: for an unknown name or tag, or a file of another model.
        MissingWeightsError: where weights are not cached and there is no network; it names what is cached.
        UnsupportedModelError: for a model without an exact decomposition.
        DeviceError: where there is no such device.

    >>> import toolkit as tk
    >>> tk.load().card.layers
    4
    """
    variant = _variant(name)
    file = checkpoint is not None or (pretrained and Path(pretrained).is_file())
    if file or (name is not None and variant is None):
        with waking("open_clip"):
            import open_clip  # noqa: F401 – whatever is read from a file needs it
        what = " ".join(str(part) for part in (name, pretrained, checkpoint) if part)
        with saying(f"Loading {what}: weights of a gigabyte take some seconds …"):
            return _with_words(load_open_clip(name, pretrained, checkpoint, device, precision))
    if pretrained:
        given = "weights without a model name" if name is None else f"weights for {name!r}, which has its own"
        raise InputError(
            "load",
            given,
            "name= with pretrained=; checkpoint= or a weight file, with or without a name",
            'name the architecture, for example "ViT-B-32"',
        )
    if precision not in PRECISIONS:
        raise InputError("load", f"precision={precision!r}", ", ".join(PRECISIONS), "pass one of these")
    target = check_device(device, "load")
    from toolkit.organism.model import MEAN, STD, load_clip

    clip, tokenizer, provenance = load_clip(variant or "")
    clip.visual.preprocess_cfg = {"mean": MEAN, "std": STD}
    clip = clip.to(device=target, dtype=PRECISIONS[precision])
    found = wrap(clip, tokenizer=tokenizer, name=f"{BUILT_IN}, {_words(variant, provenance)}")
    found.claims = Claims("the built-in world", preprocess={"mean": MEAN, "std": STD}, quick_gelu=computes_quick(clip))
    return found


def _variant(name: Any) -> str | None:
    """The variant of the built-in model that a name means, "" for the model itself; None for another model. Raises
    InputError for a variant that is none.
    """
    short, _, variant = str(name).partition(":")
    if name is None or short != SHORT:
        return "" if name is None else None
    from toolkit.organism.model import VARIANTS

    if variant not in ("", *VARIANTS):
        listed = ", ".join(f'"{SHORT}:{one}"' for one in VARIANTS)
        raise InputError("load", f"name={name!r}", f'"{SHORT}", {listed}', "name one of these")
    return variant


def _words(variant: str | None, provenance: dict[str, Any]) -> str:
    seed = f"seed {provenance['seed']}"
    return f"variant {variant}, {seed}" if variant else seed


def _with_words(model: Model) -> Model:
    """A model read from a file that was made from the built-in one, with that one's tokenizer."""
    if not model.card.id.startswith(BUILT_IN):
        return model
    from toolkit.organism.model import WEIGHTS
    from toolkit.organism.tokenizer import WordTokenizer

    tokenizer = WordTokenizer.load(WEIGHTS / "tokenizer.json")
    if model.tokenizer is not None or getattr(model.clip, "vocab_size", None) != tokenizer.vocab_size:
        return model
    found = wrap(model.clip, tokenizer=tokenizer, name=model.card.id)
    found.claims = model.claims
    return found
