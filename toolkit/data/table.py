"""`tk.table`: images that a CSV, TSV or Parquet file lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core.outcomes import missing
from toolkit.data.choice import first_three, tally, unknown
from toolkit.data.files import OWN, FileSamples
from toolkit.data.paths import folder_given, is_picture, plain
from toolkit.data.readers import reader
from toolkit.data.sheets import column, read_sheet, typed
from toolkit.data.spelling import nfc, spelled
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

LAYOUT = "a CSV, TSV or Parquet file with one row per image"


@reader(LAYOUT)
def table(
    file: str | Path, *, image: str = "path", label: str = "label", group: str | Sequence[str] | None = None,
    split: str | None = None, split_column: str = "split", id: str | None = None,  # noqa: A002
    root: str | Path | None = None, mask: str | None = None, columns: Sequence[str] | None = None,
) -> FileSamples:  # fmt: skip
    """The images listed in a file, one row per image: `FileSamples`, whose other columns become attributes.

    Arguments:
        file: CSV, TSV or Parquet, by its ending; text in UTF-8, with commas, semicolons, tabs or bars between columns
            (also in a .txt).
        image: the column with paths; default "path".
        label: the column with labels; numbers become words; default "label".
        group: a column, or several to be joined with ", "; default the label.
        split: which value of split_column to keep; default the only one there is ("all" where the file has no such
            column).
        split_column: the column with splits; default "split".
        id: the column with ids; default the path.
        root: where the paths start; default the file's folder.
        mask: the column with paths of masks (bright where the object is), for `masks` and `boxes`; default none.
        columns: the names of all columns, in order, for a file without a line of them: ["path", "label"]; default its
            first line.

    Raises:
        InputError: for columns that are not there, empty labels, several splits of which none was named, paths that
            leave the root, ids given twice, a first line that looks like data, and files that are no such table.

    >>> import toolkit as tk
    >>> tk.table("birds.csv", image="file", label="species", group=["species", "place"])  # doctest: +SKIP
    table(40 images, split 'all': gull, land 10, gull, water 10, wren, land 10, wren, water 10)
    """
    try:
        path = Path(file).expanduser()
    except TypeError as error:
        given = f"a {type(file).__name__} as file"
        fix = "save the table and pass its path"
        raise InputError("table", given, "the path of a CSV, TSV or Parquet file", fix) from error
    if path.is_dir():
        fix = "pass the file; for a folder of images there is tk.image_folder"
        raise InputError("table", f"{str(file)!r}, which is a folder", LAYOUT, fix)
    cells, notes = read_sheet(path, "table", columns)
    cells, kept = _of_split(cells, split, split_column)
    groups = [label] if group is None else [group] if isinstance(group, str | int) else list(group)
    if not groups:
        raise InputError("table", "group=[], no column", "a column or several", "leave it out to group by label")
    named: dict[str, Any] = {"path": column(cells, image, "table", "image")}
    if _holds_images(named["path"].iloc[0]):
        fix = "save the images as files, and their paths as a column"
        raise InputError("table", f"images inside the table (column {image!r})", "a column of paths", fix)
    named["id"] = column(cells, id, "table", "id") if id else named["path"]
    named["label"] = column(cells, label, "table", "label")
    parts = [column(cells, name, "table", "group") for name in groups]
    masks = None if mask is None else column(cells, mask, "table", "mask")
    used = {str(found.name) for found in (*named.values(), *parts, *([] if masks is None else [masks]))} | {
        split_column
    }
    kept_too = {str(found.name) for found in parts} - {str(named["label"].name), *OWN}
    words = {name: _words(values, name, cells) for name, values in named.items()}
    if addresses := [word for word in words["path"] if ADDRESS.match(word)]:
        given = f"addresses in the column {image!r}: {first_three(addresses)}"
        fix = "get the pictures first, and write their paths into the table"
        raise InputError("table", given, "paths of files on this machine", fix)
    words["path"] = [plain(value) for value in words["path"]]
    if id is None:
        words["id"] = words["path"]
    shown = [_words(values, name, cells) for name, values in zip(groups, parts, strict=True)]
    words["group"] = [", ".join(row) for row in zip(*shown, strict=True)]
    attributes = [name for name in cells.columns if name not in used or name in kept_too]
    return FileSamples(
        folder_given("table", spelled(path).absolute().parent if root is None else root),
        _joined(words, cells, attributes, masks), kept, "table", mask=None if mask is None else MASK, notes=notes,
    )  # fmt: skip


MASK = "mask of the image"
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # two letters and more: C:/ is a disk


def _of_split(cells: pandas.DataFrame, split: str | None, name: str) -> tuple[pandas.DataFrame, str]:
    """The rows of one split, and its name."""
    if name not in cells.columns:
        if split is not None or name != "split":
            column(cells, name, "table", "split_column")
        return cells, "all"
    values = cells[name].map(lambda value: nfc(_word(value)))
    counts = tally(values)
    listed = [f"{value!r} ({n} rows)" for value, n in counts.items()]
    if split is None and len(counts) > 1:
        given = f"a table with the splits {', '.join(listed)}"
        raise InputError("table", given, "images of one split", f"name one: split={next(iter(counts))!r}")
    kept = next(iter(counts)) if split is None else nfc(str(split))
    if kept not in counts:
        raise unknown("table", f"split={split!r}, of which column {name!r} knows nothing", split, listed)
    return cells[values == kept], kept


def _words(values: Any, name: str, cells: pandas.DataFrame) -> list[str]:
    """A column as strings. Raises InputError naming the rows of empty cells, counted from 1 below the header."""
    no_words = [value for value in values if isinstance(value, list | tuple | dict | set | np.ndarray)]
    if no_words:
        given = f"a {name} that is a {type(no_words[0]).__name__}: {no_words[0]!r:.60}"
        raise InputError("table", given, f"one {name} for every image, a word or a number", "write one into the table")
    found = [_word(value) for value in values]
    empty = [int(row) + 1 for row, word in zip(cells.index, found, strict=True) if not word]
    if empty:
        rows = ", ".join(map(str, empty[:3])) + (f" and {len(empty) - 3} more" if len(empty) > 3 else "")
        fix = "fill these cells or drop the rows (row 1 is the first below the column names)"
        raise InputError("table", f"an empty {name} in row {rows}", f"a {name} for every image", fix)
    return found


def _holds_images(cell: Any) -> bool:
    """Whether a cell is no path but a picture: a record, or the bytes of a file, which are no text."""
    return isinstance(cell, dict) or (
        isinstance(cell, bytes) and (b"\0" in cell or not is_picture(cell.decode("latin-1")))
    )


def _word(value: Any) -> str:
    """A cell as a string: 1.0, which other cells of its column made a float, is "1"."""
    if missing(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace").strip()
    return str(value).strip()


def _joined(
    words: dict[str, list[str]], cells: pandas.DataFrame, attributes: Sequence[str], masks: Any
) -> pandas.DataFrame:
    """What FileSamples takes; attributes named as its own columns are renamed."""
    import pandas

    found = pandas.DataFrame(words, dtype=object)
    for name in attributes:
        found[f"{name} (in the file)" if name in OWN else name] = typed(cells[name].reset_index(drop=True))
    if masks is not None:
        found[MASK] = [_word(value) for value in masks]
    return found
