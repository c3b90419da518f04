"""The modules of .ci for a test, imported afresh, and what stands in for the programs they call."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

CI = Path(__file__).resolve().parents[1] / ".ci"
NAMES = ("system", "torch_reuse", "pins", "environment", "floors", "update", "browser")
"""In an order in which each imports only those before it."""


def modules(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The modules by name; patching one does not reach the next test."""
    monkeypatch.syspath_prepend(str(CI))
    found = {}
    for name in NAMES:
        spec = importlib.util.spec_from_file_location(name, CI / f"{name}.py")
        assert spec
        assert spec.loader
        found[name] = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, found[name])
        spec.loader.exec_module(found[name])
    return SimpleNamespace(**found)


def script(path: Path, body: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path
