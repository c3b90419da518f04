"""Notes on heads, kept from one session to the next under the model they are about."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from toolkit.core.heads import HeadSet
from toolkit.data.characters import sendable
from toolkit.errors import InputError, StoreError
from toolkit.models.card import ModelCard
from toolkit.store.whole import whole_file

if TYPE_CHECKING:
    import pandas


def notes_folder() -> Path:
    """Where notes are kept: $TOOLKIT_NOTES, else ~/.local/share/clip-head-toolkit/notes."""
    own = Path.home() / ".local" / "share" / "clip-head-toolkit" / "notes"
    return Path(os.environ.get("TOOLKIT_NOTES") or own)


class HeadNotes:
    """What people wrote about the heads of one model: `notes["L2.H6"] = "water"`, `notes["L2.H6"]`, `"L2.H6" in notes`.

    A file per model fingerprint, written whole at every change; notes of another process are read, never overwritten.
    An empty note is no note. Parts made by other code have no fingerprint: without a path their notes stay in memory.
    Made by `tk.notes`.
    """

    def __init__(self, card: ModelCard, path: str | Path | None = None) -> None:
        self.card = card
        own = notes_folder() / f"{card.fingerprint}.json" if card.fingerprint else None
        self.path = own if path is None else Path(path).expanduser()
        self._memory: dict[str, str] = {}

    def __getitem__(self, head: Any) -> str:
        return self._read().get(self._name(head), "")

    def __setitem__(self, head: Any, note: str) -> None:
        name = self._name(head)
        if self.path is None:
            self._memory = {k: v for k, v in {**self._memory, name: str(note).strip()}.items() if v}
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock", timeout=10):
                notes = self._read()
                notes[name] = sendable(str(note).strip())
                self._write({k: v for k, v in notes.items() if v})
        except StoreError:
            raise
        except OSError as error:
            fix = "name another file: tk.notes(model, path)"
            raise StoreError("notes", f"{self.path} ({error.strerror or error})", "a file to write", fix) from error

    def __contains__(self, head: Any) -> bool:
        return self._name(head) in self._read()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._read()))

    def __len__(self) -> int:
        return len(self._read())

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per note: head, note."""
        import pandas

        notes = self._read()
        return pandas.DataFrame({"head": sorted(notes), "note": [notes[name] for name in sorted(notes)]})

    def _name(self, head: Any) -> str:
        chosen = HeadSet.of(head, self.card.layers, self.card.heads)
        if len(chosen.heads) != 1:
            raise InputError("notes", repr(head), "one head, such as 'L2.H6'", "name one")
        return str(chosen)

    def _read(self) -> dict[str, str]:
        if self.path is None:
            return self._memory
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            notes, fingerprint = dict(content["notes"]), content["fingerprint"]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            fix = "mend it, or name another file: tk.notes(model, path)"
            raise StoreError("notes", f"{self.path} ({error})", "a file of notes", fix) from error
        if fingerprint != self.card.fingerprint:
            given = f"{self.path.name}, notes on {content.get('model')!r} ({fingerprint})"
            raise StoreError("notes", given, f"notes on {self.card.id!r}", "name another file")
        return {str(k): str(v) for k, v in notes.items()}

    def _write(self, notes: dict[str, str]) -> None:
        content = {"model": self.card.id, "fingerprint": self.card.fingerprint, "notes": notes}
        assert self.path is not None
        with whole_file(self.path) as part:
            part.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")

    def __repr__(self) -> str:
        return f"HeadNotes({self.card.id!r}, {len(self)} notes, {self.path.name if self.path else 'in memory'!r})"


def notes(model: Any, path: str | Path | None = None) -> HeadNotes:
    """The notes on a model's heads (`HeadNotes`): `notes["L2.H6"] = "water"`.

    Arguments:
        model: a `Model` or `Acts`.
        path: a file of your own; default one per model.

    >>> import toolkit as tk
    >>> len(tk.notes(tk.load(), "no-such-file.json"))
    0
    """
    if not isinstance(getattr(model, "card", None), ModelCard):
        raise InputError("notes", f"a {type(model).__name__}", "a model or its parts", "pass tk.load() or acts")
    return HeadNotes(model.card, path)
