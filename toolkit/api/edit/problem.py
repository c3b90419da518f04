"""What an edit is fitted to: the labelled images, the sets W and C ∪ A, the heads, and checked settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from toolkit.api.edit.settings import (
    Pair,
    kind_of,
    known_scale,
    known_strategy,
    linear_strategy,
    number_of,
    projection_strategy,
)
from toolkit.api.images.judged import Judged, judged
from toolkit.api.images.kept import layers_of
from toolkit.core.class_vectors import ClassVectors
from toolkit.core.effects import error_sets
from toolkit.core.head_parts import HeadParts, own_directions
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.heads import HeadSet
from toolkit.core.moments import head_numbers
from toolkit.core.objective import Objective
from toolkit.core.parts import Convention
from toolkit.core.projection_strategies import ProjectionChange
from toolkit.core.strategies import Strategy
from toolkit.data.counts import many
from toolkit.errors import InputError, warn_caller

LAYERS = 4
"""The last ones kept, whose heads “strengths all” scales: those `tk.locate` considers."""
MOST_OBJECTIVES = 8
"""With parts of heads, that are kept for one problem."""


Keep = Literal["right", "all"]


class EditWarning(UserWarning):
    """Something about an edit that a user should know before believing it."""


@dataclass(frozen=True, eq=False)
class EditProblem:
    """Labelled images and what an edit should do to each.

    images: those used, all of them in L_CE. heads: whose ablation success learns from. pairs: the (true, predicted)
    asked for; empty: all mistakes. wrong, kept: rows of W and of C ∪ A. scale: of the logits. notes: what a user should
    know. layers: whose heads “strengths all” scales. keep: which images locality holds: the "right" ones, or "all".
    """

    images: Judged
    heads: HeadSet
    pairs: tuple[Pair, ...]
    wrong: Tensor
    kept: Tensor
    scale: float
    notes: tuple[str, ...]
    layers: tuple[int, ...]
    keep: Keep = "right"
    _strategies: dict[str, Strategy] = field(default_factory=dict, init=False, repr=False)
    _objectives: dict[Strategy, Objective] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def objective(self) -> Objective:
        images = self.images
        e = images.embedding.double()
        layers = sorted({layer for layer, _ in self.heads})
        ablated, maps = e.clone(), images.acts.head_maps[layers].double().cpu()
        rows = 0
        for state in images.acts.states(layers) if layers else ():
            numbers = head_numbers(state).cpu()
            some = slice(rows, rows := rows + len(numbers))
            for layer, head in self.heads:
                at = layers.index(layer)
                ablated[some] -= numbers[:, at, head] @ maps[at, head]
        texts = images.texts.cpu().double()
        learned = self.wrong if self.keep == "right" else self.wrong[:0]  # an image is drawn one way or held, not both
        return Objective(e, ablated, texts, images.truth, learned, self.kept, self.scale)

    def strategy(self, given: Any) -> Strategy:
        """A strategy by name, made for this problem. Raises InputError for another name, and where the heads it scales
        are missing.
        """
        if isinstance(given, str) and given in self._strategies:
            return self._strategies[given]
        d = self.images.embedding.shape[1]
        name = known_strategy(given, d)
        if name not in self._strategies:
            self._strategies[name] = self._made(name, d)
        return self._strategies[name]

    def _made(self, name: str, d: int) -> Strategy:
        kind, linear = kind_of(name), linear_strategy(name, d)
        if linear is not None:
            return linear
        if kind == "class vectors":
            rows = tuple(self.images.classes.index(name) for name in self.targets)
            return ClassVectors(self.targets, self.images.texts.cpu().double()[list(rows)], rows)
        if kind.startswith("projection"):
            w = self.images.acts.pooled.shape[1]
            return projection_strategy(name, w, d)
        heads = self._scaled(kind)
        if kind == "directions":
            picked = own_directions(self.images.acts.moments.second.cpu(), heads, number_of(name))
            return HeadStrengths(name, picked, d)
        return HeadStrengths(name, HeadParts(heads), d)

    def _scaled(self, kind: str) -> tuple[tuple[int, int], ...]:
        """The heads that a strategy scales."""
        if kind == "strengths all":
            return tuple((layer, head) for layer in self.layers for head in range(self.images.acts.shape[2]))
        if not len(self.heads):
            fix = 'choose some, tk.locate(…).choose(), or scale all of them: strategy="strengths all"'
            raise InputError("edit", f"no heads with strategy={kind!r}", "heads, whose strengths are the edit", fix)
        return self.heads.heads

    def objective_of(self, strategy: Strategy) -> Objective:
        """The objective as a strategy needs it: with the products of the parts of heads that it scales, or with what
        the projection is multiplied by.
        """
        if isinstance(strategy, ProjectionChange):
            return self._with_inputs
        if not isinstance(strategy, HeadStrengths):
            return self.objective
        if strategy not in self._objectives:
            acts, parts, plain = self.images.acts, strategy.parts, self.objective
            numbers = (head_numbers(state).cpu() for state in acts.states(parts.layers))
            found = parts.products(numbers, acts.head_maps.cpu(), plain.embedding, plain.texts)
            if len(self._objectives) >= MOST_OBJECTIVES:
                self._objectives.pop(next(iter(self._objectives)))
            self._objectives[strategy] = replace(plain, parts=found)
        return self._objectives[strategy]

    @cached_property
    def _with_inputs(self) -> Objective:
        return replace(self.objective, inputs=self.images.acts.projected.cpu())

    @property
    def targets(self) -> tuple[str, ...]:
        """Classes the edit is for: those its images are of, of a pair those of the pair. The others should stay."""
        classes = self.images.classes
        own = [classes.names[i] for i in sorted(set(self.images.truth.tolist()))]
        asked = {name for pair in self.pairs for name in pair}
        return tuple(name for name in own if name in asked) or tuple(own)

    @property
    def ids(self) -> dict[str, list[str]]:
        """Ids of the images by set: "W", "C ∪ A", "CE" (all)."""
        ids = [str(i) for i in self.images.acts.ids]
        sets = {"W": self.wrong.tolist(), "C ∪ A": self.kept.tolist(), "CE": range(len(ids))}
        return {name: [ids[i] for i in rows] for name, rows in sets.items()}

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What an edit is made from, as plain values."""
        facts = dict(self.images.facts)
        return facts | {
            "classes": list(facts["classes"]), "heads": str(self.heads), "logit_scale": self.scale,
            "pairs": [list(pair) for pair in self.pairs], "targets": list(self.targets),
            "ids": self.ids, "sizes": {name: len(ids) for name, ids in self.ids.items()},
            "notes": list(self.notes), "keep": self.keep,
        }  # fmt: skip

    @cached_property
    def teaches(self) -> bool:
        """Whether L_success has something to learn from: wrong images, and heads to do without."""
        return len(self.wrong) > 0 and len(self.heads) > 0

    def like_wrong(self, images: Judged) -> Tensor:
        """[b]: which other images make the mistakes of W: a pair of it, or any mistake on a target class."""
        classes = self.images.classes
        wrong = images.truth != images.guess
        if not self.pairs:
            target = torch.tensor([classes.index(name) for name in self.targets])
            return wrong & torch.isin(images.truth, target)
        cells = [(classes.index(y), classes.index(o)) for y, o in self.pairs]
        return sum(((images.truth == y) & (images.guess == o) for y, o in cells), torch.zeros_like(wrong))


