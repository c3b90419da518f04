"""Located heads among all classes of the built-in world: what they do for the birds, and what the other classes pay.

Part of `toolkit bench located`. Heads are found on n birds a class, with all twenty classes to be taken for; sets are
judged on test scenes of every class, on which nothing is chosen but the oracle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import toolkit as tk
from toolkit.core.sums import class_sums
from toolkit.organism.factors import CLASSES

SIZES, VALIDATION, WITHIN, RANDOM = (5, 10, 20, 30), 1600, 2, 20
WAYS = {
    "utility": "utility U (R25)", "guarded": "guarded U", "stable": "stable (C)", "cross": "cross-validated U",
    "validated": "worst group of the validation birds", "within": f"the same, others losing at most {WITHIN} points",
    "ltc": "LTC's spurious heads", "random": "random sets of guarded U's size",
}  # fmt: skip


class World:
    """Scenes of all classes: accuracy of the worst group of birds and of all other classes, of any head set."""

    def __init__(self, model: Any, split: str, n: int, seed: int, birds: tuple[str, ...]) -> None:
        self.acts = tk.extract(model, tk.scenes(split, n, seed), progress=False)
        self.classes = tk.classes(list(CLASSES))
        self.truth = torch.from_numpy(self.classes.encode(self.acts.labels))
        self.sums = class_sums(self.acts.states(), self.acts.head_maps, self.classes.vectors(model))
        self.bird = torch.from_numpy(np.isin(self.acts.labels.astype(str), birds))
        groups = self.acts.groups.astype(str)
        self.rows = [torch.from_numpy(groups == name) & self.bird for name in np.unique(groups[self.bird.numpy()])]

    def without(self, heads: Any) -> tuple[float, float]:
        logits = self.sums.without(1 - tk.HeadSet.of(heads).scale(*self.sums.shape, 0.0))
        right = (logits.argmax(1) == self.truth).double()
        return min(float(right[rows].mean()) for rows in self.rows), float(right[~self.bird].mean())


def chosen(scores: Any, validation: Any) -> dict[str, Callable[[], Any]]:
    """By name, what chooses a set."""
    return {
        "utility": lambda: scores.choose(guard=False),
        "guarded": scores.choose,
        "stable": lambda: scores.choose(by="stable"),
        "cross": lambda: scores.choose(by="cross_validation"),
        "validated": lambda: scores.choose(validation=validation, by="worst_group", within=100),
        "within": lambda: scores.choose(validation=validation, by="worst_group", within=WITHIN),
        "ltc": lambda: scores.ltc.spurious,
    }


def one(world: World, validation: Any, few: Any, true: list[str], minority: Any, rng: Any) -> dict[str, Any]:
    """One draw: every way's set and what it does; None for what was refused."""
    found: dict[str, Any] = {}
    try:
        scores = tk.locate(few, world.classes, minority=minority, resamples=1)
    except tk.InputError:  # no mistake among so few
        return dict.fromkeys(WAYS)
    for name, choose in chosen(scores, validation).items():
        try:
            found[name] = graded(world, choose(), true)
        except tk.InputError:
            found[name] = None
    layers, heads = world.sums.shape
    size = len(tk.HeadSet.of(found["guarded"]["heads"]))
    sets = [[divmod(i, heads) for i in rng.permutation(layers * heads)[:size].tolist()] for _ in range(RANDOM)]
    each = [graded(world, tk.HeadSet(tuple(some)), true) for some in sets]
    found["random"] = {key: float(np.mean([one[key] for one in each])) for key in ("worst", "others", "size")}
    found["random"] |= {"heads": "", "precision": None}
    return found


def graded(world: World, heads: Any, true: list[str]) -> dict[str, Any]:
    worst, others = world.without(heads)
    share = [f"L{layer}.H{head}" in true for layer, head in heads]
    return {
        "heads": str(heads), "size": len(heads), "worst": worst, "others": others,
        "precision": float(np.mean(share)) if share else None,
    }  # fmt: skip


def oracle(world: World) -> dict[str, Any]:
    """Greedy on the test scenes themselves, the others losing at most WITHIN points: an upper reference, no method."""
    layers, heads = world.sums.shape
    every = [(layer, head) for layer in range(layers) for head in range(heads)]
    taken: list[Any] = []
    base = best = world.without([])
    while len(taken) < 8:
        results = [(world.without([*taken, head]), head) for head in every if head not in taken]
        allowed = [(result, head) for result, head in results if 100 * (base[1] - result[1]) <= WITHIN]
        result, head = max(allowed, default=(best, None))
        if result[0] <= best[0]:
            break
        best, taken = result, [*taken, head]
    return {"heads": str(tk.HeadSet(tuple(taken))), "worst": best[0], "others": best[1]}


def run(
    model: Any, seed: int, draws: int, draw: Callable[..., Any], true: list[str], birds: tuple[str, ...],
    minority: Any, quick: bool,
) -> dict[str, Any]:  # fmt: skip
    """All draws. draw: (model, n, number, seed) → parts of n birds a class. true: the planted background heads."""
    world = World(model, "test", 400 if quick else 3000, seed, birds)
    validation = tk.extract(model, tk.scenes("val", 300 if quick else VALIDATION, seed), progress=False)
    rng = np.random.default_rng(seed)
    base = world.without([])
    return {
        "n": len(world.truth), "validation": len(validation), "draws": draws,
        "base": {"worst": base[0], "others": base[1]}, "oracle": oracle(world),
        "per_class": {
            str(n): [one(world, validation, draw(model, n, i, seed), true, minority, rng) for i in range(draws)]
            for n in (SIZES[1:2] if quick else SIZES)
        },
    }  # fmt: skip


def table(result: dict[str, Any], spread: Callable[[list[float | None]], str]) -> str:
    """As a Markdown table; percent, mean ± standard deviation over draws. spread: writes these two."""
    base, best = result["base"], result["oracle"]
    head = ("n a class", "heads off", "worst group", "other classes", "heads", "of them background heads", "refused")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for words, row in (("none", base), (f"oracle, chosen on these scenes: {best['heads']}", best)):
        lines.append(f"| – | {words} | {100 * row['worst']:.1f} | {100 * row['others']:.1f} | | | |")
    for n, rows in result["per_class"].items():
        for name, words in WAYS.items():
            sets = [row[name] for row in rows if row[name] is not None]
            cells = [spread([s[key] for s in sets]) for key in ("worst", "others")]
            size = f"{np.mean([s['size'] for s in sets]):.1f}" if sets else "–"
            share = spread([s["precision"] for s in sets])
            refused = f"{len(rows) - len(sets)} of {len(rows)}"
            lines.append(f"| {n} | {words} | {' | '.join(cells)} | {size} | {share} | {refused} |")
    return "\n".join(lines)
