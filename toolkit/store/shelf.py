"""`Shelf`: what is kept of one model's texts from one session to the next, in files that processes share."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.floating[Any]]
WIDTH = 16
"""Bytes of a text's key."""
MOST = 4096
"""Texts a file."""


def cache_folder() -> Path:
    """Where text embeddings are kept: $TOOLKIT_CACHE, else ~/.cache/clip-head-toolkit."""
    return Path(os.environ.get("TOOLKIT_CACHE") or Path.home() / ".cache" / "clip-head-toolkit")


class Shelf:
    """The vectors of a folder, by key.

    A file is written whole under a name of its own and never changed, so that any number of processes may write at
    once; what two of them encoded is there twice. What cannot be read or written costs time, never an error.
    """

    def __init__(self, folder: Path, d: int) -> None:
        self._folder, self._d = folder, d
        self._written: list[Path] = []

    def find(self, keys: Iterable[bytes]) -> dict[bytes, Vector]:
        """Those that are kept, among some."""
        wanted, found = set(keys), dict[bytes, Vector]()
        for path in self._files():
            if not wanted:
                break
            there = _keys(path) & wanted
            if there:
                new = {key: vector for key, vector in self._read(path).items() if key in there}
                found |= new
                wanted -= new.keys()
        return found

    def write(self, vectors: dict[bytes, Vector]) -> None:
        """Keep some more."""
        items = list(vectors.items())
        for start in range(0, len(items), MOST):
            self._write(items[start : start + MOST])

    def join(self) -> None:
        """What this object wrote in small files, in as few as hold it."""
        mine, self._written = self._written, []
        if len(mine) < 2:
            return
        whole = dict[bytes, Vector]()
        for path in mine:
            whole |= self._read(path)
        self.write(whole)
        kept = {key for path in self._written for key in _keys(path)}
        for path in mine:
            if _keys(path) <= kept:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        with contextlib.suppress(OSError):
            return sorted(path for path in self._folder.glob("*.npz") if not path.name.startswith("."))
        return []

    def _write(self, items: Sequence[tuple[bytes, Vector]]) -> None:
        name = f"{uuid.uuid4().hex}.npz"
        new, path = self._folder / f".{name}", self._folder / name
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                keys = np.frombuffer(b"".join(key for key, _ in items), np.uint8).reshape(-1, WIDTH)
                with new.open("wb") as file:
                    np.savez(file, keys=keys, vectors=np.stack([vector for _, vector in items]))
                new.replace(path)
                self._written.append(path)
            finally:
                new.unlink(missing_ok=True)

    def _read(self, path: Path) -> dict[bytes, Vector]:
        with contextlib.suppress(Exception), np.load(path, allow_pickle=False) as kept:  # numpy raises anything
            keys, vectors = kept["keys"], kept["vectors"]
            right = vectors.shape == (len(keys), self._d) and vectors.dtype.kind == "f"
            if right and bool(np.isfinite(vectors).all()):
                return dict(zip(map(bytes, keys), vectors, strict=True))
        return {}


def _keys(path: Path) -> set[bytes]:
    """Of the texts in a file; none where it is damaged, or another process has joined it to others since."""
    with contextlib.suppress(Exception), np.load(path, allow_pickle=False) as kept:  # numpy raises anything
        keys = kept["keys"]
        if keys.ndim == 2 and keys.shape[1] == WIDTH and keys.dtype == np.uint8:
            return set(map(bytes, keys))
    return set()
