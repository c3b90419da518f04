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
    **{name: getattr(tk, name) for name in tk.__all__ if name != "teach"},
    **{f"teach.{name}": getattr(tk.teach, name) for name in tk.teach.__all__},
}
VERBS = {name: thing for name, thing in PUBLIC.items() if inspect.isfunction(thing)}
CLASSES = {
    name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing) and not issubclass(thing, Exception)
}
PANELS = {name: thing for name, thing in CLASSES.items() if issubclass(thing, Panel)}
RECORDS = {name: thing for name, thing in CLASSES.items() if dataclasses.is_dataclass(thing)}


def methods() -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public methods of the public classes, with those of the bases the package itself has, each once."""
    seen: set[Any] = set()
    for name, owner in CLASSES.items():
        for base in owner.__mro__:
            if not base.__module__.startswith("toolkit"):
                continue
            for word, member in vars(base).items():
                method = getattr(member, "__func__", member)
                if word.startswith("_") or not inspect.isfunction(method) or method in seen:
                    continue
                if getattr(owner, word) is None:
                    continue
                seen.add(method)
                yield f"{name}.{word}", method


METHODS = {name: method for name, method in methods() if set(inspect.signature(method).parameters) - {"self", "cls"}}


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


def faults(text: str, signature: inspect.Signature) -> list[str]:
    """What a docstring leaves out of its arguments."""
    lines = section(text, "Arguments")
    out: list[str] = []
    for parameter in arguments(signature):
        words = lines.get(parameter.name, "")
        if not words:
            out.append(f"no line `{parameter.name}: …` under Arguments")
        elif parameter.default not in (parameter.empty, None, "", (), {}) and "default" not in words:
            out.append(f"`{parameter.name}` does not say its default ({parameter.default!r})")
    known = [p.name for p in signature.parameters.values()]
    takes_words = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    out += [f"`{name}` is no argument" for name in lines if name not in known and not takes_words]
    return out


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_documents_its_arguments(name):
    assert faults(inspect.getdoc(VERBS[name]) or "", inspect.signature(VERBS[name])) == []


@pytest.mark.parametrize("name", METHODS)
def test_every_method_documents_its_arguments(name):
    assert faults(inspect.getdoc(METHODS[name]) or "", inspect.signature(METHODS[name])) == []


@pytest.mark.parametrize("name", PANELS)
def test_every_panel_documents_what_it_is_made_of(name):
    assert faults(inspect.getdoc(PANELS[name]) or "", inspect.signature(PANELS[name])) == []


@pytest.mark.parametrize("name", RECORDS)
def test_every_result_documents_what_it_holds(name):
    text = inspect.getdoc(RECORDS[name]) or ""
    lines = section(text, "Attributes") | section(text, "Arguments")
    fields = [field.name for field in dataclasses.fields(RECORDS[name]) if not field.name.startswith("_")]
    assert [name for name in fields if not lines.get(name)] == []


@pytest.mark.parametrize("name", [*VERBS, *PANELS, "HeadSet", "Selection"])
def test_every_public_name_has_an_example(name):
    assert ">>>" in (PUBLIC[name].__doc__ or "")


def test_the_reader_of_docstrings_can_fail():
    def verb(a, b=3, *, c=None, **words):
        """Twice `a`.

        Arguments:
            a: a number,
                of any size.
            b: another one.

        Raises:
            c: is no argument here.
        """

    text = inspect.getdoc(verb) or ""
    assert section(text, "Arguments") == {"a": "a number, of any size.", "b": "another one."}
    assert faults(text, inspect.signature(verb)) == [
        "`b` does not say its default (3)",
        "no line `c: …` under Arguments",
    ]
