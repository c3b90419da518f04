"""`ConceptHeads`: the heads that a concept's words explain, off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from toolkit.api.methods.dial import Ledger
from toolkit.api.methods.method import Method, Told
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.api.methods.without_heads import WithoutHeads, mean_of
from toolkit.api.words.bases import head_bases
from toolkit.api.words.concepts import heads_for
from toolkit.core.heads import HeadSet
from toolkit.core.spans import explained_by
from toolkit.errors import InputError

LAYERS = -4
CHANCE = 0.05


@method
@dataclass(frozen=True, eq=False, repr=False)
class ConceptHeadsMethod(Method):
    """Heads of the last four layers that a concept's texts explain, mean-ablated: G24's protocol for any model.

    Which heads they are is seen on the shots, whose labels are not used.

    Arguments:
        concept: a text, several, or vectors [t, d].
        k: how many heads, those with the largest share; default all that beat random texts (p < .05, `tk.heads_for`).
        bank: where the random texts come from, as in `tk.heads_for`; default as there.

    >>> import toolkit as tk
    >>> tk.methods.ConceptHeads("water", k=2)
    ConceptHeads(concept='water', k=2, bank=None)
    """

    name: ClassVar[str] = "concept heads"
    told: ClassVar[Told] = "words"
    source: ClassVar[str] = "Gandelsman et al. 2024"
    concept: Any
    k: int | None = None
    bank: Any = None

    def solve(self, shots: Shots) -> WithoutHeads:
        acts = shots.images.acts
        if self.k is not None and (isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 0):
            raise InputError(self.name, f"k={self.k!r}", "a whole number from 0, or None", "pass how many heads")
        texts = shots.encoded(self.concept, "concept")
        made = WithoutHeads(self, shots)
        known = acts if acts.live is not None or shots.live is None else acts.attach(shots.live)
        made.heads = self._first(shots, texts) if self.k is not None else self._likely(known, texts)
        made.mean = mean_of(shots, made.seen(acts), made.heads)
        made.ledger = Ledger(texts=len(texts))
        made.notes = (f"heads {made.heads or 'none'}",)
        return made

    def _first(self, shots: Shots, texts: Any) -> HeadSet:
        """The k heads of which the texts explain most."""
        assert self.k is not None
        bases = head_bases(shots.images.acts, LAYERS, operation=self.name)
        share = explained_by(bases.basis, texts).cpu().numpy()
        order = np.argsort(-np.nan_to_num(share, nan=-1), kind="stable")[: self.k]
        return HeadSet(tuple((bases.layers[i // bases.heads], int(i % bases.heads)) for i in order.tolist()))

    def _likely(self, acts: Any, texts: Any) -> HeadSet:
        """Heads of which fewer than one in twenty random texts explain as much."""
        found = heads_for(texts, acts, self.bank, layers=LAYERS)
        rows = np.argwhere(found.p < CHANCE)
        order = sorted(rows.tolist(), key=lambda at: -found.share[tuple(at)])
        return HeadSet(tuple((found.layers[i], j) for i, j in order))
