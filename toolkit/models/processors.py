"""What makes a picture or a text into a model's input: functions, and the processors of the transformers library."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from toolkit.errors import InputError
from toolkit.models.words import tell

Preprocess = Callable[..., Tensor]
Tokenizer = Callable[..., Tensor]
TRIES = 8
"""Times a picture goes through a preprocess, each with other random numbers: a flip of every second picture shows."""
AUGMENTS = ("ColorJitter", "AutoAugment", "RandAugment", "TrivialAugmentWide", "AugMix", "ElasticTransform")
"""Transforms of torchvision that draw random numbers and do not say so in their name."""
TEXTS = ("a photo of a dog", "two")
FIX = "pass open_clip.image_transform(size, is_train=False), or leave preprocess out"


class ImageProcessor:
    """An image processor of the transformers library as a function: PIL image → [3, H, W].

    mean, std: of its normalisation, per channel.
    """

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        plain = not getattr(processor, "do_normalize", True)
        self.mean = (0.0, 0.0, 0.0) if plain else tuple(float(x) for x in processor.image_mean)
        self.std = (1.0, 1.0, 1.0) if plain else tuple(float(x) for x in processor.image_std)

    def __call__(self, picture: Image.Image) -> Tensor:
        return torch.as_tensor(np.asarray(self.processor(images=picture, return_tensors="np")["pixel_values"])[0])


class TextProcessor:
    """A tokenizer of the transformers library as a function: texts → ids [t, n]."""

    def __init__(self, tokenizer: Any, length: int | None) -> None:
        self.tokenizer, self.length = tokenizer, length

    def __call__(self, texts: Sequence[str] | str, context_length: int | None = None) -> Tensor:
        several = [texts] if isinstance(texts, str) else list(texts)
        length = context_length or self.length or self.tokenizer.model_max_length
        found = self.tokenizer(
            several, padding="max_length", truncation=True, max_length=length, return_tensors="np"
        )  # fmt: skip
        return torch.as_tensor(np.asarray(found["input_ids"]), dtype=torch.long)


def as_preprocess(given: Any, size: tuple[int, int]) -> Preprocess:
    """A preprocess as a function of a PIL image, one that gives the same for the same picture.

    given: such a function, or an image processor (or processor of both kinds) of the transformers library. size:
    (height, width) that the model takes. Raises InputError for what cannot be called so, and for random ones.
    """
    if not callable(given := getattr(given, "image_processor", given)) or isinstance(given, type):
        accepted = "a function PIL image → [3, H, W], or an image processor of transformers"
        what = f"the class {given.__name__}" if isinstance(given, type) else f"{given!r:.80}"
        raise InputError("wrap", f"preprocess={what}", accepted, FIX)
    found = ImageProcessor(given) if hasattr(given, "image_mean") else given
    steps = [type(step).__name__ for step in getattr(found, "transforms", [])]
    drawn = [name for name in steps if name.startswith("Random") or name in AUGMENTS]
    picture = _test_picture(size)
    try:
        with _own_random_numbers() as has_drawn:
            first = found(picture)
            same = (
                not drawn
                and not has_drawn()
                and all(_equal(first, _again(found, picture, seed)) for seed in range(1, TRIES))
            )
    except Exception as error:
        said = f"a preprocess that raises {type(error).__name__} on an RGB picture ({str(error).strip()[:200]})"
        raise InputError("wrap", said, "a function PIL image → [3, H, W]", FIX) from error
    if not isinstance(first, Tensor) or not first.is_floating_point():
        kind = f"a tensor of {first.dtype}" if isinstance(first, Tensor) else f"a {type(first).__name__}"
        raise InputError("wrap", f"a preprocess that returns {kind}", "a function PIL image → floats [3, H, W]", FIX)
    if not same:
        by = f" (by {', '.join(drawn)})" if drawn else " (a training transform, it seems)"
        said = f"a preprocess that makes other numbers of the same picture every time{by}"
        raise InputError("wrap", said, "one that always does the same", FIX)
    if not torch.isfinite(first).all():
        raise InputError("wrap", "a preprocess that returns NaN or infinite pixels", "a function to floats", FIX)
    if first.shape != (3, *size):
        accepted = f"a function PIL image → {[3, *size]}, as this model takes it"
        raise InputError("wrap", f"a preprocess that returns {list(first.shape)}", accepted, FIX)
    stated = [step for step in getattr(found, "transforms", []) if hasattr(step, "mean")]
    normalises = bool(stated) or (isinstance(found, ImageProcessor) and getattr(given, "do_normalize", True))
    if not normalises and first.min() >= 0 and first.max() > 0:
        tell(f"the preprocess makes pixels of 0 … {first.max():.3g}, not normalised as the model was trained", "wrap")
    return found


def as_tokenizer(given: Any, length: int | None, words: int | None = None) -> Tokenizer:
    """A tokenizer as a function: texts → ids [t, n].

    given: such a function, or a tokenizer (or processor of both kinds) of the transformers library. length: tokens of a
    text that the model takes. words: how many tokens it knows. Raises InputError for what gives no table of such ids.
    """
    given = given if not hasattr(given, "image_processor") else getattr(given, "tokenizer", given)
    found = TextProcessor(given, length) if hasattr(given, "model_max_length") and callable(given) else given
    accepted = "a function texts → ids [t, n], such as open_clip.get_tokenizer(name), or a tokenizer of transformers"
    fix = "pass such a function, or leave tokenizer out"
    if not callable(found):
        raise InputError("wrap", f"tokenizer={given!r:.80}", accepted, fix)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of words it does not know
            ids, again = found(list(TEXTS)), found(list(TEXTS))
    except Exception as error:
        said = f"a tokenizer that raises {type(error).__name__} on a list of texts ({str(error).strip()[:200]})"
        raise InputError("wrap", said, accepted, fix) from error
    if not isinstance(ids, Tensor) or ids.ndim != 2 or ids.dtype not in (torch.int32, torch.int64) or ids.is_meta:
        shape = f" {tuple(ids.shape)} of {ids.dtype}" if isinstance(ids, Tensor) else ""
        raise InputError("wrap", f"a tokenizer that returns a {type(ids).__name__}{shape}", accepted, fix)
    if len(ids) != len(TEXTS):
        raise InputError("wrap", f"a tokenizer that returns {len(ids)} rows for {len(TEXTS)} texts", accepted, fix)
    if not torch.equal(ids, again):
        raise InputError("wrap", "a tokenizer that returns other ids for the same texts every time", accepted, fix)
    if length is not None and ids.shape[1] != length:
        raise InputError("wrap", f"a tokenizer of {ids.shape[1]} tokens for a model of {length}", accepted, fix)
    if int(ids.min()) < 0 or (words is not None and int(ids.max()) >= words):
        given_ = f"a tokenizer with ids from {int(ids.min())} to {int(ids.max())} for a model that knows {words}"
        raise InputError("wrap", given_, accepted, fix)
    return found


def _test_picture(size: tuple[int, int]) -> Image.Image:
    """Larger than the model's size and not symmetric, so that crops, flips and changes of colour show."""
    height, width = size[0] + size[0] // 2, 2 * size[1]
    y, x = np.mgrid[0:height, 0:width]
    levels = np.stack([x * 255 // width, y * 255 // height, (x * 7 + y * 13) % 256], 2)
    return Image.fromarray(levels.astype(np.uint8))


def _again(preprocess: Preprocess, picture: Image.Image, seed: int) -> Any:
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 – the one that transforms of others use
    random.seed(seed)
    return preprocess(picture)


def _equal(a: Any, b: Any) -> bool:
    """Whether two results are the same numbers; what is no tensor is told when it is used."""
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return True
    return a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=1e-6, equal_nan=True)


@contextmanager
def _own_random_numbers() -> Iterator[Callable[[], bool]]:
    """Whatever is drawn inside, the caller's random numbers go on as if nothing had been.

    Gives a function that says whether something has been drawn.
    """
    of_numpy, of_python = np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002
    of_torch = torch.random.get_rng_state()

    def drawn() -> bool:
        now = np.random.get_state(legacy=False)  # noqa: NPY002
        same = now["state"]["pos"] == of_numpy["state"]["pos"] and np.array_equal(
            now["state"]["key"], of_numpy["state"]["key"]
        )
        return not same or random.getstate() != of_python or not torch.equal(torch.random.get_rng_state(), of_torch)

    try:
        with torch.random.fork_rng(devices=[]):
            yield drawn
    finally:
        np.random.set_state(of_numpy)  # noqa: NPY002
        random.setstate(of_python)
