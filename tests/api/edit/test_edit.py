"""`tk.edit`, its result, files and folds: sets, identities, what is refused."""

from __future__ import annotations

import json
import os
import warnings

import families
import numpy as np
import open_clip
import pytest
import torch

import toolkit as tk
from toolkit.api.edit.problem import edit_problem
from toolkit.core.metrics import accuracy

HEADS = "L3.H7 L3.H5 L2.H2"


@pytest.fixture(scope="module")
def few(pool):
    return pool.draw(per_class=10)


@pytest.fixture(scope="module")
def made(few, every, val):
    return tk.edit(few, every, HEADS, held_out=val)


def guesses(edit, acts, classes):
    return (edit.apply(acts.embedding) @ classes.vectors(acts.live).T).argmax(1)


def test_sets_and_teachers_are_those_of_the_formulas(few, every, model):
    made = tk.edit(few, every, HEADS, steps=3)
    truth = torch.from_numpy(every.encode(few.labels))
    guess = every.predict(few.embedding, model)
    ids = few.ids.astype(str)
    assert made.settings["ids"]["W"] == ids[(truth != guess).numpy()].tolist()
    assert made.settings["ids"]["C ∪ A"] == ids[(truth == guess).numpy()].tolist()
    assert made.settings["ids"]["CE"] == ids.tolist()
    assert made.settings["targets"] == ["landbird", "waterbird"]
    objective = made.problem.objective
    off = tk.ablate(few, every, HEADS).embedding.double()
    torch.testing.assert_close(objective.ablated, off, rtol=0, atol=1e-6)
    e, texts = few.embedding.double(), every.vectors(model).double()

    def g(x):
        return torch.log_softmax(model.card.logit_scale * torch.nn.functional.normalize(x, dim=-1) @ texts.T, -1)

    theta = torch.linspace(0.5, 1.5, 96, dtype=torch.float64)
    student, wrong = g(theta * e), truth != guess
    kl = [(t.exp() * (t - student)).sum(-1) for t in (g(off), g(e))]
    found = made.loss(theta)
    assert found.ce == pytest.approx(float(-student[torch.arange(len(e)), truth].mean()), abs=1e-5)
    assert found.success == pytest.approx(float(kl[0][wrong].mean()), abs=1e-5)
    assert found.locality == pytest.approx(float(kl[1][~wrong].mean()), abs=1e-5)
    assert found.total == pytest.approx(found.ce + 10 * found.success + 10 * found.locality)


def test_one_pair_and_several(few, every):
    guess = every.predict(few.embedding, few.live).numpy()
    truth = every.encode(few.labels)
    y, o = every.index("landbird"), every.index("waterbird")
    one = tk.edit(few, every, HEADS, true="landbird", predicted="waterbird", steps=2)
    assert len(one.settings["ids"]["W"]) == ((truth == y) & (guess == o)).sum()
    right = (truth == guess) & np.isin(truth, [y, o])
    assert len(one.settings["ids"]["C ∪ A"]) == right.sum()
    both = tk.edit(few, every, HEADS, pairs=[("landbird", "waterbird"), ("waterbird", "landbird")], steps=2)
    swapped = ((truth == y) & (guess == o)) | ((truth == o) & (guess == y))
    assert len(both.settings["ids"]["W"]) == swapped.sum()
    half = tk.edit(few, every, HEADS, true="waterbird", steps=2)
    assert {pair[0] for pair in half.settings["pairs"]} == {"waterbird"}


def test_theta_is_a_function_of_its_arguments(made, few, every, val, pool):
    assert made.theta.shape == (96,)
    assert made.theta.dtype == torch.float64
    assert torch.equal(tk.edit(few, every, HEADS).theta, made.theta)
    assert torch.equal(made.again().theta, made.theta)
    assert torch.equal(made.again(alpha=1e4).again(alpha=10).theta, made.theta)
    early = made.at(40)
    assert torch.equal(early.theta, made.again(steps=40).theta)
    assert torch.equal(early.again().theta, early.theta)
    assert early.curve(3)["step"].tolist() == [0, 20, 40]
    grid = tk.frontier(few, every, HEADS, [0, 10], [0, 10, 1e8], held_out=val)
    assert torch.equal(grid.edit(10, 10).theta, made.theta)
    fresh = pool.take([int(np.flatnonzero(pool.ids == name)[0]) for name in few.ids])
    assert torch.equal(tk.edit(fresh, every, HEADS).theta, made.theta)
    assert torch.equal(made.history.theta[-1], made.theta)
    assert len(made.history) == 101


