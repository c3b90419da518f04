"""Where the files of a data set are: images below a folder, paths of a table on disk, folders with known names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from toolkit.data.characters import sendable
from toolkit.data.choice import first_three
from toolkit.data.endings import READERS, ending_of, left_out, suffixes, unread
from toolkit.data.spelling import nfc, spelled
from toolkit.errors import InputError, warn_caller

UNTIDY = re.compile(r"\\|//|(^|/)\.(/|$)|/$")
SYSTEM = frozenset({
    "__macosx", "network trash folder", "temporary items", "thefindbyfolder", "thevolumesettingsfolder",  # macOS
    "$recycle.bin", "recycler", "recycled", "system volume information", "$sysreset", "$winreagent",  # Windows
    "thumbs.db", "ehthumbs.db", "desktop.ini", "lost+found", "~snapshot", "__pycache__",
    "@eadir", "@tmp", "@sharebin", "@sharesnap", "#recycle", "#snapshot", "@recycle", "@recently-snapshot",  # NAS
})  # fmt: skip
"""Names, in lower case, of what systems and programs keep beside data; all others of theirs begin with a dot."""


def hidden(name: str) -> bool:
    """Whether a file or folder is none of the data set's: dot files, what systems, archives and NAS boxes leave."""
    lower = name.casefold()
    return name.startswith(".") or lower in SYSTEM or re.fullmatch(r"found\.\d{3}", lower) is not None


def is_image(name: str) -> bool:
    """Whether a file is an image by its name, whatever the case of its ending."""
    return not hidden(name) and ending_of(name) in suffixes()


def is_picture(name: str) -> bool:
    """Whether a file is a picture by its name, be it one that Pillow here reads or not."""
    return is_image(PurePosixPath(name).name) or unread(name)


class DataWarning(UserWarning):
    """A data set is not all there."""


class Below(NamedTuple):
    """Images below a folder: paths relative to it, sorted. notes: sentences on folders that were not entered and on
    pictures that cannot be read. unread: the paths of these.
    """

    paths: tuple[str, ...]
    notes: tuple[str, ...]
    unread: tuple[str, ...] = ()


def images_below(root: Path) -> Below:
    """The images below a folder; hidden files and folders and those of the system are left out.

    A DataWarning says where pictures are left out that Pillow here cannot read.
    """
    paths: list[str] = []
    others: list[str] = []
    rest: list[str] = []
    odd: list[str] = []
    linked: list[str] = []
    aside: list[Path] = []
    shut: list[OSError] = []
    readable = suffixes()
    kinds = readable | READERS.keys()
    for at, folders, files in os.walk(root, onerror=shut.append):
        here = Path(at)
        aside += [here / name for name in sorted(folders) if hidden(name)]
        folders[:] = sorted(name for name in folders if not hidden(name))
        linked += [(here / name).relative_to(root).as_posix() for name in folders if (here / name).is_symlink()]
        prefix = "" if here == root else here.relative_to(root).as_posix() + "/"
        for name in files:
            ending = ending_of(name)
            if hidden(name):
                continue
            if not _is_text(prefix + name):
                odd.append(prefix + name)
            elif ending in kinds:
                (paths if ending in readable else others).append(prefix + name)
            else:
                rest.append(prefix + name)
    notes = _aside(root, aside, kinds)
    notes += [f"Files whose names are no UTF-8 were left out: {first_three(sendable(sorted(odd)))}."] if odd else []
    notes += _bare(rest, [*paths, *others])
    if others:
        gone = {path.split("/")[0] for path in others if "/" in path} - {path.split("/")[0] for path in paths}
        notes.append(left_out(sorted(others), sorted(gone)) + ".")
        if paths:
            warn_caller(notes[-1], DataWarning)
    notes += [f"Folders that are links were not entered: {first_three(linked)}."] if linked else []
    if shut:
        names = [Path(str(error.filename)).relative_to(root).as_posix() for error in shut]
        notes.append(f"Folders that may not be listed were left out: {first_three(names)} ({shut[0].strerror}).")
    return Below(tuple(sorted(paths)), tuple(notes), tuple(sorted(others)))


