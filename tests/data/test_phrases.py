"""Phrases of captions."""

from __future__ import annotations

import pytest

import toolkit as tk
from toolkit.data.phrases import captions_of, phrase_table, phrases_in


def test_up_to_three_words_and_no_stop_word_at_an_end():
    assert phrases_in("A bird on the lake.") == {"bird", "bird on the lake"} - {"bird on the lake"} | {"lake"}
    assert phrases_in("a large bird") == {"large", "bird", "large bird"}
    assert phrases_in("bird on water") == {"bird", "water", "bird on water"}


def test_phrases_do_not_go_over_punctuation_and_know_other_scripts():
    assert phrases_in("red, blue") == {"red", "blue"}
    assert phrases_in("ein Vogel über Wasser") >= {"vogel", "vogel über wasser"}
    assert phrases_in("水鳥") == {"水鳥"}
    assert phrases_in("the fisherman's boat") >= {"fisherman's boat"}
    assert phrases_in("  … !") == set()


def test_where_each_phrase_stands():
    names, there = phrase_table(["a lake", "a bird", "a bird on a lake"])
    assert there[:, names.index("lake")].tolist() == [True, False, True]
    assert there[:, names.index("bird")].tolist() == [False, True, True]


def test_several_captions_of_an_image_are_joined(tmp_path):
    path = tmp_path / "told.csv"
    path.write_text("id,caption\n1,a lake\n1,a bird\n2,a dog\n", encoding="utf-8")
    assert captions_of(path, "keywords") == {"1": "a lake\na bird", "2": "a dog"}


@pytest.mark.parametrize("given", [{}, {"1": " "}, [("1", "a lake")], 3])
def test_what_is_no_caption_is_refused(given):
    with pytest.raises(tk.InputError, match="caption"):
        captions_of(given, "keywords")
