"""Checks of a model: its parts, its preprocess, its activation, its tokenizer, and batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from toolkit.api.doctor.checkup import Verdict
from toolkit.api.doctor.patient import Patient, made_up
from toolkit.api.images.decompose import decompose
from toolkit.data.choice import first_three
from toolkit.errors import ToolkitError
from toolkit.models.claims import activation, computes_quick
from toolkit.models.own_preprocess import OwnPreprocess
from toolkit.models.processors import as_preprocess

Said = tuple[Verdict, str, str]
"""A verdict, what was seen, and what to do (may be empty)."""
SAME_PIXELS = 0.12
"""Largest mean difference of normalised pixels that another way to resize explains."""
BATCH = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 6e-2}
"""Largest difference of unit embeddings that another order of the same sums explains, by weight type."""
WITH_CHECKPOINT = 'name what the weights are: checkpoint="ViT-B-32:openai", or the path of their file'
TEXTS = 200
"""Texts of a class set that are read back."""


def parts(patient: Patient) -> Said:
    """Whether the parts sum to the embedding."""
    pictures, what = patient.few
    model = patient.model
    try:
        found = decompose(model, pictures)
    except ToolkitError as error:
        return "wrong", f"on {what}: {error.given}", error.fix
    precision = model.card.precision
    if precision in ("float16", "bfloat16"):
        given = f"{found.error:.1e} relative on {what}, as {precision} rounds"
        return "warning", given, 'load it with precision="fp32"'
    return "ok", f"to {found.error:.1e} relative on {what}, in {precision}", ""


def preprocess(patient: Patient) -> Said:
    """Whether the preprocess gives one result, and the one the checkpoint was trained with."""
    model, card = patient.model, patient.model.card
    own = isinstance(model.preprocess, OwnPreprocess)
    try:
        if not own:
            as_preprocess(model.preprocess, card.image_size)
    except ToolkitError as error:
        return "wrong", error.given, error.fix
    claimed = dict(patient.claims.preprocess) if patient.claims else {}
    attached = getattr(model.clip.visual, "preprocess_cfg", None) or {}
    source = patient.claims.source if patient.claims and claimed else "the config attached to the model"
    stated = claimed or dict(attached)
    if not stated.get("mean"):
        given = "it does the same every time; what the checkpoint wants is not known"
        return "not checked", given, WITH_CHECKPOINT
    for name, used in (("mean", card.mean), ("std", card.std)):
        wanted = stated.get(name)
        if wanted is not None and not np.allclose(used, wanted, atol=2e-3):
            given = f"{name} {_numbers(used)} where {source} says {_numbers(wanted)}"
            return "wrong", given, "leave preprocess out, or pass the one of this checkpoint"
    if own:
        return "ok", f"open_clip's own, as {source} says", ""
    picture = made_up(0, card.image_size)
    usual = OwnPreprocess(model.clip)(picture)
    apart = float((model.preprocess(picture) - usual).abs().mean())
    if apart > SAME_PIXELS:
        given = f"pixels {apart:.2f} apart on average from those of the model's own (another crop or resize)"
        return "warning", given, "leave preprocess out, or pass the one of this checkpoint"
    return "ok", f"the same every time, as {source} says", ""


def activations(patient: Patient) -> Said:
    """Whether the model computes the activation it was trained with."""
    quick = computes_quick(patient.model.clip)
    claims = patient.claims
    if claims is None or claims.quick_gelu is None:
        given = f"it computes {activation(quick)}; nothing is said about what it was trained with"
        return "not checked", given, WITH_CHECKPOINT
    if quick != claims.quick_gelu:
        given = f"it computes {activation(quick)}, {claims.source} says {activation(not quick)}"
        return "wrong", given, f"build it with quick_gelu={not quick}, or load it with tk.load"
    return "ok", f"{activation(quick)}, as {claims.source} says", ""


def batches(patient: Patient) -> Said:
    """Whether an image's embedding depends on the images beside it."""
    model = patient.model
    pictures, what = patient.few
    together = model.encode_image(pictures)
    alone = torch.cat([model.encode_image([picture]) for picture in pictures])
    apart = float((_unit(together) - _unit(alone)).abs().max())
    if not apart <= BATCH[model.dtype]:
        given = f"one by one, the embeddings of {what} differ by {apart:.1e}"
        return "wrong", given, "put the model into eval mode, and take out what averages over a batch"
    return "ok", f"{what} together and one by one: {apart:.1e} apart", ""


def tokens(patient: Patient) -> Said:
    """Whether the class texts reach the model whole."""
    model, classes = patient.model, patient.classes
    if model.tokenizer is None:
        return "not checked", "the model has no tokenizer", "pass one: tk.wrap(clip, tokenizer=…)"
    if classes is None:
        return "not checked", "no classes", "pass classes=tk.classes([…])"
    if not any(classes.prompts):
        return "not checked", "the classes have vectors and no texts", ""
    texts = list(dict.fromkeys(prompt for prompts in classes.prompts for prompt in prompts))[:TEXTS]
    unknown = classes.unknown(model)
    if unknown:
        words = sorted({word for found in unknown.values() for word in found})
        return "wrong", f"words the model does not know: {first_three(words)}", "describe these classes in other words"
    ids, longer = model.tokenizer(texts), model.tokenizer([f"{text} {text}" for text in texts])
    cut = [text for text, own, more in zip(texts, ids, longer, strict=True) if torch.equal(own, more)]
    if cut:
        given = f"{len(cut)} of {len(texts)} texts are cut off after {ids.shape[1]} tokens: {first_three(cut)}"
        return "warning", given, "shorten them"
    back = _read_back(model.tokenizer, ids)
    if back is None:
        return "ok", f"none of {len(texts)} texts is cut off; this tokenizer cannot read tokens back", ""
    other = [text for text, read in zip(texts, back, strict=True) if _letters(text) not in _letters(read)]
    if other:
        given = f"{len(other)} of {len(texts)} texts come back as something else: {first_three(other)}"
        return "wrong", given, "pass the tokenizer of this checkpoint: tk.wrap(clip, tokenizer=…)"
    return "ok", f"{len(texts)} texts come back as they were written, none is cut off", ""


def _read_back(tokenizer: Any, ids: torch.Tensor) -> list[str] | None:
    """Tokens as texts; None where the tokenizer has no way back."""
    decode = getattr(tokenizer, "decode", None) or getattr(getattr(tokenizer, "tokenizer", None), "decode", None)
    if decode is None:
        return None
    try:
        return [str(decode([token for token in row if token > 0])) for row in ids.tolist()]
    except (KeyError, ValueError, TypeError, IndexError):
        return None


def _letters(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _unit(embeddings: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(embeddings.double(), dim=1)


def _numbers(values: Any) -> str:
    return "(" + ", ".join(f"{float(value):.3g}" for value in values) + ")"
