"""Heads in their own span: what TextSpan, probes and reverse queries need of a head, and nothing of d."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.moments import HeadMoments
from toolkit.core.precision import full_precision
from toolkit.core.rank import TOLERANCE
from toolkit.errors import InputError

AT_ONCE = 256_000_000
"""Bytes of projected texts that are made at once."""
CHUNK = 8192
"""Texts that are cast to float64 at once."""
HEADS = 48
"""Heads whose bases are made together."""
SAME = 1e-5
"""Directions of texts smaller than this share of the largest are rounding of float32 embeddings."""


@dataclass(frozen=True, eq=False)
class SpanBasis:
    """n heads in the right singular vectors of their uncentred contributions (G24 alg. 1, methods §2); float64.

    vectors [n, d, r]: orthonormal columns, zero beyond a head's rank. covariance [n, r, r]: of the contributions in
    that basis, over images − 1. coordinates [n, k + 3, r]: what every entry of q is worth in the basis. ranks [n]:
    numerical rank, or the one asked for where that is smaller. full [n]: numerical rank. tolerance: singular values
    below this share of the largest are rounding.
    """

    vectors: Tensor
    covariance: Tensor
    coordinates: Tensor
    ranks: Tensor
    full: Tensor
    tolerance: float

    @property
    def variance(self) -> Tensor:
        """[n]: E‖c − c̄‖² (over images − 1) of every head inside its basis."""
        return self.covariance.diagonal(dim1=-2, dim2=-1).sum(-1)

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, at: slice) -> SpanBasis:
        vectors, covariance, coordinates = self.vectors[at], self.covariance[at], self.coordinates[at]
        return SpanBasis(vectors, covariance, coordinates, self.ranks[at], self.full[at], self.tolerance)

    @full_precision
    def project(self, texts: Tensor, precision: torch.dtype = torch.float64) -> Tensor:
        """[n, r, t]: texts [t, d] in the basis of every head, as columns; not normalised again (G24 alg. 1)."""
        n, d, r = self.vectors.shape
        flat = self.vectors.to(precision).mT.reshape(n * r, d)  # one product for all heads is the fastest
        out = flat.new_empty(n * r, len(texts))
        for start in range(0, len(texts), CHUNK):
            some = texts[start : start + CHUNK].to(flat)
            torch.matmul(flat, some.T, out=out[:, start : start + CHUNK])
        return out.view(n, r, len(texts))

    def blocks(self, texts: int) -> Iterator[tuple[slice, SpanBasis]]:
        """The heads, as many at a time as their projections of so many texts fit into AT_ONCE."""
        each = 8 * max(1, self.vectors.shape[2] * texts)
        step = max(1, min(len(self), AT_ONCE // each))
        for start in range(0, len(self), step):
            at = slice(start, start + step)
            yield at, self[at]


@full_precision
def span_basis(
    moments: HeadMoments, maps: Tensor, precision: str = "float32", rank: int | None = None, operation: str = "textspan"
) -> SpanBasis:
    """The bases of n heads from their moments alone: C = qA, so CᵀC = Aᵀ(Σ q qᵀ)A, and its eigenvectors lie in the rows
    of A.

    moments: of the heads [n, k + 3] (flatten layers and heads first). maps [n, k + 3, d]. precision: of what the
    moments were made of, for the numerical rank. rank: keep at most so many directions.

    Raises InputError for fewer than two images and for moments that are not finite.
    """
    if moments.count < 2:
        given = f"moments of {moments.count} image"
        raise InputError(operation, given, "at least two images", "a variance needs more than one image")
    finite = moments.scatter.isfinite().flatten(1).all(1) & moments.mean.isfinite().all(1)
    if not bool(finite.all()):
        at = int((~finite).nonzero()[0])
        given = f"contributions that are not finite (head {at} of {len(finite)}, {int((~finite).sum())} heads in all)"
        raise InputError(operation, given, "finite contributions", "leave the images with NaN out: acts.where(…)")
    tolerance = max(TOLERANCE[precision], 1e-7)  # squares in float64 hold no smaller singular values
    # some heads at a time: in float64 those of a large model take what a large data set takes
    parts = [
        _some_bases(HeadMoments(moments.count, *some), own, tolerance, rank)
        for *some, own in zip(*(x.split(HEADS) for x in (moments.mean, moments.scatter, maps)), strict=True)
    ]
    ranks, full = (torch.cat([getattr(part, name) for part in parts]) for name in ("ranks", "full"))
    r = max(part.vectors.shape[-1] for part in parts)
    size = {"vectors": (maps.shape[2], r), "covariance": (r, r), "coordinates": (maps.shape[1], r)}
    joined = {name: torch.zeros(len(maps), *shape).to(moments.mean) for name, shape in size.items()}
    for at in range(0, len(maps), HEADS):
        part = parts.pop(0)  # so that not all is there twice
        for name, whole in joined.items():
            own = getattr(part, name)
            whole[at : at + len(part), : own.shape[1], : own.shape[2]] = own
    return SpanBasis(**joined, ranks=ranks, full=full, tolerance=tolerance)


def _some_bases(moments: HeadMoments, maps: Tensor, tolerance: float, rank: int | None) -> SpanBasis:
    """Of a few heads."""
    maps = maps.to(moments.mean)
    orthonormal, triangle = torch.linalg.qr(maps.mT)  # Aᵀ = Q T, Q [n, d, k + 3]
    second, centred = (triangle @ m @ triangle.mT for m in (moments.second, moments.covariance))
    # what varies less than rounding does not vary
    still = (
        centred.diagonal(dim1=-2, dim2=-1).sum(-1)
        <= tolerance**2 * second.diagonal(dim1=-2, dim2=-1).sum(-1) / moments.count
    )
    centred[still] = 0
    values, vectors = torch.linalg.eigh((second + second.mT) / 2)
    values, vectors = values.flip(-1).clamp(min=0), vectors.flip(-1)
    full = (values > tolerance**2 * values[:, :1]).sum(-1)
    ranks = full if rank is None else full.clamp(max=rank)
    r = max(1, int(ranks.max()))
    kept = torch.arange(r, device=ranks.device) < ranks[:, None]
    vectors = vectors[..., :r] * kept[:, None]
    covariance = vectors.mT @ centred @ vectors
    return SpanBasis(
        orthonormal @ vectors, (covariance + covariance.mT) / 2, triangle.mT @ vectors, ranks, full, tolerance
    )


@full_precision
def explained_by(basis: SpanBasis, texts: Tensor, inside: bool = True) -> Tensor:
    """[n]: the share of every head's variance in the span of texts [t, d]; nan for a head that never varies.

    inside: of the texts as the head sees them, projected on its span (default, as TextSpan has it), or of the texts
    themselves in all of d, as a least-squares fit has it. Texts that agree but for rounding count once.
    """
    texts = few(texts.to(basis.vectors.device))
    found = []
    for _, some in basis.blocks(len(texts)):
        if inside:
            seen = some.vectors.mT @ texts.to(some.vectors).T
            values, vectors = torch.linalg.eigh(seen @ seen.mT)
            vectors = vectors * (values > SAME**2 * values[:, -1:].clamp(min=1e-300))[:, None]
        else:
            values, own = torch.linalg.eigh(texts.to(some.vectors).T @ texts.to(some.vectors))
            vectors = some.vectors.mT @ own[:, values > SAME**2 * values[-1]]
        share = (vectors.mT @ some.covariance @ vectors).diagonal(dim1=-2, dim2=-1).sum(-1) / some.variance
        found.append(share.clamp(max=1.0))
    return torch.cat(found)


def few(texts: Tensor) -> Tensor:
    """Texts [t, d], or where they are many as few vectors [d, d] with the same span and second moments."""
    if len(texts) <= 2 * texts.shape[1]:
        return texts
    gram = torch.zeros(texts.shape[1], texts.shape[1], dtype=torch.float64, device=texts.device)
    for some in texts.split(CHUNK):
        gram += some.double().T @ some.double()
    values, vectors = torch.linalg.eigh(gram)
    return (vectors * values.clamp(min=0).sqrt()).T


@full_precision
def directions_of(basis: SpanBasis, texts: Tensor, picks: NDArray[np.int64]) -> Tensor:
    """[n, m, r]: what every picked text adds to those before it, as orthonormal rows in each head's own coordinates;
    zero where a head has no text there, or one that adds nothing.

    texts [t, d]; picks [n, m]: positions in them, −1 for none.
    """
    n, count = picks.shape
    vectors = basis.vectors.cpu().double()
    found = vectors.new_zeros(n, count, vectors.shape[2])
    for j in range(count):
        at = torch.from_numpy(picks[:, j])
        seen = torch.einsum("ndr,nd->nr", vectors, texts.cpu().double()[at.clamp(min=0)])
        rest = seen
        for _ in range(2):  # twice is enough
            rest = rest - torch.einsum("nm,nmr->nr", torch.einsum("nmr,nr->nm", found, rest), found)
        size = rest.norm(dim=1)
        adds = (size > SAME * seen.norm(dim=1)) & (at >= 0)
        found[:, j] = torch.where(adds[:, None], rest / size.clamp(min=1e-300)[:, None], torch.zeros_like(rest))
    return found
