"""A live Hugging Face CLIPModel behind open_clip's calls; its weights are used where they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from toolkit.core.tower import Block, Tower
from toolkit.models.words import refuse


class HuggingFaceVisual(nn.Module):
    """The image tower of a CLIPModel with what open_clip's towers say of themselves: image_size and grid_size."""

    def __init__(self, clip: Any) -> None:
        super().__init__()
        self.training = clip.training
        self.vision = clip.vision_model
        self.projection = clip.visual_projection
        config = clip.config.vision_config
        self.image_size = (int(config.image_size), int(config.image_size))
        side = int(config.image_size) // int(config.patch_size)
        self.grid_size = (side, side)


class HuggingFaceClip(nn.Module):
    """A CLIPModel as open_clip spells it: visual, encode_image, encode_text, logit_scale. Made by `tk.wrap`.

    clip: the model itself, which stays as it is.
    """

    visual: HuggingFaceVisual

    def __init__(self, clip: Any) -> None:
        super().__init__()
        self.clip_model = clip
        self.training = clip.training
        object.__setattr__(self, "visual", HuggingFaceVisual(clip))  # no submodule: its weights would be listed twice

    @property
    def logit_scale(self) -> Tensor:
        """Logarithm of the factor, as in open_clip."""
        scale: Tensor = self.clip_model.logit_scale
        return scale

    @property
    def vocab_size(self) -> int:
        """Tokens the text tower knows."""
        return int(self.clip_model.config.text_config.vocab_size)

    @property
    def context_length(self) -> int:
        """Tokens a text may have."""
        return int(self.clip_model.config.text_config.max_position_embeddings)

    def encode_image(self, images: Tensor) -> Tensor:
        """[b, d] of preprocessed images [b, 3, H, W]."""
        return _features(self.clip_model.get_image_features(pixel_values=images))

    def encode_text(self, ids: Tensor) -> Tensor:
        """[t, d] of token ids [t, n]."""
        return _features(self.clip_model.get_text_features(input_ids=ids))


def _features(found: Any) -> Tensor:
    """The embeddings; later versions of the library return them inside an output object."""
    if isinstance(found, Tensor):
        return found
    made: Tensor = found[1] if isinstance(found, tuple) else found.pooler_output  # a config may ask for tuples
    return made


def is_huggingface(clip: Any) -> bool:
    """Whether this is a model of the transformers library."""
    return any(base.__module__.startswith("transformers.") for base in type(clip).__mro__)


def adapted(clip: Any) -> Any:
    """The model behind open_clip's calls where it is a CLIPModel, else the model itself.

    Raises UnsupportedModelError for another model of the library.
    """
    if not is_huggingface(clip):
        return clip
    if "CLIPModel" not in [base.__name__ for base in type(clip).__mro__]:
        fix = "of the transformers library only CLIPModel is known; the same weights in open_clip are supported"
        raise refuse(f"a {type(clip).__name__}", fix)
    with torch.no_grad():
        return HuggingFaceClip(clip)


def huggingface_tower(visual: HuggingFaceVisual, name: str) -> Tower:
    """The tower of a CLIPModel."""
    vision = visual.vision
    vision = getattr(vision, "vision_model", vision)  # some versions keep the transformer one level down
    blocks = []
    for i, layer in enumerate(vision.encoder.layers):
        out, last = layer.self_attn.out_proj, layer.mlp.fc2
        if not isinstance(out, nn.Linear) or not isinstance(last, nn.Linear):
            raise refuse(f"{name}, layer {i}", f"its projections are {type(out).__name__}, not plain linear layers")
        blocks.append(Block(out.weight, out.bias, None, last.weight, None, layer.layer_norm1.weight))
    norm, heads = vision.post_layernorm, {int(layer.self_attn.num_heads) for layer in vision.encoder.layers}
    if len(heads) != 1:
        raise refuse(name, f"its layers have different numbers of heads ({sorted(heads)})")
    return Tower(
        tuple(blocks), heads.pop(), "cls", blocks[0].norm, norm.weight, norm.bias, float(norm.eps),
        visual.projection.weight.T,
    )  # fmt: skip
