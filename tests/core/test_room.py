"""Large arrays in a file that is mapped: the same numbers, and nothing left behind."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

import pytest
import torch

import toolkit as tk
from toolkit.core import room as module
from toolkit.core.room import gathered, room


@pytest.fixture
def no_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_an_array_in_a_file_is_as_any_other(no_memory):
    made = room(7, 3)
    made[:] = torch.arange(21, dtype=torch.float64).view(7, 3)
    assert made.sum() == 210
    assert gathered(made, torch.tensor([6, 0])).tolist() == [[18, 19, 20], [0, 1, 2]]
    assert gathered(made, torch.tensor([], dtype=torch.long)).shape == (0, 3)
    assert list(Path(no_memory).iterdir()) == [], "the file has no name"
    del made
    gc.collect()


def test_scores_do_not_hang_on_where_the_numbers_lie(monkeypatch, tmp_path):
    acts = tk.extract(tk.load(), tk.scenes("test", n=200, kind="birds"), progress=False)
    birds = tk.classes(["landbird", "waterbird"])
    found = []
    for limit in (10**12, 0):
        monkeypatch.setattr(module, "IN_MEMORY", limit)
        monkeypatch.setattr(module, "ROWS", 64)
        scores = tk.locate(acts, birds, "landbird", "waterbird", resamples=5)
        found.append((scores.a, scores.d, scores.choose(by="worst_group"), scores.band("a").low, scores.map("text")))
    for one, other in zip(*found, strict=True):
        if isinstance(one, tk.HeadSet):
            assert one.heads == other.heads
        else:
            torch.testing.assert_close(torch.as_tensor(one), torch.as_tensor(other), rtol=1e-12, atol=1e-15)


def test_no_room_in_the_folder_for_temporary_files_is_said(monkeypatch):
    import toolkit.api.locate.space as evidence

    acts = tk.extract(tk.load(), tk.scenes("test", n=40, kind="birds"), progress=False)
    full = type("Usage", (), {"free": 10})()
    monkeypatch.setattr(evidence.shutil, "disk_usage", lambda folder: full)
    with pytest.raises(tk.InputError, match=r"10 B are free for them.*TMPDIR"):
        tk.locate(acts, tk.classes(["landbird", "waterbird"]))
