"""`tk.keywords`: which texts mark the mistakes of a class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.checks import whole
from toolkit.api.images.judged import Judged, judged
from toolkit.api.images.kept import layers_of
from toolkit.api.keywords.pool import pool_of
from toolkit.api.keywords.result import LEAST, KeywordScores, pair_direction
from toolkit.api.words.spans import settings_of
from toolkit.core.association import discovery_rates
from toolkit.core.keywords import EXACT as FEW_SPLITS
from toolkit.core.keywords import (
    SPLITS,
    CellMoments,
    RightWithout,
    Scored,
    Shuffled,
    as_good,
    folded,
    scored,
    split_count,
    splits,
    without_direction,
)  # fmt: skip
from toolkit.core.moments import head_numbers
from toolkit.core.precision import full_precision
from toolkit.errors import InputError
from toolkit.signs import counted

ROWS = 4096
"""Images whose cosines with all texts are worked out together."""
WIDE = 20_000_000
"""Cosines up to which the permutation test is in double precision."""
TOGETHER = 256
"""Texts whose nearest images are looked for together."""
NEAR = 0.9
"""The cosine from which a text repeats another."""
LIKELY = 0.05
"""The p of Welch's test up to which a text marks wrong images of another class too."""


@full_precision
def keywords(
    acts: Any, classes: Any, of: Any = None, *, true: str | None = None, predicted: str | None = None,
    captions: Any = None, guess: Any = None, template: str = "{}", share: float = 0.2, draws: int = 10_000,
    seed: int = 0,
) -> KeywordScores:  # fmt: skip
    """Texts by how much nearer they are to the wrong images of a class than to its right ones (Kim et al. 2024, B2T).

    A text's score is 100 × (mean cosine with the wrong images − mean cosine with the right ones). Where the model's own
    cosines find the words for its own mistakes, that is circular: a text may score high because it is near the
    predicted class. So every score stands beside that of the text without the direction of the pair. As cosines are
    linear in what heads write, a score is a sum over heads: `.split(text)`.

    Arguments:
        acts: parts of labelled images (`Acts`).
        classes: told apart (`tk.classes`).
        of: keywords: a bank, what `tk.bank` takes, or a list of words; default, without captions, the bank of
            `tk.textspan`.
        true: the class whose mistakes are looked at; default the one with most.
        predicted: only mistakes for this class; default all.
        captions: of the images, in place of a bank: a mapping from ids, a table or the path of a file with columns id
            and caption. Keywords are then their phrases (up to three words, in at least two captions of wrong images),
            the 200 of the highest log odds; default none.
        guess: predictions of another method or model, class indices [b], whose mistakes are looked at; default the
            model's own.
        template: into which a keyword is put, with {} for it; default "{}".
        share: of the class's images that have a text: those with the largest cosines; default 0.2. With captions, those
            whose caption has it.
        draws: random splits of the permutation test, at least 100 (fewer than 10,000 splits in all are counted one by
            one); default 10,000.
        seed: of them; default 0.

    Returns:
        `KeywordScores`: .table, .split(text), .images(text), .as_prompts(), .as_pair(), .as_groups(acts).

    Raises:
        InputError: where no image of the class is wrong, or none is right; for captions without ids or of other images,
            texts none of which the model knows, and guesses that do not fit.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=300, kind="birds"), progress=False)
    >>> birds = tk.classes(["waterbird", "landbird"])
    >>> found = tk.keywords(acts, birds, ["a water background", "a land background"], true="landbird", draws=200)
    >>> found.table["text"].tolist()
    ['a water background', 'a land background']
    """
    draws, seed = whole("draws", draws, 100, "keywords"), whole("seed", seed, 0, "keywords")
    if isinstance(share, bool) or not 0 < share < 1:
        raise InputError("keywords", f"share={share!r}", "a share above 0 and below 1", "write share=0.2")
    images = judged(acts, classes, "keywords")
    answers = images.guess.numpy() if guess is None else _guesses(guess, acts, images)
    sets = _sets(images, answers, true, predicted)
    pool = pool_of(images.acts, of, captions, template, sets.wrong, sets.right)
    vectors = pool.vectors.cpu().double()
    cells = _cells(images, answers, sets)
    moments = CellMoments.of(_cosines(images.embedding, vectors), torch.from_numpy(cells), int(cells.max()) + 1)
    raw = scored(moments, 2 * sets.y, 2 * sets.y + 1)
    rows = np.concatenate([sets.wrong, sets.right])
    own = images.embedding[torch.from_numpy(rows)].double()
    rest, left = without_direction(vectors, pair_direction(images.texts.cpu(), sets.y, sets.other))
    among = np.r_[np.zeros(len(sets.wrong), np.int64), np.ones(len(sets.right), np.int64)]
    residual = scored(CellMoments.of(_cosines(own, rest), torch.from_numpy(among), 2), 0, 1)
    p, count = _permuted(own, vectors, len(sets.wrong), len(sets.right), draws, seed)
    order = np.argsort(-raw.score, kind="stable")
    is_right = np.r_[np.zeros(len(sets.wrong), bool), np.ones(len(sets.right), bool)]
    if pool.there is None or pool.told is None:
        presence = RightWithout.of(_nearest(own, vectors, share), is_right)
    else:
        presence = RightWithout.of(pool.there[rows][pool.told[rows]], is_right[pool.told[rows]])
    ids = images.acts.ids.astype(str)
    every = layers_of(images.acts, None, "keywords")
    names = images.classes.names
    return KeywordScores(
        names[sets.y], names[sets.other], pool.texts, raw, residual, left.numpy(), p, discovery_rates(p),
        _flags(moments, raw, sets.y, len(names)), folded(vectors, order, NEAR), presence, pool.odds,
        tuple(ids[sets.wrong]), tuple(ids[sets.right]), guess is None, count,
        settings_of(images.acts, pool.bank, seed=seed, draws=draws, share=share, template=template),
        vectors, own, _shift(images, sets, every), every, (*pool.notes, *sets.notes), images.acts.live is not None,
    )  # fmt: skip


