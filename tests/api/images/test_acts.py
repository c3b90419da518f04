"""Acts: choosing images, reading lazily, and saying what cannot be answered."""

from __future__ import annotations

import families
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit as tk
from toolkit.api.images import acts as module
from toolkit.store import layout


@pytest.fixture(scope="module")
def model():
    return tk.load()


@pytest.fixture(scope="module")
def data():
    return tk.scenes("edit", n=60, kind="birds")


@pytest.fixture(scope="module")
def acts(model, data):
    return tk.extract(model, data, progress=False)


def test_where_keeps_rows_and_their_names_together(acts, model, data):
    some = acts.where(label="landbird", group=["landbird on water", "landbird on land"])
    assert set(some.labels) == {"landbird"}
    parts = tk.decompose(model, data.take([int(np.flatnonzero(data.ids == i)[0]) for i in some.ids]))
    torch.testing.assert_close(some.mixes, parts.mixes, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(some.embedding, parts.embedding, rtol=1e-4, atol=1e-5)
    assert len(acts.where(split="edit")) == 60
    with pytest.raises(tk.InputError, match="together: no image"):
        acts.where(label="landbird", group="waterbird on land")
    for wrong in ([60], [-61], 3, ["a"], [1.5]):
        with pytest.raises(tk.InputError, match="positions 0…59"):
            acts.take(wrong)
    assert list(acts.where(id=acts.ids[7]).ids) == [acts.ids[7]]


@pytest.mark.parametrize(
    "asked", [{"label": "cat"}, {"group": ["landbird on land", "x"]}, {"split": "test"}, {"id": "7"}]
)
def test_where_names_what_there_is(acts, asked):
    with pytest.raises(tk.InputError, match="which no image has"):
        acts.where(**asked)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-60, 59), max_size=80))
def test_any_rows_in_any_order(acts, rows):
    taken = acts.take(rows)
    assert list(taken.ids) == [acts.ids[r] for r in rows]
    torch.testing.assert_close(taken.mixes, acts.mixes[rows])
    torch.testing.assert_close(acts.parts(rows).mixes, acts.mixes[rows])


def test_draw_is_even_seeded_and_refuses_what_is_not_there(acts):
    a, b, c = acts.draw(5, seed=1), acts.draw(5, seed=1), acts.draw(5, seed=2)
    assert list(a.ids) == list(b.ids) != list(c.ids)
    assert sorted(a.labels) == ["landbird"] * 5 + ["waterbird"] * 5
    assert len(set(a.ids)) == 10
    with pytest.raises(tk.InputError, match="of which there are"):
        acts.draw(1000)
    with pytest.raises(tk.InputError, match="per_class=0"):
        acts.draw(0)


def test_batches_are_all_images_in_order(acts):
    parts = list(acts.batches(17))
    assert [len(p.ids) for p in parts] == [17, 17, 17, 9]
    torch.testing.assert_close(torch.cat([p.heads for p in parts]), acts.heads)


def test_only_the_chunks_asked_for_are_read(model, data, monkeypatch, tmp_path):
    monkeypatch.setattr(layout, "shard_rows", lambda shapes, precision: 10)
    acts = tk.extract(model, data, tmp_path / "s.zarr", batch_size=10, progress=False)
    read, store = [], type(acts._store.group.store)
    get = store.get

    async def counted(self, key, *args, **options):
        read.append(key)
        return await get(self, key, *args, **options)

    monkeypatch.setattr(store, "get", counted)
    fresh = tk.open_acts(tmp_path / "s.zarr").take([3, 25])
    assert not [k for k in read if k.startswith("mixes/c")], "nothing before it is asked for"
    _ = fresh.mixes
    assert sorted(k for k in read if k.startswith("mixes/c")) == ["mixes/c/0/0/0/0", "mixes/c/2/0/0/0"]


def test_what_does_not_fit_in_memory_is_refused_with_the_way_on(acts, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 100_000)
    with pytest.raises(tk.InputError, match=r"go through acts\.batches\(\)"):
        _ = acts.heads
    assert len(acts.draw(2).mixes) == 4


