"""Every fault is planted and found; on what is sound nothing is cried."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import families
import numpy as np
import open_clip
import pandas as pd
import pytest
import torch

import toolkit as tk
from toolkit.api.doctor import of_data, of_machine
from toolkit.api.doctor.checkup import Checkup, Finding

NAMES = ["landbird", "waterbird"]


@pytest.fixture(scope="module")
def model():
    return tk.load()


@pytest.fixture(scope="module")
def birds():
    return tk.classes(NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixty birds as files, with their labels and groups."""
    root = tmp_path_factory.mktemp("birds")
    rows = []
    for i, sample in enumerate(tk.scenes("test", n=60, kind="birds")):
        sample.image.save(root / f"{i}.png")
        rows.append({"path": f"{i}.png", "id": f"{i}.png", "label": sample.label, "group": sample.group})
    return root, pd.DataFrame(rows)


@pytest.fixture
def data(folder):
    root, table = folder
    return lambda split="test", **columns: tk.FileSamples(root, table.assign(**columns), split)


def line(found, check):
    (one,) = [one for one in found if one.check == check]
    return one


def looked(model, data=None, classes=None, **words):
    return tk.doctor(model, data, classes, progress=False, **words)


# what is sound


def test_on_what_is_sound_nothing_is_cried(model, birds):
    splits = [tk.scenes("val", n=480, kind="birds"), tk.scenes("test", n=480, kind="birds")]
    found = looked(model, splits, birds)
    assert found.counts["warning"] == found.counts["wrong"] == 0, found
    assert found.exit_code == 0
    assert line(found, "stores").verdict == "not checked"
    assert "labels permuted" in line(found, "zero-shot, test").said
    assert "± 5 would need n =" in line(found, "groups, val").said


def test_without_data_and_classes_it_says_what_it_would_need(model):
    found = looked(model)
    assert {one.check for one in found.of("not checked")} >= {"texts", "labels", "zero-shot", "groups", "duplicates"}
    assert all(one.fix for one in found.of("not checked"))
    assert "8 made-up pictures" in line(found, "parts").said


# a model's faults


def changed(change):
    """The built-in model with a hook on its image tower."""
    found = tk.load()
    found.clip.visual.register_forward_hook(lambda module, given, out: change(out))
    return found


def test_parts_that_do_not_sum(data):
    assert line(looked(changed(lambda out: out + 0.3), data()), "parts").verdict == "wrong"


def test_half_precision_is_told(data):
    one = line(looked(tk.load(precision="bf16"), data()), "parts")
    assert one.verdict == "warning"
    assert "bfloat16" in one.said


def test_what_depends_on_the_images_beside_it(data):
    one = line(looked(changed(lambda out: out - out.mean(0) / 2), data()), "batches")
    assert one.verdict == "wrong"
    assert "one by one" in one.said


def test_a_preprocess_of_another_normalisation_and_one_of_chance(model):
    clip = model.clip
    other = tk.wrap(clip, preprocess=open_clip.image_transform(64, is_train=False, mean=(0.1,) * 3, std=(0.9,) * 3))
    one = line(looked(other), "preprocess")
    assert one.verdict == "wrong"
    assert "mean (0.1, 0.1, 0.1)" in one.said
    random = tk.wrap(clip)
    random.preprocess = lambda picture: torch.rand(3, 64, 64)
    assert line(looked(random), "preprocess").verdict == "wrong"
    usual = tk.wrap(clip).preprocess
    turned = tk.wrap(clip, preprocess=lambda picture: usual(picture.rotate(90)))
    assert line(looked(turned), "preprocess").verdict == "warning"


def test_another_activation_than_the_checkpoint_was_trained_with():
    wrapped = tk.wrap(families.build("vit"))
    assert line(looked(wrapped), "activation").verdict == "not checked"
    one = line(looked(wrapped, checkpoint="ViT-B-32:openai"), "activation")
    assert one.verdict == "wrong"
    assert "computes GELU, the weights ViT-B-32:openai says QuickGELU" in one.said
    assert line(looked(wrapped, checkpoint="ViT-B-32:laion2b_s34b_b79k"), "activation").verdict == "ok"


