"""`RoboShot`: directions of words taken out of the images, others strengthened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from toolkit.api.methods.dial import Dial, Ledger
from toolkit.api.methods.fitted import Fitted, Names
from toolkit.api.methods.method import Method, Told, checked_number
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.api.switch_off.fold import fold_both
from toolkit.core.methods.projections import (
    RoboShotBasis,
    roboshot,
    roboshot_basis,
    roboshot_matrix,
    roboshot_products,
    roboshot_scores,
)
from toolkit.core.seen import Seen
from toolkit.errors import InputError
from toolkit.models.model import Model

CANCELS = 1e-8
"""What is left of a squared norm of 1 below which it is worked out anew and not as a difference."""
SHARES = tuple(i / 20 for i in range(21))


@method
@dataclass(frozen=True, eq=False, repr=False)
class RoboShot(Method):
    """RoboShot: z′ = n((I + κ Q_a Q_aᵀ)(I − ρ Q_r Q_rᵀ) z), Q from differences of texts.

    Adila et al. 2024 (arXiv 2309.04344), algorithm 1. Turned from ρ = 0 to 1; where κ is not given, it is the setting's
    times ρ, so that the path begins at the model as it is. What is accepted may bring back what was rejected.

    Arguments:
        reject: pairs of texts whose difference does not matter, such as ("a water background", "a land background"), or
            vectors [m, 2, d].
        accept: pairs whose difference does, or vectors [m, 2, d]; default none.
        kappa: how much these are strengthened, no unit, from 0; default 1.
        texts: whether class vectors are changed like images (ours); default False, they stay (the paper's).

    >>> import toolkit as tk
    >>> RoboShot([("a water background", "a land background")])
    RoboShot(reject=[('a water background', 'a land background')], accept=(), kappa=1.0, texts=False)
    """

    name: ClassVar[str] = "RoboShot"
    told: ClassVar[Told] = "words"
    source: ClassVar[str] = "Adila et al. 2024"
    reject: Any
    accept: Any = ()
    kappa: float = 1.0
    texts: bool = False

    def solve(self, shots: Shots) -> RoboShotFitted:
        checked_number(self.name, "kappa", self.kappa, 0, 1e6)
        sides = [shots.pairs(given, what, False) for given, what in ((self.reject, "reject"), (self.accept, "accept"))]
        differences = [one - other for one, other in sides]
        for given, what in zip(differences, ("reject", "accept"), strict=True):
            if len(given) and not bool(given.norm(dim=1).gt(1e-9).all()):
                accepted = "pairs that differ under this model"
                raise InputError(
                    self.name, f"{what}: a pair whose texts are encoded alike", accepted, "use other words"
                )
        if not any(map(len, differences)):
            raise InputError(self.name, "no pairs", "pairs of texts to reject, or to accept", "name some")
        made = RoboShotFitted(self, shots)
        made.basis = roboshot_basis(*differences)
        made.differences = differences[0]
        made.ledger = Ledger(texts=2 * sum(map(len, differences)))
        return made


class RoboShotFitted(Fitted):
    """`RoboShot`, its words encoded."""

    dial = Dial("ρ", SHARES, paper=1.0, high=1.0, says="how much of the rejected directions is taken away")
    second = Dial(
        "κ", (0.0, 0.25, 0.5, 1.0, 2.0), paper=1.0, high=1e6, says="how much the accepted ones are strengthened"
    )
    basis: RoboShotBasis
    differences: Tensor
    method: RoboShot

    def _kappa(self, value: float, second: float | None) -> float:
        return self.method.kappa * value if second is None else second

    def judge(self, images: Tensor, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        changed = roboshot(images, self.basis, value, self._kappa(value, second))
        return changed @ self._class_vectors(texts, value, second).T

    def _class_vectors(self, texts: Tensor, value: float, second: float | None) -> Tensor:
        if not self.method.texts:
            return texts
        return roboshot(texts, self.basis, value, self._kappa(value, second))

    def quick(self, seen: Seen, value: float, second: float | None) -> Tensor:
        if self.method.texts:
            return super().quick(seen, value, second)
        kept = self.kept(seen)
        if "products" not in kept:
            kept["products"] = roboshot_products(seen.embedding, seen.texts, self.basis)
        left = 1 - value * (2 - value) * kept["products"].reject.square().sum(1)
        if float(left.min()) < CANCELS:
            return super().quick(seen, value, second)
        return roboshot_scores(kept["products"], value, self._kappa(value, second))

    def matrices(self, value: float, second: float | None) -> tuple[Tensor, Tensor]:
        d = self.shots.embedding.shape[1]
        matrix = roboshot_matrix(self.basis, value, self._kappa(value, second), d)
        return matrix, self._class_vectors(self.shots.texts, value, second)

    def fold(self, model: Model, value: float | None = None, second: float | None = None) -> Model:
        """A model with the directions changed in its image projection, and with `texts` in both (`Model`).

        Arguments as for `Fitted`.
        """
        if not self.method.texts:
            return super().fold(model, value, second)
        self._check_model(model)
        at = self.dial.checked(value, self.name)
        return fold_both(model, self.matrices(at, second)[0], f"{model.card.id}, {self.name} (ρ = {at:g})")

    def leak(self, true: str, predicted: str) -> Tensor:
        """[m]: the cosine of every rejected difference with T_predicted − T_true: what of the classes goes with it.

        Arguments:
            true: a class.
            predicted: the class it is taken for.
        """
        y, other = (self.classes.index(name) for name in (true, predicted))
        towards = self.shots.texts[other] - self.shots.texts[y]
        return self.differences @ towards / (self.differences.norm(dim=1) * towards.norm())
