"""The edit graded in the built-in world: success against locality along the steps, over α and β, and by strategy.

`toolkit bench edited [--seed N] [--json]`. First every strategy (`by_strategy`), on a fresh test seed; then the linear
edits, step by step. Every draw takes n birds a class from a seed of the edit split of its own;
everything is measured on the test split, on which nothing is chosen: α = β = 10 and 100 steps are the defaults. The
built-in world demonstrates the toolkit; it is no evidence for a method.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import toolkit as tk
from toolkit.api.edit.frontier_result import MEASURES

sys.path.insert(0, str(Path(__file__).resolve().parent))
import by_strategy

BIRDS = ("waterbird", "landbird")
DRAWS, STEPS = 8, 300
WEIGHTS = {
    "standard fine-tuning": (0.0, 0.0), "success alone": (10.0, 0.0), "locality alone": (0.0, 10.0),
    "both": (10.0, 10.0),
}  # fmt: skip
STRATEGIES = ("diagonal", "rank 1", "rank 4", "full")
SIZES = (4, 10)
STRATEGY_SEED = 31_847
"""Added to the seed: the scenes that strategies are judged on were not looked at while their defaults were chosen."""
AT = (10, 30, 100, 300)


def draw(model: Any, n: int, number: int, seed: int) -> Any:
    """n birds a class on balanced backgrounds, from a seed of the edit split of its own."""
    pool = tk.scenes("edit", 8 * n, 1000 * seed + number, kind="birds")
    rows = [i for name in BIRDS for i in np.flatnonzero(pool.labels == name)[:n].tolist()]
    return tk.extract(model, pool.take(sorted(rows)), progress=False)


def measured(edit: Any, most: int = 31) -> dict[str, list[float]]:
    """Every measure along the steps."""
    frame = edit.curve(most)
    return {name: [round(float(v), 4) for v in frame[name]] for name in ("step", *MEASURES)}


def one(few: Any, every: Any, heads: Any, test: Any, steps: int) -> dict[str, Any]:
    """Curves of one draw, and where the heads alone lead."""
    curves = {}
    for name, (alpha, beta) in WEIGHTS.items():
        curves[name] = measured(tk.edit(few, every, heads, alpha, beta, steps, held_out=test))
    curves["both, θ ≥ 0"] = measured(tk.edit(few, every, heads, 10, 10, steps, held_out=test, nonnegative=True))
    curves["both, scale 1, 10⁴ each"] = measured(
        tk.edit(few, every, heads, 1e4, 1e4, steps, logit_scale=1, held_out=test)
    )
    ended = tk.edit(few, every, heads, steps="converge", held_out=test).curve(2)
    made = tk.edit(few, every, heads, 10, 10, 100, held_out=test)
    return {
        "heads": str(heads), "wrong": len(made.settings["ids"]["W"]), "negative": made.negative,
        "gap": round(made.gap, 4), "curves": curves, "converged": {m: float(ended[m].iloc[-1]) for m in MEASURES},
    }  # fmt: skip


def strategy_curves(model: Any, n: int, draws: int, seed: int, every: Any, test: Any, steps: int) -> dict[str, Any]:
    """Curves by strategy, α = β = 10, from n images a class."""
    found: dict[str, Any] = {name: [] for name in STRATEGIES}
    for number in range(draws):
        few = draw(model, n, number, seed)
        heads = tk.locate(few, every, resamples=1).choose()
        for name in STRATEGIES:
            found[name].append(measured(tk.edit(few, every, heads, steps=steps, strategy=name, held_out=test)))
    return found


def run(quick: bool = False, seed: int = 9173) -> dict[str, Any]:
    """The whole benchmark; `quick` takes few of everything, for the tests. seed: of the test scenes and draws."""
    model = tk.load()
    n, draws, steps, sizes = (240, 2, 30, (4,)) if quick else (3000, DRAWS, STEPS, SIZES)
    test = tk.extract(model, tk.scenes("test", n, seed), progress=False)
    every = tk.classes(sorted(set(test.labels)))
    validation = tk.extract(model, tk.scenes("val", 240, seed, kind="birds"), progress=False)
    fews = [draw(model, 10, number, seed) for number in range(draws)]
    few_heads, val_heads = [], []
    for few in fews:
        scores = tk.locate(few, every, resamples=1)
        few_heads.append(scores.choose())
        val_heads.append(scores.choose(validation=validation))
    weights = [0, 1, 10] if quick else None
    plane = tk.frontier(fews, every, few_heads, weights, weights, held_out=test, steps=min(steps, 100))
    points = {p.name: {m: getattr(p, m) for m in MEASURES} for p in plane.points}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sets = {
            "chosen by U on the same images": few_heads,
            "chosen by the worst group of 240 validation birds": val_heads,
        }
        rows = {
            name: [one(few, every, heads, test, steps) for few, heads in zip(fews, chosen, strict=True)]
            for name, chosen in sets.items()
        }
    alone = tk.frontier(fews, every, val_heads, [1], [1], held_out=test, steps=0).points[-1]
    return {
        "seed": seed, "split": "test", "n": n, "target": int(np.isin(test.labels, BIRDS).sum()), "draws": draws,
        "fingerprint": model.card.fingerprint, "points": points,
        "validation heads off": {m: getattr(alone, m) for m in MEASURES},
        "rows": rows,
        "plane": {"alphas": plane.alphas.tolist(), "betas": plane.betas.tolist()}
        | {m: np.round(plane.of(m), 4).tolist() for m in MEASURES},
        "by_strategy": by_strategy.run(quick, STRATEGY_SEED + seed),
        "strategies": {str(size): strategy_curves(model, size, draws, seed, every, test, steps) for size in sizes},
    }  # fmt: skip


def at(curves: list[dict[str, Any]], measure: str, step: int) -> list[float]:
    """A measure of every draw at the recorded step next to one asked for."""
    found = []
    for curve in curves:
        i = int(np.argmin(np.abs(np.array(curve["step"]) - step)))
        found.append(curve[measure][i])
    return found


def spread(values: list[float]) -> str:
    """Mean ± standard deviation over draws, in percent."""
    return f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=min(1, len(values) - 1)):.1f}"


def table(result: dict[str, Any]) -> str:
    """The result as a Markdown table; percent, mean ± standard deviation over draws."""
    head = (
        "heads",
        "edit",
        "steps",
        "birds",
        "worst group",
        "same mistakes, now right",
        "other classes",
        "same prediction",
    )
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for chosen, rows in result["rows"].items():
        for name in rows[0]["curves"]:
            curves = [row["curves"][name] for row in rows]
            last = curves[0]["step"][-1]
            for step in [s for s in AT if s <= last]:
                cells = [spread(at(curves, m, step)) for m in MEASURES]
                lines.append(f"| {chosen} | {name} | {step} | {' | '.join(cells)} |")
        cells = [spread([row["converged"][m] for row in rows]) for m in MEASURES]
        lines.append(f"| {chosen} | both | converged | {' | '.join(cells)} |")
    for n, found in result["strategies"].items():
        for name, curves in found.items():
            for step in [s for s in (30, 100, 300) if s <= curves[0]["step"][-1]]:
                cells = [spread(at(curves, m, step)) for m in MEASURES]
                lines.append(f"| by U, n = {n} a class | both, {name} | {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    lines = [
        f"built-in model {result['fingerprint'][:12]}, test seed {result['seed']}, n = {result['n']}"
        f" ({result['target']} birds), {result['draws']} draws of ten a class; percent",
    ]
    for name, point in {**result["points"], "validation heads off": result["validation heads off"]}.items():
        lines.append(f"  {name}: " + ", ".join(f"{m} {100 * point[m]:.1f}" for m in MEASURES))
    tables = ["", by_strategy.table(result["by_strategy"]), "", table(result), ""]
    return "\n".join([*lines, *tables, "The built-in world demonstrates the toolkit; it is no evidence."])
