"""How many images fit: from two small measurements."""

from __future__ import annotations

from types import SimpleNamespace

import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import toolkit as tk
from toolkit.models.batch import CPU_BATCH, CPU_LEAST, MOST, SHARE, best_batch, fitting


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(0, 10**12))
def test_the_batch_found_fits_and_twice_as_many_would_not(fixed, each, free):
    found = fitting(lambda n: fixed + n * each, free)
    assert 1 <= found <= MOST
    assert found & (found - 1) == 0
    if found > 1:
        assert fixed + found * each <= SHARE * free * (1 + 1e-9) + 1
    if found < MOST:
        assert fixed + 2 * found * each >= SHARE * free * (1 - 1e-9) - 1 or found == 1


def test_a_device_that_frees_memory_between_batches_does_not_break_it():
    assert fitting(lambda n: 1000 - n, 10**9) == MOST


def test_without_a_gpu_it_is_what_takes_a_few_seconds():
    assert best_batch(tk.load()) == CPU_BATCH
    with torch.device("meta"):
        large = open_clip.CLIP(**open_clip.get_model_config("ViT-L-14"))
    model = SimpleNamespace(device=torch.device("cpu"), clip=large, card=SimpleNamespace(grid=(16, 16), prefix=1))
    assert best_batch(model) == CPU_LEAST
    model.card.grid = (4, 4)
    assert CPU_LEAST < best_batch(model) < CPU_BATCH


@pytest.mark.cuda
def test_on_a_gpu_the_batch_found_runs_and_gives_the_same():
    model = tk.load(device="cuda")
    found = best_batch(model)
    images = torch.randn(min(found, 256), 3, *model.card.image_size)
    on_gpu = model.trace(images.pin_memory()).output.cpu()
    torch.testing.assert_close(on_gpu, tk.load().trace(images).output, rtol=1e-3, atol=1e-3)
