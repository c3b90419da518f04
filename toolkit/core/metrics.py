"""Group accuracies, worst group, named averages, confusion and paired changes, each with split, n and interval.

Three "averages" are in use and can differ by 20 points on the same predictions, so an average is never given without
its convention (methods §6): `plain` is the mean over images, `group_mean` the unweighted mean over groups,
`train_weighted` the mean over groups weighted by their training sizes (Sagawa et al. 2020, arXiv 1911.08731).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.core.estimates import (
    ROWS_SHOWN,
    Average,
    Convention,
    Difference,
    Group,
    GroupChange,
    Worst,
    percent,
    points,
    span,
    table,
)
from toolkit.core.intervals import (
    Counts,
    Floats,
    Statistic,
    mean_interval,
    paired_method,
    paired_replicates,
    percentile,
    wilson,
    worst_interval,
)
from toolkit.core.outcomes import class_indices, group_labels, group_members, judge, listed, unique_ids
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Accuracy", "Average", "Change", "Confusion", "Convention", "Difference", "Worst"]
__all__ += ["accuracy", "change", "confusion"]


@dataclass(frozen=True, eq=False, repr=False)
class Accuracy:
    """Right and wrong answers of one split by group; made by `accuracy`. Arrays run over the images kept [b].

    Attributes:
        names: of the groups [g].
        hits: whether each image is right [b].
        member: the group index of every image [b].
        ids: of the images [b].
        split: which images these are.
        left_out: images whose label is not in the class set.
        level: of the intervals, 0 to 1.
        replicates: bootstrap samples.
        seed: of the bootstrap.
        others: the labels of the images left out, where they are known.
    """

    names: tuple[str, ...]
    hits: NDArray[np.bool_]
    member: Counts
    ids: NDArray[Any]
    split: str
    left_out: int
    level: float
    replicates: int
    seed: int
    others: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Images kept."""
        return len(self.hits)

    @property
    def sizes(self) -> Counts:
        """Images per group [g]."""
        return np.bincount(self.member, minlength=len(self.names))

    @property
    def counts(self) -> Counts:
        """Right images per group [g]."""
        return np.bincount(self.member[self.hits], minlength=len(self.names))

    @property
    def right(self) -> tuple[Any, ...]:
        """Ids of the images answered right, in order."""
        return tuple(self.ids[self.hits].tolist())

    @property
    def wrong(self) -> tuple[Any, ...]:
        """Ids of the images answered wrong, in order."""
        return tuple(self.ids[~self.hits].tolist())

    @property
    def groups(self) -> tuple[Group, ...]:
        """One row per group: group, n, right, accuracy and the limits of its Wilson interval."""
        rows = []
        for name, r, n in zip(self.names, self.counts.tolist(), self.sizes.tolist(), strict=True):
            interval = wilson(r, n, self.level)
            rows.append(Group(name, n, r, r / n, interval.low, interval.high))
        return tuple(rows)

    def __getitem__(self, group: str) -> Group:
        if group not in self.names:
            raise InputError("accuracy[group]", repr(group), f"one of {listed(self.names)}", "use a name of .names")
        return self.groups[self.names.index(group)]

    @property
    def worst(self) -> Worst:
        """The worst group, its accuracy, and a bootstrap interval with the minimum taken inside each replicate."""
        right, n = self.counts, self.sizes
        g = int(np.argmin(right / n))
        interval = worst_interval(right, n, self.level, self.replicates, self.seed)
        return Worst(self.names[g], float(right[g] / n[g]), interval, int(n[g]), self.split)

    def average(self, convention: Convention = "plain", weights: Mapping[str, float] | None = None) -> Average:
        """The average accuracy with its interval and the name of its convention.

        Arguments:
            convention: "plain" (mean over images; Wilson interval), "group_mean" or "train_weighted" (stratified
                bootstrap); default "plain".
            weights: training size of every group, for "train_weighted" only; default none.

        Raises:
            InputError: for an unknown convention, or weights that are missing, unasked for or incomplete.

        >>> result = accuracy([True, True, True, False], groups=["a", "a", "a", "b"], split="test")
        >>> result.average().value, result.average("group_mean").value
        (0.75, 0.5)
        """
        right, n = self.counts, self.sizes
        share = convention_weights(convention, self.names, n, weights)
        if convention == "plain":
            interval = wilson(int(right.sum()), self.n, self.level)
            return Average(float(right.sum() / self.n), interval, convention, self.n, self.split)
        interval = mean_interval(right, n, share, self.level, self.replicates, self.seed)
        return Average(float(right / n @ share), interval, convention, self.n, self.split)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per group: group, n, right, accuracy, low, high, level, interval (method) and split."""
        import pandas as pd

        return pd.DataFrame(self.groups, columns=Group._fields).assign(
            level=self.level, interval="Wilson", split=self.split
        )

    def __str__(self) -> str:
        head = f"accuracy, {_subject(self)}, {100 * self.level:g} % intervals"
        rows = sorted(self.groups, key=lambda row: row.accuracy) if len(self.names) > ROWS_SHOWN else self.groups
        cells = [(row.group, row.n, percent(row.accuracy), span(row.low, row.high), "Wilson") for row in rows]
        summary: list[Average | Worst] = [self.average("plain")]
        if len(self.names) > 1:
            summary = [self.worst, *summary, self.average("group_mean")]
        for item in summary:
            name = f"worst: {item.group}" if isinstance(item, Worst) else f"{item.convention} average"
            i = item.interval
            cells.append((name, item.n, percent(item.value), span(i.low, i.high), i.method))
        return table(head, ("group", "n", "accuracy", "interval", "method"), cells, len(rows))

    __repr__ = __str__


@dataclass(frozen=True, eq=False, repr=False)
class Change:
    """What changed between two results on the same images; made by `change`. All intervals are paired bootstraps."""

    before: Accuracy
    after: Accuracy

    @property
    def became_right(self) -> tuple[Any, ...]:
        """Ids of the images that were wrong and are right now."""
        return tuple(self.after.ids[~self.before.hits & self.after.hits].tolist())

    @property
    def became_wrong(self) -> tuple[Any, ...]:
        """Ids of the images that were right and are wrong now."""
        return tuple(self.after.ids[self.before.hits & ~self.after.hits].tolist())

    @property
    def outcomes(self) -> Counts:
        """Counts [g, 4]: wrong–wrong, became right, became wrong, right–right."""
        code = 4 * self.before.member + 2 * self.before.hits + self.after.hits
        return np.bincount(code, minlength=4 * len(self.before.names)).reshape(-1, 4)

    @property
    def groups(self) -> tuple[GroupChange, ...]:
        """One row per group: group, n, before, after, change and the limits of its interval."""
        b = self.before
        earlier, later = self._replicates
        ends = [(1 - b.level) / 2, (1 + b.level) / 2]
        difference = later - earlier
        moved = difference.any(axis=0)  # where nothing moves in any replicate, the interval is [0, 0]
        limits = np.zeros((len(b.names), 2))  # of all groups at once: there may be thousands
        limits[moved] = np.quantile(difference[:, moved], ends, axis=0).T
        old, new = b.counts / b.sizes, self.after.counts / b.sizes
        rows = zip(b.names, b.sizes.tolist(), old.tolist(), new.tolist(), limits.tolist(), strict=True)
        return tuple(GroupChange(name, n, x, y, y - x, low, high) for name, n, x, y, (low, high) in rows)

    @property
    def worst(self) -> Difference:
        """Change of the worst-group accuracy; the minimum is taken before and after in every replicate."""
        shares = [one.counts / one.sizes for one in (self.before, self.after)]
        old, new = (self.before.names[int(np.argmin(share))] for share in shares)
        of = f"worst group ({old})" if old == new else f"worst group ({old} → {new})"
        return self._difference(of, float(shares[0].min()), float(shares[1].min()), lambda a: a.min(axis=1))

    @property
    def worst_sizes(self) -> str:
        """How many images the worst group has: before and, where it is another, after."""
        worst = [int(np.argmin(one.counts / one.sizes)) for one in (self.before, self.after)]
        return " → ".join(f"{self.before.sizes[i]:,}" for i in dict.fromkeys(worst))

    def average(self, convention: Convention = "plain", weights: Mapping[str, float] | None = None) -> Difference:
        """Change of the average; arguments and errors as for `Accuracy.average`.

        >>> b = accuracy([False, True], split="test")
        >>> change(b, accuracy([True, True], split="test")).average().value
        0.5
        """
        share = convention_weights(convention, self.before.names, self.before.sizes, weights)
        old, new = (float(a.counts / a.sizes @ share) for a in (self.before, self.after))
        return self._difference(f"{convention} average", old, new, lambda a: a @ share)

    def _difference(self, of: str, old: float, new: float, statistic: Statistic) -> Difference:
        b = self.before
        earlier, later = self._replicates
        interval = percentile(statistic(later) - statistic(earlier), b.level, self._method)
        return Difference(of, new - old, interval, old, new, b.n, b.split)

    @cached_property
    def _replicates(self) -> tuple[Floats, Floats]:
        return paired_replicates(self.outcomes, self.before.replicates, self.before.seed)

    @property
    def _method(self) -> str:
        return paired_method(self.before.replicates, self.before.seed)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per group: group, n, before, after, change, low, high, level, interval (method) and split."""
        import pandas as pd

        b = self.before
        frame = pd.DataFrame(self.groups, columns=GroupChange._fields)
        return frame.assign(level=b.level, interval=self._method, split=b.split)

    def __str__(self) -> str:
        b = self.before
        head = (
            f"change in accuracy, {_subject(b)}, {100 * b.level:g} % {self._method}; "
            f"{len(self.became_right)} became right, {len(self.became_wrong)} became wrong"
        )
        rows = sorted(self.groups, key=lambda row: row.change) if len(b.names) > ROWS_SHOWN else self.groups
        cells = [(r.group, r.n, percent(r.before), percent(r.after), points(r.change, r.low, r.high)) for r in rows]
        for d in [self.average()] if len(b.names) == 1 else [self.worst, self.average(), self.average("group_mean")]:
            low, high = d.interval.low, d.interval.high
            cells.append((d.of, d.n, percent(d.before), percent(d.after), points(d.value, low, high)))
        return table(head, ("group", "n", "before", "after", "change in points"), cells, len(rows))

    __repr__ = __str__


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts [c, c], rows the true class and columns the predicted one; left_out: labels outside the class set."""

    counts: Counts
    names: tuple[str, ...]
    left_out: int

    def to_dataframe(self) -> pd.DataFrame:
        """The counts with class names on both axes ("true", "predicted")."""
        import pandas as pd

        axes = [pd.Index(self.names, name=axis) for axis in ("true", "predicted")]
        return pd.DataFrame(self.counts, index=axes[0], columns=axes[1])


def accuracy(
    predictions: Any,
    labels: Any = None,
    groups: Any = None,
    *,
    split: str,
    ids: Any = None,
    group_names: Sequence[str] | None = None,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> Accuracy:
    """Group accuracies of one split, as an `Accuracy`.

    Arguments:
        predictions: class indices [b], or bools [b] that say whether each image is right; array, tensor or list.
        labels: true class indices [b], −1 where the label is not in the class set (left out and counted); default none,
            with bools alone.
        groups: a group name per image [b]; default one group "all". A group all of whose images are left out does not
            appear.
        split: which images these are, such as "test".
        ids: unique, one per image [b]; default 0 … b−1.
        group_names: the groups in the order wanted, each with at least one image; default the names there are, sorted.
        level: of the intervals, 0 to 1; default 0.95.
        replicates: bootstrap samples; default 2000.
        seed: of the bootstrap; default 0.

    Raises:
        InputError: for empty input, NaN, unequal lengths, duplicate ids or a named group without images.

    >>> accuracy([0, 1, 1], [0, 1, 0], ["land", "land", "water"], split="test").worst.group
    'water'
    """
    if not isinstance(split, str) or not split.strip():
        fix = 'say which images these are: split="test"'
        raise InputError("accuracy", f"split={split!r}", "the name of the split", fix)
    guess = class_indices("predictions", predictions)
    b = len(guess)
    truth = None if labels is None else class_indices("labels", labels, b)
    hits, kept = judge(guess, truth)
    named = np.array(["all"] * b, dtype=object) if groups is None else group_labels(groups, b)
    keys = np.arange(b) if ids is None else unique_ids(ids, b)
    hits, named, keys = hits[kept], named[kept], keys[kept]
    order, member = group_members(named, group_names)
    worst_interval([0], [1], level, replicates, seed)  # refuses bad settings here rather than at first use
    for array in (hits, member, keys):
        array.flags.writeable = False
    return Accuracy(order, hits, member, keys, split, int(b - kept.sum()), level, replicates, seed)


def change(before: Accuracy, after: Accuracy) -> Change:
    """The paired change from one result to another on the same images; level, replicates and seed are `before`'s.

    Raises InputError when ids, groups or split differ.

    >>> b, a = accuracy([False, True, True], split="test"), accuracy([True, True, False], split="test")
    >>> change(b, a).became_right, change(b, a).became_wrong
    ((0,), (2,))
    """
    accepted = "two results on the same images in the same order, with the same groups and split"
    checks = {
        f"splits {before.split!r} and {after.split!r}": before.split == after.split,
        f"{before.n} and {after.n} images": before.n == after.n,
        "different image ids": before.ids.tolist() == after.ids.tolist(),
        "different groups": before.names == after.names and np.array_equal(before.member, after.member),
    }
    for given, same in checks.items():
        if not same:
            raise InputError("change", given, accepted, "evaluate both on one data set with one class set")
    return Change(before, after)


def confusion(labels: Any, predictions: Any, names: Sequence[str]) -> Confusion:
    """How often each true class was predicted as each class, as a `Confusion`.

    labels: class indices [b], −1 is left out and counted. predictions: class indices [b]. names: class names [c].

    >>> confusion([0, 0, 1, -1], [0, 1, 1, 0], ["landbird", "waterbird"]).counts.tolist()
    [[1, 1], [0, 1]]
    """
    truth = class_indices("labels", labels)
    guess = class_indices("predictions", predictions, len(truth))
    c = len(names)
    bad = truth.dtype.kind == "b" or guess.dtype.kind == "b" or truth.max() >= c or guess.max() >= c
    if bad or truth.min() < -1 or guess.min() < 0:
        given = f"labels {truth.min()}…{truth.max()} and predictions {guess.min()}…{guess.max()}"
        accepted = f"class indices below {c} (labels may be −1: not in the class set)"
        raise InputError("confusion", given, accepted, "use the names of the class set the predictions come from")
    kept = truth >= 0
    counts = np.bincount(truth[kept] * c + guess[kept], minlength=c * c).reshape(c, c)
    return Confusion(counts, tuple(names), int((~kept).sum()))


def _subject(result: Accuracy) -> str:
    which = f": {listed(result.others, 3)}" if result.others else ""
    left = f" ({result.left_out} left out: label not in the class set{which})" if result.left_out else ""
    return f"split {result.split!r}, n = {result.n}{left}"


def convention_weights(
    convention: str, names: Sequence[str], sizes: Counts, weights: Mapping[str, float] | None = None
) -> Floats:
    """The weight of every group [g] under a convention, summing to 1; the average is weights · group accuracies.

    convention: "plain", "group_mean" or "train_weighted". names, sizes: of the groups [g].
    weights: training sizes by group, for "train_weighted". Raises InputError where they do not fit the groups.

    >>> convention_weights("plain", ["a", "b"], np.array([3, 1])).tolist()
    [0.75, 0.25]
    """
    if convention not in get_args(Convention):
        raise InputError("average", f"convention={convention!r}", " ".join(get_args(Convention)), "name one of these")
    if convention != "train_weighted":
        if weights is not None:
            raise InputError("average", f"weights with {convention!r}", "no weights", 'use convention="train_weighted"')
        return _shares(sizes if convention == "plain" else np.ones(len(sizes)))
    accepted = f"weights: a dict from each of {listed(names)} to its training size"
    if weights is None:
        raise InputError("average", '"train_weighted" without weights', accepted, "pass weights={group: training size}")
    given = {str(group): float(size) for group, size in weights.items()}
    missing = [name for name in names if name not in given]
    extra = [name for name, size in given.items() if name not in names and size != 0]
    if missing or extra:
        what = f"no weight for {listed(missing)}" if missing else f"weights for {listed(extra)}, without images here"
        raise InputError("average", what, accepted, "give a training size for exactly the groups of this result")
    raw = np.array([given[name] for name in names])
    if not np.isfinite(raw).all() or raw.min() < 0 or raw.sum() == 0:
        raise InputError("average", f"weights {raw.tolist()}", accepted, "use finite sizes, none negative, not all 0")
    return _shares(raw)


def _shares(raw: ArrayLike) -> Floats:
    values = np.asarray(raw, dtype=np.float64)
    shares: Floats = values / values.sum()
    return shares
