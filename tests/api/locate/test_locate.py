"""`tk.locate` on the built-in model: against the plain loops, pooled, with intervals; and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_loops import literal

import toolkit as tk
from toolkit.api.locate import scores as module

PAIR = {"true": "landbird", "predicted": "waterbird"}


@pytest.fixture(scope="module")
def acts(model):
    return tk.extract(model, tk.scenes("edit", n=160, seed=3, kind="birds"), progress=False)


@pytest.fixture(scope="module")
def scores(acts, birds):
    return tk.locate(acts, birds, **PAIR)


def plain(acts, birds, model):
    parts = acts.parts()
    labels = torch.as_tensor(birds.encode(acts.labels))
    return parts.embedding.double(), parts.heads.double(), labels, birds.vectors(model).double()


def test_one_pair_equals_the_plain_loops(acts, birds, model, scores):
    e, c, labels, texts = plain(acts, birds, model)
    expected = literal.scores(e, c, labels, (e @ texts.T).argmax(1), texts, 1, 0)
    for name in "abcd":
        table = scores.badness(name)
        for (layer, head), value in expected[name.upper()].items():
            assert table[layer, head] == pytest.approx(value, abs=1e-6)  # the store is float32
    assert scores.names == ("a", "b", "c", "d")
    np.testing.assert_array_equal(scores.b, -scores.badness("b"))


def test_the_chosen_set_is_that_of_the_plain_loops(acts, birds, model):
    for seed in range(4):
        some = acts.draw(10, seed=seed)
        expected = literal.locate(*plain(some, birds, model))
        found = tk.locate(some, birds).choose()
        assert set(found) == set(expected.heads)  # two lists may end in one set: rounding decides which order is told
        assert found.utility == pytest.approx(expected.utility, abs=1e-6)


def test_pooled_scores_weigh_pairs_by_their_mistakes(acts, birds):
    both = tk.locate(acts, birds)
    assert [s.pair for s in both.pairs] == [("waterbird", "landbird"), ("landbird", "waterbird")]
    weights = [s.sizes["W"] for s in both.pairs]
    np.testing.assert_allclose(both.a, np.average([s.a for s in both.pairs], axis=0, weights=weights))
    one = tk.locate(acts, birds, true="landbird")
    np.testing.assert_array_equal(one.a, both.pairs[1].a)


def test_intervals_and_ranks_over_the_images(scores):
    for name in "abcd":
        band = scores.interval[name]
        inside = (band.low <= getattr(scores, name)) & (getattr(scores, name) <= band.high)
        assert inside.mean() > 0.9
        assert (band.high > band.low).all()
    assert "200 resamples" in scores.interval["a"].method
    steady = scores.stability("b", top=3)
    assert steady.sum() == pytest.approx(3)
    worst = scores.ranking("b").heads[0]
    assert steady[worst] > 0.8


def test_agreement_and_ltc(scores):
    table = scores.agreement()
    assert list(table.columns) == ["A", "−B", "C", "−D", "LTC"]
    np.testing.assert_allclose(np.diag(table), 1)
    np.testing.assert_allclose(table, table.T)
    assert scores.ltc.wrong.sum() == pytest.approx(1)
    assert scores.ltc.layers == (0, 1, 2, 3)
    frame = scores.to_dataframe()
    assert len(frame) == 32
    assert frame.loc[12, "b"] == scores.b[1, 4]


def test_minority_groups_narrow_the_counts(acts, birds, scores):
    some = tk.locate(acts, birds, **PAIR, minority=["landbird on water", "waterbird on land"])
    assert some.ltc.n[1] < scores.ltc.n[1]
    assert sum(some.ltc.n) == (acts.groups == "landbird on water").sum() + (acts.groups == "waterbird on land").sum()


@pytest.mark.parametrize("by", ["utility", "balanced", "accuracy", "worst_group", "group_mean"])
def test_choices_say_why(scores, by):
    heads = scores.choose(top=6, by=by)
    assert heads.class_set == scores.settings["class_set"]
    assert "prefixes of 4 lists" in heads.why
    assert len(heads) <= 6
    assert heads.utility is not None


def test_without_the_guard_at_least_one_head_goes(scores):
    assert len(scores.choose(top=1, guard=False)) == 1


def test_a_validation_set_decides_by_its_worst_group(model, acts, birds, scores):
    val = tk.extract(model, tk.scenes("val", n=120, kind="birds"), progress=False)
    heads = scores.choose(validation=val)
    assert "worst-group accuracy" in heads.why
    assert "on 120 validation images" in heads.why
    after = tk.ablate(val, birds, heads).worst.value
    assert f"{100 * after:.1f} %" in heads.why
    for t in range(1, 6):
        for name in scores.names:
            assert tk.ablate(val, birds, scores.ranking(name).heads[:t]).worst.value <= after + 1e-9


def test_without_groups_validation_goes_by_the_mean_of_the_classes(birds, scores, acts):
    parts = acts.parts()
    bare = tk.from_arrays(parts.heads, parts.mlps, parts.constant + parts.biases.sum(1), labels=acts.labels)
    with pytest.raises(tk.InputError, match="parts of one model"):
        scores.choose(validation=bare.attach(acts.model))
    own = tk.locate(bare, tk.classes(["waterbird", "landbird"], vectors=birds.vectors(acts.model)), **PAIR)
    np.testing.assert_allclose(own.a, scores.a, atol=1e-6)
    assert "mean group accuracy" in own.choose(validation=bare).why


def test_random_sets_are_the_chance_level(scores):
    heads = scores.choose()
    chance = scores.random(max(1, len(heads)), draws=50)
    assert len(chance.sets) == 50
    assert 0 < chance.p(heads.utility) < 0.1
    assert f"({chance.base:.4f} with nothing off)" in heads.why
    assert set(chance.badness) == {"a", "b", "c", "d"}
    again = scores.random(max(1, len(heads)), draws=50)
    np.testing.assert_array_equal(chance.utility, again.utility)


def test_one_wrong_image_is_enough(acts, birds, scores):
    wrong = np.flatnonzero((acts.labels == "landbird") & np.isin(acts.ids, _wrong(acts, birds)))[:1]
    right = np.flatnonzero(~np.isin(acts.ids, _wrong(acts, birds)))
    few = tk.locate(acts.take([*wrong, *right]), birds, **PAIR)
    assert few.sizes["W"] == 1
    assert "W holds one image" in few.interval["a"].method
    assert np.isfinite(few.a).all()
    assert len(few.choose(top=3)) <= 3


def _wrong(acts, birds):
    return tk.ablate(acts, birds, "L0.H0", strength=1.0).before.wrong


def test_empty_sets_follow_the_rules(acts, birds):
    ids = _wrong(acts, birds)
    only = acts.where(id=list(ids)).where(label="landbird")
    found = tk.locate(only, birds, **PAIR)
    assert found.empty == ("C", "A")
    assert found.names == ("a", "d")
    np.testing.assert_allclose(found.badness("a"), found.badness("d"))
    with pytest.raises(tk.InputError, match="averaging set is empty"):
        found.ranking("b")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"true": "landbird", "predicted": "landbird"}, "two classes"),
        ({"true": "landbrid"}, "perhaps 'landbird'"),
        ({"similarity": "dot"}, "'cosine' or 'inner'"),
        ({"layers": [9]}, "layers"),
        ({"minority": ["moon"]}, "landbird on land"),
        ({"resamples": 0}, "from 1"),
    ],
)
def test_bad_arguments(acts, birds, change, message):
    with pytest.raises(tk.InputError, match=message):
        tk.locate(acts, birds, **change)


def test_half_a_pair(acts, birds, scores):
    """Asked for with one class, a single pair is that pair: its own W, C, A and votes."""
    half = tk.locate(acts, birds, true="landbird")
    assert half.pair == ("landbird", "waterbird")
    assert half.choose(by="balanced") == scores.choose(by="balanced")
    assert half.sizes == scores.sizes


def test_several_classes_pool_all_pairs(model):
    acts = tk.extract(model, tk.scenes("edit", n=900, seed=3), progress=False)
    whole = tk.locate(acts, tk.classes(["waterbird", "landbird", "cat", "snake"]), layers=-2)
    assert sum(s.sizes["W"] for s in whole.pairs) == whole.sizes["W"]
    assert len({s.pair for s in whole.pairs}) == len(whole.pairs) >= 2
    known = ~np.isnan(whole.replicates)
    assert known.any()
    assert whole.a.shape == (2, 8)


def test_raw_types_are_refused_in_words(acts, birds, scores):
    with pytest.raises(tk.InputError, match="parts of a data set"):
        tk.locate(acts.parts(), birds, convention="reference")
    with pytest.raises(tk.InputError, match="parts of a data set"):
        scores.choose(validation=acts.samples)
    with pytest.raises(tk.InputError, match="names of groups"):
        tk.locate(acts, birds, minority=5)
    with pytest.raises(tk.InputError, match="where W is empty"):
        scores.choose(by="balanced", validation=acts.where(label="waterbird"))


def test_nothing_to_do(acts, birds):
    right = acts.where(id=list(tk.ablate(acts, birds, "L0.H0", strength=1.0).before.right))
    with pytest.raises(tk.InputError, match="nothing to do"):
        tk.locate(right, birds)


def test_bad_classes_and_labels(acts, model):
    with pytest.raises(tk.InputError, match="1 class"):
        tk.locate(acts, tk.classes(["landbird"]))
    with pytest.raises(tk.InputError, match="none with a label in the class set"):
        tk.locate(acts, tk.classes(["cat", "dog"]))
    with pytest.raises(tk.InputError, match="a list as classes"):
        tk.locate(acts, ["waterbird", "landbird"])
    with pytest.raises(tk.InputError, match="d = 96"):
        tk.locate(acts, tk.classes(["waterbird", "landbird"], vectors=np.eye(2)))
    with pytest.raises(tk.InputError, match="parts of a data set"):
        tk.locate(acts.parts(), tk.classes(["waterbird", "landbird"]))
    mixed = tk.extract(model, tk.scenes("edit", n=300, seed=3), progress=False)
    found = tk.locate(mixed, tk.classes(["waterbird", "landbird"]))
    assert found.settings["left_out"] == (~np.isin(mixed.labels, ["waterbird", "landbird"])).sum()


@pytest.mark.parametrize("where", ["heads", "rest"])
def test_images_with_nan_are_named(acts, birds, where):
    parts = acts.parts()
    arrays = {"heads": parts.heads.clone(), "rest": (parts.constant + parts.biases.sum(1)).clone()}
    arrays[where][5] = float("nan")
    vectors = tk.classes(["waterbird", "landbird"], vectors=birds.vectors(acts.model))
    with pytest.raises(tk.InputError, match="finite"):  # said where the arrays come in, or where they are used
        tk.locate(tk.from_arrays(arrays["heads"], parts.mlps, arrays["rest"], labels=acts.labels), vectors)


@pytest.fixture(scope="module")
def everything(model):
    """The whole world, of which an error concerns a few images."""
    acts = tk.extract(model, tk.scenes("val", n=900, seed=4), progress=False)
    return acts, tk.classes(sorted(set(acts.labels)))


def test_an_error_reads_the_images_it_is_about_and_no_others(everything, monkeypatch):
    acts, classes = everything
    seen = []
    state = type(acts._store).state
    monkeypatch.setattr(type(acts._store), "state", lambda self, rows, layers=None: (
        seen.append(len(rows) if layers else 0) or state(self, rows, layers)
    ))  # fmt: skip
    scores = tk.locate(acts, classes, **PAIR)
    scores.interval  # noqa: B018 – of the same images
    assert 0 < sum(seen) == sum(scores.sizes.values()) < len(acts) / 2
    seen.clear()
    scores.choose()
    assert sum(seen) == len(acts), "a set is judged on all"


def test_few_images_give_what_all_of_them_give(everything):
    acts, classes = everything
    few, whole = tk.locate(acts, classes, **PAIR), tk.locate(acts, classes, **PAIR)
    whole._session.space  # noqa: B018 – all images, before anything else is asked
    for name in "abcd":
        for table in ("low", "high"):
            ours, theirs = (getattr(scores.interval[name], table) for scores in (few, whole))
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    fresh = tk.locate(acts, classes, **PAIR)
    np.testing.assert_allclose(fresh.map("text"), whole.map("text"), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(tk.locate(acts, classes).raw, _pooled(acts, classes), atol=1e-12)


def _pooled(acts, classes):
    """All mistakes, every pair by itself."""
    pairs = [s.pair for s in tk.locate(acts, classes).pairs]
    one = [tk.locate(acts, classes, *pair) for pair in pairs]
    weights = np.array([[s.sizes["W"]] for s in one], float)
    raw = np.array([s.raw for s in one])
    known = np.isfinite(raw)
    weights = np.broadcast_to(weights[..., None, None], raw.shape) * known
    return (np.where(known, raw, 0) * weights).sum(0) / np.where(weights.sum(0) > 0, weights.sum(0), np.nan)


def test_kinds_of_mistakes_are_listed_and_found(everything):
    acts, classes = everything
    scores = tk.locate(acts, classes, **PAIR)
    table = scores.mistakes()
    assert table["images"].is_monotonic_decreasing
    assert table["images"].sum() == int((scores._session.images.truth != scores._session.images.guess).sum())
    assert set(zip(table["true"], table["predicted"], strict=True)) == set(scores._session.images.mistakes)
    found = scores.mistakes("landbird → water")
    assert found.to_numpy().tolist() == [["landbird", "waterbird", scores.sizes["W"]]]


def test_of_many_pairs_algorithm_1_looks_at_the_most_frequent_and_says_so(everything, monkeypatch):
    acts, classes = everything
    scores = tk.locate(acts, classes)
    every = scores.choose()
    assert "most frequent of" not in every.why
    assert len(scores.lists()) > 4 * 3
    monkeypatch.setattr(module, "LISTED_WORK", 4 * 15 * len(acts) * len(classes) * 3)
    names = {name.split(" (")[-1] for name in scores.lists() if " (" in name}
    often = scores.mistakes()
    assert names == {f"{y} → {o})" for y, o in often.to_numpy()[:2, :2].tolist()}
    assert f"of the 2 most frequent of {len(scores.pairs)} pairs" in scores.choose().why


def test_a_set_that_sends_everything_to_one_class_is_warned_of():
    """R25 App. B: such sets have the best utility now and then. Here one head tells the classes apart, and its images
    are all of one class.
    """
    rng = np.random.default_rng(0)
    texts = np.eye(4)[:2]
    heads = np.zeros((40, 1, 2, 4))
    labels = np.array(["a"] * 36 + ["b"] * 4)
    heads[:, 0, 0, 0] = np.where(np.arange(40) % 2 == 0, 0.5, -0.5)  # half of “a” is taken for “b” by this head alone
    heads[36:, 0, 0] = [0, 0.2, 0, 0]
    rest = np.tile([0.3, 0.1, 0.8, 0.0], (40, 1)) + 0.01 * rng.normal(size=(40, 4))
    e = heads.sum((1, 2)) + rest
    scale = np.linalg.norm(e, axis=1)
    acts = tk.from_arrays(heads / scale[:, None, None, None], rest=rest / scale[:, None], labels=labels)
    scores = tk.locate(acts, tk.classes(["a", "b"], vectors=texts), layers=None, resamples=1)
    with pytest.warns(tk.CollapseWarning, match="sends 100 % of 40 images to 'a'"):
        found = scores.choose(by="accuracy", guard=False)
    assert "It sends 100 % of 40 images to 'a'" in found.why
