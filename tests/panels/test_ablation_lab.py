"""AblationLab without a browser: what is asked, what is painted, what is shared; equality with the verbs."""

from __future__ import annotations

import io
import itertools
import threading
import time

import numpy as np
import patience
import pytest
import torch
from PIL import Image

import toolkit as tk
from toolkit.core import sums
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.labs.ablation import AblationSession
from toolkit.signs import counted


@pytest.fixture(scope="module")
def acts():
    return tk.extract(tk.load(), tk.scenes("test", n=240, kind="birds"), progress=False)


@pytest.fixture(scope="module")
def birds():
    return tk.classes(["waterbird", "landbird"])


@pytest.fixture
def lab(acts, birds):
    return tk.AblationLab(acts, birds, engine=Engine())


def painted(lab):
    return np.frombuffer(lab._map, "<f4").reshape(4, 8)


@pytest.mark.parametrize("how", ["zero", "mean"])
def test_groups_are_those_of_ablate(lab, acts, birds, how):
    lab.how = how
    lab.strengths = {"L3.H7": 0.0, (3, 5): 0.5}
    expected = tk.ablate(acts, birds, "L3.H7 L3.H5", how=how, strength=[0.0, 0.5])
    for row, group in zip(lab._groups, expected.groups, strict=False):
        assert (row["name"], row["n"], row["after"]) == (group.group, group.n, group.after)
        assert (row["low"], row["high"]) == (group.low, group.high)
    assert lab._groups[-2]["after"] == expected.worst.value
    assert lab._groups[-1]["after"] == pytest.approx(expected.average().value, abs=1e-12)
    assert lab._confusion["after"] == expected.confusion.counts.ravel().tolist()
    assert lab._confusion["before"] == expected.confusion_before.counts.ravel().tolist()
    assert lab._flips["n"] == {"right": len(expected.right), "wrong": len(expected.wrong)}
    assert [flip["id"] for flip in lab._flips["right"]] == list(expected.right[:12])
    assert lab.heads.heads == ((3, 7), (3, 5))
    assert lab._work == []
    assert lab._facts["shown"] == {"off": lab._off, "how": how, "effect": "direct"}
    assert "L3.H7 off, L3.H5 at 0.5 (" in lab.summary
    assert len(lab.to_dataframe()) == 4


def test_maps_are_those_of_the_verbs(lab, acts, birds):
    pair = ("landbird", "waterbird")
    lab.pair = pair
    scores = tk.locate(acts, birds, *pair)
    for kind in ("A", "−B", "C", "−D"):
        lab.score = kind
        np.testing.assert_allclose(painted(lab), scores.badness(kind[-1]), rtol=1e-5)
    lab.score = "LTC"
    np.testing.assert_allclose(painted(lab), scores.ltc.difference, rtol=1e-5)
    lab.score = "direct"
    np.testing.assert_allclose(painted(lab), tk.head_effects(acts, birds).map(), rtol=1e-4, atol=1e-7)
    lab.score = "text"
    texts, parts = birds.vectors(tk.load()), acts.parts()
    truth, guess = birds.encode(acts.labels), birds.predict(acts.embedding, tk.load()).numpy()
    wrong = (truth == 1) & (guess == 0)
    np.testing.assert_allclose(painted(lab), parts.toward(texts[0] - texts[1])[wrong].mean(0), atol=1e-6)
    lab.text = "water"
    water = tk.load().encode_text("water")[0]
    np.testing.assert_allclose(painted(lab), parts.toward(water)[wrong].mean(0), atol=1e-6)


def test_the_curve_switches_off_the_worst_heads(lab, acts, birds):
    lab.score = "−D"
    curve = lab._curve
    order = tk.HeadSet(tuple(map(tuple, curve["order"])))
    assert order.heads == tk.locate(acts, birds).ranking("d").heads[:15]
    for t in (0, 1, 4):
        found = tk.ablate(acts, birds, order.heads[:t])
        assert curve["worst"][t] == pytest.approx(found.worst.value)
        assert curve["average"][t] == pytest.approx(found.average().value)
    assert all(low <= high for low, high in zip(curve["low"], curve["high"], strict=True))
    assert curve["low"][0] == curve["high"][0] == curve["worst"][0]


