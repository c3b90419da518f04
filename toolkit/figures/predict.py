"""A question, what somebody expects, and what is true: in words and as a static picture like the `Predict` panel's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, LINE, TRUTH, BAR = "#1d2128", "#656d79", "#d9dce1", "#0e4b8a", "#b4bac4"
WIDTH = 6.4
"""Inches."""
LEFT, RIGHT = 0.3, 6.1
"""Where the axis begins and ends; bars begin in the middle."""
BARS, VALUES = 2.9, 4.9


@dataclass(frozen=True)
class Prediction:
    """One question with its guess and, once revealed, its truth.

    options: the answers to choose from; () where a number between low and high is asked. guess: a number, an option, or
    None. truth: a number, an option, a number for every option (NaN: missing), or None while it is hidden.

    >>> Prediction("How many?", unit="%", low=0, high=100, guess=60.0, truth=34.2).sentence
    'You expected 60 %, it is 34.2 %: 25.8 points too high.'
    """

    question: str
    unit: str = ""
    options: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    guess: Any = None
    truth: Any = None

    @property
    def places(self) -> int | None:
        """Decimals that numbers are told with; None where four digits tell them better."""
        if isinstance(self.truth, dict):
            known = [0.0, *(value for value in self.truth.values() if not math.isnan(value))]
            return _places(max(known) - min(known), 4)
        return _places(self.high - self.low, 4)

    @property
    def best(self) -> tuple[str, ...]:
        """The right options: the true one, or those with the largest number; () for numbers and while hidden."""
        if isinstance(self.truth, dict):
            largest = max(value for value in self.truth.values() if not math.isnan(value))
            return tuple(name for name in self.options if self.truth[name] == largest)
        return (self.truth,) if self.options and self.truth is not None else ()

    @property
    def miss(self) -> float | None:
        """Guess − truth, positive where the guess was too high; None where either is missing, and for options."""
        if self.options or self.guess is None or self.truth is None:
            return None
        return float(self.guess - self.truth)

    @property
    def right(self) -> bool | None:
        """Whether the guess is a right option; None for numbers, while hidden and without a guess."""
        return None if not self.best or self.guess is None else self.guess in self.best

    @property
    def axis(self) -> tuple[float, float]:
        """The ends of the axis: those asked for, further out where the truth lies outside."""
        if self.options or self.truth is None or self.low <= self.truth <= self.high:
            return self.low, self.high
        ends = min(self.low, self.truth), max(self.high, self.truth)
        step = _nice((ends[1] - ends[0]) / 10)
        beyond = math.floor(self.truth / step) if self.truth < self.low else math.ceil(self.truth / step)
        low, high = min(ends[0], beyond * step), max(ends[1], beyond * step)
        return low if math.isfinite(low) else ends[0], high if math.isfinite(high) else ends[1]

    def at(self, value: float) -> float:
        """Where a number stands on the axis, from 0 to 1."""
        low, high = self.axis
        return min(1.0, max(0.0, (value / 2 - low / 2) / (high / 2 - low / 2)))  # halves: no overflow

    def bar(self, name: str) -> tuple[float, float] | None:
        """Where an option's bar begins and ends, from 0 to 1; None where its number is missing."""
        value = self.truth[name]
        if math.isnan(value):
            return None
        known = [0.0, *(other for other in self.truth.values() if not math.isnan(other))]
        low, high = min(known) / 2, max(known) / 2
        ends = [0.0 if high == low else (x / 2 - low) / (high - low) for x in (0.0, value)]
        return min(ends), max(ends)

    def told(self, value: float) -> str:
        """A number with the unit."""
        return f"{_number(value, self.places)} {self.unit}".rstrip() if not math.isnan(value) else "missing"

    @property
    def difference(self) -> str:
        """How far the guess is off, without its sign; "" where it is as good as exact or where there is none."""
        if self.miss is None or self.told(self.guess) == self.told(self.truth):
            return ""
        size = _number(abs(self.miss), self.places)
        unit = ("point" if size == "1" else "points") if self.unit == "%" else self.unit
        return f"{size} {unit}".rstrip()

    @property
    def sentence(self) -> str:
        """What was expected and what is, once revealed; "" before."""
        if self.truth is None:
            return ""
        if self.options:
            is_, rest = " or ".join(self._named(name) for name in self.best), ""
            expected = "" if self.guess is None else f"You expected {self._named(self.guess)}"
            also = ", and so it is" if len(self.best) == 1 else f", and so it is: {is_} are level"
        else:
            is_, rest = self.told(self.truth), "" if self.low <= self.truth <= self.high else self._outside
            expected = "" if self.guess is None else f"You expected {self.told(self.guess)}"
            also = f", and {is_} it is"
        if self.guess is None:
            return f"It is {is_}. No guess was made.{rest}"
        if self.right or (self.miss is not None and not self.difference):
            return f"{expected}{also}.{rest}"
        if self.options:
            return f"{expected}; it is {is_}."
        side = "high" if self.guess > self.truth else "low"
        return f"{expected}, it is {is_}: {self.difference} too {side}.{rest}"

    @property
    def _outside(self) -> str:
        return f" That is outside the range asked about, {self.range}."

    @property
    def range(self) -> str:
        """The range asked about, in words."""
        return f"{_number(self.low, self.places)} to {self.told(self.high)}"

    def _named(self, name: str) -> str:
        value = f" ({self.told(self.truth[name])})" if isinstance(self.truth, dict) else ""
        return f"“{name}”{value}"

    @property
    def words(self) -> str:
        """All of it in words."""
        asked = self.question if self.question[-1] in ".?!…:" else f"{self.question}."
        if self.truth is not None:
            rows = [f"{name} {self.told(v)}" for name, v in self.truth.items()] if isinstance(self.truth, dict) else []
            return f"{asked} {self.sentence}" + (f" All of them: {'; '.join(rows)}." if rows else "")
        given = f"Options: {'; '.join(self.options)}." if self.options else f"From {self.range}."
        if self.guess is None:
            return f"{asked} {given} No guess yet."
        guess = self._named(self.guess) if self.options else self.told(self.guess)
        return f"{asked} {given} Guess: {guess}. Not revealed."


