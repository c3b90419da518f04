"""Every method on the fan, whose answers are known, and on random worlds, where identities hold."""

from __future__ import annotations

import math

import fan
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import toolkit as tk

M = tk.methods
PLACES = np.array([[fan.WATER, fan.LAND]])
BIRD_AXIS = np.array([[fan.unit([1, 0, 1, 0]), fan.unit([-1, 0, 1, 0])]])
SPURIOUS = np.array([fan.LAND, fan.WATER])
PAIRS = fan.IN_PLACES[:2, ::-1].copy()
EVERY = tuple(fan.RAW)

FAN = [
    (M.AsItIs(), None, None, "00110111221"),
    (M.HeadsOff("L0.H0"), 0.0, None, "00001111222"),
    (M.Edit(10, 10, "L0.H0", logit_scale=20), 100.0, None, "00001111222"),
    (M.TipAdapter(), 1.0, None, "00110111221"),
    (M.TipAdapter(), 1.17, 1.0, "00110111221"),
    (M.TipAdapter(), 10.0, None, "00011111221"),
    (M.TipAdapter(), 10.0, 50.0, "00011111221"),
    (M.TipAdapter(), 100.0, None, "00001111201"),
    (M.Probe(20), 10.0, None, "00011111221"),
    *((M.Probe(20), lam, None, "00001111221") for lam in (1.0, 0.1, 0.01)),
    (M.RoboShot(PLACES), 0.5, None, "00011111221"),
    (M.RoboShot(PLACES), 1.0, None, "00001111222"),
    (M.RoboShot(PLACES, BIRD_AXIS), 1.0, 1.0, "00001111221"),
    *((M.OrthoCali(SPURIOUS, PAIRS), 1.0, lam, "00001111222") for lam in (0.0, 1.0, 1000.0)),
    (M.OrthoCali(SPURIOUS, PAIRS), 0.0, 1000.0, "00001111222"),
    (M.OrthoCali(SPURIOUS, PAIRS), 0.25, 0.0, "00011111221"),
    (M.OrthoCali(SPURIOUS, PAIRS), 0.5, 0.0, "00011111221"),
    (M.OrthoCali(SPURIOUS, PAIRS), 0.0, 1.0, "00011111221"),
    (M.OrthoCali(SPURIOUS, span="differences", lam=0), 1.0, None, "00001111221"),
    (M.ContextEnsemble(fan.IN_PLACES), 1.0, None, "00001111221"),
    (M.GroupPrompts(fan.IN_PLACES), 1.0, None, "00001111221"),
    (M.PerceptionCLIP(fan.CONTEXTS), 0.25, 1.0, "00011111221"),
    *((M.PerceptionCLIP(fan.CONTEXTS), 1.0, t, "00001111221") for t in (0.1, 1.0, 10.0, math.inf)),
    *((M.PerceptionCLIP(fan.CONTEXTS), 0.5, t, "00001111221") for t in (0.1, 1.0, 10.0)),
    (M.Probe(20, on="L0.H0"), 1.8, None, "00001111221"),
    (M.ConceptHeads(np.array([fan.WATER]), k=1), 0.0, None, "00001111222"),
]
WIDER = [
    (M.BalancedProbe(20), fan.UNBALANCED, 0.1),
    (M.GroupDRO(20), fan.UNBALANCED, 0.1),
    *((M.JTT(20, up=up), fan.UNBALANCED, 0.1) for up in (1, 5, 20, 100)),
    (M.MIClip(), fan.BIRDS, 1.0),
    (M.MIClip(), fan.BIRDS, 2.0),
    (M.MIClip(score="mi"), fan.BIRDS, 1.0),
]


def answers(scores):
    return "".join(map(str, scores.argmax(1).tolist()))


@pytest.mark.parametrize(("method", "value", "second", "expected"), FAN, ids=lambda x: str(x)[:40])
def test_the_fan_table(method, value, second, expected):
    fitted = method.fit(fan.acts(*fan.SHOTS), fan.classes())
    assert answers(fitted.scores(fan.acts(*EVERY), value, second=second)) == expected


@pytest.mark.parametrize(("method", "names", "value"), WIDER, ids=lambda x: str(x)[:40])
def test_the_fan_table_from_other_shots(method, names, value):
    fitted = method.fit(fan.acts(*names), fan.classes())
    assert answers(fitted.scores(fan.acts(*EVERY), value)) == "00001111221"


def near(found, expected, digits=6):
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=0, atol=0.6 * 10**-digits)


