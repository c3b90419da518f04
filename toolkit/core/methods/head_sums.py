"""Contributions of heads to embeddings, as methods change them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from toolkit.core.seen import Seen

TOGETHER = 2_000
"""Images whose heads are made at once."""


def each_head(seen: Seen, heads: Sequence[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], Tensor]]:
    """Every head (layer, head) with its contributions [b, d], float64."""
    maps = seen.maps()
    for layer in sorted({layer for layer, _ in heads}):
        blocks = [q[:, 0].double().cpu() for q in seen.numbers([layer], TOGETHER)]
        for head in [h for at, h in heads if at == layer]:
            worth = maps[layer, head].double().cpu()
            yield (layer, head), torch.cat([q[:, head] @ worth for q in blocks])


def head_sum(seen: Seen, heads: Sequence[tuple[int, int]]) -> Tensor:
    """[b, d]: the sum of the contributions of some heads, float64."""
    found = torch.zeros(len(seen.embedding), seen.embedding.shape[1], dtype=torch.float64)
    for _, own in each_head(seen, heads):
        found += own
    return found
