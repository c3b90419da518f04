"""Scenes: deterministic, labelled truly, masked exactly, and refused in words."""

from __future__ import annotations

import hashlib
import itertools
import time
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from PIL import Image

import toolkit as tk
from toolkit.errors import InputError
from toolkit.organism import shapes
from toolkit.organism.draws import Draws
from toolkit.organism.factors import CLASSES, FACTORS, PLACE_OF
from toolkit.organism.render import render


def test_a_scene_never_depends_on_how_many_were_asked_for():
    few, many = tk.scenes("test", n=7), tk.scenes("test", n=60)
    assert torch.equal(few.pixels(range(7)), many.pixels(range(7)))
    assert torch.equal(many.pixels([41])[0], many.pixels(range(60))[41])
    assert torch.equal(many.take([41, 3]).pixels([0, 1]), many.pixels([41, 3]))
    assert list(few.ids) == list(many.ids[:7])


def test_splits_and_seeds_share_no_image():
    prints = set()
    for split in ("train", "val", "edit", "test"):
        for seed in (0, 1):
            pixels = tk.scenes(split, n=50, seed=seed).pixels(range(50)).numpy()
            prints |= {hashlib.sha256(p.tobytes()).hexdigest() for p in pixels}
    assert len(prints) == 400


def test_one_thread_and_many_paint_the_same_within_one_level():
    threads, rows = torch.get_num_threads(), range(300)  # enough for several pieces of work
    first = tk.scenes("val", n=300).pixels(rows)
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        now = torch.get_num_threads()
        second = tk.scenes("val", n=300).pixels(rows)
        assert torch.get_num_threads() == now
    finally:
        torch.set_num_threads(threads)
    assert (first.int() - second.int()).abs().max() <= 1


def test_pixels_are_those_of_every_other_machine_within_one_level():
    """known_pixels.png shows six scenes as they were painted when this test was written."""
    known = np.asarray(Image.open(Path(__file__).parent / "known_pixels.png")).astype(int)
    pixels = tk.scenes("val", n=6, seed=3).pixels(range(6)).permute(2, 0, 3, 1).reshape(64, 6 * 64, 3)
    assert np.abs(pixels.numpy().astype(int) - known).max() <= 1


def test_labels_groups_and_factors_agree():
    data = tk.scenes("test", n=400)
    factors = data.factors
    assert (factors["class"] == data.labels).all()
    for group, row in zip(data.groups, factors.itertuples(), strict=True):
        name = row._2
        expected = f"{name} on {PLACE_OF[row.background]}" if name in ("waterbird", "landbird") else name
        assert group == expected
    assert factors[~factors["class"].isin(["waterbird", "landbird"])][["neck", "bill", "feet"]].isna().all().all()
    assert set(data.where(label="cat").labels) == {"cat"}
    assert len(data.where(group=["waterbird on land", "landbird on water"])) == sum(
        g in ("waterbird on land", "landbird on water") for g in data.groups
    )


def test_kinds_hold_what_they_say():
    birds, others = tk.scenes("val", n=120, kind="birds"), tk.scenes("val", n=120, kind="unrelated")
    assert {"waterbird", "landbird"} == set(birds.labels)
    assert not {"waterbird", "landbird"} & set(others.labels)
    assert not set(birds.ids) & set(others.ids)
    assert "rho0.9" in tk.scenes("val", n=1, kind="birds", rho=0.9).ids[0]


def test_factors_of_the_factorial_kind_are_independent_of_each_other():
    """Every pair but (class, part): χ² of 6,000 scenes, Bonferroni over the pairs."""
    from scipy.stats import chi2_contingency

    table = tk.scenes("test", n=6000, seed=5, kind="factorial").factors.drop(columns="id")
    parts, pairs = ("neck", "bill", "feet"), list(itertools.combinations(table.columns, 2))
    for a, b in pairs:
        if a == "class" and b in parts:
            continue
        counts = pandas.crosstab(table[a], table[b])
        assert counts.shape == (len(FACTORS[a]), len(FACTORS[b])) or b in parts
        assert chi2_contingency(counts).pvalue > 1e-3 / len(pairs), (a, b)
    birds = table[table["class"].isin(["waterbird", "landbird"])]
    land = (birds["neck"] == "short").astype(int) + (birds["bill"] == "pointed") + (birds["feet"] == "clawed")
    assert ((land >= 2) == (birds["class"] == "landbird")).all()
    assert abs(len(birds) / len(table) - 0.1) < 0.02


