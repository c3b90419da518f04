"""Choosing texts for heads, one after the other: TextSpan and simultaneous orthogonal matching pursuit.

Both need of the images only the covariance of a head in its own basis, so a step costs texts × rank per head instead of
texts × images × d, and gives the picks of the literal algorithm.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.precision import full_precision
from toolkit.core.spans import CHUNK, SpanBasis
from toolkit.core.threads import Threads, one_blas_thread
from toolkit.signs import both, sign

Method = Literal["greedy", "somp"]
METHODS: tuple[Method, ...] = ("greedy", "somp")
Array = NDArray[np.float64]
Chain = tuple[NDArray[np.int64], Array, Array]
TOGETHER = 6
"""Heads that go in step on one thread: fewer, and calls cost more than arithmetic; more, and texts leave the cache."""
SHRINK = 20
"""Steps after which texts are moved to a smaller basis."""
ROUNDING = 32 * 2.0**-24
"""What float32 may lose in a score, as a share of the numbers that went into it; generous."""
RIVALS = 256
"""Near-ties that are computed anew one by one; where there are more, everything is."""
NEAR = 1e-12
"""The same where the scan itself runs in float64: running scores have lost digits."""
TOP = 16
"""How many near-ties are computed anew on a GPU, where all heads go in step."""


@dataclass(frozen=True, eq=False)
class Picks:
    """index [n, m]: the text chosen at each step, −1 where there was none left. std [n, m]: the standard deviation that
    chose it (nan past the end). explained [n, m]: share of the head's variance that the texts so far explain.
    """

    index: NDArray[np.int64]
    std: Array
    explained: Array


def first_of_equals(texts: Tensor) -> NDArray[np.bool_]:
    """[t]: False for a text with exactly the vector of an earlier one, which therefore can never be picked."""
    rows = np.ascontiguousarray(_array(texts))
    as_bytes = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    found = np.zeros(len(rows), bool)
    found[np.unique(as_bytes, return_index=True)[1]] = True
    return found


def _array(texts: Tensor) -> NDArray[Any]:
    kept = texts.detach().cpu()
    return np.asarray((kept if kept.dtype in (torch.float32, torch.float64) else kept.float()).numpy())


@full_precision
def pursue(
    basis: SpanBasis,
    texts: Tensor,
    size: int,
    method: Method = "greedy",
    check: Callable[[int, int], None] = lambda done, of: None,
) -> Picks:
    """`size` texts for every head of a basis.

    texts [t, d]. method: "greedy" (G24 alg. 1: deflate by the chosen text *within the head's span*) or "somp" (least
    squares on the chosen texts themselves; Tropp et al. 2006). check: called with (heads done, of) now and then; what
    it raises ends the work.
    """
    allowed = first_of_equals(texts)
    found: list[Picks] = []
    with sign("choose texts", "head") as report:
        for at, some in basis.blocks(len(texts)):
            inside = partial(_report, both(report, check), at.start, len(basis))
            inside(0)
            scan = torch.float64 if basis.vectors.is_cuda else torch.float32
            projected = some.project(texts, scan) if method == "greedy" else None
            found.append(chosen(some, projected, texts, size, method, allowed, inside))
    return Picks(*(np.concatenate([getattr(p, name) for p in found]) for name in ("index", "std", "explained")))


def _report(check: Callable[[int, int], None], before: int, of: int, done: int) -> None:
    check(before + done, of)


@full_precision
def chosen(
    basis: SpanBasis,
    projected: Tensor | None,
    texts: Tensor,
    size: int,
    method: Method = "greedy",
    allowed: NDArray[np.bool_] | None = None,
    check: Callable[[int], None] = lambda done: None,
) -> Picks:
    """As `pursue`, for texts already projected [n, r, t] (which only "greedy" needs), float64 or float32."""
    allowed = first_of_equals(texts) if allowed is None else allowed
    # on a scale of their own, so that neither tiny nor huge contributions leave the range of float32
    variance = basis.variance
    unit = torch.where(variance > 0, variance, 1.0)
    basis = replace(basis, covariance=basis.covariance / unit[:, None, None])
    if projected is not None and projected.device.type == "cuda":
        index, std, gain = greedy_in_step(projected, basis.covariance, basis.ranks, size, allowed, basis.tolerance)
    else:
        index, std, gain = _in_threads(basis, projected, texts, size, method, allowed, check)
    explained = np.where(index >= 0, np.cumsum(np.nan_to_num(gain), 1), np.nan)
    return Picks(index, std * np.sqrt(unit.cpu().numpy())[:, None], np.minimum(explained, 1.0))


def _in_threads(
    basis: SpanBasis, projected: Tensor | None, texts: Tensor, size: int, method: Method, allowed: NDArray[np.bool_],
    check: Callable[[int], None],
) -> Chain:  # fmt: skip
    n = len(basis)
    words, step = _array(texts), TOGETHER if method == "greedy" else 1
    longest = math.sqrt(float(np.einsum("td,td->t", words, words).max(initial=0.0)))

    def some(start: int) -> Chain:
        at = slice(start, start + step)
        if method == "greedy":
            assert projected is not None
            seen = projected[at].numpy()
            return greedy(seen, words, vectors[at], covariance[at], ranks[at], allowed, size, basis.tolerance, longest)
        return somp(words, vectors[start], covariance[start], allowed, size, basis.tolerance)

    vectors, covariance, ranks = (x.cpu().numpy() for x in (basis.vectors, basis.covariance, basis.ranks))
    workers, found = os.cpu_count() or 1, list[Chain]()
    with one_blas_thread(), Threads(workers, thread_name_prefix="textspan") as pool:
        starts = range(0, n, step)
        for first in range(0, len(starts), 16 * workers):
            check(starts[first])
            found += pool.results(some, starts[first : first + 16 * workers])
    index, std, gain = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return index, std, gain


def greedy(
    seen: NDArray[Any], words: NDArray[Any], vectors: Array, sigma: Array, ranks: NDArray[np.int64],
    allowed: NDArray[np.bool_], size: int, tolerance: float, longest: float,
) -> Chain:  # fmt: skip
    """TextSpan of a few heads in step: text, standard deviation, share of variance it explains [n, size].

    seen [n, r, t]: the texts words [t, d] in the heads' bases vectors [n, d, r]; sigma [n, r, r]. A text's score is
    v = Rᵀ Σ' R, Σ' = Σ with the chosen directions projected out on both sides; after choosing the direction u,
    v ← v − (R·u) (R·(2 Σ'u − (uᵀΣ'u) u)) (methods §2). The scan over all texts runs in float32 and keeps a bound on
    its error; whatever comes within it of the best is computed anew in float64 from the texts themselves, so that the
    picks are those of float64 throughout. longest: the norm of the longest text.
    """
    n, r, t = seen.shape
    rows, fast, frame = np.arange(n), seen.astype(np.float32, copy=False), np.broadcast_to(np.eye(r), (n, r, r))
    v = np.stack([np.einsum("rt,rt->t", x, s @ x) for x, s in zip(fast, sigma.astype(np.float32), strict=True)])
    v[:, ~allowed] = -np.inf
    reach = np.sqrt([np.einsum("rt,rt->t", x, x).max(initial=0.0) for x in fast])
    reach *= np.maximum(reach, longest / 4)  # a projection is as wrong as its text is long
    bound = ROUNDING * reach * np.sqrt((sigma**2).sum((1, 2)))
    directions, least = np.zeros((n, size, r)), np.zeros(n)
    index, scores, gain = np.full((n, size), -1), np.zeros((n, size)), np.zeros((n, size))
    live, exact = np.ones(n, bool), seen.dtype == np.float64
    pair, both = np.empty((n, 2, r)), np.empty((n, 2, t), np.float32)
    for step in range(min(size, r)):  # every call counts: with thousands of texts a step takes a tenth of a millisecond
        before = directions[:, :step]
        j = v.argmax(1)
        top = v[rows, j]
        v[rows, j] = -np.inf
        x = seen[rows, :, j] if exact else (words[j].astype(np.float64)[:, None] @ vectors)[:, 0]
        x -= _inside(x, before)
        x -= _inside(x, before)  # twice is enough
        close = live & ((v[rows, v.argmax(1)] >= top - 2 * bound) | (top <= 2 * bound))
        for i in np.flatnonzero(close) if close.any() else ():
            v[i, j[i]] = top[i]
            j[i], x[i], bound[i] = _nearest(words, vectors[i], sigma[i], v[i], before[i], bound[i])
            v[i, j[i]] = -np.inf
        y = (x[:, None] @ sigma)[:, 0]
        score, square = np.einsum("nr,nr->n", x, y), np.einsum("nr,nr->n", x, x)
        live = live & (score > least) & (step < ranks) & (top > -np.inf)
        if not live.any():
            break
        if not step:
            least = tolerance**2 * score
        square[~live] = np.inf
        index[live, step], scores[:, step] = j[live], score
        gain[:, step] = explained = score / square
        norm = np.sqrt(square)[:, None]
        u = x / norm
        y -= _inside(y, before)
        w = (2 / norm) * y - explained[:, None] * u
        directions[:, step], pair[:, 0], pair[:, 1] = u, u, w
        if step % SHRINK == 0 < step < size - SHRINK // 2:
            frame, fast = _shrunk(directions[:, :step], frame, fast)
        bound += ROUNDING * (reach * np.sqrt(np.einsum("nr,nr->n", w, w)) + np.abs(top, where=live, out=np.zeros(n)))
        np.matmul((pair @ frame).astype(np.float32), fast, out=both)
        change = both[:, 1]
        change *= both[:, 0]
        v -= change
    picked = index >= 0
    return index, np.where(picked, np.sqrt(np.maximum(scores, 0)), np.nan), np.where(picked, gain, np.nan)


def _shrunk(directions: Array, frame: Array, fast: NDArray[np.float32]) -> tuple[Array, NDArray[np.float32]]:
    """A basis of what is left beside the directions [n, m, r] as columns [n, r, r − m], and the texts in it: what has
    been projected out need not be multiplied any more. frame, fast: the same as it was.
    """
    left = np.linalg.qr(directions.transpose(0, 2, 1), mode="complete")[0][:, :, directions.shape[1] :]
    return left, (left.transpose(0, 2, 1) @ frame).astype(np.float32) @ fast


def _inside(x: Array, directions: Array) -> Array:
    """The share of x [n, r] in orthonormal directions [n, m, r]."""
    return np.asarray(((x[:, None] @ directions.transpose(0, 2, 1)) @ directions)[:, 0])


def _without(x: Array, directions: Array) -> Array:
    """x [r] or [n, r] without its share in orthonormal directions [m, r]; twice, which is enough."""
    x = x - (x @ directions.T) @ directions
    x -= (x @ directions.T) @ directions
    return x


def _nearest(
    words: NDArray[Any], vectors: Array, sigma: Array, v: NDArray[np.float32], before: Array, bound: float
) -> tuple[int, Array, float]:
    """The best of one head's texts whose scores are too close for float32, the first of equals; what is left of it
    beside the directions chosen; and the error bound from now on. Where too many are close, all are computed anew.
    """
    rivals = np.flatnonzero(v >= v.max() - 2 * bound)
    if not (few := len(rivals) <= RIVALS):
        rivals = np.flatnonzero(v > -np.inf)
    starts = range(0, len(rivals), CHUNK)
    texts = np.concatenate([words[rivals[s : s + CHUNK]].astype(np.float64) @ vectors for s in starts])
    texts = _without(texts, before)
    scores = _scores(texts, sigma)
    best = int(scores.argmax())
    if not few:
        v[rivals], bound = scores, ROUNDING * float(scores[best])
    return int(rivals[best]), texts[best], bound


def _scores(x: Array, sigma: Array) -> Array:
    return np.asarray(np.einsum("tr,tr->t", x, x @ sigma))


def somp(
    words: NDArray[Any], vectors: Array, sigma: Array, allowed: NDArray[np.bool_], size: int, tolerance: float
) -> Chain:
    """Simultaneous orthogonal matching pursuit of one head: the text whose product with the residual varies most, then
    a least-squares fit of all contributions on the texts so far (unit vectors in all of d, not only the head's span).

    words [t, d], vectors [d, r], sigma [r, r]. With w the new text's direction among the chosen ones and b = Vᵀw, a
    text's residual in the span loses (w·R) b.
    """
    starts = range(0, len(words), CHUNK)
    texts = np.concatenate([words[s : s + CHUNK].astype(np.float64) @ vectors for s in starts])
    v = _scores(texts, sigma)
    v[~allowed] = -np.inf
    least = tolerance**2 * float(v.max(initial=0.0))
    alongs, inside, outside = np.empty((size, len(v))), np.empty((size, len(sigma))), np.empty((size, len(vectors)))
    index, std, explained = np.full((1, size), -1), np.full((1, size), np.nan), np.full((1, size), np.nan)
    for step in range(min(size, len(v))):
        j = int(v.argmax())
        w = _without(words[j].astype(np.float64), outside[:step])
        norm = float(np.linalg.norm(w))
        z = texts[j] - alongs[:step, j] @ inside[:step]
        score = float(z @ sigma @ z) if math.isfinite(v[j]) else 0.0
        if not score > least or norm < 1e-9:
            break
        w /= norm
        b = w @ vectors
        y = sigma @ b
        a = np.concatenate([words[s : s + CHUNK].astype(np.float64) @ w for s in starts])
        cross, gain = texts @ y - (inside[:step] @ y) @ alongs[:step], float(b @ y)
        index[0, step], std[0, step], explained[0, step] = j, math.sqrt(score), gain
        v -= a * (2 * cross - a * gain)
        v[j] = -np.inf
        alongs[step], inside[step], outside[step] = a, b, w
    return index, std, explained


def greedy_in_step(
    texts: Tensor, covariance: Tensor, ranks: Tensor, size: int, allowed: NDArray[np.bool_], tolerance: float
) -> Chain:
    """`greedy` of n heads in step, for a GPU: texts [n, r, t], covariance [n, r, r] → index, std, gain [n, size]."""
    n, r, _ = texts.shape
    sigma = covariance.clone()
    v = (texts * (sigma @ texts)).sum(1)
    v[:, ~torch.as_tensor(allowed, device=v.device)] = -torch.inf
    first = v.amax(1).clamp(min=0)
    directions = texts.new_zeros(n, size, r)
    index = torch.full((n, size), -1, device=v.device)
    std, gain = (torch.full((n, size), torch.nan, dtype=texts.dtype, device=v.device) for _ in range(2))
    live = torch.ones(n, dtype=torch.bool, device=v.device)
    rows = torch.arange(n, device=v.device)
    for step in range(size):
        top, at = v.topk(min(TOP, v.shape[1]), dim=1)
        at, order = at.sort(1)  # the first of equals
        top = top.gather(1, order)
        x = texts.gather(2, at[:, None].expand(-1, r, -1))
        for _ in range(2):
            x = x - directions.mT @ (directions @ x)
        scores = (x * (sigma @ x)).sum(1)
        scores[top < top.amax(1, keepdim=True) - NEAR * first[:, None]] = -torch.inf
        score, best = scores.max(1)
        j, x = at[rows, best], x[rows, :, best]
        live &= (score > tolerance**2 * first) & (step < ranks)
        u = torch.nn.functional.normalize(x, dim=1) * live[:, None]
        y = torch.einsum("nrs,ns->nr", sigma, u)
        e = (u * y).sum(1)
        index[live, step], std[live, step], gain[live, step] = j[live], score[live].sqrt(), e[live]
        directions[:, step] = u
        a, b = (torch.stack([u, y], 1) @ texts).unbind(1)
        v -= a * (2 * b - a * e[:, None])
        v[rows, j] = -torch.inf
        uy = u[:, :, None] * y[:, None]
        sigma = sigma - uy - uy.mT + e[:, None, None] * u[:, :, None] * u[:, None]
    return index.cpu().numpy(), std.cpu().numpy(), gain.cpu().numpy()
