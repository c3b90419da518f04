"""What a method is fitted to: labelled images, the classes, and whoever encodes texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import Judged
from toolkit.data.classes import ClassSet, ClassWarning
from toolkit.errors import InputError, warn_caller
from toolkit.models.model import Model


@dataclass(frozen=True, eq=False)
class Shots:
    """Labelled images and what may be asked about them; all tensors float64.

    Attributes:
        method: the name of the method, for messages.
        images: the images with a label in the class set.
        given_groups: a group name per image [n], or None where none were given or known.
        validation: parts of other labelled images, or None.
        live: the model that encodes texts, or None.
        seed: of whatever is random.
    """

    method: str
    images: Judged
    given_groups: NDArray[np.object_] | None
    validation: Acts | None
    live: Model | None
    seed: int

    def __len__(self) -> int:
        return len(self.images)

    @property
    def classes(self) -> ClassSet:
        """All classes that are told apart."""
        return self.images.classes

    @cached_property
    def embedding(self) -> Tensor:
        """Unit embeddings [n, d]."""
        return torch.nn.functional.normalize(self.images.embedding.double().cpu(), dim=-1)

    @cached_property
    def texts(self) -> Tensor:
        """Class vectors [c, d]."""
        return self.images.texts.double().cpu()

    @property
    def labels(self) -> Tensor:
        """Class indices [n]."""
        return self.images.truth

    @cached_property
    def one_hot(self) -> Tensor:
        """Labels as rows [n, c]."""
        return torch.nn.functional.one_hot(self.labels, len(self.classes)).double()

    @property
    def scale(self) -> float:
        """The checkpoint's logit scale."""
        return self.images.acts.card.logit_scale

    @property
    def groups(self) -> NDArray[np.object_]:
        """A group name per image [n]. Raises InputError where none is known."""
        if self.given_groups is None:
            given = f"{len(self)} images without groups"
            accepted = "a group name per image: groups=[…], or images whose groups are known"
            raise InputError(self.method, given, accepted, "name them, or take a method that needs none")
        return self.given_groups

    @cached_property
    def members(self) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """The groups there are, and the index of every image's [n]."""
        names, at = np.unique(self.groups.astype(str), return_inverse=True)
        return tuple(names.tolist()), at.astype(np.int64)

    def without(self, row: int) -> Shots:
        """The same without one image.

        Arguments:
            row: which, from 0.
        """
        kept = [i for i in range(len(self)) if i != row]
        images = self.images
        fewer = replace(
            images, acts=images.acts.take(kept), embedding=images.embedding[kept], truth=images.truth[kept],
            guess=images.guess[kept],
        )  # fmt: skip
        groups = None if self.given_groups is None else self.given_groups[kept]
        return replace(self, images=fewer, given_groups=groups)

    @property
    def model(self) -> Model:
        """Encodes texts. Raises InputError where there is none."""
        if self.live is None:
            accepted = "a live model (model=…), or vectors [t, d] in the place of texts"
            raise InputError(self.method, "texts without a model that encodes them", accepted, "pass one of the two")
        return self.live

    def encoded(self, texts: Any, what: str, normalize: bool = True) -> Tensor:
        """Vectors [t, d] of texts, or the vectors given in their place. Warns of words the model does not know.

        Arguments:
            texts: strings, or vectors [t, d].
            what: they are, for messages.
            normalize: to unit norm; vectors are taken as they are given otherwise; default True.

        Raises:
            InputError: for anything else, vectors of another d or that are not finite, and texts without a model.
        """
        d = self.embedding.shape[1]
        if isinstance(texts, str):
            texts = [texts]
        if hasattr(texts, "ndim") or (len(texts) and not isinstance(next(iter(texts)), str)):
            found = self._vectors(texts, what, d)
        else:
            asked = list(texts)
            if not asked:
                return torch.zeros(0, d, dtype=torch.float64)
            self._say_unknown(asked)
            found = self.model.encode_text(asked, normalize=False).double().cpu()
            if found.shape[1] != d:
                given = f"a model of d = {found.shape[1]} beside images of d = {d}"
                raise InputError(self.method, given, "the model the images are of", "pass that model")
        return torch.nn.functional.normalize(found, dim=-1) if normalize else found

    def _vectors(self, given: Any, what: str, d: int) -> Tensor:
        try:
            found = torch.as_tensor(np.asarray(given) if not isinstance(given, Tensor) else given).double().cpu()
        except (TypeError, ValueError) as error:
            fix = "pass one kind of them"
            raise InputError(self.method, f"{what}: {given!r:.60}", f"texts, or vectors [t, {d}]", fix) from error
        if found.ndim < 2 or found.shape[-1] != d or not bool(found.isfinite().all()):
            finite = "" if bool(found.isfinite().all()) else ", not all finite"
            given = f"{what}: vectors {list(found.shape)}{finite}"
            raise InputError(self.method, given, f"texts, or finite vectors [t, {d}]", "encode them with this model")
        return found.detach()

    def _say_unknown(self, texts: Sequence[str]) -> None:
        unknown = self.model.unknown_words(texts)
        if unknown:
            words = [
                f"{word!r}" + (f" (nearest known: {', '.join(near)})" if near else "") for word, near in unknown.items()
            ]
            warn_caller(f"{self.method}: words the model does not know: {'; '.join(words[:5])}", ClassWarning)

    def pairs(self, given: Any, what: str, normalize: bool) -> tuple[Tensor, Tensor]:
        """Both sides [m, d] of pairs; of no pairs, empty ones.

        Arguments:
            given: pairs of texts, or vectors [m, 2, d].
            what: they are, for messages.
            normalize: to unit norm.

        Raises:
            InputError: for anything else, and as for `.encoded`.
        """
        d = self.embedding.shape[1]
        if given is None or len(given) == 0:
            empty = torch.zeros(0, d, dtype=torch.float64)
            return empty, empty
        if hasattr(given, "ndim"):
            both = self._vectors(given, what, d)
            if both.ndim != 3 or both.shape[1] != 2:
                fix = "stack both sides"
                raise InputError(self.method, f"{what}: vectors {list(both.shape)}", f"[m, 2, {d}]", fix)
            both = torch.nn.functional.normalize(both, dim=-1) if normalize else both
            return both[:, 0], both[:, 1]
        asked = list(given)
        if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in asked):
            accepted = "pairs of texts [(“on water”, “on land”), …], or vectors [m, 2, d]"
            raise InputError(self.method, f"{what}: {asked!r:.60}", accepted, "write pairs")
        one, other = ([pair[i] for pair in asked] for i in (0, 1))
        return self.encoded(one, what, normalize), self.encoded(other, what, normalize)
