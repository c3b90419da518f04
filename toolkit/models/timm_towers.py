"""Reads the geometry of a timm image tower inside an open_clip model: plain ViT, EVA, SigLIP, PE, average pools."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from toolkit.core.tower import Block, Norm, Pool, Reader, Tower
from toolkit.models.words import refuse

PRE_NORM = ("Block", "EvaBlock", "RelPosBlock")
POST_NORM = ("EvaBlockPostNorm",)
OTHERS = {
    "ConvNeXt": "a convolutional network, which has no attention heads",
    "FastVit": "a hybrid of convolutions and attention in stages; its blocks write into feature maps, not one stream",
    "SwinTransformer": "windows of attention in stages of growing width, so there is no one residual stream",
}
"""Why towers of other kinds are no sum over heads, by class name."""


def timm_tower(visual: Any, name: str, view: str = "pool") -> Tower:
    """The tower of an open_clip `TimmModel`. Raises UnsupportedModelError, with the reason."""
    trunk = visual.trunk
    kind = type(trunk).__name__
    where = f"{name} with a timm {kind} as its image tower"
    if kind in OTHERS:
        raise refuse(where, OTHERS[kind])
    if not isinstance(getattr(trunk, "blocks", None), nn.Sequential | nn.ModuleList) or not len(trunk.blocks):
        raise refuse(where, "it is not one row of transformer blocks")
    if not isinstance(getattr(getattr(trunk, "patch_embed", None), "grid_size", None), tuple):
        raise refuse(where, "it does not say its grid of patches")
    if not all(isinstance(getattr(trunk, name, None), nn.Module) for name in ("norm", "fc_norm", "head")):
        raise refuse(where, "what follows its blocks is not known")
    if isinstance(getattr(trunk, "head_dist", None), nn.Module):
        raise refuse(where, "it averages two outputs")
    blocks = tuple(_block(block, f"{where}, layer {i}") for i, block in enumerate(trunk.blocks))
    named = [t for b in blocks for t in (b.out_weight, b.mlp_weight, b.norm)]
    named += [norm.weight for b in blocks for norm in (b.inner, b.after) if norm is not None]
    if len({id(t) for t in named}) != len(named):
        raise refuse(where, "some of its layers share weights, so they cannot be told apart in a forward")
    heads = {int(block.attn.num_heads) for block in trunk.blocks}
    if len(heads) != 1:
        raise refuse(where, f"its layers have different numbers of heads ({sorted(heads)})")
    if trunk.global_pool == "map":
        return _pooled_by_attention(visual, blocks, heads.pop(), where, view)
    if view != "pool":
        raise refuse(f"the view {view!r} of {where}", "only an attention pool has a second view")
    pool, norm = _pool(trunk, where)
    proj, bias = _projection(visual, where)
    return Tower(
        blocks, heads.pop(), pool, blocks[0].norm, norm.weight, norm.bias, norm.eps, proj, bias,
        int(trunk.num_prefix_tokens),
    )  # fmt: skip


def _block(block: Any, where: str) -> Block:
    kind = type(block).__name__
    where = f"{where} ({kind})"
    if kind not in PRE_NORM + POST_NORM:
        raise refuse(where, f"only blocks of the kinds {', '.join(PRE_NORM + POST_NORM)} are known")
    attn = block.attn
    out, last = getattr(attn, "proj", None), getattr(block.mlp, "fc2", getattr(block.mlp, "w2", None))
    for what, module in (("attn.proj", out), ("mlp.fc2 (w2)", last)):
        if not isinstance(module, nn.Linear):
            raise refuse(where, f"its {what} is a {type(module).__name__}, not a plain linear layer")
    if getattr(attn, "gate", None) is not None:
        raise refuse(where, "its heads are gated by the token they are written to")
    if getattr(attn, "num_kv_heads", attn.num_heads) != attn.num_heads:
        raise refuse(where, "its heads share keys and values")
    assert out is not None
    assert last is not None
    own = getattr(attn, "norm", nn.Identity())
    inner = None if isinstance(own, nn.Identity) else _norm(own, f"{where}: its attention")
    scales = [_layer_scale(block, i, where) for i in (1, 2)]
    norm1, norm2 = _norm(block.norm1, where), _norm(block.norm2, where)
    if kind in POST_NORM:
        first = attn.qkv if attn.qkv is not None else attn.q_proj
        return Block(out.weight, out.bias, None, norm2.weight, None, first.weight, None, inner, norm1)
    return Block(out.weight, out.bias, scales[0], last.weight, scales[1], norm1.weight, None, inner)


def _norm(module: Any, where: str) -> Norm:
    if not isinstance(module, nn.LayerNorm) or module.weight is None:
        raise refuse(where, f"a {type(module).__name__} stands where a LayerNorm with weights is known")
    return Norm(module.weight, module.bias, float(module.eps))


def _layer_scale(block: Any, index: int, where: str) -> Tensor | None:
    own = getattr(block, f"gamma_{index}", None)
    module = getattr(block, f"ls{index}", nn.Identity())
    if isinstance(own, Tensor) or isinstance(module, nn.Identity):
        return own
    gamma = getattr(module, "gamma", None)
    if not isinstance(gamma, Tensor):
        raise refuse(where, f"a {type(module).__name__} stands where LayerScale is known")
    return gamma


def _pool(trunk: Any, where: str) -> tuple[Pool, Norm]:
    norms = [m for m in (trunk.norm, trunk.fc_norm) if not isinstance(m, nn.Identity)]
    if len(norms) != 1:
        raise refuse(where, f"{len(norms)} norms around its pooling, where one is known")
    before = norms[0] is trunk.norm
    if getattr(trunk, "pool_include_prefix", False):
        raise refuse(where, "its mean includes the class token")
    if trunk.global_pool == "token":
        return "cls", _norm(norms[0], where)
    if trunk.global_pool != "avg":
        raise refuse(where, f"it pools by {trunk.global_pool!r}")
    if any(type(b).__name__ in POST_NORM or not isinstance(_inner(b), nn.Identity) for b in trunk.blocks):
        raise refuse(where, "norms inside the blocks act on every token, before the mean")
    return ("norm_then_mean" if before else "mean_then_norm"), _norm(norms[0], where)


def _inner(block: Any) -> Any:
    return getattr(block.attn, "norm", nn.Identity())


def _projection(visual: Any, where: str) -> tuple[Tensor | None, Tensor | None]:
    """The one linear layer behind the pool, as [w, d] and [d]."""
    linear = output_layer(visual)
    if linear is None:
        return None, None
    if not isinstance(linear, nn.Linear):
        raise refuse(where, f"it ends in a {type(linear).__name__}, not in one linear layer")
    return linear.weight.T, linear.bias


def output_layer(visual: Any) -> nn.Module | None:
    """What stands behind the pool of a `TimmModel`: the last linear layer, another module, or None."""
    modules = [m for m in (visual.trunk.head, *visual.head.children()) if not isinstance(m, nn.Identity | nn.Dropout)]
    return None if not modules else modules[0] if len(modules) == 1 else nn.Sequential(*modules)


def _pooled_by_attention(visual: Any, blocks: tuple[Block, ...], heads: int, where: str, view: str) -> Tower:
    trunk, pool = visual.trunk, visual.trunk.attn_pool
    if type(pool).__name__ != "AttentionPoolLatent":
        raise refuse(where, f"it pools by a {type(pool).__name__}")
    if pool.latent_len != 1 or pool.pool not in ("token", "avg") or pool.pos_embed is not None:
        raise refuse(where, "its attention pool has several queries or positions of its own")
    if not isinstance(trunk.fc_norm, nn.Identity) or pool.mlp is None:
        raise refuse(where, "what follows its attention pool is not known")
    proj, bias = _projection(visual, where)
    prefix, last = int(trunk.num_prefix_tokens), pool.mlp.fc2.weight
    if view == "pool":
        prefix = 0 if getattr(trunk, "pool_include_prefix", None) is False else prefix  # tokens that it does not see
        own = Block(pool.proj.weight, pool.proj.bias, None, last)
        return Tower((own,), int(pool.num_heads), "attention", None, None, None, 0.0, proj, bias, prefix)
    if any(block.after is not None or block.inner is not None for block in blocks):
        raise refuse(where, "norms inside the blocks act on every token, before the pool")
    value, value_bias = pool.kv.weight.chunk(2)[1], None if pool.kv.bias is None else pool.kv.bias.chunk(2)[1]
    norm = _norm(trunk.norm, where)
    reader = Reader(norm, value, value_bias, pool.proj.weight, pool.proj.bias, int(pool.num_heads), last)
    return Tower(
        blocks, heads, "attention_trunk", blocks[0].norm, None, None, 0.0, proj, bias, prefix, reader
    )  # fmt: skip