def test_numbers_of_the_fan():
    few, classes, one = fan.acts(*fan.SHOTS), fan.classes(), fan.acts("LW2")
    near(M.TipAdapter().fit(few, classes).scores(one, 10.0)[0], (80.916768, 90.163474, 50.709255))
    near(M.RoboShot(PLACES).fit(few, classes).scores(one)[0], (0.968208, 0.858600, 0.588348))
    near(M.RoboShot(PLACES).fit(few, classes).leak("landbird", "waterbird"), [0.640184])
    near(M.Probe(20).fit(few, classes).scores(one, 1.0)[0], (0.804419, 0.776279, 0.500905))
    cali = M.OrthoCali(SPURIOUS, lam=0).fit(few, classes)
    near(cali.norm_kept, (0.279448, 0.279448, 0.8))
    near(cali.linear(1.0)[1][0], (-1, 0, 0, 0))
    off = M.Probe(20, on="L0.H0").fit(few, classes)
    even, pull = np.full(4, 0.25), np.full(3, 0.1)
    near(off.problem.losses(off.problem.solve(even, pull), even, pull).objective, 0.002202)
    un = M.JTT(20).fit(fan.acts(*fan.UNBALANCED), classes)
    wrong = un.method.mistakes(un.problem, un.shots)
    assert [name for name, bad in zip(fan.UNBALANCED, wrong, strict=True) if bad] == ["LW1", "WL1"]
    for up, objective in ((1, 0.007651), (5, 0.008879), (20, 0.009178), (100, 0.009239)):
        weights = np.where(wrong, float(up), 1.0)
        weights /= weights.sum()
        near(un.problem.losses(un.problem.solve(weights, pull), weights, pull).objective, objective)
    edit = M.Edit(10, 10, "L0.H0", logit_scale=20).fit(few, classes)
    near(edit.theta(100), (1.4059, 0.5551, 0.5953, 1.0), 4)


@pytest.mark.parametrize(
    ("which", "temperature", "expected"),
    [
        ("targets", 0.1, (0.999687, 0.000313, 0)),
        ("targets", 1, (0.999686, 0.000314, 0)),
        ("targets", 10, (0.813018, 0.181112, 0.005870)),
        ("targets", math.inf, (0.333230, 0.333437, 0.333333)),
        ("all", 1, (0.999686, 0.000314, 0)),
        ("all", 10, (0.821290, 0.178710, 0)),
        ("all", math.inf, (0.666413, 0.333587, 0)),
    ],
)
def test_perception_of_the_fan(which, temperature, expected):
    fitted = M.PerceptionCLIP(fan.CONTEXTS, which=which).fit(fan.acts(*fan.SHOTS), fan.classes())
    fitted.factor = 100.0  # the arrays know no logit scale of their own
    near(fitted.scores(fan.acts("LW2"), 1.0, second=temperature).exp()[0], expected)
    near(fitted.scores(fan.acts("LW2"), 1.0, second=temperature).exp().sum(1), [1.0])


def test_perception_half_way_and_by_the_contexts_alone():
    few, classes, one = fan.acts(*fan.SHOTS), fan.classes(), fan.acts("LW2")
    whole = M.PerceptionCLIP(fan.CONTEXTS).fit(few, classes)
    whole.factor = 100.0
    near(whole.scores(one, 0.5, second=1.0).exp()[0], (0.966552, 0.033448, 0))
    contexts = fan.unit([(0, 0, 1, 0), (0, -0.8, 1, 0), (0, 0.7, 1, 0)])
    pure = M.PerceptionCLIP(fan.CONTEXTS, mode="pure", contexts=contexts).fit(few, classes)
    pure.factor = 100.0
    near(pure.perceived(one, 1.0, 10.0)[0], (0.200708, 0.001326, 0.797966))
    targets = M.PerceptionCLIP(fan.CONTEXTS, mode="pure", which="targets", contexts=contexts).fit(few, classes)
    targets.factor = 100.0
    near(targets.scores(one, 1.0, second=10.0).exp()[0], (0.797716, 0.200958, 0.001326))
    seen = whole.by_group(fan.acts(*EVERY), 1.0).set_index("group")
    assert seen.loc["landbird on water", "context 2"] > 0.99
    assert seen.loc["landbird on land", "n"] == 2


def test_the_model_sees_the_background(pool, birds):
    places = {"place": {"": "", "water": ["on water", "on the lake"], "land": "on land"}, "light": {"day": "by day"}}
    found = M.PerceptionCLIP(places).fit(pool.take(range(20)), birds)
    assert found.contexts == ["day", "water, day", "land, day"]
    seen = found.by_group(pool).set_index("group")
    assert seen.loc["landbird on water", "water, day"] > seen.loc["landbird on land", "water, day"]
    assert found.ledger.texts == 5
    one = M.PerceptionCLIP({"place": {"water": "on water"}}).fit(pool.take(range(20)), birds)
    plain = tk.classes(list(birds.names), prompts=[f"{p[0]} on water" for p in birds.prompts])
    assert torch.equal(one.scores(pool).argmax(1), plain.predict(pool.embedding, pool.model))
    pure = M.PerceptionCLIP(places, mode="pure").fit(pool.take(range(20)), birds)
    near(pure.perceived(pool).sum(1), np.ones(len(pool)))


def test_leaving_one_shot_out():
    few, classes = fan.acts(*fan.SHOTS), fan.classes()
    tip = M.TipAdapter().fit(few, classes)
    for alpha, loss in ((0.0, 1.779838), (1.0, 1.846917), (10.0, 2.458220), (100.0, 8.656774)):
        scores = tip.leave_one_out(alpha)
        assert float((scores.argmax(1) == tip.shots.labels).double().mean()) == 0.5
        near(torch.nn.functional.cross_entropy(scores, tip.shots.labels), loss)
    probe = M.Probe(20).fit(few, classes)
    by_hand = M.Probe(20).fit(few.take([1, 2, 3]), classes).scores(few.take([0]), 1.0)
    near(probe.leave_one_out(1.0)[0], by_hand[0], 9)
    with pytest.raises(tk.InputError, match="a cache or a probe"):
        M.HeadsOff("L0.H0").fit(few, classes).leave_one_out()


