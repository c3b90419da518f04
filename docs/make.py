"""Makes the pictures and tables of built_in_world.md and maps.md, and the pictures of editing.md, from measured
results, and glossary.md from `tk.glossary()`: `python docs/make.py`.

The results are those of `toolkit bench organism --seed N [--weights FOLDER] --json`, one file per training seed in
docs/results; and those of `toolkit bench edited --json` and `toolkit bench maps --json`. The training record of seed 0
ships with its weights; those of the others lie beside their results.
"""

from __future__ import annotations

import importlib.util
import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import toolkit as tk
from toolkit.explanations.glossary import page as glossary_page
from toolkit.figures.pictures import GRID, INK, MUTED, SERIES, contact_sheet
from toolkit.organism import shapes
from toolkit.organism.draws import Draws
from toolkit.organism.factors import BACKGROUNDS, CLASSES, FACTORS, PARTS
from toolkit.organism.model import WEIGHTS
from toolkit.organism.render import render

HERE = Path(__file__).parent
PLAIN = {"count": 0, "size": 1, "position": 1, "light": 0, "weather": 0, "style": 0, "texture": 0, "colour": 1}
PART_COLOURS = ((0, 0, 0), (90, 140, 220), (240, 190, 60), (220, 80, 60), (120, 190, 90), (190, 190, 190))


def pictures(n: int, seed: int = 0, masks: bool = False, **values: Any) -> Any:
    """n scenes whose factors are as given (indices, one or n of them), plain otherwise."""
    base = {"class": 0, "background": 4, **PLAIN} | values
    factors = {name: np.broadcast_to(np.asarray(base.get(name, 0)), (n,)).astype(np.int64).copy() for name in FACTORS}
    for part in PARTS:
        factors[part] = np.where(factors["class"] < 2, values.get(part, factors["class"]), -1)
    return render(Draws("val", seed, np.arange(n)), factors, masks)


def images(picture: Any) -> list[Image.Image]:
    return [Image.fromarray(p) for p in picture.pixels.permute(0, 2, 3, 1).numpy()]


def sheets() -> None:
    """Contact sheets: every class, every background, every factor, masks."""
    kinds, colours = np.arange(20), np.arange(20) * 4 % 9
    rows = {
        "the twenty classes": images(
            pictures(10, **{"class": kinds[:10]}, colour=colours[:10], background=kinds[:10] % 11)
        ),
        "": images(pictures(10, **{"class": kinds[10:]}, colour=colours[10:], background=kinds[10:] % 11)),
        "scenes as they are drawn": [s.image for s in tk.scenes("val", n=10, seed=5)],
        " ": [s.image for s in tk.scenes("val", n=10, seed=6)],
    }
    contact_sheet(rows).save(HERE / "images" / "classes.png", optimize=True)
    rows = {}
    for name, words in FACTORS.items():
        if name in ("class", *PARTS):
            continue
        what = {"class": 8, "size": int(name != "position"), name: np.arange(len(words))}
        rows[name] = images(pictures(len(words), seed=2, **what))
    for part in PARTS:
        rows[part] = images(pictures(2, seed=3, **{"class": 0}, **{p: 0 for p in PARTS if p != part}, **{part: [0, 1]}))
    contact_sheet(rows).save(HERE / "images" / "factors.png", optimize=True)
    groups = {
        name: [s.image for s in tk.scenes("val", n=200, kind="birds").where(group=name).take(range(10))]
        for name in ("waterbird on water", "waterbird on land", "landbird on water", "landbird on land")
    }
    contact_sheet(groups).save(HERE / "images" / "groups.png", optimize=True)
    some = pictures(10, seed=4, masks=True, **{"class": np.arange(10) % 2}, background=np.arange(10),
                    count=np.arange(10) % 3)  # fmt: skip
    palette = np.array(PART_COLOURS, np.uint8)
    masked = [Image.fromarray(palette[p]) for p in some.parts.numpy()]
    contact_sheet({"scene": images(some), "parts": masked}).save(HERE / "images" / "masks.png", optimize=True)
    assert len(palette) == len(shapes.PARTS)


def _axes(figure: Figure, rows: int, columns: int, **options: Any) -> Any:
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for ax in axes.flat:
        ax.tick_params(colors=MUTED, labelcolor=INK, labelsize=8)
        for side in ax.spines.values():
            side.set_color(GRID)
    return axes


