"""`tk.neighbours`: images that are alike to one head, from k numbers a head."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import toolkit as tk


@pytest.fixture(scope="module")
def acts():
    return tk.extract(tk.load(), tk.scenes("val", n=80, seed=3), progress=False)


@pytest.mark.parametrize("score", ["cosine", "dot"])
def test_it_is_what_the_contributions_say(acts, score):
    c = acts.heads[:, 3, 7].double()
    if score == "cosine":
        c = torch.nn.functional.normalize(c - c.mean(0), dim=1)
    gram = (c @ c[5]).numpy()
    gram[5] = -np.inf
    found = tk.neighbours(acts, acts.ids[5], "L3.H7", 6, score)
    assert found.ids.tolist() == acts.ids[np.argsort(-gram)[:6]].tolist()
    np.testing.assert_allclose(found.scores, np.sort(gram)[::-1][:6], atol=1e-6)
    assert list(found.to_dataframe().columns) == ["id", "label", "group", "score"]
    assert str(found).startswith(f"nearest to {acts.ids[5]} under L3.H7")


def test_a_head_of_the_background_finds_backgrounds():
    acts = tk.extract(tk.load(), tk.scenes("val", n=240, seed=3, kind="birds"), progress=False)
    place = np.array([group.split(" on ")[1] for group in acts.groups])
    same = []
    for i in range(0, 240, 12):
        near = tk.neighbours(acts, acts.ids[i], "L3.H7", 5)
        same.append(np.mean([group.endswith(place[i]) for group in near.groups]))
    assert np.mean(same) > 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "nobody"}, "the image 'nobody'"),
        ({"head": "L3.H7 L3.H5"}, "2 heads"),
        ({"head": "L9.H0"}, "unknown head"),
        ({"n": 0}, "n=0"),
        ({"score": "nearness"}, "score='nearness'"),
    ],
)
def test_refused_in_words(acts, change, message):
    with pytest.raises(tk.InputError, match=message):
        tk.neighbours(acts, **({"image": acts.ids[0], "head": "L3.H7"} | change))
