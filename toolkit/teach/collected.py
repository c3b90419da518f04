"""`collect`: what a class handed in, as one table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import InputError
from toolkit.explanations.workbook import checked_content

if TYPE_CHECKING:
    import pandas

LARGEST = 50_000_000
"""Bytes of a report that is read."""


def collect(paths: str | Path | Iterable[str | Path], regrade: bool = False) -> pandas.DataFrame:
    """What a class handed in, a row per exercise, prediction and note of every file.

    Columns: file, name, kind ("exercise", "prediction", "note", "problem"), about, answer (of a prediction the guess),
    truth, passed (of an exercise; None for an answer that cannot be checked again), tries, hints, solution, text. A
    file that cannot be read is a row of kind "problem". Nothing in a file is executed.

    Arguments:
        paths: a folder of reports (`explorer.report`) or workbooks (.json), or files.
        regrade: check the answers kept in them again, on this machine; what a file says of itself can be changed by
            whoever writes it; default False.

    Raises:
        InputError: where there is no file at all.

    >>> from toolkit import teach
    >>> teach.collect("hand-ins")  # doctest: +SKIP
    """
    import pandas

    files = list(_files(paths))
    if not files:
        raise InputError("collect", repr(paths), "a folder with reports (.html) or workbooks (.json)", "name another")
    rows: list[dict[str, Any]] = []
    for file in files:
        try:
            rows += _rows(file, _content(file), regrade)
        except InputError as error:
            rows.append({"file": file.name, "kind": "problem", "text": str(error)})
    columns = ["file", "name", "kind", "about", "answer", "truth", "passed", "tries", "hints", "solution", "text"]
    return pandas.DataFrame(rows, columns=columns).astype(object).where(lambda table: table.notna(), None)


def _files(paths: Any) -> Iterable[Path]:
    several = [paths] if isinstance(paths, str | Path) else paths
    for one in several:
        path = Path(one).expanduser()
        if path.is_dir():
            yield from sorted(p for p in path.iterdir() if p.suffix in (".html", ".json") and p.is_file())
        elif path.is_file():
            yield path
        else:
            raise InputError("collect", str(path), "a file or folder that exists", "check the path")


def _content(file: Path) -> dict[str, Any]:
    """The workbook in a file."""
    try:
        if file.stat().st_size > LARGEST:
            raise InputError(
                "collect", f"{file.name} of {file.stat().st_size:,} bytes", f"at most {LARGEST:,}", "skip it"
            )
        text = file.read_text(encoding="utf-8")
        found = json.loads(_inside(text) if file.suffix == ".html" else text)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError("collect", f"{file.name} ({error})", "a report or a workbook", "ask for it again") from error
    if file.suffix == ".html":
        found = found.get("workbook") if isinstance(found, dict) else None
        if found is None:
            raise InputError("collect", f"{file.name}, a report without a workbook", "a hand-in", "ask for it again")
    return checked_content(found, file.name)


def _inside(page: str) -> str:
    """The JSON of a report."""

    class _PageReader(HTMLParser):
        inside, found = False, ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.inside = tag == "script" and dict(attrs).get("id") == "report" and not self.found

        def handle_endtag(self, tag: str) -> None:
            self.inside = False

        def handle_data(self, data: str) -> None:
            self.found += data if self.inside else ""

    reader = _PageReader()
    reader.feed(page)
    return reader.found


def _rows(file: Path, content: dict[str, Any], regrade: bool) -> Iterable[dict[str, Any]]:
    own = {"file": file.name, "name": content["name"]}
    for row in content["exercises"]:
        told = {"passed": row["passed"], "text": "\n".join(map(str, row["reasons"]))}
        told |= _again(row) if regrade else {}
        yield own | {"kind": "exercise", "about": row["exercise"], "answer": row["answer"], "tries": row["tries"],
                     "hints": row["hints"], "solution": row["solution"]} | told  # fmt: skip
    for row in content["predictions"]:
        yield own | {"kind": "prediction", "about": row["question"], "answer": row["guess"], "truth": row["truth"],
                     "text": row["unit"]}  # fmt: skip
    for row in content["notes"]:
        yield own | {"kind": "note", "about": str(row.get("about", "")), "text": row["text"]}


def _again(row: dict[str, Any]) -> dict[str, Any]:
    """An answer, checked anew; without a mark in the workbook of this kernel."""
    from toolkit.teach.tasks import TASKS

    checks = {task.title: task._check for task in TASKS}
    answer = row["answer"]
    if row["exercise"] not in checks or answer is None:
        return {"passed": None, "text": f"no exercise of this toolkit, or no answer: {answer!r}"}
    try:
        reasons = checks[row["exercise"]](answer)
    except Exception as error:  # noqa: BLE001 – a file may hold anything as an answer
        return {"passed": False, "text": f"{type(error).__name__}: {error}"}
    return {"passed": all(reason.ok is not False for reason in reasons), "text": "\n".join(map(str, reasons))}
