"""`CompareLab` without a browser: paths from one origin, dials, the price, links, bad input."""

from __future__ import annotations

import numpy as np
import pytest

import toolkit as tk
from toolkit.labs.compare import with_paper

M = tk.methods
METHODS = [M.RoboShot([("a water background", "a land background")]), "HeadsOff", "Edit", "TipAdapter", "Probe"]


@pytest.fixture(scope="module")
def world():
    model = tk.load()
    pool = tk.extract(model, tk.scenes("edit", n=160, seed=5, kind="birds"), progress=False)
    val = tk.extract(model, tk.scenes("val", n=500, seed=5), progress=False)
    every = tk.classes(["waterbird", "landbird", *sorted(set(val.labels) - {"waterbird", "landbird"})])
    return {
        "few": [pool.draw(10, seed=seed) for seed in range(2)], "every": every, "held": val.take(range(300)),
        "choosing": val.take(range(300, 500)),
    }  # fmt: skip


def made(world, methods=METHODS, **more):
    arguments = {"held_out": world["held"], "validation": world["choosing"], "engine": tk.Engine()} | more
    return tk.CompareLab(world["few"], world["every"], methods, **arguments)


@pytest.fixture
def lab(world):
    return made(world)


def test_every_path_begins_at_the_model_as_it_is(lab):
    for name, path in lab._paths_made.items():
        for measure, value in lab._origin.items():
            found = path.measures[measure][path.start]
            assert found == pytest.approx(value), (name, measure)
    assert [row["name"] for row in lab._methods] == ["RoboShot", "heads off", "edit", "Tip-Adapter", "probe"]
    assert lab._methods[0]["told"] == "words"


def test_points_are_those_of_the_comparison(lab, world):
    found = tk.comparison(world["few"][0], world["every"], METHODS, held_out=world["held"])
    for name, method in lab.methods.items():
        assert method.dial == pytest.approx(method.fitted.dial.paper), name
        after = method.outcome.success.change.worst.after
        assert after == pytest.approx(found[name].points()["worst"][0]), name
        at = lab.dials[name]
        assert lab._paths[name]["worst"][at] == pytest.approx(after)
    frozen = lab.comparison
    assert list(frozen.methods) == ["as it is", *lab.methods]
    assert frozen["probe"].position == lab.methods["probe"].dial
    lab.methods["probe"].dial = 0.1
    assert lab.comparison["probe"].turned[0].chosen == "chosen here"
    assert frozen["probe"].position == pytest.approx(1)


def test_a_dial_turned_by_hand_is_said(lab):
    assert {row["chosen"] for row in lab._table} == {"paper"}
    lab.methods["probe"].dial = 0.1
    row = next(row for row in lab._table if row["name"] == "probe")
    assert row["chosen"] == "chosen here"
    assert lab.methods["probe"].dial == pytest.approx(0.1, rel=0.3)
    assert row["worst"] == pytest.approx(lab.methods["probe"].outcome.success.change.worst.after)
    lab.put("validation")
    assert {row["chosen"] for row in lab._table} == {"validation"}
    assert lab.dials["probe"] == lab._paths_made["probe"].validated
    lab._asked = [{"id": "1", "do": "put", "how": "paper"}]
    assert {row["chosen"] for row in lab._table} == {"paper"}


def test_the_price_is_chosen_on_validation_and_measured_on_others(lab):
    origin = lab._origin["locality"]
    lab.price = origin - 0.03
    for row in lab._table:
        path = lab._paths_made[row["name"]]
        kept = path.on_validation["locality"] >= path.on_validation["locality"][path.start] - 0.03 - 1e-12
        worst = np.where(kept, path.on_validation["worst"], -1)
        at = int(np.flatnonzero(worst >= worst.max() - 1e-12)[0])
        assert row["price"] == pytest.approx(path.measures["worst"][at])
    lab.price = None
    assert all("price" not in row for row in lab._table)


def test_one_against_another_is_paired(lab):
    lab.focus = "probe"
    alone = {row["name"]: row for row in lab._shown["rows"]}
    lab.against = "Tip-Adapter"
    beside = {row["name"]: row for row in lab._shown["rows"]}
    tip = {row.group: row.after for row in lab.methods["Tip-Adapter"].outcome.success.change.groups}
    for name, before in tip.items():
        assert beside[name]["before"] == pytest.approx(before)
        assert beside[name]["after"] == pytest.approx(alone[name]["after"])
    turned = lab._flips["n"]
    guess = [lab.methods[name].outcome for name in ("Tip-Adapter", "probe")]
    was, now = (one.guess == one.held.images.truth for one in guess)
    assert turned == {"right": int((~was & now).sum()), "wrong": int((was & ~now).sum())}


