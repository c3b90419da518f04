"""The plain loops of benchmarks/literal.py, by path: benchmarks are no package that tests may import."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location(
    "benchmarks_literal", Path(__file__).parents[1] / "benchmarks" / "literal.py"
)
assert _spec is not None
assert _spec.loader is not None
literal = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(literal)
