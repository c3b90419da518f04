"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from toolkit.errors import StoreError
from toolkit.store.errors import local, storing


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A path beside the target to write to (with its ending); it takes the target's place when the block ends well, and
    is gone when it does not.
    """
    part = target.with_name(f".{target.stem}.part{target.suffix}")
    try:
        yield part
        part.replace(target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def saved_file(path: str | Path, operation: str) -> Iterator[Path]:
    """The same for what a user saves, in a folder that is made where it is not there: a full disk, a place where one
    may not write, one where nothing can be and an address that is no path are a StoreError.
    """
    target = local(path, operation)
    try:
        with storing(target, operation):
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(target) as part:
                yield part
    except StoreError:
        raise
    except OSError as error:  # a file where a folder should be, a name that is too long …
        given = f"{str(path)!r}, where nothing can be written ({error.strerror or error})"
        raise StoreError(operation, given, "a place to write to", "name another file") from error
