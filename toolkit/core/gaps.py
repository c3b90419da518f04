"""What two shortcuts cost: the gaps of UrbanCars (Li et al. 2023) and their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.estimates import OneNumber
from toolkit.core.intervals import Floats, Interval, accuracy_replicates, percentile, wilson
from toolkit.errors import InputError

SHARE = 0.95
"""How often a shortcut agrees with the label where the in-distribution accuracy is taken: in UrbanCars' training."""
CELLS = ((True, True), (True, False), (False, True), (False, False))
"""(background agrees, object agrees)."""
MEASURES = ("ID accuracy", "BG gap", "CoObj gap", "BG+CoObj gap")


@dataclass(frozen=True)
class Cell(OneNumber):
    """Images of one label of which background and object agree with it or not: how many, and how many are right."""

    label: str
    background: bool
    co_occur: bool
    n: int
    right: int

    @property
    def accuracy(self) -> float:
        return self.right / self.n

    @property
    def value(self) -> float:
        """The accuracy."""
        return self.accuracy


@dataclass(frozen=True)
class Gap(OneNumber):
    """A measure, its interval, and the number of images in the cells it compares with the in-distribution accuracy (of
    that itself, in all).
    """

    name: str
    value: float
    interval: Interval
    n: int


@dataclass(frozen=True)
class Gaps:
    """The in-distribution accuracy and the three gaps, with the cells they come from; made by `urbancars_gaps`."""

    measures: tuple[Gap, ...]
    cells: tuple[Cell, ...]

    def __getitem__(self, name: str) -> Gap:
        found = {gap.name: gap for gap in self.measures}
        if name not in found:
            raise InputError("gaps", repr(name), ", ".join(map(repr, MEASURES)), "name one of these")
        return found[name]


def urbancars_gaps(
    right: Any, label: Any, background: Any, co_occur: Any, *,
    level: float = 0.95, replicates: int = 2000, seed: int = 0,
) -> Gaps:  # fmt: skip
    """The in-distribution accuracy and the gaps when the background, the object or both disagree with the label.

    right [b]: whether each image is answered right. label, background, co_occur [b]: of the same two values. level:
    default 0.95. replicates, seed: of the intervals: images are resampled inside the eight cells (label × agreement);
    where no cell's answers vary, the cells' Wilson limits are combined and the method says so.

    With a(b, c) the accuracy where background and object agree (1) or not (0), each label's share taken equally:
    ID = .9025·a(1,1) + .0475·a(1,0) + .0475·a(0,1) + .0025·a(0,0); BG gap = a(0,1) − ID; CoObj gap = a(1,0) − ID;
    BG+CoObj gap = a(0,0) − ID. A negative gap is reliance on the shortcut.

    Raises InputError for arrays that do not fit and for an empty cell, by name.

    >>> label, background = ["u"] * 4 + ["c"] * 4, ["u", "u", "c", "c"] + ["c", "c", "u", "u"]
    >>> found = urbancars_gaps([1, 1, 0, 0] * 2, label, background, ["u", "c"] * 2 + ["c", "u"] * 2)
    >>> round(found["ID accuracy"].value, 4), round(found["BG gap"].value, 4), round(found["CoObj gap"].value, 4)
    (0.95, -0.95, 0.05)
    """
    cells = _cells(right, label, background, co_occur)
    weights = _weights([(cell.background, cell.co_occur) for cell in cells])
    counts, n = (np.array([getattr(cell, name) for cell in cells]) for name in ("right", "n"))
    drawn = accuracy_replicates(counts, n, replicates, seed)
    method = f"stratified bootstrap over the {len(cells)} cells ({replicates} replicates, seed {seed})"
    if not 0 < level < 1:
        raise InputError("urbancars_gaps", f"level={level!r}", "a number between 0 and 1", "for 95 % write level=0.95")
    measures = []
    for name, weight in weights.items():
        interval = percentile(drawn @ weight, level, method)
        if not np.any((counts > 0) & (counts < n)):
            interval = _combined(counts, n, weight, level)
        mine = np.ones(len(n), bool) if name == MEASURES[0] else _disagreeing(name, cells)
        measures.append(Gap(name, float(counts / n @ weight), interval, int(n[mine].sum())))
    return Gaps(tuple(measures), cells)


