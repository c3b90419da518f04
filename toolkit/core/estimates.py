"""Small records of measured accuracies, each with its interval, n and split, and how they are written in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from toolkit.core.intervals import Interval

Convention = Literal["plain", "group_mean", "train_weighted"]
ROWS_SHOWN = 20


class HasValue(Protocol):
    """What has a number as `value`."""

    @property
    def value(self) -> float: ...


class OneNumber:
    """A result that is one number, its `value`: `float(result)` is that number. Base of all such results.

    >>> found = Worst("cat", 0.5, Interval(0.25, 0.75, 0.95, "Wilson"), 8, "test")
    >>> float(found) == found.value == 0.5
    True
    """

    def __float__(self: HasValue) -> float:
        return float(self.value)


class Group(NamedTuple):
    """One group: its accuracy with its Wilson interval."""

    group: str
    n: int
    right: int
    accuracy: float
    low: float
    high: float

    @property
    def value(self) -> float:
        """The accuracy."""
        return self.accuracy

    def __float__(self) -> float:  # a named tuple has no other base
        return self.value


class GroupChange(NamedTuple):
    """One group before and after: change = after − before with its paired interval."""

    group: str
    n: int
    before: float
    after: float
    change: float
    low: float
    high: float

    @property
    def value(self) -> float:
        """The change."""
        return self.change

    def __float__(self) -> float:
        return self.value


@dataclass(frozen=True)
class Average(OneNumber):
    """An average accuracy and the convention it follows."""

    value: float
    interval: Interval
    convention: Convention
    n: int
    split: str

    def __str__(self) -> str:
        return f"{self.convention} average {_line(self)}"


@dataclass(frozen=True)
class Worst(OneNumber):
    """The lowest group accuracy, its group (the first on ties) and that group's n."""

    group: str
    value: float
    interval: Interval
    n: int
    split: str

    def __str__(self) -> str:
        return f"worst group {self.group!r} {_line(self)}"


@dataclass(frozen=True)
class Difference(OneNumber):
    """after − before of one statistic on the same images; `of` names the statistic with its convention or groups."""

    of: str
    value: float
    interval: Interval
    before: float
    after: float
    n: int
    split: str

    def __str__(self) -> str:
        i = self.interval
        change = points(self.value, i.low, i.high)
        return f"{self.of} {change} points ({100 * i.level:g} % {i.method}), n = {self.n}, split {self.split!r}"


def percent(value: float) -> str:
    """0.5 → "50.00 %"."""
    return f"{100 * value:.2f} %"


def span(low: float, high: float) -> str:
    """The limits of an accuracy, in percent."""
    return f"[{100 * low:.2f}, {100 * high:.2f}]"


def points(value: float, low: float, high: float) -> str:
    """A signed change with its limits, in percentage points."""
    return f"{100 * value:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"


def _line(item: Average | Worst) -> str:
    i = item.interval
    value = f"{percent(item.value)} {span(i.low, i.high)}"
    return f"{value} ({100 * i.level:g} % {i.method}), n = {item.n}, split {item.split!r}"


def table(head: str, columns: tuple[str, ...], cells: Sequence[tuple[Any, ...]], groups: int) -> str:
    """Text columns: numbers to the right, the last column left; of many groups the lowest, then the summary."""
    shown, summary = cells[: min(groups, ROWS_SHOWN)], cells[groups:]
    rows = [columns, *(tuple(str(cell) for cell in row) for row in [*shown, *summary])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    text = []
    for name, *rest in rows:
        cell = "".join("  " + c.rjust(w) for c, w in zip(rest[:-1], widths[1:-1], strict=True))
        text.append(f"{name.ljust(widths[0])}{cell}  {rest[-1]}")
    if groups > ROWS_SHOWN:
        text.insert(len(shown) + 1, f"… {groups - ROWS_SHOWN} more groups, all at least as high")
    return "\n".join([head, *("  " + line.rstrip() for line in text)])
