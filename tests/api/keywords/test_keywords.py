"""`tk.keywords`: the fan's values, exact splits, what can be done with keywords, bad input."""

from __future__ import annotations

import fan
import numpy as np
import pandas as pd
import pytest
import torch

import toolkit as tk
from toolkit.data.classes import ClassWarning

TEXTS = {
    "water": fan.WATER, "forest": fan.LAND, "cat": fan.TEXTS[2], "bird axis": fan.unit([-1, 0, 1, 0]),
    "webbed feet": fan.unit([1, 0, 1, 0]),
}  # fmt: skip


@pytest.fixture(scope="module")
def landbirds():
    return tk.keywords(fan.acts(*fan.RAW), fan.classes(), tk.bank(np.stack(list(TEXTS.values()))), true="landbird")


@pytest.fixture(scope="module")
def found(model, pool, birds):
    return tk.keywords(pool, birds, true="landbird", draws=500)


class TestFan:
    @pytest.mark.parametrize(
        ("name", "score"),
        [("water", 67.393592), ("forest", -69.093439), ("cat", -4.077909), ("bird axis", -7.272146)],
    )
    def test_scores(self, landbirds, name, score):
        assert landbirds.raw.score[list(TEXTS).index(name)] == pytest.approx(score, abs=5e-7)

    @pytest.mark.parametrize(
        ("name", "raw", "residual", "left"),
        [
            ("water", 67.393592, 40.672354, 0.891674), ("forest", -69.093439, -42.578710, 0.891674),
            ("webbed feet", 5.572299, -37.851927, 0.839594),
        ],
    )  # fmt: skip
    def test_without_the_pair(self, landbirds, name, raw, residual, left):
        at = list(TEXTS).index(name)
        assert landbirds.raw.score[at] == pytest.approx(raw, abs=5e-7)
        assert landbirds.residual.score[at] == pytest.approx(residual, abs=5e-7)
        assert landbirds.left[at] == pytest.approx(left, abs=5e-7)

    def test_tests_of_water(self, landbirds):
        assert landbirds.raw.t[0] == pytest.approx(15.606640, abs=5e-7)
        assert landbirds.p[0] == pytest.approx(1 / 6)
        assert landbirds.splits == 6

    def test_water_over_the_planted_heads(self, landbirds):
        split = landbirds.split("text 0")
        assert split.heads[0] == pytest.approx([68.243516, 0], abs=5e-7)
        assert split.rest == pytest.approx(-0.849923, abs=5e-7)
        assert split.heads.sum() + split.rest == pytest.approx(split.score)

    def test_suspicion_of_water(self):
        of = tk.bank(np.stack([fan.WATER, fan.LAND]))
        table = tk.label_suspects(fan.acts(*fan.RAW), fan.classes(), of, least=1).table
        row = table[(table["true"] == "landbird") & (table["predicted"] == "waterbird")].iloc[0]
        assert row["keyword"] == "text 0"
        assert row["suspicion"] == pytest.approx(0.329332, abs=5e-7)

    def test_fewer_than_ten_are_said(self, landbirds):
        assert not landbirds.enough
        assert not landbirds.table["enough"].any()
        assert "fewer than 10 wrong images" in str(landbirds)
        assert "below 10" in landbirds.notes[0]

    def test_the_pair_takes_the_background_away(self, landbirds):
        few = fan.acts(*fan.SHOTS)
        made = landbirds.as_pair("text 0", "text 1").fit(few, fan.classes())
        hand = tk.methods.RoboShot(np.stack([[fan.WATER, fan.LAND]])).fit(few, fan.classes())
        acts = fan.acts(*fan.BIRDS)
        np.testing.assert_allclose(made.scores(acts, 1.0), hand.scores(acts, 1.0), atol=1e-9)

    def test_groups_by_the_nearest_set(self, landbirds):
        acts = fan.acts(*fan.BIRDS)
        groups = landbirds.as_groups(acts, {"water": ["text 0"], "land": ["text 1"]})
        assert groups == [f"{fan.LABEL[n]}, {'water' if n[1] == 'W' else 'land'}" for n in fan.BIRDS]
        fitted = tk.methods.GroupDRO().fit(acts, fan.classes(), groups=groups)
        assert "8 group labels" in str(fitted)


