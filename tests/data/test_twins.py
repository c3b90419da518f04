"""Classes that a model reads alike stop nothing but the question that is about them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import toolkit as tk

NAMES = ["Waterbird", "landbird", "waterbird", "cat"]


@pytest.fixture(scope="module")
def acts():
    data = tk.scenes("edit", n=60, kind="birds")
    return tk.extract(tk.load(), data)


@pytest.fixture
def classes():
    """The built-in tokenizer knows no capitals, as CLIP's own does not."""
    return tk.classes(NAMES)


def test_they_are_warned_of_by_name_and_the_first_is_predicted(acts, classes):
    with pytest.warns(tk.ClassWarning, match="'Waterbird' and 'waterbird' have the same vector"):
        vectors = classes.vectors(acts.live)
    assert torch.equal(vectors[0], vectors[2])
    assert classes.twins(acts.live) == (("Waterbird", "waterbird"),)
    assert 2 not in classes.predict(acts.embedding, acts.live)


def test_tasks_go_on_and_what_was_too_close_is_counted(acts, classes):
    with pytest.warns(tk.ClassWarning):
        found = tk.ablate(acts, classes, "L3.H1")
    assert found.after.n == len(acts)
    scores = tk.locate(acts, classes)
    assert np.isfinite(scores.map("C")).all()
    assert not {("waterbird", "Waterbird"), ("Waterbird", "waterbird")} & {one.pair for one in scores.pairs}
    assert tk.locate(acts, classes, true="landbird").pair == ("landbird", "Waterbird")


@pytest.mark.parametrize("pair", [("waterbird", "Waterbird"), ("Waterbird", "waterbird")])
def test_only_the_pair_itself_is_refused(pair, acts, classes):
    classes.vectors(acts.live)
    for verb in (tk.locate, lambda *given, **pair: tk.edit(*given, "L3.H1", **pair)):
        with pytest.raises(tk.InputError, match=r"have the same vector.*prompts=\{name: text\}"):
            verb(acts, classes, true=pair[0], predicted=pair[1])


def test_three_of_a_kind_are_one_kind():
    three = tk.classes(["a", "b", "c", "d"], vectors=np.eye(2)[[0, 1, 0, 0]])
    assert three.twins() == (("a", "c", "d"),)
    assert three.predict(np.array([[1.0, 0.0]])).tolist() == [0]
