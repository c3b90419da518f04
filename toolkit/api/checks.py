"""Checks of arguments that verbs have in common, and the check that long work calls now and then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toolkit.errors import InputError
from toolkit.models.model import Model

Check = Callable[[int, int], None]
"""Called with (done, of); what it raises ends the work."""


LARGEST = 4_000_000_000
"""Bytes of logits, images × classes, that are kept for one set of images."""


def quiet(done: int, of: int) -> None:
    """A check that never stops anything."""


def check_model(model: Any, operation: str) -> None:
    """Refuse what is no Model."""
    if not isinstance(model, Model):
        raise InputError(operation, f"a {type(model).__name__} as model", "a Model", "wrap it first: tk.wrap(clip)")


def whole(name: str, value: Any, least: int, operation: str) -> int:
    """A whole number from `least`, or an InputError."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < least:
        raise InputError(operation, f"{name}={value!r}", f"a whole number from {least}", f"pass such a {name}")
    return int(value.__index__())
