"""Reads the sum behind an image embedding out of the model's own forward, without touching the model.

A `torch.overrides.TorchFunctionMode` sees the calls a forward makes. It recognises a layer by the identity of the
weight tensor in the call, so no module is hooked, patched or copied, and, a mode being per thread, a forward in another
thread neither sees nor disturbs a capture.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from toolkit.core.tower import Tower
from toolkit.errors import UnsupportedModelError

_MHA = inspect.signature(F.multi_head_attention_forward)


@dataclass(frozen=True)
class Trace:
    """What one forward wrote into the pooled residual stream; float32 (float64 for a float64 model).

    mixes [b, l, h, k]: every head's mix Σ_n a_n v_n before the output projection. terms [b, l + 1, w]: the embedding
    term (0) and every MLP's output; [b, 0, w] for a tower without a residual stream. sigma, mu [b]: scale and mean of
    the last LayerNorm (1 and 0 where there is none). output [b, d]: the embedding as the model returned it.

    Where the norm acts per token before the mean over tokens, every token is weighted by σ/(N σ_n), 1/σ = mean 1/σ_n,
    so that the same formulas hold (G24 §3, applied token by token).
    """

    mixes: Tensor
    terms: Tensor
    sigma: Tensor
    mu: Tensor
    output: Tensor


class Capture(TorchFunctionMode):
    """Watches one forward of a tower; with `head_scale` [l, h] it also multiplies every head's mix on the way (total
    ablation) and adds the share 1 − scale of `instead`: by layer, mixes [b or 1, h, n, k] of all tokens.

    Use as a context around exactly one `encode_image`, then call `trace(output)`. whole: layers whose mixes of all
    tokens are kept, in `mixes_of`.
    """

    def __init__(
        self,
        tower: Tower,
        head_scale: Tensor | None = None,
        instead: Mapping[int, Tensor] | None = None,
        whole: Collection[int] = (),
    ) -> None:
        super().__init__()
        self._tower = tower
        self._scale, self._instead, self._whole = head_scale, instead or {}, whole
        self.mixes_of: dict[int, Tensor] = {}
        self._attention = {id(b.out_weight): i for i, b in enumerate(tower.blocks)}
        self._mlp = {id(b.mlp_weight): i for i, b in enumerate(tower.blocks) if b.mlp_weight is not None}
        self._mixes: dict[int, Tensor] = {}
        self._mlps: dict[int, Tensor] = {}
        self._first: Tensor | None = None
        self._last: Tensor | None = None

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.linear:
            return self._linear(args, kwargs)
        if func is F.layer_norm:
            self._norm(kwargs["weight"] if "weight" in kwargs else args[2], args[0])
        elif func is F.scaled_dot_product_attention:
            return self._mix(*args, **kwargs)
        elif func is F.multi_head_attention_forward:
            call = _MHA.bind(*args, **kwargs)
            layer = self._attention.get(id(call.arguments["out_proj_weight"]))
            if layer is not None:
                call.apply_defaults()
                return self._attend(layer, call.arguments)
        return func(*args, **kwargs)

    def _norm(self, weight: Tensor | None, x: Tensor) -> None:
        if weight is None:
            return
        if weight is self._tower.first_norm:
            self._first = self._pooled(x)
        elif weight is self._tower.norm_weight:
            self._last = self._pooled(x) if x.ndim == 3 else x

    def _linear(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        weight = args[1] if len(args) > 1 else kwargs["weight"]
        layer = self._attention.get(id(weight))
        if layer is not None:  # attention modules that project their heads themselves
            x = args[0].unflatten(-1, (self._tower.heads, -1)).transpose(1, 2)
            x = self._see(layer, x)
            return F.linear(x.transpose(1, 2).flatten(2), *args[1:], **kwargs)
        out = F.linear(*args, **kwargs)
        layer = self._mlp.get(id(weight))
        if layer is not None:
            self._mlps[layer] = self._pooled(out)
        return out

    def _attend(self, layer: int, call: dict[str, Any]) -> tuple[Tensor, None]:
        """The same attention from the same arguments, keeping the heads apart; sequence-first in and out."""
        odd = [n for n in ("bias_k", "bias_v", "attn_mask", "key_padding_mask") if call[n] is not None]
        if (
            odd
            or call["add_zero_attn"]
            or (call["training"] and call["dropout_p"])
            or call["query"] is not call["value"]
        ):
            raise UnsupportedModelError(
                "decompose",
                f"attention in layer {layer} with {', '.join(odd) or 'dropout, zero-attention or other keys'}",
                "plain self-attention",
                "use the model in eval mode, or a plain CLIP image tower",
            )
        x = call["query"].transpose(0, 1)
        bias = call["in_proj_bias"]
        if call["use_separate_proj_weight"]:  # the attention pool reads its first token only
            biases = bias.chunk(3) if bias is not None else (None, None, None)
            weights = (call["q_proj_weight"], call["k_proj_weight"], call["v_proj_weight"])
            q, k, v = (F.linear(t, w, b) for t, w, b in zip((x[:, :1], x, x), weights, biases, strict=True))
        else:
            q, k, v = F.linear(x, call["in_proj_weight"], bias).chunk(3, -1)
        q, k, v = (t.unflatten(-1, (call["num_heads"], -1)).transpose(1, 2) for t in (q, k, v))
        mix = self._see(layer, self._mix(q, k, v))
        out = F.linear(mix.transpose(1, 2).flatten(2), call["out_proj_weight"], call["out_proj_bias"])
        return out.transpose(0, 1), None

    def _mix(self, q: Tensor, k: Tensor, v: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The mixes [b, h, n, k] of queries, keys and values; of whatever layer comes next."""
        return F.scaled_dot_product_attention(q, k, v, *args, **kwargs)

    def _see(self, layer: int, mix: Tensor) -> Tensor:
        """Scale the heads if asked, and keep what the pooled position gets of them. mix [b, h, n, k]."""
        if layer in self._whole:
            self.mixes_of[layer] = mix.detach()
        if self._scale is not None:
            scale = self._scale[layer].to(mix).view(1, -1, 1, 1)
            mix = mix * scale
            if layer in self._instead:
                mix = mix + (1 - scale) * self._instead[layer].to(mix)
        kept = self._pooled(mix, 2)
        self._mixes[layer] = kept.flatten(1) if kept.ndim == 3 else kept.transpose(1, 2).flatten(2)
        return mix

    def _pooled(self, x: Tensor, tokens: int = 1) -> Tensor:
        """What of x reaches the embedding, its token axis gone; every patch where the norm acts per token."""
        if self._tower.pool in ("cls", "attention"):
            return x.select(tokens, 0).clone()  # a copy: a view would keep the whole tensor alive
        patches = x.narrow(tokens, 1, x.shape[tokens] - 1)
        return patches if self._tower.pool == "norm_then_mean" else patches.mean(tokens)

    def trace(self, output: Tensor) -> Trace:
        """The trace of the forward that returned `output` [b, d].

        Raises UnsupportedModelError when the forward did not go through the tensors the tower names.
        """
        tower, dtype = self._tower, torch.promote_types(output.dtype, torch.float32)
        missing = [f"attention of layer {i}" for i in self._attention.values() if i not in self._mixes]
        missing += [f"MLP of layer {i}" for i in self._mlp.values() if i not in self._mlps]
        missing += ["the embedding term"] if tower.first_norm is not None and self._first is None else []
        missing += ["the last LayerNorm"] if tower.norm_weight is not None and self._last is None else []
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise UnsupportedModelError(
                "decompose",
                f"a forward in which {', '.join(missing[:3])}{more} could not be seen",
                "an image tower that runs its own layers as plain torch calls",
                "pass the original open_clip model, not a compiled, traced, quantised or re-parametrised one",
            )
        mixes = torch.stack([self._mixes[i] for i in range(len(tower.blocks))], -2).to(dtype)
        terms = self._terms(dtype, mixes)
        sigma, mu, weights = self._scales(output, dtype)
        if weights is not None:
            mixes, terms = (torch.einsum("bn,bnlw->blw", weights, t) for t in (mixes, terms))
        return Trace(mixes.unflatten(-1, (tower.heads, -1)), terms, sigma, mu, output.to(dtype))

    def _terms(self, dtype: torch.dtype, mixes: Tensor) -> Tensor:
        if self._first is None:
            return mixes.new_zeros(*mixes.shape[:-2], 0, self._tower.width)
        terms = [self._first.to(dtype)]
        for i, block in enumerate(self._tower.blocks):
            out = self._mlps[i].to(dtype)
            terms.append(out if block.mlp_scale is None else out * block.mlp_scale.detach().to(dtype))
        return torch.stack(terms, -2)

    def _scales(self, output: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor | None]:
        if self._last is None:
            one = torch.ones(len(output), dtype=dtype, device=output.device)
            return one, torch.zeros_like(one), None
        x = self._last.to(dtype)
        mu, sigma = x.mean(-1), (x.var(-1, correction=0) + self._tower.eps).sqrt()
        if x.ndim == 2:
            return sigma, mu, None
        pooled = 1 / (1 / sigma).mean(1)
        weights = pooled[:, None] / (sigma * sigma.shape[1])
        return pooled, (weights * mu).sum(1), weights
