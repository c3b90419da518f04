"""What an explorer asks about heads, one question at a time: texts, images, a word; with a bank that can be edited."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.api.acts import Acts
from toolkit.api.banks import bank as bank_for
from toolkit.api.banks import default_bank, vectors_of
from toolkit.api.concepts import ConceptHeads, concept_heads, single_shares
from toolkit.api.contributions import Contributions
from toolkit.api.spans import Spans, settings_of
from toolkit.api.textspan import bank_reach, head_bases, spans_of
from toolkit.core.pursuit import Method, pursue
from toolkit.data.banks import Bank
from toolkit.store.texts import text_embeddings

Check = Callable[[int, int], None]


@dataclass(frozen=True)
class Described:
    """One head: its texts, their factors, standard deviations and cumulative explained variance; rank, reach of the
    bank, and its share of the variance of all heads.
    """

    texts: tuple[str, ...]
    factors: tuple[str, ...]
    std: tuple[float, ...]
    explained: tuple[float, ...]
    rank: int
    reach: float
    weight: float


@dataclass(frozen=True)
class Ends:
    """Images at both ends: ids and scores, the largest first and the smallest first."""

    high: tuple[tuple[str, float], ...]
    low: tuple[tuple[str, float], ...]


class HeadSession:
    """The heads of some layers, a bank, and the images, for questions one after the other.

    acts: parts. texts: a bank, default the built-in world's for its model, else the descriptions. layers: default all.
    given: the bank as it came. bank: as edited so far.
    """

    def __init__(self, acts: Acts, texts: Any = None, layers: Any = None) -> None:
        self.acts = acts
        self._bases = head_bases(acts, layers, operation="SpanExplorer")
        self._contributions = Contributions(acts, self._bases)
        self.given = default_bank(acts) if texts is None else bank_for(texts)
        self._start = vectors_of(self.given, acts, "SpanExplorer").cpu()
        self.bank, self._vectors = self.given, self._start
        self._singles: NDArray[np.float64] | None = None

    @property
    def layers(self) -> tuple[int, ...]:
        return self._bases.layers

    @property
    def heads(self) -> int:
        """Heads a layer."""
        return self._bases.heads

    @property
    def weight(self) -> NDArray[np.float64]:
        """[l, h]: each head's share of the variance of all of them."""
        variance = self._bases.basis.variance.cpu().numpy()
        return (variance / max(variance.sum(), 1e-300)).reshape(self._bases.shape)

    def edit(self, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Bank:
        """Texts more, texts less; only the new ones are encoded. Raises InputError as `Bank.edited` does."""
        new = [text for text in dict.fromkeys(add) if text not in self.bank.texts]
        gone = set(remove)
        bank = self.bank.edited(new, gone)
        kept = torch.tensor([text not in gone for text in self.bank.texts])
        vectors = self._vectors[kept]
        if new:
            vectors = torch.cat([vectors, text_embeddings(self.acts.model, new).cpu().to(vectors)])
        self.bank, self._vectors, self._singles = bank, vectors, None
        return bank

    def reset(self) -> Bank:
        """The bank as it was given."""
        self.bank, self._vectors, self._singles = self.given, self._start, None
        return self.bank

    def describe(self, layer: int, head: int, size: int, method: Method = "greedy") -> Described:
        """The texts of one head."""
        at = self._bases.at(layer, head)
        basis = self._bases.basis[at : at + 1]
        vectors = self._vectors.to(basis.vectors.device)
        picks = pursue(basis, vectors, size, method)
        index = [int(j) for j in picks.index[0] if j >= 0]
        n = len(index)
        return Described(
            tuple(self.bank.texts[j] for j in index), tuple(self.bank.factors[j] for j in index),
            tuple(map(float, picks.std[0, :n])), tuple(map(float, picks.explained[0, :n])),
            int(basis.ranks[0]), float(bank_reach(basis, vectors)[0]), float(self.weight.flat[at]),
        )  # fmt: skip

    def everything(self, size: int, method: Method = "greedy", check: Check = lambda done, of: None) -> Spans:
        """The texts of all heads, as `tk.textspan` gives them."""
        basis = self._bases.basis
        vectors = self._vectors.to(basis.vectors.device)
        picks = pursue(basis, vectors, size, method, check)
        settings = settings_of(self.acts, self.bank, method=method, size=size, rank=None, tolerance=basis.tolerance)
        unknown = np.full(picks.index.shape, np.nan)
        return spans_of(self._bases, picks, bank_reach(basis, vectors), unknown, self.bank, settings)

    def images(self, layer: int, head: int, text: str | None, top: int = 8, cosine: bool = False) -> Ends:
        """Images by centred contribution along a text of the bank, or along the head's main axis for None."""
        vector = None if text is None else self._vectors[self.bank.texts.index(text)]
        scores = self._contributions.along(layer, head, vector, cosine)
        order, n = np.argsort(-scores, kind="stable"), min(top, len(scores))
        ids = self.acts.ids
        high, low = ([(str(ids[i]), float(scores[i])) for i in rows] for rows in (order[:n], order[::-1][:n]))
        return Ends(tuple(high), tuple(low))

    def concept(self, text: str) -> ConceptHeads:
        """Which heads carry a word or a phrase (`tk.heads_for`), against every single text of the bank."""
        basis = self._bases.basis
        known = text in self.bank.texts
        vector = self._vectors[[self.bank.texts.index(text)]] if known else text_embeddings(self.acts.model, [text])
        if self._singles is None:
            self._singles = single_shares(basis, self._vectors.to(basis.vectors.device))
        settings = settings_of(self.acts, self.bank)
        return concept_heads(self._bases, [text], vector, self._vectors, 1, 0, settings, self._singles)
