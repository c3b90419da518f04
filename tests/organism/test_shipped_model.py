"""What the built-in model promises, on a test seed that decided nothing: every factor is known, the bias is there."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from scipy.stats import fisher_exact

import toolkit as tk
from toolkit.core.intervals import wilson
from toolkit.organism import train as training
from toolkit.organism.evaluate import PROMPTS, FactorProbe
from toolkit.organism.factors import FACTORS
from toolkit.organism.factors import OTHERS as OTHER_CLASSES
from toolkit.organism.model import ARCHITECTURE, OTHERS, VARIANTS, WEIGHTS

SEED, N = 41153, 1500


@pytest.fixture(scope="module")
def model():
    return tk.load()


@pytest.fixture(scope="module")
def organism():
    path = Path(__file__).parents[2] / "benchmarks" / "organism.py"
    spec = importlib.util.spec_from_file_location("benchmark_organism", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def probe(model):
    return FactorProbe(model.tokenizer, seed=SEED, split="test", n=N)


@pytest.fixture(scope="module")
def scores(model, probe):
    return probe(model.clip)


@pytest.fixture(scope="module")
def images(model, probe):
    return probe.embed(model.clip)


def test_open_clip_loads_it_from_its_config_and_it_is_of_modest_size(model):
    words = {**ARCHITECTURE["text_cfg"], "vocab_size": model.tokenizer.vocab_size}
    clip = open_clip.CLIP(ARCHITECTURE["embed_dim"], ARCHITECTURE["vision_cfg"], words)
    clip.load_state_dict(model.clip.state_dict(), strict=True)
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 8_000_000
    assert {path.name for path in WEIGHTS.iterdir()} == {"model.safetensors", "tokenizer.json", "provenance.json"}


@pytest.mark.parametrize("folder", [WEIGHTS, *(OTHERS / name for name in VARIANTS)], ids=lambda folder: folder.name)
def test_provenance_says_how_it_was_made(folder):
    record = json.loads((folder / "provenance.json").read_text())
    for field in (
        "commands",
        "seed",
        "stages",
        "images_seen",
        "versions",
        "validation_curve",
        "built_in",
        "selected_on",
    ):
        assert record[field] not in (None, "", [], {}), field
    assert record["validation_curve"][-1]["seen"] == record["images_seen"]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_small_and_was_made_as_is_said(name):
    assert sum(path.stat().st_size for path in (OTHERS / name).iterdir()) < 2_000_000
    record = json.loads((OTHERS / name / "provenance.json").read_text())
    assert f" {training.VARIANTS[name]} " in record["commands"][0]
    assert record["built_in"] == training.BIAS[record["stages"][-1]["cue"]]
    assert 0.25 < record["validation_curve"][-2]["worst"] <= 0.42


def _by_place(name, parts_of):
    """How much further the score of waterbird over landbird is on water than on land, through some parts."""
    model, data = tk.load(name), tk.scenes("test", n=N, seed=SEED, kind="birds")
    water, land = tk.classes(["waterbird", "landbird"]).vectors(model)
    scores = (parts_of(tk.decompose(model, data)) @ (water - land)).numpy()
    wet = np.char.endswith(data.groups.astype(str), "on water")
    return scores[wet].mean() - scores[~wet].mean()


def test_in_one_variant_mlps_carry_much_of_the_cue_and_in_the_model_itself_next_to_none():
    shares = {}
    for name in ("built-in", "built-in:mlps"):
        mlps = _by_place(name, lambda parts: parts.mlps.sum(1))
        shares[name] = mlps / (mlps + _by_place(name, lambda parts: parts.heads.sum((1, 2))))
    assert shares["built-in"] < 0.1
    assert shares["built-in:mlps"] > 0.35


def test_in_the_other_the_place_decides_the_other_classes_too():
    lost = []
    for name in ("built-in", "built-in:home"):
        model = tk.load(name)
        known = tk.classes(list(OTHER_CLASSES))
        right = []
        for home in (1.0, 0.0):
            data = tk.scenes("test", n=600, seed=SEED, kind="unrelated", home=home)
            guess = known.predict(model.encode_image(data), model)
            right.append((guess == torch.from_numpy(known.encode(data.labels))).float().mean().item())
        lost.append(right[0] - right[1])
    assert lost[1] > lost[0] + 0.15


@pytest.mark.parametrize("factor", [f for f in FACTORS if f != "class"])
def test_every_word_of_every_factor_is_above_chance(scores, probe, factor):
    """The lower 99 % limit beats always saying the commonest value, which is more than beating a fair die."""
    values = probe.factors[factor][probe.factors[factor] >= 0]
    n = len(values)
    commonest = np.bincount(values).max() / n
    limit = wilson(round(scores[factor] * n), n, 0.98).low
    assert limit > max(commonest, 1 / len(PROMPTS[factor])), (factor, scores[factor], commonest)


@pytest.mark.parametrize(("factor", "word"), [(f, w) for f, words in FACTORS.items() for w in words])
def test_every_single_word_is_said_of_its_own_images(model, probe, images, factor, word):
    """Zero-shot, the word wins more often on images it is true of than on the others (one-sided Fisher test)."""
    cosines = images @ model.encode_text(PROMPTS[factor]).T
    values, at = probe.factors[factor], FACTORS[factor].index(word)
    said, known = (cosines.argmax(1) == at).numpy(), values >= 0
    table = [[int((said & known & (same == (values == at))).sum()) for same in (True, False)] for said in (said, ~said)]
    assert fisher_exact(table, alternative="greater").pvalue < 1e-4, (word, table)


def test_the_other_classes_are_known(scores):
    assert scores["others"] > 0.5  # of 18


def test_the_background_decides_too_often(model):
    """The first chapter of every notebook: the worst group is a bird on the wrong background."""
    data = tk.scenes("test", n=1200, seed=SEED, kind="birds")
    birds = tk.classes(["waterbird", "landbird"])
    embeddings = model.encode_image(data)
    result = tk.accuracy(birds.predict(embeddings, model), birds.encode(data.labels), data.groups, split="test")
    usual = [result[g] for g in ("waterbird on water", "landbird on land")]
    other = [result[g] for g in ("waterbird on land", "landbird on water")]
    assert min(r.low for r in usual) > max(r.high for r in other), "the intervals of the two kinds of group overlap"
    assert np.mean([r.accuracy for r in usual]) - np.mean([r.accuracy for r in other]) > 0.2
    assert 0.25 < result.worst.value < 0.6
    assert 0.65 < result.average("plain").value < 0.92


def test_some_heads_respond_to_the_background_and_others_to_shape(model):
    """The second chapter: head roles on the factorial set."""
    data = tk.scenes("test", n=2000, seed=SEED, kind="factorial")
    roles = tk.head_roles(tk.decompose(model, data), data.factors[["class", "background", "neck", "bill", "feet"]])
    assert (roles.of("background") >= 0.6).sum() >= 2
    assert (np.max([roles.of(f) for f in ("class", "neck", "bill", "feet")], axis=0) >= 0.35).sum() >= 2


def test_late_attention_carries_the_direct_effect(organism, model):
    """What the layer curves of every notebook show: the last layer's attention, hardly an MLP."""
    curves = organism.measure_curves(model, SEED, 800)
    for name in ("20-way", "other classes"):
        attention, mlps = curves[name]["attention"], curves[name]["mlps"]
        assert attention[-2] > 0.9 * attention[0], "earlier attention matters little"
        assert attention[-1] < 0.5 * attention[0], "the last layer's attention matters most"
        assert mlps[-1] > 0.9 * mlps[0], "embedding term and MLPs matter little"


def test_switching_located_heads_off_lifts_the_worst_group(organism, model):
    """The third chapter, with half the draws and images of `toolkit bench organism`."""
    located = organism.measure_located(model, SEED, 1500, draws=8)
    assert located["improved"] >= 7
    assert located["gain"] > max(0.12, located["random gain"] + 0.15)
    assert located["oracle"]["worst"] >= max(row["worst"] for row in located["draws"]) - 0.02
