"""`tk.head_score`: the scores of heads by name, those of this toolkit and those that its users add."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from toolkit.errors import InputError

Function = TypeVar("Function", bound=Callable[..., Any])
PANELS = ("HeadGrid", "AblationLab", "TwoModels")
"""Where a score can be chosen; the explorer's grid is a HeadGrid."""
LABELS = ("Formula", "Source")
"""What a paragraph of a score's docstring may begin with, to stand in its place of the glossary."""


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


def head_score(
    name: str,
    *,
    label: str = "",
    unit: str = "",
    needs_model: bool = False,
    per_pair: bool = True,
    interval: bool = True,
    replicates: Callable[..., Any] | None = None,
    shown_in: tuple[str, ...] = PANELS,
    takes_text: bool = False,
    term: str = "",
    replace: bool = False,
) -> Callable[[Function], Function]:
    """A decorator that registers a function as a score of heads; the function comes back as it was.

    From then on the score stands in `tk.locate(…).map(name)`, `.band(name)`, `.choose(lists=[name])`, in the choices of
    HeadGrid, AblationLab, TwoModels and the explorer, in `tk.why(name)` and `tk.glossary(name)`. The function takes the
    evidence (`HeadEvidence`: .wrong, .correct, .others, .space, .along(direction), .texts, .toward, .model …) and
    returns [layer, head] numbers, as an array or a tensor; higher = guiltier. The first paragraph of its docstring says
    what it is; paragraphs that begin with “Formula:” and “Source:” go to their places.

    Arguments:
        name: how the score is asked for, such as "spread"; one that no other score has.
        label: how choosers call it; default the name.
        unit: of its numbers, such as "cosine"; "points" are shown as hundredths; default "" (none).
        needs_model: whether it runs the model (`evidence.model`); it then works on the model's worker; default False.
        per_pair: whether it is of one pair of classes (true, predicted): for all mistakes together it is then the mean
            over the pairs, weighted by |W|; False: it is asked once, with `evidence.pair` None; default True.
        interval: whether an interval is worked out, by resampling the images and calling it again; default True.
        replicates: a faster way to its tables for all bootstrap samples, from the evidence to [resamples, layer, head];
            default none: the function is called for each.
        shown_in: names of the panels that offer it; default ("HeadGrid", "AblationLab", "TwoModels").
        takes_text: whether it is along a text that is typed in the panel (`evidence.text`); default False.
        term: of the glossary, where one explains the score; default one of its own, from the docstring.
        replace: whether a score of that name may be replaced; default False.

    Raises:
        InputError: for a name that is none or taken, a panel that offers no scores, and for what is no function.

    >>> import toolkit as tk
    >>> @tk.head_score("example: spread", label="spread along the error", unit="cosine")
    ... def spread(evidence):
    ...     '''How much the head's push towards the error varies over the wrong images.'''
    ...     return evidence.along(evidence.toward)[evidence.wrong].std(0, correction=0)
    >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=80, kind="birds"), progress=False)
    >>> scores = tk.locate(acts, tk.classes(["waterbird", "landbird"]), "landbird", "waterbird")
    >>> scores.map("example: spread").shape
    (4, 8)
    >>> from toolkit.api.locate.registry import forget; forget("example: spread")
    """
    if not isinstance(name, str) or not name.strip() or name != name.strip():
        raise InputError("head_score", f"name={name!r}", "a name without space around it", 'write "spread"')
    if not set(shown_in) <= set(PANELS):
        raise InputError("head_score", f"shown_in={shown_in!r}", ", ".join(map(repr, PANELS)), "name some of these")

    def register(function: Function) -> Function:
        if not callable(function):
            raise InputError("head_score", f"a {type(function).__name__}", "a function of the evidence", "decorate one")
        taken = _find(name)
        if taken is not None and not replace:
            fix = "choose another name, or write replace=True"
            raise InputError("head_score", f"the name {name!r}, which is taken ({taken.says})", "a new name", fix)
        says, told = _documented(function)
        _SCORES[name if taken is None else taken.name] = HeadScore(
            name=name if taken is None else taken.name,
            label=label or name,
            unit=unit,
            says=says or f"{label or name}: its author has not said what it is.",
            formula=told["Formula"],
            source=told["Source"],
            table=function,
            needs_model=needs_model,
            per_pair=per_pair,
            interval=interval,
            replicates=replicates,
            shown_in=tuple(shown_in),
            takes_text=takes_text,
            term=term,
        )
        return function

    return register


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


def _documented(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """The first paragraph of a docstring, and those that begin with one of LABELS."""
    told = dict.fromkeys(LABELS, "")
    says = ""
    for paragraph in _paragraphs(inspect.getdoc(function) or ""):
        label, colon, rest = paragraph.partition(":")
        if colon and label in LABELS:
            told[label] = rest.strip()
        elif not says:
            says = paragraph
    return says, told


def _paragraphs(text: str) -> Iterator[str]:
    for part in re.split(r"\n\s*\n", text):
        if part.strip():
            yield " ".join(part.split())
