"""Tiny random models of every timm family, a live CLIPModel, and a slow decomposition of their embeddings."""

from __future__ import annotations

from typing import Any

import families
import torch
from open_clip.timm_model import TimmModel
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from timm.models.vision_transformer_relpos import VisionTransformerRelPos
from torch import Tensor, nn

VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 64, "depth": 3, "num_heads": 4}
EVA = {**VIT, "use_abs_pos_emb": True, "mlp_ratio": 2.0}
ROPE = {"use_rot_pos_emb": True, "ref_feat_shape": (4, 4)}
MAP = {"class_token": False, "global_pool": "map", "num_classes": 0}
TIMM: dict[str, tuple[type, dict[str, Any]]] = {
    "timm-vit": (VisionTransformer, {"pre_norm": True, "num_classes": 48}),
    "timm-registers": (VisionTransformer, {"reg_tokens": 3, "num_classes": 48, "init_values": 0.4}),
    "timm-average-of-normed": (
        VisionTransformer, {"class_token": False, "global_pool": "avg", "fc_norm": False, "init_values": 0.3},
    ),
    "timm-average": (VisionTransformer, {"global_pool": "avg", "num_classes": 48}),
    "timm-inner-norm": (VisionTransformer, {"scale_attn_norm": True, "num_classes": 48}),
    "relpos": (VisionTransformerRelPos, {"class_token": True, "global_pool": "token", "init_values": 0.3}),
    "eva01": (Eva, {"global_pool": "token", "num_classes": 48, "init_values": 0.5}),
    "eva02": (
        Eva,
        {"global_pool": "token", "num_classes": 48, "swiglu_mlp": True, "scale_mlp": True, "scale_attn_inner": True,
         "qkv_fused": False, **ROPE},
    ),
    "eva02-post-norm": (Eva, {"global_pool": "token", "num_classes": 48, "use_post_norm": True}),
    "siglip": (VisionTransformer, MAP),
    "siglip-registers": (VisionTransformer, {**MAP, "reg_tokens": 2}),
    "pe": (
        Eva,
        {"global_pool": "map", "num_classes": 48, "attn_type": "rope", "use_pre_transformer_norm": True,
         "rope_grid_offset": 1.0, **ROPE},
    ),
}  # fmt: skip
POOLED = ("siglip", "siglip-registers", "pe")
"""Families with an attention pool, of which there are two views."""
PLAIN = tuple(name for name in TIMM if name not in POOLED)


def build(family: str, dtype: torch.dtype = torch.float32, seed: int = 0) -> Any:
    """A tiny open_clip CLIP around a timm tower, in eval mode; its norms, biases and scales are all random."""
    if family == "huggingface":
        return huggingface(dtype, seed)
    kind, options = TIMM[family]
    clip = families.build("vit", seed=seed)
    torch.manual_seed(seed + 1)
    base = EVA if kind is Eva else VIT
    if kind is VisionTransformerRelPos:
        base = {**base, "mlp_ratio": 2.0}
    tower = around(kind, **{**base, "num_classes": 0, **options})
    if not options.get("num_classes") and not family.startswith("siglip"):
        tower.head = nn.Sequential(nn.Dropout(0.0), nn.Linear(64, 48, bias=False))
    for name, p in tower.named_parameters():
        p.data.normal_(0.3 if p.ndim < 2 else 0.0, 0.4 if p.ndim < 2 else 0.15)
        if name.endswith("latent"):
            p.data.normal_(0, 1)
    if family.startswith("siglip"):
        clip.text_projection = nn.Parameter(torch.randn(32, 64))
    clip.visual = tower
    return clip.eval().to(dtype)


def around(make: Any, *names: str, **options: Any) -> Any:
    """A trunk inside open_clip's TimmModel; one that is made by name has no memory."""
    with torch.device("meta" if names else "cpu"):
        trunk = make(*names, **options)
    tower = TimmModel.__new__(TimmModel)
    nn.Module.__init__(tower)
    tower.image_size, tower.trunk, tower.head = (32, 32), trunk, nn.Sequential()
    return tower


def huggingface(dtype: torch.dtype = torch.float32, seed: int = 0, **config: Any) -> Any:
    """A tiny random CLIPModel of the transformers library."""
    import transformers

    torch.manual_seed(seed)
    vision = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
              "image_size": 32, "patch_size": 8}  # fmt: skip
    text = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
            "vocab_size": 50, "max_position_embeddings": 8, "eos_token_id": 49, "bos_token_id": 48}  # fmt: skip
    made = transformers.CLIPModel(
        transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=48, **config)
    ).eval()
    for name, p in made.named_parameters():
        if p.ndim <= 1 and "logit" not in name:
            p.data.normal_(0.4, 0.5)
    return made.to(dtype)


