"""Two models, or a model and its edit, on the same images: predictions, scores of heads, and where they look."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.api.attribution import TokenAttribution
from toolkit.api.edits import Edit
from toolkit.api.extract import extract
from toolkit.api.lab import Kind, LabSession, Outcome, Pair
from toolkit.api.token_map import token_map
from toolkit.api.total import Check, quiet
from toolkit.core.metrics import change
from toolkit.errors import InputError
from toolkit.models.model import Model

Array = NDArray[np.float64]
Other = Model | Edit | None


class TwoSession:
    """A lab's images under its own model and under another: a model, or an edit folded into the first."""

    def __init__(self, lab: LabSession, other: Any = None) -> None:
        self.lab = lab
        self.first: Model = lab.images.acts.model
        self._given: Other = None
        self._second: Model | None = None
        self._lab: LabSession | None = None
        self.take(other)

    def take(self, other: Any) -> None:
        """Compare with another model or edit from now on; None: with nothing."""
        if other is not None and not isinstance(other, Model | Edit):
            accepted = "a Model (tk.load, tk.wrap), or what tk.edit gives"
            raise InputError("TwoModels", f"a {type(other).__name__} as other", accepted, "pass one of these")
        if other is not self._given:
            self._given, self._second, self._lab = other, None, None

    @property
    def other(self) -> Other:
        return self._given

    @property
    def names(self) -> list[str]:
        """What the two are called."""
        if isinstance(self._given, Edit):
            return [self.first.card.id, f"edited: {self._given.title}"]
        return [self.first.card.id, "" if self._given is None else self._given.card.id]

    def second(self) -> Model:
        """The other model."""
        if self._second is None:
            given = self._given
            if given is None:
                raise InputError("TwoModels", "one model", "two", "solve an edit, or pass other=")
            self._second = given.fold(self.first) if isinstance(given, Edit) else given
        return self._second

    def labs(self, check: Check = quiet) -> tuple[LabSession, LabSession]:
        """Both models' images; the second's parts are extracted when first asked for."""
        if self._lab is None:
            model, images = self.second(), self.lab.images
            acts = extract(model, images.acts.samples, progress=check)
            layers = list(self.lab.layers) if model.card.layers == self.first.card.layers else -4
            self._lab = LabSession(acts, images.classes, layers)
        return self.lab, self._lab

    def outcome(self, check: Check = quiet) -> Outcome:
        """What the second predicts otherwise, on the images both could read."""
        first, second = (lab.images for lab in self.labs(check))
        place = {str(name): i for i, name in enumerate(second.acts.ids)}
        ids = [str(name) for name in first.acts.ids]
        if any(name not in place for name in ids):
            given = f"{sum(name not in place for name in ids)} images the second model could not read"
            raise InputError("TwoModels", given, "images both models read", "leave them out: acts.where(id=…)")
        before, after = first.guess.numpy(), second.guess.numpy()[[place[name] for name in ids]]
        return Outcome(change(first.accuracy(before), first.accuracy(after)), before, after, "total")

    def maps(self, kind: Kind, pair: Pair, check: Check = quiet) -> list[Array | None]:
        """[l, h] of either model; None where it makes no such mistake, or the score does not exist."""
        found: list[Array | None] = []
        for lab in self.labs(check):
            try:
                found.append(lab.map(kind, pair, "zero", ""))
            except InputError:  # no image is wrong in this way, or an averaging set is empty
                found.append(None)
        return found

    def looks(self, image: str, text: str, against: str) -> tuple[TokenAttribution, TokenAttribution]:
        """The token maps of both for a text in an image."""
        picture = self.lab.images.acts.read(image).image
        if picture is None:
            raise InputError("TwoModels", f"{image!r}, which cannot be read", "an image Pillow reads", "choose another")
        a, b = (token_map(model, picture, text, against or None) for model in (self.first, self.second()))
        return a, b
