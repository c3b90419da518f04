"""What tests of the verbs share: the built-in model and its two bird classes."""

from __future__ import annotations

import pytest

import toolkit as tk


@pytest.fixture(scope="session")
def model():
    return tk.load()


@pytest.fixture(scope="session")
def birds():
    return tk.classes(["waterbird", "landbird"])


@pytest.fixture(scope="session")
def pool(model):
    """Birds to draw the images of an edit from."""
    return tk.extract(model, tk.scenes("edit", 200, 5, kind="birds"), progress=False)


@pytest.fixture(scope="session")
def val(model):
    """Scenes of all classes to judge edits on."""
    return tk.extract(model, tk.scenes("val", 400, 5), progress=False)


@pytest.fixture(scope="session")
def every(val):
    return tk.classes(sorted(set(val.labels)))
