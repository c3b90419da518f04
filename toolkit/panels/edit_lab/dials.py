"""The settings of an edit lab: what may be set, what others set, and the way back."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import traitlets

from toolkit.api.edit.problem import EditWarning
from toolkit.api.edit.settings import known_scale, known_steps, known_weight
from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.labs.ablation import known_pair
from toolkit.labs.edit import STEPS, EditSession, Settings
from toolkit.panels.base.groups import GroupsPanel
from toolkit.panels.base.panel import shows_errors
from toolkit.panels.edit_lab.visits import Visits


class EditDials(GroupsPanel):
    """α, β, steps and the rest as traits that are checked; whoever changes one asks for a new edit (`_ask_solve`)."""

    alpha: traitlets.TraitType[Any, Any] = traitlets.Any(10.0).tag(sync=True)
    beta: traitlets.TraitType[Any, Any] = traitlets.Any(10.0).tag(sync=True)
    steps: traitlets.TraitType[Any, Any] = traitlets.Any(100).tag(sync=True)
    strategy = traitlets.Unicode("diagonal").tag(sync=True)
    scale: traitlets.TraitType[Any, Any] = traitlets.Any(None, allow_none=True).tag(sync=True)
    nonnegative = traitlets.Bool(False).tag(sync=True)
    pair: traitlets.TraitType[Any, Any] = traitlets.Any(None, allow_none=True).tag(sync=True)
    image = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    _chosen: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _typed = traitlets.Unicode("").tag(sync=True)
    _note = traitlets.Unicode("").tag(sync=True)
    _can: traitlets.List[Any] = traitlets.List([False, False]).tag(sync=True)
    _returning = False
    _follows: ClassVar[dict[str, str]] = {"pair": "_follow_pair", "image": "_follow_image"}
    _session: EditSession

    _card = property(lambda self: self._session.images.acts.card)

    def _begin_dials(self, session: EditSession) -> None:
        self._session, self._visits = session, Visits()
        self._asked_last: Settings | None = None

    def _ask_solve(self) -> None:
        raise NotImplementedError(f"{type(self).__name__} solves nothing")  # pragma: no cover

    @traitlets.validate("alpha", "beta")
    def _valid_weight(self, proposal: dict[str, Any]) -> float:
        return known_weight(proposal["trait"].name, proposal["value"])

    @traitlets.validate("steps")
    def _valid_steps(self, proposal: dict[str, Any]) -> int:
        steps = known_steps(proposal["value"])
        if steps is None or steps > STEPS:
            accepted = f"a whole number from 0 to {STEPS:,}"
            raise InputError("EditLab.steps", repr(steps or "converge"), accepted, "use tk.edit for what takes longer")
        return steps

    @traitlets.validate("strategy")
    def _valid_strategy(self, proposal: dict[str, Any]) -> str:
        return self._session.strategy(proposal["value"])

    @traitlets.validate("scale")
    def _valid_scale(self, proposal: dict[str, Any]) -> float | None:
        return known_scale(proposal["value"], self._session.images.acts.card.logit_scale)

    @traitlets.validate("pair")
    def _valid_pair(self, proposal: dict[str, Any]) -> tuple[str, str] | None:
        return known_pair(self._session.images, proposal["value"], "EditLab")

    @property
    def heads(self) -> HeadSet:
        """The heads success learns to do without; assign a set in any spelling."""
        return HeadSet(tuple((row[0], row[1]) for row in self._chosen))

    @heads.setter
    def heads(self, heads: Any) -> None:
        found = HeadSet.of(heads, *self._session.shape)
        self._noted(found)
        with self.hold_sync():
            self._chosen, self._typed = [list(head) for head in found], str(found)

    def _noted(self, heads: HeadSet) -> None:
        """Warn of heads that were found under another class set, and keep it in view."""
        self._note = self._session.note(heads)
        if self._note:
            warnings.warn(EditWarning(f"EditLab: {self._note}"), stacklevel=3)

    @property
    def settings(self) -> Settings:
        """Everything the edit depends on, as it is set now; θ ≥ 0 is for the diagonal alone."""
        heads = tuple((row[0], row[1]) for row in self._chosen)
        floor = self.nonnegative and self.strategy == "diagonal"
        return Settings(self.alpha, self.beta, self.steps, self.strategy, self.scale, floor, heads, self.pair)

    @traitlets.observe("alpha", "beta", "steps", "strategy", "scale", "nonnegative", "pair", "_chosen")
    @shows_errors
    def _changed(self, change: Any) -> None:
        if not hasattr(self, "_selection"):
            return
        if change["name"] == "pair" and not self._following:
            self.selection.pair = self.pair
        self._ask_solve()

    @traitlets.observe("_typed")
    @shows_errors
    def _typed_changed(self, change: Any) -> None:
        if hasattr(self, "_selection") and self._typed != str(self.heads):
            self.heads = self._typed

    @traitlets.observe("image")
    @shows_errors
    def _image_changed(self, change: Any) -> None:
        if not self._following and hasattr(self, "_selection"):
            self.selection.image = self.image

    # the way back

    def undo(self) -> None:
        """Back to the settings before the last move."""
        self._go(self._visits.undo(self.settings))
        self._can = self._visits.can

    def redo(self) -> None:
        """Forward again."""
        self._go(self._visits.redo(self.settings))
        self._can = self._visits.can

    def _go(self, settings: Settings | None) -> None:
        if settings is None:
            return
        self._returning = True
        try:
            with self.hold_trait_notifications(), self.hold_sync():
                names = ("alpha", "beta", "steps", "strategy", "scale", "nonnegative", "pair")
                for name in names:
                    setattr(self, name, getattr(settings, name))
                heads = HeadSet(settings.heads)
                self._chosen, self._typed = [list(head) for head in heads], str(heads)
        finally:
            self._returning = False
        self._ask_solve()

    # what others choose

    @shows_errors
    def _follow_pair(self, change: Any) -> None:
        pair, names = self.selection.pair, self._session.images.classes.names
        if pair is None or all(name in names for name in pair):
            self._followed("pair", pair)

    @shows_errors
    def _follow_image(self, change: Any) -> None:
        self._followed("image", self.selection.image)