def test_texts_that_do_not_arrive(model):
    assert "zebra" in line(looked(model, classes=tk.classes(["cat", "zebra"])), "texts").said
    long = tk.classes(["cat", "boat"], prompts={"cat": "a cat " * 60, "boat": "a boat"})
    one = line(looked(model, classes=long), "texts")
    assert (one.verdict, one.fix) == ("warning", "shorten them")
    clip = families.build("vit")
    own = open_clip.SimpleTokenizer(context_length=clip.context_length)

    class Backwards:
        """A tokenizer that reads texts from their end."""

        decode = staticmethod(own.decode)

        def __call__(self, texts):
            return own([text[::-1] for text in texts])

    wrapped = tk.wrap(clip)
    wrapped.tokenizer = Backwards()
    one = line(looked(wrapped, classes=tk.classes(["cat", "dog"], templates="{}")), "texts")
    assert one.verdict == "wrong"
    assert "come back as something else" in one.said


# faults of data


@pytest.mark.parametrize(
    ("labels", "verdict", "said"),
    [
        (["Landbird", "Waterbird"], "wrong", "only read like classes|'Landbird' is not 'landbird'"),
        (["1", "2"], "wrong", "counted from 1"),
        (["gull", "landbird"], "warning", "have other labels: 'gull'"),
        (["gull", "wren"], "wrong", "no label is a class"),
    ],
)
def test_labels_that_are_no_classes(model, birds, data, labels, verdict, said):
    one = line(looked(model, data(label=labels * 30), birds), "labels")
    assert one.verdict == verdict
    assert pd.Series([f"{one.said} {one.fix}"]).str.contains(said)[0]


def test_labels_that_were_shuffled_and_labels_of_the_class_beside(model, birds, data):
    shuffled = np.random.default_rng(1).permutation(NAMES * 30)
    one = line(looked(model, data(label=shuffled), birds), "zero-shot")
    assert one.verdict == "wrong"
    assert "labels permuted" in one.said
    every = tk.scenes("test", n=200)
    names = sorted(set(every.labels))
    moved = tk.classes([names[-1], *names[:-1]])
    beside = SimpleNamespace(labels=[moved.names[moved.index(label) - 1] for label in every.labels])
    every.labels[:] = beside.labels
    one = line(looked(model, every, moved), "zero-shot")
    assert one.verdict == "wrong"
    assert "with labels moved by" in one.said


def test_groups_that_are_too_small(model, birds, data):
    one = line(looked(model, data(group=["a"] * 57 + ["b"] * 3), birds), "groups")
    assert one.verdict == "warning"
    assert "'b' (n = 3)" in one.said
    assert "would need n =" in one.said


def test_an_image_in_two_splits(model, birds, data, folder, tmp_path):
    root, table = folder
    for name in ("7.png", "9.png"):
        shutil.copy(root / name, tmp_path / f"copy-{name}")
    few = table.head(20).assign(path="x")
    from PIL import Image

    for row in range(20):
        own = tk.scenes("edit", n=20, kind="birds")[row].image
        own.save(tmp_path / f"{row}.png")
    Image.open(root / "11.png").convert("RGB").resize((80, 80)).save(tmp_path / "again.jpg", quality=92)
    paths = [f"{i}.png" for i in range(20)] + ["copy-7.png", "copy-9.png", "again.jpg"]
    rows = pd.DataFrame({"path": paths, "id": paths, "label": [*few["label"], *["landbird"] * 3], "group": ""})
    other = tk.FileSamples(tmp_path, rows, "edit")
    one = line(looked(model, [other, data()], birds), "duplicates")
    assert one.verdict == "warning"
    assert one.said.startswith("3 pairs")
    assert "copy-7.png = 7.png" in one.said


def test_what_cannot_be_read(model, birds, data, folder, tmp_path):
    root, table = folder
    for row in range(12):
        shutil.copy(root / f"{row}.png", tmp_path / f"{row}.png")
    (tmp_path / "3.png").write_bytes((root / "3.png").read_bytes()[:300])
    one = line(looked(model, tk.FileSamples(tmp_path, table.head(12), "test"), birds), "images")
    assert one.verdict == "warning"
    assert one.said.startswith("1 of 12 cannot be read: '3.png (")


def test_head_contributions_alone_are_looked_at_as_far_as_they_go(model, birds):
    heads = np.random.default_rng(0).normal(size=(60, 4, 8, 96))
    acts = tk.from_arrays(heads, labels=NAMES * 30, groups=NAMES * 30)
    found = looked(model, [acts, acts], birds)
    assert {one.verdict for one in found if one.check in ("zero-shot", "duplicates", "images")} == {"not checked"}
    assert found.counts["wrong"] == 0
    vectors = tk.classes(NAMES, vectors=np.eye(2, 96))
    assert line(looked(model, acts, vectors), "texts").said == "the classes have vectors and no texts"


