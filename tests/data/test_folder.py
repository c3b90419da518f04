"""Image folders: ids, labels, order, and files that are not what they seem."""

from __future__ import annotations

import os

import pytest
from PIL import Image

import toolkit as tk


@pytest.fixture
def folder(tmp_path):
    for name in ("b/2.png", "a/1.PNG", "a/deep/3.jpg", "top.png", ".hidden/x.png", "a/._1.png", "b/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("text")
        else:
            Image.new("RGB", (8, 6), "red").save(path)
    return tmp_path


def test_ids_are_paths_and_labels_the_first_folder(folder):
    data = tk.image_folder(folder, split="val")
    assert list(data.ids) == ["a/1.PNG", "a/deep/3.jpg", "b/2.png", "top.png"]
    assert list(data.labels) == ["a", "a", "b", ""]
    assert list(data.groups) == list(data.labels)
    assert data.split == "val"
    assert data[2].image.size == (8, 6)
    assert list(data.where(label="a").ids) == ["a/1.PNG", "a/deep/3.jpg"]


def test_it_is_decomposed_like_any_images(folder):
    assert tk.decompose(tk.load(), tk.image_folder(folder)).ids == tuple(tk.image_folder(folder).ids)


def test_a_broken_file_is_named(folder):
    (folder / "b" / "broken.png").write_bytes(b"\x89PNG no")
    data = tk.image_folder(folder)
    row = list(data.ids).index("b/broken.png")
    assert data.read(row).image is None
    assert "not an image" in data.read(row).note
    with pytest.raises(tk.InputError, match=r"'b/broken\.png', which cannot be shown"):
        _ = data[row].image


def test_its_stamp_follows_the_files(folder):
    data = tk.image_folder(folder)
    before = data.stamp()
    assert tk.image_folder(folder).stamp() == before
    Image.new("RGB", (9, 9)).save(folder / "b" / "2.png")
    assert data.stamp() != before


def test_what_is_no_folder_of_images(tmp_path):
    with pytest.raises(tk.InputError, match="not a folder"):
        tk.image_folder(tmp_path / "none")
    with pytest.raises(tk.InputError, match="no file is an image"):
        tk.image_folder(tmp_path)


def pictures(root, names):
    for name in names:
        (root / name).mkdir(parents=True)
        Image.new("RGB", (8, 6)).save(root / name / "1.png")


def test_names_that_imagenet_has_twice_are_said(tmp_path):
    pictures(tmp_path / "all", ["crane", "maillot", "tench", "goldfish", "great_white_shark"])
    (note,) = tk.image_folder(tmp_path / "all").notes
    assert note.startswith("'crane', 'maillot' are the name of two classes of ImageNet each")
    pictures(tmp_path / "machines", ["crane", "lorry driver", "dumper truck"])
    assert tk.image_folder(tmp_path / "machines").notes == ()


def test_a_folder_one_too_high_and_classes_that_vanish_are_noted(tmp_path):
    for name in ("photos/x/a.png", "photos/y/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    assert (
        "All images lie in one folder, 'photos', which holds the folders 'x', 'y'"
        in tk.image_folder(tmp_path).notes[-1]
    )
    below = tmp_path / "photos"
    assert not tk.image_folder(below).notes
    (below / "z").mkdir()
    (below / "z" / "c.jpg?w=200").write_bytes(b"x")
    assert "no picture by its ending: 'z' (such as 'z/c.jpg?w=200')" in tk.image_folder(below).notes[0]


def test_names_that_are_no_text_are_left_out_and_said(tmp_path):
    for name in (b"a.png", b"\xff.png"):
        path = os.path.join(os.fsencode(tmp_path), b"x", name)  # noqa: PTH118 – bytes
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
        os.rename(tmp_path / "plain.png", path)  # noqa: PTH104
    found = tk.image_folder(tmp_path)
    assert list(found.ids) == ["x/a.png"]
    assert "no UTF-8 were left out: 'x/\\\\udcff.png'" in found.notes[0]
