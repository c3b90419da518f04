"""What an edit did, in words: dimensions that moved, texts turned up and down, heads it scales."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.kept import layers_of
from toolkit.api.words.banks import bank, default_bank, vectors_of
from toolkit.core.precision import full_precision
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

    from toolkit.api.images.acts import Acts

Apply = Callable[[Tensor], Tensor]

SHOWN = 5
NOTABLE = 0.005
"""Changes of a ratio below this are not told."""
FEWEST = 3


@dataclass(frozen=True, eq=False, repr=False)
class Inspection:
    """An edit in words.

    moved [d]: how far every dimension moved: θ − 1 for the diagonal, else the norm of the change M − I of its column.
    texts, spread [t]: how much the images differ along a text, after over before; below 1 the text was turned down.
    heads [l, h]: the same of a head's contributions, in units of all embeddings together. layers: rows of `heads`. n,
    split: the images.
    """

    moved: NDArray[np.float64]
    texts: tuple[str, ...]
    spread: NDArray[np.float64]
    heads: NDArray[np.float64]
    layers: tuple[int, ...]
    n: int
    split: str

    def dimensions(self, most: int = 10) -> pandas.DataFrame:
        """The dimensions that moved furthest: dimension, moved."""
        import pandas

        order = np.argsort(-np.abs(self.moved), kind="stable")[:most]
        return pandas.DataFrame({"dimension": order, "moved": self.moved[order]})

    def turned(self, most: int = SHOWN) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
        """(down, up): the texts along which images differ least and most compared with before, with the ratio."""
        order = np.argsort(self.spread, kind="stable")
        pick = [(self.texts[i], float(self.spread[i])) for i in order]
        down, up = pick[:most], pick[::-1][:most]
        return [x for x in down if x[1] < 1 - NOTABLE], [x for x in up if x[1] > 1 + NOTABLE]

    def scaled(self, most: int = SHOWN) -> list[tuple[str, float]]:
        """The heads scaled most, down or up, with the ratio."""
        table = np.nan_to_num(np.log(np.maximum(self.heads, 1e-12)))
        order = np.argsort(-np.abs(table), axis=None, kind="stable")[:most]
        at = [np.unravel_index(i, self.heads.shape) for i in order]
        return [(f"L{self.layers[i]}.H{j}", float(self.heads[i, j])) for i, j in at]

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per text: text, spread (after over before), from the most turned down."""
        import pandas

        order = np.argsort(self.spread, kind="stable")
        return pandas.DataFrame({"text": [self.texts[i] for i in order], "spread": self.spread[order]})

    def __str__(self) -> str:
        down, up = (", ".join(f"“{text}” ×{ratio:.2f}" for text, ratio in some) or "none" for some in self.turned())
        heads = ", ".join(f"{name} ×{ratio:.2f}" for name, ratio in self.scaled())
        moved = ", ".join(f"{int(i)} ({v:+.2f})" for i, v in self.dimensions(SHOWN).itertuples(index=False))
        return "\n".join([
            f"turned down {down}", f"turned up {up}", f"heads {heads}", f"dimensions that moved most {moved}",
            f"(how much images differ along a text or a head, after over before; n = {self.n}, split {self.split!r})",
        ])  # fmt: skip

    __repr__ = __str__


@dataclass(frozen=True, eq=False)
class Lens:
    """What edits are looked at with: worked out once, for however many of them; made by `lens`.

    acts: the images. texts; axes [t, d]: their directions from the mean text. before [b, d]: embeddings. layers.
    """

    acts: Acts
    texts: tuple[str, ...]
    axes: Tensor
    before: Tensor
    layers: tuple[int, ...]

    @full_precision
    def inspect(self, apply: Apply, moved: NDArray[np.float64]) -> Inspection:
        """The change of an edit projected on texts and on heads. apply: what it makes of embeddings [..., d]. moved
        [d]: how far every dimension moved.
        """
        before, changed = self.before, apply(self.before)
        after = torch.nn.functional.normalize(changed, dim=-1)
        old, new = ((x @ self.axes.T).std(0) for x in (before, after))
        gain = (changed - changed.mean(0)).norm() / (before - before.mean(0)).norm()
        heads = _heads(apply, self.acts, self.layers) / float(gain)
        spread = (new / old.clamp(min=1e-12)).numpy()
        return Inspection(moved, self.texts, spread, heads, self.layers, len(before), self.acts.split)


@full_precision
def lens(acts: Acts, texts: Any = None, layers: Any = None) -> Lens:
    """What edits are looked at with.

    acts: the images that are looked at. texts: a bank, texts, or vectors [t, d]; default the bank of the model
    (`tk.bank`). layers: default all.
    Raises InputError for fewer than three images, or texts without a live model.
    """
    if len(acts) < FEWEST:
        raise InputError("edit.inspect", f"{len(acts)} images", f"at least {FEWEST}", "pass more as acts=")
    found = bank(default_bank(acts) if texts is None else texts)
    vectors = vectors_of(found, acts, "edit.inspect").double().cpu()
    axes = torch.nn.functional.normalize(vectors - (vectors.mean(0) if len(vectors) > 1 else 0), dim=-1)
    at = layers_of(acts, layers, "edit.inspect")
    return Lens(acts, found.texts, axes, acts.embedding.double().cpu(), at)


def _heads(apply: Apply, acts: Acts, layers: tuple[int, ...]) -> NDArray[np.float64]:
    """[l, h]: spread of every head's contributions after over before, from their second moments."""
    moments, rows = acts.moments, []
    for layer in layers:
        maps = acts.head_maps[layer].double().cpu()
        scatter = moments.scatter[layer].double().cpu()
        sizes = [torch.einsum("hkd,hkj,hjd->h", m, scatter, m) for m in (maps, apply(maps))]
        rows.append((sizes[1] / sizes[0].clamp(min=1e-300)).sqrt())
    return np.asarray(torch.stack(rows).numpy())
