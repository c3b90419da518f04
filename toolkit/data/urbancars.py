"""`tk.urbancars`: cars with two shortcuts, background and object beside them (Li et al. 2023)."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from toolkit.data.choice import first_three, one_of, tally
from toolkit.data.documented import SPLITS, URBANCARS
from toolkit.data.endings import remedy
from toolkit.data.files import FileSamples
from toolkit.data.paths import Below, folder_given, images_below, sub_folders
from toolkit.data.readers import reader
from toolkit.errors import InputError

CELL = re.compile(r"obj-(urban|country)_bg-(urban|country)_co_occur_obj-(urban|country)")
NOT_PICTURES = ("_mask", "_bg_only")
TRAIN, EVEN = "bg-0.95_co_occur_obj-0.95", "bg-0.5_co_occur_obj-0.5"
CARS = ("urban car", "country car")
LAYOUT = f"urbancars, with {TRAIN}/train, {EVEN}/val and {EVEN}/test, or a folder above it"


@reader(LAYOUT, splits=SPLITS, documented=URBANCARS)
def urbancars(folder: str | Path, split: str = "test") -> FileSamples:
    """The UrbanCars images of one split: label "urban car" or "country car", group by car, background and object.

    A group is such as "urban car, country background, urban object". Attributes of the data: background and co_occur,
    "urban" or "country"; `masks` and `boxes` are the car's. For the gaps of a result there is `tk.shortcut_gaps`.

    Arguments:
        folder: urbancars, or one above it.
        split: "train" (both shortcuts agree with the car in 95 %), "val" or "test" (every cell equally often); default
            "test".

    Raises:
        InputError: where no such images are found.

    >>> import toolkit as tk
    >>> tk.urbancars("urbancars").where(background="urban", co_occur="country")  # doctest: +SKIP
    """
    import pandas

    top = folder_given("urbancars", folder)
    one_of("urbancars", "split", split, SPLITS)
    root, notes = _split_folder(top, split)
    below = images_below(root)
    rows, aside = _rows(below)
    if not rows:
        given = f"{str(root)!r}, without images in folders such as obj-urban_bg-urban_co_occur_obj-urban."
        fix = remedy(below.unread) if below.unread else "check what was unpacked"
        given = " ".join([given, *below.notes]).rstrip(".")
        raise InputError("urbancars", given, "the eight folders of a split", fix)
    if aside:
        notes += (f"Images outside of the eight folders were left out: {first_three(aside)}.",)
    notes += below.notes
    table = pandas.DataFrame(rows, columns=["path", "car", "background", "co_occur"], dtype=object)
    label = [f"{car} car" for car in table["car"]]
    group = [
        f"{car}, {background} background, {co_occur} object"
        for car, background, co_occur in zip(label, table["background"], table["co_occur"], strict=True)
    ]
    table = table.assign(id=table["path"], label=label, group=group).drop(columns="car")
    return FileSamples(
        root, table, split, "urbancars", class_names=CARS, notes=notes, documented=URBANCARS[split],
        counts=tally(f"{car} car on {background} with {co_occur} object" for _, car, background, co_occur in rows),
        mask=lambda path: root / PurePosixPath(path).with_name(f"{PurePosixPath(path).stem}_mask.png"),
    )  # fmt: skip


def _split_folder(top: Path, split: str) -> tuple[Path, tuple[str, ...]]:
    """The folder of a split: its usual one, else the only one of its kind, else the folder given."""
    usual = TRAIN if split == "train" else EVEN
    for at in (top, top / "urbancars", top / "UrbanCars"):
        if (at / usual / split).is_dir():
            return at / usual / split, ()
        others = [name for name in sub_folders(at) if (at / name / split).is_dir()] if at.is_dir() else []
        others = [name for name in others if re.fullmatch(r"bg-[\d.]+_co_occur_obj-[\d.]+", name)]
        if len(others) == 1:
            return at / others[0] / split, (f"{split} was read from {others[0]}, not from {usual}.",)
        if others:
            given = f"{str(top)!r}, with {split} in {first_three(others)}"
            raise InputError("urbancars", given, f"{usual}/{split}", "pass the folder of the one that is meant")
        if (at / split).is_dir():
            return at / split, ()
    given = f"{str(top)!r}, where no images of {split!r} were found"
    raise InputError("urbancars", given, LAYOUT, "check the path")


def _rows(below: Below) -> tuple[list[tuple[str, str, str, str]], list[str]]:
    """(path, car, background, object) of every picture; images that lie elsewhere."""
    rows, aside = [], []
    for path in below.paths:
        if PurePosixPath(path).stem.endswith(NOT_PICTURES):
            continue
        found = CELL.fullmatch(PurePosixPath(path).parent.as_posix())
        if found:
            rows.append((path, found[1], found[2], found[3]))
        else:
            aside.append(path)
    return rows, aside
