"""`WithoutHeads`: methods that take heads out of the sum."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.api.methods.dial import Dial
from toolkit.api.methods.fitted import Fitted, Names, wide
from toolkit.api.methods.robo_shot import CANCELS
from toolkit.api.methods.shots import Shots
from toolkit.api.switch_off.fold import fold_ablation
from toolkit.core.heads import HeadSet
from toolkit.core.methods.head_sums import head_sum
from toolkit.core.seen import Seen
from toolkit.errors import InputError
from toolkit.models.model import Model

STRENGTHS = tuple(round(1 - i / 20, 2) for i in range(21))
STRENGTH = Dial("strength", STRENGTHS, paper=0.0, start=1.0, high=1.0, says="what is left of the heads: 1 as they are")


class WithoutHeads(Fitted):
    """Heads with a strength; what is taken away is nothing in its place, or their mean over the shots.

    heads: which. mean [d]: what takes the place of their sum.
    """

    dial = STRENGTH
    heads: HeadSet
    mean: Tensor

    def taken(self, seen: Seen) -> Tensor:
        """[b, d]: what goes at strength 0."""
        kept = self.kept(seen)
        if "taken" not in kept:
            kept["taken"] = head_sum(seen, self.heads.heads) - self.mean
        found: Tensor = kept["taken"]
        return found

    def embedded(self, seen: Seen, value: float) -> Tensor:
        return seen.embedding - (1 - value) * self.taken(seen)

    def contribution(self, seen: Seen, head: tuple[int, int], part: Tensor, value: float) -> Tensor:
        return value * part if head in self.heads else part

    def judge(self, images: Tensor, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        return images @ texts.T

    def quick(self, seen: Seen, value: float, second: float | None) -> Tensor:
        kept, taken, gone = self.kept(seen), self.taken(seen), 1 - value
        if "along" not in kept:
            along = (taken @ seen.texts.T, (seen.embedding * taken).sum(1), taken.square().sum(1))
            kept["along"] = along
        products, own, size = kept["along"]
        square = 1 - 2 * gone * own + gone**2 * size
        if float(square.min()) < CANCELS:
            return super().quick(seen, value, second)
        norm = square.sqrt()
        found: Tensor = (self._as_it_is(seen) - gone * products) / norm[:, None]
        return found

    def fold(self, model: Model, value: float | None = None, second: float | None = None) -> Model:
        """A model without the heads: their *total* effect, as later layers react (`Model`). Arguments as for `Fitted`.

        Raises:
            InputError: where a mean stands in their place, which is no change of weights.
        """
        self._check_model(model)
        if bool(self.mean.any()):
            accepted = "heads with nothing in their place"
            raise InputError(f"{self.name}.fold", "a mean in the place of heads", accepted, "use tk.methods.HeadsOff")
        return fold_ablation(model, self.heads, self.dial.checked(value, self.name))


def mean_of(shots: Shots, seen: Seen, heads: HeadSet) -> Tensor:
    """[d]: the mean of the sum of some heads over the shots."""
    return head_sum(wide(seen), heads.heads).mean(0) if len(heads) else torch.zeros(shots.embedding.shape[1]).double()
