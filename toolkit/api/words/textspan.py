"""`tk.textspan`: the texts that span what every head writes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.checks import whole
from toolkit.api.images.acts import Acts
from toolkit.api.words.banks import bank as bank_for
from toolkit.api.words.banks import vectors_of
from toolkit.api.words.bases import HeadBases, head_bases
from toolkit.api.words.spans import Spans, settings_of
from toolkit.core.chance import chance_gains, random_texts
from toolkit.core.moments import bootstrap_moments
from toolkit.core.parts import Convention
from toolkit.core.precision import full_precision
from toolkit.core.pursuit import METHODS, Method, Picks, pursue
from toolkit.core.spans import SpanBasis, explained_by, span_basis
from toolkit.data.banks import Bank
from toolkit.errors import InputError, warn_caller
from toolkit.signs import counted

Check = Callable[[int, int], None]
SPANS = 0.95
"""A bank that could explain less of a head's variance than this is reported."""
NEAR = 0.99
"""Texts whose cosine is above this are nearly the same text."""
DRAWS = 5
"""Banks of random texts that a text has to beat, every one, with stop="chance"."""
Stop = Literal["rank", "chance"]
STOPS = get_args(Stop)
EQUAL = 1 - 1e-6
"""Texts whose cosine is above this have the same vector, up to rounding."""
BLOCK = 256
"""Texts that are compared with all others at a time."""


class BankWarning(UserWarning):
    """A text bank holds texts twice, or cannot span a head."""


@full_precision
def textspan(
    acts: Acts,
    texts: Any,
    size: int = 20,
    layers: Any = -4,
    rank: int | None = None,
    *,
    method: Method = "greedy",
    stop: Stop = "rank",
    resamples: int = 0,
    seed: int = 0,
    convention: Convention | None = None,
    check: Check = lambda done, of: None,
) -> Spans:
    """For every head, the texts along which its contributions vary most, one after the other (G24 alg. 1).

    Picks are those of the literal algorithm on images × heads × d. Warns (`BankWarning`) of texts that stand twice, or
    nearly, and of heads the bank cannot span.

    Arguments:
        acts: parts of at least two images (`Acts`); only their second moments are used.
        texts: a bank (`tk.bank`), its name, a file, a list of texts (encoded by the live model) or vectors [t, d].
        size: texts per head; a head's numerical rank ends it earlier; default 20.
        layers: which; a list of layers, None for all, a negative int for the last |n|; default −4.
        rank: look at the `rank` leading directions of each head only; default all.
        method: "greedy", the paper's, or "somp", simultaneous orthogonal matching pursuit, which refits all texts by
            least squares at every step; default "greedy".
        stop: where a head's list ends: "rank", at its numerical rank, or "chance", at the first text that explains no
            more than the best of as many random texts would there (vectors with the mean and covariance of the texts;
            it has to beat five such banks); default "rank".
        resamples: bootstrap samples of the images for `.stability`; default 0, none.
        seed: of the bootstrap and of random texts; default 0.
        convention: "separate" or "reference"; default that of `acts`.
        check: called with (heads done, of), then with (bootstrap samples done, of); what it raises ends the work;
            default nothing.

    Returns:
        `Spans`: .picks [l, h, size], .explained, .head("L2.H6"), .specialisation().

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=60), progress=False)
    >>> tk.textspan(acts, "world", size=3, layers=-2).picks.shape
    (2, 8, 3)
    """
    bank = bank_for(texts)
    size, resamples, seed = (
        whole(name, value, least, "textspan")
        for name, value, least in (("size", size, 1), ("resamples", resamples, 0), ("seed", seed, 0))
    )
    rank = None if rank is None else whole("rank", rank, 1, "textspan")
    if method not in METHODS:
        raise InputError("textspan", f"method={method!r}", " or ".join(map(repr, METHODS)), "pass one of these")
    if stop not in STOPS:
        raise InputError("textspan", f"stop={stop!r}", " or ".join(map(repr, STOPS)), "pass one of these")
    if convention is not None:
        acts = acts.using(convention)
    bases = head_bases(acts, layers, rank)
    vectors = vectors_of(bank, acts, "textspan")
    picks = pursue(bases.basis, vectors.to(bases.basis.vectors.device), size, method, check)
    reach = bank_reach(bases.basis, vectors, method)
    chance = np.full(picks.index.shape, np.nan)
    if stop == "chance":
        banks = [random_texts(vectors, seed + draw) for draw in range(DRAWS)]
        shown = counted(banks, "choose random texts", "bank")
        gains = np.stack([chance_gains(bases.basis, vectors, picks.index, bank) for bank in shown])
        picks, chance = ended(picks, gains.max(0)), gains.mean(0)
    stability = np.full(picks.index.shape, np.nan)
    if resamples:
        stability = _stability(acts, bases, vectors, picks, size, rank, method, resamples, seed, check)
    settings = settings_of(
        acts, bank, method=method, size=size, rank=rank, stop=stop, tolerance=bases.basis.tolerance,
        resamples=resamples, seed=seed,
    )  # fmt: skip
    _warn(bank, vectors, picks.index, reach, bases)
    return spans_of(bases, picks, reach, stability, bank, settings, chance)


