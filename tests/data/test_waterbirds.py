"""Waterbirds: its layouts, labels, groups, places, the three mislabelled species, masks."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from data import trees

import toolkit as tk
from toolkit.data.documented import WATERBIRDS

GROUPS = {"landbird on land": 2, "landbird on water": 2, "waterbird on land": 5, "waterbird on water": 2}


@pytest.mark.parametrize("layout", ["group_dro", "wilds", "subpopbench"])
def test_every_layout(tmp_path, layout):
    folder = trees.waterbirds(tmp_path, layout)
    data = tk.waterbirds(folder)
    assert Counter(data.groups) == GROUPS
    assert data.class_names == ("landbird", "waterbird")
    assert data.split == "test"
    assert [f"{label} on {place}" for label, place in zip(data.labels, data.attributes["place"], strict=True)] == list(
        data.groups
    )
    assert ("place_kind" in data.attributes) == (layout != "subpopbench")
    assert set(tk.waterbirds(tmp_path).ids) == set(data.ids)
    assert len(tk.waterbirds(folder, "train")) == len(tk.waterbirds(folder, split="val")) == 8


def test_group_dros_root_is_found(tmp_path):
    folder = trees.waterbirds(tmp_path / "cub" / "data")
    assert tk.waterbirds(tmp_path).root == folder


def test_what_is_known_of_a_bird(tmp_path):
    data = tk.waterbirds(trees.waterbirds(tmp_path))
    kinds = {"land": {"bamboo_forest", "forest/broadleaf"}, "water": {"ocean", "lake/natural"}}
    for place, expected in kinds.items():
        assert set(data.where(place=place).attributes["place_kind"]) == expected
    assert "Red winged Blackbird" in set(data.attributes["species"])
    assert data.ids[0].startswith("009.Brewer_Blackbird/")
    assert list(data.ids) != sorted(data.ids), "the order is the file's"
    assert len(data.where(place="water", label="waterbird")) == 2


def test_the_three_species_are_told_and_mended_when_asked(tmp_path):
    folder = trees.waterbirds(tmp_path)
    before, after = tk.waterbirds(folder), tk.waterbirds(folder, fix_labels=True)
    assert any("3 images of Eastern Towhee" in n and "fix_labels=True makes" in n for n in before.notes)
    assert any("fix_labels made 3 images of Eastern Towhee" in n for n in after.notes)
    changed = {i for i, a, b in zip(before.ids, before.labels, after.labels, strict=True) if a != b}
    assert {i.split("/")[0] for i in changed} == set(trees.TERNS)
    assert Counter(after.groups) == {**GROUPS, "landbird on land": 5, "waterbird on land": 2}
    assert not any("Towhee" in note for note in tk.waterbirds(folder, "val").notes)


def test_counts_that_differ_are_a_note_and_the_documented_ones_add_up(tmp_path):
    assert [sum(counts.values()) for counts in WATERBIRDS.values()] == [4795, 1199, 5794]
    notes = tk.waterbirds(trees.waterbirds(tmp_path), "train").notes
    assert notes == (
        "Counts of the train split differ from the documented ones: landbird on land 2 instead of 3498, landbird on "
        "water 2 instead of 184, waterbird on land 2 instead of 56, waterbird on water 2 instead of 1057.",
    )


def test_masks_are_found_beside_and_elsewhere(tmp_path):
    folder = trees.waterbirds(tmp_path / "birds")
    data = tk.waterbirds(folder)
    assert data.boxes([0, 3]) == [(4, 3, 20, 15)] * 2
    shutil.move(tmp_path / "birds" / "segmentations", tmp_path / "elsewhere" / "segmentations")
    with pytest.raises(tk.InputError, match="read without masks"):
        tk.waterbirds(folder).masks([0])
    for at in (tmp_path / "elsewhere", tmp_path / "elsewhere" / "segmentations"):
        assert tk.waterbirds(folder, segmentations=at).masks([0])[0].sum() == 16 * 12
    with pytest.raises(tk.InputError, match="not a folder"):
        tk.waterbirds(folder, segmentations=tmp_path / "nowhere")


def test_maps_are_measured_against_the_masks(tmp_path):
    data, model = tk.waterbirds(trees.waterbirds(tmp_path, n=1)), tk.load()
    found = tk.localisation(tk.token_map(model, data[:3], "a bird"), data[:3].masks())
    assert found.n == 3


def test_what_is_no_such_data(tmp_path):
    with pytest.raises(tk.InputError, match=r"no metadata\.csv was found.*or waterbirds_v1\.0"):
        tk.waterbirds(tmp_path)
    folder = trees.waterbirds(tmp_path)
    with pytest.raises(tk.InputError, match=r"split='all'. Accepted: train, val, test"):
        tk.waterbirds(folder, "all")
    with pytest.raises(tk.InputError, match="did you mean 'test'"):
        tk.waterbirds(folder, "tset")
    sheet = folder / "metadata.csv"
    words = sheet.read_text()
    for old, new, message in (
        (",0,0,0,", ",2,0,0,", r"y='2' in row 1. Accepted: y one of 0, 1"),
        (",0,0,0,", ",0,3,0,", "split='3' in row 1"),
        ("place,", "where,", "without a column 'place'"), ("img_filename", "image", "without a column 'img_filename'"),
    ):  # fmt: skip
        sheet.write_text(words.replace(old, new, 1))
        with pytest.raises(tk.InputError, match=message):
            tk.waterbirds(folder)
    sheet.write_text("\n".join(line for line in words.splitlines() if ",2,0," not in line and ",2,1," not in line))
    with pytest.raises(tk.InputError, match=r"metadata\.csv without a row of 'test'"):
        tk.waterbirds(folder)


def test_images_that_are_not_there(tmp_path):
    folder = trees.waterbirds(tmp_path)
    shutil.rmtree(folder / trees.TERNS[0])
    with pytest.warns(tk.DataWarning, match=r"waterbirds: 1 of 11 images .*'021\.Eastern_Towhee/"):
        assert len(tk.waterbirds(folder).missing) == 1
