"""Every promise of the built-in model, measured on a test seed and printed with intervals.

`toolkit bench organism --seed N [--weights FOLDER] [--json]`. The built-in world demonstrates the toolkit; it is no
evidence for any method.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import toolkit as tk
from toolkit.core.intervals import wilson
from toolkit.organism.evaluate import PROMPTS
from toolkit.organism.factors import BIRDS, CLASSES, FACTORS, OTHERS, PARTS
from toolkit.organism.model import MEAN, STD, load_clip

DRAWS, PER_CLASS, ORACLE = 16, 10, 8
SHAPE = ("class", "figure", *PARTS)


def _literal() -> Any:
    path = Path(__file__).with_name("literal.py")
    spec = importlib.util.spec_from_file_location("benchmarks_literal", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _share(right: Any, n: int | None = None) -> dict[str, Any]:
    right = np.asarray(right)
    n = len(right) if n is None else n
    interval = wilson(int(right.sum()), n)
    return {"value": float(right.sum() / n), "low": interval.low, "high": interval.high, "n": n}


def _guess(embeddings: Tensor, model: Any, prompts: list[str]) -> np.ndarray:
    return (embeddings @ model.encode_text(prompts).T).argmax(1).numpy()


def _birds(embeddings: Tensor, data: Any, texts: Tensor) -> Any:
    labels = np.array([BIRDS.index(x) for x in data.labels])
    return tk.accuracy((embeddings @ texts.T).argmax(1), labels, data.groups, split=data.split)


def measure_words(model: Any, seed: int, n: int) -> dict[str, Any]:
    """Zero-shot accuracy of every factor's words, and of the other classes among themselves."""
    data = tk.scenes("test", n, seed)
    embeddings, factors = model.encode_image(data), data.factors
    out = {}
    for name, prompts in PROMPTS.items():
        if name == "class":
            continue
        known = factors[name].notna().to_numpy(copy=True)
        truth = factors[name][known].map(FACTORS[name].index).to_numpy()
        out[name] = _share(_guess(embeddings[known], model, prompts) == truth)
    other = ~np.isin(factors["class"], BIRDS)
    truth = np.array([CLASSES.index(c) for c in factors["class"]])
    guess = _guess(embeddings, model, PROMPTS["class"][len(BIRDS) :]) + len(BIRDS)
    out["other classes"] = _share((guess == truth)[other])
    photo = other & (factors["style"] == "photo").to_numpy()
    out["other classes, photo style"] = _share((guess == truth)[photo])
    out["weakest other classes"] = sorted(
        (round(float((guess == truth)[truth == CLASSES.index(c)].mean()), 3), c)
        for c in OTHERS
        if (truth == CLASSES.index(c)).any()
    )[:3]
    return out


def measure_roles(model: Any, seed: int, n: int) -> dict[str, Any]:
    """η² of every head on the factorial set. "figure" is class, neck, bill and feet together (34 values)."""
    data = tk.scenes("test", n, seed, kind="factorial")
    table = data.factors.drop(columns="id")
    table["figure"] = table[["class", *PARTS]].fillna("").agg(" ".join, axis=1)
    roles = tk.head_roles(tk.decompose(model, data), table)
    named = {f: "class or parts" if f in SHAPE else f for f in roles.factors}
    leading = [(head, named[f], f, share) for head, f, share in roles.leading()]
    return {
        "n": n,
        "leading": [(head, f, round(share, 3)) for head, _, f, share in leading],
        "background heads": [head for head, f, _, s in leading if f == "background" and s >= 0.6],
        "class or part heads": [head for head, f, _, s in leading if f == "class or parts" and s >= 0.4],
        "further factors": sorted(
            {f for _, f, _, s in leading if s >= 0.35 and f not in ("background", "class or parts")}
        ),
        "shares": {f: np.round(roles.of(f), 3).tolist() for f in roles.factors},
        "variance": np.round(roles.variance, 5).tolist(),
    }


def measure_curves(model: Any, seed: int, n: int) -> dict[str, Any]:
    """Layer-by-layer mean ablation of attention, and of the embedding term and MLPs, on three tasks."""
    out = {}
    for name, kind, classes in (
        ("20-way", "world", CLASSES),
        ("other classes", "unrelated", OTHERS),
        ("birds two-way", "birds", BIRDS),
    ):
        data = tk.scenes("test", n, seed, kind=kind)
        parts, known = tk.decompose(model, data), tk.classes(list(classes))
        curve = tk.layer_curve(parts, known.vectors(model), known.encode(data.labels))
        out[name] = {"attention": curve.attention, "mlps": curve.mlps, "n": curve.n}
    return out


def _random_sets(size: int, layers: int, heads: int, rng: np.random.Generator, count: int) -> list[list[Any]]:
    every = [(layer, head) for layer in range(layers) for head in range(heads)]
    return [[every[i] for i in rng.permutation(len(every))[:size]] for _ in range(count)]


