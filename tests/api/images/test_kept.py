"""Stores that keep less: what is kept is what the whole store holds, and what is not is refused by name."""

from __future__ import annotations

import families
import numpy as np
import pytest
import timm_families
import torch
from click.testing import CliRunner
from PIL import Image
from store.pictures import Pictures

import toolkit as tk
from toolkit.cli.group import main
from toolkit.errors import InputError, StoreError
from toolkit.labs.ablation import AblationSession
from toolkit.labs.words import WordsSession

BIRDS = ("landbird", "waterbird")
LATE = [2, 3]


@pytest.fixture(scope="module")
def birds():
    return tk.classes(list(BIRDS))


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """All parts, and the heads of the last two layers alone, of the same images."""
    folder, model = tmp_path_factory.mktemp("kept"), tk.load()
    data = tk.scenes("test", n=300, kind="birds")
    whole = tk.extract(model, data, folder / "all.zarr", progress=False)
    less = tk.extract(model, data, folder / "less.zarr", layers=-2, mlps=False, pooled=True, progress=False)
    return whole, less


def test_what_is_kept_is_the_same_and_takes_less_room(stores):
    whole, less = stores
    assert less.shape == whole.shape
    assert less.kept.layers == tuple(LATE)
    for layer in LATE:
        assert torch.equal(less.mixes_of(layer), whole.mixes_of(layer))
    assert torch.equal(less.embedding, whole.embedding)
    for name in ("mean", "scatter"):
        ours, theirs = (getattr(acts.moments, name) for acts in stores[::-1])
        assert torch.equal(ours[LATE], theirs[LATE])
        assert ours[:2].isnan().all()
    some = [3, 200, 7]
    torch.testing.assert_close(less.take(some).moments.scatter[3], whole.take(some).moments.scatter[3])
    size, most = (sum(f.stat().st_size for f in a._store.folder.rglob("c/**/*") if f.is_file()) for a in stores[::-1])
    assert size < most
    arrays = {name: less._store.group[name].shape for name in less._store.group.array_keys()}
    assert "mlps" not in arrays
    assert arrays["mixes"][1] == 2
    found = less.to_xarray()
    assert found["layer"].values.tolist() == LATE
    assert np.array_equal(found["mixes"].sel(layer=3), whole.to_xarray()["mixes"].sel(layer=3))


def test_the_pooled_vectors_times_the_projection_are_the_embedding(stores):
    _, less = stores
    proj = less.model.tower.proj.detach()
    torch.testing.assert_close(torch.nn.functional.normalize(less.pooled @ proj, dim=-1), less.embedding)
    assert torch.equal(less.take([5, 2]).pooled, less.pooled[[5, 2]])


@pytest.mark.parametrize(
    "ask",
    [
        lambda acts, birds: tk.locate(acts, birds, layers=-2).raw,
        lambda acts, birds: tk.locate(acts, birds, layers=-2).choose().scale(4, 8, 0.0).numpy(),
        lambda acts, birds: tk.ablate(acts, birds, "L3.H7 L2.H1", how="mean").embedding.numpy(),
        lambda acts, birds: tk.head_effects(acts, birds).map("worst")[LATE],
        lambda acts, birds: tk.ltc_correct(acts, birds, "L3.H5", "L3.H1", [("water", "land")]).embedding.numpy(),
        lambda acts, birds: tk.textspan(acts, "world", size=4, layers=-2).picks,
        lambda acts, birds: tk.head_pca(acts, layers=-2).share,
        lambda acts, birds: tk.edit(acts, birds, "L3.H7", alpha=0.5, steps=5).theta,
        lambda acts, birds: tk.search(acts, "water", top=5).cosines,
        lambda acts, birds: (
            AblationSession(acts, birds, -2).outcome([{"head": [3, 7], "strength": 0.0}], "mean", "direct").after
        ),
    ],
    ids=["locate", "choose", "ablate", "head_effects", "ltc_correct", "textspan", "head_pca", "edit", "search", "lab"],
)
def test_verbs_about_layers_that_are_kept_give_what_all_parts_give(stores, birds, ask):
    whole, less = (ask(acts, birds) for acts in stores)
    assert np.allclose(whole, less, rtol=1e-6, atol=1e-7, equal_nan=True)


def test_none_means_the_layers_that_are_kept(stores, birds):
    _, less = stores
    assert tk.locate(less, birds, layers=None).layers == tuple(LATE)
    assert tk.textspan(less, "world", size=2, layers=None).layers == tuple(LATE)
    assert np.isfinite(tk.head_effects(less, birds).map("worst")).sum() == 16


@pytest.mark.parametrize(
    ("ask", "match"),
    [
        (lambda acts, birds: acts.parts(), "heads of layers 2, 3 of 4, no MLP terms"),
        (lambda acts, birds: acts.parts([0]), "no MLP terms"),
        (lambda acts, birds: next(acts.batches()), "no MLP terms"),
        (lambda acts, birds: acts.heads, "extract again"),
        (lambda acts, birds: acts.mlps, "no MLP terms"),
        (lambda acts, birds: acts.mixes, "layer 0, which this store does not keep"),
        (lambda acts, birds: acts.mixes_of(1), "layer 1, which this store does not keep"),
        (lambda acts, birds: tk.locate(acts, birds), "locate: .*layer 0, which this store does not keep"),
        (lambda acts, birds: tk.locate(acts, birds, layers=[1]), "layer 1, which"),
        (lambda acts, birds: tk.locate(acts, birds, layers=-2).ltc, "LTC's votes"),
        (lambda acts, birds: tk.ablate(acts, birds, "L0.H3"), "layer 0, which"),
        (lambda acts, birds: tk.edit(acts, birds, "L1.H3"), "layer 1, which"),
        (lambda acts, birds: tk.textspan(acts, "world", layers=[0]), "textspan: .*layer 0, which"),
        (lambda acts, birds: tk.AblationLab(acts, birds), "layer 0, which"),
    ],
)
def test_what_is_not_kept_is_refused_by_name(stores, birds, ask, match):
    with pytest.raises(InputError, match=match):
        ask(stores[1], birds)


