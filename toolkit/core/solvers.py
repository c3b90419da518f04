"""Fitting an edit: step by step by Adam (our reading: R25 names no optimiser), or L-BFGS to convergence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from toolkit.core.objective import Objective, Terms
from toolkit.core.precision import exact, full_precision
from toolkit.core.small_solver import DECAY, NOTHING, SMALL, small_edit, small_steps
from toolkit.core.strategies import Bounds, Strategy

RATE = 1e-2
AHEAD, SIZE = 5, 2_000_000
"""Steps of Adam that are made in one go, as switching autograd and autocast off costs a third of a small step; of
problems above SIZE products one by one, so that they can be ended and watched."""
EVALUATIONS = 2000
"""Of the objective, after which L-BFGS gives up."""


class Pull(NamedTuple):
    """½ ridge ‖θ − θ₀‖² beside the losses: what draws parameters back to the identity θ₀ [k]."""

    ridge: float
    start: Tensor

    def of(self, theta: Tensor) -> Tensor:
        """Its value [p] at parameters [p, k]."""
        return 0.5 * self.ridge * (theta - self.start.to(theta)).square().sum(-1)


@full_precision
def loss(objective: Objective, strategy: Strategy, theta: Tensor) -> Terms:
    """The three losses of parameters [p, k]."""
    products, squares, _ = strategy.forward(theta, objective)
    return objective.terms(products, squares)


@full_precision
def gradient(
    objective: Objective, strategy: Strategy, theta: Tensor, alpha: Tensor, beta: Tensor, pull: Pull | None = None
) -> Tensor:
    """[p, k]: analytic gradient of L_CE + α L_success + β L_locality and the pull. alpha, beta [p]."""
    with torch.no_grad():
        return _slope(objective, strategy, theta, image_weights(objective, alpha, beta), pull)


def image_weights(objective: Objective, alpha: Tensor, beta: Tensor) -> Tensor:
    """[..., n, 1]: how much every image counts through its teacher. alpha, beta [...]: one of each per edit."""
    return (alpha[..., None] * objective.shares[0] + beta[..., None] * objective.shares[1])[..., None]


def _slope(
    objective: Objective, strategy: Strategy, theta: Tensor, weights: Tensor, pull: Pull | None = None
) -> Tensor:
    products, squares, back = strategy.forward(theta, objective)
    slope = back(objective.slopes(products, squares, weights))
    return slope if pull is None else slope.add_(theta - pull.start, alpha=pull.ridge)


def pull_of(strategy: Strategy, ridge: float, seed: int, like: Tensor) -> Pull | None:
    """The pull of a ridge; None where it is 0."""
    return Pull(ridge, strategy.start(1, seed, like)[0]) if ridge else None


def adam(
    objective: Objective,
    strategy: Strategy,
    alpha: Tensor,
    beta: Tensor,
    *,
    rate: float = RATE,
    bounds: Bounds | None = None,
    ridge: float = 0.0,
    seed: int = 0,
    hold: Mapping[int, float] = NOTHING,
) -> Iterator[Tensor]:
    """θ [p, k] after 0, 1, 2, … steps, without end: Adam on the full batch, every edit on its own, from the identity.

    alpha, beta [p]. bounds: parameters are cut off there after every step. ridge: weight of ½ ‖θ − θ₀‖², θ₀ the
    identity. seed: of a strategy with a random start. hold: parameters by place that stay at a value. What comes next
    depends on nothing else, so a longer trajectory begins with every shorter one.
    """
    weights = image_weights(objective, alpha, beta)
    theta = _held(strategy.start(len(alpha), seed, objective.embedding), hold)
    yield theta
    large = len(alpha) * objective.embedding.shape[0] * objective.texts.numel() > SIZE
    ahead = 1 if large else AHEAD
    alone = len(theta) == 1 and theta.dtype == torch.float64 and theta.device.type == "cpu"
    one = small_edit(objective, strategy) if alone else None
    if one is None:
        pull = pull_of(strategy, ridge, seed, objective.embedding)
        path = _steps(objective, strategy, theta, weights, rate, bounds, pull, ahead, hold)
    else:
        path = small_steps(objective, one, theta, weights, rate, bounds, ridge, ahead, hold)
    while True:
        yield from next(path)


def _held(theta: Tensor, hold: Mapping[int, float]) -> Tensor:
    """Parameters [p, k] with those that stay at a value there, in place."""
    for place, value in hold.items():
        theta[:, place] = value
    return theta


def _steps(
    objective: Objective, strategy: Strategy, theta: Tensor, weights: Tensor, rate: float, bounds: Bounds | None,
    pull: Pull | None, ahead: int, hold: Mapping[int, float] = NOTHING,
) -> Iterator[list[Tensor]]:  # fmt: skip
    """`ahead` steps at a time."""
    mean, square = torch.zeros_like(theta), torch.zeros_like(theta)
    one, two = DECAY
    for done in count(1, ahead):
        found = []
        with torch.no_grad(), exact():
            for step in range(done, done + ahead):
                slope = _slope(objective, strategy, theta, weights, pull)
                mean.mul_(one).add_(slope, alpha=1 - one)
                square.mul_(two).addcmul_(slope, slope, value=1 - two)
                size = square.sqrt().mul_((1 - two**step) ** -0.5).add_(SMALL)
                theta = theta.addcdiv(mean, size, value=-rate / (1 - one**step))
                if bounds is not None:
                    theta = theta.clamp_(*bounds)
                found.append(_held(theta, hold))
        yield found


@dataclass(frozen=True, eq=False)
class Converged:
    """theta [k]: where L-BFGS ended. totals: the total after every iteration, the start first. done: whether it ended
    by itself. evaluations: of the objective.
    """

    theta: Tensor
    totals: tuple[float, ...]
    done: bool
    evaluations: int


def converge(
    objective: Objective,
    strategy: Strategy,
    alpha: float,
    beta: float,
    *,
    bounds: Bounds | None = None,
    ridge: float = 0.0,
    seed: int = 0,
    hold: Mapping[int, float] = NOTHING,
    tolerance: float = 1e-6,
    evaluations: int = EVALUATIONS,
    check: Callable[[float], None] | None = None,
) -> Converged:
    """Minimise the total by L-BFGS from the identity, until an iteration gains less than `tolerance` of what was
    gained.

    check: called after every iteration with the total; may raise to end it.
    """
    from scipy.optimize import minimize

    start = _held(strategy.start(1, seed, objective.embedding), hold)
    free = (None, None) if bounds is None else bounds
    limits = [(hold[i], hold[i]) if i in hold else free for i in range(strategy.size)]
    a, b = (start.new_tensor([x]) for x in (alpha, beta))
    weights = image_weights(objective, a, b)
    unit = 1 + alpha + beta  # of the same size whatever the weights, so that a tolerance means the same
    pull = pull_of(strategy, ridge, seed, objective.embedding)

    @full_precision
    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        theta = torch.from_numpy(x.copy()).to(start)[None]
        products, squares, back = strategy.forward(theta, objective)
        total = objective.terms(products, squares).total(a, b)
        slope = back(objective.slopes(products, squares, weights))[0]
        if pull is not None:
            total = total + pull.of(theta)
            slope = slope + pull.ridge * (theta[0] - pull.start)
        return float(total) / unit, slope.double().cpu().numpy() / unit

    totals = [value(start[0].double().cpu().numpy())[0] * unit]

    def each(intermediate_result: object) -> None:
        totals.append(float(intermediate_result.fun) * unit)  # type: ignore[attr-defined]
        if check is not None:
            check(totals[-1])
        if len(totals) > 3 and totals[-3] - totals[-1] <= tolerance * (totals[0] - totals[-1]):
            raise StopIteration

    found = minimize(
        value, start[0].double().cpu().numpy(), jac=True, method="L-BFGS-B", callback=each,
        bounds=limits,
        options={"maxfun": evaluations, "maxiter": evaluations, "maxcor": 20, "ftol": 0, "gtol": 0},
    )  # fmt: skip
    ended = bool(found.nfev < evaluations)
    return Converged(torch.from_numpy(found.x).to(start), tuple(totals), ended, int(found.nfev))
