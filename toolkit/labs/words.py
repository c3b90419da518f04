"""What an explorer asks about heads, one question at a time: texts, images, a word; with a bank that can be edited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.api.words.banks import bank as bank_for
from toolkit.api.words.banks import default_bank
from toolkit.api.words.bases import head_bases
from toolkit.api.words.concepts import ConceptHeads, concept_heads, single_shares
from toolkit.api.words.contributions import Contributions
from toolkit.api.words.spans import Spans, settings_of
from toolkit.api.words.textspan import bank_reach, spans_of
from toolkit.core.pursuit import Method, Picks, pursue
from toolkit.core.spans import few
from toolkit.labs.growing_bank import Encoded, GrowingBank
from toolkit.store.texts import text_embeddings


@dataclass(frozen=True)
class Described:
    """One head (layer, head): its texts, their factors, standard deviations and cumulative explained variance; rank,
    reach of the bank, its share of the variance of all heads, and from how many texts its own were chosen.
    """

    head: tuple[int, int]
    texts: tuple[str, ...]
    factors: tuple[str, ...]
    std: tuple[float, ...]
    explained: tuple[float, ...]
    rank: int
    reach: float
    weight: float
    among: int


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
    bank: the texts, encoded a few at a time (`GrowingBank`); the answers are those of the texts that are there.
    """

    def __init__(self, acts: Acts, texts: Any = None, layers: Any = None) -> None:
        self.acts = acts
        self._bases = head_bases(acts, layers, operation="SpanExplorer")
        self._contributions = Contributions(acts, self._bases)
        self.bank = GrowingBank(default_bank(acts) if texts is None else bank_for(texts), acts, "SpanExplorer")
        self._singles: tuple[Encoded, NDArray[np.float32]] | None = None

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

    def describe(self, layer: int, head: int, size: int, method: Method = "greedy") -> Described:
        """The texts of one head."""
        at = self._bases.at(layer, head)
        basis = self._bases.basis[at : at + 1]
        bank, vectors = self.bank.now
        picks = pursue(basis, vectors.to(basis.vectors.device), size, method)
        index = [int(j) for j in picks.index[0] if j >= 0]
        n = len(index)
        return Described(
            (layer, head), tuple(bank.texts[j] for j in index), tuple(bank.factors[j] for j in index),
            tuple(map(float, picks.std[0, :n])), tuple(map(float, picks.explained[0, :n])),
            int(basis.ranks[0]), float(bank_reach(basis, self._directions(basis.vectors.device), method)[0]),
            float(self.weight.flat[at]), len(bank),
        )  # fmt: skip

    def layer(self, layer: int, bank: Encoded, size: int, method: Method = "greedy") -> Picks:
        """The texts of all heads of a layer, chosen from these."""
        at = self._bases.at(layer, 0)
        basis = self._bases.basis[at : at + self.heads]
        return pursue(basis, bank.vectors.to(basis.vectors.device), size, method)

    def spans(self, picks: list[Picks], bank: Encoded, size: int, method: Method = "greedy") -> Spans:
        """Picks of all layers, in order, as `tk.textspan` gives them."""
        basis = self._bases.basis
        names = ("index", "std", "explained")
        whole = Picks(*(np.concatenate([getattr(p, name) for p in picks]) for name in names))
        device = basis.vectors.device
        vectors = self._directions(device) if bank is self.bank.now else few(bank.vectors).to(device)
        reach = bank_reach(basis, vectors, method)
        settings = settings_of(self.acts, bank.bank, method=method, size=size, rank=None, tolerance=basis.tolerance)
        unknown = np.full(whole.index.shape, np.nan)
        return spans_of(self._bases, whole, reach, unknown, bank.bank, settings)

    def _directions(self, device: torch.device) -> Tensor:
        return self.bank.directions.to(device)

    def images(self, layer: int, head: int, text: str | None, top: int = 8, cosine: bool = False) -> Ends:
        """Images by centred contribution along a text of the bank, or along the head's main axis for None."""
        vector = None if text is None else self._vector(text)
        scores = self._contributions.along(layer, head, vector, cosine)
        order, n = np.argsort(-scores, kind="stable"), min(top, len(scores))
        ids = self.acts.ids
        high, low = ([(str(ids[i]), float(scores[i])) for i in rows] for rows in (order[:n], order[::-1][:n]))
        return Ends((layer, head), text, tuple(high), tuple(low))

    def concept(self, text: str) -> ConceptHeads:
        """Which heads carry a word or a phrase (`tk.heads_for`), against every single text of the bank."""
        basis, now = self._bases.basis, self.bank.now
        if self._singles is None or self._singles[0] is not now:
            self._singles = now, single_shares(basis, now.vectors.to(basis.vectors.device))
        settings = settings_of(self.acts, now.bank)
        vector = self._vector(text)[None]
        return concept_heads(self._bases, [text], vector, now.vectors, 1, 0, settings, self._singles[1])

    def _vector(self, text: str) -> Tensor:
        bank, vectors = self.bank.now
        return vectors[bank.texts.index(text)] if text in bank.texts else text_embeddings(self.acts.model, [text])[0]
