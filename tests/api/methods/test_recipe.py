"""The recipe of CONTRIBUTING.md for a method, as it is printed."""

from __future__ import annotations

import importlib.util
import sys

import fan
import pytest
from recipes import blocks

import toolkit as tk


@pytest.fixture
def class_means(tmp_path):
    [block] = [block for block in blocks() if block.path.endswith("class_means.py")]
    path = tmp_path / "class_means.py"
    path.write_text(block.code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("class_means", path)
    module = sys.modules["class_means"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.ClassMeans
    tk.methods.forget("ClassMeans")
    del sys.modules["class_means"]


def test_it_stands_with_the_others(class_means):
    assert tk.methods.ClassMeans is class_means
    few, held = fan.acts(*fan.SHOTS), fan.acts("LL2", "LW2", "WL2", "WW2", "C1", "C2", "C3")
    found = tk.comparison(few, fan.classes(), ["ClassMeans"], held_out=held)["class means"]
    assert found.paths["success"][0, 0] == 0.75, "its start is the model as it is"
    assert found.at(1.0).on().success.value == 1
    assert found.fitted.linear(0.0)[1].tolist() == found.fitted.shots.texts.tolist()
