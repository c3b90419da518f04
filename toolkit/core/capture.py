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

from toolkit.core.pooling import Scales, bias_writes, pooled, scales, spread, weighed
from toolkit.core.tower import Norm, Tower
from toolkit.errors import UnsupportedModelError

_MHA = inspect.signature(F.multi_head_attention_forward)
_PRODUCTS = (torch.matmul, torch.mm, Tensor.matmul, Tensor.mm, Tensor.__matmul__)


@dataclass(frozen=True)
class Trace:
    """What one forward wrote into the pooled residual stream; float32 (float64 for a float64 model).

    mixes [b, l, h, k]: every head's mix Σ_n a_n v_n before the output projection, divided by the scale of every norm
    that stands between the head and the stream. terms [b, m, w]: the embedding term (0) and every MLP's output; none
    of them for a tower without a residual stream. sigma, mu [b]: scale and mean of the last LayerNorm (1 and 0 where
    there is none). output [b, d]: the embedding as the model returned it. biases [b, l, w]: what the biases of the
    attention wrote, where that is not the same for all images. tail [b, w']: the output of the MLP of a frozen pool.
    pooled [b, w'']: what the model multiplied by its projection (where it has none, the output); None where the forward
    did not use the projection the tower names.

    Where the norm acts per token before the mean over tokens, every token is weighted by σ/(N σ_n), 1/σ = mean 1/σ_n,
    so that the same formulas hold (G24 §3, applied token by token). A frozen attention pool of p heads weighs them by
    its attention and its norm, p times side by side: k and w are then p times as long.
    """

    mixes: Tensor
    terms: Tensor
    sigma: Tensor
    mu: Tensor
    output: Tensor
    biases: Tensor | None = None
    tail: Tensor | None = None
    pooled: Tensor | None = None


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
        reader = tower.reader
        self._attention = {id(b.out_weight): i for i, b in enumerate(tower.blocks)}
        self._mlp = {id(b.mlp_weight): i for i, b in enumerate(tower.blocks) if b.mlp_weight is not None}
        self._inner = {id(b.inner.weight): i for i, b in enumerate(tower.blocks) if b.inner is not None}
        self._after = {id(b.after.weight): i for i, b in enumerate(tower.blocks) if b.after is not None}
        self._read = (id(reader.out_weight), id(reader.mlp_weight)) if reader is not None else (0, 0)
        self._final = tower.norm_weight if reader is None else reader.norm.weight
        self._mixes: dict[int, Tensor] = {}
        self._mlps: dict[int, Tensor] = {}
        self._shrink: dict[int, Tensor] = {}
        self._first: Tensor | None = None
        self._last: Tensor | None = None
        self._asked: tuple[Tensor, Tensor, float | None] | None = None
        self._rows: Tensor | None = None
        self._tail: Tensor | None = None
        self._pooled: Tensor | None = None

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in (F.linear, F.layer_norm):
            args = (kwargs.pop("input"),) if "input" in kwargs else args
            return (self._linear if func is F.linear else self._norm)(args, kwargs)
        if func in _PRODUCTS and len(args) == 2:
            self._projects(*args)
        if func is F.scaled_dot_product_attention:
            return self._mix(*args, **kwargs)
        if func is F.multi_head_attention_forward:
            call = _MHA.bind(*args, **kwargs)
            layer = self._attention.get(id(call.arguments["out_proj_weight"]))
            if layer is not None:
                call.apply_defaults()
                return self._attend(layer, call.arguments)
        return func(*args, **kwargs)

    def _norm(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        weight = kwargs.get("weight", args[2] if len(args) > 2 else None)
        layer = self._inner.get(id(weight))
        if layer is not None:
            x = self._see(layer, self._apart(args[0])).transpose(1, 2).flatten(2)
            self._divide(layer, self._tower.blocks[layer].inner, x)
            args = (x, *args[1:])
        elif weight is not None:
            self._reads(weight, args[0])
        out = F.layer_norm(*args, **kwargs)
        if id(weight) in self._after:
            layer = self._after[id(weight)]
            self._divide(layer, self._tower.blocks[layer].after, args[0])
        elif id(weight) in self._mlp:
            self._mlps[self._mlp[id(weight)]] = pooled(self._tower, out)
        return out

    def _reads(self, weight: Tensor, x: Tensor) -> None:
        """A call that takes x: keep it where it is the residual stream before the first layer or after the last."""
        if weight is self._tower.first_norm:
            self._first = pooled(self._tower, x)
        elif weight is self._final:
            self._last = pooled(self._tower, x) if x.ndim == 3 else x

    def _projects(self, x: Tensor, weight: Tensor) -> None:
        """A product: keep x where the weight is the projection, which a tower may name as a transpose of it."""
        proj = self._tower.proj
        if proj is not None and x.ndim == 2 and weight.numel() == proj.numel() and _same_place(weight, proj):
            self._pooled = x.detach().clone()

    def _divide(self, layer: int, norm: Norm | None, x: Tensor) -> None:
        """Divide what was kept of a layer's mixes by the scale of a norm whose input is x [b, n, …]."""
        assert norm is not None
        wide = x[:, 0].to(torch.promote_types(x.dtype, torch.float32))
        shrink = 1 / spread(wide, norm.eps)
        self._mixes[layer] = self._mixes[layer] * shrink[:, None]
        self._shrink[layer] = shrink

    def _linear(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        weight = args[1] if len(args) > 1 else kwargs["weight"]
        layer = self._attention.get(id(weight))
        if layer is not None and self._tower.blocks[layer].inner is None:  # heads that were not seen at a norm
            x = self._see(layer, self._apart(args[0])).transpose(1, 2).flatten(2)
            return F.linear(x, *args[1:], **kwargs)
        self._reads(weight, args[0])
        self._projects(args[0], weight)
        if id(weight) == self._read[0]:
            self._rows = self._frozen_rows()
        out = F.linear(*args, **kwargs)
        layer = self._mlp.get(id(weight))
        if layer is not None:
            self._mlps[layer] = pooled(self._tower, out)
        elif id(weight) == self._read[1]:
            self._tail = out[:, 0].clone()
        return out

    def _apart(self, x: Tensor) -> Tensor:
        """[b, h, n, k] of the heads side by side [b, n, h · k]."""
        return x.unflatten(-1, (self._tower.heads, -1)).transpose(1, 2)

    def _frozen_rows(self) -> Tensor | None:
        """[b, p, n]: attention of the pool's query to every token, from what its attention was last asked."""
        if self._asked is None:
            return None
        q, k, scale = self._asked
        wide = torch.promote_types(q.dtype, torch.float32)
        scores = q[:, :, :1].to(wide) * (scale or q.shape[-1] ** -0.5) @ k.to(wide).transpose(-1, -2)
        return scores.softmax(-1)[:, :, 0]

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
        if self._tower.reader is not None:
            plain = not args and kwargs.get("attn_mask") is None
            self._asked = (q, k, kwargs.get("scale")) if plain else None
        return F.scaled_dot_product_attention(q, k, v, *args, **kwargs)

    def _see(self, layer: int, mix: Tensor) -> Tensor:
        """Scale the heads if asked, and keep what the pooled position gets of them. mix [b, h, n, k]."""
        self._asked = None  # what was asked for this layer is not the pool's
        if layer in self._whole:
            self.mixes_of[layer] = mix.detach()
        if self._scale is not None:
            scale = self._scale[layer].to(mix).view(1, -1, 1, 1)
            mix = mix * scale
            if layer in self._instead:
                mix = mix + (1 - scale) * self._instead[layer].to(mix)
        kept = pooled(self._tower, mix, 2)
        self._mixes[layer] = kept.flatten(1) if kept.ndim == 3 else kept.transpose(1, 2).flatten(2)
        return mix

    def trace(self, output: Tensor) -> Trace:
        """The trace of the forward that returned `output` [b, d].

        Raises UnsupportedModelError when the forward did not go through the tensors the tower names.
        """
        tower, dtype = self._tower, torch.promote_types(output.dtype, torch.float32)
        missing = [f"attention of layer {i}" for i in self._attention.values() if i not in self._mixes]
        missing += [f"MLP of layer {i}" for i in self._mlp.values() if i not in self._mlps]
        missing += ["the embedding term"] if tower.first_norm is not None and self._first is None else []
        missing += ["the last LayerNorm"] if self._final is not None and self._last is None else []
        missing += ["the attention pool"] if tower.reader is not None and self._rows is None else []
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise UnsupportedModelError(
                "decompose",
                f"a forward in which {', '.join(missing[:3])}{more} could not be seen",
                "an image tower that runs its own layers as plain torch calls",
                "pass the original open_clip model, not a compiled, traced, quantised or re-parametrised one",
            )
        own = self._scales(output, dtype)
        mixes = torch.stack([self._mixes[i] for i in range(len(tower.blocks))], -2).to(dtype)
        biases = bias_writes(tower, own.weights, self._shrink, dtype)
        tail = None if self._tail is None else self._tail.to(dtype)
        last = output if tower.proj is None else self._pooled
        return Trace(
            weighed(mixes, own.weights, tower.heads), self._terms(dtype, own.weights, mixes), own.sigma, own.mu,
            output.to(dtype), biases, tail, None if last is None else last.to(dtype),
        )  # fmt: skip

    def _terms(self, dtype: torch.dtype, weights: Tensor | None, like: Tensor) -> Tensor:
        terms = [] if self._first is None else [self._first.to(dtype)]
        for i, block in enumerate(self._tower.blocks):
            if i in self._mlps:
                out = self._mlps[i].to(dtype)
                terms.append(out if block.mlp_scale is None else out * block.mlp_scale.detach().to(dtype))
        if not terms:
            return like.new_zeros(len(like), 0, self._tower.width)
        return weighed(torch.stack(terms, -2), weights)[:, :, 0]

    def _scales(self, output: Tensor, dtype: torch.dtype) -> Scales:
        return scales(self._tower, self._last, self._rows, output, dtype)


def _same_place(a: Tensor, b: Tensor) -> bool:
    return a.data_ptr() == b.data_ptr() and a.device == b.device
