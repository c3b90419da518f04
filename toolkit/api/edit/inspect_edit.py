"""What an edit did, in words: dimensions that moved, texts turned up and down, heads it scales."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.kept import layers_of
from toolkit.api.words.banks import bank, default_bank, vectors_of
from toolkit.api.words.textspan import BankWarning, textspan
from toolkit.core.class_vectors import ClassVectors
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.precision import full_precision
from toolkit.core.seen import Seen
from toolkit.core.strategies import Strategy
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

    from toolkit.api.images.acts import Acts
    from toolkit.data.banks import Bank

SHOWN = 5
WORDS = 3
"""Texts that a scaled head is told in."""
HeadWords = tuple[tuple[tuple[str, ...], ...], ...]
"""By layer and head, its texts."""
NOTABLE = 0.005
"""Changes of a ratio below this are not told."""
FEWEST = 3


class ScaledHead(NamedTuple):
    """What an edit leaves of a head, or of a direction inside it: its name, 0 off to 1 as it is and above, and the
    texts that head says (TextSpan), the most telling first.
    """

    name: str
    strength: float
    texts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} × {self.strength:.2f}: {', '.join(self.texts)}"


class MovedClass(NamedTuple):
    """Where the vector of a class went: the texts it came closer to and further from, with the change of the cosine."""

    name: str
    closer: tuple[tuple[str, float], ...]
    further: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        near, far = (", ".join(f"“{text}” {by:+.2f}" for text, by in some) for some in (self.closer, self.further))
        return f"{self.name}: closer to {near}; further from {far}"


@dataclass(frozen=True, eq=False, repr=False)
class Inspection:
    """An edit in words.

    moved [d]: how far every dimension moved: θ − 1 for the diagonal, else the norm of the change M − I of its column.
    strengths: of an edit that scales heads, those furthest from 1 first. classes: of an edit that moves class vectors.
    texts, spread [t]: how much the images differ along a text, after over before; below 1 the text was turned down.
    heads [l, h]: the same of a head's contributions, in units of all embeddings together. layers: rows of `heads`. n,
    split: the images.
    """

    moved: NDArray[np.float64]
    strengths: tuple[ScaledHead, ...]
    classes: tuple[MovedClass, ...]
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
        own = [str(x) for x in (*self.strengths, *self.classes)] or [f"dimensions that moved most {moved}"]
        return "\n".join([
            *own, f"turned down {down}", f"turned up {up}", f"heads {heads}",
            f"(how much images differ along a text or a head, after over before; n = {self.n}, split {self.split!r})",
        ])  # fmt: skip

    __repr__ = __str__


@dataclass(frozen=True, eq=False)
class Lens:
    """What edits are looked at with: worked out once, for however many of them; made by `lens`.

    acts: the images. bank: the texts, with vectors [t, d]; axes [t, d]: their directions from the mean text. before [b,
    d]: embeddings. layers.
    """

    acts: Acts
    bank: Bank
    vectors: Tensor
    axes: Tensor
    before: Tensor
    layers: tuple[int, ...]
    _said: dict[tuple[int, ...], HeadWords] = field(default_factory=dict, repr=False)

    @property
    def texts(self) -> tuple[str, ...]:
        return self.bank.texts

    @full_precision
    def inspect(self, strategy: Strategy, theta: Tensor, moved: NDArray[np.float64]) -> Inspection:
        """The change of an edit projected on texts and on heads. theta [k]: its parameters. moved [d]: how far every
        dimension moved.
        """
        before, acts = self.before, self.acts
        seen = Seen(
            before,
            before.new_zeros(0, before.shape[1]),
            (),
            acts.states,
            lambda: acts.head_maps,
            lambda: acts.projected,
        )
        changed = strategy.embedded(theta, seen)
        after = torch.nn.functional.normalize(changed, dim=-1)
        old, new = ((x @ self.axes.T).std(0) for x in (before, after))
        gain = (changed - changed.mean(0)).norm() / (before - before.mean(0)).norm()
        heads = _heads(strategy, theta, acts, self.layers) / float(gain)
        spread = (new / old.clamp(min=1e-12)).numpy()
        strengths = self._strengths(strategy, theta) if isinstance(strategy, HeadStrengths) else ()
        classes = self._classes(strategy, theta) if isinstance(strategy, ClassVectors) else ()
        return Inspection(moved, strengths, classes, self.texts, spread, heads, self.layers, len(before), acts.split)

    def _strengths(self, strategy: HeadStrengths, theta: Tensor) -> tuple[ScaledHead, ...]:
        """Every strength with what its head says, those furthest from 1 first."""
        parts = strategy.parts
        words = self._head_words(parts.layers)
        rows = zip(strategy.names, theta.tolist(), parts.heads, strict=True)
        found = [ScaledHead(name, value, words[parts.layers.index(layer)][head]) for name, value, (layer, head) in rows]
        return tuple(sorted(found, key=lambda one: -abs(one.strength - 1)))

    def _head_words(self, layers: tuple[int, ...]) -> HeadWords:
        """By layer and head, the texts that head says."""
        if layers not in self._said:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", BankWarning)  # which of two like texts is named matters little here
                self._said[layers] = _texts_of(self.acts, self.bank, layers)
        return self._said[layers]

    def _classes(self, strategy: ClassVectors, theta: Tensor) -> tuple[MovedClass, ...]:
        """Where class vectors went among the texts."""
        texts = torch.nn.functional.normalize(self.vectors, dim=-1)
        after = torch.nn.functional.normalize(theta.unflatten(0, tuple(strategy.original.shape)), dim=-1)
        change = ((after - strategy.original) @ texts.T).numpy()
        found = []
        for name, row in zip(strategy.names, change, strict=True):
            order = np.argsort(row, kind="stable")
            near, far = order[::-1][:WORDS], order[:WORDS]
            told = [tuple((self.texts[i], float(row[i])) for i in some) for some in (near, far)]
            found.append(MovedClass(name, *told))
        return tuple(found)


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
    return Lens(acts, found, vectors, axes, acts.embedding.double().cpu(), at)


def _texts_of(acts: Acts, bank: Bank, layers: tuple[int, ...]) -> HeadWords:
    """By layer and head, the texts that head says, the most telling first."""
    found = textspan(acts, bank, size=WORDS, layers=list(layers))
    return tuple(tuple(tuple(head) for head in layer) for layer in found.texts)


def _heads(strategy: Strategy, theta: Tensor, acts: Acts, layers: tuple[int, ...]) -> NDArray[np.float64]:
    """[l, h]: spread of every head's contributions after over before, from their second moments."""
    moments, rows = acts.moments, []
    for layer in layers:
        maps = acts.head_maps[layer].double().cpu()
        scatter = moments.scatter[layer].double().cpu()
        after = strategy.layer_maps(theta, layer, maps)
        sizes = [torch.einsum("hkd,hkj,hjd->h", m, scatter, m) for m in (maps, after)]
        rows.append((sizes[1] / sizes[0].clamp(min=1e-300)).sqrt())
    return np.asarray(torch.stack(rows).numpy())
