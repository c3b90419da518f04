"""What an edit costs: 100 steps as a slider asks for them, and the frontier as a grid; against autograd, in one run.

`toolkit bench edit [--json]`. 40 images × 20 classes × d = 768 (R25's setting on an L/14), random numbers; then 1,000
classes, and the built-in model's own size. Ratios are to torch's autograd and Adam, which end at the same θ.
"""

from __future__ import annotations

import statistics
import time
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from toolkit.core.objective import Objective
from toolkit.core.solvers import adam, converge
from toolkit.core.strategies import Diagonal, FullMatrix, LowRank, Strategy
from toolkit.core.threads import one_blas_thread

BUDGET = {"solve_ms": 40.0, "frontier_seconds": 10.0}
STEPS = 100


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

    def grid() -> None:
        for a, b in zip(alpha.split(32), beta.split(32), strict=True):
            solved(o, way, a, b)

    frontier = seconds(grid, 1)
    with one_blas_thread():
        ended = converge(o, way, 10, 10, tolerance=1e-5)
        ends = seconds(lambda: converge(o, way, 10, 10, tolerance=1e-5), max(1, rounds // 3))
    others = {"rank 4": LowRank(shape[2], min(4, shape[2])), "full": FullMatrix(shape[2])}
    strategies = {
        name: round(1000 * seconds(lambda one=one: solved(o, one, ten, ten, STEPS // 10), 1) * 10, 1)  # type: ignore[misc]
        for name, one in others.items()
    }
    world, large = problem(20, 20, 96), problem(shape[0], many, shape[2])
    return {
        "device": f"cpu, {torch.get_num_threads()} threads", "budget": BUDGET, "shape": shape, "steps": STEPS,
        "solve_ms": round(1000 * solve, 1), "autograd_ms": round(1000 * plain, 1), "ratio": round(plain / solve, 1),
        "theta_differs": differ, "frontier_cells": side * side, "frontier_seconds": round(frontier, 2),
        "frontier_ratio": round(solve * side * side / frontier, 1),
        "converged_ms": round(1000 * ends, 1), "evaluations": ended.evaluations, "strategies_ms": strategies,
        "built_in_ms": round(1000 * seconds(lambda: solved(world, Diagonal(96), ten, ten), rounds), 1),
        "classes_1000_ms": round(1000 * seconds(lambda: solved(large, way, ten, ten), 1), 1),
    }  # fmt: skip


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    r, budget = result, result["budget"]
    others = ", ".join(f"{name} {ms:g} ms" for name, ms in r["strategies_ms"].items())
    return "\n".join([
        f"Edit on {r['device']}: {r['shape'][0]} images × {r['shape'][1]} classes × d = {r['shape'][2]}, float64",
        f"  {r['steps']} steps: {r['solve_ms']} ms (budget {budget['solve_ms']:g}); autograd and torch's Adam"
        f" {r['autograd_ms']} ms, ratio {r['ratio']}; the two θ differ by {r['theta_differs']:.0e}",
        f"  frontier of {r['frontier_cells']} cells: {r['frontier_seconds']} s (budget {budget['frontier_seconds']:g}),"
        f" {r['frontier_ratio']} times as fast as cell by cell",
        f"  to convergence (L-BFGS): {r['converged_ms']} ms, {r['evaluations']} evaluations",
        f"  other strategies, the same steps: {others}",
        f"  built-in model's size: {r['built_in_ms']} ms; 1,000 classes: {r['classes_1000_ms']} ms",
    ])  # fmt: skip
