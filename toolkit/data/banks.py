"""Text banks: the texts that heads are described with, tagged by factor where that is known."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.data.descriptions import descriptions
from toolkit.data.sheets import separator_of
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas
    from torch import Tensor

ENDINGS = (".txt", ".csv", ".json")


@dataclass(frozen=True, eq=False, repr=False)
class Bank:
    """Texts to describe heads with, made by `tk.bank`. Two banks are equal when their hashes are.

    Attributes:
        texts: [t].
        factors: what each text is about ("colour", …), "" where nobody said [t].
        name: for results.
        given: unit vectors in place of a text encoder [t, d], or None.
    """

    texts: tuple[str, ...]
    factors: tuple[str, ...]
    name: str = ""
    given: Tensor | None = None

    @cached_property
    def hash(self) -> str:
        """Of texts, factors and vectors: 16 hex digits."""
        found = hashlib.sha256(json.dumps([self.texts, self.factors]).encode())
        if self.given is not None:
            found.update(self.given.detach().cpu().float().numpy().tobytes())
        return found.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.texts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bank) and other.hash == self.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def edited(self, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Bank:
        """The bank with some texts more (at the end, factor "") and some less.

        Arguments:
            add: texts to add; default none.
            remove: texts to take out; default none.

        Raises:
            InputError: for a text to remove that it does not hold, and for a bank of vectors that is to grow.
        """
        if isinstance(add, str) or isinstance(remove, str):
            raise InputError("bank.edited", "a string", "lists of texts", "write add=[text]")
        gone, new = set(remove), [t for t in dict.fromkeys(add) if t not in self.texts]
        if unknown := gone - set(self.texts):
            raise InputError(
                "bank.edited", f"remove={min(unknown)!r}, which it does not hold", "texts of the bank", "…"
            )
        if new and self.given is not None:
            raise InputError("bank.edited", f"{new[0]!r} for a bank of vectors", "texts to remove", "make a new bank")
        kept = [i for i, text in enumerate(self.texts) if text not in gone]
        texts, factors = [self.texts[i] for i in kept] + new, [self.factors[i] for i in kept] + [""] * len(new)
        name = f"{(self.name or 'bank').removesuffix(', edited')}, edited"
        return bank_of(texts, factors, name, None if self.given is None else self.given[kept])

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per text: text, factor."""
        import pandas

        return pandas.DataFrame({"text": self.texts, "factor": self.factors})

    def __repr__(self) -> str:
        counts = {f: self.factors.count(f) for f in dict.fromkeys(self.factors) if f}
        shown = ", ".join(f"{f} {n}" for f, n in sorted(counts.items(), key=lambda item: -item[1])[:6])
        more = f", … ({len(counts)} factors)" if len(counts) > 6 else ""
        return f"Bank({self.name!r}, {len(self)} texts{': ' + shown + more if shown else ''}, hash {self.hash})"


def bank_of(
    texts: Sequence[Any], factors: Sequence[str] | None = None, name: str = "", given: Tensor | None = None
) -> Bank:
    """A bank of texts. Raises InputError for an empty one, for what is no text, and for factors that do not fit."""
    found = list(texts)
    if not found:
        raise InputError("bank", "no texts", "at least one", "pass texts, or a file with one a line")
    for i, text in enumerate(found):
        if not isinstance(text, str) or not text.strip():
            raise InputError("bank", f"{text!r} at position {i}", "non-empty strings", "leave it out or write a text")
    tags = [""] * len(found) if factors is None else [str(f) for f in factors]
    if len(tags) != len(found):
        given_ = f"{len(tags)} factors for {len(found)} texts"
        raise InputError("bank", given_, "one factor per text", "make them equally long")
    return Bank(tuple(found), tuple(tags), name, given)


def common_first(bank: Bank) -> list[int]:
    """Positions of the texts in the order in which they tell most: short ones before long ones; of equally long ones
    those whose words the bank uses most, every factor in turn.
    """
    words = [text.lower().split() for text in bank.texts]
    used = Counter(word for text in words for word in text)

    def common(i: int) -> tuple[int, float]:
        return len(words[i]), -sum(used[word] for word in words[i]) / len(words[i])

    turn = Counter[tuple[int, str]]()
    place = dict[int, tuple[int, int, float]]()
    for i in sorted(range(len(bank)), key=common):
        length, rarity = common(i)
        of = length, bank.factors[i]
        place[i] = length, turn[of], rarity
        turn[of] += 1
    return sorted(place, key=place.__getitem__)


def description_bank() -> Bank:
    """The toolkit's own bank: descriptions of photographs, tagged by factor."""
    texts, factors = zip(*descriptions(), strict=True)
    return Bank(texts, factors, "descriptions")


def read_bank(path: Path) -> Bank:
    """A bank from a file in UTF-8: .txt with a text a line, .csv with columns text and (optional) factor, .json with a
    list of texts or of [text, factor]. Empty lines are passed over.

    Raises InputError for another ending, another encoding (with the place) and a file without texts.
    """
    words = _decoded(path)
    if "\0" in words:
        raise InputError("bank", f"{path.name}, which is not UTF-8 (it holds NULs)", "UTF-8", "save it as UTF-8")
    kind = path.suffix.lower()
    if kind == ".csv":
        separator, _, words = separator_of(words, path)
        table = csv.DictReader(io.StringIO(words), delimiter=separator)
        rows = list(table)
        if "text" not in (table.fieldnames or ()):
            raise InputError("bank", f"{path.name}, a CSV without a column text", "text[, factor]", "name the columns")
        pairs = [(row["text"] or "", row.get("factor") or "") for row in rows]
    elif kind == ".json":
        pairs = _from_json(path, words)
    else:
        pairs = [(line.strip(), "") for line in words.splitlines()]
    pairs = [(text.strip(), factor.strip()) for text, factor in pairs if text.strip()]
    if not pairs:
        raise InputError("bank", f"{path.name}, which holds no texts", "one text a line", "write some")
    texts, factors = zip(*pairs, strict=True)
    return bank_of(texts, factors, path.stem)


def _from_json(path: Path, words: str) -> list[tuple[str, str]]:
    accepted = "a list of texts or of [text, factor]"
    try:
        found = json.loads(words)
        rows = found
        if isinstance(found, dict):
            rows = list(zip(found["texts"], found.get("factors") or [""] * len(found["texts"]), strict=True))
        pairs = [(row, "") if isinstance(row, str) else (row[0], row[1]) for row in rows]
        if not all(isinstance(x, str) for pair in pairs for x in pair):
            raise TypeError("not all of them are strings")
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise InputError("bank", f"{path.name} ({error})", accepted, "write such a list") from error
    return pairs


def _decoded(path: Path) -> str:
    if path.suffix.lower() not in ENDINGS:
        raise InputError("bank", repr(path.name), ", ".join(ENDINGS), "choose one of these endings")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError("bank", f"{str(path)!r} ({error.strerror})", "a file that can be read", "check it") from error
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        given = f"{path.name}, which is UTF-16"
        raise InputError("bank", given, "UTF-8", "save it as UTF-8 in your editor")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        near = raw[max(0, error.start - 12) : error.start + 12].decode("latin-1").strip()
        given = f"{path.name}, which is not UTF-8 (line {line}, near {near!r} if read as Latin-1)"
        raise InputError("bank", given, "UTF-8", "save it as UTF-8 in your editor") from error
