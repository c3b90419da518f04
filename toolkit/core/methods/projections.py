"""Linear changes of image embeddings or class vectors that words alone decide: RoboShot, orthogonal calibration."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from toolkit.core.inject import directions

LEAST = 1e-6
"""Share of a difference that must be new, and of the largest singular value, to count as a direction."""


class RoboShotBasis(NamedTuple):
    """Orthonormal rows: reject [r, d], taken away, and accept [a, d], strengthened."""

    reject: Tensor
    accept: Tensor


def roboshot_basis(reject: Tensor, accept: Tensor) -> RoboShotBasis:
    """The directions of differences of texts [r, d] and [a, d] (Adila et al. 2024, alg. 1)."""
    return RoboShotBasis(directions(reject, LEAST), directions(accept, LEAST))


def roboshot(z: Tensor, basis: RoboShotBasis, rho: float, kappa: float) -> Tensor:
    """[..., d]: n((I + κ Q_a Q_aᵀ)(I − ρ Q_r Q_rᵀ) z)."""
    z = z - rho * (z @ basis.reject.T) @ basis.reject
    z = z + kappa * (z @ basis.accept.T) @ basis.accept
    return normalize(z, dim=-1)


def roboshot_matrix(basis: RoboShotBasis, rho: float, kappa: float, d: int) -> Tensor:
    """[d, d]: M with z M = (I + κ Q_a Q_aᵀ)(I − ρ Q_r Q_rᵀ) z for rows z."""
    one = torch.eye(d, dtype=torch.float64)
    return (one - rho * basis.reject.T @ basis.reject) @ (one + kappa * basis.accept.T @ basis.accept)


class RoboShotProducts(NamedTuple):
    """What a dial needs of b images and c classes: products [b, c] = E Tᵀ; reject [b, r] and accept [b, a], the images'
    coordinates; of the class vectors the same [c, r], [c, a]; between [r, a], of the two bases.
    """

    products: Tensor
    reject: Tensor
    accept: Tensor
    class_reject: Tensor
    class_accept: Tensor
    between: Tensor


def roboshot_products(images: Tensor, texts: Tensor, basis: RoboShotBasis) -> RoboShotProducts:
    """Everything that does not change with the dial."""
    r, a = basis
    return RoboShotProducts(images @ texts.T, images @ r.T, images @ a.T, texts @ r.T, texts @ a.T, r @ a.T)


def roboshot_scores(at: RoboShotProducts, rho: float, kappa: float) -> Tensor:
    """[b, c]: cosines of changed images with the class vectors, by a rank r + a update."""
    scores = at.products - rho * at.reject @ at.class_reject.T
    accept = at.accept - rho * at.reject @ at.between
    left = 1 - rho * (2 - rho) * at.reject.square().sum(1)
    norm = left + kappa * (2 + kappa) * accept.square().sum(1)
    scores = scores + kappa * accept @ at.class_accept.T
    return scores / norm.clamp(min=0).sqrt().clamp(min=1e-12)[:, None]


def spurious_basis(texts: Tensor) -> Tensor:
    """[k, d]: right singular vectors of unit spurious texts [m, d]."""
    _, size, vectors = torch.linalg.svd(normalize(texts, dim=-1), full_matrices=False)
    return vectors[size > LEAST * size[0]]


def calibrated(w: Tensor, basis: Tensor, pairs: Tensor, rho: float, lam: float, ltc: bool = False) -> Tensor:
    """[..., d]: n(P₀ (λM + I)⁻¹ w), P₀ = I − ρ B Bᵀ, M the mean outer product of differences (Chuang et al. 2023).

    w [..., d]: class vectors. basis [k, d]: B. pairs [m, d]: differences of texts that should coincide. ltc: the other
    order, (λM + I)⁻¹ P₀ w. The inverse is Woodbury's.
    """
    return normalize(calibration(w, basis, pairs, rho, lam, ltc), dim=-1)


def calibration(w: Tensor, basis: Tensor, pairs: Tensor, rho: float, lam: float, ltc: bool = False) -> Tensor:
    """[..., d]: the same before it is made unit; of the rows of the identity the matrix itself."""
    steps = [lambda x: x - rho * (x @ basis.T) @ basis, lambda x: _drawn_together(x, pairs, lam)]
    for step in steps if ltc else steps[::-1]:
        w = step(w)
    return w


def _drawn_together(w: Tensor, pairs: Tensor, lam: float) -> Tensor:
    """(λM + I)⁻¹ w."""
    if lam == 0 or not len(pairs):
        return w
    weight = lam / len(pairs)
    small = torch.eye(len(pairs), dtype=w.dtype) + weight * pairs @ pairs.T
    return w - weight * torch.linalg.solve(small, pairs @ w.mT).mT @ pairs
