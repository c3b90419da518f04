"""`EditLab`: α and β as sliders that solve the edit anew, what it gains and costs, and the frontier it moves on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from toolkit.api.edit.problem import EditWarning
from toolkit.api.edit.settings import known_scale, known_steps, known_weight
from toolkit.core.heads import HeadSet
from toolkit.data.counts import many
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.errors import InputError, warn_caller
from toolkit.figures.colors import DIVERGING, DIVERGING_DARK
from toolkit.labs.ablation import known_pair
from toolkit.labs.edit import STEPS, Chooser, EditSession, Settings, second
from toolkit.labs.edit_records import BesideSent, CurveSent, EditWords, NamedMeasures
from toolkit.labs.edit_shown import NO_STRENGTHS, EditShown, curve, shown, words
from toolkit.labs.ranked import MOST
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.panel import observes, shows_errors
from toolkit.panels.base.place import ExplorerPlace, Host
from toolkit.panels.base.selection import Selection
from toolkit.panels.base.traits import Checked, Pair
from toolkit.panels.base.turned import EMPTY, FlipsSent, turned
from toolkit.panels.edit_lab.fronts import FrontedEdits
from toolkit.panels.edit_lab.visits import NAMES

if TYPE_CHECKING:
    from toolkit.api.edit.outcome import Outcome
    from toolkit.api.edit.result import Edit
    from toolkit.api.images.acts import Acts

WAIT = 5.0
AFTER = 0.15
"""Seconds a setting must rest before words and pictures follow: what nobody reads in a drag must not slow it."""
Solved = tuple[Settings, EditShown, "Edit | None", "BesideSent | dict[str, Any]"]
"""The settings of an edit and how it is shown, and the same of the one beside it."""
Said = tuple[CurveSent, EditWords, list[NamedMeasures], EditWords]
"""Of the edit looked at its steps and words, what is no edit, and the words of a kept one beside it."""
PALETTE = {"light": DIVERGING.tolist(), "dark": DIVERGING_DARK.tolist()}


class Weight(Checked):
    """A weight of an edit's loss: 0 (off) to 1e12, no unit."""

    default_value: Any = 10.0

    def validate(self, obj: Any, value: Any) -> float:
        """The number. Raises InputError for one below 0, NaN, or none at all."""
        return known_weight(str(self.name), value)


