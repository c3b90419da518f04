"""`EditLab`: α and β as sliders that solve the edit anew, what it gains and costs, and the frontier it moves on."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import traitlets

from toolkit.api.edit.frontier_result import MEASURES
from toolkit.core.heads import HeadSet
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.errors import InputError
from toolkit.figures.colors import DIVERGING, DIVERGING_DARK
from toolkit.labs.ablation import known_pair
from toolkit.labs.edit import EditSession, Settings
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.selection import Selection
from toolkit.panels.base.turned import EMPTY, turned
from toolkit.panels.edit_lab.dials import EditDials

if TYPE_CHECKING:
    import pandas

    from toolkit.api.edit.frontier_result import Frontier
    from toolkit.api.edit.outcome import Outcome
    from toolkit.api.edit.result import Edit
    from toolkit.api.images.acts import Acts

QUICK = 0.1
"""Seconds a solve may take without asking whether a newer one waits: a short one is painted sooner than given up."""
WAIT = 5.0
AFTER = 0.15
"""Seconds a setting must rest before words and pictures follow: what nobody reads in a drag must not slow it."""
PALETTE = {"light": DIVERGING.tolist(), "dark": DIVERGING_DARK.tolist()}


class EditLab(EditDials):
    """Drag α and β: the edit is solved again, and its groups, its place on the frontier and its steps follow.

    acts: parts of the few labelled images the edit is made from. classes: all classes to tell apart. heads: those
    success learns to do without, in any spelling; default what Algorithm 1 chooses on `acts`. held_out: parts of other
    images, which everything shown is measured on; take validation images, and report on test images once. unrelated: by
    name, parts an edit should leave alone. alpha, beta: weights at the start, default 10. steps: of Adam, default 100.
    strategy: "diagonal", "full" or "rank R". scale: of the logits, None for the checkpoint's, 1 as in R25. nonnegative:
    keep θ ≥ 0. pair: (true, predicted), default all mistakes. selection: a Selection to share with other panels.
    engine: default a worker of the panel; `Engine()` works inline.

    `.edit` is the edit shown, `.kept` edits by name, `.visited` where one has been, `.frontier` the grid once `.fill()`
    has made it; `.undo()`, `.redo()`, `.keep(name)`, `.choose()`.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
    >>> lab = tk.EditLab(acts, tk.classes(["waterbird", "landbird"]), "L3.H7 L3.H5"); lab.alpha = 30
    >>> lab.engine.wait(30), lab.edit.alpha
    (True, 30.0)
    """

    _esm = script("edit_lab")
    _css = style("edit_lab")
    title = traitlets.Unicode("Live edit").tag(sync=True)
    description = traitlets.Unicode("").tag(sync=True)
    _pairs: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _facts = traitlets.Dict().tag(sync=True)
    _shown: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _step = traitlets.Int(0).tag(sync=True)
    _told: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _point = traitlets.Dict().tag(sync=True)
    _trail: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _front = traitlets.Dict().tag(sync=True)
    _marks: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _curve = traitlets.Dict().tag(sync=True)
    _words = traitlets.Dict().tag(sync=True)
    _flips = traitlets.Dict(EMPTY).tag(sync=True)
    _sheet = traitlets.Bytes(b"").tag(sync=True)
    _planes: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _names: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _progress = traitlets.Dict().tag(sync=True)
    _palette = traitlets.Dict(PALETTE).tag(sync=True)

    def __init__(
        self,
        acts: Acts,
        classes: Any,
        heads: Any = None,
        *,
        held_out: Any = None,
        unrelated: Mapping[str, Any] | None = None,
        selection: Selection | None = None,
        engine: Engine | None = None,
        **words: Any,
    ) -> None:
        if engine is not None and not isinstance(engine, Engine):
            raise InputError("EditLab", f"engine={engine!r}", "an Engine", "leave engine out")
        if selection is not None and not isinstance(selection, Selection):
            raise InputError("EditLab", f"selection={selection!r}", "a Selection", "pass heads= to choose heads")
        self._begin_dials(EditSession(acts, classes, held_out, unrelated))
        self.edit: Edit | None = None
        self.frontier: Frontier | None = None
        self.kept: dict[str, Edit] = {}
        self._filled: Settings | None = None
        self._kept_at: dict[str, Settings] = {}
        self._begin(engine if engine is not None else Worker())
        threads = isinstance(self.engine, Worker)
        # a solve must not wait for the frontier, nor for pictures, nor for what is said about the last one
        self._pictures, self._aside, self._filling = (Worker() if threads else self.engine for _ in range(3))
        pair = known_pair(self._session.images, words.pop("pair", None), "EditLab")
        first = self._session.choose(pair) if heads is None else HeadSet.of(heads, *self._session.shape)
        self._session.check(Settings(words.get("alpha", 10.0) != 0, 0.0, 0, "diagonal", None, False, first.heads, pair))
        shared = Selection() if selection is None else selection
        given = {name: words.pop(name) for name in ("image",) if name in words}
        super().__init__(**words)
        with self.hold_sync():
            self._pairs, self._facts = self._session.pairs, self._session.facts
            self._chosen, self._typed, self.pair = [list(head) for head in first], str(first), pair
            self._noted(first)
        if pair is not None:
            shared.pair = pair
        self.selection = shared
        for name, value in given.items():
            setattr(self, name, value)
        self._ask_solve()

    @property
    def visited(self) -> pandas.DataFrame:
        """Where one has been, oldest first: alpha, beta, steps, strategy, scale, nonnegative, heads, pair, measures."""
        import pandas

        rows = [[*self._visits.settings(*row[:4]), *row[4:]] for row in self._visits.trail]
        return pandas.DataFrame(rows, columns=[*Settings._fields, *MEASURES])

    # what is asked

    def _ask_solve(self) -> None:
        asked, before = self.settings, self._asked_last
        if asked == before:  # α and β of one message are two changes
            return
        if before is not None and not self._returning:
            self._visits.moved(before)
        with self.hold_sync():  # one message
            self._asked_last, self._can = asked, self._visits.can
            for part, engine in (("words", self._aside), ("flips", self._pictures)):
                engine.cancel(self._key(part))  # threads that work in small steps slow each other by far more than half
            self._solve(asked)

    def solve(self) -> None:
        """Solve the present settings, once more where that was ended."""
        self._asked_last = self.settings
        self._solve(self.settings)

    def _solve(self, asked: Settings) -> None:
        session = self._session

        def work(request: Any) -> dict[str, Any]:
            start = time.monotonic()

            def check(done: int, of: int) -> None:
                if time.monotonic() - start > QUICK:
                    request.progress(done, of)

            session.check(asked)
            made = session.solve(asked, check, lambda edit: request.partial(session.picture(asked, edit)))
            return session.picture(asked, made)

        def report(done: int, of: int) -> None:
            with self.painting():
                self._progress = {**self._progress, "solve": done / max(1, of)}

        with self.hold_sync():
            self._ended("solve")
            self._submit("solve", work, self._paint, progress=report, partial=self._paint_part)

    def _ended(self, part: str) -> None:
        """Forget how far a part was."""
        if self._progress.get(part):
            self._progress = {**self._progress, part: 0}

    def choose(self) -> None:
        """Take the heads that Algorithm 1 chooses for the pair on the images the edit is made from."""
        pair, before = self.pair, self._chosen

        def take(found: HeadSet) -> None:
            if pair == self.pair and before == self._chosen:  # nothing else was asked for meanwhile
                self.heads = found

        self._submit("choose", lambda request: self._session.choose(pair), take, engine=self._pictures)

    def fill(self, weights: Any = None) -> None:
        """Solve the grid of α and β of the plane one is in, painted as it fills. weights: of either axis."""
        asked, session = self.settings, self._session

        def work(request: Any) -> tuple[Settings, Frontier]:
            found = session.frontier(asked, request.progress, lambda part: request.partial((asked, part)), weights)
            return asked, found

        def report(done: int, of: int) -> None:
            with self.painting():
                self._progress = {**self._progress, "fill": done / max(1, of)}

        with self.hold_sync():
            self._ended("fill")
            self._submit(
                "fill", work, self._paint_front, engine=self._filling, progress=report, partial=self._paint_front
            )

    def cancel(self) -> None:
        """End a solve, the frontier, or a choice of heads that is being worked out; `solve` starts again."""
        workers = {"solve": self.engine, "fill": self._filling, "choose": self._pictures}
        for part, engine in workers.items():
            engine.cancel(self._key(part))

    # where one has been

    def keep(self, name: str = "") -> Edit:
        """Keep the edit shown under a name (default: the next letter); it is in `.kept`."""
        if self.edit is None or self._shown != self.settings.told:
            raise InputError("EditLab.keep", "an edit that is still being solved", "one that is shown", "wait a moment")
        if not isinstance(name, str):
            raise InputError("EditLab.keep", f"name={name!r}", "a text", "pass a name, or none for the next letter")
        word = name.strip() or next(x for x in _letters() if x not in self.kept)
        made = self.kept[word] = self.edit.named(word)
        self._kept_at[word] = self.settings
        self._names = [*(r for r in self._names if r["name"] != word), {"name": word} | self._point]
        return made

    def _do(self, ask: dict[str, Any]) -> None:
        do: dict[str, Callable[[], Any]] = {
            "choose": self.choose, "fill": self.fill, "stop": self.cancel, "undo": self.undo, "redo": self.redo,
            "keep": lambda: self.keep(str(ask.get("name", ""))), "go": lambda: self._go_to(ask),
            "take": self._take_selected, "solve": self.solve,
        }  # fmt: skip
        do[ask["do"]]()

    def _go_to(self, ask: dict[str, Any]) -> None:
        """Return to a row of the trail, to a cell of the frontier, or to an edit that was kept."""
        target: Settings | None = None
        if "cell" in ask and self._filled is not None:
            alpha, beta = (float(x) for x in ask["cell"])
            target = self._filled._replace(alpha=alpha, beta=beta)
        elif "name" in ask:
            target = self._kept_at.get(str(ask["name"]))
        elif "row" in ask:
            target = self._visits.at(ask["row"])
        if target is not None and target != self.settings:
            self._visits.moved(self.settings, now=True)
            self._go(target)
            self._can = self._visits.can

    def _take_selected(self) -> None:
        if not self.selection.heads:
            fix = "select heads in a linked panel, or type them"
            raise InputError("EditLab.heads", "no selected heads", "heads selected in a linked panel", fix)
        self.heads = self.selection.heads

    # what comes of it

    def _paint_part(self, found: dict[str, Any]) -> None:
        with self.painting():
            self._groups, self._told, self._point, self._step = (found[x] for x in ("rows", "told", "point", "step"))

    def _paint(self, found: dict[str, Any]) -> None:
        settings, outcome = found["settings"], found["outcome"]
        self.edit, self._shown = found["edit"], settings.told
        self._paint_part(found)
        self._forgive("_browser_asked", "fill", "choose")
        self._ended("solve")
        self._visits.seen(settings, found["point"])
        self.selection.edit = self.edit
        self.summary = f"{self.title}: {found['words']}"
        self._ask_words(found["edit"], self._shown)
        self._ask_flips(outcome)

    def _ask_words(self, edit: Edit, shown: list[Any]) -> None:
        session, pause = self._session, self._aside is not self.engine

        def work(request: Any) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
            if pause:
                time.sleep(AFTER)
                request.check()
            curve = session.curve(edit)
            request.partial((shown, curve, {}))
            return shown, curve, session.words(edit, request.check)

        self._submit("words", work, self._paint_words, engine=self._aside, partial=self._paint_words)

    def _paint_words(self, found: tuple[list[Any], dict[str, Any], dict[str, Any]]) -> None:
        shown, curve, words = found
        with self.painting():
            self._curve, self._trail, self._words = curve | {"of": shown}, self._visits.trail, words
            self._planes = self._visits.words

    def _paint_front(self, found: tuple[Settings, Frontier]) -> None:
        with self.painting():
            self._filled, self.frontier = found
            self._front, self._marks = self._session.plane(*found)
            if self.frontier.filled == 1:
                self._ended("fill")

    def _ask_flips(self, outcome: Outcome) -> None:
        images, pause = outcome.held.images, AFTER if self._pictures is not self.engine else 0

        def work(request: Any) -> tuple[dict[str, Any], bytes]:
            return turned(images, images.guess.numpy(), outcome.guess.numpy(), request, pause)

        self._submit("flips", work, self._paint_flips, engine=self._pictures)

    def _paint_flips(self, found: tuple[dict[str, Any], bytes]) -> None:
        self._flips, self._sheet = found

    # as words and pictures

    def _await_first(self) -> None:
        if not self._groups and isinstance(self.engine, Worker):
            self.engine.wait(WAIT)


def _letters() -> Iterator[str]:
    """A, B, … Z, A2, B2, …"""
    for turn in itertools.count(1):
        yield from (f"{chr(65 + i)}{turn if turn > 1 else ''}" for i in range(26))
