"""Where a model's input lies in a picture: marked pictures, through resize, crop and padding, and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from toolkit.models.frame import Frame, frame_of, whole

SIZES = [(64, 64), (200, 150), (150, 200), (120, 37), (1000, 90), (333, 334), (70, 64), (40, 30)]


def transform(mode: str, size: int = 64):
    return image_transform_v2(PreprocessCfg(size=size, resize_mode=mode), is_train=False)


def mark(size, at):
    """A black picture with one white block; and the block's centre."""
    width, height = size
    x, y = at
    half = max(2, min(size) // 10)
    pixels = np.zeros((height, width, 3), np.uint8)
    left, top = max(0, int(x - half)), max(0, int(y - half))
    pixels[top : int(y + half), left : int(x + half)] = 255
    rows, columns = np.nonzero(pixels[..., 0])
    return Image.fromarray(pixels), (columns.mean() + 0.5, rows.mean() + 0.5)


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("size", SIZES)
def test_a_mark_in_the_input_is_found_where_it_was_in_the_picture(mode, size):
    preprocess = transform(mode)
    frame = frame_of(preprocess, size, (64, 64))
    assert frame.exact
    left, top, right, bottom = frame.box
    inside = (max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1]))
    for share in ((0.5, 0.5), (0.35, 0.62)):
        at = (inside[0] + share[0] * (inside[2] - inside[0]), inside[1] + share[1] * (inside[3] - inside[1]))
        picture, centre = mark(size, at)
        seen = preprocess(picture)[0].double()
        weight = (seen - seen.min()).clamp_min(0)
        grid = torch.arange(64, dtype=torch.float64) + 0.5
        x = float((weight.sum(0) * grid).sum() / weight.sum())
        y = float((weight.sum(1) * grid).sum() / weight.sum())
        back = (left + x * (right - left) / 64, top + y * (bottom - top) / 64)
        pixel = ((right - left) / 64, (bottom - top) / 64)
        assert abs(back[0] - centre[0]) < max(1.0, pixel[0])
        assert abs(back[1] - centre[1]) < max(1.0, pixel[1])


def test_the_box_is_that_of_the_resize_and_crop():
    box = frame_of(transform("shortest", 224), (640, 480), (224, 224)).box
    np.testing.assert_allclose(box, (80, 0, 560, 480), atol=0.7)
    box = frame_of(transform("longest", 224), (640, 480), (224, 224)).box
    np.testing.assert_allclose(box, (0, -80, 640, 560), atol=0.7)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_pictures_of_a_few_pixels(size):
    frame = frame_of(transform("shortest"), size, (64, 64))
    assert frame.on_picture(np.ones((4, 4))).shape == (size[1], size[0])


def test_a_preprocess_that_cannot_be_traced_says_so():
    noise = torch.Generator().manual_seed(0)
    frame = frame_of(lambda picture: torch.rand(3, 64, 64, generator=noise), (90, 60), (64, 64))
    assert not frame.exact
    assert frame.box == (0, 0, 90, 60)
    assert not frame_of(lambda picture: torch.zeros(3, 64, 64), (90, 60), (64, 64)).exact
    turned = transform("squash")
    assert not frame_of(lambda picture: turned(picture).transpose(1, 2), (90, 60), (64, 64)).exact
    assert not frame_of(lambda picture: turned(picture.convert("L").convert("RGB")), (90, 60), (64, 64)).exact


def test_a_map_on_the_picture():
    frame = Frame((40, 20), (10.0, 0.0, 30.0, 20.0), (64, 64))
    values = np.arange(16.0).reshape(4, 4)
    raw = frame.on_picture(values, smooth=False)
    assert np.isnan(raw[:, :10]).all()
    assert np.isnan(raw[:, 30:]).all()
    np.testing.assert_array_equal(raw[::5, 10:30:5], values)
    smooth = frame.on_picture(values, smooth=True)
    assert np.nanmin(smooth) >= 0
    assert np.nanmax(smooth) <= 15
    np.testing.assert_allclose(smooth[2, 12], 0, atol=0.11 * 5)  # near a cell's centre
    assert frame.at(12, 3, (4, 4)) == (0, 0)
    assert frame.at(29.9, 19.9, (4, 4)) == (3, 3)
    assert frame.at(5, 3, (4, 4)) is None
    assert frame.cell(1, 2, (4, 4)) == (20, 5, 25, 10)


def test_a_mask_as_the_model_saw_it():
    mask = np.zeros((20, 40), bool)
    mask[:, 10:20] = True
    frame = Frame((40, 20), (10.0, 0.0, 30.0, 20.0), (8, 8))
    np.testing.assert_array_equal(frame.crop(mask), np.repeat([[True] * 4 + [False] * 4], 8, 0))
    padded = Frame((40, 20), (0.0, -10.0, 40.0, 30.0), (8, 8))
    assert padded.crop(np.ones((20, 40), int)).sum() == 32
    assert (padded.crop(np.ones((20, 40), int), outside=-1) == -1).sum() == 32
    assert whole((5, 4), (4, 5)).crop(np.ones((4, 5))).all()
