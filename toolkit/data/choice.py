"""Words about what there is: names with a spelling hint, first few of many, counts that differ from documented ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.spelling import nfc
from toolkit.errors import InputError


def unknown(operation: str, given: str, asked: object, known: Iterable[object], fix: str = "") -> InputError:
    """The error for a name that does not exist: what exists (twelve at most), and the nearest of it.

    given: what was given, in words. asked: the name. fix: in place of "name one of these".
    """
    names = [str(name) for name in known]
    near = get_close_matches(str(asked), names, 3, 0.5)
    more = f" … ({len(names)} in all)" if len(names) > 12 else ""
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "name one of these"
    return InputError(operation, given, ", ".join(names[:12]) + more, fix or hint)


def one_of(operation: str, what: str, asked: Any, known: Sequence[str]) -> str:
    """What was asked for, if it is one of the known names. Raises InputError otherwise."""
    if not isinstance(asked, str) or asked not in known:
        raise unknown(operation, f"{what}={asked!r}", asked, known)
    return asked


def first_three(names: Sequence[object]) -> str:
    """The first three names in quotes, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(repr(str(name)) for name in names[:3]) + more


def counts_note(what: str, found: Mapping[str, int], documented: Mapping[str, int]) -> tuple[str, ...]:
    """A sentence where counts differ from the documented ones, nothing where they agree.

    >>> counts_note("the test split", {"cat": 2, "dog": 5}, {"cat": 3, "dog": 5})
    ('Counts of the test split differ from the documented ones: cat 2 instead of 3.',)
    """
    wrong = [name for name in documented if found.get(name, 0) != documented[name]]
    if not wrong:
        return ()
    listed = ", ".join(f"{name} {found.get(name, 0)} instead of {documented[name]}" for name in wrong)
    return (f"Counts of {what} differ from the documented ones: {listed}.",)


def tally(values: Iterable[object]) -> dict[str, int]:
    """How often every value occurs, by its name, sorted."""
    names, counts = np.unique(np.asarray([str(v) for v in values], dtype=object).astype(str), return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def equal(values: Any, wanted: Any, name: str) -> NDArray[np.bool_]:
    """Where values are what is wanted, one value or a list; a value may be written as its string, in any form of it.

    Raises InputError, with a spelling hint, for a wanted value that is not among them.
    """
    several = [wanted] if isinstance(wanted, str) or not np.iterable(wanted) else list(wanted)
    words, own = [nfc(str(value)) for value in values], list(values)
    known, there = set(words), set(own)
    for one in several:
        if one not in there and nfc(str(one)) not in known:
            raise unknown("where", f"{name}={one!r}, which no sample has", one, sorted(known))
    exact, asked = set(several), {nfc(str(one)) for one in several}
    return np.array([value in exact or word in asked for value, word in zip(own, words, strict=True)], bool)