def predict_matplotlib(prediction: Prediction) -> Figure:
    """A matplotlib figure of the question, its axis or options, the guess as a hollow diamond and, once revealed, the
    truth as a filled circle; by the object interface (no pyplot).
    """
    from toolkit.figures.shown import Figure

    lines = _lines(prediction.question, 62, 4)
    told = _lines(prediction.sentence or _before(prediction), 84, 4)
    top = 0.34 + 0.23 * len(lines)
    picture = 0.3 * len(prediction.options) + 0.15 if prediction.options else 1.08
    height = top + picture + 0.19 * len(told) + 0.12
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))  # inches, downwards
    axes.axis("off")
    for i, line in enumerate(lines):
        _write(axes, 0.2, 0.28 + 0.23 * i, line, size=11.5, bold=True)
    if prediction.options:
        for i, name in enumerate(prediction.options):
            _draw_option(axes, prediction, name, top + 0.1 + 0.3 * i)
    else:
        _draw_axis(axes, prediction, top + 0.42)
    for i, line in enumerate(told):
        _write(axes, 0.2, top + picture + 0.08 + 0.19 * i, line, size=9.5)
    return figure


def _before(prediction: Prediction) -> str:
    return "No guess yet." if prediction.guess is None else "Not revealed yet."


def _draw_axis(axes: Axes, asked: Prediction, y: float) -> None:
    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * asked.at(value)

    axes.plot([LEFT, RIGHT], [y, y], color=LINE, lw=1.2, ls=(0, (2, 2)), zorder=1)
    axes.plot([x(asked.low), x(asked.high)], [y, y], color=LINE, lw=4, solid_capstyle="round", zorder=1)
    for value, side in zip(asked.axis, ("left", "right"), strict=True):
        _write(axes, LEFT - 0.1 if side == "left" else RIGHT + 0.1, y + 0.48, asked.told(value), 9, SOFT, side)
    if asked.guess is not None and asked.truth is not None:
        axes.plot([x(asked.guess), x(asked.truth)], [y, y], color=SOFT, lw=1.6, zorder=2)
    if asked.guess is not None:
        _ghost(axes, x(asked.guess), y)
        _write(axes, x(asked.guess), y - 0.25, f"your guess {asked.told(asked.guess)}", 9.5, INK, asked.at(asked.guess))
    if asked.truth is not None:
        axes.plot(x(asked.truth), y, "o", color=TRUTH, ms=8, mew=0, zorder=4)
        at = asked.at(asked.truth)
        _write(axes, x(asked.truth), y + 0.25, asked.told(asked.truth), 10.5, TRUTH, at, bold=True)


