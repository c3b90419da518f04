"""The fused attention equals the plain one, in value and gradient, and is optional."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch.utils import cpp_extension

from toolkit.organism import fastclip, fused
from toolkit.organism.captions import vocabulary
from toolkit.organism.model import build
from toolkit.organism.tokenizer import WordTokenizer


@pytest.fixture
def kernel():
    if not shutil.which(cpp_extension.get_cxx_compiler()):
        pytest.skip("no C++ compiler on this machine: the fused kernel cannot be built")
    if not cpp_extension.is_ninja_available():
        pytest.skip("no ninja on this machine: torch builds C++ extensions with it only")
    assert fused.enable() == ""
    yield
    fused.enable(False)


@pytest.fixture
def model():
    torch.manual_seed(0)
    tokenizer = WordTokenizer(vocabulary())
    return build(tokenizer.vocab_size), tokenizer


def run(qkv, query, dtype, heads, causal, grad):
    """Output and gradients of the attention at dtype, in float32."""
    inputs = [t.to(dtype, copy=True).requires_grad_() for t in (qkv, query) if t is not None]
    out = fused.attention(inputs[0], heads, causal, None if query is None else inputs[1])
    out.backward(grad.to(dtype))
    return [out.detach().float(), *(t.grad.float() for t in inputs)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "heads", "width", "causal", "queries"),
    [
        (65, 8, 16, False, 0),
        (33, 8, 16, False, 0),
        (1, 2, 16, False, 0),
        (7, 3, 8, False, 0),
        (37, 2, 40, False, 0),
        (48, 2, 64, True, 0),
        (13, 4, 24, True, 0),
        (33, 4, 24, True, 0),
        (65, 8, 16, False, 1),
        (20, 8, 16, False, 3),
    ],
)
def test_the_kernel_equals_the_plain_attention(kernel, n, heads, width, causal, queries):
    generator = torch.Generator().manual_seed(n)
    parts = 2 if queries else 3
    qkv = 2 * torch.randn(3, n, parts * heads * width, generator=generator).bfloat16()
    query = torch.randn(3, queries, heads * width, generator=generator).bfloat16() if queries else None
    grad = torch.randn(3, queries or n, heads * width, generator=generator).bfloat16()
    got = run(qkv, query, torch.bfloat16, heads, causal, grad)
    for a, b in zip(got, run(qkv, query, torch.float32, heads, causal, grad), strict=True):
        torch.testing.assert_close(a, b, rtol=5e-3, atol=5e-3 * b.abs().max().item())  # bf16 rounds at 4e-3


@pytest.mark.slow
def test_huge_scores_stay_finite(kernel):
    qkv = (300 * torch.randn(2, 20, 96, generator=torch.Generator().manual_seed(0))).bfloat16()
    for t in run(qkv, None, torch.bfloat16, 2, False, torch.ones(2, 20, 32)):
        assert t.isfinite().all()


@pytest.mark.slow
def test_the_kernel_keeps_the_gradients_of_the_model(kernel, model):
    params = dict(model[0].named_parameters())
    pixels = torch.randn(8, 3, 64, 64).bfloat16()
    grads = []
    for on, dtype in ((True, torch.bfloat16), (False, torch.bfloat16), (False, torch.float32)):
        fused.enable(on)
        model[0].zero_grad()
        fastclip.encode_image(params, pixels.to(dtype)).square().mean().backward()
        grads.append({k: v.grad.clone() for k, v in params.items() if v.grad is not None})
    kernel_grads, plain, exact = grads
    assert kernel_grads.keys() == exact.keys()
    for name, g in exact.items():  # the kernel is as near to float32 as plain bfloat16 is
        allowed = 1.5 * (plain[name] - g).norm() + 1e-2 * g.norm()
        assert (kernel_grads[name] - g).norm() <= allowed, name


def test_without_a_compiler_the_plain_path_is_used(monkeypatch):
    if hasattr(torch.ops.toolkit_fused, "forward"):  # built by a test before: pretend it was not
        monkeypatch.setattr(torch.ops, "toolkit_fused", object())

    def missing(*_args, **_options):
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(cpp_extension, "load", missing)
    assert "no compiler here" in fused.enable()
    monkeypatch.setattr(fused, "_Fused", None)
    assert fused.attention(torch.randn(2, 5, 96).bfloat16(), 2).shape == (2, 5, 32)


def test_float32_never_takes_the_kernel(monkeypatch):
    monkeypatch.setattr(fused, "_enabled", True)
    monkeypatch.setattr(fused, "_Fused", None)
    assert fused.attention(torch.randn(2, 5, 96), 2).shape == (2, 5, 32)


def test_buckets_do_not_change_text_embeddings(model):
    clip, tokenizer = model
    texts = ["a red bird", "a cat", "two large blue boats on the sea at night"] * 20
    ids = tokenizer(texts)
    with torch.no_grad():
        got = fastclip.encode_text(dict(clip.named_parameters()), ids, torch.float32)
        torch.testing.assert_close(got, clip.encode_text(ids), rtol=1e-4, atol=1e-5)
