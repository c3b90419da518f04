"""`tk.ablate`, `tk.head_effects`, `tk.ltc_correct` and exported models: identities between direct, total and folded."""

from __future__ import annotations

import families
import numpy as np
import pytest
import torch

import toolkit as tk
from toolkit.api.switch_off.total import donor_rows

HEADS = "L3.H7 L2.H2"


@pytest.fixture(scope="module")
def acts(model):
    return tk.extract(model, tk.scenes("test", n=120, kind="birds"), progress=False)


@pytest.mark.parametrize("strength", [0.0, 0.5, 2.0])
def test_direct_zero_is_the_sum_without_the_heads(acts, birds, strength):
    found = tk.ablate(acts, birds, HEADS, strength=strength)
    torch.testing.assert_close(found.embedding, tk.ablate_direct(acts.parts(), HEADS, strength), rtol=0, atol=1e-6)
    assert found.strength == (strength, strength)


def test_direct_mean_and_resample(acts, birds):
    mean = tk.ablate(acts, birds, HEADS, how="mean")
    expected = tk.ablate_direct(acts.parts(), HEADS, how="mean")
    torch.testing.assert_close(mean.embedding, expected, rtol=0, atol=1e-6)
    assert "these images (n = 120, split 'test')" in mean.reference
    heads = sum(acts.parts().heads[:, layer, head] for layer, head in tk.HeadSet.of(HEADS))
    rows = torch.from_numpy(donor_rows(120, 120, 4))
    found = tk.ablate(acts, birds, HEADS, how="resample", seed=4)
    torch.testing.assert_close(found.embedding, acts.embedding - heads + heads[rows], rtol=0, atol=1e-6)


@pytest.mark.parametrize("how", ["mean", "resample"])
def test_total_effects_of_a_reference_over_several_batches(model, acts, birds, how):
    """Against one trace of everything at once, with the mixes of all tokens replaced by hand."""
    other = tk.extract(model, tk.scenes("val", n=70, kind="birds"), progress=False)
    found = tk.ablate(acts, birds, HEADS, how=how, effect="total", strength=0.25, reference=other, seed=5)
    images, pool = (torch.cat(list(model.images(x.samples, "test").batches(64))) for x in (acts, other))
    mixes = model.mixes(pool, [2, 3])
    rows = torch.from_numpy(donor_rows(70, 120, 5, same=False))
    instead = {k: v.mean(0, keepdim=True) if how == "mean" else v[rows] for k, v in mixes.items()}
    raw = model.trace(images, tk.HeadSet.of(HEADS).scale(4, 8, 0.25), instead).output
    own = model.trace(images).output.norm(dim=1, keepdim=True)
    torch.testing.assert_close(found.embedding, raw / own, rtol=0, atol=1e-5)


def test_nobody_gets_his_own_head():
    for n in (2, 3, 50):
        rows = donor_rows(n, n, seed=n)
        assert sorted(rows) == list(range(n))
        assert (rows != np.arange(n)).all()
    assert sorted(donor_rows(3, 6, 0, same=False)) == [0, 0, 1, 1, 2, 2]


def test_a_reference_is_used_and_named(model, acts, birds):
    other = tk.extract(model, tk.scenes("val", n=50, kind="birds"), progress=False)
    found = tk.ablate(acts, birds, HEADS, how="mean", reference=other)
    expected = tk.ablate_direct(acts.parts(), HEADS, how="mean", reference=other.parts())
    torch.testing.assert_close(found.embedding, expected, rtol=0, atol=1e-6)
    assert "the reference (n = 50, split 'val')" in str(found)


def test_each_head_has_its_own_strength(acts, birds):
    one = tk.ablate(acts, birds, HEADS, strength={"L2.H2": 0.25, (3, 7): 1.5})
    two = tk.ablate(acts, birds, HEADS, strength=[1.5, 0.25])
    torch.testing.assert_close(one.embedding, two.embedding)
    h = acts.parts().heads
    expected = acts.embedding + 0.5 * h[:, 3, 7] - 0.75 * h[:, 2, 2]
    torch.testing.assert_close(one.embedding, expected, rtol=0, atol=1e-6)


