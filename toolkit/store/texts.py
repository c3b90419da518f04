"""Text embeddings, kept from one session to the next: a bank of thousands of texts is encoded once per model."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from toolkit.models.model import Model

LEAST = 64
"""Texts that are worth a file."""
HELD = 16
"""Lists that are kept in memory."""

_held: OrderedDict[str, Tensor] = OrderedDict()
_lock = Lock()


def cache_folder() -> Path:
    """Where text embeddings are kept: $TOOLKIT_CACHE, else ~/.cache/clip-head-toolkit."""
    return Path(os.environ.get("TOOLKIT_CACHE") or Path.home() / ".cache" / "clip-head-toolkit")


def text_embeddings(model: Model, texts: Sequence[str]) -> Tensor:
    """Unit text embeddings [t, d] as `model.encode_text` gives them, from memory or disk where they are known.

    The key is the model's fingerprint and precision and the token ids, so that nothing else than the same texts through
    the same weights is ever taken for them. A cache that cannot be read or written costs time, never an error.
    """
    key = _key(model, texts)
    if key is None:
        return model.encode_text(texts)
    with _lock:
        if key in _held:
            _held.move_to_end(key)
            return _held[key].clone().to(model.device)  # a copy: what the caller does to it is the caller's
    path = cache_folder() / "texts" / f"{key}.npy"
    found = _read(path, len(texts), model.card.embed_dim)
    if found is None:
        found = model.encode_text(texts)
        if len(texts) >= LEAST:
            _write(path, found)
    with _lock:
        _held[key] = torch.from_numpy(found.cpu().numpy().copy())  # nothing of an inference mode clings to it
        while len(_held) > HELD:
            _held.popitem(last=False)
    return found.to(model.device)


def _key(model: Model, texts: Sequence[str]) -> str | None:
    """None where the model itself has to say what is wrong with the texts."""
    if model.tokenizer is None or isinstance(texts, str) or not all(isinstance(t, str) and t.strip() for t in texts):
        return None
    digest = hashlib.sha256(f"exact {model.card.fingerprint} {model.card.precision} {len(texts)}".encode())
    for start in range(0, len(texts), 1024):
        digest.update(model.tokenizer(list(texts[start : start + 1024])).cpu().numpy().tobytes())
    return digest.hexdigest()[:32] if len(texts) else None


def _read(path: Path, n: int, d: int) -> Tensor | None:
    with contextlib.suppress(Exception):  # damaged files make numpy raise anything
        found = np.load(path, allow_pickle=False)
        right = isinstance(found, np.ndarray) and found.shape == (n, d) and found.dtype.kind == "f"
        if right and bool(np.isfinite(found).all()):
            return torch.from_numpy(found)
    return None


def _write(path: Path, embeddings: Tensor) -> None:
    new = path.with_name(f".{uuid.uuid4().hex}.npy")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            np.save(new, embeddings.cpu().numpy())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
