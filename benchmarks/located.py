"""Phase 1 graded where the truth is known: located heads of the built-in world over draws of a few images.

`toolkit bench located [--seed N] [--json]`. Every draw has its own seed of the edit split (larger draws hold the
smaller ones); sets are judged on the test split, on which nothing is chosen (but the oracle, an upper reference). First
between the two birds alone, then among all classes, with what the others pay (`among`). The built-in world
demonstrates the toolkit; it is no evidence for a method.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

import toolkit as tk
from toolkit.core.sums import class_sums, group_hits

sys.path.insert(0, str(Path(__file__).resolve().parent))
import among

BIRDS = ("waterbird", "landbird")
MINORITY = ("waterbird on land", "landbird on water")
DRAWS, SIZES, RANDOM, ORACLE = 16, (10, 20, 30), 20, 8
BY = ("utility", "balanced", "accuracy", "worst_group", "group_mean")
TRUE = 0.6
"""η² of the background from which a head counts as a background head."""


class Judge:
    """Test images: worst group and plain average of any head set (direct zero-ablation), or of any embeddings."""

    def __init__(self, model: Any, seed: int, n: int) -> None:
        self.data = tk.scenes("test", n, seed, kind="birds")
        self.acts = tk.extract(model, self.data, progress=False)
        self.classes = tk.classes(list(BIRDS))
        self.truth = torch.from_numpy(self.classes.encode(self.acts.labels))
        self.names, member = np.unique(self.acts.groups.astype(str), return_inverse=True)
        self.member = torch.from_numpy(member)
        self.sums = class_sums(self.acts.states(), self.acts.head_maps, self.classes.vectors(model))
        self.sizes = torch.bincount(self.member).double()

    def score(self, logits: torch.Tensor) -> tuple[float, float]:
        hits = group_hits(logits, self.truth, self.member, len(self.names))
        return float((hits / self.sizes).min()), float(hits.sum() / self.sizes.sum())

    def without(self, heads: Any) -> tuple[float, float]:
        gone = 1 - tk.HeadSet.of(heads).scale(*self.sums.shape, 0.0)
        return self.score(self.sums.without(gone))


def truly(model: Any, seed: int, n: int) -> tuple[np.ndarray, list[str]]:
    """[l, h]: η² of the background on factorial test scenes; and the heads above TRUE."""
    data = tk.scenes("test", n, seed, kind="factorial")
    shares = tk.head_roles(tk.decompose(model, data), data.factors[["background"]]).of("background")
    return shares, [f"L{a}.H{b}" for a, b in np.argwhere(shares >= TRUE).tolist()]


def draw(model: Any, n: int, number: int, seed: int) -> Any:
    """n birds a class on balanced backgrounds, from a seed of the edit split of its own."""
    pool = tk.scenes("edit", 8 * n, 1000 * seed + number, kind="birds")
    rows = [i for name in BIRDS for i in np.flatnonzero(pool.labels == name)[:n].tolist()]
    return tk.extract(model, pool.take(sorted(rows)), progress=False)


def probe(few: Any, judge: Judge) -> tuple[float, float]:
    """A linear probe on the same images, groups weighted alike, its strength chosen by cross-validation among them."""
    x, y = few.embedding.numpy(), (few.labels == BIRDS[0]).astype(int)
    _, group, counts = np.unique(few.groups.astype(str), return_inverse=True, return_counts=True)
    weight = 1 / counts[group]

    def fitted(c: float, rows: Any) -> Any:
        return LogisticRegression(C=c, max_iter=5000).fit(x[rows], y[rows], sample_weight=weight[rows])

    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(x, y))
    strengths = np.logspace(-1, 5, 13)
    right = [sum((fitted(c, a).predict(x[b]) == y[b]) @ weight[b] for a, b in folds) for c in strengths]
    best = fitted(strengths[int(np.argmax(right))], np.arange(len(x)))
    z = torch.from_numpy(best.decision_function(judge.acts.embedding.numpy()))
    return judge.score(torch.stack([z, -z], 1))


def one(
    model: Any, judge: Judge, validation: Any, few: Any, shares: np.ndarray, rng: np.random.Generator, total: bool
) -> dict[str, Any]:
    """One draw: sets by every criterion, LTC's, random ones, a probe; and how well scores rank the background heads."""
    scores = tk.locate(few, judge.classes, minority=MINORITY, resamples=1)
    true = (shares >= TRUE).ravel()
    tables = {name: scores.badness(name) for name in scores.names} | {"ltc": scores.ltc.difference.numpy()}
    auc = {name: float(roc_auc_score(true, table.ravel())) for name, table in tables.items()}
    found: dict[str, Any] = {"wrong": scores.sizes["W"], "auc": auc, "sets": {}}
    chosen = {by: scores.choose(by=by) for by in BY} | {"ltc": scores.ltc.spurious}
    chosen["validation"] = scores.choose(validation=validation)
    for name, heads in chosen.items():
        worst, average = judge.without(heads)
        inside = [shares[head] >= TRUE for head in heads]
        found["sets"][name] = {
            "heads": str(heads), "size": len(heads), "worst": worst, "average": average,
            "precision": float(np.mean(inside)) if inside else None, "recall": float(sum(inside) / max(1, true.sum())),
        }  # fmt: skip
    size, per_layer = max(1, len(chosen["utility"])), shares.shape[1]
    picks = [rng.permutation(shares.size)[:size].tolist() for _ in range(RANDOM)]
    random = [judge.without([divmod(i, per_layer) for i in some]) for some in picks]
    found["random"] = dict(zip(("worst", "average"), np.mean(random, 0).tolist(), strict=True))
    found["probe"] = dict(zip(("worst", "average"), probe(few, judge), strict=True))
    if total:
        result = tk.ablate(judge.acts, judge.classes, chosen["utility"], effect="total")
        found["total"] = {"worst": result.worst.value, "average": result.average().value}
    return found


