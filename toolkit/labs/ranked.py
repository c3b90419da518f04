"""What of many groups and kinds of mistakes is shown: the first of a ranking, and how many there are."""

from __future__ import annotations

from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from toolkit.core.ranked import RANKS, Rank, by_change, mistakes, named

MOST = 14
"""Groups that are shown one by one."""
MATRIX, PAIRS = 12, 20
"""Classes of a confusion that is shown whole; of more classes, so many kinds of mistakes."""


class MistakeRow(TypedDict):
    """Images of a class taken for another, before and after."""

    truth: str
    guess: str
    before: int
    after: int


class ErrorsSent(TypedDict):
    """The confusion as a picker shows it. names: of the classes of a matrix; before, after: true × predicted, flat. Of
    more classes instead rows, the first of those found, and how many they are of; find: what was looked for.
    """

    names: list[str]
    before: list[int]
    after: list[int]
    rows: NotRequired[list[MistakeRow]]
    of: NotRequired[int]
    find: NotRequired[str]


NO_ERRORS: ErrorsSent = {"names": [], "before": [], "after": []}


class GroupsShown(NamedTuple):
    """Rows of groups, and which of how many they are ("" for all of them)."""

    rows: list[dict[str, Any]]
    words: str


def errors_sent(
    names: tuple[str, ...], truth: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64],
    find: str = "", rank: Rank = "before", chosen: tuple[str, str] | None = None,
) -> ErrorsSent:  # fmt: skip
    """The confusion of predictions [b] before and after. chosen: a kind of mistake that stays in sight."""
    c = len(names)
    if c <= MATRIX:
        counts = (np.bincount(truth * c + guess, minlength=c * c).tolist() for guess in (before, after))
        return {"names": list(names), "before": next(counts), "after": next(counts)}
    found = mistakes(truth, before, after, names)
    shown = found.ranked(find, rank, PAIRS)
    if chosen is not None and not any((row.true, row.predicted) == chosen for row in shown):
        shown = [found.count(*chosen), *shown[: PAIRS - 1]]
    rows = [MistakeRow(truth=row.true, guess=row.predicted, before=row.before, after=row.after) for row in shown]
    return {**NO_ERRORS, "rows": rows, "of": len(found.found(find)), "find": find}


def groups_shown(rows: list[dict[str, Any]], find: str, rank: Rank, noun: str) -> GroupsShown:
    """Of the rows of more than MOST groups those that come first; what sums up, or is of others, stays. noun: what the
    groups are.
    """
    groups = [row for row in rows if is_group(row)]
    if len(groups) <= MOST:
        return GroupsShown(rows, "")
    found = groups
    if find.strip():
        found = [row for row, fits in zip(groups, named([row["name"] for row in groups], find), strict=True) if fits]
    order = by_change([row["before"] for row in found], [row["after"] for row in found], rank)[:MOST]
    some = [found[i] for i in order.tolist()]
    looked = f" with “{find.strip()}”" if find.strip() else ""
    words = f"{len(some)} of {len(found):,} {noun}{looked}, {RANKS[rank]}; the sums are of all {len(groups):,}"
    return GroupsShown([*some, *(row for row in rows if not is_group(row))], words)


def is_group(row: dict[str, Any]) -> bool:
    """Whether a row is a group, and no sum of them."""
    return not (row.get("sum") or row.get("other"))
