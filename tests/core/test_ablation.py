"""Direct and total ablation: identities that tie them to the sum, to the model and to each other."""

from __future__ import annotations

import copy

import families
import pytest
import torch

from toolkit.core.ablation import ablate_direct, layer_curve
from toolkit.core.heads import HeadSet
from toolkit.core.parts import CONVENTIONS, parts_from
from toolkit.errors import InputError
from toolkit.models.model import wrap

HEADS = "L0.H1 L2.H3 L2.H0"


@pytest.fixture(scope="module")
def setting():
    clip = families.build("vit", torch.float64)
    model, images = wrap(clip), families.pictures(clip, 6, torch.float64)
    return clip, model, images


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0, 2.0])
def test_direct_zero_ablation_is_the_sum_without_the_heads(setting, convention, strength):
    _, model, images = setting
    parts = parts_from(model.trace(images), model.readout(), convention)
    expected = parts.embedding.clone()
    for layer, head in HeadSet.of(HEADS):
        expected -= (1 - strength) * parts.heads[:, layer, head]
    torch.testing.assert_close(ablate_direct(parts, HEADS, strength), expected)


def test_direct_mean_ablation_puts_the_mean_of_the_named_reference(setting):
    _, model, images = setting
    parts = parts_from(model.trace(images), model.readout())
    reference = parts_from(model.trace(images[:2] * 0.3), model.readout())
    expected = parts.embedding.clone()
    for layer, head in HeadSet.of(HEADS):
        expected += reference.heads[:, layer, head].mean(0) - parts.heads[:, layer, head]
    torch.testing.assert_close(ablate_direct(parts, HEADS, how="mean", reference=reference), expected)
    own = ablate_direct(parts, HEADS, how="mean")
    torch.testing.assert_close(own.mean(0), parts.embedding.mean(0))


def test_total_ablation_equals_the_model_with_zeroed_output_columns(setting):
    clip, model, images = setting
    edited = copy.deepcopy(clip)
    for layer, head in HeadSet.of(HEADS):
        edited.visual.transformer.resblocks[layer].attn.out_proj.weight.data[:, head * 16 : (head + 1) * 16] = 0
    with torch.no_grad():
        expected = edited.encode_image(images)
    torch.testing.assert_close(model.encode_image(images, ablate=HEADS), expected)


def test_strength_one_changes_nothing_and_two_doubles_the_columns(setting):
    clip, model, images = setting
    torch.testing.assert_close(model.encode_image(images, ablate=HEADS, strength=1.0), model.encode_image(images))
    doubled = copy.deepcopy(clip)
    doubled.visual.transformer.resblocks[1].attn.out_proj.weight.data[:, 16:32] *= 2
    with torch.no_grad():
        expected = doubled.encode_image(images)
    torch.testing.assert_close(model.encode_image(images, ablate="L1.H1", strength=2.0), expected)


def test_last_layer_direct_and_total_effect_of_attention_differ_only_through_what_comes_after(setting):
    """Without MLPs after it and with σ and R unchanged the two agree: checked on the raw scale before the last norm."""
    clip, _, images = setting
    quiet = copy.deepcopy(clip)
    quiet.visual.transformer.resblocks[2].mlp.c_proj.weight.data.zero_()
    model = wrap(quiet)
    before, after = model.trace(images), model.trace(images, HeadSet.of("L2.H1").scale(3, 4, 0.0))
    assert after.mixes[:, 2, 1].abs().max() == 0
    torch.testing.assert_close(after.mixes[:, 2, 0], before.mixes[:, 2, 0])
    torch.testing.assert_close(after.terms, before.terms)


def test_earlier_layers_do_not_feel_a_later_ablation(setting):
    _, model, images = setting
    before, after = model.trace(images), model.trace(images, HeadSet.of("L1.H2").scale(3, 4, 0.0))
    torch.testing.assert_close(after.mixes[:, 0], before.mixes[:, 0])
    assert (after.mixes[:, 2] - before.mixes[:, 2]).abs().max() > 1e-4


