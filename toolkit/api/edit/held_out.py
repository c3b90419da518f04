"""Edit success and edit locality on images an edit was not made from, and on whatever else the user names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.edit.inspect_edit import Lens, lens
from toolkit.api.edit.problem import EditProblem
from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import Judged, judged, truth_of
from toolkit.core.metrics import Accuracy, accuracy
from toolkit.core.seen import Seen, nearest
from toolkit.data.classes import ClassSet
from toolkit.errors import InputError

Guess = Callable[[Seen], Tensor]
"""Images to what p methods predict of them [p, b]."""
Transform = Callable[[Acts, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(parts, embeddings [b, d], class vectors [c, d]) to what a method makes of the latter two."""


def as_it_is(seen: Seen) -> Tensor:
    """[1, b]: what the model predicts as it is."""
    return nearest(seen.embedding, seen.texts[None])


def seen_of(acts: Acts, embedding: Tensor, texts: Tensor, names: tuple[str, ...]) -> Seen:
    """Images as an edit changes them, with what is kept of their heads."""
    return Seen(embedding, texts, names, acts.states, lambda: acts.head_maps, lambda: acts.projected)


@dataclass(frozen=True, eq=False)
class Others:
    """Images an edit should leave alone: acts, their parts. texts [c, d]: the class vectors they are judged by, of the
    classes `names`; truth [b]: −1 where their label is not among the classes.
    """

    name: str
    acts: Acts
    embedding: Tensor
    texts: Tensor
    names: tuple[str, ...]
    truth: Tensor
    guess: Tensor

    @cached_property
    def seen(self) -> Seen:
        """As an edit changes them."""
        return seen_of(self.acts, self.embedding, self.texts, self.names)

    @cached_property
    def ids(self) -> NDArray[Any]:
        return self.acts.ids

    @cached_property
    def split(self) -> str:
        return self.acts.split

    def changed(self, change: Transform) -> Others:
        """The same images as another method sees them."""
        e, texts = change(self.acts, self.embedding, self.texts)
        return replace(self, embedding=e, texts=texts)

    @cached_property
    def before(self) -> Accuracy | None:
        """Accuracy of the model as it is, over the images with a label; None where none has one."""
        known = (self.truth >= 0).numpy()
        if not known.any():
            return None
        return accuracy((self.guess == self.truth)[known], split=self.split, ids=self.ids[known])


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The images an edit is judged on. images: those with a label in the class set, without those the edit was made
    from. target [b]: whether an image is of a class the edit is for. like [b]: whether it makes the mistake of W. own:
    whether these *are* the images it was made from. used: how many were left out because it was made from them.
    """

    images: Judged
    target: Tensor
    like: Tensor
    unrelated: tuple[Others, ...]
    own: bool
    used: int

    @cached_property
    def seen(self) -> Seen:
        """The images as an edit changes them."""
        images = self.images
        return seen_of(images.acts, images.embedding, images.texts.cpu(), images.classes.names)

    @cached_property
    def elsewhere(self) -> Tensor:
        """[b]: the images locality is measured on: those of other classes; among the images an edit was made from,
        which has no others, those that were right.
        """
        if bool((~self.target).any()) or not self.own or self.unrelated:
            return ~self.target
        return self.images.guess == self.images.truth

    @property
    def has_others(self) -> bool:
        """Whether there are images `elsewhere`."""
        return bool(self.elsewhere.any())

    @cached_property
    def others(self) -> Others | None:
        """The images `elsewhere`; None where there are none."""
        rows = self.elsewhere.nonzero()[:, 0]
        if not len(rows):
            return None
        images = self.images
        embedding = images.embedding[rows]
        texts = images.texts.to(embedding).cpu()
        acts = images.acts.take(rows.tolist())
        name = "images that were right" if bool(self.target.all()) else "other classes"
        return Others(name, acts, embedding, texts, images.classes.names, images.truth[rows], images.guess[rows])

    @cached_property
    def before(self) -> Accuracy | None:
        """Accuracy of the model as it is on the target classes, by group; None where no image is of one."""
        images, rows = self.images, self.target.numpy()
        if not rows.any():
            return None
        right = (images.guess == images.truth)[self.target]
        found = accuracy(right, groups=images.group_names[rows], split=self.split, ids=images.acts.ids[rows])
        return images.without_others(found)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """n of every measure of `rates`, by its name."""
        truth = self.images.truth[self.elsewhere] if self.has_others else None
        if truth is None and self.unrelated:
            truth = self.unrelated[0].truth
        return {
            "success": int(self.target.sum()), "worst": int(self.target.sum()), "like": int(self.like.sum()),
            "locality": 0 if truth is None else int((truth >= 0).sum()),
            "agreement": 0 if truth is None else len(truth),
        }  # fmt: skip

    def changed(self, change: Transform) -> HeldOut:
        """The same images as another method sees them, which changes embeddings and class vectors; labels and the
        predictions of the model as it is stay.
        """
        images = self.images
        e, texts = change(images.acts, images.embedding, images.texts.to(images.embedding).cpu())
        found = replace(self, images=replace(images, embedding=e, texts=texts))
        return replace(found, unrelated=tuple(one.changed(change) for one in self.unrelated))

    @cached_property
    def split(self) -> str:
        """The split, and whether these are the images the edit was made from."""
        return f"{self.images.acts.split} (the images it was made from)" if self.own else self.images.acts.split

    @cached_property
    def target_acts(self) -> Acts:
        """Parts of the images of the target classes."""
        return self.images.acts.take(self.target.nonzero()[:, 0].tolist())

    @cached_property
    def lens(self) -> Lens:
        """What edits are looked at with by default: these images, and the texts and heads of the model."""
        return lens(self.target_acts)

    def rates(self, guess_of: Guess = as_it_is) -> dict[str, NDArray[np.float64]]:
        """By name, [p]: what p methods do; guess_of: what they predict (`Strategy.guess`).

        success: plain average of the target classes. worst: of their groups. like: images like W now right. locality:
        accuracy of the other classes, agreement: their predictions that stay (without other classes: of the first
        unrelated set; on the images it was made from: of those that were right). nan where there are no such images.
        """
        images = self.images
        guess = guess_of(self.seen)
        right = (guess == images.truth).double()
        rates = {"success": right[:, self.target].mean(1), "like": right[:, self.like].mean(1)}
        rates["worst"] = torch.full((len(guess),), torch.nan, dtype=torch.float64)
        if self.target.any():
            hits = right[:, self.target] @ torch.nn.functional.one_hot(self._groups).double()
            rates["worst"] = (hits / torch.bincount(self._groups)).min(1).values
        if self.has_others:
            rates["locality"] = right[:, self.elsewhere].mean(1)
            rates["agreement"] = (guess == images.guess)[:, self.elsewhere].double().mean(1)
        elif self.unrelated:
            one = self.unrelated[0]
            guess, known = guess_of(one.seen), one.truth >= 0
            rates["locality"] = (guess == one.truth)[:, known].double().mean(1)
            rates["agreement"] = (guess == one.guess).double().mean(1)
        else:
            rates["locality"] = rates["agreement"] = torch.full_like(rates["worst"], torch.nan)
        return {name: rate.numpy() for name, rate in rates.items()}

    @cached_property
    def _groups(self) -> Tensor:
        """Group index of every image of a target class."""
        names = self.images.group_names[self.target.numpy()].astype(str)
        return torch.from_numpy(np.unique(names, return_inverse=True)[1])


def held_out(problem: EditProblem, acts: Any = None, unrelated: Mapping[str, Any] | None = None) -> HeldOut:
    """The images to judge edits of a problem on; images the edits are made from are left out of all of them.

    acts: parts of other images of the same model; default the images of the problem themselves. unrelated: by name,
    parts of images that an edit should leave alone, or (parts, class set) with classes of their own; those without a
    label in the class set count for agreement only. Raises InputError for parts of another model.
    """
    base = problem.images
    named: Any = {} if unrelated is None else unrelated
    if not isinstance(named, Mapping):
        given = f"unrelated: a {type(named).__name__}"
        raise InputError("edit", given, "a mapping from names to parts", 'write unrelated={"photos": acts}')
    other = tuple(_others(problem, str(name), given) for name, given in named.items())
    if acts is None:
        all_of_them = torch.ones_like(base.truth, dtype=torch.bool)
        return HeldOut(base, all_of_them, problem.like_wrong(base), other, True, 0)
    _same_model(problem, acts, "held_out")
    images = judged(acts, base.classes, "held_out", base.acts.convention)
    fresh = ~np.isin(images.acts.ids.astype(str), base.acts.ids.astype(str))
    if not fresh.any():
        given = f"held_out with {len(images)} images, all of which the edit is made from"
        raise InputError("edit", given, "other images", "leave held_out out to judge it on its own images")
    if not fresh.all():
        left = int((~fresh).sum())
        rows = np.flatnonzero(fresh)
        at = torch.from_numpy(rows)
        images = replace(
            images, acts=images.acts.take(rows.tolist()), embedding=images.embedding[at],
            truth=images.truth[at], guess=images.guess[at],
        )  # fmt: skip
    else:
        left = 0
    target = torch.tensor([base.classes.index(name) for name in problem.targets])
    return HeldOut(images, torch.isin(images.truth, target), problem.like_wrong(images), other, False, left)


def _same_model(problem: EditProblem, acts: Any, what: str) -> None:
    if not isinstance(acts, Acts) or not len(acts):
        given = f"{what}: a {type(acts).__name__}" if not isinstance(acts, Acts) else f"{what}: parts of no image"
        raise InputError("edit", given, "the parts of a data set", "extract them first: tk.extract(model, data)")
    ours, theirs = problem.images.acts.card, acts.card
    if ours.fingerprint != theirs.fingerprint or ours.embed_dim != theirs.embed_dim:
        given = f"{what}: parts of {theirs.id!r} ({theirs.fingerprint})"
        raise InputError("edit", given, f"parts of {ours.id!r} ({ours.fingerprint})", "extract them with that model")


def _others(problem: EditProblem, name: str, given: Any) -> Others:
    acts, classes = given if isinstance(given, tuple) and len(given) == 2 else (given, problem.images.classes)
    _same_model(problem, acts, f"unrelated {name!r}")
    if not isinstance(classes, ClassSet) or len(classes) < 2:
        accepted = "parts, or (parts, a class set of two or more)"
        raise InputError("edit", f"unrelated {name!r} with a {type(classes).__name__}", accepted, "use tk.classes(…)")
    fresh = np.flatnonzero(~np.isin(acts.ids.astype(str), problem.images.acts.ids.astype(str)))
    if not len(fresh):
        given = f"unrelated {name!r}, all of whose images the edit is made from"
        raise InputError("edit", given, "other images", "leave it out")
    acts = acts.take(fresh.tolist()).using(problem.images.acts.convention)
    texts, embedding = classes.vectors(acts.live or problem.images.acts.live), acts.embedding.cpu()
    if texts.shape[1] != embedding.shape[1]:
        given = f"unrelated {name!r} with class vectors [{len(texts)}, {texts.shape[1]}]"
        raise InputError("edit", given, f"vectors of d = {embedding.shape[1]}", "encode them with the edit's model")
    texts = texts.to(embedding).cpu()
    truth = torch.from_numpy(truth_of(acts.labels, classes))
    return Others(name, acts, embedding, texts, classes.names, truth, (embedding @ texts.T).argmax(-1))
