"""Two models, or a model and its edit, on the same images: predictions, scores of heads, and where they look."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from toolkit.api.edit.result import Edit
from toolkit.api.images.extract import extract
from toolkit.api.locate.evidence import AbsentScoreError
from toolkit.api.where.attribution import TokenAttribution
from toolkit.api.where.token_map import token_map
from toolkit.core.metrics import change
from toolkit.errors import InputError
from toolkit.labs.ablation import AblationSession, HeadsOffOutcome, Pair
from toolkit.models.model import Model

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Side:
    """A score of one model's heads: table [l, h], or None where it makes no such mistake; the layers of its rows."""

    table: Array | None
    layers: tuple[int, ...]
    heads: int


class ModelNames(TypedDict):
    """What two models are called."""

    first: str
    second: str


class SecondModel:
    """A model, or an edit folded into the first, beside the first on its images; those an edit was made from are left
    out. Everything is worked out when first asked for, once, from whatever thread.

    lab: the first model's images. given: a Model of any shape, or an Edit of the first. names: of the two. used: images
    left out.
    """

    def __init__(self, lab: AblationSession, given: Any) -> None:
        if not isinstance(given, Model | Edit):
            accepted = "a Model (tk.load, tk.wrap), or what tk.edit gives"
            raise InputError("TwoModels", f"a {type(given).__name__} as other", accepted, "pass one of these")
        if isinstance(given, Model) and lab.images.classes.given is not None:
            accepted = "classes that either model encodes"
            fix = "pass tk.classes(names) without vectors"
            raise InputError("TwoModels", "classes given as vectors of the first model", accepted, fix)
        self.given, self._all = given, lab
        self.first: Model = lab.images.acts.model
        name = f"edited: {given.title}" if isinstance(given, Edit) else given.card.id
        self.names: ModelNames = {"first": self.first.card.id, "second": name}
        made_from = set(given.settings["ids"]["CE"]) if isinstance(given, Edit) else set()
        ids = lab.images.acts.ids.astype(str)
        self._rows = [i for i, image in enumerate(ids) if image not in made_from]
        self.used = len(ids) - len(self._rows)
        if not self._rows:  # no others are there: better than nothing, and said
            self._rows, self.used = list(range(len(ids))), 0
            self.names["second"] += " (on the images it was made from)"
        self._lock = threading.Lock()
        self._model: Model | None = None
        self._labs: tuple[AblationSession, AblationSession] | None = None

    @property
    def model(self) -> Model:
        """The second model."""
        with self._lock:
            return self._folded()

    def _folded(self) -> Model:
        if self._model is None:
            self._model = self.given.fold(self.first) if isinstance(self.given, Edit) else self.given
        return self._model

    def labs(self) -> tuple[AblationSession, AblationSession]:
        """The images under either model; the second's parts are extracted when first asked for."""
        with self._lock:
            if self._labs is None:
                lab, model = self._all, self._folded()
                acts = lab.images.acts.take(self._rows)
                same = model.card.layers == self.first.card.layers
                layers = list(lab.layers) if same else -min(len(lab.layers), model.card.layers)
                found = extract(model, acts.samples).using(acts.convention)
                classes, minority = lab.images.classes, lab.minority
                self._labs = (
                    lab if not self.used else AblationSession(acts, classes, list(lab.layers), minority),
                    AblationSession(found, classes, layers, minority),
                )
            return self._labs

    def outcome(self) -> HeadsOffOutcome:
        """What the second predicts otherwise, on the images both could read."""
        first, second = (lab.images for lab in self.labs())
        place = {str(name): i for i, name in enumerate(second.acts.ids)}
        ids = [str(name) for name in first.acts.ids]
        if any(name not in place for name in ids):
            given = f"{sum(name not in place for name in ids)} images the second model could not read"
            raise InputError("TwoModels", given, "images both models read", "leave them out: acts.where(id=…)")
        before, after = first.guess.numpy(), second.guess.numpy()[[place[name] for name in ids]]
        return HeadsOffOutcome(change(first.accuracy(before), first.accuracy(after)), before, after, "total")

    def maps(self, name: str, pair: Pair) -> list[Side]:
        """A score of the heads of both."""
        found = []
        for lab in self.labs():
            wrong = lab.images.mistakes
            try:
                table = lab.map(name, pair, "zero", "") if (wrong.get(pair) if pair else wrong) else None
            except AbsentScoreError:
                table = None
            found.append(Side(table, tuple(lab.layers), lab.shape[1]))
        return found

    def looks(self, image: str, text: str, against: str) -> tuple[TokenAttribution, TokenAttribution]:
        """The token maps of both for a text in an image."""
        picture = self._all.looked_at.read(image).image
        if picture is None:
            raise InputError("TwoModels", f"{image!r}, which cannot be read", "an image Pillow reads", "choose another")
        a, b = (token_map(model, picture, text, against or None) for model in (self.first, self.model))
        return a, b