def test_attach_wants_the_same_images(acts, model):
    with pytest.raises(tk.InputError, match="data without 60 of the 60 images"):
        acts.attach(model, tk.scenes("edit", n=60, kind="birds", seed=1))
    assert acts.image(acts.ids[0]).size == (64, 64)
    assert list(acts.take([5, 2]).samples.ids) == [acts.ids[5], acts.ids[2]]
    with pytest.raises(tk.InputError, match="ids such as"):
        acts.image("nobody")


def test_tables_and_arrays_are_labelled(acts):
    frame = acts.where(label="landbird").to_dataframe()
    assert list(frame.columns) == ["id", "label", "group", "split"]
    found = acts.where(label="landbird").to_xarray()
    assert list(found["label"].values) == ["landbird"] * len(frame)
    assert list(found["layer"].values) == [0, 1, 2, 3]
    assert list(found["term"].values) == ["embedding", "mlp 0", "mlp 1", "mlp 2", "mlp 3"]
    np.testing.assert_array_equal(found["mixes"].values, acts.where(label="landbird").mixes.numpy())


def test_acts_describe_themselves(acts):
    assert repr(acts).startswith("Acts(60 images, split 'edit', built-in world model")
    assert "live model" in repr(acts)


def test_no_images_at_all(acts):
    nobody = acts.take([])
    assert len(nobody) == 0
    assert nobody.heads.shape == (0, 4, 8, 96)
    with pytest.raises(tk.InputError, match="no images"):
        _ = nobody.moments


# parts made by other code


def arrays(family="vit", n=12, convention="separate", dtype=torch.float64):
    clip = families.build(family, dtype)
    return tk.decompose(tk.wrap(clip), families.pictures(clip, n, dtype), convention)


@pytest.mark.parametrize("convention", ["separate", "reference"])
@pytest.mark.parametrize("scale", ["unit", "raw"])
def test_arrays_come_back_as_they_were(convention, scale):
    clip = families.build("vit", torch.float64)
    p = tk.decompose(tk.wrap(clip), families.pictures(clip, 90, torch.float64), convention, scale=scale)
    acts = tk.from_arrays(p.heads, p.mlps, p.biases.sum(1) + p.constant, scale=scale, convention=convention)
    unit = tk.decompose(tk.wrap(clip), families.pictures(clip, 90, torch.float64), convention)
    assert acts.shape[-1] == 16 + 3 * (convention == "reference"), "head_dim, and 3 for the shares (methods §1)"
    for name in ("heads", "mlps", "embedding"):
        torch.testing.assert_close(getattr(acts, name), getattr(unit, name), rtol=1e-9, atol=1e-11)
    assert acts.parts().error < 1e-12, "float64 stays float64"
    assert acts.convention == convention
    single = [x.float() for x in (p.heads, p.mlps, p.biases.sum(1) + p.constant)]
    assert tk.from_arrays(*single, scale=scale, convention=convention).heads.dtype == torch.float32


def test_the_moments_of_arrays_are_those_of_their_heads():
    p = arrays(n=40)
    acts = tk.from_arrays(p.heads, p.mlps, p.biases.sum(1) + p.constant, labels=["a", "b"] * 20)
    for chosen, heads in ((acts, p.heads), (acts.where(label="b"), p.heads[1::2])):
        m, maps = chosen.moments, acts.parts().readout.head_map.double()
        k = maps.shape[2]
        torch.testing.assert_close((m.mean[..., None, :k] @ maps)[..., 0, :], heads.mean(0), rtol=1e-4, atol=1e-6)
        c = heads - heads.mean(0)
        expected = torch.einsum("blhd,blhe->lhde", c, c)
        torch.testing.assert_close(maps.mT @ m.scatter[..., :k, :k] @ maps, expected, rtol=1e-3, atol=1e-6)


