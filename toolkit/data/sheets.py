"""Tables on disk: CSV, TSV and Parquet, as strings, with words for what is wrong with one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.data.choice import first_three, unknown
from toolkit.data.paths import is_picture
from toolkit.data.spelling import nfc, spelled
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

ENDINGS = (".csv", ".tsv", ".parquet", ".txt")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SEP_LINE = re.compile(r'"?sep=([^\r\n])"?[,;|\t ]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
"""A first line by which Excel says what stands between the columns."""


def read_sheet(
    path: Path, operation: str, columns: Sequence[str] | None = None
) -> tuple[pandas.DataFrame, tuple[str, ...]]:
    """A table and notes. Cells of text files are strings without spaces around them; of Parquet, what they are.

    columns: the names of the columns in order, for a file without a line of them; default its first line has them.
    Raises InputError for another ending, for what is no table in UTF-8, for one without rows, and for a first row that
    looks like data where no columns are named.
    """
    path = spelled(path)
    if path.suffix.lower() not in ENDINGS:
        fix = "save it as CSV"
        raise InputError(operation, f"{path.name!r}", "a table in " + ", ".join(ENDINGS), fix)
    if path.suffix.lower() == ".parquet":
        found, notes = _parquet(path, operation)
        found = _renamed(found, columns, path, operation)
    else:
        found, notes = _separated(decoded(path, operation), path, operation, columns)
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
    name = str(name)
    if name in table.columns:
        return table[name]
    if same := [own for own in table.columns if nfc(own) == nfc(name)]:
        return table[same[0]]
    given, fix = f"a table without a column {name!r}", ""
    if argument:
        given = f"{argument}={name!r}, a column the table does not have"
    if argument == "image":
        likely = [other for other in table.columns if is_picture(str(table[other].iloc[0]))]
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
    found = found.rename(columns=str)
    kept = [name for name in found.index.names if name is not None and str(name) not in found.columns]
    return (found.reset_index(level=kept).rename(columns=str) if kept else found).reset_index(drop=True), ()


def _separated(
    words: str, path: Path, operation: str, columns: Sequence[str] | None
) -> tuple[pandas.DataFrame, tuple[str, ...]]:
    import pandas

    separator, usual, words = separator_of(words, path)
    between = SEPARATORS.get(separator, repr(separator))
    notes = () if separator == usual else (f"{path.name} has {between} between its columns.",)
    fix = "give every row as many cells as the first, cells with the separator in quotes"
    try:
        found = csv.reader(io.StringIO(words, newline=""), delimiter=separator)
        rows = [[cell.strip() for cell in row] for row in found if any(map(str.strip, row))]
    except csv.Error as error:
        given = f"{path.name}, which is no table with {between} between its columns ({error})"
        raise InputError(operation, given, "one row per image", fix) from error
    if not rows:
        raise InputError(operation, f"{path.name}, which is empty", "a table with a line of column names", "fill it")
    if _left_open(words, separator):
        given = f"{path.name}, in which a quote is opened and never closed"
        raise InputError(operation, given, "quotes in pairs", "close it, or double a quote that belongs to a cell")
    names, rows = _names(rows, path, operation, columns)
    if names[0].startswith("#") and any(len(row) != len(names) for row in rows):
        given = f"{path.name}, whose first line is a remark: {','.join(names)!r:.60}"
        raise InputError(
            operation, given, "a table and nothing else", "delete the lines above the names of the columns"
        )
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            given = f"{path.name}, whose row {number} has {len(row)} cells for {len(names)} columns ({row[0]!r} …)"
            raise InputError(operation, given, f"{len(names)} cells with {between} between them", fix)
    if len(names) == 1 and (odd := re.search(r"\s|[^\w\s./-]", names[0])):
        given = f"{path.name}, a table of one column, {names[0]!r}"
        between = ", ".join(SEPARATORS.values())
        said = "spaces" if odd[0].isspace() else repr(odd[0])
        raise InputError(operation, given, f"{between} between the columns", f"write one of these in place of {said}")
    headers = [name or f"Unnamed: {i}" for i, name in enumerate(names)]
    return pandas.DataFrame(rows, columns=headers, dtype=object), notes


def _left_open(words: str, separator: str) -> bool:
    """Whether the last cell is still inside quotes at the end: it holds all lines since."""
    try:
        for _ in csv.reader(io.StringIO(words, newline=""), delimiter=separator, strict=True):
            pass
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def separator_of(words: str, path: Path) -> tuple[str, str, str]:
    """What stands between the columns, what usually does in files of this ending, and the text of the table."""
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    said = SEP_LINE.match(words.lstrip("\r\n"))
    words = words.lstrip("\r\n")[said.end() :] if said else words
    first = next((line for line in words.splitlines() if line.strip()), "")
    first = re.sub(r'"[^"]*"', "", first)
    if said and said[1] in first:
        return said[1], usual, words
    return max(SEPARATORS, key=lambda s: (first.count(s), s == usual)), usual, words


def _names(
    rows: list[list[str]], path: Path, operation: str, columns: Sequence[str] | None
) -> tuple[list[str], list[list[str]]]:
    """The names of the columns and the rows below them."""
    first = next((cell for cell in rows[0] if is_picture(cell) or _is_there(path.parent, cell)), "")
    if columns is None and first:
        fix = f"name the columns, as in columns={_guess(rows[0], first)}, or write their names as its first line"
        given = f"{path.name}, whose first row looks like data: {first_three(rows[0])}"
        raise InputError(operation, given, "a first line with the names of the columns", fix)
    if columns is None:
        return _once(rows[0], path, operation), rows[1:]
    if not first and any(map(is_picture, rows[1] if len(rows) > 1 else ())):
        given = f"columns={list(columns)} for {path.name}, whose first row has names already: {first_three(rows[0])}"
        raise InputError(operation, given, "columns only for a table without names", "leave columns out")
    return _as_many(columns, len(rows[0]), path, operation), rows


def _is_there(folder: Path, cell: str) -> bool:
    """Whether a cell is the path of a file, whatever its ending; a word alone may be a name of both."""
    try:
        return "/" in cell and (folder / cell).is_file()
    except (OSError, ValueError):
        return False


def _guess(row: Sequence[str], path: str) -> list[str]:
    """Names for the cells of a row: `path` is its path, the first text behind it that is no picture its label."""
    at = row.index(path)
    rest = [i for i in (*range(at + 1, len(row)), *range(at)) if not is_picture(row[i])]
    named = {at: "path", **({rest[0]: "label"} if rest else {})}
    return [named.get(i, f"column {i}") for i in range(len(row))]


def _once(names: list[str], path: Path, operation: str) -> list[str]:
    """Names of columns, every one once."""
    if twice := [name for name in dict.fromkeys(names) if name and names.count(name) > 1]:
        given = f"{path.name}, with {first_three(twice)} as the name of two columns"
        raise InputError(operation, given, "every column once", "rename one of them")
    return names


def _as_many(columns: Sequence[str], n: int, path: Path, operation: str) -> list[str]:
    names = [columns] if isinstance(columns, str) else [str(name) for name in columns]
    if len(names) != n:
        given = f"{len(names)} columns for {path.name}, which has {n}"
        raise InputError(operation, given, f"{n} names", "name them all, in order")
    return _once(names, path, operation)


def _renamed(table: pandas.DataFrame, columns: Sequence[str] | None, path: Path, operation: str) -> pandas.DataFrame:
    """A Parquet table under the names given, for one whose names say nothing (0, 1)."""
    return table if columns is None else table.set_axis(_as_many(columns, table.shape[1], path, operation), axis=1)