def test_success_and_locality_are_counted_by_hand(made, val, every, few):
    truth, model = every.encode(val.labels), val.live
    before = every.predict(val.embedding, model).numpy()
    after = guesses(made, val, every).numpy()
    bird = np.isin(val.labels, ["waterbird", "landbird"])
    assert float(made.success) == pytest.approx((after == truth)[bird].mean())
    groups = val.groups[bird].astype(str)
    worst = min((after == truth)[bird][groups == g].mean() for g in set(groups))
    assert made.success.worst.value == pytest.approx(worst)
    like = bird & (before != truth)
    assert made.success.like.n == like.sum()
    assert float(made.success.like) == pytest.approx((after == truth)[like].mean())
    assert float(made.locality) == pytest.approx((after == truth)[~bird].mean())
    assert float(made.locality.agreement) == pytest.approx((after == before)[~bird].mean())
    assert set(made.locality.changed) == set(val.ids[~bird & (after != before)])
    assert set(made.locality.paid) == set(val.ids[~bird & (before == truth) & (after != truth)])
    assert set(made.wrong) == set(val.ids[(before == truth) & (after != truth)])
    assert set(made.right) == set(val.ids[(before != truth) & (after == truth)])
    low, high = made.locality.agreement.interval.low, made.locality.agreement.interval.high
    assert 0 < low < float(made.locality.agreement) < high < 1
    frame = made.on().to_dataframe()
    assert frame["split"].unique().tolist() == ["val"]
    curve = made.curve(6)
    assert curve["success"].iloc[-1] == pytest.approx(float(made.success))
    assert curve["success"].iloc[0] == pytest.approx((before == truth)[bird].mean())
    assert curve["agreement"].tolist()[0] == 1
    own = tk.edit(few, every, HEADS)
    assert "made from" in str(own.success)
    assert float(own.locality) == pytest.approx(own.history.retained[-1])
    assert own.locality.of == "images that were right"


def test_images_it_was_made_from_are_not_held_out(few, every, pool):
    made = tk.edit(few, every, HEADS, held_out=pool, steps=2)
    held = made.on().held
    assert held.used == 20
    assert not set(held.images.acts.ids) & set(few.ids)
    with pytest.raises(tk.InputError, match="all of which the edit is made from"):
        tk.edit(few, every, HEADS, held_out=few)


def test_unrelated_sets_with_classes_of_their_own_and_without_labels(few, model, birds):
    other = tk.extract(model, tk.scenes("val", 60, 3, kind="unrelated"), progress=False)
    named = tk.classes(sorted(set(other.labels)))
    made = tk.edit(few, birds, HEADS, unrelated={"things": (other, named), "as birds": other}, steps=30)
    things, as_birds = made.on().unrelated
    vectors = named.vectors(model)
    after = (made.apply(other.embedding) @ vectors.T).argmax(1).numpy()
    truth = named.encode(other.labels)
    assert float(things) == pytest.approx((after == truth).mean())
    assert as_birds.change is None
    assert float(as_birds) == float(as_birds.agreement)
    shown = made.on().to_dataframe()["what"].tolist()
    assert shown[-2:] == ["things", "as birds"]
    rates = tk.frontier(few, birds, HEADS, [10], [10], held_out=other_birds(model), unrelated={"t": (other, named)})
    assert rates.locality.shape == (1, 1, 1)
    assert np.isfinite(rates.locality).all()


def other_birds(model):
    return tk.extract(model, tk.scenes("val", 60, 4, kind="birds"), progress=False)


