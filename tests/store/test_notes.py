"""Notes on heads: kept per model, whole or not at all, never another model's."""

from __future__ import annotations

import json

import pytest

import toolkit as tk


@pytest.fixture
def notes(monkeypatch, tmp_path):
    monkeypatch.setenv("TOOLKIT_NOTES", str(tmp_path / "deep" / "notes"))
    return tk.notes(tk.load())


def test_written_read_and_taken_back(notes):
    assert len(notes) == 0
    assert notes["L2.H6"] == ""
    notes["L2.H6"] = " water “and” sky "
    notes[3, 1] = "cars"
    again = tk.notes(tk.load())
    assert (again["L2.H6"], again[3, 1], list(again)) == ("water “and” sky", "cars", ["L2.H6", "L3.H1"])
    assert "L2.H6" in again
    again["L2.H6"] = ""
    assert list(notes) == ["L3.H1"]
    assert json.loads(notes.path.read_text(encoding="utf-8"))["fingerprint"] == tk.load().card.fingerprint
    assert "HeadNotes" in repr(notes)


def test_two_that_write_lose_nothing(notes):
    other = tk.notes(tk.load())
    notes["L0.H0"], other["L0.H1"], notes["L0.H2"] = "a", "b", "c"
    assert len(other) == 3


@pytest.mark.parametrize("head", ["L9.H0", "L1.H1 L1.H2", "x"])
def test_heads_that_do_not_exist(notes, head):
    with pytest.raises(tk.InputError):
        notes[head] = "x"


def test_files_that_are_something_else(notes, tmp_path):
    path = tmp_path / "n.json"
    for content, message in (
        ("{", r"^notes: got [^(]*\(Expecting"),
        ('{"model": "B", "fingerprint": "x", "notes": {}}', "'B'"),
    ):
        path.write_text(content)
        own = tk.notes(tk.load(), path)
        with pytest.raises(tk.StoreError, match=message):
            own["L0.H0"] = "x"
        assert path.read_text() == content, "what was there stays"
    with pytest.raises(tk.StoreError, match="a file to write"):
        tk.notes(tk.load(), tmp_path / "n.json" / "below.json")["L0.H0"] = "x"
    with pytest.raises(tk.InputError, match="a model or its parts"):
        tk.notes(3)


def test_parts_without_a_fingerprint_share_no_notes():
    import numpy as np

    a, b = (tk.notes(tk.from_arrays(np.random.default_rng(i).normal(size=(5, 1, 2, 4)))) for i in range(2))
    a["L0.H1"] = "mine"
    assert (a["L0.H1"], b["L0.H1"], a.path) == ("mine", "", None)
