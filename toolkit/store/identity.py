"""Whether what lies at a path is still the store that was opened there."""

from __future__ import annotations

import hashlib
from pathlib import Path

from toolkit.errors import StoreError


class Identity:
    """The store at a path as it was opened: its root's zarr.json, which bears a name that no two stores share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = folder / "zarr.json"
        self._stamp, self._digest = self._stamped(), self._digested()

    def check(self, operation: str) -> None:
        """Raise StoreError where the store was moved, deleted, or replaced by another since it was opened."""
        try:
            stamp = self._stamped()
            same = stamp == self._stamp or self._digested() == self._digest
        except (FileNotFoundError, NotADirectoryError) as error:
            given = f"{self.folder.name!r}, which is no longer at {self.folder.parent}"
            fix = "put it back, or open it where it is now: tk.open_acts(path)"
            raise StoreError(operation, given, "a store that stays where it was opened", fix) from error
        if not same:
            given = f"{self.folder.name!r}, which was replaced since it was opened"
            raise StoreError(operation, given, "the store that was opened", "open it anew: tk.open_acts(path)")
        self._stamp = stamp

    def _stamped(self) -> tuple[int, int, int]:
        found = self._root.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _digested(self) -> str:
        return hashlib.sha256(self._root.read_bytes()).hexdigest()
