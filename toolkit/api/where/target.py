"""What a map explains: a direction in the joint space, from texts, classes or vectors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.data.classes import ClassSet
from toolkit.errors import InputError
from toolkit.models.model import Model

LONGEST = 2.001
"""The largest norm of a difference of two unit vectors, and rounding."""
KEPT = 512
"""Texts whose vectors are remembered for a model."""
_ENCODED: WeakKeyDictionary[Model, OrderedDict[tuple[str, str], Tensor]] = WeakKeyDictionary()
ACCEPTED = "a text, a vector [d], or the name of a class with against=tk.classes(…)"


@dataclass(frozen=True)
class Target:
    """direction [d]: what embeddings are multiplied with. words: the same for people. contrast: whether something is
    taken away from the text. text, against: as given, where they were texts.
    """

    direction: Tensor
    words: str
    contrast: bool
    text: str = ""
    against: tuple[str, ...] = ()

    @property
    def array(self) -> NDArray[np.float64]:
        """The direction as float64 numbers."""
        return np.asarray(self.direction.detach().double().cpu().numpy())


def target_of(model: Model, text: Any, against: Any, operation: str) -> Target:
    """The direction of a text, of a text minus another (or the mean of several), or of a class minus the mean of the
    other classes of a set.

    text: a text, a vector [d], or with a class set as `against` one of its classes. against: None, a text, a list of
    texts, a vector [d], or a class set. Raises InputError for empty texts, for texts longer than the context, for
    vectors of another size.
    """
    if isinstance(against, ClassSet):
        at = against.index(text)
        if len(against) < 2:
            raise InputError(operation, "a class set of one class", "two classes or more", "pass against=None")
        vectors = _fits(against.vectors(model), model, operation)
        others = torch.cat([vectors[:at], vectors[at + 1 :]]).mean(0)
        name = against.names[at]
        rest = tuple(n for n in against.names if n != name)
        words = f"“{name}” − “{rest[0]}”" if len(rest) == 1 else f"“{name}” − mean of the other {len(rest)} classes"
        return Target(vectors[at] - others, words, True, name, rest)
    direction, words = _one(model, text, operation, "text")
    texts = text if isinstance(text, str) else ""
    if against is None:
        return Target(direction, words, False, texts)
    listed = isinstance(against, Sequence) and not isinstance(against, str) and all(isinstance(x, str) for x in against)
    if listed and not against:
        raise InputError(operation, "against=[]", "None, a text, or a list of texts", "leave it out")
    if listed:
        taken, named = vectors_of(model, list(against), operation).mean(0), f"mean of {len(against)} texts"
        named = f"“{against[0]}”" if len(against) == 1 else named
    else:
        taken, named = _one(model, against, operation, "against")
    if torch.equal(direction, taken):
        given = f"a text and a contrast that the model reads as the same: {words} − {named}"
        raise InputError(operation, given, "two different texts", "change one of them")
    names = (against,) if isinstance(against, str) else tuple(against) if listed else ()
    return Target(direction - taken, f"{words} − {named}", True, texts, names)


def _one(model: Model, given: Any, operation: str, name: str) -> tuple[Tensor, str]:
    if isinstance(given, str):
        return vectors_of(model, [given], operation)[0], f"“{given}”"
    if isinstance(given, Tensor | np.ndarray) and getattr(given, "ndim", 0) == 1:
        return _fits(torch.as_tensor(given)[None], model, operation)[0], f"a vector ({name})"
    shape = f" of shape {tuple(given.shape)}" if hasattr(given, "shape") else ""
    raise InputError(operation, f"{name}={type(given).__name__}{shape}", ACCEPTED, "pass one of these")


def _fits(vectors: Tensor, model: Model, operation: str) -> Tensor:
    d = model.card.embed_dim
    if vectors.shape[-1] != d or vectors.is_complex() or not bool(vectors.isfinite().all()):
        what = "vectors with NaN or infinite entries" if vectors.shape[-1] == d else f"vectors of {vectors.shape[-1]}"
        raise InputError(operation, what, f"finite vectors [{d}]", "encode them with this model")
    found = vectors.detach().to(model.device, torch.promote_types(model.dtype, torch.float32))
    norm = found.norm(dim=-1)
    if not bool(((norm > 0) & (norm <= LONGEST)).all()):
        given = f"a vector of norm {float(norm.max() if bool((norm > LONGEST).any()) else norm.min()):.3g}"
        accepted = "unit vectors, or differences of two: anything else is no cosine"
        raise InputError(operation, given, accepted, "normalise it: model.encode_text does")
    return found


def vectors_of(model: Model, texts: list[str], operation: str) -> Tensor:
    """Unit vectors [t, d] of texts; one that was asked before is not encoded again while the model stays as it is."""
    known, print_ = _ENCODED.setdefault(model, OrderedDict()), model.card.fingerprint
    new = [text for text in dict.fromkeys(texts) if (print_, text) not in known]
    found = {text: known[print_, text] for text in texts if text not in new}
    if new:
        found |= dict(zip(new, _encoded(model, new, operation), strict=True))
        known.update({(print_, text): found[text] for text in new})
        while len(known) > KEPT:
            known.popitem(last=False)
    return torch.stack([found[text] for text in texts])


def _encoded(model: Model, texts: list[str], operation: str) -> Tensor:
    for text in texts:
        if not text.strip():
            raise InputError(operation, f"the empty text {text!r}", "a text with at least one word", "write a text")
    for at, tokens, context in model.too_long(texts) if model.tokenizer is not None else []:
        given = f"a text of {tokens} tokens ({texts[at][:40]!r}…)"
        accepted = f"at most {context}, start and end counted: the rest would be cut without a word"
        raise InputError(operation, given, accepted, "shorten it, or split it into several texts")
    with torch.inference_mode(False):  # what is kept must serve any later mode
        return model.encode_text(texts).detach()
