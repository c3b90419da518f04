"""Extraction: the same parts as decompose, whatever happens on the way."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import families
import numpy as np
import open_clip
import pandas
import pytest
import torch
from PIL import Image
from store.pictures import Pictures, same

import toolkit as tk
from toolkit import signs
from toolkit.api.images.extract import InMemory
from toolkit.models.processors import TRIES
from toolkit.store import extraction, writer
from toolkit.store import layout as layouts
from toolkit.store.errors import check_space
from toolkit.store.reader import open_store


@pytest.fixture
def model():
    return tk.wrap(families.build("vit"), name="tiny")


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(layouts, "shard_rows", lambda shapes, precision: 16)


@pytest.mark.parametrize("family", ["vit", "vit-layerscale", "average-pool-of-normed", "resnet"])
@pytest.mark.parametrize("convention", ["separate", "reference"])
def test_parts_from_a_store_are_those_of_decompose(family, convention, tmp_path):
    clip = families.build(family)
    model, data = tk.wrap(clip), Pictures(5, 64)
    acts = tk.extract(model, data, tmp_path / "s.zarr", convention=convention, progress=False)
    parts = tk.decompose(model, data, convention)
    for name in ("heads", "mixes", "mlps", "embedding"):
        torch.testing.assert_close(getattr(acts, name), getattr(parts, name), rtol=1e-4, atol=1e-6)
    assert acts.parts().error < 1e-5
    assert acts.error < 1e-5
    assert acts.parts().model == parts.model
    assert acts.parts().ids == parts.ids


def test_a_store_needs_no_model_and_serves_both_conventions(model, tmp_path):
    data = Pictures(7)
    tk.extract(model, data, tmp_path / "s.zarr", progress=False)
    acts = tk.open_acts(tmp_path / "s.zarr")
    torch.testing.assert_close(
        acts.using("reference").heads, tk.decompose(model, data, "reference").heads, rtol=1e-4, atol=1e-6
    )
    with pytest.raises(tk.InputError, match=r"attach it with acts\.attach"):
        _ = acts.model
    assert acts.attach(model, data).image("p3").size == (32, 32)
    with pytest.raises(tk.InputError, match="fingerprint"):
        acts.attach(tk.wrap(families.build("vit", seed=1)))


@pytest.mark.parametrize("n", [1, 15, 16, 17, 40])
def test_any_number_of_images(model, n, tmp_path, small_chunks):
    acts = tk.extract(model, Pictures(n), tmp_path / "s.zarr", batch_size=8, progress=False)
    assert len(acts) == acts.moments.count == n
    torch.testing.assert_close(acts.mixes, tk.decompose(model, Pictures(n)).mixes, rtol=1e-4, atol=1e-5)


def test_moments_are_gathered_on_the_way_and_anew_for_a_choice(model, small_chunks):
    acts = tk.extract(model, Pictures(40), batch_size=8, progress=False)
    some = acts.where(label="a")
    heads = some.heads.double()
    from toolkit.core.moments import moment_maps

    maps = moment_maps(acts._store.readout, "separate").double()
    for chosen, h in ((some, heads), (acts, acts.heads.double())):
        torch.testing.assert_close(
            (chosen.moments.mean[..., None, :] @ maps)[..., 0, :], h.mean(0), rtol=1e-5, atol=1e-7
        )
        c = h - h.mean(0)
        expected = torch.einsum("blhd,blhe->lhde", c, c)
        torch.testing.assert_close(maps.mT @ chosen.moments.scatter @ maps, expected, rtol=1e-4, atol=1e-7)


def extract_until_killed(place, at, keep):
    """What the process is to do that is killed: after `at` images."""
    layouts.shard_rows = lambda shapes, precision: 16
    writer.KEEP_MOMENTS = keep

    def report(n, of):
        if n >= at:
            os.kill(os.getpid(), signal.SIGKILL)

    tk.extract(tk.wrap(families.build("vit"), name="tiny"), Pictures(70), place, batch_size=8, progress=report)


def extract_on_a_full_disk(place):
    """The file size limit of a process is the one full disk a test may make."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
    try:
        tk.extract(tk.wrap(families.build("vit"), name="tiny"), Pictures(300), place, progress=False)
    except tk.StoreError as error:
        sys.stdout.write(str(error))


