"""Tables on disk: CSV, TSV and Parquet, as strings, with words for what is wrong with one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.data.choice import first_three, unknown
from toolkit.data.paths import is_image
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

ENDINGS = (".csv", ".tsv", ".parquet")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def read_sheet(path: Path, operation: str) -> tuple[pandas.DataFrame, tuple[str, ...]]:
    """A table and notes. Cells of CSV and TSV are strings without spaces around them; of Parquet, what they are.

    Raises InputError for another ending, for what is no table in UTF-8, and for one without rows.
    """
    if path.suffix.lower() not in ENDINGS:
        fix = "save it as CSV"
        raise InputError(operation, f"{path.name!r}", "a table in " + ", ".join(ENDINGS), fix)
    if path.suffix.lower() == ".parquet":
        found, notes = _parquet(path, operation)
    else:
        found, notes = _separated(decoded(path, operation), path, operation)
    found = found[[name for name in found.columns if name and not name.startswith("Unnamed: ")]]
    if not len(found):
        raise InputError(operation, f"{path.name}, which has no rows", "one row per image", "write some")
    return found, notes


def decoded(path: Path, operation: str) -> str:
    """A text file in UTF-8, with or without a byte order mark. Raises InputError for every other."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        given = f"{str(path)!r} ({error.strerror})"
        raise InputError(operation, given, "a file that can be read", "check the path") from error
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(operation, f"{path.name}, which is UTF-16", "UTF-8", "save it as UTF-8 (“CSV UTF-8”)")
    if b"\0" in raw:
        given = f"{path.name}, which is no text: it holds NULs"
        raise InputError(operation, given, "text in UTF-8", "save the table as CSV; name Parquet files .parquet")
    try:
        words = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        near = raw[max(0, error.start - 12) : error.start + 12].decode("latin-1").strip()
        given = f"{path.name}, which is not UTF-8 (line {line}, near {near!r} if read as Latin-1)"
        raise InputError(operation, given, "UTF-8", "save it as UTF-8 in your editor") from error
    if not words.strip():
        raise InputError(operation, f"{path.name}, which is empty", "a table with a line of column names", "fill it")
    return words


def column(table: pandas.DataFrame, name: str, operation: str, argument: str = "") -> Any:
    """A column of a table. Raises InputError with a spelling hint; argument: what names the column there.

    A column that holds paths of images is proposed where it is `image` that is missing.
    """
    if name in table.columns:
        return table[name]
    given, fix = f"a table without a column {name!r}", ""
    if argument:
        given = f"{argument}={name!r}, a column the table does not have"
    if argument == "image":
        likely = [other for other in table.columns if is_image(str(table[other].iloc[0]))]
        fix = f"write image={likely[0]!r}" if likely else ""
    raise unknown(operation, given, name, table.columns, fix)


def numbers(table: pandas.DataFrame, name: str, known: Sequence[int], operation: str) -> list[int]:
    """A column of whole numbers of which all are known. Raises InputError naming the first row of another."""
    found = column(table, name, operation).tolist()
    words = {str(k): k for k in known} | {f"{k}.0": k for k in known}
    for row, value in enumerate(found):
        if str(value) not in words:
            accepted = ", ".join(map(str, known))
            given = f"{name}={value!r} in row {row + 1}"
            raise InputError(operation, given, f"{name} one of {accepted}", "correct the file or get it again")
    return [words[str(value)] for value in found]


def typed(values: pandas.Series) -> pandas.Series:
    """A column of strings as numbers or bools where every cell is one and none would read otherwise as a string."""
    import pandas

    cells = [str(value) for value in values]
    if all(cell in ("True", "False") for cell in cells):
        return pandas.Series([cell == "True" for cell in cells], index=values.index, name=values.name)
    if all(re.fullmatch(r"-?(0|[1-9]\d{0,14})", cell) for cell in cells):
        return pandas.Series([int(cell) for cell in cells], index=values.index, name=values.name)
    if all(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?(e-?\d+)?|", cell) for cell in cells) and any(cells):
        numbers_ = [float(cell) if cell else float("nan") for cell in cells]
        return pandas.Series(numbers_, index=values.index, name=values.name)
    return values


def _parquet(path: Path, operation: str) -> tuple[pandas.DataFrame, tuple[str, ...]]:
    import pandas

    try:
        found = pandas.read_parquet(path)
    except FileNotFoundError as error:
        given = f"{str(path)!r} (No such file or directory)"
        raise InputError(operation, given, "a file that can be read", "check the path") from error
    except Exception as error:  # the engine's errors are of no common kind
        given = f"{path.name}, which cannot be read as Parquet ({str(error).splitlines()[0]})"
        raise InputError(operation, given, "a Parquet file", "write it again, or save the table as CSV") from error
    return found.rename(columns=str).reset_index(drop=True), ()


def _separated(words: str, path: Path, operation: str) -> tuple[pandas.DataFrame, tuple[str, ...]]:
    import pandas

    header = next(line for line in words.splitlines() if line.strip())
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    separator = max(SEPARATORS, key=lambda s: (header.count(s), s == usual))
    notes = () if separator == usual else (f"{path.name} has {SEPARATORS[separator]} between its columns.",)
    fix = "give every row as many cells as the first, cells with the separator in quotes"
    try:
        found = csv.reader(io.StringIO(words, newline=""), delimiter=separator)
        rows = [[cell.strip() for cell in row] for row in found if any(map(str.strip, row))]
    except csv.Error as error:
        given = f"{path.name}, which is no table with {SEPARATORS[separator]} between its columns ({error})"
        raise InputError(operation, given, "one row per image", fix) from error
    names = rows[0]
    if twice := [name for name in dict.fromkeys(names) if name and names.count(name) > 1]:
        given = f"{path.name}, with {first_three(twice)} as the name of two columns"
        raise InputError(operation, given, "every column once", "rename one of them")
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(names):
            given = f"{path.name}, whose row {number} has {len(row)} cells for {len(names)} columns ({row[0]!r} …)"
            raise InputError(operation, given, f"{len(names)} cells with {SEPARATORS[separator]} between them", fix)
    columns = [name or f"Unnamed: {i}" for i, name in enumerate(names)]
    return pandas.DataFrame(rows[1:], columns=columns, dtype=object), notes
