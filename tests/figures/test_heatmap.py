"""Heat maps: the same colours everywhere, honest scales, marks for what the scale cannot show."""

from __future__ import annotations

import io

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from matplotlib.figure import Figure
from PIL import Image

from toolkit.errors import InputError
from toolkit.figures.colors import DIVERGING, DIVERGING_DARK, NAN, color, is_bright
from toolkit.figures.heatmap import (
    as_table,
    check_limit,
    figure_png,
    heatmap_matplotlib,
    heatmap_plotly,
    mark_of,
    robust_limit,
)

tables = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=5))


@pytest.mark.parametrize("palette", [DIVERGING, DIVERGING_DARK])
def test_palettes_are_symmetric_in_lightness_and_neutral_at_zero(palette):
    light = palette @ np.array([0.2126, 0.7152, 0.0722])
    middle = len(palette) // 2
    assert palette[middle].max() - palette[middle].min() == 0
    steps = np.diff(light[: middle + 1])
    assert (steps > 0).all() or (steps < 0).all()
    assert abs(light - light[::-1]).max() < 60
    # blue against orange stays apart without red–green vision: compare what is left of the colour, blue − yellow
    chroma = palette[:, 2] - palette[:, :2].mean(1)
    assert chroma[0] > 40
    assert chroma[-1] < -40


def test_colours_are_symmetric_about_zero_and_clip():
    found = color(np.array([-2.0, -1.0, 0.0, 1.0, 5.0, np.inf, -np.inf, np.nan]), 1.0)
    assert found[0].tolist() == found[1].tolist() == found[6].tolist() == DIVERGING[0].tolist()
    assert found[2].tolist() == DIVERGING[8].tolist()
    assert found[3].tolist() == found[4].tolist() == found[5].tolist() == DIVERGING[-1].tolist()
    assert found[7].tolist() == list(NAN[False])


def test_ink_follows_the_cell():
    assert is_bright(DIVERGING[8])
    assert not is_bright(DIVERGING[0])


@given(tables)
def test_the_limit_is_positive_finite_and_robust(table):
    limit = robust_limit(table)
    assert 0 < limit < np.inf
    finite = np.abs(table[np.isfinite(table)])
    if finite.size and finite.max() > 0:
        assert limit / finite.max() <= 1 + 1e-12


def test_one_outlier_does_not_flatten_the_map():
    table = np.random.default_rng(0).normal(size=(24, 16))
    table[3, 3] = 1e6
    assert robust_limit(table) < 10
    assert mark_of(table[3, 3], robust_limit(table)) == "+"


@pytest.mark.parametrize(
    ("value", "mark"), [(np.nan, "×"), (np.inf, "+∞"), (-np.inf, "−∞"), (1.5, "+"), (-1.5, "−"), (1.0, ""), (0.0, "")]
)
def test_marks(value, mark):
    assert mark_of(value, 1.0) == mark


@settings(max_examples=12)
@given(tables)
def test_any_table_draws_in_both_ways(table):
    figure = heatmap_plotly(table, title="t", unit="u")
    assert isinstance(figure, go.Figure)
    assert type(figure).__name__ == "Figure"
    heat = figure.data[0]
    assert heat.zmin == -heat.zmax < 0
    assert isinstance(heatmap_matplotlib(table), Figure)


def test_matplotlib_paints_the_colours_of_the_scale_and_the_frame():
    table = np.array([[1.0, -1.0], [0.0, 0.5]])
    figure = heatmap_matplotlib(table, layers=[7, 9], limit=1.0, selected=[(9, 1)])
    picture = np.asarray(Image.open(io.BytesIO(figure_png(figure))).convert("RGB")).reshape(-1, 3).astype(int)
    for value in table.ravel():
        assert np.abs(picture - color(np.array([value]), 1.0)[0].astype(int)).max(1).min() <= 2
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["7", "9"]
    assert len(axes.patches) == 1


def test_nothing_global_is_touched():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    heatmap_matplotlib(np.eye(3))
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in __import__("sys").modules or not mpl.pyplot.get_fignums()


def test_tensors_of_any_kind_are_tables():
    expected = np.arange(6.0).reshape(2, 3)
    for t in (torch.arange(6.0).view(2, 3).requires_grad_(), torch.arange(6).view(2, 3).bfloat16(), expected.tolist()):
        assert (as_table(t) == expected).all()


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((0, 3)), np.zeros((2, 2, 2)), "abc", None, [[1, 2], [3]]])
def test_what_is_no_table_is_refused(values):
    with pytest.raises(InputError, match=r"\[layer, head\]"):
        as_table(values)


@pytest.mark.parametrize("limit", [0, -1.0, np.nan, np.inf, "a"])
def test_what_is_no_limit_is_refused(limit):
    with pytest.raises(InputError, match="limit="):
        check_limit(limit, np.eye(2))
