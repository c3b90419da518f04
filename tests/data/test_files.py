"""Images in files: what is there, what is not, what may not be; filters, masks and boxes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pytest
from data import trees
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import toolkit as tk
from toolkit.data.masks import above_half, box_around
from toolkit.data.paths import plain


def rows(paths, **columns):
    n = len(paths)
    own = {"path": paths, "id": paths, "label": ["a", "b"] * (n // 2) + ["a"] * (n % 2), "group": ["g"] * n}
    return pd.DataFrame({**own, **columns})


@pytest.fixture
def four(tmp_path):
    """Four images with a place, a size and whether they are rare; masks of zeros and ones for all but the last."""
    for i in range(4):
        trees.picture(tmp_path / f"{i}.png", (20 + i, 12))
        trees.mask(tmp_path / f"m{i}.png", (1, 2, 5 + i, 7), (20 + i, 12), full=1)
    places, masks = ["land", "water", "water", "land"], ["m0.png", "m1.png", "m2.png", ""]
    table = rows(
        [f"{i}.png" for i in range(4)], place=places, size=[1, 2, 2, 3], rare=[True, False, True, False], m=masks
    )
    return tk.FileSamples(tmp_path, table, "val", "mine", mask="m")


def test_attributes_follow_the_images(four):
    assert four.root.is_dir()
    assert list(four.attributes.columns) == ["place", "size", "rare"]
    assert list(four.attributes.index) == list(four.ids)
    assert four.class_names == ("a", "b")
    assert (four.notes, four.missing) == ((), ())
    part = four.take([3, 0])
    assert list(part.attributes["place"]) == ["land", "land"]
    assert [s.id for s in part] == ["3.png", "0.png"]
    assert part[0].image.size == (23, 12)
    assert part.class_names == four.class_names
    assert list(four[1:3].attributes["size"]) == [2, 2]
    assert list(four.to_dataframe().columns) == ["id", "label", "group", "split", "place", "size", "rare"]
    assert repr(four) == "mine(4 images, split 'val': g 4)"
    assert len(four.take([])) == 0


def test_filters(four):
    assert list(four.where(place="water").ids) == ["1.png", "2.png"]
    assert list(four.where(place="water", label="a").ids) == ["2.png"]
    assert list(four.where(size=[1, 3]).ids) == ["0.png", "3.png"]
    assert list(four.where(size="2", rare=True).ids) == ["2.png"]
    assert len(four.where(place=None)) == 4
    with pytest.raises(
        tk.InputError, match=r"plcae='land', an attribute .*Accepted: label, group, place.*did you mean 'p"
    ):
        four.where(plcae="land")
    with pytest.raises(tk.InputError, match=r"place='sea', which no sample has. Accepted: land, water"):
        four.where(place="sea")
    with pytest.raises(tk.InputError, match=r"place='sea'"):
        four.where(place=["land", "sea"])
    with pytest.raises(tk.InputError, match=r"label='b', place='land', size=1 together: no image"):
        four.where(label="b", place="land", size=1)
    with pytest.raises(tk.InputError, match=r"mine.take: got true and false.*flatnonzero"):
        four.take(four.attributes["rare"])


def test_masks_and_boxes_are_in_the_pixels_of_each_picture(four):
    masks = four.masks([0, 2])
    assert [m.shape for m in masks] == [(12, 20), (12, 22)]
    assert [m.dtype for m in masks] == [bool, bool]
    assert four.boxes([0, 2]) == [(1, 2, 5, 7), (1, 2, 7, 7)]
    assert masks[0].sum() == 4 * 5
    assert four.take([2]).boxes() == [(1, 2, 7, 7)]
    with pytest.raises(tk.InputError, match=r"mine.masks: got '3\.png', without a mask"):
        four.masks()
    (four.root / "m1.png").unlink()
    with pytest.raises(tk.InputError, match=r"'1\.png', whose mask '.*m1\.png' is not there"):
        four.boxes([1])
    trees.mask(four.root / "m1.png", (0, 0, 1, 1), (9, 9))
    with pytest.raises(tk.InputError, match=r"'m1\.png' has 9 × 9 pixels. Accepted: a mask of 21 × 12 pixels"):
        four.masks([1])
    Image.new("L", (21, 12)).save(four.root / "m1.png")
    with pytest.raises(tk.InputError, match=r"mine.boxes: got '1\.png', whose mask is empty"):
        four.boxes([1])
    (four.root / "m1.png").write_bytes(b"no picture")
    with pytest.raises(tk.InputError, match="cannot be read"):
        four.masks([1])
    with pytest.raises(tk.InputError, match=r"read without masks.*tk\.waterbirds"):
        tk.FileSamples(four.root, rows(["0.png"]), "val").masks()


def test_a_mask_of_a_turned_picture_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    trees.picture(tmp_path / "a.jpg", (32, 24), exif=exif)
    trees.mask(tmp_path / "a.png", (0, 0, 4, 30), (24, 32))
    data = tk.FileSamples(
        tmp_path, rows(["a.jpg"]), "test", mask=lambda p: tmp_path / PurePosixPath(p).with_suffix(".png")
    )
    assert data[0].image.size == (24, 32)
    assert data.masks()[0].shape == (32, 24)
    assert data.read(0).note == "turned as its EXIF tag says"


def test_files_that_are_not_there_are_left_out_and_told_once(tmp_path):
    trees.picture(tmp_path / "0.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    paths = ["1.png", "none/2.png", "0.png", "link.png", "3.png"]
    with pytest.warns(tk.DataWarning) as told:
        data = tk.FileSamples(tmp_path, rows(paths, size=range(5)), "test", "mine")
    assert [str(w.message) for w in told] == [
        "mine: 4 of 5 images are not there and are left out: '1.png', 'none/2.png', 'link.png' and 1 more"
    ]
    assert data.missing == ("1.png", "none/2.png", "link.png", "3.png")
    assert list(data.ids) == ["0.png"]
    assert list(data.attributes["size"]) == [2]
    assert data[0].image.size == (32, 24)
    assert "4 of 5 images are not there" in data.notes[0]
    assert "note: 4 of 5 images" in repr(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert data[:1].missing == data.missing
    with pytest.raises(tk.InputError, match=r"none of the 2 images is there \('x\.png', 'y\.png'\)"):
        tk.FileSamples(tmp_path, rows(["x.png", "y.png"]), "test")


def test_links_are_kept_below_the_root_and_refused_outside(tmp_path):
    root = tmp_path / "root"
    trees.picture(root / "real.png")
    trees.picture(tmp_path / "outside" / "secret.png")
    (root / "inner.png").symlink_to("real.png")
    assert len(tk.FileSamples(root, rows(["real.png", "inner.png"]), "test")) == 2
    (tmp_path / "way").symlink_to(root)
    assert len(tk.FileSamples(tmp_path / "way", rows(["inner.png"]), "test")) == 1
    (root / "outer.png").symlink_to("../outside/secret.png")
    (root / "folder").symlink_to("../outside")
    for bad in (
        "outer.png",
        "folder/secret.png",
        "../outside/secret.png",
        "/etc/passwd",
        "C:\\x.png",
        "a/../real.png",
        "",
    ):
        with pytest.raises(tk.InputError, match=r"1 path that leaves the folder of the data|an empty path"):
            tk.FileSamples(root, rows(["real.png", bad]), "test")
    with pytest.raises(tk.InputError, match=r"5 paths that .*: '\.\./0', '\.\./1', '\.\./2' and 2 more"):
        tk.FileSamples(root, rows([f"../{i}" for i in range(5)]), "test")
    with pytest.raises(tk.InputError, match=r"masks: got 1 path that leaves.*'\.\./mask\.png'"):
        tk.FileSamples(root, rows(["real.png"], m=["../mask.png"]), "test", mask="m")
    with pytest.raises(tk.InputError, match=r"image_folder: got 1 path that leaves.*'outer\.png'"):
        tk.image_folder(root)
    (root / "outer.png").unlink()
    assert tk.image_folder(root).notes == ("Folders that are links were not entered: 'folder'.",)


def test_endings_in_another_case_backslashes_and_here_are_understood(tmp_path):
    trees.picture(tmp_path / "a" / "1.PNG")
    trees.picture(tmp_path / "a" / "2.png")
    data = tk.FileSamples(
        tmp_path,
        rows(
            ["a/1.png", "a\\2.png", "./a//2.png"],
        ),
        "test",
    )
    assert [data.read(i).image.size for i in range(3)] == [(32, 24)] * 3


def test_ids_labels_and_columns_must_be_there(tmp_path):
    for i in range(5):
        trees.picture(tmp_path / f"{i}.png")
    paths = [f"{i % 5}.png" for i in range(9)]
    with pytest.raises(tk.InputError, match=r"4 ids given more than once: '0\.png', '1\.png', '2\.png' and 1 more"):
        tk.FileSamples(tmp_path, rows(paths), "test")
    assert len(tk.FileSamples(tmp_path, rows(paths).assign(id=range(9)), "test")) == 9
    with pytest.raises(tk.InputError, match=r"without a column 'label'. Accepted: path, id, group"):
        tk.FileSamples(tmp_path, rows(paths).drop(columns="label"), "test")
    with pytest.raises(tk.InputError, match="without a column 'mask'"):
        tk.FileSamples(tmp_path, rows(["0.png"]), "test", mask="mask")
    with pytest.raises(tk.InputError, match="no rows"):
        tk.FileSamples(tmp_path, rows([]), "test")
    with pytest.raises(tk.InputError, match="not a folder"):
        tk.FileSamples(tmp_path / "0.png", rows(["0.png"]), "test")


def test_a_folder_that_may_not_be_listed_is_no_missing_file(tmp_path, monkeypatch):
    trees.picture(tmp_path / "shut" / "1.png")
    trees.picture(tmp_path / "open" / "2.png")
    scandir = os.scandir

    def refused(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert len(tk.FileSamples(tmp_path, rows(["shut/1.png"]), "test")) == 1
    data = tk.image_folder(tmp_path)
    assert list(data.ids) == ["open/2.png"]
    assert data.notes == ("Folders that may not be listed were left out: 'shut' (Permission denied).",)


def test_a_tree_with_rubbish_and_a_broken_file_is_extracted(tmp_path):
    trees.rubbish(tmp_path)
    trees.picture(tmp_path / "cat" / "2.JPG", format="JPEG")
    trees.picture(tmp_path / "cat" / "1.png")
    trees.picture(tmp_path / "cat" / "__MACOSX" / "._1.png", format="PNG")
    (tmp_path / "cat" / "broken.png").write_bytes(b"\x89PNG no")
    data = tk.image_folder(tmp_path)
    assert list(data.ids) == ["cat/1.png", "cat/2.JPG", "cat/broken.png"]
    acts = tk.extract(tk.load(), data, progress=False)
    assert list(acts.ids) == ["cat/1.png", "cat/2.JPG"]
    assert list(acts.report["id"]) == ["cat/broken.png"]


def test_the_stamp_follows_files_and_their_absence(four):
    before = four.stamp()
    assert four.take(range(4)).stamp() == before
    (four.root / "0.png").unlink()
    assert four.stamp() != before
    assert four.read(0).note == "No such file or directory"


@settings(max_examples=50)
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_boxes_are_the_smallest_that_hold_the_mask(mask):
    if not mask.any():
        with pytest.raises(tk.InputError, match="empty"):
            box_around(mask, "a.png", "boxes")
        return
    left, top, right, bottom = box_around(mask, "a.png", "boxes")
    assert mask[top:bottom, left:right].sum() == mask.sum()
    for edge in (mask[top, :], mask[bottom - 1, :], mask[:, left], mask[:, right - 1]):
        assert edge.any()


@given(st.lists(st.integers(2, 255), min_size=1).map(lambda v: [*v, 255]))
def test_above_half_is_the_same_at_every_depth(values):
    greys = np.array([values], np.uint8)
    expected = greys > 127
    assert (above_half(greys) == expected).all()
    assert (above_half(greys.astype(np.uint16) * 257) == expected).all()
    assert (above_half(greys / np.float32(255)) == expected).all()
    assert (above_half(np.array([[0, 1]], np.uint8)) == [[False, True]]).all()


@given(st.lists(st.sampled_from(["a", "b c", ".x", "é"]), min_size=1, max_size=4))
def test_plain_paths_stay_as_they_are(parts):
    path = "/".join(parts)
    assert plain(path) == plain(Path(path)) == plain("./" + path) == plain("\\".join(parts)) == path


def test_rows_are_checked_by_every_verb(four):
    for wrong in (3, [1.7], ["a"], [99], None, [True, False]):
        for verb in (four.take, four.masks, four.boxes):
            if wrong is None and verb is not four.take:
                continue
            with pytest.raises(tk.InputError, match=r"whole numbers from 0 to 3"):
                verb(wrong)
    assert four.take([-1]).ids.tolist() == ["3.png"]


@pytest.mark.parametrize("kind", ["palette", "class numbers", "half", "alpha"])
def test_masks_that_say_nothing_above_half_are_refused(tmp_path, kind):
    trees.picture(tmp_path / "a.png", (20, 12))
    grey = np.zeros((12, 20), np.uint8)
    grey[2:7, 3:9] = {"palette": 1, "class numbers": 3, "half": 127, "alpha": 255}[kind]
    mask = Image.fromarray(grey)
    if kind == "palette":
        mask = mask.convert("P")
        mask.putpalette([0, 0, 0, 128, 0, 0])
    if kind == "alpha":
        mask = Image.merge("LA", (Image.new("L", (20, 12), 255), mask))
    mask.save(tmp_path / "m.png")
    table = rows(["a.png"]).assign(mask="m.png")
    data = tk.FileSamples(tmp_path, table, "test", mask="mask")
    with pytest.raises(tk.InputError, match=r"none above half|transparent"):
        data.masks()


def test_filters_of_many_values_take_one_pass(tmp_path):
    names = [f"{i}.png" for i in range(300)]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    data = tk.FileSamples(tmp_path, rows(names).assign(number=range(300)), "test")
    assert len(data.where(number=list(range(0, 300, 2)))) == 150
