"""The registry of head scores: one function, and the score stands everywhere; what it returns never breaks anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

import toolkit as tk
from toolkit.api.locate import registry
from toolkit.labs.explorer import ExplorerSession

PAIR = ("landbird", "waterbird")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """No test leaves a score behind."""
    before = dict(registry._SCORES)
    yield
    registry._SCORES.clear()
    registry._SCORES.update(before)


@pytest.fixture(scope="module")
def acts(model):
    return tk.extract(model, tk.scenes("edit", n=160, kind="birds"), progress=False)


@pytest.fixture(scope="module")
def scores(acts, birds):
    return tk.locate(acts, birds, *PAIR, resamples=12)


@pytest.fixture
def spread():
    @tk.head_score("spread", label="spread of the contribution", unit="cosine")
    def spread(evidence):
        """How much the head's push towards the error varies over the wrong images.

        Formula: sd over W of c · (T_ŷ − T_y)

        Source: this test
        """
        return evidence.along(evidence.toward)[evidence.wrong].std(0, correction=0)

    return spread


def literal_spread(acts, birds, rows) -> np.ndarray:
    """The same from whole contributions, head by head."""
    heads = acts.take(rows).heads.double()
    texts = birds.vectors(acts.model).double()
    toward = texts[birds.index(PAIR[1])] - texts[birds.index(PAIR[0])]
    return (heads[:, -4:] @ toward).std(0, correction=0).numpy()


@pytest.mark.parametrize("name", "abcd")
def test_a_to_d_are_the_badness(scores, acts, birds, name):
    pooled = tk.locate(acts, birds, resamples=5)
    for found in (scores, pooled):
        np.testing.assert_array_equal(found.map(name), found.badness(name))
        np.testing.assert_array_equal(found.map(name.upper()), found.badness(name))
        band, sign = found.band(name), {"a": 1, "b": -1, "c": 1, "d": -1}[name]
        raw = found.interval[name]
        low, high = (raw.low, raw.high) if sign > 0 else (-raw.high, -raw.low)
        np.testing.assert_allclose(band.low, low, atol=1e-12)
        np.testing.assert_allclose(band.high, high, atol=1e-12)


def test_a_score_is_its_function(scores, acts, birds, spread):
    wrong = [i for i, name in enumerate(acts.ids) if name in set(acts.ids[(scores._session.sets(PAIR).wrong).numpy()])]
    np.testing.assert_allclose(scores.map("Spread"), literal_spread(acts, birds, wrong), atol=1e-7)
    assert scores.ranking("spread").heads[0] == scores._heads(scores.map("spread"))[0]


def test_of_all_mistakes_it_is_the_mean_over_the_pairs(acts, birds, spread):
    pooled = tk.locate(acts, birds, resamples=5)
    tables = [one.map("spread") for one in pooled.pairs]
    weights = [one.sizes["W"] for one in pooled.pairs]
    np.testing.assert_allclose(pooled.map("spread"), np.average(tables, axis=0, weights=weights), atol=1e-12)


def test_an_interval_calls_it_again_on_resampled_images(scores, spread):
    seen = []

    @tk.head_score("counted")
    def counted(evidence):
        seen.append((len(evidence.truth), len(evidence.wrong), len(evidence.correct), len(evidence.others)))
        return spread(evidence)

    band = scores.band("counted")
    sizes = (len(scores._session.images), *scores.sizes.values())
    assert seen == [sizes] * 12  # drawn inside label × prediction: the sets keep their sizes
    samples = [spread(scores._session.evidence(PAIR).sample(i)).numpy() for i in range(12)]
    np.testing.assert_allclose(band.low, np.quantile(samples, 0.025, axis=0), atol=1e-12)
    assert band.level == 0.95
    assert "12 resamples" in band.method
    assert (band.low < band.high).all()
    steady = scores.stability("counted", 3)
    assert steady.sum() == pytest.approx(3)
    assert scores.band("LTC") is None


def test_an_interval_can_be_stopped(scores, spread):
    def stop(done, of):
        assert of == 12
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scores.band("spread", stop)
    assert scores.band("spread") is not None


def test_algorithm_1_looks_at_the_lists_it_is_given(scores, spread):
    assert list(scores.lists(5)) == ["A", "B", "C", "D"]
    assert list(scores.lists(5, "spread")) == ["spread"]
    only = scores.choose(lists=["spread"], guard=False)
    assert only.heads == scores.ranking("spread").heads[: len(only)]
    assert "list spread" in only.why
    assert scores.choose().heads == scores.choose(lists=("a", "b", "c", "d")).heads
    with pytest.raises(tk.InputError, match="did you mean 'spread'"):
        scores.choose(lists="spraed")


def test_it_stands_in_glossary_and_why(spread):
    assert tk.glossary("spread").formula == "sd over W of c · (T_ŷ − T_y)"
    found = tk.why("spread", tk.load().card)
    assert found.asks.startswith("How much the head's push")
    assert found.reference == "this test"
    assert "8 heads" in found.shapes
    assert found.meanings()[0][0] == "spread"
    assert tk.why("A").meanings()[0][0] == "DE_A … DE_D"


@pytest.mark.parametrize("one", registry.offered(), ids=lambda one: one.name)
def test_every_score_of_the_toolkit_says_what_it_is(one):
    assert len(one.says) > 20
    assert one.term
    assert tk.why(one.name).asks == one.says
    assert tk.glossary(one.term)


def test_it_stands_in_the_choices_of_the_panels(acts, birds, scores, spread):
    grid = tk.HeadGrid(scores)
    assert grid.scores[:5] == ("A", "−B", "C", "−D", "LTC")
    assert grid.scores[-1] == "spread"
    assert set(grid.scores) <= {one.name for one in registry.offered()}
    assert grid.layers == scores.layers
    assert grid._labels["spread"] == "spread of the contribution"
    lab = tk.AblationLab(acts, birds, engine=tk.Engine(), pair=PAIR, score="spread")
    np.testing.assert_allclose(lab._table, scores.map("spread"), atol=1e-12)
    assert lab._map_words.startswith("How much the head's push")
    assert len(lab._sure["low"]) == 32
    assert {
        "name": "spread",
        "label": "spread of the contribution",
        "unit": "cosine",
        "takes_text": False,
    } in lab._scores
    edit = tk.edit(acts, birds, "L3.H7", steps=3)
    two = tk.TwoModels(acts, birds, edit, engine=tk.Engine(), score="spread")
    assert [side["kind"] for side in two._maps] == ["spread", "spread"]
    assert [len(side["values"]) for side in two._maps] == [4 * 32] * 2
    with pytest.raises(tk.InputError, match="did you mean 'spread'"):
        lab.score = "sprea"


def test_it_survives_in_the_explorers_state(acts, birds, spread):
    explorer = tk.Explorer(acts.model, acts, birds, engine=tk.Engine())
    explorer.grid.score = "spread"
    explorer.ablation.score = "spread"
    state = explorer.state
    again = tk.Explorer(acts.model, acts, birds, engine=tk.Engine(), state=state)
    assert (again.grid.score, again.ablation.score) == ("spread", "spread")
    registry.forget("spread")
    with pytest.raises(tk.InputError, match=r"Explorer state, .*the score 'spread'.*tk.head_score"):
        tk.Explorer(acts.model, acts, birds, engine=tk.Engine(), state=state)


WRONG: dict[str, tuple[Callable, str]] = {
    "another shape": (lambda evidence: np.zeros((2, 2)), r"\[2, 2\] of type float64.*4 layers × 8 heads"),
    "a scalar": (lambda evidence: 1.0, r"\[\] of type float64"),
    "nothing": (lambda evidence: None, "of type object"),
    "rows of several lengths": (lambda evidence: [[1.0], [1.0, 2.0]], "of type object"),
    "words": (lambda evidence: np.full((4, 8), "a"), "of type <U1"),
    "complex numbers": (lambda evidence: torch.zeros(4, 8, dtype=torch.complex64), "of type complex64"),
    "an error": (lambda evidence: 1 / 0, "ZeroDivisionError: division by zero"),
    "a refusal": (lambda evidence: evidence.nothing_of_the_sort, "AttributeError"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_table_is_said_and_breaks_nothing(acts, birds, scores, kind):
    function, words = WRONG[kind]
    tk.head_score("odd")(function)
    with pytest.raises(tk.InputError, match=f"head score 'odd'.*{words}"):
        scores.map("odd")
    lab = tk.AblationLab(acts, birds, engine=tk.Engine(), pair=PAIR)
    lab.score = "odd"
    assert "head score 'odd'" in lab.error
    lab.score = "A"
    assert lab.error == ""
    session = ExplorerSession(acts.model, acts, birds, -4, None, None, None)
    maps = session.maps(PAIR)
    assert list(maps.tables)[:5] == ["−D", "A", "−B", "C", "LTC"], "the usual one first"
    assert list(maps.tables)[-1] == "odd"
    assert np.isnan(maps.tables["odd"]).all()
    assert "head score 'odd'" in maps.failed
    assert np.isnan(scores.maps()["odd"]).all()
    two = tk.TwoModels(acts, birds, tk.edit(acts, birds, "L3.H7", steps=2), engine=tk.Engine(), score="odd")
    assert "head score 'odd'" in two.error


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64, np.uint8, bool])
def test_numbers_of_any_type_will_do(scores, dtype):
    tk.head_score("typed")(lambda evidence: np.ones(evidence.shape, dtype))
    assert scores.map("typed").dtype == np.float64
    assert (scores.map("typed") == 1).all()


def test_nan_is_shown_as_such(acts, birds, scores):
    def some(evidence):
        table = np.arange(32, dtype=float).reshape(evidence.shape)
        table[0, :3] = np.nan
        return table

    tk.head_score("holes")(some)
    tk.head_score("void")(lambda evidence: np.full(evidence.shape, np.nan))
    assert len(scores.ranking("holes")) == 32
    assert np.isnan(scores.stability("holes", 2)[0, :3]).all()
    lab = tk.AblationLab(acts, birds, engine=tk.Engine(), pair=PAIR, score="holes")
    assert lab.error == ""
    assert np.isnan(lab._table[0, :3]).all()
    grid = tk.HeadGrid(scores, score="holes")
    assert "3 not finite" in grid.summary
    grid.score = "void"
    assert "32 not finite" in grid.summary
    with pytest.raises(tk.InputError, match="nowhere a number"):
        scores.ranking("void")
    with pytest.raises(tk.InputError, match="none has a number"):
        scores.choose(lists="void")


def test_registering(spread):
    with pytest.raises(tk.InputError, match=r"is taken.*replace=True"):
        tk.head_score("spread")(lambda evidence: None)
    with pytest.raises(tk.InputError, match="is taken"):
        tk.head_score("b")(lambda evidence: None)
    tk.head_score("spread", replace=True, label="new")(spread)
    assert [one.label for one in registry.offered() if one.name == "spread"] == ["new"]
    for name in ("", " ", " a", 3, None):
        with pytest.raises(tk.InputError, match="a name without space"):
            tk.head_score(name)
    with pytest.raises(tk.InputError, match="'HeadGrid', 'AblationLab', 'TwoModels'"):
        tk.head_score("x", shown_in=("Gallery",))
    with pytest.raises(tk.InputError, match="a function of the evidence"):
        tk.head_score("x")(3)
    tk.head_score("mute")(lambda evidence: None)
    assert "has not said" in registry.known_score("mute", "test").says


def test_a_panel_offers_what_is_meant_for_it(acts, birds):
    tk.head_score("there", shown_in=("AblationLab",))(lambda evidence: np.zeros(evidence.shape))
    assert "there" not in ExplorerSession(acts.model, acts, birds, -4, None, None, None).maps(PAIR).tables
    two = tk.TwoModels(acts, birds, engine=tk.Engine())
    with pytest.raises(tk.InputError, match="the score 'there'"):
        two.score = "there"


def test_one_that_runs_the_model_needs_one(acts, birds, scores):
    tk.head_score("run", needs_model=True)(lambda evidence: np.full(evidence.shape, evidence.model.card.heads))
    assert (scores.map("run") == 8).all()
    parts = tk.decompose(acts.model, acts.samples)
    rest = parts.biases.sum(1) + parts.constant
    arrays = tk.from_arrays(parts.heads, mlps=parts.mlps, rest=rest, labels=acts.labels, scale="unit")
    classes = tk.classes(birds.names, vectors=birds.vectors(acts.model))
    with pytest.raises(tk.InputError, match="without a live model"):
        tk.locate(arrays, classes, *PAIR).map("run")
    assert "run" not in ExplorerSession(acts.model, acts, birds, -4, None, None, None).maps(PAIR).tables


def test_evidence_adds_up(scores, acts):
    evidence = scores._session.evidence(PAIR)
    assert [len(rows) for rows in (evidence.wrong, evidence.correct, evidence.others)] == list(scores.sizes.values())
    direction = torch.nn.functional.normalize(torch.randn(acts.embedding.shape[1], dtype=torch.float64), dim=0)
    along = evidence.along(direction)
    for row, head in ((0, 0), (3, 7)):
        torch.testing.assert_close(along[:, row, head], evidence.contributions(row, head) @ direction)
    whole = scores._session.evidence(None)
    assert len(whole.wrong) + len(whole.correct) == len(whole.truth)
    with pytest.raises(tk.InputError, match="per_pair=True"):
        whole.toward  # noqa: B018
