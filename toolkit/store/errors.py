"""What can go wrong with files, in the toolkit's own words."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.errors import StoreError, ToolkitError


def local(path: str | Path, operation: str) -> Path:
    """A path on this machine's disks, absolute, so that it means the same after a change of folder. Raises StoreError
    for addresses such as s3://…, which would else become a folder of that name.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", str(path))  # two letters and more: C:/ is a disk
    if scheme:
        given = f"{str(path)!r}, an address with the scheme {scheme[1]!r}"
        fix = "copy it to a disk, or mount the storage, and pass that path"
        raise StoreError(operation, given, "a path on a local disk; other places are not supported yet", fix)
    return Path(path).expanduser().absolute()


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def storing(path: Path, operation: str) -> Iterator[None]:
    """Turn what the file system says into a StoreError that names the cause and the way on."""
    try:
        yield
    except ToolkitError:
        raise
    except Exception as error:
        number = _number(error)
        if number in FULL:
            given = f"a full disk while writing {path.name} ({free(path)} free)"
            fix = "free some space, or choose another place, and run the same call again"
            raise StoreError(operation, given, "space", fix) from error
        if number in REFUSED:
            given = f"no permission to write {path}"
            raise StoreError(operation, given, "a writable place", "choose another") from error
        raise


def _number(error: Exception) -> int | None:
    """The system's number of an error; libraries that are not Python's own have it in their words."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None


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
