"""Contributions of heads, whole or along directions of their own, as an edit scales them one by one (methods §1,
§4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.core.moments import SHARES
from toolkit.core.parts import Parts
from toolkit.core.precision import full_precision

Head = tuple[int, int]


class PartProducts(NamedTuple):
    """All that a loss needs of k parts c of n images: along [n, k, c] = c · T, against [n, k] = c · E, gram [n, k, k] =
    c · cᵀ. float64.
    """

    along: Tensor
    against: Tensor
    gram: Tensor

    def to(self, device: torch.device | str) -> PartProducts:
        """The same on another device."""
        return PartProducts(*(x.to(device) for x in self))


@dataclass(frozen=True, eq=False)
class HeadParts:
    """k parts of head contributions c = q A: whole ones, or (q · v) (vᵀ A) along a unit vector v.

    heads: whose part each is. directions [k, m]: v, on the m entries of q (`HeadMoments`); None for whole ones.
    """

    heads: tuple[Head, ...]
    directions: Tensor | None = None

    def __len__(self) -> int:
        return len(self.heads)

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """Whose numbers are needed, in order."""
        return tuple(sorted({layer for layer, _ in self.heads}))

    def maps(self, maps: Tensor) -> Tensor:
        """[k, m, d]: what an entry of q is worth through each part. maps [l, h, m, d]: A of all layers."""
        own = self._picked(maps).double()
        if self.directions is None:
            return own
        v = self.directions.to(own)
        return v[:, :, None] * (v[:, None] @ own)

    def numbers(self, q: Tensor) -> Tensor:
        """[b, k, m]: of each part. q [b, len(layers), h, m]: of `layers`."""
        at = [self.layers.index(layer) for layer, _ in self.heads]
        return q[:, at, [head for _, head in self.heads]]

    def _picked(self, table: Tensor) -> Tensor:
        layers, heads = zip(*self.heads, strict=True)
        return table[list(layers), list(heads)]

    @full_precision
    def products(self, q: Iterable[Tensor], maps: Tensor, embedding: Tensor, texts: Tensor) -> PartProducts:
        """Inner products with class vectors, embeddings and each other. q: as for `numbers`, some images at a time."""
        worth = self.maps(maps)
        found, done = [], 0
        for some in q:
            c = torch.einsum("bkm,kmd->bkd", self.numbers(some), worth)
            e = embedding[done : (done := done + len(c))]
            found.append(PartProducts(c @ texts.T, torch.einsum("bkd,bd->bk", c, e), c @ c.mT))
        return PartProducts(*(torch.cat(each) for each in zip(*found, strict=True)))

    def change(self, amounts: Tensor) -> HeadChange:
        """The edit that adds amounts [k] of the parts: c′ = c + Σ amount · part."""
        heads = tuple(dict.fromkeys(self.heads))
        at = torch.tensor([heads.index(head) for head in self.heads])
        if self.directions is None:
            return HeadChange(heads, amounts.double().cpu(), None)
        v = self.directions.double().cpu()
        each = amounts.double().cpu()[:, None, None] * v[:, :, None] * v[:, None]
        size = v.shape[1]
        return HeadChange(heads, None, torch.zeros(len(heads), size, size).double().index_add(0, at, each))


@dataclass(frozen=True, eq=False)
class HeadChange:
    """Contributions of some heads changed to c′ = q (I + N) A. heads [j]: whose. amounts [j]: N = amount · I, with all
    that a head was given; or matrices N [j, m, m], which leave the shares of biases and norm as they are.
    """

    heads: tuple[Head, ...]
    amounts: Tensor | None
    matrices: Tensor | None

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """Layers in which something changes, in order."""
        return tuple(sorted({layer for layer, _ in self.heads}))

    def of(self, i: int, rows: Tensor, shares: bool = True) -> Tensor:
        """N times the rows of a map [m, …] of head i. shares: whether its last rows belong to the shares of biases and
        norm; else it holds the mix alone.
        """
        if self.amounts is not None:
            return rows * float(self.amounts[i])
        assert self.matrices is not None
        n = self.matrices[i].to(rows)
        return (n if shares else n[:-SHARES, :-SHARES]) @ rows

    def share(self, i: int) -> float:
        """What is added to the shares of biases and norm of head i."""
        return 0.0 if self.amounts is None else float(self.amounts[i])

    @full_precision
    def added(self, q: Tensor, maps: Tensor) -> Tensor:
        """[b, d]: what the edit adds to embeddings. q [b, len(layers), h, m]: of `layers`; maps [l, h, m, d]."""
        found = q.new_zeros(len(q), maps.shape[-1])
        for i, (layer, head) in enumerate(self.heads):
            found += q[:, self.layers.index(layer), head] @ self.of(i, maps[layer, head].to(q))
        return found

    @full_precision
    def of_parts(self, parts: Parts) -> Tensor:
        """[b, d]: what the edit adds to the embeddings of parts, in their scale."""
        found = torch.zeros_like(parts.embedding)
        for i, (layer, head) in enumerate(self.heads):
            changed = self.of(i, parts._map[layer, head], shares=False)
            found += parts._scaled_mixes[:, layer, head] @ changed.to(found) + self.share(i) * parts._shares[:, layer]
        return found

    def scales(self, layers: int, heads: int) -> Tensor | None:
        """A factor for every head of a model [l, h]; None where directions inside heads are scaled."""
        if self.amounts is None:
            return None
        table = torch.ones(layers, heads, dtype=torch.float64)
        for head, amount in zip(self.heads, self.amounts, strict=True):
            table[head] = 1 + amount
        return table


def own_directions(second: Tensor, heads: Sequence[Head], most: int) -> HeadParts:
    """The `most` directions along which q of every head is largest, uncentred (of the mix alone). second [l, h, m, m]:
    Σ q qᵀ.
    """
    picked, found = [], []
    for layer, head in heads:
        _, vectors = torch.linalg.eigh(second[layer, head, :-SHARES, :-SHARES].double())
        for v in vectors.flip(-1).T[:most]:
            sign = torch.sign(v[v.abs().argmax()])
            found.append(torch.nn.functional.pad(v * sign, (0, SHARES)))
            picked.append((layer, head))
    return HeadParts(tuple(picked), torch.stack(found))