def _draw_option(axes: Axes, asked: Prediction, name: str, y: float) -> None:
    true = name in asked.best
    if not true and name != asked.guess:
        axes.plot(LEFT, y, "o", mfc="white", mec=LINE, ms=6, mew=1.2)
    if name == asked.guess:
        _ghost(axes, LEFT, y)
    if true:
        axes.plot(LEFT, y, "o", color=TRUTH, ms=7, mew=0, zorder=4)
    bars = isinstance(asked.truth, dict)
    _write(axes, LEFT + 0.22, y, _short(name, 32 if bars else 78), 9.5, TRUTH if true else INK, bold=true)
    if bars:
        _draw_bar(axes, asked, name, y)


def _draw_bar(axes: Axes, asked: Prediction, name: str, y: float) -> None:
    from matplotlib.patches import Rectangle

    ends, true = asked.bar(name), name in asked.best
    if ends is not None:
        x, width = BARS + (VALUES - BARS) * ends[0], (VALUES - BARS) * (ends[1] - ends[0])
        axes.add_patch(Rectangle((x, y - 0.075), width, 0.15, fc=TRUTH if true else BAR, ec="none"))
        if name == asked.guess:
            axes.add_patch(
                Rectangle((x - 0.03, y - 0.11), width + 0.06, 0.22, fill=False, ec=INK, lw=1, ls=(0, (3, 2)))
            )
    told = _short(asked.told(asked.truth[name]), 14)
    _write(axes, VALUES + 0.12, y, told, 9.5, TRUTH if true else SOFT, bold=true)


def _ghost(axes: Axes, x: float, y: float) -> None:
    axes.plot(x, y, "D", mfc="white", mec=INK, ms=9.5, mew=1.4, zorder=3)


def _write(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    size: float,
    color: str = INK,
    side: str | float = "left",
    bold: bool = False,
) -> None:
    """A line of text; side: how it is aligned, or its place on the axis from 0 to 1, which keeps it inside."""
    if not isinstance(side, str):
        side = "left" if side < 0.15 else "right" if side > 0.85 else "center"
        x += {"left": -0.1, "right": 0.1, "center": 0.0}[side]
    axes.text(
        x, y, text, size=size, color=color, ha=side, va="center", weight="bold" if bold else "normal", parse_math=False
    )


def _lines(text: str, width: int, most: int) -> list[str]:
    found = wrap(text, width) or [""]
    return found if len(found) <= most else [*found[: most - 1], _short(found[most - 1], width - 2) + " …"]


def _short(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _places(span: float, digits: int) -> int | None:
    return max(0, digits - math.ceil(math.log10(span))) if 1e-4 <= span < 1e7 else None


def _number(value: float, places: int | None) -> str:
    text = f"{value:.4g}" if places is None or abs(value) >= 1e7 else f"{value:.{places}f}"
    if "." in text and "e" not in text:
        text = text.rstrip("0").rstrip(".")
    return ("0" if text == "-0" else text).replace("-", "−")


def _nice(size: float) -> float:
    """1, 2 or 5 times a power of ten, at least this size."""
    if not 1e-300 < size < 1e300:
        return size
    unit = 10.0 ** math.floor(math.log10(size))
    return next((unit * m for m in (1, 2, 5) if unit * m >= size * (1 - 1e-9)), 10 * unit)
