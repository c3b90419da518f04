"""`PerceptionCLIP`: contexts are perceived first, classes in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.api.methods.contexts import NEUTRAL
from toolkit.api.methods.dial import Dial, Ledger
from toolkit.api.methods.fitted import Fitted, Names, by_name
from toolkit.api.methods.method import Method, Told
from toolkit.api.methods.prompts import KAPPA
from toolkit.api.methods.registry import method
from toolkit.api.methods.shots import Shots
from toolkit.core.methods.perception import (
    class_log_probabilities,
    context_logits,
    contexts_alone,
    contexts_by_class,
)
from toolkit.core.methods.prompts import towards
from toolkit.core.seen import Seen
from toolkit.data.templates import fill
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

Mode = Literal["class", "pure"]
Which = Literal["all", "targets"]
MOST_CONTEXTS, MOST_TEXTS = 64, 20_000
TEMPERATURES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, math.inf)


@method
@dataclass(frozen=True, eq=False, repr=False)
class PerceptionCLIP(Method):
    """p(y | x) = Σ_z p(y | x, z) p(z | x): contexts z are perceived first, classes in each of them.

    An et al. 2024 (arXiv 2308.01313). z runs over all combinations of the factors' values; a class in a context is the
    mean of its unit texts. p(z | x) comes from the classes' own texts ("class", the paper's ClassAttr) or from those of
    the contexts alone ("pure", PureAttr). The published Tables 7 and 8 are of the training split.

    Arguments:
        factors: by name, of each value its descriptions, such as {"place": {"water": "on water", "land": ["on grass",
            "in a forest"]}}; "" for none. Or texts' vectors [c, z, d] of the classes.
        mode: "class" or "pure"; default "class".
        temperature: T, how evenly contexts count, above 0, inf: all alike; default 1.
        which: classes that are told apart in contexts: "all", or "targets", those of the shots, whose rivals then win
            in every unlikely context; default "all".
        joiner: between a prompt and its descriptions; default " ".
        neutral: the word for a class in the contexts of "pure"; default "object".
        contexts: of "pure" with vectors: those of the contexts [z, d]; default none.

    >>> import toolkit as tk
    >>> PerceptionCLIP({"place": {"": "", "water": "on water", "land": "on land"}}).temperature
    1.0
    """

    name: ClassVar[str] = "PerceptionCLIP"
    told: ClassVar[Told] = "words"
    source: ClassVar[str] = "An et al. 2024"
    factors: Any
    mode: Mode = "class"
    temperature: float = 1.0
    which: Which = "all"
    joiner: str = " "
    neutral: str = "object"
    contexts: Any = None

    def solve(self, shots: Shots) -> PerceptionCLIPFitted:
        for what, given, known in (("mode", self.mode, Mode), ("which", self.which, Which)):
            if given not in get_args(known):
                raise InputError(self.name, f"{what}={given!r}", " or ".join(map(repr, get_args(known))), "name one")
        if isinstance(self.temperature, bool) or not self.temperature > 0:
            raise InputError(self.name, f"temperature={self.temperature!r}", "above 0; inf: all alike", "pass one")
        made = PerceptionCLIPFitted(self, shots)
        made.factor = shots.scale
        made.texts = _Texts(shots, self)
        made.texts.of(shots.texts, shots.classes.names)
        if self.mode == "pure":
            made.alone = made.texts.alone()
        made.ledger = Ledger(texts=made.texts.written)
        return made


@dataclass(frozen=True, eq=False)
class _Texts:
    """Classes in contexts, encoded when they are first asked for."""

    shots: Shots
    settings: PerceptionCLIP
    _made: dict[Names, Tensor] = field(default_factory=dict)

    @property
    def _has_vectors(self) -> bool:
        return hasattr(self.settings.factors, "ndim")

    @property
    def written(self) -> int:
        """Descriptions that somebody wrote, or vectors in their place."""
        if self._has_vectors:
            return int(np.prod(self.settings.factors.shape[:2]))
        return sum(len(_listed(texts)) for values in self.settings.factors.values() for texts in values.values())

    def names(self) -> list[str]:
        """Of the contexts, in order."""
        if self._has_vectors:
            return [f"context {i}" for i in range(self.settings.factors.shape[1])]
        return [", ".join(filter(None, values)) or "none" for values in product(*map(list, self._factors.values()))]

    @property
    def _factors(self) -> Mapping[str, Mapping[str, Any]]:
        given = self.settings.factors
        if not isinstance(given, Mapping) or not given or not all(isinstance(v, Mapping) and v for v in given.values()):
            accepted = "{factor: {value: description, …}, …}, or vectors [c, z, d]"
            raise InputError(self.shots.method, f"factors {given!r:.60}", accepted, "write them so")
        return given

    def _contexts(self) -> list[list[str]]:
        """The endings of every context: one for every combination of its values' descriptions."""
        choices = [list(values.values()) for values in self._factors.values()]
        found = [
            [self.settings.joiner.join(filter(None, words)) for words in product(*map(_listed, texts))]
            for texts in product(*choices)
        ]
        c, z = len(self.shots.classes), len(found)
        if z > MOST_CONTEXTS or c * z > MOST_TEXTS:
            given = f"{z} contexts for {c} classes"
            accepted = f"at most {MOST_CONTEXTS} contexts, and {MOST_TEXTS:,} of them over all classes"
            raise InputError(self.shots.method, given, accepted, "leave factors or values out")
        return found

    def of(self, texts: Tensor, names: Names) -> Tensor:
        """[c, z, d]: unit vectors of any classes. texts [c, d]: their own, for those without contexts."""
        shots = self.shots
        if self._has_vectors:
            own = self._own_vectors
            found = texts[:, None].expand(-1, own.shape[1], -1).clone()
            for mine, theirs in by_name(shots.classes, names):
                found[theirs] = own[mine]
        else:
            if names not in self._made:
                self._made[names] = self._encoded(names)
            found = self._made[names].clone()
        if self.settings.which == "targets":
            targets = {shots.classes.names[i] for i in shots.labels.tolist()}
            for i, name in enumerate(names):
                if name not in targets:
                    found[i] = texts[i]
        return found

    @cached_property
    def _own_vectors(self) -> Tensor:
        """[c, z, d]: those that were given."""
        shots, own = self.shots, self.shots.encoded(self.settings.factors, "factors")
        if own.ndim != 3 or len(own) != len(shots.classes):
            accepted = f"vectors [{len(shots.classes)}, z, {shots.embedding.shape[1]}]"
            raise InputError(shots.method, f"factors {list(own.shape)}", accepted, "one row per class, in order")
        return own

    def _encoded(self, names: Names) -> Tensor:
        texts = [
            [self._joined(prompt, end) for prompt in self._prompts(name) for end in ends]
            for name in names
            for ends in self._contexts()
        ]
        return self._means(texts, len(names))

    def alone(self) -> Tensor:
        """[z, d]: unit vectors of the contexts without a class."""
        if self._has_vectors:
            z, d = self._own_vectors.shape[1:]
            given = self.settings.contexts
            found = None if given is None else self.shots.encoded(given, "contexts")
            if found is None or found.shape != (z, d):
                what = "no contexts" if found is None else f"contexts {list(found.shape)}"
                raise InputError(self.shots.method, what, f"vectors [{z}, {d}] of the contexts alone", "pass contexts=")
            return found
        neutral = fill(NEUTRAL, self.settings.neutral)
        texts = [[self._joined(neutral, end) for end in ends] for ends in self._contexts()]
        return self._means(texts, 1)[0]

    def _means(self, texts: list[list[str]], rows: int) -> Tensor:
        """[rows, z, d]: means of unit vectors, made unit."""
        flat = self.shots.encoded([text for some in texts for text in some], "factors")
        means = torch.stack([some.mean(0) for some in flat.split([len(some) for some in texts])])
        return torch.nn.functional.normalize(means, dim=-1).unflatten(0, (rows, -1))

    def _joined(self, prompt: str, ending: str) -> str:
        return f"{prompt}{self.settings.joiner}{ending}" if ending else prompt

    def _prompts(self, name: str) -> list[str]:
        classes = self.shots.classes
        if name in classes.names and classes.prompts[classes.names.index(name)]:
            return list(classes.prompts[classes.names.index(name)])
        return [fill(pattern, name) for pattern in classes.templates or (NEUTRAL,)]


