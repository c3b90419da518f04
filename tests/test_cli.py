"""The console command: the tour, a photograph through a local checkpoint, cards, errors without tracebacks."""

from __future__ import annotations

import json
import subprocess
import sys

import families
import numpy as np
import open_clip
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import toolkit as tk
from toolkit.cli import main


def run(*arguments, ok=True):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert (result.exit_code == 0) is ok, result.output
    return result


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    result = run("demo", "--out", folder, "--images", 300, "--json")
    return folder, json.loads(result.stdout)


def test_demo_writes_a_self_contained_page_with_pictures(tour):
    folder, numbers = tour
    page = (folder / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert "not evidence for any method" in page
    assert {p.name for p in folder.iterdir()} == {
        "index.html",
        "demo.json",
        "groups.png",
        "layers.png",
        "water-land.png",
        "samples.png",
    }
    for name in ("groups", "layers", "water-land", "samples"):
        pixels = np.asarray(Image.open(folder / f"{name}.png").convert("RGB"))
        assert pixels.std() > 10, name
    assert json.loads((folder / "demo.json").read_text()) == numbers


def test_demo_numbers_are_complete_and_consistent(tour):
    _, numbers = tour
    assert numbers["split"] == "test"
    assert numbers["average"]["convention"] == "plain"
    assert len(numbers["groups"]) == 4
    for row in numbers["groups"]:
        assert row["low"] <= row["accuracy"] <= row["high"]
    assert numbers["worst"]["value"] == min(row["accuracy"] for row in numbers["groups"])
    assert numbers["sum_of_parts_relative_error"] < 1e-5
    assert np.array(numbers["water_minus_land"]).shape == (4, 8)
    curve = numbers["mean_ablation"]["all 20 classes"]
    assert curve["attention"][0] == curve["mlps"][0]
    assert (len(curve["attention"]), len(curve["mlps"])) == (5, 6)
    assert curve["n"] == 300


@pytest.fixture
def photo(tmp_path):
    from sklearn.datasets import load_sample_image

    path = tmp_path / "china.jpg"
    Image.fromarray(load_sample_image("china.jpg")).save(path)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A tiny model with a real vocabulary under an open_clip name, and its weights in a file."""
    folder = tmp_path_factory.mktemp("cli")
    text = {**families.TEXT, "vocab_size": 49408, "context_length": 77}
    (folder / "ViT-tiny-cli.json").write_text(
        json.dumps({"embed_dim": 48, "vision_cfg": families.VIT, "text_cfg": text})
    )
    open_clip.add_model_config(folder)
    torch.save(open_clip.create_model("ViT-tiny-cli").state_dict(), folder / "w.pt")
    return "ViT-tiny-cli", folder / "w.pt"


def test_a_photograph_through_a_named_model(photo, checkpoint, tmp_path):
    name, weights = checkpoint
    arguments = (
        "--image",
        photo,
        "--model",
        name,
        "--checkpoint",
        weights,
        "--text",
        "a temple <b>",
        "--against",
        "a flower",
    )
    numbers = json.loads(run("demo", *arguments, "--out", tmp_path / "out", "--json").stdout)
    heads = np.array(numbers["heads"])
    assert heads.shape == (3, 4)
    assert heads.sum() + numbers["rest"] == pytest.approx(numbers["cosine_text"] - numbers["cosine_against"], abs=1e-5)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "a temple &lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count("data:image/png;base64,") == 2


def test_demo_speaks_and_stays_out_of_the_lab_without_a_terminal(tmp_path):
    result = run("demo", "--out", tmp_path, "--images", 60)
    assert "Page: " in result.output
    assert "waterbird on land" in result.output
    assert "JupyterLab" not in result.output


def test_card():
    numbers = json.loads(run("info", "--json").stdout)
    assert (numbers["layers"], numbers["heads"]) == (4, 8)
    assert "fingerprint" in run("info").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "--view", "trunk"], "only towers that end in a SigLIP-like attention pool"),
        (("demo", "--model", "ViT-B-32"), "--model ViT-B-32 without --image"),
        (("demo", "--image", "nowhere.jpg"), "not a file"),
        (("demo", "--text", "a bird"), "without --image"),
        (("demo", "--image", __file__), "not an image Pillow can read"),
        (("info", "--model", "ViT-B-33"), "did you mean"),
        (("bench", "nothing"), "decompose"),
    ],
)
def test_errors_are_one_message_without_traceback(arguments, message, tmp_path):
    result = run(*arguments, ok=False)
    assert message in result.output
    assert "To fix:" in result.output
    assert "Traceback" not in result.output


def test_a_photograph_is_turned_as_its_camera_lay(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 30), "red").save(tmp_path / "p.jpg", exif=exif)
    run("demo", "--image", tmp_path / "p.jpg", "--text", "a red object", "--against", "land", "--out", tmp_path / "out")
    assert Image.open(tmp_path / "out" / "photo.png").size == (30, 60)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    result = run("demo", "--images", 60, "--out", tmp_path / "file" / "sub", ok=False)
    assert "Traceback" not in result.output
    assert result.output.strip()


def test_extract_a_folder_then_info_on_the_store(tmp_path):
    for i in range(5):
        (tmp_path / "photos" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (70, 64), (40 * i, 90, 200)).save(tmp_path / "photos" / "ab"[i % 2] / f"{i}.png")
    (tmp_path / "photos" / "a" / "broken.png").write_text("no picture")
    store = tmp_path / "s.zarr"
    facts = json.loads(run("extract", tmp_path / "photos", "--store", store, "--json").stdout)
    assert facts["images"] == 5
    assert facts["labels"] == {"a": 3, "b": 2}
    assert facts["left out"] == ["a/broken.png"]
    assert facts["sum error"] < 1e-5
    assert facts["bytes"] < 1_000_000
    assert json.loads(run("info", store, "--json").stdout) == facts
    assert "left out: a/broken.png" in run("extract", tmp_path / "photos", "--store", store).output
    failed = run("extract", tmp_path / "photos", "--store", store, "--precision", "float16", ok=False)
    assert "precision: float32 there, float16 here" in failed.output
    assert "Traceback" not in failed.output
    assert "a store or a model" in run("info", store, "--model", "ViT-B-32", ok=False).output
    assert "does not exist" in run("info", tmp_path / "none.zarr", ok=False).output


def test_the_doctor_reads_folders_tables_and_stores_and_says_it_by_its_exit_status(tmp_path):
    for split, seed in (("val", 1), ("test", 2)):
        for i, sample in enumerate(tk.scenes(split, n=24, seed=seed, kind="birds")):
            (tmp_path / split / sample.label).mkdir(parents=True, exist_ok=True)
            sample.image.save(tmp_path / split / sample.label / f"{i}.png")
    places = ["--data", tmp_path / "val", "--data", tmp_path / "test"]
    found = run("doctor", *places, "--json", ok=False)
    facts = json.loads(found.stdout)
    lines = {one["check"]: one for one in facts["findings"]}
    assert found.exit_code == facts["exit_code"] == 3  # of so few images no interval is narrow
    assert lines["groups, test"]["verdict"] == "warning"
    assert lines["labels, val"]["verdict"] == lines["duplicates"]["verdict"] == "ok"
    wrong = run("doctor", "--data", tmp_path / "test", "--classes", "Landbird, Waterbird", ok=False)
    assert wrong.exit_code == 4
    assert "'landbird' is not 'Landbird'" in wrong.stdout
    assert "why:" in wrong.stdout
    run("extract", tmp_path / "test", "--store", tmp_path / "a.zarr", "--json")
    rows = [
        "path,label",
        *(f"test/{p.parent.name}/{p.name},{p.parent.name}" for p in (tmp_path / "test").rglob("*.png")),
    ]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    places = ["--data", tmp_path / "a.zarr", "--data", tmp_path / "t.csv"]
    lines = {one["check"]: one for one in json.loads(run("doctor", *places, "--json", ok=False).stdout)["findings"]}
    assert "are as they were written" in lines["stores"]["said"]
    assert lines["duplicates"]["said"].startswith("24 pairs")


def test_python_m_toolkit_is_the_console():
    installed = "import sys; from toolkit.cli import main; sys.argv[0] = '/usr/bin/toolkit'; main()"
    for arguments in (["--help"], ["info", "nowhere.zarr"]):
        module, console = (
            subprocess.run([sys.executable, *start, *arguments], capture_output=True, text=True)
            for start in (["-m", "toolkit"], ["-c", installed])
        )
        assert (module.returncode, module.stdout, module.stderr) == (
            console.returncode,
            console.stdout,
            console.stderr,
        )
        assert "__main__" not in module.stdout + module.stderr
        assert module.stdout.startswith("Usage: toolkit") or module.stderr.startswith("Error: ")


def test_the_readers_are_listed():
    from toolkit.data.readers import readers

    listed = json.loads(run("info", "--readers", "--json").stdout)
    assert [row["name"] for row in listed] == list(readers())
    told = run("info", "--readers").stdout
    for row in listed:
        assert f"tk.{row['name']}: {row['layout']}\n" in told
    (birds,) = [row for row in listed if row["name"] == "waterbirds"]
    assert birds["splits"] == list(birds["documented"]) == ["train", "val", "test"]
    assert "  test: landbird on land 2,255, landbird on water 2,255, waterbird on land 642" in told
    assert "--readers with a store or a model" in run("info", "x.zarr", "--readers", ok=False).output
    assert "--models with --readers" in run("info", "--models", "--readers", ok=False).output
