"""What is kept of an image: enough for its exact parts in either convention, and little else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from toolkit.core.capture import Trace
from toolkit.core.precision import full_precision
from toolkit.core.readout import Readout


@dataclass(frozen=True, eq=False)
class State:
    """The state of b images (methods §1): everything their parts are made of, before the division by σ and R.

    mixes [b, l, h, k]: head mixes. mlps [b, l + 1, d]: the embedding term (0) and every MLP, centred and sent through
    the readout ([b, 0, d] for a tower without a residual stream). means [b, l + 1]: the mean that centring took from
    each of them, which the convention `reference` shares out again. sigma, mu [b]: scale and mean of the last
    LayerNorm. output [b, d]: the embedding as the model returned it.
    """

    mixes: Tensor
    mlps: Tensor
    means: Tensor
    sigma: Tensor
    mu: Tensor
    output: Tensor

    @classmethod
    def cat(cls, states: Sequence[Self]) -> Self:
        """The states of all images, in order."""
        return cls(*(torch.cat([getattr(s, f.name) for s in states]) for f in fields(cls)))

    def __len__(self) -> int:
        return len(self.output)


@full_precision
def state_of(trace: Trace, readout: Readout) -> State:
    """What is kept of a trace."""
    mlps = readout.project(trace.terms, centred=True)
    return State(trace.mixes, mlps, trace.terms.mean(-1), trace.sigma, trace.mu, trace.output)
