"""`Predict`: what somebody expects, before the truth is shown; afterwards the guess stays beside it as a ghost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import traitlets

from toolkit.data.characters import sendable
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.errors import InputError, ToolkitError
from toolkit.figures.predict import Prediction, predict_matplotlib
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.live import LivePanel
from toolkit.panels.base.panel import observes, shows_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_OPTIONS, MOST_STEPS = 12, 10_000
TRUTHS = {
    False: "a finite number, or a callable without arguments that returns one",
    True: "one of the options, a number for every option, or a callable without arguments that returns one of these",
}
"""What a truth may be, by whether there are options."""
WAIT = 5.0
"""Seconds that a kept picture waits for a truth that is on its way."""


class BarEnds(TypedDict):
    """Where a bar begins and ends, from 0 to 1."""

    start: float
    end: float


class OptionRow(TypedDict):
    """One of the options, once revealed. bar: None without a number. value: in words."""

    name: str
    right: bool
    guessed: bool
    bar: BarEnds | None
    value: str


class Predict(LivePanel):
    """A question that is answered before the truth is shown. The guess then stays beside the truth, as a ghost.

    Arguments:
        question: what is asked, the heading.
        truth: for a range a number, which may lie outside of it; for `options` one of them, or a mapping from every
            option to a number, the largest being right and NaN missing; or a callable without arguments that returns
            one of these, called when the truth is asked for, on the engine; default none: `reveal` brings it.
        options: 2 to 12 different texts to choose from; default none: a number is asked.
        low: the least number of the range, finite; default none, with options.
        high: the largest number of the range, finite, above low; default none, with options.
        step: of the slider; default about a hundredth of the range, and no less than 1 between whole ends 10 or more
            apart.
        unit: of the numbers; differences of "%" are told in points; default "".
        because: a text shown with the truth; default "".
        workbook: where guess and truth are recorded; default the kernel's.
        engine: what works; `Engine()` works inline; default a worker of its own.
        guess: the number or option chosen first; default none.
        description: words under the question; default "".
        theme: "auto", "light" or "dark"; default "auto".

    `.guess` is the number or option chosen, or None: read it, set it, observe it; once revealed it is fixed.
    `.reveal()` shows the truth, also without a guess. `.revealed` says whether it is shown, `.truth` is None until
    then, `.miss` is guess − truth, `.right` whether the option was right. Nothing of the truth or of `because` leaves
    Python before.

    >>> from toolkit.panels.predict.panel import Predict
    >>> asked = Predict("How many of 100?", low=0, high=100, unit="%"); asked.guess = 60
    >>> asked.summary
    'How many of 100? From 0 to 100 %. Guess: 60 %. Not revealed.'
    """

    doing: ClassVar[dict[str, str]] = {
        "truth": "work out the answer",
    }
    _esm = script("predict")
    _css = style("predict")
    because = traitlets.Unicode("")
    guess: traitlets.TraitType[Any, Any] = traitlets.Any(None, allow_none=True).tag(sync=True)
    revealed = traitlets.Bool(False, read_only=True)
    truth: traitlets.TraitType[Any, Any] = traitlets.Any(None, allow_none=True, read_only=True)
    _known = traitlets.Bool(False).tag(sync=True)
    _setup: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _answer: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _asks = Prediction("…")
    _hidden: Any = None

    def __init__(
        self,
        question: str,
        truth: Any = None,
        *,
        options: Sequence[str] | None = None,
        low: float | None = None,
        high: float | None = None,
        step: float | None = None,
        unit: str = "",
        because: str = "",
        workbook: Any = None,
        engine: Engine | None = None,
        **words: Any,
    ) -> None:
        asked, unit = _text("question", question), _text("unit", unit, True)
        because = _text("because", because, True)
        if "title" in words or "revealed" in words:
            name = "title" if "title" in words else "revealed"
            raise InputError(
                "Predict", f"{name}=", "question, truth, guess and so on", "pass question= or call .reveal()"
            )
        if workbook is not None and not callable(getattr(workbook, "predicted", None)):
            raise InputError(
                "Predict", f"workbook={workbook!r}", "a workbook, or None", "leave it out for the kernel's"
            )
        if (options is None) == (low is None and high is None):
            given = "neither options nor a range" if options is None else "options and a range"
            raise InputError("Predict", given, "options=, or low= and high=", "pass one of them")
        if options is None:
            ends = _range(low, high)
            setup: dict[str, Any] = {"options": [], "low": ends[0], "high": ends[1], "step": _step(step, *ends)}
        else:
            ends, setup = (0.0, 1.0), {"options": _options(options)}
        self._asks = Prediction(asked, unit, tuple(setup["options"]), *ends)
        self._workbook, guess = workbook, words.pop("guess", None)
        self._begin(engine)
        super().__init__(title=asked, because=because, **words)
        self._made = True  # it shares no selection
        with self.hold_sync():
            self._setup = setup | {
                "unit": unit,
                "places": self._asks.places,
                "range": "" if options else self._asks.range,
            }
            self._hide(truth)
            self.guess = guess
            self._describe()

    # what is asked and known

    @property
    def question(self) -> str:
        """What is asked."""
        return str(self.title)

    @property
    def options(self) -> tuple[str, ...]:
        """The answers to choose from; () where a number is asked."""
        return self._asks.options

    @property
    def prediction(self) -> Prediction:
        """Question, guess and, once revealed, truth; `.words` tells them."""
        asked = self._asks
        asks = self.title.strip() or "…", asked.unit, asked.options, asked.low, asked.high
        return Prediction(*asks, guess=self.guess, truth=self.truth)

    @property
    def miss(self) -> float | None:
        """Guess − truth, positive where the guess was too high; None before, without a guess, and for options."""
        return self.prediction.miss

    @property
    def right(self) -> bool | None:
        """Whether the option chosen is right (as good as the best); None before, without a guess, and for numbers."""
        return self.prediction.right

    @traitlets.validate("guess")
    def _valid_guess(self, proposal: dict[str, Any]) -> Any:
        value, asked = sendable(proposal["value"]), self._asks
        accepted = f"one of {', '.join(map(repr, asked.options))}" if asked.options else f"a number from {asked.range}"
        if value is not None and asked.options:
            if not isinstance(value, str) or value not in asked.options:
                raise InputError("Predict.guess", repr(value), accepted, "choose one of these, or None")
        elif value is not None:
            found = _number(value)
            if found is None or not asked.low <= found <= asked.high:
                raise InputError("Predict.guess", repr(value), accepted, "choose one in the range, or None")
            value = found
        if self.revealed and value != self.guess:
            fix = "run the cell again to ask anew"
            raise InputError("Predict.guess", f"{value!r} after the truth was shown", "a guess before it is", fix)
        return value

    def _hide(self, truth: Any) -> None:
        """Keep a truth for later; InputError where it cannot be one."""
        self._hidden = truth if truth is None or callable(truth) else self._checked(truth)
        self._known = truth is not None

    def _checked(self, truth: Any) -> Any:
        """A truth as it is kept: float, option, or a float for every option."""
        options, fix = self.options, "pass such a truth"
        if not options:
            found: Any = _number(truth)
            given = f"the truth {truth!r}"
        elif isinstance(truth, str):
            found, given = sendable(truth), f"the truth {truth!r}"
            found = found if found in options else None
        elif hasattr(truth, "items"):
            table = {sendable(name): _number(value, missing=True) for name, value in truth.items()}
            odd = [name for name in (*options, *table) if name not in options or table.get(name) is None]
            found = {name: table.get(name) for name in options} if not odd else None
            given = f"a truth with {odd[0]!r} wrong or missing" if odd else "a truth"
            fix = "give a finite number, or NaN where it is missing, for every option and for nothing else"
            if found and all(math.isnan(value) for value in found.values()):
                found, given = None, "a truth that is missing for every option"
        else:
            found, given = None, f"a {type(truth).__name__} as truth"
        if found is None:
            raise InputError("Predict", given, TRUTHS[bool(options)], fix)
        return found

    # the truth

    def reveal(self, truth: Any = None) -> None:
        """Show the truth, with or without a guess; from now on the guess is fixed.

        Arguments:
            truth: as when the panel was made; a callable is run on the engine; what it raises is shown in the panel,
                and it may be tried again; one given once more replaces the one shown; default what was given when the
                panel was made.

        Raises:
            InputError: if there is none, or where it cannot be one.
        """
        if truth is not None:
            self._hide(truth)
        elif self.revealed or "truth" in self._work:
            return
        if self._hidden is None:
            raise InputError("Predict.reveal", "no truth", TRUTHS[bool(self.options)], "pass truth= here")
        if callable(self._hidden):
            work = self._hidden
            self._submit("truth", lambda request: self._worked_out(work), self._show)
        else:
            self._show(self._hidden)

    def _worked_out(self, work: Callable[[], Any]) -> Any:
        try:
            return self._checked(work())
        except ToolkitError:
            raise
        except Exception as error:
            given = f"{type(error).__name__} ({error}) from what works the truth out"
            fix = "mend what it calls, then reveal again"
            raise InputError("Predict.reveal", given, TRUTHS[bool(self.options)], fix) from error

    def _show(self, truth: Any) -> None:
        with self.painting():
            self.set_trait("truth", truth)
            self.set_trait("revealed", True)
            self._forgive("truth")
            self._answer = self._told()
            self._describe()
        self._record()

    def _row(self, name: str, bars: bool) -> OptionRow:
        """What the browser paints of an option."""
        found = self.prediction
        ends = found.bar(name) if bars else None
        return {
            "name": name, "guessed": name == self.guess, "right": name in found.best,
            "bar": None if ends is None else {"start": ends[0], "end": ends[1]},
            "value": found.told(found.truth[name]) if bars else "",
        }  # fmt: skip

    def _told(self) -> dict[str, Any]:
        """What the browser paints, in words and as shares of its width."""
        found, guess = self.prediction, self.guess
        told: dict[str, Any] = {"sentence": found.sentence, "because": sendable(self.because)}
        if found.options:
            bars = isinstance(found.truth, dict)
            return told | {"rows": [self._row(name, bars) for name in found.options], "bars": bars}
        return told | {
            "truth": found.told(found.truth), "truth_at": found.at(found.truth), "difference": found.difference,
            "guess": "" if guess is None else found.told(guess), "guess_at": None if guess is None else found.at(guess),
            "ends": {"low": found.told(found.axis[0]), "high": found.told(found.axis[1])},
            "asked": {"low": found.at(found.low), "high": found.at(found.high)},
        }  # fmt: skip

    @shows_errors
    def _record(self) -> None:
        """Tell the workbook."""
        book = self._workbook
        if book is None:
            from toolkit.explanations.workbook import workbook

            book = workbook()
        options = list(self.options) or None
        book.predicted(
            question=self.question, guess=self.guess, truth=self.truth, unit=self._asks.unit, options=options
        )

    def _do(self, ask: dict[str, Any]) -> None:
        {"reveal": self.reveal}[ask["do"]]()

    # as words and pictures

    @observes("guess", "title", "because")
    def _changed(self, change: Any) -> None:
        if self._setup:
            self._answer = self._told() if self.revealed else {}
            self._describe()

    def _describe(self) -> None:
        because = f" {sendable(self.because)}" if self.revealed and self.because else ""
        self.summary = self.prediction.words + because

    def _await_first(self) -> None:
        if self._work and isinstance(self.engine, Worker):
            self.engine.wait(WAIT)

    def to_matplotlib(self) -> Figure:
        """Question, axis or options, guess and, once revealed, truth as a matplotlib figure."""
        return predict_matplotlib(self.prediction)

    def png(self) -> bytes:
        from toolkit.figures.heatmap import figure_png

        return figure_png(self.to_matplotlib())


def _text(name: str, value: Any, empty: bool = False) -> str:
    if not isinstance(value, str) or not (empty or value.strip()):
        accepted = "a text" if empty else "a text that is not empty"
        raise InputError("Predict", f"{name}={value!r}", accepted, f"pass {name}= as words")
    return str(sendable(value.strip()))


def _number(value: Any, missing: bool = False) -> float | None:
    """A finite number (missing: or NaN) of any type as a float; None for anything else."""
    if (
        isinstance(value, bool | str | bytes | bytearray)
        or type(value).__name__ == "bool"
        or getattr(value, "ndim", 0) != 0
    ):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
    return found + 0.0 if math.isfinite(found) or (missing and math.isnan(found)) else None


def _range(low: Any, high: Any) -> tuple[float, float]:
    ends = _number(low), _number(high)
    if ends[0] is None or ends[1] is None or not 1e-300 < ends[1] - ends[0] < math.inf:
        given = f"low={low!r}, high={high!r}"
        raise InputError(
            "Predict", given, "two finite numbers, low < high", "pass the range that guesses may come from"
        )
    return ends[0], ends[1]


def _step(step: Any, low: float, high: float) -> float:
    if step is None:
        about = (high - low) / 100
        unit = 10.0 ** math.floor(math.log10(about) + 1e-9)
        nice = max(unit * m for m in (1, 2, 5) if unit * m <= about * (1 + 1e-9))
        return max(1.0, nice) if high - low >= 10 and low % 1 == high % 1 == 0 else nice
    found = _number(step)
    if found is None or not (high - low) / MOST_STEPS <= found <= high - low:
        accepted = f"a number from (high − low) / {MOST_STEPS} to high − low, or None"
        raise InputError("Predict", f"step={step!r}", accepted, "leave it out")
    return found


def _options(options: Any) -> list[str]:
    fits = isinstance(options, Sequence) and not isinstance(options, str | bytes)
    found = [sendable(o) for o in options] if fits else []
    words = all(isinstance(o, str) and o.strip() for o in found)
    if not (words and 2 <= len(found) <= MOST_OPTIONS and len(set(found)) == len(found)):
        given = f"options={options!r}"
        accepted = f"2 to {MOST_OPTIONS} different texts, none empty"
        raise InputError("Predict", given[:300], accepted, "pass a list of such texts")
    return found
