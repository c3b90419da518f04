"""`tk.ablate`: heads off, half on or doubled, and what that does to every group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from toolkit.api.checks import Check, quiet
from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import Judged, judged
from toolkit.api.switch_off.ablation import Ablation
from toolkit.api.switch_off.total import HOWS, How, donor_rows, total_outputs
from toolkit.core.heads import HeadSet
from toolkit.core.parts import Convention
from toolkit.core.precision import full_precision
from toolkit.core.room import filled, mean_of
from toolkit.errors import InputError

Effect = Literal["direct", "total"]
EFFECTS: tuple[Effect, ...] = ("direct", "total")
Strength = float | Sequence[float] | Mapping[Any, float]


@full_precision
def ablate(
    acts: Any,
    classes: Any,
    heads: Any,
    how: How = "zero",
    effect: Effect = "direct",
    strength: Strength = 0.0,
    reference: Acts | None = None,
    *,
    seed: int = 0,
    convention: Convention | None = None,
    check: Check = quiet,
) -> Ablation:
    """What changing a head set does to every group (R25 eq. 5; methods §1).

    Arguments:
        acts: parts with labels (`Acts`); their groups are those judged (labels where there are none).
        classes: two or more (`tk.classes`).
        heads: which, in any spelling: "L2.H6 L3.H1", (layer, head) pairs or a `HeadSet`.
        how: what takes the place of what is taken away: "zero" (nothing), "mean" (the head's mean) or "resample" (the
            head of another, random image); default "zero".
        effect: "direct" (in the sum; later layers, σ and R stay) or "total" (the model is run again with the heads
            changed at every token; needs `acts.attach(model, data)`); default "direct".
        strength: what is left of a head, no unit, 0 to 2: 0 off, 1 as is, 2 doubled; one number, one per head, or a
            mapping from heads to numbers; default 0.
        reference: parts whose images give the mean or the replacements; default `acts`.
        seed: of the resampling; default 0.
        convention: "separate" or "reference"; default that of `acts`.
        check: called with (images done, of) during a total run; what it raises ends the work; default nothing.

    Returns:
        `Ablation`: .groups, .worst, .average(…), .interval, .right and .wrong (ids that became so), .confusion.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("test", n=80, kind="birds"), progress=False)
    >>> len(tk.ablate(acts, tk.classes(["waterbird", "landbird"]), "L3.H7 L3.H5", how="mean").groups)
    4
    """
    for name, value, allowed in (("how", how, HOWS), ("effect", effect, EFFECTS)):
        if value not in allowed:
            accepted = " or ".join(map(repr, allowed))
            raise InputError("ablate", f"{name}={value!r}", accepted, f"pass one of these as {name}")
    if reference is not None and how == "zero":
        raise InputError("ablate", 'reference= with how="zero"', 'how="mean" or "resample"', "leave reference out")
    images = judged(acts, classes, "ablate", convention)
    layers, per_layer = images.acts.shape[1:3]
    chosen = HeadSet.of(heads, layers, per_layer)
    scale = strengths(chosen, strength, layers, per_layer)
    pool = images.acts if reference is None else _comparable(reference, images, effect)
    if effect == "total":
        embedding = _total(images, scale, how, pool, seed, check)
    else:
        removed = _removed(images, scale, how, pool, seed)
        embedding = torch.sub(images.embedding, removed, out=removed)
    own = "these images" if reference is None else "the reference"
    words = {"zero": "", "mean": "their mean over", "resample": "those of other images, drawn from"}[how]
    named = f"{words} {own} (n = {len(pool)}, split {pool.split!r})" if words else ""
    settings = images.facts | {"how": how, "effect": effect, "seed": seed, "reference": named}
    used = tuple(float(scale[head]) for head in chosen)
    return Ablation(chosen, how, effect, used, named, embedding, settings, images)


def strengths(heads: HeadSet, strength: Strength, layers: int, per_layer: int) -> Tensor:
    """[l, h] float64: 1 but for the heads of the set, which get their strength."""
    if isinstance(strength, Mapping):
        given = {HeadSet.of([head] if isinstance(head, tuple) else head).heads[0]: s for head, s in strength.items()}
        if set(given) != set(heads):
            differ = HeadSet(tuple(set(given) ^ set(heads)))
            accepted = f"a number for each of {heads}"
            raise InputError("ablate", f"strengths that differ from the heads in {differ}", accepted, "name each head")
        values = [given[head] for head in heads]
    elif isinstance(strength, Sequence):
        values = list(strength)
    else:
        values = [strength] * len(heads)
    good = [isinstance(s, int | float) and not isinstance(s, bool) and 0 <= s <= 2 for s in values]
    if len(values) != len(heads) or not all(good):
        accepted = f"a number from 0 (off) over 1 (as is) to 2 (doubled), or one for each of the {len(heads)} heads"
        raise InputError("ablate", f"strength={strength!r}", accepted, "pass such a strength")
    table = torch.ones(layers, per_layer, dtype=torch.float64)
    for head, value in zip(heads, values, strict=True):
        table[head] = value
    return table


def _comparable(reference: Any, images: Judged, effect: str) -> Acts:
    """A reference whose parts mean the same."""
    if not isinstance(reference, Acts) or not len(reference):
        given = (
            f"a {type(reference).__name__} as reference" if not isinstance(reference, Acts) else "an empty reference"
        )
        raise InputError("ablate", given, "the parts of a data set", "extract them first: tk.extract(model, data)")
    ours, theirs = images.acts.card, reference.card
    if ours.fingerprint != theirs.fingerprint or ours.embed_dim != theirs.embed_dim:
        raise InputError(
            "ablate", f"a reference of {theirs.id!r}", f"parts of {ours.id!r}", "extract it with that model"
        )
    if effect == "total":
        reference.samples  # noqa: B018 – says now that its images are missing
    return reference.using(images.acts.convention)


def _removed(images: Judged, scale: Tensor, how: How, pool: Acts, seed: int) -> Tensor:
    """[b, d]: what the sum loses."""
    gone = 1 - scale
    removed = filled(images.acts.sums(gone), len(images))
    if how == "zero":
        return removed
    others = removed if pool is images.acts else filled(pool.sums(gone), len(pool))
    if how == "mean":
        return removed.sub_(mean_of(others))
    return removed - others[torch.from_numpy(donor_rows(len(pool), len(images), seed, pool is images.acts))]


def _total(images: Judged, scale: Tensor, how: How, pool: Acts, seed: int, check: Check) -> Tensor:
    """[b, d]: embeddings of the changed model, divided by the norm of the unchanged."""
    acts = images.acts
    reference = None if pool is acts else pool.samples
    outputs = total_outputs(acts.model, acts.samples, scale[None], how, reference, seed, check)[0]
    norms = torch.cat([state.output.norm(dim=-1) for state in acts.states([])]).cpu()
    return outputs / norms[:, None].to(outputs)
