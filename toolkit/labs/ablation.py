"""What an ablation lab asks, one question at a time: which heads push towards an error, and what switching them off
does to every group, image by image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import Judged, judged
from toolkit.api.images.kept import layers_of
from toolkit.api.locate.evidence import LocateEvidence
from toolkit.api.locate.locate import minority_of, scores_of
from toolkit.api.locate.registry import known_score
from toolkit.api.locate.scores import USUAL_SCORE, Scores
from toolkit.api.locate.tables import Error, table_of
from toolkit.api.switch_off.ablate import strengths
from toolkit.api.switch_off.class_sums import replacement, sums_of
from toolkit.api.switch_off.total import How, total_outputs
from toolkit.core.choice import CRITERIA, By
from toolkit.core.heads import HeadSet
from toolkit.core.metrics import Accuracy, Change, accuracy, change
from toolkit.core.outcomes import listed
from toolkit.core.ranked import Rank
from toolkit.core.sums import ClassSums, Instead, right_by_group
from toolkit.data.classes import ClassSet
from toolkit.errors import InputError
from toolkit.labs.ablation_records import ImageFacts, Off, OutcomeOf, Sure
from toolkit.labs.ranked import ErrorsSent, errors_sent
from toolkit.signs import counted

Array = NDArray[np.float64]
Pair = tuple[str, str] | None
Effect = Literal["direct", "total"]
VALIDATED = "validation"
"""The criterion that needs validation images."""
STEPS, ORDERS, FEWEST = 15, 40, 10
"""Heads of a cumulative curve, and how many random orders it is held against."""
RESAMPLES = 100
"""Bootstrap samples behind the intervals of a map: of thousands of images each takes a while."""
MANY = 200
"""Groups of which 2,000 bootstrap samples are drawn in time."""
POOLED = 100
"""Kinds of mistakes a map of all of them is pooled over: a thousand classes have thousands."""
SINGLE = 200_000_000
"""Bytes of what single heads give to the logits that are kept for curves."""
OTHER_CLASSES = "other classes"
WORK = 100_000_000
"""Numbers that a curve may touch: of large data sets fewer random orders are drawn."""


@dataclass(frozen=True, eq=False)
class HeadsOffOutcome:
    """What a head set does: the paired change, the predictions after [b] and before [b]. close: images whose two best
    classes float32 could not tell apart, worked out in float64. others: the change of the other classes, told apart
    among all.
    """

    change: Change
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    effect: Effect
    close: int = 0
    others: Change | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Groups, then the worst group and the plain average: name, n, before, after, and the limits of the change."""
        names = ("before", "after", "low", "high")
        rows = [
            {"name": row.group, "n": row.n} | {name: getattr(row, name) for name in names} for row in self.change.groups
        ]
        for one in (self.change.worst, self.change.average("plain")):
            interval = {"before": one.before, "after": one.after, "low": one.interval.low, "high": one.interval.high}
            rows.append({"name": one.of, "n": one.n, "sum": True} | interval)
        rows[-2]["sizes"] = self.change.worst_sizes
        if self.others is not None:
            one = self.others.average("plain")
            interval = {"before": one.before, "after": one.after, "low": one.interval.low, "high": one.interval.high}
            rows.append({"name": OTHER_CLASSES, "n": one.n, "other": True} | interval)
        return rows


@dataclass(frozen=True, eq=False)
class OrderCurve:
    """Accuracies with the worst t heads of a map off, t = 0 … T: worst [T + 1] of the groups, average [T + 1] (plain);
    low, high [T + 1]: 10 % and 90 % of the worst group for random orders of the same heads. order: the heads. orders:
    how many random ones.
    """

    worst: Array
    average: Array
    low: Array
    high: Array
    order: HeadSet
    orders: int


