"""What an explorer hands on as a page."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toolkit.api.where.attribution import TokenAttribution
from toolkit.core.heads import HeadSet
from toolkit.engine.worker import Worker
from toolkit.explanations.workbook import workbook
from toolkit.figures.report import report
from toolkit.labs.explorer import ExplorerSession
from toolkit.panels.ablation_lab.panel import AblationLab
from toolkit.panels.base.kept import drawing
from toolkit.panels.base.panel import LOCK
from toolkit.panels.compare_lab.panel import CompareLab
from toolkit.panels.edit_lab.panel import EditLab
from toolkit.panels.explorer.parts import ExplorerParts
from toolkit.panels.keywords.panel import Keywords
from toolkit.panels.span_explorer.panel import SpanExplorer
from toolkit.panels.token_map.panel import TokenMap
from toolkit.store.notes import HeadNotes

WAIT = 60.0
"""Seconds that panels of a restored state have to come to rest."""


def write_report(
    explorer: ExplorerParts,
    session: ExplorerSession,
    path: str | Path,
    title: str,
    state: Callable[[], dict[str, Any]],
) -> Path:
    """The report of what stands in the panels: heads off (else those selected, else those chosen for the pair), words,
    maps shown, the edit, notes, what stands in the kernel's workbook, and the state. Returns the path.
    """
    acts, parts = session.prepare(), explorer.parts
    _all_restored(explorer)
    lab, spans, maps, edit = (parts.get(name) for name in ("ablation", "spans", "maps", "edit"))
    words, cures = (parts.get(name) for name in ("keywords", "compare"))
    wrong = session.lab.images.mistakes
    with LOCK:
        pair = explorer.pair if explorer.pair in wrong else None
        shape = acts.shape[1:3]
        heads = HeadSet(tuple(h for h in explorer.selection.heads if h[0] < shape[0] and h[1] < shape[1]))
        how: dict[str, Any] = {}
        if isinstance(lab, AblationLab) and lab.heads:
            heads, how = lab.heads, {"how": lab.how, "effect": lab.effect, "strength": list(lab.strengths.values())}
        shown = _shown(maps) if isinstance(maps, TokenMap) else {}
    if not heads and wrong:
        heads = session.choose(pair)
    with drawing:
        return report(
            path, session.judging, session.classes, heads, scores=session.lab.scores(pair) if wrong else None,
            spans=spans.spans if isinstance(spans, SpanExplorer) else None,
            edit=edit.edit if isinstance(edit, EditLab) else explorer.selection.edit, maps=shown or None,
            notes=spans.notes if isinstance(spans, SpanExplorer) else HeadNotes(acts.card), title=title,
            state=state(), off=how, workbook=workbook() or None,
            keywords=words.found if isinstance(words, Keywords) else None,
            comparison=cures.comparison if isinstance(cures, CompareLab) and cures.methods else None,
        )  # fmt: skip


def _all_restored(explorer: ExplorerParts) -> None:
    """A state that was restored holds settings of panels nobody has opened yet: they belong in the report too."""
    made = [explorer.part(name) for name in list(explorer._pending)]
    end = time.monotonic() + WAIT
    while (
        isinstance(explorer.engine, Worker) and any(getattr(p, "awaited", ()) for p in made) and time.monotonic() < end
    ):
        time.sleep(0.02)


def _shown(maps: TokenMap) -> dict[str, TokenAttribution]:
    """The maps painted, each by its own image, state and heads."""
    found = {}
    for told, m in ((maps._a, maps.map), (maps._b, maps.other)):
        if m is not None and told:
            state = "" if told["state"] == "base" else f"{told['state']}: "
            minus = "change in " if told["minus"] else ""
            through = f", heads {told['heads']}" if told["heads"] else ""
            found[f"{state}{minus}{m.method} of {m.target}{through} in {told['image']}"] = m
    return found
