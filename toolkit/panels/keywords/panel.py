"""`Keywords`: which words mark a mistake, the heads that make them do so, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import numpy as np
import traitlets

from toolkit.api.keywords.result import LEAST, KeywordScores, KeywordSplit
from toolkit.data.classes import ClassSet
from toolkit.engine.engine import Engine
from toolkit.errors import InputError
from toolkit.figures.colors import DIVERGING, DIVERGING_DARK
from toolkit.figures.heatmap import figure_png
from toolkit.figures.keywords import keywords_matplotlib, keywords_plotly
from toolkit.figures.thumbnails import Sheet, sheet
from toolkit.labs.keywords import USES, KeywordSession, Tried
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.live import LivePanel
from toolkit.panels.base.panel import observes, shows_errors
from toolkit.panels.base.place import ExplorerPlace, Host
from toolkit.panels.base.selection import Selection
from toolkit.panels.base.traits import Pair, Table

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

    from toolkit.api.images.acts import Acts
    from toolkit.api.methods.method import Method

TOP, BOTTOM = 14, 5
"""Keywords shown: of the highest scores, and of the lowest."""
TILE, SIDE = 56, 7
"""Pixels of a thumbnail, and how many of either kind."""
PALETTE = {"light": DIVERGING.tolist(), "dark": DIVERGING_DARK.tolist()}


class KeywordRow(TypedDict):
    """A keyword. with_it, without: shares of the class's images that are right. p, q: of the permutation test. beneath:
    whether it is one of the lowest.
    """

    text: str
    score: float
    low: float | None
    high: float | None
    residual: float
    q: float
    flag: str
    with_it: float | None
    without: float | None
    n_with: int
    repeats: str
    beneath: bool


class KeywordFacts(TypedDict):
    """What the list is of. between: keywords that are not shown."""

    true: str
    predicted: str
    wrong: int
    right: int
    enough: bool
    least: int
    circular: bool
    between: int
    splits: int
    split: str
    bank: str
    notes: list[str]


class KeywordChosen(TypedDict):
    """The keyword looked at: its score as a sum, and the images nearest to it and farthest from it."""

    text: str
    against: str
    score: float
    rest: float
    wrong: list[str]
    right: list[str]
    columns: int
    side: int


class Keywords(LivePanel):
    """Words that mark the mistakes of a class (B2T): how much nearer its wrong images are to each than its right ones,
    the exact split of that over heads, the images, and three uses that are tried at once.

    Arguments:
        acts: parts of labelled images (`Acts`), with their images for pictures.
        classes: told apart (`tk.classes`).
        of: keywords: a bank, as in `tk.bank`; default the built-in world's for its model, else the descriptions.
        captions: of the images, in place of a bank, as in `tk.keywords`; default none.
        few: parts that uses are fitted to; default half of these images.
        held_out: parts of other images that uses are judged on; default the other half.
        every: all classes that uses tell apart; default `classes`.
        pair: (true, predicted); default the most frequent mistake.
        text: the keyword chosen first; default that of the highest score.
        words: keywords to add; default none.
        selection: a Selection to share with other panels; default its own.
        engine: what works; `Engine()` works inline; default the model's worker.
        title, description: words; default "What mistakes have in common" and "".
        theme: "auto", "light" or "dark"; default "auto".

    `.found` is the list (`KeywordScores`), `.text` the chosen keyword, `.against` the one it is paired with, `.words`
    those added. `.use("pair" | "prompts" | "groups")` tries one; `.method` is then that method.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=200, kind="birds"), progress=False)
    >>> pair = ("landbird", "waterbird")
    >>> panel = tk.Keywords(acts, tk.classes(["waterbird", "landbird"]), pair=pair, engine=tk.Engine())
    >>> panel.found.true
    'landbird'
    """

    heading = "What mistakes have in common"
    saved = ("words", "against")
    selection_fix = "pass pair= to choose a mistake"
    doing: ClassVar[dict[str, str]] = {
        "list": "score the keywords", "chosen": "split the score over heads", "use": "try this use",
    }  # fmt: skip
    place = ExplorerPlace("keywords", tab="keywords", label="Keywords")
    _esm = script("keywords")
    _css = style("keywords")
    pair = Pair().tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    against = traitlets.Unicode("").tag(sync=True)
    words: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    image = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    _head: traitlets.TraitType[Any, Any] = traitlets.Any(None, allow_none=True).tag(sync=True)
    _rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _facts: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _chosen: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _map = Table().tag(sync=True)
    _layers = traitlets.List(traitlets.Int()).tag(sync=True)
    _heads = traitlets.Int(1).tag(sync=True)
    _sheet = traitlets.Bytes(b"").tag(sync=True)
    _tried: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _uses = traitlets.Dict(dict(USES)).tag(sync=True)
    _palette = traitlets.Dict(PALETTE).tag(sync=True)
    _follows: ClassVar[dict[str, str]] = {
        "pair": "_follow_pair", "text": "_follow_text", "image": "_follow_image", "heads": "_follow_head",
    }  # fmt: skip

    @classmethod
    def in_explorer(cls, explorer: Host) -> Keywords:
        """Of the images heads are found on; uses are fitted to those of the edit, and judged on those set aside.

        Arguments:
            explorer: what it is a part of.
        """
        session = explorer.session
        few, every, held = session.for_editing()
        found = session.lab.images.acts
        return cls(
            found, session.classes, explorer.texts, few=few, held_out=held, every=every, pair=explorer.pair,
            **explorer.live,
        )  # fmt: skip

    def __init__(
        self,
        acts: Acts,
        classes: ClassSet,
        of: Any = None,
        *,
        captions: Any = None,
        few: Acts | None = None,
        held_out: Acts | None = None,
        every: ClassSet | None = None,
        selection: Selection | None = None,
        engine: Engine | None = None,
        **words: Any,
    ) -> None:
        shared = self._shared(selection)
        self._session = KeywordSession(acts, classes, of, captions, few, every, held_out)
        self._begin(engine, acts.live)
        self.found: KeywordScores | None = None
        self.method: Method | None = None
        first = {name: words.pop(name) for name in ("pair", "text", "against", "words") if name in words}
        super().__init__(**words)
        self._making = True
        self._followed("pair", first.get("pair"))
        for name in ("words", "text", "against"):
            if name in first:
                setattr(self, name, first[name])
        self._making = False
        self.selection = shared
        if "list" not in self._turn:
            self._ask_list()

    _making = False
    _card = property(lambda self: self._session.images.acts.card)
    _classes_there = property(lambda self: self._session.classes)

    @property
    def chosen(self) -> str:
        """The keyword looked at: `.text` where it is one of the list, else that of the highest score."""
        if self.found is None:
            return ""
        return self.text if self.text in self.found.texts else self.found.marks(1)[0][0]

    @property
    def partner(self) -> str:
        """The keyword it is paired with: `.against` where it is one of the list, else that of the lowest score."""
        if self.found is None:
            return ""
        low = self.found.marks(2)[1]
        known = self.against in self.found.texts and self.against != self.chosen
        return self.against if known else next(one for one in low if one != self.chosen)

    # what is asked

    @observes("pair", "words")
    def _list_changed(self, change: Any) -> None:
        if self._making:
            return
        if change["name"] == "pair" and not self._following:
            self.selection.pair = self.pair
        self._ask_list()

    @observes("text", "against")
    def _text_changed(self, change: Any) -> None:
        if self._making or self.found is None:
            return
        if change["name"] == "text" and not self._following:
            self.selection.text = self.text
        self._ask_chosen()

    @observes("image")
    def _image_changed(self, change: Any) -> None:
        if not self._following:
            self.selection.image = self.image

    @observes("_head")
    def _head_changed(self, change: Any) -> None:
        if not self._following and self._head is not None:
            self.selection.heads = (tuple(self._head),)

    def add(self, *words: str) -> None:
        """Add keywords to the list.

        Arguments:
            words: texts; each may hold several, with commas between them.
        """
        more = [word.strip() for text in words for word in text.split(",")]
        self.words = list(dict.fromkeys([*self.words, *filter(None, more)]))

    def reset(self) -> None:
        """The keywords as they were given."""
        self.words = []

    def use(self, how: str) -> None:
        """Try a use of the chosen keyword on the held-out images; what it is comes as `.method`.

        Arguments:
            how: "pair", "prompts" or "groups".

        Raises:
            InputError: for another use.
        """
        found, text, against = self.found, self.chosen, self.partner
        if found is None:
            raise InputError("Keywords.use", "no keywords yet", "a list of keywords", "wait for it")
        self._session.method(found, how, text, against)  # another use is refused here
        self._submit("use", lambda request: self._session.tried(found, how, text, against), self._paint_use)  # type: ignore[arg-type]

    def _do(self, ask: dict[str, Any]) -> None:
        acts: dict[str, Callable[[], None]] = {
            "add": lambda: self.add(str(ask.get("text", ""))),
            "reset": self.reset,
            "use": lambda: self.use(str(ask.get("use", ""))),
        }
        acts[ask["do"]]()

    def _ask_list(self) -> None:
        pair, words = self.pair, tuple(self.words)
        self._submit("list", lambda request: self._session.found(pair, words), self._paint_list)

    def _ask_chosen(self) -> None:
        found, text, against = self.found, self.chosen, self.partner
        if found is None:
            return

        def work(request: Any) -> tuple[KeywordSplit, str, list[str], list[str], Sheet | None]:
            split = self._session.split(found, text)
            wrong, right = found.images(text, SIDE)
            request.check()
            return split, against, wrong, right, self._pictures([*wrong, *right])

        self._submit("chosen", work, self._paint_chosen)

    def _pictures(self, ids: list[str]) -> Sheet | None:
        acts = self._session.images.acts
        return sheet([acts.read(name).image for name in ids], TILE) if acts.has_images else None

    # what comes of it

    def _paint_list(self, found: KeywordScores) -> None:
        self.found, self.method, self._tried = found, None, {}
        order = found.order
        shown = order if len(order) <= TOP + BOTTOM else [*order[:TOP], *order[-BOTTOM:]]
        lowest = set(order[-BOTTOM:]) if len(order) > BOTTOM else set()
        self._rows = [_row(found, i, i in lowest) for i in shown]
        facts: KeywordFacts = {
            "true": found.true, "predicted": found.predicted, "wrong": len(found.wrong), "right": len(found.right),
            "enough": found.enough, "least": LEAST, "circular": found.circular, "between": len(order) - len(shown),
            "splits": found.splits, "split": str(found.settings.get("split", "")),
            "bank": str(found.settings.get("bank", "")), "notes": list(found.notes),
        }  # fmt: skip
        self._facts = facts
        self._ask_chosen()
        self._describe()

    def _paint_chosen(self, made: tuple[KeywordSplit, str, list[str], list[str], Sheet | None]) -> None:
        split, against, wrong, right, pictures = made
        if self._tried and (self._tried["text"], self._tried["against"]) != (split.text, against):
            self._tried, self.method = {}, None  # it was of another keyword
        self._layers, self._heads = list(split.layers), split.heads.shape[1]
        self._map = split.heads
        sent: KeywordChosen = {
            "text": split.text, "against": against, "score": split.score, "rest": split.rest, "wrong": wrong,
            "right": right, "columns": pictures.columns if pictures else 1, "side": TILE,
        }  # fmt: skip
        self._chosen = sent
        self._sheet = pictures.jpeg if pictures else b""
        self._describe()

    def _paint_use(self, tried: Tried) -> None:
        self.method = tried.method
        self._tried = {
            "use": tried.use, "words": tried.words, "code": tried.code, "rows": tried.rows, "text": self.chosen,
            "against": self.partner,
        }  # fmt: skip
        self._describe()

    # what others choose

    @shows_errors
    def _follow_pair(self, change: Any) -> None:
        pair = self.selection.pair
        if change is not None and (pair is None or all(name in self._session.classes.names for name in pair)):
            self._followed("pair", pair)

    @shows_errors
    def _follow_text(self, change: Any) -> None:
        text = self.selection.text
        if self.found is not None and text in self.found.texts and text != self.text:
            self._followed("text", text)

    @shows_errors
    def _follow_image(self, change: Any) -> None:
        self._followed("image", self.selection.image)

    @shows_errors
    def _follow_head(self, change: Any) -> None:
        heads = self.selection.heads
        self._followed("_head", list(heads[-1]) if heads else None)

    # as words, tables and pictures

    def _describe(self) -> None:
        found = self.found
        if found is None:
            return
        row = self._rows[0]
        few = "" if found.enough else f" Fewer than {LEAST} wrong images: a hint at most."
        said = (
            f"{found.true} → {found.predicted}: {row['text']} {row['score']:+.1f} ({row['residual']:+.1f} without it)"
        )
        chosen = ""
        if self._chosen:
            split = found.split(self.chosen)
            at = np.unravel_index(int(split.heads.argmax()), split.heads.shape)
            worst = f"L{split.layers[int(at[0])]}.H{int(at[1])}"
            chosen = f" {self.chosen}: {split.score:+.1f}, of which {worst} {split.heads[at]:+.1f}."
        tried = f" {self._tried['words']}." if self._tried else ""
        self.summary = f"{self.title}: {said}.{few}{chosen}{tried}".replace("+-", "−").replace("-", "−")

    def to_dataframe(self) -> pandas.DataFrame:
        """The list, one row per keyword, as `KeywordScores.table`."""
        if self.found is None:
            raise InputError("Keywords", "no keywords yet", "a list of keywords", "wait for it")
        return self.found.table

    def to_plotly(self) -> PlotlyFigure:
        """The list as a plain plotly figure."""
        return keywords_plotly(self._known_list())

    def to_matplotlib(self) -> Figure:
        """The list as a matplotlib figure."""
        return keywords_matplotlib(self._known_list())

    def _known_list(self) -> KeywordScores:
        if self.found is None:
            raise InputError("Keywords", "no keywords yet", "a list of keywords", "wait for it")
        return self.found

    def png(self) -> bytes:
        return super().png() if self.found is None else figure_png(self.to_matplotlib(), dpi=80)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _row(found: KeywordScores, i: int, beneath: bool) -> KeywordRow:
    raw, presence = found.raw, found.presence
    return {
        "text": found.texts[i], "score": float(raw.score[i]), "low": _known(raw.low[i]), "high": _known(raw.high[i]),
        "residual": float(found.residual.score[i]), "q": float(found.q[i]), "flag": found.flag[i],
        "with_it": _known(presence.with_it[i]), "without": _known(presence.without[i]),
        "n_with": int(presence.n1[i]), "repeats": "; ".join(found.repeats(i)), "beneath": beneath,
    }  # fmt: skip
