"""What a page is told of heads that are off, and tells of them: records, whose names stand here and in
toolkit/panels/ablation_lab/sent.d.ts (compared by tests/panels/test_wire.py).
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Off(TypedDict):
    """A head that is not as it is: [layer, head], and its strength, 0 off and 1 as it is."""

    head: list[int]
    strength: float


class OutcomeOf(TypedDict):
    """What an outcome was worked out for."""

    off: list[Off]
    how: str
    effect: str


class MapOf(TypedDict):
    """What a map of heads was worked out for; pair: [true, predicted]."""

    score: str
    pair: list[str] | None
    how: str
    text: str


class ImageFacts(TypedDict):
    """Of the images. left: out, of another label. groups: any are known. live: the model can run."""

    n: int
    left: int
    split: str
    groups: bool
    live: bool


class OffFacts(ImageFacts):
    """Those, and what the numbers shown are. shown: None while none are."""

    effect: str
    shown: OutcomeOf | None


class Sure(TypedDict):
    """How sure a map is, head by head: limits of its interval; steady: the share of resamples in which a head is among
    the `top` worst. sizes: the images it rests on, in words. Empty where a score has no interval.
    """

    low: NotRequired[list[float]]
    high: NotRequired[list[float]]
    steady: NotRequired[list[float]]
    sizes: NotRequired[str]
    top: NotRequired[int]


class OrderCurveSent(TypedDict):
    """Accuracies with 0, 1, … heads of `order` off ([layer, head] each, the worst first). low, high: of random orders.
    orders: how many of these.
    """

    worst: list[float]
    average: list[float]
    low: list[float]
    high: list[float]
    order: list[list[int]]
    orders: int
