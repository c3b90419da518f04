"""Encoding: what may stand for images, texts, devices; every refusal says what was given and how to fix it."""

from __future__ import annotations

import warnings

import families
import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from toolkit.errors import DeviceError, InputError
from toolkit.models.model import check_device, wrap
from toolkit.models.words import ModelWarning


@pytest.fixture(scope="module")
def model():
    return wrap(families.build("vit"), tokenizer=lambda texts: torch.ones(len(texts), 8, dtype=torch.long))


def photo(width, height, mode="RGB", seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 4), dtype=np.uint8)
    return Image.fromarray(pixels, "RGBA").convert(mode)


def test_plain_encoding_is_the_models_own(model):
    images = families.pictures(model.clip, 5)
    with torch.no_grad():
        expected = model.clip.encode_image(images)
    for batch in (1, 2, 5, 64):
        torch.testing.assert_close(model.encode_image(images, batch), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "CMYK"])
def test_pil_images_of_any_size_and_mode_equal_the_models_own_preprocess(model, mode):
    images = [photo(50, 33, mode), photo(8, 91, mode), photo(32, 32, mode)]
    own = open_clip.image_transform(32, is_train=False)
    expected = model.encode_image(torch.stack([own(image.convert("RGB")) for image in images]))
    torch.testing.assert_close(model.encode_image(images), expected)
    torch.testing.assert_close(model.encode_image(images[1]), expected[1:2], rtol=1e-5, atol=1e-6)


def test_uint8_pixels_equal_pil_images_of_that_size(model):
    images = [photo(32, 32, seed=s) for s in range(3)]
    pixels = torch.stack([torch.from_numpy(np.array(i)).permute(2, 0, 1) for i in images])
    torch.testing.assert_close(model.encode_image(pixels), model.encode_image(images), rtol=1e-5, atol=1e-6)


def test_a_picture_of_the_models_size_goes_the_short_way_to_the_same_numbers(model):
    picture = photo(32, 32, "RGBA")
    (short,) = model.images(picture, "test").batches(1)
    assert torch.equal(short[0], model.preprocess(picture.convert("RGB")))


def test_numpy_arrays_are_tensors(model):
    images = families.pictures(model.clip, 2)
    assert torch.equal(model.encode_image(images.numpy()), model.encode_image(images))


@settings(max_examples=40)
@given(st.lists(st.integers(0, 4), min_size=0, max_size=5))
def test_every_wrong_shape_is_refused_with_the_shape(shape):
    model = wrap(families.build("vit"))
    with pytest.raises(InputError) as caught:
        model.encode_image(torch.zeros(shape))
    assert str(tuple(shape)) in str(caught.value)
    assert "[b, 3, H, W]" in str(caught.value)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(0, 3, 32, 32), "empty batch"),
        ([], "empty batch"),
        (torch.zeros(2, 32, 32, 3), "permute"),
        (torch.zeros(3, 32, 32), r"image\[None\]"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.int64), "int64"),
        (torch.full((1, 3, 32, 32), torch.nan), "NaN"),
        (torch.full((1, 3, 32, 32), torch.inf), "NaN or infinite"),
        ("photo.jpg", "PIL.Image.open"),
        (["photo.jpg"], "a str at position 0"),
        ([torch.zeros(3, 32, 32)], "torch.stack"),
        (None, "NoneType"),
        (7, "int"),
        (np.zeros((1, 3, 32, 32), dtype=object), "object"),
    ],
)
def test_what_is_no_image_is_refused(model, images, message):
    with pytest.raises(InputError, match=message) as caught:
        model.encode_image(images)
    assert str(caught.value).startswith("encode_image: got ")


def test_texts_are_unit_norm_and_empty_ones_refused(model):
    assert model.encode_text(["a", "b"]).norm(dim=-1) == pytest.approx(torch.ones(2))
    assert model.encode_text("one text").shape == (1, 48)
    for texts, message in (
        ([], "no texts"),
        ([""], "'' at position 0"),
        (["a", "  "], "at position 1"),
        ([3], "3 at position 0"),
    ):
        with pytest.raises(InputError, match=message):
            model.encode_text(texts)


