"""Benchmarks run and report the numbers they promise (no timed assertion)."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[1] / "benchmarks"


def benchmark(name):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_decompose():
    module = benchmark("decompose")
    result = module.run(quick=True)
    row = next(iter(result["shapes"].values()))
    assert row["ratio"] > 0
    assert row["embedding_error"] == 0
    assert row["sum_error"] < 1e-5
    assert row["mix_bytes_float32"] == 12 * 12 * 64 * 4
    assert "ViT-B-32" in module.report(result)
    store = result["store"]
    assert store["ratio"] > 0
    assert 12 * 12 * 64 * 4 + 13 * 512 * 4 < store["store_bytes_an_image"] < 90_000, "mixes and MLP terms, little else"
    assert "extraction of 8 JPEG files" in module.report(result)


def test_engine():
    module = benchmark("engine")
    result = module.run(quick=True)
    json.dumps(result)
    assert result["requests"] == 999
    assert result["painted"] >= module.KEYS
    assert min(result["painted_per_key"]) > 0
    assert "requests of 4 keys" in module.report(result)


@pytest.mark.slow
def test_textspan():
    module = benchmark("textspan")
    result = module.run(quick=True, seed=3)
    json.dumps(result)
    assert result["heads"] == 4
    assert result["literal"][0]["same_picks"]
    assert result["literal_ratio"] > 0
    assert {"all_heads_seconds", "cold_seconds", "one_head_ms"} <= set(result)
    assert result["labels"]["n"] == 120
    text = module.report(result)
    for part in ("bank projected", "cold", "same picks: True", "chance", "no evidence"):
        assert part in text


@pytest.mark.slow
def test_organism():
    module = benchmark("organism")
    result = module.run(quick=True, seed=11)
    json.dumps(result)
    assert result["seed"] == 11
    assert result["birds"]["n"] == 240
    assert len(result["located"]["draws"]) == 2
    for row in result["words"].values():
        assert not isinstance(row, dict) or row["low"] <= row["value"] <= row["high"]
    text = module.report(result)
    for part in ("plain average", "worst (", "no evidence", "oracle", "promises", "texture"):
        assert part in text


def toy(seed):
    """Twelve images whose heads have plain meanings: head (1, 0) writes the wrong class for images 0–2."""
    rng = torch.Generator().manual_seed(seed)
    texts = torch.nn.functional.normalize(torch.eye(4, dtype=torch.float64)[:2], dim=1)
    c = 0.02 * torch.randn(12, 2, 3, 4, dtype=torch.float64, generator=rng)
    labels = torch.arange(12) % 2
    signal = torch.nn.functional.one_hot(labels, 4).double()
    cue = signal.clone()
    cue[:3] = signal[1:4]
    c[:, 0, 1] += 0.5 * signal
    c[:, 1, 0] += 0.8 * cue
    e = c.sum((1, 2))
    return e, c, labels, texts


def test_the_literal_locator_finds_a_planted_head():
    module = benchmark("literal")
    e, c, labels, texts = toy(0)
    guess = (e @ texts.T).argmax(1)
    assert (guess != labels).sum() == 3
    found = module.locate(e, c, labels, texts)
    assert found.heads[0] == (1, 0)
    assert found.wrong == 3
    left = e - sum(c[:, layer, head] for layer, head in found.heads)
    assert ((left @ texts.T).argmax(1) == labels).all()
    assert found.utility > module.utility(e, c, labels, texts, [])


def test_what_each_literal_score_sees():
    """A and B compare with the right images of the class: the head that differs leads. C and D compare with the class
    the images were taken for: the head that still tells the two apart comes last.
    """
    module = benchmark("literal")
    e, c, labels, texts = toy(1)
    guess = (e @ texts.T).argmax(1)
    found = module.scores(e, c, labels, guess, texts, 0, 1)
    assert set(found) == {"A", "B", "C", "D"}
    assert all(max(found[name], key=found[name].get) == (1, 0) for name in "AB")
    assert all(min(found[name], key=found[name].get) == (0, 1) for name in "CD")
    assert module.scores(e, c, labels, labels, texts, 0, 1).keys() == {"B", "C"}


@pytest.mark.slow
def test_located():
    module = benchmark("located")
    result = module.run(quick=True, seed=3)
    json.dumps(result)
    assert result["draws"] == 2
    assert result["background_heads"]
    assert result["oracle"]["worst"] >= result["base"]["worst"]
    row = result["per_class"]["10"][0]
    assert set(row["sets"]) == {*module.BY, "ltc", "validation"}
    assert {"a", "b", "c", "d", "ltc"} >= set(row["auc"])
    assert 0 <= row["probe"]["worst"] <= row["probe"]["average"] <= 1
    text = module.report(result)
    for part in ("oracle", "random sets", "linear probe", "*total* effect", "chance 50", "no evidence"):
        assert part in text
    among = result["among"]
    assert among["oracle"]["worst"] >= among["base"]["worst"]
    assert 100 * (among["base"]["others"] - among["oracle"]["others"]) <= 2
    rows = among["per_class"]["10"]
    assert len(rows) == 2
    for row in rows:
        assert set(row) >= {"utility", "guarded", "stable", "cross", "validated", "within", "ltc", "random"}
        assert all(0 <= found["others"] <= 1 for found in row.values() if found is not None)
    assert "| worst group | other classes |" in text
    assert "the same, others losing at most 2 points" in text


def test_ablate():
    module = benchmark("ablate")
    result = module.run(quick=True)
    json.dumps(result)
    assert result["click_ms"] > 0
    assert result["ratio"] > 0
    assert "every head alone" in module.report(result)


def test_edit():
    module = benchmark("edit")
    result = module.run(quick=True)
    json.dumps(result)
    assert result["theta_differs"] < 1e-6
    assert result["frontier_cells"] == 9
    assert {"solve_ms", "frontier_seconds", "ratio"} <= set(result)
    assert "autograd" in module.report(result)


@pytest.mark.slow
def test_edited():
    module = benchmark("edited")
    result = module.run(quick=True, seed=3)
    json.dumps(result)
    assert result["draws"] == 2
    curves = result["rows"]["chosen by U on the same images"][0]["curves"]
    assert curves["standard fine-tuning"]["step"][-1] == 30
    start = {name: curve["success"][0] for name, curve in curves.items()}
    assert len(set(start.values())) == 1  # every edit starts at the model as it is
    text = module.report(result)
    for part in ("standard fine-tuning", "both, full", "heads off", "no evidence", "strengths, matched and folded"):
        assert part in text
    graded = result["by_strategy"]["scenes"]["ten a class"]
    assert len(graded["draws"]) == 2
    kept = [each["validated"] for each in graded["draws"] if each["validated"]]
    assert kept, "of two draws one at least has heads"
    assert {"strengths", "strengths, folded", "class vectors, α = 0"} <= set(kept[0]["rows"])


@pytest.mark.slow
def test_rivals():
    module = benchmark("rivals")
    result = module.run(quick=True, seed=3)
    json.dumps(result)
    assert result["draws"] == 2
    rows = {row["method"]: row for row in result["rows"]}
    assert {"as it is", "RoboShot", "Tip-Adapter", "probe", "GroupDRO", "edit, strengths", "LTC"} <= set(rows)
    for row in rows.values():
        assert len(row["at best"]) == 2
        assert row["at best"][0] >= rows["as it is"]["paper"][0][0] - 1e-9, "every path begins at the model as it is"
        assert len(row["placebo"]) == (0 if row["method"] == "as it is" else 2)
    assert {"fit_ms", "dial_ms", "second_ms"} == set(result["timed"]["Tip-Adapter"])
    for part in ("no evidence", "placebo", "| RoboShot | words |"):
        assert part in module.report(result)


LONGEST = {"painted": 22, "settled": 40, "worker": 23}
"""Files that a move of α may run through. Let a way grow only where there is a reason: by two, since the solve says how
far it is; by three, since an edit may be of heads as well: a problem makes strategies, which predict by themselves; by
three, since an edit of heads is solved beside the other one, and some of its strengths may be held; by two, since
where one has been and the fronts stand in files of their own."""


def test_path():
    module = benchmark("path")
    result = module.run(quick=True)
    json.dumps(result)
    assert set(result) == {"alpha", "images", "spans"}
    way = result["alpha"]
    names = [name for _, name, _ in way["painted"]["rows"]]
    assert names[0] == "Weight.validate", "the way begins with what was set"
    assert "Panel._send" in names, "and ends with a message"
    assert len(names) == way["painted"]["functions"] == len({(file, name) for file, name, _ in way["painted"]["rows"]})
    for end, most in LONGEST.items():
        assert 5 < way[end]["files"] <= most, (end, sorted({file for file, _, _ in way[end]["rows"]}))
    assert way["painted"]["files"] <= way["settled"]["files"]
    assert result["images"]["answered"]["functions"] > 5
    text = module.report(module.run(quick=True, journey="spans"))
    assert "texts → spans" in text
    assert "textspan" in text


IN_A_BROWSER = """
import json, dials, explorer, slider
found = {}
for benchmark in (explorer, slider, dials):
    result = benchmark.run(quick=True)
    found[benchmark.__name__] = [result, benchmark.report(result)]
