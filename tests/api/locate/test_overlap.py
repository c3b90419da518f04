"""`scores.overlap`: ranked lists beside each other."""

from __future__ import annotations

import numpy as np
import pytest

import toolkit as tk
from toolkit.api.locate.overlap import Overlap

LISTS = Overlap({"A": [(3, 1), (3, 2), (2, 0)], "C": [(3, 2), (2, 0)], "D": [(2, 0), (1, 1), (3, 2)]})


def test_hand_made_lists():
    assert str(LISTS.shared) == "L2.H0 L3.H2"
    assert LISTS.ranks["C"].tolist() == ["L3.H2", "L2.H0", ""]
    table = LISTS.table.set_index("head")
    assert table.index.tolist() == ["L2.H0", "L3.H2", "L3.H1", "L1.H1"]
    assert table.loc["L2.H0", ["A", "C", "D", "lists"]].tolist() == [3, 2, 1, 3]
    assert np.isnan(table.loc["L1.H1", "A"])
    assert "in all of them: L2.H0 L3.H2" in str(LISTS)


def test_the_lists_of_the_scores_with_their_texts(pool, birds):
    scores = tk.locate(pool, birds, true="landbird", predicted="waterbird", resamples=1)
    found = scores.overlap(6)
    assert {name: len(heads) for name, heads in found.lists.items()} == dict.fromkeys("ABCD", 6)
    for name in ("A", "C"):
        assert found.lists[name] == list(scores.ranking(name).heads[:6])
    spans = tk.textspan(pool, "world", size=4)
    table = found.with_texts(spans, 3)
    first = table.iloc[0]
    assert [first[f"text {i}"] for i in (1, 2, 3)] == spans.head(first["head"])["text"].tolist()[:3]


def test_bad_input(pool, birds):
    scores = tk.locate(pool, birds, true="landbird", predicted="waterbird", resamples=1)
    with pytest.raises(tk.InputError, match="top"):
        scores.overlap(0)
    with pytest.raises(tk.InputError, match="k=0"):
        scores.overlap(3).with_texts(None, 0)
    with pytest.raises(tk.InputError, match="one head of layers"):
        scores.overlap(15).with_texts(tk.textspan(pool, "world", size=2, layers=[0]))