def test_results_fit_together(acts, birds):
    found = tk.ablate(acts, birds, HEADS)
    assert [row.group for row in found.groups] == sorted(set(acts.groups))
    assert found.worst.value == min(row.after for row in found.groups)
    assert found.average("plain").value == pytest.approx(
        np.average([r.after for r in found.groups], weights=[r.n for r in found.groups])
    )
    assert set(found.right) == set(found.after.right) & set(found.before.wrong)
    assert set(found.wrong) == set(found.after.wrong) & set(found.before.right)
    assert found.confusion.counts.trace() == len(found.after.right)
    assert found.confusion_before.counts.trace() == len(found.before.right)
    assert found.interval.low <= found.change.worst.value <= found.interval.high
    assert found.priors["predicted after"].sum() == pytest.approx(1)
    assert found.priors["shift"].sum() == pytest.approx(0, abs=1e-9)
    assert len(found.to_dataframe()) == 4


def test_nothing_off_changes_nothing(acts, birds):
    found = tk.ablate(acts, birds, "")
    assert not found.right
    assert not found.wrong
    assert "no head" in str(found)
    np.testing.assert_allclose(found.priors["shift"], 0)


def test_mean_ablation_shifts_no_class_and_zero_ablation_does(acts, birds):
    assert abs(tk.ablate(acts, birds, "L3.H1", how="mean").priors["shift"]).max() < 1e-7
    assert abs(tk.ablate(acts, birds, "L3.H1").priors["shift"]).max() > 1e-4


def test_total_effect_is_the_model_run_without_the_heads(model, acts, birds):
    found = tk.ablate(acts, birds, HEADS, effect="total", strength=0.5)
    raw = model.encode_image(acts.samples, ablate=HEADS, strength=0.5)
    own = model.encode_image(acts.samples)
    torch.testing.assert_close(found.embedding, raw / own.norm(dim=1, keepdim=True), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "family", ["vit", "average-pool-of-normed", "vit-layerscale", "vit-custom-attention", "resnet"]
)
def test_total_mean_and_resample_step_by_step(family):
    """Against hooks on nothing: the mixes of all tokens are replaced, then the rest of the model runs."""
    clip = families.build(family, torch.float64)
    model = tk.wrap(clip, tokenizer=lambda texts: torch.ones(len(texts), 8, dtype=torch.long))
    images = families.pictures(clip, 4, torch.float64)
    layer = model.card.layers - 1
    scale = tk.HeadSet(((layer, 1),)).scale(model.card.layers, model.card.heads, 0.0)
    mixes = model.mixes(images, [layer])[layer]
    mean = mixes.mean(0, keepdim=True)
    found = model.trace(images, scale, {layer: mean})
    own = model.trace(images)
    if family != "average-pool-of-normed":  # there the norm acts per token
        pooled = own.mixes[:, layer].clone()
        pooled[:, 1] = own.mixes[:, layer, 1].mean(0)
        torch.testing.assert_close(found.mixes[:, layer], pooled)
    swapped = model.trace(images, scale, {layer: mixes})  # its own mixes: nothing changes
    torch.testing.assert_close(swapped.output, own.output)


def test_direct_and_total_agree_where_nothing_comes_after():
    """An attention pool has no later layer and no norm: there the total effect is the direct one."""
    clip = families.build("resnet", torch.float64)
    model, images = tk.wrap(clip), families.pictures(clip, 4, torch.float64)
    parts = tk.decompose(model, images)
    total = model.encode_image(images, ablate="L0.H1", strength=0.3) / parts.norm[:, None]
    torch.testing.assert_close(total, tk.ablate_direct(parts, "L0.H1", 0.3))


def test_effects_of_sets_direct_and_total(model, acts, birds):
    effects = tk.head_effects(acts, birds, sets=["L0.H0", HEADS], effect="both", how="mean")
    for i, heads in enumerate(("L0.H0", HEADS)):
        for effect in ("direct", "total"):
            one = tk.ablate(acts, birds, heads, how="mean", effect=effect)
            assert effects.change("worst", effect)[i] == pytest.approx(one.change.worst.value)
            logits = one.embedding.double() @ birds.vectors(model).double().T
            truth = torch.from_numpy(birds.encode(acts.labels))
            margin = float((logits.gather(1, truth[:, None]) - logits.gather(1, 1 - truth[:, None])).mean())
            assert getattr(effects, effect).margin[i] == pytest.approx(margin, abs=1e-6)
    assert "these images (n = 120, split 'test')" in effects.settings["reference"]


