"""Head sets that depend less on which images were drawn: kept by most halves of the images, or best out of the folds
that found them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.api.checks import Check, quiet
from toolkit.api.locate.evidence import LocateEvidence, Pair
from toolkit.core.choice import Head, Judge, best_prefix
from toolkit.core.effects import SIGN
from toolkit.core.subsamples import folds, halves, named_by_each, wrongly_kept
from toolkit.data.counts import many
from toolkit.errors import InputError
from toolkit.signs import counted

Array = NDArray[np.float64]
SUBSAMPLES = 100
SHARE = 0.9
"""Of the subsamples that must name a head for it to be kept."""
NOTHING = 0.2
"""Share of subsamples without a mistake above which nothing is said."""
FOLDS, TIMES = 5, 4
OWN = ("A", "−B", "C", "−D")


@dataclass(frozen=True)
class Ranked:
    """A ranked list of heads: positions (row, head), the guiltiest first by a score, of the mistakes of these pairs."""

    score: str
    pairs: tuple[Pair, ...]
    heads: list[Head]


@dataclass(frozen=True)
class Steady:
    """heads: the set, positions (row, head). why: in one line."""

    heads: tuple[Head, ...]
    why: str


def stable(source: LocateEvidence, pairs: Sequence[Pair], name: str, check: Check = quiet) -> Steady:
    """The heads that nine of ten random halves of the images name among their first few, by one score.

    pairs: whose mistakes are pooled. name: of OWN. Raises InputError where more than a fifth of the halves hold no
    mistake: they name nothing.
    """
    drawn = halves(source.images.truth, SUBSAMPLES, source.seed)
    index = _index(name)
    every, wrong = _pooled(source, pairs, drawn, check)
    tables = every[:, index]
    known = np.isfinite(tables).any((1, 2)) & (wrong > 0)
    empty = int((~known).sum())
    if empty > NOTHING * SUBSAMPLES:
        given = f"mistakes so few that {empty} of {SUBSAMPLES} halves of the images hold none that {name} is there for"
        accepted = f"a mistake in at least {1 - NOTHING:.0%} of them"
        fix = 'take more images a class, or choose by="utility", or with validation images'
        raise InputError("scores.choose", given, accepted, fix)
    shape = tables.shape[1:]
    candidates = int(np.prod(shape))
    named = named_by_each(candidates, SHARE)
    order = np.argsort(-np.nan_to_num(tables.reshape(SUBSAMPLES, -1), nan=-np.inf), axis=1, kind="stable")[:, :named]
    counts = np.bincount(order[known].ravel(), minlength=candidates) / SUBSAMPLES
    kept = [i for i in np.argsort(-counts, kind="stable").tolist() if counts[i] >= SHARE]
    heads = tuple((i // shape[1], i % shape[1]) for i in kept)
    bound = wrongly_kept(named, candidates, SHARE)
    why = (
        f"{many(len(heads), 'head')} that at least {SHARE:.0%} of {SUBSAMPLES} halves of the images name among their"
        f" first {named} of {candidates} by {name}; at most {bound:.2g} of them expected by chance (stability"
        " selection)."
    )
    if empty:
        why += f" Of the halves {empty} without such a mistake name nothing."
    return Steady(heads, why)


def cross_validated(
    source: LocateEvidence, judge: Judge, lists: Mapping[str, Ranked], top: int, guard: bool, check: Check = quiet
) -> Steady:
    """The prefix whose length and score serve best images that had no part in ranking its heads.

    lists: of all images, by name; what is chosen is a prefix of one of them. In every fold the heads are ranked by the
    other folds, and U is taken over the fold itself.
    """
    partitions = folds(source.images.truth, FOLDS, TIMES, source.seed)
    training = torch.stack([(own != fold).float() for own in partitions for fold in range(FOLDS)])
    parts = [judge.part((own == fold).nonzero()[:, 0]) for own in partitions for fold in range(FOLDS)]
    curves = dict[str, list[float]]()
    indices = {name: _index(ranked.score) for name, ranked in lists.items()}
    made = dict[tuple[Pair, ...], tuple[Array, Array]]()
    for name in counted(lists, "rank the heads by folds", "list", len(lists)):
        asked = lists[name].pairs
        if asked not in made:
            made[asked] = _pooled(source, asked, training, check)
        every, wrong = made[asked]
        tables = every[:, indices[name]]
        known = np.isfinite(tables).any((1, 2)) & (wrong > 0)
        if (~known).mean() > NOTHING:
            continue
        judged = [(part, table) for part, table, n in zip(parts, tables, known, strict=True) if n and len(part.truth)]
        found = [_curve(part, table, top) for part, table in judged]
        sizes = [len(part.truth) for part, _ in judged]
        longest = min(len(curve) for curve in found)
        curves[name] = np.average([curve[:longest] for curve in found], axis=0, weights=sizes).tolist()
    if not curves:
        given = f"mistakes so few that more than {NOTHING:.0%} of the folds leave none to rank heads by"
        raise InputError("scores.choose", given, "a mistake in most of them", 'take more images, or by="utility"')
    name, length = best_prefix(curves, guard)
    base = next(iter(curves.values()))[0]
    if not length:
        return Steady((), f"No set: on the folds left out, no prefix beats U = {base:.4f} with nothing off.")
    heads = tuple(lists[name].heads[:length])
    first = "head" if length == 1 else f"{length} heads"
    why = (
        f"The first {first} of list {name}: ranked by {FOLDS - 1} of {FOLDS} folds of the images ({TIMES} times), as"
        f" many have the largest U on the fold left out: {curves[name][length]:.4f} ({base:.4f} with nothing off)."
    )
    return Steady(heads, why)


def _curve(judge: Judge, table: Array, top: int) -> list[float]:
    """U over some images with the first 0, 1, 2, … heads of a table off."""
    order = np.argsort(-np.nan_to_num(table, nan=-np.inf), axis=None, kind="stable")[:top].tolist()
    return judge.values([(i // table.shape[1], i % table.shape[1]) for i in order], "utility")


def _pooled(source: LocateEvidence, pairs: Sequence[Pair], weights: torch.Tensor, check: Check) -> tuple[Array, Array]:
    """[s, 4, l, h]: badness by A, −B, C, −D in samples of the images, pooled over pairs by their mistakes in each; [s]:
    how many mistakes each holds.
    """
    signs = np.array(SIGN, np.float64)[:, None, None]
    total, share, wrong = np.zeros(()), np.zeros(()), np.zeros(len(weights))
    for pair in counted(pairs, "score the heads in parts of the images", "pair"):
        table = signs * source.weighted(pair, weights, check)
        size = weights[:, source.sets(pair).wrong].sum(1).double().numpy()
        known = np.isfinite(table)
        total = total + np.where(known, table, 0) * size[:, None, None, None]
        share = share + known * size[:, None, None, None]
        wrong = wrong + size
    return np.where(share > 0, total / np.where(share > 0, share, 1), nan), wrong


def _index(name: str) -> int:
    if name not in OWN:
        given = f"the score {name!r} where heads are ranked anew in parts of the images"
        raise InputError("scores.choose", given, ", ".join(OWN), "leave lists out, or choose by another criterion")
    return OWN.index(name)
