"""Format 2: read by layer, damage that is found and mended, handles that know their store, and format 1."""

from __future__ import annotations

import os
import random
import shutil
import signal
from pathlib import Path

import families
import numpy as np
import pytest
import torch
import zarr
from click.testing import CliRunner
from store import format1
from store.pictures import Pictures, same
from zarr.storage import LocalStore

import toolkit as tk
from toolkit.cli import main
from toolkit.store import layout as layouts
from toolkit.store import reader, writer
from toolkit.store.check import check_store
from toolkit.store.reader import open_store
from toolkit.store.upgrade import upgrade

N, ROWS = 40, 16


@pytest.fixture
def model():
    return tk.wrap(families.build("vit"), name="tiny")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(layouts, "shard_rows", lambda shapes, precision: ROWS)


@pytest.fixture
def place(model, tmp_path):
    tk.extract(model, Pictures(N), tmp_path / "s.zarr", batch_size=8, progress=False)
    return tmp_path / "s.zarr"


def bytes_read(monkeypatch, ask):
    """Bytes of files that zarr reads for a question."""
    seen, get = [], LocalStore.get

    async def counted(self, key, *rest, **more):
        found = await get(self, key, *rest, **more)
        if found is not None and not key.endswith("zarr.json"):
            seen.append(len(found))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "get", counted)
        ask()
    return sum(seen)


def test_a_layer_is_read_without_the_others(place, monkeypatch):
    store = open_store(place)
    every = bytes_read(monkeypatch, lambda: store.array("mixes", range(N)))
    layers = store.shape[0]
    for chosen in ([0], [layers - 1], [0, 2]):
        found = []
        read = bytes_read(monkeypatch, lambda c=chosen, f=found: f.append(store.array("mixes", range(N), c)))
        assert read <= 1.1 * len(chosen) / layers * every
        torch.testing.assert_close(found[0], store.array("mixes", range(N))[:, chosen], rtol=0, atol=0)


@pytest.mark.parametrize("rows", [[3], [39, 0, 17], list(range(N)), list(range(5, 37)), list(range(N - 1, -1, -1)), []])
@pytest.mark.parametrize("layers", [None, [1], [2, 0], [0, 1, 2]])
def test_any_rows_of_any_layers(place, rows, layers):
    store = open_store(place)
    whole = torch.from_numpy(store.group["mixes"][:])
    expected = whole[rows] if layers is None else whole[rows][:, layers]
    torch.testing.assert_close(store.array("mixes", rows, layers), expected, rtol=0, atol=0)


def test_long_stretches_are_read_a_few_shards_at_a_time(place, monkeypatch):
    monkeypatch.setattr(reader, "TOGETHER", 1)
    store = open_store(place)
    np.testing.assert_array_equal(store.array("mlps", range(3, N)).numpy(), store.group["mlps"][3:])


def files_of(place, shard=1):
    return [f"mixes/c/{shard}/0/0/0", f"mlps/c/{shard}/0/0", f"output/c/{shard}/0", f"sigma/c/{shard}"]


def gone(path):
    path.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("file", files_of(None))
@pytest.mark.parametrize("spoil", [gone, cut, empty])
def test_a_file_that_is_not_what_was_written_is_named_and_its_shard_made_anew(model, place, file, spoil, monkeypatch):
    before = {p.relative_to(place): p.read_bytes() for p in place.rglob("*") if p.is_file()}
    spoil(place / file)
    with pytest.raises(tk.StoreError, match=rf"damaged store: {file} .*makes rows 16…31 anew and leaves the rest"):
        tk.open_acts(place)
    seen, trace = [], model.trace
    monkeypatch.setattr(model, "trace", lambda batch, *more: seen.append(len(batch)) or trace(batch, *more))
    tk.extract(model, Pictures(N), place, batch_size=8, progress=False)
    assert sum(seen) == ROWS, "the images of that shard, and no others"
    assert {p.relative_to(place): p.read_bytes() for p in place.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    "name", ["readout/head_map", "readout", "moments/scatter", "about/words.parquet", "about/files.json"]
)
def test_what_no_shard_holds_asks_for_a_new_store(model, place, name):
    found = place / name
    shutil.rmtree(found) if found.is_dir() else found.unlink()
    with pytest.raises(tk.StoreError, match=rf"damaged store.*{name}.*overwrite=True"):
        tk.open_acts(place)
    with pytest.raises(tk.StoreError, match=r"overwrite=True"):
        tk.extract(model, Pictures(N), place, batch_size=8, progress=False)
    assert len(tk.extract(model, Pictures(N), place, batch_size=8, overwrite=True, progress=False)) == N


