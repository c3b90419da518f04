"""`GroupPrompts`: the class of the best of its texts in contexts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from toolkit.api.methods.contexts import Contexts
from toolkit.api.methods.dial import Ledger
from toolkit.api.methods.fitted import Fitted, Names
from toolkit.api.methods.method import Method, Told
from toolkit.api.methods.prompts import KAPPA
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.core.methods.prompts import best_of, towards
from toolkit.core.seen import Seen


@method
@dataclass(frozen=True, eq=False, repr=False)
class GroupPrompts(Method):
    """A text for every class in every context; an image is of the class of the text it is nearest to.

    The texts are n((1 − κ) T_y + κ e(y, z)), so that the path begins at the model as it is.

    Arguments:
        contexts: endings of every class's prompts ("on water", "" for none), texts by class, or vectors [c, z, d].

    >>> import toolkit as tk
    >>> GroupPrompts(("on water", "on land"))
    GroupPrompts(contexts=('on water', 'on land'))
    """

    name: ClassVar[str] = "group prompts"
    told: ClassVar[Told] = "words"
    source: ClassVar[str] = "Kim et al. 2024"
    contexts: Any

    def solve(self, shots: Shots) -> GroupPromptsFitted:
        made = GroupPromptsFitted(self, shots)
        made.contexts = Contexts(shots, self.contexts)
        made.contexts.of(shots.texts, shots.classes.names)
        made.ledger = Ledger(texts=made.contexts.count)
        return made


class GroupPromptsFitted(Fitted):
    """`GroupPrompts`, encoded."""

    dial = KAPPA
    contexts: Contexts

    def judge(self, images: Tensor, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        return best_of(images, towards(texts[:, None], self.contexts.of(texts, names), value))

    def quick(self, seen: Seen, value: float, second: float | None) -> Tensor:
        return self.judge(seen.embedding, seen.texts, seen.names, value, second)
