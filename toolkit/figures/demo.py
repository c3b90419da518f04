"""The pictures and the page of `toolkit demo`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from toolkit.core.metrics import Accuracy
from toolkit.data.samples import Samples
from toolkit.figures.heatmap import heatmap_matplotlib
from toolkit.figures.page import Section, page, png, write
from toolkit.figures.pictures import ablation_curves, contact_sheet, group_bars
from toolkit.labs.tour import DIRECTION, DemoTour, Glance
from toolkit.organism.scenes import Scenes

MATCHING = ("waterbird on water", "landbird on land")
MISMATCHED = ("waterbird on land", "landbird on water")
HONEST = (
    "The built-in world is procedural and its model was trained for this toolkit: it demonstrates the tool and is not"
    " evidence for any method. "
)


def write_tour(result: DemoTour, folder: Path) -> Path:
    """Write the tour's pictures, its numbers (demo.json) and the page index.html; the page's path."""
    card, birds = result.model.card, result.birds
    average, worst = birds.average("plain"), birds.worst
    sheet = contact_sheet({name: _clearest(result.data, name) for name in birds.names})
    strongest = _strongest(result.water_map)
    pictures = {
        "groups.png": png(group_bars(birds)),
        "layers.png": png(ablation_curves(result.curves)),
        "water-land.png": png(
            heatmap_matplotlib(result.water_map, title="writes “water” rather than “land”", unit="cosine")
        ),
        "samples.png": png(sheet),
    }
    curve = result.curves["all 20 classes"]
    usual, other = (_pooled(birds, pair) for pair in (MATCHING, MISMATCHED))
    sections = [
        Section(
            "The pictures",
            "Birds of four kinds: each class on either background.",
            pictures["samples.png"],
            "Test scenes of the four groups",
        ),
        Section(
            "The mistake",
            f"Zero-shot, the model tells waterbirds from landbirds in {100 * average.value:.1f} % of {average.n} test"
            f" scenes (plain average), but only in {100 * worst.value:.1f} % of “{worst.group}”. Birds on the"
            f" background their class is usually seen on: {100 * usual:.1f} %; on the other one: {100 * other:.1f} %.",
            pictures["groups.png"],
            "Accuracy by group with 95 % Wilson intervals",
            str(birds),
        ),
        Section(
            "An embedding is a sum",
            f"{card.layers} layers × {card.heads} heads, {card.layers} MLPs, an embedding term, biases and a constant"
            f" add up to the model’s own embedding: the largest relative difference over {len(result.data)} images is"
            f" {result.error:.1e}.",
        ),
        Section(
            "Which layers carry the answer",
            f"Replacing the attention of all {card.layers} layers by its mean takes the 20-way accuracy from"
            f" {100 * curve.full:.1f} % to {100 * curve.attention[-1]:.1f} %; replacing the embedding"
            f" term and every MLP instead leaves {100 * curve.mlps[-1]:.1f} %.",
            pictures["layers.png"],
            "Accuracy under mean-ablation, layer by layer; mean over the test scenes themselves",
        ),
        Section(
            "Which heads see the background",
            f"How much more each head writes along “{DIRECTION[0]}” − “{DIRECTION[1]}” for birds on water than for"
            f" birds on land. Strongest: {strongest}.",
            pictures["water-land.png"],
            "Layer × head map of the water–land direction, cosine scale",
        ),
    ]
    footer = HONEST + _footer(result.model)
    html = page(
        "From a mistake to the heads behind it",
        "A tour through the built-in world of the CLIP head toolkit.",
        sections,
        footer,
    )
    return _write_all(folder, html, pictures, result.to_dict())


def _pooled(birds: Accuracy, groups: tuple[str, ...]) -> float:
    """Accuracy over the images of several groups."""
    rows = [birds[name] for name in groups]
    return sum(r.right for r in rows) / sum(r.n for r in rows)


def write_glance(result: Glance, folder: Path) -> Path:
    """Write the map of one photograph, its numbers (demo.json) and the page index.html; the page's path."""
    import io

    small = result.image.convert("RGB").copy()
    small.thumbnail((480, 480))
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    title = f"writes “{result.text}” rather than “{result.against}”{' (unknown words)' if result.unknown else ''}"
    pictures = {
        "photo.png": buffer.getvalue(),
        "heads.png": png(heatmap_matplotlib(result.head_map, title=title, unit="cosine")),
    }
    a, b = result.cosines
    total = float(result.head_map.sum())
    sections = [
        Section("The photograph", "", pictures["photo.png"], "The photograph given"),
        Section(
            "The sum",
            f"Cosine with “{result.text}” is {a:.4f}, with “{result.against}” {b:.4f}. Of the difference {a - b:+.4f},"
            f" the heads write {total:+.4f} and everything else (MLPs, embedding term, biases) {result.rest:+.4f}. All"
            f" parts sum to the embedding to {result.error:.1e} relative.",
        ),
        Section(
            "Head by head",
            f"Strongest: {_strongest(result.head_map)}.",
            pictures["heads.png"],
            f"Layer × head map: {title}; cosine scale",
        ),
    ]
    html = page(
        "One photograph, head by head",
        f"{result.model.card.id}: “{result.text}” against “{result.against}”.{_unknown(result)}",
        sections,
        _footer(result.model),
    )
    return _write_all(folder, html, pictures, result.to_dict())


def _unknown(result: Glance) -> str:
    notes = [f"“{w}”" + (f" (nearest: {', '.join(near)})" if near else "") for w, near in result.unknown.items()]
    return f" The model does not know {', '.join(notes)}: what follows says little about that." if notes else ""


def _write_all(folder: Path, html: str, pictures: dict[str, bytes], numbers: dict[str, Any]) -> Path:
    for name, content in pictures.items():
        write(folder / name, content)
    write(folder / "demo.json", json.dumps(numbers, indent=1))
    return write(folder / "index.html", html)


def _clearest(data: Samples, group: str, count: int = 8) -> list[Image.Image]:
    """Pictures of a group that are easy to see: photographs by day in clear weather first."""
    rows = [i for i, name in enumerate(data.groups) if name == group]
    if isinstance(data, Scenes):
        f = data.factors
        wanted = {"style": "photo", "light": "day", "weather": "clear", "count": "one"}
        plain = sum((f[name] == word).astype(int) for name, word in wanted.items())
        rows.sort(key=lambda i: -plain[i])
    return [data.image(i) for i in rows[:count]]


def _strongest(values: Any, count: int = 3) -> str:
    flat = sorted(
        ((abs(v), v, layer, head) for layer, row in enumerate(values) for head, v in enumerate(row)), reverse=True
    )
    return ", ".join(f"L{layer}.H{head} ({v:+.3f})" for _, v, layer, head in flat[:count])


def _footer(model: Any) -> str:
    c = model.card
    return f"Model {c.id}, weights {c.fingerprint}, {c.precision} on {c.device}; convention “separate”."
