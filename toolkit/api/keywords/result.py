"""`KeywordScores`: texts that mark the mistakes of a class, the heads that make them do so, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.api.methods.context_ensemble import ContextEnsemble
from toolkit.api.methods.robo_shot import RoboShot
from toolkit.core.keywords import SCALE, Array, RightWithout, Scored, by_sets
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

LEAST = 10
"""Wrong images from which on a list of keywords is more than a hint."""


def _interval(low: float, high: float) -> str:
    return "[no interval]" if low != low or high != high else f"[{low:+.2f}, {high:+.2f}]"


@dataclass(frozen=True, eq=False)
class KeywordSplit:
    """A keyword's score as a sum: what every head adds to it, and the rest of the model.

    Attributes:
        text: the keyword.
        layers: of the rows [l].
        heads: what each adds, in the score's unit [l, h].
        rest: what MLPs, biases, the first token and layers that were not kept add.
        score: the sum of all that.
    """

    text: str
    layers: tuple[int, ...]
    heads: Array
    rest: float
    score: float


@dataclass(frozen=True, eq=False, repr=False)
class KeywordScores:
    """How much nearer texts are to the wrong images of a class than to its right ones. Made by `tk.keywords`.

    Attributes:
        true: the class of the images.
        predicted: the class that wrong ones were taken for; where none was asked for, the most frequent one.
        texts: the keywords [a].
        raw: scores as they are: .score, .low, .high, .t, .freedom, .p of Welch's test [a].
        residual: the same of texts without the direction from one class of the pair to the other [a].
        left: the norm of a text without that direction, 0 to 1 [a].
        p: share of splits of these images in which a text scores at least as high [a] (one-sided permutation test).
        q: false discovery rate of `p` over all texts [a] (Benjamini–Hochberg).
        flag: "S" for a text that marks wrong images of this class alone, "M" of several, "" of none [a].
        under: position of the better text that a text nearly repeats, or its own [a].
        presence: how many of the class's images are right with and without the text: .n1, .right1, .n0, .right0 [a].
        odds: log odds of a phrase in captions of wrong images against those of right ones [a], or None.
        wrong, right: ids of the images.
        circular: whether the model looked at finds the words for its own mistakes.
        splits: how many were looked at, all there are where they are few.
        settings: model, data, bank, ….
        vectors: of the texts, unit [a, d].
        embedding: of the images, the wrong ones first [b, d].
        shift: the mean of what every head writes for wrong images less that for right ones [l, h, d].
        layers: of its rows.
        notes: what a user should know.
        live: whether there is a model that encodes texts.
    """

    true: str
    predicted: str
    texts: tuple[str, ...]
    raw: Scored
    residual: Scored
    left: Array
    p: Array
    q: Array
    flag: tuple[str, ...]
    under: NDArray[np.int64]
    presence: RightWithout
    odds: Array | None
    wrong: tuple[str, ...]
    right: tuple[str, ...]
    circular: bool
    splits: int
    settings: dict[str, Any]
    vectors: Tensor = field(repr=False)
    embedding: Tensor = field(repr=False)
    shift: Tensor = field(repr=False)
    layers: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    live: bool = False

    @property
    def enough(self) -> bool:
        """Whether there are at least ten wrong images; fewer say next to nothing."""
        return len(self.wrong) >= LEAST

    @property
    def order(self) -> list[int]:
        """Positions of the texts, the highest score first, without those that repeat a better one."""
        order = np.argsort(-self.raw.score, kind="stable")
        return [int(i) for i in order if self.under[i] == i]

    def repeats(self, at: int) -> list[str]:
        """The texts that nearly repeat a better one.

        Arguments:
            at: position of the better one.
        """
        return [self.texts[i] for i in np.flatnonzero(self.under == at).tolist() if i != at]

    @property
    def table(self) -> pandas.DataFrame:
        """One row per keyword, the highest score first, those that repeat another left out: text, score, low, high,
        residual, left, t, p, q, flag, n1, n0, acc1, acc0 (with and without it), repeats, enough; odds, of captions.
        """
        import pandas

        rows = []
        for i in self.order:
            row = {
                "text": self.texts[i], "score": self.raw.score[i], "low": self.raw.low[i], "high": self.raw.high[i],
                "residual": self.residual.score[i], "left": self.left[i], "t": self.raw.t[i], "p": self.p[i],
                "q": self.q[i], "flag": self.flag[i], "n1": self.presence.n1[i], "n0": self.presence.n0[i],
                "acc1": self.presence.with_it[i], "acc0": self.presence.without[i],
                "repeats": "; ".join(self.repeats(i)), "enough": self.enough,
            }  # fmt: skip
            rows.append(row if self.odds is None else row | {"odds": self.odds[i]})
        return pandas.DataFrame(rows)

    def to_dataframe(self) -> pandas.DataFrame:
        """The table."""
        return self.table

    def top(self, k: int = 10) -> pandas.DataFrame:
        """The first rows of the table.

        Arguments:
            k: how many; default 10.
        """
        return self.table.head(k)

    def at(self, text: str) -> int:
        """The position of a keyword.

        Arguments:
            text: one of `texts`.

        Raises:
            InputError: for another.
        """
        if text not in self.texts:
            near = [one for one in self.texts if str(text).lower() in one.lower()][:5] or list(self.texts[:5])
            raise InputError("keywords", repr(text)[:80], ", ".join(map(repr, near)) + ", …", "name one of the table")
        return self.texts.index(text)

    def split(self, text: str) -> KeywordSplit:
        """What every head adds to a keyword's score, exactly: the score is linear in what heads write (`KeywordSplit`).

        Show it with `tk.HeadGrid(split.heads, layers=split.layers)`.

        Arguments:
            text: one of `texts`.
        """
        at = self.at(text)
        vector = self.vectors[at].double()
        heads = (SCALE * (self.shift.double() @ vector)).numpy()
        score = float(self.raw.score[at])
        return KeywordSplit(text, self.layers, heads, score - float(heads.sum()), score)

    def images(self, text: str, k: int = 8) -> tuple[list[str], list[str]]:
        """Ids of the wrong images nearest to a keyword, and of the right ones farthest from it.

        Arguments:
            text: one of `texts`.
            k: how many of each, at most; default 8.
        """
        along = (self.embedding @ self.vectors[self.at(text)].to(self.embedding)).numpy()
        n = len(self.wrong)
        nearest = np.argsort(-along[:n], kind="stable")[:k]
        farthest = np.argsort(along[n:], kind="stable")[:k]
        return [self.wrong[i] for i in nearest], [self.right[i] for i in farthest]

    # what can be done with it

    def marks(self, k: int = 3) -> tuple[list[str], list[str]]:
        """The k texts of the highest scores, and the k of the lowest, which mark right images.

        Arguments:
            k: how many of each; default 3.
        """
        order = self.order
        return [self.texts[i] for i in order[:k]], [self.texts[i] for i in reversed(order[-k:])]

    def as_prompts(self, texts: Sequence[str] | None = None, template: str = ", {}") -> ContextEnsemble:
        """Keywords in every class's prompt: the mean over its prompts, with and without them (`ContextEnsemble`).

        Arguments:
            texts: which; default the three of the highest scores.
            template: how a keyword goes on after a prompt, with {} for it; default ", {}".
        """
        chosen = self.marks()[0] if texts is None else self._named(texts)
        if "{}" not in template:
            raise InputError("keywords", f"template={template!r}", "a text with {} for the keyword", 'write ", {}"')
        return ContextEnsemble(("", *(template.replace("{}", text) for text in chosen)))

    def as_pair(self, text: str | None = None, against: str | None = None) -> RoboShot:
        """A keyword and one that marks right images as a direction to take away (`RoboShot`).

        Arguments:
            text: one of `texts`; default that of the highest score.
            against: another; default that of the lowest score.
        """
        high, low = self.marks(1)
        both = self._named([text or high[0], against or low[0]])
        if both[0] == both[1]:
            raise InputError("keywords", f"the pair of {both[0]!r} with itself", "two keywords", "name another")
        if self.live:
            return RoboShot(((both[0], both[1]),))
        return RoboShot(self.vectors[[self.at(one) for one in both]][None])

    def as_groups(
        self, acts: Acts, sets: Mapping[str, Sequence[str]] | None = None, temperature: float = 0.02
    ) -> list[str]:
        """A group name for every image: its label, and the set of keywords it is nearest to. For `GroupDRO` and kin:
        `tk.methods.GroupDRO().fit(few, classes, groups=found.as_groups(few))`.

        Groups are those the model itself sees, and no truth.

        Arguments:
            acts: parts of labelled images (`Acts`).
            sets: by name, keywords; default those of the three highest scores against those of the three lowest.
            temperature: of the softmax over all keywords, whose sum over a set counts; default 0.02.
        """
        if sets is None:
            high, low = self.marks()
            sets = {high[0]: high, low[0]: low}
        if len(sets) < 2:
            raise InputError("keywords", f"{len(sets)} set of keywords", "two or more", "name another")
        positions = [[self.at(text) for text in some] for some in sets.values()]
        used = sorted({i for some in positions for i in some})
        place = {i: at for at, i in enumerate(used)}
        cosines = acts.embedding.cpu().double() @ self.vectors[used].double().T
        nearest = by_sets(cosines, [[place[i] for i in some] for some in positions], temperature)
        names = list(sets)
        return [f"{label}, {names[i]}" for label, i in zip(acts.labels.tolist(), nearest.tolist(), strict=True)]

    def _named(self, texts: Sequence[str]) -> list[str]:
        asked = [texts] if isinstance(texts, str) else list(texts)
        return [self.texts[self.at(text)] for text in asked]

    def __repr__(self) -> str:
        table = self.table
        badge = "; circular: the model looked at says what its own mistakes have in common" if self.circular else ""
        few = "" if self.enough else f"; fewer than {LEAST} wrong images: a hint at most"
        head = (
            f"keywords of {self.true} → {self.predicted}: {len(self.wrong)} wrong against {len(self.right)} right"
            f" images, split {self.settings.get('split')!r}{badge}{few}"
        )
        lines = [
            f"  {row['text']}: {row['score']:+.2f} {_interval(row['low'], row['high'])}, without the pair"
            f" {row['residual']:+.2f}, q = {row['q']:.2g} {row['flag']}".rstrip()
            for row in table.head(8).to_dict("records")
        ]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join([head, *lines]).replace("+-", "−").replace("-", "−")


def pair_direction(texts: Tensor, y: int, other: int) -> Tensor:
    """[d]: from the class an image is taken for to the one it is of."""
    return torch.as_tensor(texts[y] - texts[other]).double()