def test_random_orders_of_the_curve_by_hand(acts, birds):
    session = AblationSession(acts, birds)
    table = np.arange(32, dtype=float).reshape(4, 8)
    rng = np.random.default_rng(0)
    worst = []
    curve = session.curve(table, "mean")
    for _ in range(curve.orders):
        heads = [(int(i) // 8, int(i) % 8) for i in rng.permutation(32)[:15]]
        worst.append(tk.ablate(acts, birds, heads[:3], how="mean").worst.value)
    assert curve.low[3] == pytest.approx(np.quantile(worst, 0.1))
    assert curve.high[3] == pytest.approx(np.quantile(worst, 0.9))


def test_total_effects_run_the_model(acts, birds):
    acts = acts.take(range(80))  # the model runs once for every head
    lab = tk.AblationLab(acts, birds, engine=Engine())
    lab.heads = "L1.H3"
    direct = lab._groups
    lab.effect = "total"
    expected = tk.ablate(acts, birds, "L1.H3", effect="total")
    assert lab._groups[-2]["after"] == expected.worst.value
    assert lab._groups != direct
    assert lab._facts["effect"] == "total"
    lab.score = "total"
    assert np.isfinite(painted(lab)).all()
    assert painted(lab)[1, 3] == pytest.approx(expected.change.worst.value, abs=1e-6)


def test_algorithm_1_and_all_on(lab, acts, birds):
    lab.pair = ("landbird", "waterbird")
    lab.choose()
    expected = tk.locate(acts, birds, "landbird", "waterbird").choose()
    assert lab.heads == expected
    assert lab._why == expected.why
    lab.by = "worst_group"
    lab.choose()
    assert "worst-group accuracy" in lab._why
    lab.reset()
    assert not len(lab.heads)
    assert lab._why == ""
    lab._asked = [{"id": "x 1", "do": "choose"}, {"id": "x 2", "do": "reset"}]
    assert lab._answered == ["x 1", "x 2"]
    lab.heads = expected
    assert lab._why == expected.why


def test_the_selection_is_shared(lab, acts, birds):
    grid = tk.HeadGrid(np.eye(4, 8), selection=lab.selection)
    lab.head = (2, 3)
    assert grid.selected == ((2, 3),)
    grid.selected = "L1.H1"
    assert lab.head == (1, 1)
    assert not len(lab.heads)  # to look at a head is not to switch it off
    lab.selection.pair = ("waterbird", "landbird")
    assert lab.pair == ("waterbird", "landbird")
    lab.pair = None
    assert lab.selection.pair is None
    lab.selection.pair = ("cat", "dog")  # another panel's classes
    assert lab.pair is None
    lab.image = acts.ids[3]
    assert lab.selection.image == acts.ids[3]


def test_flips_come_with_their_pictures(lab, acts):
    lab.heads = "L3.H7 L3.H5"
    flips = lab._flips
    n = len(flips["right"]) + len(flips["wrong"])
    assert n
    picture = Image.open(io.BytesIO(lab._sheet))
    assert picture.width == 64 * flips["columns"]
    assert flips["right"][0]["change"] in ("waterbird → landbird", "landbird → waterbird")
    assert flips["right"][0]["group"] in set(acts.groups)


def test_without_model_or_images(acts, birds):
    parts = acts.parts()
    bare = tk.from_arrays(
        parts.heads, parts.mlps, parts.constant + parts.biases.sum(1), labels=acts.labels, groups=acts.groups
    )
    vectors = tk.classes(["waterbird", "landbird"], vectors=birds.vectors(acts.model))
    lab = tk.AblationLab(bare, vectors, heads="L3.H7", engine=Engine())
    assert lab._groups[-1]["after"] == tk.ablate(acts, birds, "L3.H7").average().value
    assert lab._facts["live"] is False
    assert lab._sheet == b""
    lab.effect = "total"
    assert "attach" in lab.error
    assert lab._facts["effect"] == "direct"  # what is shown is still the direct effect, and says so
    lab.effect = "direct"
    assert lab.error == ""
    lab.score, lab.text = "text", "water"
    assert "attach" in lab.error


def test_a_class_without_errors(acts, birds):
    right = acts.where(id=list(tk.ablate(acts, birds, "").before.right))
    lab = tk.AblationLab(right, birds, engine=Engine())
    assert (lab.score, lab.error) == ("direct", ""), "of an error there is no score"
    assert np.isfinite(lab._table).all()
    lab.score = "A"
    assert "nothing to do" in lab.error
    assert lab._groups[-1]["before"] == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": "L9.H1"}, "unknown head"),
        ({"pair": ("landbird", "cow")}, "class index"),
        ({"pair": ("landbird", "landbird")}, "two different classes"),
        ({"layers": [7]}, "layers"),
        ({"minority": ["moon"]}, "minority"),
        ({"sccore": "A"}, "did you mean 'score'"),
        ({"head": "L9.H9"}, "unknown head"),
    ],
)
def test_bad_arguments(acts, birds, change, message):
    with pytest.raises(tk.InputError, match=message):
        tk.AblationLab(acts, birds, engine=Engine(), **change)


