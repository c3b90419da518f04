"""The span of a head: its rank, whatever the blocks it comes in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core.rank import TOLERANCE, row_basis


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 6), st.integers(1, 40), st.integers(1, 20), st.integers(1, 50), st.integers(0, 2**20))
def test_rank_and_span_of_a_random_matrix(rank, n, d, step, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d))
    basis = row_basis(lambda: (x[i : i + step] for i in range(0, n, step)), 1e-10)
    assert len(basis) == min(rank, n, d)
    np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-9)
    np.testing.assert_allclose(x @ basis.T @ basis, x, atol=1e-8 * max(1, np.abs(x).max()))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_rounding_of_the_input_is_no_rank(dtype):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(500, 5)) @ rng.normal(size=(5, 64)) / 10).astype(dtype).astype(np.float64)
    assert len(row_basis(lambda: (x[i : i + 64] for i in range(0, 500, 64)), TOLERANCE[dtype])) == 5


def test_a_direction_that_comes_late_is_kept():
    x = np.zeros((100, 10))
    x[:, 0] = 1
    x[99, 7] = 0.1
    assert len(row_basis(lambda: (x[i : i + 10] for i in range(0, 100, 10)), 1e-6)) == 2