def _is_text(name: str) -> bool:
    """Whether a name is text: bytes that are no UTF-8 come as halves of characters."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _bare(rest: Sequence[str], pictures: Sequence[str]) -> list[str]:
    """A note on folders at the top that hold files and no picture by its ending: a class that would vanish."""
    full = {path.split("/")[0] for path in pictures if "/" in path}
    found = [path for path in sorted(rest) if "/" in path and path.split("/")[0] not in full]
    names = list(dict.fromkeys(path.split("/")[0] for path in found))
    if not names:
        return []
    return [f"Folders with files but no picture by its ending: {first_three(names)} (such as {found[0]!r})."]


def _aside(root: Path, folders: Sequence[Path], kinds: frozenset[str]) -> list[str]:
    """A note on hidden folders and those of the system that hold images."""
    held: dict[str, int] = {}
    for folder in folders:
        below = () if folder.is_symlink() else os.walk(folder)
        names = [name for _, _, files in below for name in files if not name.startswith(".")]
        n = sum(ending_of(name) in kinds for name in names)
        if n:
            held[folder.relative_to(root).as_posix()] = n
    if not held:
        return []
    what = f"hidden or of the system were left out, and {sum(held.values())} pictures in them"
    return [f"Folders that are {what}: {first_three(list(held))}."]


def folder_given(operation: str, folder: str | Path) -> Path:
    """A folder that is there, with "~" and links resolved. Raises InputError for what is none."""
    try:
        root = Path(os.path.realpath(spelled(Path(folder).expanduser())))
        there = root.is_dir()
    except (TypeError, ValueError, RuntimeError):
        there = False
    if not there:
        raise InputError(operation, f"{str(folder)!r}, which is not a folder", "a folder of images", "check the path")
    if not os.access(root, os.R_OK | os.X_OK):
        given = f"{str(folder)!r}, which may not be read"
        raise InputError(operation, given, "a folder of images", "ask for the rights to list it")
    return root


def first_with(folders: Iterable[Path], *names: str) -> Path | None:
    """The first of the folders that holds one of these files or folders."""
    return next((folder for folder in folders if any((folder / name).exists() for name in names)), None)


def sub_folders(root: Path) -> list[str]:
    """Names of the folders in a folder, sorted, hidden ones left out; links to folders are among them."""
    return sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not hidden(entry.name))


def plain(path: object) -> str:
    """A path as tables should have it: "/" between folders, nothing that says "here"."""
    words = str(path)
    if words and UNTIDY.search(words):
        return PurePosixPath(words.replace("\\", "/")).as_posix()
    return words


def located(root: Path, paths: Sequence[str], operation: str) -> list[str | None]:
    """Every path as it is on disk, None where there is no such file.

    An ending may be in another case there, and letters with accents may be composed otherwise.

    root: resolved. paths: as `plain` gives them. Every folder is listed once; files are not opened.
    Raises InputError, by name, for paths that leave the root: absolute ones, "..", links that lead outside.
    """
    _refuse(root, [p for p in paths if not p or _leaves(p)], operation)
    named = {path.rpartition("/")[0] for path in paths}
    real_names = {folder: _below(root, folder) for folder in named}
    away = {folder for folder in named if not _inside(root, real_names[folder])}
    _refuse(root, [path for path in paths if path.rpartition("/")[0] in away], operation)
    listings = {folder: _listed(root / real_names[folder]) for folder in named}
    found: list[str | None] = []
    outside: list[str] = []
    for path in paths:
        written, _, name = path.rpartition("/")
        folder, listing = real_names[written], listings[written]
        if listing is None:  # a folder that may not be listed: reading says why
            found.append(path)
            continue
        real = name if name in listing.links else listing.folded.get(_folded(name), "")
        there: str | None = (f"{folder}/{real}" if folder else real) if real else None
        if there is not None and listing.links[real]:
            if not _inside(root, there):
                outside.append(there)
            there = there if (root / there).is_file() else None
        found.append(there)
    _refuse(root, outside, operation)
    return found


class _Listing(NamedTuple):
    """The files of a folder. links: name → whether it is one. folded: (stem in NFC, ending in lower case) → name."""

    links: dict[str, bool]
    folded: dict[tuple[str, str], str]


def _leaves(path: str) -> bool:
    return path.startswith("/") or ".." in path.split("/") or "\0" in path or re.match(r"[A-Za-z]:/", path) is not None


def _inside(root: Path, path: str) -> bool:
    return Path(os.path.realpath(root / path)).is_relative_to(root)


def _below(root: Path, folder: str) -> str:
    """A folder as it is spelled below the root."""
    return folder if folder.isascii() else spelled(root / folder).relative_to(root).as_posix()


def _folded(name: str) -> tuple[str, str]:
    stem, dot, ending = nfc(name).rpartition(".")
    return stem + dot, ending.lower()


def _listed(folder: Path) -> _Listing | None:
    found = _Listing({}, {})
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if entry.is_symlink() or entry.is_file():
                    found.links[entry.name] = entry.is_symlink()
                    found.folded.setdefault(_folded(entry.name), entry.name)
    except PermissionError:
        return None
    except OSError:
        return _Listing({}, {})
    return found


def _refuse(root: Path, paths: Sequence[str], operation: str) -> None:
    if paths:
        if not any(paths):
            raise InputError(operation, "an empty path", "the path of an image in every row", "fill it in")
        words = "1 path that leaves" if len(paths) == 1 else f"{len(paths)} paths that leave"
        given = f"{words} the folder of the data: {first_three(paths)}"
        fix = "write paths relative to that folder, and copy files that lie elsewhere into it"
        raise InputError(operation, given, f"files below {str(root)!r}", fix)
