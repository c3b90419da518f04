"""A panel's settings as plain values that restore it."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.panels.base.panel import LOCK, Panel


def settings_of(panel: Panel) -> dict[str, Any]:
    """What a panel is set to, by name, as JSON can hold it."""
    return {name: _plain(name, panel.saved_value(name)) for name in panel.saved}


def restore(panel: Panel, settings: Mapping[str, Any]) -> None:
    """Set a panel to what `settings_of` gave. Raises InputError for what it has not, before anything is set."""
    known = panel.saved
    check_names(f"{type(panel).__name__} state", settings, known)
    with LOCK, panel.hold_sync():
        for name in known:
            if name in settings and _plain(name, panel.saved_value(name)) != settings[name]:
                setattr(panel, name, settings[name])


def check_names(what: str, given: Any, known: tuple[str, ...]) -> None:
    """Refuse what is no mapping of known names."""
    if not isinstance(given, Mapping):
        raise InputError(what, f"a {type(given).__name__}", "what a state holds", "pass explorer.state as it was")
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            fix = f"did you mean {near[0]!r}?" if near else "leave it out"
            raise InputError(what, f"the unknown name {name!r}", ", ".join(known), fix)


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, HeadSet):
        return str(value)
    if name == "strengths":
        return {f"L{layer}.H{head}": strength for (layer, head), strength in value.items()}
    return list(value) if isinstance(value, tuple) else value
