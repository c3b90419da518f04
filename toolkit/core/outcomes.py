"""From raw predictions, labels, groups and ids to checked arrays: the input side of `toolkit.core.metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import InputError


def class_indices(what: str, values: Any, length: int | None = None) -> NDArray[Any]:
    """A checked array [b] of int64, or of bools where bools were given.

    what: the argument's name, for messages. values: array, tensor or list. length: the length it must have, if any.
    Raises InputError for another shape, type or length, NaN or empty input.

    >>> class_indices("labels", [0, 1]).dtype
    dtype('int64')
    """
    accepted = "integers or bools [b], one per image, b ≥ 1" + ("" if length is None else f"; here b = {length}")
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = (values.double() if values.is_floating_point() else values).numpy()
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError("accuracy", f"ragged {what}", accepted, "pass a flat list") from None
    given = f"{what} of shape {list(array.shape)} and type {array.dtype}"
    if array.ndim != 1 or not array.size:
        raise InputError("accuracy", given, accepted, "pass a flat list with at least one image")
    if length is not None and len(array) != length:
        raise InputError("accuracy", given, accepted, "give every image one prediction, label, group and id")
    if array.dtype.kind == "f" and np.isnan(array).any():
        given = f"NaN in {what} at position {int(np.isnan(array).argmax())}"
        raise InputError("accuracy", given, accepted, "use −1 for a label that is not in the class set")
    if array.dtype.kind not in "iub":
        raise InputError("accuracy", given, accepted, "turn names into indices with classes.encode(labels)")
    return array if array.dtype.kind == "b" else array.astype(np.int64)


def judge(guess: NDArray[Any], truth: NDArray[Any] | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each image is right [b], and whether it is kept [b]: its label is in the class set (≥ 0).

    guess: class indices, or bools right/wrong. truth: class indices, or None beside bools.

    >>> judge(np.array([1, 0, 0]), np.array([1, 1, -1]))[0].tolist()
    [True, False, False]
    """
    right_or_wrong = guess.dtype.kind == "b"
    if truth is None and not right_or_wrong:
        raise InputError("accuracy", "class indices without labels", "labels [b]", "pass labels, or bools right/wrong")
    if truth is not None and truth.dtype.kind == "b":
        fix = "write labels.astype(int), and predictions likewise (bool predictions mean right/wrong)"
        raise InputError("accuracy", "bool labels", "labels as class indices (int)", fix)
    kept = np.ones(len(guess), dtype=bool) if truth is None else truth >= 0
    if not kept.any():
        given = f"{len(guess)} images, none with a label in the class set"
        raise InputError("accuracy", given, "at least one image to judge", "compare the labels with classes.names")
    return (guess if right_or_wrong else guess == truth), kept


def group_members(
    groups: NDArray[Any], group_names: Sequence[str] | None = None
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The group names in order, and each image's group index [b].

    groups: names [b]. group_names: the order wanted; default the names found, sorted (all-integer names as numbers).
    Raises InputError where a listed group has no image, is listed twice, or a group found is not listed.

    >>> group_members(np.array(["10", "9", "10"], dtype=object))[0]
    ('9', '10')
    """
    found = set(groups.tolist())
    if group_names is None:
        order = sorted(found, key=int) if all(name.isdecimal() for name in found) else sorted(found)
    else:
        order = [str(name) for name in group_names]
        empty, unlisted = [name for name in order if name not in found], sorted(found - set(order))
        if empty or unlisted or len(set(order)) != len(order):
            given = f"group {empty[0]!r} with 0 images" if empty else "a group listed twice"
            given = given if empty or not unlisted else f"images of {listed(unlisted)}, not in group_names"
            fix = "leave empty groups out and list every other one once"
            raise InputError("accuracy", given, f"each of {listed(sorted(found))} exactly once", fix)
    place = {name: i for i, name in enumerate(order)}
    return tuple(order), np.array([place[name] for name in groups.tolist()], dtype=np.int64)


def group_labels(groups: Any, b: int) -> NDArray[Any]:
    """Group names as strings [b] (objects), from names or numbers; a missing one is an InputError.

    >>> group_labels([0, 1], 2).tolist()
    ['0', '1']
    """
    found = _values("groups", groups, b)
    for i, value in enumerate(found):
        if missing(value):
            fix = "drop that image or name its group"
            raise InputError("accuracy", f"{value} in groups at position {i}", "a group name per image", fix)
    return _objects([str(value) for value in found])


def unique_ids(ids: Any, b: int) -> NDArray[Any]:
    """The ids [b] (objects); an id given twice is an InputError.

    >>> unique_ids(["a.png", "b.png"], 2).tolist()
    ['a.png', 'b.png']
    """
    found, seen = _values("ids", ids, b), set()
    for i, value in enumerate(found):
        try:
            double = value in seen
        except TypeError:
            given = f"{type(value).__name__} as id at position {i}"
            raise InputError("accuracy", given, "strings or integers", "use file names or row numbers") from None
        if double or missing(value):
            given = f"the id {value!r} twice" if double else f"{value} in ids at position {i}"
            raise InputError("accuracy", given, "a unique id per image", "drop the copy, or leave ids out")
        seen.add(value)
    return _objects(found)


def missing(value: object) -> bool:
    """Whether a value is None, NaN or pandas' NA."""
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names in quotes for a message; so many at most, then a count."""
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def _values(what: str, values: Any, b: int) -> list[Any]:
    found = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(found, str | bytes) or not hasattr(found, "__iter__"):
        raise InputError("accuracy", f"{what}={found!r}", f"{b} values, one per image", f"pass a list of {b}")
    found = list(found)
    if len(found) != b:
        raise InputError("accuracy", f"{len(found)} {what} for {b} images", f"{b} {what}", "give one per image")
    return found


def _objects(values: list[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
