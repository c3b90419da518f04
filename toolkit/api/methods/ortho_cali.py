"""`OrthoCali`: spurious directions taken out of the class vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import normalize

from toolkit.api.methods.by_texts import TextFitted
from toolkit.api.methods.dial import Dial, Ledger
from toolkit.api.methods.fitted import Names
from toolkit.api.methods.method import Method, Told, checked_number
from toolkit.api.methods.registry import method
from toolkit.api.methods.robo_shot import SHARES
from toolkit.api.methods.shots import Shots
from toolkit.api.switch_off.fold import fold_text_matrix
from toolkit.core.methods.projections import calibrated, calibration, spurious_basis
from toolkit.errors import InputError
from toolkit.models.model import Model

Span = Literal["texts", "differences"]
Variant = Literal["paper", "ltc"]
ALIKE = 0.95
ALL_GONE = 1e-6
"""Share of a class vector that is nothing."""


@method
@dataclass(frozen=True, eq=False, repr=False)
class OrthoCali(Method):
    """Orthogonal calibration: w′ = n(P₀ (λM + I)⁻¹ w), P₀ = I − ρ B Bᵀ without the span of spurious texts.

    Chuang et al. 2023 (arXiv 2302.00070). Turned from ρ = 0 to 1; where λ is not given, it is the setting's times ρ, so
    that the path begins at the model as it is. P₀ also removes what all spurious texts share, which may be most of a
    class vector; `.norm_kept` says how much is left, `span="differences"`, ours, leaves it in.

    Arguments:
        spurious: texts of what should not count, such as "a water background", or vectors [m, d].
        pairs: of texts that should coincide, such as ("a landbird on water", "a landbird on land"), or vectors
            [m, 2, d]; default none.
        lam: λ, how hard these are drawn together, no unit, from 0; default 1000, the paper's.
        span: of B: "texts", or "differences" of neighbouring spurious texts; default "texts".
        variant: "paper", or "ltc", the order in which LTC's code has it; default "paper".

    >>> import toolkit as tk
    >>> OrthoCali(["a water background", "a land background"]).lam
    1000.0
    """

    name: ClassVar[str] = "Ortho-Cali"
    told: ClassVar[Told] = "words"
    source: ClassVar[str] = "Chuang et al. 2023"
    spurious: Any
    pairs: Any = ()
    lam: float = 1000.0
    span: Span = "texts"
    variant: Variant = "paper"

    def solve(self, shots: Shots) -> OrthoCaliFitted:
        for what, given, known in (("span", self.span, Span), ("variant", self.variant, Variant)):
            if given not in get_args(known):
                raise InputError(self.name, f"{what}={given!r}", " or ".join(map(repr, get_args(known))), "name one")
        checked_number(self.name, "lam", self.lam, 0, 1e9)
        texts = shots.encoded(self.spurious, "spurious")
        if texts.ndim != 2 or len(texts) < (2 if self.span == "differences" else 1) or not bool(texts.any(1).all()):
            raise InputError(
                self.name,
                f"{len(texts)} spurious texts",
                "one or more that say something; two for differences",
                "name them",
            )
        one, other = shots.pairs(self.pairs, "pairs", True)
        made = OrthoCaliFitted(self, shots)
        made.basis = spurious_basis(texts if self.span == "texts" else texts[1:] - texts[:-1])
        made.pairs = one - other
        made.ledger = Ledger(texts=len(texts) + 2 * len(one))
        gone = [
            name for name, left in zip(shots.classes.names, made.norm_kept.tolist(), strict=True) if left < ALL_GONE
        ]
        if gone:
            made.notes = (f"the spurious span holds all of {gone[0]!r}: near ρ = 1 nothing of it is left",)
        return made


class OrthoCaliFitted(TextFitted):
    """`OrthoCali`, its words encoded."""

    dial = Dial("ρ", SHARES, paper=1.0, high=1.0, says="how much of the spurious span is taken out of class vectors")
    second = Dial(
        "λ", (0.0, 1.0, 10.0, 100.0, 1000.0), paper=1000.0, high=1e9, log=True, says="how hard pairs are drawn together"
    )
    basis: Tensor
    pairs: Tensor
    method: OrthoCali

    def vectors(self, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        lam = self.method.lam * value if second is None else second
        return calibrated(texts, self.basis, self.pairs, value, lam, self.method.variant == "ltc")

    def fold(self, model: Model, value: float | None = None, second: float | None = None) -> Model:
        """A model with the change in its text projection: every text, of any class, is calibrated (`Model`).

        Of a class with several prompts, whose vectors are averaged after they are made unit, it is nearly and not
        exactly `.class_vectors()`. Arguments as for `Fitted`.
        """
        self._check_model(model)
        at = self.dial.checked(value, self.name)
        lam = self.method.lam * at if second is None else self.second.checked(second, self.name)
        eye = torch.eye(self.shots.embedding.shape[1], dtype=torch.float64)
        matrix = calibration(eye, self.basis, self.pairs, at, lam, self.method.variant == "ltc")
        return fold_text_matrix(model, matrix, f"{model.card.id}, {self.name} (ρ = {at:g})")

    @property
    def norm_kept(self) -> Tensor:
        """[c]: the share of every class vector's norm that lies outside the spurious span."""
        return (self.shots.texts - (self.shots.texts @ self.basis.T) @ self.basis).norm(dim=1)

    def alike(self, value: float | None = None, second: float | None = None) -> list[tuple[str, str]]:
        """Pairs of classes whose vectors have a cosine above 0.95 after the change, and had not before.

        Arguments:
            value: ρ; default the paper's.
            second: λ; default the setting's.
        """
        found = self.linear(value, second)
        assert found is not None
        before, after = (normalize(x, dim=1) @ normalize(x, dim=1).T for x in (self.shots.texts, found[1]))
        places = torch.triu((after > ALIKE) & (before <= ALIKE), 1).nonzero().tolist()
        return [(self.classes.names[i], self.classes.names[j]) for i, j in places]
