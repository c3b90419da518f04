"""Training: the fast forward equals the stock one, resume is exact, the record is complete."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from toolkit.organism import captions, fastclip
from toolkit.organism import train as training
from toolkit.organism.captions import vocabulary
from toolkit.organism.draws import Draws
from toolkit.organism.factors import Mixture, draw_factors
from toolkit.organism.model import build, load_clip
from toolkit.organism.pool import Pool
from toolkit.organism.tokenizer import WordTokenizer

STAGES = [
    training.Stage("balanced", 3, (0.5, 0.5), (1e-3, 1e-4), keep=0.5),
    training.Stage("shortcut", 3, (0.8, 0.9), (1e-3, 1e-4), drop=0.5, early=2, check=2),
]


needs_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="training the built-in world needs torch 2.9")


@pytest.fixture(autouse=True)
def small_probe(monkeypatch):
    probe = training.FactorProbe
    monkeypatch.setattr(training, "FactorProbe", lambda *args, **options: probe(*args, **options | {"n": 120}))


def trainer(folder, stages=STAGES):
    return training.Trainer(folder, 3, stages, batch=8, texts=6, pool=32, worst=-1.0)


def test_fast_forward_equals_the_stock_forward():
    torch.manual_seed(0)
    tokenizer = WordTokenizer(vocabulary())
    clip = build(tokenizer.vocab_size)
    params, images = dict(clip.named_parameters()), torch.randn(3, 3, 64, 64)
    ids = tokenizer(["a red bird", "two large blue boats on the sea at night"])
    with torch.no_grad():
        torch.testing.assert_close(
            fastclip.encode_image(params, images), clip.encode_image(images), rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(
            fastclip.encode_text(params, ids, torch.float32), clip.encode_text(ids), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("cue", ["heads", "mlps"])
def test_what_is_dropped_is_the_direct_path_of_what_is_not_to_carry_the_cue(cue, monkeypatch):
    """With everything dropped, the class token keeps the batch mean of those outputs alone."""
    torch.manual_seed(0)
    clip = build(20)
    params, images = dict(clip.named_parameters()), torch.randn(3, 3, 64, 64)
    added = {"attention": [], "mlp": []}
    block = fastclip._block

    def told(*args, **options):
        x, attention, mlp = block(*args, **options)
        added["attention"].append(attention[:, 0])
        added["mlp"].append(mlp[:, 0])
        return x, attention, mlp

    monkeypatch.setattr(fastclip, "_block", told)
    normed = []
    norm = fastclip._norm
    monkeypatch.setattr(fastclip, "_norm", lambda x, p, name: (normed.append((name, x)), norm(x, p, name))[1])
    with torch.no_grad():
        fastclip.encode_image(params, images)
        whole = next(x for name, x in normed if name == "visual.ln_post")
        outputs = added["attention"] if cue == "mlps" else added["mlp"] + added["attention"][:2]
        expected = whole - sum(out - out.mean(0) for out in outputs)
        normed.clear()
        fastclip.encode_image(params, images, drop=1.0, early=2, cue=cue)
    torch.testing.assert_close(next(x for name, x in normed if name == "visual.ln_post"), expected)


@needs_muon
def test_a_variant_begins_with_the_weights_of_the_built_in_model(tmp_path):
    made = training.Trainer(tmp_path, 3, STAGES, batch=8, texts=6, pool=32, home=1.0, start=True)
    for (name, a), b in zip(load_clip()[0].state_dict().items(), made.clip.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    assert made.pool.mixture.home == 1
    made.export()
    assert "on from the weights" in load_clip(made=tmp_path)[2]["what"]


@needs_muon
def test_interrupted_training_resumes_to_the_same_weights(tmp_path):
    whole = trainer(tmp_path / "whole")
    whole.run(every=2)
    part = trainer(tmp_path / "part")
    part.pool.refresh(32)
    for _ in range(2):
        part.train_step(STAGES[0])
    part.save()
    again = trainer(tmp_path / "part")
    again.run(every=2)
    assert again.seen == whole.seen == 48
    for (name, a), b in zip(whole.clip.state_dict().items(), again.clip.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, msg=lambda m, name=name: f"{name}: {m}")


@needs_muon
def test_export_writes_weights_that_load_and_a_full_record(tmp_path):
    trainer(tmp_path).run(every=1)
    clip, tokenizer, record = load_clip(made=tmp_path)
    assert clip.encode_text(tokenizer(["a cat"])).shape == (1, 96)
    assert {
        "commands",
        "seed",
        "stages",
        "images_seen",
        "versions",
        "validation_curve",
        "built_in",
        "selected_on",
    } <= record.keys()
    assert record["images_seen"] == 48
    assert len(record["stages"]) == 2
    assert not list(tmp_path.glob("*.tmp"))
    json.dumps(record)


def test_the_loss_of_a_batch_is_the_softmax_loss_with_uniform_targets():
    torch.manual_seed(0)
    image, text = torch.randn(5, 4), torch.randn(3, 4)
    true = torch.tensor([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0], [0, 0, 1]]).float()
    cosines = torch.nn.functional.cosine_similarity(image[:, None], text[None], dim=-1) * 7
    rows = [
        -sum(cosines[i].log_softmax(0)[t] for t in hits) / len(hits)
        for i in range(5)
        if (hits := true[i].nonzero()[:, 0].tolist())
    ]
    columns = [
        -sum(cosines[:, t].log_softmax(0)[i] for i in hits) / len(hits)
        for t in range(3)
        if (hits := true[:, t].nonzero()[:, 0].tolist())
    ]
    expected = (sum(rows) / len(rows) + sum(columns) / len(columns)) / 2
    torch.testing.assert_close(training.loss_of(image, text, torch.tensor(7.0), true), expected)


def test_a_batch_has_the_correlation_asked_for():
    t = Pool(0, 4000, Mixture(birds=0.33))
    t.claims = captions.claims(draw_factors(Draws("train", 0, np.arange(4000)), t.mixture))
    rows = t.draw(np.random.default_rng(0), 20000, 0.9)
    chosen = t.claims[rows]
    bird = chosen[:, captions.FIELDS.index("kind")] == 0
    match = chosen[:, captions.FIELDS.index("place")] == chosen[:, 0]
    assert match[bird].mean() == pytest.approx(0.9, abs=0.02)
    assert bird.mean() == pytest.approx(0.33, abs=0.03)
