"""Which files a store consists of, how large they are, and a digest of each: whether it is still what was written."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.signs import counted
from toolkit.store.layout import ABOUT
from toolkit.store.whole import whole_file

NAME = f"{ABOUT}/files.json"
BLOCK = 4_000_000
"""Bytes of a file that are read at a time."""


@dataclass(frozen=True)
class Seal:
    """A file as it was written: bytes, and a CRC-32 of them; None and None for one that is not there, as all of it is
    the array's fill value.
    """

    size: int | None
    digest: int | None


@dataclass(frozen=True)
class Manifest:
    """The files of a store by their names in it ("mixes/c/0/0/0/0"), and how they were."""

    files: dict[str, Seal] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """That of a store; raises OSError or ValueError where it cannot be read."""
        return cls.of(json.loads((folder / NAME).read_text(encoding="utf-8")))

    @classmethod
    def of(cls, plain: dict[str, list[int | None]]) -> Manifest:
        """From plain values (`plain`)."""
        return cls({name: Seal(*row) for name, row in plain.items()})

    @property
    def plain(self) -> dict[str, list[int | None]]:
        """As plain values."""
        return {name: [seal.size, seal.digest] for name, seal in self.files.items()}

    def write(self, folder: Path) -> None:
        """Keep it with its store."""
        with whole_file(folder / NAME) as part, part.open("w", encoding="utf-8") as file:
            json.dump(self.plain, file)
            file.flush()
            os.fsync(file.fileno())

    def resized(self, folder: Path) -> Iterator[tuple[str, str]]:
        """Files that are missing or of another size, with what is wrong in words; a look at the folder, not into it."""
        for name, seal in self.files.items():
            size = _size(folder / name)
            if size != seal.size:
                yield name, _differs(size, seal.size)

    def changed(self, folder: Path, names: Iterable[str] | None = None) -> Iterator[tuple[str, str]]:
        """Files whose bytes are not those that were written, with what is wrong in words. names: default all."""
        for name in counted(list(self.files if names is None else names), "read the store", "file"):
            seal, found = self.files[name], sealed(folder / name)
            if found.size != seal.size:
                yield name, _differs(found.size, seal.size)
            elif found != seal:
                yield name, "holds other bytes than were written"


def sealed(path: Path) -> Seal:
    """A file as it is now."""
    try:
        with path.open("rb") as file:
            size, digest = 0, 0
            while block := file.read(BLOCK):
                size, digest = size + len(block), zlib.crc32(block, digest)
    except (FileNotFoundError, NotADirectoryError):
        return Seal(None, None)
    return Seal(size, digest)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


def _differs(size: int | None, expected: int | None) -> str:
    if size is None:
        return f"is missing ({expected:,} bytes)"
    return f"has {size:,} bytes" + (" and should not be there" if expected is None else f" instead of {expected:,}")
