"""`Method`: the settings of a cure, and how it is fitted to a few images."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import Judged, judged
from toolkit.api.methods.fitted import Fitted
from toolkit.api.methods.shots import Shots
from toolkit.core.outcomes import listed
from toolkit.core.precision import full_precision
from toolkit.data.classes import ClassSet
from toolkit.errors import InputError
from toolkit.models.model import Model

Told = Literal["nothing", "words", "labels", "groups"]
"""What a method has to be told, the most of it."""


@dataclass(frozen=True, eq=False, repr=False)
class Method(ABC):
    """Base class of the settings of a method; `fit` makes something of them that can be asked.

    Attributes:
        name: in tables and figures.
        told: what it has to be told.
        source: the paper.
    """

    name: ClassVar[str]
    told: ClassVar[Told]
    source: ClassVar[str] = ""

    @full_precision
    def fit(
        self, few: Acts, classes: ClassSet, groups: Sequence[str] | None = None, validation: Acts | None = None,
        model: Model | None = None, seed: int = 0,
    ) -> Fitted:  # fmt: skip
        """The method, made from a few labelled images (`Fitted`).

        Arguments:
            few: parts of labelled images (`Acts`); those with other labels than the classes are left out.
            classes: all that are told apart (`tk.classes`), with or without images.
            groups: a group name for every image of `few` [n]; default the groups they are known to be of.
            validation: parts of other labelled images, for methods that choose something on them; default none.
            model: encodes texts; default the one `few` is attached to.
            seed: of what is random; default 0.

        Raises:
            InputError: for one class, images none of which has a label among the classes, groups that do not fit or are
                missing where the method needs them, texts without a model, and what is not finite.
        """
        if model is not None and isinstance(few, Acts) and few.live is None and getattr(classes, "given", 0) is None:
            few = few.attach(model)
        images = judged(few, classes, self.name)
        shots = Shots(self.name, images, _groups(few, images, groups, self.name), validation, model or few.live, seed)
        began = time.perf_counter()
        try:
            made = self.solve(shots)
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            given = f"{self!r}, which cannot be used ({error})"
            raise InputError(self.name, given, "settings as its docstring has them", "see tk.methods") from error
        made.ledger = replace(made.ledger, seconds=time.perf_counter() - began)
        made.notes = (*_without_shots(shots), *made.notes)
        return made

    @abstractmethod
    def solve(self, shots: Shots) -> Fitted:
        """The method made from images that were checked.

        Arguments:
            shots: those images.
        """

    def named(self, name: str) -> Self:
        """The same settings under a name of their own, to stand beside others of the same method.

        Arguments:
            name: in tables and figures.
        """
        made = replace(self)
        object.__setattr__(made, "name", str(name))
        return made

    def __repr__(self) -> str:
        told = (f"{field.name}={_short(getattr(self, field.name))}" for field in fields(self))
        return f"{public_name(type(self))}({', '.join(told)})"


def _without_shots(shots: Shots) -> tuple[str, ...]:
    """Which classes no image is of, in words."""
    there = set(shots.labels.tolist())
    names = [name for i, name in enumerate(shots.classes.names) if i not in there]
    if not names:
        return ()
    return (f"it was told no image of {listed(names, 3)}",)


def public_name(kind: type) -> str:
    """What a class is called in `tk.methods`: other rooms have classes called Edit and ConceptHeads too."""
    return kind.__name__.removesuffix("Method")


def checked_number(
    method: str, name: str, value: Any, low: float, high: float = math.inf, above: bool = False
) -> float:
    """A setting as a number. above: whether `low` itself is refused. Raises InputError for what is none."""
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (low < number if above else low <= number) or not number <= high or math.isinf(number):
        least = f"above {low:g}" if above else f"from {low:g}"
        most = "" if math.isinf(high) else f" to {high:g}"
        raise InputError(method, f"{name}={value!r:.60}", f"a number {least}{most}", "pass such a value")
    return number


def _short(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return repr(value) if shape is None else f"<{list(shape)}>"


def _groups(few: Acts, images: Judged, given: Any, name: str) -> NDArray[np.object_] | None:
    """A group name for every image that has a label among the classes."""
    if given is None:
        return images.acts.groups.astype(str).astype(object) if images.has_groups else None
    named = np.array([str(one) for one in given], dtype=object)
    if len(named) != len(few):
        raise InputError(name, f"{len(named)} groups for {len(few)} images", "one per image", "name each image's group")
    kept = np.isin(few.ids.astype(str), images.acts.ids.astype(str))
    found: NDArray[np.object_] = named[kept]
    return found