class EditLab(FrontedEdits):
    """Drag α and β: two edits are solved again, and their groups, their places on the frontier and their steps follow.

    One is looked at closely (words, steps, who paid), the other stands beside it; both have the same α and β. Of
    strengths of heads the map is the edit: its cells move, and each can be set by hand and held.

    Arguments:
        acts: parts of the few labelled images the edit is made from (`Acts`).
        classes: all classes to tell apart (`tk.classes`).
        heads: those success learns to do without, in any spelling; default what `chooser` chooses.
        held_out: parts of other images, which everything shown is measured on; take validation images, and report on
            test images once; default the images the edit is made from.
        unrelated: by name, parts an edit should leave alone; default none.
        chooser: a function of a pair, (true, predicted) or None for all mistakes, that chooses heads (`HeadSet`);
            default Algorithm 1 on `acts`.
        draws: parts of other few images, as many as `acts`, which edits might as well be made from: every front gets a
            band, over all of them; default none.
        held: strengths that stay while the others are solved for, a mapping from heads to numbers from 0 to 2; default
            none.
        selection: a Selection to share with other panels; default its own.
        engine: what works; `Engine()` works inline; default a worker of the panel.
        alpha: weight of success at the start, no unit, 0 to 1e12; default 10.
        beta: weight of locality at the start, no unit, 0 to 1e12; default 10.
        steps: of Adam; default 100.
        strategy: "diagonal", "full", "rank R", "strengths", "strengths all", "directions R" or "class vectors"; default
            "diagonal".
        beside: the strategy of the second edit, or the name of a kept one; "" for none; default "strengths".
        scale: of the logits, above 0; 1 is our reading of R25; default the checkpoint's.
        nonnegative: keep θ ≥ 0; default False.
        pair: (true, predicted); default all mistakes.
        image: the id of the image looked at; default none.
        find: of more than 14 groups, a text in the names of those shown; default "".
        rank: which of them come first: "loss", "gain", "before" (the worst) or "after"; default "loss".
        title, description: words; default "Live edit" and "".
        theme: "auto", "light" or "dark"; default "auto".

    `.edit` is the edit looked at, `.other` the one beside it, `.swap()` changes them; `.hold("L3.H7", 0.2)` and
    `.release()` set strengths by hand; `.kept` edits by name, `.visited` where one has been, `.frontier` the grid once
    `.fill()` has made it, `.fronts` those of every strategy once `.draw_fronts()` has, `.folded` what the folded model
    does once `.measure_folded()` has measured it; `.undo()`, `.redo()`, `.keep(name)`, `.choose()`.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
    >>> lab = tk.EditLab(acts, tk.classes(["waterbird", "landbird"]), "L3.H7 L3.H5"); lab.alpha = 30
    >>> lab.engine.wait(30), lab.edit.alpha
    (True, 30.0)
    """

    heading = "Live edit"
    saved = ("strategy", "beside", "scale", "nonnegative", "heads", "held", "steps", "alpha", "beta")
    selection_fix = "pass heads= to choose heads"
    place = ExplorerPlace("edit", tab="edit", label="Edit")
    doing: ClassVar[dict[str, str]] = {
        "solve": "solve the edit",
        "fill": "solve the frontier",
        "fronts": "draw the front of every strategy",
        "words": "put the edit into words",
        "flips": "read the images that changed",
        "choose": "choose heads",
        "folded": "run the folded model",
    }
    unasked: ClassVar[frozenset[str]] = frozenset({"fronts"})
    _esm = script("edit_lab")
    _css = style("edit_lab")
    alpha = Weight().tag(sync=True)
    beta = Weight().tag(sync=True)
    steps: traitlets.TraitType[Any, Any] = traitlets.Any(100).tag(sync=True)
    strategy = traitlets.Unicode("diagonal").tag(sync=True)
    beside = traitlets.Unicode("strengths").tag(sync=True)
    scale: traitlets.TraitType[Any, Any] = traitlets.Any(None, allow_none=True).tag(sync=True)
    nonnegative = traitlets.Bool(False).tag(sync=True)
    pair = Pair().tag(sync=True)
    image = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    _chosen: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _typed = traitlets.Unicode("").tag(sync=True)
    _note = traitlets.Unicode("").tag(sync=True)
    _pairs: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _facts: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _shown: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _step = traitlets.Int(0).tag(sync=True)
    _folds = traitlets.Bool(False).tag(sync=True)
    _told: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _point: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _strengths: traitlets.TraitType[Any, Any] = traitlets.Dict(dict(NO_STRENGTHS)).tag(sync=True)
    _other: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _marks: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _curve: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _words: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _other_words: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _against = traitlets.Unicode("").tag(sync=True)
    _flips: traitlets.TraitType[Any, Any] = traitlets.Dict(dict(EMPTY)).tag(sync=True)
    _sheet = traitlets.Bytes(b"").tag(sync=True)
    _palette = traitlets.Dict(PALETTE).tag(sync=True)
    _follows: ClassVar[dict[str, str]] = {"pair": "_follow_pair", "image": "_follow_image"}

    @classmethod
    def in_explorer(cls, explorer: Host) -> EditLab:
        """An edit of a few images of every class, judged on the others.

        Arguments:
            explorer: what it is a part of.
        """
        few, class_set, held = explorer.session.for_editing()
        words = f"Made from {many(len(few), 'image')}, which are left out of those it is judged on."
        given: dict[str, Any] = {
            "held_out": held, "unrelated": explorer.unrelated, "chooser": explorer.session.choose,
            "draws": explorer.session.draws,
            "description": f"{words} {explorer.session.shares.words}",
        }  # fmt: skip
        try:
            return cls(few, class_set, **given, pair=explorer.pair, **explorer.live)
        except InputError:  # there was none to choose, or the few make another mistake
            return cls(few, class_set, explorer.selection.heads or explorer.worst_head, **given, **explorer.live)

    def __init__(
        self,
        acts: Acts,
        classes: Any,
        heads: Any = None,
        *,
        held_out: Any = None,
        unrelated: Mapping[str, Any] | None = None,
        chooser: Chooser | None = None,
        draws: Sequence[Any] = (),
        held: Mapping[Any, float] | None = None,
        selection: Selection | None = None,
        engine: Engine | None = None,
        **words: Any,
    ) -> None:
        shared = self._shared(selection)
        self._session = EditSession(acts, classes, held_out, unrelated, chooser, draws)
        self._asked_last: tuple[Settings, Settings | None] | None = None
        self.edit: Edit | None = None
        self.other: Edit | None = None
        self._usual: list[Any] | None = None
        self._begin(engine)
        self._threads = isinstance(self.engine, Worker)
        self._begin_visits()
        self._begin_fronts()
        # a solve must not wait for the frontier, nor for pictures, nor for what is said about the last one
        self._pictures, self._aside, self._filling = (Worker() if self._threads else self.engine for _ in range(3))
        pair = known_pair(self._session.images, words.pop("pair", None), "EditLab")
        if not self._session.images.mistakes and words.get("alpha", 10.0):
            given = f"{many(len(self._session.images), 'image')} to make an edit from, of which none is wrong"
            accepted = "at least one wrong image, which success learns from"
            fix = "take others, or pass heads= and alpha=0 for the other losses alone"
            raise InputError("EditLab", given, accepted, fix)
        first = self._session.choose(pair) if heads is None else HeadSet.of(heads, *self._session.shape)
        self._session.check(Settings(words.get("alpha", 10.0) != 0, 0.0, 0, "diagonal", None, False, first.heads, pair))
        image = words.pop("image", None)
        super().__init__(**words)
        self._differ("strengths" if self.strategy == "diagonal" else "diagonal")
        with self.hold_sync():
            self._pairs, self._facts = self._session.pairs, self._session.facts
            self._chosen, self._typed, self.pair = [list(head) for head in first], str(first), pair
            self._noted(first)
            self._usual = self._chosen if heads is None else None
            self.held = held or {}
        if pair is not None:
            shared.pair = pair
        self.selection = shared
        if image is not None:
            self.image = image
        self._ask()

    _card = property(lambda self: self._session.images.acts.card)
    _classes_there = property(lambda self: self._session.images.classes)

    # what is set

    @traitlets.validate("steps")
    def _valid_steps(self, proposal: dict[str, Any]) -> int:
        steps = known_steps(proposal["value"])
        if steps is None or steps > STEPS:
            accepted = f"a whole number from 0 to {STEPS:,}"
            raise InputError("EditLab.steps", repr(steps or "converge"), accepted, "use tk.edit for what takes longer")
        return steps

    @traitlets.validate("strategy")
    def _valid_strategy(self, proposal: dict[str, Any]) -> str:
        return self._session.strategy(proposal["value"])

    @traitlets.validate("beside")
    def _valid_beside(self, proposal: dict[str, Any]) -> str:
        name = str(proposal["value"]).strip()
        return name if not name or name in self.kept else self._session.strategy(name)

    @traitlets.validate("scale")
    def _valid_scale(self, proposal: dict[str, Any]) -> float | None:
        return known_scale(proposal["value"], self._session.images.acts.card.logit_scale)

    @property
    def heads(self) -> HeadSet:
        """The heads success learns to do without; assign a set in any spelling."""
        return HeadSet(tuple((row[0], row[1]) for row in self._chosen))

    @heads.setter
    def heads(self, heads: Any) -> None:
        found = HeadSet.of(heads, *self._session.shape)
        self._noted(found)
        with self.hold_sync():
            self._chosen, self._typed = [list(head) for head in found], str(found)

    def _noted(self, heads: HeadSet) -> None:
        """Warn of heads that were found under another class set, and keep it in view."""
        self._note = self._session.note(heads)
        if self._note:
            warn_caller(f"EditLab: {self._note}", EditWarning)

    @property
    def settings(self) -> Settings:
        """Everything the edit looked at depends on, as it is set now."""
        return self._settings_of(self.strategy)

    def _settings_of(self, strategy: str) -> Settings:
        """Those of an edit by a strategy; θ ≥ 0 is for the diagonal alone."""
        heads = tuple((row[0], row[1]) for row in self._chosen)
        floor = self.nonnegative and strategy == "diagonal"
        scale, pair, hold = self.scale, self.pair, self._held_now
        return Settings(self.alpha, self.beta, self.steps, strategy, scale, floor, heads, pair, hold)

    @property
    def _both(self) -> tuple[Settings, Settings | None]:
        """Those of the edit looked at, and of the one beside it."""
        if not self.beside:
            return self.settings, None
        return self.settings, self._kept_at.get(self.beside) or self._settings_of(self.beside)

    # α → the request → the solve → what is shown → the paint

    @observes(*NAMES, "beside", "_chosen", "_hold")
    def _changed(self, change: Any) -> None:
        if change["name"] == "pair" and not self._following:
            self.selection.pair = self.pair
        if change["name"] == "strategy":
            self._differ(change["old"])
        self._ask()
        if change["name"] == "pair" and self._chosen == self._usual and not self._returning:
            self.choose()  # nobody has named others: those of the mistake looked at now

    def _differ(self, other: str) -> None:
        """Let another strategy stand beside, where it would be the same one twice."""
        if self.beside == self.strategy:
            self.beside = other

    def _ask(self) -> None:
        """Ask for the edit of the present settings, where they are not those asked for last."""
        asked, before = self._both, self._asked_last
        if asked == before:  # α and β of one message are two changes
            return
        if before is not None and not self._returning and asked[0] != before[0]:
            self._visits.moved(before[0])
        # one message, after the worker began; what an engine works out inline leaves as soon as it is there
        with self.hold_sync() if self._threads else nullcontext():
            self._can = self._visits.can
            for part, engine in (("words", self._aside), ("flips", self._pictures)):
                engine.cancel(self._key(part))  # threads that work in small steps slow each other by far more than half
            self.solve()

    def solve(self) -> None:
        """Solve the present settings, once more where that was ended."""
        both, session, kept = self._both, self._session, self.kept.get(self.beside)
        asked, other = self._asked_last = both

        def work(request: Any) -> Solved:
            made = shown(session.solve(asked, lambda edit: request.partial(shown(edit))))
            return asked, made, *second(session, made, other, kept)

        self._submit("solve", work, self._paint, then=self._tell_others, partial=self._paint_part)

    def _paint(self, found: Solved) -> None:
        settings, now, self.other, second = found
        self.edit, self._shown = now.edit, settings.told
        self._folds = self._session.can_fold(now.edit)
        with self.hold_sync():
            self._other = dict(second)
            self._paint_part(now)
        self._forgive("_browser_asked", "fill", "choose", "folded")
        self._visits.seen(settings, now.point)
        self.summary = f"{self.title}: {now.words}"
        kept = self.kept.get(self.beside)
        self._ask_words(now.edit, settings, kept)
        self._ask_flips(now.outcome, kept)

    def _tell_others(self, found: Solved) -> None:
        self.selection.edit = found[1].edit

    def _paint_part(self, now: EditShown) -> None:
        with self.painting():
            self._every, self._told, self._point, self._step = now.rows, now.told, now.point, now.edit.step
            self._strengths = now.strengths
            if len(now.rows) > MOST:
                self._show_groups(now.rows)
            else:  # nearly always, and on the way of every move of a slider
                self._groups, self._groups_words = now.rows, ""

    # what follows a paint

    def _ask_words(self, edit: Edit, of: Settings, kept: Edit | None) -> None:
        session = self._session

        def work(request: Any) -> Said:
            if self._threads:
                time.sleep(AFTER)
                request.check()
            drawn, others = curve(edit, of.told), session.marks(of)
            request.partial((drawn, {}, others, {}))
            return drawn, words(edit), others, {} if kept is None else words(kept)

        self._submit("words", work, self._paint_words, engine=self._aside, partial=self._paint_words)

    def _paint_words(self, found: Said) -> None:
        with self.painting():
            self._curve, self._words, self._marks, self._other_words = found
            self._trail = self._visits.trail
            self._planes = self._visits.words
        self._fronts_follow()

    def _ask_flips(self, outcome: Outcome, kept: Edit | None) -> None:
        images, pause = outcome.held.images, AFTER if self._threads else 0
        against = "" if kept is None else kept.name

        def work(request: Any) -> tuple[FlipsSent, bytes, str]:
            before = images.guess if kept is None else kept.on().guess
            return *turned(images, before.numpy(), outcome.guess.numpy(), request, pause), against

        self._submit("flips", work, self._paint_flips, engine=self._pictures)

    def _paint_flips(self, found: tuple[FlipsSent, bytes, str]) -> None:
        self._flips, self._sheet, self._against = found

    # what else is asked

    def choose(self) -> None:
        """Take the heads that are chosen for the pair: by `chooser`, else by Algorithm 1 on the images the edit is made
        from.
        """
        pair, before = self.pair, self._chosen

        def take(found: HeadSet) -> None:
            if pair == self.pair and before == self._chosen:  # nothing else was asked for meanwhile
                self.heads = found
                self._usual = self._chosen

        self._submit("choose", lambda request: self._session.choose(pair), take, engine=self._pictures)

    def cancel(self) -> None:
        """End a solve, the frontier, or a choice of heads that is being worked out; `go_on` starts again."""
        self.stop("solve", "fill", "fronts", "choose", "folded")

    def _do(self, ask: dict[str, Any]) -> None:
        do: dict[str, Callable[[], Any]] = {
            "choose": self.choose, "fill": self.fill, "stop": self.cancel, "undo": self.undo, "redo": self.redo,
            "keep": lambda: self.keep(str(ask.get("name", ""))), "go": lambda: self._go_to(ask),
            "fronts": self.draw_fronts,
            "take": self._take_selected, "folded": self.measure_folded, "swap": self.swap,
        }  # fmt: skip
        do[ask["do"]]()

    def _take_selected(self) -> None:
        if not self.selection.heads:
            fix = "select heads in a linked panel, or type them"
            raise InputError("EditLab.heads", "no selected heads", "heads selected in a linked panel", fix)
        self.heads = self.selection.heads

    # what others choose, and what is typed

    @observes("_typed")
    def _heads_typed(self, change: Any) -> None:
        if self._typed != str(self.heads):
            self.heads = self._typed

    @observes("image")
    def _image_chosen(self, change: Any) -> None:
        if not self._following:
            self.selection.image = self.image

    @shows_errors
    def _follow_pair(self, change: Any) -> None:
        pair, names = self.selection.pair, self._session.images.classes.names
        if pair is None or all(name in names for name in pair):
            self._followed("pair", pair)

    @shows_errors
    def _follow_image(self, change: Any) -> None:
        self._followed("image", self.selection.image)

    # as words and pictures

    def _await_first(self) -> None:
        if not self._groups and self._threads:
            self.engine.wait(WAIT)
