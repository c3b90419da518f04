"""`SpanExplorer`: what every head says in words, with the images behind it and a bank to edit.

Long because three things arrive a little at a time – the bank, a head's texts, those of all heads – and each is asked
for, painted and followed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import numpy as np
import traitlets
from numpy.typing import NDArray

from toolkit.api.words.spans import Spans
from toolkit.engine.engine import Engine
from toolkit.errors import InputError
from toolkit.figures.colors import SEQUENTIAL, SEQUENTIAL_DARK
from toolkit.figures.heatmap import figure_png
from toolkit.figures.spans import spans_matplotlib, spans_plotly
from toolkit.figures.thumbnails import sheet
from toolkit.labs.growing_bank import Encoded
from toolkit.labs.words import Described, Ends, WordsSession
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.live import LivePanel
from toolkit.panels.base.panel import observes, shows_errors
from toolkit.panels.base.place import ExplorerPlace, Host
from toolkit.panels.base.selection import Selection
from toolkit.panels.base.traits import Head, Table
from toolkit.signs import Sign
from toolkit.store.notes import HeadNotes

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

    from toolkit.api.images.acts import Acts
    from toolkit.data.banks import Bank

TILE, SIDE = 56, 8
"""Pixels of a thumbnail, and how many at each end."""
MORE = 1.5
"""So many times the texts that a head was described from are worth describing it anew."""
PALETTE = {"light": SEQUENTIAL.tolist(), "dark": SEQUENTIAL_DARK.tolist()}


class TextRow(TypedDict):
    """A text of a head. std: along it. explained: with those before it."""

    text: str
    factor: str
    std: float
    explained: float


class EndImage(TypedDict):
    """An image at an end of an axis."""

    id: str
    label: str
    score: float


class EndsSent(TypedDict):
    """The images at both ends, on one sheet. text: of the axis, "" for the head's main one."""

    high: list[EndImage]
    low: list[EndImage]
    columns: int
    side: int
    text: str


NO_ENDS: EndsSent = {"high": [], "low": [], "columns": 1, "side": TILE, "text": ""}


class HeadFacts(TypedDict):
    """Of a head and the bank. among: how many of its texts are encoded, which the head's were chosen from."""

    rank: int
    reach: float | None
    weight: float
    bank: int
    edits: int
    name: str
    n: int
    split: str
    model: str
    among: int


class NoteSent(TypedDict):
    """A note and the head it is on."""

    head: list[int]
    text: str


