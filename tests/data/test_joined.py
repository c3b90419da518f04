"""Several data sets as one."""

from __future__ import annotations

import numpy as np
import pytest
from data import trees

import toolkit as tk
from toolkit.data.joined import joined


def test_rows_are_those_of_the_parts_in_order():
    a, b = tk.scenes("test", n=4), tk.scenes("val", n=3, seed=2)
    both = joined(a, b)
    assert both.ids.tolist() == [*a.ids, *b.ids]
    assert both.labels.tolist() == [*a.labels, *b.labels]
    assert both.groups.tolist() == [*a.groups, *b.groups]
    assert both.split == "test + val"
    assert np.array_equal(np.asarray(both[5].image), np.asarray(b[1].image))
    some = both.take([6, 0, 5])
    assert some.ids.tolist() == [b.ids[2], a.ids[0], b.ids[1]]
    assert np.array_equal(np.asarray(some.pixels([2])[0]), np.asarray(b[1].image))
    assert both.read(0).image is not None


def test_ids_that_both_use_are_told_apart_and_parts_add_up():
    a = tk.scenes("test", n=3)
    both = joined(a, a, split="twice")
    assert both.ids.tolist() == [f"1:{i}" for i in a.ids] + [f"2:{i}" for i in a.ids]
    model = tk.load()
    found = tk.extract(model, both, progress=False)
    assert (found.embedding[:3] - found.embedding[3:]).abs().max() < 1e-5 * found.embedding.abs().max()
    assert found.split == "twice"


def test_what_is_no_data_set_is_refused():
    with pytest.raises(tk.InputError, match="a list"):
        joined(tk.scenes("test", n=2), [1, 2])
    with pytest.raises(tk.InputError, match="nothing"):
        joined()


def test_attributes_and_masks_of_the_parts_come_along(tmp_path):
    birds = tk.waterbirds(trees.waterbirds(tmp_path / "birds"))
    photos = tk.image_folder(trees.picture(tmp_path / "photos" / "cat" / "1.png").parents[1])
    both = joined(birds, photos)
    water = both.where(place="water")
    assert water.ids.tolist() == birds.where(place="water").ids.tolist()
    assert [m.shape for m in both.masks([0, 1])] == [m.shape for m in birds.masks([0, 1])]
    assert both.boxes([1]) == birds.boxes([1])
    assert both.take([1, 0]).attributes["species"].tolist() == birds.attributes["species"].tolist()[1::-1]
    with pytest.raises(tk.InputError, match="without masks"):
        both.masks([len(both) - 1])
    with pytest.raises(tk.InputError, match="images of a Scenes"):
        joined(birds, tk.scenes("test", n=1)).masks([len(birds)])
    with pytest.raises(tk.InputError, match="whole numbers"):
        both.take([99])
