"""What `Scores` ask again and again of one set of images: kept in head space, so that nothing is read twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import cached_property
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.api.checks import Check, quiet
from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import Judged, judged
from toolkit.api.locate.space import space_of_images
from toolkit.api.switch_off.total import How
from toolkit.core.choice import Judge, set_value
from toolkit.core.effects import ErrorSets, Similarity, direct_effects, error_sets, resampled
from toolkit.core.headspace import HeadSpace
from toolkit.core.moments import head_numbers
from toolkit.core.room import ROWS
from toolkit.core.votes import Race, Votes, count_votes, rivals
from toolkit.data.classes import ClassSet
from toolkit.data.counts import many
from toolkit.errors import InputError

Pair = tuple[str, str]
KEPT = 100_000_000
"""Bytes of bootstrap samples of pairs that are kept from one question to the next."""
LAYERS = 4
"""Layers that are read together."""
TOGETHER = 25
"""Bootstrap samples that are computed in one go."""


class AbsentScoreError(InputError):
    """A score that does not exist for an error: images it averages over, or layers it compares, are not there."""


Made = TypeVar("Made")


class LocateEvidence:
    """The labelled images of one `tk.locate`, their head space, and the sets of every pair."""

    def __init__(
        self, images: Judged, layers: tuple[int, ...], similarity: Similarity, minority: tuple[str, ...] | None,
        resamples: int, seed: int,
    ) -> None:  # fmt: skip
        self.images, self.layers, self.similarity, self.minority = images, layers, similarity, minority
        self.resamples, self.seed = resamples, seed
        self._some: tuple[torch.Tensor, HeadSpace] | None = None
        self._lock = Lock()
        self._kept: dict[Hashable, Any] = {}
        self._bytes = 0

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` gives, worked out when it is first asked for under this key."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def evidence(
        self, pair: Pair | None, how: How = "zero", text: str = "", check: Check = quiet,
        among: tuple[Pair, ...] | None = None,
    ) -> HeadEvidence:  # fmt: skip
        """What a score is worked out from, for an error. pair: None for all mistakes, or for those `among` pairs."""
        return HeadEvidence(self, pair, how, text, check, among)

    def pairs(self, pair: Pair | None) -> tuple[Pair, ...]:
        """The pairs with a mistake that fit: that one, or all of them. Raises InputError where there is none."""
        asked = (None, None) if pair is None else pair
        if pair is not None:
            self.images.check_pair(pair, "locate")
        return tuple(wanted(self.images, asked))

    def sets(self, pair: Pair) -> ErrorSets:
        """W, C and A of a pair; there may be thousands of pairs, so the images are sorted once."""
        y, other = (self.images.classes.index(name) for name in pair)
        return ErrorSets(*(self._cell(*cell) for cell in ((y, other), (y, y), (other, other))))

    def _cell(self, truth: int, guess: int) -> torch.Tensor:
        """Rows of the images of a class that are predicted as another, or as it."""
        cells, order = self._sorted
        own = truth * len(self.images.classes) + guess
        first, last = torch.searchsorted(cells, torch.tensor([own, own + 1])).tolist()
        return order[first:last]

    @cached_property
    def _sorted(self) -> tuple[torch.Tensor, torch.Tensor]:
        """[b]: the cells of the confusion in order; [b]: the images in that order."""
        cells = (self.images.truth * len(self.images.classes) + self.images.guess).cpu()
        return torch.sort(cells, stable=True)

    def sets_of(self, truth: torch.Tensor, guess: torch.Tensor, pair: Pair) -> ErrorSets:
        """The sets of a pair among images with these labels and predictions [b]."""
        y, other = (self.images.classes.index(name) for name in pair)
        return error_sets(truth, guess, y, other)

    @property
    def space(self) -> HeadSpace:
        """The heads of the layers in all images."""
        with self._lock:  # several workers of a panel may ask at once
            return self._all

    @cached_property
    def _all(self) -> HeadSpace:
        self._some = None
        return space_of_images(self.images, self.layers)

    def prepare(self, pairs: Sequence[Pair]) -> None:
        """Read the images that the scores of these pairs are of, in one go; all of them where they are most."""
        sets = [rows for pair in pairs for rows in vars(self.sets(pair)).values()]
        self._holding(torch.cat(sets).unique() if sets else torch.arange(0))

    def _holding(self, rows: torch.Tensor) -> tuple[torch.Tensor, HeadSpace] | None:
        """Images [n], in order, that hold these rows, in order, and their heads; None for all images."""
        with self._lock:
            if "_all" not in self.__dict__ and 2 * len(rows) < len(self.images):
                if self._some is None or not bool(torch.isin(rows, self._some[0]).all()):
                    self._some = None  # not both at a time
                    self._some = rows, space_of_images(self.images, self.layers, rows)
                return self._some
            self._all  # noqa: B018 – read now
            return None

    def space_of(self, rows: torch.Tensor) -> HeadSpace:
        """The heads of the layers in some images; reads no others where they are few."""
        held = self._holding(rows.unique())
        return self.space[rows] if held is None else held[1][torch.searchsorted(held[0], rows)]

    def _located(self, sets: ErrorSets) -> tuple[HeadSpace, ErrorSets]:
        """A head space with the images of some sets, and these as its rows."""
        held = self._holding(torch.cat(list(vars(sets).values())).unique())
        if held is None:
            return self.space, sets
        images, space = held
        return space, ErrorSets(*(torch.searchsorted(images, rows) for rows in vars(sets).values()))

    def effects(self, pair: Pair) -> NDArray[np.float64]:
        """[4, l, h]: DE_A … DE_D of a pair, raw."""
        return self.once(("effects", pair), lambda: self._effects(*self._located(self.sets(pair)), pair))

    def _effects(
        self, space: HeadSpace, sets: ErrorSets, pair: Pair, weights: torch.Tensor | None = None
    ) -> NDArray[np.float64]:
        texts = self.images.texts[[self.images.classes.index(name) for name in pair]]
        return np.asarray(direct_effects(space, sets, texts, self.similarity, weights).numpy())

    def replicates(self, pair: Pair, check: Check = quiet) -> NDArray[np.float64]:
        """[resamples, 4, l, h]: the same of bootstrap samples."""
        key = ("replicates", pair)
        if key in self._kept:
            return np.asarray(self._kept[key])
        made = self.weighted(pair, self.weights, check)
        self._bytes += made.nbytes
        if self._bytes <= KEPT:  # with a thousand classes there are thousands of pairs
            self._kept[key] = made
        return made

    def weighted(self, pair: Pair, times: torch.Tensor, check: Check = quiet) -> NDArray[np.float64]:
        """[s, 4, l, h]: the scores of a pair in samples of the images. times [s, b]: how often each counts in each."""
        sets = self.sets(pair)
        rows = torch.cat([sets.wrong, sets.correct, sets.others])
        ends = np.cumsum([len(sets.wrong), len(sets.correct)])
        within = ErrorSets(*torch.arange(len(rows)).tensor_split(ends.tolist()))
        space = self.space_of(rows)
        found, done = [], 0
        for weights in times[:, rows].split(TOGETHER):
            check(done, len(times))
            found.append(self._effects(space, within, pair, weights))
            done += len(weights)
        return np.concatenate(found)

    @cached_property
    def weights(self) -> torch.Tensor:
        """[resamples, b]: how often every image counts in each bootstrap sample."""
        return resampled(self.images.truth, self.images.guess, self.resamples, self.seed)

    def judge(
        self, pairs: tuple[Pair, ...], validation: Acts | None = None, within: float | None = None,
        classes: ClassSet | None = None,
    ) -> tuple[Judge, bool]:  # fmt: skip
        """Where head sets for these pairs are judged, and whether groups are known there. within: points that other
        classes may lose together in the validation images; None: any. classes: those told apart there; None: the same.
        """
        images, space = self.images, self.space
        if validation is not None:
            images = judged(validation, classes or images.classes, "scores.choose", images.acts.convention)
            ours, theirs = self.images.acts.card, images.acts.card
            if ours.fingerprint != theirs.fingerprint:
                given = f"validation parts of {theirs.id!r} for scores of {ours.id!r}"
                raise InputError("scores.choose", given, "parts of one model", "extract them with it")
            space = space_of_images(images, self.layers)
        names, member = images.members
        side = torch.full_like(images.truth, -1)
        for pair in pairs:
            y, other = (images.classes.index(name) for name in pair)
            sets = error_sets(images.truth, images.guess, y, other)
            side[sets.wrong], side[torch.cat([sets.correct, sets.others])] = 0, 1
        found = Judge(space, images.truth, images.texts.double(), member, len(names), side)
        if within is not None:
            own = [images.classes.index(self.images.classes.names[i]) for i in self.images.truth.unique().tolist()]
            found = replace(found, others=~torch.isin(images.truth, torch.tensor(own)), within=within)
        return found, images.has_groups

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
        kept, layers = self.images.acts.kept, tuple(range(self.images.acts.shape[1]))
        if not kept.all_layers:
            given = f"LTC's votes, which compare the heads of all layers, of a store of {kept.words}"
            raise AbsentScoreError("scores.ltc", given, "all layers", "extract with layers=None into another store")
        if not len(rows):
            raise InputError(
                "scores.ltc", "no image of the minority groups in this pair", "at least one", "name others"
            )
        texts, truth = self.images.texts.double().cpu(), self.images.truth[rows]
        logits = (self.images.embedding[some].double() @ texts.T for some in rows.split(ROWS))
        held = [rivals(own, labels) for own, labels in zip(logits, truth.split(ROWS), strict=True)]
        best, other = (torch.cat(x) for x in zip(*held, strict=True))
        race, acts = Race(best, other), self.images.acts.take(rows.tolist())
        for start in range(0, len(layers), LAYERS):  # what all are worth along a thousand classes is large
            some, at = layers[start : start + LAYERS], 0
            along = self.images.acts.head_maps[list(some)].double() @ texts.T
            for state in acts.states(some):
                here, q = slice(at, at := at + len(state)), head_numbers(state)
                for i, layer in enumerate(some):
                    race.run(here, layer, q[:, i], along[i])
        return count_votes(race.winner, best == truth, (len(layers), self.images.acts.shape[2]), layers)


class HeadEvidence:
    """What a score of heads is worked out from: labelled images, one of their errors, and the heads of some layers.

    Attributes:
        images: the labelled images (.classes, .acts), all of them, whatever was resampled.
        layers: the layers of the rows of a score.
        pair: (true, predicted) class names; None for all mistakes together.
        how: "zero", "mean" or "resample": what takes the place of a head that a panel switches off.
        text: what was typed for a score along a text; "" for nothing.
        check: called with (done, of) now and then by long work; what it raises ends the work.
    """

    def __init__(
        self, source: LocateEvidence, pair: Pair | None, how: How, text: str, check: Check,
        among: tuple[Pair, ...] | None = None, rows: torch.Tensor | None = None,
    ) -> None:  # fmt: skip
        self._source, self._among, self._rows = source, among, rows
        self.pair, self.how, self.text, self.check = pair, how, text, check
        self.images, self.layers = source.images, source.layers

    @property
    def shape(self) -> tuple[int, int]:
        """(layers, heads): what a score has to return."""
        return len(self.layers), int(self.images.acts.shape[2])

    @property
    def truth(self) -> torch.Tensor:
        """[b]: class of every image, as an index."""
        return self._of(self.images.truth)

    @property
    def guess(self) -> torch.Tensor:
        """[b]: the model's prediction for every image."""
        return self._of(self.images.guess)

    @property
    def texts(self) -> torch.Tensor:
        """[c, d]: unit class vectors, float64."""
        return self.images.texts.double().cpu()

    @property
    def toward(self) -> torch.Tensor:
        """[d]: vector of the predicted less that of the true class of the pair."""
        if self.pair is None:
            fix = "register the score with per_pair=True"
            raise InputError("evidence.toward", "the evidence of all mistakes together", "that of one pair", fix)
        y, other = (self.images.classes.index(name) for name in self.pair)
        return self.texts[other] - self.texts[y]

    @cached_property
    def sets(self) -> ErrorSets:
        """W, C and A; of all mistakes together W are all wrong images, C all right ones, and A is empty."""
        truth, guess = self.truth, self.guess
        if self.pair is None:
            wrong = (truth != guess).nonzero()[:, 0]
            if self._among is not None:
                wrong = (
                    torch.cat([self._source.sets_of(truth, guess, pair).wrong for pair in self._among]).sort().values
                )
            return ErrorSets(wrong, (truth == guess).nonzero()[:, 0], wrong[:0])
        return self._source.sets_of(truth, guess, self.pair)

    @property
    def wrong(self) -> torch.Tensor:
        """Rows of W: images of the true class that were predicted as the other."""
        return self.sets.wrong

    @property
    def correct(self) -> torch.Tensor:
        """Rows of C: images of the true class that were predicted right."""
        return self.sets.correct

    @property
    def others(self) -> torch.Tensor:
        """Rows of A: images of the predicted class that were predicted right."""
        return self.sets.others

    @property
    def blamed(self) -> torch.Tensor:
        """Rows of W; where nobody is wrong so, of those who might be: images of the true class, else all."""
        if len(self.wrong):
            return self.wrong
        mine = torch.arange(len(self.truth))
        if self.pair is not None:
            mine = (self.truth == self.images.classes.index(self.pair[0])).nonzero()[:, 0]
        return mine if len(mine) else torch.arange(len(self.truth))

    @cached_property
    def space(self) -> HeadSpace:
        """The heads of the layers in every image, c = q A: .q [b, l, h, k + 3], .maps A [l, h, k + 3, d], .embedding
        [b, d] (unit); float64.
        """
        return self._source.space if self._rows is None else self._source.space[self._rows]

    def space_of(self, rows: torch.Tensor) -> HeadSpace:
        """The same of some images; no others are read where they are few.

        Arguments:
            rows: positions among the images [n].
        """
        return self._source.space_of(rows if self._rows is None else self._rows[rows])

    def along(self, direction: torch.Tensor) -> torch.Tensor:
        """Every head's contribution to every image along a direction, in units of the embedding [b, l, h].

        Arguments:
            direction: in the joint space [d].
        """
        return self.space.along(direction)

    def contributions(self, row: int, head: int) -> torch.Tensor:
        """The contributions c of one head [b, d].

        Arguments:
            row: of its layer among `layers`, from 0.
            head: in its layer, from 0.
        """
        return self.space.contributions(row, head)

    @property
    def model(self) -> Any:
        """The live model. Raises InputError where none is attached to the parts."""
        return self.images.acts.model

    @property
    def direct_effects(self) -> NDArray[np.float64]:
        """[4, l, h]: DE_A, DE_B, DE_C and DE_D of the pair, raw (R25 §3.2)."""
        return self._source.effects(self._pair)

    @property
    def effect_samples(self) -> NDArray[np.float64]:
        """[resamples, 4, l, h]: the same of all bootstrap samples."""
        return self._source.replicates(self._pair, self.check)

    @property
    def votes(self) -> Votes:
        """LTC's counts over the images of the pair's classes, or of all pairs with a mistake; for all layers."""
        return self._source.votes(self.pairs)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs with a mistake that the error is made of. Raises InputError where there is none."""
        return self._among or self._source.pairs(self.pair)

    @property
    def _pair(self) -> Pair:
        if self.pair is None:
            raise InputError("evidence", "all mistakes together", "one pair", "register the score with per_pair=True")
        return self.pair

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` gives; worked out once for these images and this key, whatever the error is.

        Arguments:
            key: under which it is kept.
            make: a function without arguments.
        """
        return self._source.once(key, make)

    def sample(self, number: int) -> HeadEvidence:
        """The same of a bootstrap sample of the images.

        Images are drawn inside every cell of label and prediction, so that the sets keep their sizes.

        Arguments:
            number: of the sample, 0 ≤ number < resamples.
        """
        times = self._source.weights[number].long()
        rows = torch.arange(len(times)).repeat_interleave(times)
        return HeadEvidence(self._source, self.pair, self.how, self.text, self.check, self._among, rows)

    def _of(self, values: torch.Tensor) -> torch.Tensor:
        return values if self._rows is None else values[self._rows]


def wanted(images: Judged, asked: tuple[str | None, str | None]) -> list[Pair]:
    """The pairs with a mistake that fit what was asked."""
    known = [pair for pair in images.mistakes if pair not in images.twins]
    pairs = [p for p in known if asked[0] in (None, p[0]) and asked[1] in (None, p[1])]
    if not pairs:
        words = [f"{word} {name!r}" for word, name in zip(("true", "predicted"), asked, strict=True) if name]
        of = f" with {' and '.join(words)}" if words else ""
        wrong = int((images.truth != images.guess).sum())
        given = f"nothing to do: of {many(len(images), 'image')} none is wrong{of} ({wrong} are wrong in all)"
        fix = "look at the confusion and name another pair" if wrong else "take images of which some are wrong"
        raise InputError("locate", given, "at least one wrong image", fix)
    return pairs
