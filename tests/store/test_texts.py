"""Text embeddings are encoded once per model and text, a few at a time, and never taken for another's."""

from __future__ import annotations

import copy
import subprocess
import sys

import families
import numpy as np
import pytest
import torch

import toolkit as tk
from toolkit.signs import shown_by
from toolkit.store import texts as module
from toolkit.store.shelf import Shelf
from toolkit.store.texts import TextFeed, text_embeddings

COLOURS, NAMES = (
    ["red", "blue", "green", "white", "black"],
    ["cat", "fish", "boat", "house", "car", "cup", "star", "bird", "clock", "plane", "crab", "snake", "cactus"],
)
TEXTS = [f"a {colour} {name}" for colour in COLOURS for name in NAMES]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    module._held.clear()
    return tmp_path / "texts"


@pytest.fixture(scope="module")
def model():
    return tk.load()


def files(cache):
    return sorted(cache.rglob("*.npz"))


def count(model, monkeypatch):
    calls, encode = [], model.encode_text
    monkeypatch.setattr(model, "encode_text", lambda t: calls.extend(t) or encode(t))
    return calls


def test_they_are_those_of_the_model(model, cache):
    torch.testing.assert_close(text_embeddings(model, TEXTS), model.encode_text(TEXTS), rtol=0, atol=1e-6)
    twice = [*TEXTS, *TEXTS[:7]]
    torch.testing.assert_close(text_embeddings(model, twice)[-7:], text_embeddings(model, TEXTS)[:7], rtol=0, atol=0)


def test_a_double_model_has_double_texts(model, cache):
    model = tk.wrap(copy.deepcopy(model.clip).double(), tokenizer=model.tokenizer)
    found = text_embeddings(model, TEXTS)
    assert found.dtype == torch.float64
    module._held.clear()
    torch.testing.assert_close(text_embeddings(model, TEXTS), found, rtol=0, atol=0)


def test_the_second_time_they_come_from_memory_then_from_disk(model, cache, monkeypatch):
    calls = count(model, monkeypatch)
    first = text_embeddings(model, TEXTS)
    torch.testing.assert_close(text_embeddings(model, TEXTS), first, rtol=0, atol=0)
    module._held.clear()
    torch.testing.assert_close(text_embeddings(model, TEXTS), first, rtol=0, atol=0)
    assert sorted(calls) == sorted(TEXTS)
    assert len(files(cache)) == 1


def test_other_orders_and_other_lists_cost_nothing_again(model, cache, monkeypatch):
    first = text_embeddings(model, TEXTS)
    module._held.clear()
    calls = count(model, monkeypatch)
    more = ["a yellow boat", *TEXTS[::-1]]
    torch.testing.assert_close(text_embeddings(model, more)[1:], first.flip(0), rtol=0, atol=0)
    assert calls == ["a yellow boat"]


def test_other_weights_are_other_texts(model, cache):
    first = text_embeddings(model, TEXTS)
    other = tk.wrap(copy.deepcopy(model.clip), tokenizer=model.tokenizer)
    with torch.no_grad():
        other.clip.text_projection.mul_(torch.rand(96) + 0.5)
    assert not torch.allclose(text_embeddings(other, TEXTS), first)
    assert len({path.parent for path in files(cache)}) == 2


@pytest.mark.parametrize("content", [b"", b"not an array", b"PK\3\4 no archive", b"PK\5\6" + bytes(18), None])
def test_a_spoilt_file_is_made_again(model, cache, content):
    first = text_embeddings(model, TEXTS)
    (path,) = files(cache)
    if content is None:
        with np.load(path) as kept:
            spoilt = {"keys": kept["keys"], "vectors": np.full_like(kept["vectors"], np.nan)}
        np.savez(path, **spoilt)
    else:
        path.write_bytes(content)
    module._held.clear()
    torch.testing.assert_close(text_embeddings(model, TEXTS), first, rtol=0, atol=1e-6)


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(model, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "file"))
    module._held.clear()
    assert text_embeddings(model, TEXTS).shape == (len(TEXTS), 96)