def oracle(judge: Judge) -> dict[str, Any]:
    """Greedy on the test images themselves: an upper reference, not a method."""
    layers, heads = judge.sums.shape
    every = [(layer, head) for layer in range(layers) for head in range(heads)]
    chosen: list[Any] = []
    best = judge.without([])
    for _ in range(ORACLE):
        result, head = max((judge.without([*chosen, head]), head) for head in every if head not in chosen)
        if result[0] <= best[0]:
            break
        best, chosen = result, [*chosen, head]
    return {"heads": str(tk.HeadSet(tuple(chosen))), "worst": best[0], "average": best[1]}


def run(quick: bool = False, seed: int = 9173) -> dict[str, Any]:
    """The whole benchmark; `quick` takes few images and draws, for the tests. seed: of the test scenes and draws."""
    model = tk.load()
    n, draws, sizes = (240, 2, (10,)) if quick else (3000, DRAWS, SIZES)
    judge = Judge(model, seed, n)
    shares, true = truly(model, seed, 240 if quick else 4000)
    base = judge.without("")
    rng = np.random.default_rng(seed)
    validation = tk.extract(model, tk.scenes("val", 240, seed, kind="birds"), progress=False)
    rows = {
        str(size): [
            one(model, judge, validation, draw(model, size, i, seed), shares, rng, size == sizes[0])
            for i in range(draws)
        ]
        for size in sizes
    }
    return {
        "seed": seed, "split": "test", "n": n, "draws": draws, "fingerprint": model.card.fingerprint,
        "base": {"worst": base[0], "average": base[1]}, "oracle": oracle(judge),
        "background_heads": true, "background_eta2": np.round(shares, 3).tolist(),
        "true_heads": dict(zip(("worst", "average"), judge.without(true), strict=True)), "per_class": rows,
        "among": among.run(model, seed, draws, draw, true, BIRDS, MINORITY, quick),
    }  # fmt: skip


def spread(values: list[float | None]) -> str:
    """Mean ± standard deviation over draws."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    return f"{100 * np.mean(known):.1f} ± {100 * np.std(known, ddof=min(1, len(known) - 1)):.1f}"


def table(result: dict[str, Any]) -> str:
    """The result as a Markdown table; percent, mean ± standard deviation over draws."""
    names = {
        "utility": "located, utility U (R25)", "balanced": "located, balanced U", "accuracy": "located, accuracy",
        "worst_group": "located, worst group", "group_mean": "located, mean of groups",
        "validation": "located, worst group of 240 validation birds", "ltc": "LTC's spurious heads",
    }  # fmt: skip
    base = result["base"]
    head = ("n a class", "heads off", "worst group", "average", "better in", "heads", "precision", "recall")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for n, rows in result["per_class"].items():
        for name, words in names.items():
            sets = [row["sets"][name] for row in rows]
            better = sum(s["worst"] > base["worst"] for s in sets)
            cells = [spread([s[key] for s in sets]) for key in ("worst", "average")]
            size = f"{np.mean([s['size'] for s in sets]):.1f}"
            graded = [spread([s[key] for s in sets]) for key in ("precision", "recall")]
            lines.append(
                f"| {n} | {words} | {' | '.join(cells)} | {better} of {len(sets)} | {size} | {' | '.join(graded)} |"
            )
        extra = [("random", "random sets of U's size"), ("probe", "no head; linear probe, groups weighted alike")]
        if "total" in rows[0]:
            extra.append(("total", "located, utility U; *total* effect"))
        for key, words in extra:
            better = sum(row[key]["worst"] > base["worst"] for row in rows)
            cells = [spread([row[key][name] for row in rows]) for name in ("worst", "average")]
            lines.append(f"| {n} | {words} | {' | '.join(cells)} | {better} of {len(rows)} | | | |")
    return "\n".join(lines)  # fmt: skip


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    base, best, true = result["base"], result["oracle"], result["true_heads"]
    lines = [
        f"built-in model {result['fingerprint'][:12]}, test seed {result['seed']}, n = {result['n']} birds,"
        f" {result['draws']} draws a size; worst group / plain average in %",
        f"  nothing off {100 * base['worst']:.1f} / {100 * base['average']:.1f}; the background heads (η² ≥ {TRUE:g}:"
        f" {' '.join(result['background_heads'])}) off {100 * true['worst']:.1f} / {100 * true['average']:.1f}",
        f"  oracle, chosen on these images: {100 * best['worst']:.1f} / {100 * best['average']:.1f}: {best['heads']}",
        "",
        table(result),
        "",
        "how well a score ranks the background heads (area under the ROC curve, chance 50)",
    ]
    for n, rows in result["per_class"].items():
        names = list(dict.fromkeys(name for row in rows for name in row["auc"]))
        shown = [f"{name} {spread([row['auc'].get(name) for row in rows])}" for name in names]
        lines.append(f"  n = {n}: " + "; ".join(shown))
    every = result["among"]
    lines += [
        "",
        f"among all classes: n = {every['n']} test scenes; validated on {every['validation']} validation scenes",
        "",
        among.table(every, spread),
        "",
    ]
    return "\n".join([*lines, "The built-in world demonstrates the toolkit; it is no evidence for a method."])
