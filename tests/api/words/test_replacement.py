"""`spans.replaced`: against heads replaced one by one, and the two ends of its curve."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import toolkit as tk


@pytest.fixture(scope="module")
def acts():
    return tk.extract(tk.load(), tk.scenes("val", n=150, seed=3), progress=False)


@pytest.fixture(scope="module")
def every(acts):
    return tk.classes(sorted(set(acts.labels)))


@pytest.mark.filterwarnings("ignore::toolkit.BankWarning")
def test_it_is_what_the_parts_say(acts, every):
    spans = tk.textspan(acts, "world", size=3, layers=[2, 3])
    found = spans.replaced(acts, every)
    parts, texts = acts.parts(), every.vectors(acts.live).double()
    bank = acts.model.encode_text(list(spans.bank.texts)).double()
    truth = torch.from_numpy(every.encode(acts.labels))
    for m in range(4):
        z = acts.embedding.double().clone()
        for layer in range(4):
            for head in range(8):
                c = parts.heads[:, layer, head].double()
                mean = c.mean(0)
                z += mean - c
                if layer in (2, 3) and m:
                    # texts as the head sees them: inside the span of what it writes
                    _, s, v = torch.linalg.svd(c, full_matrices=False)
                    v = v[s > 1e-4 * s[0]]
                    picked = bank[spans.picks[spans.layers.index(layer), head, :m]] @ v.T @ v
                    q, _ = torch.linalg.qr(picked.T)
                    z += (c - mean) @ q @ q.T
        assert abs(int(((z @ texts.T).argmax(1) == truth).sum()) - int(found.right[m])) <= 1


@pytest.mark.filterwarnings("ignore::toolkit.BankWarning")
def test_all_texts_give_the_model_back_and_random_ones_less(acts, every):
    found = tk.textspan(acts, "world", size=16, layers=None).replaced(acts, every)
    assert abs(found.right[-1] - found.before) <= 1
    assert found.right[4] > found.chance[4]
    assert found.right[0] == found.chance[0]
    table = found.table
    assert (table["low"] <= table["accuracy"]).all()
    assert "random texts" in str(found)


def test_bad_input(acts, every):
    spans = tk.textspan(acts, ["water", "land", "sky"], size=2, layers=[3])
    for size in (0, 9, True, 1.5):
        with pytest.raises(tk.InputError, match="size="):
            spans.replaced(acts, every, size)
    with pytest.raises(tk.InputError, match="parts of a data set"):
        spans.replaced([1], every)
    assert np.array(spans.replaced(acts, every, 1).sizes).tolist() == [0, 1]
