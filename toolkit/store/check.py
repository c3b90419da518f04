"""Reading a whole store to see whether it is what was written."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import StoreError
from toolkit.store.damage import full_damage_at
from toolkit.store.errors import size
from toolkit.store.manifest import Manifest
from toolkit.store.reader import open_store


def check_store(path: Path) -> tuple[int, str]:
    """Compare the digest of every file; how many there are, and how many bytes, in words.

    Raises StoreError for files that are not as they were written, and for a store of format 1, which has no digests.
    """
    store = open_store(path, "info")
    assert store.folder is not None
    if int(store.attrs["format"]) == 1:
        given = f"{store.name!r}, of format 1: its files are there and of the right size, digests it has none"
        raise StoreError("info", given, "a store of format 2", "rewrite it: toolkit info STORE --upgrade")
    found = full_damage_at(store.folder)
    if found is not None:
        raise found.error("info", store.name, store.chunk)
    seals = [seal for seal in Manifest.read(store.folder).files.values() if seal.size is not None]
    return len(seals), size(sum(seal.size or 0 for seal in seals))
