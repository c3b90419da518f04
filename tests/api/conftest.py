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
