"""`tk.decompose`: images in, an exact sum of named parts out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch

from toolkit.api.checks import check_model
from toolkit.core.heads import HeadSet
from toolkit.core.parts import Convention, Parts, Scale, parts_from
from toolkit.core.precision import full_precision
from toolkit.core.readout import Readout
from toolkit.core.state import State, state_of
from toolkit.errors import UnsupportedModelError
from toolkit.models.model import Model

T = TypeVar("T")
INEXACT = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""Largest relative difference between the sum and the embedding that rounding can explain, by weight type."""


@full_precision
def decompose(
    model: Model,
    images: Any,
    convention: Convention = "separate",
    *,
    scale: Scale = "unit",
    batch_size: int = 64,
    ablate: HeadSet | str | None = None,
    strength: float = 0.0,
) -> Parts:
    """The embeddings of images as named parts that sum to them exactly (G24 eq. 4–5; R25 eq. 1–4; methods §1).

    The model is not changed, also when an error interrupts the call.

    Arguments:
        model: a live one (`Model`).
        images: preprocessed tensors [b, 3, H, W], uint8 pixels of the model's size, PIL images (one or a list), or
            samples.
        convention: "separate", or "reference" for the public code's shares of biases; default "separate".
        scale: "unit" divides by ‖E‖, "raw" does not; default "unit".
        batch_size: images at a time; default 64.
        ablate: heads that are changed *while the model runs* (total effect), a `HeadSet` or names ("L2.H6 L3.H1");
            default none.
        strength: what those heads' outputs are multiplied by, no unit, 0 = off; default 0.

    Returns:
        `Parts`: .heads [b,l,h,d], .mixes [b,l,h,k], .mlps [b,l+1,d], .biases [b,l,d], .constant [b,d], .embedding
        [b,d], .norm [b], .residual [b,d], .error, .to_xarray().

    >>> import toolkit as tk
    >>> parts = tk.decompose(tk.load(), tk.scenes("test", n=2))
    >>> tuple(parts.heads.shape), parts.error < 1e-5
    ((2, 4, 8, 96), True)
    """
    check_model(model, "decompose")
    source = model.images(images, "decompose")
    card = model.card
    factors = (
        None if ablate is None else HeadSet.of(ablate, card.layers, card.heads).scale(card.layers, card.heads, strength)
    )
    name = f"{card.id} ({card.fingerprint})"

    def run(readout: Readout) -> Parts:
        states = [state_of(model.trace(batch, factors), readout) for batch in source.batches(batch_size)]
        return parts_from(State.cat(states), readout, convention, scale, source.ids, name)

    return exact_sum(model, run, lambda parts: parts.error, "decompose")


def exact_sum(model: Model, make: Callable[[Readout], T], error: Callable[[T], float], operation: str) -> T:
    """What `make` gives with the model's readout; an UnsupportedModelError where its parts miss the embedding by more
    than rounding can explain.
    """
    made = make(model.readout())
    if not error(made) <= INEXACT[model.dtype]:  # weights written through .data leave no trace: look again
        made = make(model.readout(fresh=True))
    if not error(made) <= INEXACT[model.dtype]:
        given = f"a model whose parts miss its embedding by {error(made):.1e} (relative)"
        accepted = f"at most {INEXACT[model.dtype]:g} in {model.card.precision}"
        fix = "take off forward hooks and wrappers that change what its layers return, or look for NaN weights"
        raise UnsupportedModelError(operation, given, accepted, fix)
    return made