@dataclass(frozen=True)
class _Sets:
    """Positions of wrong and right images of a class, and the pair they are of."""

    y: int
    other: int
    wrong: NDArray[np.int64]
    right: NDArray[np.int64]
    notes: tuple[str, ...]


def _guesses(given: Any, acts: Any, images: Judged) -> NDArray[np.int64]:
    """Predictions of the images with a label among the classes."""
    found = np.asarray(given)
    if found.shape != (len(acts),) or found.dtype.kind not in "iu":
        what = f"guess of type {found.dtype} and shape {found.shape}"
        raise InputError("keywords", what, f"{len(acts)} class indices, one per image", "scores.argmax(1)")
    if len(found) and (found.min() < 0 or found.max() >= len(images.classes)):
        given = f"guess with {int(found.min())} … {int(found.max())}"
        raise InputError("keywords", given, f"class indices 0 … {len(images.classes) - 1}", "index this class set")
    kept = np.isin(acts.ids.astype(str), images.acts.ids.astype(str))
    return found[kept].astype(np.int64)


def _sets(images: Judged, guess: NDArray[np.int64], true: str | None, predicted: str | None) -> _Sets:
    truth, names = images.truth.numpy(), images.classes.names
    wrong = truth != guess
    if true is None:
        counts = np.bincount(truth[wrong], minlength=len(names))
        if not counts.any():
            raise InputError(
                "keywords", f"{len(images)} images, all right", "some wrong ones", "there is nothing to do"
            )
        y = int(counts.argmax())
    else:
        y = images.classes.index(true)
    taken = np.bincount(guess[wrong & (truth == y)], minlength=len(names))
    if predicted is not None:
        other = images.classes.index(predicted)
        if other == y:
            given = f"true and predicted both {names[y]!r}"
            raise InputError("keywords", given, "two classes", "name another one")
        wrong = wrong & (guess == other)
    else:
        other = int(taken.argmax())
    at_fault = np.flatnonzero(wrong & (truth == y))
    right = np.flatnonzero((truth == y) & (guess == y))
    if not len(at_fault) or not len(right):
        lacks = "wrong" if not len(at_fault) else "right"
        of = f" taken for {predicted!r}" if predicted is not None and lacks == "wrong" else ""
        given = f"{int((truth == y).sum())} images of {names[y]!r}, none {lacks}{of}"
        raise InputError("keywords", given, "wrong and right ones to compare", "name another class, or more images")
    images.check_pair((names[y], names[other]), "keywords")
    few = f"{len(at_fault)} wrong images of {names[y]!r}: below {LEAST}, keywords are a hint at most"
    return _Sets(y, other, at_fault, right, (few,) if len(at_fault) < LEAST else ())


