"""Linear probes that begin at the class vectors: ERM, balanced, GroupDRO, JTT, anchored.

Everything happens in the span of the n images: W − T has no part outside it, as the gradient has none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.threads import one_blas_thread

Array = NDArray[np.float64]
LEAST = 1e-12
"""Share of the largest singular value from which on a direction is one."""
TIGHT = 1e-9
MOST = 5000
"""Steps of L-BFGS."""


class ProbeLosses(NamedTuple):
    """Of class vectors W: the objective, and the cross-entropy of every image [n]."""

    objective: float
    each: Array


class ProbeProblem:
    """Labelled images to fit class vectors W [c, d] to, in logits s E Wᵀ; W − T is held as coordinates [c, r]."""

    def __init__(self, images: Tensor, labels: Tensor, texts: Tensor, scale: float) -> None:
        """images [n, d]: unit. labels [n]: below c. texts [c, d]: the class vectors to begin with. scale: s."""
        u, size, basis = torch.linalg.svd(images, full_matrices=False)
        known = size > LEAST * size[0]
        self.texts, self.scale = texts, scale
        self._basis = basis[known]
        self._coordinates: Array = (u[:, known] * size[known]).numpy()
        self._start: Array = (images @ texts.T).numpy()
        self._truth: NDArray[np.int64] = labels.numpy()

    def _log_probabilities(self, b: Array) -> Array:
        logits = self.scale * (self._start + self._coordinates @ b.T)
        logits = logits - logits.max(1, keepdims=True)
        return np.asarray(logits - np.log(np.exp(logits).sum(1, keepdims=True)))

    def _cross_entropy(self, b: Array) -> tuple[Array, Array]:
        """Of every image [n], and its slope by the logits [n, c]."""
        truth = self._truth
        log_probs = self._log_probabilities(b)
        slope = np.exp(log_probs)
        rows = np.arange(len(truth))
        slope[rows, truth] -= 1
        return -log_probs[rows, truth], slope

    def vectors(self, b: Array) -> Tensor:
        """[c, d]: W of its coordinates [c, r]."""
        return self.texts + torch.from_numpy(b) @ self._basis

    @property
    def origin(self) -> Array:
        """[c, r]: the coordinates of the class vectors themselves."""
        return np.zeros((len(self.texts), self._coordinates.shape[1]))

    def slope(self, b: Array, weights: Array) -> tuple[Array, Array]:
        """The slope [c, r] of the weighted cross-entropy, and the cross-entropy of every image [n]."""
        each, by_logit = self._cross_entropy(b)
        return np.asarray(self.scale * (by_logit * weights[:, None]).T @ self._coordinates), each

    def each(self, b: Array) -> Array:
        """[n]: the cross-entropy of every image."""
        return self._cross_entropy(b)[0]

    def losses(self, b: Array, weights: Array, pull: Array) -> ProbeLosses:
        """Objective and losses. weights [n]: of the images, summing to 1. pull [c]: λ of every class."""
        each = self.each(b)
        return ProbeLosses(float(weights @ each + 0.5 * (pull[:, None] * b * b).sum()), each)

    @one_blas_thread()
    def solve(self, weights: Array, pull: Array) -> Array:
        """[c, r]: where Σ w ℓ + Σ_c (λ_c / 2) ‖w_c − t_c‖² is least; convex, so there is one such place."""
        shape = self.origin.shape
        spread = (weights[:, None] * self._coordinates**2).sum(0)
        # the fourth root of the curvature: half as many steps as without
        unit = (pull[:, None] + self.scale**2 * spread / len(pull)) ** 0.25

        def value(flat: Array) -> tuple[float, Array]:
            b = flat.reshape(shape) / unit
            slope, each = self.slope(b, weights)
            penalty = 0.5 * (pull[:, None] * b * b).sum()
            return float(weights @ each + penalty), ((slope + pull[:, None] * b) / unit).ravel()

        from scipy.optimize import minimize  # half a second of loading

        options = {"maxiter": MOST, "maxfun": 2 * MOST, "ftol": 1e-14, "gtol": TIGHT, "maxcor": 20}
        found = minimize(value, self.origin.ravel(), jac=True, method="L-BFGS-B", options=options)
        return np.asarray(found.x).reshape(shape) / unit


def balanced_weights(member: NDArray[np.int64]) -> Array:
    """[n]: every group of images [n] weighs as much."""
    sizes = np.bincount(member)
    weights = 1.0 / sizes[member]
    return np.asarray(weights / weights.sum())


def anchors(probabilities: Tensor, labels: Tensor, classes: int) -> Array:
    """[c]: the mean zero-shot probability [n, c] of the true class over its images; 1 for a class without any."""
    own = probabilities[torch.arange(len(labels)), labels].numpy()
    found = np.ones(classes)
    for label in np.unique(labels.numpy()):
        found[label] = own[labels.numpy() == label].mean()
    return found


class DROState(NamedTuple):
    """A step of GroupDRO: coordinates [c, r], the groups' weights q [g], their losses [g]."""

    b: Array
    q: Array
    losses: Array


def group_weights(q: Array, losses: Array, eta: float) -> Array:
    """[g]: q ∝ q exp(η ℓ)."""
    moved = q * np.exp(eta * (losses - losses.max()))
    return np.asarray(moved / moved.sum())


@one_blas_thread()
def group_dro(
    problem: ProbeProblem, member: NDArray[np.int64], *, lam: float, eta: float = 0.01, rate: float = 1.0,
    steps: int = 1000, adjust: float = 0.0,
) -> DROState:  # fmt: skip
    """Distributionally robust class vectors (Sagawa et al. 2020, alg. 1), full batch.

    member [n]: the group of every image. lam: the pull to the class vectors. eta, rate: of the groups' weights and of
    the descent, which is divided by s², as the loss has curvature up to s²/2. adjust: C, added to a group's loss as
    C/√n.
    """
    sizes = np.bincount(member)
    extra = adjust / np.sqrt(sizes)
    b, q = problem.origin, np.full(len(sizes), 1 / len(sizes))
    own = (member[:, None] == np.arange(len(sizes))) / sizes
    for _ in range(steps):
        q = group_weights(q, problem.each(b) @ own + extra, eta)
        slope, _ = problem.slope(b, own @ q)
        step = rate / problem.scale**2
        # of a strong pull the implicit step: the explicit one would overshoot
        b = b - step * (slope + lam * b) if step * lam <= 1 else (b - step * slope) / (1 + step * lam)
    return DROState(b, q, problem.each(b) @ own + extra)
