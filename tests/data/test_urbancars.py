"""UrbanCars: cells, masks, and the gaps of answers about them."""

from __future__ import annotations

import shutil
from collections import Counter

import numpy as np
import pytest
from data import trees

import toolkit as tk


def test_cells_of_every_split(tmp_path):
    root = trees.urbancars(tmp_path)
    for split in ("train", "val", "test"):
        data = tk.urbancars(root, split)
        assert len(data) == 16, "masks and backgrounds are no pictures"
        assert set(Counter(data.groups).values()) == {2}
        assert data.class_names == ("urban car", "country car")
    assert "urban car, country background, urban object" in set(data.groups)
    assert list(data.where(background="urban", co_occur="country", label="urban car").groups) == [
        "urban car, urban background, country object"
    ] * 2  # fmt: skip
    assert list(tk.urbancars(tmp_path).ids) == list(data.ids)
    assert "urban car on urban with urban object 2 instead of 125" in data.notes[0]
    assert "urban car on country with urban object 2 instead of 190" in tk.urbancars(root, "train").notes[0]


def test_masks_are_the_cars(tmp_path):
    data = tk.urbancars(trees.urbancars(tmp_path, ("test",)))
    assert data.boxes([0, 5]) == [(8, 16, 24, 28)] * 2


def test_other_ratios_and_what_is_no_such_tree(tmp_path):
    root = trees.urbancars(tmp_path, ("test",))
    (root / "bg-0.5_co_occur_obj-0.5").rename(root / "bg-0.9_co_occur_obj-0.9")
    assert "read from bg-0.9_co_occur_obj-0.9, not from bg-0.5" in tk.urbancars(root).notes[0]
    assert len(tk.urbancars(root / "bg-0.9_co_occur_obj-0.9")) == 16
    shutil.copytree(root / "bg-0.9_co_occur_obj-0.9", root / "bg-0.8_co_occur_obj-0.8")
    with pytest.raises(tk.InputError, match=r"test in 'bg-0\.8_co_occur_obj-0\.8', 'bg-0\.9"):
        tk.urbancars(root)
    with pytest.raises(tk.InputError, match="no images of 'val' were found"):
        tk.urbancars(tmp_path, "val")
    with pytest.raises(tk.InputError, match="split='all'"):
        tk.urbancars(root, "all")
    (tmp_path / "other" / "val").mkdir(parents=True)
    with pytest.raises(tk.InputError, match="without images in folders such as"):
        tk.urbancars(tmp_path / "other", "val")


def test_gaps_of_answers(tmp_path):
    data = tk.urbancars(trees.urbancars(tmp_path, ("test",)))
    label = np.array([name.split(" ")[0] for name in data.labels])
    right = data.attributes["background"].to_numpy(dtype=object) == label
    found = tk.shortcut_gaps(right, data)
    table = found.table.set_index("measure")
    assert table["value"].round(4).to_dict() == {
        "ID accuracy": 0.95, "BG gap": -0.95, "CoObj gap": 0.05, "BG+CoObj gap": -0.95,
    }  # fmt: skip
    assert table["n"].to_dict() == {"ID accuracy": 16, "BG gap": 4, "CoObj gap": 4, "BG+CoObj gap": 4}
    assert set(table["split"]) == {"test"}
    assert found.to_dataframe().equals(found.table)
    assert list(found.cells["n"]) == [2] * 8
    assert "answers: ID accuracy 95.0" in repr(found)
    assert "BG gap -95.0" in repr(found)
    for bad, message in (
        (right.astype(int), "type int64"), (right[:5], r"shape \[5\]"), ("no", "16 bools"),
        ([[1], [1, 2]], "a list of shape"),
    ):  # fmt: skip
        with pytest.raises(tk.InputError, match=message):
            tk.shortcut_gaps(bad, data)
    with pytest.raises(tk.InputError, match=r"no image of 'country' whose background agrees and whose object agrees"):
        tk.shortcut_gaps(right[2:], data[2:])
    with pytest.raises(tk.InputError, match="without the attributes background and co_occur"):
        tk.shortcut_gaps([True] * 4, tk.scenes("test", n=4))


def test_gaps_of_an_accuracy_are_matched_by_id(tmp_path):
    data = tk.urbancars(trees.urbancars(tmp_path, ("test",)))
    right = np.arange(16) % 3 > 0
    order = np.random.default_rng(0).permutation(16)
    direct = tk.shortcut_gaps(right, data).table.drop(columns="answers")
    matched = tk.shortcut_gaps(tk.accuracy(right[order], split="test", ids=data.ids[order]), data)
    assert matched.table.drop(columns="answers").equals(direct)
    with pytest.raises(tk.InputError, match="8 answers about images that the data does not have"):
        tk.shortcut_gaps(tk.accuracy(right, split="test", ids=data.ids), data[:8])


def test_gaps_of_an_ablation(tmp_path):
    model, data = tk.load(), tk.urbancars(trees.urbancars(tmp_path, ("test",)))
    classes = tk.classes(data.class_names, prompts=[["a bird on water"], ["a bird on land"]])
    result = tk.ablate(tk.extract(model, data, progress=False).attach(model, data), classes, "L0.H0")
    found = tk.shortcut_gaps(result, data)
    assert list(found.found) == ["before", "after"]
    for name, accuracy in (("before", result.before), ("after", result.after)):
        own = tk.shortcut_gaps(np.isin(data.ids, accuracy.right), data)
        assert own.found["answers"] == found.found[name]
    assert len(found.table) == 8
