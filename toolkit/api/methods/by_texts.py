"""`TextFitted`: methods that move class vectors and leave images as they are."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from toolkit.api.methods.fitted import Fitted, Names
from toolkit.core.seen import Seen


class TextFitted(Fitted):
    """A fitted method whose scores are cosines with class vectors of its own."""

    @abstractmethod
    def vectors(self, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        """Class vectors [c, d] in the place of others.

        Arguments:
            texts: those others [c, d], unit.
            names: of the classes.
            value: of the dial; not its start.
            second: of the second dial, or None for the setting's.
        """

    def judge(self, images: Tensor, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        return images @ self.vectors(texts, names, value, second).T

    def quick(self, seen: Seen, value: float, second: float | None) -> Tensor:
        return self.judge(seen.embedding, seen.texts, seen.names, value, second)  # they are unit already

    def matrices(self, value: float, second: float | None) -> tuple[Tensor, Tensor]:
        own = self.vectors(self.shots.texts, self.classes.names, value, second)
        return torch.eye(own.shape[1], dtype=torch.float64), own
