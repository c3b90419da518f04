"""`tk.imagenet`, and `tk.imagenet_r`, `tk.imagenet_a`: 200 of its classes each, drawn otherwise or hard by choice."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from toolkit.data.choice import first_three, tally, unknown
from toolkit.data.documented import IMAGENET, IMAGENET_A, IMAGENET_R
from toolkit.data.endings import remedy
from toolkit.data.files import FileSamples
from toolkit.data.imagenet_names import class_names
from toolkit.data.paths import folder_given, images_below, sub_folders
from toolkit.data.readers import reader
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

WNID = re.compile(r"n\d{8}")
Classes = int | str | Sequence[str] | None
LAYOUTS = {
    name: f"the folder {name}, with one folder per class (n01443537, …), or one above it"
    for name in ("imagenet-r", "imagenet-a")
}
LAYOUTS["imagenet"] = "train and val with one folder per class (n01440764, …), or one of them"


@reader(LAYOUTS["imagenet"], splits=("train", "val"), documented=IMAGENET)
def imagenet(folder: str | Path, split: str = "val", *, classes: Classes = None) -> FileSamples:
    """The ImageNet-1k images (Russakovsky et al. 2015) in folders of their classes.

    Labels are open_clip's names of the classes; where two classes share one, the wnid stands behind it:
    `tk.imagenet_classes()` fits. Attributes of the data: wnid; class_index, from 0 to 999.

    Arguments:
        folder: the one that holds train and val, or the one with the folders of the classes itself.
        split: "train" or "val"; default "val".
        classes: a list of wnids or class names; or a number k, the k classes with most images, ties by wnid; default
            all.

    Raises:
        InputError: for unknown classes and splits, and where no such folders are found.

    >>> import toolkit as tk
    >>> tk.imagenet("imagenet", "val")  # doctest: +SKIP
    """
    if split not in IMAGENET:
        raise unknown("imagenet", f"split={split!r}", split, list(IMAGENET))
    table, root, notes = _read("imagenet", folder, "imagenet", split)
    chosen = _chosen(table, classes, "size", "imagenet")
    return _samples(table, root, chosen, "imagenet", notes, IMAGENET[split], split)


@reader(LAYOUTS["imagenet-r"], documented=IMAGENET_R)
def imagenet_r(folder: str | Path, *, classes: Classes = None, by: str = "cartoon") -> FileSamples:
    """The ImageNet-R images (Hendrycks et al. 2021): art, cartoons, toys … of 200 classes of ImageNet.

    Labels are open_clip's names of the classes; where two classes share one, the wnid stands behind it. The split is
    "test". Attributes of the data: wnid; class_index, its rank among all 1,000; style, the query an image was collected
    with: a hint, no annotation.

    Arguments:
        folder: with one sub-folder per class (n01443537, …), or one above it.
        classes: a list of wnids or class names; or a number k, the k classes with most images whose style is `by`, ties
            by wnid (RefineCLIP reports the 18 with most cartoons); default all.
        by: the style that a number of classes goes by, "size" for all images; default "cartoon".

    Raises:
        InputError: for unknown classes and styles, and where no such folders are found.

    >>> import toolkit as tk
    >>> tk.imagenet_r("imagenet-r", classes=18).where(style="cartoon")  # doctest: +SKIP
    """
    table, root, notes = _read("imagenet_r", folder, "imagenet-r")
    table["style"] = [style_of(path) for path in table["path"]]
    chosen = _chosen(table, classes, by, "imagenet_r")
    return _samples(table, root, chosen, "imagenet_r", notes, IMAGENET_R["test"])


@reader(LAYOUTS["imagenet-a"], documented=IMAGENET_A)
def imagenet_a(folder: str | Path, *, classes: Classes = None, by: str = "size") -> FileSamples:
    """The ImageNet-A images (Hendrycks et al. 2021): photographs of 200 classes that a ResNet-50 got wrong.

    Labels and split as for `tk.imagenet_r`. Attributes of the data: wnid, class_index, and from the file's name
    wrong_label, what the ResNet took it for (the name that stands beside the score), and wrong_score; "" and nan where
    the name does not say.

    Arguments:
        folder: with one sub-folder per class (n01443537, …), or one above it.
        classes: a list of wnids or class names; or a number k, the k classes with most images, ties by wnid; default
            all.
        by: what a number of classes goes by; default "size", all images.

    Raises:
        InputError: for unknown classes, and where no such folders are found.

    >>> import toolkit as tk
    >>> tk.imagenet_a("imagenet-a", classes=10)  # doctest: +SKIP
    """
    table, root, notes = _read("imagenet_a", folder, "imagenet-a")
    wrong = [wrong_of(path) for path in table["path"]]
    table["wrong_label"], table["wrong_score"] = [name for name, _ in wrong], [score for _, score in wrong]
    chosen = _chosen(table, classes, by, "imagenet_a")
    return _samples(table, root, chosen, "imagenet_a", notes, IMAGENET_A["test"])


def style_of(path: str) -> str:
    """The word before the number in a file's name, "" where there is none.

    >>> style_of("n01443537/cartoon_3.jpg")
    'cartoon'
    """
    found = re.fullmatch(r"([a-zA-Z]+)_\d+", PurePosixPath(path).stem)
    return found[1].lower() if found else ""


def wrong_of(path: str) -> tuple[str, float]:
    """The wrong label in a file's name and its score.

    >>> wrong_of("n02782093/0.003001_balloon _ balloon_0.4695.jpg")
    ('balloon', 0.4695)
    """
    found = re.fullmatch(r"\d*\.?\d+_.+? _ (.+)_(\d*\.?\d+)", PurePosixPath(path).stem)
    return (found[1], float(found[2])) if found else ("", float("nan"))


def _read(
    operation: str, folder: str | Path, name: str, inside: str = ""
) -> tuple[pandas.DataFrame, Path, tuple[str, ...]]:
    """All images with path, wnid and class_index; the folder of the classes; notes."""
    import pandas

    top = folder_given(operation, folder)
    places = (top, top / (inside or name))
    root = next((at for at in places if at.is_dir() and any(map(WNID.fullmatch, sub_folders(at)))), None)
    if root is None:
        given = f"{str(folder)!r}, which has no folders such as n01443537"
        raise InputError(operation, given, LAYOUTS[name], "check the path")
    below = images_below(root)
    paths = [path for path in below.paths if WNID.fullmatch(path.split("/")[0])]
    if not paths:
        given = " ".join([f"{str(root)!r}, in which no file is an image.", *below.notes]).rstrip(".")
        fix = remedy(below.unread) if below.unread else "check the path"
        raise InputError(operation, given, "JPEG files in folders of their own", fix)
    wnids = [path.split("/")[0] for path in paths]
    if strangers := sorted(set(wnids) - set(class_names())):
        given = f"folders of classes that ImageNet-1k does not have: {first_three(strangers)}"
        raise InputError(operation, given, "folders named by its 1,000 synsets", "move them elsewhere")
    notes = below.notes
    if len(paths) < len(below.paths):
        notes += (f"{len(below.paths) - len(paths)} images outside of the folders of classes were left out.",)
    table = pandas.DataFrame({"path": paths, "wnid": wnids}, dtype=object)
    return table.assign(class_index=[class_names()[wnid][0] for wnid in wnids]), root, notes


def _chosen(table: pandas.DataFrame, classes: Classes, by: str, operation: str) -> list[str]:
    """The wnids asked for, in the order of the classes."""
    here = sorted(set(table["wnid"]))
    if classes is None:
        return here
    if hasattr(classes, "__index__") and not isinstance(classes, bool):
        return _largest(table, operator.index(classes), by, here, operation)
    if isinstance(classes, int) or not hasattr(classes, "__iter__"):
        accepted = "None, a number of classes, or a list of wnids or names"
        raise InputError(operation, f"classes={classes!r}", accepted, "pass one of these")
    names = {class_names()[wnid][1]: wnid for wnid in here} | {wnid: wnid for wnid in here}
    asked = [classes] if isinstance(classes, str) else list(classes)
    for one in asked:
        if one not in names:
            given = f"classes with {one!r}, of which there is no folder"
            raise unknown(operation, given, one, [name for name in names if name not in here] + here)
    if not asked:
        raise InputError(operation, "classes=[], no class", "at least one", "leave it out to have all")
    return sorted({names[one] for one in asked})


def _largest(table: pandas.DataFrame, k: int, by: str, here: list[str], operation: str) -> list[str]:
    styles = sorted(set(table["style"]) - {""}) if "style" in table.columns else []
    if by not in ("size", *styles):
        raise unknown(operation, f"by={by!r}", by, ["size", *styles])
    if not 1 <= k <= len(here):
        raise InputError(operation, f"classes={k}", f"1 to {len(here)} classes", "ask for as many as there are")
    counted = tally(table["wnid"] if by == "size" else table["wnid"][table["style"] == by])
    return sorted(sorted(here, key=lambda wnid: (-counted.get(wnid, 0), wnid))[:k])


def _samples(
    table: pandas.DataFrame, root: Path, chosen: list[str], operation: str, notes: tuple[str, ...],
    documented: Mapping[str, int], split: str = "test",
) -> FileSamples:  # fmt: skip
    part: Any = table[table["wnid"].isin(chosen)]
    labels = [class_names()[wnid][1] for wnid in part["wnid"]]
    part = part.assign(id=part["path"], label=labels, group=labels)
    names = [class_names()[wnid][1] for wnid in chosen]
    counts = {"images": len(table), "classes": table["wnid"].nunique()}  # of all classes, chosen or not
    return FileSamples(
        root, part, split, operation, class_names=names, notes=notes, documented=documented, counts=counts
    )
