"""Edits of the projection itself: P + M and P + A B."""

from __future__ import annotations

import families
import numpy as np
import pytest
import torch

import toolkit as tk
from toolkit.api.switch_off.fold import fold_projection

KINDS = ["full", "rank 2"]


@pytest.fixture(scope="module")
def few(model):
    acts = tk.extract(model, tk.scenes("edit", 120, 5, kind="birds"), progress=False, pooled=True)
    return acts.draw(per_class=10, seed=2)


@pytest.fixture(scope="module")
def judging(model):
    return tk.extract(model, tk.scenes("val", 150, 5, kind="birds"), progress=False, pooled=True)


@pytest.fixture(scope="module", params=KINDS)
def made(request, few, judging, birds):
    return tk.edit(few, birds, "L3.H7 L3.H5", strategy=request.param, space="projection", held_out=judging, steps=30)


def test_the_gradient_is_that_of_the_loss(made):
    rng = np.random.default_rng(0)
    slope = made.gradient()
    for at in rng.choice(made.strategy.size, 8, replace=False):
        step = torch.zeros_like(made.theta)
        step[at] = 1e-6
        numeric = (made.loss(made.theta + step).total - made.loss(made.theta - step).total) / 2e-6
        assert float(slope[at]) == pytest.approx(numeric, rel=1e-4, abs=1e-7)


def test_folded_it_gives_the_same_embeddings(made, model, judging):
    folded = made.fold(model)
    again = tk.extract(folded, tk.scenes("val", 150, 5, kind="birds"), progress=False)
    direct = torch.nn.functional.normalize(made.apply(judging), dim=1)
    torch.testing.assert_close(again.embedding, direct.to(again.embedding), atol=2e-6, rtol=0)
    own = made.folded_outcome(model).success.change.after
    assert own.worst == made.success.change.after.worst


def test_step_zero_is_the_model_as_it_is(few, birds, judging):
    for kind in KINDS:
        none = tk.edit(few, birds, "L3.H7", strategy=kind, space="projection", held_out=judging, steps=0)
        torch.testing.assert_close(none.apply(judging), judging.embedding, atol=1e-7, rtol=0)
        assert none.loss().locality == pytest.approx(0, abs=1e-12)


def test_every_edit_of_the_embedding_is_one_of_the_projection(few, birds, model):
    """P M = P + P (M − I): the same loss; and of a low rank, P A B."""
    dense = tk.edit(few, birds, "L3.H7", strategy="full", steps=15)
    wide = tk.edit(few, birds, "L3.H7", strategy="full", space="projection", steps=0)
    proj = model.clip.visual.proj.detach().double()
    matrix = dense.theta.unflatten(0, (96, 96))
    same = proj @ (matrix - torch.eye(96, dtype=torch.float64))
    assert wide.loss(same.flatten()).total == pytest.approx(dense.loss().total, rel=1e-6)
    low = tk.edit(few, birds, "L3.H7", strategy="rank 2", steps=15)
    a, b = low.theta.tensor_split(2)
    thin = tk.edit(few, birds, "L3.H7", strategy="rank 2", space="projection", steps=0)
    theta = torch.cat([(proj @ a.unflatten(0, (96, 2))).flatten(), b])
    assert thin.loss(theta).total == pytest.approx(low.loss().total, rel=1e-6)


def test_it_is_written_and_read(made, few, tmp_path, judging):
    path = made.save(tmp_path / "edit.safetensors")
    read = tk.load_edit(path, few)
    assert read.strategy == made.strategy
    assert (read.theta == made.theta).all()
    assert read.loss() == made.loss()
    alone = tk.load_edit(path)
    torch.testing.assert_close(alone.apply(judging), made.apply(judging))


@pytest.mark.parametrize("family", ["vit", "vit-quickgelu", "clipa"])
def test_other_towers_fold_as_they_are_edited(family):
    clip = families.build(family)
    model, pictures = tk.wrap(clip), families.pictures(clip, 6)
    change = 0.1 * torch.randn(64, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    folded = fold_projection(model, change, "folded").encode_image(pictures)
    proj, clip.visual.proj = clip.visual.proj, None
    with torch.no_grad():
        pooled = clip.visual(pictures).double()
    direct = pooled @ (proj.detach().double() + change)
    torch.testing.assert_close(
        torch.nn.functional.normalize(folded.double(), dim=1),
        torch.nn.functional.normalize(direct, dim=1), atol=2e-5, rtol=0,
    )  # fmt: skip


def test_as_a_method_it_is_the_same_edit(made, few, judging, birds):
    way = made.strategy.name
    fitted = tk.methods.Edit(heads="L3.H7 L3.H5", strategy=way, steps=30).fit(few, birds)
    ours = made.logits(judging, birds).argmax(1)
    assert (fitted.scores(judging).argmax(1) == ours).all()
    assert (
        fitted.scores(judging, 0.0).argmax(1) == (judging.embedding @ birds.vectors(judging.live).T).argmax(1)
    ).all()
    assert fitted.linear() is None
    with pytest.raises(tk.InputError, match="edit of the projection"):
        tk.methods.heads_under(fitted, judging)


def test_a_map_of_it_is_refused_and_its_lab_goes_on(made, few, birds, model, judging):
    with pytest.raises(tk.InputError, match="edit of strategy"):
        tk.token_map(model, judging.data[0], "a landbird", edit=made)
    lab = tk.EditLab(few, birds, "L3.H7", held_out=judging, strategy=made.strategy.name, engine=tk.Engine())
    assert lab.error == ""
    assert lab.edit.strategy.name == made.strategy.name


class TestBadInput:
    def test_parts_without_pooled_vectors(self, pool, birds):
        with pytest.raises(tk.InputError, match="pooled=True"):
            tk.edit(pool.draw(10), birds, "L3.H7", strategy="full", space="projection")

    @pytest.mark.parametrize("strategy", ["diagonal", "strengths", "class vectors"])
    def test_strategies_that_are_no_matrix(self, few, birds, strategy):
        with pytest.raises(tk.InputError, match="a matrix"):
            tk.edit(few, birds, "L3.H7", strategy=strategy, space="projection")

    def test_another_space(self, few, birds):
        with pytest.raises(tk.InputError, match="'embedding' or 'projection'"):
            tk.edit(few, birds, "L3.H7", strategy="full", space="elsewhere")

    def test_bare_embeddings_and_words(self, made, judging):
        with pytest.raises(tk.InputError, match="before P"):
            made.apply(judging.embedding)
        with pytest.raises(tk.InputError, match="fold the edit"):
            made.inspect()
