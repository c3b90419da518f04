"""`tk.edit_series`: curves over one weight."""

from __future__ import annotations

import numpy as np
import pytest

import toolkit as tk


@pytest.fixture(scope="module")
def series(pool, every, val):
    draws = [pool.draw(10, seed=seed) for seed in range(3)]
    return tk.edit_series(draws, every, "L3.H7 L3.H5", alphas=[0, 10, 1e4], beta=10, steps=20, held_out=val, most=11)


def test_every_curve_is_that_of_the_edit(series, pool, every, val):
    one = tk.edit(pool.draw(10, seed=1), every, "L3.H7 L3.H5", alpha=10, beta=10, steps=20, held_out=val)
    table = series.table
    own = table[(table["draw"] == 1) & (table["alpha"] == 10)]
    plain = one.curve(11)
    for name in ("step", "worst", "locality", "total"):
        np.testing.assert_allclose(own[name].to_numpy(), plain[name].to_numpy())
    assert set(table["beta"]) == {10.0}
    assert len(table) == 3 * 3 * 11


def test_peaks_are_the_highest_of_the_mean_curve(series):
    peaks = series.peaks("worst")
    mean = series.table.groupby(["alpha", "step"])["worst"].mean()
    for row in peaks.to_dict("records"):
        assert row["worst"] == pytest.approx(mean[row["alpha"]].max())
        assert mean[row["alpha"]][row["step"]] == pytest.approx(row["worst"])
        assert row["worst at the end"] == pytest.approx(mean[row["alpha"]].iloc[-1])
        assert row["sd"] >= 0
    assert "highest at step" in str(series)
    assert "3 draws" in str(series)


def test_over_beta(pool, every, val):
    found = tk.edit_series(pool.draw(10), every, "L3.H7", betas=[0, 10], alpha=5, steps=3, held_out=val)
    assert found.over == "beta"
    assert set(found.table["alpha"]) == {5.0}
    assert np.isnan(found.peaks()["sd"]).all()


def test_pictures(series):
    figure = tk.series_matplotlib(series, ("worst", "locality", "success"))
    assert len(figure.axes) == 3
    assert [one.name for one in tk.series_plotly(series).data] == ["α = 0", "α = 10", "α = 10000"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"alphas": [0], "betas": [0]}, "one series"), ({"alphas": []}, "at least one"),
        ({"alphas": [1, 1]}, "different"), ({"alphas": [-1]}, "alpha"), ({"steps": 0}, "steps"),
    ],
)  # fmt: skip
def test_it_says_what_is_wrong(pool, every, val, arguments, said):
    with pytest.raises(tk.InputError, match=said):
        tk.edit_series(pool.draw(10), every, "L3.H7", held_out=val, **arguments)


def test_unknown_measures_and_no_draws(series, every, val):
    with pytest.raises(tk.InputError, match="'worst'"):
        series.peaks("best")
    with pytest.raises(tk.InputError, match="empty list"):
        tk.edit_series([], every, "L3.H7", held_out=val)
