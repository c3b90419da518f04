"""Class sums: what heads take from logits, without ever making images × heads × classes."""

from __future__ import annotations

import pytest
import torch

from toolkit.core import sums as module
from toolkit.core.sums import ClassSums, KeptNumbers, arg_max, group_hits


def made(b=50, layers=3, heads=4, k=5, d=12, c=7, seed=0, kind=torch.float32):
    rng = torch.Generator().manual_seed(seed)
    q = torch.randn(b, layers, heads, k, generator=rng, dtype=torch.float64).to(kind)
    maps = 0.1 * torch.randn(layers, heads, k, d, generator=rng, dtype=torch.float64)
    outputs = torch.randn(b, d, generator=rng, dtype=torch.float64).to(kind)
    texts = torch.nn.functional.normalize(torch.randn(c, d, generator=rng, dtype=torch.float64), dim=-1).to(kind)
    unit = torch.nn.functional.normalize(outputs, dim=-1)
    return ClassSums(unit @ texts.T, texts, maps.to(kind), KeptNumbers(q, outputs)), q, maps, unit, texts


def plainly(q, maps, unit, texts, gone, instead):
    """Head by head, image by image, in float64."""
    x = unit.double().clone()
    for layer in range(maps.shape[0]):
        for head in range(maps.shape[1]):
            own = q[:, layer, head].double() @ maps[layer, head]
            other = {"zero": torch.zeros_like(own), "mean": own.mean(0)}[instead] if isinstance(instead, str) else (
                own[instead]
            )  # fmt: skip
            x -= gone[layer, head].double() * (own - other)
    return x @ texts.double().T


@pytest.mark.parametrize("instead", ["zero", "mean", torch.randperm(50, generator=torch.Generator().manual_seed(1))])
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_what_is_left_is_the_plain_product(instead, share):
    sums, *given = made()
    rng = torch.Generator().manual_seed(2)
    gone = (torch.rand(3, 4, generator=rng) < share) * (2 * torch.rand(3, 4, generator=rng) - 1)
    expected = plainly(*given, gone, instead)
    torch.testing.assert_close(sums.without(gone, instead).double(), expected, rtol=1e-4, atol=2e-6)
    rows = torch.tensor([3, 49, 0])
    torch.testing.assert_close(sums.exact(rows, gone, instead), expected[rows], rtol=1e-6, atol=2e-7)
    assert torch.equal(sums.decide(gone, instead)[0], expected.argmax(1))


def test_nothing_off_is_the_base_and_is_left_untouched():
    sums, *_ = made()
    before = sums.logits.clone()
    assert torch.equal(sums.without(torch.zeros(3, 4)), before)
    sums.without(torch.ones(3, 4))
    assert torch.equal(sums.logits, before)


def test_images_too_close_to_call_are_counted_and_decided_exactly(monkeypatch):
    monkeypatch.setattr(module, "ROWS", 3)
    rows = [[0.1, 0.9], [0.5, 0.5 + 1e-9], [0.5 + 1e-9, 0.5], [0.3, 0.3], [0.2, 0.2 + 2e-6]]
    exact = torch.tensor(rows, dtype=torch.float64)
    exact = torch.cat([exact, exact[[1]]])
    seen = []

    def asked(rows):
        seen.extend(rows.tolist())
        return exact[rows]

    guess, close = arg_max(exact.float(), asked)
    assert guess.tolist() == [1, 1, 0, 0, 1, 1], "what float32 holds for equal is decided by float64, then by order"
    assert close == 4
    assert seen == [1, 2, 3, 5]


def test_right_images_of_each_group():
    logits = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]])
    found = group_hits(logits, torch.tensor([0, 1, 1]), torch.tensor([0, 1, 1]), 3)
    assert found.tolist() == [[1, 1, 0], [0, 2, 0]]


def test_no_array_of_images_heads_and_classes_is_made(monkeypatch):
    """The largest tensor is images × classes, or images × the numbers of one layer."""
    sums, *_ = made(b=400, layers=4, heads=8, k=6, c=30)
    seen, zeros = [], torch.Tensor.addmm_

    def watched(self, a, b, **options):
        seen.append(max(x.numel() for x in (self, a, b)))
        return zeros(self, a, b, **options)

    monkeypatch.setattr(torch.Tensor, "addmm_", watched)
    sums.without(torch.ones(4, 8))
    assert max(seen) <= 400 * max(30, 8 * 6)


def test_images_too_close_to_call_are_decided_wherever_they_lie(monkeypatch):
    """In every block of images, and as all at once decide them."""
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(50, 2, 3, 7, generator=generator, dtype=torch.float64)
    maps, outputs = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((2, 3, 7, 5), (50, 5)))
    texts = torch.nn.functional.normalize(torch.randn(4, 5, generator=generator, dtype=torch.float64), dim=-1)
    logits = torch.nn.functional.normalize(outputs, dim=-1) @ texts.T
    sums = module.ClassSums(logits, texts, maps, module.KeptNumbers(q, outputs))
    gone = torch.tensor([[1.0, 0, 0], [0, 0, 0.5]])
    monkeypatch.setattr(module, "TIE", 10.0)
    expected = sums.exact(torch.arange(50), gone).argmax(1)
    for block, numbers in ((7, 10**9), (1024, 10**9), (7, 0)):
        monkeypatch.setattr(module, "BLOCK", block)
        monkeypatch.setattr(module, "NUMBERS", numbers)
        found, close = sums.decide(gone)
        assert close == 50
        assert torch.equal(found, expected)
