"""A place on disk where a store appears whole or not at all."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import zarr
from filelock import FileLock, Timeout

from toolkit.errors import StoreError


def is_store(path: Path) -> bool:
    """Whether something of ours lies there, whole or not."""
    try:
        return "digest" in zarr.open_group(store=str(path), mode="r").attrs
    except (OSError, ValueError, KeyError):
        return False


def _aside(path: Path) -> list[Path]:
    return [p for p in path.parent.glob(f".{path.name}.*.old") if is_store(p)]


class Place:
    """Where a store goes. It is written beside it, as PLACE.partial, under a lock, and moved there when whole; what lay
    there before stays until then, and comes back if the move fails or is cut short.

    operation: named in errors.
    """

    def __init__(self, path: Path, operation: str) -> None:
        self.path, self._operation = path.expanduser().resolve(), operation
        self.partial = self.path.with_name(self.path.name + ".partial")
        self._lock = FileLock(self.path.with_name(self.path.name + ".lock"), timeout=0)

    def acquire(self) -> None:
        """Keep others from writing here, and put back what a move that was cut short left aside."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            if not Path(self._lock.lock_file).exists():  # it could not be made at all
                given = f"store={str(self.path)!r}, where nothing can be written"
                fix = "name another place"
                raise StoreError(self._operation, given, "a folder that can be written to", fix) from error
            given = f"store={self.path.name!r}, which another process is writing at this moment"
            fix = "wait for it, or name another store"
            raise StoreError(self._operation, given, "one writer at a time", fix) from error
        aside = _aside(self.path)
        if aside and not self.path.exists():
            aside.pop().rename(self.path)
        for old in aside:
            shutil.rmtree(old, ignore_errors=True)

    def recover(self) -> None:
        """Put back what a move that was cut short left aside, where there is such a thing."""
        if not self.path.exists() and _aside(self.path):
            self.acquire()
            self.release()

    def release(self) -> None:
        """Let others write here."""
        if self._lock.is_locked:
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self._lock.release()

    def clear(self) -> None:
        """Remove the partial store; refuses to remove anything else."""
        if self.partial.is_dir() and (is_store(self.partial) or not any(self.partial.iterdir())):
            shutil.rmtree(self.partial)
        elif self.partial.exists():
            given = f"{self.partial.name!r}, which is no half-written store, in the way"
            raise StoreError(self._operation, given, "a free name", "move it away, or name another store")

    def move(self, overwrite: bool) -> None:
        """Put the partial store, now whole, in its place."""
        old = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex[:8]}.old")
        if self.path.exists():
            if not overwrite or not is_store(self.path):
                given = f"something at {self.path.name!r} that was not there when this began"
                fix = f"move it away and run the same call again: the new store lies whole in {self.partial.name!r}"
                raise StoreError(self._operation, given, "a free place", fix)
            self.path.rename(old)
        try:
            self.partial.rename(self.path)
        except BaseException:
            if old.exists():
                old.rename(self.path)
            raise
        shutil.rmtree(old, ignore_errors=True)
