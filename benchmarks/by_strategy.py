"""Edits by strategy, graded in the built-in world: strengths of heads beside the diagonal, the heads off, class
vectors.

Part of `toolkit bench edited`. Every draw takes n birds a class from a seed of the edit split of its own. Heads are
chosen on 1,600 validation scenes, or on the few images alone; everything is judged on test scenes of every class, on
which nothing is chosen. The built-in world demonstrates the toolkit; it is no evidence for a method.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student

import toolkit as tk
from toolkit.organism.factors import CLASSES

BIRDS = ("waterbird", "landbird")
DRAWS, TEST, VALIDATION, WITHIN = 8, 3000, 1600, 2
STRATEGIES = (
    "diagonal", "rank 4", "strengths", "strengths all", "directions 1", "directions 2", "directions 4", "class vectors"
)  # fmt: skip
FEW_STRATEGIES = ("diagonal", "strengths", "class vectors")
WEIGHTS = (0, 1, 3, 10, 30, 100)
VARIANTS = {
    "home": "the variant whose heads decide other classes too", "mlps": "the variant whose MLPs carry half of the cue",
}  # fmt: skip
"""Of the built-in model, in words."""
SWAPPED = 2
"""Labels a class of ten that are swapped, where some are wrong."""


class Did(NamedTuple):
    """What something does on test scenes: worst group of the birds, accuracy of the other classes."""

    worst: float
    others: float


class World(NamedTuple):
    """A model with the scenes heads are chosen on and those everything is judged on."""

    model: Any
    every: Any
    validation: Any
    test: Any


def world(model: Any, seed: int, test: int, validation: int, home: float | None = None) -> World:
    """Scenes of all classes. home: share of the other classes on a background of their own; default as they are."""
    chosen = tk.extract(model, tk.scenes("val", validation, seed + 1, home=home), progress=False)
    judged = tk.extract(model, tk.scenes("test", test, seed, home=home), progress=False)
    return World(model, tk.classes(list(CLASSES)), chosen, judged)


def draw(model: Any, n: int, number: int, seed: int, swapped: int = 0) -> Any:
    """n birds a class on balanced backgrounds; swapped: how many labels of each class are those of the other."""
    pool = tk.scenes("edit", max(60, 8 * n), 1000 * seed + number, kind="birds")
    rows = sorted(i for name in BIRDS for i in np.flatnonzero(pool.labels == name)[:n].tolist())
    few = pool.take(rows)
    true = few.labels.copy()
    for name, other in (BIRDS, BIRDS[::-1]):
        few.labels[np.flatnonzero(true == name)[:swapped]] = other
    return tk.extract(model, few, progress=False)


def outcome(found: Any) -> Did:
    return Did(found.success.worst.value, found.locality.value)


def off(world: World, heads: Any) -> Did:
    """The heads switched off, no edit."""
    birds = np.isin(world.test.labels.astype(str), BIRDS)
    left = tk.ablate(world.test, world.every, heads).embedding if len(heads) else world.test.embedding
    right = world.every.predict(left, world.model).numpy() == world.every.encode(world.test.labels)
    groups = world.test.groups.astype(str)
    worst = min(float(right[groups == name].mean()) for name in np.unique(groups[birds]))
    return Did(worst, float(right[~birds].mean()))


def heads_of(world: World, few: Any) -> dict[str, Callable[[], Any]]:
    """By name, what chooses heads of a draw."""
    scores = tk.locate(few, world.every, resamples=1)
    return {
        "validated": lambda: scores.choose(validation=world.validation, by="worst_group", within=WITHIN),
        "by U": scores.choose,
        "stable": lambda: scores.choose(by="stable"),
    }


def dialled(world: World, few: Any, heads: Any, strategy: str) -> Did:
    """α and β chosen on the validation scenes: the best worst group with others losing at most 2 points."""
    plane = tk.frontier(few, world.every, heads, WEIGHTS, WEIGHTS, held_out=world.validation, strategy=strategy)
    before = next(point for point in plane.points if point.name == "as it is").locality
    allowed = np.where(plane.locality[0] >= before - WITHIN / 100, plane.worst[0], -1.0)
    i, j = np.unravel_index(int(allowed.argmax()), allowed.shape)
    return outcome(plane.edit(plane.alphas[i], plane.betas[j]).on(world.test))


def edits(world: World, few: Any, heads: Any, strategies: tuple[str, ...], folded: bool) -> Iterator[tuple[str, Did]]:
    """Every edit at its defaults, and what the folded model does."""
    for strategy in strategies:
        made = tk.edit(few, world.every, heads, strategy=strategy, held_out=world.test)
        yield strategy, outcome(made.on())
        if strategy == "class vectors":
            alone = made.again(alpha=0)
            yield "class vectors, α = 0", outcome(alone.on())
        elif folded and strategy not in ("diagonal", "rank 4"):
            yield f"{strategy}, folded", outcome(made.folded_outcome(world.model))
            if strategy == "strengths":
                matched = made.matched(world.model)
                yield "strengths, matched and folded", outcome(matched.folded_outcome(world.model))


def one(
    world: World, few: Any, ways: tuple[str, ...], strategies: tuple[str, ...], folded: bool, dials: bool
) -> dict[str, Any]:
    """One draw: by way of choosing heads, what everything does; None for heads that were refused, and where no image is
    wrong.
    """
    found: dict[str, Any] = {}
    if (world.every.predict(few.embedding, world.model).numpy() == world.every.encode(few.labels)).all():
        return dict.fromkeys(ways)
    choose = heads_of(world, few)
    for way in ways:
        try:
            heads = choose[way]()
        except tk.InputError:
            heads = tk.HeadSet(())
        if not len(heads):
            found[way] = None
            continue
        rows = {"heads off, no edit": off(world, heads)} | dict(edits(world, few, heads, strategies, folded))
        if dials:
            more = {
                f"{name}, α and β chosen on validation": dialled(world, few, heads, name) for name in FEW_STRATEGIES
            }
            rows |= more
        found[way] = {"heads": str(heads), "rows": rows}
    return found


def graded(world: World, n: int, draws: int, seed: int, swapped: int = 0, **how: Any) -> dict[str, Any]:
    """All draws of n images a class, with the model as it is."""
    found = []
    for number in range(draws):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one class set too few, heads by few images: told in the docs
            found.append(one(world, draw(world.model, n, number, seed, swapped), **how))
    return {"as it is": off(world, ""), "draws": found}


def run(quick: bool, seed: int) -> dict[str, Any]:
    """Everything; `quick` takes few of it, for the tests."""
    sizes = (240, 200, 2) if quick else (TEST, VALIDATION, DRAWS)
    base, count = world(tk.load(), seed, *sizes[:2]), sizes[2]
    small = {"strategies": FEW_STRATEGIES, "folded": False, "dials": False}
    scenes: dict[str, Any] = {
        "ten a class": graded(
            base, 10, count, seed, ways=("validated",), strategies=STRATEGIES, folded=True, dials=not quick
        )
    }
    if not quick:
        alone = ("by U", "stable")
        scenes["ten a class, no validation images"] = graded(base, 10, count, seed, ways=alone, **small)
        scenes["three a class"] = graded(base, 3, count, seed, ways=("validated", *alone), **small)
        # backgrounds that decide other classes too: what their heads cost
        home = world(base.model, seed, *sizes[:2], home=1.0)
        scenes["ten a class, others always at home"] = graded(home, 10, count, seed, ways=("validated",), **small)
        for variant, words in VARIANTS.items():
            made = world(tk.load(f"built-in:{variant}"), seed, *sizes[:2])
            scenes[f"ten a class, {words}"] = graded(made, 10, count, seed, ways=("validated", "by U"), **small)
    wrong = f"ten a class, {SWAPPED} labels of each swapped"
    scenes[wrong] = graded(base, 10, count, seed, SWAPPED, ways=("validated", "by U"), **small)
    return {"n": sizes[0], "validation": sizes[1], "draws": count, "seed": seed, "scenes": scenes}


def mean_interval(values: list[float]) -> str:
    """Mean over draws and its 95 % interval (Student's t); the mean alone of one draw."""
    mean, n = statistics.fmean(values), len(values)
    if n < 2:
        return f"{mean:+.1f}"
    half = float(student.ppf(0.975, n - 1)) * statistics.stdev(values) / n**0.5
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"


def spread(values: list[float]) -> str:
    """Mean ± standard deviation over draws."""
    return f"{statistics.fmean(values):.1f} ± {statistics.stdev(values) if len(values) > 1 else 0:.1f}"


def table(result: dict[str, Any]) -> str:
    """Markdown: percent and points."""
    head = ("images", "heads", "what", "worst group", "gain [95 % of the mean]", "other classes", "change", "draws")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for scene, found in result["scenes"].items():
        base = found["as it is"]
        lines.append(f"| {scene} | – | the model as it is | {100 * base[0]:.1f} | | {100 * base[1]:.1f} | | |")
        for way in found["draws"][0]:
            kept = [each[way]["rows"] for each in found["draws"] if each[way] is not None]
            for name in kept[0] if kept else ():
                worst, others = ([100 * rows[name][i] for rows in kept] for i in (0, 1))
                gain, change = ([x - 100 * base[i] for x in y] for i, y in enumerate((worst, others)))
                change_of = f"{statistics.fmean(change):+.1f}"
                cells = (scene, way, name, spread(worst), mean_interval(gain), spread(others), change_of)
                lines.append(f"| {' | '.join(cells)} | {len(kept)} of {len(found['draws'])} |")
    return "\n".join(lines)
