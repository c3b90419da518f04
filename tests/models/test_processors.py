"""A preprocess does the same every time, or is refused; processors of transformers are taken as they are."""

from __future__ import annotations

import random

import families
import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from torchvision import transforms

import toolkit as tk


@pytest.fixture(scope="module")
def clip():
    return families.build("vit")


def with_step(step, before=True):
    first, last = [transforms.Resize((32, 32)), transforms.ToTensor()]
    return transforms.Compose([first, step, last] if before else [first, last, step])


RANDOM = {
    "open_clip's": open_clip.image_transform(32, is_train=True),
    "flip": with_step(transforms.RandomHorizontalFlip()),
    "colours": with_step(transforms.ColorJitter(0.1)),
    "grey": with_step(transforms.RandomGrayscale(0.3)),
    "erasing": with_step(transforms.RandomErasing(0.3), before=False),
    "one in a hundred": with_step(
        transforms.Lambda(lambda picture: picture.convert("L") if random.random() < 0.01 else picture)
    ),
    "inside another": with_step(transforms.Compose([transforms.RandomGrayscale(0.01)])),
    "numpy's": lambda picture: torch.from_numpy(np.random.rand(3, 32, 32)),  # noqa: NPY002
    "Python's": lambda picture: torch.full((3, 32, 32), random.random()),
}


@pytest.mark.parametrize("kind", RANDOM)
def test_a_preprocess_for_training_is_refused_and_costs_nobody_a_random_number(kind, clip):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    before = random.getstate()
    with pytest.raises(tk.InputError, match=r"other numbers of the same picture.*is_train=False"):
        tk.wrap(clip, preprocess=RANDOM[kind])
    assert torch.equal(torch.rand(3), expected)
    assert random.getstate() == before


def test_what_fails_and_what_is_none_is_refused(clip):
    with pytest.raises(tk.InputError, match="raises TypeError on an RGB picture"):
        tk.wrap(clip, preprocess=transforms.ToPILImage())
    with pytest.raises(tk.InputError, match="preprocess=3"):
        tk.wrap(clip, preprocess=3)


USUAL = open_clip.image_transform(32, is_train=False)
OTHER = {
    "of another size": (open_clip.image_transform(48, is_train=False), r"\[3, 48, 48\]"),
    "by the short edge alone": (transforms.Compose([transforms.Resize(32), transforms.ToTensor()]), r"\[3, 32, 42\]"),
    "a batch": (lambda picture: USUAL(picture)[None], r"\[1, 3, 32, 32\]"),
    "grey": (lambda picture: USUAL(picture)[:1], r"\[1, 32, 32\]"),
    "channels last": (lambda picture: USUAL(picture).permute(1, 2, 0), r"\[32, 32, 3\]"),
    "NaN": (lambda picture: USUAL(picture) * float("nan"), "NaN"),
    "no tensor": (lambda picture: USUAL(picture).numpy(), "ndarray"),
}


@pytest.mark.parametrize("kind", OTHER)
def test_pixels_that_the_model_does_not_take_are_refused(kind, clip):
    preprocess, said = OTHER[kind]
    with pytest.raises(tk.InputError, match=f"a preprocess that returns .*{said}"):
        tk.wrap(clip, preprocess=preprocess)


def test_a_class_and_a_tuple_are_not_what_they_make(clip):
    from transformers import CLIPImageProcessor

    with pytest.raises(tk.InputError, match="preprocess=the class CLIPImageProcessor"):
        tk.wrap(clip, preprocess=CLIPImageProcessor)
    with pytest.raises(tk.UnsupportedModelError, match="it is a class; pass a model of it"):
        tk.wrap(open_clip.CLIP)
    with pytest.raises(
        tk.UnsupportedModelError, match=r"it is 3 things; pass the model alone, as in tk\.wrap\(it\[0\]"
    ):
        tk.wrap((clip, None, None))


def test_a_processor_that_does_not_normalise_is_told(clip):
    from transformers import CLIPImageProcessor

    sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    with pytest.warns(tk.ModelWarning, match="not normalised as the model was trained"):
        tk.wrap(clip, preprocess=CLIPImageProcessor(**sizes, do_normalize=False))


