"""Texts of classes in contexts, as vectors [c, z, d]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from toolkit.api.methods.fitted import Names, by_name
from toolkit.api.methods.shots import Shots
from toolkit.data.templates import fill
from toolkit.data.templates import templates as checked_templates
from toolkit.errors import InputError

NEUTRAL = "a photo of {a}"


@dataclass(frozen=True, eq=False)
class Contexts:
    """What is said of every class, encoded when it is first asked for.

    shots: the images and their classes. given: endings of every class's prompts (“on water”, “” for none), texts by
    class, or vectors [c, z, d] of the classes of the shots.
    """

    shots: Shots
    given: Any
    _made: dict[tuple[str, ...], Tensor] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Texts, or vectors in their place, that somebody wrote."""
        if isinstance(self.given, Mapping):
            return sum(len(texts) for texts in self.given.values())
        return len(self.given) if not hasattr(self.given, "ndim") else int(self.given.shape[0] * self.given.shape[1])

    def of(self, texts: Tensor, names: Names) -> Tensor:
        """[c, z, d]: unit vectors of any classes. texts [c, d]: their own vectors, which a class keeps of which nothing
        is known.
        """
        if not (hasattr(self.given, "ndim") or isinstance(self.given, Mapping)):
            if names not in self._made:
                self._made[names] = self._encoded(names)
            return self._made[names]
        own = self._own_vectors
        found = texts[:, None].expand(-1, own.shape[1], -1).clone()
        for mine, theirs in by_name(self.shots.classes, names):
            found[theirs] = own[mine]
        return found

    def _encoded(self, names: Names) -> Tensor:
        shots = self.shots
        endings = list(self.given)
        if not endings or not all(isinstance(ending, str) for ending in endings):
            accepted = "endings of prompts (“on water”, …), texts by class, or vectors [c, z, d]"
            raise InputError(shots.method, f"contexts {self.given!r:.60}", accepted, "pass some")
        prompts = [
            [f"{prompt} {ending}".strip() for prompt in self._prompts(name)] for name in names for ending in endings
        ]
        flat = shots.encoded([text for some in prompts for text in some], "contexts")
        means = torch.stack([some.mean(0) for some in flat.split([len(some) for some in prompts])])
        return torch.nn.functional.normalize(means, dim=-1).unflatten(0, (len(names), len(endings)))

    @cached_property
    def _own_vectors(self) -> Tensor:
        """[c, z, d] of the classes of the shots."""
        shots, accepted = self.shots, f"vectors [{len(self.shots.classes)}, z, {self.shots.embedding.shape[1]}]"
        if not isinstance(self.given, Mapping):
            found = shots.encoded(self.given, "contexts")
            if found.ndim != 3 or len(found) != len(shots.classes):
                raise InputError(shots.method, f"contexts {list(found.shape)}", accepted, "one row per class, in order")
            return found
        lacks = [name for name in shots.classes.names if name not in self.given]
        sizes = {len(texts) for texts in self.given.values()}
        if lacks or len(sizes) != 1:
            given = f"no texts for {lacks[0]!r}" if lacks else "classes with different numbers of texts"
            raise InputError(shots.method, given, "as many texts for every class", "write them for each")
        texts = [text for name in shots.classes.names for text in self.given[name]]
        return shots.encoded(texts, "contexts").unflatten(0, (len(shots.classes), -1))

    def _prompts(self, name: str) -> list[str]:
        """The prompts of a class: its own, or the class set's templates filled with its name."""
        classes = self.shots.classes
        if name in classes.names and classes.prompts[classes.names.index(name)]:
            return list(classes.prompts[classes.names.index(name)])
        return [fill(pattern, name) for pattern in classes.templates or (NEUTRAL,)]


def template_vectors(shots: Shots, templates: Any, texts: Tensor, names: Names) -> Tensor:
    """[c, d]: unit class vectors from other templates; vectors [c, d] count for the classes of the shots."""
    if hasattr(templates, "ndim"):
        own, found = shots.encoded(templates, "templates"), texts.clone()
        if own.shape != shots.texts.shape:
            given, accepted = f"vectors {list(own.shape)}", f"{list(shots.texts.shape)}, one per class"
            raise InputError(shots.method, given, accepted, "in the order of the classes")
        for mine, theirs in by_name(shots.classes, names):
            found[theirs] = own[mine]
        return found
    patterns = checked_templates(templates)
    flat = shots.encoded([fill(pattern, name) for name in names for pattern in patterns], "templates")
    return torch.nn.functional.normalize(flat.unflatten(0, (len(names), -1)).mean(1), dim=-1)
