"""`tk.presence` and `tk.discrepancies`: which attributes being right goes with."""

from __future__ import annotations

import fan
import numpy as np
import pandas as pd
import pytest

import toolkit as tk

BIRDS = ("LL1", "LL2", "LW1", "LW2")


def test_landbirds_of_the_fan():
    acts = fan.acts(*fan.RAW)
    land = {"land": [name[1] == "L" for name in fan.RAW], "landbird": [True] * 11}
    found = tk.discrepancies(acts, fan.classes(), land)
    row = found.table.set_index(["class", "attribute"]).loc[("landbird", "land")]
    assert row["delta"] == 1
    assert (row["n1"], row["n0"]) == (2, 2)
    assert not row["enough"]
    assert row["confused"] == "waterbird"
    assert "landbird" not in set(found.table["attribute"]), "an attribute named as a class is left out"
    assert found.top().empty
    assert "fewer than 10 images" in str(found)
    looser = tk.discrepancies(acts, fan.classes(), land, least=2)
    assert looser.top(1)["attribute"].tolist() == ["land", "land"]


def test_presence_from_texts_is_the_share_of_a_class_and_says_it_is_circular(model):
    acts = tk.extract(model, tk.scenes("val", n=80, seed=2, kind="birds"), progress=False)
    found = tk.presence(acts, ["a water background", "a land background"], share=0.5)
    assert found.circular
    for label in ("landbird", "waterbird"):
        mine = acts.labels == label
        assert found.there[mine].sum(0).tolist() == [round(0.5 * mine.sum())] * 2
    water = np.array([group.endswith("on water") for group in acts.groups])
    assert (found.there[:, 0] == water).mean() > 0.8
    assert "said so itself" in str(found)


def test_a_table_of_a_detector_is_read_by_id(model, tmp_path):
    acts = tk.extract(model, tk.scenes("val", n=200, seed=2, kind="birds"), progress=False)
    water = np.array([group.endswith("on water") for group in acts.groups])
    table = pd.DataFrame({"id": acts.ids, "water": water.astype(int), "sky": np.arange(200) % 2 == 0})
    table.sample(frac=1, random_state=0).to_csv(tmp_path / "seen.csv", index=False)
    birds = tk.classes(["waterbird", "landbird"])
    found = tk.discrepancies(acts, birds, tmp_path / "seen.csv")
    rows = found.table.set_index(["class", "attribute"])
    right = birds.predict(acts.embedding, model).numpy() == birds.encode(acts.labels)
    for label in ("waterbird", "landbird"):
        mine = acts.labels == label
        by_hand = right[mine & water].mean() - right[mine & ~water].mean()
        assert rows.loc[(label, "water"), "delta"] == pytest.approx(by_hand)
        assert rows.loc[(label, "water"), "low"] <= by_hand <= rows.loc[(label, "water"), "high"]
    assert rows.loc[("waterbird", "water"), "delta"] > 0.3
    assert found.top(1)["attribute"].tolist()[-1] == "water"
    assert rows.loc[("waterbird", "water"), "q"] < 1e-3

    marked = found.marked("water", "spurious").marked("sky", "healthy", "landbird")
    assert marked.spurious == ("water",)
    again = found.with_marks(marked.save(tmp_path / "marks.json"))
    assert again.marks == marked.marks
    assert again.table.set_index(["class", "attribute"]).loc[("landbird", "sky"), "mark"] == "healthy"

    method = tk.methods.RoboShot([("a water background", "a land background")]).fit(acts.take(range(40)), birds)
    cured = tk.discrepancies(acts, birds, tmp_path / "seen.csv", guess=method.scores(acts).argmax(1).numpy())
    after = cured.table.set_index(["class", "attribute"])
    assert after.loc[("waterbird", "water"), "delta"] < rows.loc[("waterbird", "water"), "delta"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"water": [True]}, "1 values of 'water' for 11 images"),
        ({}, "no columns"),
        ({"water": np.linspace(0, 1, 11)}, "0.1 in it"),
        ({"water": list("abcdefghijk")}, "the column 'water'"),
        (pd.DataFrame({"name": ["a"]}), "without a column 'id'"),
        (pd.DataFrame({"id": ["LL1", "LL1"], "water": [1, 0]}), "in 2 rows"),
        (pd.DataFrame({"id": ["LL1"]}), "ids alone"),
        (pd.DataFrame({"id": ["LL1"], "water": [1]}), "10 of 11 images that it does not have"),
        ([""], "a list of texts"),
    ],
)
def test_what_is_no_presence_is_refused_in_words(given, message):
    with pytest.raises(tk.InputError, match=message):
        tk.presence(fan.acts(*fan.RAW), given)


def test_other_wrong_arguments():
    acts, land = fan.acts(*fan.RAW), {"land": [True] * 11}
    with pytest.raises(tk.InputError, match="class indices"):
        tk.discrepancies(acts, fan.classes(), land, guess=[0])
    found = tk.discrepancies(acts, fan.classes(), land)
    with pytest.raises(tk.InputError, match="the attribute 'sea'"):
        found.marked("sea", "spurious")
    with pytest.raises(tk.InputError, match="mark='bad'"):
        found.marked("land", "bad")
    with pytest.raises(tk.InputError, match=r"\.json"):
        found.save("marks.txt")
