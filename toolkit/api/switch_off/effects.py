"""`tk.head_effects`: what every head, or every set of heads, does to every group; in the sum and in the network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.checks import LARGEST, Check, quiet
from toolkit.api.images.judged import Judged, judged
from toolkit.api.switch_off.ablate import EFFECTS, Strength, strengths
from toolkit.api.switch_off.class_sums import replacement, sums_of
from toolkit.api.switch_off.total import HOWS, How, total_outputs
from toolkit.core.heads import HeadSet
from toolkit.core.precision import full_precision
from toolkit.core.sums import group_hits
from toolkit.errors import InputError
from toolkit.signs import counted
from toolkit.store.errors import size

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Effect:
    """What each of s head sets does, changed alone.

    Attributes:
        groups: accuracy of every group, 0 to 1 [s, g].
        margin: mean over the images of the true class's logit less the mean of the others, on the norm of the unchanged
            embedding [s].
    """

    groups: Array
    margin: Array


@dataclass(frozen=True, eq=False, repr=False)
class HeadEffects:
    """Direct and total effects of s head sets on g groups; made by `tk.head_effects`.

    Attributes:
        sets: the head sets [s].
        groups: names of the groups [g].
        sizes: images of each group [g].
        base: with nothing changed (`Effect` of one set).
        direct: with each set changed in the sum (`Effect`); None where not asked for.
        total: with each set changed in the network (`Effect`); None where not asked for.
        shape: (layers, heads) of the model, for `.map`.
        settings: model, data, class set.
    """

    sets: tuple[HeadSet, ...]
    groups: tuple[str, ...]
    sizes: tuple[int, ...]
    base: Effect
    direct: Effect | None
    total: Effect | None
    shape: tuple[int, int]
    settings: dict[str, Any]

    def change(self, of: str = "worst", effect: Literal["direct", "total", "difference"] = "direct") -> Array:
        """What every set changes [s], as a difference to nothing changed.

        Arguments:
            of: the "worst" group's accuracy, the "average" (plain: over images), the "margin", or a group by name;
                default "worst".
            effect: "direct", "total" or "difference", total − direct: what later layers make of it; default "direct".

        Raises:
            InputError: for an effect that was not asked for, and a group there is not.
        """
        if effect == "difference":
            return self.change(of, "total") - self.change(of, "direct")
        asked = {"direct": self.direct, "total": self.total}.get(effect)
        if asked is None:
            known = [name for name in EFFECTS if getattr(self, name) is not None]
            raise InputError("head_effects", f"the effect {effect!r}", ", ".join(known), f"ask for effect={effect!r}")
        return self._of(asked, of) - self._of(self.base, of)

    def _of(self, effect: Effect, of: str) -> Array:
        if of == "worst":
            return np.asarray(effect.groups.min(1))
        if of == "average":
            return np.asarray(effect.groups @ np.array(self.sizes) / sum(self.sizes))
        if of == "margin":
            return effect.margin
        if of not in self.groups:
            accepted = ", ".join(map(repr, ("worst", "average", "margin", *self.groups)))
            raise InputError("head_effects", f"the group {of!r}", accepted, "name one of these")
        return np.asarray(effect.groups[:, self.groups.index(of)])

    def map(self, of: str = "worst", effect: Literal["direct", "total", "difference"] = "direct") -> Array:
        """The same for single heads [l, h], as a map for `tk.HeadGrid`; nan for heads that were not asked for.

        Arguments:
            of: as in `.change`; default "worst".
            effect: as in `.change`; default "direct".
        """
        table = np.full(self.shape, np.nan)
        for heads, value in zip(self.sets, self.change(of, effect), strict=True):
            if len(heads) == 1:
                table[heads.heads[0]] = value
        return table

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per set: heads; then for each effect asked for (and their difference) the change of the worst group,
        the plain average, the margin and every group.
        """
        import pandas

        columns: dict[str, Any] = {"heads": [str(heads) for heads in self.sets]}
        asked: list[Any] = [name for name in EFFECTS if getattr(self, name) is not None]
        for effect in [*asked, *(["difference"] if len(asked) == 2 else [])]:
            for of in ("worst", "average", "margin", *self.groups):
                columns[f"{effect}: {of}"] = self.change(of, effect)
        return pandas.DataFrame(columns)

    def __repr__(self) -> str:
        asked = " and ".join(name for name in EFFECTS if getattr(self, name) is not None)
        return f"HeadEffects({len(self.sets)} sets, {asked}, {len(self.groups)} groups, n = {sum(self.sizes)})"


