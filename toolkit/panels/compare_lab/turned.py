"""The methods of a lab by name, each settable from Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.api.edit.outcome import Outcome
from toolkit.errors import InputError


class TurnedMethod:
    """One method of a lab: `.dial` is where it stands, settable to any value of its path; `.fitted`, `.outcome`."""

    def __init__(self, lab: Any, name: str) -> None:
        self._lab, self.name = lab, name

    @property
    def dial(self) -> float:
        """The value of its dial."""
        path = self._lab._paths_made[self.name]
        return float(path.values[self._lab.dials[self.name]])

    @dial.setter
    def dial(self, value: float) -> None:
        path = self._lab._paths_made[self.name]
        at = path.nearest(path.fitted.dial.checked(value, self.name))
        self._lab.dials = self._lab.dials | {self.name: at}

    @property
    def fitted(self) -> Any:
        """What `Method.fit` gave."""
        return self._lab._paths_made[self.name].fitted

    @property
    def outcome(self) -> Outcome:
        """What it does to the held-out images there."""
        return self._lab._session.outcome(self.name, self.dial, self._lab.draw)

    def __repr__(self) -> str:
        return f"{self.name}, {self.fitted.dial.name} = {self.dial:g}"


class TurnedMethods(Mapping[str, TurnedMethod]):
    """The methods of a lab whose paths are there, by name."""

    def __init__(self, lab: Any) -> None:
        self._lab = lab

    def __getitem__(self, name: str) -> TurnedMethod:
        if name not in self._lab._paths_made:
            known = ", ".join(map(repr, self._lab._paths_made)) or "none yet"
            raise InputError("CompareLab.methods", repr(name), known, "name one whose path is there")
        return TurnedMethod(self._lab, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lab._paths_made)

    def __len__(self) -> int:
        return len(self._lab._paths_made)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.values()))
