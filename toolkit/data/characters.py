"""Texts from outside as every program can write them."""

from __future__ import annotations

from typing import Any


def sendable(value: Any) -> Any:
    """The value with half characters written out (\\ud800 as six characters): JSON and UTF-8 hold whole ones alone.

    >>> sendable(["water", {"a": chr(0xD800)}])
    ['water', {'a': '\\\\ud800'}]
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {sendable(k): sendable(v) for k, v in value.items()}
    return [sendable(v) for v in value] if isinstance(value, list | tuple) else value