def factors_of(**values):
    """One sample per class with every factor fixed."""
    n = len(CLASSES)
    f = {name: np.zeros(n, np.int64) for name in FACTORS} | {"class": np.arange(n)}
    for name, word in values.items():
        f[name][:] = FACTORS[name].index(word)
    for part in ("neck", "bill", "feet"):
        f[part] = np.where(f["class"] < 2, f["class"], -1)
    return Draws("test", 9, np.arange(n)), f


def test_masks_cover_what_changes_with_the_object():
    draws, red = factors_of(colour="red", count="one", size="large", position="centre")
    _, blue = factors_of(colour="blue", count="one", size="large", position="centre")
    a, b = render(draws, red, masks=True), render(draws, blue, masks=True)
    changed = (a.pixels.int() - b.pixels.int()).abs().sum(1) > 24
    near = torch.nn.functional.max_pool2d(a.object[:, None].float(), 5, 1, 2)[:, 0] > 0
    assert not (changed & ~near).any()
    assert ((changed & a.object).sum((1, 2)) / a.object.sum((1, 2))).min() > 0.25
    assert torch.equal(a.object, a.parts > 0)


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_fills_a_good_part_of_the_picture_and_stays_inside(name):
    draws, f = factors_of(colour="red", count="one", size="large", position="centre")
    mask = render(draws, f, masks=True).object[CLASSES.index(name)]
    assert 0.04 < mask.float().mean() < 0.6
    assert not mask[0].any()


def test_birds_have_their_parts_and_they_follow_the_factors():
    draws, f = factors_of(colour="red", count="one", size="large", position="centre")
    parts = render(draws, f, masks=True).parts
    for row in (0, 1):
        for part in ("neck", "bill", "feet", "body"):
            assert (parts[row] == shapes.PARTS.index(part)).sum() > 8, (row, part)
    neck = [(parts[row] == shapes.PARTS.index("neck")).any(1).sum() for row in (0, 1)]
    assert neck[0] > neck[1] + 4  # a long neck is taller


def test_two_and_three_objects_are_counted_by_their_masks():
    from scipy.ndimage import label

    for count, word in ((1, "one"), (2, "two"), (3, "three")):
        draws, f = factors_of(count=word, size="small", position="centre")
        mask = render(draws, f, masks=True).object[CLASSES.index("balloon")]
        found, _ = label(mask.numpy())
        sizes = np.bincount(found.ravel())[1:]
        assert (sizes > 20).sum() == count


def test_samples_are_images_with_names():
    sample = tk.scenes("edit", n=3)[1]
    assert isinstance(sample.image, Image.Image)
    assert sample.image.size == (64, 64)
    assert (sample.id, sample.split) == ("edit-0-000001", "edit")
    assert "rho0.98" in tk.scenes("train", n=1, rho=0.98).ids[0]
    assert repr(tk.scenes("test", n=5)).startswith("Scenes(5 images, split 'test'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "dev"}, "'train', 'val', 'edit', 'test'"),
        ({"n": 0}, "n=0"),
        ({"n": 2.5}, "n=2.5"),
        ({"seed": -1}, "seed=-1"),
        ({"rho": 1.4}, "rho=1.4"),
        ({"birds": -0.1}, "birds=-0.1"),
        ({"kind": "cats"}, "'factorial'"),
        ({"kind": "unrelated", "birds": 0.5}, "birds left out"),
        ({"kind": "factorial", "rho": 0.9}, "rho left out"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        tk.scenes(**arguments)


def test_a_group_that_no_sample_has():
    with pytest.raises(InputError, match="which no sample has"):
        tk.scenes("test", n=5).where(group="penguin on ice")


def test_threads_that_read_at_once_lose_no_picture(monkeypatch):
    """The first readers of a set used to make room for it each, and what one had painted was lost with its room."""
    from concurrent.futures import ThreadPoolExecutor

    from toolkit.organism import scenes as module

    rows = range(8)
    expected = module.render(*tk.scenes("test", n=8)._some(rows)).pixels
    empty, turns = module.torch.empty, itertools.count()

    def slow(*shape, **options):
        found = empty(*shape, **options)
        if shape[0] == len(rows):  # the room: the first to make it has long painted when the next one has his
            time.sleep(0.05 + 0.3 * next(turns))
        return found

    monkeypatch.setattr(module.torch, "empty", slow)
    data = tk.scenes("test", n=8)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda row: data.pixels([row])[0], rows))
    assert torch.equal(torch.stack(found), expected)
    assert torch.equal(data.pixels(rows), expected)
