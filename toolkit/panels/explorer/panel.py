"""`Explorer`: from a mistake to the heads behind it, their words, where they look, switching them off and the edit."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import traitlets

from toolkit.api.doctor.checkup import in_words
from toolkit.core.heads import HeadSet
from toolkit.data.counts import many
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.figures.thumbnails import sheet
from toolkit.labs.explorer import SHOWS, ExplorerSession, ImageSaid, Show, Shown
from toolkit.labs.ranked import NO_ERRORS
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.panel import LOCK, observes, shows_errors
from toolkit.panels.base.selection import Selection
from toolkit.panels.base.traits import Pair
from toolkit.panels.explorer.guide import Guided
from toolkit.panels.explorer.handed_on import write_report
from toolkit.panels.explorer.parts import FOLDERS, PART, TABS
from toolkit.panels.explorer.state import read_state, state_of
from toolkit.panels.span_explorer.panel import SpanExplorer

THUMB = 48
WAIT = 4.0
"""Seconds the picture of a saved notebook waits for the scores."""


class Now(TypedDict):
    """What is chosen, in words; "" for what is not. of: what is known of the image."""

    image: str
    of: ImageSaid | None
    heads: str
    off: str
    text: str
    edit: str


class Explorer(Guided):
    """The whole way on one selection: choose an error, and the panels of all further steps follow.

    They are head grid, words, token map, ablation, edit and a second model.

    Arguments:
        model: a live one (`Model`); default the built-in one.
        data: samples (`tk.image_folder(…)`, `tk.waterbirds(…)`, …) or their parts with images; default the built-in
            world.
        classes: whose mistakes are looked at (`tk.classes`); images with other labels show what an edit costs
            elsewhere; default the labels that occur.
        state: what `explorer.state` gave, as a mapping, JSON or the path of a file; default none.
        second: a model, or an edit, to stand beside the first; default the edit solved here.
        edit_on: samples or parts an edit is made from; default ten images of every class.
        held_out: samples or parts that heads off and edits are judged on; default half of all others, by a hash of
            their ids: heads are found on what is left, and that half of them chosen on which the edit is not made from.
        unrelated: by name, parts an edit should leave alone; default none.
        texts: the bank of the words, as in `tk.bank`; default the built-in world's for its model, else the
            descriptions.
        layers: candidates of scores; a list of layers, None for all, a negative int for the last |n|; default −4.
        minority: groups of the LTC map; default all images.
        selection: a Selection to share with panels in other cells; default its own.
        engine: what works; `Engine()` works inline; default the model's worker.
        tab: what is shown first: "mistakes", "words", "where", "off", "edit", "two" or "doctor"; default
            "mistakes".
        pair: (true, predicted), a cell of the confusion; default all of them.
        show: "mistakes", "right" or "all", which images are shown; default "mistakes".
        group: the only group of images shown; default "", all of them.
        query: a text whose images are searched; default "".
        find: of more than 12 classes, a text in the names of those whose mistakes are listed; "crane → heron" finds
            one kind of mistake; default "".
        guide: the step of the guided tour, 0 for its beginning; default −1, none.
        title, description: words; default "".
        theme: "auto", "light" or "dark"; default "auto".

    `.gallery`, `.grid`, `.spans`, `.maps`, `.ablation`, `.edit`, `.two`, `.doctor` are the panels: each also works in a
    cell of its own. `.selection` is what they share, `.state` a small JSON that restores tab, filter, selection and
    settings, `.report(path)` a page to hand on. `.tab`, `.pair`, `.show` ("mistakes", "right", "all"), `.group` and
    `.query` (text → image search) can be read and set. `.guide = 0` begins the guided tour (`.tour`), `.wait()` waits
    for results.

    >>> import toolkit as tk
    >>> explorer = tk.Explorer(tk.load(), tk.scenes("val", n=120, kind="birds"), engine=tk.Engine())
    >>> explorer.pair = ("landbird", "waterbird"); explorer.selection.image = explorer.gallery.ids[0]
    >>> explorer.state["selection"]["pair"]
    ['landbird', 'waterbird']
    """

    doing: ClassVar[dict[str, str]] = {
        "parts": "take the images apart",
        "images": "look for the images",
        "grid": "score the heads",
        "thumb": "read the image",
        "report": "write the report",
        "doctor": "make ready the checks",
        "keywords": "make ready the keywords",
        "spans": "make ready what the heads say",
        "maps": "make ready the maps",
        "ablation": "make ready the heads to switch off",
        "edit": "make ready the edit",
        "compare": "make ready the cures",
        "two": "make ready the second model",
        "tour": "take the step of the tour",
    }
    _esm = script("explorer")
    _css = style("explorer")
    tab = traitlets.Enum(tuple(TABS), "mistakes").tag(sync=True)
    pair = Pair().tag(sync=True)
    show = traitlets.Enum(tuple(SHOWS), "mistakes").tag(sync=True)
    query = traitlets.Unicode("").tag(sync=True)
    _tabs = traitlets.Dict(TABS).tag(sync=True)
    _part = traitlets.Dict(PART).tag(sync=True)
    _folders = traitlets.Dict(FOLDERS).tag(sync=True)
    group = traitlets.Unicode("").tag(sync=True)
    _shows = traitlets.Dict(SHOWS).tag(sync=True)
    _groups: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    find = traitlets.Unicode("").tag(sync=True)
    _confusion: traitlets.Dict[str, Any] = traitlets.Dict(dict(NO_ERRORS)).tag(sync=True)
    _uses: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _found = traitlets.Unicode("").tag(sync=True)
    _thumb = traitlets.Bytes(b"").tag(sync=True)
    _now: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _told = traitlets.Unicode("").tag(sync=True)
    _warned = traitlets.Unicode("").tag(sync=True)
    _saved = traitlets.Unicode("").tag(sync=True)
    _kept_bytes: ClassVar[int] = 20_000
    _follows: ClassVar[dict[str, str]] = {
        "pair": "_follow_pair", "image": "_follow_image", "heads": "_follow_rest", "text": "_follow_rest",
        "edit": "_follow_rest",
    }  # fmt: skip

    def __init__(
        self,
        model: Any = None,
        data: Any = None,
        classes: Any = None,
        *,
        state: Any = None,
        second: Any = None,
        edit_on: Any = None,
        held_out: Any = None,
        unrelated: Mapping[str, Any] | None = None,
        texts: Any = None,
        layers: Any = -4,
        minority: Any = None,
        selection: Selection | None = None,
        engine: Engine | None = None,
        **words: Any,
    ) -> None:
        shared = self._shared(selection)
        self._session = session = ExplorerSession(model, data, classes, layers, edit_on, held_out, minority)
        pending = None if state is None else read_state(state, session)
        self._making = defaultdict(threading.RLock)
        self.texts, self.second, self.unrelated = texts, second, unrelated
        self._pending: dict[str, Any] = {}
        first = ("tab", "pair", "show", "group", "query", "guide")
        given = {name: words.pop(name) for name in first if name in words}
        super().__init__(**words)
        self._begin(engine, self._session.model)
        threads = isinstance(self.engine, Worker)
        self._aside = Worker() if threads else self.engine  # panels are made beside the extraction of another
        self.selection = shared
        self.part("gallery")
        self._describe()
        self._submit("parts", self._prepare, self._ready)
        for name, value in given.items():
            setattr(self, name, value)
        if pending is not None:
            self.state = pending

    # what is there at once, and what comes when the parts are there

    def _prepare(self, request: Any) -> tuple[Any, Any]:
        self._session.prepare()
        asked = self._filters
        return asked, self._page(*asked)

    @property
    def _filters(self) -> tuple[Show, Any, str, str]:
        return self.show, self.pair, self.query, self.group

    def _ready(self, found: tuple[Any, Any]) -> None:
        asked, page = found
        self._confusion = dict(self._session.errors(self.find, self.pair))
        self._groups = self._session.groups
        if asked == self._filters:
            self._paint_images(page)
        else:
            self._ask_images()
        self._ask_grid()
        self._follow_image(None)
        self._open(self.tab)
        if isinstance(self.engine, Worker):  # inline, everybody would wait for it
            self._submit("doctor", lambda request: self.part("doctor"), self._look_at_doctor, engine=self._aside)

    def _look_at_doctor(self, panel: Any) -> None:
        """Say on the first line what the doctor warns of."""
        panel.observe(lambda change: self._warn(panel), "_findings")
        self._warn(panel)

    def _warn(self, panel: Any) -> None:
        counts = panel.checkup.counts
        self._warned = in_words({verdict: counts[verdict] for verdict in ("wrong", "warning")})

    # what may be set

    @observes("tab")
    def _tab_changed(self, change: Any) -> None:
        self._open(self.tab)

    @observes("find")
    def _find_changed(self, change: Any) -> None:
        if self._session.acts_made:
            self._confusion = dict(self._session.errors(self.find, self.pair))

    @observes("pair", "show", "query", "group")
    def _filter_changed(self, change: Any) -> None:
        if change["name"] == "pair":
            self._find_changed(change)
            self._let_image_go()
            self._ask_grid()
            if not self._following:
                self.selection.pair = self.pair
            self._suggest_texts()
        if not self._keeps_images:
            self._ask_images()

    _keeps_images = False

    def _let_image_go(self) -> None:
        """Of another error than the one chosen now; else image and words would speak of two."""
        said = self._session.said(self.selection.image or "") if self._session.acts_made else None
        asked = None if said is None else (said["truth"], said["guess"])
        wrong = asked if asked is not None and asked[0] != asked[1] else None
        if wrong not in (None, self.pair) and self.pair is not None and not self._keeps_images:
            self.selection.image = None

    def _ask_images(self) -> None:
        asked = self._filters
        if not self._session.acts_made:
            return
        engine = self.engine if self.query.strip() else self._aside
        self._submit("images", lambda request: self._page(*asked), self._paint_images, engine=engine)

    def _page(self, show: Show, pair: Any, query: str, group: str) -> tuple[Shown, Any, Any]:
        """Images to show, and the first page of them as a sheet: pictures are not read while others wait for LOCK."""
        shown = self._session.shown(show, pair, query, group)
        images = self._session.images.acts.samples.take(shown.rows.tolist())
        return shown, images, self.gallery.made(images)

    def _ask_grid(self) -> None:
        pair, session = self.pair, self._session
        if not session.acts_made:
            return

        def work(request: Any) -> Any:
            if "grid" not in self.parts:
                self.part("grid")
            return session.maps(pair)

        self._submit("grid", lambda request: (pair, work(request)), self._paint_grid, engine=self._aside)

    # what comes of it

    def _paint_images(self, found: tuple[Shown, Any, Any]) -> None:
        shown, images, made = found
        self.gallery.show(images, shown.captions, shown.marks, sheet=made)
        self._found = shown.words
        self._describe()

    def _paint_grid(self, found: tuple[Any, Any]) -> None:
        pair, maps = found
        with self.grid.hold_sync():
            everything = self._session.lab.pooled_words or "all mistakes"
            self.grid.title = f"Heads behind {everything if pair is None else ' → '.join(pair)}"
            self.grid.values, self.grid.description = maps.tables, self._session.map_words(maps)
        spans = self.parts.get("spans")
        if isinstance(spans, SpanExplorer):
            spans.show_guilt(self._session.lab.layers, *maps.first)
        self._uses = [dict(use) for use in self._session.uses]
        self._describe()

    # what others choose

    @shows_errors
    def _follow_pair(self, change: Any) -> None:
        pair = self.selection.pair
        if pair is None or all(name in self._session.classes.names for name in pair):
            self._followed("pair", pair)

    @shows_errors
    def _follow_image(self, change: Any) -> None:
        image, session = self.selection.image, self._session
        if image is not None and session.acts_made:
            said = session.said(image)
            if said is not None and said["truth"] != said["guess"] and change is not None:
                self._keeps_images = True  # the images one chooses from stay where they are
                try:
                    self.pair = (said["truth"], said["guess"])
                finally:
                    self._keeps_images = False
        self._follow_rest(change)
        self._ask_thumb(image)

    def _ask_thumb(self, image: str | None) -> None:
        samples, row = self._session.samples, self._session.row_of(image)

        def work(request: Any) -> bytes:
            return b"" if row is None else sheet([samples.read(row).image], THUMB).jpeg

        self._submit("thumb", work, self._paint_thumb, engine=self._aside)

    def _paint_thumb(self, picture: bytes) -> None:
        self._thumb = picture

    @shows_errors
    def _follow_rest(self, change: Any) -> None:
        chosen, session = self.selection, self._session
        said = session.said(chosen.image) if chosen.image and session.acts_made else None
        edit = chosen.edit
        now: Now = {
            "image": chosen.image or "", "of": said, "heads": str(HeadSet(chosen.heads)), "off": self._off_words,
            "text": chosen.text, "edit": "" if edit is None else edit.title,
        }  # fmt: skip
        self._now = now

    def _take_in(self, name: str, panel: Any) -> None:
        super()._take_in(name, panel)
        if name == "ablation":
            panel.observe(lambda change: self._follow_rest(None), "_off")

    @property
    def _off_words(self) -> str:
        """How many heads are not as they are."""
        ablation = self.parts.get("ablation")
        n = 0 if ablation is None else len(ablation._off)
        return many(n, "head") if n else ""

    # what is kept, and handed on

    @property
    def state(self) -> dict[str, Any]:
        """Where one is, as plain values: assign it, or pass it as state=, to come back; `json.dumps` writes it."""
        pair = None if self.pair is None else list(self.pair)
        filters = {"tab": self.tab, "pair": pair, "show": self.show, "query": self.query, "group": self.group}
        return state_of(self, self._session, self._pending, filters)

    @state.setter
    def state(self, state: Any) -> None:
        found = read_state(state, self._session)
        panels = found.get("panels", {})
        with LOCK, self.hold_sync():
            self._pending |= {name: settings for name, settings in panels.items() if name not in self.parts}
            for name in ("pair", "show", "query", "group"):
                if name in found:
                    setattr(self, name, found[name])
            for name, value in found.get("selection", {}).items():
                setattr(self.selection, name, tuple(value) if name == "pair" and value else value)
            for name in panels.keys() & self.parts.keys():
                self._restore(self.parts[name], panels[name])
            self.tab = found.get("tab", self.tab)  # opens a panel, which takes what waits for it

    def report(self, path: str | Path = "explorer.html", title: str = "From a mistake to the heads behind it") -> Path:
        """The path of one HTML file of what was found (`tk.report`), with this state inside.

        It shows scores, heads and words, maps, ablation, edit and who paid.

        Arguments:
            path: of the file, ending in .html; default "explorer.html".
            title: of the page; default "From a mistake to the heads behind it".
        """
        return write_report(self, self._session, path, title, lambda: self.state)

    def _do(self, ask: dict[str, Any]) -> None:
        asks: dict[str, Callable[[], None]] = {
            "let go": lambda: self._let_go(str(ask.get("what", ""))),
            "state": lambda: setattr(self, "_saved", json.dumps(self.state, indent=1, ensure_ascii=False)),
            "restore": lambda: setattr(self, "state", str(ask.get("state", ""))),
            "report": self._report,
        }  # fmt: skip
        asks[ask["do"]]()

    def _report(self) -> None:
        self._submit("report", lambda request: self.report(_free_name()), self._written, engine=self._aside)

    def _written(self, path: Path) -> None:
        self._told = f"Written: {path.resolve()}"

    def _let_go(self, what: str) -> None:
        self._told = ""
        nothing: dict[str, Any] = {"image": None, "heads": (), "text": "", "edit": None, "pair": None}
        if what == "off":
            self.ablation.reset()
        if what in nothing:
            setattr(self.selection, what, nothing[what])
        if what == "text":
            self._suggest_texts(anew=True)

    # as words and a picture

    def _await_first(self) -> None:
        if isinstance(self.engine, Worker):
            end = time.monotonic() + WAIT
            while (self._work or "grid" not in self.parts) and not self.error and time.monotonic() < end:
                time.sleep(0.02)

    def _describe(self) -> None:
        session = self._session
        left = f", {session.unread} could not be read" if session.unread else ""
        facts = f"{session.model.card.id}; {many(len(session.samples), 'image')}{left}"
        self.summary = f"{facts}: {self._found or self._on_the_way}"

    @property
    def _on_the_way(self) -> str:
        failed = self._failed.get("parts")
        return "their parts are on the way." if failed is None else f"their parts could not be made: {failed}"

    @traitlets.observe("error")
    def _said_too(self, change: Any) -> None:
        if self._made and "parts" in self._failed:
            self._describe()

    @property
    def _kept_words(self) -> str:
        part = self.parts.get(PART.get(self.tab, ""))
        return self.summary if part is None else f"{self.summary} {part.summary}"

    def png(self) -> bytes:
        """The open panel as a PNG: of the mistakes the head grid where there is one, else the images."""
        name = PART.get(self.tab, "grid" if "grid" in self.parts else "gallery")
        return self.parts.get(name, self.parts["gallery"]).png()


def _free_name() -> Path:
    """Where the button writes a report: in $TOOLKIT_REPORTS or the kernel's folder, over no other."""
    folder = Path(os.environ.get("TOOLKIT_REPORTS") or ".")
    names = itertools.chain(["explorer.html"], (f"explorer-{i}.html" for i in itertools.count(2)))
    return next(folder / name for name in names if not (folder / name).exists())
