"""CelebA: its layouts, any two attributes, the traps of its text files."""

from __future__ import annotations

import pytest
from data import trees

import toolkit as tk
from toolkit.data.celeba import spoken


@pytest.mark.parametrize("layout", ["official", "kaggle", "doubled", "torchvision", "wilds"])
def test_every_layout(tmp_path, layout):
    data = tk.celeba(trees.celeba(tmp_path, layout))
    assert list(data.ids) == [f"{i:06}.jpg" for i in range(9, 13)]
    assert data[0].image.size == (22, 27)
    assert list(data.attributes.columns) == list(trees.NAMES)
    assert set(data.attributes.dtypes.astype(str)) == {"bool"}
    bits = [[bool(i >> k & 1) for k in range(5)] for i in range(8, 12)]
    assert data.attributes.to_numpy().tolist() == bits
    assert list(data.labels) == ["not blond hair", "not blond hair", "blond hair", "blond hair"]
    assert set(data.groups) == {"not blond hair, man", "blond hair, man"}
    assert list(tk.celeba(tmp_path, "train").ids) == [f"{i:06}.jpg" for i in range(1, 5)]


def test_the_official_distribution_has_its_parts_in_folders(tmp_path):
    trees.celeba(tmp_path)
    parts = {"list_attr_celeba.txt": "Anno", "list_eval_partition.txt": "Eval", "img_align_celeba": "Img"}
    for name, part in parts.items():
        (tmp_path / part).mkdir()
        (tmp_path / name).rename(tmp_path / part / name)
    assert len(tk.celeba(tmp_path, "val")) == 4


def test_any_two_attributes(tmp_path):
    data = tk.celeba(trees.celeba(tmp_path), "val", target="Young", attribute="5_o_Clock_Shadow")
    assert data.class_names == ("old", "young")
    assert set(data.groups) == {"old, 5 o clock shadow", "old, not 5 o clock shadow"}
    assert list(data.where(Male=False, Eyeglasses=True).ids) == list(data.ids)
    assert spoken("Male") == ("woman", "man")
    with pytest.raises(tk.InputError, match=r"target='blond_hair'.*did you mean 'Blond_Hair'"):
        tk.celeba(tmp_path, target="blond_hair")
    with pytest.raises(tk.InputError, match=r"attribute='Gender'. Accepted: 5_o_Clock_Shadow"):
        tk.celeba(tmp_path, attribute="Gender")
    with pytest.raises(tk.InputError, match="target and attribute both 'Male'"):
        tk.celeba(tmp_path, target="Male")
    with pytest.raises(tk.InputError, match=r"split='valid'. Accepted: train, val, test.*did you mean 'val'"):
        tk.celeba(tmp_path, "valid")


def test_counts_are_compared(tmp_path):
    notes = tk.celeba(trees.celeba(tmp_path, said=202599)).notes
    assert notes == (
        "list_attr_celeba.txt says it lists 202599 images and lists 12.",
        "Counts of list_attr_celeba.txt differ from the documented ones: attributes 5 instead of 40.",
        "Counts of the test split differ from the documented ones: images 4 instead of 19962.",
    )


def test_without_the_line_of_the_count(tmp_path):
    path = trees.celeba(tmp_path) / "list_attr_celeba.txt"
    path.write_text(path.read_text().split("\n", 1)[1])
    assert len(tk.celeba(tmp_path)) == 4
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert list(tk.celeba(tmp_path).attributes.columns) == list(trees.NAMES)


@pytest.mark.parametrize(
    ("name", "what"),
    [("list_eval_partition.txt", "splits"), ("list_attr_celeba.txt", "attributes"), ("img_align_celeba", "images")],
)
def test_what_is_missing_is_named(tmp_path, name, what):
    trees.celeba(tmp_path)
    (tmp_path / name).rename(tmp_path / "away")
    with pytest.raises(tk.InputError, match=rf"the (list of )?{what} (is|are) missing.*{name.split('.')[0]}"):
        tk.celeba(tmp_path)


def test_names_of_one_list_that_the_other_or_the_disk_does_not_have(tmp_path):
    trees.celeba(tmp_path)
    (tmp_path / "img_align_celeba" / "000012.jpg").unlink()
    with (tmp_path / "list_eval_partition.txt").open("a") as file:
        file.write("000099.jpg 2\n")
    with pytest.warns(tk.DataWarning, match=r"1 of 4 images are not there and are left out: '000012\.jpg'"):
        data = tk.celeba(tmp_path)
    assert data.missing == ("000012.jpg",)
    assert any("1 images of the split have no attributes and are left out (000099.jpg" in note for note in data.notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("list_attr_celeba.txt", "000003.jpg -1", "000003.jpg 3", r"5_o_Clock_Shadow of '000003\.jpg' is 3"),
        ("list_attr_celeba.txt", "000003.jpg -1", "000003.jpg x", "which is no such list"),
        ("list_attr_celeba.txt", "000003.jpg -1", "000003.jpg -1 -1", "which is no such list"),
        ("list_attr_celeba.txt", "000003.jpg -1", "000003.jpg", "which is no such list"),
        ("list_attr_celeba.txt", "000001.jpg -1", "000001.jpg -1 1", "which is no such list"),
        ("list_attr_celeba.txt", "000003.jpg", "000002.jpg", r"'000002\.jpg' twice"),
        ("list_eval_partition.txt", "000003.jpg 0", "000003.jpg 7", "partition='7' in row 3"),
        ("list_eval_partition.txt", "000003.jpg 0", "000003.jpg", r"with the line '000003\.jpg'"),
    ],
)
def test_damaged_lists(tmp_path, name, old, new, message):
    trees.celeba(tmp_path)
    path = tmp_path / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(tk.InputError, match=message):
        tk.celeba(tmp_path)


def test_zeros_and_ones(tmp_path):
    path = trees.celeba(tmp_path, "kaggle") / "list_attr_celeba.csv"
    path.write_text(path.read_text().replace("-1", "0"))
    assert list(tk.celeba(tmp_path).labels) == ["not blond hair", "not blond hair", "blond hair", "blond hair"]
    path.write_text(path.read_text().replace("0,", "-1,", 1).replace("jpg,1", "jpg,-1", 1))
    with pytest.raises(tk.InputError, match="is 0"):
        tk.celeba(tmp_path)
    trees.celeba(tmp_path, "kaggle")
    (tmp_path / "list_eval_partition.csv").write_text("image_id,part\n000001.jpg,0\n")
    with pytest.raises(tk.InputError, match="without a column 'partition'"):
        tk.celeba(tmp_path)


def test_lists_of_different_copies(tmp_path):
    trees.celeba(tmp_path)
    (tmp_path / "list_eval_partition.txt").write_text("a.jpg 2\n")
    with pytest.raises(tk.InputError, match="no image of 'test' with attributes"):
        tk.celeba(tmp_path)