def test_which_heads_a_cure_listens_to():
    """compare.md 4.3: Tip-Adapter answers better while still listening to the background, RoboShot stops listening."""
    few, classes, one = fan.acts(*fan.SHOTS), fan.classes(), fan.acts("LW2")
    for method, value, expected in (
        (M.AsItIs(), None, (-25.131440, 9.791863)),
        (M.TipAdapter(), 10.0, (-24.767723, 14.457101)),
        (M.RoboShot(PLACES), 1.0, (0, 10.960847)),
        (M.HeadsOff("L0.H0"), 0.0, None),
    ):
        found = M.heads_under(method.fit(few, classes), one, value)
        near(100 * found.as_it_is[0], (-25.131440, 9.791863))
        if expected is None:
            assert found.under[0, 0] == 0
        else:
            near(100 * found.under[0], expected)
        assert len(found.to_dataframe()) == 2
    with pytest.raises(tk.InputError, match="none wrong"):
        M.heads_under(M.AsItIs().fit(few, classes), fan.acts("LL1"))


# ── identities ────────────────────────────────────────────────────────────────────────────────────────────────────


def world(seed, images=24, classes=4, d=10, layers=2, heads=3):
    """Random parts, labels and class vectors; most images lean to their own class."""
    rng = np.random.default_rng(seed)
    texts = fan.unit(rng.normal(size=(classes, d)))
    labels = np.arange(images) % classes
    contributions = 0.3 * rng.normal(size=(images, layers, heads, d))
    e = fan.unit(contributions.sum((1, 2)) + texts[labels])
    places = np.where(rng.random(images) < 0.5, "here", "there")
    acts = tk.from_arrays(
        contributions, rest=e - contributions.sum((1, 2)), labels=[f"c{i}" for i in labels],
        groups=[f"c{i} {place}" for i, place in zip(labels, places, strict=True)],
    )  # fmt: skip
    return acts, tk.classes([f"c{i}" for i in range(classes)], vectors=texts), rng


def every_method(rng, classes, d):
    vectors = lambda *shape: rng.normal(size=(*shape, d))  # noqa: E731
    return [
        M.AsItIs(), M.HeadsOff("L1.H0 L0.H2"), M.HeadsOff("L1.H0", how="mean"), M.ConceptHeads(vectors(2), k=2),
        M.Edit(10, 10, "L1.H1", steps=12), M.Edit(10, 10, "L1.H1", "strengths", steps=12),
        M.Edit(10, 10, "L1.H1", "class vectors", steps=12), M.LTC("L1.H1", "L0.H0", vectors(2, 2)),
        M.LTC("L1.H1", means="images"), M.TipAdapter(), M.Probe(), M.Probe(on="L1.H0"), M.BalancedProbe(),
        M.GroupDRO(steps=20), M.JTT(), M.JTT(first="erm", first_steps=3), M.AnchoredProbe(), M.MIClip(),
        M.RoboShot(vectors(2, 2), vectors(1, 2)), M.RoboShot(vectors(1, 2), texts=True),
        M.OrthoCali(vectors(3), vectors(2, 2)), M.OrthoCali(vectors(3), span="differences"),
        M.Prompts(vectors(classes)), M.ContextEnsemble(vectors(classes, 3)), M.GroupPrompts(vectors(classes, 3)),
        M.PerceptionCLIP(vectors(classes, 3)), M.PerceptionCLIP(vectors(classes, 3), "pure", contexts=vectors(3)),
    ]  # fmt: skip


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(3, 12))
def test_every_dial_begins_at_the_model_as_it_is(seed, classes, d):
    acts, every, rng = world(seed, classes=classes, d=d)
    few, plain = acts.take(range(12)), every.predict(acts.embedding)
    others = tk.classes(["c0", "x", "y"], vectors=rng.normal(size=(3, d)))
    for method in every_method(rng, classes, d):
        fitted = method.fit(few, every)
        start = fitted.scores(acts, fitted.dial.start)
        assert torch.equal(start.argmax(1), plain), method
        exact = torch.nn.functional.normalize(acts.embedding.double(), dim=1) @ every.vectors().double().T
        torch.testing.assert_close(start / fitted.factor, exact, rtol=0, atol=1e-14)
        with_others = fitted.scores(acts, fitted.dial.start, others)
        assert torch.equal(with_others.argmax(1), others.predict(acts.embedding)), method


