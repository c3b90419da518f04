"""Locate-Then-Correct's counts: which head decides an image (LTC §3; methods §5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from toolkit.core.heads import HeadSet


@dataclass(frozen=True, eq=False)
class Votes:
    """wrong, correct [l, h]: the share V_W, V_C of wrong and of correct images whose own logit difference, in favour
    of what the model predicted, is largest in that head. heads: q, the number of distinct heads counted; a difference
    of more than 1/q counts. n: (wrong, correct) images. layers: of the rows.
    """

    wrong: Tensor
    correct: Tensor
    heads: int
    n: tuple[int, int]
    layers: tuple[int, ...]

    @property
    def difference(self) -> Tensor:
        """[l, h]: V_W − V_C."""
        return self.wrong - self.correct

    @property
    def threshold(self) -> float:
        """1/q."""
        return 1 / max(1, self.heads)

    @property
    def spurious(self) -> HeadSet:
        """Heads with V_W − V_C > 1/q, the largest difference first."""
        return self._above(self.difference)

    @property
    def salient(self) -> HeadSet:
        """Heads with V_C − V_W > 1/q, the largest difference first."""
        return self._above(-self.difference)

    def _above(self, table: Tensor) -> HeadSet:
        if not all(self.n):  # a difference needs both
            return HeadSet(())
        order = (-table).flatten().argsort(stable=True).tolist()
        found = [divmod(i, table.shape[1]) for i in order if table.flatten()[i] > self.threshold]
        return HeadSet(tuple((self.layers[row], head) for row, head in found))


def rivals(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """[b]: the predicted class; [b]: the one it is held against, the runner-up where the prediction is right, the true
    one where it is wrong. logits [b, c]. truth [b]: labels.
    """
    best = logits.topk(2, dim=1).indices
    return best[:, 0], torch.where(best[:, 0] == truth, best[:, 1], truth)


class Race:
    """Of every image, the head so far whose own logit difference in favour of the prediction is largest; of equals the
    first. best, other [b]: from `rivals`.

    winner [b]: its flat index.
    """

    def __init__(self, best: Tensor, other: Tensor) -> None:
        self._best, self._other = best, other
        self._most = torch.full(best.shape, -torch.inf, dtype=torch.float64)
        self.winner = torch.zeros_like(best)

    def run(self, rows: slice, layer: int, q: Tensor, along: Tensor) -> None:
        """The heads of a layer for some images. q [r, h, k]: their numbers, float64. along [h, k, c]: what each is
        worth along the class vectors.
        """
        difference = along[..., self._best[rows]] - along[..., self._other[rows]]
        top = torch.einsum("bhk,hkb->bh", q, difference).max(1)
        better = top.values > self._most[rows]
        self._most[rows] = torch.where(better, top.values, self._most[rows])
        self.winner[rows] = torch.where(better, layer * q.shape[1] + top.indices, self.winner[rows])


def count_votes(winner: Tensor, right: Tensor, shape: tuple[int, int], layers: tuple[int, ...]) -> Votes:
    """The counts over b images. winner [b]: of a `Race`. right [b]: whether the prediction is. shape: layers and heads
    a layer.
    """
    shares = []
    for chosen in (~right, right):
        counts = torch.bincount(winner[chosen], minlength=shape[0] * shape[1]).double()
        shares.append((counts / max(1, int(chosen.sum()))).view(shape))
    distinct = int(((shares[0] + shares[1]) > 0).sum())
    return Votes(shares[0], shares[1], distinct, (int((~right).sum()), int(right.sum())), layers)
