"""Fitting an edit: the paper's trajectory by Adam, step by step, or L-BFGS to convergence (methods §4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from torch import Tensor

from toolkit.core.objective import LEAST, Objective, Terms
from toolkit.core.precision import exact, full_precision
from toolkit.core.strategies import Diagonal, Strategy
from toolkit.core.threads import one_blas_thread

RATE = 1e-2
DECAY = (0.9, 0.999)
SMALL = 1e-8
AHEAD, SIZE = 5, 2_000_000
"""Steps of Adam that are made in one go, as switching autograd and autocast off costs a third of a small step; of
problems above SIZE products one by one, so that they can be ended and watched."""
EVALUATIONS = 2000
"""Of the objective, after which L-BFGS gives up."""


@full_precision
def loss(objective: Objective, strategy: Strategy, theta: Tensor) -> Terms:
    """The three losses of parameters [p, k]."""
    products, squares, _ = strategy.forward(theta, objective)
    return objective.terms(products, squares)


@full_precision
def gradient(objective: Objective, strategy: Strategy, theta: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """[p, k]: analytic gradient of L_CE + α L_success + β L_locality. alpha, beta [p]."""
    with torch.no_grad():
        return _slope(objective, strategy, theta, image_weights(objective, alpha, beta))


def image_weights(objective: Objective, alpha: Tensor, beta: Tensor) -> Tensor:
    """[..., n, 1]: how much every image counts through its teacher. alpha, beta [...]: one of each per edit."""
    return (alpha[..., None] * objective.shares[0] + beta[..., None] * objective.shares[1])[..., None]


def _slope(objective: Objective, strategy: Strategy, theta: Tensor, weights: Tensor) -> Tensor:
    products, squares, back = strategy.forward(theta, objective)
    return back(objective.slopes(products, squares, weights))


def adam(
    objective: Objective,
    strategy: Strategy,
    alpha: Tensor,
    beta: Tensor,
    *,
    rate: float = RATE,
    nonnegative: bool = False,
    seed: int = 0,
) -> Iterator[Tensor]:
    """θ [p, k] after 0, 1, 2, … steps, without end: Adam on the full batch, every edit on its own, from the identity.

    alpha, beta [p]. nonnegative: parameters are cut off at zero after every step. seed: of a strategy with a random
    start. What comes next depends on nothing else, so a longer trajectory begins with every shorter one.
    """
    weights = image_weights(objective, alpha, beta)
    theta = strategy.start(len(alpha), seed, objective.embedding)
    yield theta
    alone = len(theta) == 1 and isinstance(strategy, Diagonal) and theta.dtype == torch.float64
    steps = _small_steps if alone and theta.device.type == "cpu" else _steps
    large = len(alpha) * objective.embedding.shape[0] * objective.texts.numel() > SIZE
    path = steps(objective, strategy, theta, weights, rate, nonnegative, 1 if large else AHEAD)
    while True:
        yield from next(path)


def _steps(
    objective: Objective, strategy: Strategy, theta: Tensor, weights: Tensor, rate: float, nonnegative: bool, ahead: int
) -> Iterator[list[Tensor]]:
    """`ahead` steps at a time."""
    mean, square = torch.zeros_like(theta), torch.zeros_like(theta)
    one, two = DECAY
    for done in count(1, ahead):
        found = []
        with torch.no_grad(), exact():
            for step in range(done, done + ahead):
                slope = _slope(objective, strategy, theta, weights)
                mean.mul_(one).add_(slope, alpha=1 - one)
                square.mul_(two).addcmul_(slope, slope, value=1 - two)
                size = square.sqrt().mul_((1 - two**step) ** -0.5).add_(SMALL)
                theta = theta.addcdiv(mean, size, value=-rate / (1 - one**step))
                if nonnegative:
                    theta = theta.clamp_(min=0)
                found.append(theta)
        yield found


def _small_steps(
    objective: Objective, strategy: Strategy, theta: Tensor, weights: Tensor, rate: float, nonnegative: bool, ahead: int
) -> Iterator[list[Tensor]]:
    """The same for one diagonal edit on the CPU, in numpy, whose calls cost a third of torch's: what a slider waits
    for.
    """
    e, texts, squares = (x.numpy() for x in (objective.embedding, objective.texts, objective.squares))
    labels, probs, share = (x.numpy() for x in (objective.labels, objective.probs.clone(), weights[0]))
    at, n, kept = theta[0].numpy(), len(e), objective.kept.numpy()
    mean, square = np.zeros_like(at), np.zeros_like(at)
    one, two = DECAY
    for done in count(1, ahead):
        found = []
        with one_blas_thread():
            for step in range(done, done + ahead):
                inverse = 1 / np.sqrt(np.maximum(squares @ (at * at), LEAST))
                scaled = (objective.scale * inverse)[:, None]
                products = e @ (at * texts).T
                q = products * scaled
                q -= q.max(1, keepdims=True)
                np.exp(q, out=q)
                q /= q.sum(1, keepdims=True)
                if step == 1:  # at the identity the model is its own teacher, to the last bit
                    probs[kept] = q[kept]
                by = (q - labels) / n
                q -= probs
                by += q * share
                by *= scaled
                by_square = (by * products).sum(1) * (inverse * inverse) * -0.5
                slope = ((by.T @ e) * texts).sum(0) + 2 * at * (by_square @ squares)
                mean = one * mean + (1 - one) * slope
                square = two * square + (1 - two) * slope * slope
                size = np.sqrt(square) * (1 - two**step) ** -0.5 + SMALL
                at = at - (rate / (1 - one**step)) * mean / size
                if nonnegative:
                    at = np.maximum(at, 0)
                found.append(torch.from_numpy(at)[None])
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
    nonnegative: bool = False,
    seed: int = 0,
    tolerance: float = 1e-6,
    evaluations: int = EVALUATIONS,
    check: Callable[[float], None] | None = None,
) -> Converged:
    """Minimise the total by L-BFGS from the identity, until an iteration gains less than `tolerance` of what was
    gained.

    check: called after every iteration with the total; may raise to end it.
    """
    from scipy.optimize import minimize

    start = strategy.start(1, seed, objective.embedding)
    a, b = (start.new_tensor([x]) for x in (alpha, beta))
    weights = image_weights(objective, a, b)
    unit = 1 + alpha + beta  # of the same size whatever the weights, so that a tolerance means the same

    @full_precision
    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        theta = torch.from_numpy(x).to(start)[None]
        products, squares, back = strategy.forward(theta, objective)
        total = objective.terms(products, squares).total(a, b)
        slope = back(objective.slopes(products, squares, weights))[0]
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
        bounds=[(0, None)] * strategy.size if nonnegative else None,
        options={"maxfun": evaluations, "maxiter": evaluations, "maxcor": 20, "ftol": 0, "gtol": 0},
    )  # fmt: skip
    ended = bool(found.nfev < evaluations)
    return Converged(torch.from_numpy(found.x).to(start), tuple(totals), ended, int(found.nfev))