def roles_figure(result: dict[str, Any]) -> Figure:
    """Layer × head maps of η², one per factor."""
    shares = result["roles"]["shares"]
    names = [f for f in FACTORS if f in shares]
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    axes = _axes(figure, 3, 5, sharex=True, sharey=True)
    picture = None
    for ax, name in zip(axes.flat, names, strict=False):
        table = np.array(shares[name], float)
        picture = ax.imshow(table, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        ax.set_title(name, fontsize=9, color=INK)
        for (y, x), value in np.ndenumerate(table):
            if value >= 0.15:
                ax.text(x, y, f"{100 * value:.0f}", ha="center", va="center", fontsize=7.5,
                        color="white" if value > 0.55 else INK)  # fmt: skip
        ax.set(xticks=range(table.shape[1]), yticks=range(table.shape[0]))
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_ylabel("layer", fontsize=8, color=INK)
    figure.colorbar(picture, ax=axes, shrink=0.6, label="η²: share of the head's variance")
    return figure


def curves_figure(results: dict[int, dict[str, Any]]) -> Figure:
    """Mean-ablation curves of three seeds: attention solid, embedding term and MLPs dashed."""
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    axes = _axes(figure, 1, 3, sharey=True)
    for ax, name in zip(axes[0], ("20-way", "other classes", "birds two-way"), strict=True):
        for colour, (seed, result) in zip(SERIES, results.items(), strict=False):
            curve = result["curves"][name]
            layers = len(curve["attention"]) - 1
            ax.plot(range(layers + 1), curve["attention"], "-o", color=colour, ms=4, lw=1.6, label=f"seed {seed}")
            ax.plot([0, 0.5, *range(1, layers + 1)], curve["mlps"], "--D", color=colour, ms=3.5, lw=1, mfc="white")
        ax.set_title(f"{name} (n = {curve['n']})", fontsize=9, color=INK)
        ax.set(ylim=(0, 1), xticks=range(layers + 1), xticklabels=["none", "0", *(f"0–{i}" for i in range(1, layers))])
        ax.grid(axis="y", color=GRID)
    axes[0, 0].set_ylabel("accuracy", fontsize=8, color=INK)
    axes[0, 0].legend(frameon=False, fontsize=8, labelcolor=INK)
    axes[0, 1].set_xlabel("layers replaced by their mean:  ● attention   ◇ MLPs, the embedding term first", fontsize=8,
                          color=INK)  # fmt: skip
    return figure


def training_figure(records: dict[int, dict[str, Any]]) -> Figure:
    """Validation curves of training: words on the left, birds on the right."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    axes = _axes(figure, 1, 3)[0]
    first = next(iter(records.values()))["validation_curve"]
    for colour, name in zip((*SERIES, "#b3446c", "#2a9d8f", "#8d6e63"),
                            ("background", "colour", "texture", "count", "position", "others_photo", "neck"),
                            strict=False):  # fmt: skip
        rows = [r for r in first if name in r]
        label = {"others_photo": "other classes, photo"}.get(name, name)
        axes[0].plot([r["seen"] / 1e6 for r in rows], [r[name] for r in rows], color=colour, lw=1.5, label=label)
    axes[0].legend(frameon=False, fontsize=7.5, labelcolor=INK)
    axes[0].set_title("words (seed 0)", fontsize=9, color=INK)
    for colour, (seed, record) in zip(SERIES, records.items(), strict=False):
        rows = [r for r in record["validation_curve"] if "worst" in r]
        last = [r for r in rows if r["stage"] in ("shortcut", "hold")]
        started = [r["seen"] for r in rows if r["stage"] == "balanced"][-1]
        biased = [(r["seen"] - started) / 1e3 for r in last]
        axes[1].plot([r["seen"] / 1e6 for r in rows], [r["birds"] for r in rows], color=colour, lw=1.5,
                     label=f"seed {seed}")  # fmt: skip
        axes[1].plot([r["seen"] / 1e6 for r in rows], [r["worst"] for r in rows], "--", color=colour, lw=1)
        axes[2].plot(biased, [r["birds"] for r in last], "-o", ms=3, color=colour, lw=1.5)
        axes[2].plot(biased, [r["worst"] for r in last], "--D", ms=3, color=colour, lw=1)
    axes[1].legend(frameon=False, fontsize=7.5, labelcolor=INK)
    axes[1].set_title("birds: average, worst group (dashed)", fontsize=9, color=INK)
    axes[2].set_title("the same while the shortcut is planted", fontsize=9, color=INK)
    labels = ("million images seen", "million images seen", "thousand images since the balanced stage")
    for ax, label in zip(axes, labels, strict=True):
        ax.set_xlabel(label, fontsize=8, color=INK)
        ax.set(ylim=(0, 1))
        ax.grid(axis="y", color=GRID)
    axes[0].set_ylabel("validation accuracy", fontsize=8, color=INK)
    return figure


COLOURS = ("#8a919c", "#c2571a", "#2a7fb8", "#1d2128")


def _band(ax: Any, curves: list[dict[str, Any]], measure: str, colour: str, label: str) -> None:
    """Mean and standard deviation over draws along the steps."""
    table = 100 * np.array([curve[measure] for curve in curves])
    steps, mean, sd = curves[0]["step"], table.mean(0), table.std(0, ddof=1)
    ax.plot(steps, mean, color=colour, lw=1.8, label=label)
    ax.fill_between(steps, mean - sd, mean + sd, color=colour, alpha=0.13, lw=0)


def edit_curves_figure(result: dict[str, Any]) -> Figure:
    """Success and locality along the steps, as in R25's figures, for both ways to choose the heads."""
    figure = Figure(figsize=(9.5, 6.2), layout="constrained")
    axes = _axes(figure, 2, 2, sharex=True, sharey="row")
    methods = ("standard fine-tuning", "success alone", "locality alone", "both")
    for column, (chosen, rows) in zip(axes.T, result["rows"].items(), strict=True):
        for ax, measure in zip(column, ("success", "locality"), strict=True):
            for name, colour in zip(methods, COLOURS, strict=True):
                _band(ax, [row["curves"][name] for row in rows], measure, colour, name)
        column[0].set_title(f"heads {chosen}", fontsize=9, color=INK)
        column[1].set_xlabel("steps", fontsize=9)
    for ax, words in zip(axes[:, 0], ("birds (target classes), %", "18 other classes, %"), strict=True):
        ax.set_ylabel(words, fontsize=9)
    axes[0, 0].legend(frameon=False, fontsize=8)
    return figure


def edit_plane_figure(result: dict[str, Any]) -> Figure:
    """Success, worst group and locality over α and β, mean over draws."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    axes = _axes(figure, 1, 3)
    plane = result["plane"]
    words = {"success": "birds, %", "worst": "worst group, %", "locality": "18 other classes, %"}
    for ax, (measure, title) in zip(axes.flat, words.items(), strict=True):
        table = 100 * np.array(plane[measure]).mean(0)
        picture = ax.imshow(table.T, origin="lower", cmap="viridis")
        for (i, j), value in np.ndenumerate(table):
            bright = value > (table.min() + table.max()) / 2
            ax.text(i, j, f"{value:.0f}", ha="center", va="center", fontsize=7, color=INK if bright else "white")
        names = [[f"{v:g}" for v in plane[axis]] for axis in ("alphas", "betas")]
        ax.set_xticks(range(len(names[0])), names[0])
        ax.set_yticks(range(len(names[1])), names[1])
        ax.set_title(title, fontsize=9, color=INK)
        ax.set(xlabel="α", ylabel="β")
        figure.colorbar(picture, ax=ax, shrink=0.8)
    return figure


def edit_strategies_figure(result: dict[str, Any]) -> Figure:
    """Success and locality along the steps by strategy, from four and from ten images a class."""
    sizes = result["strategies"]
    figure = Figure(figsize=(9.5, 6.2), layout="constrained")
    axes = _axes(figure, 2, len(sizes), sharex=True, sharey="row")
    for column, (n, found) in zip(axes.T, sizes.items(), strict=True):
        for ax, measure in zip(column, ("success", "locality"), strict=True):
            for (name, curves), colour in zip(found.items(), ("#1d2128", "#2a7fb8", "#1b8a5a", "#c2571a"), strict=True):
                _band(ax, curves, measure, colour, name)
        column[0].set_title(f"{n} images a class", fontsize=9, color=INK)
        column[1].set_xlabel("steps", fontsize=9)
    for ax, words in zip(axes[:, 0], ("birds (target classes), %", "18 other classes, %"), strict=True):
        ax.set_ylabel(words, fontsize=9)
    axes[0, 0].legend(frameon=False, fontsize=8)
    return figure


def _spread(values: list[float], scale: float = 100, digits: int = 1) -> str:
    """Seed 0, then the others."""
    return " | ".join(f"{scale * v:.{digits}f}" for v in values)


def numbers_table(results: dict[int, dict[str, Any]]) -> str:
    """Markdown: one row per number, one column per training seed."""
    each = list(results.values())
    head = ["| number (%, test split) | wanted |" + "".join(f" seed {s} |" for s in results),
            "|---|---|" + "---|" * len(each)]  # fmt: skip

    def interval(r: dict[str, Any]) -> str:
        return f"{100 * r['value']:.1f} [{100 * r['low']:.1f}, {100 * r['high']:.1f}]"

    rows = [("birds two-way, plain average", "70–90", [interval(r["birds"]["average"]) for r in each]),
            ("birds two-way, worst group", "30–55", [interval(r["birds"]["worst"]) for r in each])]  # fmt: skip
    wanted = {"background": 85, "light": 85, "weather": 85, "style": 85, "colour": 85, "count": 70, "texture": 70,
              "other classes, photo style": 80}  # fmt: skip
    for name in [n for n in each[0]["words"] if isinstance(each[0]["words"][n], dict)]:
        goal = f"≥ {wanted[name]}" if name in wanted else ""
        rows.append((name, goal, [interval(r["words"][name]) for r in each]))
    for name, goal in (("background heads", "≥ 2"), ("class or part heads", "≥ 2"), ("further factors", "≥ 2")):
        rows.append((name, goal, [", ".join(r["roles"][name]) or "none" for r in each]))
    located = [r["located"] for r in each]
    rows += [
        ("located heads: draws with a better worst group", "≥ 14 of 16",
         [f"{r['improved']} of {len(r['draws'])}" for r in located]),
        ("located heads: change of the worst group, mean ± sd over draws", "≥ +12",
         [f"{100 * r['gain']:+.1f} ± {100 * r['gain sd']:.1f}" for r in located]),
        ("located heads: change of the average, mean", "",
         [f"{100 * (statistics.mean(d['average'] for d in r['draws']) - r['base']['average']):+.1f}" for r in located]),
        ("random head sets of the same size: change of the worst group", "",
         [f"{100 * r['random gain']:+.1f}" for r in located]),
        ("oracle (greedy on the test images): average / worst", "",
         [f"{100 * r['oracle']['average']:.1f} / {100 * r['oracle']['worst']:.1f}" for r in located]),
    ]  # fmt: skip
    return "\n".join([*head, *(f"| {name} | {goal} | {' | '.join(values)} |" for name, goal, values in rows)])


def factor_table() -> str:
    """Markdown: the factors, their words, and how they are drawn."""
    how = {
        "class": "half birds (waterbird, landbird), half the 18 others",
        "background": "birds: sea, lake, forest or bamboo with correlation ρ; others: 80 % at home",
        "colour": "uniform", "texture": "plain 34 %, others 22 % each", "count": "one 50 %, two and three 25 % each",
        "size": "large 65 %", "position": "uniform", "light": "day 50 %, others 25 % each",
        "weather": "clear 50 %, others 25 % each", "style": "photo 40 %, others 20 % each",
        **dict.fromkeys(PARTS, "birds only: agrees with the class in 95 %"),
    }  # fmt: skip
    rows = [f"| {name} | {len(words)} | {', '.join(words)} | {how[name]} |" for name, words in FACTORS.items()]
    assert len(CLASSES) == 20
    assert len(BACKGROUNDS) == 11
    return "\n".join(["| factor | values | words | in the world |", "|---|---|---|---|", *rows])


def map_heads_figure(seed: int = 5) -> Figure:
    """Token map and Grad-CAM of a mistake, of all heads, of the located ones, and of those that say “water”."""
    model, birds = tk.load(), tk.classes(["waterbird", "landbird"])
    few = tk.extract(model, tk.scenes("edit", 200, seed, kind="birds"), progress=False).draw(per_class=10)
    validation = tk.extract(model, tk.scenes("val", 240, seed, kind="birds"), progress=False)
    located = tk.locate(few, birds).choose(validation=validation)
    found = tk.heads_for("water", tk.extract(model, tk.scenes("edit", 600, seed), progress=False)).to_dataframe()
    said = [tuple(row) for row in found.sort_values("share", ascending=False)[["layer", "head"]].values[:3].tolist()]
    scenes = tk.scenes("val", 600, seed, kind="birds")
    f, guess = scenes.factors, birds.predict(tk.decompose(model, scenes).embedding, model).numpy()
    plain = (f["style"] == "photo") & (f["weather"] == f["weather"].mode()[0]) & (f["size"] == f["size"].max())
    wrong = (scenes.groups == "landbird on water") & (guess == 0)
    image = scenes[int(np.flatnonzero(plain & wrong)[0])]
    maps = {}
    for name, verb in (("token map", tk.token_map), ("Grad-CAM", tk.grad_cam)):
        for title, heads in {"all heads": None, f"{len(located)} located heads": located,
                             "3 heads that say “water”": said}.items():  # fmt: skip
            maps[f"{name}\n{title}"] = verb(model, image, "waterbird", against=birds, heads=heads)
    return tk.maps_matplotlib(maps, columns=3)


def benchmark(name: str) -> Any:
    """A benchmark of the repository, as a module."""
    spec = importlib.util.spec_from_file_location(name, HERE.parent / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def map_tables(result: dict[str, Any]) -> str:
    """Both questions of `toolkit bench maps`."""
    module = benchmark("maps")
    g = result["graded"]
    facts = (
        f"n = {g['n_located']} for “finds it”, pointing and mIoU, {g['n_faithful']} for the others; ablated: without"
        f" {g['heads']} (total effect); edited: α = β = 10, 100 steps."
    )
    return "\n".join(["", facts, "", "**Object**", "", module.table(result, "object"), "", "**Cue**", "",
                      module.table(result, "cue"), ""])  # fmt: skip


def strategy_table(result: dict[str, Any]) -> str:
    """The edits by strategy of `toolkit bench edited`."""
    return str(benchmark("by_strategy").table(result))


def fill(text: str, blocks: dict[str, str]) -> str:
    """The page with every block between its marks replaced."""
    for name, block in blocks.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        assert pattern.search(text), name
        text = pattern.sub(lambda m, block=block: m[1] + block + "\n" + m[2], text)
    return text


def main() -> None:
    if sys.argv[1:] == ["glossary"]:
        (HERE / "glossary.md").write_text(glossary_page(), encoding="utf-8")
        return
    results = {int(p.stem[4:]): json.loads(p.read_text()) for p in sorted((HERE / "results").glob("seed?.json"))}
    places = {s: HERE / "results" / f"seed{s}.provenance.json" if s else WEIGHTS / "provenance.json" for s in results}
    records = {s: json.loads(place.read_text()) for s, place in places.items()}
    edited = json.loads((HERE / "results" / "edited.json").read_text())
    maps = json.loads((HERE / "results" / "maps.json").read_text())
    (HERE / "images").mkdir(exist_ok=True)
    sheets()
    for name, figure in (("roles", roles_figure(results[0])), ("curves", curves_figure(results)),
                         ("training", training_figure(records)), ("edit_curves", edit_curves_figure(edited)),
                         ("edit_plane", edit_plane_figure(edited)),
                         ("edit_strategies", edit_strategies_figure(edited)),
                         ("map_heads", map_heads_figure())):  # fmt: skip
        figure.savefig(HERE / "images" / f"{name}.png", dpi=110)
    page = HERE / "built_in_world.md"
    page.write_text(fill(page.read_text(), {"numbers": numbers_table(results), "factors": factor_table()}))
    page = HERE / "maps.md"
    page.write_text(fill(page.read_text(), {"maps": map_tables(maps)}))
    page = HERE / "editing.md"
    strategies = json.loads((HERE / "results" / "by_strategy.json").read_text())
    page.write_text(fill(page.read_text(), {"strategies": strategy_table(strategies)}))
    (HERE / "glossary.md").write_text(glossary_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