def test_memory_maps_are_read_in_blocks(tmp_path, monkeypatch):
    from toolkit.store import foreign as module

    p = arrays(n=40, dtype=torch.float32)
    np.save(tmp_path / "heads.npy", p.heads.numpy())
    monkeypatch.setattr(module, "BLOCK_BYTES", 8 * 48 * 3 * 4 * 7)
    mapped = np.load(tmp_path / "heads.npy", mmap_mode="r")
    acts = tk.from_arrays(
        mapped, p.mlps, p.biases.sum(1) + p.constant, labels=["x", "y"] * 20, store=tmp_path / "s.zarr"
    )
    torch.testing.assert_close(acts.heads, p.heads, rtol=1e-4, atol=1e-6)
    assert acts.shape[-1] == 16
    assert acts.error < 1e-5
    again = tk.open_acts(tmp_path / "s.zarr").where(label="y")
    torch.testing.assert_close(again.heads, p.heads[1::2], rtol=1e-4, atol=1e-6)
    with pytest.raises(tk.StoreError, match="where something lies"):
        tk.from_arrays(mapped, store=tmp_path / "s.zarr")


def test_arrays_that_turn_out_wrong_leave_no_file(tmp_path):
    p = arrays(n=40)
    heads = p.heads.numpy().copy()
    heads[39] *= 5
    with pytest.raises(tk.InputError, match="unit norm"):
        tk.from_arrays(heads, p.mlps, p.biases.sum(1) + p.constant, store=tmp_path / "s.zarr")
    assert list(tmp_path.iterdir()) == []


def test_heads_alone_have_no_embedding():
    acts = tk.from_arrays(arrays().heads)
    torch.testing.assert_close(acts.heads, arrays().heads, rtol=1e-9, atol=1e-11)
    with pytest.raises(tk.InputError, match="head contributions alone"):
        _ = acts.embedding
    assert acts.parts().embedding.isnan().all(), "nothing made up stands for it"
    assert acts.parts().residual.isnan().all()
    assert np.isnan(acts.to_xarray()["output"].values).all()
    assert np.isnan(acts.error)
    assert acts.moments.mean.isfinite().all()
    assert acts.take([1, 2]).moments.mean.isfinite().all()
    with pytest.raises(tk.InputError, match=r"attach it with acts\.attach|without a live model"):
        _ = acts.model


