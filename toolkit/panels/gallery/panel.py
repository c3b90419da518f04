"""`Gallery`: thumbnails of many images to look at, click and read from Python."""

from __future__ import annotations

import io
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import traitlets
from PIL import Image

from toolkit.data.characters import sendable
from toolkit.data.counts import many
from toolkit.data.samples import Samples
from toolkit.errors import InputError
from toolkit.figures.thumbnails import Sheet, captioned, missing, sheet
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.panel import LOCK, Panel, observes, shows_errors
from toolkit.panels.base.place import ExplorerPlace, Host
from toolkit.panels.base.selection import Selection

if TYPE_CHECKING:
    import pandas

MARKS = ("", "right", "wrong")
PER_PAGE, TILE, FIRST = 24, 90, 8
"""In an explorer: images a page, pixels of one, and how many are shown before anything is known of them."""
KEPT = 48
"""Thumbnails in the picture that outlives the kernel."""


class GalleryImage(TypedDict):
    """An image of the page. mark: "", "right" or "wrong"."""

    id: str
    caption: str
    mark: str


class Gallery(Panel):
    """Thumbnails of images, a page at a time, each with its caption.

    Arguments:
        images: samples (`tk.scenes(…)`, `tk.image_folder(…)`), a list of samples, or PIL images.
        captions: one text per image [b]; default the labels.
        marks: one of "", "right", "wrong" per image [b], shown as a sign and a colour; default "".
        ids: one per image, all different [b]; default those of the samples, else 0, 1, ….
        tile: side of a thumbnail, 16 to 256 pixels; default 96.
        per_page: images a page, 1 to 1000; default 200.
        selection: a Selection to share with other panels: its `image` is the id chosen here; default its own.
        selected: the id chosen first; default none.
        title, description: words; default "".
        theme: "auto", "light" or "dark"; default "auto".

    `.selected` is the id of the chosen image or None: read it, set it, observe it. Click or Enter chooses, arrows move,
    Escape clears, page up and page down turn the page.

    >>> import toolkit as tk
    >>> gallery = tk.Gallery(tk.scenes("test", n=6)); gallery.selected = gallery.ids[2]; gallery.selection.image
    'test-0-000002'
    """

    selection_fix = "pass selected= to choose an image"
    place = ExplorerPlace("gallery", tab="mistakes", label="Mistakes")
    _esm = script("gallery")
    _css = style("gallery")
    page = traitlets.Int(0).tag(sync=True)
    selected = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    _pages = traitlets.Int(1).tag(sync=True)
    _count = traitlets.Int(0).tag(sync=True)
    _first = traitlets.Int(0).tag(sync=True)
    _sheet = traitlets.Bytes(b"").tag(sync=True)
    _tiles = traitlets.Dict({"columns": 1, "side": 96, "n": 0}).tag(sync=True)
    _shown: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _follows: ClassVar[dict[str, str]] = {"image": "_follow"}
    _ready_sheet: Sheet | None = None

    @classmethod
    def in_explorer(cls, explorer: Host) -> Gallery:
        """The first images, before anything is known of them.

        Arguments:
            explorer: what it is a part of.
        """
        samples = explorer.session.samples
        first = samples.take(range(min(FIRST, len(samples))))
        return cls(first, tile=TILE, per_page=PER_PAGE, selection=explorer.selection, title="Images")

    def __init__(
        self,
        images: Any,
        *,
        captions: Sequence[Any] | None = None,
        marks: Sequence[str] | None = None,
        ids: Sequence[Any] | None = None,
        tile: int = 96,
        per_page: int = 200,
        selection: Selection | None = None,
        selected: str | None = None,
        **words: Any,
    ) -> None:
        shared = self._shared(selection)
        self._images = _checked(images)
        self.ids, self.captions, self.marks = self._columns(captions, marks, ids)
        self._side, self._per_page = _whole("tile", tile, 16, 256), _whole("per_page", per_page, 1, 1000)
        super().__init__(**words)
        self.selection = shared
        self._turn(None)
        if selected is not None:
            self.selected = selected

    def _columns(self, captions: Any, marks: Any, ids: Any) -> tuple[tuple[str, ...], ...]:
        images = self._images
        names = self._column("ids", ids, getattr(images, "ids", None), range(len(images)))
        if len(set(names)) != len(names):
            raise InputError("Gallery", "ids that repeat", "one id per image, all different", "pass ids=")
        words = self._column("captions", captions, getattr(images, "labels", None), names)
        signs = self._column("marks", marks, None, [""] * len(images))
        if wrong := sorted(set(signs) - set(MARKS)):
            raise InputError("Gallery", f"the mark {wrong[0]!r}", ", ".join(map(repr, MARKS)), "use one of these")
        return names, words, signs

    def _column(self, what: str, given: Any, own: Any, default: Any) -> tuple[str, ...]:
        column = tuple(sendable(str(x)) for x in (given if given is not None else own if own is not None else default))
        if len(column) != len(self._images):
            given = f"{len(column)} {what} for {len(self._images)} images"
            raise InputError("Gallery", given, f"{len(self._images)}, one per image", f"pass as many {what}")
        return column

    def made(self, images: Any) -> Sheet:
        """The first page of images as `show` takes it, made beforehand: reading them takes a while.

        Arguments:
            images: as `show` takes them.
        """
        return sheet(_some(images, range(min(self._per_page, len(images)))), self._side)

    def show(
        self, images: Any, captions: Sequence[Any] | None = None, marks: Sequence[str] | None = None, ids: Any = None,
        *, sheet: Sheet | None = None,
    ) -> None:  # fmt: skip
        """Show other images in place, from the first page on.

        Arguments:
            images: as when the gallery was made, also none.
            captions: one text per image [b]; default the labels.
            marks: one of "", "right", "wrong" per image [b]; default "".
            ids: one per image, all different [b]; default those of the samples, else 0, 1, ….
            sheet: what `made` gave for them; default none, which reads them now.
        """
        before, self._images = self._images, _checked(images) if len(images) else []
        try:
            found = self._columns(captions, marks, ids)
        except InputError:
            self._images = before
            raise
        with LOCK, self.hold_sync():
            self.ids, self.captions, self.marks = found
            self._ready_sheet = sheet
            if self.selected not in (None, *self.ids):
                self.selected = None  # here alone: the shared image stays what it is
            if self.page:
                self.page = 0
            else:
                self._turn(None)
            self._ready_sheet = None
            self._follow(None)

    def __len__(self) -> int:
        return len(self._images)

    @traitlets.validate("page")
    def _valid_page(self, proposal: dict[str, Any]) -> int:
        return int(min(max(0, proposal["value"]), self._last_page))

    @property
    def _last_page(self) -> int:
        return max(0, (len(self._images) - 1) // self._per_page)

    @observes("page")
    def _turn(self, change: Any) -> None:
        first = self.page * self._per_page
        rows = range(first, min(first + self._per_page, len(self._images)))
        made = self._ready_sheet or sheet(_some(self._images, rows), self._side)
        with self.hold_sync():
            self._pages, self._count, self._first = self._last_page + 1, len(self._images), first
            self._tiles = {"columns": made.columns, "side": made.tile, "n": made.n}
            shown: list[GalleryImage] = [
                {"id": self.ids[r], "caption": self.captions[r], "mark": self.marks[r]} for r in rows
            ]
            self._shown = shown
            self._sheet = made.jpeg
            self._describe()

    @traitlets.validate("selected")
    def _valid_selected(self, proposal: dict[str, Any]) -> str | None:
        value: str | None = proposal["value"]
        if value is not None and value not in self.ids:
            raise InputError(
                "Gallery.selected",
                repr(value),
                f"{f'ids such as {self.ids[0]!r}' if self.ids else 'none'}",
                "choose an image it shows",
            )
        return value

    @observes("selected")
    def _selected_changed(self, change: Any) -> None:
        if self.selected is not None:
            self.page = self.ids.index(self.selected) // self._per_page
        self._describe()
        if self.selected is not None or self.selection.image in self.ids:
            self.selection.image = self.selected

    @shows_errors
    def _follow(self, change: Any) -> None:
        self.selected = self.selection.image if self.selection.image in self.ids else None

    def _describe(self) -> None:
        facts = [many(len(self), "image")]
        if self._last_page:
            facts.append(f"page {self.page + 1} of {self._last_page + 1}")
        facts += [f"{n} {mark}" for mark in MARKS[1:] if (n := self.marks.count(mark))]
        if self.selected is None:
            facts.append("none chosen")
        else:
            facts.append(f"chosen: {self.selected} ({self.captions[self.ids.index(self.selected)]})")
        self.summary = (f"{self.title}: " if self.title else "") + "; ".join(facts) + "."

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per image: id, caption, mark, selected."""
        import pandas

        chosen = [i == self.selected for i in self.ids]
        return pandas.DataFrame({"id": self.ids, "caption": self.captions, "mark": self.marks, "selected": chosen})

    def png(self) -> bytes:
        first = self.page * self._per_page
        rows = range(first, min(first + min(KEPT, self._per_page), len(self)))
        out = io.BytesIO()
        captioned(_some(self._images, rows), [self.captions[r] for r in rows]).save(out, "PNG")
        return out.getvalue()


def _checked(images: Any) -> Any:
    accepted = "samples, or a list of samples or PIL images"
    if hasattr(images, "pixels") and hasattr(images, "ids"):
        found = images
    elif isinstance(images, list | tuple) and all(isinstance(getattr(i, "image", i), Image.Image) for i in images):
        found = [getattr(i, "image", i) for i in images]
    else:
        raise InputError(
            "Gallery", f"a {type(images).__name__}", accepted, "write tk.scenes(…) or pass a list of images"
        )
    if not len(found):
        raise InputError("Gallery", "no images", accepted, "pass at least one")
    return found


def _some(images: Any, rows: range) -> list[Image.Image]:
    """The images of some rows; a crossed-out tile for one that cannot be read."""
    if not hasattr(images, "read"):
        return [images[r] for r in rows]
    if type(images).read is Samples.read:  # none of them can be broken: all at once is faster
        found = images.pixels(rows)
        if not isinstance(found, list):
            found = [Image.fromarray(picture) for picture in found.permute(0, 2, 3, 1).numpy()]
        return found
    return [missing() if (image := images.read(r).image) is None else image for r in rows]


def _whole(name: str, value: Any, low: int, high: int) -> int:
    found = operator.index(value) if hasattr(value, "__index__") and not isinstance(value, bool) else None
    if found is None or not low <= found <= high:
        raise InputError("Gallery", f"{name}={value!r}", f"a whole number from {low} to {high}", "pass one of these")
    return found
