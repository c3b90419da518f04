"""`tk.counteranimal`: animals on the backgrounds they are mostly seen on, and on others (Wang et al. 2024)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from toolkit.data.choice import first_three, one_of, tally
from toolkit.data.documented import COUNTERANIMAL
from toolkit.data.endings import remedy
from toolkit.data.files import FileSamples
from toolkit.data.paths import Below, folder_given, images_below, sub_folders
from toolkit.data.readers import reader
from toolkit.errors import InputError

KINDS = ("common", "counter")
CLASS = re.compile(r"(\d+)\s+(\S.*)")
NAMES = ("CounterAnimal", "counteranimal")
LAYOUT = "a folder per class, named by index and name ('102 echidna'), with folders of common and counter in each"


@reader(LAYOUT, documented=COUNTERANIMAL)
def counteranimal(folder: str | Path, split: str = "all", *, kind: str | None = None) -> FileSamples:
    """The CounterAnimal photographs: label the animal, group "common" or "counter".

    Attributes of the data: class_index, and place, the name of the folder an image lies in. Images are in the order of
    class index and path.

    Arguments:
        folder: with a folder per class, named by its ImageNet index and its name ("102 echidna"), in each of which
            folders are named by their kind ("common …", "counter …").
        split: what to call these images, since the collection has no splits; default "all".
        kind: "common" (the usual background) or "counter" (another one); default both.

    Raises:
        InputError: for another kind and where no such folders are found.

    >>> import toolkit as tk
    >>> tk.counteranimal("CounterAnimal", kind="counter")  # doctest: +SKIP
    counteranimal(5926 images, split 'all': counter 5926)
    """
    import pandas

    top = folder_given("counteranimal", folder)
    if kind is not None:
        one_of("counteranimal", "kind", kind, KINDS)
    if split in KINDS:
        raise InputError("counteranimal", f"split={split!r}", "any name for the images", f"write kind={split!r}")
    roots = (top, *(top / name for name in NAMES))
    root = next((at for at in roots if at.is_dir() and any(map(CLASS.fullmatch, sub_folders(at)))), None)
    if root is None:
        given = f"{str(folder)!r}, which has no folders such as '102 echidna'"
        raise InputError("counteranimal", given, LAYOUT, "check the path")
    below = images_below(root)
    if not below.paths:
        given = " ".join([f"{str(root)!r}, in which no file is an image.", *below.notes]).rstrip(".")
        raise InputError("counteranimal", given, LAYOUT, remedy(below.unread) if below.unread else "check the path")
    rows, notes = _rows(below)
    found = tally(row["group"] for row in rows) | {"classes": len({row["class_index"] for row in rows})}
    kept = [row for row in rows if kind in (None, row["group"])]
    if not kept:
        there = ", ".join(sorted({row["group"] for row in rows})) or "no image"
        raise InputError("counteranimal", f"kind={kind!r}, of which there is none", there, "check the folders")
    names = {row["class_index"]: row["label"] for row in sorted(kept, key=lambda row: int(row["class_index"]))}
    table = pandas.DataFrame(kept).astype({"class_index": int})
    return FileSamples(
        root, table, split, "counteranimal", class_names=list(names.values()), notes=notes,
        documented=COUNTERANIMAL["all"], counts=found,
    )  # fmt: skip


def _rows(below: Below) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """What is known of every image, by class index and path; notes."""
    rows: list[dict[str, Any]] = []
    aside: list[str] = []
    for path in below.paths:
        parts = path.split("/")
        found = CLASS.fullmatch(parts[0])
        kinds = [kind for kind in KINDS if kind in parts[1].lower()] if len(parts) > 2 else []
        if not found or len(kinds) != 1:
            aside.append(path)
            continue
        known = {"path": path, "id": path, "label": found[2], "group": kinds[0]}
        rows.append({**known, "class_index": int(found[1]), "place": parts[1]})
    notes = below.notes
    if aside:
        notes += (f"Images outside of folders with common or counter in their names: {first_three(aside)}; left out.",)
    indices: dict[str, set[int]] = {}
    for row in rows:
        indices.setdefault(row["label"], set()).add(row["class_index"])
    for row in rows:
        if len(indices[row["label"]]) > 1:  # one name for two classes
            row["label"] = f"{row['label']} ({row['class_index']})"
    return sorted(rows, key=lambda row: (row["class_index"], row["path"])), notes
