"""`tk.report`: what was found, as one self-contained HTML file that can be handed on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from toolkit.api.edit.result import Edit
from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import Judged, judged
from toolkit.api.locate.locate import locate
from toolkit.api.locate.scores import Scores
from toolkit.api.switch_off.ablate import ablate
from toolkit.api.switch_off.ablation import Ablation
from toolkit.api.where.attribution import TokenAttribution
from toolkit.api.words.spans import Spans
from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.explanations.why import why
from toolkit.figures.demo import HONEST
from toolkit.figures.groups import groups_matplotlib
from toolkit.figures.handed_in import handed_in
from toolkit.figures.heatmap import heatmap_matplotlib
from toolkit.figures.maps import maps_matplotlib
from toolkit.figures.page import STYLE, Section, png, sections_html, write
from toolkit.figures.report_cures import beside_one_another, in_common
from toolkit.figures.thumbnails import captioned, missing
from toolkit.signs import counted
from toolkit.version import __version__

if TYPE_CHECKING:
    from toolkit.api.keywords.result import KeywordScores
    from toolkit.api.methods.comparison import Comparison
    from toolkit.explanations.workbook import Workbook
    from toolkit.models.card import ModelCard
    from toolkit.store.notes import HeadNotes

MOST_BYTES = 5_000_000
BUILT_IN = "built-in world model"
SHOWN = 24
"""Images shown of those that became right, and of those that became wrong."""
WORDS = 5


def report(
    path: str | Path, acts: Acts, classes: Any, heads: Any = None, *, scores: Scores | None = None,
    spans: Spans | None = None, edit: Edit | None = None, maps: Mapping[str, TokenAttribution] | None = None,
    notes: HeadNotes | None = None, title: str = "From a mistake to the heads behind it",
    state: Mapping[str, Any] | None = None, off: Mapping[str, Any] | None = None, workbook: Workbook | None = None,
    keywords: KeywordScores | None = None, comparison: Comparison | None = None,
) -> Path:  # fmt: skip
    """The path of one HTML file of what was found, without script or request, the numbers as JSON inside.

    Everything that comes from data is escaped.

    Arguments:
        path: the file, ending in .html.
        acts: parts with labels (`Acts`).
        classes: two or more (`tk.classes`).
        heads: the set that was chosen, in any spelling; default the one `scores` chooses.
        scores: of `tk.locate`; default located here, where anything is wrong.
        spans: the heads' texts (`tk.textspan`); default none.
        edit: judged on the images it holds out (`tk.edit`); default none.
        maps: token maps by name; default none.
        notes: what people wrote about heads (`tk.notes`); default none.
        title: of the page; default "From a mistake to the heads behind it".
        state: of an explorer, kept in the JSON; default none.
        off: how the heads are switched off, arguments of `tk.ablate` (how, effect, strength); default zero-ablation,
            direct effect.
        workbook: what was predicted, solved and noted while learning, for a teacher (`tk.teach.workbook`); default
            none.
        keywords: what the images of the mistake have in common (`tk.keywords`); default none.
        comparison: cures beside one another (`tk.comparison`); default none.

    Raises:
        InputError: for another ending, for other parts than those of `scores`, and for a page above 5 MB (too many
            maps); what was at the path then stays as it was.

    >>> import tempfile, toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=80, kind="birds"), progress=False)
    >>> tk.report(tempfile.mkdtemp() + "/found.html", acts, tk.classes(["waterbird", "landbird"])).name
    'found.html'
    """
    target = Path(path).expanduser()
    if target.suffix != ".html":
        raise InputError("report", repr(target.name), "a name ending in .html", "rename it")
    images = judged(acts, classes, "report", None)
    if scores is None and images.mistakes:
        scores = locate(images.acts, classes)
    if scores is not None and scores.settings["fingerprint"] != acts.card.fingerprint:
        given = f"scores of {scores.settings['model']!r}"
        raise InputError("report", given, f"scores of {acts.card.id!r}", "locate on these parts")
    chosen = HeadSet.of(heads, *acts.shape[1:3]) if heads is not None else scores.choose() if scores else HeadSet(())
    without = ablate(images.acts, classes, chosen, **(off or {}))
    made: list[Callable[[], Iterable[Section]]] = [
        lambda: [_about(images), _mistakes(images, without)], lambda: in_common(keywords), lambda: _located(scores),
        lambda: [_words(chosen, scores, spans, notes)], lambda: _without(images, without, scores),
        lambda: _edited(edit), lambda: beside_one_another(comparison), lambda: _looked(maps),
        lambda: handed_in(workbook), lambda: [_how_to_read(acts.card, spans, edit, maps)],
    ]  # fmt: skip
    sections = [section for some in counted(made, "write the report", "section") for section in some()]
    facts = _facts(images, without, scores, spans, edit, maps) | ({} if state is None else {"state": dict(state)})
    if keywords is not None:
        facts["keywords"] = keywords.table.to_dict("records")
    if comparison is not None:
        facts["comparison"] = comparison.table.to_dict("records")
    if workbook is not None:
        facts["workbook"] = workbook.to_dict()
    if acts.card.id.startswith(BUILT_IN):
        sections.append(Section("What these numbers are", HONEST))
    html = _page(title, f"{acts.card.id}; split “{acts.split}”, n = {len(images):,}", sections, facts)
    if len(html.encode()) > MOST_BYTES:
        given = f"a page of {len(html.encode()) / 1e6:.1f} MB"
        raise InputError("report", given, f"at most {MOST_BYTES / 1e6:.0f} MB", "pass fewer maps")
    return write(target, html)


def _about(images: Judged) -> Section:
    acts, card = images.acts, images.acts.card
    rows = [
        ("model", card.id), ("fingerprint of its weights", card.fingerprint),
        ("heads", f"{card.layers} layers × {card.heads} heads × {card.head_dim}, pool “{card.pool}”"),
        ("images", f"{len(images):,} of split “{acts.split}”; {images.left_out:,} with other labels left out"),
        ("classes", "; ".join(f"{n}: {_quoted(p)}" for n, p in zip(images.classes.names, images.classes.prompts,
                                                                 strict=True))),
        ("convention", acts.convention), ("sum of the parts", f"misses the embedding by {acts.error:.1e} at most"),
        ("written by", f"clip-head-toolkit {__version__}"),
    ]  # fmt: skip
    return Section("What was looked at", table=(("", ""), rows))


def _quoted(prompts: Sequence[str]) -> str:
    if not prompts:
        return "a vector"
    more = f" and {len(prompts) - 1} more" if len(prompts) > 1 else ""
    return f"“{prompts[0]}”{more}"


def _mistakes(images: Judged, off: Ablation) -> Section:
    before = off.before
    counts = off.confusion_before.counts
    rows = [(name, *map(str, row)) for name, row in zip(images.classes.names, counts.tolist(), strict=True)]
    small = len(images.classes) <= 20
    pairs = sorted(images.mistakes.items(), key=lambda pair: -pair[1])[:20]
    table = (("true, predicted →", *images.classes.names), rows) if small else (
        ("true", "predicted", "images"), [(a, b, str(n)) for (a, b), n in pairs]
    )  # fmt: skip
    worst = before.worst
    text = (
        f"{100 * before.average('plain').value:.1f} % right (plain average); worst group “{worst.group}” with"
        f" {100 * worst.value:.1f} %."
    )
    return Section("The mistakes", text, fixed=str(before), table=table)


def _located(scores: Scores | None) -> list[Section]:
    if scores is None:
        return [Section("Where they come from", "No image is wrong: nothing to locate.")]
    name = scores.names[0]
    table, band, stable = scores.badness(name), scores.interval[name], scores.stability(name)
    pair = "all pairs, pooled" if scores.pair is None else f"{scores.pair[0]} → {scores.pair[1]}"
    rows = []
    for layer, head in list(scores.ranking(name))[:10]:
        at = scores.layers.index(layer), head
        limits = f"[{band.low[at]:+.4f}, {band.high[at]:+.4f}]"
        rows.append((f"L{layer}.H{head}", f"{table[at]:+.4f}", limits, f"{stable[at]:.2f}"))
    figure = heatmap_matplotlib(table, title=f"DE_{name.upper()}, {pair}", unit="cosine", layers=scores.layers)
    header = ("head", "badness", f"raw score, {100 * band.level:g} % interval", "share among the 15 worst")
    said = f"How much each head pushes towards the error ({pair}; R25, direct effect). Intervals: {band.method}."
    return [Section("Where they come from", said, png(figure), f"Layer × head map of DE_{name.upper()}",
                    table=(header, rows))]  # fmt: skip


def _words(chosen: HeadSet, scores: Scores | None, spans: Spans | None, notes: HeadNotes | None) -> Section:
    rows = []
    for head in chosen:
        name = f"L{head[0]}.H{head[1]}"
        known = spans is not None and head[0] in spans.layers
        texts = list(spans.head(head)["text"][:WORDS]) if known and spans is not None else []
        rows.append((name, "; ".join(texts) or "–", notes[name] if notes is not None and name in notes else ""))
    why = f": {chosen.why.rstrip('.')}" if chosen.why else ""
    text = f"{chosen or 'None'}{why}."
    bank = f" Texts: {spans.bank.name}, the first {WORDS} of each head (G24)." if spans is not None else ""
    return Section("The heads chosen", text + bank, table=(("head", "says", "note"), rows) if rows else None)


def _overlap(images: Judged, scores: Scores | None) -> str:
    """What is to be said where heads were located on images they are judged on."""
    if scores is None:
        return ""
    both = int(np.isin(images.acts.ids.astype(str), scores._session.images.acts.ids.astype(str)).sum())
    if not both:
        return " The heads were located on other images."
    return f" The heads were located on {both:,} of these very images, which flatters the set."


def _without(images: Judged, off: Ablation, scores: Scores | None) -> list[Section]:
    if not off.heads:
        return []
    rows = [
        {"name": g.group, "n": g.n, "before": g.before, "after": g.after, "low": g.low, "high": g.high}
        for g in off.groups
    ]
    text = (
        f"{_how(off)}, judged on the same {len(images):,} images: worst group"
        f" {100 * off.before.worst.value:.1f} % → {100 * off.worst.value:.1f} %, plain average"
        f" {100 * off.before.average('plain').value:.1f} % → {100 * off.average('plain').value:.1f} %."
        f" {len(off.right):,} images became right, {len(off.wrong):,} became wrong.{_overlap(images, scores)}"
    )
    sections = [
        Section("Without these heads", text, png(groups_matplotlib(rows)), "Accuracy by group, before and after")
    ]
    for words, ids in (("became right", off.right), ("became wrong: who paid", off.wrong)):
        if ids:
            sections.append(_shown(images.acts, words, [str(i) for i in ids]))
    return sections


def _how(off: Ablation) -> str:
    """How heads were switched off, in words: the first line of the result."""
    return str(off).split("\n", 1)[0]


def _shown(acts: Acts, words: str, ids: list[str]) -> Section:
    """The first images of these ids, where they can be had; else their ids."""
    some = ids[:SHOWN]
    heading = f"{len(ids):,} {words}"
    if not acts.has_images:
        return Section(heading, ", ".join(some) + (" …" if len(ids) > len(some) else ""))
    read = [acts.read(name).image or missing() for name in some]
    sheet: Image.Image = captioned(read, some)
    said = ", ".join(some) + (" …" if len(ids) > len(some) else "")
    return Section(heading, "", png(sheet), said)


def _edited(edit: Edit | None) -> list[Section]:
    if edit is None:
        return []
    if edit._problem is None:
        rows = [(str(r.get("group", "")), *(_percent(r.get(k)) for k in ("before", "after"))) for r in
                edit.metrics.get("rows", ())]  # fmt: skip
        words = "Read from a file; its numbers are those it was saved with."
        table = (("group", "before", "after"), rows) if rows else None
        return [Section("The edit", words, fixed=str(edit), table=table)]
    text = f"Held-out images: split “{edit.metrics['rows'][0].get('split', '')}”." if edit.metrics.get("rows") else ""
    paid = [str(i) for i in edit.wrong]
    locality = "" if edit.locality is None else f" Locality: {edit.locality}."
    more = f" {len(edit.right):,} held-out images became right, {len(paid):,} became wrong"
    return [Section("The edit", f"{text}{more}{': ' + ', '.join(paid[:SHOWN]) if paid else ''}.{locality}",
                    fixed=str(edit))]  # fmt: skip


def _percent(value: Any) -> str:
    return "–" if value is None else f"{100 * float(value):.1f} %"


def _looked(maps: Mapping[str, TokenAttribution] | None) -> list[Section]:
    if not maps:
        return []
    text = "What every patch gave to the text; patches and rest sum to the cosine. Raw and signed, one scale."
    return [Section("Where they look", text, png(maps_matplotlib(dict(maps))), "; ".join(maps))]


def _how_to_read(card: ModelCard, spans: Any, edit: Any, maps: Any) -> Section:
    """The whys of the panels whose numbers stand in this page, folded away."""
    there = {"AblationLab": True, "SpanExplorer": spans is not None, "EditLab": edit is not None, "TokenMap": maps}
    reasons = [why(name, card) for name, on in there.items() if on]
    return Section("How to read this", folded=[(one.asks, [*one.rows()[1:], *one.meanings()]) for one in reasons])


def _facts(
    images: Judged, off: Ablation, scores: Scores | None, spans: Spans | None, edit: Edit | None,
    maps: Mapping[str, TokenAttribution] | None,
) -> dict[str, Any]:  # fmt: skip
    """Everything as plain values, for programs."""
    facts: dict[str, Any] = {
        "format": 1, "toolkit": __version__, "settings": off.settings, "card": images.acts.card.to_dict(),
        "heads": str(off.heads), "why": off.heads.why, "groups": off.to_dataframe().to_dict("records"),
        "became_right": list(off.right), "became_wrong": list(off.wrong),
        "confusion": off.confusion_before.counts.tolist(),
    }  # fmt: skip
    if scores is not None:
        facts["scores"] = {name: scores.raw["abcd".index(name)].tolist() for name in scores.names}
        facts["layers"] = list(scores.layers)
    if spans is not None:
        kept = [head for head in off.heads if head[0] in spans.layers]
        facts["texts"] = {f"L{a}.H{b}": list(spans.head((a, b))["text"]) for a, b in kept}
    if edit is not None:
        facts["edit"] = edit.facts
    if maps:
        facts["maps"] = {name: {"total": m.total, "values": m.values, "rest": dict(zip(m.rest_names, m.rest.T,
                         strict=True))} for name, m in maps.items()}  # fmt: skip
    return facts


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)


def _page(title: str, lead: str, sections: Sequence[Section], facts: dict[str, Any]) -> str:
    numbers = json.dumps(_finite(facts), default=_plain, ensure_ascii=True)
    for mark, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):  # nothing in it can end the element
        numbers = numbers.replace(mark, code)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style>"
    )
    body = f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>{sections_html(sections)}'
    data = f'<script type="application/json" id="report">{numbers}</script>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body><main>{body}</main>{data}</body></html>\n'


def _finite(value: Any) -> Any:
    """The same with null for what is no finite number: JSON has none."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _finite(value.tolist())
    return None if isinstance(value, float) and not np.isfinite(value) else value
