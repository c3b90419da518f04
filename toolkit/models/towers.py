"""Reads the geometry of an open_clip image tower, or says in words why it cannot be decomposed exactly."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from toolkit.core.tower import Block, Pool, Tower
from toolkit.errors import UnsupportedModelError

SUPPORTED = "open_clip models with a plain ViT image tower (class token or average pooling) or a ModifiedResNet"


def refuse(given: str, reason: str) -> UnsupportedModelError:
    """The error for a model whose embedding is not the sum this toolkit computes."""
    return UnsupportedModelError(
        "wrap", f"{given}: {reason}", SUPPORTED, "choose one of these; `tk.load()` gives the built-in model"
    )


def tower_of(clip: Any) -> Tower:
    """The tower of an open_clip model; nothing is copied.

    Raises UnsupportedModelError, naming the reason, for anything whose parts would not sum to the embedding exactly.
    """
    name = type(clip).__name__
    visual = getattr(clip, "visual", None)
    if visual is None:
        reason = "it has no image tower" if isinstance(clip, nn.Module) else "it is not a model"
        if isinstance(clip, nn.Module) and (hasattr(clip, "token_embedding") or hasattr(clip, "get_text_features")):
            reason = "it is a text model without an open_clip image tower"
        raise refuse(name, reason)
    if not callable(getattr(clip, "encode_image", None)):
        raise refuse(name, "it has no encode_image")
    if isinstance(clip, torch.jit.ScriptModule):
        raise refuse(name, "it is compiled TorchScript, whose calls cannot be seen")
    if hasattr(visual, "attnpool") and hasattr(visual, "layer4"):
        return _resnet(visual)
    if hasattr(visual, "transformer") and hasattr(visual, "ln_post") and hasattr(visual, "class_embedding"):
        return _vit(visual, name)
    kind = type(visual).__name__
    if kind == "TimmModel":
        raise refuse(
            f"{name} with a timm image tower ({type(getattr(visual, 'trunk', None)).__name__})",
            "timm towers are not supported yet",
        )
    raise refuse(f"{name} with a {kind} image tower", "this kind of tower is not known")


def _vit(visual: Any, name: str) -> Tower:
    if getattr(visual, "attn_pool", None) is not None:
        raise refuse(f"{name} with attentional pooling", "CoCa-style poolers are not supported")
    pools: dict[tuple[str, bool], Pool] = {
        ("tok", False): "cls", ("tok", True): "cls", ("avg", True): "mean_then_norm", ("avg", False): "norm_then_mean"
    }  # fmt: skip
    pool = pools.get((getattr(visual, "pool_type", "tok"), bool(getattr(visual, "final_ln_after_pool", False))))
    if pool is None:
        raise refuse(f"{name} with pool_type={visual.pool_type!r}", "only class-token and average pooling are exact")
    if getattr(visual, "output_tokens", False):
        raise refuse(f"{name} with output_tokens=True", "encode_image returns tokens beside the embedding")
    layers = list(visual.transformer.resblocks)
    if not layers:
        raise refuse(name, "its transformer has no layers")
    blocks = tuple(_block(block, i, name) for i, block in enumerate(layers))
    norm = visual.ln_post
    if not isinstance(norm, nn.LayerNorm) or norm.weight is None:
        raise refuse(f"{name} with {type(norm).__name__} as its last norm", "the readout is linear only for LayerNorm")
    heads = {int(getattr(block.attn, "num_heads", 0)) for block in layers}
    if len(heads) != 1 or heads == {0}:
        raise refuse(name, f"its layers have different numbers of heads ({sorted(heads)})")
    return Tower(blocks, heads.pop(), pool, layers[0].ln_1.weight, norm.weight, norm.bias, norm.eps, visual.proj)


def _block(block: Any, index: int, name: str) -> Block:
    where = f"{name}, layer {index} ({type(block).__name__})"
    for attribute in ("ln_1", "attn", "ln_2", "mlp"):
        if not hasattr(block, attribute):
            raise refuse(where, f"it has no {attribute}, so it is not a pre-norm block")
    if not isinstance(block.ln_1, nn.LayerNorm):
        raise refuse(where, f"its first norm is a {type(block.ln_1).__name__}")
    for owner, attribute in ((block, "ln_attn"), (block.attn, "ln_inner")):
        if not isinstance(getattr(owner, attribute, nn.Identity()), nn.Identity):
            raise refuse(where, f"{attribute} normalises the heads together, so they are no sum")
    if getattr(block.attn, "bias_k", None) is not None or getattr(block.attn, "add_zero_attn", False):
        raise refuse(where, "its attention has extra keys")
    out, last = block.attn.out_proj, getattr(block.mlp, "c_proj", None)
    if last is None or not hasattr(last, "weight") or not hasattr(out, "weight"):
        raise refuse(where, "its output projections are not plain linear layers")
    scales = [getattr(getattr(block, s, None), "gamma", None) for s in ("ls_1", "ls_2")]
    return Block(out.weight, out.bias, scales[0], last.weight, scales[1])


def _resnet(visual: Any) -> Tower:
    pool = visual.attnpool
    if pool is None or not hasattr(pool, "c_proj"):
        raise refuse("a ResNet tower without attention pooling", "it has no heads")
    block = Block(pool.c_proj.weight, pool.c_proj.bias)
    return Tower((block,), int(pool.num_heads), "attention", None, None, None, 0.0, None)


def training_state(visual: Any) -> str | None:
    """Why a tower in its present mode does not give repeatable embeddings, or None."""
    for name, module in visual.named_modules():
        if not module.training:
            continue
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            return f"batch norm {name!r} in training mode, which changes with every batch"
        if isinstance(module, nn.Dropout) and module.p > 0:
            return f"dropout {name!r} (p = {module.p}) in training mode"
        if type(module).__name__ == "PatchDropout" and getattr(module, "prob", 0) > 0:
            return f"patch dropout (p = {module.prob}) in training mode"
    return None
