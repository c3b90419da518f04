"""Room for large arrays: in memory while they are small, else in a temporary file that is mapped into memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

IN_MEMORY = 60_000_000
"""Bytes of an array that stays in memory."""
ROWS = 2048
"""Images that are looked at together."""


def room(*shape: int, like: Tensor | None = None) -> Tensor:
    """An array to be filled, float64. A large one lies in a file without a name, which is gone with the array; on the
    device of `like` it is in that device's memory whatever its size.
    """
    size = 8 * int(np.prod(shape))
    device = torch.device("cpu") if like is None else like.device
    if size <= IN_MEMORY or device.type != "cpu":
        return torch.empty(shape, dtype=torch.float64, device=device)
    with tempfile.TemporaryFile(prefix="head space ") as file:
        return torch.from_numpy(np.memmap(file, np.float64, "w+", shape=shape))


def filled(pieces: Iterable[Tensor], rows: int) -> Tensor:
    """Pieces [some, …] of so many rows, one after the other in one array, without both at a time; on the CPU."""
    out, at = torch.empty(0), 0
    for piece in pieces:
        if not at:
            out = torch.empty(rows, *piece.shape[1:], dtype=piece.dtype)
        out[at : at + len(piece)] = piece
        at += len(piece)
    assert at == rows, "as many rows as there are"
    return out


def mean_of(values: Tensor) -> Tensor:
    """The mean over the first axis, added up in float64, without all of it in float64."""
    total = sum(some.double().sum(0) for some in values.split(ROWS))
    return (total / len(values)).to(values)  # type: ignore[union-attr]


def gathered(values: Tensor, rows: Tensor) -> Tensor:
    """Some rows of an array, in room of their own."""
    found = room(len(rows), *values.shape[1:], like=values)
    at = 0
    for some in rows.split(ROWS):
        found[at : at + len(some)] = values[some]
        at += len(some)
    return found