@pytest.mark.parametrize("strategy", ["diagonal", "full", "rank 2"])
def test_strategies(few, every, strategy, val):
    made = tk.edit(few, every, HEADS, strategy=strategy, steps=25, held_out=val)
    assert made.history.total[-1] < made.history.total[0]
    assert made.theta.numel() == {"diagonal": 96, "full": 96 * 96, "rank 2": 4 * 96}[strategy]
    eye = made.apply(torch.eye(96, dtype=torch.float64))
    x = val.embedding[:5].double()
    torch.testing.assert_close(made.apply(x), x @ eye, rtol=0, atol=1e-12)
    texts = every.vectors(val.live).double()
    torch.testing.assert_close(made.logits(x, texts), made.apply(x) @ texts.T, rtol=0, atol=1e-12)
    assert made.again(seed=7).theta.equal(made.theta) == (strategy != "rank 2")


def test_options(few, every):
    free = tk.edit(few, every, HEADS, steps=400)
    floor = tk.edit(few, every, HEADS, steps=400, nonnegative=True)
    assert free.negative > 0
    assert floor.negative == 0
    ended = tk.edit(few, every, HEADS, steps="converge")
    assert ended.loss().total < free.loss().total
    assert abs(ended.gap) < 1e-3 < free.gap
    assert ended.loss().total >= ended.bound
    assert ended.history.corrected[-1] >= ended.history.corrected[0]
    small = tk.edit(few, every, HEADS, logit_scale=1, alpha=1e4, beta=1e4)
    assert small.settings["logit_scale"] == 1
    pulls = tk.edit(few, every, HEADS, alpha=1e8, beta=1e8).pulls()
    assert sum(pulls.values()) == pytest.approx(1)
    assert pulls["ce"] < 1e-3
    alone = tk.edit(few, every, alpha=0, beta=0)  # standard fine-tuning needs no heads
    assert alone.pulls() == {"ce": 1, "success": 0, "locality": 0}
    for allowance in (0.0, 0.1, 1.0):
        best = tk.edit(few, every, HEADS, alpha=30, beta=0, steps=300, allowance=allowance)
        history = best.history
        at = history.steps.tolist().index(best.step)
        assert history.retained[at] >= 1 - allowance
        ok = history.retained >= 1 - allowance
        assert history.corrected[at] == history.corrected[ok].max()
        assert torch.equal(history.theta[at], best.theta)


def test_progress_and_ending_it(few, every):
    seen = []
    tk.edit(few, every, HEADS, steps=7, check=lambda done, of: seen.append((done, of)))
    assert seen == [(i, 7) for i in range(7)]

    class EnoughError(Exception):
        pass

    def stop(done, of):
        if done == 3:
            raise EnoughError

    with pytest.raises(EnoughError):
        tk.edit(few, every, HEADS, check=stop)
    other = tk.extract(few.live, tk.scenes("val", 20, 8, kind="unrelated"), progress=False)
    held = {"held_out": other_birds(few.live), "unrelated": {"x": other}}
    with pytest.raises(EnoughError):
        tk.frontier(few, every, HEADS, check=stop_after(EnoughError), **held)


def stop_after(error):
    def check(done, of):
        raise error

    return check


def as_arrays(parts, labels):
    mlps = parts.mlps if parts.mlps.numel() else None
    return tk.from_arrays(heads=parts.heads, mlps=mlps, rest=parts.biases.sum(1) + parts.constant, labels=labels)


@pytest.mark.parametrize("family", list(families.FAMILIES))
def test_a_folded_model_gives_theta_times_the_embedding(family):
    clip = families.build(family)
    model = tk.wrap(clip)
    images = families.pictures(clip, 6)
    parts = tk.decompose(model, images)
    d = model.card.embed_dim
    acts = as_arrays(parts, ["a", "b"] * 3)
    classes = tk.classes(["a", "b"], vectors=torch.randn(2, d, generator=torch.Generator().manual_seed(0)))
    for strategy in ("diagonal", "full"):
        made = tk.edit(acts, classes, alpha=0, beta=1, steps=5, strategy=strategy)
        before = {name: t.clone() for name, t in clip.state_dict().items()}
        folded = made.fold(model)
        e = model.encode_image(images)
        found, expected = folded.encode_image(images), made.apply(e.double())
        scale = expected.norm(dim=1).max()
        assert float((found - expected).abs().max() / scale) < 1e-6
        assert all(torch.equal(t, before[name]) for name, t in clip.state_dict().items())
        assert folded.card.layers == model.card.layers
        assert "edited" in folded.card.id
        assert float(tk.decompose(folded, images).error) < 1e-4


