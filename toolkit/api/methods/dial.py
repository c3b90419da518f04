"""What a method is turned by, and what it was told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from toolkit.data.counts import many
from toolkit.errors import InputError


@dataclass(frozen=True)
class Dial:
    """The one number a fitted method is turned by; at `start` it is the model as it is, exactly.

    Attributes:
        name: of the number, such as "α".
        grid: values worth trying, from the start on.
        paper: the value of the paper, or ours where it names none.
        start: where the method is the model as it is.
        low: the least value.
        high: the largest.
        log: whether equal ratios are equal steps.
        says: what turning it does.
    """

    name: str
    grid: tuple[float, ...]
    paper: float
    start: float = 0.0
    low: float = 0.0
    high: float = math.inf
    log: bool = False
    says: str = ""

    def checked(self, given: Any, operation: str) -> float:
        """A value of the dial.

        Arguments:
            given: a number, or None for the paper's.
            operation: who asks, for messages.

        Raises:
            InputError: for what is no number between its ends.
        """
        if given is None:
            return self.paper
        try:
            number = math.nan if isinstance(given, bool | str) else float(given)
        except (TypeError, ValueError):
            number = math.nan
        if number != self.start and not self.low <= number <= self.high:
            accepted = f"a number from {self.low:g} to {self.high:g} (the model as it is: {self.start:g})"
            raise InputError(operation, f"{self.name} = {given!r:.60}", accepted, "pass such a value")
        return number


@dataclass(frozen=True)
class Ledger:
    """What a fitted method was told, and what it cost.

    Attributes:
        labels: images whose class it was told.
        group_labels: images whose group it was told.
        validation: images that chose something.
        texts: written by hand, or vectors in their place.
        pictures: encoded again.
        parameters: numbers that were fitted.
        seconds: the fit took.
    """

    labels: int = 0
    group_labels: int = 0
    validation: int = 0
    texts: int = 0
    pictures: int = 0
    parameters: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        told = [
            many(n, noun)
            for n, noun in (
                (self.labels, "labelled image"), (self.group_labels, "group label"),
                (self.validation, "validation image"), (self.texts, "text"), (self.pictures, "new picture"),
            )
            if n
        ]  # fmt: skip
        return (
            f"told {', '.join(told) or 'nothing'}; {many(self.parameters, 'parameter')} fitted in {self.seconds:.2g} s"
        )
