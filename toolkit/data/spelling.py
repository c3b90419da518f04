"""Names that are one name in two spellings of its bytes: "é" is one character, or an "e" and an accent."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path


def nfc(name: str) -> str:
    """A name in the form in which names are compared (Unicode's NFC); files are opened by what they are called.

    >>> nfc("cafe" + chr(0x301)) == "caf" + chr(0xE9)
    True
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def among(names: Iterable[str], wanted: Iterable[str]) -> set[str]:
    """Those of the names that are wanted: as they are spelled where that one is there, else in any form.

    >>> among(["caf" + chr(0xE9), "tea"], ["cafe" + chr(0x301), "milk"]) == {"caf" + chr(0xE9)}
    True
    """
    there, forms = set(names), dict[str, set[str]]()
    for name in there:
        forms.setdefault(nfc(name), set()).add(name)
    return {name for one in wanted for name in ([one] if one in there else forms.get(nfc(one), ()))}


def spelled(path: Path) -> Path:
    """A path as it is spelled on disk: the path itself where it is there, else the one that is equal in NFC, if any."""
    if str(path).isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for name in path.parts[bool(path.anchor) :]:
        found = found / name if os.path.lexists(found / name) else _like(found, name)
    return found


def _like(folder: Path, name: str) -> Path:
    """What is called so in a folder, in another spelling of its bytes; the name as it is where nothing is."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        names = []
    return folder / next((other for other in names if nfc(other) == nfc(name)), name)
