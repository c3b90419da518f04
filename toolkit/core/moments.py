"""First and second moments of every head over a set of images: all that spans, norms and probes need of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.precision import full_precision
from toolkit.core.readout import Readout
from toolkit.core.state import State
from toolkit.errors import InputError

AT_ONCE = 256_000_000
"""Bytes of resampled moments that are gathered in one pass."""
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

    def flat(self, layers: Sequence[int]) -> Self:
        """The heads of some layers, one after the other: [n, k + 3]."""
        at = list(layers)
        return type(self)(self.count, self.mean[at].flatten(0, 1), self.scatter[at].flatten(0, 1))

    def among(self, layers: Sequence[int], count: int) -> Self:
        """The same among all layers of a model: nan for those that are not there.

        layers: numbers of the layers that are there, in their order. count: of the model.
        """
        values = []
        for there in (self.mean, self.scatter):
            whole = there.new_full((count, *there.shape[1:]), torch.nan)
            whole[list(layers)] = there
            values.append(whole)
        return type(self)(self.count, *values)

    def to(self, device: torch.device) -> Self:
        """The same on another device."""
        return type(self)(self.count, self.mean.to(device), self.scatter.to(device))

    def merge(self, other: Self) -> Self:
        """The moments of both sets of images together (Chan's update)."""
        n = self.count + other.count
        shift = other.mean - self.mean
        between = shift[..., :, None] * shift[..., None, :] * (self.count * other.count / n)
        return type(self)(n, self.mean + shift * (other.count / n), self.scatter + other.scatter + between)


@full_precision
def head_numbers(state: State, layers: Sequence[int] | None = None) -> Tensor:
    """q [b, l, h, k + 3] of some layers (default all), float64."""
    shares = image_shares(state)
    unit = shares[:, 0]
    mixes = state.mixes if layers is None else state.mixes[:, list(layers)]
    b, l, h, _ = mixes.shape
    return torch.cat([mixes.double() * unit[:, None, None, None], shares[:, None, None].expand(b, l, h, -1)], -1)


def image_shares(state: State) -> Tensor:
    """[b, 3]: the entries of q after the mix, the same for all heads of an image; the first scales the mix. float64."""
    norm = state.output.double().norm(dim=-1)
    unit = 1 / (state.sigma.double() * norm)
    return torch.stack([unit, state.mu.double() * unit, 1 / norm], -1)


@full_precision
def moments_of(state: State) -> HeadMoments:
    """The moments of some images, in float64."""
    if not len(state):
        raise InputError("moments", "no images", "at least one", "pass some images")
    q = head_numbers(state)
    mean = q.mean(0)
    centred = (q - mean).permute(1, 2, 3, 0)
    return HeadMoments(len(q), mean, centred @ centred.mT)


def bootstrap_moments(
    states: Callable[[], Iterable[State]], count: int, layers: Sequence[int], resamples: int, seed: int
) -> Iterator[HeadMoments]:
    """Moments [n, k + 3] of the heads of some layers over `resamples` bootstrap samples of the images, one after the
    other; as many in one pass over the images as fit into AT_ONCE.

    states: gives those of all `count` images, in order, some at a time. A resample draws `count` images with
    replacement.
    """
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples).astype(np.float64)
    done = 0
    while done < resamples:
        group = _resampled(states(), times[done:], layers)
        done += len(group)
        yield from group


@full_precision
def _resampled(states: Iterable[State], times: NDArray[np.float64], layers: Sequence[int]) -> list[HeadMoments]:
    """Moments of the first few resamples: times [resamples, count]."""
    sums: list[Tensor] = []
    shift, at, count = torch.zeros((), dtype=torch.float32), 0, times.shape[1]
    for state in states:
        q = head_numbers(state, layers).flatten(1, 2)
        if not sums:
            shift = q.mean(0)  # near the mean, so that squares do not cancel
            n, k = shift.shape
            times = times[: max(1, AT_ONCE // (8 * n * k * k))]
            sums = [torch.zeros(len(times), n, k).to(q), torch.zeros(len(times), n, k, k).to(q)]
        w = torch.from_numpy(times[:, at : at + len(q)]).to(q)
        at += len(q)
        x = (q - shift).transpose(0, 1)  # [n, b, k + 3]
        sums[0] += torch.einsum("sb,nbk->snk", w, x)
        for second, each in zip(sums[1], w, strict=True):
            second += (x * each[None, :, None]).mT @ x
    mean = sums[0] / count
    scatter = sums[1] - count * mean[..., :, None] * mean[..., None, :]
    return [HeadMoments(count, m + shift, s) for m, s in zip(mean, scatter, strict=True)]


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
