"""An explorer's state: a small JSON that restores it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.api.locate.registry import known_score
from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.labs.explorer import NOBODY, SHOWS, ExplorerSession
from toolkit.panels.base.saved import check_names, settings_of
from toolkit.panels.explorer.parts import PARTS, TABS, ExplorerParts
from toolkit.version import __version__

FORMAT = 1
FIELDS = (
    "format",
    "toolkit",
    "model",
    "fingerprint",
    "class_set",
    "data",
    "tab",
    "pair",
    "show",
    "query",
    "group",
    "selection",
    "panels",
)
SELECTED = ("image", "heads", "text", "pair")
MOST = 1_000_000
"""Characters of a state that is read."""


def state_of(
    explorer: ExplorerParts, session: ExplorerSession, pending: Mapping[str, Any], filters: Mapping[str, Any]
) -> dict[str, Any]:
    """What filters the images, the selection, and every panel's settings; of one not made yet what waits for it."""
    chosen, card = explorer.selection, session.model.card
    heads = [h for h in chosen.heads if h[0] < card.layers and h[1] < card.heads]  # of a linked panel's other model
    image = None if session.row_of(chosen.image) is None else chosen.image  # one that was dropped in is not kept
    pair = chosen.pair if chosen.pair and set(chosen.pair) <= set(session.classes.names) else None
    return {
        "format": FORMAT, "toolkit": __version__, "model": card.id, "fingerprint": card.fingerprint,
        "class_set": session.classes.hash,
        "data": session.fingerprint, **filters,
        "selection": {
            "image": image, "heads": str(HeadSet(tuple(heads))), "text": chosen.text, "pair": _list(pair),
        },
        "panels": dict(pending)
        | {name: settings_of(panel) for name, panel in list(explorer.parts.items()) if panel.saved},
    }  # fmt: skip


def read_state(state: Any, session: ExplorerSession | None = None) -> dict[str, Any]:
    """A state from a mapping, JSON, or the path of a file of it. Raises InputError for anything else, and where it is
    of another model, class set or data than the session's.
    """
    found = _opened(state)
    check_names("Explorer state", found, FIELDS)
    chosen, panels = found.get("selection", {}), found.get("panels", {})
    check_names("Explorer state, selection", chosen, SELECTED)
    check_names("Explorer state, panels", panels, tuple(PARTS))
    for name, settings in panels.items():
        check_names(f"Explorer state, {name}", settings, PARTS[name].saved)
        if settings.get("score") not in (None, "", NOBODY):
            known_score(settings["score"], f"Explorer state, {name}", PARTS[name].__name__)
    if found.get("format", FORMAT) != FORMAT:
        given = f"a state of format {found['format']!r}"
        raise InputError("Explorer state", given, f"format {FORMAT}", "use the version of the toolkit that wrote it")
    for name, known in (("tab", TABS), ("show", SHOWS)):
        if name in found and found[name] not in list(known):
            raise InputError("Explorer state", f"{name}={found[name]!r}", ", ".join(known), "name one of these")
    if not all(
        isinstance(text, str) for text in (found.get("query", ""), found.get("group", ""), chosen.get("text", ""))
    ):
        raise InputError("Explorer state", "a query, group or text that is no text", "texts", "copy the state whole")
    if session is not None:
        _fits(found, chosen, session)
    return found


def _fits(found: dict[str, Any], chosen: Mapping[str, Any], session: ExplorerSession) -> None:
    """Refuse a state of another model, class set or data."""
    card, classes = session.model.card, session.classes
    if found.get("fingerprint", card.fingerprint) != card.fingerprint:
        given = f"a state of {found.get('model')!r} ({found['fingerprint']})"
        raise InputError("Explorer state", given, f"{card.id!r} ({card.fingerprint})", "load that model")
    if found.get("class_set", classes.hash) != classes.hash:
        accepted = f"a state of these {len(classes)} classes"
        fix = "pass the classes it was made with"
        raise InputError("Explorer state", "a state of another class set", accepted, fix)
    if found.get("data", session.fingerprint) != session.fingerprint:
        given, fix = "a state of other images or labels", "pass the data it was made with"
        raise InputError("Explorer state", given, f"a state of these {len(session.data)} images", fix)
    if chosen.get("image") is not None and session.row_of(chosen["image"]) is None:
        given = f"the image {chosen['image']!r}, which these data have not"
        raise InputError("Explorer state", given, "a state of these data", "pass the data it was made with")
    HeadSet.of(chosen.get("heads", ""), card.layers, card.heads)
    for pair in (found.get("pair"), chosen.get("pair")):
        if pair is not None and (
            not isinstance(pair, list | tuple) or [p in classes.names for p in pair] != [True] * 2
        ):
            raise InputError("Explorer state", f"pair={pair!r}", "two of the classes", "copy the state whole")


def _opened(state: Any) -> dict[str, Any]:
    if isinstance(state, Mapping):
        return dict(state)
    accepted = "what explorer.state gave: a mapping, its JSON, or the path of a .json file"
    text = state
    if isinstance(state, Path) or (isinstance(state, str) and state.strip().endswith(".json")):
        try:
            text = Path(state).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError("Explorer state", f"{str(state)!r} ({error})", accepted, "check the path") from error
    if not isinstance(text, str):
        raise InputError("Explorer state", f"a {type(state).__name__}", accepted, "pass one of these")
    if len(text) > MOST:
        raise InputError("Explorer state", f"{len(text):,} characters", f"at most {MOST:,}", accepted)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("Explorer state", f"text that is no JSON ({error})", accepted, "copy it whole") from error
    if not isinstance(found, dict):
        raise InputError("Explorer state", f"a {type(found).__name__}", accepted, "copy it whole")
    return found


def _list(pair: tuple[str, str] | None) -> list[str] | None:
    return None if pair is None else list(pair)
