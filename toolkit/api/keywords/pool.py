"""Where keywords come from: a bank, words that were typed, or captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.api.words.banks import bank as bank_for
from toolkit.api.words.banks import default_bank, vectors_of
from toolkit.core.keywords import Array, log_odds
from toolkit.data.banks import Bank, bank_of
from toolkit.data.classes import ClassWarning
from toolkit.data.phrases import captions_of, phrase_table
from toolkit.errors import InputError, warn_caller

MOST_PHRASES = 200
"""Phrases of captions that are scored."""
TWICE = 2
"""Captions of wrong images that a phrase must stand in."""


@dataclass(frozen=True, eq=False)
class KeywordPool:
    """Keywords: texts and unit vectors [a, d]; of captions, log odds [a], of which images something is told [b] and
    whether it is each keyword [b, a].
    """

    texts: tuple[str, ...]
    vectors: Tensor
    bank: Bank
    odds: Array | None = None
    there: NDArray[np.bool_] | None = None
    told: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()


def pool_of(
    acts: Acts, of: Any, captions: Any, template: str, wrong: NDArray[np.int64], right: NDArray[np.int64]
) -> KeywordPool:
    """The keywords asked for. Texts with words that the model does not know are left out, with a warning."""
    if "{}" not in str(template):
        raise InputError(
            "keywords", f"template={template!r}", "a text with {} for the keyword", 'write "a photo of {}"'
        )
    if of is not None and captions is not None:
        raise InputError("keywords", "of= and captions=", "one of the two", "leave one out")
    if captions is not None:
        return _of_captions(acts, captions, template, wrong, right)
    asked = default_bank(acts) if of is None else bank_for([of] if _is_a_word(of) else of)
    return _encoded(acts, asked, template, ())


def _is_a_word(of: Any) -> bool:
    """Whether this is one keyword, and neither the name of a bank nor a file."""
    return isinstance(of, str) and of not in ("descriptions", "world") and "." not in of


def _encoded(acts: Acts, bank: Bank, template: str, notes: tuple[str, ...]) -> KeywordPool:
    if bank.given is not None:
        return KeywordPool(bank.texts, vectors_of(bank, acts, "keywords"), bank, notes=notes)
    prompts = [template.replace("{}", text) for text in bank.texts]
    unknown = acts.model.unknown_words(prompts)
    kept = [i for i, prompt in enumerate(prompts) if not (unknown and acts.model.unknown_words(prompt))]
    if unknown:
        words = "; ".join(
            f"{word!r}" + (f" (nearest known: {', '.join(near)})" if near else "")
            for word, near in list(unknown.items())[:5]
        )
        gone = len(prompts) - len(kept)
        note = f"{gone} of {len(prompts)} keywords left out, with words the model does not know: {words}"
        if not kept:
            raise InputError("keywords", note, "keywords of words the model knows", "write them in other words")
        warn_caller(f"keywords: {note}", ClassWarning)
        notes = (*notes, note)
    texts = tuple(bank.texts[i] for i in kept)
    some = bank_of([prompts[i] for i in kept], name=bank.name)
    return KeywordPool(texts, vectors_of(some, acts, "keywords"), some, notes=notes)


def _of_captions(
    acts: Acts, captions: Any, template: str, wrong: NDArray[np.int64], right: NDArray[np.int64]
) -> KeywordPool:
    told = captions_of(captions, "keywords")
    ids = acts.ids.astype(str)
    lacks = [name for name in ids[np.r_[wrong, right]] if name not in told]
    if len(lacks) == len(wrong) + len(right):
        given = f"captions of {len(told)} images, {next(iter(told))!r} for one, none of them looked at"
        raise InputError("keywords", given, f"ids such as {lacks[0]!r}", "give them the ids of the images: acts.ids")
    names, there = phrase_table([told.get(name, "") for name in ids])
    known = np.array([name in told for name in ids])
    n1, n0 = int(known[wrong].sum()), int(known[right].sum())
    in_wrong, in_right = there[wrong].sum(0), there[right].sum(0)
    enough = np.flatnonzero(in_wrong >= TWICE)
    if not len(enough):
        given = f"captions of {n1} wrong images, no phrase of which stands in {TWICE} of them"
        raise InputError("keywords", given, "phrases that come back", "give more captions, or a bank of keywords")
    odds = log_odds(in_wrong[enough], n1, in_right[enough], n0)
    order = np.argsort(-odds, kind="stable")[:MOST_PHRASES]
    notes = (f"{len(lacks)} of {len(wrong) + len(right)} images have no caption",) if lacks else ()
    if len(enough) > len(order):
        notes = (*notes, f"the {len(order)} of {len(enough)} phrases with the highest log odds")
    picked = enough[order]
    bank = bank_of([names[i] for i in picked], name="captions")
    pool = _encoded(acts, bank, template, notes)
    at = torch.tensor([bank.texts.index(text) for text in pool.texts]).numpy()
    return KeywordPool(pool.texts, pool.vectors, pool.bank, odds[order][at], there[:, picked[at]], known, pool.notes)
