"""Switching heads, layers and MLPs off in the sum (direct effects)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from toolkit.core.heads import HeadSet
from toolkit.core.parts import Parts
from toolkit.core.precision import full_precision
from toolkit.errors import InputError

How = Literal["zero", "mean"]


def ablate_direct(
    parts: Parts, heads: HeadSet | str, strength: float = 0.0, how: How = "zero", reference: Parts | None = None
) -> Tensor:
    """[b, d]: the embeddings with a head set changed in the sum; later layers, σ and R stay as they are (R25 eq. 5).

    The result is not re-normalised.

    Arguments:
        parts: of b images (`Parts`).
        heads: which, in any spelling: "L2.H6 L3.H1", (layer, head) pairs or a `HeadSet`.
        strength: what is left of the heads, no unit: 0 off, 1 as is, 2 doubled; default 0.
        how: what is put in the place of what is taken away: "zero" (nothing) or "mean" (the heads' mean over
            `reference`); default "zero".
        reference: parts that give the mean, of the same model, convention and scale; default `parts` themselves.

    >>> import toolkit as tk
    >>> parts = tk.decompose(tk.load(), tk.scenes("test", n=3))
    >>> tk.ablate_direct(parts, "L2.H6 L3.H1").shape
    torch.Size([3, 96])
    """
    if how not in ("zero", "mean"):
        raise InputError("ablate", f"how={how!r}", '"zero" or "mean"', "pass one of these")
    if reference is not None:
        _comparable(parts, reference, how)
    layers, per_layer = parts.mixes.shape[1:3]
    chosen = HeadSet.of(heads, layers, per_layer)
    gone = 1 - chosen.scale(layers, per_layer, strength)
    removed = parts.of(gone)
    if how == "mean":
        removed = removed - (reference or parts).of(gone).mean(0, keepdim=True)
    return parts.embedding - removed


def _comparable(parts: Parts, reference: Parts, how: How) -> None:
    """Refuse a reference whose parts mean something else."""
    if how != "mean":
        raise InputError("ablate", f"reference= with how={how!r}", 'reference= with how="mean"', "leave it out")
    for name in ("convention", "scale", "model"):
        ours, theirs = getattr(parts, name), getattr(reference, name)
        if ours != theirs:
            given = f"a reference with {name} {theirs!r} for parts with {ours!r}"
            raise InputError("ablate", given, "parts of one model, convention, scale", "decompose both alike")


@dataclass(frozen=True)
class LayerCurve:
    """Accuracy of what is left under mean-ablation, component by component (G24 §3.2).

    The mean is over the images given.

    Attributes:
        attention: entry i has the attention of layers 0…i−1 replaced by its mean; entry 0 is nothing ablated [l + 1].
        mlps: entry i has the first i of (embedding term, MLP 0, MLP 1, …) replaced [l + 2].
        n: images counted.
    """

    attention: tuple[float, ...]
    mlps: tuple[float, ...]
    n: int

    @property
    def full(self) -> float:
        """Accuracy with nothing ablated."""
        return self.attention[0]


@full_precision
@full_precision
def layer_curve(parts: Parts, classes: Tensor, labels: Any) -> LayerCurve:
    """Mean-ablation curves of arg-max accuracy, as a `LayerCurve` (G24 §3.2).

    Arguments:
        parts: of b images (`Parts`).
        classes: unit vectors [c, d].
        labels: indices into the classes [b], −1 for images to leave out (also of the means).

    Raises:
        InputError: for labels of another length or images without any label.

    >>> import toolkit as tk
    >>> model, data = tk.load(), tk.scenes("test", n=8, birds=1.0)
    >>> birds = tk.classes(["waterbird", "landbird"])
    >>> len(tk.layer_curve(tk.decompose(model, data), birds.vectors(model), birds.encode(data.labels)).attention)
    5
    """
    truth = torch.as_tensor(labels).to(parts.embedding.device)
    b = len(parts.embedding)
    if truth.shape != (b,) or truth.is_floating_point() or not (truth >= 0).any() or int(truth.max()) >= len(classes):
        given = f"labels of shape {tuple(truth.shape)} and type {truth.dtype}"
        accepted = f"{b} indices into {len(classes)} classes, −1 to leave out, at least one of them ≥ 0"
        raise InputError("layer_curve", given, accepted, "write classes.encode(data.labels)")
    keep, vectors = truth >= 0, classes.to(parts.embedding)
    scores = (parts.embedding @ vectors.T)[keep]
    attention = parts.toward(vectors).sum(2)[keep]
    mlps = torch.einsum("bmd,cd->bmc", parts.mlps[keep], vectors)

    def curve(terms: Tensor) -> tuple[float, ...]:
        gone = torch.cumsum(terms - terms.mean(0, keepdim=True), 1)
        steps = [scores, *(scores - gone[:, i] for i in range(gone.shape[1]))]
        return tuple(float((s.argmax(1) == truth[keep]).double().mean()) for s in steps)

    return LayerCurve(curve(attention), curve(mlps), int(keep.sum()))
