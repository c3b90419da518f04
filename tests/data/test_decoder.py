"""Good pixels with bad metadata are shown; what others have set in Pillow neither helps nor harms."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFile, PngImagePlugin, features

import toolkit as tk
from toolkit.data.decoder import shown, upright_size
from toolkit.data.settings import own_settings

WIDE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8))


def exif_of(value, kind=3):
    """An EXIF block with an orientation of any type and value."""
    return b"Exif\0\0II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, kind, 1, value & 0xFFFFFFFF) + struct.pack("<I", 0)


def written(path, image=WIDE, **options):
    image.save(path, **options)
    return path


def chunk(name, body, crc=None):
    found = zlib.crc32(name + body) if crc is None else crc
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", found)


def with_chunks(path, *chunks):
    """A PNG with more chunks before its pixels."""
    data = written(path).read_bytes()
    at = data.index(b"IDAT") - 4
    path.write_bytes(data[:at] + b"".join(chunks) + data[at:])
    return path


def agrees(path):
    """The picture, its note; masks must have the size of what is shown."""
    picture, note = shown(path)
    assert upright_size(path) == picture.size
    return picture, note


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.parametrize(
    "block", [b"Exif\0\0garbage that is no block", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0MM\0*\0"]
)
def test_a_broken_exif_block_is_given_up_alone(tmp_path, name, block):
    path = written(tmp_path / name, exif=block)
    picture, note = agrees(path)
    assert picture.size == (30, 20)
    assert note == "its EXIF block is broken and was passed over"
    table = pd.DataFrame({"path": [name], "id": [name], "label": ["x"], "group": ["x"]})
    assert tk.FileSamples(tmp_path, table, "test").read(0).image.size == (30, 20)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.parametrize(("value", "kind"), [(0, 3), (9, 3), (77, 3), (65535, 3), (0x41414141, 2), (9, 4), (1, 12)])
def test_an_orientation_there_is_not_turns_nothing(tmp_path, name, value, kind):
    picture, note = agrees(written(tmp_path / name, exif=exif_of(value, kind)))
    assert picture.size == (30, 20)
    assert "turned" not in note
    assert "passed over" in note


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_every_orientation_turns_as_pillow_does(tmp_path, name, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    picture, note = agrees(written(tmp_path / name, exif=exif))
    assert picture.size == ((30, 20) if turn < 5 else (20, 30))
    assert note == ("turned as its EXIF tag says" if turn > 1 else "")


@pytest.mark.parametrize("turn", [0, 9])
def test_a_tiff_s_own_tag(tmp_path, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    picture, note = agrees(written(tmp_path / "a.tif", exif=exif))
    assert picture.size == (30, 20)
    assert f"orientation {turn} is none" in note


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
@pytest.mark.parametrize("spoilt", [b"XX*\0", b"II*\0\xff\xff\xff\x7f"])
def test_an_avif_with_a_broken_block(tmp_path, spoilt):
    exif = Image.Exif()
    exif[0x010F] = "Maker" * 10
    data = written(tmp_path / "a.avif", exif=exif).read_bytes()
    at = data.find(b"II*\0") if b"II*\0" in data else data.index(b"MM\0*")
    (tmp_path / "a.avif").write_bytes(data[:at] + spoilt + data[at + len(spoilt) :])
    picture, note = agrees(tmp_path / "a.avif")
    assert picture.size == (30, 20)
    assert "passed over" in note


BAD_CHUNKS = {
    "text too long": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * (PngImagePlugin.MAX_TEXT_CHUNK + 99))),
    "texts too many": b"".join(
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * PngImagePlugin.MAX_TEXT_CHUNK)) for _ in range(66)
    ),
    "international text": chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"x" * (1 << 20) * 2)),
    "gamma": chunk(b"gAMA", b"\1"),
    "profile": chunk(b"iCCP", b"name\0\0no profile"),
    "profile too long": chunk(b"iCCP", b"name\0\0" + zlib.compress(b"x" * (1 << 21))),
    "size of pixels": chunk(b"pHYs", b"\0"),
    "crc": chunk(b"tEXt", b"Comment\0x", crc=1),
    "colours": chunk(b"cHRM", b"\1\2\3"),
    "srgb": chunk(b"sRGB", b""),
    "method": chunk(b"zTXt", b"Comment\0\7xx"),
}


@pytest.mark.parametrize("what", BAD_CHUNKS)
def test_bad_chunks_of_a_png(tmp_path, what):
    picture, note = agrees(with_chunks(tmp_path / "a.png", BAD_CHUNKS[what]))
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(WIDE))
    assert note in ("", "its metadata is broken and was passed over")


def test_a_bad_chunk_costs_neither_orientation_nor_transparency(tmp_path):
    path = with_chunks(tmp_path / "a.png", chunk(b"eXIf", exif_of(6)[6:]), chunk(b"gAMA", b"\1"))
    picture, note = agrees(path)
    assert picture.size == (20, 30)
    assert note == "turned as its EXIF tag says; its metadata is broken and was passed over"


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_broken_profiles_and_xmp(tmp_path, name):
    options = {"icc_profile": b"no profile"} | ({} if name == "a.png" else {"xmp": b'<x:xmpmeta tiff:Orientation="9"'})
    picture, _ = agrees(written(tmp_path / name, **options))
    assert picture.size == (30, 20)


def test_segments_of_a_jpeg_that_are_cut(tmp_path):
    data = written(tmp_path / "a.jpg", exif=exif_of(6)).read_bytes()
    at = data.index(b"\xff\xe1")
    for size in (2, 9, 60000):
        (tmp_path / "a.jpg").write_bytes(data[: at + 2] + struct.pack(">H", size) + data[at + 4 :])
        picture, _ = agrees(tmp_path / "a.jpg")
        assert sorted(picture.size) == [20, 30]
    zero = written(tmp_path / "z.jpg", dpi=(0, 0))
    assert agrees(zero)[1] == ""
    app2 = b"\xff\xe2" + struct.pack(">H", 12) + b"MPF\0II*\0\xff\xff"
    (tmp_path / "m.jpg").write_bytes(data[:2] + app2 + data[2:])
    assert agrees(tmp_path / "m.jpg")[0].size == (20, 30)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_tiff_whose_entries_are_rubbish(tmp_path, compression):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker" * 10
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    data = written(tmp_path / "a.tif", exif=exif, compression=compression, xmp=b"<x/>").read_bytes()
    start = struct.unpack_from("<I", data, 4)[0]
    entries = [start + 2 + 12 * i for i in range(struct.unpack_from("<H", data, start)[0])]
    hurt = [at for at in entries if struct.unpack_from("<H", data, at)[0] in (0x0112, 0x010F, 0x8769, 700)]
    rng = np.random.default_rng(0)
    for _ in range(40):
        spoilt = bytearray(data)
        spoilt[int(rng.choice(hurt)) + 2 + int(rng.integers(10))] = int(rng.integers(256))
        (tmp_path / "a.tif").write_bytes(spoilt)
        assert sorted(agrees(tmp_path / "a.tif")[0].size) == [20, 30]


def test_a_tiff_whose_tags_are_broken(tmp_path):
    info = {270: "x" * 40, 34665: 4_000_000, 700: b"<no xmp", 34675: b"no profile"}
    path = written(tmp_path / "a.tif", tiffinfo=info)
    assert agrees(path)[0].size == (30, 20)
    zero = written(tmp_path / "z.tif", dpi=(1, 1))
    data = zero.read_bytes()
    zero.write_bytes(data.replace(struct.pack("<II", 1, 1), struct.pack("<II", 0, 0)))
    assert agrees(zero)[0].size == (30, 20)


HALVES = {
    "a.jpg": {},
    "a.png": {},
    "a.webp": {},
    "a.tif": {},
    "b.tif": {"compression": "tiff_lzw"},
    "a.bmp": {},
    "a.gif": {},
}


@pytest.fixture
def half(tmp_path):
    """A file of each kind that ends in its middle."""
    for name, options in HALVES.items():
        data = written(tmp_path / name, WIDE.resize((90, 60)), **options).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
    return tmp_path


def test_half_files_are_no_pictures_whoever_says_otherwise(half, monkeypatch):
    before = dict.fromkeys(HALVES)
    data = tk.image_folder(half)
    notes = {name: data.read(row) for row, name in enumerate(data.ids)}
    assert {name for name, read in notes.items() if read.image is not None} == set()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    again = {name: data.read(row) for row, name in enumerate(data.ids)}
    assert again == notes
    assert before.keys() == notes.keys()
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_so_it_is_in_threads(half, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = tk.image_folder(half)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(data.read, [row % len(data) for row in range(200)]))
    assert all(read.image is None for read in found)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_what_another_thread_sets_meanwhile_is_kept(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    inside, out = Event(), Event()

    def decode():
        with own_settings():
            inside.set()
            out.wait(10)

    thread = Thread(target=decode)
    thread.start()
    inside.wait(10)
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    with own_settings():
        assert ImageFile.LOAD_TRUNCATED_IMAGES is False
        assert Image.MAX_IMAGE_PIXELS == 89_478_485
    assert Image.MAX_IMAGE_PIXELS == 89_478_485, "the other one still decodes"
    out.set()
    thread.join()
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    assert Image.MAX_IMAGE_PIXELS == 5


def test_what_another_thread_sets_again_and_again_does_no_harm(half, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    written(half / "whole.jpg")
    data, done = tk.image_folder(half), Event()

    def meddle():
        while not done.wait(0.0005):
            ImageFile.LOAD_TRUNCATED_IMAGES = True

    thread = Thread(target=meddle)
    thread.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(data.read, [row % len(data) for row in range(160)]))
    finally:
        done.set()
        thread.join()
    good = [data.ids[row % len(data)] == "whole.jpg" for row in range(160)]
    assert [read.image is not None for read in found] == good
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.parametrize("limit", [None, 1, 10, 500])
def test_a_limit_of_pixels_is_ours(tmp_path, monkeypatch, limit):
    path = written(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert agrees(path)[1] == ""
    assert limit == Image.MAX_IMAGE_PIXELS
    big = Image.new("1", (20_000, 9_000))
    big.save(tmp_path / "big.png")
    table = pd.DataFrame({"path": ["big.png"], "id": ["b"], "label": ["x"], "group": ["x"]})
    read = tk.FileSamples(tmp_path, table, "test").read(0)
    assert read.image is None
    assert "exceeds limit" in read.note


def test_warnings_as_errors_do_not_reach_the_decoder(tmp_path):
    path = written(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0" + struct.pack("<IH", 8, 40) + b"\0" * 20)
    Image.new("1", (12_000, 8_000)).save(tmp_path / "big.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        assert agrees(path)[0].size == (30, 20)
        assert shown(tmp_path / "big.png")[1].endswith("1 to RGB")
        assert list(warnings.filters) == before
        with pytest.raises(UserWarning):
            warnings.warn("as the caller said", UserWarning, stacklevel=1)
    with np.errstate(all="raise"):
        Image.fromarray(np.full((9, 9), np.nan, np.float32) + np.eye(9, dtype=np.float32) * 0).save(tmp_path / "n.tif")
        rows = np.full((9, 9), np.nan, np.float32)
        rows[0] = 1e-30
        Image.fromarray(rows).save(tmp_path / "n.tif")
        assert "NaN" in shown(tmp_path / "n.tif")[1]


def test_a_stream_is_read_again_from_its_start(tmp_path):
    data = with_chunks(tmp_path / "a.png", BAD_CHUNKS["text too long"]).read_bytes()
    assert shown(io.BytesIO(data))[0].size == (30, 20)
    with pytest.raises(Exception, match="identify"):
        shown(io.BytesIO(b"no picture"))