@pytest.mark.slow
@pytest.mark.parametrize(("keep", "kills"), [(0.0, (0, 40)), (1e9, (8, 64))])
def test_killed_anywhere_it_resumes_to_the_same_store(model, tmp_path, small_chunks, in_a_process, keep, kills):
    place = tmp_path / "s.zarr"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = tk.extract(model, Pictures(70), tmp_path / "whole.zarr", batch_size=8, progress=False)
        for at in kills:
            status, _ = in_a_process(extract_until_killed, place=str(place), at=at, keep=keep)
            assert status == -signal.SIGKILL
            assert not place.exists()
        with pytest.raises(tk.StoreError, match="half-written"):
            tk.open_acts(place)
        seen = []
        tk.extract(model, Pictures(70), place, batch_size=8, progress=lambda n, of: seen.append(n))
        assert seen[0] == kills[1] // 16 * 16 - 16 * (kills[1] % 16 == 0), "whole chunks were there"
        same(open_store(place), whole._store)
    finally:
        torch.set_num_threads(threads)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.zarr", "whole.zarr"], "nothing is left lying about"


def test_odd_and_broken_images_are_listed_and_shift_nobody(model, tmp_path):
    folder = tmp_path / "photos"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    plain = Image.fromarray(rng.integers(0, 255, (40, 50, 3), np.uint8))
    for name in ("cat/a.png", "cat/z.png", "dog/a.png", "dog/z.png"):
        plain.save(folder / name)
    plain.convert("CMYK").save(folder / "cat/cmyk.jpg")
    plain.convert("P").save(folder / "cat/palette.png")
    plain.convert("L").save(folder / "cat/grey.png")
    Image.fromarray(rng.integers(0, 65535, (40, 50), np.uint16)).save(folder / "cat/sixteen.png")
    plain.convert("RGBA").save(folder / "cat/alpha.png")
    plain.save(folder / "dog/moving.gif", save_all=True, append_images=[plain.rotate(90)])
    exif = Image.Exif()
    exif[0x0112] = 6
    plain.save(folder / "dog/turned.jpg", exif=exif)
    Image.new("RGB", (1, 1), "red").save(folder / "dog/one.png")
    Image.new("L", (10_000, 10_000)).save(folder / "dog/huge.png")
    Image.new("RGB", (1, 3000)).save(folder / "dog/thin.png")
    (folder / "cat/empty.jpg").write_bytes(b"")
    whole = (folder / "cat/a.png").read_bytes()
    (folder / "cat/truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "cat/text.jpg").write_text("not an image")
    (folder / "cat/notes.txt").write_text("not even called one")
    data = tk.image_folder(folder)
    acts = tk.extract(model, data, tmp_path / "s.zarr", batch_size=4, progress=False)
    report = acts.report.set_index("id")
    assert set(report.index[report["became"] == "left out"]) == {
        "cat/empty.jpg", "cat/truncated.png", "cat/text.jpg", "dog/thin.png",
    }  # fmt: skip
    converted = report[report["became"] == "converted"]["why"].to_dict()
    assert set(converted) == {
        "cat/cmyk.jpg", "cat/palette.png", "cat/sixteen.png", "cat/alpha.png", "dog/moving.gif", "dog/turned.jpg",
        "dog/one.png",
    }  # fmt: skip
    assert "CMYK" in converted["cat/cmyk.jpg"]
    assert "first of 2 frames" in converted["dog/moving.gif"]
    assert "EXIF" in converted["dog/turned.jpg"]
    assert list(acts.ids) == [
        i for i in data.ids if i not in {"cat/empty.jpg", "cat/truncated.png", "cat/text.jpg", "dog/thin.png"}
    ]
    assert list(acts.labels) == [i.split("/")[0] for i in acts.ids]
    assert acts.moments.count == len(acts) == 13
    for name in acts.ids:  # every image's parts are its own
        alone = tk.decompose(model, acts.image(name))
        torch.testing.assert_close(acts.where(id=name).mixes, alone.mixes, rtol=1e-4, atol=1e-5)
    upright = np.asarray(acts.image("dog/turned.jpg"))
    assert upright.shape[:2] == (50, 40)


def test_a_reader_that_raises_costs_one_image(model):
    class Broken(Pictures):
        def pixels(self, rows):
            if 3 in rows:
                raise RuntimeError("the disk ate it")
            return super().pixels(rows)

        def take(self, rows):
            part = super().take(rows)
            part.pixels = lambda some: self.pixels([rows[i] for i in some])
            return part

    acts = tk.extract(model, Broken(9), progress=False)
    assert list(acts.ids) == [f"p{i}" for i in range(9) if i != 3]
    assert "the disk ate it" in acts.report.iloc[0]["why"]


def test_float16_halves_the_store_and_says_what_it_costs(model, tmp_path):
    sizes = {}
    for precision in ("float32", "float16"):
        acts = tk.extract(model, Pictures(64), tmp_path / precision, precision=precision, progress=False)
        sizes[precision] = sum(f.stat().st_size for f in (tmp_path / precision / "mixes").rglob("*") if f.is_file())
        assert acts.mixes.dtype == torch.float32
        error = acts.error
    assert 1e-6 < error < 1e-2
    parts = acts.parts()
    own = (parts.residual.norm(dim=-1) / parts.embedding.norm(dim=-1)).max()
    assert error == pytest.approx(float(own), rel=1e-3), "the error told is that of what is stored"
    assert sizes["float16"] < 0.55 * sizes["float32"]


def test_float16_that_cannot_hold_the_numbers_is_refused(tmp_path):
    clip = families.build("vit")
    with torch.no_grad():
        clip.visual.transformer.resblocks[1].mlp.c_proj.weight.mul_(1e7)
    with pytest.raises(tk.InputError, match='pass precision="float32"'):
        tk.extract(tk.wrap(clip), Pictures(4), tmp_path / "s.zarr", precision="float16", progress=False)
    assert not (tmp_path / "s.zarr").exists()


def test_the_batch_halves_when_memory_runs_out(model, monkeypatch):
    whole, trace, seen = tk.extract(model, Pictures(32), progress=False), model.trace, []

    def short(batch, *args):
        seen.append(len(batch))
        if len(batch) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return trace(batch, *args)

    monkeypatch.setattr(model, "trace", short)
    acts = tk.extract(model, Pictures(32), batch_size=16, progress=False)
    assert seen[:3] == [16, 8, 4]
    assert acts._store.attrs["facts"]["batch halved, times"] == 2
    torch.testing.assert_close(acts.mixes, whole.mixes, rtol=1e-4, atol=1e-5)


def test_other_errors_are_not_taken_for_lack_of_memory(model, monkeypatch):
    def broken(batch, *args):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(model, "trace", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        tk.extract(model, Pictures(3), progress=False)


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_store_of_something_else_is_kept_unless_told_otherwise(model, tmp_path):
    place = tmp_path / "s.zarr"
    tk.extract(model, Pictures(5), place, progress=False)
    before = files(place)
    other = tk.wrap(families.build("vit", seed=3), name="tiny")
    with pytest.raises(tk.StoreError, match=r"a store of something else \(model: .* there, .* here\)"):
        tk.extract(other, Pictures(5), place, progress=False)
    with pytest.raises(tk.StoreError, match="images: 5 there, 6 here"):
        tk.extract(model, Pictures(6), place, progress=False)
    assert files(place) == before
    tk.extract(model, Pictures(6), place, overwrite=True, progress=False)
    assert len(tk.open_acts(place)) == 6


def test_a_failed_overwrite_leaves_the_old_store(model, tmp_path, monkeypatch, small_chunks):
    place = tmp_path / "s.zarr"
    tk.extract(model, Pictures(5), place, progress=False)
    before, calls, trace = files(place), [], model.trace

    def fails(batch, *args):
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return trace(batch, *args)

    monkeypatch.setattr(model, "trace", fails)
    with pytest.raises(KeyboardInterrupt):
        tk.extract(model, Pictures(60), place, batch_size=8, overwrite=True, progress=False)
    assert files(place) == before
    monkeypatch.undo()
    monkeypatch.setattr(layouts, "shard_rows", lambda shapes, precision: 16)
    seen = []
    tk.extract(model, Pictures(60), place, batch_size=8, overwrite=True, progress=lambda n, of: seen.append(n))
    assert seen[0] == 16, "the new one was taken up where it stopped"
    assert len(tk.open_acts(place)) == 60


def test_a_whole_store_is_opened_and_not_made_again(model, tmp_path, monkeypatch):
    tk.extract(model, Pictures(5), tmp_path / "s.zarr", progress=False)
    monkeypatch.setattr(model, "trace", lambda *a: pytest.fail("the model ran"))
    assert len(tk.extract(model, Pictures(5), tmp_path / "s.zarr", progress=False)) == 5


def test_a_file_changed_in_place_is_noticed(model, tmp_path):
    (tmp_path / "p").mkdir()
    for i in range(3):
        Image.new("RGB", (32, 32), (i, 0, 0)).save(tmp_path / "p" / f"{i}.png")
    tk.extract(model, tk.image_folder(tmp_path / "p"), tmp_path / "s.zarr", progress=False)
    Image.new("RGB", (32, 32), (9, 9, 9)).save(tmp_path / "p" / "1.png")
    with pytest.raises(tk.StoreError, match="files were changed or copied since"):
        tk.extract(model, tk.image_folder(tmp_path / "p"), tmp_path / "s.zarr", progress=False)


def test_what_is_no_store_is_never_touched(model, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    (tmp_path / "file").write_text("more work")
    for place in ("thesis", "file"):
        for overwrite in (False, True):
            with pytest.raises(tk.StoreError, match="no store"):
                tk.extract(model, Pictures(3), tmp_path / place, overwrite=overwrite, progress=False)
        with pytest.raises(tk.StoreError, match="no store of this toolkit"):
            tk.open_acts(tmp_path / place)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"
    assert (tmp_path / "file").read_text() == "more work"


def test_two_writers_at_once(model, tmp_path, monkeypatch):
    started, go, trace = threading.Event(), threading.Event(), model.trace

    def slow(batch, *args):
        started.set()
        go.wait(20)
        return trace(batch, *args)

    monkeypatch.setattr(model, "trace", slow)
    first = threading.Thread(target=lambda: tk.extract(model, Pictures(4), tmp_path / "s.zarr", progress=False))
    first.start()
    try:
        assert started.wait(20)
        with pytest.raises(tk.StoreError, match="another process is writing"):
            tk.extract(model, Pictures(4), tmp_path / "s.zarr", progress=False)
    finally:
        go.set()
        first.join()
    assert len(tk.open_acts(tmp_path / "s.zarr")) == 4


def test_a_damaged_store_says_so(model, tmp_path):
    place = tmp_path / "s.zarr"
    tk.extract(model, Pictures(5), place, progress=False)
    (place / "about" / "words.parquet").unlink()
    with pytest.raises(tk.StoreError, match=r"damaged store: about/words.parquet is missing"):
        tk.open_acts(place)


def test_no_place_on_the_disk_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(tk.StoreError, match=r"to write where .* are free"):
        check_space(tmp_path / "not" / "yet" / "there", 10**18)


def test_a_disk_that_fills_up_on_the_way(model, tmp_path, in_a_process):
    status, said = in_a_process(extract_on_a_full_disk, place=str(tmp_path / "s.zarr"))
    assert status == 0
    assert "a full disk while writing" in said
    assert not (tmp_path / "s.zarr").exists()
    assert len(tk.extract(model, Pictures(300), tmp_path / "s.zarr", progress=False)) == 300


@pytest.mark.skipif(os.geteuid() == 0, reason="not run: root may write anywhere")
def test_a_place_without_permission(model, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(tk.StoreError, match="no permission"):
        tk.extract(model, Pictures(3), tmp_path / "locked" / "s.zarr", progress=False)


def test_no_permission_is_put_in_words(model, tmp_path, monkeypatch):
    def refused(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(extraction.Writer, "_fill", refused)
    with pytest.raises(tk.StoreError, match="no permission to write"):
        tk.extract(model, Pictures(3), tmp_path / "s.zarr", progress=False)
    monkeypatch.undo()
    assert len(tk.extract(model, Pictures(3), tmp_path / "s.zarr", progress=False)) == 3, "the lock was let go"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"data": [1, 2]}, "write tk.image_folder"),
        ({"precision": "int8"}, "'float32' or 'float16'"),
        ({"convention": "mine"}, "'separate' or 'reference'"),
        ({"batch_size": 0}, "at least 1"),
        ({"workers": -1}, "workers=-1"),
        ({"model": 3}, "wrap it first"),
    ],
)
def test_bad_arguments(model, given, words):
    arguments = {"model": model, "data": Pictures(2)} | given
    with pytest.raises(tk.InputError, match=words):
        tk.extract(arguments.pop("model"), arguments.pop("data"), progress=False, **arguments)


def test_the_store_is_plain_labelled_zarr(model, tmp_path):
    import xarray

    tk.extract(model, Pictures(5), tmp_path / "s.zarr", progress=False)
    found = xarray.open_zarr(tmp_path / "s.zarr", consolidated=False)
    assert found["mixes"].dims == ("image", "layer", "head", "k")
    assert found["mlps"].dims == ("image", "term", "d")
    assert set(found.data_vars) >= {"mixes", "mlps", "output", "error"}
    words = pandas.read_parquet(tmp_path / "s.zarr" / "about" / "words.parquet")
    assert words["label"].tolist() == ["a", "b", "a", "b", "a"]
    labelled = tk.open_acts(tmp_path / "s.zarr").to_xarray()
    assert list(labelled["label"].values) == ["a", "b", "a", "b", "a"]
    assert labelled["image"].values.tolist() == [f"p{i}" for i in range(5)]
    assert json.loads((tmp_path / "s.zarr" / "zarr.json").read_text())["zarr_format"] == 3


def test_a_bar_shows_rate_and_time_left(model, capsys, monkeypatch):
    monkeypatch.setattr(signs, "LATER", 0)
    tk.extract(model, Pictures(40), batch_size=8)
    shown = capsys.readouterr().err
    assert "40/40" in shown
    assert "image/s" in shown


def test_no_thread_is_left(model):
    before = threading.active_count()
    tk.extract(model, Pictures(40), batch_size=8, progress=False)
    time.sleep(0.1)
    assert threading.active_count() <= before + 1  # the one loop zarr keeps for all


@pytest.mark.parametrize("family", ["vit", "resnet"])
def test_the_estimate_of_a_store_is_what_it_takes(family, tmp_path):
    model, data = tk.wrap(families.build(family)), Pictures(40, 64)
    tk.extract(model, data, tmp_path / "s.zarr", progress=False)
    taken = sum(
        p.stat().st_size
        for p in (tmp_path / "s.zarr").rglob("*")
        if p.is_file() and p.name != "zarr.json" and not {"moments", "about"} & set(p.parts)
    )
    assert tk.estimate(model, data).store_bytes == pytest.approx(taken, rel=0.02)


def test_somebody_elses_folder_with_our_ending_is_not_touched(model, tmp_path):
    (tmp_path / "s.zarr.partial").mkdir()
    (tmp_path / "s.zarr.partial" / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(tk.StoreError, match="no half-written store, in the way"):
            tk.extract(model, Pictures(3), tmp_path / "s.zarr", overwrite=overwrite, progress=False)
    assert (tmp_path / "s.zarr.partial" / "thesis.txt").read_text() == "years of work"


def test_a_mark_that_cannot_be_read_costs_its_shard_alone(model, tmp_path, monkeypatch, small_chunks):
    half_written(model, tmp_path / "s.zarr", monkeypatch)
    (mark,) = (tmp_path / "s.zarr.partial" / "about" / "done").iterdir()
    mark.write_text("")
    with pytest.raises(tk.StoreError, match="left by another run, in the way"):
        tk.from_arrays(np.random.default_rng(0).normal(size=(4, 1, 1, 8)), store=tmp_path / "s.zarr")
    assert (tmp_path / "s.zarr.partial" / "mixes").is_dir()
    seen = []
    tk.extract(model, Pictures(60), tmp_path / "s.zarr", batch_size=8, progress=lambda n, of: seen.append(n))
    assert seen[0] == 0, "its shard is made again"
    same(open_store(tmp_path / "s.zarr"), tk.extract(model, Pictures(60), batch_size=8, progress=False)._store)


def half_written(model, place, monkeypatch, **options):
    """A run of 60 pictures that was interrupted in its fourth batch of 8."""
    calls, trace = [], model.trace

    def fails(batch, *args):
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return trace(batch, *args)

    with monkeypatch.context() as patch:
        patch.setattr(model, "trace", fails)
        with pytest.raises(KeyboardInterrupt):
            tk.extract(model, Pictures(60), place, batch_size=8, progress=False, **options)


def test_in_memory_it_goes_on_where_it_was_stopped(model, small_chunks, monkeypatch):
    class EnoughError(Exception):
        pass

    def stop(sign):
        if sign.unit == "image" and sign.done > 40:
            raise EnoughError

    run, expected = InMemory(model, Pictures(60)), tk.extract(model, Pictures(60), progress=False)
    with pytest.raises(EnoughError), signs.shown_by(stop):
        run.extract()
    calls, trace = [], model.trace
    monkeypatch.setattr(model, "trace", lambda batch, *more: calls.append(len(batch)) or trace(batch, *more))
    seen = []
    with signs.shown_by(lambda sign: seen.append((sign.done, sign.of))):
        acts = run.extract()
    assert sum(calls) == 60 - 32, "two shards of 16 were whole"
    assert (seen[0], seen[-1]) == ((32, 60), (60, 60))
    same(acts._store, expected._store)
    assert list(acts.ids) == list(expected.ids)


def test_cut_short_while_it_moves_the_next_run_only_moves(model, tmp_path, monkeypatch):
    place = tmp_path / "s.zarr"
    tk.extract(model, Pictures(5), place, progress=False)
    rename = Path.rename

    def dies(self, target):
        if self.name == "s.zarr.partial":
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dies)
        with pytest.raises(KeyboardInterrupt):
            tk.extract(model, Pictures(9), place, overwrite=True, progress=False)
    assert len(tk.open_acts(place)) == 5, "the old store came back"
    monkeypatch.setattr(model, "trace", lambda *a: pytest.fail("the model ran again"))
    assert len(tk.extract(model, Pictures(9), place, overwrite=True, progress=False)) == 9
    assert [p.name for p in tmp_path.iterdir()] == ["s.zarr"]


def test_killed_between_the_two_moves_the_old_store_comes_back(model, tmp_path):
    place = tmp_path / "s.zarr"
    tk.extract(model, Pictures(5), place, progress=False)
    place.rename(tmp_path / ".s.zarr.0123abcd.old")
    with pytest.raises(tk.StoreError, match="images: 5 there, 9 here"):
        tk.extract(model, Pictures(9), place, progress=False)
    assert len(tk.open_acts(place)) == 5


def test_a_store_that_appears_meanwhile_is_kept(model, tmp_path):
    place, other = tmp_path / "s.zarr", tmp_path / "other.zarr"
    tk.extract(model, Pictures(8), other, progress=False)

    def appears(done, of):
        if done == of and other.exists():
            other.rename(place)

    with pytest.raises(tk.StoreError, match="was not there when this began"):
        tk.extract(model, Pictures(6), place, progress=appears)
    assert len(tk.open_acts(place)) == 8
    place.rename(other)
    assert len(tk.extract(model, Pictures(6), place, progress=False)) == 6


def test_a_linked_place_is_followed(model, tmp_path):
    (tmp_path / "big disk").mkdir()
    (tmp_path / "s.zarr").symlink_to(tmp_path / "big disk" / "s.zarr")
    tk.extract(model, Pictures(3), tmp_path / "s.zarr", progress=False)
    tk.extract(model, Pictures(4), tmp_path / "s.zarr", overwrite=True, progress=False)
    assert (tmp_path / "s.zarr").is_symlink()
    assert len(tk.open_acts(tmp_path / "s.zarr")) == 4


def test_a_preprocess_that_fails_is_nobodys_picture(tmp_path):
    plain, tried = open_clip.image_transform(32, is_train=False), []

    def wrong(image):
        if len(tried) < TRIES:  # as often as `tk.wrap` tries it
            tried.append(image)
            return plain(image)
        raise RuntimeError("no such filter")

    broken = tk.wrap(families.build("vit"), preprocess=wrong)
    for data in (Pictures(5), tk.scenes("val", n=5)):
        with pytest.raises(RuntimeError, match="no such filter"):
            tk.extract(broken, data, tmp_path / "s.zarr", progress=False)
    shape = tk.wrap(families.build("vit"), preprocess=plain)
    shape.preprocess = lambda image: torch.zeros(3, 5, 5)  # which tk.wrap would not have taken
    with pytest.raises(tk.InputError, match="a preprocess that returns"):
        tk.extract(shape, Pictures(5), tmp_path / "s2.zarr", progress=False)
    assert not (tmp_path / "s.zarr").exists()


def test_a_folder_that_goes_away_stops_the_run_and_it_resumes(model, tmp_path, small_chunks):
    (tmp_path / "share").mkdir()
    for i in range(40):
        Image.new("RGB", (32, 32), (i, 0, 0)).save(tmp_path / "share" / f"{i:02}.png")
    data = tk.image_folder(tmp_path / "share")

    def unplug(done, of):
        if done == 16 and (tmp_path / "share").exists():
            (tmp_path / "share").rename(tmp_path / "unplugged")

    with pytest.raises(FileNotFoundError):
        tk.extract(model, data, tmp_path / "s.zarr", batch_size=4, progress=unplug)
    (tmp_path / "unplugged").rename(tmp_path / "share")
    acts = tk.extract(model, data, tmp_path / "s.zarr", batch_size=4, progress=False)
    assert len(acts) == 40
    assert acts.report.empty


def test_a_file_that_is_gone_or_damaged_in_odd_ways_costs_one_image(model, tmp_path):
    for i in range(4):
        Image.new("RGB", (32, 32), (60 * i, 0, 0)).save(tmp_path / f"{i}.gif")
    rng, whole = np.random.default_rng(0), (tmp_path / "0.gif").read_bytes()
    for i in range(30):
        spoilt = bytearray(whole)
        for at in rng.integers(6, len(whole), 6):
            spoilt[at] = rng.integers(256)
        (tmp_path / f"spoilt{i}.gif").write_bytes(bytes(spoilt))
    data = tk.image_folder(tmp_path)
    (tmp_path / "3.gif").unlink()
    acts = tk.extract(model, data, progress=False)
    left = set(acts.report["id"][acts.report["became"] == "left out"])
    assert "3.gif" in left
    assert {"0.gif", "1.gif", "2.gif"} <= set(acts.ids)
    assert set(acts.ids) | left == set(data.ids)


def test_not_one_usable_image_is_an_error_and_no_store(model, tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.png").write_text("no")
    with pytest.raises(tk.InputError, match=r"not one could be used \(not an image Pillow can read\)"):
        tk.extract(model, tk.image_folder(tmp_path / "p"), tmp_path / "s.zarr", progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["p"]


def test_an_awkward_number_of_images_does_not_shrink_the_batch(model, monkeypatch):
    seen, trace = [], model.trace
    monkeypatch.setattr(model, "trace", lambda batch, *args: seen.append(len(batch)) or trace(batch, *args))
    tk.extract(model, Pictures(67), batch_size=32, progress=False)
    assert seen == [32, 32, 3]


def test_two_preprocesses_without_names_are_told_apart():
    one, same_, other = (
        (lambda im: np.asarray(im) / 255),
        (lambda im: np.asarray(im) / 255),
        (lambda im: np.asarray(im.rotate(90)) / 255),
    )
    assert layouts.described(one) == layouts.described(same_)
    assert layouts.described(one) != layouts.described(other)


def test_a_damaged_store_is_replaced_where_asked(model, tmp_path):
    place = tmp_path / "s.zarr"
    tk.extract(model, Pictures(5), place, progress=False)
    (place / "mixes" / "zarr.json").unlink()
    with pytest.raises(tk.StoreError, match="damaged"):
        tk.extract(model, Pictures(5), place, progress=False)
    assert len(tk.extract(model, Pictures(5), place, overwrite=True, progress=False)) == 5


def test_the_bar_of_a_resumed_run_starts_where_it_takes_up(model, tmp_path, monkeypatch, small_chunks, capsys):
    half_written(model, tmp_path / "s.zarr", monkeypatch)
    monkeypatch.setattr(signs, "LATER", 0)
    capsys.readouterr()
    tk.extract(model, Pictures(60), tmp_path / "s.zarr", batch_size=8)
    shown = capsys.readouterr().err
    told = [int(done) for done in re.findall(r"(\d+)/60", shown)]
    assert (told[0], told[-1]) == (16, 60), "not from the beginning"
