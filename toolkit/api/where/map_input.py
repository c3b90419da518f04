"""Images for maps, in any form; and what to say when one is none, or when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from torch import Tensor

from toolkit.core.heads import HeadSet
from toolkit.data.decoder import shown
from toolkit.data.endings import remedy, unread
from toolkit.data.pixels import UnusableImageError
from toolkit.data.spelling import spelled
from toolkit.errors import InputError, MemoryExhaustedError, ToolkitError, UnsupportedModelError
from toolkit.models.images import Images
from toolkit.models.model import Model
from toolkit.signs import sign


def images_of(model: Model, images: Any, operation: str) -> tuple[Images, bool]:
    """Images in any form, and whether it is one alone. A path is opened here."""
    if isinstance(images, str | Path):
        images = opened(images, operation)
    elif isinstance(images, list | tuple) and any(isinstance(image, str | Path) for image in images):
        images = [opened(image, operation) if isinstance(image, str | Path) else image for image in images]
    single = isinstance(images, Image.Image) or isinstance(getattr(images, "image", None), Image.Image)
    source = model.images(images, operation)
    rows, columns = model.card.grid
    if rows * columns < 2:
        given = f"{model.card.id!r}, whose grid is {rows}×{columns}"
        raise UnsupportedModelError(operation, given, "a model with two patches or more", "use a smaller patch size")
    return source, single


def opened(source: str | Path | BinaryIO, operation: str, name: str = "") -> Image.Image:
    """An image file, read whole, upright and in RGB; InputError where it is none. name: for errors, else the path."""
    file = spelled(Path(source).expanduser()) if isinstance(source, str | Path) else source
    said = repr(name or str(source))
    accepted = "an image file that Pillow reads (PNG, JPEG, WebP …)"
    if unread(words := name or str(source)) and not (isinstance(file, Path) and not file.is_file()):
        raise InputError(operation, f"{said}, of a kind that Pillow here cannot read", accepted, remedy([words]))
    try:
        return shown(file)[0]
    except IsADirectoryError as error:
        raise InputError(operation, f"the folder {said}", accepted, "read it with tk.image_folder") from error
    except FileNotFoundError as error:
        raise InputError(operation, f"{said}, which does not exist", accepted, "look at the path") from error
    except UnusableImageError as error:
        raise InputError(operation, f"{said}: {error}", accepted, "crop it, or choose another file") from error
    except MemoryError as error:
        given = f"{said}, for whose pixels memory does not suffice"
        raise MemoryExhaustedError(operation, given, accepted, "scale it down first") from error
    except Exception as error:  # decoders raise whatever they like
        given = f"{said}, which is no readable image ({type(error).__name__})"
        raise InputError(operation, given, accepted, "open it with another program, or choose another file") from error


def some_heads(heads: Any, layers: int, per_layer: int, operation: str) -> HeadSet:
    """One head or more, in any spelling."""
    found = HeadSet.of(heads, layers, per_layer)
    if not len(found):
        raise InputError(operation, "no heads", "one head or more, or None", "choose heads, or leave them out")
    return found


def batches(source: Images, size: int, operation: str) -> Iterator[Tensor]:
    """Preprocessed batches; memory exhausted while they are made is an error in words too."""
    found, done = source.batches(size), 0
    with sign(operation, "image") as report:
        while True:
            with enough_memory(operation, min(size, len(source)) if isinstance(size, int) else 1):
                batch = next(found, None)
            if batch is None:
                return
            yield batch
            done += len(batch)
            report(done, len(source))


@contextmanager
def enough_memory(operation: str, images: int) -> Iterator[None]:
    """Say what to do where memory runs out."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        words = str(error).lower()
        full = any(said in words for said in ("out of memory", "allocate memory", "not enough memory"))
        if isinstance(error, ToolkitError) or not (full or isinstance(error, MemoryError)):
            raise
        given = f"{images} images at a time, for which memory does not suffice"
        fix = f"pass batch_size={max(1, images // 2)}" if images > 1 else "use a smaller model or another device"
        raise MemoryExhaustedError(operation, given, "as many as fit the device", fix) from None
