"""`Ablation`: what switching heads off did to every group, image by image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import Tensor

from toolkit.api.images.judged import Judged, predictions
from toolkit.core.estimates import Average, GroupChange, Worst
from toolkit.core.estimates import Convention as AverageConvention
from toolkit.core.heads import HeadSet
from toolkit.core.intervals import Interval
from toolkit.core.metrics import Accuracy, Change, Confusion, change, confusion
from toolkit.core.ranked import MistakeCount, Rank, by_change, known_rank, mistakes
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False, repr=False)
class Ablation:
    """Accuracies before and after a head set was changed; made by `tk.ablate` and `tk.ltc_correct`.

    Attributes:
        heads: the set (`HeadSet`).
        how: what took the heads' place, "zero", "mean", "resample", or the mode of `tk.ltc_correct`.
        effect: "direct" or "total".
        strength: what is left of every head of the set, in its order, 0 to 2.
        reference: what took the heads' place, in words.
        embedding: the changed embeddings on the scale of the unchanged unit ones, not re-normalised [b, d].
        settings: model, data, class set, convention.
    """

    heads: HeadSet
    how: str
    effect: str
    strength: tuple[float, ...]
    reference: str
    embedding: Tensor
    settings: dict[str, Any]
    _images: Judged

    def __post_init__(self) -> None:
        bad = (~self.embedding.isfinite().all(1)).nonzero()[:, 0].tolist()
        if bad:
            given = f"{len(bad)} changed embeddings that are not finite, {self._images.acts.ids[bad[0]]!r} for one"
            raise InputError("ablate", given, "finite parts", "leave these images out: acts.take(rows)")

    @cached_property
    def before(self) -> Accuracy:
        """With nothing changed."""
        return self._images.accuracy(self._images.guess)

    @cached_property
    def after(self) -> Accuracy:
        """With the heads changed."""
        return self._images.accuracy(self._guess)

    @cached_property
    def change(self) -> Change:
        """The paired change, with bootstrap intervals."""
        return change(self.before, self.after)

    @property
    def groups(self) -> tuple[GroupChange, ...]:
        """One row per group: group, n, before, after, change, and the limits of its paired interval."""
        return self.change.groups

    @property
    def worst(self) -> Worst:
        """The worst group after, its accuracy and interval."""
        return self.after.worst

    def average(self, convention: AverageConvention = "plain", weights: Mapping[str, float] | None = None) -> Average:
        """The average accuracy after, by the name of its convention (`Accuracy.average`).

        Arguments:
            convention: "plain" (mean over images), "group_mean" or "train_weighted"; default "plain".
            weights: training size of every group, for "train_weighted" only; default none.
        """
        return self.after.average(convention, weights)

    @property
    def interval(self) -> Interval:
        """Paired bootstrap interval of the change of the worst group's accuracy; others are in `.change`."""
        return self.change.worst.interval

    @property
    def right(self) -> tuple[Any, ...]:
        """Ids of the images that became right. (Those answered right: `.after.right`.)"""
        return self.change.became_right

    @property
    def wrong(self) -> tuple[Any, ...]:
        """Ids of the images that became wrong."""
        return self.change.became_wrong

    @cached_property
    def confusion(self) -> Confusion:
        """Counts after [c, c], rows the true class."""
        return self._counted(self._guess)

    @cached_property
    def confusion_before(self) -> Confusion:
        """Counts before [c, c]."""
        return self._counted(self._images.guess)

    def mistakes(self, find: str = "", rank: Rank = "before") -> pandas.DataFrame:
        """Which classes are taken for which, of however many classes: true, predicted, before, after and change, in
        images. One row for every pair that some image makes before or after.

        Arguments:
            find: a text in the name of either class, whatever its case, or "crane → heron"; default all.
            rank: "before" (the most frequent first), "after", "loss" (what grew most) or "gain"; default "before".

        >>> import toolkit as tk
        >>> acts = tk.extract(tk.load(), tk.scenes("test", n=80, kind="birds"), progress=False)
        >>> off = tk.ablate(acts, tk.classes(["waterbird", "landbird"]), "L3.H7")
        >>> list(off.mistakes("landbird → water").columns)
        ['true', 'predicted', 'before', 'after', 'change']
        """
        import pandas

        images, order = self._images, known_rank(rank, "ablation.mistakes")
        found = mistakes(images.truth.numpy(), images.guess.numpy(), self._guess.numpy(), images.classes.names)
        table = pandas.DataFrame(found.ranked(find, order), columns=MistakeCount._fields)
        return table.assign(change=table["after"] - table["before"])

    def by_class(self, rank: Rank = "loss") -> pandas.DataFrame:
        """Accuracy of every class before and after: class, n, before, after, change; whatever the groups are.

        Arguments:
            rank: "loss" (what lost most first), "gain", "before" (the worst first) or "after"; default "loss".
        """
        import numpy as np
        import pandas

        images, order = self._images, known_rank(rank, "ablation.by_class")
        truth, c = images.truth.numpy(), len(images.classes)
        n = np.bincount(truth, minlength=c)
        right = [np.bincount(truth[guess.numpy() == truth], minlength=c) for guess in (images.guess, self._guess)]
        there = np.flatnonzero(n)
        before, after = (hits[there] / n[there] for hits in right)
        columns = {"class": np.array(images.classes.names, object)[there], "n": n[there], "before": before}
        table = pandas.DataFrame(columns | {"after": after, "change": after - before})
        return table.iloc[by_change(before, after, order)].reset_index(drop=True)

    def _counted(self, guess: Tensor) -> Confusion:
        counts = confusion(self._images.truth, guess, self._images.classes.names)
        return replace(counts, left_out=self._images.left_out)

    @cached_property
    def priors(self) -> pandas.DataFrame:
        """How the classes were favoured: share of labels, share of predictions before and after, and the mean shift of
        the logits (cosines on the unchanged norm) less that of the average class. Zero-ablation takes the heads' means
        away, which shifts every class by a constant.
        """
        import numpy as np
        import pandas

        images, c = self._images, len(self._images.classes)
        counts = (images.truth, images.guess, self._guess)
        shares = [np.bincount(x.numpy(), minlength=c) / len(images) for x in counts]
        texts = images.texts.to(self.embedding)
        shift = ((self.embedding - images.embedding.to(self.embedding)) @ texts.T).mean(0).double().numpy()
        columns = dict(zip(("labels", "predicted before", "predicted after"), shares, strict=True))
        columns["shift"] = shift - shift.mean()
        return pandas.DataFrame(columns, index=pandas.Index(images.classes.names, name="class"))

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per group: group, n, before, after, change, low, high, level, interval (method) and split."""
        return self.change.to_dataframe()

    @cached_property
    def _guess(self) -> Tensor:
        return predictions(self.embedding, self._images.texts.to(self.embedding))[0]

    def __str__(self) -> str:
        strengths = sorted(set(self.strength))
        much = "" if strengths == [0.0] else ", strength " + ", ".join(f"{s:g}" for s in strengths)
        what = f"{self.how}-ablation of {self.heads or 'no head'}{much}, {self.effect} effect"
        of = f"; in their place: {self.reference}" if self.reference else ""
        return f"{what}{of}\n{self.change}"

    __repr__ = __str__