def test_heads_under_a_method_stand_beside_the_model(lab):
    lab.focus = "RoboShot"
    maps = np.frombuffer(lab._maps, "<f4").reshape(2, 4, 8)
    under = M.heads_under
    wrong = lab._session.held().images
    rows = np.flatnonzero((wrong.truth != wrong.guess).numpy() & lab._session.held().target.numpy()).tolist()
    found = under(lab.methods["RoboShot"].fitted, wrong.acts.take(rows), 1.0)
    np.testing.assert_allclose(maps, np.stack([found.as_it_is, found.under]), atol=1e-6)
    lab.methods["RoboShot"].dial = 0
    maps = np.frombuffer(lab._maps, "<f4").reshape(2, 4, 8)
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-6)


def test_draws(lab):
    first = dict(lab._paths["probe"])
    lab.draw = 1
    assert lab._paths["probe"] != first
    assert "RoboShot" in lab.methods
    lab.draw = 0
    assert lab._paths["probe"] == first


def test_the_selections_heads_and_edit_are_paths(world):
    selection = tk.Selection()
    lab = made(world, selection=selection)
    selection.heads = "L3.H7"
    assert str(lab.methods["heads off"].fitted.heads) == "L3.H7"
    edit = tk.edit(world["few"][0], world["every"], "L3.H7", strategy="strengths", steps=12)
    selection.edit = edit
    assert lab.methods["edit"].fitted.edit is edit
    assert lab.methods["edit"].dial == 12
    worst = edit.on(world["held"]).success.change.worst.after
    assert lab.methods["edit"].outcome.success.change.worst.after == pytest.approx(worst)
    selection.edit = tk.edit(world["few"][1], world["every"], "L3.H7", steps=3)
    assert lab.methods["edit"].fitted.edit is edit, "an edit of other images is no path of this plane"
    lab._head = [2, 4]
    assert selection.heads == ((2, 4),)


def test_a_method_that_cannot_run_says_so_and_hides_no_other(world):
    lab = made(world, [M.RoboShot([("a water background", "talons")]), M.HeadsOff("L9.H9"), "Probe"])
    rows = {row["name"]: row for row in lab._methods}
    assert "heads off" in rows
    assert rows["heads off"]["reason"]
    assert rows["probe"]["reason"] == ""
    assert list(lab.methods) == ["RoboShot", "probe"]
    with pytest.raises(tk.InputError, match="whose path is there"):
        lab.methods["heads off"]


def test_state_comes_back(world, lab):
    lab.methods["probe"].dial = 1000
    lab.focus, lab.price = "probe", 0.9
    again = made(world, dials=dict(lab.dials), focus="probe", price=0.9)
    assert again.methods["probe"].dial == 1000
    assert again.focus == "probe"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"held_out": None}, "held_out"), ({"price": 2}, "share"), ({"draw": 9}, "0 to 1"),
        ({"methods": ["Nothing"]}, "Nothing"), ({"methods": ["Probe", "Probe"]}, "twice"),
    ],
)  # fmt: skip
def test_bad_input(world, arguments, said):
    with pytest.raises(tk.InputError, match=said):
        made(world, **arguments)


def test_more_bad_input(world, lab):
    with pytest.raises(tk.InputError, match="'paper' or 'validation'"):
        lab.put("best")
    with pytest.raises(tk.InputError, match="validation"):
        made(world, validation=None).put("validation")
    with pytest.raises(tk.InputError, match="no images to fit to"):
        tk.CompareLab([], world["every"], held_out=world["held"])


def test_the_papers_value_is_on_the_path():
    made_of = M.Dial("λ", (float("inf"), 100.0, 10.0, 0.1), paper=1.0, start=float("inf"))
    assert with_paper(made_of) == (float("inf"), 100.0, 10.0, 1.0, 0.1)
    assert with_paper(M.Dial("ρ", (0.0, 0.5, 2.0), paper=1.0)) == (0.0, 0.5, 1.0, 2.0)
    assert with_paper(M.Dial("ρ", (0.0, 0.5), paper=1.0)) == (0.0, 0.5, 1.0)
    assert with_paper(M.Dial("ρ", (0.0, 1.0), paper=1.0)) == (0.0, 1.0)