def _cells(images: Judged, guess: NDArray[np.int64], sets: _Sets) -> NDArray[np.int64]:
    """[b]: twice the class, and one more for right images; a last cell for wrong ones that were not asked for."""
    truth = images.truth.numpy()
    cells = 2 * truth + (truth == guess)
    skipped = (cells == 2 * sets.y) & ~np.isin(np.arange(len(truth)), sets.wrong)
    return np.where(skipped, 2 * len(images.classes), cells)


def _cosines(embedding: Tensor, vectors: Tensor) -> Iterator[Tensor]:
    """[b, a]: some images at a time, in the embedding's own precision."""
    texts = vectors.to(embedding)
    for some in counted(embedding.split(ROWS), "score the keywords", "part"):
        yield some @ texts.T


def _permuted(own: Tensor, vectors: Tensor, n1: int, n0: int, draws: int, seed: int) -> tuple[NDArray[np.float64], int]:
    """p [a] of the permutation test, and of how many splits. own [b, d]: the images, those of the first set first."""
    kind = torch.float64 if len(own) * len(vectors) <= WIDE else torch.float32
    shuffled = Shuffled.of((own.to(kind) @ vectors.to(kind).T).numpy(), n1)
    exact = split_count(n1, n0) < FEW_SPLITS
    count = split_count(n1, n0) if exact else draws
    parts = -(-count // SPLITS)
    hits = np.zeros(len(vectors), np.int64)
    for chosen in counted(splits(n1, n0, draws, seed), "shuffle right and wrong", "part", parts):
        hits += as_good(chosen, shuffled)
    return (hits / count if exact else (1 + hits) / (1 + count)), count


def _nearest(own: Tensor, vectors: Tensor, share: float) -> NDArray[np.bool_]:
    """[b, a]: whether an image is among the share with the largest cosines."""
    b = len(own)
    count = min(max(1, round(share * b)), b - 1)
    there = torch.zeros(b, len(vectors), dtype=torch.bool)
    for start in range(0, len(vectors), TOGETHER):
        cosines = own @ vectors[start : start + TOGETHER].T
        there[:, start : start + TOGETHER].scatter_(0, cosines.topk(count, dim=0).indices, True)
    return np.asarray(there.numpy())


def _flags(moments: CellMoments, raw: Scored, y: int, classes: int) -> tuple[str, ...]:
    """Whether a text marks wrong images of the class alone or of several classes."""
    several = np.zeros(len(raw.score), bool)
    for other in range(classes):
        enough = min(moments.n[2 * other : 2 * other + 2], default=0) >= 2 if len(moments.n) > 2 * other + 1 else False
        if other == y or not enough:
            continue
        theirs = scored(moments, 2 * other, 2 * other + 1)
        several |= (theirs.score > 0) & (theirs.p <= LIKELY)
    return tuple("" if s <= 0 else "M" if more else "S" for s, more in zip(raw.score, several, strict=True))


def _shift(images: Judged, sets: _Sets, layers: tuple[int, ...]) -> Tensor:
    """[l, h, d]: the mean of what every head writes for the wrong images less that for the right ones."""
    places = list(layers)
    maps = images.acts.head_maps[places].cpu().double()
    weight = np.zeros(len(images))
    weight[sets.wrong] = 1 / len(sets.wrong)
    weight[sets.right] = -1 / len(sets.right)
    rows = np.flatnonzero(weight)
    total: Tensor | None = None
    start = 0
    some = images.acts.take(rows.tolist())
    for state in some.states(layers):
        q = head_numbers(state).cpu()
        w = torch.from_numpy(weight[rows[start : start + len(q)]])
        start += len(q)
        part = torch.einsum("b,blhk->lhk", w, q)
        total = part if total is None else total + part
    assert total is not None
    return torch.einsum("lhk,lhkd->lhd", total, maps)