def test_effects_of_all_heads_equal_single_ablations(acts, birds):
    for how in ("zero", "mean"):
        effects = tk.head_effects(acts, birds, how=how)
        assert effects.map().shape == (4, 8)
        for head in ((0, 3), (3, 7)):
            one = tk.ablate(acts, birds, [head], how=how)
            assert effects.map("worst")[head] == pytest.approx(one.change.worst.value)
            assert effects.map("average")[head] == pytest.approx(one.change.average().value)
            assert effects.map("landbird on water")[head] == pytest.approx(one.groups[1].change)
    frame = effects.to_dataframe()
    assert len(frame) == 32
    with pytest.raises(tk.InputError, match="ask for effect='total'"):
        effects.map("worst", "total")
    with pytest.raises(tk.InputError, match="'worst', 'average', 'margin'"):
        effects.map("the moon")


def test_total_work_can_be_ended(acts, birds):
    seen = []

    def stop(done, of):
        seen.append((done, of))
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tk.head_effects(acts, birds, effect="total", check=stop)
    assert seen[0] == (0, 32 * 120)


@pytest.mark.parametrize("family", ["vit", "vit-layerscale", "vit-custom-attention", "clipa", "resnet"])
def test_a_folded_model_is_the_total_effect(family, tmp_path):
    clip = families.build(family)
    model = tk.wrap(clip)
    last = model.card.layers - 1
    heads = tk.HeadSet(((0, 1),) if last == 0 else ((0, 1), (last, 0)))
    images = families.pictures(clip, 3)
    before = {name: t.clone() for name, t in clip.state_dict().items()}
    folded = tk.fold_ablation(model, heads, 0.3)
    torch.testing.assert_close(
        folded.encode_image(images), model.encode_image(images, ablate=heads, strength=0.3), rtol=1e-4, atol=1e-4
    )
    assert all(torch.equal(before[name], t) for name, t in clip.state_dict().items())
    assert "total effect" in folded.card.id
    assert folded.card.fingerprint != model.card.fingerprint


def test_a_folded_model_is_read_again(tmp_path):
    import json

    import open_clip
    from safetensors import safe_open

    clip = open_clip.create_model("ViT-S-32-alt", pretrained=None)
    folded = tk.fold_ablation(tk.wrap(clip.eval()), "L1.H2")
    path = tk.save_checkpoint(folded, tmp_path / "without.safetensors")
    with safe_open(path, "pt") as file:
        assert "without L1.H2 (total effect)" in json.loads(file.metadata()["toolkit"])["id"]
    again = tk.load("ViT-S-32-alt", checkpoint=path)
    images = torch.randn(2, 3, *again.card.image_size)
    torch.testing.assert_close(again.encode_image(images), folded.encode_image(images))
    assert again.card.id == folded.card.id  # it still says what it is
    with pytest.raises(tk.InputError, match="safetensors"):
        tk.save_checkpoint(folded, tmp_path / "x.pt")


def test_ltc_correction_step_by_step(model, acts, birds):
    pairs = [("a long neck", "a short neck"), ("a long bill", "a short bill")]
    heads, e = acts.parts().heads.double(), acts.embedding.double()
    raw = [model.encode_text([p[i] for p in pairs], normalize=False).double() for i in (0, 1)]
    q = torch.linalg.qr((raw[0] - raw[1]).T)[0].T
    for mode in ("own_norm", "released"):
        x = heads[:, 3, 1]
        norm = x.norm(dim=1, keepdim=True)
        if mode == "own_norm":
            x = x / norm
        for u in q:
            x = x + (x @ u)[:, None] / x.norm(dim=1, keepdim=True) * u
            x = x / x.norm(dim=1, keepdim=True)
        x = x if mode == "released" else x * norm
        off = heads[:, 3, 5]
        expected = e - off + off.mean(0) - heads[:, 3, 1] + x
        found = tk.ltc_correct(acts, birds, "L3.H5", "L3.H1", pairs, mode)
        torch.testing.assert_close(found.embedding.double(), expected, rtol=0, atol=1e-5)
    plain = tk.ltc_correct(acts, birds, "L3.H5")
    torch.testing.assert_close(
        plain.embedding, tk.ablate(acts, birds, "L3.H5", how="mean").embedding, rtol=0, atol=1e-6
    )
    none = tk.ltc_correct(acts, birds, "")  # no spurious head: nothing to switch off
    torch.testing.assert_close(none.embedding, acts.embedding)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": "L9.H0"}, "unknown head L9.H0"),
        ({"how": "median"}, "'zero' or 'mean' or 'resample'"),
        ({"effect": "indirect"}, "'direct' or 'total'"),
        ({"strength": float("nan")}, "from 0 .off. over 1"),
        ({"strength": -1.0}, "from 0 .off. over 1"),
        ({"strength": [0.0]}, "each of the 2 heads"),
        ({"strength": {"L3.H7": 0.0}}, "differ from the heads in L2.H2"),
        ({"reference": "acts"}, 'how="mean" or "resample"'),
        ({"how": "mean", "reference": 3}, "a int as reference"),
        ({"convention": "raw"}, "acts.using"),
    ],
)
def test_bad_arguments(acts, birds, change, message):
    with pytest.raises(tk.InputError, match=message):
        tk.ablate(acts, birds, **({"heads": HEADS} | change))


