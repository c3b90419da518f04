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
    kept = [v for v in vars(parts).values() if isinstance(v, torch.Tensor) and v.ndim and v.shape[0] == 20]
    names = {"mixes", "mlps", "biases", "constant", "embedding", "norm", "sigma", "mu"}
    assert found.bytes == sum(getattr(parts, n).numel() * getattr(parts, n).element_size() for n in names)
    assert len(kept) >= len(names)
    assert found.images == 20
    assert found.seconds > 0
    assert found.peak_memory > found.bytes
    assert "20 images" in str(found)


def test_estimate_refuses_what_decompose_refuses(model):
    with pytest.raises(InputError, match="estimate: got"):
        tk.estimate(model, [])


def hooked(clip):
    clip.visual.transformer.resblocks[1].register_forward_hook(lambda *a: a[2] * 1.5)


def silenced(clip):
    clip.visual.transformer.resblocks[0].attn.register_forward_hook(lambda *a: (a[2][0] * 0, None))


@pytest.mark.parametrize("change", [hooked, silenced])
def test_a_sum_that_does_not_add_up_is_an_error_never_a_result(change):
    clip = families.build("vit")
    change(clip)
    with pytest.raises(tk.UnsupportedModelError, match=r"miss its embedding by .*forward hooks"):
        tk.decompose(tk.wrap(clip), families.pictures(clip, 2))


def test_weights_written_through_data_are_noticed():
    clip = families.build("vit", torch.float64)
    model, images = tk.wrap(clip), families.pictures(clip, 2, torch.float64)
    tk.decompose(model, images)
    clip.visual.transformer.resblocks[0].attn.out_proj.weight.data.mul_(3)
    assert tk.decompose(model, images).error < 1e-12


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, None])
def test_batch_sizes(model, batch_size):
    with pytest.raises(InputError, match="batch_size="):
        tk.decompose(model, torch.zeros(1, 3, 32, 32), batch_size=batch_size)


def test_a_single_sample_and_a_bare_clip():
    data = tk.scenes("test", n=2)
    assert tk.decompose(tk.load(), data[0]).embedding.shape == (1, 96)
    with pytest.raises(InputError, match=r"estimate: .*tk\.wrap"):
        tk.estimate(tk.load().clip, data)