def test_every_dial_begins_at_the_built_in_model(pool, val, every):
    few, plain = pool.draw(per_class=10), every.predict(val.embedding, val.model)
    words = [("a water background", "a land background")]
    contexts = ("on water", "on land")
    for method in (
        M.HeadsOff(), M.Edit(steps=20), M.Edit(strategy="strengths", steps=20), M.LTC(), M.TipAdapter(), M.Probe(),
        M.JTT(), M.BalancedProbe(), M.GroupDRO(steps=5), M.MIClip(), M.AnchoredProbe(), M.RoboShot(words),
        M.ConceptHeads("water"), M.OrthoCali(list(words[0])), M.Prompts("varied"), M.ContextEnsemble(contexts),
        M.GroupPrompts(contexts),
    ):  # fmt: skip
        fitted = method.fit(few, every)
        assert torch.equal(fitted.scores(val, fitted.dial.start).argmax(1), plain), method
        assert fitted.notes[0].startswith("it was told no image of")
        far = fitted.dial.grid[-1]
        assert fitted.scores(val, far).isfinite().all()


@pytest.mark.parametrize("seed", range(4))
def test_what_is_shared_along_a_path_changes_nothing(seed):
    """The fast way equals the formula as it is written; a matrix gives the same answers; other classes work."""
    acts, every, rng = world(seed)
    few, d = acts.take(range(12)), acts.embedding.shape[1]
    others = tk.classes(["c1", "x", "y"], vectors=rng.normal(size=(3, d)))
    for method in every_method(rng, 4, d):
        fitted = method.fit(few, every)
        grid = [value for value in fitted.dial.grid if value != fitted.dial.start][::5]
        for value, fast in zip(grid, fitted.path(acts, grid), strict=True):
            seen = fitted.seen(acts)
            images = torch.nn.functional.normalize(fitted.embedded(seen, value), dim=1)
            slow = fitted.judge(images, seen.texts, seen.names, value, None)
            torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9, msg=str(method))
            linear = fitted.linear(value)
            if linear is not None:
                found = (seen.embedding @ linear[0]) @ linear[1].T
                assert torch.equal(found.argmax(1), slow.argmax(1)), method
            elsewhere = fitted.scores(acts, value, others)
            assert elsewhere.shape == (len(acts), 3)
            assert elsewhere.isfinite().all()


def test_how_probes_are_related():
    acts, every, _ = world(3)
    few = acts.take(range(12))
    erm = M.Probe().fit(few, every)
    near(erm.weights(1e9), every.vectors(), 5)
    near(M.JTT(up=1).fit(few, every).weights(1.0), erm.weights(1.0), 7)
    near(M.BalancedProbe().fit(few, every, groups=["one"] * 12).weights(1.0), erm.weights(1.0), 7)
    slow = M.GroupDRO(eta=0, steps=6000).fit(few, every)
    balanced = M.BalancedProbe().fit(few, every)
    assert (slow.weights(1.0) - balanced.weights(1.0)).abs().max() < 3e-3


def test_a_probe_without_an_anchor_is_scikit_learns():
    """From T = 0 the objective is that of a logistic regression without intercept: the optimum is the same."""
    from sklearn.linear_model import LogisticRegression

    from toolkit.core.methods.probes import ProbeProblem

    acts, every, _ = world(5, images=40)
    e, labels = acts.embedding.double(), torch.from_numpy(every.encode(acts.labels))
    problem = ProbeProblem(e, labels, torch.zeros(4, e.shape[1], dtype=torch.float64), 10.0)
    n, lam = len(e), 0.5
    ours = problem.vectors(problem.solve(np.full(n, 1 / n), np.full(4, lam))).numpy()
    # sklearn: ½‖V‖² + C Σ ℓ with logits E Vᵀ; V = sW, so λ/(2 s²)‖V‖² + mean ℓ is it times λ/s²
    theirs = LogisticRegression(C=100 / (lam * n), fit_intercept=False, tol=1e-12, max_iter=10_000)
    theirs.fit(e.numpy(), labels.numpy())
    np.testing.assert_allclose(ours * 10.0, theirs.coef_, atol=1e-4)


def test_ltc_is_tk_ltc_correct_where_its_means_are():
    acts, every, rng = world(7)
    pairs = rng.normal(size=(2, 2, acts.embedding.shape[1]))
    found = M.LTC("L1.H1", "L0.H0", pairs, means="images").fit(acts, every)
    by_hand = tk.ltc_correct(acts, every, "L1.H1", "L0.H0", pairs[:, 0] - pairs[:, 1])
    torch.testing.assert_close(
        found.embedded(found.seen(acts), 1.0).float(), by_hand.embedding.float(), atol=1e-5, rtol=0
    )


def test_heads_off_is_tk_ablate_and_folds_to_its_total_effect(model, pool, birds):
    off = M.HeadsOff("L3.H7 L3.H5").fit(pool.take(range(40)), birds)
    change = tk.ablate(pool, birds, "L3.H7 L3.H5")
    right = off.scores(pool, 0.0).argmax(1).numpy() == birds.encode(pool.labels)
    assert right.mean() == pytest.approx(change.average("plain").value)
    folded = off.fold(model, 0.0)
    again = tk.fold_ablation(model, "L3.H7 L3.H5")
    assert folded.card.fingerprint == again.card.fingerprint
    robo = M.RoboShot([("a water background", "a land background")]).fit(pool.take(range(40)), birds)
    folded = tk.extract(robo.fold(model), pool.samples.take(range(10)), progress=False)
    expected = torch.nn.functional.normalize(pool.take(range(10)).embedding.double() @ robo.linear()[0], dim=1)
    torch.testing.assert_close(folded.embedding.double(), expected, atol=2e-6, rtol=0)
    with pytest.raises(tk.InputError, match="no matrix of images"):
        M.TipAdapter().fit(pool.take(range(40)), birds).fold(model)


