"""What `Scores` ask again and again of one set of images: kept in head space, so that nothing is read twice."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.api.checks import Check, quiet
from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import Judged, judged
from toolkit.core.choice import Judge, set_value
from toolkit.core.effects import ErrorSets, Similarity, direct_effects, error_sets, resampled
from toolkit.core.headspace import HeadSpace, head_space
from toolkit.core.sums import class_sums
from toolkit.core.votes import Votes, count_votes, winners
from toolkit.errors import InputError
from toolkit.store.errors import size

Pair = tuple[str, str]
TOGETHER = 25
"""Bootstrap samples that are computed in one go."""
LARGEST = 4_000_000_000
"""Bytes of head space that are kept for one set of images."""


class LocateEvidence:
    """The labelled images of one `tk.locate`, their head space, and the sets of every pair."""

    def __init__(
        self, images: Judged, layers: tuple[int, ...], similarity: Similarity, minority: tuple[str, ...] | None,
        resamples: int, seed: int,
    ) -> None:  # fmt: skip
        self.images, self.layers, self.similarity, self.minority = images, layers, similarity, minority
        self.resamples, self.seed = resamples, seed
        self.space = _space(images, layers)

    def sets(self, pair: Pair) -> ErrorSets:
        y, other = (self.images.classes.index(name) for name in pair)
        return error_sets(self.images.truth, self.images.guess, y, other)

    def effects(self, pair: Pair, weights: torch.Tensor | None = None) -> NDArray[np.float64]:
        """[4, l, h]: the raw scores of a pair."""
        texts = self.images.texts[[self.images.classes.index(name) for name in pair]]
        return np.asarray(direct_effects(self.space, self.sets(pair), texts, self.similarity, weights).numpy())

    def replicates(self, pair: Pair, check: Check = quiet) -> NDArray[np.float64]:
        """[resamples, 4, l, h]: the same of bootstrap samples."""
        sets = self.sets(pair)
        rows = torch.cat([sets.wrong, sets.correct, sets.others])
        ends = np.cumsum([len(sets.wrong), len(sets.correct)])
        within = ErrorSets(*torch.arange(len(rows)).tensor_split(ends.tolist()))
        texts = self.images.texts[[self.images.classes.index(name) for name in pair]]
        space = self.space[rows]
        found, done = [], 0
        for weights in self._weights[:, rows].split(TOGETHER):
            check(done, self.resamples)
            found.append(direct_effects(space, within, texts, self.similarity, weights).numpy())
            done += len(weights)
        return np.concatenate(found)

    @cached_property
    def _weights(self) -> torch.Tensor:
        return resampled(self.images.truth, self.images.guess, self.resamples, self.seed)

    def judge(self, pairs: tuple[Pair, ...], validation: Acts | None = None) -> tuple[Judge, bool]:
        """Where head sets for these pairs are judged, and whether groups are known there."""
        images, space = self.images, self.space
        if validation is not None:
            images = judged(validation, self.images.classes, "scores.choose", self.images.acts.convention)
            ours, theirs = self.images.acts.card, images.acts.card
            if ours.fingerprint != theirs.fingerprint:
                given = f"validation parts of {theirs.id!r} for scores of {ours.id!r}"
                raise InputError("scores.choose", given, "parts of one model", "extract them with it")
            space = _space(images, self.layers)
        names, member = images.members
        side = torch.full_like(images.truth, -1)
        for pair in pairs:
            y, other = (images.classes.index(name) for name in pair)
            sets = error_sets(images.truth, images.guess, y, other)
            side[sets.wrong], side[torch.cat([sets.correct, sets.others])] = 0, 1
        return Judge(space, images.truth, images.texts.double(), member, len(names), side), images.has_groups

    def utility(self, heads: tuple[tuple[int, int], ...]) -> float:
        """U of a head set on these images (R25)."""
        rows = {layer: row for row, layer in enumerate(self.layers)}
        return set_value(self.judge(())[0], [(rows[layer], head) for layer, head in heads], "utility")

    def votes(self, pairs: tuple[Pair, ...]) -> Votes:
        """LTC's counts over the images of the pairs' classes; of minority groups where given."""
        asked = sorted({self.images.classes.index(name) for pair in pairs for name in pair})
        keep = torch.isin(self.images.truth, torch.tensor(asked))
        if self.minority is not None:
            keep &= torch.from_numpy(np.isin(self.images.group_names.astype(str), self.minority))
        rows = keep.nonzero()[:, 0]
        layers = tuple(range(self.images.acts.shape[1]))
        if not len(rows):
            raise InputError(
                "scores.ltc", "no image of the minority groups in this pair", "at least one", "name others"
            )
        found, at = list[tuple[torch.Tensor, torch.Tensor]](), 0
        for parts in self.images.acts.take(rows.tolist()).batches():  # of each, only the winner is kept
            truth = self.images.truth[rows[at : at + len(parts.embedding)]]
            at += len(truth)
            sums = class_sums([parts], self.images.texts)
            found.append(winners(sums.along.double(), sums.logits.double(), truth))
        winner, right = (torch.cat(x) for x in zip(*found, strict=True))
        return count_votes(winner, right, (len(layers), self.images.acts.shape[2]), layers)


def _space(images: Judged, layers: tuple[int, ...]) -> HeadSpace:
    _, _, heads, k = images.acts.shape
    needed = 16 * len(images) * len(layers) * heads * (k + 3)
    if needed > LARGEST:
        given = f"{len(images):,} images × {len(layers)} layers: {size(needed)}"
        fix = "draw some of the images: acts.draw(per_class=200), or name fewer layers"
        raise InputError("locate", given, f"up to {size(LARGEST)}", fix)
    space = head_space(images.acts.states(), images.acts.head_maps, layers)
    bad = (~space.q.isfinite().flatten(1).all(1)).nonzero()[:, 0].tolist()
    if bad:
        given = f"{len(bad)} images whose heads are not finite, {images.acts.ids[bad[0]]!r} for one"
        raise InputError("locate", given, "finite parts", "leave these images out: acts.take(rows)")
    return space
