"""Where one has been: undo and redo, the trail, and edits that are kept by name."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import traitlets

from toolkit.api.edit.frontier_result import MEASURES
from toolkit.api.edit.settings import is_strategy
from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.labs.edit import Settings, Visits
from toolkit.labs.edit_records import GridPlace
from toolkit.panels.edit_lab.held import HeldStrengths

if TYPE_CHECKING:
    import pandas

    from toolkit.api.edit.result import Edit

NAMES = ("alpha", "beta", "steps", "strategy", "scale", "nonnegative", "pair")
"""What an edit depends on beside its heads, as traits and as `Settings`."""


class VisitedEdits(HeldStrengths):
    """Base class of the edit lab: the settings it has shown, and how it returns to them."""

    _can: traitlets.TraitType[Any, Any] = traitlets.Dict({"undo": False, "redo": False}).tag(sync=True)
    _trail: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _planes: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _names: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _filled: Settings | None
    _visits: Visits
    kept: dict[str, Edit]
    edit: Edit | None
    beside: str

    @property
    def settings(self) -> Settings:
        """Everything the edit looked at depends on, as it is set now."""
        raise NotImplementedError

    def _ask(self) -> None:
        raise NotImplementedError

    def _begin_visits(self) -> None:
        self._visits = Visits()
        self.kept = {}
        self._kept_at: dict[str, Settings] = {}
        self._returning = False

    @property
    def visited(self) -> pandas.DataFrame:
        """Where one has been, oldest first: alpha, beta, steps, strategy, scale, nonnegative, heads, pair, measures."""
        import pandas

        trail = self._visits.trail
        rows = [self._visits.settings(visit)._asdict() | {name: visit[name] for name in MEASURES} for visit in trail]
        return pandas.DataFrame(rows, columns=[*Settings._fields, *MEASURES])

    def keep(self, name: str = "") -> Edit:
        """The edit shown, kept under a name; it is in `.kept` (`Edit`), and may stand beside: `lab.beside = name`.

        Arguments:
            name: for people; default the next letter.

        Raises:
            InputError: while the edit is still being solved, and for the name of a strategy.
        """
        edit = self._shown_edit("EditLab.keep")
        if not isinstance(name, str):
            raise InputError("EditLab.keep", f"name={name!r}", "a text", "pass a name, or none for the next letter")
        word = name.strip() or next(x for x in _letters() if x not in self.kept)
        if is_strategy(word):
            given = f"name={word!r}, which is a strategy"
            raise InputError("EditLab.keep", given, "another name", "pass a name, or none for the next letter")
        made = self.kept[word] = edit.named(word)
        self._kept_at[word] = self.settings
        self._names = [*(r for r in self._names if r["name"] != word), {"name": word} | self._point]
        if word == self.beside:  # what stood there under this name is another one now
            self._ask()
        return made

    def saved_value(self, name: str) -> Any:
        """Kept edits are in no state: of one that stands beside its strategy.

        Arguments:
            name: of `saved`.
        """
        found = super().saved_value(name)
        return self._kept_at[found].strategy if name == "beside" and found in self._kept_at else found

    def _shown_edit(self, operation: str) -> Edit:
        """The edit shown. Raises InputError while it is still being solved."""
        if self.edit is None or self._shown != self.settings.told:
            raise InputError(operation, "an edit that is still being solved", "one that is shown", "wait a moment")
        return self.edit

    def undo(self) -> None:
        """Back to the settings before the last move."""
        self._go(self._visits.undo(self.settings))
        self._can = self._visits.can

    def redo(self) -> None:
        """Forward again."""
        self._go(self._visits.redo(self.settings))
        self._can = self._visits.can

    def _go(self, settings: Settings | None, beside: str | None = None) -> None:
        """Return to settings. beside: what then stands beside; None for what stands there now."""
        if settings is None:
            return
        self._returning = True
        try:
            with self.hold_trait_notifications(), self.hold_sync():
                for name in NAMES:
                    setattr(self, name, getattr(settings, name))
                if beside is not None:
                    self.beside = beside
                self.held = dict(settings.hold)
                heads = HeadSet(settings.heads)
                self._chosen, self._typed = [list(head) for head in heads], str(heads)
        finally:
            self._returning = False
        self._ask()

    def _go_to(self, ask: dict[str, Any]) -> None:
        """Return to a visit, to a cell of the frontier, or to an edit that was kept."""
        target: Settings | None = None
        if "cell" in ask and self._filled is not None:
            cell: GridPlace = ask["cell"]
            target = self._filled._replace(alpha=float(cell["alpha"]), beta=float(cell["beta"]))
        elif "name" in ask:
            target = self._kept_at.get(str(ask["name"]))
        elif "visit" in ask:
            target = self._visits.at(ask["visit"])
        if target is not None and target != self.settings:
            self._visits.moved(self.settings, now=True)
            self._go(target)
            self._can = self._visits.can

    def swap(self) -> None:
        """Look closely at the edit that stands beside, and the other way round. Beside a kept one, the edit shown is
        kept first.
        """
        if not self.beside:
            raise InputError("EditLab.swap", "one edit alone", "two", 'name a second one: lab.beside = "strengths"')
        if self.beside not in self._kept_at:
            with self.hold_trait_notifications(), self.hold_sync():
                self.strategy, self.beside = self.beside, self.strategy
            self._ask()
            return
        present, settings = self._name_of_present, self._kept_at[self.beside]
        self._visits.moved(self.settings, now=True)
        self._go(settings, present)
        self._can = self._visits.can

    @property
    def _name_of_present(self) -> str:
        """The name the edit shown is kept under; it is kept now where it was not."""
        known = [name for name, settings in self._kept_at.items() if settings == self.settings]
        return known[-1] if known else self.keep().name


def _letters() -> Iterator[str]:
    """A, B, … Z, A2, B2, …"""
    for turn in itertools.count(1):
        yield from (f"{chr(65 + i)}{turn if turn > 1 else ''}" for i in range(26))
