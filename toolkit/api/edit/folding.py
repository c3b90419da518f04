"""Edits in the weights of a model, and what the folded model does to images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.api.checks import Check, quiet
from toolkit.api.edit.held_out import HeldOut
from toolkit.api.edit.problem import EditProblem
from toolkit.api.edit.settings import Options
from toolkit.api.images.acts import Acts
from toolkit.api.switch_off.fold import fold_change, fold_matrix, fold_projection
from toolkit.core.class_vectors import ClassVectors
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.moments import head_numbers
from toolkit.core.objective import Objective
from toolkit.core.projection_strategies import ProjectionChange
from toolkit.core.solvers import adam, converge, pull_of
from toolkit.core.strategies import Linear, Strategy
from toolkit.data.classes import ClassSet
from toolkit.data.classes import classes as class_set
from toolkit.data.samples import Samples
from toolkit.errors import InputError
from toolkit.models.batch import short_batch
from toolkit.models.model import Model
from toolkit.signs import sign

LEAST_STEP = 1 / 32
"""Of the way to the next proposal, below which strengths are left as they are."""


def folded_model(model: Model, strategy: Strategy, theta: Tensor, name: str) -> Model:
    """A copy of a model with an edit [k] in its weights. Raises InputError for class vectors, which are in no model."""
    if isinstance(strategy, HeadStrengths):
        return fold_change(model, strategy.change(theta), name)
    if isinstance(strategy, ProjectionChange):
        return fold_projection(model, strategy.matrix(theta), name)
    if not isinstance(strategy, Linear):
        fix = "use the model as it is with edit.classes, the class set with the vectors moved"
        raise InputError("edit.fold", "an edit of class vectors", "an edit of the model", fix)
    eye = torch.eye(strategy.d, dtype=torch.float64)
    return fold_matrix(model, strategy.apply(theta, eye), name, theta if strategy.name == "diagonal" else None)


def folded_classes(classes: ClassSet, texts: Tensor, strategy: Strategy, theta: Tensor) -> ClassSet:
    """A class set with the vectors [c, d] that an edit moved."""
    if not isinstance(strategy, ClassVectors):
        return classes
    moved = strategy.texts(theta[None], texts.double().cpu(), classes.names)[0]
    return class_set(list(classes.names), vectors=moved)


def embedded(model: Model, images: Samples, what: str, check: Check = quiet) -> Tensor:
    """[b, d]: what a model makes of images, as it returns it, float64. what: in words, for the sign."""
    found: list[Tensor] = []
    with sign(what, "image") as report, torch.no_grad():
        for batch in model.images(images, "edit").batches(short_batch(model)):
            done = sum(map(len, found))
            check(done, len(images))
            report(done, len(images))
            found.append(model.encode_image(batch, len(batch)).double().cpu())
        report(len(images), len(images))
    return torch.cat(found)


def folded_images(held: HeldOut, model: Model, check: Check) -> HeldOut:
    """Held-out images as a folded model sees them."""

    def change(acts: Acts, embedding: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        made = embedded(model, acts.samples, "run the folded model", check)
        return torch.nn.functional.normalize(made, dim=-1).to(embedding), texts

    return held.changed(change)


def matched_strengths(
    problem: EditProblem, way: Strategy, theta: Tensor, alpha: float, beta: float, steps: int | None, options: Options,
    model: Model, passes: int, check: Check,
) -> tuple[Tensor, list[float]]:  # fmt: skip
    """Strengths [k] with the smallest total of the folded model on the images of a problem, and the total of every
    pass; arguments as for `Edit.matched`.

    What the direct sum misses of the folded embeddings at the best strengths so far is added to the start of the next
    solve; a step towards its solution that is no gain is halved.
    """
    if not isinstance(way, HeadStrengths):
        accepted = "an edit that scales heads: the others fold as they are"
        raise InputError("edit.matched", f"an edit of strategy {way.name!r}", accepted, "use edit.fold(model)")
    if not isinstance(passes, int) or isinstance(passes, bool) or passes < 1:
        raise InputError("edit.matched", f"passes={passes!r:.80}", "a whole number from 1", "12 is the default")
    objective = problem.objective_of(way)
    tried = _Tried(problem, way, alpha, beta, options, model, [])
    best, total, missed = tried.at(torch.ones_like(theta), check, passes)
    proposed, part = theta, 1.0
    while len(tried.totals) <= passes and part >= LEAST_STEP:
        at = best + part * (proposed - best)
        found = tried.at(at, check, passes)
        if found.total < total:
            best, total, missed = found
            start = objective.embedding + missed
            proposed, part = _solved(_started(problem, way, start), way, alpha, beta, steps, options), 1.0
        else:
            part /= 2
    return best.clone(), tried.totals


class _Folded(NamedTuple):
    """Strengths [k], the folded model's total there, and what the direct sum misses of its embeddings [n, d]."""

    theta: Tensor
    total: float
    missed: Tensor


@dataclass(frozen=True, eq=False)
class _Tried:
    """Folded models at strengths that were tried, on the images of a problem. totals: of each, in order."""

    problem: EditProblem
    way: HeadStrengths
    alpha: float
    beta: float
    options: Options
    model: Model
    totals: list[float]

    def at(self, theta: Tensor, check: Check, passes: int) -> _Folded:
        """What the folded model makes of the images."""
        check(len(self.totals), passes + 1)
        objective, change = self.problem.objective_of(self.way), self.way.change(theta)
        folded = embedded(fold_change(self.model, change, "folded"), self._few, "run the folded model")
        y = folded / self._norm
        total = objective.terms(y @ objective.texts.T, y.square().sum(-1)).total(self.alpha, self.beta)
        pull = pull_of(self.way, self.options.ridge, self.options.seed, objective.embedding)
        pulled = float(total if pull is None else total + pull.of(theta[None])[0])
        self.totals.append(pulled)
        direct = objective.embedding + change.added(*_numbers(self.problem.images.acts, self.way))
        return _Folded(theta, pulled, y - direct)

    @cached_property
    def _few(self) -> Samples:
        return self.problem.images.acts.samples

    @cached_property
    def _norm(self) -> Tensor:
        """R [n, 1] of the model as it is."""
        return embedded(self.model, self._few, "run the model as it is").norm(dim=-1, keepdim=True)


def _solved(
    objective: Objective, way: HeadStrengths, alpha: float, beta: float, steps: int | None, options: Options
) -> Tensor:
    """Strengths [k] by the solver of an edit."""
    if steps is None:
        return converge(objective, way, alpha, beta, **options.solver).theta
    weights = [objective.embedding.new_tensor([x]) for x in (alpha, beta)]
    path = adam(objective, way, *weights, rate=options.rate, **options.solver)
    return next(islice(path, steps, None))[0]


def _numbers(acts: Acts, way: HeadStrengths) -> tuple[Tensor, Tensor]:
    """q of the layers whose heads are scaled, and A of all."""
    layers = way.parts.layers
    return torch.cat([head_numbers(state).cpu() for state in acts.states(layers)]), acts.head_maps.double().cpu()


def _started(problem: EditProblem, way: HeadStrengths, start: Tensor) -> Objective:
    """The objective of edits that add to other embeddings."""
    objective = problem.objective_of(way)
    q, maps = _numbers(problem.images.acts, way)
    parts = way.parts.products([q], maps, start, objective.texts)
    return replace(objective, parts=parts, start=start)
