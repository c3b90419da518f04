"""`Workbook`: what somebody predicted, solved and wrote while learning, to be handed in."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from toolkit.data.characters import sendable
from toolkit.errors import InputError, StoreError
from toolkit.store.whole import whole_file

FORMAT = 1
LONGEST = 20_000
"""Characters of a note."""
KINDS = ("predictions", "exercises", "notes")


class Workbook:
    """Predictions, results of exercises and notes, in the order in which they were first made.

    `.predictions`, `.exercises` and `.notes` are lists of plain dictionaries; `.note(text)` adds a note; `.to_dict()`
    is what a report carries.

    Arguments:
        name: of who works in it; default "".
        path: a .json file to keep them in; several notebooks may share it; default none: they live as long as the
            kernel.

    Raises:
        InputError: for a file that holds something else.
        StoreError: where the file cannot be written.

    >>> book = Workbook("Ada")
    >>> book.note("L3.H7 is about the background", about="L3.H7"); book
    Workbook of Ada: 0 predictions, 0 exercises (0 passed), 1 note
    """

    def __init__(self, name: str = "", path: str | Path | None = None) -> None:
        self._lock = threading.RLock()
        self.path = None if path is None else _checked(path)
        self._content: dict[str, Any] = {"name": str(name)} | {kind: [] for kind in KINDS}
        if self.path is not None and self.path.exists():
            self._content = _read(self.path)
            if name:
                self.name = name

    @property
    def name(self) -> str:
        """Who works in it."""
        return str(self._now()["name"])

    @name.setter
    def name(self, name: str) -> None:
        self._change(lambda content: content.update(name=str(name)))

    @property
    def predictions(self) -> list[dict[str, Any]]:
        """One of every question: question, guess (None: shown without guessing), truth, unit, options, at."""
        return list(self._now()["predictions"])

    @property
    def exercises(self) -> list[dict[str, Any]]:
        """One of every exercise: exercise, passed, answer and reasons of the last try, tries, hints, solution, at."""
        return list(self._now()["exercises"])

    @property
    def notes(self) -> list[dict[str, Any]]:
        """text, about, at."""
        return list(self._now()["notes"])

    def note(self, text: str, about: str = "") -> None:
        """Write something down.

        Arguments:
            text: 1 to 20,000 characters.
            about: what it is about, such as a head; a second note about the same stays beside the first; default "".

        Raises:
            InputError: for an empty text and for a longer one.
        """
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
            given = f"{len(text):,} characters" if isinstance(text, str) else repr(text)
            raise InputError("note", given, f"1 to {LONGEST:,} characters", "write a sentence")
        entry = {"text": text.strip(), "about": str(about), "at": _now()}
        self._change(lambda content: content["notes"].append(entry))

    def predicted(
        self, *, question: str, guess: Any, truth: Any, unit: str = "", options: Any = None,
    ) -> None:  # fmt: skip
        """Keep a prediction that was revealed.

        Of a question asked before, the first guess stays and the truth is new: whoever has seen the answer does not
        guess any more.

        Arguments:
            question: as it was asked.
            guess: what was predicted; None where it was shown without guessing.
            truth: what came out.
            unit: of both; default "".
            options: what could be chosen from; default none.
        """

        def change(content: dict[str, Any]) -> None:
            rows = content["predictions"]
            old = next((row for row in rows if row["question"] == question), None)
            if old is not None:
                old.update(truth=_plain(truth), again=int(old.get("again", 0)) + 1)
                return
            rows.append({
                "question": question, "guess": _plain(guess), "truth": _plain(truth), "unit": unit,
                "options": None if options is None else [str(one) for one in options], "at": _now(),
            })  # fmt: skip

        self._change(change)

    def tried(self, *, exercise: str, passed: bool, answer: Any, reasons: Any, hints: int, solution: bool) -> None:
        """Keep a try at an exercise.

        Once passed it stays passed; the answer kept is that of the first pass, else of the last try.

        Arguments:
            exercise: its title.
            passed: whether this try did.
            answer: what was handed in.
            reasons: what the check said, in sentences.
            hints: how many were read.
            solution: whether it was looked at.
        """

        def change(content: dict[str, Any]) -> None:
            row = self._row(content, exercise)
            row["tries"] += 1
            if not row["passed"]:
                row.update(passed=bool(passed), answer=_plain(answer), reasons=[_plain(r) for r in reasons],
                           hints=max(int(hints), row["hints"]), solution=bool(solution or row["solution"]),
                           at=_now())  # fmt: skip

        self._change(change)

    def helped(self, *, exercise: str, hints: int, solution: bool) -> None:
        """Keep that a hint was read or the solution looked at before the exercise was passed.

        Arguments:
            exercise: its title.
            hints: how many were read.
            solution: whether it was looked at.
        """

        def change(content: dict[str, Any]) -> None:
            row = self._row(content, exercise)
            if not row["passed"]:
                row.update(hints=max(hints, row["hints"]), solution=bool(solution or row["solution"]))

        self._change(change)

    @staticmethod
    def _row(content: dict[str, Any], exercise: str) -> dict[str, Any]:
        rows: list[dict[str, Any]] = content["exercises"]
        found = next((row for row in rows if row["exercise"] == exercise), None)
        if found is None:
            found = {"exercise": exercise, "passed": False, "answer": None, "reasons": [], "tries": 0, "hints": 0,
                     "solution": False, "at": _now()}  # fmt: skip
            rows.append(found)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values: format, name, predictions, exercises, notes."""
        return {"format": FORMAT} | json.loads(json.dumps(self._now()))

    def __bool__(self) -> bool:
        content = self._now()
        return any(content[kind] for kind in KINDS)

    def _now(self) -> dict[str, Any]:
        with self._lock:
            if self.path is not None and self.path.exists():
                self._content = _read(self.path)
            return self._content

    def _change(self, act: Any) -> None:
        """Change the content, and the file as a whole: what another notebook wrote meanwhile stays."""
        with self._lock:
            if self.path is None:
                act(self._content)
                return
            try:
                with FileLock(f"{self.path}.lock", timeout=10):
                    content = self._now()
                    act(content)
                    with whole_file(self.path) as part:
                        text = json.dumps(sendable({"format": FORMAT} | content), indent=1, ensure_ascii=False)
                        part.write_text(text + "\n", encoding="utf-8")
            except (OSError, Timeout) as error:
                given = f"{self.path} ({getattr(error, 'strerror', None) or error})"
                raise StoreError(
                    "workbook", given, "a file to write", "name another: teach.workbook(path=…)"
                ) from error

    def __repr__(self) -> str:
        content = self._now()
        passed = sum(bool(row["passed"]) for row in content["exercises"])
        counts = [_counted(len(content[kind]), kind) for kind in KINDS]
        counts[1] += f" ({passed} passed)"
        return f"Workbook{' of ' + content['name'] if content['name'] else ''}: {', '.join(counts)}"


