"""`HeadsUnder`: what every head does to the margin of mistakes, under a method and in the model as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import judged
from toolkit.api.methods.fitted import Fitted
from toolkit.core.methods.head_sums import each_head
from toolkit.core.precision import full_precision
from toolkit.core.seen import Seen
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class HeadsUnder:
    """The change of the margin, true over predicted class, when a head is there; means over wrong images.

    Attributes:
        name: of the method.
        position: of its dial.
        layers: of the rows [l].
        under: under the method [l, h]; below 0: the head pushes towards the mistake.
        as_it_is: in the model as it is [l, h].
        n: images.
        split: they are of.
    """

    name: str
    position: float
    layers: tuple[int, ...]
    under: Array
    as_it_is: Array
    n: int
    split: str

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per head: layer, head, under, as_it_is."""
        import pandas

        l, h = self.under.shape
        at: dict[str, Any] = {"layer": np.repeat(self.layers, h), "head": np.tile(np.arange(h), l)}
        return pandas.DataFrame(at | {"under": self.under.ravel(), "as_it_is": self.as_it_is.ravel()})

    def __repr__(self) -> str:
        order = np.argsort(self.as_it_is, axis=None)[:5]
        h = self.under.shape[1]
        rows = [
            f"  L{self.layers[i // h]}.H{i % h}: {100 * self.as_it_is.flat[i]:+.2f} as it is,"
            f" {100 * self.under.flat[i]:+.2f} under {self.name}"
            for i in order.tolist()
        ]
        head = f"margin × 100 that heads push, mean over n = {self.n} mistakes, split {self.split!r}:"
        return "\n".join([head, *rows]).replace("-", "−")


@full_precision
def heads_under(
    fitted: Fitted, acts: Acts, value: float | None = None, *, true: str | None = None, predicted: str | None = None,
    second: float | None = None,
) -> HeadsUnder:  # fmt: skip
    """What every head does under a method: the exact change of the margin when its contribution goes (`HeadsUnder`).

    Of every wrong image, the margin of the class it is of over the class it is taken for, with the head and without:
    one sees whether a cure stops listening to a cue or only out-votes it. No model is run.

    Arguments:
        fitted: what `Method.fit` gave.
        acts: parts of labelled images (`Acts`); those that the model as it is gets wrong count.
        value: of the dial; default the paper's.
        true: only images of this class; default all.
        predicted: only those taken for this class; default all.
        second: of the second dial; default the setting's.

    Raises:
        InputError: where no image is wrong in this way, and as for `Fitted.scores`.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False)
    >>> off = tk.methods.HeadsOff("L3.H7").fit(acts, tk.classes(["waterbird", "landbird"]))
    >>> float(tk.methods.heads_under(off, acts).under[3, 7])
    0.0
    """
    value = fitted.dial.checked(value, fitted.name)
    images = judged(acts, fitted.classes, fitted.name)
    keep = images.truth != images.guess
    for name, found in ((true, images.truth), (predicted, images.guess)):
        if name is not None:
            keep &= found == images.classes.index(name)
    rows = keep.nonzero()[:, 0].tolist()
    if not rows:
        wrong = " taken for ".join(filter(None, (true, predicted))) or "wrong"
        raise InputError(
            fitted.name, f"{len(images)} images, none {wrong}", "at least one mistake", "pass other images"
        )
    seen = fitted.seen(images.acts.take(rows))
    truth, guess = images.truth[rows], images.guess[rows]
    layers, per_layer = images.acts.kept.layers, images.acts.shape[2]
    start = fitted.is_start(value, second)
    base = seen.embedding if start else fitted.embedded(seen, value)
    whole = _margin(fitted, seen, base, value, second, truth, guess)
    plain = _cosines(seen, seen.embedding, truth, guess)
    under, own = np.zeros((len(layers), per_layer)), np.zeros((len(layers), per_layer))
    heads = [(layer, head) for layer in layers for head in range(per_layer)]
    for (layer, head), part in each_head(seen, heads):
        at = layers.index(layer), head
        there = part if start else fitted.contribution(seen, (layer, head), part, value)
        under[at] = float((whole - _margin(fitted, seen, base - there, value, second, truth, guess)).mean())
        own[at] = float((plain - _cosines(seen, seen.embedding - part, truth, guess)).mean())
    return HeadsUnder(fitted.name, value, tuple(layers), under, own, len(rows), images.acts.split)


def _margin(
    fitted: Fitted, seen: Seen, embedding: Tensor, value: float, second: float | None, truth: Tensor, guess: Tensor
) -> Tensor:
    """[b]: true over predicted class under the method, in cosines."""
    if fitted.is_start(value, second):
        return _cosines(seen, embedding, truth, guess)
    images = normalize(embedding, dim=-1)
    scores = fitted.judge(images, seen.texts, seen.names, value, second) / fitted.factor
    rows = torch.arange(len(truth))
    return scores[rows, truth] - scores[rows, guess]


def _cosines(seen: Seen, embedding: Tensor, truth: Tensor, guess: Tensor) -> Tensor:
    """[b]: true over predicted class in the model as it is."""
    scores = normalize(embedding, dim=-1) @ seen.texts.T
    rows = torch.arange(len(truth))
    return scores[rows, truth] - scores[rows, guess]
