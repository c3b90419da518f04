"""What users save appears whole or not at all; what the system refuses is said in words."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

import toolkit as tk
from toolkit.store.whole import saved_file, whole_file


def report(path):
    acts = tk.extract(tk.load(), tk.scenes("test", n=40, kind="birds"), progress=False)
    return tk.report(path, acts, tk.classes(["landbird", "waterbird"]))


def spans(path):
    found = tk.textspan(tk.extract(tk.load(), tk.scenes("val", n=24), progress=False), "world", size=2, layers=-1)
    return found.save(path)


def edit(path):
    acts = tk.extract(tk.load(), tk.scenes("edit", n=24, kind="birds"), progress=False)
    return tk.edit(acts, tk.classes(["waterbird", "landbird"]), "L3.H1", steps=1).save(path)


SAVERS = {
    "edit.save": ("e.safetensors", edit),
    "spans.save": ("s.json", spans),
    "save_checkpoint": ("m.safetensors", lambda path: tk.save_checkpoint(tk.load(), path)),
    "save_huggingface": ("folder", lambda path: tk.save_huggingface(tk.load(), path)),
    "HeadGrid.save": ("grid.csv", lambda path: tk.HeadGrid(np.eye(4)).save(path)),
    "report": ("r.html", report),
}


def everything(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("operation", SAVERS)
@pytest.mark.parametrize("when", ["written", "moved"])
def test_a_full_disk(operation, when, tmp_path, monkeypatch):
    name, save = SAVERS[operation]
    save(tmp_path / name)
    before = everything(tmp_path)

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    def full_in_rust(*arguments, **options):
        from safetensors import SafetensorError

        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    if when == "moved":
        monkeypatch.setattr(Path, "replace", full)
    else:
        monkeypatch.setattr("safetensors.torch.save_file", full_in_rust)
        for way in ("write_text", "write_bytes"):
            monkeypatch.setattr(Path, way, full)
        monkeypatch.setattr("pandas.DataFrame.to_csv", full)
    with pytest.raises(tk.StoreError, match=f"{operation}: got a full disk while writing .* free.*free some space"):
        save(tmp_path / name)
    monkeypatch.undo()
    assert everything(tmp_path) == before, "what was there stays, and nothing half-written"


@pytest.mark.parametrize("operation", SAVERS)
def test_addresses_are_refused_and_make_no_folder(operation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, save = SAVERS[operation]
    for address in (f"s3://bucket/{name}", f"gs://bucket/{name}"):
        with pytest.raises(tk.StoreError, match="an address with the scheme"):
            save(address)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("operation", SAVERS)
def test_a_place_where_nothing_can_be(operation, tmp_path):
    name, save = SAVERS[operation]
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file" / name, tmp_path / ("long" * 80) / name):
        with pytest.raises(tk.ToolkitError, match=f"{operation}: got"):
            save(place)
    assert (tmp_path / "file").read_text() == "mine"


def test_no_permission(tmp_path, monkeypatch):
    def refused(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(tk.StoreError, match="no permission to write"):
        tk.save_checkpoint(tk.load(), tmp_path / "new" / "m.safetensors")


def half_written(way):
    with way as part:
        part.write_text("half")
        raise ZeroDivisionError


def test_errors_of_what_is_saved_are_its_own(tmp_path):
    for way in (saved_file(tmp_path / "a.txt", "test"), whole_file(tmp_path / "a.txt")):
        with pytest.raises(ZeroDivisionError):
            half_written(way)
    assert list(tmp_path.iterdir()) == []
