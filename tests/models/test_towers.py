"""What is supported, and that everything else is refused at wrap time with its reason."""

from __future__ import annotations

import families
import open_clip
import pytest
import torch
from open_clip.transformer import TextTransformer
from torch import nn

from toolkit.errors import UnsupportedModelError
from toolkit.models.model import wrap


@pytest.mark.parametrize("family", families.FAMILIES)
def test_card_of_every_family(family):
    clip = families.build(family)
    card = wrap(clip).card
    assert card.embed_dim == 48
    assert card.heads * card.head_dim == card.width
    assert card.logit_scale == pytest.approx(clip.logit_scale.exp().item())
    if family == "resnet":
        assert (card.layers, card.grid, card.pool) == (1, (2, 2), "attention")
    else:
        assert (card.layers, card.heads, card.head_dim) == (3, 4, 16)
        assert card.grid == tuple(s // 8 for s in card.image_size)


def test_fingerprint_follows_the_weights_and_nothing_else():
    clip = families.build("vit")
    first = wrap(clip).card.fingerprint
    assert wrap(families.build("vit")).card.fingerprint == first
    assert wrap(families.build("vit", seed=1)).card.fingerprint != first
    model = wrap(clip)
    for weight in (clip.visual.proj, clip.visual.transformer.resblocks[1].attn.out_proj.weight, clip.text_projection):
        before = model.card.fingerprint
        with torch.no_grad():
            weight[0, 5] += 1e-3
        assert model.card.fingerprint != before


def test_readout_follows_weights_that_change_after_wrapping():
    from toolkit.core.parts import parts_from

    clip = families.build("vit", torch.float64)
    model, images = wrap(clip), families.pictures(clip, 2, torch.float64)
    assert parts_from(model.trace(images), model.readout()).error < 1e-12
    with torch.no_grad():
        clip.visual.proj.mul_(1.3)
        clip.visual.transformer.resblocks[0].attn.out_proj.weight.add_(0.1)
    assert parts_from(model.trace(images), model.readout()).error < 1e-12


class Convolutional(nn.Module):
    image_size = 32

    def forward(self, x):
        return x.mean((2, 3))


def with_tower(tower):
    clip = families.build("vit")
    clip.visual = tower
    return clip


def text_tower():
    return TextTransformer(context_length=8, vocab_size=50, width=32, heads=2, layers=1, output_dim=16)


def custom(change):
    def make():
        clip = families.build("vit")
        change(clip.visual)
        return clip

    return make


def coca():
    from open_clip.coca_model import CoCa

    vision = {**families.VIT, "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True}
    return CoCa(
        48,
        {"width": 32, "heads": 2, "layers": 1, "vocab_size": 50, "context_length": 8},
        {**families.TEXT, "embed_cls": True, "output_tokens": True},
        vision,
    )


def timm_model():
    return open_clip.CustomTextCLIP(
        32,
        {"timm_model_name": "convnext_atto", "timm_pool": "", "timm_proj": "linear", "image_size": 32},
        families.TEXT,
    )


def share(v):
    v.transformer.resblocks[1].ln_1 = v.transformer.resblocks[0].ln_1


def tie(v):
    v.transformer.resblocks[1] = v.transformer.resblocks[0]


class LowRank(nn.Module):
    """A wrapper around a linear layer, as fine-tuning libraries make them."""

    def __init__(self, base):
        super().__init__()
        self.base, self.weight, self.bias = base, base.weight, base.bias

    def forward(self, x):
        return self.base(x) * 1.1


def wrap_projection(v):
    v.transformer.resblocks[0].mlp.c_proj = LowRank(v.transformer.resblocks[0].mlp.c_proj)


REFUSED = {
    "shared norms": (custom(share), "share weights"),
    "tied layers": (custom(tie), "share weights"),
    "a wrapped projection": (custom(wrap_projection), "mlp.c_proj is a LowRank"),
    "a longer MLP": (
        custom(lambda v: v.transformer.resblocks[2].mlp.append(nn.Tanh())),
        "follows the last linear layer",
    ),
    "no affine norm": (
        custom(lambda v: setattr(v.transformer.resblocks[0], "ln_1", nn.LayerNorm(64, elementwise_affine=False))),
        "without weights",
    ),
    "another scale": (custom(lambda v: setattr(v.transformer.resblocks[0], "ls_1", nn.Linear(64, 64))), "LayerScale"),
    "the tower alone": (lambda: families.build("vit").visual, "pass the whole CLIP model"),
    "a name": (lambda: "ViT-B-32", r"tk\.load\('ViT-B-32'"),
    "a wrapped model": (lambda: wrap(families.build("vit")), "already wrapped"),
    "a text tower": (text_tower, "text model"),
    "CoCa": (coca, "attentional pooling"),
    "a timm tower": (timm_model, "timm"),
    "a number": (lambda: 5, "not a model"),
    "a plain module": (lambda: nn.Linear(2, 2), "no image tower"),
    "an unknown tower": (lambda: with_tower(Convolutional()), "Convolutional image tower"),
    "post-norm attention": (
        custom(lambda v: setattr(v.transformer.resblocks[1], "ln_attn", nn.LayerNorm(64))),
        "layer 1.*ln_attn",
    ),
    "pool none": (custom(lambda v: setattr(v, "pool_type", "none")), "pool_type='none'"),
    "tokens out": (custom(lambda v: setattr(v, "output_tokens", True)), "output_tokens"),
    "no last norm": (custom(lambda v: setattr(v, "ln_post", nn.Identity())), "Identity as its last norm"),
    "no layers": (custom(lambda v: setattr(v.transformer, "resblocks", nn.ModuleList())), "no layers"),
    "extra keys": (custom(lambda v: setattr(v.transformer.resblocks[0].attn, "add_zero_attn", True)), "extra keys"),
    "uneven heads": (
        custom(lambda v: setattr(v.transformer.resblocks[2].attn, "num_heads", 2)),
        "different numbers of heads",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_words(case):
    make, reason = REFUSED[case]
    with pytest.raises(UnsupportedModelError, match=reason) as caught:
        wrap(make())
    message = str(caught.value)
    assert message.startswith("wrap: got ")
    assert "toolkit info --models" in message
    assert "To fix:" in message


def test_card_says_precision_as_it_is_now():
    clip = families.build("vit")
    model = wrap(clip)
    clip.double()
    assert model.card.precision == "float64"
    assert "float64" in repr(model)


def test_models_made_in_inference_mode():
    with torch.inference_mode():
        clip = families.build("vit")
        model = wrap(clip)
    assert model.readout().head_map.shape == (3, 4, 16, 48)
    assert model.trace(families.pictures(clip, 1)).output.shape == (1, 48)
