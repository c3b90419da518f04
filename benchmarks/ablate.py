"""What a click on a head costs: new group accuracies of a whole data set, and all heads × all groups at once.

`toolkit bench ablate [--json]`. The built-in model with 6,000 images, and an L/14's shape with random sums; ratios are
of one run, against taking the heads out of the embeddings one by one.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

import toolkit as tk
from toolkit.api.switch_off.flips import flips
from toolkit.core.sums import ClassSums, KeptNumbers, group_hits
from toolkit.labs.ablation import AblationSession

BUDGET = {"click_ms": 100.0}


def seconds(run: Any, rounds: int) -> list[float]:
    out = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        out.append(time.perf_counter() - start)
    return out


def built_in(n: int, rounds: int) -> dict[str, Any]:
    """The lab's own work for one click: predictions, groups with intervals, confusion, flips."""
    acts = tk.extract(tk.load(), tk.scenes("test", n, seed=9173, kind="birds"), progress=False)
    session = AblationSession(acts, tk.classes(["waterbird", "landbird"]))
    layers, heads = session.shape
    first = seconds(lambda: (session.sums, session.before), 1)[0]
    rng = torch.Generator().manual_seed(0)

    def click(how: Any = "zero") -> None:
        some = (torch.rand(layers, heads, generator=rng) < 0.2).nonzero().tolist()
        outcome = session.outcome([{"head": head, "strength": 0.0} for head in some], how, "direct")
        assert outcome.rows
        assert session.errors(outcome.before, outcome.after)
        assert flips(session.images, outcome.before, outcome.after, 12)

    times = seconds(click, rounds)
    mean = seconds(lambda: click("mean"), rounds)
    every = seconds(lambda: tk.head_effects(acts, session.images.classes), 3)
    parts, texts = acts.parts(), session.images.texts

    def plain() -> None:
        for layer in range(layers):
            for head in range(heads):
                left = parts.embedding - parts.layer(layer)[:, head]
                (left @ texts.T).argmax(1)

    literal = seconds(plain, 1)[0]
    return {
        "images": n, "heads": layers * heads, "first_ms": round(1000 * first, 1),
        "click_ms": round(1000 * statistics.median(times), 2), "click_p95_ms": round(1000 * sorted(times)[-2], 2),
        "mean_click_ms": round(1000 * statistics.median(mean), 2),
        "all_heads_ms": round(1000 * statistics.median(every), 1),
        "one_by_one_ms": round(1000 * literal, 1), "ratio": float(f"{literal / statistics.median(every):.3g}"),
    }  # fmt: skip


def large(images: int, layers: int, heads: int, classes: int, rounds: int) -> dict[str, Any]:
    """An L/14's shape: fifteen heads off, and every head alone, on random sums."""
    rng = torch.Generator().manual_seed(0)
    q, e = (torch.randn(*shape, generator=rng) for shape in ((images, layers, heads, 67), (images, 768)))
    maps, texts = (torch.randn(*shape, generator=rng) for shape in ((layers, heads, 67, 768), (classes, 768)))
    sums = ClassSums(e @ texts.T, texts, 0.01 * maps, KeptNumbers(q, e))
    truth, member = torch.arange(images) % classes, torch.arange(images) % 4
    some = torch.zeros(layers, heads)
    some.flatten()[:: max(1, layers * heads // 15)] = 1
    alone = torch.eye(layers * heads).view(-1, layers, heads)

    def click(instead: Any = "zero") -> None:
        group_hits(sums.without(some, instead), truth, member, 4)

    def every() -> None:
        for table in alone:
            group_hits(sums.without(table), truth, member, 4)

    return {
        "images": images, "heads": layers * heads, "classes": classes,
        "click_ms": round(1000 * statistics.median(seconds(click, rounds)), 1),
        "mean_click_ms": round(1000 * statistics.median(seconds(lambda: click("mean"), rounds)), 1),
        "all_heads_seconds": round(statistics.median(seconds(every, 1)), 2),
    }  # fmt: skip


def run(quick: bool = False) -> dict[str, Any]:
    """The whole benchmark; `quick` measures few images, for the tests."""
    small, shape = (200, 5) if quick else (6000, 40), (300, 3, 4, 2, 3) if quick else (5794, 24, 16, 20, 9)
    result = built_in(*small)
    return {"device": f"cpu, {torch.get_num_threads()} threads", "budget": BUDGET, **result, "large": large(*shape)}


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    big = result["large"]
    return "\n".join([
        f"Ablation on {result['device']}: {result['images']} images, {result['heads']} heads, built-in model",
        f"  a click (predictions, groups with paired intervals, confusion, flips): {result['click_ms']} ms median,"
        f" {result['click_p95_ms']} ms at 95 %, mean-ablation {result['mean_click_ms']} ms (budget"
        f" {result['budget']['click_ms']:g}, painted); once before:"
        f" {result['first_ms']} ms",
        f"  every head alone, all groups: {result['all_heads_ms']} ms; taken out one by one {result['one_by_one_ms']}"
        f" ms, ratio {result['ratio']}",
        f"  {big['images']} images, {big['heads']} heads, {big['classes']} classes (random): click"
        f" {big['click_ms']} ms, mean-ablation {big['mean_click_ms']} ms, every head alone"
        f" {big['all_heads_seconds']} s",
    ])  # fmt: skip
