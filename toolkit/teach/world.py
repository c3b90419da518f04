"""The images that answers are judged on: fresh scenes of the built-in world, taken apart once in a kernel."""

from __future__ import annotations

from functools import cache
from typing import Any

from toolkit.api.images.acts import Acts
from toolkit.api.images.decompose import decompose
from toolkit.api.images.extract import extract
from toolkit.api.images.load import load
from toolkit.core.roles import HeadRoles, head_roles
from toolkit.data.classes import ClassSet, classes
from toolkit.models.model import Model
from toolkit.organism.factors import BIRDS, CLASSES
from toolkit.organism.scenes import scenes

SEED = 4021
"""Of the test scenes that judge. Notebooks never draw from it, and no answer was tuned on it."""
FACTORS = ("class", "background", "colour", "light", "weather", "style", "texture", "count")


@cache
def model() -> Model:
    return load()


@cache
def birds() -> ClassSet:
    """waterbird, landbird."""
    return classes(list(BIRDS))


@cache
def everything() -> ClassSet:
    """All 20 classes."""
    return classes(sorted(CLASSES))


@cache
def parts(split: str, n: int, kind: Any, seed: int = SEED) -> Acts:
    return extract(model(), scenes(split, n=n, seed=seed, kind=kind), progress=False)


@cache
def few() -> Acts:
    """The twenty birds that the exercise on editing is about."""
    return extract(model(), scenes("edit", n=400, kind="birds"), progress=False).draw(per_class=10, seed=0)


@cache
def roles() -> HeadRoles:
    """Which share of every head's variance every factor explains, on 600 fresh factorial scenes."""
    made = scenes("test", n=600, seed=SEED, kind="factorial")
    return head_roles(decompose(model(), made), made.factors[list(FACTORS)])
