"""What an explorer hands on as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.api.exploration import Exploration
from toolkit.core.heads import HeadSet
from toolkit.figures.report import report
from toolkit.panels.ablation_lab import AblationLab
from toolkit.panels.edit_lab import EditLab
from toolkit.panels.span_explorer import SpanExplorer
from toolkit.panels.token_map import TokenMap
from toolkit.store.notes import HeadNotes

if TYPE_CHECKING:
    from toolkit.panels.explorer import Explorer


def write_report(explorer: Explorer, session: Exploration, path: str | Path, title: str) -> Path:
    """The report of what stands in the panels: heads off (else those selected, else those Algorithm 1 chooses), words,
    maps shown, the edit, notes, and the state. Returns the path.
    """
    acts = session.prepare()
    parts = explorer.parts
    lab, spans, maps, edit = (parts.get(name) for name in ("ablation", "spans", "maps", "edit"))
    wrong = session.images.mistakes
    pair = explorer.pair if explorer.pair in wrong else None
    heads: Any = lab.heads if isinstance(lab, AblationLab) and lab.heads else HeadSet(explorer.selection.heads)
    shown: dict[str, Any] = {}
    if isinstance(maps, TokenMap):
        shown = {f"{m.method} of {m.target} in {maps.image}": m for m in (maps.map, maps.other) if m is not None}
    return report(
        path, acts, session.classes, heads or None, scores=session.lab.scores(pair) if wrong else None,
        spans=spans.spans if isinstance(spans, SpanExplorer) else None,
        edit=edit.edit if isinstance(edit, EditLab) else explorer.selection.edit, maps=shown or None,
        notes=spans.notes if isinstance(spans, SpanExplorer) else HeadNotes(acts.card), title=title,
        state=explorer.state,
    )  # fmt: skip