@full_precision
def head_effects(
    acts: Any,
    classes: Any,
    sets: Iterable[Any] | None = None,
    effect: Literal["direct", "total", "both"] = "direct",
    how: How = "zero",
    strength: Strength = 0.0,
    *,
    seed: int = 0,
    check: Check = quiet,
) -> HeadEffects:
    """What changing every head alone (or every set of `sets`) does to all groups, in one batched call.

    Arguments:
        acts: parts with labels (`Acts`).
        classes: two or more (`tk.classes`).
        sets: head sets in any spelling; default every head of the model by itself.
        effect: "direct", "total" (the model is run once per set; needs `acts.attach(model, data)`) or "both"; default
            "direct".
        how: "zero", "mean" or "resample" (over these images); default "zero".
        strength: what is left of a head, no unit, 0 to 2, as for `tk.ablate`; default 0.
        seed: of the resampling; default 0.
        check: called with (images × sets done, of) on the way; what it raises ends the work; default nothing.

    Returns:
        `HeadEffects`: .change("worst") [s], .map("worst") [l, h], .to_dataframe().

    Raises:
        InputError: as `tk.ablate` does.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("test", n=80, kind="birds"), progress=False)
    >>> tk.head_effects(acts, tk.classes(["waterbird", "landbird"])).map("worst").shape
    (4, 8)
    """
    for name, value, allowed in (("effect", effect, (*EFFECTS, "both")), ("how", how, HOWS)):
        if value not in allowed:
            accepted = " or ".join(map(repr, allowed))
            raise InputError("head_effects", f"{name}={value!r}", accepted, f"pass one of these as {name}")
    images = judged(acts, classes, "head_effects")
    l, h = images.acts.shape[1:3]
    each = [[(layer, head)] for layer in images.acts.kept.layers for head in range(h)]
    every = each if sets is None else list(sets)
    named = tuple(HeadSet.of(heads, l, h) for heads in every)
    if not named:
        raise InputError("head_effects", "no sets", "at least one head set", "leave sets out for every head alone")
    scales = torch.stack([strengths(heads, strength, l, h) for heads in named])
    names, member = images.members
    base = _summary(images, (images.embedding @ images.texts.to(images.embedding).T)[None])
    direct = _direct(images, scales, how, seed, check) if effect != "total" else None
    total = _total(images, scales, how, seed, check) if effect != "direct" else None
    sizes = tuple(torch.bincount(member, minlength=len(names)).tolist())
    over = "" if how == "zero" else f"these images (n = {len(images)}, split {images.acts.split!r})"
    settings = images.facts | {"how": how, "strength": strength, "reference": over, "seed": seed}
    return HeadEffects(named, names, sizes, base, direct, total, (l, h), settings)


def _direct(images: Judged, scales: Tensor, how: How, seed: int, check: Check) -> Effect:
    sums, found = sums_of(images, "head_effects"), []
    instead = replacement(how, len(images), seed)
    for done, scale in enumerate(counted(scales, "switch heads off", "set", len(scales))):
        check(done * len(images), len(scales) * len(images))
        found.append(_summary(images, sums.without(1 - scale, instead)[None]))
    return _cat(found)


def _total(images: Judged, scales: Tensor, how: How, seed: int, check: Check) -> Effect:
    acts = images.acts
    needed = 4 * len(scales) * len(images) * len(images.classes)
    if needed > LARGEST:
        given = f"{len(scales)} sets × {len(images):,} images × {len(images.classes):,} classes: {size(needed)}"
        raise InputError("head_effects", given, f"up to {size(LARGEST)}", "ask for fewer sets or images at a time")
    norms = torch.cat([state.output.norm(dim=-1) for state in acts.states([])]).cpu()
    logits = total_outputs(acts.model, acts.samples, scales, how, seed=seed, check=check, texts=images.texts)
    return _summary(images, logits / norms[:, None].float())


def _summary(images: Judged, logits: Tensor) -> Effect:
    """Group accuracies and mean margins of logits [s, b, c]."""
    names, member = images.members
    hits = group_hits(logits, images.truth, member, len(names))
    sizes = torch.bincount(member, minlength=len(names))
    own = logits.gather(2, images.truth.expand(len(logits), -1)[..., None])[..., 0]
    rest = (logits.sum(2) - own) / (logits.shape[2] - 1)
    return Effect((hits / sizes).numpy(), (own - rest).double().mean(1).numpy())


def _cat(found: list[Effect]) -> Effect:
    return Effect(np.concatenate([f.groups for f in found]), np.concatenate([f.margin for f in found]))
