"""Every example in a docstring runs, and every public verb says what its arguments are, one per line."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import toolkit as tk
from toolkit.panels.base.panel import Panel

MODULES = [m.name for m in pkgutil.walk_packages(tk.__path__, "toolkit.")]


@pytest.mark.parametrize("name", ["toolkit", *MODULES])
def test_examples_run(name):
    module = importlib.import_module(name)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    results = doctest.testmod(module, optionflags=flags, extraglobs={"tk": tk})
    assert results.failed == 0


PUBLIC: dict[str, Any] = {
    **{name: getattr(tk, name) for name in tk.__all__ if name not in tk.WHOLE},
    **{
        f"{whole}.{name}": getattr(getattr(tk, whole), name)
        for whole in tk.WHOLE
        for name in getattr(tk, whole).__all__
    },
}
VERBS = {name: thing for name, thing in PUBLIC.items() if inspect.isfunction(thing)}
CLASSES = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing) and not issubclass(thing, Exception)}
PANELS = {name: thing for name, thing in CLASSES.items() if issubclass(thing, Panel)}
MADE = {**PANELS, **{name: PUBLIC[name] for name in ("FileSamples", "teach.Workbook")}}
"""Classes that a user makes by their own name."""
RECORDS = {name: thing for name, thing in CLASSES.items() if dataclasses.is_dataclass(thing)}


def own(thing: type) -> bool:
    return thing.__module__.startswith("toolkit")


def methods() -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public methods of the public classes, inherited ones too, each once; without those of a widget's wire."""
    seen: set[Any] = set()
    for name, owner in CLASSES.items():
        foreign = {word for base in owner.__mro__ if not own(base) for word in vars(base)}
        for base in filter(own, owner.__mro__):
            for word, member in vars(base).items():
                method = getattr(member, "__func__", member)
                if word.startswith("_") or word in foreign or not inspect.isfunction(method) or method in seen:
                    continue
                seen.add(method)
                yield f"{name}.{word}", method


def section(text: str, title: str) -> dict[str, str]:
    """The lines of one part of a docstring: {name: what is said of it}. Names that share a line share its words."""
    match = re.search(rf"^{title}:\n((?:    .*\n|\n)+)", text + "\n", re.MULTILINE)
    said: dict[str, str] = {}
    for line in re.sub(r"\n {5,}", " ", match[1]).splitlines() if match else []:
        names, colon, rest = line.strip().partition(": ")
        if colon and re.fullmatch(r"\w+(, \w+)*", names):
            said |= dict.fromkeys(names.split(", "), rest.strip())
    return said


def arguments(signature: inspect.Signature) -> list[inspect.Parameter]:
    """Those a docstring has to name: not self, *args or **words."""
    named = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    return [p for p in named if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


METHODS = {name: method for name, method in methods() if arguments(inspect.signature(method))}


def spellings(default: Any) -> list[str]:
    """How a docstring may write a default; [] for those that are told in words, as None is."""
    if isinstance(default, str):
        return [f'"{default}"'] if default else []
    if isinstance(default, bool):
        return [str(default)]
    if isinstance(default, int | float):
        return [f"{default:g}".replace("-", "−"), f"{default:,}"]
    return []


def wrong_default(name: str, words: str, default: Any) -> list[str]:
    """What is said of a default that is not so."""
    if "default" not in words:
        return [f"`{name}` does not say its default ({default!r})"]
    told, written = words[words.index("default") :], spellings(default)
    if written and not any(re.search(rf"(?<![\w.]){re.escape(one)}(?![\w.]*\d)", told) for one in written):
        return [f"`{name}` says another default than {default!r}: {told}"]
    return []


def faults(text: str, signature: inspect.Signature, traits: dict[str, Any] | None = None) -> list[str]:
    """What a docstring leaves out of its arguments, and what it says of them that is not so. traits: what a panel's
    `**words` may be, with their defaults.
    """
    lines = section(text, "Arguments")
    out: list[str] = []
    for parameter in arguments(signature):
        words = lines.get(parameter.name, "")
        if not words:
            out.append(f"no line `{parameter.name}: …` under Arguments")
        elif parameter.default is not parameter.empty:
            out += wrong_default(parameter.name, words, parameter.default)
    rest = {name: words for name, words in lines.items() if name not in signature.parameters}
    takes_words = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    for name, words in rest.items():
        if not takes_words or (traits is not None and name not in traits):
            out.append(f"`{name}` is no argument")
        elif traits is not None:
            out += wrong_default(name, words, traits[name])
    return out


def faults_of(thing: Any) -> list[str]:
    panel = isinstance(thing, type) and issubclass(thing, Panel)
    traits = {name: trait.default_value for name, trait in thing.class_traits().items()} if panel else None
    return faults(inspect.getdoc(thing) or "", inspect.signature(thing), traits)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_documents_its_arguments(name):
    assert faults_of(VERBS[name]) == []


@pytest.mark.parametrize("name", METHODS)
def test_every_method_documents_its_arguments(name):
    assert faults_of(METHODS[name]) == []


@pytest.mark.parametrize("name", MADE)
def test_every_class_that_is_made_by_name_documents_what_it_takes(name):
    assert faults_of(MADE[name]) == []


@pytest.mark.parametrize("name", RECORDS)
def test_every_result_documents_what_it_holds(name):
    text = inspect.getdoc(RECORDS[name]) or ""
    lines = section(text, "Attributes") | section(text, "Arguments")
    fields = [field.name for field in dataclasses.fields(RECORDS[name]) if not field.name.startswith("_")]
    assert [name for name in fields if not lines.get(name)] == []


@pytest.mark.parametrize("name", [*VERBS, *MADE, "HeadSet", "Selection"])
def test_every_public_name_has_an_example(name):
    assert ">>>" in (PUBLIC[name].__doc__ or "")


def test_the_reader_of_docstrings_can_fail():
    def verb(a, b=3, *, c=None, d=30, e="x", **words):
        """Twice `a`.

        Arguments:
            a: a number,
                of any size.
            b: another one.
            d, e: default 3 and "x".

        Raises:
            c: is no argument here.
        """

    text = inspect.getdoc(verb) or ""
    both = 'default 3 and "x".'
    assert section(text, "Arguments") == {"a": "a number, of any size.", "b": "another one.", "d": both, "e": both}
    assert faults_of(verb) == [
        "`b` does not say its default (3)",
        "no line `c: …` under Arguments",
        f"`d` says another default than 30: {both}",
    ]
    assert faults(text, inspect.signature(lambda a: a)) == [f"`{name}` is no argument" for name in "bde"]