@pytest.mark.parametrize("family", ["average-pool-of-normed", "clipa", "vit-custom-attention", "resnet"])
def test_total_ablation_in_other_families(family):
    clip = families.build(family, torch.float64)
    model, images = wrap(clip), families.pictures(clip, 3, torch.float64)
    edited, hd = copy.deepcopy(clip), model.card.head_dim
    out = edited.visual.attnpool.c_proj if family == "resnet" else edited.visual.transformer.resblocks[0].attn.out_proj
    out.weight.data[:, hd : 2 * hd] = 0
    with torch.no_grad():
        expected = edited.encode_image(images)
    torch.testing.assert_close(model.encode_image(images, ablate="L0.H1"), expected)


def curve_by_hand(parts, classes, labels, terms):
    """Accuracies with the terms [b, i, d] replaced by their means one after the other."""
    embedding, found = parts.embedding.clone(), []
    for i in range(terms.shape[1] + 1):
        found.append(float(((embedding @ classes.T).argmax(1) == labels).double().mean()))
        if i < terms.shape[1]:
            embedding = embedding - terms[:, i] + terms[:, i].mean(0)
    return tuple(found)


def test_layer_curves_equal_a_plain_loop(setting):
    _, model, _ = setting
    images = torch.randn(60, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    parts = parts_from(model.trace(images), model.readout())
    centred = parts.embedding - parts.embedding.mean(0)
    axes = torch.linalg.svd(centred, full_matrices=False).Vh[:3]
    mean = torch.nn.functional.normalize(parts.embedding.mean(0), dim=0)
    axes = axes - (axes @ mean)[:, None] * mean
    classes = torch.nn.functional.normalize(torch.cat([axes, -axes]), dim=-1)
    labels = (parts.embedding @ classes.T).topk(2).indices[torch.arange(60), (torch.arange(60) % 3 == 0).long()]
    curve = layer_curve(parts, classes, labels)
    assert curve.attention == curve_by_hand(parts, classes, labels, parts.heads.sum(2))
    assert curve.mlps == curve_by_hand(parts, classes, labels, parts.mlps)
    assert curve.full == pytest.approx(2 / 3)
    assert len(set(curve.attention)) > 2
    assert len(set(curve.mlps)) > 2
    # images without a label are left out, also of the means
    some = labels.clone()
    some[::2] = -1
    half = parts_from(model.trace(images[1::2]), model.readout())
    assert layer_curve(parts, classes, some) == layer_curve(half, classes, labels[1::2])
    assert layer_curve(parts, classes, some.numpy()).n == 30


@pytest.mark.parametrize("labels", [[0], [0.5] * 6, [-1] * 6, [9] * 6])
def test_labels_that_do_not_fit_are_refused(setting, labels):
    _, model, images = setting
    parts = parts_from(model.trace(images), model.readout())
    with pytest.raises(InputError, match="layer_curve: got labels"):
        layer_curve(parts, torch.eye(48)[:3], torch.tensor(labels))


def test_a_reference_of_another_kind_is_refused(setting):
    _, model, images = setting
    trace, readout = model.trace(images), model.readout()
    parts = parts_from(trace, readout)
    with pytest.raises(InputError, match="scale 'raw'"):
        ablate_direct(parts, HEADS, how="mean", reference=parts_from(trace, readout, scale="raw"))
    with pytest.raises(InputError, match="convention 'reference'"):
        ablate_direct(parts, HEADS, how="mean", reference=parts_from(trace, readout, "reference"))
    with pytest.raises(InputError, match="how='zero'"):
        ablate_direct(parts, HEADS, reference=parts)


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), "a", None])
def test_a_strength_that_is_no_number_is_refused(setting, strength):
    _, model, images = setting
    with pytest.raises(InputError, match="strength="):
        model.encode_image(images, ablate="L0.H0", strength=strength)


@pytest.mark.parametrize("heads", ["L9.H0", "L0.H4", [(0, 99)]])
def test_unknown_head_is_named_with_what_exists(setting, heads):
    _, model, images = setting
    with pytest.raises(InputError, match=r"unknown head L\d+\.H\d+.*layers 0…2 and heads 0…3"):
        ablate_direct(parts_from(model.trace(images), model.readout()), heads)
    with pytest.raises(InputError, match="unknown head"):
        model.encode_image(images, ablate=heads)


def test_unknown_kind_of_ablation(setting):
    _, model, images = setting
    with pytest.raises(InputError, match="how='median'"):
        ablate_direct(parts_from(model.trace(images), model.readout()), HEADS, how="median")