# faults of the machine


def test_a_damaged_store(model, birds, data, tmp_path):
    acts = tk.extract(model, data(), tmp_path / "a.zarr", progress=False)
    assert line(looked(model, acts, birds), "stores").verdict == "ok"
    largest = max((p for p in (tmp_path / "a.zarr").rglob("c/*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 0xFF
    largest.write_bytes(content)
    assert line(looked(model, acts, birds), "stores").verdict == "wrong"


def test_little_room_a_missing_package_and_an_unused_gpu(model, monkeypatch):
    monkeypatch.setattr(of_machine.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    for check in (of_machine.caches, of_machine.device):
        assert check(SimpleNamespace(model=model))[0] == "warning"


ASKED = ["torch>=2.6", "timm>=1.0.21", "zarr>=3.1.6,<4", 'pytest>=8; extra == "test"']


@pytest.mark.parametrize(
    ("there", "verdict", "said"),
    [
        ({"torch": "2.6.0", "timm": "1.0.21", "zarr": "3.1.6"}, "ok", "all 3 packages"),
        ({"torch": "2.7.0.dev1", "timm": "1.0.21", "zarr": "3.2"}, "ok", "torch 2.7.0.dev1"),
        ({"torch": "2.5.1", "timm": "1.0.21", "zarr": "3.1.6"}, "warning", "torch 2.5.1, asked for >=2.6"),
        ({"torch": "2.6.0", "timm": "1.0.21", "zarr": "4.0"}, "warning", "zarr 4.0, asked for <4,>=3.1.6"),
        ({"torch": "2.6.0", "zarr": "3.1.6"}, "warning", "timm is missing, asked for >=1.0.21"),
    ],
)
def test_versions_are_held_against_what_the_toolkit_asks_for(monkeypatch, there, verdict, said):
    def version(name):
        if name not in there:
            raise PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(of_machine, "version", version)
    monkeypatch.setattr(of_machine, "requires", lambda name: ASKED)
    found = of_machine.versions(SimpleNamespace())
    assert found[0] == verdict
    assert said in found[1]
    assert ("pip install" in found[2]) == (verdict == "warning")


def test_a_toolkit_that_is_not_installed_says_that_it_does_not_know(monkeypatch):
    def none(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(of_machine, "requires", none)
    verdict, said, fix = of_machine.versions(SimpleNamespace())
    assert (verdict, fix) == ("ok", "")
    assert "not known" in said


# the result


def test_a_check_that_fails_is_a_line(model, birds, data, monkeypatch):
    def fails(*given):
        raise RuntimeError("boom")

    monkeypatch.setattr(of_data, "wilson", fails)
    found = looked(model, data(), birds)
    assert line(found, "zero-shot").verdict == "wrong"
    assert "RuntimeError: boom" in line(found, "zero-shot").said
    assert line(found, "labels").verdict == "ok"


def test_the_checkup_as_text_table_and_json():
    found = Checkup(
        "a model", (Finding("parts", "ok", "fine", "why"), Finding("texts", "wrong", "bad", "because", "do"))
    )
    assert found.exit_code == 4
    assert Checkup("a model", found.findings[:1]).exit_code == 0
    assert Checkup("a model", (Finding("x", "warning", "", ""),)).exit_code == 3
    assert found.summary == "a model: 1 ok, 1 wrong"
    assert "why: because" in repr(found)
    assert "fix: do" in repr(found)
    assert list(found.to_dataframe()["verdict"]) == ["ok", "wrong"]
    assert json.loads(found.to_json())["counts"] == {"ok": 1, "warning": 0, "wrong": 1, "not checked": 0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"data": 3}, "a int as data"),
        ({"classes": ["a"]}, "a list as classes"),
        ({"n": 0}, "n=0"),
        ({"checkpoint": "ViT-B-32:nothing"}, "checkpoint='ViT-B-32:nothing'"),
    ],
)
def test_what_is_no_patient(model, words, said):
    with pytest.raises(tk.InputError, match=said):
        tk.doctor(model, **words, progress=False)
    with pytest.raises(tk.InputError, match="as model"):
        tk.doctor(3)