def pictures(n: int, dtype: torch.dtype = torch.float32, seed: int = 1) -> Tensor:
    """Random preprocessed images."""
    return torch.randn(n, 3, 32, 32, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


class Seen:
    """What went into and out of modules in one forward, by name."""

    def __init__(self, model: nn.Module, images: Tensor, run: Any) -> None:
        self.given: dict[str, Tensor] = {}
        self.made: dict[str, Tensor] = {}
        handles = [module.register_forward_hook(self._keep(name)) for name, module in model.named_modules()]
        with torch.no_grad():
            self.output = run(images)
        for handle in handles:
            handle.remove()

    def _keep(self, name: str) -> Any:
        def hook(_module: Any, given: Any, made: Any) -> None:
            if given and isinstance(given[0], Tensor):
                self.given[name] = given[0].detach()
            if isinstance(made, Tensor):
                self.made[name] = made.detach()

        return hook


def normed(x: Tensor, norm: Any, whole: Tensor, *, bias: bool = False) -> Tensor:
    """A part x through a LayerNorm whose scale is that of the whole; its bias only where asked."""
    sigma = (whole.var(-1, correction=0, keepdim=True) + norm.eps).sqrt()
    out = (x - x.mean(-1, keepdim=True)) / sigma * norm.weight
    return out + norm.bias if bias else out


def literal(clip: Any, images: Tensor, view: str = "pool") -> dict[str, Tensor]:
    """Heads, MLPs, biases and constant of a timm tower, unit scale, one head at a time: the formulas of methods §1 on
    the inputs and outputs of the modules of a plain forward.
    """
    trunk = clip.visual.trunk
    seen = Seen(trunk, images, clip.encode_image)
    if trunk.global_pool == "map" and view == "pool":
        parts = _pool_parts(clip, seen)
    else:
        parts = _trunk_parts(clip, seen)
    norm = seen.output.norm(dim=-1)
    return {name: t / norm.view(-1, *[1] * (t.ndim - 1)) for name, t in parts.items()} | {"output": seen.output}


def _out(clip: Any, x: Tensor, *, bias: bool = False) -> Tensor:
    for layer in (clip.visual.trunk.head, *clip.visual.head):
        if isinstance(layer, nn.Linear):
            x = x @ layer.weight.T
            x = x + layer.bias if bias and layer.bias is not None else x
    return x


def _pool_parts(clip: Any, seen: Seen) -> dict[str, Tensor]:
    pool = clip.visual.trunk.attn_pool
    x, heads = seen.given["attn_pool.proj"][:, 0], pool.num_heads
    k = x.shape[-1] // heads
    each = [x[:, h * k : (h + 1) * k] @ pool.proj.weight[:, h * k : (h + 1) * k].T for h in range(heads)]
    zero = torch.zeros_like(each[0])
    return {
        "heads": _out(clip, torch.stack(each, 1))[:, None],
        "mlps": _out(clip, seen.made["attn_pool.mlp"])[:, :1],
        "biases": _out(clip, zero + pool.proj.bias)[:, None],
        "constant": _out(clip, zero, bias=True),
    }


def _stream(clip: Any, seen: Seen) -> dict[tuple[str, int], Tensor]:
    """What every head, bias and MLP wrote into every token [b, n, w]."""
    found: dict[tuple[str, int], Tensor] = {}
    trunk = clip.visual.trunk
    post = type(trunk.blocks[0]).__name__.endswith("PostNorm")
    first = "blocks.0.attn" if post else "blocks.0.norm1"
    found["embedding", 0] = seen.given[first] if post else seen.given["blocks.0.norm1"]
    for i, block in enumerate(trunk.blocks):
        at, heads = f"blocks.{i}.attn", block.attn.num_heads
        inner = getattr(block.attn, "norm", nn.Identity())
        has_inner = not isinstance(inner, nn.Identity)
        whole = seen.given[f"{at}.norm"] if has_inner else seen.given[f"{at}.proj"]
        k = whole.shape[-1] // heads
        weight, bias = block.attn.proj.weight, block.attn.proj.bias
        writes = []
        for h in range(heads):
            own = torch.zeros_like(whole)
            own[..., h * k : (h + 1) * k] = whole[..., h * k : (h + 1) * k]
            own = normed(own, inner, whole) if has_inner else own
            writes.append(own @ weight.T)
        rest = (inner.bias @ weight.T if has_inner else 0) + bias + torch.zeros_like(writes[0])
        writes.append(rest)
        if post:
            total = seen.given[f"blocks.{i}.norm1"]
            writes = [normed(w, block.norm1, total) for w in writes]
            writes[-1] = writes[-1] + block.norm1.bias
        for name in ("gamma_1", "ls1"):
            scale = getattr(block, name, None)
            scale = getattr(scale, "gamma", scale)
            if isinstance(scale, Tensor):
                writes = [w * scale for w in writes]
        for h in range(heads):
            found[f"head {h}", i] = writes[h]
        found["bias", i] = writes[-1]
        mlp = seen.made[f"blocks.{i}.norm2"] if post else seen.made[f"blocks.{i}.mlp"]
        for name in ("gamma_2", "ls2"):
            scale = getattr(block, name, None)
            scale = getattr(scale, "gamma", scale)
            mlp = mlp * scale if isinstance(scale, Tensor) else mlp
        found["mlp", i] = mlp
    return found


def _trunk_parts(clip: Any, seen: Seen) -> dict[str, Tensor]:
    trunk, stream = clip.visual.trunk, _stream(clip, seen)
    layers, heads = len(trunk.blocks), trunk.blocks[0].attn.num_heads
    read, constant, more = _reader(clip, seen)
    return {
        "heads": torch.stack([torch.stack([read(stream[f"head {h}", i]) for h in range(heads)], 1)
                              for i in range(layers)], 1),
        "mlps": torch.stack([read(stream["embedding", 0]), *(read(stream["mlp", i]) for i in range(layers)), *more], 1),
        "biases": torch.stack([read(stream["bias", i]) for i in range(layers)], 1),
        "constant": constant,
    }  # fmt: skip


def _reader(clip: Any, seen: Seen) -> tuple[Any, Tensor, list[Tensor]]:
    """From what was written into all tokens to the joint space; the constant; further terms."""
    trunk = clip.visual.trunk
    prefix, zero = trunk.num_prefix_tokens, torch.zeros(len(seen.output), trunk.embed_dim).to(seen.output)
    if trunk.global_pool == "map":
        return _frozen(clip, seen)
    if isinstance(trunk.norm, nn.LayerNorm):
        whole = seen.given["norm"]

        def read(x: Tensor) -> Tensor:
            x = normed(x, trunk.norm, whole)
            return _out(clip, x[:, 0] if trunk.global_pool == "token" else x[:, prefix:].mean(1))

        return read, _out(clip, zero + trunk.norm.bias, bias=True), []

    def read_after(x: Tensor) -> Tensor:
        return _out(clip, normed(x[:, prefix:].mean(1), trunk.fc_norm, seen.given["fc_norm"]))

    return read_after, _out(clip, zero + trunk.fc_norm.bias, bias=True), []


def _frozen(clip: Any, seen: Seen) -> tuple[Any, Tensor, list[Tensor]]:
    trunk, pool = clip.visual.trunk, clip.visual.trunk.attn_pool
    whole, tokens = seen.given["norm"], seen.made["norm"]
    dropped = trunk.num_prefix_tokens if getattr(trunk, "pool_include_prefix", None) is False else 0
    tokens = tokens[:, dropped:]
    heads, w = pool.num_heads, pool.proj.weight.shape[1]
    k = w // heads
    q = pool.q(pool.latent)[0, 0]
    key, value = pool.kv(tokens).chunk(2, -1)
    rows = [((key[..., h * k : (h + 1) * k] @ q[h * k : (h + 1) * k]) / k**0.5).softmax(-1) for h in range(heads)]
    assert torch.allclose(
        torch.cat([torch.einsum("bn,bnk->bk", rows[h], value[..., h * k : (h + 1) * k]) for h in range(heads)], -1),
        seen.given["attn_pool.proj"][:, 0], atol=1e-4,
    )  # fmt: skip
    own = pool.kv.weight[w:]

    def through(x: Tensor) -> Tensor:
        out = torch.zeros(len(x), w).to(x)
        for h in range(heads):
            at = slice(h * k, (h + 1) * k)
            out = out + torch.einsum("bn,bnw->bw", rows[h], x[:, dropped:]) @ own[at].T @ pool.proj.weight[:, at].T
        return out

    def read(x: Tensor) -> Tensor:
        return _out(clip, through(normed(x, trunk.norm, whole)))

    fixed = through(trunk.norm.bias + torch.zeros_like(whole)) + pool.kv.bias[w:] @ pool.proj.weight.T + pool.proj.bias
    return read, _out(clip, fixed, bias=True), [_out(clip, seen.made["attn_pool.mlp"])[:, 0]]
