"""Attention for training on a CPU: a small C++ kernel after `enable()`, plain torch otherwise.

Nothing compiles unasked. The kernel takes bfloat16 tensors on the CPU only, reads the output of the input projection
as it lies in memory and computes in float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SOURCE = Path(__file__).with_name("fused_attention.cpp")
WIDEST = 64
"""Head width the kernel has room for."""
_enabled = False


def enable(on: bool = True) -> str:
    """Compile the kernel (half a minute the first time, then cached) and use it from here on, in this process. Returns
    an empty string, or why the plain path stays in use. `enable(False)` goes back to the plain path.
    """
    global _enabled
    _enabled = False
    if on and not hasattr(torch.ops.toolkit_fused, "forward"):
        from torch.utils import cpp_extension

        try:
            # no -ffast-math: GCC 12 then splits multiply-adds into a product and a sum
            flags = ["-O3", "-march=native", "-std=c++20"]
            cpp_extension.load("toolkit_fused", [str(SOURCE)], extra_cflags=flags, is_python_module=False)
        except (OSError, RuntimeError, ImportError) as error:
            return f"no fused attention: {error}"
    _enabled = on
    return ""


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, query: Tensor | None, heads: int, causal: bool) -> Tensor:
        q, k, v = _split(qkv, query)
        out, stats = torch.ops.toolkit_fused.forward(q, k, v, heads, causal)
        ctx.save_for_backward(qkv, query, stats)
        ctx.options = heads, causal
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        qkv, query, stats = ctx.saved_tensors
        dqkv = torch.empty_like(qkv)
        dquery = None if query is None else torch.empty_like(query)
        out = _split(dqkv, dquery)
        torch.ops.toolkit_fused.backward(*_split(qkv, query), grads[0].contiguous(), stats, *out, *ctx.options)
        return dqkv, dquery, None, None


def _split(qkv: Tensor, query: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    parts = qkv.chunk(3 if query is None else 2, -1)
    return (parts[0], parts[1], parts[2]) if query is None else (query, parts[0], parts[1])


def attention(qkv: Tensor, heads: int, causal: bool = False, query: Tensor | None = None) -> Tensor:
    """Mixed values [b, n, w] of qkv [b, n, 3 w]. With query [b, m, w], qkv holds keys and values only, [b, n, 2 w]."""
    width = qkv.shape[-1] // (3 if query is None else 2) // heads
    if _enabled and qkv.dtype == torch.bfloat16 and qkv.device.type == "cpu" and width <= WIDEST:
        return _Fused.apply(qkv, query, heads, causal)  # type: ignore[no-any-return, no-untyped-call]
    q, k, v = (t.unflatten(-1, (heads, width)).transpose(1, 2) for t in _split(qkv, query))
    scores = (q * width**-0.5) @ k.transpose(-1, -2)
    if causal:
        n = qkv.shape[1]
        scores = scores + torch.full((n, n), float("-inf"), device=scores.device).triu_(1).to(scores.dtype)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
