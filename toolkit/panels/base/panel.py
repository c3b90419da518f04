"""What every panel has in common: strict arguments, visible errors, a picture that outlives the kernel."""

from __future__ import annotations

import base64
import inspect
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec
from uuid import uuid4

import anywidget
import traitlets

from toolkit.data.characters import sendable
from toolkit.errors import InputError
from toolkit.explanations.why import Reading, Why, read_why
from toolkit.figures.words import words_png
from toolkit.panels.base.kept import Kept, shell_with_pages
from toolkit.panels.base.place import ExplorerPlace, Host
from toolkit.panels.base.selection import Selection
from toolkit.panels.base.traits import Checked

if TYPE_CHECKING:
    from toolkit.models.card import ModelCard

P = ParamSpec("P")
LOCK = threading.RLock()
"""Held while a panel's traits change: traitlets is not made for a worker that paints while the browser reports. One for
all panels, since a linked selection goes from one to the other."""
_HOST: ContextVar[Panel | None] = ContextVar("the panel that others are made as parts of", default=None)
Route = Callable[[dict[str, Any], Any], None]
"""Where a part's messages go: called with a message and its buffers."""


@contextmanager
def parts_of(host: Panel) -> Iterator[None]:
    """Panels made inside open no connection of their own before they are shown by themselves."""
    token = _HOST.set(host)
    try:
        yield
    finally:
        _HOST.reset(token)


def observes(*names: str) -> Callable[[Callable[..., None]], Any]:
    """A method that hears of changes of these traits once the panel is made; what it raises is shown in the panel."""

    def wrap(method: Callable[..., None]) -> Any:
        shown = shows_errors(method)

        @wraps(method)
        def heard(panel: Panel, change: Any) -> None:
            if panel._made:
                shown(panel, change)

        return traitlets.observe(*names)(heard)

    return wrap


