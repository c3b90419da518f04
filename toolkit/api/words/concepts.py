"""`tk.heads_for`: which heads carry a concept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.api.words.banks import bank as bank_for
from toolkit.api.words.banks import default_bank, vectors_of
from toolkit.api.words.bases import HeadBases, head_bases
from toolkit.api.words.spans import settings_of
from toolkit.core.precision import full_precision
from toolkit.core.spans import SpanBasis, explained_by
from toolkit.data.banks import bank_of
from toolkit.errors import InputError
from toolkit.signs import counted

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ConceptHeads:
    """How much of every head's variance a concept's texts explain. Made by `tk.heads_for`.

    Attributes:
        concept: its texts.
        layers: of the rows [l].
        share: of the head's variance inside the span of the texts, 0 to 1 [l, h].
        chance: the same for as many random texts of the bank, on average [l, h].
        p: the share of such random sets that explain at least as much [l, h] (a permutation test; with "+ 1" above and
            below).
        draws: how many random sets there were.
        settings: model, data, convention, bank, ….
    """

    concept: tuple[str, ...]
    layers: tuple[int, ...]
    share: Array
    chance: Array
    p: Array
    draws: int
    settings: dict[str, Any] = field(default_factory=dict)

    def ranking(self, top: int | None = 10) -> list[tuple[str, float, float]]:
        """(head, share, p), the largest share first; heads that never vary are left out.

        Arguments:
            top: how many heads, None for all; default 10.
        """
        order = np.argsort(-np.nan_to_num(self.share, nan=-1).ravel(), kind="stable")
        heads = self.share.shape[1]
        rows = [
            (f"L{self.layers[i // heads]}.H{i % heads}", float(self.share.flat[i]), float(self.p.flat[i]))
            for i in order
            if np.isfinite(self.share.flat[i])
        ]
        return rows[:top]

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per head: layer, head, share, chance, p."""
        import pandas

        l, h = self.share.shape
        at = {"layer": np.repeat(self.layers, h), "head": np.tile(np.arange(h), l)}
        return pandas.DataFrame(at | {n: getattr(self, n).ravel() for n in ("share", "chance", "p")})

    def __repr__(self) -> str:
        words = ", ".join(map(repr, self.concept[:3])) + (" …" if len(self.concept) > 3 else "")
        lines = [f"ConceptHeads({words}; n = {self.settings.get('images')} images, {self.draws} random sets)"]
        return "\n".join(lines + [f"  {name}: {share:.1%} (p = {p:.3f})" for name, share, p in self.ranking(8)])


@full_precision
def heads_for(
    concept: Any, acts: Acts, bank: Any = None, *, layers: Any = None, draws: int = 400, seed: int = 0
) -> ConceptHeads:
    """Heads ranked by the share of their variance that a concept's texts explain, with a permutation null.

    Arguments:
        concept: a text, several texts, or vectors [t, d].
        acts: parts of at least two images (`Acts`).
        bank: where the random texts of the null come from, as in `tk.bank`; default the built-in world's for its model,
            else the descriptions.
        layers: which; a list of layers, a negative int for the last |n|; default all.
        draws: random sets of as many texts (for a single text: every text of the bank once, no drawing); default 400.
        seed: of the draws; default 0.

    Returns:
        `ConceptHeads`: .share, .chance, .p [l, h], .ranking().

    Raises:
        InputError: for an empty concept.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=60), progress=False)
    >>> tk.heads_for("water", acts).share.shape
    (4, 8)
    """
    asked = bank_of([concept], name="concept") if isinstance(concept, str) else bank_for(concept)
    bases = head_bases(acts, layers, operation="heads_for")
    others = default_bank(acts) if bank is None else bank_for(bank)
    texts, random = vectors_of(asked, acts, "heads_for"), vectors_of(others, acts, "heads_for")
    return concept_heads(bases, asked.texts, texts, random, draws, seed, settings_of(acts, others, seed=seed))


def concept_heads(
    found: HeadBases, concept: Sequence[str], texts: Tensor, random: Tensor, draws: int, seed: int,
    settings: dict[str, Any], singles: NDArray[np.float32] | None = None,
) -> ConceptHeads:  # fmt: skip
    """As `heads_for`, for bases and vectors that are there; singles: `single_shares` of the bank, where known."""
    if draws < 1:
        raise InputError("heads_for", f"draws={draws}", "at least 1", "pass some")
    share = np.asarray(explained_by(found.basis, texts).cpu().numpy())
    null: NDArray[Any]
    if len(texts) == 1:
        null = single_shares(found.basis, random) if singles is None else singles
    else:
        null = _random_sets(found.basis, random, len(texts), draws, seed)
    p = (1 + (null >= share[:, None] * (1 - 1e-6)).sum(1)) / (1 + null.shape[1])
    p = np.where(np.isfinite(share), p, np.nan)
    shares, chance, p = (x.reshape(found.shape) for x in (share, null.mean(1), p))
    return ConceptHeads(tuple(concept), found.layers, shares, chance, p, null.shape[1], settings)


def single_shares(basis: SpanBasis, texts: Tensor) -> NDArray[np.float32]:
    """[n, t], float32: the share of every head's variance along each text alone."""
    shares = []
    for _, some in basis.blocks(len(texts)):
        seen = some.project(texts)
        along = (seen * (some.covariance @ seen)).sum(1) / (seen * seen).sum(1).clamp(min=1e-300)
        shares.append((along / some.variance[:, None]).float().cpu().numpy())
    return np.concatenate(shares)


def _random_sets(basis: SpanBasis, texts: Tensor, size: int, draws: int, seed: int) -> Array:
    """[n, draws]: shares of random sets of `size` texts."""
    if size >= len(texts):
        given = f"a concept of {size} texts against a bank of {len(texts)}"
        raise InputError("heads_for", given, "a bank with more texts than the concept", "pass a larger bank")
    rng = np.random.default_rng(seed)
    sets = [rng.choice(len(texts), size, replace=False) for _ in range(draws)]
    return np.stack(
        [
            explained_by(basis, texts[torch.from_numpy(rows)]).cpu().numpy()
            for rows in counted(sets, "draw random texts", "set")
        ],
        1,
    )
