"""`placebo`: the same cure told nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from toolkit.api.images.acts import Acts
from toolkit.api.methods.concept_heads import ConceptHeadsMethod
from toolkit.api.methods.context_ensemble import ContextEnsemble
from toolkit.api.methods.group_prompts import GroupPrompts
from toolkit.api.methods.heads_off import HeadsOff
from toolkit.api.methods.method import Method
from toolkit.api.methods.mi_clip import MIClip
from toolkit.api.methods.ortho_cali import OrthoCali
from toolkit.api.methods.perception_clip import PerceptionCLIP
from toolkit.api.methods.prompts import Prompts
from toolkit.api.methods.robo_shot import RoboShot
from toolkit.api.words.banks import default_bank
from toolkit.core.heads import HeadSet
from toolkit.data.classes import ClassSet
from toolkit.errors import InputError


def placebo(
    settings: Method, few: Acts, classes: ClassSet, seed: Any = 0, words: Sequence[str] | None = None
) -> tuple[Method, Acts]:
    """The same cure told nothing, and the images it is to be fitted to: random directions in the place of words, random
    words in prompts, random heads in the place of located ones, shuffled attributes, and else shuffled labels. What it
    reaches is the chance level of the cure: no method without one.

    Arguments:
        settings: of the cure (`tk.methods`).
        few: parts of the few labelled images (`Acts`).
        classes: all that are told apart (`tk.classes`).
        seed: of what is random, or a numpy Generator; default 0.
        words: that say nothing about the mistake, two or more; default texts of the bank of `tk.textspan`, at random.

    Raises:
        InputError: for fewer than two words.

    >>> import toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(5)
    >>> settings, images = tk.methods.placebo(tk.methods.Probe(), few, tk.classes(["waterbird", "landbird"]))
    >>> sorted(images.labels) == sorted(few.labels), list(images.labels) == list(few.labels)
    (True, False)
    """
    rng = np.random.default_rng(seed)
    d = few.embedding.shape[1]
    told = [str(word) for word in rng.permutation(default_bank(few).texts if words is None else list(words))]
    if len(told) < 2:
        raise InputError("placebo", f"{len(told)} words", "two or more", "pass some that say nothing")
    if isinstance(settings, RoboShot):
        return replace(settings, reject=rng.normal(size=(1, 2, d)), accept=()), few
    if isinstance(settings, OrthoCali):
        return OrthoCali(rng.normal(size=(2, d)), rng.normal(size=(2, 2, d))), few
    if isinstance(settings, MIClip):
        attribute = _attributes(few, settings)
        return replace(settings, attribute=tuple(str(x) for x in rng.permutation(attribute))), few
    if isinstance(settings, PerceptionCLIP):
        factors = {"thing": {"": "", "one": f"and {told[0]}", "other": f"and {told[1]}"}}
        return replace(settings, factors=factors), few
    if isinstance(settings, ContextEnsemble | GroupPrompts):
        return replace(settings, contexts=(f"and {told[0]}", f"and {told[1]}")), few
    if isinstance(settings, Prompts):
        return Prompts([f"{told[0]} and {{a}}", f"{told[1]} and {{a}}"]), few
    if isinstance(settings, HeadsOff | ConceptHeadsMethod):
        size = len(settings.fit(few, classes).heads)  # type: ignore[attr-defined]
        heads = [(layer, head) for layer in few.kept.layers for head in range(few.shape[2])]
        chosen = [heads[i] for i in rng.choice(len(heads), size, replace=False)]
        how = "mean" if isinstance(settings, ConceptHeadsMethod) else settings.how
        return HeadsOff(HeadSet(tuple(chosen)), how), few
    labels = rng.permutation(few.labels)
    places = [group.removeprefix(label) for group, label in zip(few.groups, few.labels, strict=True)]
    groups = [f"{label}{place}" for label, place in zip(labels, places, strict=True)]
    return settings, few.relabelled(labels.tolist(), groups)


def _attributes(few: Acts, settings: MIClip) -> list[str]:
    """What an attribute's placebo shuffles: the attribute of every image, or what its group says beside its label."""
    if isinstance(settings.attribute, list | tuple):
        return [str(x) for x in settings.attribute]
    return [str(group).removeprefix(str(label)) for group, label in zip(few.groups, few.labels, strict=True)]
