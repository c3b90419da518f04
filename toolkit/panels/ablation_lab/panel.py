"""`AblationLab`: from a cell of the confusion to the heads behind it, and what switching them off costs every group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets
from numpy.typing import NDArray

from toolkit.api.locate.registry import known_score, offered
from toolkit.api.locate.scores import USUAL_SCORE
from toolkit.api.switch_off.total import HOWS
from toolkit.core.heads import HeadSet
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.errors import InputError
from toolkit.figures.colors import DIVERGING, DIVERGING_DARK
from toolkit.labs.ablation import (
    VALIDATED,
    AblationSession,
    HeadsOffOutcome,
    OrderCurve,
    known_strengths,
)
from toolkit.labs.ablation_records import MapOf, Off, OffFacts, OrderCurveSent, OutcomeOf, Sure
from toolkit.labs.ranked import NO_ERRORS
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.groups import GroupsPanel
from toolkit.panels.base.panel import observes, shows_errors
from toolkit.panels.base.place import ExplorerPlace, Host
from toolkit.panels.base.selection import Selection
from toolkit.panels.base.traits import Head, Pair, Table
from toolkit.panels.base.turned import EMPTY, PAUSE, FlipsSent, turned

if TYPE_CHECKING:
    import pandas

    from toolkit.api.images.acts import Acts
    from toolkit.core.metrics import Change

WAIT = 5.0
"""Seconds that showing a panel waits for its first numbers."""
PALETTE = {"light": DIVERGING.tolist(), "dark": DIVERGING_DARK.tolist()}


class AblationLab(GroupsPanel):
    """Which heads push towards an error, and what switching them off does to every group, image by image.

    Arguments:
        acts: parts with labels (`Acts`); with the live model for total effects and typed texts, with its images for
            pictures.
        classes: two or more (`tk.classes`); default those of a lab whose session is given as acts.
        layers: candidates; a list of layers, None for all, a negative int for the last |n|; default −4.
        minority: groups for the LTC map; default all images.
        held_out: parts of other images, which everything but the map is measured on; default the same images.
        validation: parts of further images, which say how many heads serve best (by="validation"); default none.
        heads: heads off at the start, in any spelling; default none.
        selection: a Selection to share with other panels; default its own.
        engine: what works; `Engine()` works inline; default the model's worker.
        pair: (true, predicted), a cell of the confusion; default all mistakes pooled.
        score: the map shown: "A", "−B", "C", "−D" (badness, R25), "LTC", "text", "direct" or "total" (change of the
            worst group by a head alone), or any registered score (`tk.head_score`); default "−D",
            where it does not exist "A", where no image is wrong "direct".
        text: for the text map; default "", predicted − true.
        how: "zero", "mean" or "resample" (over these images); default "zero".
        effect: "direct" or "total"; default "direct".
        by: the criterion of Algorithm 1, as in `Scores.choose`; with validation images also "validation": as many of
            the first heads of −D as serve their worst group best; default "utility", with validation images that one.
        find: of more than 14 groups or 12 classes, a text in the names of those shown; "crane → heron" finds one kind
            of mistake; default "".
        rank: which of them come first: "loss", "gain", "before" (the worst) or "after"; default "loss".
        head: the head looked at, in any spelling; default the first of the last layer.
        image: the id of the image looked at; default none.
        title, description: words; default "Heads off" and "".
        theme: "auto", "light" or "dark"; default "auto".

    `.heads` are the heads changed, in order: assign a set to switch it off. `.strengths` are their strengths (0 off, 1
    as is, 2 doubled), `.change` the paired change of every group, `.choose()` Algorithm 1. Click switches a head off
    and on.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("test", n=200, kind="birds"), progress=False)
    >>> lab = tk.AblationLab(acts, tk.classes(["waterbird", "landbird"])); lab.heads = "L3.H7 L3.H5"; lab.heads
    HeadSet('L3.H7 L3.H5')
    """

    heading = "Heads off"
    saved = ("score", "text", "how", "effect", "by", "strengths", "find", "rank")
    selection_fix = "pass heads= to choose heads"
    place = ExplorerPlace("ablation", tab="off", label="Heads off")
    doing: ClassVar[dict[str, str]] = {
        "map": "score the heads",
        "outcome": "switch the heads off",
        "choose": "choose heads by Algorithm 1",
        "sure": "resample the images for intervals",
        "flips": "read the images that changed",
    }
    _esm = script("ablation_lab")
    _css = style("ablation_lab")
    score: traitlets.TraitType[Any, Any] = traitlets.Any(USUAL_SCORE).tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    how: traitlets.TraitType[Any, Any] = traitlets.Enum(HOWS, "zero").tag(sync=True)
    effect: traitlets.TraitType[Any, Any] = traitlets.Enum(("direct", "total"), "direct").tag(sync=True)
    by: traitlets.TraitType[Any, Any] = traitlets.Any("utility").tag(sync=True)
    head = Head().tag(sync=True)
    _pointed = traitlets.Bool(False).tag(sync=True)
    pair = Pair().tag(sync=True)
    image = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    _off: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _layers = traitlets.List(traitlets.Int()).tag(sync=True)
    _heads = traitlets.Int(1).tag(sync=True)
    _map = Table().tag(sync=True)
    _map_words = traitlets.Unicode("").tag(sync=True)
    _map_of: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _scores: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _criteria: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _sure: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _facts: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _confusion: traitlets.Dict[str, Any] = traitlets.Dict(dict(NO_ERRORS)).tag(sync=True)
    _flips: traitlets.TraitType[Any, Any] = traitlets.Dict(dict(EMPTY)).tag(sync=True)
    _sheet = traitlets.Bytes(b"").tag(sync=True)
    _curve: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _why = traitlets.Unicode("").tag(sync=True)
    _palette = traitlets.Dict(PALETTE).tag(sync=True)
    _follows: ClassVar[dict[str, str]] = {"pair": "_follow_pair", "heads": "_follow_head", "image": "_follow_image"}

    @classmethod
    def in_explorer(cls, explorer: Host) -> AblationLab:
        """Heads off on the images of the explorer that judge.

        Arguments:
            explorer: what it is a part of.
        """
        return cls(explorer.session.lab, description=explorer.session.shares.words, **explorer.live)

    def __init__(
        self,
        acts: Acts | AblationSession,
        classes: Any = None,
        *,
        layers: Any = -4,
        minority: Any = None,
        held_out: Any = None,
        validation: Acts | None = None,
        heads: Any = (),
        selection: Selection | None = None,
        engine: Engine | None = None,
        **words: Any,
    ) -> None:
        shared = self._shared(selection)
        self._session = (
            acts
            if isinstance(acts, AblationSession)
            else AblationSession(acts, classes, layers, minority, held_out=held_out, validation=validation)
        )
        self.change: Change | None = None
        self._outcome: HeadsOffOutcome | None = None
        self._noun = self._session.noun
        live = self._session.judged.acts.live
        self._begin(engine, live)
        # what needs no model must not wait for a run of it, nor numbers for pictures or for intervals
        threads = isinstance(self.engine, Worker)
        self._fast, self._pictures, self._aside = (Worker() if threads else self.engine for _ in range(3))
        self._table = np.zeros((1, 1))
        first = HeadSet.of(heads, *self._session.shape)
        given = {name: words.pop(name) for name in ("head", "pair", "image") if name in words}
        words.setdefault("score", self._session.usual_score)
        words.setdefault("by", self._session.criteria[0])
        super().__init__(**words)
        with self.hold_sync():
            self._criteria = list(self._session.criteria)
            self._layers, self._heads = list(self._session.layers), self._session.shape[1]
            self.head = (self._layers[-1], 0)
            self._off = _switched_off(first)
            self._why = first.why
            facts: OffFacts = {**self._session.facts, "effect": "", "shown": None}
            self._facts = facts
            self._scores = [score.told for score in offered("AblationLab")]
        self.selection = shared
        for name, value in given.items():
            setattr(self, name, value)
        self._pointed = "head" in given or bool(shared.heads)
        self._ask_map()
        self._ask_outcome()

    _card = property(lambda self: self._session.judged.acts.card)
    _classes_there = property(lambda self: self._session.judged.classes)
    _heads_there = property(lambda self: (self._session.layers, self._session.shape[1]))

    # what may be set

    @traitlets.validate("score")
    def _valid_score(self, proposal: dict[str, Any]) -> str:
        found = known_score(proposal["value"], "AblationLab.score", "AblationLab")
        self._scores = [score.told for score in offered("AblationLab")]
        return found.name

    @traitlets.validate("by")
    def _valid_by(self, proposal: dict[str, Any]) -> str:
        value, known = proposal["value"], self._session.criteria
        if value not in known:
            fix = "name one of these" + ("" if VALIDATED in known else f"; {VALIDATED!r} needs validation=")
            raise InputError("AblationLab.by", repr(value), ", ".join(map(repr, known)), fix)
        return str(value)

    @traitlets.validate("_off")
    def _valid_off(self, proposal: dict[str, Any]) -> list[Off]:
        return self._session.changes(proposal["value"])

    @property
    def heads(self) -> HeadSet:
        """The heads changed, in order; assign a set in any spelling to switch exactly it off."""
        return HeadSet(tuple(self.strengths))

    @heads.setter
    def heads(self, heads: Any) -> None:
        found = HeadSet.of(heads, *self._session.shape)
        self._off = _switched_off(found)
        if found.why:
            self._why = found.why

    @property
    def strengths(self) -> dict[tuple[int, int], float]:
        """Strength of every head that is changed; assign a mapping from heads to numbers."""
        return {(one["head"][0], one["head"][1]): one["strength"] for one in self._off}

    @strengths.setter
    def strengths(self, strength: Mapping[Any, float]) -> None:
        self._off = known_strengths(self._session, strength)

    # what is asked

    @observes("_off", "how", "effect")
    def _off_changed(self, change: Any) -> None:
        if change["name"] == "_off":
            self._why = ""
            self._forgive("choose")
        self._ask_outcome()
        if change["name"] == "how":
            self._ask_map()

    @observes("score", "pair", "text")
    def _score_changed(self, change: Any) -> None:
        if change["name"] == "pair":
            self._why = ""
            self._forgive("choose")
            self._show_groups(self._every)
            if not self._following:
                self.selection.pair = self.pair
        self._ask_map()

    @observes("head", "image")
    def _looked_at(self, change: Any) -> None:
        self._pointed |= change["name"] == "head"
        if not self._following:
            if change["name"] == "head":
                self.selection.heads = (self.head,)
            else:
                self.selection.image = self.image

    def _ask_map(self) -> None:
        kind, pair, how, text = self.score, self.pair, self.how, self.text.strip()
        of: MapOf = {"score": kind, "pair": None if pair is None else list(pair), "how": how, "text": text}
        session = self._session

        def work(request: Any) -> tuple[MapOf, NDArray[np.float64], OrderCurve]:
            table = session.map(kind, pair, how, text)
            request.check()
            return of, table, session.curve(table, how)

        score = known_score(kind, "AblationLab.score")
        self._ask("map", work, self._paint_map, score.needs_model or (score.takes_text and bool(text)))

    def _ask_outcome(self) -> None:
        off, how, effect, session = self._off, self.how, self.effect, self._session
        of: OutcomeOf = {"off": off, "how": how, "effect": effect}

        def work(request: Any) -> tuple[HeadsOffOutcome, list[Any], OutcomeOf]:
            found = session.outcome(off, how, effect)
            return found, found.rows, of

        self._ask("outcome", work, self._paint_outcome, effect == "total")

    def _ask(self, part: str, work: Callable[[Any], Any], paint: Callable[[Any], None], model: bool) -> None:
        """Ask for a part, on the model's worker or on the panel's own; a run of the model that is under way for it
        ends.
        """
        if self.engine is not self._fast:
            self.engine.cancel(self._key(part))
        self._submit(part, work, paint, engine=self.engine if model else self._fast)

    def choose(self) -> None:
        """Switch off what Algorithm 1 chooses for the pair, by the criterion `by`; `.heads.why` says why."""
        asked = pair, by = self.pair, self.by
        self._submit("choose", lambda request: (asked, self._session.choose(pair, by)), self._take, engine=self._fast)

    def _take(self, found: tuple[Any, HeadSet]) -> None:
        if found[0] == (self.pair, self.by):
            self.heads = found[1]
            self._why = found[1].why

    def reset(self) -> None:
        """All heads on."""
        self._off = []

    def _do(self, ask: dict[str, Any]) -> None:
        asks = {"choose": self.choose, "reset": self.reset, "stop": lambda: self.stop("map", "outcome", "choose")}
        asks[ask["do"]]()

    # what comes of it

    def _paint_map(self, found: tuple[MapOf, NDArray[np.float64], OrderCurve]) -> None:
        of, self._table, curve = found
        self._map_of = of
        kind, pair = of["score"], of["pair"]
        of_all = self._session.pooled_words if pair is None else ""
        says = known_score(kind, "AblationLab").says
        self._map, self._sure = self._table, {}
        self._map_words = f"{says} Over {of_all}." if of_all else says
        drawn: OrderCurveSent = {
            "worst": curve.worst.tolist(), "average": curve.average.tolist(), "low": curve.low.tolist(),
            "high": curve.high.tolist(), "order": [list(head) for head in curve.order], "orders": curve.orders,
        }  # fmt: skip
        self._curve = drawn
        session = self._session

        def work(request: Any) -> Sure:
            return session.sure(kind, None if pair is None else (pair[0], pair[1]))

        self._submit("sure", work, self._paint_sure, engine=self._aside)

    def _paint_sure(self, found: Sure) -> None:
        self._sure = found

    def _paint_outcome(self, found: tuple[HeadsOffOutcome, list[Any], OutcomeOf]) -> None:
        outcome, rows, of = found
        self.change, self._outcome = outcome.change, outcome
        self._show_groups(rows)
        facts: OffFacts = {**self._session.facts, "effect": outcome.effect, "shown": of}
        self._facts = facts
        self._ask_flips(outcome)
        self._describe()

    def _show_groups(self, rows: list[dict[str, Any]]) -> None:
        super()._show_groups(rows)
        if self._outcome is not None:
            found, asked = self._outcome, (self.find, self.rank, self.pair)
            self._confusion = dict(self._session.errors(found.before, found.after, *asked))

    def _ask_flips(self, outcome: HeadsOffOutcome) -> None:
        images, pause = self._session.judged, PAUSE if self._pictures is not self.engine else 0

        def work(request: Any) -> tuple[FlipsSent, bytes]:
            return turned(images, outcome.before, outcome.after, request, pause)

        self._submit("flips", work, self._paint_flips, engine=self._pictures)

    def _paint_flips(self, found: tuple[FlipsSent, bytes]) -> None:
        self._flips, self._sheet = found

    # what others choose

    @shows_errors
    def _follow_pair(self, change: Any) -> None:
        pair = self.selection.pair
        names = self._session.images.classes.names
        if pair is None or all(name in names for name in pair):
            self._followed("pair", pair)

    @shows_errors
    def _follow_head(self, change: Any) -> None:
        known = [head for head in self.selection.heads if head[0] in self._layers and head[1] < self._heads]
        if known and tuple(known[-1]) != tuple(self.head):
            self._followed("head", known[-1])

    @shows_errors
    def _follow_image(self, change: Any) -> None:
        self._followed("image", self.selection.image)

    # as words, tables and pictures

    def _describe(self) -> None:
        if self._groups:
            close = self._outcome.close if self._outcome is not None else 0
            self.summary = f"{self.title}: {self._session.words(self._groups, self._facts['shown'], close)}"

    def _await_first(self) -> None:
        if not self._groups and isinstance(self._fast, Worker):
            self._fast.wait(WAIT)

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per group: group, n, before, after, change, low, high, level, interval (method) and split."""
        if self.change is None:
            given = "a lab whose first numbers are still on their way"
            raise InputError("AblationLab.to_dataframe", given, "a lab that is painted", "wait a moment")
        return self.change.to_dataframe()


def _switched_off(heads: HeadSet) -> list[Off]:
    return [{"head": list(head), "strength": 0.0} for head in heads]
