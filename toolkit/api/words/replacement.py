"""What is left of a model's accuracy where every head is replaced by its texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import judged
from toolkit.api.words.banks import vectors_of
from toolkit.api.words.bases import HeadBases, head_bases
from toolkit.core.intervals import wilson
from toolkit.core.moments import head_numbers
from toolkit.core.precision import full_precision
from toolkit.core.spans import directions_of
from toolkit.data.banks import Bank
from toolkit.errors import InputError
from toolkit.signs import counted

if TYPE_CHECKING:
    import pandas

DRAWS = 5
"""Sets of random texts of the control."""
ROWS = 256
"""Images whose logits are made together, for every number of texts."""


@dataclass(frozen=True, eq=False, repr=False)
class Replacement:
    """Accuracy with every head replaced by its mean and its first m texts; made by `spans.replaced`.

    Attributes:
        sizes: m, from 0 (the mean alone) [s].
        right: images that are right at each [s].
        chance: the same with as many random texts of the bank, mean over five draws [s].
        before: right images of the model as it is.
        n: images.
        split: they are of.
        layers: whose heads are replaced by texts; heads of all other layers by their mean.
    """

    sizes: tuple[int, ...]
    right: NDArray[np.int64]
    chance: NDArray[np.float64]
    before: int
    n: int
    split: str
    layers: tuple[int, ...]

    @property
    def table(self) -> pandas.DataFrame:
        """One row per m: size, accuracy, low, high (Wilson, 95 %), chance (accuracy with random texts), before, n."""
        import pandas

        rows = []
        for size, right, chance in zip(self.sizes, self.right.tolist(), self.chance.tolist(), strict=True):
            interval = wilson(right, self.n)
            rows.append({
                "size": size, "accuracy": right / self.n, "low": interval.low, "high": interval.high,
                "chance": chance / self.n, "before": self.before / self.n, "n": self.n, "split": self.split,
            })  # fmt: skip
        return pandas.DataFrame(rows)

    def to_dataframe(self) -> pandas.DataFrame:
        """The table."""
        return self.table

    def __repr__(self) -> str:
        layers = ", ".join(map(str, self.layers))
        head = (
            f"heads of layers {layers} as their first m texts, other layers' as their mean: accuracy, n = {self.n},"
            f" split {self.split!r}, {100 * self.before / self.n:.1f} % as it is"
        )
        shown = self.table.iloc[:: max(1, len(self.sizes) // 8)].to_dict("records")
        lines = [
            f"  m = {row['size']}: {100 * row['accuracy']:.1f} % [{100 * row['low']:.1f}, {100 * row['high']:.1f}],"
            f" random texts {100 * row['chance']:.1f} %"
            for row in shown
        ]
        return "\n".join([head, *lines])


@full_precision
def replaced_by_texts(
    picks: NDArray[np.int64], layers: tuple[int, ...], bank: Bank, acts: Any, classes: Any, size: int | None, seed: int
) -> Replacement:
    """As `Spans.replaced`, of picks [l, h, m] in a bank."""
    most = picks.shape[2]
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= most):
        given = f"size={size!r:.40}"
        raise InputError("spans.replaced", given, f"a whole number from 1 to {most}", "choose more texts first")
    count = most if size is None else size
    images = judged(acts, classes, "spans.replaced")
    own = images.acts
    bases = head_bases(own, list(layers), operation="spans.replaced")
    if picks.shape[:2] != bases.shape:
        given = f"texts of {picks.shape[1]} heads a layer for a model with {bases.heads}"
        raise InputError("spans.replaced", given, "texts of this model's heads", "describe this model: tk.textspan")
    vectors = vectors_of(bank, own, "spans.replaced").cpu().double()
    flat = picks[..., :count].reshape(-1, count)
    rng = np.random.default_rng(seed)
    draws = [np.stack([_random(rng, len(bank), row) for row in flat]) for _ in range(DRAWS)]
    worth = [_worth(bases, vectors, some, images.texts) for some in (flat, *draws)]
    truth = images.truth
    right = np.zeros((len(worth), count + 1), np.int64)
    done = 0
    for start, z in _replaced(own, bases, images.texts):
        at = truth[done : done + len(start)]
        done += len(start)
        for i, (along, towards) in enumerate(worth):
            logits = start
            right[i, 0] += int((logits.argmax(1) == at).sum())
            for j in range(count):
                amount = torch.einsum("bnr,nr->bn", z, along[:, j])
                logits = logits + amount @ towards[:, j]
                right[i, j + 1] += int((logits.argmax(1) == at).sum())
    before = int((images.guess == truth).sum())
    sizes = tuple(range(count + 1))
    return Replacement(sizes, right[0], right[1:].mean(0), before, len(images), own.split, tuple(layers))


def _random(rng: np.random.Generator, texts: int, picks: NDArray[np.int64]) -> NDArray[np.int64]:
    """As many different texts as a head has, in no order."""
    kept = int((picks >= 0).sum())
    found = np.full(len(picks), -1)
    found[:kept] = rng.choice(texts, min(kept, texts), replace=False)
    return found


def _worth(bases: HeadBases, vectors: Tensor, picks: NDArray[np.int64], texts: Tensor) -> tuple[Tensor, Tensor]:
    """Of every head and text: the direction in the head's own coordinates that the text adds [n, m, r], and what one
    unit along it is worth for every class [n, m, c]. Nothing where there is no text.
    """
    basis = bases.basis
    along = directions_of(basis, vectors, picks)
    towards = torch.einsum("nmr,ndr,cd->nmc", along, basis.vectors.cpu().double(), texts.cpu().double())
    return along, towards


def _replaced(acts: Acts, bases: HeadBases, texts: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Some images at a time: logits [b, c] with every head that is kept at its mean, and the centred coordinates of the
    heads that are described [b, n, r].
    """
    maps, mean = acts.head_maps.cpu().double(), acts.moments.mean.cpu().double()
    kept = list(acts.kept.layers)
    places = [kept.index(layer) for layer in bases.layers]
    coordinates = bases.basis.coordinates.cpu().double().unflatten(0, bases.shape)
    towards = texts.cpu().double().T
    done = 0
    for state in acts.states(kept):
        q = (head_numbers(state).cpu() - mean[kept]).split(ROWS)
        for some in counted(q, "replace heads by texts", "part"):
            embedding = acts.take(range(done, done + len(some))).embedding.cpu().double()
            done += len(some)
            gone = torch.einsum("blhk,lhkd->bd", some, maps[kept])
            z = torch.einsum("blhk,lhkr->blhr", some[:, places], coordinates)
            yield (embedding - gone) @ towards, z.flatten(1, 2)
