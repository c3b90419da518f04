"""Faithfulness, localisation, AIoU, agreement, permuted weights: oracles, controls, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import toolkit as tk
from toolkit.models.frame import Frame


@pytest.fixture(scope="module")
def model():
    return tk.load()


@pytest.fixture(scope="module")
def data():
    return tk.scenes("test", n=16, seed=3, kind="birds")


@pytest.fixture(scope="module")
def maps(model, data):
    return {name: tk.explain(model, data, "water", "land", method=name) for name in ("token map", "GAME")}


def made(values, like, frames=None, direction=None):
    """A map of given values, of the images of another."""
    from dataclasses import replace

    return replace(
        like, values=np.asarray(values, float), rest=np.zeros((len(values), 0)), rest_names=(), additive=False,
        by_head=None, frames=frames or like.frames[: len(values)], total=like.total[: len(values)],
        ids=like.ids[: len(values)], direction=like.direction if direction is None else direction,
    )  # fmt: skip


def test_a_map_that_knows_the_answer_beats_random_and_its_reverse_loses(model, data):
    """Patches ranked by what their removal does to the score, one at a time."""
    like = tk.token_map(model, data, "water", "land")
    direction = torch.as_tensor(like.direction).float()
    pixels = torch.cat(list(model.images(data, "test").batches(64)))
    means = pixels.mean((2, 3), keepdim=True)
    known = np.zeros((len(data), 8, 8))
    base = torch.nn.functional.normalize(model.encode_image(pixels), dim=-1) @ direction
    for r in range(8):
        for c in range(8):
            changed = pixels.clone()
            changed[:, :, 8 * r : 8 * r + 8, 8 * c : 8 * c + 8] = means
            after = torch.nn.functional.normalize(model.encode_image(changed), dim=-1) @ direction
            known[:, r, c] = (base - after).numpy()
    named = {"known": made(known, like), "reverse": made(-known, like)}
    found = tk.faithfulness(model, data, named, progress=False, steps=8, fill="mean", fractions=(0.2, 0.5), draws=2)
    assert all(found.beats_random("known", measure) for measure in ("deletion", "insertion", "road"))
    assert not any(found.beats_random("reverse", measure) for measure in ("deletion", "insertion", "road"))
    assert "no better than random" in repr(found)
    line = found.curves["known"]
    assert line["share"][0] == 0
    np.testing.assert_allclose(line["deletion"][0], float(base.mean()), atol=1e-5)
    np.testing.assert_allclose(line["insertion"][-1], float(base.mean()), atol=1e-5)
    table = found.to_dataframe()
    assert set(table["map"]) == {"known", "reverse", "random order", "constant map"}
    assert (table["n"] == 16).all()


def test_controls_know_nothing(model, data, maps):
    found = tk.faithfulness(model, data, maps, progress=False, steps=8, fractions=(0.3, 0.6), draws=2)
    each = found.road["random order"]
    assert abs(each.mean()) < 4 * each.std() / len(each) ** 0.5
    for measure in ("deletion", "insertion", "road"):
        gain = getattr(found, measure)["constant map"] - getattr(found, measure)["random order"]
        assert abs(gain.mean()) < 4 * gain.std() / len(gain) ** 0.5, measure
    assert found.settings["fill"] == "blur"


def test_batches_and_seeds(model, data, maps):
    one = {"token map": maps["token map"]}
    a, b = (
        tk.faithfulness(model, data, one, progress=False, steps=4, fractions=(0.5,), draws=1, seed=1) for _ in range(2)
    )
    np.testing.assert_array_equal(a.deletion["token map"], b.deletion["token map"])
    pieces = tk.faithfulness(model, data, one, progress=False, steps=4, fractions=(0.5,), draws=1, seed=1, batch_size=7)
    np.testing.assert_allclose(a.deletion["token map"], pieces.deletion["token map"], atol=1e-5)  # no ties: same order
    calls = []
    tk.faithfulness(model, data, one, progress=False, steps=4, fractions=(0.5,), draws=1, check=lambda: calls.append(1))
    assert calls


def test_faithfulness_refuses(model, data, maps):
    other = tk.token_map(model, data, "a bird")
    for given, said in (
        ({"a": maps["GAME"], "b": other}, "another target"), ({"a": maps["GAME"][0]}, "1 images"),
        ({}, "maps of type dict"), ([maps["GAME"]], "name each of them"), (None, "NoneType"),
        ({"random order": other}, "this is a control"), ({"a": tk.rollout(model, data)}, "maps of no text"),
        ({"a": tk.token_map(model, tk.scenes("val", 16), "a bird")}, "val-0-000000"),
    ):  # fmt: skip
        with pytest.raises(tk.InputError, match=said):
            tk.faithfulness(model, data, given, progress=False)
    with pytest.raises(tk.InputError, match="steps=0"):
        tk.faithfulness(model, data, maps, progress=False, steps=0)
    for options in ({"fractions": 0.5}, {"fractions": (0,)}, {"fractions": ()}, {"seed": "a"}, {"draws": 0}):
        with pytest.raises(tk.InputError, match=f"{next(iter(options))}="):
            tk.faithfulness(model, data, maps, progress=False, **options)
    with pytest.raises(tk.InputError, match="fill"):
        tk.faithfulness(model, data, maps, progress=False, steps=1, fractions=(0.5,), fill="pink")


def test_localisation_of_the_mask_itself_and_of_noise(model, data):
    like = tk.token_map(model, data, "a bird")
    masks = data.masks()[0]
    patches = torch.nn.functional.avg_pool2d(masks.double()[:, None], 8)[:, 0].numpy()
    found = tk.localisation({"true": made(patches, like), "false": made(-patches, like)}, masks)
    assert found.beats_random("true")
    assert not found.beats_random("false")
    row = found.table.set_index("map").loc["true"]
    assert row["foreground_ap"] > 0.8
    assert row["pointing"] > 0.9
    assert row["base_rate"] == pytest.approx(float(masks.double().mean()), abs=1e-9)
    assert "no better than random" in repr(found)


def test_masks_go_through_the_images_own_crop(model):
    """A wide picture with its object at the right: the aligned protocol looks at what the model saw, the reference one
    squeezes the whole mask.
    """
    picture = Image.new("RGB", (192, 64))
    mask = np.zeros((64, 192), bool)
    mask[:, 112:160] = True  # half of it inside the middle 64 pixels
    like = tk.token_map(model, [picture], "a bird")
    assert isinstance(like.frames[0], Frame)
    values = np.zeros((1, 8, 8))
    values[:, :, 6:] = 1
    aligned = tk.localisation(made(values, like), [mask]).table.iloc[0]
    assert aligned["base_rate"] == pytest.approx(0.25, abs=0.02)
    assert aligned["foreground_ap"] > 0.9
    reference = tk.localisation(made(values, like), [mask], protocol="reference").table.iloc[0]
    assert reference["base_rate"] == pytest.approx(0.25, abs=0.01)
    assert reference["foreground_ap"] < 0.7


def test_padding_counts_nowhere_and_an_unknown_crop_is_refused():
    import open_clip
    from families import TEXT, VIT
    from open_clip.transform import PreprocessCfg, image_transform_v2

    torch.manual_seed(0)
    clip = open_clip.CLIP(48, VIT, TEXT).eval()
    padded = image_transform_v2(PreprocessCfg(size=32, resize_mode="longest"), is_train=False)
    like = tk.token_map(tk.wrap(clip, preprocess=padded), [Image.new("RGB", (128, 64))], torch.eye(48)[0])
    row = tk.localisation(like, [np.ones((64, 128), bool)]).table.iloc[0]
    assert row["base_rate"] == 1
    turned = tk.wrap(clip, preprocess=lambda picture: padded(picture).transpose(1, 2))
    lost = tk.token_map(turned, [Image.new("RGB", (128, 64))], torch.eye(48)[0])
    with pytest.raises(tk.InputError, match="whose crop could not be traced"):
        tk.localisation(lost, [np.ones((64, 128), bool)])


def test_localisation_refuses(model, data, maps):
    masks = data.masks()[0]
    for given, said in (
        (masks[:3], "3 masks for 16 images"),
        (masks[:, :10], "shape"),
    ):
        with pytest.raises(tk.InputError, match=said):
            tk.localisation(maps, given)
    with pytest.raises(tk.InputError, match="mask > 0"):
        tk.localisation(maps, masks.int() * 255)
    with pytest.raises(tk.InputError, match="mask > 0"):
        tk.localisation(maps, masks.float() * 0.6)
    with pytest.raises(tk.InputError, match="same images"):
        tk.localisation({"a": maps["GAME"], "b": tk.token_map(model, tk.scenes("val", 16), "a bird")}, masks)
    one = tk.token_map(model, data[0], "water", "land")
    assert tk.localisation(one, masks[0]).n == 1
    with pytest.raises(tk.InputError, match="protocol"):
        tk.localisation(maps, masks, protocol="mine")
    with pytest.raises(tk.InputError, match="name one"):
        tk.localisation(maps, masks).beats_random("nothing")


def test_aiou_gives_the_papers_numbers(model):
    """other systems §12.2: IoU .4 and .142857, AIoU .736842; equal maps tie at .5; it is not invariant to scale."""
    picture = Image.new("RGB", (4, 4))
    like = tk.token_map(model, [picture], "a bird")
    frames = (Frame((4, 4), (0.0, 0.0, 4.0, 4.0), (4, 4)),)
    box = np.zeros((4, 4), bool)
    box[1:3, 1:3] = True
    true = np.zeros((1, 4, 4))
    true[0, 1:3, 1:3], true[0, 0, 0] = 0.5, 1.0
    rival = np.full((1, 4, 4), 0.25)
    found = tk.aiou([made(true, like, frames), made(rival, like, frames)], [box], [0])
    assert found.iou[0] == pytest.approx(0.4)
    assert found.aiou[0] == pytest.approx(0.736842, abs=1e-6)
    assert found.divisor[0] == 1
    tie = tk.aiou([made(rival, like, frames), made(rival, like, frames)], [box], [1])
    assert tie.aiou[0] == pytest.approx(0.5)
    with pytest.raises(tk.InputError, match="two maps or more"):
        tk.aiou([made(true, like, frames)], [box], [0])
    with pytest.raises(tk.InputError, match=r"classes\.encode"):
        tk.aiou([made(rival, like, frames)] * 2, [box], ["waterbird"])


def test_aiou_by_group():
    """compare.md 3.5: .5 on average, worst .4; a group of one image, and one without a number."""
    nan = float("nan")
    aiou = np.array([0.6, 0.7, 0.3, 0.5, 0.4, nan])
    found = tk.AIoU(aiou, aiou, aiou, np.array(list("112233"), dtype=object))
    assert float(found.average) == pytest.approx(0.5)
    assert (found.average.n, found.average.skipped) == (5, 1)
    assert found.worst.value == pytest.approx(0.4)
    assert found.worst.of == "worst group (2)"
    alone = tk.AIoU(aiou[[4, 5, 0]], aiou[:3], aiou[:3], np.array(list("331"), dtype=object))
    assert (alone.worst.value, alone.worst.n, alone.worst.skipped) == (0.4, 1, 1)
    assert found.average.interval.low <= 0.5 <= found.average.interval.high
    assert found.worst.interval.high <= found.average.interval.high
    assert found.to_dataframe()["group"].tolist() == list("112233")
    none = tk.AIoU(np.array([nan]), np.array([0.0]), np.array([1.0]), np.array(["a"], dtype=object))
    assert np.isnan(none.average.value)
    assert "1 skipped" in str(none.worst)


def test_agreement(model, data, maps):
    table = tk.agreement({**maps, "same": maps["token map"]})
    np.testing.assert_allclose(np.diag(table), 1)
    assert table.loc["token map", "same"] == pytest.approx(1)
    from scipy.stats import spearmanr

    each = [spearmanr(a.ravel(), b.ravel())[0] for a, b in zip(*(m.values for m in maps.values()), strict=True)]
    assert table.loc["token map", "GAME"] == pytest.approx(np.mean(each))
    flat = made(np.zeros((16, 8, 8)), maps["GAME"])
    assert np.isnan(tk.agreement({"a": maps["GAME"], "flat": flat}).loc["a", "flat"])
    with pytest.raises(tk.InputError, match="two maps or more"):
        tk.agreement({"a": maps["GAME"]})
    with pytest.raises(tk.InputError, match="name each of them"):
        tk.agreement([maps["GAME"]])


def test_permuted_weights_are_a_model_that_knows_nothing(model, data):
    found = tk.permuted(model, 1)
    assert found.card.fingerprint != model.card.fingerprint
    for (name, a), b in zip(model.clip.visual.named_parameters(), found.clip.visual.parameters(), strict=True):
        assert torch.equal(a.flatten().sort().values, b.flatten().sort().values), name
    assert torch.equal(model.encode_text("a bird"), found.encode_text("a bird"))
    again = tk.permuted(model, 1)
    assert again.card.fingerprint == found.card.fingerprint
    from families import build

    own = tk.wrap(build("resnet"))
    shuffled = tk.permuted(own)
    means = [(b, c) for (n, b), c in zip(own.clip.visual.named_buffers(), shuffled.clip.visual.buffers(), strict=True)
             if n.endswith("running_mean")]  # fmt: skip
    assert all(torch.equal(a.sort().values, b.sort().values) for a, b in means)
    assert sum(not torch.equal(a, b) for a, b in means) > 5
    assert tk.token_map(found, data, "water", "land").error < 1e-5
    with pytest.raises(tk.InputError, match="seed"):
        tk.permuted(model, -1)
