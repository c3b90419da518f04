"""The loss of an edit: L_CE + α L_success + β L_locality of edited embeddings (R25 eq. 11–13; methods §4)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from toolkit.core.head_parts import PartProducts
from toolkit.core.precision import full_precision

LEAST = 1e-60
"""Squared norms are kept above this: an embedding that an edit made zero has no direction."""


class Terms(NamedTuple):
    """ce, success, locality [...]: the three losses, unweighted; nan where there is no image to average over. log_probs
    [..., n, c]: log g of the edited embeddings.
    """

    ce: Tensor
    success: Tensor
    locality: Tensor
    log_probs: Tensor

    def total(self, alpha: Tensor | float, beta: Tensor | float) -> Tensor:
        """L_CE + α L_success + β L_locality; a term without images counts nothing."""
        return self.ce + alpha * self.success.nan_to_num(nan=0.0) + beta * self.locality.nan_to_num(nan=0.0)


class Slopes(NamedTuple):
    """Gradients of the total by y · T [..., n, c] and by ‖y‖² [..., n], y the edited embeddings."""

    products: Tensor
    squares: Tensor


@dataclass(frozen=True, eq=False)
class Objective:
    """What an edit is fitted to: n labelled images, c classes, g = softmax(s · cosine).

    embedding [n, d], ablated [n, d]: E and E_ablated, of any norm. texts [c, d]: unit class vectors. truth [n]: labels.
    wrong, kept: rows of W (the teacher is g of E_ablated) and of C ∪ A (the teacher is g of E). scale: s. parts: of
    heads, where an edit scales them. start [n, d]: what such an edit adds to, where that is not E. inputs [n, w]: of
    the projection, where an edit changes that. An edit is judged by its products y · T [..., n, c] and squared norms
    ‖y‖² [..., n] alone.
    """

    embedding: Tensor
    ablated: Tensor
    texts: Tensor
    truth: Tensor
    wrong: Tensor
    kept: Tensor
    scale: float
    parts: PartProducts | None = None
    start: Tensor | None = None
    inputs: Tensor | None = None

    def to(self, device: torch.device | str) -> Self:
        """The same on another device."""
        own: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        moved = {name: x.to(device) for name, x in own.items() if isinstance(x, Tensor | PartProducts)}
        return type(self)(**(own | moved))

    @cached_property
    def squares(self) -> Tensor:
        """E² [n, d], of which ‖θ ⊙ E‖² = E² θ²."""
        return self.embedding.square()

    @cached_property
    def crossed(self) -> Tensor:
        """T_cd E_nd [n · c, d], of which (θ ⊙ E) · T = the product with θ."""
        return (self.embedding[:, None] * self.texts).flatten(0, 1)

    @cached_property
    def plain(self) -> Tensor:
        """[n, c]: products of what an edit of heads or classes starts from."""
        return (self.embedding if self.start is None else self.start) @ self.texts.T

    @cached_property
    def norms(self) -> Tensor:
        """[n]: ‖·‖² of what an edit of heads or classes starts from."""
        return (self.embedding if self.start is None else self.start).square().sum(-1)

    @cached_property
    def labels(self) -> Tensor:
        """One-hot labels [n, c]."""
        return torch.nn.functional.one_hot(self.truth, len(self.texts)).to(self.embedding)

    @cached_property
    def _teacher(self) -> Tensor:
        """Logits [n, c] of the teachers: of E_ablated in W, of E elsewhere."""
        y = self.embedding.clone()
        y[self.wrong] = self.ablated[self.wrong]
        return self._logits(y @ self.texts.T, y.square().sum(-1))[0]

    @cached_property
    def probs(self) -> Tensor:
        """What the teachers say [n, c]; by the steps of `slopes`, so that at the identity nothing is left of it."""
        return torch.softmax(self._teacher, -1)

    @cached_property
    def shares(self) -> Tensor:
        """[2, n]: weight of every image in L_success and in L_locality."""
        shares = self.embedding.new_zeros(2, len(self.truth))
        shares[0, self.wrong] = 1 / max(1, len(self.wrong))
        shares[1, self.kept] = 1 / max(1, len(self.kept))
        return shares

    def _logits(self, products: Tensor, squares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """s · cosine [..., n, c]; s / ‖y‖ and 1 / ‖y‖ [..., n, 1]."""
        inverse = squares.clamp(min=LEAST).rsqrt_()[..., None]
        scaled = inverse * self.scale
        return products * scaled, scaled, inverse

    @full_precision
    def terms(self, products: Tensor, squares: Tensor) -> Terms:
        """The three losses of edited embeddings."""
        log_q = torch.log_softmax(self._logits(products, squares)[0], -1)
        ce = -(self.labels * log_q).sum((-2, -1)) / len(self.truth)
        # rows of KL(p ‖ q); where the edit leaves an image as it is, exactly 0
        divergence = (self.probs * (torch.log_softmax(self._teacher, -1) - log_q)).sum(-1)
        found = [divergence @ share for share in self.shares]
        for i, rows in enumerate((self.wrong, self.kept)):
            if not len(rows):
                found[i] = torch.full_like(ce, torch.nan)
        return Terms(ce, found[0], found[1], log_q)

    def slopes(self, products: Tensor, squares: Tensor, weights: Tensor) -> Slopes:
        """Gradient of the total with these weights."""
        logits, scaled, inverse = self._logits(products, squares)
        q = torch.softmax(logits, -1)
        slope = torch.sub(q, self.labels).mul_(1 / len(self.truth))
        slope.addcmul_(weights, q.sub_(self.probs)).mul_(scaled)
        # d cos / d ‖y‖² = −½ cos / ‖y‖²
        by_square = (slope * products).sum(-1).mul_(inverse[..., 0].square_()).mul_(-0.5)
        return Slopes(slope, by_square)

    def bound(self, alpha: float, beta: float) -> float:
        """A number that the total is never below, whatever the edit: every image at the best distribution it could get
        for its own targets.
        """
        weights = alpha * self.shares[0] + beta * self.shares[1]
        targets = self.labels / len(self.truth) + weights[:, None] * self.probs
        mass = targets.sum(-1, keepdim=True)
        best = -torch.special.xlogy(targets, targets / mass.clamp(min=LEAST)).sum()
        own = torch.special.entr(self.probs).sum(-1) @ weights
        return float(best - own)