def test_bad_states_from_anywhere(lab):
    for off in (
        [[0, 99, 0.0]],
        [{"head": [0, 99], "strength": 0.0}],
        [{"head": [3, 7]}],
        [{"head": 3, "strength": 0}],
        [3],
    ):
        with pytest.raises(tk.InputError):
            lab._off = off
    with pytest.raises(tk.InputError):
        lab.strengths = {"L3.H7": float("inf")}
    with pytest.raises(tk.InputError, match="name one of these maps"):
        lab.score = "E"
    for asked in ("B", "-b", "−B"):
        lab.score = asked
        assert lab.score == "−B"
    for pair in (3, "landbird", ("landbird",)):
        with pytest.raises(tk.InputError, match="two different classes"):
            lab.pair = pair
    with pytest.raises(tk.InputError, match="a mapping from heads"):
        lab.strengths = 0.5
    with pytest.raises(tk.InputError, match="from 0"):
        lab.strengths = {"L3.H7": -5.0}
    assert lab._off == []
    lab.strengths = {"L3.H7 L3.H5": 0.5, (3, 7): 0.25}
    assert lab.strengths == {(3, 7): 0.25, (3, 5): 0.5}


def settled(lab):
    for _ in range(3):  # one worker may ask the other
        assert lab.engine.wait(patience.seconds())
        assert lab._fast.wait(patience.seconds())
        assert lab._pictures.wait(patience.seconds())
        assert lab._aside.wait(patience.seconds())
    return True


def test_a_slow_run_can_be_ended_and_keeps_nobody_waiting(acts, birds):
    lab = tk.AblationLab(acts, birds, engine=Worker())
    assert settled(lab)
    started, outcome = threading.Event(), lab._session.outcome

    def slow(scale, how, effect):
        if effect == "direct":
            return outcome(scale, how, effect)
        started.set()
        for _ in counted(itertools.count(), "run", "image"):
            time.sleep(0.001)
        return None

    lab._session.outcome = slow
    lab.effect = "total"
    assert started.wait(patience.seconds())
    lab.score = "C"  # what needs no model does not wait for it
    assert lab._fast.wait(patience.seconds())
    assert lab._map_of["score"] == "C"
    started.clear()
    lab.heads = "L3.H5"  # a newer ask ends the older run
    assert started.wait(patience.seconds())
    lab._asked = [{"id": "y 1", "do": "stop"}]
    assert settled(lab)
    assert lab._work == []
    assert lab._signs["outcome"]["stopped"]
    assert lab._facts["shown"] == {
        "off": [],
        "how": "zero",
        "effect": "direct",
    }  # the browser dims it: something else is asked for
    assert "all heads as they are" in lab.summary
    lab.effect = "direct"
    assert settled(lab)
    assert lab._facts["shown"] == {"off": [{"head": [3, 5], "strength": 0.0}], "how": "zero", "effect": "direct"}
    assert lab._signs == {}
    lab._session.outcome = outcome
    lab.effect = "total"
    assert settled(lab)
    assert lab._facts["shown"]["effect"] == "total"


def test_how_sure_the_map_is(lab, acts, birds):
    lab.pair = ("landbird", "waterbird")
    lab.score = "−B"
    scores = tk.locate(acts, birds, "landbird", "waterbird", resamples=100)
    np.testing.assert_allclose(lab._sure["low"], -scores.interval["b"].high.ravel())
    np.testing.assert_allclose(lab._sure["steady"], scores.stability("b", 15).ravel())
    assert lab._sure["sizes"] == f"|W| = {scores.sizes['W']}; |C| = {scores.sizes['C']}; |A| = {scores.sizes['A']}"
    lab.score = "direct"
    assert lab._sure == {}


