"""Head contributions [n, d] as coordinates in their own span: what a head writes has rank k, not d."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TOLERANCE = {"float64": 1e-12, "float32": 1e-6, "float16": 2e-3, "bfloat16": 2e-2}
"""Singular values below this share of the largest are rounding, by the type of the input (methods §2)."""


def row_basis(blocks: Callable[[], Iterator[Array]], tolerance: float) -> Array:
    """[r, d]: an orthonormal basis of the rows of a tall matrix that is seen block by block, r its numerical rank.

    blocks: called twice; gives the matrix [n, d] in blocks of rows. The basis is ordered by singular value.
    """
    basis: Array | None = None
    for block in blocks():
        if basis is None:
            basis = np.zeros((0, block.shape[1]))
        rest = block - (block @ basis.T) @ basis
        rest -= (rest @ basis.T) @ basis  # twice is enough
        largest = np.linalg.norm(block, 2) if len(block) else 0.0
        if np.linalg.norm(rest) <= tolerance * largest:
            continue
        _, s, v = np.linalg.svd(rest, full_matrices=False)
        basis = np.concatenate([basis, v[s > tolerance * largest]])
    assert basis is not None
    gram = np.zeros((len(basis), len(basis)))
    for block in blocks():
        inside = block @ basis.T
        gram += inside.T @ inside
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(-values)
    kept = order[values[order] > max(tolerance, 1e-8) ** 2 * max(values.max(initial=0.0), 0.0)]
    return np.asarray(vectors[:, kept].T @ basis)
