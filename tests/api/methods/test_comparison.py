"""`tk.comparison`: cures on the same images, each a path from one origin."""

from __future__ import annotations

import fan
import numpy as np
import pytest

import toolkit as tk

M = tk.methods
PLACES = np.array([[fan.WATER, fan.LAND]])


@pytest.fixture
def shots():
    return fan.acts(*fan.SHOTS)


@pytest.fixture
def held():
    return fan.acts("LL2", "LW2", "WL2", "WW2", "C1", "C2", "C3")


METHODS = [M.HeadsOff("L0.H0"), M.TipAdapter(), M.RoboShot(PLACES), M.Probe(20)]


def test_measures_of_the_fan(shots, held):
    found = tk.comparison(shots, fan.classes(), METHODS, held_out=held)
    assert list(found.methods) == ["as it is", "heads off", "Tip-Adapter", "RoboShot", "probe"]
    expected = {
        "as it is": (0.75, 0, 0, 2 / 3, 1), "heads off": (1, 1, 1, 1, 2 / 3), "Tip-Adapter": (0.75, 0, 0, 2 / 3, 1),
        "RoboShot": (1, 1, 1, 1, 2 / 3), "probe": (1, 1, 1, 2 / 3, 1),
    }  # fmt: skip
    for row in found.table.to_dict("records"):
        measured = [row[name] for name in ("success", "worst", "like", "locality", "agreement")]
        assert measured == pytest.approx(expected[row["method"]]), row["method"]
        assert row["chosen"] == "paper"
    assert set(found.pareto) == {"heads off", "RoboShot"}
    assert found.table.set_index("method").loc["RoboShot", "change"] == 1
    assert found["RoboShot"].at(0.5).on().success.value == 0.75
    assert found["Tip-Adapter"].at(100).chosen == "by hand"
    assert found["probe"].position == 1.0
    assert found.change("Tip-Adapter", "RoboShot").worst.value == 1
    ledger = found.ledger.set_index("method")
    assert ledger.loc["probe", "labels"] == 4
    assert ledger.loc["RoboShot", "texts"] == 2
    frame = found.to_dataframe()
    start = frame[(frame["method"] == "Tip-Adapter") & (frame["value"] == 0)]
    assert start["success"].item() == 0.75
    assert "5 methods, 1 draw, dials by paper" in str(found)


def test_every_path_begins_at_one_origin(shots, held):
    found = tk.comparison(shots, fan.classes(), METHODS, held_out=held)
    origin = {name: path[0, 0] for name, path in found["as it is"].paths.items()}
    for one in found:
        at = one.values.index(one.fitted.dial.start)
        assert {name: path[0, at] for name, path in one.paths.items()} == pytest.approx(origin), one.name


def test_images_with_classes_of_their_own(shots):
    cats = fan.acts("C1", "C2", "C3")
    own = tk.classes(["cat", "landbird"], vectors=fan.TEXTS[[2, 0]])
    found = tk.comparison(
        shots, fan.classes(), METHODS, held_out=fan.acts("LL2", "LW2", "WL2", "WW2"), unrelated={"cats": (cats, own)}
    )
    for one in found:
        place = one.turned[0].on().unrelated[0]
        assert place.of == "cats"
        by_hand = one.fitted.scores(cats, one.position, own).argmax(1) == 0
        assert place.change.average("plain").after == pytest.approx(float(by_hand.double().mean()))


def test_dials_are_chosen_on_validation_images_that_do_not_judge(shots):
    val, test = fan.acts("LL2", "LW2", "WL2", "WW2"), fan.acts("C1", "C2", "C3", "LL1", "LW2")
    with pytest.raises(tk.InputError, match="1 images that both choose and judge"):
        tk.comparison(shots, fan.classes(), METHODS, held_out=test, validation=val, choose="validation")
    with pytest.warns(tk.MethodWarning, match="1 held-out image are among|1 held-out image"):
        found = tk.comparison(
            shots,
            fan.classes(),
            METHODS,
            held_out=fan.acts("C1", "C2", "C3", "LL1"),
            validation=val,
            choose="validation",
        )
    robo = found["RoboShot"]
    assert robo.turned[0].chosen == "validation"
    chosen = next(v for v in robo.values if robo.fitted.scores(val, v).argmax(1).tolist() == [0, 0, 1, 1])
    assert robo.position == chosen, "the best, and of equal ones the nearest to the model as it is"
    assert found.ledger.set_index("method").loc["RoboShot", "validation"] == 4
    with pytest.raises(tk.InputError, match="without images"):
        tk.comparison(shots, fan.classes(), METHODS, held_out=val, choose="validation")


def test_what_other_classes_may_lose_is_kept(pool, val, every):
    few, rows = pool.draw(per_class=10), np.arange(len(val))
    held, chosen_on = val.take(rows[rows % 2 == 0].tolist()), val.take(rows[rows % 2 == 1].tolist())
    asked = {"held_out": held, "validation": chosen_on, "choose": "validation"}
    loose = tk.comparison(few, every, ["TipAdapter"], **asked)["Tip-Adapter"]
    tight = tk.comparison(few, every, ["TipAdapter"], within=2, **asked)["Tip-Adapter"]
    assert tight.position <= loose.position
    before = every.predict(chosen_on.embedding, val.model).numpy() == every.encode(chosen_on.labels)
    others = ~np.isin(chosen_on.labels.astype(str), ["landbird", "waterbird"])
    after = tight.fitted.scores(chosen_on, tight.position).argmax(1).numpy() == every.encode(chosen_on.labels)
    assert after[others].mean() >= before[others].mean() - 0.02 - 1e-9


