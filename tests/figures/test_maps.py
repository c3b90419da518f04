"""Maps over their images: what is painted where, on which scale, and side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import toolkit as tk
from toolkit.figures.colors import DIVERGING
from toolkit.figures.maps import limits_of, overlay, shared_limit


@pytest.fixture(scope="module")
def model():
    return tk.load()


@pytest.fixture
def wide(model):
    """A map of known values over a grey picture of which the model saw the middle third."""
    like = tk.token_map(model, Image.new("RGB", (192, 64), (100, 100, 100)), "a bird")
    values = np.zeros((8, 8))
    values[0, 0], values[7, 7], values[3, 4] = 1.0, -1.0, 0.25
    return replace(like, values=values)


def test_zero_is_clear_and_ends_are_the_ends_of_the_scale(wide):
    picture = np.asarray(overlay(wide, smooth=False, opacity=1.0), int)
    assert picture.shape == (64, 192, 3)
    np.testing.assert_allclose(picture[30, 70], 100, atol=1)  # zero
    np.testing.assert_allclose(picture[3, 67], DIVERGING[-1], atol=1)
    np.testing.assert_allclose(picture[60, 124], DIVERGING[0], atol=1)
    half = picture[28, 100]  # 0.25 of the limit: half the colour of its place on the scale
    expected = 0.5 * 100 + 0.5 * DIVERGING[10]
    np.testing.assert_allclose(half, expected, atol=3)
    assert (picture[:, :60] > 110).all(), "what the model did not see is pale"


def test_opacity_and_limit(wide):
    clear = np.asarray(overlay(wide, opacity=0.0), int)
    np.testing.assert_allclose(clear[:, 70:120], 100, atol=1)
    far = np.asarray(overlay(wide, limit=100.0, smooth=False), int)
    assert np.abs(far[3, 67] - 100).max() < np.abs(np.asarray(overlay(wide, smooth=False), int)[3, 67] - 100).max()
    with pytest.raises(tk.InputError, match=r"largest \|value\|"):
        overlay(wide, limit=0.0)
    with pytest.raises(tk.InputError, match="opacity=7"):
        overlay(wide, opacity=7)


def test_large_pictures_are_drawn_small(model):
    found = tk.token_map(model, Image.new("RGB", (2400, 1200), (90, 90, 90)), "a bird")
    drawn = overlay(found)
    assert max(drawn.size) <= 1024
    assert drawn.width == 2 * drawn.height


def test_one_scale_for_one_unit(model):
    image = tk.scenes("test", n=1)[0]
    a, b, c = (tk.explain(model, image, t, method=m) for t, m in (("a bird", "token map"), ("water", "token map"),
                                                                  ("water", "GAME")))  # fmt: skip
    limits = limits_of([a, b, c])
    assert limits[a.scale] == shared_limit([a, b])
    assert limits[c.scale] == shared_limit([c])
    held = limits_of([a, b, c], 0.3)
    assert held[a.scale] == 0.3
    assert held[c.scale] == limits[c.scale]
    figure = tk.maps_matplotlib([a, b, c])
    said = [t.get_text() for ax in figure.axes for t in ax.texts]
    assert sum("colours: ±" in words for words in said) == 3
    same = tk.maps_matplotlib([a, b])
    assert same.axes[-1].get_yticklabels()[-1].get_text() == f"{shared_limit([a, b]):.2g}"


def test_whole_model_located_heads_and_heads_by_their_texts_side_by_side(model):
    """R25 Fig. 3: Grad-CAM of the whole model, of located heads, of heads whose texts say the cue."""
    birds = tk.classes(["waterbird", "landbird"])
    acts = tk.extract(model, tk.scenes("edit", 200, 5, kind="birds"), progress=False)
    located = tk.locate(acts.draw(10), birds, resamples=1).choose()
    said = tk.heads_for("water", acts).to_dataframe().sort_values("share", ascending=False)
    by_text = [tuple(row) for row in said[["layer", "head"]].to_numpy()[:3].tolist()]
    image = tk.scenes("val", 40, 5, kind="birds").where(group="landbird on water")[0]
    maps = {
        name: tk.grad_cam(model, image, "waterbird", against=birds, heads=heads)
        for name, heads in (("whole model", None), ("located heads", located), ("heads that say water", by_text))
    }
    assert len({m.scale for m in maps.values()}) == 1
    assert maps["located heads"].settings["layer"] == min(layer for layer, _ in located)
    assert len({m.values.tobytes() for m in maps.values()}) == 3
    figure = tk.maps_matplotlib(maps)
    assert [ax.get_title() for ax in figure.axes[:3]] == list(maps)
    assert len(figure.axes) == 4


def test_a_figure_shows_itself_as_the_last_line_of_a_cell(wide):
    assert tk.maps_matplotlib(wide)._repr_png_()[:4] == b"\x89PNG"  # what IPython asks any object for


def test_refused(model, wide):
    for given in ([], {}, 3, [3]):
        with pytest.raises(tk.InputError, match="a list of them"):
            tk.maps_matplotlib(given)
    lost = replace(wide, _pictures=None)
    assert overlay(lost).size == (192, 64)
