"""The picture of a prediction: both marks where the numbers are, in shapes of their own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from toolkit.figures.heatmap import figure_png
from toolkit.figures.predict import BARS, LEFT, RIGHT, TRUTH, VALUES, Prediction, predict_matplotlib


def drawn(figure):
    """Markers by shape: (kind, filled, x)."""
    lines = figure.axes[0].lines
    return [
        (line.get_marker(), line.get_markerfacecolor() == TRUTH, line.get_xdata()[0])
        for line in lines
        if line.get_marker() != "None"
    ]


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_a_number_s_marks_stand_where_the_numbers_are():
    asked = Prediction("How many?", "%", low=0, high=100, guess=60.0, truth=34.2)
    figure = predict_matplotlib(asked)
    across = RIGHT - LEFT
    assert [(kind, filled) for kind, filled, _ in drawn(figure)] == [("D", False), ("o", True)]
    assert [x for *_, x in drawn(figure)] == pytest.approx([LEFT + 0.6 * across, LEFT + 0.342 * across])
    assert {"How many?", "your guess 60 %", "34.2 %", "0 %", "100 %", asked.sentence} <= set(words(figure))


def test_nothing_is_marked_as_true_before():
    for guess in (None, 60.0):
        figure = predict_matplotlib(Prediction("How many?", "%", low=0, high=100, guess=guess))
        assert [kind for kind, *_ in drawn(figure)] == (["D"] if guess else [])
    figure = predict_matplotlib(Prediction("Which?", options=("a", "b"), guess="b"))
    assert not any(filled for _, filled, _ in drawn(figure))


def test_bars_are_as_long_as_the_numbers():
    truth = {"a": 0.5, "b": -0.5, "c": math.nan, "d": 0.25}
    figure = predict_matplotlib(Prediction("Which?", "cosine", tuple(truth), guess="d", truth=truth))
    bars = [patch for patch in figure.axes[0].patches if patch.get_fill()]
    across = VALUES - BARS
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [
        pytest.approx((BARS + at * across, width * across)) for at, width in ((0.5, 0.5), (0, 0.5), (0.5, 0.25))
    ]
    assert [bar.get_facecolor()[:3] == to_rgb(TRUTH) for bar in bars] == [True, False, False]
    assert "missing" in words(figure)


@pytest.mark.parametrize("text", ["long " * 300, "$x_{6$ \ud800 <b>", "tab\tline\nreturn\rbell\a nul\0 end"])
def test_any_words_make_a_small_picture(text):
    options = (text, f"{text} too")
    assert (
        len(
            figure_png(
                predict_matplotlib(Prediction(text, text, options, guess=text, truth=dict.fromkeys(options, 1.0)))
            )
        )
        < 60_000
    )
    asked = Prediction(text, text, low=0, high=1, guess=0.5, truth=7.0)
    assert len(figure_png(predict_matplotlib(asked))) < 60_000


wide = st.floats(allow_nan=False, allow_infinity=False)


@given(wide, wide, wide, wide)
def test_every_axis_holds_what_is_on_it(a, b, guess, truth):
    low, high = sorted((a, b))
    if not 1e-300 < high - low < math.inf:
        return
    asked = Prediction("?", low=low, high=high, guess=float(np.clip(guess, low, high)), truth=truth)
    ends = asked.axis
    assert ends[0] <= min(low, truth) <= max(high, truth) <= ends[1]
    assert all(0 <= asked.at(value) <= 1 for value in (asked.guess, truth, low, high))
    assert asked.words
