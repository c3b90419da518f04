"""Every test of teaching begins with an empty workbook and fresh exercises."""

from __future__ import annotations

import pytest

from toolkit.explanations import workbook as module
from toolkit.teach import tasks


@pytest.fixture(autouse=True)
def book(monkeypatch):
    fresh = module.Workbook()
    monkeypatch.setattr(module, "_current", fresh)
    monkeypatch.setattr(tasks, "_made", {})
    return fresh
