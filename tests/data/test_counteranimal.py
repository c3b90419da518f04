"""CounterAnimal: kinds, order, names that occur twice."""

from __future__ import annotations

import pytest
from data import trees

import toolkit as tk


def test_it_is_read_in_the_order_of_class_and_path(tmp_path):
    data = tk.counteranimal(trees.counteranimal(tmp_path))
    assert list(data.attributes["class_index"]) == [9] * 4 + [102] * 4 + [134] * 2 + [517] * 2
    assert list(data.ids[:4]) == [
        "9 ostrich/common ground/a.jpg", "9 ostrich/common ground/b.JPG",
        "9 ostrich/counter water/a.jpg", "9 ostrich/counter water/b.JPG",
    ]  # fmt: skip
    assert data.class_names == ("ostrich", "echidna", "crane (134)", "crane (517)")
    assert list(data.groups[:4]) == ["common", "common", "counter", "counter"]
    assert data.attributes["place"].iloc[-1] == "counter-sky"
    assert data.split == "all"
    assert set(tk.counteranimal(tmp_path).ids) == set(data.ids)
    assert data.notes == (
        "Folders that are hidden or of the system were left out, and 2 pictures in them: '.hidden', '__MACOSX'.",
        "Images outside of folders with common or counter in their names: '102 echidna/undecided/1.jpg'; left out.",
        "Counts of the images differ from the documented ones: classes 4 instead of 45, common 6 instead of 7174, "
        "counter 6 instead of 5926.",
    )


def test_one_kind(tmp_path):
    root = trees.counteranimal(tmp_path)
    common = tk.counteranimal(root, "mine", kind="common")
    assert set(common.groups) == {"common"}
    assert common.class_names == ("ostrich", "echidna", "crane (134)")
    assert common.split == "mine"
    with pytest.raises(tk.InputError, match=r"kind='rare'. Accepted: common, counter"):
        tk.counteranimal(root, kind="rare")
    with pytest.raises(tk.InputError, match="write kind='counter'"):
        tk.counteranimal(root, "counter")


def test_what_is_no_such_tree(tmp_path):
    with pytest.raises(tk.InputError, match="no folders such as '102 echidna'"):
        tk.counteranimal(tmp_path)
    trees.picture(tmp_path / "1 goldfish" / "common" / "1.jpg")
    with pytest.raises(tk.InputError, match=r"kind='counter', of which there is none. Accepted: common"):
        tk.counteranimal(tmp_path, kind="counter")