_current = Workbook()


def workbook(name: str | None = None, path: str | Path | None = None) -> Workbook:
    """The kernel's workbook, which predictions, exercises and reports use (`Workbook`).

    Arguments:
        name: write on it who you are; default as it is.
        path: keep it in this .json file from now on, where other notebooks find it too; what was written in memory
            before goes with it (what is in another file stays there); default where it is.

    Raises:
        InputError: for a file of another kind, and leaves it as it is.

    >>> import toolkit as tk
    >>> tk.teach.workbook("Ada").name
    'Ada'
    """
    global _current
    if path is not None and (_current.path is None or _current.path != _checked(path)):
        new, old = Workbook(path=path), _current
        if old.path is None:
            new._change(lambda content: _join(content, old._now()))
        _current = new
    if name is not None:
        _current.name = name
    return _current


def note(text: str, about: str = "") -> None:
    """Write something down in the kernel's workbook, for whoever reads the report.

    Arguments:
        text: 1 to 20,000 characters.
        about: what it is about, such as a head; default "".

    Raises:
        InputError: for an empty text.

    >>> import toolkit as tk
    >>> tk.teach.note("sunset, not background", about="L3.H5")
    """
    workbook().note(text, about)


def _join(content: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add what another workbook holds: first guesses stay, what was passed in either is passed."""
    content["name"] = content["name"] or more["name"]
    asked = {row["question"] for row in content["predictions"]}
    content["predictions"] += [row for row in more["predictions"] if row["question"] not in asked]
    known = {row["exercise"]: row for row in content["exercises"]}
    for row in more["exercises"]:
        mine = known.get(row["exercise"])
        if mine is None:
            content["exercises"].append(row)
            continue
        tries, hints = mine["tries"] + row["tries"], max(mine["hints"], row["hints"])
        mine.update(row if row["passed"] and not mine["passed"] else {})
        mine.update(tries=tries, hints=hints, solution=mine["solution"] or row["solution"])
    content["notes"] += [row for row in more["notes"] if row not in content["notes"]]


def _checked(path: str | Path) -> Path:
    target = Path(path).expanduser()
    if target.suffix != ".json":
        raise InputError("workbook", repr(target.name), "a name ending in .json", "rename it")
    return target.resolve()


def _read(path: Path) -> dict[str, Any]:
    """The content of a file, checked: it may have come from anybody."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError("workbook", f"{path.name} ({error})", "a workbook's .json", "name another file") from error
    return checked_content(content, path.name)


def checked_content(found: Any, where: str) -> dict[str, Any]:
    """name and lists of a workbook that was read, every row complete; raises InputError for anything else."""
    good = (
        isinstance(found, dict) and found.get("format") == FORMAT and isinstance(found.get("name"), str)
        and all(isinstance(found.get(kind), list) for kind in KINDS)
        and all(isinstance(row, dict) and isinstance(row.get(key), str)
                for kind, key in zip(KINDS, ("question", "exercise", "text"), strict=True) for row in found[kind])
    )  # fmt: skip
    if not good:
        raise InputError("workbook", f"{where}, which holds something else", "a workbook", "name another file")
    content = _plain({key: found[key] for key in ("name", *KINDS)})
    for row in content["predictions"]:
        row |= {"guess": row.get("guess"), "truth": row.get("truth"), "unit": _text(row.get("unit"))}
        row["options"] = row["options"] if isinstance(row.get("options"), list) else None
    for row in content["exercises"]:
        reasons = row.get("reasons")
        row |= {"passed": row.get("passed") is True, "reasons": reasons if isinstance(reasons, list) else [],
                "answer": row.get("answer"), "solution": row.get("solution") is True,
                **{key: _count(row.get(key)) for key in ("tries", "hints")}}  # fmt: skip
    for row in content["notes"]:
        row["about"] = _text(row.get("about"))
    return dict(content)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _plain(value: Any) -> Any:
    """As JSON can hold it: arrays as lists, anything else as its text."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _counted(n: int, kind: str) -> str:
    return f"{n} {kind if n != 1 else kind[:-1]}"