def test_scores_of_a_store_without_some_layers_leave_the_votes_out(stores, birds):
    scores = tk.locate(stores[1], birds, layers=-2)
    assert "LTC" not in scores.maps()
    assert scores.to_dataframe()["ltc_wrong"].isna().all()
    assert scores.agreement()["LTC"].isna().all()
    assert {"a", "b", "c", "d"} <= set(scores.names)


def test_the_words_of_a_head_come_from_its_layer_alone(stores):
    both = [WordsSession(acts, "world").images(3, 7, None) for acts in stores]
    assert both[0] == both[1]


def test_it_says_what_it_keeps_and_what_that_rules_out(stores, birds):
    whole, less = stores
    assert whole.kept.rules_out == ""
    assert "rules out" not in repr(whole)
    for word in ("layers 2, 3 of 4", "no MLP terms", "pooled vectors", "acts.parts()", "LTC"):
        assert word in repr(less)
    with pytest.raises(InputError, match=r"pooled=True"):
        whole.pooled  # noqa: B018 – raises


def test_another_choice_is_another_store(stores, tmp_path):
    _, less = stores
    folder, model, data = less._store.folder, tk.load(), tk.scenes("test", n=300, kind="birds")
    again = tk.extract(model, data, folder, layers=[3, 2], mlps=False, pooled=True, progress=False)
    assert again._store.attrs["identity"] == less._store.attrs["identity"]
    with pytest.raises(
        StoreError, match=r"kept: heads of layers 2, 3 of 4, no MLP terms, pooled.* there, all parts here"
    ):
        tk.extract(model, data, folder, progress=False)
    for wrong in ({"layers": [4]}, {"layers": 0}, {"layers": []}, {"mlps": "no"}, {"pooled": 1}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            tk.extract(model, data, tmp_path / "x.zarr", progress=False, **wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("family", ["eva02-post-norm", "siglip", "pe", "timm-average-of-normed"])
def test_families_with_biases_or_a_pool_keep_less_too(family):
    model, data = tk.wrap(timm_families.build(family)), Pictures(6, 32)
    whole, less = (
        tk.extract(model, data, progress=False, **options)
        for options in ({}, {"layers": [0], "mlps": False, "pooled": True})
    )
    weights = torch.zeros(model.card.layers, model.card.heads)
    weights[0] = 1
    ours, theirs = (torch.cat(list(acts.sums(weights))) for acts in (less, whole))
    assert torch.equal(ours, theirs)
    assert less.pooled.shape == (6, model.tower.pooled)


def test_in_half_precision_the_pooled_vectors_stay_whole():
    model, data = tk.wrap(families.build("vit")), Pictures(6, 32)
    half = tk.extract(model, data, precision="float16", layers=-1, pooled=True, progress=False)
    full = tk.extract(model, data, pooled=True, progress=False)
    assert torch.equal(half.pooled, full.pooled)
    assert half._store.group["mixes"].dtype == np.float16


def test_the_estimate_tells_the_bytes_of_each(stores):
    whole, less = stores
    model, data = tk.load(), tk.scenes("test", n=300, kind="birds")
    for acts, options in ((whole, {}), (less, {"layers": -2, "mlps": False, "pooled": True})):
        found = tk.estimate(model, data, **options)
        arrays = {name: acts._store.group[name].nbytes for name in found.stored if name != "readout"}
        assert {name: found.stored[name] for name in arrays} == arrays
        assert found.store_bytes == sum(found.stored.values())
    assert "rules out" in str(found)
    assert "pooled" in str(found)
    half = tk.estimate(model, data, precision="float16")
    assert half.stored["mixes"] * 2 == tk.estimate(model, data).stored["mixes"]


def test_the_command_keeps_less(tmp_path):
    place = tmp_path / "s.zarr"
    (tmp_path / "in" / "a").mkdir(parents=True)
    for i in range(3):
        Image.new("RGB", (64, 64), (80 * i, 90, 200)).save(tmp_path / "in" / "a" / f"{i}.png")
    result = CliRunner().invoke(
        main, ["extract", str(tmp_path / "in"), "--store", str(place), "--layers", "-1", "--no-mlps", "--pooled"]
    )
    assert result.exit_code == 0, result.output
    acts = tk.open_acts(place)
    assert acts.kept.layers == (3,)
    assert not acts.kept.mlps
    assert acts.kept.pooled
    assert "rules out" in CliRunner().invoke(main, ["info", str(place)]).output
    wrong = CliRunner().invoke(main, ["extract", str(tmp_path / "in"), "--store", str(place), "--layers", "last"])
    assert wrong.exit_code
    assert "--layers last" in wrong.output


def test_the_estimate_is_from_images_that_can_be_read(tmp_path):
    (tmp_path / "a").mkdir()
    for i in range(3):
        (tmp_path / "a" / f"{i}.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="none of the first 3 images can be read"):
        tk.estimate(tk.load(), tk.image_folder(tmp_path))
    Image.new("RGB", (64, 64)).save(tmp_path / "a" / "9.png")
    found = tk.estimate(tk.load(), tk.image_folder(tmp_path))
    assert (found.images, found.probed) == (4, 1)