def test_words_are_encoded_by_the_live_model(pool, birds):
    few = pool.take(range(40))
    ensemble = M.ContextEnsemble(("on water", "on land")).fit(few, birds)
    texts = ["a photo of a waterbird on water", "a photo of a waterbird on land"]
    expected = torch.nn.functional.normalize(few.model.encode_text(texts).double().mean(0), dim=0)
    near(ensemble.class_vectors().vectors()[0], expected, 5)
    wider = tk.classes(["waterbird", "cat"])
    own = M.GroupPrompts(("on water", "")).fit(few, birds).scores(few, 1.0, wider)
    best = few.model.encode_text(["a photo of a cat on water", "a photo of a cat"]).double()
    near(own[:, 1], (few.embedding.double() @ best.T).amax(1), 5)
    with pytest.warns(tk.ClassWarning, match="does not know"):
        M.RoboShot([("a zebra", "a cat")]).fit(few, birds)


# ── what is refused ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (M.TipAdapter(beta=0), "beta=0"),
        (M.RoboShot([("a", "b")]), "without a model"),
        (M.RoboShot(np.ones((2, 2, 3))), "vectors"),
        (M.RoboShot(np.ones((1, 2, 4))), "encoded alike"),
        (M.RoboShot(np.full((1, 2, 4), np.nan)), "not all finite"),
        (M.RoboShot(["water", "land"]), "pairs"),
        (M.OrthoCali(SPURIOUS[:1], span="differences"), "1 spurious texts"),
        (M.OrthoCali(SPURIOUS, span="both"), "span='both'"),
        (M.MIClip(score="best"), "score='best'"),
        (M.MIClip(attribute=("one",)), "1 values for 4 images"),
        (M.MIClip(attribute=("one",) * 4), "one value"),
        (M.LTC("L0.H0", "L0.H0", np.ones((1, 2, 4))), "in both sets"),
        (M.LTC("L0.H0", "L0.H1"), "without pairs"),
        (M.LTC(mode="ltc"), "mode='ltc'"),
        (M.HeadsOff("L0.H7"), "unknown head"),
        (M.HeadsOff("L0.H0", how="nothing"), "how='nothing'"),
        (M.ConceptHeads(np.ones((1, 4)), k=-1), "k=-1"),
        (M.ContextEnsemble({"landbird": ["x"]}), "no texts for"),
        (M.ContextEnsemble(np.ones((2, 2, 4))), "one row per class"),
        (M.JTT(first="luck"), "first='luck'"),
        (M.PerceptionCLIP({}), "factors"),
        (M.PerceptionCLIP({"a": {str(i): f"on {i}" for i in range(65)}}), "65 contexts"),
        (M.PerceptionCLIP(fan.CONTEXTS, temperature=0), "temperature=0"),
        (M.PerceptionCLIP(fan.CONTEXTS[:2]), "one row per class"),
    ],
)
def test_settings_are_refused_in_words(method, message):
    with pytest.raises(tk.InputError, match=message):
        method.fit(fan.acts(*fan.SHOTS), fan.classes())


def test_images_are_refused_in_words():
    few, classes = fan.acts(*fan.SHOTS), fan.classes()
    with pytest.raises(tk.InputError, match="a class set of two or more"):
        M.Probe().fit(few, tk.classes(["cat"], vectors=[[1, 0, 0, 0]]))
    with pytest.raises(tk.InputError, match="none with a label"):
        M.Probe().fit(few, tk.classes(["dog", "cow"], vectors=fan.TEXTS[:2]))
    bare = tk.from_arrays(
        np.zeros((4, 1, 2, 4)), rest=fan.embeddings(*fan.SHOTS), labels=[fan.LABEL[n] for n in fan.SHOTS]
    )
    for method in (M.BalancedProbe(), M.GroupDRO(), M.MIClip()):
        with pytest.raises(tk.InputError, match="without groups"):
            method.fit(bare, classes)
    with pytest.raises(tk.InputError, match="2 groups for 4 images"):
        M.BalancedProbe().fit(bare, classes, groups=["a", "b"])
    fitted = M.BalancedProbe().fit(bare, classes, groups=["a", "b", "a", "b"])
    assert fitted.ledger.group_labels == 4
    for value in (-1.0, math.nan, "one", True):
        with pytest.raises(tk.InputError, match="λ ="):
            fitted.scores(few, value)
    with pytest.raises(tk.InputError, match="no second dial"):
        fitted.scores(few, 1.0, second=2.0)
    other = tk.from_arrays(np.zeros((2, 1, 2, 5)), rest=fan.unit(np.ones((2, 5))), name="another")
    with pytest.raises(tk.InputError, match="parts of 'another'"):
        fitted.scores(other)