def _cells(right: Any, label: Any, background: Any, co_occur: Any) -> tuple[Cell, ...]:
    """The eight cells, labels sorted. Raises InputError for arrays that do not fit and for an empty cell."""
    named = {"label": label, "background": background, "co_occur": co_occur}
    columns = {name: np.asarray([str(v) for v in values], dtype=object) for name, values in named.items()}
    hits = np.asarray(right.tolist() if hasattr(right, "tolist") else right)
    if hits.ndim != 1 or hits.dtype.kind not in "bui" or not np.isin(hits, (0, 1)).all():
        given = f"right of shape {list(hits.shape)} and type {hits.dtype}"
        raise InputError("urbancars_gaps", given, "bools [b], true where an answer is right", "pass a flat list")
    for name, values in columns.items():
        if len(values) != len(hits):
            given = f"{len(values)} values of {name} for {len(hits)} answers"
            raise InputError("urbancars_gaps", given, "one per image", "make them equally long")
    labels = sorted(set(columns["label"]))
    strange = sorted((set(columns["background"]) | set(columns["co_occur"])) - set(labels))
    if len(labels) != 2 or strange:
        given = f"the labels {labels[:4]} and the shortcut values {strange[:4] or labels}"
        accepted = "two labels, and backgrounds and objects that are called the same"
        raise InputError("urbancars_gaps", given, accepted, 'use the same two words, such as "urban" and "country"')
    agrees = {name: columns[name] == columns["label"] for name in ("background", "co_occur")}
    cells = []
    for one in labels:
        for b, c in CELLS:
            mine = (columns["label"] == one) & (agrees["background"] == b) & (agrees["co_occur"] == c)
            cells.append(Cell(one, b, c, int(mine.sum()), int(hits[mine].sum())))
            if not mine.any():
                raise InputError("urbancars_gaps", f"no image of {told(cells[-1])}", "all eight cells", "add images")
    return tuple(cells)


def told(cell: Cell) -> str:
    """A cell in words."""
    how = {True: "agrees", False: "disagrees"}
    return f"{cell.label!r} whose background {how[cell.background]} and whose object {how[cell.co_occur]}"


def _weights(cells: list[tuple[bool, bool]]) -> Mapping[str, Floats]:
    """Measure → weight of every cell's accuracy; half of it for each label."""
    alone = {pair: np.array([(cell == pair) / 2 for cell in cells]) for pair in CELLS}
    share = {True: SHARE, False: 1 - SHARE}
    usual = np.asarray(sum(share[b] * share[c] * alone[b, c] for b, c in CELLS))
    of = {"BG gap": (False, True), "CoObj gap": (True, False), "BG+CoObj gap": (False, False)}
    return {MEASURES[0]: usual, **{name: alone[pair] - usual for name, pair in of.items()}}


def _disagreeing(name: str, cells: tuple[Cell, ...]) -> NDArray[np.bool_]:
    return np.array([(not c.background, not c.co_occur) == ("BG" in name, "CoObj" in name) for c in cells])


def _combined(right: NDArray[Any], n: NDArray[Any], weights: Floats, level: float) -> Interval:
    """Distances of the cells' Wilson limits add in squares (Zou & Donner 2008)."""
    limits = [wilson(int(r), int(m), level) for r, m in zip(right, n, strict=True)]
    p = right / n
    low = [w * (a - (i.low if w > 0 else i.high)) for w, a, i in zip(weights, p, limits, strict=True)]
    high = [w * ((i.high if w > 0 else i.low) - a) for w, a, i in zip(weights, p, limits, strict=True)]
    mean = float(p @ weights)
    below, above = math.hypot(*low), math.hypot(*high)
    return Interval(max(-1.0, mean - below), min(1.0, mean + above), level, "combined Wilson (the images do not vary)")