def test_few_texts_are_not_worth_a_file(model, cache):
    text_embeddings(model, TEXTS[:3])
    assert not cache.exists()


def test_bad_texts_are_the_models_to_refuse(model, cache):
    with pytest.raises(tk.InputError, match="non-empty strings"):
        text_embeddings(model, ["a cat", " "])
    with pytest.raises(tk.InputError, match="without a tokenizer"):
        text_embeddings(tk.wrap(families.build("vit")), ["a cat"])


def test_what_the_caller_does_to_them_is_the_callers(model, cache):
    with torch.inference_mode():
        first = text_embeddings(model, TEXTS)
        first *= 100
    second = text_embeddings(model, TEXTS)
    torch.testing.assert_close(second.norm(dim=-1), torch.ones(len(TEXTS)))
    assert not second.is_inference()


def test_a_feed_says_what_is_there_and_keeps_the_order_it_was_given(model, cache, monkeypatch):
    calls = count(model, monkeypatch)
    order = list(range(len(TEXTS)))[::-1]
    feed = TextFeed(model, TEXTS, order)
    assert (feed.done, feed.of, feed.over) == (0, len(TEXTS), False)
    feed.step()
    assert calls == TEXTS[::-1][: len(calls)]
    assert 0 < feed.done < feed.of
    assert feed.vectors.isfinite().all(1).tolist() == feed.known.tolist()
    while not feed.over:
        feed.step()
    torch.testing.assert_close(feed.vectors, model.encode_text(TEXTS), rtol=0, atol=1e-6)
    assert TextFeed(model, TEXTS).over


def test_what_was_encoded_before_a_stop_is_kept(model, cache, monkeypatch):
    class EnoughError(Exception):
        pass

    def stop(sign):
        if sign.what == "encode texts" and sign.done:
            raise EnoughError

    with pytest.raises(EnoughError), shown_by(stop):
        text_embeddings(model, TEXTS)
    module._held.clear()
    calls = count(model, monkeypatch)
    text_embeddings(model, TEXTS)
    assert 0 < len(calls) < len(TEXTS)


def test_small_files_become_one_and_nothing_is_lost(tmp_path):
    shelf = Shelf(tmp_path, 3)
    vectors = {bytes([i]) * 16: np.full(3, i, np.float32) for i in range(9)}
    for key, vector in vectors.items():
        shelf.write({key: vector})
    assert len(list(tmp_path.iterdir())) == 9
    other = Shelf(tmp_path, 3)
    listed = other._files()
    shelf.join()
    assert len(list(tmp_path.iterdir())) == 1
    found = other.find(vectors)
    assert found.keys() == vectors.keys()
    assert all((found[key] == vectors[key]).all() for key in vectors)
    monkey = Shelf(tmp_path, 3)
    monkey._files = lambda: listed  # a process that looked before the files were joined finds less, and no error
    assert monkey.find(vectors) == {}
    assert Shelf(tmp_path, 4).find(vectors) == {}


WRITER = """
import sys, numpy as np
from pathlib import Path
from toolkit.store.shelf import Shelf
shelf = Shelf(Path(sys.argv[1]), 4)
for i in range(60):
    shelf.write({bytes([i]) * 16: np.full(4, i, np.float32)})
    assert shelf.find([bytes([i]) * 16])
shelf.join()
"""


def test_two_processes_at_once_lose_nothing(tmp_path):
    running = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)]) for _ in range(2)]
    assert [one.wait(120) for one in running] == [0, 0]
    keys = [bytes([i]) * 16 for i in range(60)]
    found = Shelf(tmp_path, 4).find(keys)
    assert sorted(found) == keys
    assert all((found[key] == key[0]).all() for key in keys)
    assert not list(tmp_path.glob(".*"))
