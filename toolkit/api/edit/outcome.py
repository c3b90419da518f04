"""What an edit does to images: edit success, edit locality, and who paid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from toolkit.api.edit.held_out import Guess, HeldOut, Others
from toolkit.core.estimates import Average, OneNumber, Worst, percent, points, span
from toolkit.core.intervals import Interval, wilson
from toolkit.core.metrics import Accuracy, Change

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Share(OneNumber):
    """A share of n images with its Wilson interval. what: of which, in words."""

    what: str
    right: int
    n: int
    interval: Interval
    split: str

    @classmethod
    def of(cls, what: str, hits: Tensor, split: str) -> Share:
        """The share of true entries."""
        right, n = int(hits.sum()), len(hits)
        return cls(what, right, n, wilson(right, n), split)

    @property
    def value(self) -> float:
        return self.right / self.n

    @property
    def facts(self) -> dict[str, Any]:
        """As plain values."""
        limits = {"low": self.interval.low, "high": self.interval.high}
        return {"what": self.what, "value": self.value} | limits | {"n": self.n, "split": self.split}

    def __str__(self) -> str:
        i = self.interval
        return f"{self.what}: {percent(self.value)} {span(i.low, i.high)} (Wilson), n = {self.n}, split {self.split!r}"


@dataclass(frozen=True, eq=False, repr=False)
class Success(OneNumber):
    """Accuracy on the classes an edit is for. change: before and after by group, paired. like: images that make the
    mistake of W and were not used, the share of them that is right now (None where there are none).
    """

    change: Change
    like: Share | None

    @property
    def average(self) -> Average:
        """Plain average after."""
        return self.change.after.average("plain")

    @property
    def worst(self) -> Worst:
        """The worst group after."""
        return self.change.after.worst

    @property
    def value(self) -> float:
        """Plain average after."""
        return self.average.value

    @property
    def interval(self) -> Interval:
        return self.average.interval

    def __str__(self) -> str:
        like = f"\n  {self.like}" if self.like else ""
        return f"edit success on the target classes: {self.change}{like}"

    __repr__ = __str__


@dataclass(frozen=True, eq=False, repr=False)
class Locality(OneNumber):
    """What happened to images an edit should leave alone. of: which, in words. agreement: predictions that stay.
    change: accuracy before and after, paired (None without labels). changed: ids of those predicted otherwise now.
    """

    of: str
    agreement: Share
    change: Change | None
    changed: tuple[str, ...]

    @property
    def value(self) -> float:
        """Accuracy after (plain average); without labels the agreement."""
        return self.agreement.value if self.change is None else self.change.after.average("plain").value

    @property
    def interval(self) -> Interval:
        return self.agreement.interval if self.change is None else self.change.after.average("plain").interval

    @property
    def paid(self) -> tuple[Any, ...]:
        """Ids that were right and are wrong now; without labels those predicted otherwise."""
        return self.changed if self.change is None else self.change.became_wrong

    def __str__(self) -> str:
        lines = [f"edit locality, {self.of}: {self.agreement}"]
        if self.change is not None:
            d = self.change.average("plain")
            moved = points(d.value, d.interval.low, d.interval.high)
            lines.append(
                f"  accuracy {percent(d.before)} → {percent(d.after)}, {moved} points;"
                f" {len(self.change.became_wrong)} became wrong, {len(self.change.became_right)} right"
            )
        return "\n".join(lines)

    __repr__ = __str__


@dataclass(frozen=True, eq=False, repr=False)
class Outcome:
    """What an edit, or any method, does to a `HeldOut`. success: None where no image is of a target class. locality:
    None where no image is of another class. unrelated: one for each set the user named. guess [b]: predictions after.
    """

    success: Success | None
    locality: Locality | None
    unrelated: tuple[Locality, ...]
    held: HeldOut
    guess: Tensor

    @property
    def shares(self) -> list[Share]:
        """The shares that are no accuracies: same mistakes, now right; predictions that stay."""
        like = self.success.like if self.success is not None else None
        places = [*filter(None, [self.locality]), *self.unrelated]
        return [*filter(None, [like]), *(place.agreement for place in places)]

    @property
    def right(self) -> tuple[Any, ...]:
        """Ids of all labelled images that became right."""
        return self._flipped(False)

    @property
    def wrong(self) -> tuple[Any, ...]:
        """Ids of all labelled images that became wrong: who paid."""
        return self._flipped(True)

    def _flipped(self, was: bool) -> tuple[Any, ...]:
        images = self.held.images
        before, after = images.guess == images.truth, self.guess == images.truth
        return tuple(images.acts.ids[((before == was) & (after != was)).numpy()].tolist())

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per group of the target classes, then the worst group, the average, the other classes and every
        unrelated set: what, n, before, after, low, high (95 % of the change), agreement, split.
        """
        import pandas

        rows: list[tuple[Any, ...]] = []
        if self.success is not None:
            c = self.success.change
            rows += [(g.group, g.n, g.before, g.after, g.low, g.high, None, c.before.split) for g in c.groups]
            for d in (c.worst, c.average("plain")):
                rows.append((d.of, d.n, d.before, d.after, d.interval.low, d.interval.high, None, d.split))
        for one in [*filter(None, [self.locality]), *self.unrelated]:
            a = one.agreement
            limits: tuple[float | None, ...] = (None,) * 4
            if one.change is not None:
                d = one.change.average("plain")
                limits = (d.before, d.after, d.interval.low, d.interval.high)
            rows.append((one.of, a.n, *limits, a.value, a.split))
        columns = ["what", "n", "before", "after", "low", "high", "agreement", "split"]
        return pandas.DataFrame(rows, columns=columns)

    def __str__(self) -> str:
        return "\n".join(str(x) for x in (self.success, self.locality, *self.unrelated) if x is not None)

    __repr__ = __str__


def outcome_of(held: HeldOut, guess_of: Guess) -> Outcome:
    """What a method does to held-out images. guess_of: what it predicts [1, b]."""
    images = held.images
    guess = guess_of(held.seen)[0]
    locality = None if held.others is None else locality_of(held.others, guess[held.elsewhere])
    unrelated = tuple(locality_of(x, guess_of(x.seen)[0]) for x in held.unrelated)
    success = None
    if held.before is not None:
        moved = _moved(held.before, (guess == images.truth)[held.target])
        right = (guess == images.truth)[held.like]
        share = Share.of("same mistakes as W, now right", right, held.split) if len(right) else None
        success = Success(moved, share)
    return Outcome(success, locality, unrelated, held, guess)


def locality_of(others: Others, guess: Tensor) -> Locality:
    """What became of images that should stay under other predictions [b]."""
    same = guess == others.guess
    agreement = Share.of(f"same prediction, {others.name}", same, others.split)
    changed = tuple(others.ids[~same.numpy()].tolist())
    if others.before is None:
        return Locality(others.name, agreement, None, changed)
    moved = _moved(others.before, (guess == others.truth)[others.truth >= 0])
    return Locality(others.name, agreement, moved, changed)


def _moved(before: Accuracy, hits: Tensor) -> Change:
    """From one result to another on the very same images: which of them are right now."""
    return Change(before, replace(before, hits=hits.numpy()))
