"""`AsItIs`: the origin of every path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from toolkit.api.methods.by_texts import TextFitted
from toolkit.api.methods.dial import Dial
from toolkit.api.methods.fitted import Names
from toolkit.api.methods.method import Method, Told
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots


@method
@dataclass(frozen=True, eq=False, repr=False)
class AsItIs(Method):
    """The model as it is: the origin of every path.

    >>> import toolkit as tk
    >>> AsItIs()
    AsItIs()
    """

    name: ClassVar[str] = "as it is"
    told: ClassVar[Told] = "nothing"

    def solve(self, shots: Shots) -> UnchangedFitted:
        return UnchangedFitted(self, shots)


class UnchangedFitted(TextFitted):
    """`AsItIs`, made from a few images."""

    dial = Dial("–", (0.0,), paper=0.0, high=0.0, says="there is nothing to turn")

    def vectors(self, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        return texts