def test_found_chosen_and_judged_on_three_sets(acts, birds):
    found, validation, held = (acts.take(list(range(i, len(acts), 3))) for i in range(3))
    lab = tk.AblationLab(found, birds, held_out=held, validation=validation, engine=Engine())
    assert lab.by == "validation"
    assert lab._table == pytest.approx(tk.locate(found, birds, resamples=1).map("−D"))
    lab.choose()
    want = tk.locate(found, birds, resamples=1).choose(validation=validation, lists="−D")
    assert set(lab.heads) == set(want)
    lab.heads = "L3.H7 L3.H5"
    alone = tk.ablate(held, birds, "L3.H7 L3.H5").change
    assert [row["after"] for row in lab._groups[: len(alone.groups)]] == [row.after for row in alone.groups]
    assert f"heads found on {len(found)} others" in lab.summary
    lab.effect = "total"
    assert lab.change.worst.after == tk.ablate(held, birds, "L3.H7 L3.H5", effect="total").change.worst.after


def test_validation_is_no_criterion_without_its_images(acts, birds):
    with pytest.raises(tk.InputError, match="needs validation="):
        tk.AblationLab(acts, birds, by="validation", engine=Engine())
    lab = tk.AblationLab(acts, birds, engine=Engine())
    assert lab.by == "utility"
    assert "validation" not in lab._criteria
    parts = acts.parts()
    bare = tk.from_arrays(
        parts.heads.numpy(), rest=(acts.embedding - parts.heads.sum((1, 2))).numpy(), labels=acts.labels
    )
    with pytest.raises(tk.InputError, match="parts of one model"):
        tk.AblationLab(acts, birds, held_out=bare, engine=Engine())


def test_a_map_that_cannot_be_made_leaves_the_old_one_named(lab, acts, birds):
    lab.score = "C"
    before = lab._map
    lab.pair = ("landbird", "waterbird")
    wrong = list(tk.ablate(acts, birds, "").before.wrong)
    only = tk.AblationLab(acts.where(id=wrong).where(label="landbird"), birds, engine=Engine())
    assert only._map_of["score"] == "A"
    only.score = "C"
    assert "averaging set is empty" in only.error
    assert only._map_of["score"] == "A"  # what is shown; the browser dims it
    assert lab._map != before


def test_errors_of_a_choice_end_with_what_was_asked(acts, birds):
    ids = set(tk.ablate(acts, birds, "").before.wrong)
    keep = [i for i, x in enumerate(acts.ids) if x not in ids or acts.labels[i] == "landbird"]
    lab = tk.AblationLab(acts.take(keep), birds, pair=("waterbird", "landbird"), engine=Engine())
    lab.choose()
    assert "nothing to do" in lab.error
    lab.pair = ("landbird", "waterbird")
    assert lab.error == ""


def test_resampled_heads_and_images_left_out(acts, birds):
    mixed = tk.extract(tk.load(), tk.scenes("test", n=200), progress=False)
    lab = tk.AblationLab(mixed, birds, how="resample", heads="L3.H7", engine=Engine())
    expected = tk.ablate(mixed, birds, "L3.H7", how="resample")
    assert lab._groups[-1]["after"] == pytest.approx(expected.average().value)
    assert expected.before.left_out == expected.confusion.left_out == len(mixed) - lab._facts["n"] > 0
    assert f"{expected.before.left_out} left out (label not in the class set: " in lab.summary
    assert "left out" in str(expected)
    effects = tk.head_effects(mixed, birds, ["L3.H7"], how="resample")
    assert effects.change("average")[0] == pytest.approx(expected.change.average().value)


