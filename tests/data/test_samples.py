"""Samples: slices, filters, tables; what does not fit is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from toolkit.data.samples import Samples
from toolkit.errors import InputError


class Plain(Samples):
    """Images of different sizes, as PIL images."""

    def __init__(self, n, ids=None):
        self.n = n
        super().__init__(ids or [f"i{k}" for k in range(n)], ["a", "b"] * (n // 2), ["g", "h"] * (n // 2), "val")

    def pixels(self, rows):
        return [Image.new("RGB", (20 + int(self.ids[r][1:]), 30), (int(r), 0, 0)) for r in rows]

    def take(self, rows):
        part = Plain(0)
        part.ids, part.labels, part.groups = self.ids[list(rows)], self.labels[list(rows)], self.groups[list(rows)]
        return part


def test_items_slices_and_iteration():
    data = Plain(6)
    assert [s.id for s in data] == [f"i{k}" for k in range(6)]
    assert data[-1].id == "i5"
    assert [s.id for s in data[1:5:2]] == ["i1", "i3"]
    assert data[3].image.size == (23, 30)
    with pytest.raises(IndexError, match="sample 6 of 6"):
        data[6]


def test_filters_and_table():
    data = Plain(6)
    assert list(data.where(label="a").ids) == ["i0", "i2", "i4"]
    assert len(data.where(label=["a", "b"], group="h")) == 3
    assert list(data.to_dataframe().columns) == ["id", "label", "group", "split"]
    assert "split 'val': g 3, h 3" in repr(data)
    with pytest.raises(InputError, match=r"label='z'.*a, b"):
        data.where(label="z")


def test_lengths_must_agree():
    with pytest.raises(InputError, match="3 ids, 4 labels"):
        Plain(4, ids=["x", "y", "z"])


def test_samples_of_any_size_go_through_the_models_preprocess():
    import families

    import toolkit as tk

    model = tk.wrap(families.build("vit"))
    data = Plain(4)
    parts = tk.decompose(model, data)
    assert parts.ids == ("i0", "i1", "i2", "i3")
    assert np.allclose(parts.embedding, tk.decompose(model, data.pixels(range(4))).embedding)
