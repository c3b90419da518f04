"""TextSpan as the paper words it, on one head's contributions [images, d]: what the fast code is compared with."""

from __future__ import annotations

import numpy as np


def literal(c, texts, size, tolerance=1e-6):
    """G24 alg. 1 as written, on one head's contributions c [images, d]: index, std, explained variance per step."""
    c, texts = c.astype(np.float64), texts.astype(np.float64)
    _, s, v = np.linalg.svd(c, full_matrices=False)
    v = v[s > tolerance * s[0]]
    r = texts @ v.T @ v
    c = c - c.mean(0)
    whole, found = c @ v.T @ v, []
    for _ in range(min(size, len(v))):
        std = (c @ r.T).std(0, ddof=1)
        j = int(std.argmax())
        t = r[j] / np.linalg.norm(r[j])
        c, r = c - np.outer(c @ t, t), r - np.outer(r @ t, t)
        left = (whole**2).sum() - ((c @ v.T) ** 2).sum()
        found.append((j, std[j], left / (whole**2).sum()))
    return found


def literal_inside(c, texts, size):
    """`literal` written in the head's span, where it takes a tenth of the time: positions only."""
    _, s, v = np.linalg.svd(c, full_matrices=False)
    v = v[s > 1e-6 * s[0]]
    r, c, found = texts @ v.T, c @ v.T, []
    c = c - c.mean(0)
    for _ in range(min(size, len(v))):
        j = int((c @ r.T).std(0, ddof=1).argmax())
        t = r[j] / np.linalg.norm(r[j])
        c, r = c - np.outer(c @ t, t), r - np.outer(r @ t, t)
        found.append(j)
    return found
