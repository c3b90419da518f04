"""Benchmarks run and report the numbers they promise (no timed assertion)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
def test_decompose():
    spec = importlib.util.spec_from_file_location("benchmark_decompose", FOLDER / "decompose.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    result = module.run(quick=True)
    row = result["shapes"]["ViT-B-32"]
    assert row["ratio"] > 0
    assert row["sum_error"] < 1e-5
    assert row["mix_bytes_float32"] == 12 * 12 * 64 * 4
    assert "ViT-B-32" in module.report(result)
