"""What every panel says of itself by attributes of its class; found by walking over the classes, not by a list."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import toolkit as tk
import toolkit.panels
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.live import LivePanel
from toolkit.panels.base.panel import Panel
from toolkit.panels.explorer.panels import PANELS
from toolkit.panels.explorer.parts import PARTS, TABS


def panels() -> list[type[Panel]]:
    """Every class that goes on from Panel and has a script of its own."""
    for module in pkgutil.walk_packages(toolkit.panels.__path__, "toolkit.panels."):
        importlib.import_module(module.name)
    ahead, found = [Panel], []
    while ahead:
        kind = ahead.pop()
        ahead += kind.__subclasses__()
        if kind.__module__.startswith("toolkit.panels.") and isinstance(vars(kind).get("_esm"), str):
            found.append(kind)
    return sorted(found, key=lambda kind: kind.__name__)


KINDS = panels()
NAMES = [kind.__name__ for kind in KINDS]


def test_the_walk_finds_them() -> None:
    public = {
        name for name in tk.__all__ if isinstance(getattr(tk, name), type) and issubclass(getattr(tk, name), Panel)
    }
    assert public | {"Predict"} <= set(NAMES)
    assert len(public) >= 8


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_a_panel_brings_its_files(kind: type[Panel]) -> None:
    folder = Path(inspect.getfile(kind)).parent
    assert {"panel.py", "view.js", "style.css", "why.toml"} <= {path.name for path in folder.iterdir()}
    assert kind._esm is not None
    assert script(folder.name).startswith("/*")
    assert style(folder.name).startswith("/*")


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_a_panel_has_a_why_of_its_own(kind: type[Panel]) -> None:
    assert kind.reasons is not None
    assert kind.reasons.panel == kind.__name__
    assert tk.why(kind.__name__).panel == kind.__name__


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_what_a_panel_saves_and_follows_is_there(kind: type[Panel]) -> None:
    for name in kind.saved:
        assert hasattr(kind, name), name
    known = tk.Selection().trait_names()
    for name, method in kind._follows.items():
        assert name in known
        assert callable(getattr(kind, method))


SHARING = [kind for kind in KINDS if "selection" in inspect.signature(kind.__init__).parameters]


@pytest.mark.parametrize("kind", SHARING, ids=lambda kind: kind.__name__)
def test_a_selection_that_is_none_is_refused_with_what_to_write_instead(kind: type[Panel]) -> None:
    signature = inspect.signature(kind.__init__).parameters
    first = [p for p in list(signature.values())[1:] if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    named = {p.name: None for p in signature.values() if p.default is p.empty and p.kind is p.KEYWORD_ONLY}
    with pytest.raises(tk.InputError, match=kind.selection_fix):
        kind(*([None] * len(first)), selection="L0.H0", **named)


def test_the_explorer_is_its_list_of_panels() -> None:
    assert list(PARTS.values()) == list(PANELS)
    assert set(PANELS) <= set(KINDS)
    assert len(TABS) == len({kind.place.tab for kind in PANELS if kind.place})
    for kind in PANELS:
        assert "in_explorer" in vars(kind), f"{kind.__name__} does not say how it is made in the explorer"


def test_a_panel_that_draws_nothing_has_its_words_as_a_picture() -> None:
    class Mute(LivePanel):
        heading = "Nothing to see"

    panel = Mute()
    panel.summary = "a sentence " * 40
    assert panel.title == "Nothing to see"
    assert panel.png()[:4] == b"\x89PNG"
    assert panel.why is None


def test_an_engine_that_is_none_is_refused() -> None:
    images = tk.scenes("test", n=1)
    with pytest.raises(tk.InputError, match=r"TokenMap: got engine='gpu'\. Accepted: a tk\.Engine"):
        tk.TokenMap(tk.load(), images, engine="gpu")
