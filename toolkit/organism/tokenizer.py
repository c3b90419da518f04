"""A word-level tokenizer for the built-in model; unknown words are reported, never silently dropped."""

from __future__ import annotations

import difflib
import json
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from toolkit.errors import InputError

_WORD = re.compile(r"[a-z0-9]+")
_SIGNS = re.compile(r"[^\s!-/:-@\[-`{-~]+")
"""Words in any script, and signs: what is between spaces and punctuation."""


class UnknownWordWarning(UserWarning):
    """A text holds words the built-in model never saw."""


class WordTokenizer:
    """Turns texts into ids [t, context_length]: start, words, end, zeros. The end id is the highest, as CLIP's
    pooling wants.

    words: the vocabulary in order. context_length: ids per text, default 24; longer texts are cut.
    """

    def __init__(self, words: Sequence[str], context_length: int = 24) -> None:
        self.words = tuple(words)
        self.context_length = context_length
        self._ids = {word: i + 1 for i, word in enumerate(self.words)}
        self.unknown_id = len(self.words) + 1
        self.start_id, self.end_id = self.unknown_id + 1, self.unknown_id + 2

    @property
    def vocab_size(self) -> int:
        return self.end_id + 1

    def __call__(self, texts: str | Sequence[str], context_length: int | None = None) -> Tensor:
        texts = [texts] if isinstance(texts, str) else list(texts)
        length = context_length or self.context_length
        ids = torch.zeros(len(texts), length, dtype=torch.long)
        unknown: dict[str, None] = {}
        for row, text in enumerate(texts):
            words = _WORD.findall(text.lower())
            if not words:
                raise InputError(
                    "encode_text", f"{text!r} at position {row}", "texts with at least one word", "leave it out"
                )
            unknown.update(dict.fromkeys(self.unknown(text)))
            body = [self._ids.get(w, self.unknown_id) for w in words[: length - 2]]
            ids[row, : len(body) + 2] = torch.tensor([self.start_id, *body, self.end_id])
        if unknown:
            warnings.warn(self._advice(list(unknown)), UnknownWordWarning, stacklevel=2)
        return ids

    def unknown(self, text: str) -> list[str]:
        """The words of a text that are not in the vocabulary, in whatever script, and signs."""
        return [w for w in _SIGNS.findall(text.lower()) if w not in self._ids]

    def nearest(self, word: str) -> list[str]:
        """Up to three known words that look like it, the most similar first."""
        return difflib.get_close_matches(word, self.words, n=3, cutoff=0.6)

    def _advice(self, unknown: list[str]) -> str:
        notes = []
        for word in unknown[:6]:
            near = self.nearest(word)
            notes.append(f"{word!r}" + (f" (nearest known: {', '.join(near)})" if near else ""))
        more = f" and {len(unknown) - 6} more" if len(unknown) > 6 else ""
        return (
            f"the built-in model does not know {', '.join(notes)}{more}; its {len(self.words)} words are in"
            " tokenizer.words"
        )

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"context_length": self.context_length, "words": self.words}, indent=0))

    @classmethod
    def load(cls, path: Path) -> WordTokenizer:
        content = json.loads(path.read_text())
        return cls(content["words"], content["context_length"])
