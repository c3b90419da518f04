"""Gaps of two shortcuts: by hand, by their definition, and what is refused."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core.gaps import MEASURES, urbancars_gaps
from toolkit.core.intervals import wilson
from toolkit.errors import InputError

CELLS = list(product("uc", "uc", "uc"))


def expand(counts):
    """Arrays of answers from (right, n) per cell (label, background, object)."""
    rows = [(k < right, *cell) for cell, (right, n) in counts.items() for k in range(n)]
    return [np.array(column) for column in zip(*rows, strict=True)]


def test_by_hand():
    """a(1,1) = (9/10 + 10/10)/2, a(1,0) = (8/10 + 6/10)/2, a(0,1) = (5/10 + 7/10)/2, a(0,0) = (2/10 + 0/10)/2."""
    right = {
        ("u", "u", "u"): 9, ("c", "c", "c"): 10, ("u", "u", "c"): 8, ("c", "c", "u"): 6, ("u", "c", "u"): 5,
        ("c", "u", "c"): 7, ("u", "c", "c"): 2, ("c", "u", "u"): 0,
    }  # fmt: skip
    found = urbancars_gaps(*expand({cell: (r, 10) for cell, r in right.items()}))
    same = 0.9025 * 0.95 + 0.0475 * 0.7 + 0.0475 * 0.6 + 0.0025 * 0.1
    for name, value in zip(MEASURES, (same, 0.6 - same, 0.7 - same, 0.1 - same), strict=True):
        assert found[name].value == pytest.approx(value, abs=1e-12)
        assert found[name].value in found[name].interval
    assert same == pytest.approx(0.919375)
    assert [found[name].n for name in MEASURES] == [80, 20, 20, 20]
    assert "stratified bootstrap over the 8 cells (2000 replicates, seed 0)" in found["BG gap"].interval.method
    cell = next(c for c in found.cells if (c.label, c.background, c.co_occur) == ("c", False, True))
    assert (cell.n, cell.right, cell.accuracy) == (10, 7, 0.7)


COUNTS = st.integers(1, 12).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=40, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(CELLS, COUNTS)))
def test_by_definition(counts):
    right, label, background, co_occur = expand(counts)
    found = urbancars_gaps(right, label, background, co_occur, replicates=50)

    def a(b, c):
        agree = (background == label) == b, (co_occur == label) == c
        return np.mean([right[(label == one) & agree[0] & agree[1]].mean() for one in "uc"])

    same = sum(w * v * a(b, c) for (b, w), (c, v) in product(((1, 0.95), (0, 0.05)), repeat=2))
    expected = (same, a(0, 1) - same, a(1, 0) - same, a(0, 0) - same)
    assert [found[name].value for name in MEASURES] == pytest.approx(expected, abs=1e-12)
    order = np.random.default_rng(0).permutation(len(right))
    shuffled = urbancars_gaps(right[order], label[order], background[order], co_occur[order], replicates=50)
    assert shuffled == found
    for gap in found.measures:
        assert -1 <= gap.interval.low <= gap.interval.high <= 1


def test_the_interval_covers_and_is_seeded():
    rng, truth = np.random.default_rng(0), dict(zip(CELLS, (0.9, 0.6, 0.7, 0.3, 0.4, 0.8, 0.5, 0.95), strict=True))
    exact = urbancars_gaps(*expand({cell: (round(1000 * p), 1000) for cell, p in truth.items()}))["BG gap"].value
    inside = 0
    for _ in range(200):
        drawn = urbancars_gaps(*expand({c: (rng.binomial(60, p), 60) for c, p in truth.items()}), replicates=300)
        inside += exact in drawn["BG gap"].interval
    assert inside >= 180
    one, other = (urbancars_gaps(*expand(dict.fromkeys(CELLS, (3, 8))), seed=seed) for seed in (1, 2))
    assert one["ID accuracy"].interval != other["ID accuracy"].interval
    assert one == urbancars_gaps(*expand(dict.fromkeys(CELLS, (3, 8))), seed=1)
    narrow = urbancars_gaps(*expand(dict.fromkeys(CELLS, (3, 8))), level=0.5)
    assert narrow["BG gap"].interval.width < one["BG gap"].interval.width


def test_answers_that_do_not_vary_are_not_certain():
    found = urbancars_gaps(*expand({(y, b, c): ((b == y) * 5, 5) for y, b, c in CELLS}))
    for gap in found.measures:
        assert "combined Wilson" in gap.interval.method
        assert gap.interval.width > 0.01
        assert gap.value in gap.interval
    right = urbancars_gaps(*expand(dict.fromkeys(CELLS, (5, 5))))
    short = 1 - wilson(5, 5).low
    weights = {"ID accuracy": 0, "BG gap": 1, "CoObj gap": 1, "BG+CoObj gap": 1}
    same = [0.9025, 0.0475, 0.0475, 0.0025]
    for name, plus in weights.items():
        own = {"BG gap": 2, "CoObj gap": 1, "BG+CoObj gap": 3}.get(name, 0)
        weight = [plus * (i == own) - w if plus else w for i, w in enumerate(same)]
        low, high = (np.sqrt(sum((w * short) ** 2 / 2 for w in weight if w * sign > 0)) for sign in (1, -1))
        limits = (1 - low, 1) if not plus else (-low, high)
        assert (right[name].interval.low, right[name].interval.high) == pytest.approx(limits, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"right": [0.5] * 8}, "right of shape .8. and type float64"),
        ({"right": [2] * 8}, "bools"),
        ({"label": ["u"] * 7}, "7 values of label for 8 answers"),
        ({"label": ["u"] * 8}, "two labels"),
        ({"background": ["sea"] * 8}, r"shortcut values \['sea'\]"),
        ({"background": ["u"] * 8}, "no image of 'c' whose background agrees and whose object agrees"),
        ({"level": 2}, "level=2"),
    ],
)
def test_what_is_refused(change, message):
    right, label, background, co_occur = expand(dict.fromkeys(CELLS, (1, 1)))
    given = {"right": right, "label": label, "background": background, "co_occur": co_occur, **change}
    with pytest.raises(InputError, match=message):
        urbancars_gaps(**given)
    with pytest.raises(InputError, match=r"'gap'. Accepted: 'ID accuracy'"):
        urbancars_gaps(right, label, background, co_occur)["gap"]
