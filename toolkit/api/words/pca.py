"""`tk.head_pca`: the principal axes of every head, with texts and images at both ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.checks import whole
from toolkit.api.images.acts import Acts
from toolkit.api.words.banks import bank as bank_for
from toolkit.api.words.banks import default_bank, vectors_of
from toolkit.api.words.bases import HeadBases, head_bases
from toolkit.api.words.contributions import coordinates
from toolkit.api.words.spans import settings_of
from toolkit.core.heads import HeadSet
from toolkit.core.precision import full_precision
from toolkit.data.banks import Bank
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class HeadPCA:
    """Principal axes of every head's contributions. Made by `tk.head_pca`.

    Attributes:
        layers: of the rows [l].
        axes: unit directions in the joint space, the largest variance first [l, h, a, d]; their sign is arbitrary.
        share: of the head's variance, 0 to 1 [l, h, a].
        texts: positions in the bank, furthest along the axis (0) and against it (1) [l, h, a, 2, t].
        images: ids of images, by centred contribution, at both ends [l, h, a, 2, t].
        bank: the texts (`Bank`).
        settings: model, data, convention, bank, ….
    """

    layers: tuple[int, ...]
    axes: NDArray[np.float32]
    share: Array
    texts: Index
    images: NDArray[np.object_]
    bank: Bank
    settings: dict[str, Any] = field(default_factory=dict)

    def head(self, head: Any) -> pandas.DataFrame:
        """One head, one row per axis: share, texts and images at both ends.

        Arguments:
            head: "L2.H6" or (layer, head).

        Raises:
            InputError: for a head that was not looked at.
        """
        import pandas

        chosen = HeadSet.of(head).heads
        if len(chosen) != 1 or chosen[0][0] not in self.layers or chosen[0][1] >= self.share.shape[1]:
            accepted = f"one head of layers {', '.join(map(str, self.layers))}"
            raise InputError("HeadPCA.head", repr(head), accepted, "run tk.head_pca with that layer")
        at = self.layers.index(chosen[0][0]), chosen[0][1]
        rows = [
            {"share": self.share[at][a], **{
                f"{what} {sign}": values for end, sign in enumerate("+−")
                for what, values in (("texts", [self.bank.texts[j] for j in self.texts[at][a, end]]),
                                     ("images", list(self.images[at][a, end])))
            }}
            for a in range(self.share.shape[2])
        ]  # fmt: skip
        return pandas.DataFrame(rows).rename_axis("axis")

    def __repr__(self) -> str:
        lines = [f"HeadPCA({self.share.shape[0]} layers × {self.share.shape[1]} heads × {self.share.shape[2]} axes)"]
        for i, layer in enumerate(self.layers):
            for h in range(self.share.shape[1]):
                ends = [" / ".join(self.bank.texts[j] for j in end[:2]) for end in self.texts[i, h, 0]]
                lines.append(f"  L{layer}.H{h}: {self.share[i, h, 0]:.0%}  {ends[0]}  ↔  {ends[1]}")
        return "\n".join(lines[:33])


@full_precision
def head_pca(
    acts: Acts, bank: Any = None, axes: int = 3, *, layers: Any = -4, top: int = 5, rank: int | None = None
) -> HeadPCA:
    """The principal axes of every head, each with the texts and images at both of its ends (methods §2).

    There are no picks: an axis need not be any one text.

    Arguments:
        acts: parts of at least two images (`Acts`).
        bank: texts, as in `tk.bank`; default the built-in world's for its model, else the descriptions.
        axes: how many per head (fewer than that exist where the rank is smaller: share 0); default 3.
        layers: which; a list of layers, None for all, a negative int for the last |n|; default −4.
        top: texts and images at each end; default 5.
        rank: look at the `rank` leading directions of each head only; default all.

    Returns:
        `HeadPCA`: .axes [l, h, axes, d], .share, .texts, .images, .head("L2.H6").

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=60), progress=False)
    >>> tk.head_pca(acts, layers=-2).axes.shape
    (2, 8, 3, 96)
    """
    axes, top = whole("axes", axes, 1, "head_pca"), whole("top", top, 1, "head_pca")
    rank = None if rank is None else whole("rank", rank, 1, "head_pca")
    words = default_bank(acts) if bank is None else bank_for(bank)
    bases = head_bases(acts, layers, rank, "head_pca")
    basis, vectors = bases.basis, vectors_of(words, acts, "head_pca")
    values, inside = torch.linalg.eigh(basis.covariance)
    r = values.shape[1]
    inside = inside.flip(-1)[:, :, :axes]  # [n, r, a]
    share = values.flip(-1)[:, :axes].clamp(min=0) / basis.variance[:, None]
    if axes > r:
        share = torch.nn.functional.pad(share, (0, axes - r))
        inside = torch.nn.functional.pad(inside, (0, axes - r))
    directions = (basis.vectors @ inside).mT  # [n, a, d]
    texts = torch.cat([_ends(some @ vectors.T, top) for some in directions.to(vectors).split(4)])
    images = torch.cat([_ends(_scores(acts, bases, layer, inside.cpu()), top) for layer in bases.layers])
    shape = (*bases.shape, axes)
    return HeadPCA(
        bases.layers, directions.float().cpu().numpy().reshape(*shape, -1), share.cpu().numpy().reshape(shape),
        texts.numpy().reshape(*shape, 2, -1), acts.ids[images.numpy()].reshape(*shape, 2, -1), words,
        settings_of(acts, words),
    )  # fmt: skip


def _scores(acts: Acts, found: HeadBases, layer: int, inside: Tensor) -> Tensor:
    """[h, a, images]: centred contributions of one layer's heads along their axes [n, r, a]."""
    at = found.at(layer, 0)
    own = inside[at : at + found.heads].float()
    return torch.cat([torch.einsum("bnr,nra->nab", z, own) for z in coordinates(acts, found, layer)], 2)


def _ends(values: Tensor, top: int) -> Tensor:
    """[n, a, 2, t]: positions of the largest and of the smallest of [n, a, x]."""
    t = min(top, values.shape[-1])
    return torch.stack([values.topk(t).indices, (-values).topk(t).indices], -2).cpu()
