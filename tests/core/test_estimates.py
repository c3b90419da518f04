"""Every result that is one number turns into it by `float()`."""

from __future__ import annotations

import importlib
import pkgutil
from enum import Enum
from inspect import getmembers, isclass
from types import SimpleNamespace
from typing import is_typeddict

import numpy as np
import pytest

import toolkit as tk
from toolkit.core.estimates import OneNumber
from toolkit.core.gaps import urbancars_gaps
from toolkit.core.metrics import change


def has_value(cls: type) -> bool:
    """Whether objects of a class have a `value` that is no method: a field, a property, an annotation."""
    if is_typeddict(cls) or issubclass(cls, Enum):  # a record of a page is a dict
        return False
    known = any("value" in vars(base).get("__annotations__", {}) for base in cls.__mro__)
    return known or isinstance(getattr(cls, "value", None), property)


def with_a_value() -> list[type]:
    """The classes of the toolkit whose objects have a `value`; protocols, which have no objects, left out."""
    names = [module.name for module in pkgutil.walk_packages(tk.__path__, "toolkit.")]
    classes = {cls for name in names for _, cls in getmembers(importlib.import_module(name), isclass)}
    own = [cls for cls in classes if cls.__module__.startswith("toolkit.") and not getattr(cls, "_is_protocol", False)]
    return sorted((cls for cls in own if has_value(cls)), key=lambda cls: cls.__name__)


FOUND = with_a_value()


def test_the_walk_finds_fields_properties_and_named_tuples():
    assert {"Average", "Share", "Success", "Group"} <= {cls.__name__ for cls in FOUND}
    assert not has_value(tk.Engine)


@pytest.mark.parametrize("cls", FOUND, ids=lambda cls: cls.__name__)
def test_float_means_the_value(cls):
    assert hasattr(cls, "__float__"), f"{cls.__qualname__} has a `value`: give it the base OneNumber"
    assert cls.__float__(SimpleNamespace(value=np.float32(0.25))) == 0.25
    assert issubclass(cls, OneNumber | tuple)


def test_measured_numbers_are_their_values():
    before = tk.accuracy([True, False, True, False], groups=["a", "a", "b", "b"], split="test")
    after = tk.accuracy([True, True, True, False], groups=["a", "a", "b", "b"], split="test")
    moved = change(before, after)
    assert float(after.average()) == after.average().value == 0.75
    assert float(after.worst) == after.worst.value == 0.5
    assert [float(row) for row in after.groups] == [row.accuracy for row in after.groups] == [1.0, 0.5]
    assert float(moved.average()) == float(moved.worst) + 0.25 == 0.25
    assert [float(row) for row in moved.groups] == [row.change for row in moved.groups] == [0.5, 0.0]
    cells = [(a, b, c) for a in "uv" for b in "uv" for c in "uv"]
    gaps = urbancars_gaps([True] * 8, *zip(*cells, strict=True), replicates=10)
    assert float(gaps["ID accuracy"]) == 1
    assert {float(cell) for cell in gaps.cells} == {1.0}


def test_results_of_several_numbers_are_none():
    """An accuracy is no number without the convention of its average, an interval has two."""
    result = tk.accuracy([True, False], split="test")
    for several in (result, result.worst.interval, change(result, result)):
        with pytest.raises(TypeError):
            float(several)