def test_a_cache_of_too_many_images_is_refused(monkeypatch):
    from toolkit.api.methods import tip_adapter

    monkeypatch.setattr(tip_adapter, "MOST_SHOTS", 3)
    with pytest.raises(tk.InputError, match="a cache of 4 images"):
        M.TipAdapter().fit(fan.acts(*fan.SHOTS), fan.classes())


# ── methods of one's own ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_registered_method_stands_with_the_others():
    from dataclasses import dataclass
    from typing import ClassVar

    from toolkit.api.methods.as_it_is import UnchangedFitted

    @tk.method
    @dataclass(frozen=True, eq=False, repr=False)
    class Nothing(M.Method):
        """Does nothing."""

        name: ClassVar[str] = "nothing at all"
        told: ClassVar[str] = "nothing"

        def solve(self, shots):
            return UnchangedFitted(self, shots)

    try:
        assert M.Nothing is Nothing
        assert "Nothing" in M.offered()
        few = fan.acts(*fan.SHOTS)
        found = tk.comparison(
            few, fan.classes(), ["Nothing", "nothing at all"][:1], held_out=fan.acts("LL2", "LW2", "C1")
        )
        assert "nothing at all" in found.methods
        for bad, message in (
            (int, "a subclass"),
            (type("Tip", (M.TipAdapter,), {"name": "Tip-Adapter"}), "a name of its own"),
        ):
            with pytest.raises(tk.InputError, match=message):
                tk.method(bad)
    finally:
        M.forget("Nothing")
    with pytest.raises(AttributeError, match=r"tk\.methods has no"):
        M.Nothing  # noqa: B018


# ── what a reviewer found ─────────────────────────────────────────────────────────────────────────────────────────


def test_another_class_set_of_the_same_names_has_its_own_vectors():
    few, held = fan.acts(*fan.SHOTS), fan.acts(*EVERY)
    one, other = (tk.classes(["landbird", "x", "y"], vectors=np.eye(4)[rows]) for rows in ([0, 1, 2], [0, 2, 3]))
    for method in (
        M.ContextEnsemble(fan.IN_PLACES), M.GroupPrompts(fan.IN_PLACES), M.PerceptionCLIP(fan.CONTEXTS),
        M.Prompts(fan.TEXTS),
    ):  # fmt: skip
        fitted = method.fit(few, fan.classes())
        fitted.scores(held, 1.0, one)
        again = method.fit(few, fan.classes()).scores(held, 1.0, other)
        torch.testing.assert_close(fitted.scores(held, 1.0, other), again)


def test_at_the_start_of_one_dial_the_second_counts_everywhere():
    few, held = fan.acts(*fan.SHOTS), fan.acts(*EVERY)
    cali = M.OrthoCali(SPURIOUS, PAIRS).fit(few, fan.classes())
    assert answers(cali.scores(held, 0.0, second=1000.0)) == "00001111222"
    own = cali.class_vectors(0.0, 1000.0)
    assert "".join(map(str, own.predict(held.embedding).tolist())) == "00001111222"
    robo = M.RoboShot(PLACES, BIRD_AXIS).fit(few, fan.classes())
    moved, _ = robo.linear(0.0, 1.0)
    assert not torch.equal(moved, torch.eye(4, dtype=torch.float64))
    found = M.heads_under(robo, fan.acts("LW2"), 0.0, second=1.0)
    assert not np.array_equal(found.under, found.as_it_is)


@pytest.mark.parametrize("mode", ["released", "own_norm"])
def test_what_a_head_does_under_ltc_is_exact(mode):
    """By hand: the embedding as LTC has it, less what it made of the head."""
    acts, every, rng = world(11)
    pairs = rng.normal(size=(2, 2, acts.embedding.shape[1]))
    fitted = M.LTC("L1.H1", "L0.H0", pairs, mode).fit(acts, every)
    found = M.heads_under(fitted, acts, 1.0)
    plain = every.predict(acts.embedding).numpy()
    rows = np.flatnonzero(plain != every.encode(acts.labels))
    c = acts.heads[rows].double()
    drawn = tk.ltc_correct(acts, every, "", "L0.H0", pairs[:, 0] - pairs[:, 1], mode).embedding - acts.embedding
    salient = c[:, 0, 0] + drawn[rows].double()
    whole = fitted.embedded(fitted.seen(acts), 1.0)[rows]
    texts = every.vectors().double()
    y, other = every.encode(acts.labels)[rows], plain[rows]

    def margin(e):
        scores = torch.nn.functional.normalize(e, dim=1) @ texts.T
        at = np.arange(len(rows))
        return (scores[at, y] - scores[at, other]).numpy()

    near(found.under[0, 0], (margin(whole) - margin(whole - salient)).mean(), 5)
    near(found.under[1, 1], 0)


