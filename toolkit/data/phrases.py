"""Captions of images, and the phrases they are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.sheets import column, read_sheet
from toolkit.errors import InputError

LONGEST = 3
"""Words of a phrase."""
STOPS = {
    "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "had", "has", "have", "he", "her", "his", "in",
    "is", "it", "its", "of", "on", "or", "she", "that", "the", "their", "there", "these", "they", "this", "those",
    "to", "was", "were", "which", "while", "who", "with",
}  # fmt: skip
"""Words that no phrase ends or begins with: with them alone nothing is said."""
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def captions_of(given: Any, operation: str, id_column: str = "id", caption_column: str = "caption") -> dict[str, str]:
    """Captions by id: of a mapping, a table, or a file with a column of ids and one of captions.

    Several captions of one image are joined. Raises InputError for a table without these columns, and for no captions.
    """
    if isinstance(given, Mapping):
        found = {str(name): str(text) for name, text in given.items()}
    else:
        if isinstance(given, str | Path):
            given, _ = read_sheet(Path(given).expanduser(), operation)
        if not hasattr(given, "columns"):
            what = f"captions: a {type(given).__name__}"
            accepted = "a mapping from ids to captions, a table or a file with columns id and caption"
            raise InputError(operation, what, accepted, "captions without ids belong to no image")
        ids, texts = (column(given, name, operation) for name in (id_column, caption_column))
        found = {}
        for name, text in zip(map(str, ids), map(str, texts), strict=True):
            found[name] = f"{found[name]}\n{text}" if name in found else text
    if not any(text.strip() for text in found.values()):
        raise InputError(operation, "captions without a word", "at least one", "write them, or leave captions= out")
    return found


def phrases_in(caption: str) -> set[str]:
    """The phrases of a caption: up to three words in a row, in lower case, no stop word at either end."""
    found: set[str] = set()
    for line in re.split(r"[\n.,;:!?()\"“”]", caption.lower()):
        words = _WORD.findall(line)
        for start in range(len(words)):
            for end in range(start + 1, min(start + LONGEST, len(words)) + 1):
                if words[start] not in STOPS and words[end - 1] not in STOPS:
                    found.add(" ".join(words[start:end]))
    return found


def phrase_table(captions: Sequence[str]) -> tuple[list[str], NDArray[np.bool_]]:
    """The phrases of some captions in order of the alphabet, and in which of them each stands [b, a]."""
    sets = [phrases_in(caption) for caption in captions]
    names = sorted(set().union(*sets))
    at = {name: i for i, name in enumerate(names)}
    there = np.zeros((len(sets), len(names)), bool)
    for row, some in enumerate(sets):
        there[row, [at[name] for name in some]] = True
    return names, there