def test_many_classes_and_groups_stay_small(acts):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 96))
    names = [f"class {i}" for i in range(300)]
    parts, labels = acts.parts(), [f"class {i % 300}" for i in range(len(acts))]
    bare = tk.from_arrays(parts.heads, parts.mlps, parts.constant + parts.biases.sum(1), labels=labels)
    lab = tk.AblationLab(bare, tk.classes(names, vectors=vectors), engine=Engine())
    assert len(lab._groups) == 16
    assert lab._groups_words == "14 of 240 classes, the largest loss first; the sums are of all 240"
    errors, truth, guess = lab._confusion, lab._session.images.truth.numpy(), lab._session.images.guess.numpy()
    assert len(errors["rows"]) == 20
    assert errors["of"] == len({(y, o) for y, o in zip(truth, guess, strict=True) if y != o})
    assert all(row["truth"] != row["guess"] and row["before"] == row["after"] for row in errors["rows"])
    assert len(str(errors)) < 3_000

    lab.find = "class 23 → CLASS 1"
    assert lab._confusion["rows"], "a kind of mistake is found by both names"
    assert all("class 23" in row["truth"] and "class 1" in row["guess"] for row in lab._confusion["rows"])
    assert {row["name"] for row in lab._groups[:-2]} <= {
        name for name in names if "class 23" in name or "class 1" in name
    }
    lab.find = "class 23"
    assert {row["name"] for row in lab._groups[:-2]} <= {name for name in names if "class 23" in name}
    assert lab._groups_words.startswith("11 of 11 classes with “class 23”")
    assert lab._groups[-1]["n"] == len(acts), "the sums are of all"
    lab.find = ""
    chosen = (errors["rows"][3]["truth"], errors["rows"][3]["guess"])
    lab.pair = chosen
    lab.find = "class 7"
    first = lab._confusion["rows"][0]
    assert (first["truth"], first["guess"]) == chosen, "what is chosen stays in sight"

    lab.find, lab.heads = "", "L3.H7 L3.H5"
    lost = [row["after"] - row["before"] for row in lab._groups[:-2]]
    assert lost == sorted(lost)
    grown = [row["after"] - row["before"] for row in lab._confusion["rows"]]
    assert grown[1:] == sorted(grown[1:], reverse=True)
    lab.rank = "gain"
    gained = [row["after"] - row["before"] for row in lab._groups[:-2]]
    assert gained == sorted(gained, reverse=True)
    assert gained[0] >= max(lost)


def test_showing_a_lab_waits_for_its_first_numbers(acts, birds):
    lab = tk.AblationLab(acts, birds)
    data, _ = lab._repr_mimebundle_()
    assert "worst group" in data["text/plain"]


def test_every_head_off_and_doubled(lab, acts, birds):
    lab.heads = [(layer, head) for layer in range(4) for head in range(8)]
    everything = acts.parts().heads.sum((1, 2))
    left = birds.predict(acts.embedding - everything, tk.load()).numpy() == birds.encode(acts.labels)
    assert lab._groups[-1]["after"] == pytest.approx(left.mean())
    lab.strengths = {(3, 1): 2.0}
    assert lab.strengths == {(3, 1): 2.0}


def test_pictures_and_state_size(lab):
    lab.heads = "L3.H7"
    assert Image.open(io.BytesIO(lab.png())).width > 300
    assert len(lab.to_plotly().data) >= 6
    data, _ = lab._repr_mimebundle_()
    assert data["text/plain"].startswith("Heads off: L3.H7 off (zero-ablation, direct effect): worst group")
    state = {name: value for name, value in lab.get_state().items() if name not in ("_esm", "_css")}
    assert sum(len(value if isinstance(value, bytes) else str(value)) for value in state.values()) < 300_000


def test_the_worker_leaves_grad_mode_alone(acts, birds):
    lab = tk.AblationLab(acts, birds)
    assert settled(lab)
    assert torch.is_grad_enabled()


def test_images_too_close_to_call_are_counted_in_the_words(acts, birds, monkeypatch):
    assert "decided in double precision" not in tk.AblationLab(acts, birds, engine=Engine()).summary
    monkeypatch.setattr(sums, "TIE", 0.002)
    lab = tk.AblationLab(acts, birds, engine=Engine(), heads="L3.H7")
    close = lab._outcome.close
    assert 0 < close < len(acts)
    assert f"; {close} with two classes within 1e-6, decided in double precision." in lab.summary
    after = tk.ablate(acts, birds, "L3.H7").after
    assert [row["after"] for row in lab._groups[:-2]] == [group.accuracy for group in after.groups]
