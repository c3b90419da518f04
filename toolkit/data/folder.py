"""Images in a folder, one sub-folder per class."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Self

from PIL import Image, UnidentifiedImageError

from toolkit.data.pixels import as_rgb
from toolkit.data.samples import Read, Samples
from toolkit.errors import InputError


class ImageFolder(Samples):
    """Images of a folder, decoded when asked for. Made by `tk.image_folder`.

    Ids are paths inside the folder; the label of an image is the first folder on its path, "" for one that lies at the
    top. Groups are the labels.
    """

    def __init__(self, folder: Path, paths: Sequence[str], split: str) -> None:
        self.folder, self._paths = folder, tuple(paths)
        labels = [path.split("/")[0] if "/" in path else "" for path in paths]
        super().__init__(paths, labels, labels, split)

    def read(self, row: int) -> Read:
        """One image, or why there is none. Raises OSError where the fault is not this file's (the folder is gone …)."""
        path = self.folder / self._paths[row]
        try:
            if not path.stat().st_size:
                return Read(None, "an empty file")
            return _decoded(path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM) and self.folder.is_dir():
                return Read(None, str(error.strerror))
            raise

    def pixels(self, rows: Sequence[int]) -> list[Image.Image]:
        found = [(row, self.read(row)) for row in rows]
        for row, read in found:
            if read.image is None:
                given = f"{self._paths[row]!r}, which cannot be shown: {read.note}"
                fix = "leave it out with data.take([…]); tk.extract skips such images and lists them"
                raise InputError("image_folder", given, "images Pillow can read", fix)
        return [read.image for _, read in found if read.image is not None]

    def take(self, rows: Sequence[int]) -> Self:
        return type(self)(self.folder, [self._paths[row] for row in rows], self.split)

    def stamp(self) -> str:
        """Sizes and times of the files, so that a changed file is noticed."""
        found = sha256()
        for path in self._paths:
            try:
                facts = (self.folder / path).stat()
                found.update(f"{path} {facts.st_size} {facts.st_mtime_ns}\n".encode())
            except FileNotFoundError:
                found.update(f"{path} is gone\n".encode())
        return found.hexdigest()


def _decoded(path: Path) -> Read:
    try:
        with Image.open(path) as opened:
            return Read(*as_rgb(opened))
    except UnidentifiedImageError:
        return Read(None, "not an image Pillow can read")
    except OSError as error:
        if error.errno is not None:  # the file system speaking, not a decoder
            raise
        return Read(None, str(error))
    except Exception as error:  # noqa: BLE001 – damaged files make Pillow's decoders raise anything
        return Read(None, f"{type(error).__name__}: {error}")


@cache
def _suffixes() -> frozenset[str]:
    return frozenset(Image.registered_extensions()) - {".pdf", ".ps", ".eps", ".mpo", ".h5", ".hdf", ".grib", ".bufr"}


def image_folder(folder: str | Path, split: str = "test") -> ImageFolder:
    """The images below a folder, in the order of their paths; sub-folders are classes.

    folder: path. split: what to call these images, default "test". Files that are no images by their name, and hidden
    ones, are left out; what looks like an image and cannot be read is found when it is decoded (`tk.extract` lists it).
    Raises InputError for what is no folder or holds no images.

    >>> import toolkit as tk
    >>> tk.image_folder("photos")  # doctest: +SKIP
    ImageFolder(40 images, split 'test': cat 20, dog 20)
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InputError(
            "image_folder", f"{str(folder)!r}, which is not a folder", "a folder of images", "check the path"
        )
    paths = sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.suffix.lower() in _suffixes() and path.is_file() and not _hidden(path.relative_to(root))
    )
    if not paths:
        raise InputError(
            "image_folder", f"{str(folder)!r}, in which no file is an image", "JPEG, PNG, WebP …", "check the path"
        )
    return ImageFolder(root, paths, split)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
