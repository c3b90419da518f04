"""Who looked where: attention rows and values of every head, read out of the model's own forward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.core.capture import Capture
from toolkit.core.pooling import pooled
from toolkit.core.tokens import Tokens
from toolkit.core.tower import Norm, Tower
from toolkit.errors import UnsupportedModelError

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""Largest relative difference between the mixes of a forward and those of its attention, by weight type."""


class AttentionCapture(Capture):
    """A capture that also keeps, by layer, the attention and the values [b, h, n, k] (times what the layer scales its
    heads by, so that attention @ values are the mixes).

    explicit=False: `attention` [b, h, n] is what reaches the pooled position (every patch's [b, h, patches, n] where
    the norm acts per token), beside the model's own kernel. explicit=True: the layer computes with `attention`
    [b, h, queries, n] itself, which is then part of the autograd graph; and `streams` holds what of the residual stream
    before every layer the pooling would read.
    """

    def __init__(
        self,
        tower: Tower,
        head_scale: Tensor | None = None,
        instead: Mapping[int, Tensor] | None = None,
        *,
        explicit: bool = False,
    ) -> None:
        super().__init__(tower, head_scale, instead)
        self._explicit = explicit
        self._last_mix: tuple[Tensor, Tensor] | None = None
        self._norms = {id(b.norm): i for i, b in enumerate(tower.blocks) if b.norm is not None}
        self.attention: dict[int, Tensor] = {}
        self.values: dict[int, Tensor] = {}
        self.streams: dict[int, Tensor] = {}

    def _reads(self, weight: Tensor, x: Tensor) -> None:
        super()._reads(weight, x)
        if self._explicit and id(weight) in self._norms:
            self.streams[self._norms[id(weight)]] = pooled(self._tower, x)

    def _divide(self, layer: int, norm: Norm | None, x: Tensor) -> None:
        super()._divide(layer, norm, x)
        if not self._explicit:  # so that attention @ values are the mixes as they are kept
            self.attention[layer] = self.attention[layer] * self._shrink[layer].to(self.attention[layer])[:, None, None]

    def _mix(self, q: Tensor, k: Tensor, v: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if bool(args) or any(kwargs.get(name) for name in ("is_causal", "dropout_p", "enable_gqa")):
            return super()._mix(q, k, v, *args, **kwargs)  # none of the layers' own, or seen to be missing below
        mask = kwargs.get("attn_mask")
        if mask is not None and mask.dtype == torch.bool:
            mask = torch.zeros(mask.shape).to(q).masked_fill(~mask, -torch.inf)
        scale = kwargs.get("scale") or q.shape[-1] ** -0.5
        if self._explicit:
            scores = q * scale @ k.transpose(-1, -2)
            weights = (scores if mask is None else scores + mask).softmax(-1)
            if torch.is_grad_enabled() and not weights.requires_grad:
                weights = weights.detach().requires_grad_()
            self._last_mix = weights, v
            return weights @ v
        wide = torch.promote_types(q.dtype, torch.float32)
        one = self._tower.pool in ("cls", "attention")
        asked = q[:, :, :1] if one else q
        scores = asked.to(wide) * scale @ k.to(wide).transpose(-1, -2)
        if mask is not None:
            scores = scores + (mask[..., :1, :] if one and mask.shape[-2] > 1 else mask)
        self._last_mix = pooled(self._tower, scores.softmax(-1), 2), v
        return super()._mix(q, k, v, *args, **kwargs)

    def _see(self, layer: int, mix: Tensor) -> Tensor:
        if self._last_mix is None:
            raise self._unseen(f"layer {layer}")
        rows, v = self._last_mix
        self._last_mix = None
        scale = self._tower.blocks[layer].head_scale
        if scale is not None:
            v = v * scale.to(v).view(1, -1, 1, 1)
        if self._scale is not None:
            v = v * self._scale[layer].to(v).view(1, -1, 1, 1)
        self.attention[layer], self.values[layer] = rows, v
        return super()._see(layer, mix)

    def embedding_after(self, layer: int, output: Tensor) -> Tensor:
        """[b, d]: the embedding read off the residual stream after a layer by the last norm and the projection; of the
        last layer, `output` itself.
        """
        tower = self._tower
        if layer == len(tower.blocks) - 1:
            return output
        assert tower.norm_weight is not None
        bias = None if tower.norm_bias is None else tower.norm_bias.detach()
        z = self.streams[layer + 1]
        z = F.layer_norm(z, z.shape[-1:], tower.norm_weight.detach(), bias, tower.eps)
        z = z.mean(1) if z.ndim == 3 else z
        z = z if tower.proj is None else z @ tower.proj.detach()
        return z if tower.proj_bias is None else z + tower.proj_bias.detach()

    def _unseen(self, where: str) -> UnsupportedModelError:
        return UnsupportedModelError(
            "token_map",
            f"a forward whose attention in {where} could not be seen",
            "layers that attend by scaled dot products",
            "use the original open_clip model, in eval mode",
        )

    def tokens(self, output: Tensor) -> Tokens:
        """The forward that returned `output` [b, d], token by token. Raises UnsupportedModelError where the attention
        seen does not give the mixes the model made.
        """
        trace = self.trace(output)
        layers, dtype = range(len(self._tower.blocks)), trace.mixes.dtype
        rows = torch.stack([self.attention[i].to(dtype) for i in layers], 1)
        values = torch.stack([self.values[i].to(dtype) for i in layers], 1)
        if rows.ndim == 5:  # [b, l, h, patches, n]: the tokens are weighed after the layers
            weights = self._scales(output, dtype).weights
            assert weights is not None
            if weights.ndim == 2:
                rows = torch.einsum("bq,blhqn->blhn", weights, rows)
            else:  # a frozen pool reads p weighted sums: their attention goes into the values
                values = torch.einsum("bpq,blhqn,blhnk->blhnpk", weights, rows, values).flatten(4)
                rows = torch.ones_like(values[..., 0])
        found = (rows[..., None, :] @ values)[..., 0, :]
        if self._instead == {} and len(found):
            off = float((found - trace.mixes).norm() / trace.mixes.norm().clamp_min(1e-30))
            if not off <= TOLERANCE[output.dtype]:
                raise self._unseen(f"some layer (its mixes are off by {off:.1e})")
        return Tokens(rows, values, trace)