def test_an_image_processor_of_transformers_is_a_preprocess(clip):
    from transformers import CLIPImageProcessor

    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    picture = Image.fromarray(np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3))
    for more in ({}, {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}, {"do_normalize": False}):
        processor = CLIPImageProcessor(**size, **more)
        model = tk.wrap(clip, preprocess=processor)
        theirs = processor(images=picture, return_tensors="pt")["pixel_values"]
        torch.testing.assert_close(model.encode_image(picture), model.encode_image(theirs.float()))
        plain = more.get("do_normalize", True)
        assert model.card.mean == (tuple(processor.image_mean) if plain else (0.0, 0.0, 0.0))


class HuggingFaceTokenizer:
    """As tokenizers of transformers answer."""

    model_max_length = 8

    def __call__(self, texts, padding, truncation, max_length, return_tensors):
        assert (padding, truncation, return_tensors) == ("max_length", True, "np")
        ids = [[1 + len(word) for word in text.split()][:max_length] for text in texts]
        return {"input_ids": np.array([row + [0] * (max_length - len(row)) for row in ids])}


def test_a_tokenizer_of_transformers_is_a_tokenizer(clip):
    model = tk.wrap(clip, tokenizer=HuggingFaceTokenizer())
    ids = torch.tensor([[2, 5, 0, 0, 0, 0, 0, 0]])
    with torch.no_grad():
        expected = torch.nn.functional.normalize(clip.encode_text(ids), dim=-1)
    torch.testing.assert_close(model.encode_text("a bird"), expected)


@pytest.mark.parametrize("given", ["x", lambda texts: [[1, 2]], lambda texts: torch.ones(3), lambda texts: 1 / 0])
def test_what_gives_no_ids_is_no_tokenizer(given, clip):
    with pytest.raises(tk.InputError, match=r"wrap: got .*tokenizer.*texts → ids"):
        tk.wrap(clip, tokenizer=given)


def test_a_preprocess_gives_floats_and_says_where_it_does_not_normalise(clip):
    plain = transforms.Compose([transforms.Resize((32, 32)), transforms.PILToTensor()])
    with pytest.raises(tk.InputError, match=r"returns a tensor of torch\.uint8"):
        tk.wrap(clip, preprocess=plain)
    with pytest.raises(tk.InputError, match="returns a ndarray"):
        tk.wrap(clip, preprocess=lambda picture: np.zeros((3, 32, 32), np.float32))
    with pytest.warns(tk.ModelWarning, match="wrap: the preprocess makes pixels of 0 … 0.973, not normalised"):
        tk.wrap(clip, preprocess=transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()]))


def test_a_transform_that_is_hardly_ever_drawn_is_refused_by_its_name(clip):
    rare = with_step(transforms.RandomHorizontalFlip(1e-6))
    with pytest.raises(tk.InputError, match="every time \\(by RandomHorizontalFlip\\)"):
        tk.wrap(clip, preprocess=rare)


def ids(n=8, rows=None, high=40, dtype=torch.long):
    return lambda texts: torch.full((rows or len(texts), n), high, dtype=dtype)


TOKENIZERS = {
    "one row too few": (ids(rows=1), "1 rows for 2 texts"),
    "another length": (ids(n=5), "5 tokens for a model of 8"),
    "beyond the vocabulary": (ids(high=50), "ids from 50 to 50 for a model that knows 50"),
    "negative": (ids(high=-1), "ids from -1"),
    "random": (lambda texts: torch.randint(0, 50, (len(texts), 8)), "other ids for the same texts"),
    "bools": (ids(high=1, dtype=torch.bool), "of torch.bool"),
    "on no device": (lambda texts: torch.zeros(2, 8, dtype=torch.long, device="meta"), "returns a Tensor"),
}


@pytest.mark.parametrize("case", TOKENIZERS)
def test_ids_that_the_model_cannot_read_are_refused_when_it_is_wrapped(case, clip):
    tokenizer, words = TOKENIZERS[case]
    with pytest.raises(tk.InputError, match=words):
        tk.wrap(clip, tokenizer=tokenizer)