def test_a_score_is_the_sum_of_the_parts_of_the_model(found, pool, birds):
    """Against the parts themselves, one image at a time."""
    text = found.table["text"][0]
    vector = found.vectors[found.at(text)].double()
    ids = pool.ids.tolist()
    parts = pool.parts()
    rows = [[ids.index(i) for i in some] for some in (found.wrong, found.right)]
    along = [torch.stack([parts.heads[r].double() @ vector for r in some]).mean(0) for some in rows]
    split = found.split(text)
    np.testing.assert_allclose(split.heads, 100 * (along[0] - along[1]), atol=2e-5)
    e = pool.embedding.double() @ vector
    assert split.score == pytest.approx(100 * float(e[rows[0]].mean() - e[rows[1]].mean()), abs=1e-6)
    assert split.heads.sum() + split.rest == pytest.approx(split.score)


def test_the_built_in_world_tells_of_its_shortcut(found):
    top = found.top(2)["text"].tolist()
    assert {"a sea background", "the lake"} & set(top)
    assert found.circular
    assert "circular" in str(found)
    split = found.split(top[0])
    worst = np.argsort(-split.heads, axis=None)[:3].tolist()
    assert 3 * 8 + 7 in worst, "L3.H7, a head of the background"
    row = found.table.iloc[0]
    assert row["acc1"] < row["acc0"]
    assert row["q"] < 0.05
    assert row["flag"] == "S"
    wrong, right = found.images(top[0], 3)
    assert set(wrong) <= set(found.wrong)
    assert set(right) <= set(found.right)


def test_uses_begin_at_the_model_and_cure(found, pool, every, val):
    few = pool.draw(10, seed=1)
    prompts = found.as_prompts()
    assert prompts.contexts[0] == ""
    assert len(prompts.contexts) == 4
    compared = tk.comparison(few, every, [found.as_pair(), prompts], held_out=val)
    base = compared["as it is"].points()["worst"].mean()
    for name in ("RoboShot", "context ensemble"):
        start = compared[name].paths["worst"][0, 0]
        assert start == pytest.approx(base)
        assert compared[name].points()["worst"].mean() > base


def test_a_planted_word_is_found_in_other_worlds():
    """Images are wrong where they hold something: a text for it comes first, and its head holds the score."""
    rng = np.random.default_rng(4)
    d, n = 16, 120
    texts = fan.unit(rng.standard_normal((3, d)))
    cue = fan.unit(texts[1] + rng.standard_normal(d))
    others = fan.unit(rng.standard_normal((20, d)))
    here = np.arange(n) % 3 == 0
    heads = np.zeros((n, 2, 3, d))
    heads[:, 1, 2] = 0.9 * here[:, None] * cue
    rest = texts[0] + 0.05 * rng.standard_normal((n, d))
    acts = tk.from_arrays(heads, rest=rest, scale="raw", labels=["a"] * n, ids=[str(i) for i in range(n)])
    classes = tk.classes(["a", "b", "c"], vectors=texts)
    guess = np.where(here, 1, 0)
    found = tk.keywords(acts, classes, tk.bank(np.vstack([others, cue])), true="a", guess=guess, draws=300)
    assert not found.circular
    assert found.table["text"][0] == "text 20"
    split = found.split("text 20")
    assert np.unravel_index(split.heads.argmax(), split.heads.shape) == (1, 2)
    assert found.table["q"][0] < 0.05
    assert found.presence.right1[20] == 0


