"""Head contributions token by token: what every patch gave to a direction through every head (G24 §3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from toolkit.core.capture import Trace
from toolkit.core.head_parts import HeadChange
from toolkit.core.parts import Convention, Parts, parts_from
from toolkit.core.precision import full_precision
from toolkit.core.readout import Readout
from toolkit.core.state import State, state_of


@dataclass(frozen=True, eq=False)
class Tokens:
    """b images, traced once: enough for the map of any text and heads without a forward.

    rows [b, l, h, n]: attention of the pooled position to every token (0 is the class token, or the mean token of an
    attention pool). values [b, l, h, n, k]: what every head reads there. trace: everything else of the forward.
    """

    rows: Tensor
    values: Tensor
    trace: Trace

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class TokenParts:
    """The cosine of b images with a direction as a sum: by_head [b, l, h, n] of every token through every head, mlps
    [b, l + 1] (0 is the embedding term), biases [b, l], constant [b], and rounding [b], which closes the sum to total
    [b].
    """

    by_head: Tensor
    mlps: Tensor
    biases: Tensor
    constant: Tensor
    rounding: Tensor
    total: Tensor

    @classmethod
    def cat(cls, found: Sequence[Self]) -> Self:
        """Those of all images, in order."""
        return cls(*(torch.cat([getattr(part, f.name) for part in found]) for f in fields(cls)))

    def cpu(self) -> Self:
        """The same in the machine's own memory."""
        return type(self)(*(getattr(self, f.name).cpu() for f in fields(self)))


class TokenState:
    """What is kept of a traced batch: rows, values and the state of its images, in one convention.

    `toward` contracts with the text first: k numbers a token, never d.
    """

    def __init__(self, tokens: Tokens, readout: Readout, convention: Convention = "separate") -> None:
        self.rows, self.values = tokens.rows, tokens.values
        self.state: State = state_of(tokens.trace, readout)
        self.parts: Parts = parts_from(self.state, readout, convention)

    def __len__(self) -> int:
        return len(self.rows)

    @full_precision
    def toward(self, direction: Tensor, transform: Tensor | HeadChange | None = None) -> TokenParts:
        """The sum behind the cosine with a direction [d] (methods §1): a_n (v_n · A t) / (σR) for every token and head.

        transform: of the edited embedding y / ‖y‖ instead: M [d, d] of y = E M, θ [d] of M = diag(θ), or heads that are
        changed; the sum stays exact, as the edit is linear in the parts and only its norm is divided out.
        """
        if isinstance(transform, HeadChange):
            return self._heads_changed(direction, transform)
        parts, t = self.parts, direction.to(self.rows)
        norm = torch.ones_like(parts.norm)
        embedding = parts.embedding
        if transform is not None:
            m = transform.to(t)
            moved = embedding * m if m.ndim == 1 else embedding @ m
            norm = moved.norm(dim=-1)
            t = m * t if m.ndim == 1 else m @ t
        scaled = parts._unit / norm
        asked = parts._map @ t  # [l, h, k]
        by_head = self.rows * torch.einsum("blhnk,lhk->blhn", self.values, asked) * scaled[:, None, None, None]
        share = (parts._shares @ t) / norm[:, None] / self.rows.shape[-1]
        by_head = by_head + share[:, :, None, None]
        mlps, biases = (parts.mlps @ t) / norm[:, None], (parts.biases @ t) / norm[:, None]
        constant, total = (parts.constant @ t) / norm, (embedding @ t) / norm
        found = by_head.flatten(1).sum(1) + mlps.sum(1) + biases.sum(1) + constant
        return TokenParts(by_head, mlps, biases, constant, total - found, total)

    def _heads_changed(self, direction: Tensor, change: HeadChange) -> TokenParts:
        parts, t = self.parts, direction.to(self.rows)
        moved = parts.embedding + change.of_parts(parts)
        norm = moved.norm(dim=-1)
        asked, share = parts._map @ t, (parts._shares @ t)[:, :, None].repeat(1, 1, self.rows.shape[2])
        asked = asked.clone()
        for i, (layer, head) in enumerate(change.heads):
            asked[layer, head] += change.of(i, asked[layer, head, :, None], shares=False)[:, 0]
            share[:, layer, head] *= 1 + change.share(i)
        unit = parts._unit / norm
        by_head = self.rows * torch.einsum("blhnk,lhk->blhn", self.values, asked) * unit[:, None, None, None]
        by_head = by_head + (share / norm[:, None, None] / self.rows.shape[-1])[..., None]
        mlps, biases = (parts.mlps @ t) / norm[:, None], (parts.biases @ t) / norm[:, None]
        constant, total = (parts.constant @ t) / norm, (moved @ t) / norm
        found = by_head.flatten(1).sum(1) + mlps.sum(1) + biases.sum(1) + constant
        return TokenParts(by_head, mlps, biases, constant, total - found, total)
