"""Every example in a docstring runs and shows what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import toolkit as tk

MODULES = [m.name for m in pkgutil.walk_packages(tk.__path__, "toolkit.")]


@pytest.mark.parametrize("name", ["toolkit", *MODULES])
def test_examples_run(name):
    module = importlib.import_module(name)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    found = doctest.testmod(module, optionflags=flags, extraglobs={"tk": tk})
    assert found.failed == 0


VERBS = ["load", "wrap", "decompose", "estimate", "scenes", "classes", "accuracy", "ablate_direct", "layer_curve"]


@pytest.mark.parametrize("name", [*VERBS, "HeadSet", "HeadGrid", "Selection"])
def test_every_public_name_has_an_example(name):
    assert ">>>" in getattr(tk, name).__doc__
