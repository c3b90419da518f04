"""The table of a score for an error, checked, and those of its bootstrap samples; pooled over pairs of classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.api.checks import Check, quiet
from toolkit.api.locate.evidence import AbsentScoreError, HeadEvidence, LocateEvidence, Pair
from toolkit.api.locate.registry import HeadScore
from toolkit.api.switch_off.total import How
from toolkit.errors import InputError, ToolkitError
from toolkit.signs import counted

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Error:
    """What a score is asked about: a pair (true, predicted), or for None the pairs `among` (all with a mistake)."""

    pair: Pair | None = None
    among: tuple[Pair, ...] | None = None

    def pairs(self, source: LocateEvidence) -> tuple[Pair, ...]:
        """The pairs it is made of. Raises InputError where no image is wrong in this way."""
        return self.among or source.pairs(self.pair)


def table_of(
    source: LocateEvidence, score: HeadScore, error: Error, how: How = "zero", text: str = "", check: Check = quiet
) -> Array:
    """[l, h]: a score for an error. Raises InputError where no image is wrong in this way and the score is of a pair,
    and for what is no table; AbsentScoreError where a set it averages over is empty.
    """
    if score.needs_model:
        source.images.acts.model  # noqa: B018 – says so where there is none
    if not score.per_pair:
        return _called(score, source.evidence(error.pair, how, text, check, error.among))
    pairs = error.pairs(source)
    source.prepare(pairs)
    tables = [_called(score, source.evidence(pair, how, text, check)) for pair in pairs]
    table = pooled(tables, _weights(source, pairs))
    if not np.isfinite(table).any():
        _say_if_absent(score, source, pairs)
    return table


def samples_of(source: LocateEvidence, score: HeadScore, error: Error, check: Check = quiet) -> Array:
    """[resamples, l, h]: the same of the bootstrap samples; check: called with (samples done, of)."""
    return source.once((score, "samples", error), lambda: _samples_of(source, score, error, check))


def _samples_of(source: LocateEvidence, score: HeadScore, error: Error, check: Check) -> Array:
    if not score.per_pair:
        return _resampled(score, source.evidence(error.pair, check=check, among=error.among), source.resamples)
    pairs = error.pairs(source)
    shown = counted(pairs, "resample the mistakes", "pair")
    found = (_resampled(score, source.evidence(pair, check=check), source.resamples) for pair in shown)
    return pooled(found, _weights(source, pairs))


def _resampled(score: HeadScore, evidence: HeadEvidence, resamples: int) -> Array:
    if score.replicates is not None:
        return np.asarray(score.replicates(evidence))
    tables = []
    for number in counted(range(resamples), "resample the images", "sample"):
        evidence.check(number, resamples)
        tables.append(_called(score, evidence.sample(number)))
    return np.stack(tables)


def _weights(source: LocateEvidence, pairs: tuple[Pair, ...]) -> list[int]:
    return [len(source.sets(pair).wrong) for pair in pairs]


def pooled(tables: Iterable[Array], weights: Sequence[int]) -> Array:
    """The mean of tables [..., l, h] weighted by |W|, over those in which a score exists. One table at a time: there
    may be thousands.
    """
    if len(weights) == 1:
        return next(iter(tables))
    total, share = np.zeros(()), np.zeros(())
    for table, weight in zip(tables, weights, strict=True):
        known = np.isfinite(table)
        total = total + np.where(known, table, 0) * weight
        share = share + known * float(weight)
    return np.asarray(np.where(share > 0, total / np.maximum(share, 1), np.nan))


def _called(score: HeadScore, evidence: HeadEvidence) -> Array:
    """What the function of a score returns, as float64 [l, h]; an InputError for anything else, and for what it raises
    that is no error of this toolkit's.
    """
    try:
        made = score.table(evidence)
    except ToolkitError:
        raise
    except Exception as error:
        given = f"{type(error).__name__}: {error}"
        raise InputError(f"head score {score.name!r}", given, _accepted(evidence), "mend the function") from error
    return _checked(score, made, evidence)


def _checked(score: HeadScore, made: Any, evidence: HeadEvidence) -> Array:
    values = made.detach().cpu() if isinstance(made, torch.Tensor) else made
    if isinstance(values, torch.Tensor):
        values = values.double().numpy() if not values.is_complex() else values.numpy()
    try:
        table = np.asarray(values)
    except ValueError:  # rows of several lengths
        table = np.asarray(None)
    if table.dtype.kind not in "fiub" or table.shape != evidence.shape:
        given = f"{list(table.shape)} of type {table.dtype}"
        fix = "return one number for every head, in the order of evidence.layers"
        raise InputError(f"head score {score.name!r}", given, _accepted(evidence), fix)
    return np.array(table, np.float64)


def _accepted(evidence: HeadEvidence) -> str:
    layers, heads = evidence.shape
    return f"numbers [{layers}, {heads}]: {layers} layers × {heads} heads"


def _say_if_absent(score: HeadScore, source: LocateEvidence, pairs: tuple[Pair, ...]) -> None:
    """Raise where a set that a score may average over is empty for every pair: that is why it is nowhere a number."""
    sizes = [{name: len(rows) for name, rows in zip("WCA", vars(source.sets(p)).values(), strict=True)} for p in pairs]
    if all(min(each.values()) == 0 for each in sizes):
        counts = ", ".join(f"|{name}| = {size}" for name, size in sizes[0].items())
        given = f"{score.name!r}, which does not exist here: its averaging set is empty ({counts})"
        raise AbsentScoreError("scores.map", given, "a score that exists", "choose another")