def test_the_files_of_the_public_code(tmp_path):
    p = arrays(convention="reference", n=50, dtype=torch.float32)
    for name, values in (("attn", p.heads), ("mlp", p.mlps), ("cls_attn", p.heads.sum(2))):
        np.save(tmp_path / f"imagenet_{name}_ViT-tiny.npy", values.numpy())
    acts = tk.from_npy(tmp_path, labels=["x"] * 50)
    assert acts.card.id == "ViT-tiny"
    torch.testing.assert_close(acts.embedding, p.embedding, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(acts.heads, p.heads, rtol=1e-4, atol=1e-6)
    with pytest.raises(tk.InputError, match="'reference', in which the arrays were made"):
        acts.using("separate")
    np.save(tmp_path / "cub_attn_ViT-tiny.npy", p.heads.numpy())
    with pytest.raises(tk.InputError, match="name dataset= and model="):
        tk.from_npy(tmp_path)
    with pytest.raises(tk.InputError, match="both files"):
        tk.from_npy(tmp_path, "cub")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_rank_is_told_from_the_rounding_of_the_input(dtype):
    rng = torch.Generator().manual_seed(0)
    heads = torch.randn(200, 1, 1, 4, generator=rng, dtype=torch.float64) @ torch.randn(
        4, 32, generator=rng, dtype=torch.float64
    )
    assert tk.from_arrays(heads.to(dtype)).shape[-1] == 4


def test_a_store_of_arrays_opens_in_its_own_convention_and_is_not_taken_for_ours(tmp_path):
    p = arrays(convention="reference", n=20)
    tk.from_arrays(p.heads, p.mlps, p.biases.sum(1) + p.constant, convention="reference", store=tmp_path / "s.zarr")
    assert tk.open_acts(tmp_path / "s.zarr").convention == "reference"
    with pytest.raises(tk.StoreError, match="arrays of other code"):
        tk.extract(tk.load(), tk.scenes("val", n=3), tmp_path / "s.zarr", progress=False)


def test_a_model_of_the_same_space_is_attached_to_arrays():
    p = arrays(n=6)
    acts = tk.from_arrays(p.heads, p.mlps, p.biases.sum(1) + p.constant, labels=[0, 1] * 3)
    model = tk.wrap(families.build("vit"))
    assert acts.attach(model).model is model
    with pytest.raises(tk.InputError, match="d = 96"):
        acts.attach(tk.load())
    assert len(acts.where(label=1)) == 3


@pytest.mark.parametrize(
    ("m", "names"), [(4, ["embedding", "mlp 0", "mlp 1", "mlp 2"]), (3, ["term 0", "term 1", "term 2"])]
)
def test_terms_are_named_for_what_they_are(m, names):
    p = arrays(n=6)
    mlps = p.mlps if m == 4 else p.mlps[:, 1:]
    rest = p.biases.sum(1) + p.constant + (0 if m == 4 else p.mlps[:, 0])
    acts = tk.from_arrays(p.heads, mlps, rest)
    assert list(acts.to_xarray()["term"].values) == names
    assert list(acts.parts().to_xarray()["term"].values) == names


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.update(heads=a["heads"][0]), r"\[b, l, h, d\]"),
        (lambda a: a.update(heads=a["heads"].astype(int)), "floating-point"),
        (lambda a: a.update(heads=a["heads"].astype(object)), "floating-point"),
        (lambda a: a.update(mlps=[[[1.0]], [[1.0, 2.0]]]), "mlps, which are no array"),
        (lambda a: a["heads"].__setitem__((3, 1, 0, 0), np.nan), "layer 1 that are not finite"),
        (lambda a: a.update(mlps=a["mlps"][:5]), "12 images"),
        (lambda a: a.update(labels=["a"]), "12, one per image"),
        (lambda a: a.update(ids=["a"] * 12), "all different"),
        (lambda a: a.update(heads=a["heads"] * 3), 'pass all parts, or scale="raw"'),
        (lambda a: a.update(scale="big"), "'unit' or 'raw'"),
        (lambda a: a.update(mlps=a["mlps"] * np.inf), "mlps that are not finite"),
    ],
)
def test_arrays_that_cannot_be_right(change, words):
    p = arrays()
    given = {"heads": p.heads.numpy().copy(), "mlps": p.mlps.numpy(), "rest": (p.biases.sum(1) + p.constant).numpy()}
    change(given)
    with pytest.raises(tk.InputError, match=words):
        tk.from_arrays(**given)


def objects(path):
    np.save(path, np.array([{"a": 1}], dtype=object))


def archive(path):
    with path.open("wb") as file:
        np.savez(file, heads=np.zeros(3))


@pytest.mark.parametrize(
    "spoil", [lambda p: p.write_bytes(b""), lambda p: p.write_bytes(p.read_bytes()[:200]), objects,
              lambda p: p.write_bytes(p.read_bytes()[:50]), lambda p: p.write_bytes(b"not an array at all"),
              lambda p: p.write_bytes(b"PK\3\4 no archive"), archive,
              lambda p: p.write_bytes(b"\x93NUMPY\1\0\4\0{\n{ "),
              lambda p: p.write_bytes(p.read_bytes().replace(b"<f4", b"|O ").replace(b"<f8", b"|O "))]
)  # fmt: skip
@pytest.mark.parametrize("which", ["attn", "mlp"])
def test_npy_files_that_cannot_be_read(tmp_path, spoil, which):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "birds_attn_ViT.npy", rng.normal(size=(5, 2, 2, 8)).astype(np.float32))
    np.save(tmp_path / "birds_mlp_ViT.npy", rng.normal(size=(5, 3, 8)).astype(np.float32))
    spoil(tmp_path / f"birds_{which}_ViT.npy")
    with pytest.raises(tk.InputError, match=rf"birds_{which}_ViT\.npy of [\d,]+ bytes, which cannot be read.*copy it"):
        tk.from_npy(tmp_path)
