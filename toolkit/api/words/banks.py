"""`tk.bank`: the texts heads are described with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.core.precision import full_precision
from toolkit.data.banks import Bank, bank_of, description_bank, read_bank
from toolkit.errors import InputError
from toolkit.organism.bank import world_bank
from toolkit.store.texts import text_embeddings

NAMED: dict[str, Callable[[], Bank]] = {"descriptions": description_bank, "world": world_bank}


@full_precision
def bank(texts: Any, factors: Sequence[str] | None = None, name: str = "") -> Bank:
    """A bank of texts to describe heads with.

    Arguments:
        texts: "descriptions" (the toolkit's own: over 4,000 descriptions of photographs, tagged by factor), "world"
            (the built-in world's), the path of a .txt, .csv or .json file in UTF-8, a list of texts, vectors [t, d], or
            a bank.
        factors: what each text is about, one per text; default those of the bank or file, "" for a list.
        name: for results; default the bank's own.

    Raises:
        InputError: for an empty bank, what is no text, and a file in another encoding.

    >>> import toolkit as tk
    >>> tk.bank(["water", "a red object"], factors=["background", "colour"])
    Bank('', 2 texts: background 1, colour 1, hash 2ee4c70ec8e014aa)
    """
    if isinstance(texts, Bank):
        return texts
    if isinstance(texts, str | Path):
        if factors is not None:
            fix = "a .csv has them in a column factor; or pass bank.texts with factors"
            raise InputError("bank", f"factors with bank({str(texts)!r})", "factors with a list of texts", fix)
        if str(texts) in NAMED:
            return _named(NAMED[str(texts)](), name)
        if not Path(texts).suffix:
            given, accepted = f"bank({str(texts)!r})", "'descriptions', 'world', a file, or a list of texts"
            raise InputError("bank", given, accepted, "for one text write a list: [text]")
        return _named(read_bank(Path(texts).expanduser()), name)
    if isinstance(texts, torch.Tensor) or (isinstance(texts, np.ndarray) and texts.dtype.kind not in "OUS"):
        return _of_vectors(torch.as_tensor(texts), factors, name)
    if not hasattr(texts, "__iter__"):
        raise InputError("bank", f"a {type(texts).__name__}", "texts, a file, or vectors [t, d]", "pass one of these")
    return bank_of(list(texts), factors, name)


def _named(found: Bank, name: str) -> Bank:
    return bank_of(found.texts, found.factors, name or found.name)


def default_bank(acts: Any) -> Bank:
    """The world's bank for the built-in model, else the descriptions."""
    return world_bank() if str(acts.card.id).startswith("built-in") else description_bank()


def vectors_of(bank: Bank, acts: Any, operation: str) -> Tensor:
    """Unit vectors [t, d] of a bank: its own, or from the model of `acts` (kept from one session to the next)."""
    vectors = bank.given if bank.given is not None else text_embeddings(acts.model, bank.texts)
    check_width(vectors, acts, operation)
    return vectors.detach()


def check_width(vectors: Tensor, acts: Any, operation: str) -> None:
    """Refuse vectors [t, d] of another width than the model's."""
    d = acts.card.embed_dim
    if vectors.shape[-1] != d:
        given = f"vectors of shape {tuple(vectors.shape)}"
        raise InputError(operation, given, f"[t, {d}]", "encode the texts with the model of these parts")


def _of_vectors(vectors: Tensor, factors: Sequence[str] | None, name: str) -> Bank:
    accepted = "finite vectors [t, d], none of them zero"
    if vectors.ndim != 2 or not len(vectors) or not vectors.is_floating_point():
        given = f"vectors of shape {tuple(vectors.shape)}, {vectors.dtype}"
        raise InputError("bank", given, accepted, "pass one row per text")
    norm = vectors.norm(dim=1)
    bad = (~norm.isfinite()) | (norm == 0)
    if bool(bad.any()):
        raise InputError("bank", f"row {int(bad.nonzero()[0])} of the vectors", accepted, "leave it out")
    names = [f"text {i}" for i in range(len(vectors))]
    return bank_of(names, factors, name or "vectors", (vectors / norm[:, None]).detach())