def test_a_model_without_tokenizer_says_what_to_pass():
    with pytest.raises(InputError, match=r"tokenizer=open_clip\.get_tokenizer"):
        wrap(families.build("vit")).encode_text(["a"])


def test_the_bpe_is_found_by_its_size():
    clip = open_clip.CLIP(16, families.VIT, {**families.TEXT, "vocab_size": 49408, "context_length": 12}).eval()
    with torch.no_grad():
        expected = clip.encode_text(open_clip.SimpleTokenizer(context_length=12)(["a bird"]), normalize=True)
    torch.testing.assert_close(wrap(clip).encode_text(["a bird"]), expected)


@pytest.mark.skipif(torch.cuda.is_available(), reason="not run: this machine has CUDA")
def test_cuda_where_there_is_none_is_a_clear_error():
    with pytest.raises(DeviceError, match=r'cuda.*0 CUDA devices.*"cpu"'):
        check_device("cuda", "load")


def test_a_device_that_is_none():
    with pytest.raises(InputError, match="toaster"):
        check_device("toaster", "load")


@pytest.mark.parametrize(
    "config", [{"interpolation": "bilinear", "resize_mode": "squash"}, {"mean": (0.5,) * 3, "std": (0.2,) * 3}]
)
def test_the_preprocess_open_clip_attached_is_used_as_a_whole(config):
    from open_clip.transform import PreprocessCfg, image_transform_v2

    clip = families.build("vit")
    clip.visual.preprocess_cfg = config
    own = image_transform_v2(PreprocessCfg(**config, size=(32, 32)), is_train=False)
    image, exact = photo(71, 40), photo(32, 32)
    assert torch.equal(wrap(clip).preprocess(image), own(image))
    pixels = torch.from_numpy(np.array(exact)).permute(2, 0, 1)[None]
    expected = wrap(clip).encode_image(own(exact)[None])
    torch.testing.assert_close(wrap(clip).encode_image(pixels), expected, rtol=1e-4, atol=1e-5)


def test_a_preprocess_of_the_users_is_used_for_pixels_too():
    def grey(image):
        return open_clip.image_transform(32, is_train=False)(image.convert("L").convert("RGB"))

    model = wrap(families.build("vit"), preprocess=grey)
    exact = photo(32, 32)
    pixels = torch.from_numpy(np.array(exact)).permute(2, 0, 1)[None]
    expected = model.encode_image(grey(exact)[None])
    torch.testing.assert_close(model.encode_image(pixels), expected)
    torch.testing.assert_close(model.encode_image(exact), expected)


def test_a_preprocess_of_the_wrong_size_is_named():
    with pytest.raises(InputError, match=r"preprocess that returns \[3, 16, 16\].*\[3, 32, 32\]"):
        wrap(families.build("vit"), preprocess=open_clip.image_transform(16, is_train=False))


def test_a_preprocess_whose_size_depends_on_the_picture_is_named():
    usual = open_clip.image_transform(32, is_train=False)
    model = wrap(families.build("vit"), preprocess=lambda picture: usual(picture)[:, :, : picture.width])
    with pytest.raises(InputError, match=r"preprocess that returns \(3, 32, 20\)"):
        model.encode_image(photo(20, 20))


@pytest.mark.parametrize(("pixels", "words"), [(1.0, r"pixels of 0 … 1,"), (255.0, r"pixels of 0 … 255,")])
def test_float_pixels_that_were_not_normalised_are_told(model, pixels, words):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * pixels
    with pytest.warns(ModelWarning, match=f"encode_image: .*{words} not normalised"):
        model.encode_image(images)


@pytest.mark.parametrize(
    "images", [torch.randn(2, 3, 32, 32), torch.zeros(1, 3, 32, 32), torch.rand(2, 3, 32, 32) - 0.3]
)
def test_what_may_be_normalised_pictures_is_not_warned_of(model, images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.encode_image(images)


def test_a_preprocess_that_does_not_normalise_takes_plain_pixels():
    plain = transforms.Compose(
        [transforms.Resize((32, 32)), transforms.ToTensor(), transforms.Normalize([0] * 3, [1] * 3)]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wrap(families.build("vit"), preprocess=plain).encode_image(torch.rand(2, 3, 32, 32))
