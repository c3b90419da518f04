"""Panels of some layers alone: those of large models leave out the first ones by themselves."""

from __future__ import annotations

import numpy as np
import pytest

import toolkit as tk


@pytest.fixture(scope="module")
def birds():
    return tk.classes(["waterbird", "landbird"])


@pytest.fixture(scope="module")
def acts():
    return tk.extract(tk.load(), tk.scenes("val", n=60, seed=2, kind="birds"), progress=False)


@pytest.fixture(scope="module")
def large():
    """Parts of 32 layers of 24 heads, made by other code."""
    rng = np.random.default_rng(0)
    heads = 0.002 * (rng.normal(size=(40, 32, 24, 4)) @ rng.normal(size=(4, 48)))
    whole = rng.normal(size=(40, 48))
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    acts = tk.from_arrays(heads, rest=whole - heads.sum((1, 2)), labels=["a", "b"] * 20)
    return acts, tk.classes(["a", "b"], vectors=rng.normal(size=(2, 48)))


PANELS = {
    "AblationLab": lambda acts, classes, **more: tk.AblationLab(acts, classes, **more),
    "Keywords": lambda acts, classes, layers, **more: tk.Keywords(acts, classes, **more),
    "SpanExplorer": lambda acts, classes, **more: tk.SpanExplorer(acts, **more),
    "TwoModels": lambda acts, classes, **more: tk.TwoModels(
        acts, classes, tk.edit(acts, classes, "L3.H7", steps=2), **more
    ),
    "Explorer": lambda acts, classes, **more: tk.Explorer(acts.model, acts, classes, **more),
}


@pytest.mark.parametrize("layers", [-1, -2, [1, 3]], ids=str)
@pytest.mark.parametrize("name", PANELS)
def test_a_panel_without_the_first_layer_stands_by_itself(acts, birds, name, layers):
    panel = PANELS[name](acts, birds, layers=layers, engine=tk.Engine())
    assert panel.error == ""
    if name in ("AblationLab", "SpanExplorer"):
        assert panel.head[0] in (1, 2, 3)
        with pytest.raises(tk.InputError, match=r"unknown head L0\.H0"):
            panel.head = "L0.H0"
    if name == "AblationLab":
        assert panel.head == (3, 0)
        panel.heads = "L3.H7"
        assert panel.error == ""


def test_a_large_model_by_itself(large):
    acts, classes = large
    lab = tk.AblationLab(acts, classes, engine=tk.Engine())
    assert (lab.head, lab.error) == ((31, 0), "")
    lab.heads = "L31.H23 L28.H0"
    assert lab.error == ""
    assert tk.EditLab(acts, classes, "L31.H23", engine=tk.Engine()).error == ""
    assert tk.HeadGrid(tk.locate(acts, classes)).error == ""