def test_a_folded_checkpoint_loads_in_open_clip_and_hugging_face(tmp_path):
    import transformers

    clip = open_clip.create_model("ViT-S-32-alt", pretrained=None).eval()
    model = tk.wrap(clip)
    images = torch.randn(2, 3, *model.card.image_size, generator=torch.Generator().manual_seed(0))
    parts = tk.decompose(model, images)
    acts = as_arrays(parts, ["a", "b"])
    classes = tk.classes(["a", "b"], vectors=torch.eye(2, model.card.embed_dim))
    made = tk.edit(acts, classes, alpha=0, beta=0, steps=9)
    folded = made.fold(model)
    path = tk.save_checkpoint(folded, tmp_path / "edited.safetensors")
    expected = made.apply(model.encode_image(images).double()).float()
    plain, _, _ = open_clip.create_model_and_transforms("ViT-S-32-alt", pretrained=str(path))
    with torch.no_grad():
        torch.testing.assert_close(plain.eval().encode_image(images), expected, rtol=1e-4, atol=1e-5)
    folder = tk.save_huggingface(folded, tmp_path / "hugging")
    other = transformers.CLIPModel.from_pretrained(folder).eval()
    with torch.no_grad():
        found = other.visual_projection(other.vision_model(images).pooler_output)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", list(families.FAMILIES))
