"""What a page is told of cures: records, and numbers in few letters."""

from __future__ import annotations

import math
from typing import NotRequired, TypedDict

import numpy as np


class MethodSent(TypedDict):
    """A row of the list. values: of the dial, of which `paper` and `validated` are positions; reason: why it cannot
    run, "" where it can.
    """

    name: str
    told: str
    source: str
    dial: str
    says: str
    values: list[str]
    paper: int
    validated: int | None
    reason: str


class TableSent(TypedDict):
    """A row of the table: measures with the limits of their changes; the ledger, with whether its heads were given; how
    the dial was put; the price column: the best worst group that keeps the others at the price, and at which value.
    """

    name: str
    worst: float | None
    low: float | None
    high: float | None
    others: float | None
    others_low: float | None
    others_high: float | None
    images: int
    words: int
    groups: int
    given: bool
    chosen: str
    value: str
    price: NotRequired[float | None]
    price_at: NotRequired[str]


class CloudSent(TypedDict):
    """A method made from other draws, and told nothing: measures by name. why: there is none of a kind, "" else."""

    name: str
    draws: list[dict[str, float | None]]
    placebo: list[dict[str, float | None]]
    why: str


def number(value: float) -> str:
    """A value of a dial in few letters."""
    return "∞" if math.isinf(value) else f"{value:.3g}"


def measures_sent(found: dict[str, float]) -> dict[str, float | None]:
    return {name: known(value) for name, value in found.items()}


def known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
