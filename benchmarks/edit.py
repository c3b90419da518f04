"""What an edit costs: 100 steps as a slider asks for them, and the frontier as a grid; against autograd, in one run.

`toolkit bench edit [--json]`. 40 images × 20 classes × d = 768 (R25's setting on an L/14), random numbers, by strategy;
then 1,000 classes, and the built-in model's own size. Ratios are to torch's autograd and Adam, which end at the same θ.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from toolkit.core.class_vectors import ClassVectors
from toolkit.core.head_parts import HeadParts, PartProducts
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.objective import Objective
from toolkit.core.seen import Seen
from toolkit.core.solvers import adam, converge
from toolkit.core.state import State
from toolkit.core.strategies import Diagonal, FullMatrix, LowRank, Strategy
from toolkit.core.threads import one_blas_thread

BUDGET = {"solve_ms": 40.0, "frontier_seconds": 10.0}
STEPS, HEADS, WIDTH = 100, 15, 64
JUDGED = 300
"""Images that the edits of a frontier are judged on here."""


def problem(images: int, classes: int, d: int) -> Objective:
    """Random embeddings near class vectors, a third of them wrong."""
    random = torch.Generator().manual_seed(0)

    def unit(*shape: int) -> Tensor:
        made = torch.randn(*shape, generator=random, dtype=torch.float64)
        return torch.nn.functional.normalize(made, dim=-1)

    texts, truth = unit(classes, d), torch.arange(images) % classes
    e = torch.nn.functional.normalize(unit(images, d) + 0.3 * texts[truth], dim=-1)
    third = images // 3
    return Objective(
        e, e + 0.3 * unit(images, d), texts, truth, torch.arange(third), torch.arange(third, images), 100.0
    )


def with_parts(o: Objective, parts: int) -> tuple[Objective, Tensor, Tensor]:
    """The same with the products of random parts of heads; their q [n, parts, k] and A [parts, k, d]."""
    random = torch.Generator().manual_seed(1)
    n, d = o.embedding.shape
    q = torch.randn(n, parts, WIDTH, generator=random, dtype=torch.float64) / WIDTH**0.5
    maps = torch.randn(parts, WIDTH, d, generator=random, dtype=torch.float64) / (d * parts) ** 0.5
    c = torch.einsum("npk,pkd->npd", q, maps)
    products = PartProducts(c @ o.texts.T, torch.einsum("npd,nd->np", c, o.embedding), c @ c.mT)
    return replace(o, parts=products), q, maps


def strategies_of(o: Objective, heads: int) -> dict[str, tuple[Strategy, Objective, Seen]]:
    """Every strategy, the objective as it needs it, and images to judge its edits on."""
    d = o.embedding.shape[1]
    random = torch.Generator().manual_seed(2)
    made: dict[str, tuple[Strategy, int]] = {
        "diagonal": (Diagonal(d), 0), "rank 4": (LowRank(d, min(4, d)), 0), "full": (FullMatrix(d), 0),
        "strengths": (HeadStrengths("strengths", HeadParts(tuple((0, i) for i in range(heads))), d), 1),
        "strengths all": (HeadStrengths("strengths all", HeadParts(tuple((0, i) for i in range(4 * heads))), d), 4),
        "class vectors": (ClassVectors(("a", "b"), o.texts[:2], (0, 1)), 0),
    }  # fmt: skip
    for r in (1, 2, 4):
        unit = torch.nn.functional.normalize(torch.randn(heads * r, WIDTH + 3, generator=random).double(), dim=-1)
        parts = HeadParts(tuple((0, i // r) for i in range(heads * r)), unit)
        made[f"directions {r}"] = HeadStrengths(f"directions {r}", parts, d), r
    e = torch.nn.functional.normalize(torch.randn(JUDGED, d, generator=random), dim=-1)
    state = State.of_heads(torch.randn(JUDGED, 1, 4 * heads, WIDTH, generator=random), *_norms(JUDGED), e)
    maps = torch.randn(1, 4 * heads, WIDTH + 3, d, generator=random).double() / d
    names = tuple("abcdefghijklmnopqrstuvwxyz")[: len(o.texts)]
    seen = Seen(e, o.texts, names, lambda layers: [state], lambda: maps)
    return {
        name: (way, with_parts(o, way.size)[0] if parts else o, seen) for name, (way, parts) in made.items()
    }  # fmt: skip


def _norms(n: int) -> tuple[Tensor, Tensor]:
    return torch.ones(n), torch.zeros(n)


def seconds(run: Any, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def solved(objective: Objective, way: Strategy, alpha: Tensor, beta: Tensor, steps: int = STEPS) -> Tensor:
    return next(islice(adam(objective, way, alpha, beta), steps, None))


def literal(objective: Objective, alpha: float, beta: float, steps: int = STEPS) -> Tensor:
    """The formulas as they stand, by autograd and torch.optim.Adam."""
    o = objective
    theta = torch.ones(o.embedding.shape[1], dtype=o.embedding.dtype, requires_grad=True)
    optimiser = torch.optim.Adam([theta], lr=1e-2)

    def log_g(x: Tensor) -> Tensor:
        return torch.log_softmax(o.scale * torch.nn.functional.normalize(x, dim=-1) @ o.texts.T, -1)

    teachers = log_g(o.ablated).detach(), log_g(o.embedding).detach()
    for _ in range(steps):
        optimiser.zero_grad()
        student = log_g(theta * o.embedding)
        loss = torch.nn.functional.nll_loss(student, o.truth)
        for weight, teacher, rows in zip((alpha, beta), teachers, (o.wrong, o.kept), strict=True):
            divergence = torch.nn.functional.kl_div(
                student[rows], teacher[rows], log_target=True, reduction="batchmean"
            )
            loss = loss + weight * divergence
        loss.backward()
        optimiser.step()
    return theta.detach()


def solve_ms(name: str, way: Strategy, o: Objective, rounds: int) -> float:
    """Of 100 steps; of a full matrix ten times ten."""
    steps, ten = STEPS // 10 if name == "full" else STEPS, pair(10)
    return 1000 * seconds(lambda: solved(o, way, ten, ten, steps), max(1, rounds // 3)) * STEPS / steps


def grid_seconds(way: Strategy, o: Objective, seen: Seen, alpha: Tensor, beta: Tensor) -> float:
    """Of a frontier, solved and judged."""

    def grid() -> None:
        for a, b in zip(alpha.split(32), beta.split(32), strict=True):
            way.guess(solved(o, way, a, b), seen)

    return seconds(grid, 1)


def pair(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def run(quick: bool = False) -> dict[str, Any]:
    """The whole benchmark; `quick` takes small problems, for the tests."""
    shape, side, many, rounds = ((8, 4, 16), 3, 12, 1) if quick else ((40, 20, 768), 25, 1000, 9)
    o = problem(*shape)
    way = Diagonal(shape[2])
    ten = pair(10)
    solve = seconds(lambda: solved(o, way, ten, ten), rounds)
    plain = seconds(lambda: literal(o, 10, 10), max(1, rounds // 3))
    differ = float((solved(o, way, ten, ten)[0] - literal(o, 10, 10)).abs().max())
    weights = torch.cat([torch.zeros(1), torch.logspace(0, 8, side - 1)]).double()
    alpha, beta = weights.repeat_interleave(side), weights.repeat(side)

    ways = strategies_of(o, HEADS if not quick else 2)
    solves = {name: round(solve_ms(name, *way[:2], rounds), 1) for name, way in ways.items()}
    # of a full matrix a cell is 590,000 numbers: minutes
    frontiers = {name: round(grid_seconds(*way, alpha, beta), 2) for name, way in ways.items() if name != "full"}
    frontier = frontiers["diagonal"]
    with one_blas_thread():
        ended = converge(o, way, 10, 10, tolerance=1e-5)
        ends = seconds(lambda: converge(o, way, 10, 10, tolerance=1e-5), max(1, rounds // 3))
    world, large = problem(20, 20, 96), problem(shape[0], many, shape[2])
    return {
        "device": f"cpu, {torch.get_num_threads()} threads", "budget": BUDGET, "shape": shape, "steps": STEPS,
        "solve_ms": round(1000 * solve, 1), "autograd_ms": round(1000 * plain, 1),
        "ratio": float(f"{plain / solve:.3g}"),
        "theta_differs": differ, "frontier_cells": side * side, "frontier_seconds": frontier,
        "frontier_ratio": float(f"{solve * side * side / frontier:.3g}"),
        "converged_ms": round(1000 * ends, 1), "evaluations": ended.evaluations,
        "strategies_ms": solves, "frontiers_seconds": frontiers,
        "heads": HEADS, "judged": JUDGED,
        "built_in_ms": round(1000 * seconds(lambda: solved(world, Diagonal(96), ten, ten), rounds), 1),
        "classes_1000_ms": round(1000 * seconds(lambda: solved(large, way, ten, ten), 1), 1),
    }  # fmt: skip


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    r, budget = result, result["budget"]
    solves = ", ".join(f"{name} {ms:g}" for name, ms in r["strategies_ms"].items())
    grids = ", ".join(f"{name} {taken:g}" for name, taken in r["frontiers_seconds"].items())
    return "\n".join([
        f"Edit on {r['device']}: {r['shape'][0]} images × {r['shape'][1]} classes × d = {r['shape'][2]}, float64",
        f"  {r['steps']} steps: {r['solve_ms']} ms (budget {budget['solve_ms']:g}); autograd and torch's Adam"
        f" {r['autograd_ms']} ms, ratio {r['ratio']}; the two θ differ by {r['theta_differs']:.0e}",
        f"  frontier of {r['frontier_cells']} cells: {r['frontier_seconds']} s (budget {budget['frontier_seconds']:g}),"
        f" {r['frontier_ratio']} times as fast as cell by cell",
        f"  to convergence (L-BFGS): {r['converged_ms']} ms, {r['evaluations']} evaluations",
        f"  by strategy, {r['heads']} heads, ms: {solves}",
        f"  frontier of {r['frontier_cells']} cells by strategy, each judged on {r['judged']} images, s: {grids}",
        f"  built-in model's size: {r['built_in_ms']} ms; 1,000 classes: {r['classes_1000_ms']} ms",
    ])  # fmt: skip
