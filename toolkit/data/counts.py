"""Numbers of things in words."""

from __future__ import annotations


def many(n: int, noun: str) -> str:
    """So many of something: "1 image", "2 images"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