def test_a_total_effect_needs_a_live_model_and_images(acts, birds):
    parts = acts.parts()
    vectors = tk.classes(["waterbird", "landbird"], vectors=birds.vectors(acts.model))
    bare = tk.from_arrays(parts.heads, parts.mlps, parts.constant + parts.biases.sum(1), labels=acts.labels)
    np.testing.assert_allclose(
        tk.ablate(bare, vectors, HEADS).average().value, tk.ablate(acts, birds, HEADS).average().value
    )
    with pytest.raises(tk.InputError, match="attach"):
        tk.ablate(bare, vectors, HEADS, effect="total")
    with pytest.raises(tk.InputError, match="attach"):
        tk.head_effects(bare, vectors, effect="total")
    with pytest.raises(tk.InputError, match="attach"):
        tk.ablate(bare.attach(acts.model), vectors, HEADS, effect="total")


def test_no_image_and_one_image(acts, birds):
    with pytest.raises(tk.InputError, match="parts of no image"):
        tk.ablate(acts.take([]), birds, HEADS)
    with pytest.raises(tk.InputError, match="one image"):
        tk.ablate(acts.take([0]), birds, HEADS, how="resample")
    assert len(tk.ablate(acts.take([0]), birds, HEADS).groups) == 1


def test_a_head_that_writes_nothing_stays_nothing(model, birds):
    silent = tk.fold_ablation(model, "L3.H1")
    acts = tk.extract(silent, tk.scenes("test", n=40, kind="birds"), progress=False)
    for mode in ("own_norm", "released"):
        found = tk.ltc_correct(acts, birds, "", "L3.H1", [("a long neck", "a short neck")], mode)
        torch.testing.assert_close(found.embedding, acts.embedding)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("L3.H5", "L3.H5", [("a", "b")]), "both sets"),
        (("L3.H5", "L3.H1"), "pairs"),
        (("L3.H5", "L3.H1", [("a bird",)]), "pairs"),
        (("L3.H5", "L3.H1", [("a bird", "a bird")]), "encoded alike"),
        (("L3.H5", "L3.H1", np.eye(3)), "differences"),
    ],
)
def test_bad_corrections(acts, birds, arguments, message):
    with pytest.raises(tk.InputError, match=message):
        tk.ltc_correct(acts, birds, *arguments)


def test_kinds_of_mistakes_and_classes_in_order(model):
    acts = tk.extract(model, tk.scenes("val", n=600, seed=4), progress=False)
    classes = tk.classes(sorted(set(acts.labels)))
    found = tk.ablate(acts, classes, HEADS)
    table = found.mistakes(rank="loss")
    assert (table["change"] == table["after"] - table["before"]).all()
    assert table["change"].is_monotonic_decreasing
    counts = found.confusion.counts
    for row in table.itertuples():
        at = classes.index(row.true), classes.index(row.predicted)
        assert (row.before, row.after) == (found.confusion_before.counts[at], counts[at])
    assert table["after"].sum() == counts.sum() - np.trace(counts)
    some = found.mistakes("landbird")
    assert 0 < len(some) < len(table)
    assert all("landbird" in (row.true, row.predicted) for row in some.itertuples())

    by_class = found.by_class()
    assert by_class["change"].is_monotonic_increasing
    named = dict(zip(by_class["class"], by_class["after"], strict=True))
    assert named == {
        name: pytest.approx(row[i] / row.sum()) for i, (name, row) in enumerate(zip(classes.names, counts, strict=True))
    }
    assert found.by_class("after")["after"].is_monotonic_increasing
    with pytest.raises(tk.InputError, match="rank='worst'"):
        found.by_class("worst")
