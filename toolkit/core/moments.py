"""First and second moments of every head over a set of images: all that spans, norms and probes need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from toolkit.core.precision import full_precision
from toolkit.core.readout import Readout
from toolkit.core.state import State
from toolkit.errors import InputError

SHARES = 3
"""Entries of q after the mix: 1/(σR), μ/(σR), 1/R (methods §1)."""


@dataclass(frozen=True, eq=False)
class HeadMoments:
    """Moments of q = [mix/(σR), 1/(σR), μ/(σR), 1/R] per head (methods §1–2); float64, mergeable, streamable.

    count: images. mean [l, h, k + 3]. scatter [l, h, k + 3, k + 3]: Σ (q − q̄)(q − q̄)ᵀ. In the convention `separate` a
    head's contribution is its first k entries times A; in `reference` all k + 3 count (`maps`).
    """

    count: int
    mean: Tensor
    scatter: Tensor

    @property
    def covariance(self) -> Tensor:
        """[l, h, k + 3, k + 3], over count − 1."""
        if self.count < 2:
            raise InputError("covariance", f"moments of {self.count} image", "at least two images", "take more images")
        return self.scatter / (self.count - 1)

    @property
    def second(self) -> Tensor:
        """[l, h, k + 3, k + 3]: Σ q qᵀ, uncentred."""
        return self.scatter + self.count * self.mean[..., :, None] * self.mean[..., None, :]

    def merge(self, other: Self) -> Self:
        """The moments of both sets of images together (Chan's update)."""
        n = self.count + other.count
        shift = other.mean - self.mean
        between = shift[..., :, None] * shift[..., None, :] * (self.count * other.count / n)
        return type(self)(n, self.mean + shift * (other.count / n), self.scatter + other.scatter + between)


@full_precision
def moments_of(state: State) -> HeadMoments:
    """The moments of some images, in float64."""
    if not len(state):
        raise InputError("moments", "no images", "at least one", "pass some images")
    norm = state.output.double().norm(dim=-1)
    unit = 1 / (state.sigma.double() * norm)
    shares = torch.stack([unit, state.mu.double() * unit, 1 / norm], -1)
    b, layers, heads, _ = state.mixes.shape
    q = torch.cat(
        [state.mixes.double() * unit[:, None, None, None], shares[:, None, None].expand(b, layers, heads, -1)], -1
    )
    mean = q.mean(0)
    centred = (q - mean).permute(1, 2, 3, 0)
    return HeadMoments(b, mean, centred @ centred.mT)


@full_precision
def moment_maps(readout: Readout, convention: str) -> Tensor:
    """[l, h, k + 3, d]: what every entry of q is worth in the joint space; heads = q @ map."""
    layers, heads, _, d = readout.head_map.shape
    if convention == "separate":
        return torch.cat([readout.head_map, readout.head_map.new_zeros(layers, heads, SHARES, d)], 2)
    n = readout.residual_terms * heads
    shares = torch.stack(
        [
            readout.bias_map_uncentred / heads,
            (-readout.mean_map / n).expand(layers, d),
            (readout.constant / n).expand(layers, d),
        ],
        1,
    )
    return torch.cat([readout.head_map_uncentred, shares[:, None].expand(layers, heads, SHARES, d)], 2)
