"""`Prompts`: class vectors from other templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from toolkit.api.methods.by_texts import TextFitted
from toolkit.api.methods.contexts import template_vectors
from toolkit.api.methods.dial import Dial, Ledger
from toolkit.api.methods.fitted import Names
from toolkit.api.methods.method import Method, Told
from toolkit.api.methods.registry import method
from toolkit.api.methods.robo_shot import SHARES
from toolkit.api.methods.shots import Shots
from toolkit.core.methods.prompts import towards

KAPPA = Dial("κ", SHARES, paper=1.0, high=1.0, says="how far class vectors move to the other texts")


@method
@dataclass(frozen=True, eq=False, repr=False)
class Prompts(Method):
    """Other templates: class vectors n((1 − κ) T + κ T′).

    Arguments:
        templates: as in `tk.classes`: "openai" (80), "varied", a template or a list; or vectors [c, d]; default
            "openai".

    >>> import toolkit as tk
    >>> Prompts("{}")
    Prompts(templates='{}')
    """

    name: ClassVar[str] = "prompts"
    told: ClassVar[Told] = "words"
    source: ClassVar[str] = "Radford et al. 2021"
    templates: Any = "openai"

    def solve(self, shots: Shots) -> PromptsFitted:
        made = PromptsFitted(self, shots)
        made.other(shots.texts, shots.classes.names)  # refuses what is no template now
        named = isinstance(self.templates, str)
        made.ledger = Ledger(
            texts=0 if named and "{" not in self.templates else len(self.templates) if not named else 1
        )
        return made


class PromptsFitted(TextFitted):
    """`Prompts`, encoded."""

    dial = KAPPA
    method: Prompts

    def other(self, texts: Tensor, names: Names) -> Tensor:
        """[c, d]: the vectors of the other templates; worked out once for every class set."""
        if hasattr(self.method.templates, "ndim"):
            return template_vectors(self.shots, self.method.templates, texts, names)
        made: dict[tuple[str, ...], Tensor] = self.__dict__.setdefault("_others", {})
        if names not in made:
            made[names] = template_vectors(self.shots, self.method.templates, texts, names)
        return made[names]

    def vectors(self, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        return towards(texts, self.other(texts, names), value)