class TestCaptions:
    def captions(self, acts):
        return {name: "a bird in a pond" if group.endswith("water") else "a bird among trees"
                for name, group in zip(acts.ids, acts.groups, strict=True)}  # fmt: skip

    def test_phrases_are_ranked_and_scored(self, pool, birds, tmp_path):
        told = self.captions(pool)
        path = tmp_path / "captions.csv"
        pd.DataFrame({"id": list(told), "caption": list(told.values())}).to_csv(path, index=False)
        with pytest.warns(ClassWarning, match="words the model does not know: 'pond'"):
            unknown = tk.keywords(pool, birds, true="landbird", captions=path, draws=100)
        assert "pond" not in unknown.texts
        words = {name: text.replace("pond", "lake").replace("trees", "forest") for name, text in told.items()}
        words = {name: text.replace("among", "in the") for name, text in words.items()}
        found = tk.keywords(pool, birds, true="landbird", captions=words, draws=200)
        table = found.table.set_index("text")
        assert table["odds"].idxmax() == "lake"
        assert table.loc["lake", "score"] > 0
        wrong = [name for name in found.wrong if "lake" in words[name]]
        right = [name for name in found.right if "lake" in words[name]]
        assert table.loc["lake", "n1"] == len(wrong) + len(right)

    def test_captions_of_other_images_and_without_ids(self, pool, birds):
        with pytest.raises(tk.InputError, match="none of them looked at"):
            tk.keywords(pool, birds, true="landbird", captions={"elsewhere": "a lake"})
        with pytest.raises(tk.InputError, match="captions without ids belong to no image"):
            tk.keywords(pool, birds, true="landbird", captions=["a lake"])
        with pytest.raises(tk.InputError, match="'id'"):
            tk.keywords(pool, birds, true="landbird", captions=pd.DataFrame({"name": ["x"], "caption": ["a lake"]}))

    def test_images_without_a_caption_are_counted(self, pool, birds):
        told = dict.fromkeys(pool.ids.tolist(), "a bird on a lake")
        gone = [name for name, label in zip(pool.ids, pool.labels, strict=True) if label == "landbird"][:5]
        for name in gone:
            del told[name]
        found = tk.keywords(pool, birds, true="landbird", captions=told, draws=100)
        assert any("5 of" in note and "have no caption" in note for note in found.notes)


class TestBadInput:
    def test_unknown_words_are_left_out_and_said(self, pool, birds):
        with pytest.warns(ClassWarning, match="talons"):
            found = tk.keywords(pool, birds, ["water", "talons"], true="landbird", draws=100)
        assert found.texts == ("water",)
        assert any("1 of 2 keywords left out" in note for note in found.notes)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"true": "cat"}, "cat"), ({"share": 0}, "share"), ({"draws": 3}, "draws"),
            ({"template": "a photo"}, "template"), ({"guess": np.zeros(3, int)}, "guess"),
            ({"true": "landbird", "predicted": "landbird"}, "both"),
            ({"of": ["water"], "captions": {"x": "y"}}, "one of the two"),
        ],
    )  # fmt: skip
    def test_it_says_what_is_wrong(self, pool, birds, arguments, said):
        with pytest.raises(tk.InputError, match=said):
            tk.keywords(pool, birds, **arguments)

    def test_nothing_wrong_or_nothing_right(self, pool, birds):
        truth = np.array([birds.index(label) for label in pool.labels])
        with pytest.raises(tk.InputError, match="all right"):
            tk.keywords(pool, birds, guess=truth)
        with pytest.raises(tk.InputError, match="none right"):
            tk.keywords(pool, birds, guess=1 - truth, true="landbird")

    def test_another_keyword_is_refused_with_those_there_are(self, found):
        with pytest.raises(tk.InputError, match="the lake"):
            found.split("lake")
        with pytest.raises(tk.InputError, match="two keywords"):
            found.as_pair("the lake", "the lake")
        with pytest.raises(tk.InputError, match="two or more"):
            found.as_groups(None, {"one": ["the lake"]})

    def test_no_pair_with_so_many_mistakes(self, pool, birds):
        with pytest.raises(tk.InputError, match="no pair of classes with 5000"):
            tk.label_suspects(pool, birds, least=5000)


def test_only_what_was_taken_for_one_class(model):
    acts = tk.extract(model, tk.scenes("val", 400, 3), progress=False)
    every = tk.classes(sorted(set(acts.labels)))
    both = tk.keywords(acts, every, ["water", "land"], true="landbird", draws=100)
    one = tk.keywords(acts, every, ["water", "land"], true="landbird", predicted=both.predicted, draws=100)
    assert set(one.wrong) <= set(both.wrong)
    assert one.right == both.right
    guess = dict(zip(acts.ids, every.encode(acts.labels), strict=True))
    assert guess
