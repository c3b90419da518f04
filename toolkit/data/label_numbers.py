"""Labels as class indices: names by their spelling, whole numbers only where nothing speaks for another origin."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.outcomes import missing
from toolkit.data.choice import first_three
from toolkit.data.spelling import nfc
from toolkit.errors import InputError

FIX = "give the labels as names, or numbers 0, 1, … in the order of the class set"


def indices(labels: Sequence[Any], names: Sequence[str], places: Mapping[str, int], accepted: str) -> NDArray[np.int64]:
    """The class index of every label; −1 for one that is missing, −1 itself, or a name that is no class.

    places: the names in NFC → index. accepted: for errors. Raises InputError for bools and fractions, for numbers that
    are no indices, and where numbers are names in part, so that they may be either.
    """
    numbers = [_number(label, i, accepted) for i, label in enumerate(labels)]
    given = {number for number in numbers if number is not None and number != -1}
    named = {number for number in given if str(number) in places}
    if named and named != given and all(0 <= number < len(names) for number in given):
        odd = first_three(sorted(given - named))
        words = f"numbers of which {first_three(sorted(named))} are names of classes and {odd} are not"
        raise InputError("encode labels", words, accepted, "give the labels as names")
    if not named:
        _from_zero(given, len(names), accepted)
    found = []
    for label, number in zip(labels, numbers, strict=True):
        if isinstance(label, str):
            found.append(places.get(nfc(label), -1))
        elif number is None or named:
            found.append(places.get(str(number), -1))
        else:
            found.append(number)
    return np.array(found, dtype=np.int64)


def as_numbers(labels: Sequence[str]) -> list[int | None] | None:
    """Labels that were numbers before they were written as texts ("1", "01", "1.0"), None for those that are missing;
    None where one is something else.
    """
    found: list[int | None] = []
    for label in map(str, labels):
        if label in ("", "None", "nan", "NaN", "<NA>"):
            found.append(None)
        elif re.fullmatch(r"-?\d+(\.0*)?", label):
            found.append(int(label.partition(".")[0]))
        else:
            return None
    return found


def _number(label: Any, position: int, accepted: str) -> int | None:
    """The whole number that a label is, None for a text and for one that is missing."""
    if isinstance(label, str) or missing(label):
        return None
    if isinstance(label, int | np.integer) and not isinstance(label, bool):
        return int(label)
    if isinstance(label, float | np.floating) and float(label).is_integer():  # pandas' ints beside missing values
        return int(label)
    given = f"{label!r} ({type(label).__name__}) at position {position}"
    raise InputError("encode labels", given, accepted, "turn labels into class names or integers")


def _from_zero(given: set[int], classes: int, accepted: str) -> None:
    """Raises InputError for numbers that are not all indices of so many classes."""
    if all(0 <= number < classes for number in given):
        return
    low, high = min(given), max(given)
    words = f"labels from {low} to {high} for {classes} classes"
    if low == 1 and high == classes:
        words += ", which seem to be counted from 1"
        raise InputError("encode labels", words, accepted, f"{FIX}: subtract 1 if that is so")
    raise InputError("encode labels", words, accepted, FIX)