def test_hugging_face_takes_what_it_can_and_says_what_it_cannot(family, tmp_path):
    import transformers

    clip = families.build(family)
    model = tk.wrap(clip)
    if family not in ("vit", "vit-quickgelu", "vit-finer-grid", "vit-eps", "vit-norm-after-pool"):
        with pytest.raises(tk.UnsupportedModelError, match="save_huggingface"):
            tk.save_huggingface(model, tmp_path / "x")
        assert not (tmp_path / "x").exists()
        return
    folder = tk.save_huggingface(model, tmp_path / "x")
    other = transformers.CLIPModel.from_pretrained(folder).eval()
    images, ids = families.pictures(clip, 3), torch.randint(1, 49, (2, 8))
    ids[:, 5], ids[:, 6:] = 49, 0
    with torch.no_grad():
        image = other.visual_projection(other.vision_model(images).pooler_output)
        text = other.text_projection(other.text_model(ids).pooler_output)
        torch.testing.assert_close(image, clip.encode_image(images), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(text, clip.encode_text(ids), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(tk.load(str(folder)).encode_image(images), model.encode_image(images))


def test_a_tower_without_a_linear_output_is_refused(made, model, monkeypatch):
    import copy

    from toolkit.api.switch_off.fold import fold_matrix

    bare = tk.wrap(copy.deepcopy(model.clip))
    monkeypatch.setattr(bare.clip.visual, "proj", None)
    with pytest.raises(tk.UnsupportedModelError, match="no linear output"):
        fold_matrix(bare, torch.eye(96), "x")


def test_files(made, pool, val, tmp_path, model):
    path = made.named("mine").save(tmp_path / "mine.safetensors")
    facts = json.loads((tmp_path / "mine.json").read_text())
    assert facts["name"] == "mine"
    assert facts["fingerprint"] == model.card.fingerprint
    assert facts["ids"]["W"] == made.settings["ids"]["W"]
    assert (facts["alpha"], facts["beta"], facts["steps"], facts["heads"]) == (10, 10, 100, HEADS)
    assert facts["metrics"]["rows"][0]["n"] > 0
    alone = tk.load_edit(path)
    assert torch.equal(alone.theta, made.theta)
    assert alone.name == "mine"
    assert alone.metrics == facts["metrics"]
    x = tk.scenes("test", n=2)
    torch.testing.assert_close(alone.fold(model).encode_image(x), made.fold(model).encode_image(x))
    with pytest.raises(tk.InputError, match="without the images"):
        alone.loss()
    with pytest.raises(tk.InputError, match="read from a file"):
        alone.curve()
    again = tk.load_edit(path, pool, held_out=val)
    assert torch.equal(again.again().theta, made.theta)
    assert again.loss() == made.loss()
    assert float(again.success) == float(made.success)
    assert "mine" in str(again)
    assert alone.inspect(acts=val).spread.shape == made.inspect(acts=val).spread.shape
    for strategy in ("rank 3", "full"):
        other = made.again(strategy=strategy, steps=4)
        read = tk.load_edit(other.save(tmp_path / "other.safetensors"))
        assert torch.equal(read.theta, other.theta)
        assert read.strategy == other.strategy
        twice = tk.load_edit(read.save(tmp_path / "twice.safetensors"), pool)  # saved again without its images
        assert torch.equal(twice.again().theta, other.theta)
    kept = tk.load_edit(path, pool)
    assert kept.metrics == facts["metrics"]  # not those of the images it was made from
    assert {"same mistakes as W, now right", "same prediction, other classes"} <= {
        share["what"] for share in facts["metrics"]["shares"]
    }
    early = made.at(20)
    assert torch.equal(tk.load_edit(early.save(path), pool).again().theta, early.theta)


def test_files_that_are_refused(made, tmp_path, val, few, birds):
    path = made.save(tmp_path / "a.safetensors")
    with pytest.raises(tk.InputError, match=r"ending in \.safetensors"):
        made.save(tmp_path / "a.json")
    assert made.save(tmp_path / "missing" / "a.safetensors").is_file()  # the folder is made
    with pytest.raises(tk.StoreError, match="nothing can be written"):
        made.save(path / "a.safetensors")
    with pytest.raises(tk.InputError, match="20 of the 20 images"):
        tk.load_edit(path, val)
    with pytest.raises(tk.InputError, match="no file"):
        tk.load_edit(tmp_path / "nothing.safetensors")
    (tmp_path / "b.safetensors").write_bytes(path.read_bytes()[:200])
    with pytest.raises(tk.InputError, match="load_edit"):
        tk.load_edit(tmp_path / "b.safetensors")
    from safetensors.torch import save_file

    save_file({"theta": torch.ones(3)}, tmp_path / "c.safetensors")
    with pytest.raises(tk.InputError, match="holds no edit"):
        tk.load_edit(tmp_path / "c.safetensors")
    other = tk.wrap(families.build("vit"))
    with pytest.raises(tk.InputError, match="fingerprint"):
        made.fold(other)
    foreign = tk.from_arrays(heads=np.random.default_rng(0).normal(size=(3, 4, 8, 96)), labels=["a"] * 3)
    with pytest.raises(tk.InputError, match="load_edit"):
        tk.load_edit(path, foreign)


@pytest.mark.skipif(os.geteuid() == 0, reason="not run: root may write anywhere")
def test_a_folder_that_cannot_be_written_to(made, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    with pytest.raises(tk.StoreError, match="no permission to write"):
        made.save(folder / "a.safetensors")
    assert not list(folder.iterdir())


def test_what_cannot_be_written_leaves_the_old_file(made, tmp_path, monkeypatch):
    import safetensors.torch

    path = made.save(tmp_path / "a.safetensors")
    old = path.read_bytes()

    def full(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(tk.StoreError, match="no permission to write"):
        made.again(steps=3).save(path)
    assert path.read_bytes() == old
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.safetensors"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"alpha": float("nan")}, "alpha=nan"),
        ({"beta": -1}, "beta=-1"),
        ({"alpha": "ten"}, "alpha='ten'"),
        ({"alpha": float("inf")}, "alpha=inf"),
        ({"alpha": True}, "alpha=True"),
        ({"steps": -1}, "steps=-1"),
        ({"steps": 2.5}, "steps=2.5"),
        ({"strategy": "banana"}, "strategy='banana'"),
        ({"strategy": "rank 0"}, "rank"),
        ({"strategy": "rank 97"}, "rank"),
        ({"logit_scale": 0}, "logit_scale=0"),
        ({"logit_scale": float("nan")}, "logit_scale=nan"),
        ({"heads": ""}, "no heads with alpha=10"),
        ({"heads": "L9.H9"}, "unknown head"),
        ({"true": "landbird", "predicted": "landbird"}, "different classes"),
        ({"true": "dragon"}, "dragon"),
        ({"true": "cat", "predicted": "car"}, "nothing to do"),
        ({"pairs": "landbird"}, "pairs="),
        ({"pairs": [("cat", "car")]}, "nothing to do"),
        ({"pairs": [], "true": "cat"}, "one of the two"),
        ({"rate": 0}, "rate=0"),
        ({"allowance": 2}, "allowance=2"),
        ({"nonnegative": True, "strategy": "full"}, "nonnegative"),
        ({"held_out": "val"}, "held_out"),
        ({"unrelated": {"x": 3}}, "unrelated"),
        ({"unrelated": [1]}, "a mapping"),
        ({"pairs": 5}, "pairs=5"),
        ({"device": "xyz"}, "device='xyz'"),
        ({"nonnegative": "no"}, "nonnegative='no'"),
        ({"seed": 2**70}, "seed="),
        ({"strategy": "rank " + "9" * 5000}, "strategy="),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_arguments(few, every, words, message):
    with pytest.raises(tk.InputError) as error:
        tk.edit(few, every, **({"heads": HEADS} | words))
    assert message in str(error.value)
    assert "To fix" in str(error.value)


def test_no_wrong_images_one_class_and_other_models(few, every, birds, model):
    right = few.take(np.flatnonzero(every.predict(few.embedding, model).numpy() == every.encode(few.labels)).tolist())
    with pytest.raises(tk.InputError, match="nothing to do: of 14 images none is wrong"):
        tk.edit(right, every, HEADS)
    assert tk.edit(right, every, alpha=0, steps=2).history.success.tolist() == pytest.approx([np.nan] * 3, nan_ok=True)
    with pytest.raises(tk.InputError, match="two or more"):
        tk.edit(few, tk.classes(["waterbird"]), HEADS)
    found = tk.locate(few, birds).choose()
    with pytest.warns(tk.EditWarning, match="another class set"):
        made = tk.edit(few, every, found, steps=2)
    assert "another class set" in str(made)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        edit_problem(few, birds, found)
    for theta in ([1.0], torch.full((96,), float("nan"))):
        with pytest.raises(tk.InputError, match="finite"):
            made.loss(theta)
    with pytest.raises(tk.InputError, match="embeddings of shape"):
        made.apply(torch.ones(2, 5))
    with pytest.raises(tk.InputError, match="step 999"):
        made.at(999)


def test_numpy_numbers_are_numbers(few, every):
    made = tk.edit(few, every, HEADS, np.float32(3), np.int64(2), np.int64(4), logit_scale=np.float32(10))
    assert torch.equal(made.theta, tk.edit(few, every, HEADS, 3, 2, 4, logit_scale=10).theta)
    json.dumps(made.facts)


def test_targets_of_a_pair_are_its_classes(val, every, model):
    mixed = val.draw(per_class=3) if min(np.unique(val.labels, return_counts=True)[1]) >= 3 else val.take(range(60))
    made = tk.edit(mixed, every, HEADS, 0, 1, 2, true="landbird", predicted="waterbird", held_out=val)
    assert made.settings["targets"] == ["landbird", "waterbird"]
    assert made.locality is not None


def test_on_other_images_and_sets(made, val, few, model, every):
    other = tk.extract(model, tk.scenes("val", 30, 8, kind="unrelated"), progress=False)
    found = made.on(unrelated={"t": other})
    assert found.held.images.acts.ids.tolist() == val.ids.tolist()
    assert found.unrelated[0].agreement.n == 30
    sets = tk.edit(few, every, HEADS, held_out=val, unrelated={"t": other}, steps=3)
    assert len(sets.on(val.take(range(50))).unrelated) == 1
    both = tk.edit(few, every, HEADS, unrelated={"t": val}, steps=2)
    assert both.on().unrelated[0].agreement.n == 400
    with pytest.raises(tk.InputError, match="all of whose images"):
        tk.edit(few, every, HEADS, unrelated={"t": few})


def test_odd_values_given_to_an_edit(made, tmp_path):
    for call, message in (
        (lambda: made.again(heads="L3.H1"), "unknown argument 'heads'"),
        (lambda: made.fold(None), "fold"),
        (lambda: made.apply(np.ones((2, 96))), "ndarray"),
        (lambda: made.loss("x"), "theta='x'"),
        (lambda: made.save(None), "path=None"),
        (lambda: tk.load_edit(None), "path=None"),
    ):
        with pytest.raises(tk.InputError, match=message):
            call()


def test_inspection_is_what_the_words_say(made, val):
    seen = made.inspect(["the lake", "a bird", "a cat", "snow"], val)
    text = val.live.encode_text(["the lake", "a bird", "a cat", "snow"]).double()
    text = torch.nn.functional.normalize(text - text.mean(0), dim=-1)
    e = val.embedding.double()
    after = torch.nn.functional.normalize(made.theta * e, dim=-1)
    expected = (after @ text.T).std(0) / (e @ text.T).std(0)
    assert seen.spread == pytest.approx(expected.numpy())
    heads = val.heads.double()
    gain = (made.theta * e - (made.theta * e).mean(0)).norm() / (e - e.mean(0)).norm()
    changed = (made.theta * (heads - heads.mean(0))).flatten(3).norm(dim=-1).square().sum(0).sqrt()
    plain = (heads - heads.mean(0)).norm(dim=-1).square().sum(0).sqrt()
    assert seen.heads == pytest.approx((changed / plain / gain).numpy(), rel=1e-4)
    assert seen.moved == pytest.approx((made.theta - 1).numpy())
    assert seen.dimensions(3)["dimension"].iloc[0] == int((made.theta - 1).abs().argmax())
    assert "turned down" in str(seen)
    same = made.at(0).inspect(["the lake", "a bird"], val)
    assert same.spread == pytest.approx([1, 1])
    assert same.heads == pytest.approx(1)
    assert same.turned() == ([], [])
    with pytest.raises(tk.InputError, match="at least 3"):
        made.inspect(acts=val.take([0, 1]))


def test_compare(made, val, every):
    other = made.again(alpha=0, beta=0).named("plain")
    found = tk.compare(made, other)
    images = tk.scenes("val", 3, 5)
    seen = found.token_map(images, "a landbird", "a waterbird", heads="L3.H5")
    maps = [tk.token_map(e.fold(tk.load()), images, "a landbird", "a waterbird", "L3.H5") for e in (other, made)]
    np.testing.assert_allclose(seen.values, maps[0].values - maps[1].values, atol=1e-6)
    np.testing.assert_allclose(seen.total, maps[0].total - maps[1].total, atol=1e-5)
    a, b = (guesses(one, val, every) for one in (made, other))
    assert len(found.predictions) == int((a != b).sum())
    truth = every.encode(val.labels)
    expected = accuracy(b.numpy(), truth, val.groups, split="val", ids=val.ids)
    assert found.change.after.counts.tolist() == expected.counts.tolist()
    assert found.heads.shape == (4, 8)
    assert found.dimensions == pytest.approx((other.theta - made.theta).numpy())
    assert "plain" in str(found)
    with pytest.raises(tk.InputError, match="two edits"):
        tk.compare(made, 3)
    two = tk.edit(made.problem.images.acts, tk.classes(["waterbird", "landbird"]), HEADS, steps=2)
    with pytest.raises(tk.InputError, match="class_set"):
        tk.compare(made, two)