class SpanExplorer(LivePanel):
    """Texts of every head (TextSpan, G24 alg. 1), the images at both ends of each, and the heads of any word.

    Arguments:
        acts: parts of a data set (`Acts`), with the live model for new texts and with its images for pictures.
        texts: a bank, as in `tk.bank`; default the built-in world's for its model, else the descriptions.
        layers: which; a list of layers, a negative int for the last |n|; default all.
        head: the head shown first, in any spelling; default the last layer's that varies most.
        notes: where notes on heads are kept; default the model's (`tk.notes`).
        selection: a Selection to share with other panels; default its own.
        engine: what works; `Engine()` works inline; default the model's worker.
        size: texts per head, 1 to 100; default 10.
        method: "greedy" or "somp"; default "greedy".
        ranking: of images, by "contribution" (centred) or "cosine"; default "contribution".
        colouring: of the heads, by "variance" or by "guilt", which `.show_guilt` gives; default "variance".
        text, query, image: what is chosen first, as below; default nothing.
        title, description: words; default "What heads say" and "".
        theme: "auto", "light" or "dark"; default "auto".

    The bank is encoded a few texts at a time, short and common ones first; texts are chosen from those that are there.

    `.head` is (layer, head), settable in any spelling; `.text` the chosen text ("": the head's main axis); `.query` a
    word whose heads light up; `.bank` the bank as edited (`.add`, `.remove`, `.reset`); `.spans` texts of all heads.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=60), progress=False)
    >>> explorer = tk.SpanExplorer(acts, head="L2.H6"); explorer.head
    (2, 6)
    """

    heading = "What heads say"
    saved = ("size", "method", "ranking", "colouring", "query")
    selection_fix = "pass head= to choose a head"
    doing: ClassVar[dict[str, str]] = {
        "bank": "encode the bank",
        "head": "choose the texts of this head",
        "all": "choose the texts of all heads",
        "images": "look for the images at both ends",
        "query": "look for the heads that carry the word",
    }
    place = ExplorerPlace("spans", tab="words", label="Words")
    _esm = script("span_explorer")
    _css = style("span_explorer")
    head = Head().tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    query = traitlets.Unicode("").tag(sync=True)
    ranking = traitlets.Enum(("contribution", "cosine"), "contribution").tag(sync=True)
    colouring = traitlets.Enum(("variance", "guilt"), "variance").tag(sync=True)
    size = traitlets.Int(10, min=1, max=100)
    method: traitlets.TraitType[Any, Any] = traitlets.Enum(("greedy", "somp"), "greedy")
    image = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    _note: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _layers = traitlets.List(traitlets.Int()).tag(sync=True)
    _heads = traitlets.Int(1).tag(sync=True)
    _rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _facts: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _shown: traitlets.List[int] = traitlets.List(traitlets.Int(), [0, 0]).tag(sync=True)
    _map = Table().tag(sync=True)
    _map_words = traitlets.Unicode("").tag(sync=True)
    _guilt = Table().tag(sync=True)
    _guilt_name = traitlets.Unicode("").tag(sync=True)
    _likely = traitlets.Bytes(b"").tag(sync=True)
    _labels: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _sheet = traitlets.Bytes(b"").tag(sync=True)
    _ends: traitlets.TraitType[Any, Any] = traitlets.Dict(
        {"high": [], "low": [], "columns": 1, "side": TILE, "text": ""}
    ).tag(sync=True)
    _work: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _palette = traitlets.Dict(PALETTE).tag(sync=True)
    _follows: ClassVar[dict[str, str]] = {"heads": "_follow_head", "text": "_follow_text", "image": "_follow_image"}

    @classmethod
    def in_explorer(cls, explorer: Host) -> SpanExplorer:
        """Words of the head chosen; where none is, of the worst, without choosing it for everybody.

        Arguments:
            explorer: what it is a part of.
        """
        head = None if explorer.selection.heads else explorer.worst_head
        own = explorer.live | {"selection": Selection()}
        made = cls(explorer.session.images.acts, explorer.texts, head=head, **own)
        made.selection = explorer.selection
        made.show_guilt(explorer.session.lab.layers, *explorer.session.maps(explorer.pair).first)
        return made

    def __init__(
        self,
        acts: Acts,
        texts: Any = None,
        *,
        layers: Any = None,
        head: Any = None,
        notes: HeadNotes | None = None,
        selection: Selection | None = None,
        engine: Engine | None = None,
        **words: Any,
    ) -> None:
        shared = self._shared(selection)
        self._session = WordsSession(acts, texts, layers)
        self.notes = HeadNotes(acts.card) if notes is None else notes
        live, self._labels_of = acts.live, dict(zip(map(str, acts.ids), map(str, acts.labels), strict=True))
        self._begin(engine, live)
        self._edits, self._described = 0, 0
        self._bank_sign, self._all_sign = Sign("", "text"), Sign("", "layer")
        self.spans: Spans | None = None
        first = {name: words.pop(name) for name in ("text", "image") if name in words}
        super().__init__(**words)
        weight = self._session.weight
        with self.hold_sync():
            self._layers, self._heads = list(self._session.layers), self._session.heads
            self._map, self._map_words = weight, ""
        self.selection = shared
        if head is not None or not any(self._has(h) for h in shared.heads):
            self.head = head if head is not None else (self._layers[-1], int(weight[-1].argmax()))
        if "head" not in self._turn:  # it was the default already
            self._ask_head()
        for name, value in first.items():
            setattr(self, name, value)
        self._show_note()
        self._fill()

    _card = property(lambda self: self._session.acts.card)
    _heads_there = property(lambda self: (self._session.layers, self._session.heads))

    @property
    def bank(self) -> Bank:
        """The bank as edited so far."""
        return self._session.bank.edited

    def show_guilt(self, layers: Sequence[int], name: str, values: NDArray[np.float64]) -> None:
        """Offer a score of heads as a colouring.

        Arguments:
            layers: of the rows of `values`.
            name: of the score.
            values: [l, h]; heads of other layers have none.
        """
        table = np.full((len(self._layers), self._heads), np.nan)
        rows = dict(zip(layers, values, strict=True))
        for i, layer in enumerate(self._layers):
            if layer in rows:
                table[i] = rows[layer]
        with self.hold_sync():
            self._guilt, self._guilt_name = table, name

    def _has(self, head: tuple[int, int]) -> bool:
        return head[0] in self._layers and 0 <= head[1] < self._heads

    # what is asked

    @observes("head", "size", "method")
    def _head_changed(self, change: Any) -> None:
        self._ask_head()
        if change["name"] == "head":
            self._show_note()
            if not self._following:
                self.selection.heads = (self.head,)

    @traitlets.validate("text")
    def _valid_text(self, proposal: dict[str, Any]) -> str:
        text = str(proposal["value"])
        if text and text not in self.bank.texts:
            raise InputError("SpanExplorer.text", repr(text), "a text of the bank", "add it: explorer.add(text)")
        return text

    @observes("text", "ranking")
    def _text_changed(self, change: Any) -> None:
        self._ask_images()
        if change["name"] == "text" and not self._following:
            self.selection.text = self.text

    @observes("query")
    def _query_changed(self, change: Any) -> None:
        word, find = self.query.strip(), self._session.concept
        self._submit("query", lambda request: find(word) if word else None, self._paint_concept)

    @observes("image")
    def _image_changed(self, change: Any) -> None:
        if not self._following:
            self.selection.image = self.image

    @property
    def note(self) -> str:
        """The note on the head shown; assign to write it ("": none)."""
        return self.notes[self.head]

    @note.setter
    def note(self, note: str) -> None:
        self.notes[self.head] = note
        self._show_note()

    def _show_note(self) -> None:
        note: NoteSent = {"head": list(self.head), "text": self.notes[self.head]}
        self._note = note

    def _do(self, ask: dict[str, Any]) -> None:
        text = str(ask.get("text", ""))
        acts: dict[str, Callable[[], None]] = {
            "add": lambda: self.add(text), "remove": lambda: self.remove(text), "reset": self.reset,
            "all": self.everything, "stop": lambda: self.stop("all"),
            "note": lambda: self._take_note(tuple(ask["head"]), text),
        }  # fmt: skip
        acts[ask["do"]]()

    def _take_note(self, head: tuple[int, int], text: str) -> None:
        """A note comes with its head: by now another one may be shown."""
        if self._has(head):
            self.notes[head] = text
            if head == self.head:
                self._show_note()

    def add(self, *texts: str) -> None:
        """Put texts into the bank and choose this head's texts anew."""
        self._edit(lambda: self._session.bank.edit(add=texts))

    def remove(self, *texts: str) -> None:
        """Take texts out of the bank and choose this head's texts anew."""
        self._edit(lambda: self._session.bank.edit(remove=texts))

    def reset(self) -> None:
        """The bank as it was given."""
        self._edit(self._session.bank.reset)

    def everything(self) -> None:
        """Choose the texts of all heads with the bank as it is; they come as `.spans` and name the heads of the map."""
        self._all_sign = Sign("", "layer")
        self._layer([], None, (self._edits, self.size, self.method))

    def _layer(self, before: list[Any], bank: Encoded | None, asked: tuple[int, int, Any]) -> None:
        """A layer at a time, so that a click need not wait for all of them; anew where the bank changed meanwhile.

        bank: the texts they are chosen from; None: those that are encoded when the first layer's are chosen.
        """
        edits, size, method = asked
        layer, session, every = self._layers[len(before)], self._session, len(self._layers)

        def work(request: Any) -> tuple[list[Any], Encoded, Spans | None]:
            among = bank or session.bank.now
            found = [*before, session.layer(layer, among, size, method)]
            return found, among, session.spans(found, among, size, method) if len(found) == every else None

        def paint(value: tuple[list[Any], Encoded, Spans | None]) -> None:
            found, among, spans = value
            self._all_sign.at(len(found), every)
            self._tell("all", self._all_sign)
            if edits != self._edits:
                self.everything()
            elif spans is None:
                self._layer(found, among, asked)
            else:
                self.spans = spans
                self._labels = ["; ".join(texts[:3]) for row in spans.texts for texts in row]

        self._submit("all", work, paint)

    def _fill(self) -> None:
        """Encode the bank a moment at a time: nothing waits behind it, and the head shown is described anew whenever
        there is much more to choose from.
        """
        bank = self._session.bank

        def work(request: Any) -> None:
            bank.fill()

        def paint(nothing: None) -> None:
            self._bank_sign.at(bank.encoded, len(bank.given))
            self._tell("bank", self._bank_sign)
            if bank.whole or bank.encoded > MORE * self._described:
                self._described = bank.encoded
                self._ask_head()
            if bank.whole:
                self.everything()
            else:
                self._fill()

        self._submit("bank", work, paint)

    def _edit(self, change: Callable[[], Any]) -> None:
        layer, head = self.head
        self._edits += 1

        def work(request: Any) -> Described:
            change()
            return self._session.describe(layer, head, self.size, self.method)

        # edits are not of one key: every one of them counts
        self._submit("head", work, self._paint_head, key=f"edit {self._edits}")

    def _ask_head(self) -> None:
        (layer, head), size, method = self.head, self.size, self.method
        self._submit("head", lambda request: self._session.describe(layer, head, size, method), self._paint_head)

    def _ask_images(self) -> None:
        (layer, head), text, cosine = self.head, self.text or None, self.ranking == "cosine"

        def work(request: Any) -> tuple[Ends, Any]:
            ends = self._session.images(layer, head, text, SIDE, cosine)
            request.check()
            return ends, self._pictures(ends)

        self._submit("images", work, self._paint_images)

    # what comes of it

    def _paint_head(self, found: Described) -> None:
        columns = zip(found.texts, found.factors, found.std, found.explained, strict=True)
        rows: list[TextRow] = [
            {"text": text, "factor": factor, "std": std, "explained": explained}
            for text, factor, std, explained in columns
        ]
        self._rows = rows
        acts, bank, given = self._session.acts, self.bank, self._session.bank.given
        facts: HeadFacts = {
            "rank": found.rank, "reach": None if np.isnan(found.reach) else found.reach, "weight": found.weight,
            "bank": len(bank), "edits": 0 if bank == given else self._edits, "name": bank.name,
            "n": len(acts), "split": acts.split, "model": acts.card.id, "among": found.among,
        }  # fmt: skip
        self._facts = facts
        self._shown = list(found.head)
        if self.text not in bank.texts:
            self.text = ""
        self._ask_images()
        self._describe()

    def _paint_images(self, found: tuple[Ends, Any]) -> None:
        (ends, made), labels = found, self._labels_of

        def told(end: tuple[tuple[str, float], ...]) -> list[EndImage]:
            return [{"id": name, "label": labels[name], "score": score} for name, score in end]

        columns = made.columns if made else 1
        sent: EndsSent = {
            "high": told(ends.high), "low": told(ends.low), "columns": columns, "side": TILE, "text": ends.text or "",
        }  # fmt: skip
        self._ends = sent
        self._sheet = made.jpeg if made else b""

    def _pictures(self, ends: Ends) -> Any:
        """The thumbnails of both ends as one sheet; None without images."""
        acts = self._session.acts
        if not acts.has_images:
            return None
        return sheet([acts.read(name).image for name, _ in (*ends.high, *ends.low)], TILE)

    def _paint_concept(self, found: Any) -> None:
        if found is None:
            weight = self._session.weight
            self._map, self._map_words, self._likely = weight, "", b""
        else:
            self._map, self._map_words = found.share, found.concept[0]
            self._likely = (np.nan_to_num(found.p, nan=1.0) < 0.05).astype(np.uint8).tobytes()
        self._describe()

    # what others choose

    @shows_errors
    def _follow_head(self, change: Any) -> None:
        known = [h for h in self.selection.heads if self._has(h)]
        if known and tuple(known[-1]) != tuple(self.head):
            self._followed("head", known[-1])

    @shows_errors
    def _follow_text(self, change: Any) -> None:
        if self.selection.text != self.text and (not self.selection.text or self.selection.text in self.bank.texts):
            self._followed("text", self.selection.text)

    @shows_errors
    def _follow_image(self, change: Any) -> None:
        self._followed("image", self.selection.image)

    # as words, tables and pictures

    def _describe(self) -> None:
        name = f"L{self._shown[0]}.H{self._shown[1]}"
        facts = [f"{i + 1}. {row['text']} ({row['explained']:.0%})" for i, row in enumerate(self._rows[:3])]
        said = "; ".join(facts) or "it never varies, so it has no texts"
        concept = ""
        if self._map_words:
            table = np.frombuffer(self._map, "<f4").reshape(len(self._layers), self._heads)
            best = int(np.nan_to_num(table, nan=-1).argmax())
            where = f"L{self._layers[best // self._heads]}.H{best % self._heads}"
            concept = f" {self._map_words!r} is carried most by {where} ({table.flat[best]:.0%} of its variance)."
        self.summary = f"{self.title}: {name}: {said}.{concept}"

    def to_dataframe(self) -> pandas.DataFrame:
        """The head shown, one row per text: text, factor, std, explained."""
        import pandas

        return pandas.DataFrame(self._rows, columns=["text", "factor", "std", "explained"])

    def to_plotly(self) -> PlotlyFigure:
        """The head shown as a plain plotly figure."""
        return spans_plotly(*self._columns, self._heading)

    def to_matplotlib(self) -> Figure:
        """The head shown as a matplotlib figure."""
        return spans_matplotlib(*self._columns, self._heading)

    @property
    def _columns(self) -> tuple[list[str], list[float], list[float]]:
        rows = self._rows
        return [r["text"] for r in rows], [r["std"] for r in rows], [r["explained"] for r in rows]

    @property
    def _heading(self) -> str:
        return f"{self.title}: L{self._shown[0]}.H{self._shown[1]}"

    def png(self) -> bytes:
        return figure_png(self.to_matplotlib(), dpi=80)
