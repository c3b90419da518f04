"""Switching heads, layers and MLPs off in the sum (direct effects)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from toolkit.core.heads import HeadSet
from toolkit.core.parts import Parts
from toolkit.errors import InputError

How = Literal["zero", "mean"]


def ablate_direct(
    parts: Parts, heads: HeadSet | str, strength: float = 0.0, how: How = "zero", reference: Parts | None = None
) -> Tensor:
    """[b, d]: the embeddings with a head set changed in the sum; later layers, σ and R stay as they are (R25 eq. 5).

    strength: 0 (default) is off, 1 is as is, 2 is doubled. how: "zero" (default) or "mean": what is put in the place of
    what is taken away: nothing, or the heads' mean over `reference` (default: over `parts` themselves).
    The result is not re-normalised.

    >>> import toolkit as tk
    >>> parts = tk.decompose(tk.load(), tk.scenes("test", n=3))
    >>> tk.ablate_direct(parts, "L2.H6 L3.H1").shape
    torch.Size([3, 96])
    """
    if how not in ("zero", "mean"):
        raise InputError("ablate", f"how={how!r}", '"zero" or "mean"', "pass one of these")
    layers, per_layer = parts.mixes.shape[1:3]
    chosen = HeadSet.of(heads, layers, per_layer)
    gone = 1 - chosen.scale(layers, per_layer, strength)
    removed = parts.of(gone)
    if how == "mean":
        removed = removed - (reference or parts).of(gone).mean(0, keepdim=True)
    return parts.embedding - removed


@dataclass(frozen=True)
class LayerCurve:
    """Accuracy of what is left under mean-ablation, component by component (G24 §3.2).

    full: nothing ablated. mlps: every MLP and the embedding term replaced by its mean. attention [l + 1]: entry i has
    the attention of layers 0…i−1 replaced by its mean (entry 0 is `full`), one layer after the other. The mean is
    over the images given.
    """

    full: float
    mlps: float
    attention: tuple[float, ...]


def layer_curve(parts: Parts, classes: Tensor, labels: Tensor) -> LayerCurve:
    """Mean-ablation curve of arg-max accuracy. classes [c, d] unit vectors; labels [b] indices into them.

    >>> import toolkit as tk
    >>> model, data = tk.load(), tk.scenes("test", n=8, birds=1.0)
    >>> birds = tk.classes(["waterbird", "landbird"])
    >>> labels = torch.from_numpy(birds.encode(data.labels))
    >>> len(tk.layer_curve(tk.decompose(model, data), birds.vectors(model), labels).attention)
    5
    """
    scores = parts.embedding @ classes.T
    per_layer = parts.toward(classes).sum(2)
    centred = per_layer - per_layer.mean(0, keepdim=True)
    mlps = torch.einsum("bmd,cd->bmc", parts.mlps, classes).sum(1)

    def accuracy(logits: Tensor) -> float:
        return float((logits.argmax(1) == labels.to(logits.device)).double().mean())

    steps = [scores, *(scores - torch.cumsum(centred, 1)[:, i] for i in range(per_layer.shape[1]))]
    return LayerCurve(
        accuracy(scores), accuracy(scores - mlps + mlps.mean(0, keepdim=True)), tuple(accuracy(s) for s in steps)
    )
