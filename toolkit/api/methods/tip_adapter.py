"""`TipAdapter`: a cache of the labelled images beside the class vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from toolkit.api.checks import whole
from toolkit.api.methods.dial import Dial, Ledger
from toolkit.api.methods.fitted import Fitted, Names, by_name
from toolkit.api.methods.method import Method, Told, checked_number
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.api.methods.views import encoded_views
from toolkit.core.methods.cache import SCALE, cache_distance, tip_scores
from toolkit.core.seen import Seen
from toolkit.errors import InputError

MOST_SHOTS = 50_000
"""Images of a cache: every image asked about is compared with each of them."""
ALPHAS = (0.0, *(float(x) for x in np.round(10 ** np.linspace(-1, 2.5, 24), 4)))
BETAS = (1.0, 2.0, 5.5, 10.0, 20.0, 50.0)


@method
@dataclass(frozen=True, eq=False, repr=False)
class TipAdapter(Method):
    """Tip-Adapter, training-free: scores 100 E Tᵀ + α exp(−β(1 − E Fᵀ)) V over the cached images F with labels V.

    Zhang et al. 2022 (arXiv 2207.09519), eq. 5 and 6. Its α counts against 100, whatever the model's own scale is. The
    released configurations use (1.17, 1); R25's rows do not say which α and β they are of.

    Arguments:
        beta: how fast an image's say falls with its distance, above 0; default 5.5.
        views: random crops of every cached image whose mean embedding stands in the cache; default 1, the image as it
            is. More need a live model and the pictures.

    >>> import toolkit as tk
    >>> TipAdapter()
    TipAdapter(beta=5.5, views=1)
    """

    name: ClassVar[str] = "Tip-Adapter"
    told: ClassVar[Told] = "labels"
    source: ClassVar[str] = "Zhang et al. 2022"
    beta: float = 5.5
    views: int = 1

    def solve(self, shots: Shots) -> TipAdapterFitted:
        if len(shots) > MOST_SHOTS:
            given, fix = f"a cache of {len(shots):,} images", "draw some: acts.draw(per_class=16)"
            raise InputError(self.name, given, f"at most {MOST_SHOTS:,}", fix)
        checked_number(self.name, "beta", self.beta, 0, 1e6, above=True)
        views = whole("views", self.views, 1, self.name)
        made = TipAdapterFitted(self, shots)
        made.keys = shots.embedding if views == 1 else encoded_views(shots, views)
        made.ledger = Ledger(labels=len(shots), pictures=0 if views == 1 else views * len(shots))
        return made


class TipAdapterFitted(Fitted):
    """`TipAdapter`, made from a few images. keys [n, d]: the cache, unit."""

    dial = Dial(
        "α", ALPHAS, paper=1.0, high=1e9, log=True, says="how much the cached images count beside the class vectors"
    )
    second = Dial(
        "β", BETAS, paper=5.5, start=-1.0, low=1e-6, high=1e6, says="how fast their say falls with their distance"
    )
    factor = SCALE
    keys: Tensor
    method: TipAdapter

    def _values(self, names: Names) -> Tensor:
        """[n, c']: labels of the cached images among other classes; those of no equal name are rows of zeros."""
        if names == self.classes.names:
            return self.shots.one_hot
        found = torch.zeros(len(self.shots), len(names), dtype=torch.float64)
        for own, theirs in by_name(self.classes, names):
            found[:, theirs] = self.shots.one_hot[:, own]
        return found

    def judge(self, images: Tensor, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        beta = self.method.beta if second is None else second
        distance = cache_distance(images, self.keys)
        return tip_scores(images @ texts.T, distance, self._values(names), value, beta)

    def quick(self, seen: Seen, value: float, second: float | None) -> Tensor:
        beta, kept = self.method.beta if second is None else second, self.kept(seen)
        if "distance" not in kept:
            kept["distance"] = cache_distance(seen.embedding, self.keys)
        if kept.get("beta") != beta:
            kept["beta"], kept["added"] = beta, torch.exp(-beta * kept["distance"]) @ self._values(seen.names)
        found: Tensor = torch.add(self._as_it_is(seen) * SCALE, kept["added"], alpha=value)
        return found

    def leave_one_out(self, value: float | None = None, second: float | None = None) -> Tensor:
        alpha = self.dial.checked(value, self.name)
        beta = self.method.beta if second is None else self.second.checked(second, self.name)
        e = self.shots.embedding
        near = torch.exp(-beta * cache_distance(e, self.keys)).fill_diagonal_(0)
        return SCALE * e @ self.shots.texts.T + alpha * near @ self.shots.one_hot
