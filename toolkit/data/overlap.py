"""Texts of a bank that say the same, or nearly."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas
    from torch import Tensor

WORDS, COSINE = 0.8, 0.98
"""From this share of common words, and from this cosine on, two texts are near-duplicates."""
MOST = 20_000
"""Texts that are compared in pairs; of more, only those with the same words."""
_WORD = re.compile(r"\w+")


def near_duplicates(
    texts: Sequence[str], vectors: Tensor | None = None, words: float = WORDS, cosine: float = COSINE
) -> pandas.DataFrame:
    """Pairs of texts that are duplicates or nearly: first, second, why ("same text", "words", "cosine"), value.

    Above 20,000 texts only those with the same words, or the same vector, are found.

    Arguments:
        texts: a list of texts [t].
        vectors: their unit embeddings [t, d]; default none, which looks at words alone.
        words: least share of words two texts have in common, |A ∩ B| / |A ∪ B|, 0 to 1; default 0.8.
        cosine: least cosine of two vectors, −1 to 1; default 0.98.

    >>> import toolkit as tk
    >>> tk.near_duplicates(["a red bird", "A red bird!", "water"])["why"].tolist()
    ['same text']
    """
    import pandas

    found: dict[tuple[int, int], tuple[str, float]] = {}
    bags = [frozenset(_WORD.findall(text.lower())) for text in texts]
    seen: dict[tuple[str, ...], int] = {}
    for i, text in enumerate(texts):
        first = seen.setdefault(tuple(_WORD.findall(text.lower())) or (text,), i)
        if first != i:
            found[first, i] = ("same text", 1.0)
    for pair, share in _by_words(bags, words).items():
        found.setdefault(pair, ("words", share))
    if vectors is not None:
        for pair, value in _by_cosine(vectors, cosine).items():
            found.setdefault(pair, ("cosine", value))
    rows = [(texts[a], texts[b], why, value) for (a, b), (why, value) in sorted(found.items())]
    return pandas.DataFrame(rows, columns=["first", "second", "why", "value"])


def _by_words(bags: Sequence[frozenset[str]], least: float) -> dict[tuple[int, int], float]:
    """Pairs that share enough words, found through their rarest word: pairs without it in common share too few or are
    found through another.
    """
    if len(bags) > MOST:
        return _same_words(bags)
    where: dict[str, list[int]] = defaultdict(list)
    for i, bag in enumerate(bags):
        for word in bag:
            where[word].append(i)
    found = {}
    for i, bag in enumerate(bags):
        # two bags that overlap by `least` differ in at most (1 − least)·|A| words of A: one of these many is shared
        rare = sorted(bag, key=lambda word: len(where[word]))[: len(bag) - math.ceil(least * len(bag) - 1e-9) + 1]
        for j in {other for word in rare for other in where[word] if other > i}:
            share = len(bag & bags[j]) / len(bag | bags[j])
            if share >= least:
                found[i, j] = share
    return found


def _same_words(bags: Sequence[frozenset[str]]) -> dict[tuple[int, int], float]:
    first: dict[frozenset[str], int] = {}
    pairs = ((first.setdefault(bag, i), i) for i, bag in enumerate(bags))
    return {(a, b): 1.0 for a, b in pairs if a != b}


def _by_cosine(vectors: Tensor, least: float) -> dict[tuple[int, int], float]:
    x = vectors.detach().cpu().float().numpy()
    if len(x) > MOST:
        rounded = [row.tobytes() for row in np.round(x, 6)]
        first: dict[bytes, int] = {}
        pairs = ((first.setdefault(row, i), i) for i, row in enumerate(rounded))
        return {(a, b): 1.0 for a, b in pairs if a != b}
    found = {}
    for start in range(0, len(x), 1024):
        close = x[start : start + 1024] @ x.T
        for a, b in zip(*np.nonzero(close >= least), strict=True):
            if b > start + a:
                found[int(start + a), int(b)] = float(close[a, b])
    return found
