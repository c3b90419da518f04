"""Any picture becomes the RGB picture a person sees, and what was done is said."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import toolkit as tk
from toolkit.data.greys import full
from toolkit.data.masks import above_half
from toolkit.data.pixels import UnusableImageError, as_rgb

RNG = np.random.default_rng(0)
PLAIN = Image.fromarray(RNG.integers(0, 255, (20, 30, 3), np.uint8))


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return Image.open(io.BytesIO(out.getvalue()))


def test_plain_pictures_are_left_alone():
    assert as_rgb(PLAIN) == (PLAIN, "")
    grey, note = as_rgb(PLAIN.convert("L"))
    assert (grey.mode, note) == ("RGB", "")


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_sixteen_bits_keep_their_greys(mode):
    ramp = np.tile(np.linspace(0, 65535, 30), (20, 1))
    image = Image.fromarray(ramp.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    rgb, note = as_rgb(image)
    assert "to RGB" in note
    np.testing.assert_allclose(np.asarray(rgb)[0, :, 0], np.linspace(0, 255, 30), atol=1)


def test_transparency_is_laid_over_white():
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert as_rgb(clear)[0].getpixel((0, 0)) == (255, 255, 255)
    assert abs(as_rgb(half)[0].getpixel((0, 0))[0] - 127) <= 1
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([9, 9, 9, 200, 0, 0])
    assert as_rgb(saved(palette, "PNG"))[0].getpixel((0, 0)) == (200, 0, 0)
    assert as_rgb(saved(palette, "PNG", transparency=1))[0].getpixel((0, 0)) == (255, 255, 255)


def test_exif_turns_and_cmyk_converts():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned, note = as_rgb(saved(PLAIN, "JPEG", exif=exif))
    assert turned.size == (20, 30)
    assert "EXIF" in note
    ink, note = as_rgb(saved(PLAIN.convert("CMYK"), "JPEG"))
    assert ink.mode == "RGB"
    assert "CMYK" in note


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue")]
    moving = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    moving.seek(1)
    first, note = as_rgb(moving)
    assert first.getpixel((0, 0)) == (255, 0, 0)
    assert "first of 2 frames" in note


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400))
def test_any_size_is_shown_or_refused_with_the_reason(width, height):
    image = Image.new("RGB", (width, height))
    if max(width, height) > 100 * min(width, height):
        with pytest.raises(UnusableImageError, match="beyond 1 : 100"):
            as_rgb(image)
    else:
        assert as_rgb(image)[0].size == (width, height)


def test_no_pixels_at_all():
    with pytest.raises(UnusableImageError, match="no pixels"):
        as_rgb(Image.new("RGB", (0, 5)))


GREYS = {
    "int32 of 8 bits": (np.int32, 0, 255, 255), "int32 of 16": (np.int32, 0, 65535, 255),
    "int32 beyond 16": (np.int32, 0, 100_000, 255), "uint16 of 8 bits": (np.uint16, 0, 255, 255),
    "uint16": (np.uint16, 0, 60_000, 233), "fractions": (np.float32, 0, 1, 255), "half": (np.float32, 0, 0.5, 128),
    "a little above 1": (np.float32, 0, 1.2, 255), "floats of 8 bits": (np.float32, 0, 200, 200),
    "floats of 16": (np.float32, 0, 50_000, 195), "floats beyond": (np.float32, 0, 1e9, 255),
    "below 0": (np.int32, -1000, 3000, 255), "fractions below 0": (np.float32, -1, 1, 255),
    "a little below 0": (np.float32, -0.01, 1, 255), "all below 0": (np.int32, -300, -200, 255),
}  # fmt: skip


@pytest.mark.parametrize("what", GREYS)
@pytest.mark.parametrize("form", ["TIFF", "memory"])
def test_the_scale_of_greys_is_that_of_type_and_file(what, form):
    kind, low, high, brightest = GREYS[what]
    ramp = np.tile(np.linspace(low, high, 30), (20, 1)).astype(kind)
    image = Image.fromarray(ramp)
    rgb, note = as_rgb(image if form == "memory" else saved(image, "TIFF"))
    grey = np.asarray(rgb)[0, :, 0].astype(float)
    assert grey.max() == pytest.approx(brightest, abs=1)
    assert (np.diff(grey) >= 0).all()
    assert "to RGB" in note
    assert "as 0 … 255" in note
    assert "nearly black" not in note
    if low < 0:
        assert f"{low:g} …" in note or "below 0 cut off" in note


@pytest.mark.parametrize("order", ["<", ">"])
def test_bytes_in_either_order(order):
    ramp = np.tile(np.linspace(0, 65535, 30), (20, 1)).astype(f"{order}u2")
    image = Image.frombytes("I;16" if order == "<" else "I;16B", (30, 20), ramp.tobytes())
    np.testing.assert_allclose(np.asarray(as_rgb(image)[0])[0, :, 0], np.linspace(0, 255, 30), atol=1)


def test_numbers_without_a_sign_of_32_bits():
    ramp = np.tile(np.linspace(0, 4e9, 30), (20, 1)).astype(np.uint32)
    image = Image.frombytes("I", (30, 20), ramp.view(np.int32).tobytes())
    out = io.BytesIO()
    image.save(out, "TIFF")
    signed, unsigned = (struct.pack("<HHIHH", 339, 3, 1, sign, 0) for sign in (2, 1))
    rgb, note = as_rgb(Image.open(io.BytesIO(out.getvalue().replace(signed, unsigned))))
    np.testing.assert_allclose(np.asarray(rgb)[0, :, 0], np.linspace(0, 255, 30), atol=1)
    assert "4e+09" in note


def test_a_file_may_say_its_range_and_that_0_is_white():
    ramp = np.tile(np.linspace(0, 65535, 30), (20, 1)).astype(np.uint16)
    out = io.BytesIO()
    Image.fromarray(ramp).save(out, "TIFF", tiffinfo={262: 0})
    black, white = (struct.pack("<HHIHH", 262, 3, 1, kind, 0) for kind in (1, 0))
    rgb, note = as_rgb(Image.open(io.BytesIO(out.getvalue().replace(black, white))))
    np.testing.assert_allclose(np.asarray(rgb)[0, :, 0], np.linspace(255, 0, 30), atol=1)
    assert "0 is white" in note
    assert full(ramp // 16, bits=12) == 4095


def test_what_is_no_number_is_black_or_white_and_said():
    values = np.tile(np.linspace(0, 1, 30, dtype=np.float32), (20, 1))
    values[0, :3] = [np.nan, np.inf, -np.inf]
    rgb, note = as_rgb(Image.fromarray(values))
    assert np.asarray(rgb)[0, :3, 0].tolist() == [0, 255, 0]
    assert "3 pixels are NaN or infinite" in note
    with pytest.raises(UnusableImageError, match="no pixel that is a number"):
        as_rgb(Image.fromarray(np.full((5, 5), np.nan, np.float32)))


@pytest.mark.parametrize(("kind", "high"), [(np.uint16, 3000), (np.int32, 4095), (np.uint16, 0), (np.uint16, 1)])
def test_nearly_black_is_said(tmp_path, kind, high):
    Image.fromarray(np.full((20, 30), high, kind)).save(tmp_path / "a.tif")
    data = tk.image_folder(tmp_path)
    with pytest.warns(tk.DataWarning, match="nearly black"):
        assert "nearly black: no grey above" in data.read(0).note


def test_channels_of_sixteen_bits(tmp_path):
    rows = np.zeros((20, 30, 3), ">u2")
    for high, expected in ((65535, "16 bits a channel cut to 8"), (900, "16 bits a channel cut to 8; nearly black")):
        rows[:, :, 0] = high
        png = struct.pack(">IIBBBBB", 30, 20, 16, 2, 0, 0, 0)
        body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
        parts = [(b"IHDR", png), (b"IDAT", body), (b"IEND", b"")]
        chunks = [struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in parts]
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
        rgb, note = as_rgb(Image.open(tmp_path / "a.png"))
        assert note.startswith(expected)
        assert rgb.getpixel((0, 0))[0] == high >> 8


def test_masks_have_the_same_scale():
    for values in (np.array([[0, 255]], np.int32), np.array([[0, 200]], np.uint16), np.array([[0, 40_000]], np.int32)):
        assert above_half(values).tolist() == [[False, True]]
