"""What is kept of an image: enough for its exact parts in either convention, and little else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

from toolkit.core.capture import Trace
from toolkit.core.precision import full_precision
from toolkit.core.readout import Readout


@dataclass(frozen=True, eq=False)
class State:
    """The state of b images (methods §1): everything their parts are made of, before the division by σ and R.

    mixes [b, l, h, k]: head mixes. mlps [b, m, d]: the embedding term (0) and every MLP (of the heads of an attention
    pool alone: its MLP, or nothing; of a frozen one, its MLP last), centred and sent through the readout. means [b, m]:
    the mean that centring took from each of them, which the convention `reference` shares out again. sigma, mu [b]:
    scale and mean of the last LayerNorm. output [b, d]: the embedding as the model returned it. biases [b, l, d]: what
    the attention biases wrote, sent through the readout, where that is not the same for all images; else None. pooled
    [b, w]: what the model multiplied by its projection, where it was kept.
    """

    mixes: Tensor
    mlps: Tensor
    means: Tensor
    sigma: Tensor
    mu: Tensor
    output: Tensor
    biases: Tensor | None = None
    pooled: Tensor | None = None

    @classmethod
    def of_heads(cls, mixes: Tensor, sigma: Tensor, mu: Tensor, output: Tensor) -> Self:
        """Heads without anything else: no terms, whose sum with them would be the embedding."""
        b, d = output.shape
        return cls(mixes, output.new_zeros(b, 0, d), output.new_zeros(b, 0), sigma, mu, output)

    @classmethod
    def cat(cls, states: Sequence[Self]) -> Self:
        """The states of all images, in order."""
        found = {f.name: [getattr(s, f.name) for s in states] for f in fields(cls)}
        joined: dict[str, Any] = {n: None if each[0] is None else torch.cat(each) for n, each in found.items()}
        return cls(**joined)

    def __len__(self) -> int:
        return len(self.output)


@full_precision
def state_of(trace: Trace, readout: Readout) -> State:
    """What is kept of a trace."""
    mlps, means = readout.project(trace.terms, centred=True), trace.terms.mean(-1)
    biases = None if trace.biases is None else readout.project(trace.biases, centred=True)
    if trace.tail is not None:
        assert readout.tail is not None
        mlps = torch.cat([mlps, (trace.tail @ readout.tail)[:, None]], 1)
        means = torch.cat([means, means.new_zeros(len(means), 1)], 1)
    return State(trace.mixes, mlps, means, trace.sigma, trace.mu, trace.output, biases, trace.pooled)
