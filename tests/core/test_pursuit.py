"""TextSpan from moments gives the picks of the literal algorithm on images × heads × d."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spans_literal import literal, literal_inside

from toolkit.core import pursuit
from toolkit.core.moments import HeadMoments
from toolkit.core.pursuit import greedy_in_step, pursue
from toolkit.core.spans import span_basis
from toolkit.errors import InputError


def literal_somp(c, texts, size):
    """Simultaneous OMP as written: choose by the residual, fit all again by least squares."""
    c, texts = c.astype(np.float64), texts.astype(np.float64)
    c = c - c.mean(0)
    residual, picked, found = c, [], []
    for _ in range(size):
        std = (residual @ texts.T).std(0, ddof=1)
        std[picked] = -1
        j = int(std.argmax())
        picked.append(j)
        weights = np.linalg.lstsq(texts[picked].T, c.T, rcond=None)[0]
        residual = c - (texts[picked].T @ weights).T
        found.append((j, std[j], 1 - (residual**2).sum() / (c**2).sum()))
    return found


def moments(q):
    """Of q [images, heads, k]."""
    q = torch.as_tensor(q, dtype=torch.float64)
    centred = (q - q.mean(0)).permute(1, 2, 0)
    return HeadMoments(len(q), q.mean(0), centred @ centred.mT)


def world(rng, images=60, heads=3, k=6, d=20, texts=40):
    """Mixes with a falling spectrum, maps, unit texts with a common mean, as float32."""
    mixes = rng.normal(size=(images, heads, k)) * np.geomspace(1, 0.05, k) + rng.normal(size=(heads, k))
    maps = rng.normal(size=(heads, k, d)) / np.sqrt(d)
    words = rng.normal(size=(texts, d)) + 2 * rng.normal(size=d)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    return mixes.astype(np.float32), maps.astype(np.float32), words.astype(np.float32)


def compare(picks, expected, head):
    n = len(expected)
    assert picks.index[head, :n].tolist() == [j for j, _, _ in expected]
    np.testing.assert_allclose(picks.std[head, :n], [s for _, s, _ in expected], rtol=1e-6)
    np.testing.assert_allclose(picks.explained[head, :n], [e for _, _, e in expected], rtol=1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_picks_of_the_literal_algorithm(seed):
    mixes, maps, words = world(np.random.default_rng(seed))
    picks = pursue(span_basis(moments(mixes), torch.from_numpy(maps)), torch.from_numpy(words), 6)
    for head in range(3):
        c = mixes[:, head].astype(np.float64) @ maps[head].astype(np.float64)
        compare(picks, literal(c, words, 6), head)
        assert picks.explained[head, -1] == pytest.approx(1)


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_matching_pursuit_refits_on_all_texts(seed):
    mixes, maps, words = world(np.random.default_rng(seed))
    picks = pursue(span_basis(moments(mixes), torch.from_numpy(maps)), torch.from_numpy(words), 8, "somp")
    for head in range(3):
        c = mixes[:, head].astype(np.float64) @ maps[head].astype(np.float64)
        compare(picks, literal_somp(c, words, 8), head)


def test_a_real_shape_with_near_ties_and_duplicates():
    """Two heads of 64 with d = 768 and 3,500 correlated texts, a third of them copies or nearly."""
    rng = np.random.default_rng(1)
    mixes, maps, words = world(rng, 400, 2, 64, 768, 3500)
    words[1000:1400] = words[:400]  # duplicates
    words[2000:2400] = words[:400] + 1e-7 * rng.normal(size=(400, 768)).astype(np.float32)  # near-ties
    picks = pursue(span_basis(moments(mixes), torch.from_numpy(maps)), torch.from_numpy(words), 60)
    for head in range(2):
        c = mixes[:, head].astype(np.float64) @ maps[head].astype(np.float64)
        expected = literal(c, words, 60)
        firsts = [(j - 1000 if 1000 <= j < 1400 else j, s, e) for j, s, e in expected]  # equal but for rounding
        compare(picks, firsts, head)


@pytest.mark.slow
def test_all_heads_of_a_real_shape():
    """24 × 16 heads of 64, d = 768, 3,500 correlated texts with near-ties and duplicates; one head of every layer is
    compared.
    """
    rng = np.random.default_rng(2)
    mixes, maps, words = world(rng, 150, 384, 64, 768, 3500)
    words[1000:1400] = words[:400]
    words[2000:2400] = words[:400] + 1e-7 * rng.normal(size=(400, 768)).astype(np.float32)
    picks = pursue(span_basis(moments(mixes), torch.from_numpy(maps)), torch.from_numpy(words), 60)
    for layer in range(24):
        head = 16 * layer + layer % 16
        c = mixes[:, head].astype(np.float64) @ maps[head].astype(np.float64)
        expected = literal_inside(c, words.astype(np.float64), 60)
        if layer == 0:
            assert expected[:8] == [j for j, _, _ in literal(c, words, 8)]
        firsts = [j - 1000 if 1000 <= j < 1400 else j for j in expected]
        assert picks.index[head].tolist() == firsts, head


@pytest.mark.parametrize("seed", range(3))
def test_in_step_as_on_a_gpu(seed):
    mixes, maps, words = world(np.random.default_rng(seed), heads=5)
    words[7] = words[3]
    basis = span_basis(moments(mixes), torch.from_numpy(maps))
    texts = torch.from_numpy(words)
    allowed = pursuit.first_of_equals(texts)
    assert not allowed[7]
    index, std, gain = greedy_in_step(
        basis.vectors.mT @ texts.double().T, basis.covariance, basis.ranks, 8, allowed, basis.tolerance
    )
    one = pursue(basis, texts, 8)
    np.testing.assert_array_equal(index, one.index)
    np.testing.assert_allclose(std, one.std, rtol=1e-9)
    np.testing.assert_allclose(np.cumsum(gain, 1) / basis.variance.numpy()[:, None], one.explained, rtol=1e-9)
    assert (index[:, 6:] == -1).all()
    assert np.isnan(std[:, 6:]).all()


def test_the_rank_decides_when_to_stop():
    rng = np.random.default_rng(0)
    mixes, maps, words = world(rng)
    mixes[:, 1, 4:] = 0  # a head of rank 4
    basis = span_basis(moments(mixes), torch.from_numpy(maps))
    assert basis.ranks.tolist() == [6, 4, 6]
    picks = pursue(basis, torch.from_numpy(words), 10)
    assert [(row >= 0).sum() for row in picks.index] == [6, 4, 6]
    asked = span_basis(moments(mixes), torch.from_numpy(maps), rank=3)
    assert (asked.ranks.tolist(), asked.full.tolist()) == ([3, 3, 3], [6, 4, 6])
    few = pursue(basis, torch.from_numpy(words[:2]), 10)
    assert [(row >= 0).sum() for row in few.index] == [2, 2, 2]


def test_fewer_images_than_directions():
    mixes, maps, words = world(np.random.default_rng(0), images=4)
    picks = pursue(span_basis(moments(mixes), torch.from_numpy(maps)), torch.from_numpy(words), 6)
    for head in range(3):
        c = mixes[:, head].astype(np.float64) @ maps[head].astype(np.float64)
        compare(picks, literal(c, words, 6), head)
    assert (picks.index[:, 4:] == -1).all()


def test_a_head_that_never_varies_has_no_picks():
    mixes, maps, words = world(np.random.default_rng(0))
    mixes[:, 1] = mixes[0, 1]
    mixes[:, 2] = 0
    picks = pursue(span_basis(moments(mixes), torch.from_numpy(maps)), torch.from_numpy(words), 3)
    assert (picks.index[0] >= 0).all()
    assert (picks.index[1:] == -1).all()
    assert np.isnan(picks.explained[1:]).all()


def test_shards_in_any_order():
    mixes, maps, words = world(np.random.default_rng(3), images=90)
    parts = [moments(mixes[a:b]) for a, b in ((0, 7), (7, 40), (40, 90))]
    whole = pursue(span_basis(moments(mixes), torch.from_numpy(maps)), torch.from_numpy(words), 6)
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        a, b, c = (parts[i] for i in order)
        merged = pursue(span_basis(a.merge(b).merge(c), torch.from_numpy(maps)), torch.from_numpy(words), 6)
        np.testing.assert_array_equal(merged.index, whole.index)
        np.testing.assert_allclose(merged.std, whole.std, rtol=1e-9)


def test_many_texts_in_blocks(monkeypatch):
    mixes, maps, words = world(np.random.default_rng(4), texts=500)
    basis = span_basis(moments(mixes), torch.from_numpy(maps))
    whole = pursue(basis, torch.from_numpy(words), 6)
    monkeypatch.setattr("toolkit.core.spans.AT_ONCE", 8 * 6 * 500)  # one head at a time
    monkeypatch.setattr("toolkit.core.spans.CHUNK", 64)
    seen = []
    blocks = pursue(basis, torch.from_numpy(words), 6, check=lambda done, of: seen.append((done, of)))
    np.testing.assert_array_equal(blocks.index, whole.index)
    assert seen[0] == (0, 3)
    assert {of for _, of in seen} == {3}


def test_work_can_be_ended_between_heads():
    mixes, maps, words = world(np.random.default_rng(4))

    def stop(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pursue(span_basis(moments(mixes), torch.from_numpy(maps)), torch.from_numpy(words), 6, check=stop)


def test_projected_texts_are_what_the_heads_see():
    mixes, maps, words = world(np.random.default_rng(5))
    basis = span_basis(moments(mixes), torch.from_numpy(maps))
    projected = basis.project(torch.from_numpy(words))
    c = torch.einsum("nhk,hkd->nhd", *(torch.from_numpy(x).double() for x in (mixes, maps)))
    inside = torch.einsum("nhd,hdr->nhr", c, basis.vectors)
    seen = torch.einsum("nhr,hrt->nht", inside, projected)
    torch.testing.assert_close(seen.float(), (c @ torch.from_numpy(words).double().T).float())
    torch.testing.assert_close(basis.variance, inside.var(0).sum(-1))
    mapped = torch.einsum("nhk,hkr->nhr", torch.from_numpy(mixes).double(), basis.coordinates)
    torch.testing.assert_close(mapped, inside)


@pytest.mark.parametrize(("change", "message"), [("one", "1 image"), ("nan", "not finite.*1 heads in all")])
def test_bad_moments(change, message):
    mixes, maps, _ = world(np.random.default_rng(0))
    found = moments(mixes[:1] if change == "one" else mixes)
    if change == "nan":
        found.scatter[1, 0, 0] = float("nan")
    with pytest.raises(InputError, match=message):
        span_basis(found, torch.from_numpy(maps))
