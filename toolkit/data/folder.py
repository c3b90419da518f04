"""Images in a folder, one sub-folder per class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolkit.data.characters import sendable
from toolkit.data.choice import first_three
from toolkit.data.endings import remedy
from toolkit.data.files import FileSamples
from toolkit.data.imagenet_names import class_names, synonyms
from toolkit.data.paths import folder_given, images_below
from toolkit.data.readers import reader
from toolkit.data.spelling import nfc
from toolkit.errors import InputError

TWICE = frozenset({"crane", "maillot", "missile", "sunglasses"})
"""What the usual lists of ImageNet's names call two of its classes."""
LAYOUT = "a folder of images (JPEG, PNG, WebP …), in sub-folders named by their class"


class ImageFolder(FileSamples):
    """Images of a folder, decoded when asked for. Made by `tk.image_folder`.

    Ids are paths inside the folder; the label of an image is the first folder on its path, "" for one that lies at the
    top. Groups are the labels.
    """

    def __init__(self, folder: Path, paths: Sequence[str], split: str, notes: Sequence[str] = ()) -> None:
        import pandas

        labels = [path.split("/")[0] if "/" in path else "" for path in paths]
        table = pandas.DataFrame({"path": paths, "id": paths, "label": labels, "group": labels}, dtype=object)
        super().__init__(folder, table, split, "image_folder", notes=notes)

    @property
    def folder(self) -> Path:
        """The folder."""
        return self.root

    def __repr__(self) -> str:
        return super().__repr__().replace(self.source, type(self).__name__, 1)


@reader(LAYOUT)
def image_folder(folder: str | Path, split: str = "test") -> ImageFolder:
    """The images below a folder, in the order of their paths; sub-folders are classes.

    Files that are no images by their name, hidden ones and folders of the system are left out; `notes` and a
    DataWarning name pictures of kinds that Pillow here cannot read (HEIC, raw …). What is broken is found when it is
    decoded (`tk.extract` lists it). Links to files are followed below the folder, links to folders
    are not (`notes` names them).

    Arguments:
        folder: its path.
        split: what to call these images; default "test".

    Raises:
        InputError: for what is no folder or holds no images, and for links to files outside.

    >>> import toolkit as tk
    >>> tk.image_folder("photos")  # doctest: +SKIP
    ImageFolder(40 images, split 'test': cat 20, dog 20)
    """
    root = folder_given("image_folder", folder)
    found = images_below(root)
    if not found.paths:
        given = " ".join([f"{str(folder)!r}, in which no file is an image.", *found.notes]).rstrip(".")
        raise InputError("image_folder", given, LAYOUT, remedy(found.unread) if found.unread else "check the path")
    tops = sorted({path.partition("/")[0] for path in found.paths if "/" in path})
    usual = tops and set(tops) <= {"train", "training", "val", "valid", "validation", "test", "testing"}
    said = [f"The labels are the folders {first_three(tops)}: read one of them for classes."] if usual else []
    deeper = sorted({path.split("/")[1] for path in found.paths if path.count("/") > 1})
    if len(tops) == 1 and len(deeper) > 1 and all("/" in path for path in found.paths) and not usual:
        folders = f"{tops[0]!r}, which holds the folders {first_three(deeper)}"
        said.append(f"All images lie in one folder, {folders}: read that one for classes.")
    return ImageFolder(root, found.paths, split, (*found.notes, *said, *_shared(tops)))


def _shared(tops: Sequence[str]) -> list[str]:
    """Notes on folders that are one class: names in two spellings of their bytes, and names that ImageNet has twice."""
    by_name: dict[str, list[str]] = {}
    for top in tops:
        by_name.setdefault(sendable(nfc(top)), []).append(top)
    notes = [
        f"{len(several)} folders are called {name!r}, in other spellings of its bytes ({first_three(several)}): "
        "their images are one class."
        for name, several in by_name.items()
        if len(several) > 1
    ]
    words = {name.replace("_", " ").lower(): name for name in by_name}
    twice = sorted(words[name] for name in words.keys() & TWICE)
    if twice and len(words.keys() & _imagenet_words()) * 2 > len(words):
        which = f"{first_three(twice)} {'is' if len(twice) == 1 else 'are'}"
        notes.append(f"{which} the name of two classes of ImageNet each: images of both may lie in one folder.")
    return notes


def _imagenet_words() -> set[str]:
    """All names of ImageNet's classes, in lower case."""
    ours = {name.lower() for _, name in class_names().values()}
    return ours | {word.lower() for words in synonyms().values() for word in words} | TWICE
