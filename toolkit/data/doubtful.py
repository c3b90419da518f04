"""Labels that may not be what they seem: several that read alike, and words for "there is none"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from toolkit.data.choice import first_three
from toolkit.data.spelling import nfc

NONE = frozenset({"nan", "na", "n/a", "#n/a", "null", "none", "nil", "<na>", "nat"})
"""What programs write into a cell in which nothing was."""


def doubts(labels: Iterable[str], groups: Iterable[str] = ()) -> list[str]:
    """Sentences on labels, and on groups that are no labels, that read alike or that say that there is none.

    >>> doubts(["cat", "Cat", "NaN"])
    ["'Cat' and 'cat' read alike and count as two labels", "the label 'NaN' counts as a name"]
    """
    names = sorted({*map(nfc, labels)} - {""})
    others = sorted({*map(nfc, groups)} - {"", *names})
    return [*_of(names, "label"), *_of(others, "group")]


def near(labels: Iterable[str], names: Iterable[str]) -> list[tuple[str, str]]:
    """Labels that are no names but read like one, with the name.

    >>> near(["black_cat", "dog"], ["black cat", "fox"])
    [('black_cat', 'black cat')]
    """
    by_look = {_look(name): name for name in names}
    known = set(by_look.values())
    return [(label, by_look[_look(label)]) for label in labels if label not in known and _look(label) in by_look]


def _of(names: list[str], what: str) -> list[str]:
    by_look: dict[str, list[str]] = {}
    for name in names:
        by_look.setdefault(_look(name), []).append(name)
    said = [
        f"{' and '.join(map(repr, several)) if len(several) == 2 else first_three(several)} read alike and count as "
        f"{'two' if len(several) == 2 else len(several)} {what}s"
        for several in by_look.values()
        if len(several) > 1
    ]
    empty = [name for name in names if name.lower() in NONE]
    return said + [f"the {what} {name!r} counts as a name" for name in empty]


def _look(name: str) -> str:
    """A name without what is hardly seen: case, width, invisible characters, and what stands between its words."""
    wide = unicodedata.normalize("NFKC", name).casefold()
    seen = "".join(letter for letter in wide if unicodedata.category(letter) != "Cf")
    return re.sub(r"[\s_-]+", " ", seen).strip()