def test_what_a_head_does_under_an_edit_of_directions_is_exact():
    acts, every, _ = world(12)
    fitted = M.Edit(10, 10, "L1.H1", "directions 2", steps=30).fit(acts, every)
    found = M.heads_under(fitted, acts)
    seen, at = fitted.seen(acts), fitted.dial.paper
    changed = fitted.embedded(seen, at) - seen.embedding + acts.heads[:, 1, 1].double()
    rows = np.flatnonzero(every.predict(acts.embedding).numpy() != every.encode(acts.labels))
    y, other = every.encode(acts.labels)[rows], every.predict(acts.embedding).numpy()[rows]
    texts = every.vectors().double()

    def margin(e):
        scores = torch.nn.functional.normalize(e, dim=1) @ texts.T
        return scores[np.arange(len(rows)), y] - scores[np.arange(len(rows)), other]

    whole = fitted.embedded(seen, at)
    near(found.under[1, 1], (margin(whole[rows]) - margin((whole - changed)[rows])).mean(), 5)


def test_a_strong_pull_keeps_group_dro_at_the_class_vectors():
    fitted = M.GroupDRO(20).fit(fan.acts(*fan.UNBALANCED), fan.classes())
    for lam in (800.0, 1000.0, 1e6):
        assert np.abs(fitted.weights(lam).numpy() - fan.TEXTS).max() < 8 / lam
    assert (
        M.GroupDRO(20).fit(fan.acts(*fan.UNBALANCED), fan.classes()).scores(fan.acts(*EVERY), 1000.0).isfinite().all()
    )


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["0_0", "0_1", "1_0", "1_1"], ["0", "1", "0", "1"]),
        (
            ["landbird on land", "landbird on water", "waterbird on land", "waterbird on water"],
            ["on land", "on water"] * 2,
        ),
        (["land, 0", "water, 0", "land, 1", "water, 1"], ["land", "water"] * 2),
        (["a", "b", "a", "b"], ["a", "b"] * 2),
    ],
)
def test_the_attribute_is_what_groups_say_beside_the_class(groups, expected):
    from toolkit.api.methods.mi_clip import _beside

    labels = ["landbird"] * 2 + ["waterbird"] * 2 if "bird" in groups[0] else ["0", "0", "1", "1"]
    assert [_beside(group, label) for group, label in zip(groups, labels, strict=True)] == expected


def test_where_nothing_is_left_the_formula_decides():
    acts = fan.acts(*fan.BIRDS)
    clip = M.MIClip().fit(acts, fan.classes())
    seen = clip.seen(fan.acts(*EVERY))
    torch.testing.assert_close(
        clip.quick(seen, 3.0, None), clip.judge(seen.embedding, seen.texts, seen.names, 3.0, None)
    )
    e = fan.embeddings(*fan.SHOTS)
    alone = tk.from_arrays(e[:, None, None], rest=np.zeros_like(e), labels=[fan.LABEL[name] for name in fan.SHOTS])
    off = M.HeadsOff("L0.H0").fit(alone, fan.classes())
    assert off.scores(alone, 0.0).abs().max() <= 1
    gone = M.OrthoCali(np.eye(4)).fit(fan.acts(*fan.SHOTS), fan.classes())
    assert any("nothing of it is left" in note for note in gone.notes)


def test_words_fold_into_the_text_projection_and_learned_vectors_do_not(pool, birds):
    few = pool.take(range(40))
    cali = M.OrthoCali(["a water background", "a land background"], [("a landbird on water", "a landbird on land")])
    fitted = cali.fit(few, birds)
    folded = fitted.fold(few.model)
    assert folded.card.fingerprint != few.model.card.fingerprint
    near(tk.classes(list(birds.names)).vectors(folded), fitted.linear()[1], 5)
    torch.testing.assert_close(
        tk.extract(folded, few.samples.take([0, 1]), progress=False).embedding,
        few.take([0, 1]).embedding,
        atol=1e-6,
        rtol=0,
    )
    clip = M.MIClip().fit(few, birds)
    both = tk.extract(clip.fold(few.model), few.samples, progress=False)
    scores = clip.scores(few)
    by_hand = both.embedding.double() @ tk.classes(list(birds.names)).vectors(both.model).double().T
    assert torch.equal(by_hand.argmax(1), scores.argmax(1))
    with pytest.raises(tk.InputError, match="class vectors of its own"):
        M.Probe().fit(few, birds).fold(few.model)
    with pytest.raises(tk.InputError, match="which the images are of"):
        fitted.fold(tk.fold_ablation(few.model, "L3.H7"))


