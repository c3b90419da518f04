"""Images for maps, in any form; and what to say when one is none, or when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from toolkit.errors import InputError, MemoryExhaustedError, UnsupportedModelError
from toolkit.models.images import Images
from toolkit.models.model import Model


def images_of(model: Model, images: Any, operation: str) -> tuple[Images, bool]:
    """Images in any form, and whether it is one alone. A path is opened here."""
    if isinstance(images, str | Path):
        images = opened(images, operation)
    single = isinstance(images, Image.Image) or isinstance(getattr(images, "image", None), Image.Image)
    source = model.images(images, operation)
    rows, columns = model.card.grid
    if rows * columns < 2:
        given = f"{model.card.id!r}, whose grid is {rows}×{columns}"
        raise UnsupportedModelError(operation, given, "a model with two patches or more", "use a smaller patch size")
    return source, single


def opened(path: str | Path, operation: str) -> Image.Image:
    """An image file, read whole; InputError where it is none."""
    target = Path(path).expanduser()
    accepted = "the path of an image file that Pillow reads"
    try:
        with Image.open(target) as file:
            file.load()
            return file.convert("RGB")
    except FileNotFoundError as error:
        raise InputError(operation, f"{str(path)!r}, which does not exist", accepted, "look at the path") from error
    except Exception as error:
        given = f"{str(path)!r}, which is no readable image ({type(error).__name__})"
        raise InputError(operation, given, accepted, "open it with another program, or choose another file") from error


def batches(source: Images, size: int, operation: str) -> Iterator[Tensor]:
    """Preprocessed batches; memory exhausted while they are made is an error in words too."""
    found = source.batches(size)
    while True:
        with enough_memory(operation, min(size, len(source)) if isinstance(size, int) else 1):
            batch = next(found, None)
        if batch is None:
            return
        yield batch


@contextmanager
def enough_memory(operation: str, images: int) -> Iterator[None]:
    """Say what to do where memory runs out."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        words = str(error).lower()
        if not (
            isinstance(error, MemoryError)
            or type(error).__name__ == "OutOfMemoryError"
            or "allocate memory" in words
            or "not enough memory" in words
        ) or isinstance(error, MemoryExhaustedError):
            raise
        given = f"{images} images at a time, for which memory does not suffice"
        fix = f"pass batch_size={max(1, images // 2)}" if images > 1 else "use a smaller model or another device"
        raise MemoryExhaustedError(operation, given, "as many as fit the device", fix) from None