def test_a_file_of_another_store_is_found_when_it_is_read_whole_and_by_a_check(model, place, tmp_path):
    other = tk.wrap(families.build("vit", seed=5), name="tiny")
    tk.extract(other, Pictures(N), tmp_path / "other.zarr", batch_size=8, progress=False)
    file = "mixes/c/1/0/0/0"
    shutil.copy(tmp_path / "other.zarr" / file, place / file)
    tk.open_acts(place)  # of the same size: only its bytes tell
    answer = CliRunner().invoke(main, ["info", str(place), "--check"])
    assert answer.exit_code != 0
    assert f"{file} holds other bytes than were written" in answer.output
    (place / "about" / "suspects.json").unlink()  # as if nobody had looked
    acts = tk.open_acts(place)
    for read in (lambda: acts.parts(), lambda: acts.take(range(16, 32)).mixes):
        with pytest.raises(tk.StoreError, match=f"{file} holds other bytes"):
            read()
    assert acts.take(range(16)).parts().error < 1e-5, "other shards can be read"
    assert tk.extract(model, Pictures(N), place, batch_size=8, progress=False).parts().error < 1e-5
    assert check_store(place)[0] > 10
    assert "are as they were written" in CliRunner().invoke(main, ["info", str(place), "--check"]).output


def test_a_bit_that_fell_over_is_found_where_a_layer_is_read(place):
    file = place / "mixes" / "c" / "1" / "0" / "0" / "0"
    spoilt = bytearray(file.read_bytes())
    spoilt[100] ^= 1  # the first layer
    file.write_bytes(spoilt)
    store = open_store(place)
    with pytest.raises(tk.StoreError, match="damaged store"):
        store.array("mixes", range(N), [0])
    store.array("mixes", range(N), [1])


def test_arrays_that_are_all_fill_have_no_files_and_are_not_missed(tmp_path):
    acts = tk.from_arrays(np.random.default_rng(0).normal(size=(N, 2, 2, 8)), store=tmp_path / "a.zarr")
    assert not (tmp_path / "a.zarr" / "output" / "c").exists(), "embeddings that are not known"
    assert len(tk.open_acts(tmp_path / "a.zarr")) == len(acts) == N
    check_store(tmp_path / "a.zarr")


def test_a_shard_without_a_usable_image(tmp_path, model):
    from PIL import Image

    (tmp_path / "p").mkdir()
    for i in range(N):
        path = tmp_path / "p" / f"{i:02}.png"
        path.write_text("no") if 16 <= i < 32 else Image.new("RGB", (32, 32), (i, 0, 0)).save(path)
    acts = tk.extract(model, tk.image_folder(tmp_path / "p"), tmp_path / "s.zarr", batch_size=8, progress=False)
    assert len(acts) == N - 16
    assert not (tmp_path / "s.zarr" / "mixes" / "c" / "1").exists()
    check_store(tmp_path / "s.zarr")
    assert tk.open_acts(tmp_path / "s.zarr").parts().error < 1e-5


# handles


def test_a_store_that_was_replaced_under_an_open_handle(model, place):
    acts = tk.open_acts(place)
    other = tk.wrap(families.build("vit", seed=5), name="tiny")
    tk.extract(other, Pictures(N + 5), place, batch_size=8, overwrite=True, progress=False)
    for read in (lambda: acts.parts(), lambda: acts.embedding, lambda: acts.error, lambda: acts.moments):
        with pytest.raises(tk.StoreError, match="was replaced since it was opened"):
            read()
    assert len(tk.open_acts(place).parts().embedding) == N + 5


def test_a_store_that_was_moved_under_an_open_handle(place):
    acts = tk.open_acts(place)
    place.rename(place.with_name("t.zarr"))
    with pytest.raises(tk.StoreError, match=r"'s.zarr', which is no longer at .*put it back"):
        acts.parts()
    place.with_name("t.zarr").rename(place)
    assert acts.parts().error < 1e-5, "and back again"


