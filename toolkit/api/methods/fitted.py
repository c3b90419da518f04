"""`Fitted`: a method made from a few images, to be turned and asked about any images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn.functional import normalize

from toolkit.api.checks import check_model
from toolkit.api.edit.held_out import seen_of
from toolkit.api.images.acts import Acts
from toolkit.api.methods.dial import Dial, Ledger
from toolkit.api.methods.shots import Shots
from toolkit.api.switch_off.fold import fold_matrix
from toolkit.core.seen import Seen
from toolkit.data.classes import ClassSet
from toolkit.data.classes import classes as class_set
from toolkit.errors import InputError
from toolkit.models.model import Model

Names = tuple[str, ...]
"""Of classes, in order."""
_WIDE: WeakKeyDictionary[Seen, Seen] = WeakKeyDictionary()


def wide(seen: Seen) -> Seen:
    """The same images in float64 on the processor; of one `Seen` always the same, so that what is made is kept."""
    if (
        seen.embedding.dtype == torch.float64
        and seen.texts.dtype == torch.float64
        and seen.embedding.device.type == "cpu"
    ):
        return seen
    if seen not in _WIDE:
        embedding = normalize(seen.embedding.double().cpu(), dim=-1)
        _WIDE[seen] = replace(seen, embedding=embedding, texts=seen.texts.double().cpu())
    return _WIDE[seen]


class Named(Protocol):
    """Settings with a name (`Method`)."""

    name: ClassVar[str]


class Fitted(ABC):
    """A method made from a few images (`Method.fit`).

    Attributes:
        method: its settings.
        dial: what it is turned by.
        second: a second number it has, or None; where it is not given, the setting's.
        ledger: what it was told.
        shots: the images it was made from.
        notes: what should be known of the fit.
    """

    dial: Dial
    second: Dial | None = None
    ledger: Ledger
    notes: tuple[str, ...] = ()
    factor: float = 1.0
    """What cosines are multiplied with in its scores."""

    def __init__(self, method: Named, shots: Shots) -> None:
        self.method, self.shots = method, shots
        self.ledger = Ledger()
        self._seen: WeakKeyDictionary[Acts, dict[str, Seen]] = WeakKeyDictionary()
        self._kept: WeakKeyDictionary[Seen, dict[str, Any]] = WeakKeyDictionary()

    @property
    def name(self) -> str:
        """Of the method."""
        return self.method.name

    @property
    def classes(self) -> ClassSet:
        """The classes it was made for."""
        return self.shots.classes

    # what a method says of itself

    @abstractmethod
    def judge(self, images: Tensor, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        """Scores [b, c] of any embeddings, by the formula as it is written.

        Arguments:
            images: [b, d], unit, float64, as `embedded` gives them.
            texts: class vectors [c, d], unit, float64.
            names: of the classes.
            value: of the dial; not its start.
            second: of the second dial, or None for the setting's.
        """

    def embedded(self, seen: Seen, value: float) -> Tensor:
        """Embeddings [b, d], not made unit, with the heads the method changes; here those of the model.

        Arguments:
            seen: images in float64.
            value: of the dial; not its start.
        """
        return seen.embedding

    def contribution(self, seen: Seen, head: tuple[int, int], part: Tensor, value: float) -> Tensor:
        """[b, d]: what of a head is in `embedded`; here all that the model has of it.

        Arguments:
            seen: images in float64.
            head: (layer, head).
            part: its contributions in the model [b, d].
            value: of the dial; not its start.
        """
        return part

    def quick(self, seen: Seen, value: float, second: float | None) -> Tensor:
        """The same scores [b, c], sharing what does not change with the dial; default the slow way.

        Arguments:
            seen: images in float64.
            value: of the dial; not its start.
            second: of the second dial, or None for the setting's.
        """
        images = normalize(self.embedded(seen, value), dim=-1)
        return self.judge(images, seen.texts, seen.names, value, second)

    def matrices(self, value: float, second: float | None) -> tuple[Tensor, Tensor] | None:
        """(M [d, d'], W [c, d']): scores are E M Wᵀ up to a positive factor per image; None, as here: they are not.

        Arguments:
            value: of the dial; not its start.
            second: of the second dial, or None for the setting's.
        """
        return None

    def kept(self, seen: Seen) -> dict[str, Any]:
        """What was worked out for these images, to be read and added to.

        Arguments:
            seen: images in float64.
        """
        return self._kept.setdefault(seen, {})

    # what is asked

    def scores_of(self, seen: Seen, value: float | None = None, second: float | None = None) -> Tensor:
        """Scores [b, c], float64, of images as the core sees them; the start of the dial is the model as it is.

        Arguments:
            seen: images and the class vectors they are told apart by.
            value: of the dial; default the paper's.
            second: of the second dial; default the setting's.
        """
        at = self.dial.checked(value, self.name)
        if second is not None:
            if self.second is None:
                raise InputError(self.name, f"second={second!r:.60}", "no second dial", "leave it out")
            second = self.second.checked(second, self.name)
        one = wide(seen)
        if self.is_start(at, second):
            return self.factor * self._as_it_is(one)
        found = self.quick(one, at, second)
        if not bool(found.isfinite().all()):
            given = f"scores that are not finite at {self.dial.name} = {at:g}"
            raise InputError(self.name, given, "settings that leave something of every image", "turn the dial back")
        return found

    def is_start(self, value: float, second: float | None) -> bool:
        """Whether the dials stand where the method is the model as it is.

        Arguments:
            value: of the dial.
            second: of the second dial, or None for the setting's.
        """
        return value == self.dial.start and (self.second is None or second in (None, self.second.start))

    def _as_it_is(self, seen: Seen) -> Tensor:
        kept = self.kept(seen)
        if "as it is" not in kept:
            kept["as it is"] = seen.embedding @ seen.texts.T
        return kept["as it is"]

    def scores(
        self, acts: Acts, value: float | None = None, classes: ClassSet | None = None, second: float | None = None
    ) -> Tensor:
        """Scores [b, c], float64; the largest of a row is the answer.

        Arguments:
            acts: parts of any images of the model (`Acts`).
            value: of the dial; default the paper's.
            classes: other classes than those it was made for (`tk.classes`): images change as they do, learned vectors
                and cached images count for classes of equal name, the others are zero-shot; default its own.
            second: of the second dial; default the setting's.

        Raises:
            InputError: for parts of another model, values beyond the dial, embeddings that are not finite.
        """
        return self.scores_of(self.seen(acts, classes), value, second)

    def path(
        self, acts: Acts, values: Sequence[float] | None = None, classes: ClassSet | None = None,
        second: float | None = None,
    ) -> Iterator[Tensor]:  # fmt: skip
        """Scores [b, c] for one value of the dial after the other.

        Arguments:
            acts: as in `.scores`.
            values: of the dial; default its grid.
            classes: as in `.scores`; default its own.
            second: of the second dial; default the setting's.
        """
        seen = self.seen(acts, classes)
        for value in self.dial.grid if values is None else values:
            yield self.scores_of(seen, value, second)

    def linear(self, value: float | None = None, second: float | None = None) -> tuple[Tensor, Tensor] | None:
        """(M [d, d'], W [c, d']): scores are (E M) Wᵀ up to a positive factor per image; None where they are not.

        Arguments:
            value: of the dial; default the paper's.
            second: of the second dial; default the setting's.
        """
        at = self.dial.checked(value, self.name)
        if self.is_start(at, second):
            return torch.eye(self.shots.embedding.shape[1], dtype=torch.float64), self.shots.texts
        return self.matrices(at, second)

    def class_vectors(self, value: float | None = None, second: float | None = None) -> ClassSet:
        """The classes with the vectors the method gives them (`ClassSet`).

        Arguments:
            value: of the dial; default the paper's.
            second: of the second dial; default the setting's.

        Raises:
            InputError: where the method is no change of class vectors.
        """
        found = self.linear(value, second)
        if found is None:
            fix = "use .scores(acts)"
            raise InputError(self.name, "scores that no class vectors give", "a linear method", fix)
        return class_set(list(self.classes.names), vectors=found[1])

    def fold(self, model: Model, value: float | None = None, second: float | None = None) -> Model:
        """A model with the method in its weights, where the change of images is a matrix (`Model`).

        Arguments:
            model: a live one, whose embeddings the method was fitted to.
            value: of the dial; default the paper's.
            second: of the second dial; default the setting's.

        Raises:
            InputError: where no matrix of images does what the method does, where class vectors are learned (they are
                `.class_vectors()`, beside the model as it is), and for another model.
        """
        self._check_model(model)
        at = self.dial.checked(value, self.name)
        found = self.linear(at, second)
        if found is not None and not torch.equal(found[1], self.shots.texts):
            accepted = "a method that changes images alone"
            fix = "use the model as it is with .class_vectors()"
            raise InputError(f"{self.name}.fold", "class vectors of its own", accepted, fix)
        if found is None or found[0].shape[0] != found[0].shape[1]:
            accepted = "a method that multiplies embeddings with a matrix"
            fix = "use .scores(acts) beside the model as it is"
            raise InputError(f"{self.name}.fold", "scores that no matrix of images gives", accepted, fix)
        return fold_matrix(model, found[0], f"{model.card.id}, {self.name} ({self.dial.name} = {at:g})")

    def leave_one_out(self, value: float | None = None, second: float | None = None) -> Tensor:
        """Scores [n, c] of the images it was made from, each as if it had not been among them.

        Arguments:
            value: of the dial; default the paper's.
            second: of the second dial; default the setting's.

        Raises:
            InputError: for a method that would have to be made anew for every image.
        """
        accepted = "a cache or a probe"
        fix = "choose the dial on validation images"
        raise InputError(self.name, "leaving one image out", accepted, fix)

    def _check_model(self, model: Any) -> None:
        """Refuse what is not the model the shots are of."""
        check_model(model, self.name)
        ours, theirs = self.shots.images.acts.card, model.card
        if ours.fingerprint != theirs.fingerprint or ours.embed_dim != theirs.embed_dim:
            given = f"the model {theirs.id!r} ({theirs.fingerprint})"
            accepted = f"{ours.id!r} ({ours.fingerprint}), which the images are of"
            raise InputError(f"{self.name}.fold", given, accepted, "fold into that model")

    # images as the methods see them

    def seen(self, acts: Acts, classes: ClassSet | None = None) -> Seen:
        """Images as methods see them; of the same parts and classes always the same.

        Arguments:
            acts: parts of any images of the model.
            classes: they are told apart by; default those it was made for.

        Raises:
            InputError: as for `.scores`.
        """
        asked = self.classes if classes is None else classes
        if not isinstance(acts, Acts) or not len(acts):
            given = f"a {type(acts).__name__}" if not isinstance(acts, Acts) else "parts of no image"
            fix = "extract them first: tk.extract(model, data)"
            raise InputError(self.name, given, "the parts of a data set", fix)
        if not isinstance(asked, ClassSet) or len(asked) < 2:
            given = f"classes: a {type(asked).__name__}" if not isinstance(asked, ClassSet) else "one class"
            raise InputError(self.name, given, "a class set of two or more", "use tk.classes(…)")
        kept = self._seen.setdefault(acts, {})
        if asked.hash not in kept:
            kept[asked.hash] = self._made(acts, asked)
        return kept[asked.hash]

    def _made(self, acts: Acts, classes: ClassSet) -> Seen:
        ours, theirs = self.shots.images.acts.card, acts.card
        if ours.fingerprint != theirs.fingerprint or ours.embed_dim != theirs.embed_dim:
            given = f"parts of {theirs.id!r} ({theirs.fingerprint})"
            accepted = f"parts of {ours.id!r} ({ours.fingerprint})"
            raise InputError(self.name, given, accepted, "extract them with that model")
        own = acts.using(self.shots.images.acts.convention)
        embedding = normalize(own.embedding.double().cpu(), dim=-1)
        bad = (~embedding.isfinite().all(1)).nonzero()[:, 0].tolist()
        if bad:
            given = f"{len(bad)} images with NaN or infinite parts, {acts.ids[bad[0]]!r} for one"
            raise InputError(self.name, given, "finite parts", "leave these images out: acts.take(rows)")
        texts = classes.vectors(acts.live or self.shots.live).double().cpu()
        if texts.shape[1] != embedding.shape[1]:
            given = f"class vectors {list(texts.shape)} for embeddings of d = {embedding.shape[1]}"
            raise InputError(self.name, given, "vectors of the same model", "encode them with it")
        return seen_of(own, embedding, texts, classes.names)

    def __repr__(self) -> str:
        return f"{self.method!r} fitted: {self.ledger}"


def by_name(own: ClassSet, names: Sequence[str]) -> list[tuple[int, int]]:
    """(place among `own`, place among `names`) of every class of equal name."""
    places = {name: i for i, name in enumerate(own.names)}
    return [(places[name], i) for i, name in enumerate(names) if name in places]
