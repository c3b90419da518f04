"""Edits in the weights of a model: exact for scaled mixes, close to nothing else; strengths matched to the folded
model."""

from __future__ import annotations

import families
import numpy as np
import pytest
import timm_families
import torch

import toolkit as tk
from toolkit.core.head_parts import HeadParts, own_directions

HEADS = "L3.H7 L3.H5 L2.H2"


@pytest.fixture(scope="module")
def few(pool):
    return pool.draw(per_class=10)


def made_for(model, images, strategy, dtype=torch.float32):
    """An edit of a tiny model whose strengths are far from one, at heads of the first and the last layer."""
    parts = tk.decompose(model, images)
    last = model.card.layers - 1
    mlps = parts.mlps if parts.mlps.numel() else None
    rest = parts.biases.sum(1) + parts.constant
    acts = tk.from_arrays(heads=parts.heads, mlps=mlps, rest=rest, labels=["a", "b"] * (len(images) // 2))
    vectors = torch.randn(2, model.card.embed_dim, generator=torch.Generator().manual_seed(0))
    classes = tk.classes(["a", "b"], vectors=vectors)
    heads = sorted({(0, 1), (last, 0)})
    return tk.edit(acts, classes, heads, alpha=0, beta=1, steps=5, strategy=strategy, rate=0.3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("family", list(families.FAMILIES))
def test_folded_strengths_are_the_forward_with_scaled_mixes(family, dtype):
    clip = families.build(family, dtype)
    model = tk.wrap(clip)
    images = families.pictures(clip, 6, dtype)
    made = made_for(model, images, "strengths")
    assert float((made.theta - 1).abs().min()) > 0.1
    before = {name: t.clone() for name, t in clip.state_dict().items()}
    folded = made.fold(model)
    assert all(torch.equal(t, before[name]) for name, t in clip.state_dict().items())
    scales = made.strategy.change(made.theta).scales(model.card.layers, model.card.heads)
    expected = model.trace(images, scales).output
    found = folded.encode_image(images)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert float((found - expected).abs().max() / expected.abs().max()) < tolerance
    assert "edited (strengths" in folded.card.id
    parts, direct = tk.decompose(model, images), None
    direct = made.apply(parts).double()
    cosine = torch.nn.functional.cosine_similarity(found.double(), direct, dim=1)
    if family == "resnet":
        assert float(cosine.min()) > 1 - 1e-6, "a pool's heads are the last thing there is"
    else:
        assert float(cosine.max()) < 1 - 1e-6, "later layers react"


def test_folded_directions_are_the_forward_with_changed_mixes():
    clip = families.build("vit", torch.float64)
    model = tk.wrap(clip)
    images = families.pictures(clip, 5, torch.float64)
    mixes = model.mixes(images, [1])[1]  # [b, h, n, k] of every token
    second = torch.zeros(3, 4, mixes.shape[-1] + 3, mixes.shape[-1] + 3, dtype=torch.float64)
    second[1, 2, :-3, :-3] = torch.einsum("bk,bj->kj", mixes[:, 2, 0], mixes[:, 2, 0])
    parts = own_directions(second, [(1, 2)], 2)
    change = parts.change(torch.tensor([-0.7, 0.4]))
    from toolkit.api.switch_off.fold import fold_change

    folded = fold_change(model, change, "x").encode_image(images)
    scales = torch.ones(3, 4, dtype=torch.float64)
    scales[1, 2] = 0
    instead = torch.zeros_like(mixes)
    k = mixes.shape[-1]
    instead[:, 2] = mixes[:, 2] @ (torch.eye(k, dtype=torch.float64) + change.matrices[0, :k, :k])
    expected = model.trace(images, scales, {1: instead}).output
    torch.testing.assert_close(folded, expected, rtol=0, atol=1e-12 * float(expected.abs().max()))
    assert HeadParts(((0, 1),)).change(torch.tensor([0.5])).scales(2, 2).tolist() == [[1, 1.5], [1, 1]]


def test_class_vectors_go_into_a_class_set(few, every, val, model):
    made = tk.edit(few, every, HEADS, strategy="class vectors", held_out=val)
    with pytest.raises(tk.InputError, match=r"edit\.classes"):
        made.fold(model)
    vectors = made.classes.vectors()
    assert made.classes.names == every.names
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(every), dtype=vectors.dtype))
    guess = (val.embedding @ vectors.to(val.embedding).T).argmax(1)
    assert torch.equal(made.on().guess, guess)
    assert made.folded_outcome(model).locality.value == made.locality.value
    assert tk.edit(few, every, HEADS, steps=2).classes is every


def test_what_the_folded_model_does_is_measured(few, every, val, model):
    made = tk.edit(few, every, HEADS, strategy="strengths", held_out=val)
    found = made.folded_outcome(model)
    folded = made.fold(model)
    e = torch.nn.functional.normalize(folded.encode_image(val.samples), dim=-1)
    guess = (e @ every.vectors(model).T).argmax(1)
    assert float((found.guess == guess).double().mean()) > 0.995
    birds = np.isin(val.labels, ["landbird", "waterbird"])
    right = (guess == torch.from_numpy(every.encode(val.labels))).numpy()
    assert found.success.average.value == pytest.approx(right[birds].mean(), abs=0.01)
    assert found.success.change.before.average("plain").value == made.success.change.before.average("plain").value
    assert not torch.equal(found.guess, made.on().guess), "it is not the direct edit"
    linear = tk.edit(few, every, HEADS, held_out=val)
    assert (linear.folded_outcome(model).guess == linear.on().guess).double().mean() > 0.995
    with pytest.raises(KeyboardInterrupt):
        made.folded_outcome(model, check=lambda done, of: (_ for _ in ()).throw(KeyboardInterrupt))


@pytest.mark.parametrize("strategy", ["strengths", "directions 1"])
def test_strengths_are_matched_to_the_folded_model(few, every, model, strategy):
    made = tk.edit(few, every, HEADS, strategy=strategy)
    seen = []
    found = made.matched(model, passes=5, check=lambda done, of: seen.append((done, of)))
    totals = found.settings["folded_totals"]
    assert len(totals) <= 6
    assert seen == [(i, 6) for i in range(len(totals))]
    objective = made.problem.objective

    def total(edit):
        """Of the folded model, from its own embeddings."""
        y = edit.fold(model).encode_image(few.samples).double()
        return float(objective.terms(y @ objective.texts.T, y.square().sum(-1)).total(10, 10))

    assert totals[0] == pytest.approx(total(made.again(steps=0)), rel=1e-4)
    assert totals[1] == pytest.approx(total(made), rel=1e-4)
    assert min(totals) == pytest.approx(total(found), rel=1e-4)
    assert strategy != "strengths" or min(totals) < totals[0]
    assert min(totals) <= min(totals[:2])
    assert found.settings["match"] == "folded"
    assert f"in {len(totals)} passes" in str(found)
    assert "edit.folded_outcome(model)" in str(made)
    folded = made.fold(model, match="folded", passes=5)
    assert torch.equal(folded.encode_image(few.samples), found.fold(model).encode_image(few.samples))


VIEWS = [(family, view) for family in (*timm_families.TIMM, "huggingface")
         for view in (("pool", "trunk") if family in timm_families.POOLED else ("",))]  # fmt: skip


@pytest.mark.parametrize(("family", "view"), VIEWS)
def test_every_tower_of_timm_is_scaled_or_refused_in_words(family, view):
    clip = timm_families.build(family)
    model = tk.wrap(clip).view(view) if view else tk.wrap(clip)
    images = timm_families.pictures(4)
    made = made_for(model, images, "strengths")
    assert made.apply(tk.decompose(model, images)).shape == (4, model.card.embed_dim), "the direct edit is there"
    if family in ("timm-inner-norm", "eva02"):  # of all heads together, before the output projection
        with pytest.raises(tk.UnsupportedModelError, match=r"norm of all heads.*edit\.on"):
            made.fold(model)
        return
    scales = made.strategy.change(made.theta).scales(model.card.layers, model.card.heads)
    expected, found = model.trace(images, scales).output, made.fold(model).encode_image(images)
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-5


def test_what_cannot_be_matched_or_folded(few, every, model, tmp_path):
    linear, made = tk.edit(few, every, HEADS, steps=2), tk.edit(few, every, HEADS, steps=2, strategy="strengths")
    for call, message in (
        (lambda: linear.matched(model), "an edit that scales heads"),
        (lambda: made.matched(model, passes=0), "passes=0"),
        (lambda: made.fold(model, match="both"), "match='both'"),
        (lambda: made.matched(None), "edit.matched"),
        (lambda: tk.load_edit(made.save(tmp_path / "a.safetensors")).matched(model), "without the images"),
    ):
        with pytest.raises(tk.InputError, match=message):
            call()
    bare = tk.from_arrays(
        heads=few.heads, mlps=few.mlps, rest=(few.parts().biases.sum(1) + few.parts().constant), labels=few.labels
    )
    arrays = tk.edit(bare, tk.classes(list(every.names), vectors=every.vectors(model)), HEADS, strategy="strengths")
    with pytest.raises(tk.InputError, match="parts without images"):
        arrays.matched(model)
