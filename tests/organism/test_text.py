"""Captions say what is true; the tokenizer knows all their words and reports the others."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import InputError
from toolkit.organism.captions import FIELDS, claims, mention, truth, vocabulary, write
from toolkit.organism.draws import Draws
from toolkit.organism.evaluate import PROMPTS
from toolkit.organism.factors import FACTORS, Mixture, draw_factors
from toolkit.organism.tokenizer import UnknownWordWarning, WordTokenizer

TOKENIZER = WordTokenizer(vocabulary())


@pytest.fixture(scope="module")
def drawn():
    factors = draw_factors(Draws("train", 0, np.arange(300)), Mixture())
    values = claims(factors)
    return values, mention(values, np.random.default_rng(0))


def test_every_caption_is_true_of_its_own_image_and_truth_is_literal(drawn):
    values, said = drawn
    table = truth(said, values)
    assert table.diagonal().all()
    for i, j in [(3, 8), (40, 41), (77, 5)]:
        assert table[i, j] == all(said[j, k] in (-1, values[i, k]) for k in range(len(FIELDS)))
    assert 0.02 < table.mean() < 0.2


def test_captions_use_known_words_only(drawn):
    _, said = drawn
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for row in said:
            for variant in range(4):
                TOKENIZER([write(row, variant)])


def test_captions_name_what_they_claim(drawn):
    _, said = drawn
    for claim in said[:100]:
        text = write(claim, 1).split()
        for name, value in zip(FIELDS, claim, strict=True):
            if value >= 0 and name in ("colour", "texture", "size", "count", "neck", "bill", "feet", "background"):
                assert FACTORS[name][value] in text


def test_prompts_exist_for_every_word_and_are_known():
    for name, words in FACTORS.items():
        assert len(PROMPTS[name]) == len(words)
        assert TOKENIZER(PROMPTS[name]).max() == TOKENIZER.end_id


@given(st.lists(st.sampled_from(vocabulary()), min_size=1, max_size=40))
def test_ids_start_end_and_pad(words):
    row = TOKENIZER([" ".join(words)])[0].tolist()
    length = min(len(words), 22)
    assert row[0] == TOKENIZER.start_id
    assert row[length + 1] == TOKENIZER.end_id == max(row)
    assert row[length + 2 :] == [0] * (22 - length)
    assert TOKENIZER.vocab_size == TOKENIZER.end_id + 1


def test_unknown_words_warn_with_the_nearest_and_become_the_unknown_token():
    with pytest.warns(UnknownWordWarning, match="'watrbird'.*nearest known: waterbird"):
        ids = TOKENIZER(["a watrbird"])
    assert ids[0, 2] == TOKENIZER.unknown_id
    assert TOKENIZER.unknown("a watrbird, Red!") == ["watrbird"]


@pytest.mark.parametrize("text", ["", "  ", "…!?"])
def test_a_text_without_words_is_refused(text):
    with pytest.raises(InputError, match="at least one word"):
        TOKENIZER([text])


def test_tokenizer_is_saved_and_read(tmp_path):
    TOKENIZER.save(tmp_path / "t.json")
    again = WordTokenizer.load(tmp_path / "t.json")
    assert again.words == TOKENIZER.words
    assert (again(["a red bird"]) == TOKENIZER(["a red bird"])).all()


def test_unknown_words_are_visible_in_what_was_made_with_them():
    import toolkit as tk

    model = tk.load()
    assert model.unknown_words(["a zebra on the lakes", "a red bird"]) == {
        "zebra": [],
        "lakes": ["lake", "snakes", "planes"],
    }
    assert model.unknown_words("a red bird") == {}
    found = tk.classes(["cat", "zebras", "red starr"])
    with pytest.warns(UnknownWordWarning, match="nearest known: star"):
        found.vectors(model)
    assert found.unknown(model)["zebras"] == {"zebras": []}
    assert found.unknown(model)["red starr"]["starr"][:2] == ["star", "stars"]
    assert found.unknown(model).keys() == {"zebras", "red starr"}
    assert "words the model does not know: 'zebras' of 'zebras'; 'starr' of 'red starr' (nearest known: star" in repr(
        found
    )
    known = tk.classes(["cat", "car"])
    known.vectors(model)
    assert "does not know" not in repr(known)


def test_classes_that_differ_in_unknown_words_only_are_told():
    import toolkit as tk

    with pytest.warns(UnknownWordWarning), pytest.warns(tk.ClassWarning, match=r"'zebra' and 'lion'.*does not know"):
        tk.classes(["cat", "zebra", "lion"]).vectors(tk.load())


def test_the_page_of_a_photograph_names_unknown_words(tmp_path):
    from PIL import Image

    import toolkit as tk
    from toolkit.figures.demo import write_glance
    from toolkit.labs.tour import glance

    with pytest.warns(UnknownWordWarning):
        result = glance(tk.load(), Image.new("RGB", (64, 64), "white"), "a zebra", "a lakes")
    page = write_glance(result, tmp_path).read_text()
    assert "The model does not know “zebra”, “lakes” (nearest: lake, snakes, planes)" in page
    assert json.loads((tmp_path / "demo.json").read_text())["unknown_words"] == {
        "zebra": [],
        "lakes": ["lake", "snakes", "planes"],
    }
    assert "unknown words" in page
