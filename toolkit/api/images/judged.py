"""Labelled images of one class set: what locating, ablating and editing have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.core.metrics import Accuracy, accuracy
from toolkit.core.outcomes import group_members
from toolkit.core.parts import Convention
from toolkit.core.sums import ROWS, arg_max
from toolkit.data.classes import ClassSet, ClassWarning
from toolkit.data.doubtful import near
from toolkit.data.label_numbers import as_numbers
from toolkit.errors import InputError, warn_caller


@dataclass(frozen=True, eq=False)
class Judged:
    """The images of `acts` whose label is in a class set, and what the model says of them.

    acts: those images. classes: the class set. texts [c, d]: its unit vectors. truth, guess [b]: label and arg-max
    prediction. left_out: images whose label is not in the class set. others: these labels. close: images whose two
    best classes float32 could not tell apart, decided in float64.
    """

    acts: Acts
    classes: ClassSet
    texts: Tensor
    embedding: Tensor
    truth: Tensor
    guess: Tensor
    left_out: int
    close: int = 0
    others: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.acts)

    @property
    def has_groups(self) -> bool:
        return any(name not in ("", "None", "nan") for name in set(self.acts.groups.astype(str)))

    @property
    def group_names(self) -> NDArray[np.object_]:
        """[b]: the group of every image; its label where no groups are known."""
        return (self.acts.groups if self.has_groups else self.acts.labels).astype(str).astype(object)

    @cached_property
    def members(self) -> tuple[tuple[str, ...], Tensor]:
        """The groups in order, and the group index of every image [b]."""
        names, member = group_members(self.group_names)
        return names, torch.from_numpy(member)

    @cached_property
    def mistakes(self) -> dict[tuple[str, str], int]:
        """(true, predicted) → images, of all pairs with a mistake, in the order of the classes."""
        names, c = self.classes.names, len(self.classes)
        cells = np.bincount((self.truth * c + self.guess).numpy(), minlength=c * c).reshape(c, c)
        return {(names[y], names[o]): int(cells[y, o]) for y, o in np.argwhere(cells).tolist() if y != o}

    @cached_property
    def twins(self) -> frozenset[tuple[str, str]]:
        """Pairs of classes with the same vector, in both orders: no direction leads from one to the other."""
        return frozenset(pair for alike in self.classes.twins(self.acts.live) for pair in permutations(alike, 2))

    def check_pair(self, pair: tuple[str, str], operation: str) -> None:
        """Refuse a pair of classes with the same vector."""
        if pair in self.twins:
            given = f"{pair[0]!r} and {pair[1]!r}, which have the same vector under this model"
            fix = "describe one of them in other words: prompts={name: text}"
            raise InputError(operation, given, "classes the model can tell apart", fix)

    def accuracy(self, guess: Any, replicates: int = 2000) -> Accuracy:
        """Accuracy of predictions [b] by group."""
        names = self.group_names
        found = accuracy(guess, self.truth, names, split=self.acts.split, ids=self.acts.ids, replicates=replicates)
        return self.without_others(found)

    def without_others(self, found: Accuracy) -> Accuracy:
        """An accuracy of some of these images, which says what was left out."""
        return replace(found, left_out=self.left_out, others=self.others)

    @property
    def facts(self) -> dict[str, Any]:
        """For results: model, convention, split, n, class set."""
        card = self.acts.card
        return {
            "model": card.id, "fingerprint": card.fingerprint, "convention": self.acts.convention,
            "split": self.acts.split, "n": len(self), "left_out": self.left_out,
            "classes": self.classes.names, "class_set": self.classes.hash,
        }  # fmt: skip


def judged(acts: Any, classes: Any, operation: str, convention: Convention | None = None) -> Judged:
    """Check acts and classes against each other, and predict.

    Raises InputError for anything else than parts and a class set of two or more, for a class set of another d, images
    without any label in the class set, and embeddings that are not finite.
    """
    if not isinstance(acts, Acts) or not len(acts):
        given = "parts of no image" if isinstance(acts, Acts) else f"a {type(acts).__name__}"
        fix = "extract them first: tk.extract(model, data)"
        raise InputError(operation, given, "the parts of a data set", fix)
    if convention is not None:
        acts = acts.using(convention)
    if not isinstance(classes, ClassSet) or len(classes) < 2:
        given = f"{len(classes)} class" if isinstance(classes, ClassSet) else f"a {type(classes).__name__} as classes"
        raise InputError(operation, given, "a class set of two or more", 'write tk.classes(["landbird", "waterbird"])')
    texts, embedding = classes.vectors(acts.live), acts.embedding
    if texts.shape[1] != embedding.shape[1]:
        given = f"class vectors [{len(texts)}, {texts.shape[1]}] for embeddings of d = {embedding.shape[1]}"
        raise InputError(operation, given, "vectors of the model the parts were made with", "encode them with it")
    truth = truth_of(acts.labels, classes)
    rows = np.flatnonzero(truth >= 0)
    others = tuple(sorted(set(map(str, acts.labels[truth < 0].tolist())) - {""}))
    nearly = ", ".join(f"{label!r} is not {name!r}" for label, name in near(others, classes.names)[:3])
    if not len(rows):
        given = f"{len(acts)} images, none with a label in the class set (labels such as {acts.labels[0]!r})"
        fix = "use classes that are labels" + (f": {nearly}" if nearly else "")
        raise InputError(operation, given, ", ".join(map(repr, classes.names[:8])), fix)
    if nearly:
        warn_caller(f"{operation}: images with labels that read like classes are left out: {nearly}", ClassWarning)
    if len(rows) < len(acts):
        embedding = embedding[torch.from_numpy(rows).to(embedding.device)]
    bad = (~embedding.isfinite().all(1)).nonzero()[:, 0].tolist()
    if bad:
        given = f"{len(bad)} images with NaN or infinite parts, {acts.ids[rows[bad[0]]]!r} for one"
        raise InputError(operation, given, "finite parts", "leave these images out: acts.take(rows)")
    embedding = embedding.cpu()
    guess, close = predictions(embedding, texts.to(embedding).cpu())
    some = acts if len(rows) == len(acts) else acts.take(rows.tolist())
    kept = torch.from_numpy(truth[rows])
    return Judged(some, classes, texts, embedding, kept, guess, len(acts) - len(rows), close, others)


def predictions(embedding: Tensor, texts: Tensor) -> tuple[Tensor, int]:
    """[b]: the class each image is nearest to, and how many were too close to call and decided in float64.
    embedding [b, d], of any norm; texts [c, d]. Never more than some thousand images × classes at a time.
    """
    found, close = [], 0
    for some in embedding.split(ROWS):
        guess, ties = arg_max(some @ texts.T, lambda rows, e=some: e[rows].double() @ texts.double().T)  # type: ignore[misc]
        found.append(guess)
        close += ties
    return torch.cat(found), close


def truth_of(labels: Sequence[Any] | NDArray[np.object_], classes: ClassSet) -> NDArray[np.int64]:
    """Labels as class indices [b], −1 for others; numbers that a store kept as texts are numbers again."""
    truth = classes.encode(labels)
    if (truth < 0).all() and (numbers := as_numbers(list(labels))) is not None:
        return classes.encode(numbers)  # stores keep labels as texts
    return truth
