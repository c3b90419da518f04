"""Reads the geometry of an open_clip image tower, or says in words why it cannot be decomposed exactly."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from toolkit.core.tower import Block, Pool, Tower
from toolkit.errors import InputError
from toolkit.models.adapted import HuggingFaceVisual, huggingface_tower
from toolkit.models.timm_towers import POST_NORM, output_layer, timm_tower
from toolkit.models.words import refuse

VIEWS = ("pool", "trunk")
"""Of a tower that ends in an attention pool: the pool's heads are the parts, or the trunk's, seen through it."""


def tower_of(clip: Any, view: str = "pool") -> Tower:
    """The tower of an open_clip model; nothing is copied. view: one of VIEWS.

    Raises UnsupportedModelError, naming the reason, for anything whose parts would not sum to the embedding exactly.
    """
    name = type(clip).__name__
    visual = getattr(clip, "visual", None)
    if visual is None:
        reason = "it has no image tower" if isinstance(clip, nn.Module) else "it is not a model"
        if hasattr(clip, "clip") and hasattr(clip, "card"):
            reason = "it is already wrapped"
        if hasattr(clip, "class_embedding") or hasattr(clip, "attnpool"):
            reason = "it is an image tower alone; pass the whole CLIP model"
        if isinstance(clip, str):
            reason = f"it is a name; use tk.load({clip!r}, pretrained=…)"
        if isinstance(clip, tuple | list):
            reason = f"it is {len(clip)} things; pass the model alone, as in tk.wrap(it[0], preprocess=it[-1])"
        if isinstance(clip, type):
            reason = "it is a class; pass a model of it"
        if isinstance(clip, nn.Module) and hasattr(clip, "token_embedding"):
            reason = "it is a text model without an open_clip image tower"
        raise refuse(name, reason)
    if not hasattr(visual, "image_size"):
        raise refuse(name, "its image tower does not say its image size, as open_clip's do")
    if not callable(getattr(clip, "encode_image", None)):
        raise refuse(name, "it has no encode_image")
    if isinstance(clip, torch.jit.ScriptModule):
        raise refuse(name, "it is compiled TorchScript, whose calls cannot be seen")
    try:
        return visual_tower(visual, name, view)
    except (AttributeError, TypeError) as error:
        raise refuse(name, f"its image tower is not built as the known ones are ({error})") from error


def visual_tower(visual: Any, name: str, view: str = "pool") -> Tower:
    """The tower of an image tower alone, as `tower_of`."""
    if hasattr(visual, "trunk") and type(visual).__name__ == "TimmModel":
        return timm_tower(visual, name, view)
    if view != "pool":
        raise refuse(f"the view {view!r} of {name}", "only towers that end in a SigLIP-like attention pool have one")
    if isinstance(visual, HuggingFaceVisual):
        return huggingface_tower(visual, name)
    if hasattr(visual, "attnpool") and hasattr(visual, "layer4"):
        return _resnet(visual)
    if hasattr(visual, "transformer") and hasattr(visual, "ln_post") and hasattr(visual, "class_embedding"):
        return _vit(visual, name)
    raise refuse(f"{name} with a {type(visual).__name__} image tower", "this kind of tower is not known")


def output_of(visual: Any) -> tuple[torch.Tensor, bool, torch.Tensor | None] | None:
    """The linear layer a tower ends in, to be written to: its weight, whether that is [d, w] rather than [w, d], and
    its bias; None for a tower that ends otherwise.
    """
    if isinstance(getattr(visual, "proj", None), torch.Tensor):
        return visual.proj, False, None
    last: Any = None
    if isinstance(visual, HuggingFaceVisual):
        last = visual.projection
    elif hasattr(visual, "attnpool"):
        last = visual.attnpool.c_proj
    elif hasattr(visual, "trunk"):
        last = output_layer(visual)
    return (last.weight, True, last.bias) if isinstance(last, nn.Linear) else None


def watched_place(visual: Any, layer: int, view: str = "pool") -> tuple[nn.Module, str]:
    """Where gradients of the embedding are not zero, and its name: the output of a layer's first norm (the output of
    the last layer itself gives zero maps: only its class token reaches the embedding); for the heads of an attention
    pool, what the pool reads.
    """
    if hasattr(visual, "layer4"):
        return visual.layer4, "stage 4"
    if hasattr(visual, "trunk"):
        if visual.trunk.global_pool == "map" and view == "pool":
            return visual.trunk.norm, "the norm before the pool"
        block = visual.trunk.blocks[layer]
        if type(block).__name__ in POST_NORM:
            place: nn.Module = visual.trunk.blocks[layer - 1] if layer else visual.trunk.norm_pre
            return place, f"the input of layer {layer}"
        return block.norm1, f"norm1 of layer {layer}"
    if isinstance(visual, HuggingFaceVisual):
        vision = getattr(visual.vision, "vision_model", visual.vision)
        return vision.encoder.layers[layer].layer_norm1, f"layer_norm1 of layer {layer}"
    return visual.transformer.resblocks[layer].ln_1, f"ln_1 of layer {layer}"


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
        reason = "CoCa's captioner: encode_image returns tokens beside the embedding"
        raise refuse(f"{name} with output_tokens=True", reason)
    layers = list(visual.transformer.resblocks)
    if not all(getattr(part, "batch_first", True) for part in (visual.transformer, *(b.attn for b in layers))):
        fix = "set visual.transformer.batch_first and every block.attn.batch_first to True; no weight or output changes"
        raise refuse(f"{name} with batch_first=False", "its layers take tokens before images", fix)
    if not layers:
        raise refuse(name, "its transformer has no layers")
    blocks = tuple(_block(block, i, name) for i, block in enumerate(layers))
    norm = visual.ln_post
    if not isinstance(norm, nn.LayerNorm) or norm.weight is None:
        raise refuse(f"{name} with {type(norm).__name__} as its last norm", "the readout is linear only for LayerNorm")
    named = [t for b in blocks for t in (b.out_weight, b.mlp_weight)] + [layers[0].ln_1.weight, norm.weight]
    if len({id(t) for t in named}) != len(named) or any(b.ln_1.weight is named[-2] for b in layers[1:]):
        raise refuse(name, "some of its layers share weights, so they cannot be told apart in a forward")
    heads = {int(getattr(block.attn, "num_heads", 0)) for block in layers}
    if len(heads) != 1 or heads == {0}:
        raise refuse(name, f"its layers have different numbers of heads ({sorted(heads)})")
    return Tower(blocks, heads.pop(), pool, layers[0].ln_1.weight, norm.weight, norm.bias, norm.eps, visual.proj)


def _block(block: Any, index: int, name: str) -> Block:
    where = f"{name}, layer {index} ({type(block).__name__})"
    for attribute in ("ln_1", "attn", "ln_2", "mlp"):
        if not hasattr(block, attribute):
            raise refuse(where, f"it has no {attribute}, so it is not a pre-norm block")
    if not isinstance(block.ln_1, nn.LayerNorm) or block.ln_1.weight is None:
        raise refuse(where, f"its first norm is a {type(block.ln_1).__name__} without weights of its own")
    for owner, attribute in ((block, "ln_attn"), (block.attn, "ln_inner")):
        if not isinstance(getattr(owner, attribute, nn.Identity()), nn.Identity):
            raise refuse(where, f"{attribute} normalises the heads together, so they are no sum")
    if getattr(block.attn, "bias_k", None) is not None or getattr(block.attn, "add_zero_attn", False):
        raise refuse(where, "its attention has extra keys")
    out, last = block.attn.out_proj, getattr(block.mlp, "c_proj", None)
    for what, module in (("attn.out_proj", out), ("mlp.c_proj", last)):
        if not isinstance(module, nn.Linear) or not isinstance(module.weight, torch.Tensor):
            raise refuse(where, f"its {what} is a {_kind(module)}, not a plain linear layer")
    after = [m for m in list(block.mlp.children())[::-1] if not isinstance(m, nn.Identity | nn.Dropout)][:1]
    if after != [last]:
        raise refuse(where, "something follows the last linear layer of its MLP")
    scales = [getattr(block, name, nn.Identity()) for name in ("ls_1", "ls_2")]
    for module in scales:
        if not isinstance(module, nn.Identity) and not isinstance(getattr(module, "gamma", None), torch.Tensor):
            raise refuse(where, f"a {type(module).__name__} stands where LayerScale is known")
    gammas = [getattr(module, "gamma", None) for module in scales]
    assert last is not None
    head_scale = getattr(block.attn, "head_scale", None)
    return Block(out.weight, out.bias, gammas[0], last.weight, gammas[1], block.ln_1.weight, head_scale)


def _kind(module: Any) -> str:
    """A module's class, with its file where the name alone says nothing (quantised layers are called Linear too)."""
    kind = type(module)
    return f"{kind.__module__}.{kind.__name__}" if kind.__name__ == "Linear" else kind.__name__


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
        if type(module).__name__ == "DropPath" and getattr(module, "drop_prob", None):
            return f"stochastic depth {name!r} (p = {module.drop_prob}) in training mode"
        if isinstance(module, nn.Dropout) and module.p > 0:
            return f"dropout {name!r} (p = {module.p}) in training mode"
        for rate in ("dropout", "attention_dropout", "attn_dropout"):
            p = getattr(module, rate, None)
            if isinstance(p, float) and p > 0:
                return f"dropout in {name!r} ({rate} = {p}) in training mode"
        if type(module).__name__.startswith("PatchDropout") and getattr(module, "prob", 0.0) > 0:
            return f"patch dropout (p = {module.prob}) in training mode"
    return None


def refuse_reruns(visual: Any, name: str) -> None:
    """Refuse gradients through layers that run a second time, unseen, when a gradient is taken."""
    if not torch.is_grad_enabled():
        return
    for module in visual.modules():
        if getattr(module, "grad_checkpointing", False) is True:
            given = f"{name!r} with gradient checkpointing"
            raise InputError("gradients", given, "layers that run once", "call clip.set_grad_checkpointing(False)")
        if getattr(module, "gradient_checkpointing", False) is True and module.training:
            given = f"{name!r} with gradient checkpointing, in training mode"
            raise InputError("gradients", given, "layers that run once", "call gradient_checkpointing_disable()")