def test_a_repair_does_not_take_the_store_from_its_handles(model, place):
    acts = tk.open_acts(place)
    gone(place / "mixes" / "c" / "1" / "0" / "0" / "0")
    tk.extract(model, Pictures(N), place, batch_size=8, progress=False)
    assert acts.parts().error < 1e-5


def test_the_folder_one_works_in_may_change(place, monkeypatch, tmp_path):
    monkeypatch.chdir(place.parent)
    acts = tk.open_acts("s.zarr")
    monkeypatch.chdir("/")
    assert acts.parts().error < 1e-5


@pytest.mark.parametrize("address", ["s3://bucket/x.zarr", "gs://b/x", "hf://datasets/x", "file:///x", "S3://B/x"])
def test_addresses_are_refused_by_name_and_no_folder_is_made(model, tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    scheme = address.partition(":")[0]
    heads = np.random.default_rng(0).normal(size=(4, 1, 1, 8))
    asks = (
        lambda: tk.extract(model, Pictures(3), address, progress=False),
        lambda: tk.open_acts(address), lambda: tk.from_arrays(heads, store=address), lambda: upgrade(address),
    )  # fmt: skip
    for ask in asks:
        with pytest.raises(tk.StoreError, match=f"scheme '{scheme}'"):
            ask()
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_a_later_version(model, place):
    zarr.open_group(store=str(place), mode="r+").attrs["format"] = 3
    for ask in (lambda: tk.open_acts(place), lambda: tk.extract(model, Pictures(N), place, progress=False)):
        with pytest.raises(tk.StoreError, match=r"format 3\. Accepted: format 2 or older.*update the toolkit"):
            ask()


def test_attributes_of_the_data_are_kept_beside_the_parts(model, tmp_path):
    from PIL import Image

    rows = ["image,label,colour,weight"]
    for i in range(4):
        Image.new("RGB", (32, 32), (i, 0, 0)).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,a,{'red' if i else ''},{i / 2}")
    (tmp_path / "t.csv").write_text("\n".join(rows))
    tk.extract(model, tk.table(tmp_path / "t.csv", image="image"), tmp_path / "s.zarr", progress=False)
    kept = open_store(tmp_path / "s.zarr").words
    assert kept.attributes["colour"][1:] == ["red"] * 3
    assert [float(x) for x in kept.attributes["weight"]] == [0, 0.5, 1, 1.5]


# killed anywhere


def extract_until_a_write(place, writes):
    """What the process is to do that is killed: at its so-many-th file, before or after that is written."""
    layouts.shard_rows = lambda shapes, precision: ROWS
    writer.KEEP_MOMENTS = 0.0
    torch.set_num_threads(1)
    left, replace, put = [writes], Path.replace, LocalStore.set

    def counted():
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def replaced(self, target):
        counted()
        return replace(self, target)

    async def set_(self, key, value):
        counted()
        await put(self, key, value)

    Path.replace, LocalStore.set = replaced, set_
    tk.extract(tk.wrap(families.build("vit"), name="tiny"), Pictures(70), place, batch_size=8, progress=False)


@pytest.mark.slow
def test_killed_twenty_times_at_random_moments_it_ends_at_the_same_bits(model, tmp_path, in_a_process):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = tk.extract(model, Pictures(70), tmp_path / "whole.zarr", batch_size=8, progress=False)
        rng, killed = random.Random(0), 0
        for _ in range(20):
            at = rng.choice([rng.randint(1, 40), rng.randint(40, 110)])
            status, _ = in_a_process(extract_until_a_write, place=str(tmp_path / "s.zarr"), writes=at)
            killed += status == -signal.SIGKILL
            if (tmp_path / "s.zarr").exists():
                same(open_store(tmp_path / "s.zarr"), whole._store)
                shutil.rmtree(tmp_path / "s.zarr")
        assert killed >= 15, f"only {killed} of 20 were killed"
        tk.extract(model, Pictures(70), tmp_path / "s.zarr", batch_size=8, progress=False)
        same(open_store(tmp_path / "s.zarr"), whole._store)
        assert {p.name: p.read_bytes() for p in (tmp_path / "s.zarr").rglob("c/*") if p.is_file()} == {
            p.name: p.read_bytes() for p in (tmp_path / "whole.zarr").rglob("c/*") if p.is_file()
        }
        check_store(tmp_path / "s.zarr")
    finally:
        torch.set_num_threads(threads)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.zarr", "whole.zarr"]


# format 1


@pytest.fixture
def old(model, tmp_path):
    acts = tk.extract(model, Pictures(N), batch_size=8, progress=False)
    format1.write(acts._store, tmp_path / "old.zarr")
    return acts, tmp_path / "old.zarr"


def test_format_1_opens_as_it_is(model, old):
    acts, place = old
    found = tk.open_acts(place)
    same(found._store, acts._store)
    assert found.ids.tolist() == acts.ids.tolist()
    torch.testing.assert_close(found.heads, acts.heads, rtol=0, atol=0)
    torch.testing.assert_close(found._store.array("mixes", [3, 30], [1]), acts.mixes[[3, 30]][:, [1]], rtol=0, atol=0)
    assert found.to_xarray()["label"].values.tolist() == acts.labels.tolist()
    assert len(tk.extract(model, Pictures(N), place, batch_size=8, progress=False)) == N, "it is the one asked for"


@pytest.mark.parametrize("file", ["mixes/c/1/0/0/0", "output/c/2/0", "readout/head_map/c/0/0/0/0", "sigma/c/0"])
@pytest.mark.parametrize("spoil", [gone, cut, empty])
def test_format_1_is_looked_at_too(old, file, spoil):
    spoil(old[1] / file)
    with pytest.raises(tk.StoreError, match=f"damaged store: {file}"):
        tk.open_acts(old[1])


def test_format_1_is_rewritten(model, old):
    acts, place = old
    assert "without a store" in CliRunner().invoke(main, ["info", "--upgrade"]).output
    assert "--upgrade" in CliRunner().invoke(main, ["info", str(place), "--check"]).output, "it has no digests"
    answer = CliRunner().invoke(main, ["info", str(place), "--upgrade"])
    assert answer.exit_code == 0, answer.output
    found = open_store(place)
    assert found.attrs["format"] == 2
    same(found, acts._store)
    check_store(place)
    assert len(tk.extract(model, Pictures(N), place, batch_size=8, progress=False)) == N
    with pytest.raises(tk.InputError, match="an older store"):
        upgrade(place)
    assert [p.name for p in place.parent.iterdir()] == ["old.zarr"]


def test_a_half_written_store_of_format_1_is_not_thrown_away(model, old, tmp_path):
    place = tmp_path / "s.zarr"
    partial = tmp_path / "s.zarr.partial"
    old[1].rename(partial)
    zarr.open_group(store=str(partial), mode="r+").attrs["complete"] = False
    before = sorted(partial.rglob("*"))
    with pytest.raises(tk.StoreError, match=r"half-written store of format 1.*finish it with the version"):
        tk.extract(model, Pictures(N), place, batch_size=8, progress=False)
    assert sorted(partial.rglob("*")) == before
    assert len(tk.extract(model, Pictures(N), place, batch_size=8, overwrite=True, progress=False)) == N


def test_a_rewriting_that_was_cut_short_goes_on_and_the_old_store_stays(old):
    acts, place = old
    seen = []

    def report(done, of):
        seen.append(done)
        if done == 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upgrade(place, report)
    assert open_store(place).attrs["format"] == 1
    again = []
    upgrade(place, lambda done, of: again.append(done))
    assert again[0] == 32
    same(open_store(place), acts._store)


def test_arrays_of_format_1_are_rewritten_too(tmp_path):
    heads = np.random.default_rng(0).normal(size=(N, 2, 2, 8)).astype(np.float32)
    acts = tk.from_arrays(heads, labels=["a", "b"] * 20)
    format1.write(acts._store, tmp_path / "old.zarr")
    torch.testing.assert_close(tk.open_acts(tmp_path / "old.zarr").heads, acts.heads)
    upgrade(tmp_path / "old.zarr")
    found = tk.open_acts(tmp_path / "old.zarr")
    torch.testing.assert_close(found.heads, acts.heads, rtol=0, atol=0)
    torch.testing.assert_close(found.moments.scatter, acts.moments.scatter)
    with pytest.raises(tk.InputError, match="all parts of the embedding"):
        _ = found.embedding
