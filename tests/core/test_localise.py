"""Maps against masks: oracles by hand and from scikit-learn, literal pooling, empty and full masks."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from toolkit.core.localise import (
    aiou,
    average_precision,
    boxes,
    clipped,
    common_scale,
    joined,
    localise,
    soft_iou,
)
from toolkit.errors import InputError


def sk(positive, scores):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(average_precision_score(positive.int().numpy(), scores.numpy())) if positive.any() else math.nan


def literal(scaled, raw, mask, level):
    """Everything of one image, a pixel at a time."""
    pairs = [(s, r, m) for s, r, m in zip(*(x.flatten().tolist() for x in (scaled, raw, mask)), strict=True) if m >= 0]
    out = {"labelled": len(pairs), "correct": 0, "intersections": [0, 0], "unions": [0, 0]}
    for s, _, m in pairs:
        guess = int(s > level)
        out["correct"] += guess == m
        for c in (0, 1):
            out["intersections"][c] += guess == c and m == c
            out["unions"][c] += guess == c or m == c
    top = max((r for _, r, _ in pairs), default=0)
    peaks = [m for _, r, m in pairs if r == top]
    out["pointing"] = sum(peaks) / len(peaks) if any(m for _, _, m in pairs) else math.nan
    out["base_rate"] = sum(m for _, _, m in pairs) / len(pairs) if pairs else math.nan
    return out


def equal(a, b):
    return a == pytest.approx(b, abs=1e-12, nan_ok=True)


@st.composite
def scenes(draw):
    b, h, w = draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    values = draw(st.sampled_from([(-1.0, 0.0), (0.0, 0.5, 1.0), tuple(x / 7 for x in range(-20, 20))]))
    pixels = st.lists(st.sampled_from(values), min_size=b * h * w, max_size=b * h * w)
    sides = draw(st.sampled_from([(0,), (1,), (-1,), (0, 1), (-1, 0, 1)]))
    marks = st.lists(st.sampled_from(sides), min_size=b * h * w, max_size=b * h * w)
    maps = torch.tensor(draw(pixels), dtype=torch.float64).view(b, h, w)
    return maps, torch.tensor(draw(marks)).view(b, h, w)


@settings(max_examples=80)
@given(scenes())
def test_every_number_equals_the_literal_one(scene):
    maps, masks = scene
    found, scaled = localise(maps, masks), clipped(maps)
    assert bool(((scaled >= 0) & (scaled <= 1)).all())
    for i in range(len(maps)):
        expected = literal(scaled[i], maps[i], masks[i], float(scaled[i].mean()))
        for name, value in expected.items():
            assert equal(getattr(found, name)[i].tolist(), value), name
        known = masks[i] >= 0
        m, s, r = masks[i][known] == 1, scaled[i][known], maps[i][known]
        front, back = sk(m, s), sk(~m, 1 - s)
        assert equal(float(found.ap[i]), sk(torch.cat([~m, m]), torch.cat([1 - s, s])))
        assert equal(float(found.channel_ap[i]), (front + back) / 2)
        assert equal(float(found.foreground_ap[i]), sk(m, r))


@pytest.mark.parametrize("levels", [2, 5, 10**6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_average_precision_is_scikit_learns_however_many_ties(levels, dtype):
    rng = torch.Generator().manual_seed(levels)
    scores = (torch.randint(levels, (6, 2000), generator=rng) - levels // 2).to(dtype) / levels
    positive = torch.rand(6, 2000, generator=rng) < torch.linspace(0, 1, 6)[:, None]
    counted = torch.rand(6, 2000, generator=rng) < 0.8
    found = average_precision(scores, positive, counted)
    expected = [sk(p[c], s[c]) for s, p, c in zip(scores, positive, counted, strict=True)]
    assert math.isnan(found[0])
    assert found[1:].tolist() == pytest.approx(expected[1:], abs=1e-12)


def test_a_random_map_gets_the_base_rate():
    rng = torch.Generator().manual_seed(0)
    masks = torch.rand(20, 40, 40, generator=rng) < 0.3
    found = localise(torch.randn(20, 40, 40, generator=rng), masks)
    assert found.mean_foreground_ap == pytest.approx(found.mean_base_rate, abs=0.01)
    flat = localise(torch.zeros(20, 40, 40), masks)
    torch.testing.assert_close(flat.foreground_ap, flat.base_rate)
    torch.testing.assert_close(flat.pointing, flat.base_rate)  # every pixel is maximal


def test_pooled_is_not_the_mean_over_images():
    maps = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]])
    masks = torch.tensor([[[1, -1], [-1, -1]], [[1, 0], [1, 0]]])
    found = localise(maps, masks)
    assert found.n == 2
    assert found.labelled.tolist() == [1, 4]
    assert found.pixel_accuracy == pytest.approx(3 / 5)
    assert found.iou == pytest.approx((1 / 3, 2 / 4))
    assert found.miou == pytest.approx(5 / 12)
    whole = joined([localise(maps[:1], masks[:1]), localise(maps[1:], masks[1:])])
    assert (whole.miou, whole.mean_ap, whole.mean_pointing) == (found.miou, found.mean_ap, found.mean_pointing)
    assert whole.mean_channel_ap == found.mean_channel_ap


def test_clipping_and_thresholds():
    maps = torch.tensor([[[-4.0, 1.0], [2.0, 3.0]], [[2.0, 2.0], [2.0, 2.0]], [[-2.0, -1.0], [-2.0, -3.0]]])
    scaled = clipped(maps)
    torch.testing.assert_close(scaled[0], torch.tensor([[0.0, 1 / 3], [2 / 3, 1.0]]))
    assert not scaled[1:].any()
    assert scaled.dtype == torch.float32
    masks = torch.ones(3, 2, 2, dtype=torch.bool)
    assert localise(maps, masks).correct.tolist() == [2, 0, 0]
    assert localise(maps, masks, threshold=0.2).correct.tolist() == [3, 0, 0]
    assert localise(maps, masks).pointing.tolist() == [1, 1, 1]
    assert localise(maps[:0], masks[:0]).n == 0


def oracle(scale=1.0):
    box = torch.zeros(1, 4, 4, dtype=torch.bool)
    box[:, 1:3, 1:3] = True
    maps = torch.full((1, 2, 4, 4), 0.25, dtype=torch.float64)
    maps[0, 0] = 0.5 * box[0]
    maps[0, 0, 0, 0] = 1
    return maps * scale, box


def test_the_aiou_oracle():
    maps, box = oracle()
    overlap = soft_iou(maps, box[:, None])
    assert overlap[0].tolist() == pytest.approx([0.4, 1 / 7])
    for s, expected in ((1, 0.736842), (0.5, 0.710), (0.1, 0.677)):
        one, two = soft_iou(oracle(s)[0], box[:, None])[0].tolist()
        assert one / (one + two) == pytest.approx(expected, abs=5e-4)
    found, own = aiou(maps, box, torch.tensor([0]))
    assert found.item() == pytest.approx(0.736842, abs=1e-6)
    assert own.item() == pytest.approx(0.4)
    torch.testing.assert_close(aiou(7 * maps, box, torch.tensor([0]))[0], found)  # one divisor, taken out again
    assert aiou(maps, box, torch.tensor([1]))[0].item() == pytest.approx(1 - 0.736842, abs=1e-6)
    assert aiou(maps[:, :1].expand(-1, 3, -1, -1), box, torch.tensor([2]))[0].item() == 0.5


def test_what_is_undefined_is_nan():
    maps, box = oracle()
    assert aiou(maps, torch.zeros_like(box), torch.tensor([0]))[0].isnan().all()
    nothing, own = aiou(-maps, box, torch.tensor([0]))
    assert nothing.isnan().all()
    assert own.item() == 0
    assert soft_iou(torch.zeros(2, 2), torch.zeros(2, 2)).isnan()


def test_the_common_scale():
    maps = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    maps[1] = -maps[1].abs()
    scaled, divisor = common_scale(maps)
    assert scaled.amax((1, 2, 3)).tolist() == [1, 0, 1]
    assert divisor[1] == 1
    torch.testing.assert_close(scaled * divisor[:, None, None, None], maps.clamp(min=0))


@settings(max_examples=60)
@given(st.integers(1, 7), st.integers(1, 7), st.data())
def test_boxes_are_tight(h, w, data):
    flags = data.draw(st.lists(st.booleans(), min_size=h * w, max_size=h * w))
    mask = torch.tensor(flags).view(1, h, w)
    expected = torch.zeros(h, w, dtype=torch.bool)
    places = mask[0].nonzero()
    if len(places):
        (top, left), (bottom, right) = places.amin(0).tolist(), places.amax(0).tolist()
        expected[top : bottom + 1, left : right + 1] = True
    assert torch.equal(boxes(mask)[0], expected)


MAPS, MASKS = torch.rand(2, 3, 3), torch.zeros(2, 3, 3, dtype=torch.bool)


@pytest.mark.parametrize(
    "call",
    [
        lambda: localise(MAPS[0], MASKS[0]),
        lambda: localise(MAPS, MASKS[:1]),
        lambda: localise(MAPS, MASKS.float()),
        lambda: localise(MAPS, MASKS.long() + 2),
        lambda: localise(MAPS * torch.nan, MASKS),
        lambda: localise(MAPS, MASKS, threshold="median"),
        lambda: localise(MAPS, MASKS, threshold=1.5),
        lambda: clipped(MAPS.long()),
        lambda: soft_iou(MAPS + 1, MASKS),
        lambda: soft_iou(MAPS * torch.nan, MASKS),
        lambda: aiou(MAPS[:, None], MASKS, torch.tensor([0, 0])),
        lambda: aiou(MAPS[:, None].expand(-1, 2, -1, -1), MASKS, torch.tensor([0, 2])),
        lambda: aiou(MAPS[:, None].expand(-1, 2, -1, -1), MASKS, torch.tensor([0])),
        lambda: boxes(MAPS),
        lambda: joined([]),
    ],
)
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(InputError):
        call()
