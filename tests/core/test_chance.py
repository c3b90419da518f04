"""Random texts in the places of a list: the slow definition, and that meaning beats them where there is some."""

from __future__ import annotations

import numpy as np
import torch
from core.test_pursuit import moments, world

from toolkit.core.chance import chance_gains, random_texts
from toolkit.core.pursuit import pursue
from toolkit.core.spans import span_basis


def literal(mixes, maps, words, kept, random):
    """Of one head, on images × d: what the best random text explains, after the texts before were projected out."""
    c = (mixes.astype(np.float64) - mixes.mean(0)) @ maps.astype(np.float64)
    space = np.linalg.qr(maps.astype(np.float64).T)[0]
    inside = lambda texts: texts.astype(np.float64) @ space @ space.T  # noqa: E731
    whole, chosen, other, out = (c**2).sum(), inside(words[kept]), inside(random), []
    for place in range(len(kept)):
        score = ((c @ other.T) ** 2).sum(0)
        best = int(score.argmax())
        out.append(score[best] / (other[best] ** 2).sum() / whole)
        u = chosen[place] / np.linalg.norm(chosen[place])
        c, other, chosen = (x - np.outer(x @ u, u) for x in (c, other, chosen))
    return out


def test_it_is_what_the_slow_definition_gives():
    mixes, maps, words = world(np.random.default_rng(3))
    basis = span_basis(moments(mixes), torch.from_numpy(maps))
    texts = torch.from_numpy(words)
    picks = pursue(basis, texts, 4)
    random = random_texts(texts, 7)
    found = chance_gains(basis, texts, picks.index, random)
    for head in range(3):
        kept = picks.index[head]
        expected = literal(mixes[:, head], maps[head], words, kept[kept >= 0], random.numpy())
        np.testing.assert_allclose(found[head, : len(expected)], expected, rtol=1e-6)
    assert np.isnan(found[picks.index < 0]).all()


def test_random_texts_have_the_mean_and_covariance_of_the_texts_before_they_are_of_unit_length():
    """Short of that, as near as unit length leaves them: texts in a narrow cone stay there."""
    made = torch.Generator().manual_seed(0)
    spread = torch.randn(2000, 6, generator=made) * torch.tensor([0.3, 0.2, 0.1, 0.1, 0.05, 0.01])
    texts = torch.nn.functional.normalize(spread + 2, dim=1)
    random = random_texts(texts, 0)
    assert torch.allclose(random.norm(dim=1), torch.ones(2000, dtype=torch.float64))
    assert torch.allclose(random.mean(0), texts.double().mean(0), atol=0.01)
    own = texts.double().T.cov()
    assert torch.allclose(random.T.cov(), own, atol=0.1 * float(own.abs().max()))
    assert not torch.equal(random, random_texts(texts, 1))
    assert torch.equal(random, random_texts(texts, 0))


def test_a_head_that_follows_a_text_beats_chance_once_and_noise_hardly_ever():
    rng = np.random.default_rng(0)
    d, n = 48, 400
    texts = torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(100, d))), dim=1)
    told = rng.normal(size=(n, 1)) * texts[17].numpy() * 3 + 0.3 * rng.normal(size=(n, d))
    noise = rng.normal(size=(n, d))
    mixes = np.stack([told, noise], 1)
    basis = span_basis(moments(mixes), torch.eye(d, dtype=torch.float64).expand(2, d, d), "float64")
    picks = pursue(basis, texts, 5)
    gains = np.diff(picks.explained, prepend=0.0)
    chance = np.stack([chance_gains(basis, texts, picks.index, random_texts(texts, s)) for s in range(5)])
    assert picks.index[0, 0] == 17
    over = gains > chance.max(0)
    assert over[0].tolist()[:1] == [True]
    assert over[1].sum() <= 2, "what varies in no direction has no text that says more than random ones"
