"""`TokenMap`: where an image speaks for a text, through which heads, and how that changes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets
from PIL import Image

from toolkit.api.where.map_input import opened
from toolkit.api.where.map_methods import BLIND, METHODS, known_method
from toolkit.core.heads import HeadSet
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.errors import InputError
from toolkit.figures.colors import DIVERGING, DIVERGING_DARK
from toolkit.figures.heatmap import figure_png
from toolkit.figures.maps import limits_of, maps_matplotlib, maps_plotly
from toolkit.labs.maps import BESIDE, Asked, MapSession
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.live import LivePanel
from toolkit.panels.base.panel import observes, shows_errors
from toolkit.panels.base.place import ExplorerPlace, Host
from toolkit.panels.base.selection import Selection
from toolkit.panels.base.told_maps import encoded, in_words, known_patch, told

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from plotly.graph_objects import Figure as PlotlyFigure

    from toolkit.api.edit.result import Edit
    from toolkit.api.where.attribution import TokenAttribution
    from toolkit.api.words.spans import Spans
    from toolkit.models.model import Model

PALETTE = {"light": DIVERGING.tolist(), "dark": DIVERGING_DARK.tolist()}
LISTED, WAIT = 200, 10.0
"""Images listed by name; seconds a saved picture is waited for."""
UPLOAD = 8_000_000
ASKS = ("text", "against", "method", "image", "beside", "other_image", "other_method", "difference", "_chosen")


class TokenMap(LivePanel):
    """An image under its map: what every patch gives to a text, through any heads, by any method.

    Beside it stands another image, another method, the model without the heads chosen, the edited model, or a head's
    own texts.

    Arguments:
        model: a live one (`Model`).
        images: samples (`tk.scenes(…)`, `tk.image_folder(…)`), parts with images, PIL images, paths; more by `.add`, or
            dropped into the panel; default none.
        heads: whose patches are shown, in any spelling; default all.
        spans: of `tk.textspan`, for beside="texts"; default none.
        edit: for beside="edited"; a linked EditLab gives its own; default none.
        selection: a Selection to share with other panels; default its own.
        engine: what works; `Engine()` works inline; default the model's worker.
        text: what is looked for; default "".
        against: what is taken away; default "", nothing.
        method: "token map", "Grad-CAM", "LeGrad", "GAME", "attention" or "rollout"; default "token map".
        image: the id of the image shown; default the first.
        beside: "nothing", "image", "method", "ablated", "edited" or "texts"; default "nothing".
        other_image: the id of the image beside; default the second.
        other_method: the method beside; default "Grad-CAM".
        difference: show what stands beside as the difference of the two; default False.
        opacity: of the colour at ±limit, 0 to 1; default 0.75.
        raw: show the patches as they are; False smooths between them, and the picture says so; default True.
        limit: half the range of the colours, in the map's unit; default that of what is shown.
        title, description: words; default "Where it looks" and "".
        theme: "auto", "light" or "dark"; default "auto".

    `.map` and `.other` are the maps shown (TokenAttribution), `.patch` the patch pinned.

    >>> import toolkit as tk
    >>> panel = tk.TokenMap(tk.load(), tk.scenes("test", n=3), text="water"); panel.heads = "L2.H6"
    >>> panel.engine.wait(30), panel.map.heads
    (True, HeadSet('L2.H6'))
    """

    heading = "Where it looks"
    saved = (
        "against",
        "method",
        "beside",
        "other_image",
        "other_method",
        "difference",
        "opacity",
        "raw",
        "limit",
        "patch",
    )
    selection_fix = "pass text= to choose a text"
    place = ExplorerPlace("maps", tab="where", label="Where")
    doing: ClassVar[dict[str, str]] = {
        "map": "draw the map",
    }
    _esm = script("token_map")
    _css = style("token_map")
    text = traitlets.Unicode("").tag(sync=True)
    against = traitlets.Unicode("").tag(sync=True)
    method = traitlets.Unicode("token map").tag(sync=True)
    image = traitlets.Unicode("").tag(sync=True)
    beside = traitlets.Unicode("nothing").tag(sync=True)
    other_image = traitlets.Unicode("").tag(sync=True)
    other_method = traitlets.Unicode("Grad-CAM").tag(sync=True)
    difference = traitlets.Bool(False).tag(sync=True)
    opacity = traitlets.Float(0.75, min=0, max=1).tag(sync=True)
    raw = traitlets.Bool(True).tag(sync=True)
    limit = traitlets.Float(None, allow_none=True).tag(sync=True)
    patch: traitlets.TraitType[Any, Any] = traitlets.Any(None, allow_none=True).tag(sync=True)
    _chosen: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _shape: traitlets.TraitType[Any, Any] = traitlets.Dict({"layers": 0, "heads": 0}).tag(sync=True)
    _images: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _methods = traitlets.List(traitlets.Unicode(), list(METHODS)).tag(sync=True)
    _has = traitlets.Dict().tag(sync=True)
    _shown: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _a: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _b: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _picture_a = traitlets.Bytes(b"").tag(sync=True)
    _picture_b = traitlets.Bytes(b"").tag(sync=True)
    _note = traitlets.Unicode("").tag(sync=True)
    _upload = traitlets.Dict().tag(sync=True)
    _palette = traitlets.Dict(PALETTE).tag(sync=True)
    _follows: ClassVar[dict[str, str]] = {
        "heads": "_follow_heads", "text": "_follow_text", "image": "_follow_image", "edit": "_follow_edit",
    }  # fmt: skip

    @classmethod
    def in_explorer(cls, explorer: Host) -> TokenMap:
        """A map of the image chosen; where none is, of the surest mistake, without choosing it for everybody.

        Arguments:
            explorer: what it is a part of.
        """
        session = explorer.session
        rows = session.shown("mistakes", explorer.pair, "").rows
        image = {"image": str(session.images.acts.ids[rows[0]])} if len(rows) else {}
        own = explorer.live | image | explorer.first_texts() | {"selection": Selection()}
        made = cls(session.model, session.images.acts, **own)
        made.selection = explorer.selection
        explorer.selection.text = made.text
        return made

    def __init__(
        self,
        model: Model,
        images: Any = None,
        *,
        heads: Any = None,
        spans: Spans | None = None,
        edit: Edit | None = None,
        selection: Selection | None = None,
        engine: Engine | None = None,
        **words: Any,
    ) -> None:
        shared = self._shared(selection)
        self._session = MapSession(model, images, spans, edit)
        self.map: TokenAttribution | None = None
        self.other: TokenAttribution | None = None
        self._begin(engine, model)
        super().__init__(**{name: value for name, value in words.items() if (name, value) != ("against", None)})
        card, given = model.card, self.image
        with self.hold_sync():
            self._shape = {"layers": card.layers, "heads": card.heads}
            self._has = {"texts": spans is not None, "edited": edit is not None}
            self._list()
            ids = self._session.ids
            self.image = given or (ids[0] if ids else "")
            self.other_image = self.other_image or (ids[1] if len(ids) > 1 else self.image)
        if given:
            shared.image = given
        if self.text:
            shared.text = self.text
        if heads is not None:
            shared.heads = HeadSet.of(heads, card.layers, card.heads)
        self.selection = shared
        self._ask()

    _card = property(lambda self: self._session.model.card)

    @property
    def heads(self) -> HeadSet:
        """The heads whose patches are shown (empty: all); assign in any spelling."""
        return HeadSet(tuple((int(layer), int(head)) for layer, head in self._chosen))

    @heads.setter
    def heads(self, heads: Any) -> None:
        found = HeadSet(()) if heads is None or heads == "" else HeadSet.of(heads, *self._size)
        self._chosen = [list(head) for head in found]

    @property
    def _size(self) -> tuple[int, int]:
        card = self._session.model.card
        return card.layers, card.heads

    @property
    def edit(self) -> Edit | None:
        """The edit of "edited"; assign one, or link the panel to an EditLab."""
        return self._session.edit

    @edit.setter
    def edit(self, edit: Edit | None) -> None:
        self._session.take_edit(edit)
        self._has = {**self._has, "edited": edit is not None}
        if self.beside == "edited":
            self._ask()

    @property
    def ids(self) -> list[str]:
        """Of the images one can choose."""
        return list(self._session.ids)

    def add(self, image: Any, name: str = "") -> str:
        """Look at one more image; the id it got comes back.

        Arguments:
            image: PIL, a sample, or the path of a file.
            name: its id; default one made for it.
        """
        found = self._session.add(image, name)
        with self.hold_sync():
            self._list()
            self.image = found
        return found

    def patch_heads(self) -> NDArray[np.float32]:
        """[l, h]: what every head read at the patch pinned."""
        maps = [m for m in (self.map, self.other) if m is not None and m.by_head is not None]
        if not maps or self.patch is None:
            accepted = "a patch pinned, on a token map"
            raise InputError("TokenMap.patch_heads", "no patch", accepted, "set panel.patch = (row, column)")
        return maps[0].at(*self.patch)

    # what is checked

    @traitlets.validate("method", "other_method")
    def _valid_method(self, proposal: dict[str, Any]) -> str:
        return known_method(proposal["value"], f"TokenMap.{proposal['trait'].name}")

    @traitlets.validate("beside")
    def _valid_beside(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in BESIDE:
            raise InputError("TokenMap.beside", repr(proposal["value"]), ", ".join(BESIDE), "name one of these")
        return str(proposal["value"])

    @traitlets.validate("image", "other_image")
    def _valid_image(self, proposal: dict[str, Any]) -> str:
        value = str(proposal["value"])
        if value and value not in self._session.ids:
            name = f"TokenMap.{proposal['trait'].name}"
            raise InputError(name, repr(value), f"an id of its {len(self.ids)} images", "add it: panel.add(image)")
        return value

    @traitlets.validate("limit")
    def _valid_limit(self, proposal: dict[str, Any]) -> float | None:
        value: float | None = proposal["value"]
        if value is not None and not 0 < value < float("inf"):
            raise InputError("TokenMap.limit", repr(value), "a positive number, or None", "leave it out")
        return value

    @traitlets.validate("_chosen")
    def _valid_chosen(self, proposal: dict[str, Any]) -> list[list[int]]:
        return [list(head) for head in HeadSet.of([tuple(h) for h in proposal["value"]], *self._size)]

    @traitlets.validate("patch")
    def _valid_patch(self, proposal: dict[str, Any]) -> tuple[int, int] | None:
        if proposal["value"] is None:
            return None
        return known_patch(proposal["value"], self._session.model.card.grid)

    # what is asked

    @property
    def asked(self) -> Asked:
        """What the panel is set to."""
        return Asked(
            self.text, self.against, self.heads.heads, self.method, self.image, self.beside, self.other_image,
            self.other_method, self.difference,
        )  # fmt: skip

    @observes(*ASKS)
    def _changed(self, change: Any) -> None:
        name = change["name"]
        if name == "method":
            self.limit = None  # it was of another unit
        if not self._following and name in ("text", "image", "_chosen"):
            value = self.heads.heads if name == "_chosen" else getattr(self, name)
            setattr(self.selection, "heads" if name == "_chosen" else name, value)
        self._ask()

    def _ask(self) -> None:
        asked, session = self.asked, self._session
        if not asked.image or not (asked.text.strip() or asked.method in BLIND or asked.beside == "texts"):
            with self.painting():
                self.summary = f"{self.title}: " + ("type a text." if asked.image else "drop in an image.")
                self.engine.cancel(self._key("map"))
                self._forgive("map")
                self.map = self.other = None
                self._a, self._b, self._note = {}, {}, ""
            return
        if self.map is None:
            self.summary = f"{self.title}: no map yet."
        session.check(asked)

        def work(request: Any) -> tuple[Asked, tuple[TokenAttribution, TokenAttribution | None], str]:
            maps = session.maps(asked)
            return asked, maps, session.note(asked, *maps)

        self._submit("map", work, self._paint)

    def _do(self, ask: dict[str, Any]) -> None:
        if ask["do"] == "path":
            self.add(str(ask["path"]).strip().strip("'\"").removeprefix("file://"))
        elif ask["do"] == "again":
            self._ask()
        elif ask["do"] == "walk":
            ids = self.ids
            at = ids.index(self.image) if self.image in ids else 0
            self.image = ids[(at + int(ask["by"])) % len(ids)]

    @observes("_upload")
    def _uploaded(self, change: Any) -> None:
        data, name = self._upload.get("data"), str(self._upload.get("name", "")) or "dropped image"
        if data is None:
            return
        self._upload = {}  # it is kept as a picture, not as a trait
        size = len(bytes(data))
        if not 0 < size <= UPLOAD:
            fix = "pass the path of the file instead: panel.add(path)"
            given = f"{name!r} of {size / 1e6:.1f} MB"
            raise InputError("TokenMap.add", given, f"up to {UPLOAD / 1e6:.0f} MB dropped into the browser", fix)
        self.add(opened(io.BytesIO(bytes(data)), "TokenMap.add", name), name)

    def _list(self) -> None:
        ids = self._session.ids
        self._images = ids[:LISTED]
        self._has = {**self._has, "images": len(ids)}

    # what comes of it

    def _paint(self, found: tuple[Asked, tuple[TokenAttribution, TokenAttribution | None], str]) -> None:
        asked, (first, second), note = found
        self.map, self.other = first, second
        other = asked.other_image if asked.beside == "image" else asked.image
        self._show_picture("_a", asked.image)
        self._show_picture("_b", other if second is not None else "")
        self._a, self._b = told(first, asked.image), {} if second is None else told(second, other)
        self._shown, self._note = asked.told, note
        if asked == self.asked:  # else what was asked since may have failed with good reason
            self._forgive("_changed", "_browser_asked", "_uploaded")
        self.summary = f"{self.title}: {in_words(first, asked.image)}" + (
            "" if second is None else f" Beside it: {in_words(second, other)}"
        )

    def _show_picture(self, pane: str, image: str) -> None:
        """Sent once an image: a map over it changes far more often."""
        before: dict[str, Any] = getattr(self, pane)
        if before.get("image") == image or (not image and not before):
            return
        setattr(self, f"_picture{pane}", encoded(self._session.picture(image)) if image else b"")

    # what others choose

    @shows_errors
    def _follow_heads(self, change: Any) -> None:
        layers, heads = self._size
        known = [list(h) for h in self.selection.heads if 0 <= h[0] < layers and 0 <= h[1] < heads]
        if known != self._chosen:
            self._followed("_chosen", known)

    @shows_errors
    def _follow_text(self, change: Any) -> None:
        if self.selection.text and self.selection.text != self.text:
            self._followed("text", self.selection.text)

    @shows_errors
    def _follow_image(self, change: Any) -> None:
        if self.selection.image and self.selection.image in self._session.ids:
            self._followed("image", self.selection.image)

    @shows_errors
    def _follow_edit(self, change: Any) -> None:
        if self.selection.edit is not None and self.selection.edit is not self.edit:
            self.edit = self.selection.edit

    # as words and pictures

    @property
    def _both(self) -> dict[str, TokenAttribution]:
        if self.map is None:
            raise InputError("TokenMap", "no map yet", "a map", "choose an image and a text, or wait a moment")
        return {name: m for name, m in (("", self.map), (" ", self.other)) if m is not None}

    def to_matplotlib(self) -> Figure:
        """What is shown, as a matplotlib figure."""
        return maps_matplotlib(list(self._both.values()), self.limit, not self.raw, self.opacity)

    def to_plotly(self) -> PlotlyFigure:
        """The raw grids shown, as a plain plotly figure."""
        return maps_plotly(list(self._both.values()), self.limit)

    @property
    def limits(self) -> dict[str, float]:
        """Half the range of the colours shown, by unit."""
        return limits_of(list(self._both.values()), self.limit)

    def png(self) -> bytes:
        if self.map is None and isinstance(self.engine, Worker):
            self.engine.wait(WAIT)
        if self.map is None:  # nothing was asked yet
            picture = self._session.picture(self.image) if self.image else Image.new("RGB", (64, 64), "white")
            return encoded(picture, "PNG")
        return figure_png(self.to_matplotlib(), dpi=80)
