"""`Doctor`: the checks before belief, line by line as they are made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import traitlets

from toolkit.api.doctor.checkup import VERDICTS, Checkup, Finding, Verdict, in_words
from toolkit.api.doctor.doctor import Examination
from toolkit.data.classes import ClassSet
from toolkit.engine.engine import Engine
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.live import LivePanel
from toolkit.panels.base.place import ExplorerPlace, Host
from toolkit.panels.base.selection import Selection
from toolkit.signs import Sign

if TYPE_CHECKING:
    import pandas

EVERY = 0.5
"""Seconds between two times that the lines made so far are sent, and before the first."""
DRAWN, APART = 64, 2
"""Images looked at, and taken apart, in an explorer, whose user waits for other things."""


class FindingSent(TypedDict):
    """A line: the check, its verdict, what was seen, why it matters and what to do."""

    check: str
    verdict: Verdict
    said: str
    why: str
    fix: str


class Doctor(LivePanel):
    """What a careful person checks before believing a number (`tk.doctor`), line by line as the checks are made.

    Arguments:
        model: a live one (`Model`).
        data: samples or parts of one split, or a list of them, one for every split that is used; default none.
        classes: the class set (`tk.classes`); default none.
        checkpoint: what the weights are, as in `tk.doctor`; default what `tk.load` knew when it loaded them.
        n: images looked at in every split, a seeded draw; default 200.
        few: images that the model takes apart, and encodes one by one; default 8.
        selection: a Selection to share with other panels; default its own.
        engine: what works; `Engine()` works inline; default the model's worker.
        title, description: words; default "Before you believe a number" and "".
        theme: "auto", "light" or "dark"; default "auto".

    `.checkup` holds the lines made so far (`Checkup`: .counts, .findings, .to_json()), `.again()` makes them anew.

    >>> import toolkit as tk
    >>> data, birds = tk.scenes("test", n=60, kind="birds"), tk.classes(["landbird", "waterbird"])
    >>> tk.Doctor(tk.load(), data, birds, engine=tk.Engine()).checkup.counts["wrong"]
    0
    """

    heading = "Before you believe a number"
    place = ExplorerPlace("doctor", tab="doctor", label="Checks")
    doing: ClassVar[dict[str, str]] = {"checks": "check"}
    _esm = script("doctor")
    _css = style("doctor")
    _findings: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _of = traitlets.Int(0).tag(sync=True)
    _said = traitlets.Unicode("").tag(sync=True)

    @classmethod
    def in_explorer(cls, explorer: Host) -> Doctor:
        """Of the explorer's model, classes, and images with a label among them.

        Arguments:
            explorer: what it is a part of.
        """
        session = explorer.session
        return cls(session.model, session.images.acts, session.classes, n=DRAWN, few=APART, **explorer.live)

    def __init__(
        self,
        model: Any,
        data: Any = None,
        classes: ClassSet | None = None,
        *,
        checkpoint: Any = None,
        n: int = 200,
        few: int = 8,
        selection: Selection | None = None,
        engine: Engine | None = None,
        **words: Any,
    ) -> None:
        shared = self._shared(selection)
        self._given = model, data, classes, checkpoint, n, few
        exam = Examination(*self._given)
        self._model_card = model.card
        self._begin(engine, model)
        super().__init__(**words)
        self.checkup = Checkup(exam.subject, ())
        self.selection = shared
        self._check(exam)

    _card = property(lambda self: self._model_card)

    def again(self) -> None:
        """Make all checks anew."""
        self._check(Examination(*self._given))

    def stop(self, *parts: str) -> None:
        """End the checks; what was made is shown.

        Arguments:
            parts: "checks"; default that.
        """
        super().stop(*parts)
        self._paint_lines(self._of)

    def _check(self, exam: Examination) -> None:
        """A check at a time, so that nothing waits for all of them."""
        sign, names, lines = Sign("", "check"), exam.names, iter(exam)
        self.checkup = Checkup(exam.subject, ())
        self._began = time.monotonic()
        self._paint_lines(len(exam))
        self._next(lines, names, sign)

    def _next(self, lines: Iterator[Finding], names: list[str], sign: Sign) -> None:
        of = len(names)

        def paint(found: Finding) -> None:
            self.checkup = Checkup(self.checkup.subject, (*self.checkup.findings, found))
            done = len(self.checkup)
            if done < of:
                sign.what = f"check: {names[done]}"
                sign.at(done, of)
            if done == of or time.monotonic() - self._painted > EVERY:  # a line is little; all of them anew are not
                self._paint_lines(of)
            if done < of:
                if time.monotonic() - self._began > EVERY:
                    self._tell("checks", sign)
                self._next(lines, names, sign)

        self._submit("checks", lambda request: next(lines), paint)

    def _paint_lines(self, of: int) -> None:
        found, self._painted = self.checkup, time.monotonic()
        with self.painting():
            self._of, self._said = of, in_words(found.counts)
            self._findings = [_sent(one) for verdict in WORST_FIRST for one in found.of(verdict)]
            self.summary = f"{self.title}: {found.summary if len(found) else found.subject + ': on the way'}."

    def _do(self, ask: dict[str, Any]) -> None:
        {"again": self.again}[ask["do"]]()

    def to_dataframe(self) -> pandas.DataFrame:
        """A row a check: check, verdict, said, why, fix."""
        return self.checkup.to_dataframe()


WORST_FIRST: tuple[Verdict, ...] = ("wrong", "warning", *(v for v in VERDICTS if v not in ("wrong", "warning")))


def _sent(one: Finding) -> FindingSent:
    return {"check": one.check, "verdict": one.verdict, "said": one.said, "why": one.why, "fix": one.fix}
