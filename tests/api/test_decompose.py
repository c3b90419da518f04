"""The public verbs: every kind of input, ids, batches, ablation inside, estimates, errors."""

from __future__ import annotations

import families
import pytest
import torch

import toolkit as tk
from toolkit.errors import InputError


@pytest.fixture(scope="module")
def model():
    return tk.wrap(families.build("vit", torch.float64))


def test_pieces_equal_the_whole_and_ids_follow():
    model, data = tk.load(), tk.scenes("test", n=11)
    whole, pieces = tk.decompose(model, data), tk.decompose(model, data, batch_size=4)
    torch.testing.assert_close(whole.heads, pieces.heads, rtol=1e-4, atol=1e-6)
    assert whole.ids == pieces.ids == tuple(data.ids)
    assert list(whole.to_xarray().image.values) == list(data.ids)
    assert model.card.fingerprint in whole.model


def test_samples_pil_images_and_pixels_agree():
    model, data = tk.load(), tk.scenes("test", n=4)
    expected = tk.decompose(model, data).embedding
    for images in ([s.image for s in data], list(data), data.pixels(range(4))):
        torch.testing.assert_close(tk.decompose(model, images).embedding, expected, rtol=1e-4, atol=1e-6)
    assert tk.decompose(model, list(data)).ids == tuple(data.ids)
    assert tk.decompose(model, data[2].image).embedding.shape == (1, model.card.embed_dim)


def test_decomposing_an_ablated_run_equals_its_embedding(model):
    images = families.pictures(model.clip, 3, torch.float64)
    parts = tk.decompose(model, images, ablate="L0.H1 L1.H3", strength=0.3, scale="raw")
    torch.testing.assert_close(parts.embedding, model.encode_image(images, ablate="L0.H1 L1.H3", strength=0.3))
    assert parts.error < 1e-12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": torch.zeros(2, 3, 5, 5)}, r"decompose: got a tensor of shape \(2, 3, 5, 5\)"),
        ({"images": []}, "empty batch"),
        ({"ablate": "L7.H0"}, "unknown head L7.H0"),
        ({"convention": "other"}, "convention='other'"),
    ],
)
def test_bad_input_is_answered_in_words(model, arguments, message):
    arguments = {"images": torch.zeros(1, 3, 32, 32), **arguments}
    with pytest.raises(InputError, match=message):
        tk.decompose(model, **arguments)


def test_a_bare_clip_is_answered_with_wrap(model):
    with pytest.raises(InputError, match=r"tk\.wrap"):
        tk.decompose(model.clip, torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize("family", ["vit", "average-pool-of-normed", "resnet"])
def test_estimate_counts_bytes_and_speaks(family):
    model = tk.wrap(families.build(family))
    images = families.pictures(model.clip, 20)
    found, parts = tk.estimate(model, images), tk.decompose(model, images)
    card = model.card
    terms = 0 if family == "resnet" else (card.layers + 1) * card.width
    assert found.bytes == 20 * 4 * (parts.mixes[0].numel() + terms + card.embed_dim + 3)
    assert found.images == 20
    assert found.seconds > 0
    assert found.peak_memory > found.bytes
    assert "20 images" in str(found)


def test_estimate_refuses_what_decompose_refuses(model):
    with pytest.raises(InputError, match="estimate: got"):
        tk.estimate(model, [])
