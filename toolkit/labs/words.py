"""What an explorer asks about heads, one question at a time: texts, images, a word; with a bank that can be edited."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.api.words.banks import bank as bank_for
from toolkit.api.words.banks import default_bank, vectors_of
from toolkit.api.words.concepts import ConceptHeads, concept_heads, single_shares
from toolkit.api.words.contributions import Contributions
from toolkit.api.words.spans import Spans, settings_of
from toolkit.api.words.textspan import bank_reach, head_bases, spans_of
from toolkit.core.pursuit import Method, Picks, pursue
from toolkit.core.spans import few
from toolkit.data.banks import Bank
from toolkit.store.texts import text_embeddings


@dataclass(frozen=True)
class Described:
    """One head (layer, head): its texts, their factors, standard deviations and cumulative explained variance; rank,
    reach of the bank, and its share of the variance of all heads.
    """

    head: tuple[int, int]
    texts: tuple[str, ...]
    factors: tuple[str, ...]
    std: tuple[float, ...]
    explained: tuple[float, ...]
    rank: int
    reach: float
    weight: float


@dataclass(frozen=True)
class Ends:
    """Images at both ends along a text (None: the main axis) of a head: ids and scores, the largest first and the
    smallest first.
    """

    head: tuple[int, int]
    text: str | None
    high: tuple[tuple[str, float], ...]
    low: tuple[tuple[str, float], ...]


class WordsSession:
    """The heads of some layers, a bank, and the images, for questions one after the other.

    acts: parts. texts: a bank, default the built-in world's for its model, else the descriptions. layers: default all.
    given: the bank as it came. bank: as edited so far.
    """

    def __init__(self, acts: Acts, texts: Any = None, layers: Any = None) -> None:
        self.acts = acts
        self._bases = head_bases(acts, layers, operation="SpanExplorer")
        self._contributions = Contributions(acts, self._bases)
        self.given = default_bank(acts) if texts is None else bank_for(texts)
        if self.given.given is None:
            acts.model  # noqa: B018 – says now what is missing; thousands of texts are encoded with the first question
        self._start = None if self.given.given is None else vectors_of(self.given, acts, "SpanExplorer").cpu()
        self.bank, self._known = self.given, self._start
        self._singles: NDArray[np.float32] | None = None
        self._few: Tensor | None = None

    @property
    def _vectors(self) -> Tensor:
        """Of the bank as edited; encoded when first asked for."""
        if self._known is None:
            self._known = self._start = vectors_of(self.given, self.acts, "SpanExplorer").cpu()
        return self._known

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
        self.bank, self._known, self._singles, self._few = bank, vectors, None, None
        return bank

    def reset(self) -> Bank:
        """The bank as it was given."""
        self.bank, self._known, self._singles, self._few = self.given, self._start, None, None
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
            (layer, head), tuple(self.bank.texts[j] for j in index), tuple(self.bank.factors[j] for j in index),
            tuple(map(float, picks.std[0, :n])), tuple(map(float, picks.explained[0, :n])),
            int(basis.ranks[0]), float(bank_reach(basis, self._directions(vectors), method)[0]),
            float(self.weight.flat[at]),
        )  # fmt: skip

    def layer(self, layer: int, size: int, method: Method = "greedy") -> Picks:
        """The texts of all heads of a layer."""
        at = self._bases.at(layer, 0)
        basis = self._bases.basis[at : at + self.heads]
        return pursue(basis, self._vectors.to(basis.vectors.device), size, method)

    def spans(self, picks: list[Picks], size: int, method: Method = "greedy") -> Spans:
        """Picks of all layers, in order, as `tk.textspan` gives them."""
        basis = self._bases.basis
        names = ("index", "std", "explained")
        whole = Picks(*(np.concatenate([getattr(p, name) for p in picks]) for name in names))
        reach = bank_reach(basis, self._directions(self._vectors.to(basis.vectors.device)), method)
        settings = settings_of(self.acts, self.bank, method=method, size=size, rank=None, tolerance=basis.tolerance)
        unknown = np.full(whole.index.shape, np.nan)
        return spans_of(self._bases, whole, reach, unknown, self.bank, settings)

    def _directions(self, vectors: Tensor) -> Tensor:
        """The bank in few vectors, kept until it changes: a click must not look at every text."""
        if self._few is None:
            self._few = few(vectors)
        return self._few

    def images(self, layer: int, head: int, text: str | None, top: int = 8, cosine: bool = False) -> Ends:
        """Images by centred contribution along a text of the bank, or along the head's main axis for None."""
        vector = None if text is None else self._vectors[self.bank.texts.index(text)]
        scores = self._contributions.along(layer, head, vector, cosine)
        order, n = np.argsort(-scores, kind="stable"), min(top, len(scores))
        ids = self.acts.ids
        high, low = ([(str(ids[i]), float(scores[i])) for i in rows] for rows in (order[:n], order[::-1][:n]))
        return Ends((layer, head), text, tuple(high), tuple(low))

    def concept(self, text: str) -> ConceptHeads:
        """Which heads carry a word or a phrase (`tk.heads_for`), against every single text of the bank."""
        basis = self._bases.basis
        known = text in self.bank.texts
        vector = self._vectors[[self.bank.texts.index(text)]] if known else text_embeddings(self.acts.model, [text])
        if self._singles is None:
            self._singles = single_shares(basis, self._vectors.to(basis.vectors.device))
        settings = settings_of(self.acts, self.bank)
        return concept_heads(self._bases, [text], vector, self._vectors, 1, 0, settings, self._singles)
