"""The scores of heads by name, those of this toolkit and those that its users add with `tk.head_score`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from toolkit.errors import InputError

PANELS = ("HeadGrid", "AblationLab", "TwoModels")
"""Where a score can be chosen; the explorer's grid is a HeadGrid."""


@dataclass(frozen=True, eq=False)
class HeadScore:
    """A score of heads: one number for every head of some layers, higher = guiltier; made by `tk.head_score`.

    Attributes:
        name: how it is asked for.
        label: how choosers call it.
        unit: of its numbers; "points" are shown as hundredths.
        says: what it is, from its docstring.
        formula: from its docstring, "" for none.
        source: from its docstring, "" for none.
        table: the function, from evidence (`HeadEvidence`) to [layer, head].
        needs_model: whether it runs the model.
        per_pair: whether it is of one pair of classes: for all mistakes it is then the mean over the pairs, weighted by
            |W|; else it is asked once.
        interval: whether resampled images give it one.
        replicates: its tables for the bootstrap samples [resamples, layer, head], where there is a faster way than to
            call it for each.
        shown_in: the panels that offer it.
        takes_text: whether it is along a text that a panel lets one type.
        term: the glossary's that explains it; "" for one of its own.
    """

    name: str
    label: str
    unit: str
    says: str
    formula: str
    source: str
    table: Callable[..., Any]
    needs_model: bool = False
    per_pair: bool = True
    interval: bool = True
    replicates: Callable[..., Any] | None = None
    shown_in: tuple[str, ...] = PANELS
    takes_text: bool = False
    term: str = ""

    @property
    def told(self) -> dict[str, Any]:
        """What a page needs to know of it."""
        return {"name": self.name, "label": self.label, "unit": self.unit, "takes_text": self.takes_text}


_SCORES: dict[str, HeadScore] = {}


def add(score: HeadScore, replace: bool) -> None:
    """Put a score into all choices. Raises InputError for a name that is taken, unless it is to be replaced."""
    taken = _find(score.name)
    if taken is not None and not replace:
        fix = "choose another name, or write replace=True"
        raise InputError("head_score", f"the name {score.name!r}, which is taken ({taken.says})", "a new name", fix)
    name = score.name if taken is None else taken.name
    _SCORES[name] = dataclasses.replace(score, name=name)


def forget(name: str) -> None:
    """Take a score out of all choices again. Raises InputError for a name that no score has."""
    del _SCORES[known_score(name, "forget").name]


def offered(panel: str | None = None) -> tuple[HeadScore, ...]:
    """All scores in the order in which they were registered; panel: only those that it offers."""
    return tuple(score for score in _SCORES.values() if panel is None or panel in score.shown_in)


def known_score(name: Any, operation: str, panel: str | None = None) -> HeadScore:
    """A score by name, in any case; the sign of −B and −D may be left out or written "-".

    Raises InputError, with the nearest name, for one that is not registered, or that the panel does not offer.
    """
    found, choices = _find(name), offered(panel)
    if found is not None and found in choices:
        return found
    names = [score.name for score in choices]
    near = get_close_matches(str(name).casefold(), [one.casefold() for one in names], 1)
    fix = "name one of these maps, or register yours with @tk.head_score"
    if near:
        fix = f"did you mean {next(one for one in names if one.casefold() == near[0])!r}?"
    raise InputError(operation, f"the score {name!r:.80}", ", ".join(map(repr, names)), fix)


def _find(name: Any) -> HeadScore | None:
    if not isinstance(name, str):
        return None
    if name in _SCORES:
        return _SCORES[name]
    asked = name.casefold().replace("-", "−")
    for score in _SCORES.values():
        if asked in (score.name.casefold(), score.name.casefold().removeprefix("−")):
            return score
    return None
