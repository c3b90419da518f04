"""Folders of systems are no classes; names are compared in one normal form and opened by what they are called."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from data import trees
from hypothesis import given
from hypothesis import strategies as st

import toolkit as tk
from toolkit.data.paths import hidden
from toolkit.data.spelling import nfc, spelled

COMPOSED, APART = "caf\u00e9", "cafe\u0301"
ACCENTS = st.text(st.sampled_from("aé\u0301eö\u0308ñ"), min_size=1, max_size=5)


@pytest.mark.parametrize(
    "name",
    ["@eaDir", "#recycle", "#snapshot", "lost+found", "$RECYCLE.BIN", "System Volume Information", ".Trash-1000",
     "__MACOSX", ".ipynb_checkpoints", ".AppleDouble", ".git", "__pycache__", "@Recycle", "@Recently-Snapshot",
     ".thumbnails", ".@__thumb", "FOUND.000", "RECYCLER", "@tmp", "Network Trash Folder"],
)  # fmt: skip
def test_folders_of_systems_are_left_out_and_said(tmp_path, name):
    for at in ("cat/1.png", "dog/1.png", f"{name}/1.jpg", f"cat/{name}/1.png/SYNOPHOTO_THUMB_M.jpg"):
        trees.picture(tmp_path / at)
    data = tk.image_folder(tmp_path)
    assert list(data.ids) == ["cat/1.png", "dog/1.png"]
    assert data.class_names == ("cat", "dog")
    (note,) = data.notes
    assert "hidden or of the system were left out, and 2 pictures in them" in note
    assert repr(name) in note


def test_without_pictures_in_them_nothing_is_said(tmp_path):
    trees.picture(tmp_path / "cat" / "1.png")
    for name in ("@eaDir/x@SynoResource", ".git/HEAD", "cat/Thumbs.db", "cat/desktop.ini", "cat/.DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    trees.picture(tmp_path / "__MACOSX" / "._1.png")
    assert tk.image_folder(tmp_path).notes == ()


@pytest.mark.parametrize(
    "name", ["cat", "recycle", "thumbnails", "snapshot", "system", "@home", "found.objects", "tmp"]
)
def test_classes_may_be_called_nearly_so(name):
    assert not hidden(name)


@pytest.fixture(params=[(COMPOSED, APART), (APART, COMPOSED)], ids=["apart on disk", "composed on disk"])
def forms(request, tmp_path):
    """A folder, the spelling in its lists and that on disk."""
    written, there = request.param
    for i in range(2):
        trees.picture(tmp_path / there / f"{there}{i}.png")
        trees.mask(tmp_path / f"masks {there}" / f"{there}{i}.png", (1, 1, 9, 9))
    return tmp_path, written, there


def test_a_table_in_the_other_spelling(forms):
    root, written, there = forms
    rows = [
        (f"{written}/{written}{i}.PNG", written if i else there, f"masks {written}/{written}{i}.png") for i in range(2)
    ]
    pd.DataFrame(rows, columns=["path", written, "mask"]).to_csv(root / f"{there}.csv", index=False)
    data = tk.table(root / f"{written}.csv", label=there, mask="mask", group=[written])
    assert data.missing == ()
    assert set(data.labels) == set(data.groups) == set(data.class_names) == {COMPOSED}
    assert [sample.image.size for sample in data] == [(32, 24)] * 2
    assert data.boxes() == [(1, 1, 9, 9)] * 2
    assert len(data.where(label=APART)) == len(data.where(group=COMPOSED)) == 2
    assert tk.classes([there]).encode(data.labels).tolist() == [0, 0]


def test_a_folder_in_the_other_spelling(forms):
    root, written, there = forms
    data = tk.image_folder(root / written)
    assert len(data) == 2
    assert data.root.name == there
    data = tk.image_folder(root)
    assert tk.classes([written, "masks"]).encode(data.labels).tolist()[:2] == [0, 0]
    acts = tk.extract(tk.load(), data, progress=False)
    assert len(acts.where(label=written)) == 2
    assert len(acts.where(id=[f"{written}/{written}0.png"])) == 1


def test_attributes_and_splits_too(tmp_path):
    trees.picture(tmp_path / "1.png")
    rows = {"path": ["1.png"], "label": ["x"], "place": [APART], "split": [APART]}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    data = tk.table(tmp_path / "t.csv", split=COMPOSED)
    assert len(data.where(place=COMPOSED)) == len(data.where(place=[APART])) == 1
    acts = tk.from_arrays(
        pd.Series(range(16)).to_numpy(float).reshape(2, 1, 1, 8), labels=[COMPOSED, APART], scale="raw"
    )
    assert set(acts.labels) == {COMPOSED}


def test_two_files_that_differ_in_form_alone_are_two(tmp_path):
    sizes = {COMPOSED: (10, 12), APART: (14, 12)}
    for name, size in sizes.items():
        trees.picture(tmp_path / name / f"{name}.png", size)
    table = pd.DataFrame({"path": [f"{name}/{name}.png" for name in sizes], "label": "x"})
    table.to_csv(tmp_path / "t.csv", index=False)
    data = tk.table(tmp_path / "t.csv")
    assert [sample.image.size for sample in data] == list(sizes.values())
    data = tk.image_folder(tmp_path)
    assert len(set(data.ids)) == 2
    assert set(data.labels) == {COMPOSED}
    (note,) = data.notes
    assert f"2 folders are called {COMPOSED!r}, in other spellings of its bytes" in note


@given(ACCENTS)
def test_nfc_is_one_form(name):
    assert nfc(nfc(name)) == nfc(unicodedata.normalize("NFD", name)) == nfc(name)


def test_a_path_that_is_nowhere_stays_as_it_is(tmp_path):
    assert spelled(tmp_path / APART / "x") == tmp_path / APART / "x"
    assert spelled(Path(COMPOSED)) == Path(COMPOSED)