def test_a_shot_left_out_chooses_where_a_method_can(shots, held):
    found = tk.comparison(shots, fan.classes(), METHODS, held_out=held, choose="loo")
    assert found["Tip-Adapter"].turned[0].chosen == "leave one out"
    assert found["RoboShot"].turned[0].chosen.startswith("paper")


def test_draws_have_a_mean_and_a_spread(model, pool, val, every):
    draws = [pool.draw(per_class=10, seed=seed) for seed in range(3)]
    seen = []
    found = tk.comparison(draws, every, ["TipAdapter", "Probe"], held_out=val, each=lambda one: seen.append(one.name))
    assert seen == ["as it is", "Tip-Adapter", "probe"]
    table = found.table.set_index("method")
    alone = [tk.comparison(one, every, ["Probe"], held_out=val)["probe"].points()["worst"][0] for one in draws]
    assert table.loc["probe", "worst"] == pytest.approx(np.mean(alone))
    assert table.loc["probe", "sd"] >= 0
    assert "3 draws" in str(found)
    assert found["probe"].paths["worst"].shape == (3, 25)
    for figure in (tk.comparison_plotly(found), tk.comparison_matplotlib(found)):
        assert figure is not None


def test_what_is_refused(shots, held):
    for methods, message in (
        ([], "no methods"), (["TipAdapt"], "did you mean 'TipAdapter'"), ([M.TipAdapter(), M.TipAdapter(1.0)], "twice"),
        (["RoboShot"], "without settings"),
    ):  # fmt: skip
        with pytest.raises(tk.InputError, match=message):
            tk.comparison(shots, fan.classes(), methods, held_out=held)
    with pytest.raises(tk.InputError, match="all of which the edit is made from"):
        tk.comparison(shots, fan.classes(), METHODS, held_out=shots)
    with pytest.raises(tk.InputError, match="within=2"):
        tk.comparison(shots, fan.classes(), METHODS, held_out=held, within=2)
    with pytest.raises(tk.InputError, match="choose='oracle'"):
        tk.comparison(shots, fan.classes(), METHODS, held_out=held, choose="oracle")
    with pytest.raises(tk.InputError, match="the method 'Tip'"):
        tk.comparison(shots, fan.classes(), METHODS, held_out=held)["Tip"]


def test_what_a_reviewer_found(shots, held):
    with pytest.raises(tk.InputError, match="held_out: a NoneType"):
        tk.comparison(shots, fan.classes(), METHODS, held_out=None)
    with pytest.raises(tk.InputError, match="none of a class that the shots are of"):
        tk.comparison(
            shots, fan.classes(), METHODS, held_out=fan.acts("LW2", "WL2"), validation=fan.acts("C1", "C2"),
            choose="validation",
        )  # fmt: skip
    only_birds = fan.acts("LL2", "LW2", "WL2", "WW2")
    found = tk.comparison(shots, fan.classes(), METHODS, held_out=only_birds)
    assert "RoboShot" in found.pareto, "without other classes the worst group alone decides"
    draws = [fan.acts("LL1", "LW1", "WL1", "WW1"), fan.acts("LL2", "LW1", "WL2", "WW1")]
    groups = {name: f"{name[1]}" for name in fan.RAW}
    with pytest.raises(tk.InputError, match="one list of groups for 2 draws"):
        tk.comparison(draws, fan.classes(), ["BalancedProbe"], held_out=held, groups=["L", "W", "L", "W"])
    several = tk.comparison(draws, fan.classes(), ["BalancedProbe"], held_out=fan.acts("LW2", "C1"), groups=groups)
    assert [one.fitted.shots.members[0] for one in several["balanced probe"].turned] == [("L", "W")] * 2
    with pytest.raises(tk.InputError, match="one attribute"):
        tk.comparison(draws, fan.classes(), [M.MIClip(attribute=("a", "b") * 2)], held_out=held)


def test_classes_without_groups_are_chosen_by_their_mean():
    """compare.md 3.0.4: the mean of classes, not their worst, where no groups are known."""
    rng = np.random.default_rng(4)
    texts = np.eye(6)[:2]

    def images(n, seed):
        rng = np.random.default_rng(seed)
        labels = np.array(["a"] * (n // 4) + ["b"] * (n - n // 4))
        e = fan.unit(rng.normal(size=(n, 6)) + 0.5 * texts[(labels == "b").astype(int)])
        ids = [f"{seed}-{i}" for i in range(n)]
        return tk.from_arrays(np.zeros((n, 1, 2, 6)), rest=e, labels=labels, ids=ids)

    few, val, test = images(16, int(rng.integers(99))), images(80, 100), images(80, 101)
    classes = tk.classes(["a", "b"], vectors=texts)
    found = tk.comparison(few, classes, ["TipAdapter"], held_out=test, validation=val, choose="validation")
    tip = found["Tip-Adapter"]
    means = [
        float((tip.fitted.scores(val, value).argmax(1).numpy() == classes.encode(val.labels)).mean())
        for value in tip.values
    ]
    assert tip.position == tip.values[int(np.argmax(means))]
