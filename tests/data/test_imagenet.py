"""ImageNet-R and -A: names, styles, wrong labels, which classes."""

from __future__ import annotations

import numpy as np
import pytest
from data import trees

import toolkit as tk
from toolkit.data.imagenet_names import class_names


def test_the_class_names_are_told_apart():
    names = class_names()
    assert len(names) == len({name for _, name in names.values()}) == 1000
    assert [index for index, _ in names.values()] == list(range(1000))
    assert list(names) == sorted(names)
    assert names["n01443537"] == (1, "goldfish")
    assert names["n04356056"] == (837, "sunglasses (n04356056)")


def test_imagenet(tmp_path):
    root = trees.imagenet(tmp_path)
    data = tk.imagenet(root)
    assert (len(data), data.split) == (6, "val")
    assert len(tk.imagenet(root, "train", classes=["n02012849"])) == 3
    assert list(tk.imagenet(root / "val").ids) == list(data.ids)
    assert data.class_names == ("tench", "crane bird", "sunglasses (n04356056)")
    assert data.attributes["class_index"].tolist() == [0, 0, 134, 134, 837, 837]
    assert "images 6 instead of 50000, classes 3 instead of 1000" in data.notes[-1]
    assert set(data.labels) <= set(tk.imagenet_classes().names)
    folders = tk.image_folder(root / "val")
    assert set(folders.labels) <= set(tk.imagenet_classes(labels="wnid").names)
    with pytest.raises(tk.InputError, match=r"split='test'"):
        tk.imagenet(root, "test")


def test_the_classes_of_imagenet_as_a_class_set():
    every = tk.imagenet_classes()
    assert len(every) == 1000
    assert len(set(every.prompts)) == 1000, "no two classes are described alike"
    assert every.prompts[0] == ("a photo of a tench",)
    some = tk.imagenet_classes(["goldfish", "n04008634"], "{} in the wild", synonyms=True)
    assert some.names == ("goldfish", "missile (n04008634)")
    assert some.prompts[1] == ("projectile in the wild", "missile in the wild")
    assert tk.imagenet_classes(["goldfish"], labels="wnid").names == ("n01443537",)
    table = tk.imagenet_table()
    assert table["wnid"].tolist() == list(class_names())
    assert "Carassius auratus" in table["synonyms"][1]
    for bad, match in ((["goldfsh"], "goldfish"), ([], "no class")):
        with pytest.raises(tk.InputError, match=match):
            tk.imagenet_classes(bad)
    with pytest.raises(tk.InputError, match="labels="):
        tk.imagenet_classes(labels="index")


def test_imagenet_r(tmp_path):
    root = trees.imagenet_r(tmp_path)
    data = tk.imagenet_r(root)
    assert (len(data), data.split) == (11, "test")
    assert list(tk.imagenet_r(tmp_path).ids) == list(data.ids) == sorted(data.ids)
    assert data.class_names[:2] == ("goldfish", "great white shark")
    assert list(data.labels) == list(data.groups)
    assert data.attributes.loc["n01443537/cartoon_1.JPG"].to_dict() == {
        "wnid": "n01443537", "class_index": 1, "style": "cartoon",
    }  # fmt: skip
    assert data.attributes["style"]["n04356056/odd.jpg"] == ""
    assert len(data.where(style="cartoon")) == 5
    assert "1 images outside of the folders of classes" in " ".join(data.notes)
    assert "images 11 instead of 30000, classes 4 instead of 200" in " ".join(data.notes)
    assert data[0].image.mode == "RGB"


def test_which_classes_of_imagenet_r(tmp_path):
    root = trees.imagenet_r(tmp_path)
    for k, names in ((1, ["goldfish"]), (2, ["goldfish", "great white shark"])):
        assert list(tk.imagenet_r(root, classes=k).class_names) == names
    assert tk.imagenet_r(root, classes=1, by="size").class_names[0].startswith("missile (n04008634)")
    asked = ["great white shark", "n01443537"]
    assert tk.imagenet_r(root, classes=asked).class_names == ("goldfish", "great white shark")
    assert set(tk.imagenet_r(root, classes="goldfish").labels) == {"goldfish"}
    with pytest.raises(tk.InputError, match=r"'goldfsh', of which there is no folder.*did you mean 'goldfish"):
        tk.imagenet_r(root, classes=["goldfsh"])
    with pytest.raises(tk.InputError, match=r"did you mean .*'sunglasses \(n04356056\)'"):
        tk.imagenet_r(root, classes=["sunglasses"])
    with pytest.raises(tk.InputError, match=r"'n01440764', of which there is no folder"):
        tk.imagenet_r(root, classes=["n01440764"])
    with pytest.raises(tk.InputError, match=r"by='cartoons'.*did you mean 'cartoon'"):
        tk.imagenet_r(root, classes=2, by="cartoons")
    for bad in (0, 5):
        with pytest.raises(tk.InputError, match=rf"classes={bad}. Accepted: 1 to 4 classes"):
            tk.imagenet_r(root, classes=bad)
    for bad in (True, 1.5):
        with pytest.raises(tk.InputError, match="None, a number of classes, or a list"):
            tk.imagenet_r(root, classes=bad)
    with pytest.raises(tk.InputError, match="no class"):
        tk.imagenet_r(root, classes=[])


def test_imagenet_a(tmp_path):
    data = tk.imagenet_a(trees.imagenet_a(tmp_path))
    wrong = data.attributes[["wrong_label", "wrong_score"]].T.to_dict("list")
    assert wrong["n02782093/0.003001_balloon _ balloon_0.4695.jpg"] == ["balloon", 0.4695]
    assert wrong["n02782093/0.1_umbrella _ parachute_0.9.JPEG"] == ["parachute", 0.9]
    assert wrong["n02219486/0.000116_digital clock _ digital clock_0.865662.jpeg"] == ["digital clock", 0.865662]
    assert wrong["n02219486/other name.jpg"][0] == ""
    assert np.isnan(wrong["n02219486/other name.jpg"][1])
    assert len(data.where(wrong_label="eel")) == 2
    assert "images 7 instead of 7500, classes 3 instead of 200" in " ".join(data.notes)
    root = tmp_path / "imagenet-a"
    assert list(tk.imagenet_a(root, classes=1).attributes["wnid"].unique()) == ["n02219486"]
    assert sorted(tk.imagenet_a(root, classes=2).attributes["wnid"].unique()) == ["n01498041", "n02219486"]
    with pytest.raises(tk.InputError, match=r"by='cartoon'. Accepted: size"):
        tk.imagenet_a(root, classes=1, by="cartoon")


def test_what_is_no_such_tree(tmp_path):
    with pytest.raises(tk.InputError, match=r"no folders such as n01443537.*the folder imagenet-a"):
        tk.imagenet_a(tmp_path)
    (tmp_path / "n99999999").mkdir()
    with pytest.raises(tk.InputError, match="no file is an image"):
        tk.imagenet_r(tmp_path)
    trees.picture(tmp_path / "n99999999" / "art_1.jpg")
    with pytest.raises(tk.InputError, match="ImageNet-1k does not have: 'n99999999'"):
        tk.imagenet_r(tmp_path)
