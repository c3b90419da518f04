"""What the classes that are not repaired may lose, where head sets are judged on validation images."""

from __future__ import annotations

from typing import Any

import numpy as np

from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import Judged
from toolkit.data.classes import ClassSet
from toolkit.errors import InputError

USUAL = 2.0
"""Points; on validation scenes of the built-in world this cost the worst group four and saved the others ten."""


def allowed(images: Judged, validation: Acts | None, within: Any, by: str | None, classes: ClassSet) -> float | None:
    """Points that the other classes may lose together; None where none is looked at.

    images: those of the scores. classes: those told apart in the validation images. within: as it was given, None for
    USUAL where groups are judged on validation images of other classes too. Raises InputError for no such number, and
    where it is given without images of both kinds.
    """
    names = np.array(classes.names)
    own = np.array(images.classes.names)[images.truth.unique().numpy()]
    labels = np.asarray(getattr(validation, "labels", ())).astype(str)
    ours = np.isin(labels, own)
    others = np.isin(labels, names) & ~ours
    if within is None:
        if by not in (None, "worst_group", "group_mean") or not others.any():
            return None
        within = USUAL
    number = isinstance(within, int | float) and not isinstance(within, bool) and 0 <= within <= 100
    if validation is None or not number:
        given = f"within={within!r}" + (" without validation images" if validation is None else "")
        accepted = "points that the other classes may lose, 0 to 100, with validation images of all classes"
        raise InputError("scores.choose", given, accepted, "pass validation=acts, or leave within out")
    if not others.any() or not ours.any():
        which = "none" if not others.any() else "all"
        given = f"within={within:g} with validation images {which} of other classes"
        fix = f"pass images of {', '.join(map(repr, own[:5].tolist()))} and of other classes, with all in the class set"
        raise InputError("scores.choose", given, "images of both", fix)
    return float(within)
