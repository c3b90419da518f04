"""What a page is told of edits, and tells of them: records, whose names stand here and in
toolkit/panels/edit_lab/sent.d.ts (compared by tests/panels/test_wire.py).
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Measures(TypedDict):
    """Shares of an edit; None where there are no such images."""

    success: float | None
    worst: float | None
    like: float | None
    locality: float | None
    agreement: float | None


class NamedMeasures(Measures):
    """Those of an edit that was kept, or of another method."""

    name: str


class SetByHand(TypedDict):
    """A head [layer, head] and the strength it was given."""

    head: list[int]
    strength: float


class SettingsSent(TypedDict):
    """Everything an edit depends on (`Settings`). heads: [layer, head] each; pair: [true, predicted]."""

    alpha: float
    beta: float
    steps: int
    strategy: str
    scale: float | None
    nonnegative: bool
    heads: list[list[int]]
    pair: list[str] | None
    hold: list[SetByHand]


class VisitPlace(TypedDict):
    """What a visit is known by. plane: which of the planes it lies in, the other settings."""

    alpha: float
    beta: float
    steps: int
    plane: int


class Visit(VisitPlace, Measures):
    """An edit that was looked at, and what it did."""


class GridPlace(TypedDict):
    """A cell of the frontier's grid."""

    alpha: float
    beta: float


class Ways(TypedDict):
    """Whether there is a way back, and one forward."""

    undo: bool
    redo: bool


class Mistakes(TypedDict):
    """How often a class was taken for another: pair [true, predicted]."""

    pair: list[str]
    n: int


class Columns(TypedDict):
    """Every measure as a list; None where it is unknown."""

    success: list[float | None]
    worst: list[float | None]
    like: list[float | None]
    locality: list[float | None]
    agreement: list[float | None]


class FrontSent(Columns):
    """The grid over α and β as it fills, with β running fastest. of: the settings it is of, with weights of 0."""

    alphas: list[float]
    betas: list[float]
    of: SettingsSent


class BandSent(TypedDict):
    """The front of a strategy in one of the planes: at every level of x, the best y that its edits reach.

    across, up: measures. y: mean over draws. low, high: the least and the most of them.
    """

    strategy: str
    across: str
    up: str
    x: list[float]
    y: list[float]
    low: list[float]
    high: list[float]


class FrontsSent(TypedDict):
    """The fronts as far as they are there. of: the settings they are of, with weights and strategy left open. draws:
    of the few images; left: those in which nobody is wrong so.
    """

    of: SettingsSent
    draws: int
    left: int
    bands: list[BandSent]


class FoldedSent(TypedDict):
    """What the folded model makes of every row. after: by its name. of: the settings of the edit that was folded."""

    after: dict[str, float]
    of: SettingsSent


class StrengthsSent(TypedDict):
    """Strengths of heads ([layer, head] each)."""

    heads: list[list[int]]
    values: list[float]


class RowBeside(TypedDict):
    """What another edit makes of a row; low, high: of the change."""

    after: float
    low: float
    high: float


class BesideSent(TypedDict):
    """Another edit beside the one that is looked at. of: the settings it was made for. rows: by the name of the row
    they stand beside. error: why there is none, "" where there is.
    """

    of: SettingsSent
    rows: dict[str, RowBeside]
    point: NotRequired[Measures]
    strengths: StrengthsSent
    error: str


class CurveSent(Columns):
    """How an edit went, at some of its steps. total: the objective. of: the settings it was made for."""

    step: list[float | None]
    total: list[float | None]
    of: SettingsSent


class Scaled(TypedDict):
    """A text or a head that an edit turned up or down, by a ratio."""

    name: str
    ratio: float


class Moved(TypedDict):
    """A dimension of the embedding that an edit moved, and by how much."""

    dimension: int
    by: float


class Pulls(TypedDict):
    """Shares of the three terms in the pull on θ."""

    ce: float
    success: float
    locality: float


class EditWords(TypedDict):
    """What an edit did. down, up: texts. negative: dimensions below zero. gap: of the attainable fall, what is left.
    made: what it is, where it scales heads or moves class vectors, a line each.
    """

    pulls: NotRequired[Pulls]
    gap: NotRequired[float | None]
    negative: NotRequired[int | None]
    moved: NotRequired[list[Moved]]
    down: NotRequired[list[Scaled]]
    up: NotRequired[list[Scaled]]
    heads: NotRequired[list[Scaled]]
    made: NotRequired[list[str]]


class EditFacts(TypedDict):
    """Of the images. n, split: those it is measured on; own: they are those it is made from; used, left: left out since
    it is made from them, or since they have other labels. made, made_split: those it is made from. targets: classes an
    edit is for; others: there are others. scale: the checkpoint's. heads: of a layer.
    """

    n: int
    split: str
    own: bool
    used: int
    left: int
    targets: list[str]
    others: bool
    made: int
    made_split: str
    scale: float
    heads: int
