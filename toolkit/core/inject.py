"""Locate-Then-Correct's second step: heads off, directions into others (LTC §4; methods §5)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Mode = Literal["released", "own_norm"]
MODES: tuple[Mode, ...] = ("released", "own_norm")


def directions(differences: Tensor, least: float = 1e-9) -> Tensor:
    """[m, d]: an orthonormal basis of differences [m, d], in order; those that depend on earlier ones go. least: the
    share of its length that must be left of one.
    """
    basis = differences.new_zeros(0, differences.shape[1], dtype=torch.float64)
    for x in differences.double():
        left = x - (x @ basis.T) @ basis
        left = left - (left @ basis.T) @ basis
        if left.norm() > least * x.norm():
            basis = torch.cat([basis, (left / left.norm())[None]])
    return basis


def inject(x: Tensor, basis: Tensor, mode: Mode = "released") -> Tensor:
    """x [..., d] drawn towards every direction u of a basis [m, d] in turn: x ← x + cos(x, u) u, then x / ‖x‖.

    mode: "released" is LTC's public code: x as it is, and norm 1 at the end, which makes a head as large as a whole
    embedding. "own_norm", ours, does the same to x / ‖x‖ and gives it its own norm back.
    """
    least = torch.finfo(x.dtype).tiny
    norm = x.norm(dim=-1, keepdim=True).clamp(min=least)  # a head that writes nothing stays nothing
    out = x if mode == "released" else x / norm
    for u in basis.to(x):
        out = out + (out @ u)[..., None] / out.norm(dim=-1, keepdim=True).clamp(min=least) * u
        out = out / out.norm(dim=-1, keepdim=True).clamp(min=least)
    return out if mode == "released" else out * norm
