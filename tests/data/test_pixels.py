"""Any picture becomes the RGB picture a person sees, and what was done is said."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

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