class AblationSession:
    """Labelled images, the heads of some layers as candidates, and questions about switching heads off.

    acts: scores of heads rest on them. held_out: parts that everything else is measured on; default the same.
    validation: parts, of any of `all_classes`, that say how many heads serve best; default none.

    `images` are those of the scores, `judged` those that are measured on, `looked_at` all that may be shown.
    """

    def __init__(
        self, acts: Any, classes: Any, layers: Any = -4, minority: Any = None, operation: str = "AblationLab", *,
        held_out: Any = None, validation: Acts | None = None, all_classes: ClassSet | None = None,
    ) -> None:  # fmt: skip
        self.images = self.judged = judged(acts, classes, operation)
        if held_out is not None:
            mine, theirs = self.images.acts.card, getattr(held_out, "card", None)
            if theirs is not None and mine.fingerprint != theirs.fingerprint:
                given = f"held_out= of {theirs.id!r} for parts of {mine.id!r}"
                raise InputError(operation, given, "parts of one model", "extract them with it")
            self.judged = judged(held_out, classes, operation, self.images.acts.convention)
        self.looked_at: Acts = self.judged.acts
        self._measured_on: Acts = acts if held_out is None else held_out
        self.validation, self.all_classes = validation, all_classes
        self.layers = layers_of(self.images.acts, layers, operation)
        self.shape = self.images.acts.shape[1:3]
        self.minority, self._minority = minority, minority_of(self.images, minority)
        self._scores: dict[Pair, Scores] = {}
        self._totals: dict[tuple[bytes, How], NDArray[np.int64]] = {}
        self._single: dict[tuple[int, int, How], Tensor] = {}

    @cached_property
    def sums(self) -> ClassSums:
        return sums_of(self.judged, "AblationLab")

    @cached_property
    def others(self) -> Judged | None:
        """The images measured on that are of other classes, told apart among all of them; None where there are none."""
        every, own = self.all_classes, set(self.judged.classes.names)
        if every is None or set(every.names) <= own:
            return None
        labels = self._measured_on.labels.astype(str)
        rows = np.flatnonzero(np.isin(labels, [name for name in every.names if name not in own]))
        if not len(rows):
            return None
        return judged(self._measured_on.take(rows.tolist()), every, "AblationLab", self.images.acts.convention)

    @cached_property
    def _other_sums(self) -> ClassSums:
        assert self.others is not None
        return sums_of(self.others, "AblationLab")

    @cached_property
    def before(self) -> Accuracy:
        """With nothing off; of hundreds of groups with fewer bootstrap samples, which its intervals say: they are drawn
        at every click.
        """
        few = len(self.judged.members[0]) <= MANY
        return self.judged.accuracy(self.judged.guess, 2000 if few else 1000)

    @cached_property
    def _session(self) -> LocateEvidence:
        return LocateEvidence(self.images, self.layers, "cosine", self._minority, RESAMPLES, seed=0)

    @cached_property
    def among(self) -> tuple[tuple[str, str], ...] | None:
        """The pairs that stand for all mistakes where there are more than POOLED: the most frequent; else None."""
        wrong = self.images.mistakes
        if len(wrong) <= POOLED:
            return None
        often = set(sorted(wrong, key=lambda pair: -wrong[pair])[:POOLED])
        return tuple(pair for pair in wrong if pair in often)

    @property
    def pooled_words(self) -> str:
        """What "all mistakes" are where a map is of fewer; "" where it is of all."""
        of = len(self.images.mistakes)
        return "" if self.among is None else f"the {POOLED} most frequent of {of:,} kinds of mistakes"

    def scores(self, pair: Pair) -> Scores:
        """DE_A … DE_D of a pair, or pooled for None. Raises InputError where no image is wrong in this way."""
        if pair not in self._scores:
            among = self.among if pair is None else None
            self._scores[pair] = scores_of(self._session, pair or (None, None), among)
        return self._scores[pair]

    def map(self, name: str, pair: Pair, how: How, text: str) -> Array:
        """[l, h]: a score of the candidate layers by name (`tk.head_score`), for a pair or for None all mistakes.

        text: for a score along a text. Raises InputError where the score does not exist for this error, and for what a
        registered function returns or raises.
        """
        error = Error(pair, self.among if pair is None else None)
        return table_of(self._session, known_score(name, "AblationLab.score"), error, how, text)

    def sure(self, name: str, pair: Pair) -> Sure:
        """How sure a map is, head by head [l · h]; {} for scores without an interval."""
        score, wrong = known_score(name, "AblationLab.score"), self.images.mistakes
        if not score.interval or not (wrong if pair is None else wrong.get(pair)):
            return {}
        scores = self.scores(pair)
        band = scores.band(name)
        assert band is not None
        steady = scores.stability(name, STEPS)
        sizes = "; ".join(f"|{key}| = {size}" for key, size in scores.sizes.items())
        if scores.empty:
            sizes += f"; {', '.join(scores.empty)} is empty: a zero vector stands for its mean"
        return {"low": band.low.ravel().tolist(), "high": band.high.ravel().tolist(),
                "steady": steady.ravel().tolist(), "sizes": sizes, "top": STEPS}  # fmt: skip

    # switching off

    def changes(self, off: Any) -> list[Off]:
        """Records of heads and strengths, checked: heads of the model, once each, strengths from 0 to 2."""
        try:
            named = {(int(one["head"][0]), int(one["head"][1])): float(one["strength"]) for one in off}
        except (TypeError, ValueError, KeyError, IndexError) as error:
            accepted = 'a list of {"head": [layer, head], "strength": number}'
            raise InputError("AblationLab", f"the heads {off!r}", accepted, 'write lab.heads = "L3.H7"') from error
        heads = HeadSet.of(list(named), *self.shape)
        strengths(heads, list(named.values()), *self.shape)
        return [{"head": list(head), "strength": named[head]} for head in heads]

    def outcome(self, off: list[Off], how: How, effect: Effect) -> HeadsOffOutcome:
        """What heads with these strengths do."""
        heads = HeadSet(tuple((one["head"][0], one["head"][1]) for one in off))
        scale = strengths(heads, [one["strength"] for one in off], *self.shape)
        guess, close = self._direct(scale, how) if effect == "direct" else (self._total(scale, how), 0)
        hits = guess == self.judged.truth.numpy()
        after = replace(self.before, hits=hits)
        others = self._paid(scale, how, effect)
        return HeadsOffOutcome(change(self.before, after), self.judged.guess.numpy(), guess, effect, close, others)

    def _paid(self, scale: Tensor, how: How, effect: Effect) -> Change | None:
        """What the other classes pay for heads with these strengths [l, h]."""
        others = self.others
        if others is None:
            return None
        if effect == "direct":
            guess = self._other_sums.decide(1 - scale, replacement(how, len(others)))[0]
        else:
            acts = others.acts
            guess = total_outputs(acts.model, acts.samples, scale[None], how, texts=others.texts)[0].argmax(-1)
        before = accuracy(others.guess == others.truth, split=others.acts.split, ids=others.acts.ids)
        return change(before, replace(before, hits=(guess.cpu() == others.truth).numpy()))

    @property
    def facts(self) -> ImageFacts:
        """Of the images."""
        images, acts = self.judged, self.judged.acts
        return {"n": len(images), "left": images.left_out, "split": acts.split, "groups": images.has_groups,
                "live": acts.live is not None and acts.has_images}  # fmt: skip

    def words(self, rows: list[dict[str, Any]], of: OutcomeOf, close: int = 0) -> str:
        """An outcome in a sentence. rows: its groups. of: what it was worked out for. close: images that float32 could
        not decide.
        """
        changed = [(HeadSet(((one["head"][0], one["head"][1]),)), one["strength"]) for one in of["off"]]
        named = ", ".join(f"{head} {f'at {s:g}' if s else 'off'}" for head, s in changed) or "all heads as they are"
        replaced = {"zero": "zero-ablation", "mean": "mean over these images", "resample": "other images' heads"}
        means, effect = replaced[of["how"]], of["effect"]
        sums = [row for row in rows if row.get("sum") or row.get("other")]
        told = ", ".join(f"{r['name']} {100 * r['before']:.1f} → {100 * r['after']:.1f} %" for r in sums)
        which = f": {listed(self.judged.others, 3)}" if self.judged.others else ""
        left = f", {self.judged.left_out} left out (label not in the class set{which})" if self.judged.left_out else ""
        if self.others is not None:
            left = f" and {len(self.others)} of other classes, told apart among all {len(self.others.classes)}"
        split = self.judged.acts.split
        ties = f"; {close} with two classes within 1e-6, decided in double precision" if close else ""
        found = "" if self.judged is self.images else f", heads found on {len(self.images)} others"
        n = f"{len(self.judged)} images ({split}){left}{ties}{found}"
        return f"{named} ({means}, {effect} effect): {told}; {n}."

    def errors(
        self, before: NDArray[np.int64], after: NDArray[np.int64], find: str = "", rank: Rank = "before",
        chosen: Pair = None,
    ) -> ErrorsSent:  # fmt: skip
        """The confusion of predictions [b] before and after, as a picker shows it."""
        return errors_sent(self.judged.classes.names, self.judged.truth.numpy(), before, after, find, rank, chosen)

    @property
    def noun(self) -> str:
        """What the groups are."""
        return "groups" if self.judged.has_groups else "classes"

    def _direct(self, scale: Tensor, how: How) -> tuple[NDArray[np.int64], int]:
        guess, close = self.sums.decide(1 - scale, self._instead(how))
        return np.asarray(guess.numpy()), close

    def _instead(self, how: How) -> Instead:
        """What takes a head's place."""
        return replacement(how, len(self.judged))

    def _total(self, scale: Tensor, how: How) -> NDArray[np.int64]:
        key = (scale.numpy().tobytes(), how)
        if key not in self._totals:
            acts = self.judged.acts
            logits = total_outputs(acts.model, acts.samples, scale[None], how, texts=self.judged.texts)
            self._totals[key] = logits[0].argmax(-1).numpy()
        return self._totals[key]

    def choose(self, pair: Pair, by: str) -> HeadSet:
        """Algorithm 1 of R25 on the images of the scores by a criterion; by VALIDATED the first heads of USUAL_SCORE,
        as many as serve best on the validation images.
        """
        scores = self.scores(pair)
        if by != VALIDATED:
            return scores.choose(by=cast(By, by))
        if self.validation is None:
            given, fix = f"by={by!r} without validation images", f"choose by {', '.join(CRITERIA)}"
            raise InputError("AblationLab.choose", given, "validation images", fix)
        return scores.choose(validation=self.validation, lists=USUAL_SCORE, classes=self.all_classes)

    @property
    def usual_score(self) -> str:
        """The score of the map shown first: USUAL_SCORE, or what exists for these images."""
        wrong = self.images.mistakes
        if not wrong:
            return "direct"
        names, right = np.array(self.images.classes.names), self.images.truth == self.images.guess
        others = set(names[self.images.truth[right].unique().numpy()].tolist())
        return USUAL_SCORE if any(predicted in others for _, predicted in wrong) else "A"

    @property
    def criteria(self) -> tuple[str, ...]:
        """What heads may be chosen by, the usual one first."""
        return CRITERIA if self.validation is None else (VALIDATED, *CRITERIA)

    def curve(self, table: Array, how: How, seed: int = 0) -> OrderCurve:
        """Direct effect of the worst t heads of a map off, against random orders of the same candidates."""
        flat = np.nan_to_num(table, nan=-np.inf).ravel()
        heads = self.shape[1]
        steps = min(STEPS, len(flat))
        first = np.argsort(-flat, kind="stable")[:steps]
        orders = int(max(FEWEST, min(ORDERS, WORK // max(1, steps * self.sums.logits.numel()))))
        rng = np.random.default_rng(seed)
        several = [first, *(rng.permutation(len(flat))[:steps] for _ in range(orders))]
        names, member = self.judged.members
        sizes = torch.bincount(member, minlength=len(names)).double()
        found = []
        for order in counted(several, "switch heads off in random orders", "order"):
            hits = torch.stack([right_by_group(right, member, len(names)) for right in self._prefixes(order, how)])
            found.append(((hits / sizes).min(1).values.numpy(), (hits.sum(1) / sizes.sum()).numpy()))
        low, high = np.quantile([worst for worst, _ in found[1:]], [0.1, 0.9], axis=0)
        ranked = HeadSet(tuple((self.layers[i // heads], int(i % heads)) for i in first))
        return OrderCurve(found[0][0], found[0][1], low, high, ranked, orders)

    def _prefixes(self, order: NDArray[np.int64], how: How) -> Iterator[Tensor]:
        """[b]: whether each image is right with the first 0, 1, … T heads off."""
        heads, instead = self.shape[1], self._instead(how)
        logits = self.sums.logits.clone()
        yield logits.argmax(1) == self.judged.truth
        for i in order:
            logits -= self._of_one(self.layers[i // heads], int(i % heads), instead, how)
            yield logits.argmax(1) == self.judged.truth

    def _of_one(self, layer: int, head: int, instead: Instead, how: How) -> Tensor:
        """[b, c]: what one head gives to the logits; kept while that of all candidates fits."""
        key = (layer, head, how)
        if key not in self._single:
            gone = torch.zeros(self.shape, dtype=torch.float32)
            gone[layer, head] = 1
            taken = self.sums.taken(gone, instead)
            if taken.nbytes * len(self.layers) * self.shape[1] > SINGLE:
                return taken
            self._single[key] = taken
        return self._single[key]


def known_pair(images: Judged, pair: Any, panel: str) -> Pair:
    """A pair of class names, or None. Raises InputError for anything else."""
    if pair is None:
        return None
    accepted = "(true, predicted), two different classes"
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InputError(f"{panel}.pair", repr(pair), accepted, "name two classes")
    y, other = (images.classes.names[images.classes.index(x)] for x in pair)
    if y == other:
        raise InputError(f"{panel}.pair", repr(pair), accepted, "name two classes")
    return y, other


def known_strengths(session: AblationSession, strength: Any) -> list[Off]:
    """Heads and strengths, from a mapping of heads, in any spelling, to numbers."""
    if not isinstance(strength, Mapping):
        fix = 'write lab.strengths = {"L3.H7": 0.5}; to switch a set off, lab.heads = "L3.H7 L3.H5"'
        raise InputError("AblationLab.strengths", repr(strength), "a mapping from heads to numbers", fix)
    named: dict[tuple[int, int], Any] = {}
    for key, value in strength.items():
        named |= dict.fromkeys(HeadSet.of(key if isinstance(key, str) else [key], *session.shape), value)
    return [{"head": list(head), "strength": value} for head, value in named.items()]
