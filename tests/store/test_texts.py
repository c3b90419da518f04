"""Text embeddings are encoded once per model and list, and never taken for another's."""

from __future__ import annotations

import families
import pytest
import torch

import toolkit as tk
from toolkit.store import texts as module
from toolkit.store.texts import text_embeddings

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


def count(model, monkeypatch):
    calls, encode = [], model.encode_text
    monkeypatch.setattr(model, "encode_text", lambda t: calls.append(len(t)) or encode(t))
    return calls


def test_the_second_time_they_come_from_memory_then_from_disk(model, cache, monkeypatch):
    calls = count(model, monkeypatch)
    first = text_embeddings(model, TEXTS)
    torch.testing.assert_close(text_embeddings(model, TEXTS), first, rtol=0, atol=0)
    module._held.clear()
    torch.testing.assert_close(text_embeddings(model, TEXTS), first, rtol=0, atol=0)
    assert calls == [len(TEXTS)]
    assert len(list(cache.iterdir())) == 1


def test_other_texts_and_other_weights_are_other_entries(model, cache, monkeypatch):
    first = text_embeddings(model, TEXTS)
    assert not torch.equal(text_embeddings(model, TEXTS[::-1]), first)
    clip, tokenizer = model.clip, model.tokenizer
    import copy

    other = tk.wrap(copy.deepcopy(clip), tokenizer=tokenizer)
    with torch.no_grad():
        other.clip.text_projection.mul_(torch.rand(96) + 0.5)
    assert not torch.allclose(text_embeddings(other, TEXTS), first)
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("content", [b"", b"not an array", b"PK\3\4 no archive", b"PK\5\6" + bytes(18), None])
def test_a_spoilt_file_is_made_again(model, cache, content):
    first = text_embeddings(model, TEXTS)
    (path,) = cache.iterdir()
    if content is None:
        import numpy as np

        np.save(path, np.full((len(TEXTS), 96), np.nan, np.float32))
    else:
        path.write_bytes(content)
    module._held.clear()
    torch.testing.assert_close(text_embeddings(model, TEXTS), first, rtol=0, atol=0)


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
