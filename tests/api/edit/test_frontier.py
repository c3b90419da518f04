"""The frontier: cells equal single edits, Pareto set by brute force, bands, other methods' points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import toolkit as tk
from toolkit.api.edit.frontier_result import MEASURES, pareto

HEADS = "L3.H7 L3.H5 L2.H2"


@pytest.fixture(scope="module")
def plane(pool, every, val):
    draws = [pool.draw(10, seed) for seed in range(2)]
    return tk.frontier(draws, every, HEADS, [100, 0, 10], [0, 10], held_out=val, steps=30)


def test_cells_are_the_edits(plane, pool, every, val):
    assert plane.alphas.tolist() == [0, 10, 100]
    assert plane.success.shape == (2, 3, 2)
    assert plane.filled == 1
    for draw, i, j in ((0, 1, 1), (1, 2, 0)):
        made = tk.edit(pool.draw(10, draw), every, HEADS, plane.alphas[i], plane.betas[j], steps=30, held_out=val)
        assert torch.equal(plane.edit(plane.alphas[i], plane.betas[j], draw).theta, made.theta)
        assert plane.success[draw, i, j] == pytest.approx(float(made.success))
        assert plane.worst[draw, i, j] == pytest.approx(made.success.worst.value)
        assert plane.like[draw, i, j] == pytest.approx(float(made.success.like))
        assert plane.locality[draw, i, j] == pytest.approx(float(made.locality))
        assert plane.agreement[draw, i, j] == pytest.approx(float(made.locality.agreement))


def test_points_of_other_methods(plane, every, val):
    plain, off = plane.points
    assert (plain.name, off.name) == ("as it is", "heads off")
    assert plain.agreement == 1
    assert plain.like == 0
    result = tk.ablate(val.where(label=["waterbird", "landbird"]), every, HEADS)
    assert off.success == pytest.approx(result.average().value)
    assert off.worst == pytest.approx(result.worst.value)
    made = plane.edit(10, 10)
    with_point = plane.point("the edit", made.apply).point("as classes", classes=lambda t: made.theta.to(t) * t)
    a, b = with_point.points[-2:]
    assert [getattr(a, m) for m in MEASURES[:3]] == pytest.approx([getattr(b, m) for m in MEASURES[:3]])
    assert a.agreement == pytest.approx(plane.agreement[0, 1, 1]) or plane.success.shape[0] == 2
    assert len(plane.points) == 2
    narrow = plane.point("half", lambda e: e[:, :48], lambda t: t[:, :48])
    assert narrow.points[-1].success > 0
    with pytest.raises(tk.InputError, match="let both fit"):
        plane.point("bad", lambda e: e[:, :48])
    with pytest.raises(tk.InputError, match="class vectors for 20"):
        plane.point("bad", classes=np.ones((3, 96)))
    with pytest.raises(tk.InputError, match="draw=5"):
        plane.edit(1, 1, draw=5)
    away = plane.point("away", lambda e: -e)
    assert away.points[-1].agreement < 0.2


def test_other_methods_reach_unrelated_sets_too(pool, birds, model):
    """Where locality is that of an unrelated set, methods must change its images too."""
    few = pool.draw(10)
    held = tk.extract(model, tk.scenes("val", 60, 4, kind="birds"), progress=False)
    things = tk.extract(model, tk.scenes("val", 60, 3, kind="unrelated"), progress=False)
    named = tk.classes(sorted(set(things.labels)))
    plane = tk.frontier(few, birds, HEADS, [1], [1], held_out=held, unrelated={"t": (things, named)}, steps=2)
    off = plane.points[1]
    result = tk.ablate(things, named, HEADS)
    assert off.locality == pytest.approx(result.average().value)
    assert plane.point("away", lambda e: -e).points[-1].agreement < 0.2


def test_it_fills_from_coarse_to_fine(pool, every, val):
    seen = []
    weights = [0, *np.logspace(0, 4, 8)]
    done = []
    found = tk.frontier(
        pool.draw(10), every, HEADS, weights, weights, held_out=val, steps=2,
        each=lambda f: seen.append((f.filled, np.isfinite(f.success[0]).copy())), check=lambda *x: done.append(x),
    )  # fmt: skip
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[0] < 0.5
    assert shares[-1] == 1
    first = seen[0][1]
    assert first[0, 0]
    assert first[8, 8]
    assert found.filled == 1
    assert done[-1] == (81, 81)


numbers = st.lists(st.tuples(*[st.one_of(st.integers(0, 4), st.just(float("nan")))] * 2), max_size=12)


@given(numbers)
def test_pareto_by_brute_force(points):
    x, y = (np.array([p[i] for p in points], float) for i in (0, 1))
    expected = []
    for a, b in zip(x, y, strict=True):
        beaten = any(c >= a and d >= b and (c > a or d > b) for c, d in zip(x, y, strict=True))
        expected.append(bool(np.isfinite(a) and np.isfinite(b) and not beaten))
    assert pareto(x, y).tolist() == expected


def test_band_table_words_and_figures(plane):
    levels, best = plane.band(np.array([0.0, 1.1]))
    assert best[:, 0] == pytest.approx(plane.locality.max((1, 2)))
    assert np.isnan(best[:, 1]).all()
    frame = plane.to_dataframe()
    assert len(frame) == 12
    assert frame["pareto"].sum() == 2 * plane.pareto.sum()
    assert "heads off" in str(plane)
    assert len(levels) == 2
    figure = tk.frontier_plotly(plane)
    assert "frontier" in [trace.name for trace in figure.data]
    assert tk.frontier_matplotlib(plane, "worst", "agreement").axes[0].get_xlabel().startswith("edit success: worst")
    with pytest.raises(tk.InputError, match="measure"):
        plane.of("speed")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"alphas": []}, "no alphas"),
        ({"alphas": 3}, "alphas=3"),
        ({"betas": [-1]}, "betas=-1"),
        ({"alphas": [float("nan")]}, "alphas=nan"),
        ({"steps": "converge"}, "converge"),
        ({"heads": ""}, "no heads"),
        ({"rate": float("nan")}, "rate=nan"),
        ({"rate": -1}, "rate=-1"),
        ({"nonnegative": True, "strategy": "full"}, "nonnegative"),
        ({"heads": [tk.HeadSet.of("L3.H7")] * 2}, "2 head sets for 1 draws"),
    ],
)
def test_bad_arguments(pool, every, val, words, message):
    given = {"heads": HEADS, "held_out": val, "steps": 2} | words
    with pytest.raises(tk.InputError, match=message):
        tk.frontier(pool.draw(10), every, **given)


def test_one_set_as_a_list_is_one_set(pool, every, val):
    draws = [pool.draw(10, seed) for seed in range(2)]
    found = tk.frontier(draws, every, ["L3.H7", "L3.H5"], [1], [1], held_out=val, steps=1)
    assert found.edit(1, 1, 1).settings["heads"] == "L3.H7 L3.H5"
    each = [tk.HeadSet.of("L3.H7"), tk.HeadSet.of("L3.H5")]
    found = tk.frontier(draws, every, each, [1], [1], held_out=val, steps=1)
    assert found.edit(1, 1, 1).settings["heads"] == "L3.H5"
    with pytest.raises(tk.InputError, match="empty list"):
        tk.frontier([], every, HEADS, held_out=val)


def test_long_and_stiff_cells_are_those_of_single_solves_to_the_last_bit(pool, every, val):
    few = pool.draw(10)
    found = tk.frontier(few, every, HEADS, [0, 1e4], [0, 1e4], held_out=val, steps=150)
    made = tk.edit(few, every, HEADS, 0, 1e4, steps=150, held_out=val)
    assert found.success[0, 0, 1] == float(made.success)


def test_on_the_images_edits_are_made_from(pool, every):
    few = pool.draw(10)
    found = tk.frontier(few, every, HEADS, [0, 10], [10], steps=20)
    made = tk.edit(few, every, HEADS, 10, 10, steps=20)
    assert found.success[0, 1, 0] == pytest.approx(float(made.success))
    assert found.locality[0, 1, 0] == pytest.approx(made.history.retained[-1])
    assert "made from" in str(found)


def test_without_other_classes_it_says_so(pool, birds, val):
    with pytest.raises(tk.InputError, match="other classes"):
        tk.frontier(pool.draw(10), birds, HEADS, held_out=val)
