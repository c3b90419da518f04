"""Strengths of heads that are set by hand: they stay while the others are solved for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import traitlets

from toolkit.api.edit.settings import LIMITS, real
from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.labs.edit import EditSession
from toolkit.labs.edit_records import SetByHand
from toolkit.panels.base.groups import GroupsPanel

Hold = tuple[tuple[tuple[int, int], float], ...]


class HeldStrengths(GroupsPanel):
    """Base class of the edit lab: what of its strengths is held."""

    _session: EditSession
    _hold: traitlets.List[Any] = traitlets.List().tag(sync=True)

    @property
    def held(self) -> dict[str, float]:
        """Strengths of heads that stay as they are, by head ("L3.H7"); assign a mapping from heads to numbers."""
        return {str(HeadSet((head,))): strength for head, strength in self._held_now}

    @held.setter
    def held(self, strengths: Mapping[Any, float]) -> None:
        self._hold = self._known(strengths)

    def hold(self, head: Any, strength: float) -> None:
        """Give heads a strength that stays while the others are solved for.

        Arguments:
            head: one or more, in any spelling.
            strength: 0 off, 1 as it is, at most 2.
        """
        self.held = self.held | {head: strength}

    def release(self, heads: Any = None) -> None:
        """Let strengths be solved for again.

        Arguments:
            heads: which, in any spelling; default all that are held.
        """
        gone = set(HeadSet.of(heads, *self._session.shape)) if heads is not None else {h for h, _ in self._held_now}
        self._hold = [one for one in self._hold if (one["head"][0], one["head"][1]) not in gone]

    @property
    def _held_now(self) -> Hold:
        return tuple(((one["head"][0], one["head"][1]), one["strength"]) for one in self._hold)

    @traitlets.validate("_hold")
    def _valid_hold(self, proposal: dict[str, Any]) -> list[SetByHand]:
        try:
            named = {(int(one["head"][0]), int(one["head"][1])): one["strength"] for one in proposal["value"]}
        except (TypeError, ValueError, KeyError, IndexError) as error:
            accepted = 'a list of {"head": [layer, head], "strength": number}'
            fix = 'write lab.held = {"L3.H7": 0.5}'
            raise InputError("EditLab.held", repr(proposal["value"])[:80], accepted, fix) from error
        return self._known(named)

    def _known(self, strengths: Any) -> list[SetByHand]:
        """Heads and strengths, in order. Raises InputError for heads or numbers that are none."""
        if not isinstance(strengths, Mapping):
            given, accepted = f"{strengths!r:.80}", "a mapping from heads to numbers"
            raise InputError("EditLab.held", given, accepted, 'write lab.held = {"L3.H7": 0.5}')
        low, high = LIMITS
        found = dict[tuple[int, int], float]()
        for key, value in strengths.items():
            for head in HeadSet.of(key if isinstance(key, str) else [key], *self._session.shape):
                number = real(value)
                if number is None or not low <= number <= high:
                    given, accepted = f"{HeadSet((head,))} at {value!r:.40}", f"a number from {low:g} to {high:g}"
                    raise InputError("EditLab.held", given, accepted, "0 is off, 1 as it is")
                found[head] = number
        return [{"head": list(head), "strength": found[head]} for head in sorted(found)]