def edit_problem(
    acts: Any,
    classes: Any,
    heads: Any,
    pairs: Sequence[Pair] = (),
    logit_scale: float | None = None,
    convention: Convention | None = None,
    operation: str = "edit",
    layers: Any = None,
    keep: Keep = "right",
) -> EditProblem:
    """Check what an edit is asked for. Raises InputError as `judged`, for unknown heads and pairs, heads named twice,
    and bad scales; warns of heads found under another class set.
    """
    images = judged(acts, classes, operation, convention)
    if isinstance(heads, Iterator):
        heads = list(heads)
    chosen = HeadSet.of(heads, *images.acts.shape[1:3])
    twice = HeadSet.twice(heads)
    if twice:
        given, accepted = f"{twice} named more than once", "every head once: it has one strength"
        raise InputError(operation, given, accepted, "name it once")
    own = images.acts.card.logit_scale
    scale = known_scale(logit_scale, own) or own
    notes = []
    if chosen.class_set and chosen.class_set != images.classes.hash:
        note = f"the heads {chosen} were found under another class set than these {len(images.classes)} classes"
        warn_caller(f"{operation}: {note}; locate them with the classes of the edit", EditWarning)
        notes.append(note)
    if keep not in get_args(Keep):
        raise InputError(operation, f"keep={keep!r:.40}", "'right' or 'all'", "name one of the two")
    wrong, kept = _sets(images, tuple(pairs))
    if keep == "all":
        kept = torch.cat([wrong, kept]).unique()
    last = images.acts.kept.layers[-LAYERS:]
    all_of = last if layers is None else layers_of(images.acts, layers, operation)
    return EditProblem(images, chosen, tuple(pairs), wrong, kept, scale, tuple(notes), all_of, keep)


def _sets(images: Judged, pairs: tuple[Pair, ...]) -> tuple[Tensor, Tensor]:
    """Rows of W and of C ∪ A: over all pairs, or all wrong and all right images."""
    right = images.truth == images.guess
    if not pairs:
        return (~right).nonzero()[:, 0], right.nonzero()[:, 0]
    wrong, kept = torch.zeros_like(right), torch.zeros_like(right)
    for y, other in pairs:
        sets = error_sets(images.truth, images.guess, images.classes.index(y), images.classes.index(other))
        wrong[sets.wrong] = True
        kept[torch.cat([sets.correct, sets.others])] = True
    return wrong.nonzero()[:, 0], kept.nonzero()[:, 0]


def check_possible(problem: EditProblem, alpha: float) -> None:
    """Raise InputError where L_success is asked for and has nothing to learn from."""
    if alpha == 0 or problem.teaches:
        return
    fix = "look at the confusion, or pass alpha=0 for the other losses alone"
    if not len(problem.wrong):
        n = len(problem.images)
        of = f" as {' or '.join(f'{y} taken for {o}' for y, o in problem.pairs)}" if problem.pairs else ""
        given = f"nothing to do: of {many(n, 'image')} none is wrong{of}"
        raise InputError("edit", given, "at least one wrong image", fix)
    given = f"no heads with alpha={alpha:g}"
    accepted = "heads: L_success learns from the embeddings without them"
    raise InputError("edit", given, accepted, "choose some, tk.locate(…).choose(), or pass alpha=0")