def measure_located(model: Any, seed: int, n: int, draws: int = DRAWS) -> dict[str, Any]:
    """Phase 1 (R25 alg. 1) from `draws` draws of the edit pool; zero-ablation, judged on the test split.

    Each draw has its own seed of the edit split: the first PER_CLASS birds of each class on balanced backgrounds.
    """
    literal, texts = _literal(), model.encode_text([PROMPTS["class"][0], PROMPTS["class"][1]])
    test = tk.scenes("test", n, seed, kind="birds")
    parts = tk.decompose(model, test)
    layers, heads = parts.mixes.shape[1:3]
    base = _birds(parts.embedding, test, texts)

    def without(chosen: list[Any]) -> tuple[float, float]:
        result = _birds(tk.ablate_direct(parts, tk.HeadSet.of(chosen)) if chosen else parts.embedding, test, texts)
        return result.average("plain").value, result.worst.value

    rows = []
    for draw in range(draws):
        pool = tk.scenes("edit", 8 * PER_CLASS, 1000 * seed + draw, kind="birds")
        rows_of = [[i for i, x in enumerate(pool.labels) if x == name][:PER_CLASS] for name in BIRDS]
        some = pool.take(sorted(rows_of[0] + rows_of[1]))
        few = tk.decompose(model, some)
        labels = torch.tensor([BIRDS.index(x) for x in some.labels])
        found = literal.locate(few.embedding.double(), few.heads.double(), labels, texts.double())
        average, worst = without(found.heads)
        rng = np.random.default_rng([seed, draw])
        random = [without(s) for s in _random_sets(len(found.heads), layers, heads, rng, 8)]
        rows.append(
            {
                "heads": " ".join(f"L{layer}.H{head}" for layer, head in found.heads),
                "size": len(found.heads),
                "wrong": found.wrong,
                "score": found.score,
                "average": average,
                "worst": worst,
                "random average": float(np.mean([r[0] for r in random])),
                "random worst": float(np.mean([r[1] for r in random])),
            }
        )
    start = base.worst.value
    gains = np.array([row["worst"] - start for row in rows])
    return {
        "base": {"average": base.average("plain").value, "worst": start, "n": base.n},
        "draws": rows,
        "improved": int((gains > 0).sum()),
        "gain": float(gains.mean()),
        "gain sd": float(gains.std(ddof=1)) if len(gains) > 1 else float("nan"),
        "random gain": float(np.mean([row["random worst"] - start for row in rows])),
        "oracle": _oracle(without, layers, heads),
    }


def _oracle(without: Any, layers: int, heads: int) -> dict[str, Any]:
    """Greedy: the head whose removal helps the worst group of the *test* images most, up to ORACLE times."""
    every = [(layer, head) for layer in range(layers) for head in range(heads)]
    chosen: list[Any] = []
    best = without([])
    for _ in range(ORACLE):
        tried = [(without([*chosen, head]), head) for head in every if head not in chosen]
        result, head = max(tried, key=lambda item: item[0][1])
        if result[1] <= best[1]:
            break
        best, chosen = result, [*chosen, head]
    names = " ".join(f"L{layer}.H{head}" for layer, head in chosen)
    return {"heads": names, "average": best[0], "worst": best[1]}