def _listed(texts: Any) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)


class PerceptionCLIPFitted(Fitted):
    """`PerceptionCLIP`, encoded. Its scores are log p(y | x). texts: classes in contexts; alone [z, d]: contexts."""

    dial = KAPPA
    second = Dial("T", TEMPERATURES, paper=1.0, start=-1.0, low=1e-6, log=True, says="how evenly the contexts count")
    texts: _Texts
    alone: Tensor
    method: PerceptionCLIP

    def _logits(self, images: Tensor, texts: Tensor, names: Names, value: float) -> Tensor:
        return context_logits(images, towards(texts[:, None], self.texts.of(texts, names), value), self.factor)

    def _contexts(self, images: Tensor, logits: Tensor, second: float | None) -> Tensor:
        temperature = self.method.temperature if second is None else second
        if self.method.mode == "pure":
            return contexts_alone(images, self.alone, self.factor, temperature)
        return contexts_by_class(logits, temperature)

    def judge(self, images: Tensor, texts: Tensor, names: Names, value: float, second: float | None) -> Tensor:
        logits = self._logits(images, texts, names, value)
        return class_log_probabilities(logits, self._contexts(images, logits, second))

    def quick(self, seen: Seen, value: float, second: float | None) -> Tensor:
        kept = self.kept(seen)
        if kept.get("value") != value:
            kept["value"], kept["logits"] = value, self._logits(seen.embedding, seen.texts, seen.names, value)
        logits: Tensor = kept["logits"]
        return class_log_probabilities(logits, self._contexts(seen.embedding, logits, second))

    def perceived(self, acts: Acts, value: float | None = None, second: float | None = None) -> Tensor:
        """p(z | x) [b, z]: in which context the model sees every image; `.contexts` names them.

        Arguments:
            acts: parts of any images of the model (`Acts`).
            value: κ; default the paper's.
            second: T; default the setting's.
        """
        at, seen = self.dial.checked(value, self.name), self.seen(acts)
        return self._contexts(seen.embedding, self._logits(seen.embedding, seen.texts, seen.names, at), second).exp()

    @property
    def contexts(self) -> list[str]:
        """The names of the contexts [z]."""
        return self.texts.names()

    def by_group(self, acts: Acts, value: float | None = None, second: float | None = None) -> pandas.DataFrame:
        """Mean p(z | x) of every group of images, and n: does the model see the background?

        Arguments:
            acts: parts of images with groups (`Acts`).
            value: κ; default the paper's.
            second: T; default the setting's.
        """
        import pandas

        found = pandas.DataFrame(self.perceived(acts, value, second).numpy(), columns=self.contexts)
        groups = acts.groups.astype(str)
        means = found.groupby(groups).mean()
        means.insert(0, "n", [int((groups == name).sum()) for name in means.index])
        return means.rename_axis("group").reset_index()
