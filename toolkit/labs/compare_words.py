"""The words that a cure is told, as lines that can be typed; and the cure with other ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypedDict

from toolkit.api.methods.concept_heads import ConceptHeadsMethod
from toolkit.api.methods.context_ensemble import ContextEnsemble
from toolkit.api.methods.fitted import Fitted
from toolkit.api.methods.group_prompts import GroupPrompts
from toolkit.api.methods.method import Method
from toolkit.api.methods.prompts import Prompts
from toolkit.api.methods.robo_shot import RoboShot, RoboShotFitted
from toolkit.errors import InputError

BETWEEN = "|"
"""Between the two texts of a pair."""


class WordsSent(TypedDict):
    """What a cure is told in words. hint: what a line is. leak: of every pair, how much of the two classes of the
    mistake goes with it, −1 to 1; empty where nobody can say.
    """

    lines: list[str]
    hint: str
    leak: list[float]


def words_of(settings: Method) -> tuple[list[str], str] | None:
    """The lines of a cure, and what a line is; None for one that is told no words, or vectors in their place."""
    if isinstance(settings, RoboShot) and _texts(settings.reject):
        lines = [f" {BETWEEN} ".join(pair) for pair in settings.reject]
        return lines, f"a pair a line: one text {BETWEEN} the other"
    if isinstance(settings, ContextEnsemble | GroupPrompts) and _texts(settings.contexts):
        return list(settings.contexts), "an ending of every class's prompt a line; an empty line: the prompt as it is"
    if isinstance(settings, ConceptHeadsMethod) and _texts(settings.concept):
        given = settings.concept
        return [given] if isinstance(given, str) else list(given), "a text of the concept a line"
    if isinstance(settings, Prompts) and isinstance(settings.templates, list | tuple):
        return list(settings.templates), "a template a line, {} or {a} for the class"
    return None


def with_words(settings: Method, lines: Sequence[str]) -> Method:
    """A cure told other lines. Raises InputError where it takes none, and for pairs that are none."""
    known = words_of(settings)
    if known is None:
        given = f"words for {settings.name}"
        raise InputError("CompareLab", given, "a cure that is told words", "pass other settings: lab.put_method(…)")
    some = [line.strip() for line in lines]
    if not any(some):
        raise InputError("CompareLab", f"no words for {settings.name}", known[1], "type some")
    changed: dict[str, Any]
    if isinstance(settings, RoboShot):
        changed = {"reject": tuple(_pair(line) for line in some if line)}
    elif isinstance(settings, ContextEnsemble | GroupPrompts):
        changed = {"contexts": tuple(some)}
    elif isinstance(settings, ConceptHeadsMethod):
        changed = {"concept": tuple(filter(None, some))}
    else:
        changed = {"templates": tuple(filter(None, some))}
    return replace(settings, **changed).named(settings.name)


def told_words(settings: Method, fitted: Fitted, pair: tuple[str, str] | None) -> WordsSent | None:
    """The words of a fitted cure, with the leak of every pair where the classes of the mistake are known."""
    known = words_of(settings)
    if known is None:
        return None
    leak: list[float] = []
    if isinstance(fitted, RoboShotFitted) and pair is not None and set(pair) <= set(fitted.classes.names):
        leak = [float(x) for x in fitted.leak(*pair)]
    return {"lines": known[0], "hint": known[1], "leak": leak}


def _texts(given: Any) -> bool:
    return not hasattr(given, "ndim") and bool(len(given))


def _pair(line: str) -> tuple[str, str]:
    one, between, other = (part.strip() for part in line.partition(BETWEEN))
    if not (one and between and other):
        given = f"the line {line!r:.60}"
        raise InputError("CompareLab", given, f"a pair: one text {BETWEEN} the other", "write both sides")
    return one, other
