"""Pictures that Pillow here cannot read are counted, named and noted, wherever they are listed or lie."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest
from data import trees
from PIL import AvifImagePlugin, Image, features

import toolkit as tk
from toolkit.data.endings import READERS, suffixes, unread

KINDS = {
    "a.HEIC": "pillow-heif", "a.heif": "pillow-heif", "a.HIF": "pillow-heif", "a.jxl": "pillow-jxl-plugin",
    "a.CR2": "rawpy", "a.cr3": "rawpy", "a.Nef": "rawpy", "a.ARW": "rawpy", "a.DNG": "rawpy", "a.raf": "rawpy",
    "a.ORF": "rawpy", "a.rw2": "rawpy", "a.pef": "rawpy", "a.3fr": "rawpy", "a.svg": "cairosvg", "a.PSB": "psd-tools",
    "a.dcm": "pydicom", "a.exr": "OpenEXR", "a.hdr": "imageio", "a.nii.gz": "nibabel", "a.svs": "openslide-python",
    "a.czi": "bioio", "a.eps": "another program", "a.XCF": "another program", "a.emf": "another program",
}  # fmt: skip


CELL, EVEN = "obj-urban_bg-urban_co_occur_obj-urban", "bg-0.5_co_occur_obj-0.5"


def raw(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0\0\0\x18ftypheic")
    return path


@pytest.fixture
def folder(tmp_path):
    """Two pictures of cats, and dogs by a telephone alone."""
    trees.picture(tmp_path / "cat" / "1.png")
    trees.picture(tmp_path / "cat" / "2.mpo", format="JPEG")
    for name in ("cat/3.HEIC", "dog/1.heic", "dog/deep/2.Cr2"):
        raw(tmp_path / name)
    return tmp_path


SAID = (
    r"3 pictures that Pillow here cannot read are left out: \.cr2 1 \(rawpy reads it\), "
    r"\.heic 2 \(pillow-heif reads it\), 'cat/3\.HEIC', 'dog/1\.heic', "
    r"'dog/deep/2\.Cr2'; no other image has the class 'dog'"
)


def test_a_folder_says_what_it_leaves_out_and_which_class_is_gone(folder):
    with pytest.warns(tk.DataWarning, match=SAID) as told:
        data = tk.image_folder(folder)
    assert len(told) == 1
    assert told[0].filename.endswith("folder.py") or told[0].filename == __file__
    assert list(data.ids) == ["cat/1.png", "cat/2.mpo"]
    assert data.class_names == ("cat",)
    (note,) = data.notes
    assert "no other image has the class 'dog'" in note
    assert note.endswith(".")
    assert data[1].image.mode == "RGB"


def test_a_table_says_the_same(folder):
    paths = ["cat/1.png", "cat/3.HEIC", "dog/1.heic", "dog/deep/2.Cr2"]
    pd.DataFrame({"path": paths, "label": ["cat", "cat", "dog", "dog"]}).to_csv(folder / "t.csv", index=False)
    with pytest.warns(tk.DataWarning, match=f"table: {SAID}"):
        data = tk.table(folder / "t.csv")
    assert list(data.ids) == ["cat/1.png"]
    assert data.missing == ()
    (note,) = data.notes
    assert "3 pictures" in note
    pd.DataFrame({"path": paths[1:], "label": "dog"}).to_csv(folder / "t.csv", index=False)
    with pytest.raises(
        tk.InputError, match=r"3 pictures that Pillow here cannot read.*install and register pillow-heif, or"
    ):
        tk.table(folder / "t.csv")


@pytest.mark.parametrize("read", [tk.imagenet, tk.imagenet_r, tk.imagenet_a])
def test_so_do_the_readers_of_public_data(tmp_path, read):
    for wnid, name in (("n01440764", "1.JPEG"), ("n02012849", "2.HEIC")):
        raw(tmp_path / wnid / name)
    with pytest.warns(tk.DataWarning, match="no other image has the class 'n02012849'"):
        data = read(tmp_path)
    assert len(data) == 1
    (tmp_path / "n01440764" / "1.JPEG").unlink()
    with pytest.raises(
        tk.InputError, match=r"1 picture that Pillow here cannot read is left out: \.heic 1.*pillow-heif"
    ):
        read(tmp_path)


@pytest.mark.parametrize(
    ("read", "folder"),
    [(tk.counteranimal, "102 echidna/counter dead leaves"), (tk.urbancars, f"{EVEN}/test/{CELL}")],
)
def test_readers_of_folders_of_their_own_too(tmp_path, read, folder):
    raw(tmp_path / folder / "1.HEIC")
    with pytest.raises(tk.InputError, match=r"1 picture that Pillow here cannot read.*pillow-heif"):
        read(tmp_path)
    trees.picture(tmp_path / folder / "2.jpg")
    with pytest.warns(tk.DataWarning, match=r"\.heic 1"):
        assert len(read(tmp_path)) == 1


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_named_with_what_reads_it(tmp_path, name):
    raw(tmp_path / "x" / name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(tk.InputError, match=rf"1 picture that .*{KINDS[name]}.* 'x/{name}'; no other .* class 'x'"):
            tk.image_folder(tmp_path)
    assert unread(name)


@pytest.mark.parametrize("name", ["notes.txt", "labels.csv", "paper.pdf", "a.png", "a.JPG", "a.tif", "png", "film.mp4"])
def test_what_is_read_or_is_no_picture_is_not_among_them(name):
    assert not unread(name)


def test_a_name_without_its_decoder_is_no_ending_that_is_read(tmp_path, monkeypatch):
    for name in ("a.png", "b.avif"):
        trees.picture(tmp_path / name, format="PNG")
    assert len(tk.image_folder(tmp_path)) == 2
    with monkeypatch.context() as less:
        less.setattr(AvifImagePlugin, "SUPPORTED", False)
        with pytest.warns(tk.DataWarning, match=r"\.avif 1 \(pillow-avif-plugin reads it\)"):
            assert len(tk.image_folder(tmp_path)) == 1
    check = features.check
    with monkeypatch.context() as less:
        less.setattr(features, "check", lambda name: name not in ("jpg_2000", "webp") and check(name))
        assert not suffixes() & {".jp2", ".j2k", ".webp"}
        assert unread("a.webp")
        assert unread("a.JP2")
    with monkeypatch.context() as less:
        less.delitem(Image.OPEN, "PSD")
        assert unread("a.psd")


def test_a_plug_in_that_is_registered_later_counts(monkeypatch):
    assert unread("a.heic")
    monkeypatch.setitem(Image.EXTENSION, ".heic", "HEIF")
    monkeypatch.setitem(Image.OPEN, "HEIF", (Image.OPEN["PNG"][0], None))
    assert not unread("a.heic")
    assert ".heic" in suffixes()


def test_no_ending_is_in_doubt():
    assert all(ending == ending.lower() and ending.startswith(".") for ending in READERS)