print(json.dumps(found))
"""


@pytest.mark.wide
def test_explorer_slider_and_dials(chromium_path):
    """In a process of their own: the browser tests' Playwright may already run in this one."""
    places = os.pathsep.join([str(FOLDER), str(FOLDER.parent)])
    environment = os.environ | {"TOOLKIT_BROWSER": str(chromium_path), "PYTHONPATH": places}
    ended = subprocess.run(
        [sys.executable, "-c", IN_A_BROWSER], capture_output=True, text=True, env=environment, cwd=FOLDER.parent
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    result, text = found["explorer"]
    assert 0 < result["first_paint_ms"] < result["scores_ms"]
    assert 100 < result["wire_kb"] <= result["budget"]["wire_kb"]
    assert "first paint" in text
    result, text = found["slider"]
    assert result["moves"] == 4
    assert result["median_ms"] > 0
    assert result["drags"][0]["painted"] >= 1
    assert {"median_ms", "p95_ms", "settle_ms"} <= set(result)
    assert "solved anew" in text
    result, text = found["dials"]
    assert list(result["methods"]) == ["RoboShot", "LTC"]
    assert result["median_ms"] > 0
    assert result["first_s"] < result["paths_s"]
    assert "steps of every dial" in text


@pytest.mark.slow
def test_maps():
    module = benchmark("maps")
    result = module.run(quick=True, seed=11)
    json.dumps(result)
    assert result["text_ms"] > 0
    assert set(result["graded"]["table"]) == {"object", "cue"}
    rows = result["graded"]["table"]["object"]["base"]
    assert {"token map", "Grad-CAM", "LeGrad", "GAME", "attention", "rollout", "random order"} <= set(rows)
    for name in ("token map", "Grad-CAM"):
        for measure in ("localises", "deletion", "insertion", "road"):
            cell = rows[name][measure]
            assert cell["low"] <= cell["gain"] <= cell["high"]
            assert cell["beats_random"] == (cell["low"] > 0)
    text = module.report(result)
    for part in ("a new text to a map", "✗", "permuted weights", "no evidence", "random order"):
        assert part in text


@pytest.mark.slow
def test_memory():
    module = benchmark("memory")
    result = module.run(quick=True)
    json.dumps(result)
    assert [row["in memory"] for row in result["rows"]] == [False, True]
    assert not [row for row in result["rows"] if "failed" in row]
    assert all(row["peak"] >= 0 and row["base"] > 0 for row in result["rows"])
    assert all((row["read"] == 0) is row["in memory"] for row in result["rows"])
    assert "0 failed" in module.report(result)


@pytest.mark.wide
def test_scale():
    module = benchmark("scale")
    result = module.run(quick=True)
    json.dumps(result)
    assert not [row for row in result["rows"] if "failed" in row]
    assert {row["verb"] for row in result["rows"]} == {*module.verbs.VERBS, *module.verbs.READY}
    assert "600" in module.report(result)


def test_growth():
    module = benchmark("scale")
    row = {"images": 10, "classes": 20, "verb": "x", "in memory": False, "seconds": 1.0, "read": 0}
    assert module.growth([row, {**row, "images": 100, "seconds": 10.0}]) == "n^1.0"
    failed = {"images": 10, "classes": 20, "verb": "y", "in memory": False, "failed": "why"}
    words = module.report({"device": "", "sizes": [10], "classes": [20], "rows": [row, failed]})
    assert "1.00 (0)" in words
    assert "failed" in words
