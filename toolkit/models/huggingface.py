"""An open_clip CLIP as a Hugging Face CLIPModel, where the architecture is the same."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.errors import UnsupportedModelError
from toolkit.models.checkpoints import from_huggingface
from toolkit.models.wrappers import plain_name

State = dict[str, Tensor]
ACCEPTED = "a CLIP with a plain class-token ViT, learned positions and a causal text transformer, as OpenAI's"
_RENAMED = (
    (r"^(visual\.)?transformer\.resblocks\.(\d+)\.", r"\1encoder.layers.\2."),
    (r"\.ln_([12])\.", r".layer_norm\1."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
    (r"\.attn\.out_proj\.", ".self_attn.out_proj."),
    (r"^visual\.conv1\.", "visual.embeddings.patch_embedding."),
    (r"^visual\.class_embedding$", "visual.embeddings.class_embedding"),
    (r"^(visual\.)?positional_embedding$", r"\1embeddings.position_embedding.weight"),
    (r"^token_embedding\.", "embeddings.token_embedding."),
    (r"^visual\.ln_pre\.", "visual.pre_layrnorm."),  # spelt so in CLIPModel
    (r"^visual\.ln_post\.", "visual.post_layernorm."),
    (r"^ln_final\.", "final_layer_norm."),
)


def to_huggingface(state: State) -> State:
    """An open_clip state dict under the names of a Hugging Face CLIPModel; stacked q, k and v are taken apart."""
    out: State = {}
    for name, tensor in state.items():
        if name in ("visual.proj", "text_projection"):
            kind = "visual" if name.startswith("visual") else "text"
            out[f"{kind}_projection.weight"] = tensor.T.contiguous()
        elif name in ("logit_scale", "attn_mask"):
            out |= {name: tensor} if name == "logit_scale" else {}
        else:
            new = name
            for pattern, to in _RENAMED:
                new = re.sub(pattern, to, new)
            prefix = "vision_model." if new.startswith("visual.") else "text_model."
            out |= _taken_apart(prefix + new.removeprefix("visual."), tensor)
    return out


def _taken_apart(name: str, tensor: Tensor) -> State:
    found = re.fullmatch(r"(.*)\.attn\.in_proj_(weight|bias)", name)
    if not found:
        return {name: tensor.contiguous()}
    parts = zip("qkv", tensor.chunk(3), strict=True)
    return {f"{found[1]}.self_attn.{letter}_proj.{found[2]}": part.contiguous() for letter, part in parts}


def huggingface_model(clip: Any, name: str) -> tuple[State, dict[str, Any]]:
    """State dict and config of the same model as a Hugging Face CLIPModel.

    Raises UnsupportedModelError, with the reason, for an architecture that CLIPModel has not: rebuilt from the config
    with open_clip, the model must give the same embeddings.
    """
    reason = _difference(clip)
    if reason:
        raise UnsupportedModelError("save_huggingface", f"{name}: {reason}", ACCEPTED, "use tk.save_checkpoint instead")
    state, config = to_huggingface({plain_name(name): t for name, t in clip.state_dict().items()}), _config(clip)
    import open_clip

    vision, text = _tower(config["vision_config"]), _tower(config["text_config"])
    quick = config["vision_config"]["hidden_act"] == "quick_gelu"
    again = open_clip.CLIP(config["projection_dim"], vision, text, quick_gelu=quick).eval()
    mine = {plain_name(n): t for n, t in clip.state_dict().items() if n != "attn_mask"}
    back = from_huggingface(state)
    known = {n for n in again.state_dict() if n != "attn_mask"}
    if set(back) != set(mine) or set(back) != known:
        odd = min((set(mine) ^ set(back)) | (set(back) ^ known))
        given = f"{name}: {odd} has no place in a CLIPModel"
        raise UnsupportedModelError("save_huggingface", given, ACCEPTED, "use tk.save_checkpoint instead")
    again.load_state_dict(back, strict=False)
    if not _same(clip, again.to(next(clip.parameters()))):
        given = f"{name}: a CLIPModel with these weights gives other embeddings"
        raise UnsupportedModelError("save_huggingface", given, ACCEPTED, "use tk.save_checkpoint instead")
    return state, config


def _difference(clip: Any) -> str:
    """Why a CLIPModel cannot be this model, as far as can be seen at once."""
    visual = clip.visual
    if not isinstance(getattr(visual, "proj", None), Tensor) or not hasattr(visual, "class_embedding"):
        return f"its image tower is a {type(visual).__name__} without a class token and a projection"
    if not hasattr(clip, "token_embedding") or not isinstance(getattr(clip, "text_projection", None), Tensor):
        return "its text tower is not the plain one"
    size = visual.image_size
    if not isinstance(size, int) and size[0] != size[1]:
        return f"its images are {size[0]}×{size[1]}, not square"
    blocks = [*visual.transformer.resblocks, *clip.transformer.resblocks]
    if not all(isinstance(block.attn, nn.MultiheadAttention) for block in blocks):
        return "its attention is not torch's"
    return ""


def _config(clip: Any) -> dict[str, Any]:
    visual, size = clip.visual, clip.visual.image_size
    vision = _layers(visual.transformer, visual.ln_post) | {
        "image_size": size if isinstance(size, int) else size[0],
        "patch_size": visual.conv1.kernel_size[0], "num_channels": visual.conv1.in_channels,
        "projection_dim": visual.proj.shape[1], "model_type": "clip_vision_model",
    }  # fmt: skip
    vocabulary = clip.token_embedding.num_embeddings
    text = _layers(clip.transformer, clip.ln_final) | {
        "max_position_embeddings": len(clip.positional_embedding), "vocab_size": vocabulary,
        "projection_dim": clip.text_projection.shape[1], "model_type": "clip_text_model",
        # open_clip reads the token with the largest id, which in CLIP's vocabulary is the end of the text
        "eos_token_id": vocabulary - 1, "bos_token_id": vocabulary - 2, "pad_token_id": 0,
    }  # fmt: skip
    return {
        "architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": visual.proj.shape[1],
        "logit_scale_init_value": float(clip.logit_scale.detach()) if clip.logit_scale.numel() == 1 else math.log(100),
        "vision_config": vision, "text_config": text,
    }  # fmt: skip


def _layers(transformer: Any, norm: Any) -> dict[str, Any]:
    block = transformer.resblocks[0]
    quick = type(block.mlp.gelu).__name__ == "QuickGELU"
    return {
        "hidden_size": block.mlp.c_fc.in_features, "intermediate_size": block.mlp.c_fc.out_features,
        "num_hidden_layers": len(transformer.resblocks), "num_attention_heads": block.attn.num_heads,
        "hidden_act": "quick_gelu" if quick else "gelu", "layer_norm_eps": norm.eps,
    }  # fmt: skip


def _tower(config: dict[str, Any]) -> dict[str, Any]:
    """open_clip's settings of a tower."""
    width, heads = config["hidden_size"], config["num_attention_heads"]
    shared = {
        "layers": config["num_hidden_layers"], "width": width, "mlp_ratio": config["intermediate_size"] / width,
        "norm_kwargs": {"eps": config["layer_norm_eps"]},
    }  # fmt: skip
    if "image_size" in config:
        own = {"image_size": config["image_size"], "patch_size": config["patch_size"], "head_width": width // heads}
    else:
        own = {
            "context_length": config["max_position_embeddings"], "vocab_size": config["vocab_size"], "heads": heads,
        }  # fmt: skip
    return shared | own


def _same(clip: Any, again: Any) -> bool:
    """Whether two models agree on noise, and on texts that end with the last token of the vocabulary."""
    like, made = next(clip.visual.parameters()), torch.Generator().manual_seed(0)
    size, vocabulary = again.visual.image_size, again.vocab_size
    height, width = (size, size) if isinstance(size, int) else size
    images = torch.randn(2, 3, height, width, generator=made).to(like)
    ids = torch.randint(1, vocabulary - 1, (2, again.context_length), generator=made).to(like.device)
    ids[:, -1] = vocabulary - 1
    with torch.no_grad():
        pairs = (
            (clip.encode_image(images), again.encode_image(images)), (clip.encode_text(ids), again.encode_text(ids))
        )  # fmt: skip
    return all(torch.allclose(a, b, rtol=1e-3, atol=1e-3 * float(a.abs().max())) for a, b in pairs)