def shows_errors(method: Callable[P, None]) -> Callable[P, None]:
    """Show what an observer raises in the panel; Jupyter would swallow it."""

    @wraps(method)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        panel: Any = args[0]
        try:
            method(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 – whatever it is, the user must see it
            panel.error, panel._error_of = f"{type(error).__name__}: {error}", method.__name__
        else:
            if panel._error_of == method.__name__:  # another's error is not this one's to take back
                panel.error, panel._error_of = "", ""

    return run


class Panel(anywidget.AnyWidget):
    """Base class of the panels.

    Attributes:
        title, description: words over the panel.
        theme: "auto" (default: follow the host), "light" or "dark".
        error: what went wrong, shown in the panel; "" if nothing.
        summary: the panel's content in words.

    A panel says by class attributes and methods what it is (docs/architecture.md, CONTRIBUTING.md):

        heading: its title where none is given.
        saved: names of what a state restores, in the order in which it is set again.
        selection_fix: what to write instead of a selection= that is none.
        place: where it stands in the explorer; None: nowhere. Then `in_explorer` makes it there.
        reasons: its why, read from the why.toml beside its file.
        png, script: its picture, default the summary; its script and style, by the folder it is in.
        _follows: of the shared selection, name → the method that hears of its change.
        _card: the card of the model it is about.
    """

    heading: ClassVar[str] = ""
    saved: ClassVar[tuple[str, ...]] = ()
    selection_fix: ClassVar[str] = "leave selection out"
    place: ClassVar[ExplorerPlace | None] = None
    reasons: ClassVar[Why | None] = None
    title = traitlets.Unicode().tag(sync=True)
    description = traitlets.Unicode("").tag(sync=True)
    theme = traitlets.Enum(("auto", "light", "dark"), "auto").tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)
    summary = traitlets.Unicode("").tag(sync=True)
    _kept = traitlets.Unicode().tag(sync=True)
    _reading: traitlets.TraitType[Any, Any] = traitlets.Dict().tag(sync=True)
    _kept_output: Kept | None = None
    _beside = False
    _error_of = ""
    _follows: ClassVar[dict[str, str]] = {}
    _kept_bytes: ClassVar[int] = 40_000
    """Above these the picture kept with a notebook loses colours, then size."""
    _made = False
    _selection: Selection
    _route: Route | None = None
    _host: Panel | None = None
    _is_part = False

    def __init__(self, **arguments: Any) -> None:
        host = _HOST.get()
        self._host, self._is_part = host, host is not None
        if host is not None:
            arguments.setdefault("layout", host.layout)  # one of its own would be a widget more, with a connection
        own = [p.name for p in signature(type(self).__init__).parameters.values() if p.kind is not p.VAR_KEYWORD][1:]
        known = [*own, *(name for name in self.trait_names() if not name.startswith("_"))]
        for name in arguments:
            if name.startswith("_") or name not in known:
                near = get_close_matches(name, known, 1)
                fix = f"did you mean {near[0]!r}?" if near else "leave it out"
                raise InputError(type(self).__name__, f"the unknown argument {name!r}", ", ".join(sorted(known)), fix)
        super().__init__(**arguments)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        found = read_why(Path(inspect.getfile(cls)).parent, cls.__name__)
        if found is not None:
            cls.reasons = found

    @classmethod
    def folder(cls) -> str:
        """The name of the folder that the panel's files are in."""
        return Path(inspect.getfile(cls)).parent.name

    @classmethod
    def in_explorer(cls, explorer: Host) -> Panel:
        """The panel as a part of an explorer, of its images and on its selection.

        Arguments:
            explorer: what it is a part of.
        """
        raise NotImplementedError(f"{cls.__name__} has a place in the explorer and does not say how it is made there")

    @traitlets.default("title")
    def _first_title(self) -> str:
        return self.heading

    def _shared(self, selection: Any) -> Selection:
        """The selection a panel was given, checked; a new one where it was given none."""
        if selection is not None and not isinstance(selection, Selection):
            raise InputError(type(self).__name__, f"selection={selection!r}", "a Selection", self.selection_fix)
        return Selection() if selection is None else selection

    @traitlets.default("_kept")
    def _name_of_kept(self) -> str:
        return uuid4().hex[:12]

    @traitlets.default("_reading")
    def _told_of_why(self) -> Reading | dict[str, Any]:
        return {} if self.why is None else self.why.told()

    @property
    def _card(self) -> ModelCard | None:
        """The card of the model the panel is about: its host's, where it has none itself."""
        return None if self._host is None else self._host._card

    @property
    def why(self) -> Why | None:
        """What the panel asks, by which formula, with which shapes, and what it does not show; of a panel without one,
        None.
        """
        return None if self.reasons is None else self.reasons.of(self._card)

    @property
    def selection(self) -> Selection:
        """What this panel shares with others; assign another's to link them (`tk.link`)."""
        return self._selection

    @selection.setter
    def selection(self, selection: Selection) -> None:
        for name, method in self._follows.items():
            if self._made:
                self._selection.unobserve(getattr(self, method), name)
            selection.observe(getattr(self, method), name)
        self._selection, self._made = selection, True
        for method in self._follows.values():
            getattr(self, method)(None)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """What the browser reports; never at the same moment as what a worker paints. What a validator refuses is shown
        and taken back: several values of one message would else be kept before they are checked.
        """
        with LOCK:
            good = {name: value for name, value in sync_data.items() if self._accepts(name, value)}
            super().set_state(good)

    def _accepts(self, name: str, value: Any) -> bool:
        checked = name in self._trait_validators or isinstance(self.traits().get(name), Checked)
        if not checked or name not in self.keys:
            return True
        source = f"what was set as {name}"
        try:
            self.traits()[name]._validate(self, value)
        except (InputError, traitlets.TraitError, TypeError, ValueError) as error:
            self.error, self._error_of = f"{type(error).__name__}: {error}", source
            self.send_state(name)
            return False
        if self._error_of == source:
            self.error, self._error_of = "", ""
        return True

    def notify_change(self, change: Any) -> None:
        with LOCK:
            name = change["name"]
            part = self._route is not None and self.comm is None
            if part and name in self.keys and self._should_send_property(name, getattr(self, name)):
                self.send_state(name)
            super().notify_change(change)
            if name in self.keys:
                self._touched()

    def _touched(self) -> None:
        """What is kept of this panel, and of the one it is a part of, is no longer what they show."""
        for panel in (self, self._host):
            if panel is not None and panel._kept_output is not None:
                panel._kept_output.touched()

    def open(self) -> None:
        if not self._is_part:
            super().open()

    @property
    def model_id(self) -> str:
        self._is_part = False  # whoever asks is about to show it by itself
        self.open()
        return str(super().model_id)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = super().get_state(key, drop_defaults)
        return found if key else sendable(found)  # of a key it leaves by _send

    def _send(self, msg: dict[str, Any], buffers: Any = None) -> None:
        try:
            json.dumps(msg, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            msg = sendable(msg)
        if self._route is not None:
            self._route(msg, buffers)
        super()._send(msg, buffers)

    @contextmanager
    def painting(self) -> Iterator[None]:
        """For workers: everything set inside reaches the browser as one message."""
        with LOCK, self.hold_sync():
            yield

    def png(self) -> bytes:
        """The panel as a PNG, as it stands now: its title and summary, where it draws nothing else."""
        return words_png(self.title, self.summary)

    @property
    def _kept_words(self) -> str:
        """What stands under the kept picture."""
        return self.summary

    def saved_value(self, name: str) -> Any:
        """What a state holds of one of `saved`.

        Arguments:
            name: of `saved`.
        """
        return getattr(self, name)

    def _await_first(self) -> None:
        """Wait a moment for first answers: a saved notebook should not keep an empty picture."""

    def _drawn(self, failed: Exception | None) -> None:
        """Say that no picture could be drawn, or take that back."""
        if failed is not None:
            self.error, self._error_of = f"no picture for a notebook without a kernel: {failed}", "png"
        elif self._error_of == "png":
            self.error, self._error_of = "", ""

    def _ipython_display_(self) -> None:
        """Publish the place of the kept picture; IPython then goes on to the bundle, as with any object."""
        shell = shell_with_pages()
        if shell is not None:
            self._kept_output = self._kept_output or Kept(self)
            self._kept_output.begin(shell)
            self._beside = True
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The live view alone where its kept picture stands beside it; else with a PNG and words, for other hosts."""
        beside, self._beside = self._beside, False
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        data = dict(data)
        if beside:
            return sendable(data) | {
                "text/plain": ""
            }, metadata  # IPython would add the repr, and the words be there twice
        self._await_first()
        try:
            data["image/png"] = base64.b64encode(self.png()).decode()
        except Exception as error:  # noqa: BLE001 – a missing picture must not take the live view with it
            self._drawn(error)
        else:
            self._drawn(None)
        data["text/plain"] = self.summary  # after the picture, which may have waited for an answer
        return sendable(data), metadata

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary})"
