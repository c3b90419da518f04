"""The built-in model's own module is open_clip's, weight by weight and number by number."""

from __future__ import annotations

import pytest
import torch

import toolkit as tk
from toolkit.core.state import state_of
from toolkit.models.own_preprocess import OwnPreprocess
from toolkit.organism.model import build, load_clip

CAPTIONS = ["a photo of a landbird on water", "two red birds on land", "a small waterbird"]


@pytest.fixture(scope="module")
def both():
    own, tokenizer, _ = load_clip()
    theirs = build(tokenizer.vocab_size)
    theirs.load_state_dict(own.state_dict())
    return own, theirs, tokenizer


def test_the_same_tensors_under_the_same_names(both):
    own, theirs, _ = both
    named = {name: tensor.shape for name, tensor in theirs.state_dict().items()}
    assert {name: tensor.shape for name, tensor in own.state_dict().items()} == named
    assert dict(own.named_buffers()).keys() == dict(theirs.named_buffers()).keys()
    assert torch.equal(own.attn_mask, theirs.attn_mask)


def test_what_others_ask_of_a_model_is_there(both):
    own, theirs, _ = both
    for name in ("context_length", "vocab_size"):
        assert getattr(own, name) == getattr(theirs, name)
    for name in ("image_size", "patch_size", "grid_size", "output_dim", "pool_type"):
        assert getattr(own.visual, name) == getattr(theirs.visual, name)
    for tower in ("transformer", "visual.transformer"):
        for name in ("width", "layers"):
            asked = f"{tower}.{name}"
            mine, other = own, theirs
            for part in asked.split("."):
                mine, other = getattr(mine, part), getattr(other, part)
            assert mine == other, asked
    assert not own.training


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_same_embeddings(both, dtype):
    own, theirs = (clip.to(dtype) for clip in both[:2])
    ids = both[2](CAPTIONS)
    images = torch.randn(5, 3, 64, 64, generator=torch.Generator().manual_seed(0)).to(dtype)
    try:
        with torch.no_grad():
            for normalize in (False, True):
                assert torch.equal(own.encode_image(images, normalize), theirs.encode_image(images, normalize))
                assert torch.equal(own.encode_text(ids, normalize), theirs.encode_text(ids, normalize))
            for mine, other in zip(own(images[:3], ids), theirs(images[:3], ids), strict=True):
                assert torch.equal(mine, other)
    finally:
        own.float(), theirs.float()


def test_the_same_parts(both):
    own, theirs, tokenizer = both
    images = tk.scenes("val", n=4).pixels(range(4))
    states = []
    for clip in (own, theirs):
        model = tk.wrap(clip, tokenizer=tokenizer)
        states.append(state_of(model.trace(next(model.images(images, "trace").batches(4))), model.readout()))
    for name, tensor in vars(states[0]).items():
        if isinstance(tensor, torch.Tensor):
            assert torch.equal(tensor, getattr(states[1], name)), name


def test_the_same_gradients(both):
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    found = []
    for clip in both[:2]:
        clip.zero_grad()
        clip.encode_image(images).square().sum().backward()
        found.append(clip.visual.conv1.weight.grad.clone())
        clip.zero_grad()
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)


def test_words_by_which_stores_are_recognised_are_those_of_open_clip():
    """Stores written with the words of the transform itself are taken up again."""
    own = tk.load().preprocess
    assert isinstance(own, OwnPreprocess)
    assert repr(own) == repr(own._made)
    wide = OwnPreprocess(tk.load().clip)
    wide.config["resize_mode"] = "squash"
    assert repr(wide) == repr(wide._made) != repr(own)