def test_tables_and_figures(lab):
    assert len(lab.table) == 5
    assert set(lab.to_dataframe()["method"]) == set(lab.methods)
    assert lab.png().startswith(b"\x89PNG")
    assert lab.to_plotly().data[-1].name == "probe"


def test_in_the_explorer_the_words_are_those_of_the_mistake():
    explorer = tk.Explorer(engine=tk.Engine(), pair=("landbird", "waterbird"), tab="compare")
    lab = explorer.compare
    assert lab.methods["RoboShot"].fitted.method.reject[0][0] in explorer.keywords.found.marks(3)[0]
    judged = set(explorer._session.judging.ids)
    assert not judged & set(lab._session.validation.ids)
    assert set(lab._session.held().images.acts.ids) <= judged


def test_other_draws_and_placebos_stand_beside_the_one_looked_at(world, lab):
    lab.focus = "probe"
    [other] = lab._cloud["draws"]
    fitted = M.Probe().fit(world["few"][1], world["every"])
    held = lab._session.held(1)
    guess = fitted.scores_of(held.seen, lab.methods["probe"].dial).argmax(1)
    assert other["locality"] == pytest.approx(float((guess == held.images.truth)[held.elsewhere].double().mean()))
    assert lab._cloud["placebo"] == []
    lab.placebo = True
    assert len(lab._cloud["placebo"]) == 8
    own = lab._paths["probe"]["worst"][lab.dials["probe"]]
    assert np.mean([one["worst"] for one in lab._cloud["placebo"]]) < own
    lab.methods["probe"].dial = float("inf")
    assert all(one["worst"] == pytest.approx(lab._origin["worst"]) for one in lab._cloud["placebo"])


def test_other_words_move_the_path(world):
    selection = tk.Selection(pair=("landbird", "waterbird"))
    lab = made(world, selection=selection)
    lab.focus = "RoboShot"
    words = lab._shown["words"]
    assert words["lines"] == ["a water background | a land background"]
    leak = lab.methods["RoboShot"].fitted.leak("landbird", "waterbird")
    assert words["leak"] == pytest.approx(leak.tolist())
    before = lab._paths["RoboShot"]
    lab._asked = [{"id": "w", "do": "tell", "name": "RoboShot", "lines": ["the sea | the forest", ""]}]
    assert lab.methods["RoboShot"].fitted.method.reject == (("the sea", "the forest"),)
    assert lab._paths["RoboShot"] != before
    assert lab._shown["words"]["lines"] == ["the sea | the forest"]
    lab.focus = "probe"
    assert lab._shown["words"] is None


@pytest.mark.parametrize(
    ("name", "lines", "said"),
    [
        ("RoboShot", ["the sea"], "a pair"), ("RoboShot", ["", " "], "no words"), ("probe", ["x"], "told words"),
        ("Nothing", ["x"], "name one"),
    ],
)  # fmt: skip
def test_words_that_cannot_be_told(lab, name, lines, said):
    with pytest.raises(tk.InputError, match=said):
        lab.tell(name, lines)


def test_words_of_every_cure_that_takes_some():
    from toolkit.labs.compare_words import with_words, words_of

    for settings in (M.ContextEnsemble(("on water",)), M.GroupPrompts(("on water",)), M.ConceptHeads("water")):
        lines, hint = words_of(settings)
        assert hint
        changed = with_words(settings.named("mine"), [*lines, "on land"])
        assert words_of(changed)[0] == [*lines, "on land"]
        assert changed.name == "mine"
    assert words_of(M.RoboShot(np.zeros((1, 2, 4)))) is None
    assert words_of(M.Prompts("varied")) is None


def test_settings_in_the_place_of_others(lab):
    lab.put_method(M.Probe(logit_scale=5))
    assert lab.methods["probe"].fitted.method.logit_scale == 5
    with pytest.raises(tk.InputError, match="give it that name"):
        lab.put_method(M.JTT())


def test_heads_that_were_given_are_in_the_ledger(world):
    lab = made(world, [M.HeadsOff("L3.H7"), "Probe"])
    assert {row["name"]: row["given"] for row in lab._table} == {"heads off": True, "probe": False}
