"""`tk.celeba`: portraits with 40 attributes (Liu et al. 2015), any two of them as label and group."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.data.choice import counts_note, one_of, unknown
from toolkit.data.documented import CELEBA, SPLITS
from toolkit.data.files import FileSamples
from toolkit.data.paths import first_with, folder_given, is_image
from toolkit.data.readers import reader
from toolkit.data.sheets import decoded, numbers, read_sheet, separator_of
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

WITHIN = ("", "celeba", "celebA_v1.0", "celebA", "CelebA")
IMAGES = "img_align_celeba"
PARTS = ("", "Anno", "Eval", "Img", IMAGES)
SPOKEN = {"Male": ("woman", "man"), "Young": ("old", "young")}
ATTRIBUTES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
PARTITIONS = ("list_eval_partition.txt", "list_eval_partition.csv")
LAYOUT = f"a folder with {IMAGES}, {' or '.join(ATTRIBUTES)}, and {' or '.join(PARTITIONS)}, or one above it"


@reader(LAYOUT, splits=SPLITS, documented=CELEBA)
def celeba(
    folder: str | Path, split: str = "test", *, target: str = "Blond_Hair", attribute: str = "Male"
) -> FileSamples:
    """The CelebA portraits of one split: label from one attribute ("blond hair"), group from two ("blond hair, man").

    Attributes of the data: all 40 as bools.

    Arguments:
        folder: with img_align_celeba, the list of attributes and that of splits, or one above them: the official text
            files, Kaggle's CSV (also with its doubled folder), the roots of torchvision and WILDS.
        split: "train", "val" or "test"; default "test".
        target: the attribute of the label, one of the 40 by its name in the file; default "Blond_Hair".
        attribute: the other one of the group, by its name in the file; "Male" reads "man" or "woman", "Young" "young"
            or "old"; default "Male".

    Raises:
        InputError: for other names (with the nearest), and where the list of splits, of attributes or the images are
            not found.

    >>> import toolkit as tk
    >>> tk.celeba("celeba", target="Young", attribute="Eyeglasses").class_names  # doctest: +SKIP
    ('old', 'young')
    """
    top = folder_given("celeba", folder)
    one_of("celeba", "split", split, SPLITS)
    facts, notes = _attributes(_found(top, ATTRIBUTES, "attributes"))
    for argument, asked in (("target", target), ("attribute", attribute)):
        one_of("celeba", argument, asked, list(facts.columns))
    if target == attribute:
        given = f"target and attribute both {target!r}"
        raise InputError("celeba", given, "two attributes", "name another one")
    names = _partition(_found(top, PARTITIONS, "splits"), SPLITS.index(split))
    without = [name for name in names if name not in facts.index]
    if without:
        notes += (f"{len(without)} images of the split have no attributes and are left out ({without[0]} for one).",)
    table = facts.loc[[name for name in names if name in facts.index]]
    if not len(table):
        raise InputError("celeba", f"no image of {split!r} with attributes", "lists of one copy", "get them again")
    labels = [spoken(target)[int(value)] for value in table[target]]
    others = [spoken(attribute)[int(value)] for value in table[attribute]]
    table = table.assign(
        path=table.index, id=table.index, label=labels,
        group=[f"{label}, {other}" for label, other in zip(labels, others, strict=True)],
    )  # fmt: skip
    return FileSamples(
        _images(top), table, split, "celeba", class_names=spoken(target), notes=notes, documented=CELEBA[split],
        counts={"images": len(names)},
    )  # fmt: skip


def spoken(name: str) -> tuple[str, str]:
    """What people without and with an attribute are called.

    >>> spoken("Blond_Hair")
    ('not blond hair', 'blond hair')
    """
    words = name.replace("_", " ").lower()
    return SPOKEN.get(name, (f"not {words}", words))


def _found(top: Path, names: tuple[str, ...], what: str) -> Path:
    """A list of the data, in any of the places it is kept at."""
    for name in names:
        at = first_with((top / within / part for within in WITHIN for part in PARTS), name)
        if at is not None:
            return at / name
    given = f"{str(top)!r}, where the list of {what} is missing"
    raise InputError("celeba", given, LAYOUT, f"copy {' or '.join(names)} beside the images")


def _images(top: Path) -> Path:
    """The folder of the images, also where unpacking doubled it."""
    for within in WITHIN:
        for part in PARTS:
            at = top / within / part / IMAGES
            if at.is_dir() and any(is_image(path.name) for path in at.iterdir()):
                return at
    given = f"{str(top)!r}, where the images are missing"
    raise InputError("celeba", given, LAYOUT, f"unpack them into {IMAGES}")


def _attributes(path: Path) -> tuple[pandas.DataFrame, tuple[str, ...]]:
    """Bools, one row per image by its name and one column per attribute; with notes."""
    words, said = decoded(path, "celeba").lstrip("\r\n"), ""
    notes: tuple[str, ...] = ()
    csv = path.suffix == ".csv"
    separator, _, words = separator_of(words, path) if csv else (r"\s+", "", words)
    header, _, rows = words.partition("\n")
    if not csv and header.strip().isdecimal():
        said = header.strip()
        header, _, rows = rows.partition("\n")
    names = [name.strip() for name in header.split(separator if csv else None) if name.strip()][csv:]
    found = _values(path, rows, separator, names)
    if said and int(said) != len(found):
        notes = (f"{path.name} says it lists {int(said)} images and lists {len(found)}.",)
    if found.index.has_duplicates:
        name = found.index[found.index.duplicated()][0]
        raise InputError("celeba", f"{path.name} with {name!r} twice", "one row per image", "get the file again")
    return found, notes + counts_note(path.name, {"attributes": len(names)}, {"attributes": 40})


def _values(path: Path, rows: str, separator: str, names: list[str]) -> pandas.DataFrame:
    import pandas

    accepted = f"one line per image: its name and {len(names)} values, 1 or -1"
    kinds: dict[str, Any] = {"image": str, **dict.fromkeys(names, np.int16)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)  # rows longer than the header
            found = pandas.read_csv(
                io.StringIO(rows), sep=separator, header=None, names=["image", *names], dtype=kinds, index_col=False
            ).set_index("image")
    except (ValueError, pandas.errors.ParserWarning) as error:
        given = f"{path.name}, which is no such list ({str(error).strip()})"
        raise InputError("celeba", given, accepted, "get the file again") from error
    values = found.to_numpy()
    bad = np.argwhere((np.abs(values) > 1) | ((values == 0) & (values < 0).any()))
    if len(bad):
        row, at = bad[0].tolist()
        given = f"{path.name}, where {names[at]} of {found.index[row]!r} is {values[row, at]}"
        raise InputError("celeba", given, accepted, "get the file again")
    return found > 0


def _partition(path: Path, number: int) -> list[str]:
    """Names of the images of one split, sorted."""
    import pandas

    if path.suffix == ".csv":
        rows, _ = read_sheet(path, "celeba")
    else:
        lines = [line.split() for line in decoded(path, "celeba").splitlines() if line.strip()]
        if wrong := [line for line in lines if len(line) != 2]:
            given = f"{path.name} with the line {' '.join(wrong[0])[:60]!r}"
            raise InputError("celeba", given, "a file name and 0, 1 or 2 in every line", "get the file again")
        rows = pandas.DataFrame(lines, columns=["image_id", "partition"], dtype=object)
    if "partition" not in rows.columns or len(rows.columns) < 2:
        raise unknown("celeba", f"{path.name} without a column 'partition'", "partition", rows.columns)
    splits = numbers(rows, "partition", (0, 1, 2), "celeba")
    return sorted(str(name) for name, k in zip(rows.iloc[:, 0], splits, strict=True) if k == number)
