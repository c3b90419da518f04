"""Text banks: the toolkit's own, the world's, a user's, and what is wrong with one."""

from __future__ import annotations

import json
import re
from collections import Counter

import numpy as np
import pytest
import torch

import toolkit as tk
from toolkit.data.banks import common_first
from toolkit.data.descriptions import EACH, FRAMES, article, descriptions, plural
from toolkit.data.words import WORDS
from toolkit.organism.factors import FACTORS

FUNCTION = {
    "a",
    "an",
    "the",
    "of",
    "in",
    "on",
    "at",
    "by",
    "for",
    "with",
    "to",
    "and",
    "from",
    "that",
    "is",
    "its",
    "who",
}


def test_the_descriptions_are_many_and_varied():
    texts = [text for text, _ in descriptions()]
    assert len(texts) >= 3500
    assert len(set(texts)) == len(texts)
    words = Counter(word for text in texts for word in set(re.findall(r"[a-z'-]+", text.lower())))
    assert len(set(words) - FUNCTION) >= 900
    frames: Counter[str] = Counter()
    for factor, entries in WORDS.items():
        assert len(set(entries)) == len(entries), factor
        n = len(FRAMES[factor])
        each = min(EACH.get(factor, 3), n)
        frames.update(FRAMES[factor][(i + k * max(1, n // each)) % n] for i in range(len(entries)) for k in range(each))
    assert frames.most_common(1)[0][1] <= 0.03 * len(texts)
    factors = Counter(factor for _, factor in descriptions())
    assert set(factors) == set(WORDS)
    assert factors.most_common(1)[0][1] <= 0.1 * len(texts)


def test_the_descriptions_are_english_enough():
    for text, _ in descriptions():
        assert not re.search(r"\{|\}|  |\ba an?\b", text), text
        assert not re.search(r"\ba (?!u[nk]|eu|one|uni)[aeiou]", text), text
    assert (article("umbrella"), article("uniform"), article("sky"), article("bread")) == (
        "an umbrella", "a uniform", "the sky", "bread",
    )  # fmt: skip
    assert [plural(x) for x in ("fox", "puppy", "sheep", "sailing boat", "goose", "tie")] == [
        "foxes", "puppies", "sheep", "sailing boats", "geese", "ties",
    ]  # fmt: skip


def test_few_descriptions_say_nearly_the_same():
    pairs = tk.near_duplicates(tk.bank("descriptions").texts)
    assert len(pairs) < 10
    assert not (pairs["why"] == "same text").any()


def test_the_worlds_bank_is_known_and_covers_every_factor():
    bank = tk.bank("world")
    assert tk.load().unknown_words(list(bank.texts)) == {}
    assert set(bank.factors) == set(FACTORS)
    assert max(Counter(bank.factors).values()) <= 0.25 * len(bank)


def test_a_users_file(tmp_path):
    (tmp_path / "a.txt").write_text("\ufeffwater\n\n  a red object \n", encoding="utf-8")
    (tmp_path / "b.csv").write_text('text,factor\n"sea, lake",place\nred,colour\n')
    (tmp_path / "c.json").write_text(json.dumps(["water", ["red", "colour"]]))
    assert tk.bank(tmp_path / "a.txt").texts == ("water", "a red object")
    assert tk.bank(str(tmp_path / "b.csv")).factors == ("place", "colour")
    assert tk.bank(tmp_path / "c.json").factors == ("", "colour")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "água\n".encode("latin-1"), "not UTF-8 .line 1"),
        ("a.txt", b"fine\nso far\ncaf\xe9 and more\n", "line 3, near .*café"),
        ("a.txt", "water".encode("utf-16"), "UTF-16"), ("a.txt", b"\n \n", "holds no texts"),
        ("a.txt", "water".encode("utf-16-le"), "holds NULs"), ("a.csv", b"text,factor\n", "holds no texts"),
        ("a.csv", b"words\nwater\n", "without a column text"), ("a.json", b"[1, 2]", "a list of texts"),
        ("a.json", b"{", "a list of texts"), ("a.doc", b"water", "'.txt, .csv, .json'|.txt, .csv, .json"),
    ],
)  # fmt: skip
def test_files_that_are_no_bank(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(tk.InputError, match=message):
        tk.bank(tmp_path / name)
    with pytest.raises(tk.InputError, match="No such file"):
        tk.bank(tmp_path / "missing.txt")


def test_edited_banks():
    bank = tk.bank(["water", "land", "sky"], ["place", "place", ""], "mine")
    edited = bank.edited(add=["sea", "water"], remove=["land"])
    assert edited.texts == ("water", "sky", "sea")
    assert edited.factors == ("place", "", "")
    assert edited.hash != bank.hash
    assert bank.edited() == bank
    with pytest.raises(tk.InputError, match="'tree', which it does not hold"):
        bank.edited(remove=["tree"])
    with pytest.raises(tk.InputError, match="no texts"):
        bank.edited(remove=bank.texts)
    vectors = tk.bank(torch.eye(3))
    assert vectors.edited(remove=["text 1"]).given.tolist() == [[1, 0, 0], [0, 0, 1]]
    with pytest.raises(tk.InputError, match="a bank of vectors"):
        vectors.edited(add=["sea"])
    with pytest.raises(tk.InputError, match="2 factors for 3 texts"):
        tk.bank(["a", "b", "c"], ["x", "y"])


def test_near_duplicates():
    texts = ["a red car on a road", "A red car, on a road!", "a red car on the road", "a dog", "the sea", "water"]
    vectors = torch.nn.functional.normalize(torch.eye(6) + 0, dim=1)
    vectors[5] = torch.nn.functional.normalize(vectors[4] + 0.05 * vectors[5], dim=0)
    found = {(row.first, row.second): row.why for row in tk.near_duplicates(texts, vectors, words=0.7).itertuples()}
    assert found[texts[0], texts[1]] == "same text"
    assert found[texts[0], texts[2]] == "words"
    assert found["the sea", "water"] == "cosine"
    assert len(found) == 4


def test_pairs_at_the_threshold_in_either_order():
    for texts in (["a b c d zebra", "a b c d"], ["a b c d", "a b c d zebra"]):
        assert list(tk.near_duplicates(texts, words=0.8)["why"]) == ["words"]
    assert tk.near_duplicates(["🙂", "🙃"]).empty


def test_arguments_that_would_be_dropped(tmp_path):
    (tmp_path / "a.txt").write_text("water")
    assert tk.bank(tmp_path / "a.txt", name="mine").name == "mine"
    with pytest.raises(tk.InputError, match="factors with a list of texts"):
        tk.bank(tmp_path / "a.txt", factors=["x"])
    with pytest.raises(tk.InputError, match="lists of texts"):
        tk.bank(["a"]).edited(add="water")
    assert tk.bank(np.array(["a", "b"])).texts == ("a", "b")
    (tmp_path / "b.json").write_text('{"texts": ["water"], "factors": ["place"]}')
    assert tk.bank(tmp_path / "b.json").factors == ("place",)


def test_pairs_by_words_are_those_of_all_pairs():
    texts = [*tk.bank("descriptions").texts[:400], "two puppies there", "two puppies there too"]
    bags = [frozenset(re.findall(r"\w+", t.lower())) for t in texts]
    slow = {(texts[i], texts[j]) for i in range(len(texts)) for j in range(i + 1, len(texts))
            if len(bags[i] & bags[j]) / len(bags[i] | bags[j]) >= 0.6}  # fmt: skip
    found = tk.near_duplicates(texts, words=0.6)
    assert {(row.first, row.second) for row in found.itertuples()} == slow
    assert slow


def test_common_texts_come_first():
    texts = ["a cat on a mat", "cat", "zebra", "a dog", "a cat", "cat food", "noon", "dusk"]
    factors = ["scene", "animal", "animal", "animal", "animal", "food", "light", "light"]
    order = [texts[i] for i in common_first(tk.bank(texts, factors))]
    assert order[:4] == ["cat", "noon", "zebra", "dusk"], "the word that is used most, then every factor in turn"
    assert [len(text.split()) for text in order] == sorted(len(text.split()) for text in texts)
    bank = tk.bank("descriptions")
    assert sorted(common_first(bank)) == list(range(len(bank)))
    assert len({bank.factors[i] for i in common_first(bank)[:200]}) >= 10
