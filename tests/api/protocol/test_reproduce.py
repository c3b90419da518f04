"""`toolkit reproduce waterbirds`, end to end on a miniature tree: the built-in world's birds in Waterbirds' layout."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

import toolkit as tk
from toolkit.api.protocol import published
from toolkit.api.protocol.reproduction import Reproduction
from toolkit.cli import main

SPLITS = {"train": 0, "val": 1, "test": 2}


def written(top, sizes):
    """Scenes of the built-in world as a Waterbirds folder; returns the scenes of each split."""
    tk.teach.waterbirds_folder(top, **sizes, seed=5)
    return {split: tk.scenes("edit" if split == "train" else split, n, 5, kind="birds") for split, n in sizes.items()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    top = tmp_path_factory.mktemp("data")
    data = written(top / "birds", {"train": 160, "val": 120, "test": 400})
    tk.teach.imagenet_r_folder(top, n=500, seed=9)
    return top, data


@pytest.fixture(scope="module")
def result(tree):
    top, _ = tree
    arguments = ["reproduce", "waterbirds", "--data", str(top / "birds"), "--imagenet-r", str(top / "imagenet-r"),
                 "--store", str(top / "parts"), "--sizes", "10,20", "--seeds", "3", "--edit-seeds", "2",
                 "--templates", "plain", "--out", str(top / "found.json"), "--json"]  # fmt: skip
    run = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert run.exit_code == 0, run.output
    assert json.loads((top / "found.json").read_text()) == json.loads(run.stdout)
    return json.loads(run.stdout)


def row(result, name):
    return next(r for r in result["rows"] if r["name"] == name)


def test_the_base_is_what_the_world_itself_gives(tree, result):
    acts = tk.extract(tk.load(), tree[1]["test"], progress=False)
    truth = tk.ablate(acts, tk.classes(["landbird", "waterbird"]), ()).before
    base = row(result, "base")
    assert base["average"] == pytest.approx(truth.average("plain").value)
    assert base["worst"] == pytest.approx(truth.worst.value)
    assert base["others"]["group_mean"] == pytest.approx(truth.average("group_mean").value)
    assert base["average_range"][0] < base["average"] < base["average_range"][1]
    assert base["n"] == result["facts"]["groups"]["landbird on water"] + sum(
        n for g, n in result["facts"]["groups"].items() if g != "landbird on water"
    )
    sizes = {g: float((tree[1]["train"].groups == g).sum()) for g in set(tree[1]["train"].groups)}
    assert base["others"]["train_weighted"] == pytest.approx(truth.average("train_weighted", sizes).value)


def test_rows_are_those_of_the_protocol(result):
    names = [r["name"] for r in result["rows"]]
    assert names == [
        "base",
        *(f"located, {n} a class{how}" for n in (10, 20)
          for how in ("", ", validation", ", guarded", ", guarded, validation")),
        "base, 5 classes", "standard fine-tuning", "edit",
        "standard fine-tuning, ten images of every class", "edit, ten images of every class",
    ]  # fmt: skip
    for r in result["rows"]:
        assert 0 <= r["worst"] <= r["average"] <= 1
        assert r["published"] is None  # the built-in model is in no paper
    assert row(result, "located, 10 a class")["draws"] == 3
    assert row(result, "edit")["draws"] == 2
    assert 0 < row(result, "edit")["extra"]["others"] <= 1
    facts = result["facts"]
    assert (facts["seeds"], facts["sizes"], facts["pool"], facts["prompts"]) == (3, [10, 20], "train", 1)
    said = " ".join(result["notes"])
    for word in ("documented", "none are shown", "R25 does not say from which"):
        assert word in said


def test_located_rows_are_the_steps_done_by_hand(tree, result):
    model, birds = tk.load(), tk.classes(["landbird", "waterbird"])
    data = {split: tk.waterbirds(tree[0] / "birds", split) for split in SPLITS}
    train, val, test = (tk.extract(model, data[s], progress=False) for s in ("train", "val", "test"))
    averages, heads = [], []
    for seed in range(3):
        scores = tk.locate(train.draw(10, seed), birds, resamples=1)
        heads.append(str(scores.choose(validation=val, guard=False, pooled=False)))
        averages.append(tk.ablate(test, birds, heads[-1]).worst.value)
    found = row(result, "located, 10 a class, validation")
    assert found["heads"] == heads
    assert found["worst"] == pytest.approx(np.mean(averages))
    assert found["worst_range"][1] - found["worst"] == pytest.approx(np.std(averages, ddof=1))


def test_the_edit_is_made_from_birds_alone_and_its_heads_are_located_among_its_classes(tree, result):
    """D1 and D2: by hand, from ten images of each class of birds, judged on the images of others that no row was made
    from.
    """
    model = tk.load()
    every = tk.classes(["landbird", "waterbird", *sorted(set(tk.imagenet_r(tree[0] / "imagenet-r").labels))], "plain")
    train, test = (tk.extract(model, tk.waterbirds(tree[0] / "birds", s), progress=False) for s in ("train", "test"))
    other = tk.extract(model, tk.imagenet_r(tree[0] / "imagenet-r", by="cartoon"), progress=False)
    worst, others = [], []
    for seed in range(2):
        few = train.draw(10, seed)
        heads = tk.locate(few, every, resamples=1).choose(guard=False, pooled=False)
        assert str(heads) == row(result, "edit")["heads"][seed]
        edit = tk.edit(few, every, heads, 10, 10)
        texts = every.vectors(model).double()

        def right(acts, edit=edit, texts=texts):
            return edit.logits(acts.embedding.double(), texts).argmax(1).numpy() == every.encode(acts.labels)

        groups = np.asarray(test.groups)
        worst.append(min(right(test)[groups == g].mean() for g in set(groups)))
        each = min(10, min((other.labels == name).sum() for name in set(other.labels)) // 2)
        rest = other.take(np.flatnonzero(~np.isin(other.ids, other.draw(per_class=each, seed=seed).ids)).tolist())
        others.append(right(rest).mean())
    assert row(result, "edit")["worst"] == pytest.approx(np.mean(worst))
    assert row(result, "edit")["extra"]["others"] == pytest.approx(np.mean(others))
    alone, wide = (row(result, f"standard fine-tuning{how}") for how in ("", ", ten images of every class"))
    assert alone["extra"]["others"] < wide["extra"]["others"]  # what images of the other classes hide


def test_the_letter_of_algorithm_1_looks_at_lists_of_one_pair_and_takes_heads_off(tree):
    model, birds = tk.load(), tk.classes(["landbird", "waterbird"])
    train = tk.extract(model, tk.waterbirds(tree[0] / "birds", "train"), progress=False)
    scores = tk.locate(train.draw(10, 0), birds, resamples=1)
    literal, all_lists = scores.lists(pooled=False), scores.lists()
    assert set(literal) < set(all_lists)
    assert len(literal) <= 8
    assert all("→" in name for name in literal)
    assert len(scores.choose(guard=False, pooled=False)) >= 1


def test_a_second_run_takes_the_parts_from_the_store_and_gives_the_same(tree, result, monkeypatch):
    monkeypatch.setattr("toolkit.models.model.Model.trace", lambda *_a, **_k: pytest.fail("a forward was run"))
    found = tk.reproduce_waterbirds(
        tk.load(), tree[0] / "birds", store=tree[0] / "parts", sizes=[10], seeds=3, templates="plain"
    )
    assert isinstance(found, Reproduction)
    assert found.row("located, 10 a class").heads == tuple(row(result, "located, 10 a class")["heads"])
    assert "the edit was not run" in str(found)
    frame = found.to_dataframe()
    assert frame["method"].tolist()[:3] == ["base", "located, 10 a class", "located, 10 a class, validation"]
    assert len(frame) == 5
    with pytest.raises(KeyError, match="there are 'base'"):
        found.row("bass")


def test_the_whole_protocol_of_the_head_lists_equals_means_taken_by_hand(tree, monkeypatch):
    """With a published list invented for the built-in model: G24's row replaces the list, all early heads and every
    MLP by their means.
    """
    monkeypatch.setitem(published._TEXTSPAN, "ViT-B-16", "L3.H7 L3.H5 L2.H1")
    found = tk.reproduce_waterbirds(
        tk.load(), tree[0] / "birds", store=tree[0] / "parts", sizes=[10], seeds=1, templates="plain",
        published_as="ViT-B-16",
    )  # fmt: skip
    acts = tk.extract(tk.load(), tk.waterbirds(tree[0] / "birds"), progress=False)
    birds = tk.classes(["landbird", "waterbird"])
    parts, texts = acts.parts(), birds.vectors(tk.load()).double()
    off = parts.heads[:, 3, 7] + parts.heads[:, 3, 5] + parts.heads[:, 2, 1] + parts.mlps.sum(1)
    changed = parts.embedding.double() - off.double() + off.double().mean(0)
    right = (changed @ texts.T).argmax(1).numpy() == birds.encode(acts.labels)
    assert found.row("TextSpan heads, and all that is early").average == pytest.approx(right.mean())
    alone = tk.ablate(acts, birds, "L3.H7 L3.H5 L2.H1", how="mean")
    assert found.row("TextSpan heads").worst == pytest.approx(alone.worst.value)
    assert found.row("base").published == published.WATERBIRDS["ViT-B-16"]["base"]
    assert "72.8 / 45.6" in str(found)
    assert "79.8 ± 1.2 / 59.8 ± 1.7" in str(found)
    assert "Table 1 has 81.1 / 61.4" in str(found)
    assert np.isnan(found.row("located, 10 a class").worst_range[0])
    assert "(1)" in str(found)
    json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert "G24" in str(found)


def test_published_weights_are_known_by_name_and_tag():
    assert published.weights_of("ViT-L-14:laion2b_s32b_b82k") == "ViT-L-14"
    for other in ("ViT-L-14:openai", "ViT-L-14-336:openai", "ViT-L-14-quickgelu:dfn2b", "ViT-L-14", "m1", "ViT-B-16:x"):
        assert published.weights_of(other) == ""
    assert len(published.textspan_heads("ViT-L-14")) == 15
    assert published.textspan_heads("ViT-B-32") is None


def test_an_edit_that_changes_nothing_costs_nothing(tree):
    found = tk.reproduce_waterbirds(
        tk.load(), tree[0] / "birds", tree[0] / "imagenet-r", store=tree[0] / "parts", sizes=[10], seeds=1,
        edit_seeds=2, steps=0, templates="plain",
    )  # fmt: skip
    base, edit = found.row("base, 5 classes"), found.row("edit")
    assert edit.extra["others"] == pytest.approx(base.extra["others"])
    assert edit.average == pytest.approx(base.average)
    assert all(edit.heads)


def test_unreadable_images_are_noted(tmp_path):
    written(tmp_path, {"train": 60, "val": 40, "test": 60})
    broken = next((tmp_path / "waterbird_complete95_forest2water2").rglob("test_*.png"))
    broken.write_bytes(b"no picture")
    found = tk.reproduce_waterbirds(tk.load(), tmp_path, sizes=[5], seeds=1, templates="plain")
    assert "1 images could not be read" in str(found)
    assert found.row("base").n == 59


def test_a_draw_without_a_mistake_switches_nothing_off_and_says_so(tree):
    sure = {"train": 160, "val": 120, "test": 100}
    data = tree[0] / "sure"
    written(data, sure)
    model = tk.load()
    train = tk.extract(model, tk.waterbirds(data, "train"), progress=False)
    birds = tk.classes(["landbird", "waterbird"], "plain")
    seeds = [s for s in range(40) if not tk.ablate(train.draw(1, s), birds, ()).confusion.counts.diagonal().sum() < 2]
    assert seeds, "some draw of two images is all right"
    found = tk.reproduce_waterbirds(model, data, sizes=[1], seeds=min(40, max(seeds) + 1), templates="plain")
    assert "hold no mistake" in str(found)
    heads = found.row("located, 1 a class").heads
    assert [heads[s] for s in seeds] == [""] * len(seeds)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pool": "test"}, "pool='test'"),
        ({"seeds": 0}, "seeds=0"),
        ({"sizes": [0]}, "sizes=0"),
        ({"sizes": [500]}, "500 images a class from the train split"),
        ({"sizes": 10}, "sizes=10"),
        ({"sizes": []}, "sizes="),
        ({"alpha": -1}, "alpha=-1"),
        ({"steps": 1.5}, "steps=1.5"),
        ({"published_as": "ViT-B-32"}, "published_as"),
        ({"imagenet": "nowhere"}, "imagenet_r"),
    ],
)
def test_refused_in_words_before_anything_runs(tree, change, message, monkeypatch):
    monkeypatch.setattr("toolkit.api.protocol.run.extract", lambda *_a, **_k: pytest.fail("images were read"))
    with pytest.raises(tk.InputError, match=message):
        tk.reproduce_waterbirds(
            tk.load(), tree[0] / "birds", store=tree[0] / "parts", **({"sizes": [10], "templates": "plain"} | change)
        )


@pytest.mark.parametrize("data", [None, 5, tk.scenes("test", n=1)])
def test_data_that_is_no_folder_is_refused(data):
    with pytest.raises(tk.InputError, match="not a folder"):
        tk.reproduce_waterbirds(tk.load(), data, templates="plain")


def test_the_command_refuses_what_is_no_data_set_and_no_number(tmp_path):
    run = CliRunner().invoke(main, ["reproduce", "waterbirds", "--data", str(tmp_path)])
    assert run.exit_code == 1
    assert "metadata.csv" in run.output
    run = CliRunner().invoke(main, ["reproduce", "waterbirds", "--data", str(tmp_path), "--sizes", "ten"])
    assert run.exit_code == 1
    assert "--sizes 10,20,30" in run.output
