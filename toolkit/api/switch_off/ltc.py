"""`tk.ltc_correct`: Locate-Then-Correct's correction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from toolkit.api.images.judged import Judged, judged
from toolkit.api.switch_off.ablation import Ablation
from toolkit.core.heads import HeadSet
from toolkit.core.inject import MODES, Mode, directions, inject
from toolkit.core.moments import head_numbers
from toolkit.core.precision import full_precision
from toolkit.core.room import filled, mean_of
from toolkit.errors import InputError


@full_precision
def ltc_correct(
    acts: Any,
    classes: Any,
    spurious: Any,
    salient: Any = (),
    pairs: Sequence[tuple[str, str]] | Any = (),
    mode: Mode = "released",
) -> Ablation:
    """Mean-ablate the spurious heads and draw the salient ones towards what tells the classes apart (LTC §4).

    The means are over these images, as there.

    Arguments:
        acts: parts with labels (`Acts`).
        classes: two or more (`tk.classes`).
        spurious: heads in any spelling, such as `scores.ltc.spurious`.
        salient: heads in any spelling, such as `scores.ltc.salient`; default none.
        pairs: texts of an attribute and of its opposite, encoded by the live model; or their differences [m, d];
            default none.
        mode: "released" gives every salient head norm 1, as LTC's public code does, so that it counts as much as the
            whole embedding; "own_norm", ours, keeps its own norm; default "released".

    Returns:
        `Ablation`, direct effect, how=mode.

    Raises:
        InputError: for salient heads without pairs, heads in both sets, and a pair that is not one.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("test", n=80, kind="birds"), progress=False)
    >>> birds = tk.classes(["waterbird", "landbird"])
    >>> tk.ltc_correct(acts, birds, "L3.H5", "L3.H1", [("a long neck", "a short neck")]).how
    'released'
    """
    if mode not in MODES:
        raise InputError("ltc_correct", f"mode={mode!r}", " or ".join(map(repr, MODES)), "pass one of these")
    images = judged(acts, classes, "ltc_correct")
    layers, per_layer = images.acts.shape[1:3]
    off, on = (HeadSet.of(heads, layers, per_layer) for heads in (spurious, salient))
    if both := [head for head in on if head in off]:
        raise InputError(
            "ltc_correct", f"{HeadSet(tuple(both))} in both sets", "two sets without common heads", "choose"
        )
    basis = _basis(images, pairs) if len(on) else None
    removed = filled(images.acts.sums(1 - off.scale(layers, per_layer, 0.0)), len(images))
    change = mean_of(removed) - removed
    if basis is not None:
        change += _drawn(images, on, basis, mode).to(change)
    where = f"its mean over these images (n = {len(images)}, split {images.acts.split!r})"
    settings = images.facts | {"how": mode, "effect": "direct", "salient": str(on), "spurious": str(off)}
    named = f"{where}; {on} drawn towards {len(basis)} directions" if basis is not None else where
    embedding = images.embedding + change
    return Ablation(off, mode, "direct", (0.0,) * len(off), named, embedding, settings, images)


def _drawn(images: Judged, heads: HeadSet, basis: Tensor, mode: Mode) -> Tensor:
    """[b, d]: what drawing heads towards the directions of a basis changes, float64."""
    layers, maps, found = sorted({layer for layer, _ in heads}), images.acts.head_maps, []
    for state in images.acts.states(layers):
        q, change = head_numbers(state), torch.zeros(len(state), maps.shape[3], dtype=torch.float64)
        for layer, head in heads:
            own = (q[:, layers.index(layer), head] @ maps[layer, head].to(q)).cpu()
            change += inject(own, basis, mode) - own
        found.append(change)
    return torch.cat(found)


def _basis(images: Judged, pairs: Any) -> Tensor:
    d = images.embedding.shape[1]
    accepted = f"pairs of texts [(“a long neck”, “a short neck”), …], or differences [m, {d}]"
    if hasattr(pairs, "ndim"):
        differences = torch.as_tensor(pairs)
        if differences.ndim != 2 or differences.shape[1] != d or not bool(differences.isfinite().all()):
            raise InputError("ltc_correct", f"differences {tuple(differences.shape)}", accepted, "pass such vectors")
    else:
        asked = list(pairs)
        if not asked or not all(isinstance(p, tuple | list) and len(p) == 2 for p in asked):
            raise InputError("ltc_correct", f"salient heads with pairs {asked!r:.60}", accepted, "name attribute pairs")
        model = images.acts.model
        raw = [model.encode_text([pair[i] for pair in asked], normalize=False) for i in (0, 1)]
        differences = (raw[0] - raw[1]).cpu()
    if not bool(differences.any()):
        raise InputError("ltc_correct", "pairs whose texts are encoded alike", accepted, "use texts that differ")
    return directions(differences)
