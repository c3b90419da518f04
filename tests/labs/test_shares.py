"""Whatever is shared out: every image once, nothing judged that something was chosen on, what cannot be done said."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit as tk
from toolkit.api.images.judged import judged
from toolkit.labs.shares import DRAWN, FEWEST, PER_CLASS, more_draws, shares

TWO = ["a", "b"]


def images(labels, seed=0):
    """Parts of images with these labels, of random numbers; labels other than a and b are in no class set."""
    rng = np.random.default_rng(seed)
    n = len(labels)
    acts = tk.from_arrays(
        rng.normal(size=(n, 1, 2, 4)).astype(np.float32), rest=rng.normal(size=(n, 4)).astype(np.float32),
        labels=np.array(labels), scale="raw", ids=[f"image {i}" for i in range(n)],
    )  # fmt: skip
    classes = tk.classes(TWO, vectors=rng.normal(size=(2, 4)).astype(np.float32))
    return acts, judged(acts, classes, "test")


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=150).filter(lambda x: {"a", "b"} & set(x)))
def test_every_image_serves_once(labels):
    acts, known = images(labels)
    found = shares(known, acts.ids)
    assert sorted(found.found) == found.found
    assert not set(found.few) & set(found.choosing)
    assert set(found.few) | set(found.choosing) == set(found.found)
    everything = set(range(len(labels)))
    counts = Counter(labels[i] for i in found.few)
    present = [name for name in TWO if name in labels]
    assert set(counts.values()) == {max(1, min(PER_CLASS, min(labels.count(name) for name in present) // 2))}
    assert set(counts) == set(present)
    if "flatters" in found.words:
        assert not found.choosing
        assert set(found.judging) == everything
        return
    assert not set(found.judging) & set(found.found)
    if found.choosing:
        assert set(found.judging) | set(found.found) == everything
        for half in (found.choosing, found.judging):
            assert sum(labels[i] in TWO for i in half) >= FEWEST
    else:
        assert set(found.judging) == everything - set(found.few)
        assert "too few" in found.words


def test_an_image_stays_in_its_half_whatever_else_is_there():
    labels = ["a", "b"] * 200
    acts, known = images(labels)
    found = shares(known, acts.ids)
    assert len(found.few) == 2 * PER_CLASS
    assert len(found.choosing) == pytest.approx(len(found.judging), rel=0.25)
    fewer = acts.take(list(range(0, 400, 3)))
    again = shares(judged(fewer, known.classes, "test"), fewer.ids)
    halves = [set(acts.ids[found.choosing]), set(acts.ids[found.judging])]
    assert not halves[0] & set(fewer.ids[again.judging])
    assert not halves[1] & set(fewer.ids[again.choosing])


def test_images_that_were_named_serve_nothing_else():
    acts, known = images(["a", "b"] * 100)
    few, held = acts.ids[:20].tolist(), acts.ids[20:80].tolist()
    found = shares(known, acts.ids, few, None)
    assert found.few == []
    assert not set(found.choosing + found.judging) & set(range(20))
    found = shares(known, acts.ids, few, held)
    assert found.judging == []
    assert found.choosing == found.found == list(range(80, 200))
    found = shares(known, acts.ids, None, [*held, "image of another set"])
    assert not set(found.found) & set(range(20, 80))
    assert "named for it" in found.words
    everything = shares(known, acts.ids, acts.ids.tolist(), None)
    assert set(everything.judging) == set(everything.found) == set(range(200))
    assert "flatters" in everything.words


def test_words_say_which_images_did_what():
    acts, known = images(["a", "b"] * 100)
    found = shares(known, acts.ids)
    for n in (len(found.found), len(found.choosing), len(found.judging)):
        assert f"{n}" in found.words
    acts, known = images(["a", "b"] * 12)
    few = shares(known, acts.ids)
    assert f"{len(few.judging)} are too few to set some aside" in few.words


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=150).filter(lambda x: {"a", "b"} & set(x)))
def test_other_draws_are_as_large_and_never_of_what_judges(labels):
    acts, known = images(labels)
    found = shares(known, acts.ids)
    draws = more_draws(known, acts.ids, found)
    if not found.choosing:
        assert draws == []
    assert len(draws) <= DRAWN - 1
    wrong = {name for name, y, o in zip(known.acts.ids, known.truth, known.guess, strict=True) if y != o}
    for rows in draws:
        assert set(rows) <= set(found.found)
        assert Counter(labels[i] for i in rows) == Counter(labels[i] for i in found.few)
        assert wrong & {acts.ids[i] for i in rows}