def ended(picks: Picks, chance: NDArray[np.float64]) -> Picks:
    """The picks up to the first that explains no more than chance [n, m] would."""
    gain = np.diff(picks.explained, prepend=0.0)
    over = np.logical_and.accumulate(gain > chance, axis=1)  # nan, past the end, is not
    return Picks(
        np.where(over, picks.index, -1), np.where(over, picks.std, np.nan), np.where(over, picks.explained, np.nan)
    )


def spans_of(
    found: HeadBases, picks: Picks, reach: NDArray[np.float64], stability: NDArray[np.float64], bank: Bank,
    settings: dict[str, Any], chance: NDArray[np.float64] | None = None,
) -> Spans:  # fmt: skip
    """Picks of all heads, one after the other, as a result with layers and heads."""
    shape = found.shape
    size = picks.index.shape[1]
    index = picks.index.reshape(*shape, size)
    std, explained, steady = (x.reshape(*shape, size) for x in (picks.std, picks.explained, stability))
    ranks, variance = (x.double().cpu().numpy().reshape(shape) for x in (found.basis.ranks, found.basis.variance))
    level = np.full(index.shape, np.nan) if chance is None else chance.reshape(index.shape)
    own = reach.reshape(shape)
    return Spans(found.layers, index, std, explained, ranks, variance, own, steady, level, bank, settings)


def bank_reach(basis: SpanBasis, texts: Tensor, method: Method = "greedy") -> NDArray[np.float64]:
    """[n]: the share of every head's variance that all texts together could explain (nan: it never varies)."""
    return np.asarray(explained_by(basis, texts, inside=method == "greedy").cpu().numpy())


def _stability(
    acts: Acts, found: HeadBases, vectors: Tensor, picks: Picks, size: int, rank: int | None, method: Method,
    resamples: int, seed: int, check: Check,
) -> NDArray[np.float64]:  # fmt: skip
    """[n, m]: in which share of bootstrap samples a head picks the text at all."""
    maps, device = acts.head_maps[list(found.layers)].flatten(0, 1), found.basis.vectors.device
    again = np.zeros(picks.index.shape)
    states, rows = partial(acts.states, found.layers), range(len(found.layers))
    drawn = bootstrap_moments(states, len(acts), rows, resamples, seed)
    for done, moments in enumerate(counted(drawn, "resample the images", "sample", resamples)):
        check(done, resamples)
        basis = span_basis(moments.to(device), maps, acts.noise, rank)
        new = pursue(basis, vectors.to(device), size, method).index
        again += (picks.index[:, :, None] == new[:, None]).any(-1)
    return np.where(picks.index >= 0, again / resamples, np.nan)


def _warn(bank: Bank, vectors: Tensor, picks: NDArray[np.int64], reach: NDArray[np.float64], found: HeadBases) -> None:
    from toolkit.core.pursuit import first_of_equals

    tell = partial(warn_caller, category=BankWarning)
    equal = np.flatnonzero(~first_of_equals(vectors))
    if len(equal):
        shown = ", ".join(repr(bank.texts[i]) for i in equal[:4]) + (" …" if len(equal) > 4 else "")
        tell(f"textspan: {len(equal)} texts have the vector of an earlier one and can never be picked: {shown}")
    near = _nearly_alike(vectors, np.unique(picks[picks >= 0]))
    if near:
        shown = ", ".join(f"{bank.texts[i]!r} ({bank.texts[j]!r})" for i, j in near[:3]) + " …" * (len(near) > 3)
        said = f"{len(near)} of the texts picked are nearly another one of the bank (cosine above {NEAR})"
        tell(f"textspan: {said}; which of the two is picked says little: {shown}")
    short = np.flatnonzero(reach < SPANS)
    if len(short):
        names = [f"L{found.layers[i // found.heads]}.H{i % found.heads} ({reach[i]:.0%})" for i in short[:6]]
        more = f" and {len(short) - 6} more" if len(short) > 6 else ""
        tell(f"textspan: the bank's {len(bank)} texts cannot span {len(short)} heads: {', '.join(names)}{more}")


def _nearly_alike(vectors: Tensor, picked: NDArray[np.int64]) -> list[tuple[int, int]]:
    """(picked, other) for every text that some head picked and that is nearly another one, but not equal to it."""
    found = list[tuple[int, int]]()
    unit = torch.nn.functional.normalize(vectors.detach().cpu().float(), dim=-1)
    for start in range(0, len(picked), BLOCK):
        rows = torch.from_numpy(picked[start : start + BLOCK])
        cosine = unit[rows] @ unit.T
        cosine[cosine > EQUAL] = -1.0  # itself, and texts that are told to be equal
        best, at = cosine.max(1)
        found += [(int(rows[i]), int(at[i])) for i in (best > NEAR).nonzero()[:, 0].tolist()]
    return found