def _promises(r: dict[str, Any]) -> list[tuple[str, str, bool]]:
    average, worst = r["birds"]["average"]["value"], r["birds"]["worst"]["value"]
    words, roles, located = r["words"], r["roles"], r["located"]
    rows = [
        ("birds two-way, plain average 70–90 %", f"{100 * average:.1f} %", 0.70 <= average <= 0.90),
        ("birds two-way, worst group 30–55 %", f"{100 * worst:.1f} %", 0.30 <= worst <= 0.55),
    ]
    wanted = {"other classes, photo style": 0.80} | dict.fromkeys(
        ("background", "colour", "light", "weather", "style"), 0.85
    )
    for name, least in (wanted | {"count": 0.70, "texture": 0.70}).items():
        value = words[name]["value"]
        rows.append((f"{name} ≥ {100 * least:.0f} %", f"{100 * value:.1f} %", value >= least))
    for name, least in (("background heads", 2), ("class or part heads", 2), ("further factors", 2)):
        found = roles[name]
        rows.append((f"{name} ≥ {least}", f"{len(found)} ({', '.join(found)})", len(found) >= least))
    attention = r["curves"]["20-way"]["attention"]
    late = (attention[len(attention) // 2] - attention[-1]) / (attention[0] - attention[-1])
    rows.append(
        (
            "the later half of attention costs most (20-way)",
            f"{100 * late:.0f} % of what all of it costs",
            bool(late >= 0.5 and attention[0] - attention[-1] > 0.2),
        )
    )
    least = 14 * len(located["draws"]) // DRAWS
    count = f"{located['improved']} of {len(located['draws'])}"
    rows.append((f"located heads: worst group better in ≥ {least} draws", count, located["improved"] >= least))
    gain = located["gain"]
    rows.append(("located heads: worst group + ≥ 12 points, mean", f"{100 * gain:+.1f} points", gain >= 0.12))
    return rows


def run(quick: bool = False, seed: int = 7001, weights: Path | None = None) -> dict[str, Any]:
    """The whole benchmark on test seed `seed`; `quick` uses few images and draws, for the tests."""
    model = tk.load() if weights is None else _of(weights)
    n, draws = (240, 2) if quick else (3000, DRAWS)
    texts = model.encode_text(PROMPTS["class"][: len(BIRDS)])
    data = tk.scenes("test", n, seed, kind="birds")
    birds = _birds(model.encode_image(data), data, texts)
    average, worst = birds.average("plain"), birds.worst
    result: dict[str, Any] = {
        "seed": seed,
        "split": "test",
        "fingerprint": model.card.fingerprint,
        "birds": {
            "average": {"value": average.value, "low": average.interval.low, "high": average.interval.high},
            "worst": {"value": worst.value, "low": worst.interval.low, "high": worst.interval.high,
                      "group": worst.group, "method": worst.interval.method},
            "groups": [row._asdict() for row in birds.groups],
            "n": birds.n,
        },
        "words": measure_words(model, seed, n),
        "roles": measure_roles(model, seed, n if quick else 4000),
        "curves": measure_curves(model, seed, n),
        "located": measure_located(model, seed, n, draws),
    }  # fmt: skip
    result["promises"] = [{"promise": p, "value": v, "met": met} for p, v, met in _promises(result)]
    return result


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    lines = [
        f"built-in model {result['fingerprint'][:12]}, test seed {result['seed']}; Wilson or bootstrap 95 % intervals",
        "The built-in world demonstrates the toolkit; it is no evidence for any method.",
        "",
    ]
    birds, located = result["birds"], result["located"]
    rows = [(row["group"], row["accuracy"], row) for row in birds["groups"]]
    rows.append(("plain average", birds["average"]["value"], birds["average"]))
    rows.append((f"worst ({birds['worst']['group']})", birds["worst"]["value"], birds["worst"]))
    for name, value, row in rows:
        lines.append(f"  {name:28} {_percent(value, row['low'], row['high'])}  n = {row.get('n', birds['n'])}")
    lines.append("\nzero-shot words (world, all styles unless said)")
    for name, row in result["words"].items():
        if isinstance(row, dict):
            lines.append(f"  {name:28} {_percent(row['value'], row['low'], row['high'])}  n = {row['n']}")
    weakest = ", ".join(f"{c} {100 * v:.0f} %" for v, c in result["words"]["weakest other classes"])
    lines.append(f"  weakest other classes: {weakest}")
    lines.append(f"\nheads by the factor that explains most of their contribution (η², n = {result['roles']['n']})")
    lines += [f"  {head}: {factor} {100 * share:.0f} %" for head, factor, share in result["roles"]["leading"][:14]]
    lines.append("\nmean ablation, layer by layer (%)")
    for name, curve in result["curves"].items():
        for what in ("attention", "mlps"):
            lines.append(f"  {name:14} {what:9} " + " ".join(f"{100 * v:5.1f}" for v in curve[what]))
    base, oracle = located["base"], located["oracle"]
    lines.append(
        f"\nlocate, then zero-ablate: n = {PER_CLASS} a class, {len(located['draws'])} draws (average / worst)"
    )
    lines.append(f"  nothing off        {100 * base['average']:.1f} / {100 * base['worst']:.1f}")
    lines += [
        f"  {100 * row['average']:.1f} / {100 * row['worst']:.1f}  random of that size"
        f" {100 * row['random average']:.1f} / {100 * row['random worst']:.1f}  {row['score'] or '–'}"
        f" {row['heads'] or 'no head'}"
        for row in located["draws"]
    ]
    lines.append(
        f"  worst group better in {located['improved']}, by {100 * located['gain']:+.1f} ±"
        f" {100 * located['gain sd']:.1f} points (sd over draws); random sets {100 * located['random gain']:+.1f}"
    )
    lines.append(
        f"  oracle, chosen on these test images (an upper reference): {100 * oracle['average']:.1f} /"
        f" {100 * oracle['worst']:.1f} with {oracle['heads']}"
    )
    lines.append("\npromises")
    lines += [f"  {'met   ' if p['met'] else 'MISSED'} {p['promise']}: {p['value']}" for p in result["promises"]]
    return "\n".join(lines)


def _percent(value: float, low: float, high: float) -> str:
    return f"{100 * value:5.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def _of(folder: Path) -> Any:
    """A model trained by `python -m toolkit.organism.train --out FOLDER`."""
    clip, tokenizer, record = load_clip(made=folder)
    clip.visual.preprocess_cfg = {"mean": MEAN, "std": STD}
    return tk.wrap(clip, tokenizer=tokenizer, name=f"built-in world model, seed {record['seed']}")
