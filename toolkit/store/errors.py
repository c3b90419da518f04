"""What can go wrong with files, in the toolkit's own words."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.errors import StoreError


@contextmanager
def storing(path: Path, operation: str) -> Iterator[None]:
    """Turn what the file system says into a StoreError that names the cause and the way on."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            fix = "free some space, or choose another place with store=…, and run the same call again"
            raise StoreError(
                operation, f"a full disk while writing {path.name} ({free(path)} free)", "space", fix
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            given = f"no permission to write {path}"
            raise StoreError(operation, given, "a writable place", "choose another with store=…") from error
        raise


def check_space(path: Path, needed: int) -> None:
    """Refuse before anything is written what cannot fit."""
    parent = next(p for p in (path, *path.parents) if p.exists())
    left = shutil.disk_usage(parent).free
    if needed > left:
        given = f"{size(needed)} to write where {size(left)} are free"
        fix = 'choose another place with store=…, fewer images, or precision="float16"'
        raise StoreError("extract", given, "a place with enough space", fix)


def free(path: Path) -> str:
    """How much space is left there, in words."""
    return size(shutil.disk_usage(next(p for p in (path, *path.parents) if p.exists())).free)


def size(n: float) -> str:
    """Bytes in words."""
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" or n >= 100 else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} GB"
