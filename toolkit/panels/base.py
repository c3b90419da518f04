"""What every panel has in common: strict arguments, visible errors, a picture that outlives the kernel."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar, ParamSpec

import anywidget
import traitlets

from toolkit.errors import InputError
from toolkit.panels.compact import compact
from toolkit.panels.selection import Selection

P = ParamSpec("P")
LOCK = threading.RLock()
"""Held while a panel's traits change: traitlets is not made for a worker that paints while the browser reports. One for
all panels, since a linked selection goes from one to the other."""
HERE = Path(__file__).parent


def esm(*names: str) -> str:
    """A panel's own code after what all panels share, and after other parts it names; without comments and spaces."""
    return compact(_read(*(f"{part}.js" for part in ("common", *names))))


def css(*names: str) -> str:
    """A panel's own style after what all panels share, and after other parts it names."""
    text = _read(*(f"{part}.css" for part in ("common", *names)))
    return re.sub(r"\s*\n\s*|(?<=[;{,]) | (?=[{}])|(?<=[a-z]:) ", "", text).replace(";}", "}")


def _read(*files: str) -> str:
    return "".join((HERE / name).read_text(encoding="utf-8") for name in files)


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

    theme: "auto" (default: follow the host), "light" or "dark". error: what went wrong, shown in the panel; "" if
    nothing. summary: the panel's content in words.
    """

    theme = traitlets.Enum(("auto", "light", "dark"), "auto").tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)
    summary = traitlets.Unicode("").tag(sync=True)
    _error_of = ""
    _follows: ClassVar[dict[str, str]] = {}
    _selection: Selection

    def __init__(self, **arguments: Any) -> None:
        own = [p.name for p in signature(type(self).__init__).parameters.values() if p.kind is not p.VAR_KEYWORD][1:]
        known = [*own, *(name for name in self.trait_names() if not name.startswith("_"))]
        for name in arguments:
            if name.startswith("_") or name not in known:
                near = get_close_matches(name, known, 1)
                fix = f"did you mean {near[0]!r}?" if near else "leave it out"
                raise InputError(type(self).__name__, f"the unknown argument {name!r}", ", ".join(sorted(known)), fix)
        super().__init__(**arguments)

    @property
    def selection(self) -> Selection:
        """What this panel shares with others; assign another's to link them (`tk.link`)."""
        return self._selection

    @selection.setter
    def selection(self, selection: Selection) -> None:
        for name, method in self._follows.items():
            if hasattr(self, "_selection"):
                self._selection.unobserve(getattr(self, method), name)
            selection.observe(getattr(self, method), name)
        self._selection = selection
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
        if name not in self._trait_validators or name not in self.keys:
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
            super().notify_change(change)

    @contextmanager
    def painting(self) -> Iterator[None]:
        """For workers: everything set inside reaches the browser as one message."""
        with LOCK, self.hold_sync():
            yield

    def png(self) -> bytes:
        """The panel as a PNG, as it stands now."""
        raise NotImplementedError(f"{type(self).__name__} draws no picture")  # pragma: no cover

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The live view, and beside it a PNG and words for a notebook that is opened without a kernel."""
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        data = dict(data)
        try:
            data["image/png"] = base64.b64encode(self.png()).decode()
        except Exception as error:  # noqa: BLE001 – a missing picture must not take the live view with it
            self.error, self._error_of = f"no picture for a notebook without a kernel: {error}", "png"
        else:
            if self._error_of == "png":
                self.error, self._error_of = "", ""
        data["text/plain"] = self.summary  # after the picture, which may have waited for an answer
        return data, metadata

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary})"