def test_numbers_of_any_kind_turn_a_dial():
    fitted = M.TipAdapter().fit(fan.acts(*fan.SHOTS), fan.classes())
    held = fan.acts("LW2")
    for one in (1, np.int64(1), np.float32(1), torch.tensor(1.0)):
        assert torch.equal(fitted.scores(held, one), fitted.scores(held, 1.0))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (M.Probe(0), "logit_scale=0"),
        (M.JTT(up=0), "up=0"),
        (M.GroupDRO(steps=0), "steps=0"),
        (M.GroupDRO(eta=math.nan), "eta=nan"),
        (M.RoboShot([]), "no pairs"),
        (M.RoboShot(PLACES, kappa=-3), "kappa=-3"),
        (M.RoboShot(3), "cannot be used"),
        (M.TipAdapter(views=0), "views=0"),
        (M.TipAdapter(views=2), "without a model"),
        (M.MIClip(answers=PLACES[0, :1]), "two or more"),
        (M.MIClip(answers=PLACES[0], attribute=("a", "b")), "one of the two"),
        (M.OrthoCali(SPURIOUS, lam=math.inf), "lam=inf"),
        (M.OrthoCali(np.zeros((2, 4))), "that say something"),
        (M.TipAdapter(beta=math.inf), "beta=inf"),
        (M.ContextEnsemble(()), "contexts"),
        (M.PerceptionCLIP(fan.CONTEXTS, "pure"), "no contexts"),
        (M.PerceptionCLIP(fan.CONTEXTS, "pure", contexts=fan.TEXTS[:1]), "contexts"),
        (M.Prompts(3), "cannot be used|templates"),
    ],
)
def test_more_settings_are_refused_in_words(method, message):
    few = fan.acts(*fan.SHOTS)
    with pytest.raises(tk.InputError, match=message):
        method.fit(few, fan.classes())


def test_without_a_mistake_there_is_nothing_to_mend_and_nothing_breaks():
    right = fan.acts("LL1", "LL2", "WW1", "WW2")
    for method in (M.LTC(), M.HeadsOff(), M.Edit(), M.Edit(strategy="strengths"), M.Edit(strategy="directions 2")):
        fitted = method.fit(right, fan.classes())
        assert answers(fitted.scores(fan.acts("LW2"), fitted.dial.start)) == "1"


def test_an_edit_to_its_end():
    fitted = M.Edit(10, 10, "L0.H0", steps="converge", logit_scale=20).fit(fan.acts(*fan.SHOTS), fan.classes())
    assert fitted.dial.grid[0] == 0
    assert fitted.scores(fan.acts(*EVERY)).isfinite().all()


def test_copies_with_names_of_their_own_stand_beside_each_other():
    held = fan.acts("LL2", "LW2", "WL2", "WW2", "C1", "C2", "C3")
    found = tk.comparison(
        fan.acts(*fan.SHOTS), fan.classes(), [M.TipAdapter(), M.TipAdapter(1.0).named("Tip, β = 1")], held_out=held
    )
    assert list(found.methods) == ["as it is", "Tip-Adapter", "Tip, β = 1"]
    assert repr(M.Edit()).startswith("Edit(")


def test_roboshot_may_change_class_vectors_too():
    """With both changed a rejected direction is in neither; folded, both towers have it."""
    few, one = fan.acts(*fan.SHOTS), fan.acts("LW2")
    fitted = M.RoboShot(PLACES, texts=True).fit(few, fan.classes())
    near(fitted.class_vectors().vectors()[0] @ torch.as_tensor(fan.WATER - fan.LAND), 0)
    by_hand = torch.nn.functional.normalize(fan.classes().vectors().double() * torch.tensor([1, 0, 1, 1.0]), dim=1)
    near(fitted.class_vectors().vectors(), by_hand)
    near(fitted.scores(one)[0], by_hand @ torch.tensor([-0.196116, 0, 0.980581, 0], dtype=torch.float64))


def test_roboshot_with_class_vectors_folds_into_both_towers(pool, birds):
    few = pool.take(range(40))
    fitted = M.RoboShot([("a water background", "a land background")], texts=True).fit(few, birds)
    folded = fitted.fold(few.model)
    both = tk.extract(folded, few.samples, progress=False)
    near(tk.classes(list(birds.names)).vectors(folded), fitted.class_vectors().vectors(), 5)
    near(both.embedding.double() @ fitted.class_vectors().vectors().double().T, fitted.scores(few), 5)


def test_mi_clip_without_groups_asks_the_model():
    every = fan.acts(*fan.BIRDS)
    asked = M.MIClip(answers=PLACES[0]).fit(every, fan.classes())
    told = M.MIClip(attribute=(every.embedding.double() @ torch.as_tensor(PLACES[0]).T).argmax(1).tolist())
    assert torch.equal(asked.order, told.fit(every, fan.classes()).order)
    assert asked.ledger.group_labels == 0
    assert asked.ledger.texts == 2
    assert "not labels" in " ".join(asked.notes)
    assert answers(asked.scores(fan.acts(*EVERY), 1.0)) == "00001111221"


def test_a_cache_of_crops(pool, birds):
    few = pool.draw(per_class=3)
    plain = M.TipAdapter().fit(few, birds)
    fitted = M.TipAdapter(views=2).fit(few, birds, seed=1)
    again = M.TipAdapter(views=2).fit(few, birds, seed=1)
    assert torch.equal(fitted.keys, again.keys)
    near(fitted.keys.norm(dim=1), 1.0)
    likeness = (fitted.keys * plain.keys).sum(1)
    assert likeness.max() < 1 - 1e-6
    assert likeness.min() > (plain.keys @ plain.keys.T).min()
    assert fitted.ledger.pictures == 2 * len(fitted.shots)
    assert fitted.ledger.texts == plain.ledger.texts == 0
    assert torch.equal(fitted.scores(few, 0.0), plain.scores(few, 0.0))
    assert not torch.equal(fitted.scores(few), plain.scores(few))
