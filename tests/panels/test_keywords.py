"""`Keywords` without a browser: what is asked, what is painted, links, uses, bad input."""

from __future__ import annotations

import numpy as np
import pytest

import toolkit as tk

PAIR = ("landbird", "waterbird")


@pytest.fixture(scope="module")
def acts():
    return tk.extract(tk.load(), tk.scenes("val", n=240, seed=5, kind="birds"), progress=False)


@pytest.fixture(scope="module")
def birds():
    return tk.classes(["waterbird", "landbird"])


def shown(acts, birds, **more):
    return tk.Keywords(acts, birds, engine=tk.Engine(), **({"pair": PAIR} | more))


def asked(panel, **what):
    panel._asked = [*panel._asked, {"id": f"t {len(panel._asked)}", **what}]


@pytest.fixture
def panel(acts, birds):
    return shown(acts, birds)


def test_the_list_is_that_of_the_verb(panel, acts, birds):
    found = tk.keywords(acts, birds, true="landbird", predicted="waterbird")
    table = found.table
    assert [row["text"] for row in panel._rows] == [*table["text"][:14], *table["text"][-5:]]
    first = panel._rows[0]
    assert first["score"] == pytest.approx(table["score"][0])
    assert first["with_it"] == pytest.approx(table["acc1"][0])
    assert panel._facts["between"] == len(table) - 19
    assert panel._facts["circular"]
    assert [row["beneath"] for row in panel._rows] == [False] * 14 + [True] * 5
    assert first["text"] in panel.summary


def test_the_map_and_the_rest_are_the_score(panel):
    heads = np.frombuffer(panel._map, "<f4")
    assert heads.sum() + panel._chosen["rest"] == pytest.approx(panel._chosen["score"], abs=1e-4)
    assert panel._layers == [0, 1, 2, 3]
    assert panel._heads == 8
    assert set(panel._chosen["wrong"]) <= set(panel.found.wrong)
    assert len(panel._sheet) > 1000


def test_a_choice_is_everybodys(acts, birds):
    selection = tk.Selection()
    panel = shown(acts, birds, selection=selection)
    assert panel.chosen == panel._rows[0]["text"]
    assert selection.text == "", "what nobody chose is told nobody"
    panel.text = "the lake"
    assert selection.text == "the lake"
    assert panel._chosen["text"] == "the lake"
    selection.text = "the forest"
    assert panel.text == "the forest"
    selection.text = "no keyword of the list"
    assert panel.text == "the forest"
    panel._head = [3, 7]
    assert selection.heads == ((3, 7),)
    selection.heads = "L2.H4"
    assert panel._head == [2, 4]
    panel.image = panel._chosen["wrong"][0]
    assert selection.image == panel.image
    selection.pair = ("waterbird", "landbird")
    assert panel.found.true == "waterbird"


def test_words_are_added_and_taken_back(panel):
    asked(panel, do="add", text="water, a red bird ,")
    assert panel.words == ["water", "a red bird"]
    assert {"water", "a red bird"} <= set(panel.found.texts)
    with pytest.warns(UserWarning, match="talons"):
        asked(panel, do="add", text="talons")
    assert "talons" not in panel.found.texts
    assert any("talons" in note for note in panel._facts["notes"])
    asked(panel, do="reset")
    assert panel.words == []
    assert "water" not in [row["text"] for row in panel._rows] or "water" in tk.bank("world").texts


@pytest.mark.parametrize(
    ("use", "name"), [("pair", "RoboShot"), ("prompts", "context ensemble"), ("groups", "GroupDRO")]
)
def test_uses_are_tried_on_other_images(acts, birds, use, name):
    held = tk.extract(tk.load(), tk.scenes("val", n=200, seed=9), progress=False)
    every = tk.classes(["waterbird", "landbird", *sorted(set(held.labels) - {"waterbird", "landbird"})])
    few = tk.extract(tk.load(), tk.scenes("edit", n=80, seed=1, kind="birds"), progress=False).draw(10)
    panel = shown(acts, birds, few=few, held_out=held, every=every, text="the lake", against="the forest")
    asked(panel, do="use", use=use)
    assert panel.method.name == name
    tried = panel._tried
    assert tried["text"] == "the lake"
    assert "judged on 200 others" in tried["words"]
    assert any(row.get("other") for row in tried["rows"])
    assert tried["code"].startswith(("found.", "tk."))
    panel.text = "the forest"
    assert panel._tried == {}, "what was tried was of another keyword"


def test_without_other_images_half_of_them_judges(panel):
    panel.use("pair")
    assert "half of these images" in panel._tried["words"]
    assert "judged on 120 others" in panel._tried["words"]


def test_few_wrong_images_are_said(birds):
    acts = tk.extract(tk.load(), tk.scenes("val", n=40, seed=5, kind="birds"), progress=False)
    panel = shown(acts, birds)
    assert not panel._facts["enough"]
    assert "a hint at most" in panel.summary


def test_bad_input(acts, birds):
    panel = shown(acts, birds)
    with pytest.raises(tk.InputError, match="'pair', 'prompts', 'groups'"):
        panel.use("elsewhere")
    with pytest.raises(tk.InputError, match="one of the two"):
        shown(acts, birds, of=["water"], captions={"x": "y"})
    with pytest.raises(tk.InputError, match="class index"):
        shown(acts, birds, pair=("landbird", "cat"))
    right = acts.where(group="landbird on land").take(range(5))
    silent = tk.Keywords(right, birds, engine=tk.Engine())
    assert "nothing to find words for" in silent.error or "all right" in silent.error


def test_figures_and_tables(panel):
    assert len(panel.to_dataframe()) == panel._facts["between"] + 19
    assert panel.to_plotly().data[0].y[0] == panel._rows[0]["text"]
    assert panel.png().startswith(b"\x89PNG")


def test_in_the_explorer_it_knows_the_mistake_and_judges_on_images_set_aside():
    explorer = tk.Explorer(engine=tk.Engine(), pair=PAIR, tab="keywords")
    part = explorer.keywords
    assert part.found.true == "landbird"
    part.use("pair")
    held = set(explorer._session.judging.ids)
    assert not held & {*part.found.wrong, *part.found.right}
    explorer.pair = ("waterbird", "landbird")
    assert part.found.true == "waterbird"
    explorer.state = explorer.state | {"panels": {"keywords": {"words": ["water"]}}}
    assert part.words == ["water"]
