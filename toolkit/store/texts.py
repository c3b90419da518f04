"""Text embeddings, encoded a few at a time and kept from one session to the next."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.models.model import Model
from toolkit.signs import sign
from toolkit.store.shelf import WIDTH, Shelf, Vector, cache_folder

LEAST = 64
"""Texts that are worth a file."""
STEP = 0.25
"""Seconds of encoding between two moments in which others may have the model, and work can be stopped."""
FIRST, SMALLEST, LARGEST = 8, 4, 1024
"""Texts of the first step, of the smallest and of the largest."""
KEPT_EVERY = 10.0
"""Seconds of encoding that a kill may cost."""
HELD = 200_000
"""Vectors that are kept in memory."""

_held: OrderedDict[bytes, Vector] = OrderedDict()
_lock = Lock()


def text_embeddings(model: Model, texts: Sequence[str]) -> Tensor:
    """Unit text embeddings [t, d] as `model.encode_text` gives them, from memory or disk where they are known.

    The key is the model's fingerprint and precision and the token ids, so that nothing else than the same text through
    the same weights is ever taken for it. Where there are many, a sign says how far they are; what was encoded when
    that is stopped is kept.
    """
    if not _can_be_kept(model, texts):
        return model.encode_text(texts)
    feed = TextFeed(model, texts)
    try:
        with sign("encode texts", "text") as report:
            report(feed.done, feed.of)
            while not feed.over:
                feed.step()
                report(feed.done, feed.of)
    finally:
        feed.keep()
    return feed.vectors.to(model.device)


class TextFeed:
    """Texts encoded a few at a time, in any order; those known from before are there at once.

    order: of their positions, in which they are encoded; default as they come. Afterwards `known` says which are there
    and `vectors` [t, d] holds them, nan where they are not.
    """

    def __init__(self, model: Model, texts: Sequence[str], order: Sequence[int] | None = None) -> None:
        self._model, self._texts = model, list(texts)
        d, double = model.card.embed_dim, model.card.precision == "float64"
        self.vectors = torch.full((len(self._texts), d), torch.nan, dtype=torch.float64 if double else torch.float32)
        self.known: NDArray[np.bool_] = np.zeros(len(self._texts), bool)
        whole = hashlib.sha256(f"{model.card.fingerprint} {model.card.precision}".encode())
        self._shelf = Shelf(cache_folder() / "texts" / whole.hexdigest()[:32], d)
        self._keys = _keys(model, self._texts, whole.digest())
        self._at = defaultdict[bytes, list[int]](list)
        for i, key in enumerate(self._keys):
            self._at[key].append(i)
        self._take(self._from_memory())
        self._take(self._shelf.find(key for i, key in enumerate(self._keys) if not self.known[i]))
        self._left = [i for i in (range(len(self._texts)) if order is None else order) if not self.known[i]]
        self._size, self._last = FIRST, time.monotonic()
        self._new: dict[bytes, Vector] = {}

    @property
    def of(self) -> int:
        """Texts there are."""
        return len(self._texts)

    @property
    def done(self) -> int:
        """Texts that are encoded."""
        return int(self.known.sum())

    @property
    def over(self) -> bool:
        """Whether all are."""
        return not self._left

    def step(self) -> None:
        """Encode some more, for about STEP seconds."""
        rows = self._left[: self._size]
        began = time.monotonic()
        found = self._model.encode_text([self._texts[i] for i in rows]).to(self.vectors.dtype).cpu().numpy()
        seconds = max(1e-6, time.monotonic() - began)
        self._size = min(LARGEST, 2 * self._size, max(SMALLEST, round(len(rows) * STEP / seconds)))
        new = dict(zip((self._keys[i] for i in rows), found, strict=True))
        self._left = self._left[len(rows) :]
        self._take(new)
        self._left = [i for i in self._left if not self.known[i]]  # the same text again
        self._new |= new
        if self.over or time.monotonic() - self._last > KEPT_EVERY:
            self.keep()
        if self.over:
            self._shelf.join()

    def keep(self) -> None:
        """Write down what is new, for other processes and sessions; few texts are not worth a file."""
        if self._new and self.of >= LEAST:
            self._shelf.write(self._new)
        self._new, self._last = {}, time.monotonic()

    def _from_memory(self) -> dict[bytes, Vector]:
        with _lock:
            return {key: _held[key] for key in self._keys if key in _held}

    def _take(self, found: dict[bytes, Vector]) -> None:
        """These are known now."""
        for key, vector in found.items():
            rows = self._at[key]
            self.vectors[rows] = torch.from_numpy(vector.copy())  # nothing of an inference mode clings to it
            self.known[rows] = True
        with _lock:
            for key, vector in found.items():
                _held[key] = vector
                _held.move_to_end(key)
            while len(_held) > HELD:
                _held.popitem(last=False)


def _can_be_kept(model: Model, texts: Sequence[str]) -> bool:
    """False where the model itself has to say what is wrong with the texts."""
    if model.tokenizer is None or isinstance(texts, str):
        return False
    return len(texts) > 0 and all(isinstance(t, str) and t.strip() for t in texts)


def _keys(model: Model, texts: list[str], salt: bytes) -> list[bytes]:
    """Of every text through this model: what stands for its token ids."""
    found: list[bytes] = []
    assert model.tokenizer is not None
    with sign("split texts into tokens", "text") as report:
        for start in range(0, len(texts), LARGEST):
            rows = model.tokenizer(texts[start : start + LARGEST]).cpu().numpy()
            found += [hashlib.sha256(salt + row.tobytes()).digest()[:WIDTH] for row in rows]
            report(len(found), len(texts))
    return found
