"""`ContextEnsemble`: class vectors averaged over contexts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from toolkit.api.methods.by_texts import TextFitted
from toolkit.api.methods.contexts import Contexts
from toolkit.api.methods.dial import Ledger
from toolkit.api.methods.fitted import Names
from toolkit.api.methods.method import Method, Told
from toolkit.api.methods.prompts import KAPPA
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.core.methods.prompts import ensemble, towards


@method
@dataclass(frozen=True, eq=False, repr=False)
class ContextEnsemble(Method):
    """Every class as the mean of its unit texts in all contexts: n((1 − κ) T + κ n(mean_z e(y, z))).

    Arguments:
        contexts: endings of every class's prompts ("on water", "" for none), texts by class, or vectors [c, z, d].

    >>> import toolkit as tk
    >>> ContextEnsemble(("on water", "on land"))
    ContextEnsemble(contexts=('on water', 'on land'))
    """

    name: ClassVar[str] = "context ensemble"
    told: ClassVar[Told] = "words"
    source: ClassVar[str] = "An et al. 2024"
    contexts: Any

    def solve(self, shots: Shots) -> ContextEnsembleFitted:
        made = ContextEnsembleFitted(self, shots)
        made.contexts = Contexts(shots, self.contexts)
        made.contexts.of(shots.texts, shots.classes.names)
        made.ledger = Ledger(texts=made.contexts.count)
        return made


class ContextEnsembleFitted(TextFitted):
    """`ContextEnsemble`, encoded."""

    dial = KAPPA
    contexts: Contexts

    def vectors(self, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        return towards(texts, ensemble(self.contexts.of(texts, names)), value)
