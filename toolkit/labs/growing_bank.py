"""`GrowingBank`: a bank that is encoded a few texts at a time, and can be edited and asked meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.api.words.banks import check_width
from toolkit.core.spans import few
from toolkit.data.banks import Bank, bank_of, common_first
from toolkit.errors import InputError
from toolkit.store.texts import TextFeed, text_embeddings


class Encoded(NamedTuple):
    """Texts of a bank that are encoded, in its order, and their unit vectors [t, d]."""

    bank: Bank
    vectors: Tensor


class GrowingBank:
    """The texts of a bank, the common ones first.

    given: the bank as it came. edited: with the texts added and removed so far.
    """

    def __init__(self, given: Bank, acts: Acts, operation: str) -> None:
        self.given = self.edited = given
        self._acts = acts
        self._feed: TextFeed | None = None
        self._added = dict[str, Tensor]()
        self._now: Encoded | None = None
        self._few: Tensor | None = None
        if given.given is not None:
            check_width(given.given, acts, operation)
        elif acts.model.tokenizer is None:
            accepted = "a tokenizer, or a bank of vectors"
            fix = "pass texts=tk.bank(vectors), or tk.wrap(clip, tokenizer=…)"
            raise InputError(operation, "a bank of texts for a model without a tokenizer", accepted, fix)

    @property
    def encoded(self) -> int:
        """How many texts of the bank as it came are encoded."""
        if self.given.given is not None:
            return len(self.given)
        return 0 if self._feed is None else self._feed.done

    @property
    def whole(self) -> bool:
        """Whether all of them are."""
        return self.encoded == len(self.given)

    def fill(self) -> None:
        """Encode some more, for a moment."""
        feed = self._feeding()
        if feed is not None and not feed.over:
            feed.step()
            self._now = self._few = None

    def keep(self) -> None:
        """Write down what is encoded, for other sessions."""
        if self._feed is not None:
            self._feed.keep()

    @property
    def now(self) -> Encoded:
        """The bank as edited, as far as it is encoded; of one that nobody fills, the first few texts."""
        feed = self._feeding()
        if feed is not None and not feed.done:
            self.fill()
        if self._now is None:
            self._now = self._those_encoded()
        return self._now

    @property
    def directions(self) -> Tensor:
        """The same in few vectors, kept until it changes: a click must not look at every text."""
        if self._few is None:
            self._few = few(self.now.vectors)
        return self._few

    def edit(self, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Bank:
        """Texts more, which are encoded now, and texts less. Raises InputError as `Bank.edited` does."""
        known = set(self.edited.texts)
        new = [text for text in dict.fromkeys(add) if text not in known]
        bank = self.edited.edited(new, set(remove))
        if new:
            self._added |= dict(zip(new, text_embeddings(self._acts.model, new).cpu(), strict=True))
        self.edited, self._now, self._few = bank, None, None
        return bank

    def reset(self) -> Bank:
        """The bank as it was given."""
        self.edited, self._now, self._few = self.given, None, None
        return self.edited

    def _feeding(self) -> TextFeed | None:
        """What encodes it; None for a bank of vectors."""
        if self._feed is None and self.given.given is None:
            self._feed = TextFeed(self._acts.model, self.given.texts, common_first(self.given))
        return self._feed

    def _those_encoded(self) -> Encoded:
        vectors = self._feed.vectors if self._feed is not None else self.given.given
        assert vectors is not None
        rows = {
            text: vectors[i] for i, text in enumerate(self.given.texts) if self._feed is None or self._feed.known[i]
        }
        rows |= {text: vector.to(vectors) for text, vector in self._added.items()}
        there = [text for text in self.edited.texts if text in rows]
        bank = self.edited
        if len(there) < len(bank):
            factors = dict(zip(bank.texts, bank.factors, strict=True))
            bank = bank_of(there, [factors[text] for text in there], f"{len(there):,} texts of {bank.name or 'a bank'}")
        return Encoded(bank, torch.stack([rows[text] for text in there]).detach().cpu())
