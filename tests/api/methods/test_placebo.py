"""`tk.methods.placebo`: every cure told nothing."""

from __future__ import annotations

import numpy as np
import pytest

import toolkit as tk

M = tk.methods
WORDS = {
    "RoboShot": lambda: M.RoboShot([("water", "land")]),
    "OrthoCali": lambda: M.OrthoCali(["water", "land"], [("a landbird on water", "a landbird on land")]),
    "ConceptHeads": lambda: M.ConceptHeads("water", k=3),
    "ContextEnsemble": lambda: M.ContextEnsemble(("on water", "on land")),
    "GroupPrompts": lambda: M.GroupPrompts(("on water", "on land")),
    "PerceptionCLIP": lambda: M.PerceptionCLIP({"place": {"": "", "water": "on water"}}),
    "Prompts": lambda: M.Prompts("varied"),
}


@pytest.mark.parametrize("name", [name for name in M.offered() if name != "AsItIs"])
def test_every_cure_has_one_that_knows_nothing_of_the_few(pool, every, name):
    few = pool.draw(6, seed=3)
    settings = WORDS[name]() if name in WORDS else getattr(M, name)()
    found, images = M.placebo(settings, few, every, seed=1)
    again, same = M.placebo(settings, few, every, seed=1)
    assert repr(found) == repr(again)
    assert images.labels.tolist() == same.labels.tolist()
    assert sorted(images.labels) == sorted(few.labels)
    told_labels = images.labels.tolist() == few.labels.tolist()
    assert not told_labels or repr(found) != repr(settings)
    fitted = found.fit(images, every)
    start = fitted.scores(few, fitted.dial.start).argmax(1)
    assert (start == (few.embedding.double() @ every.vectors(few.live).double().T).argmax(1)).all()


def test_labels_are_shuffled_and_places_stay(pool, every):
    few = pool.draw(10, seed=3)
    _, images = M.placebo(M.Probe(), few, every, seed=0)
    assert images.labels.tolist() != few.labels.tolist()
    places = [group.split(" on ")[1] for group in few.groups]
    assert [group.split(" on ")[1] for group in images.groups] == places
    assert all(group.startswith(label) for group, label in zip(images.groups, images.labels, strict=True))
    assert np.array_equal(images.ids, few.ids)
    assert few.labels.tolist() != images.labels.tolist(), "the images given keep their labels"


def test_bad_input(pool, every):
    with pytest.raises(tk.InputError, match="two or more"):
        M.placebo(M.Probe(), pool.draw(5), every, words=["snow"])
    with pytest.raises(tk.InputError, match="one per image"):
        pool.draw(5).relabelled(["a"])
