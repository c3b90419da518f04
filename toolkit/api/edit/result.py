"""`Edit`: an edit of the image projection, what it was made from, and what may be done with it.

Long because every method of one class says its arguments a line each; what it does stands in the files beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.checks import Check, check_model, quiet
from toolkit.api.edit.file import save_edit
from toolkit.api.edit.folding import folded_classes, folded_images, folded_model, matched_strengths
from toolkit.api.edit.held_out import HeldOut, as_it_is, held_out, seen_of
from toolkit.api.edit.history import History
from toolkit.api.edit.inspect_edit import Inspection, lens
from toolkit.api.edit.outcome import Locality, Outcome, Success, outcome_of
from toolkit.api.edit.problem import EditProblem, check_possible
from toolkit.api.edit.settings import (
    Options,
    known_allowance,
    known_hold,
    known_options,
    known_steps,
    known_weight,
)
from toolkit.api.images.acts import Acts
from toolkit.core.class_vectors import ClassVectors
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.heads import HeadSet
from toolkit.core.objective import Objective
from toolkit.core.parts import Parts
from toolkit.core.projection_strategies import ProjectionChange
from toolkit.core.seen import Seen
from toolkit.core.solvers import Pull, adam, converge, gradient, loss, pull_of
from toolkit.core.strategies import Bounds, Linear, Strategy
from toolkit.core.threads import one_blas_thread
from toolkit.data.classes import ClassSet
from toolkit.errors import InputError
from toolkit.models.model import Model, check_device
from toolkit.signs import Report, both, counted, sign

if TYPE_CHECKING:
    import pandas


Each = Callable[[int, Tensor], None]
CPU = torch.device("cpu")
RECORDED = 200_000_000
"""Bytes of parameters that a history may hold; of larger edits some steps alone are recorded."""
FEWEST = 21
PASSES = 12
"""Of the few images through folded models, to match strengths to one."""
CHANGES = (
    "alpha", "beta", "steps", "strategy", "nonnegative", "allowance", "rate", "seed", "bounds", "ridge", "hold",
    "name", "device", "check",
)  # fmt: skip


class Loss(NamedTuple):
    """The losses of an edit, unweighted, and their weighted sum.

    Attributes:
        ce: L_CE; nan without images.
        success: L_success; nan without images.
        locality: L_locality; nan without images.
        ridge: ½ ridge ‖θ − θ₀‖², θ₀ the identity; 0 without a ridge.
        total: ce + α success + β locality + ridge.
    """

    ce: float
    success: float
    locality: float
    ridge: float
    total: float


@dataclass(frozen=True, eq=False, repr=False)
class Edit:
    """An edit: y = E M (for the diagonal y = θ ⊙ E), heads at other strengths, or class vectors moved; made by
    `tk.edit`, read by `tk.load_edit`.

    Attributes:
        theta: the parameters, float64 [k]: of "diagonal" the scales [d]; of "full" the matrix [d · d]; of "rank R" A [d
            · R], then B [R · d]; of "strengths" one number a head, of "directions R" R a head (`.strengths`); of "class
            vectors" the vectors [t · d].
        strategy: how the parameters are used.
        alpha: weight of success, no unit.
        beta: weight of locality, no unit.
        step: of the trajectory at which it was taken.
        name: for people; "" for none.
        settings: model, data, heads, sets and how it was made.
        history: step by step; None for an edit read from a file.

    Long because one object is all of an edit: losses, what it does to images, its words, its file.
    """

    theta: Tensor
    strategy: Strategy
    alpha: float
    beta: float
    step: int
    name: str
    settings: dict[str, Any]
    history: History | None
    _problem: EditProblem | None
    _held: HeldOut | None
    _metrics: dict[str, Any] | None = None
    _texts: Tensor | None = None

    @property
    def problem(self) -> EditProblem:
        """What it was fitted to. Raises InputError for an edit that was read without its images."""
        if self._problem is None:
            fix = "pass the parts they are among: tk.load_edit(path, acts)"
            raise InputError("edit", "an edit without the images it was made from", "their parts", fix)
        return self._problem

    def loss(self, theta: Any = None) -> Loss:
        """The losses at some parameters (`Loss`), in float64.

        Arguments:
            theta: parameters [k]; default the edit's own.
        """
        at = self._checked(theta)[None]
        found = loss(self._objective, self.strategy, at)
        pulled = at.new_zeros(1) if self._pull is None else self._pull.of(at)
        total = found.total(self.alpha, self.beta) + pulled
        return Loss(*(float(x) for x in (*found[:3], pulled, total)))

    @property
    def _objective(self) -> Objective:
        return self.problem.objective_of(self.strategy)

    @property
    def _pull(self) -> Pull | None:
        ridge = float(self.settings.get("ridge", 0.0))  # files of earlier versions hold none
        return pull_of(self.strategy, ridge, int(self.settings["seed"]), self.theta)

    def gradient(self, theta: Any = None) -> Tensor:
        """The analytic gradient of the total at some parameters [k].

        Arguments:
            theta: parameters [k]; default the edit's own.
        """
        at = self._checked(theta)[None]
        alpha, beta = (at.new_tensor([x]) for x in (self.alpha, self.beta))
        return gradient(self._objective, self.strategy, at, alpha, beta, self._pull)[0]

    def pulls(self, theta: Any = None) -> dict[str, float]:
        """Share of L_CE, α L_success and β L_locality in the sum of their gradients' norms: which of them decides.

        Once α and β dwarf the cross-entropy, only α : β matters.

        Arguments:
            theta: parameters [k]; default the edit's own.
        """
        at, objective = self._checked(theta)[None], self._objective
        zero = at.new_zeros(1)
        ce = gradient(objective, self.strategy, at, zero, zero)
        both = [gradient(objective, self.strategy, at, *w) - ce for w in ((zero + 1, zero), (zero, zero + 1))]
        sizes = [float(x.norm()) for x in (ce, self.alpha * both[0], self.beta * both[1])]
        return dict(zip(("ce", "success", "locality"), (x / (sum(sizes) or 1.0) for x in sizes), strict=True))

    @cached_property
    def gap(self) -> float:
        """What is left of the attainable decrease of the total: (L(θ) − L*) / (L(1) − L*), L* the lowest value that
        L-BFGS reaches from the identity, or the edit itself. 0 is converged; `bound` is what no edit gets below.
        """
        with one_blas_thread(), sign("look for the lowest loss", "iteration") as report:
            found = converge(
                self._objective, self.strategy, self.alpha, self.beta, **_options(self.settings, self.strategy).solver,
                tolerance=1e-5, check=_iterations(report),
            )  # fmt: skip
        own = self.loss().total
        lowest = min(*found.totals, own)
        left, attained = own - lowest, found.totals[0] - lowest
        return left / attained if attained > 0 else 0.0

    @property
    def bound(self) -> float:
        """A number that the total is above, whatever the parameters: every image at its own best distribution."""
        return self.problem.objective.bound(self.alpha, self.beta)

    @property
    def negative(self) -> int:
        """Parameters below zero: of a diagonal edit, dimensions whose sign it turned."""
        return int((self.theta < 0).sum())

    @property
    def strengths(self) -> dict[str, float]:
        """By head, what is left of it: 0 off, 1 as it is; of "directions R" by head and direction ("L3.H7 · 1").

        Raises:
            InputError: for an edit that scales no heads.
        """
        if not isinstance(self.strategy, HeadStrengths):
            fix = 'look at edit.inspect(), or solve it with strategy="strengths"'
            raise InputError("edit.strengths", f"an edit of strategy {self.strategy.name!r}", "strengths of heads", fix)
        return dict(zip(self.strategy.names, self.theta.tolist(), strict=True))

    @property
    def heads(self) -> HeadSet:
        """The heads it scales; of other strategies those that L_success learned from."""
        if isinstance(self.strategy, HeadStrengths):
            return HeadSet(tuple(dict.fromkeys(self.strategy.parts.heads)))
        return HeadSet.of(self.settings["heads"])

    def apply(self, images: Any) -> Tensor:
        """Edited embeddings [b, d], not normalised: θ ⊙ E, E M, or E with heads at other strengths.

        Arguments:
            images: parts of images of the same model (`Acts`, `Parts`); for linear edits embeddings [..., d] as well.

        Raises:
            InputError: for bare embeddings where heads are scaled: they hold no heads any more.
        """
        if isinstance(images, Acts):
            return self.strategy.embedded(self.theta, self._seen(images))
        if isinstance(images, Parts) and not isinstance(self.strategy, ProjectionChange):
            return self._parts_applied(images)
        if isinstance(self.strategy, HeadStrengths | ProjectionChange):
            what = "scales heads" if isinstance(self.strategy, HeadStrengths) else "reads what stands before P"
            given = f"a {type(images).__name__} with strategy={self.strategy.name!r}"
            fix = "extract the images, acts = tk.extract(model, images), and pass acts; or fold it: edit.fold(model)"
            raise InputError("edit.apply", given, f"parts of images (`Acts`): it {what}", fix)
        if not isinstance(images, Tensor) or images.shape[-1:] != (self.strategy.d,):
            shape = list(getattr(images, "shape", []))
            given = f"embeddings of shape {shape}, a {type(images).__name__}"
            raise InputError("edit.apply", given, f"a tensor [..., {self.strategy.d}]", "embed with its model")
        return self.strategy.apply(self.theta, images) if isinstance(self.strategy, Linear) else images

    def _seen(self, acts: Acts) -> Seen:
        """Images without classes."""
        own, card = self.settings["fingerprint"], acts.card
        if own and card.fingerprint != own:
            given = f"parts of {card.id!r} ({card.fingerprint})"
            raise InputError("edit.apply", given, f"parts of {self.settings['model']!r} ({own})", "use its model")
        if acts.convention != self.settings["convention"]:
            acts = acts.using(self.settings["convention"])
        return seen_of(acts, acts.embedding, acts.embedding.new_zeros(0, self.strategy.d), ())

    def _parts_applied(self, parts: Parts) -> Tensor:
        if isinstance(self.strategy, HeadStrengths):
            return parts.embedding + self.strategy.change(self.theta).of_parts(parts)
        return self.apply(parts.embedding)

    def guess(self, seen: Seen) -> Tensor:
        """What it predicts of images [1, b].

        Arguments:
            seen: the images and their classes.
        """
        return self.strategy.guess(self.theta[None], seen)

    def logits(self, images: Any, classes: Any) -> Tensor:
        """Products of edited embeddings with class vectors [b, c]; arg-max needs no norm.

        Arguments:
            images: parts of the same model (`Acts`, `Parts`); for linear edits embeddings [b, d] as well.
            classes: a class set, or class vectors [c, d]; of an edit of class vectors a class set.
        """
        named = classes.names if isinstance(classes, ClassSet) else ()
        if isinstance(self.strategy, ClassVectors) and not named:
            given = f"a {type(classes).__name__} with strategy={self.strategy.name!r}"
            raise InputError("edit.logits", given, "a class set: it moves vectors by name", "pass tk.classes(…)")
        live = getattr(images, "live", None) if self._problem is None else self._problem.images.acts.live
        texts = classes.vectors(live) if isinstance(classes, ClassSet) else classes
        embedded = self.apply(images)
        if isinstance(self.strategy, ClassVectors):
            texts = self.strategy.texts(self.theta[None], texts.double(), named)[0]
        if isinstance(self.strategy, Linear) and isinstance(images, Tensor):
            return images @ self.strategy.texts(self.theta[None], texts.double())[0].to(images).T
        return embedded @ texts.to(embedded).T

    @property
    def moved(self) -> NDArray[np.float64]:
        """[d]: how far every dimension moved: θ − 1 for the diagonal, else the norm of its column of M − I; 0 where no
        dimension is scaled.
        """
        if self.strategy.name == "diagonal":
            return np.asarray((self.theta - 1).cpu().numpy())
        if not isinstance(self.strategy, Linear):
            return np.zeros(self.strategy.d)
        eye = torch.eye(self.strategy.d, dtype=torch.float64)
        return np.asarray((self.apply(eye) - eye).norm(dim=0).numpy())

    # on images

    def on(self, acts: Any = None, unrelated: Mapping[str, Any] | None = None) -> Outcome:
        """What the edit does to other images: success, locality, who paid (`Outcome`).

        Images the edit was made from are left out of both.

        Arguments:
            acts: parts of the same model; default what was given to `tk.edit` as held_out.
            unrelated: by name, parts an edit should leave alone, or (parts, their own classes); default what was given
                to `tk.edit`.
        """
        if acts is None and unrelated is None:
            return self._outcome
        known = self._held
        data = known.images.acts if acts is None and known is not None and not known.own else acts
        held = held_out(self.problem, data, unrelated)
        if unrelated is None and known is not None:
            held = replace(held, unrelated=known.unrelated)
        return outcome_of(held, self.guess)

    @cached_property
    def _outcome(self) -> Outcome:
        return outcome_of(self._held or held_out(self.problem), self.guess)

    @property
    def success(self) -> Success:
        """Accuracy on the target classes by group, and images like W, on the held-out images."""
        if self._outcome.success is None:
            given = "held-out images none of which is of a target class"
            raise InputError("edit.success", given, ", ".join(map(repr, self.problem.targets)), "hold others out")
        return self._outcome.success

    @property
    def locality(self) -> Locality | None:
        """Accuracy and agreement on the other classes of the held-out images (without held-out images: on those of its
        own that were right); None where there are no such images.
        """
        return self._outcome.locality

    def curve(self, most: int = 101) -> pandas.DataFrame:
        """Held-out success and locality along the steps, one row per step, as in R25's figures.

        Columns: step, success, worst, like, locality, agreement; total, corrected, retained on the images it was made
        from; split, n_target, n_other.

        Arguments:
            most: rows at most, at least 2; default 101.

        Raises:
            InputError: for an edit read from a file, or matched to a folded model.
        """
        import pandas

        if self.history is None:
            fix, given = "solve it again: edit.again()", "an edit read from a file, or matched to a folded model"
            raise InputError("edit.curve", given, "an edit with its history", fix)
        rows = np.unique(np.linspace(0, len(self.history) - 1, max(2, most)).round().astype(int))
        held, theta = self._held or held_out(self.problem), self.history.theta[rows]
        rates = held.rates(lambda seen: self.strategy.guess(theta, seen))
        own = {name: getattr(self.history, name)[rows] for name in ("total", "corrected", "retained")}
        frame = pandas.DataFrame({"step": self.history.steps[rows]} | rates | own)
        return frame.assign(split=held.split, n_target=held.sizes["success"], n_other=held.sizes["agreement"])

    @property
    def right(self) -> tuple[Any, ...]:
        """Ids of held-out images that became right."""
        return self._outcome.right

    @property
    def wrong(self) -> tuple[Any, ...]:
        """Ids of held-out images that became wrong: who paid."""
        return self._outcome.wrong

    def inspect(self, texts: Any = None, acts: Any = None, layers: Any = None) -> Inspection:
        """What the edit did, in words: dimensions that moved, texts and heads turned up and down (`Inspection`).

        Arguments:
            texts: a bank, its name, texts, or vectors [t, d], as in `tk.bank`; default the world's bank for the
                built-in model, else the descriptions.
            acts: parts of the images to look at; default the held-out images of target classes, else those it was made
                from.
            layers: whose heads are looked at: a list, or a negative int for the last |n|; default all.
        """
        if acts is None and self._held is not None and self._held.target.any():
            if texts is None and layers is None:
                return self._held.lens.inspect(self.strategy, self.theta, self.moved)
            acts = self._held.target_acts
        seen = lens(self.problem.images.acts if acts is None else acts, texts, layers)
        return seen.inspect(self.strategy, self.theta, self.moved)

    # keeping it

    def at(self, step: int) -> Edit:
        """The edit at an earlier step of its trajectory: what `tk.edit(…, steps=step)` gives.

        Arguments:
            step: which; one that was recorded.

        Raises:
            InputError: for other steps, converged edits and edits read from a file.
        """
        if self.history is None or self.settings["steps"] == "converge" or step not in self.history.steps:
            known = "none" if self.history is None else f"steps up to {int(self.history.steps[-1])} that were recorded"
            raise InputError("edit.at", f"step {step!r}", known, f"solve it: tk.edit(…, steps={step!r})")
        i = self.history.steps.tolist().index(step)
        made = self.settings | {"steps": int(step), "allowance": None}
        history = replace(self.history, steps=self.history.steps[: i + 1], theta=self.history.theta[: i + 1])
        theta = self.history.theta[i].clone()
        return replace(self, theta=theta, step=int(step), name="", settings=made, history=history)

    def again(self, **changes: Any) -> Edit:
        """Solve it again, with changes: alpha, beta, steps, strategy, nonnegative, allowance, rate, seed, bounds,
        ridge, hold, name, device, check. Without changes the same θ; with another strategy its own rate, bounds, ridge
        and nothing held.

        >>> import toolkit as tk
        >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
        >>> made = tk.edit(few, tk.classes(["waterbird", "landbird"]), "L3.H7", steps=5)
        >>> bool((made.again().theta == made.theta).all()), made.again(alpha=0).alpha
        (True, 0.0)
        """
        unknown = set(changes) - set(CHANGES)
        if unknown:
            odd = f"the unknown argument {min(unknown)!r}"
            raise InputError("edit.again", odd, ", ".join(CHANGES), "for other data or heads use tk.edit")
        names = ["steps", "allowance", "seed"]
        if changes.get("strategy", self.strategy.name) == self.strategy.name:
            names += ["nonnegative", "rate", "bounds", "ridge", "hold"]
        kept = {name: self.settings[name] for name in names if name in self.settings}
        given: dict[str, Any] = {
            "alpha": self.alpha,
            "beta": self.beta,
            "strategy": self.strategy.name,
            "held": self._held,
        } | kept
        return fit(self.problem, **(given | changes))

    @property
    def title(self) -> str:
        """Its name, else its weights."""
        return self.name or f"α = {self.alpha:g}, β = {self.beta:g}"

    def named(self, name: str) -> Self:
        """The same edit under a name.

        Arguments:
            name: for people.
        """
        return replace(self, name=str(name))

    def fold(self, model: Model, match: str = "direct", passes: int = PASSES, check: Check = quiet) -> Model:
        """A copy of the model with the edit in its weights: an ordinary model of the same architecture.

        Linear edits go into the image projection, P diag(θ) or P M: its embeddings are θ ⊙ E or E M. Strengths of heads
        and of directions in them go into the output projections, so that every token's mixes are scaled: that is exact
        for the forward with scaled mixes, and *not* the direct edit, as later layers react (`folded_outcome` measures
        it). The model given is not changed.

        Arguments:
            model: the one the edit was made for (`Model`).
            match: "direct" folds the parameters as they are; "folded" first chooses strengths by the folded model's own
                numbers (`matched`); default "direct".
            passes: for `matched`, from 1; default 12.
            check: for `matched`, called with (passes done, of); what it raises ends the work; default nothing.

        Raises:
            InputError: for another model, another match, and class vectors, which are in no model (`.classes`).
            UnsupportedModelError: for a model whose tower has no linear output, or no output projection of heads one by
                one.
        """
        if match not in ("direct", "folded"):
            raise InputError("edit.fold", f"match={match!r:.80}", '"direct" or "folded"', "name one of the two")
        if match == "folded":
            return self.matched(model, passes, check).fold(model)
        self._check_model(model, "edit.fold")
        words = self.name or f"{self.strategy.name}, α = {self.alpha:g}, β = {self.beta:g}, {self.step} steps"
        return folded_model(model, self.strategy, self.theta.cpu(), f"{model.card.id}, edited ({words})")

    def _check_model(self, model: Any, operation: str) -> None:
        check_model(model, operation)
        card, own = model.card, self.settings["fingerprint"]
        same = card.fingerprint == own if own else card.embed_dim == self.strategy.d  # arrays know no model
        if not same:
            given = f"the model {card.id!r} with fingerprint {card.fingerprint}, d = {card.embed_dim}"
            accepted = f"{self.settings['model']!r} with fingerprint {own or '(unknown)'}, d = {self.strategy.d}"
            raise InputError(operation, given, accepted, "load the model the edit was made for")

    @property
    def classes(self) -> ClassSet:
        """The class set with the vectors it moved, for the model as it is; of other strategies the class set it was
        made for.
        """
        problem = self.problem
        return folded_classes(problem.images.classes, problem.images.texts, self.strategy, self.theta)

    def matched(self, model: Model, passes: int = PASSES, check: Check = quiet) -> Edit:
        """The edit with strengths chosen by the folded model's own numbers on the images it was made from.

        Every pass folds some strengths and runs the few images through that model. Its total decides: a gain is kept,
        and the edit solved again with what the direct sum missed there added; of what is no gain half the step is
        tried.

        Arguments:
            model: the one the edit was made for (`Model`).
            passes: of the few images through a folded model, from 1; default 12.
            check: called with (passes done, of); what it raises ends the work; default nothing.

        Raises:
            InputError: for an edit that scales no heads, another model, or images that are not there any more.
        """
        self._check_model(model, "edit.matched")
        steps = None if self.settings["steps"] == "converge" else self.step
        options = _options(self.settings, self.strategy)
        theta, totals = matched_strengths(
            self.problem, self.strategy, self.theta, self.alpha, self.beta, steps, options, model, passes, check,
        )  # fmt: skip
        settings = self.settings | {"match": "folded", "folded_totals": totals}
        return replace(self, theta=theta, settings=settings, history=None)

    def folded_outcome(self, model: Model, acts: Any = None, check: Check = quiet) -> Outcome:
        """What the folded model does to images: its own embeddings, where `.on` is the direct edit of the parts.

        Arguments:
            model: the one the edit was made for (`Model`).
            acts: parts of images with their data; default the held-out images.
            check: called with (images done, of); what it raises ends the work; default nothing.

        Raises:
            InputError: for another model, and images that are not there any more.
        """
        self._check_model(model, "edit.folded_outcome")
        held = self.on(acts).held
        if isinstance(self.strategy, ClassVectors):
            return outcome_of(held, self.guess)  # nothing to fold: the model is as it is
        return outcome_of(folded_images(held, self.fold(model), check), as_it_is)

    def save(self, path: str | Path) -> Path:
        """Write the edit as .safetensors, and beside it as .json for people; its path comes back.

        They hold parameters, model, ids by set, α, β, steps, heads, metrics. `tk.load_edit` reads the former alone.

        Arguments:
            path: of the .safetensors file.
        """
        texts = self._texts if self._problem is None else self._problem.images.texts
        return save_edit(path, self.theta, texts, self.facts, self.strategy)

    @property
    def facts(self) -> dict[str, Any]:
        """What is written beside the parameters."""
        shared = {
            "name": self.name, "strategy": self.strategy.name, "alpha": self.alpha, "beta": self.beta,
            "step": self.step, "negative": self.negative,
        }  # fmt: skip
        return shared | self.settings | {"metrics": self.metrics}

    @property
    def metrics(self) -> dict[str, Any]:
        """Held-out success and locality as plain numbers, each with split, n and interval; of an edit read from a file
        those of the file, but where other images were given to judge it on.
        """
        if self._problem is None or (self._metrics is not None and self._held is None):
            return self._metrics or {}
        frame = self._outcome.to_dataframe()
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        shares = [share.facts for share in self._outcome.shares]
        words = "95 %: rows, of the change (paired bootstrap inside groups); shares, of the value (Wilson)"
        return {"intervals": words, "rows": rows, "shares": shares}

    def _checked(self, theta: Any) -> Tensor:
        if theta is None:
            return self.theta
        try:
            at = torch.as_tensor(theta, dtype=self.theta.dtype, device=self.theta.device).detach()
        except (TypeError, ValueError, RuntimeError) as error:
            accepted = f"{list(self.theta.shape)} finite numbers"
            raise InputError("edit.loss", f"theta={theta!r:.80}", accepted, "pass such parameters") from error
        if at.shape != self.theta.shape or not at.isfinite().all():
            given = f"theta of shape {list(at.shape)}" + ("" if at.isfinite().all() else " with NaN or infinity")
            raise InputError("edit.loss", given, f"{list(self.theta.shape)} finite numbers", "pass such parameters")
        return at

    def __str__(self) -> str:
        ended = "converged" if self.settings.get("done", True) else "stopped before it converged,"
        made = f"{ended} after {self.step} iterations" if self.settings["steps"] == "converge" else f"{self.step} steps"
        named = f"{self.name!r}: " if self.name else ""
        head = (
            f"edit {named}{self.strategy.name}, α = {self.alpha:g}, β = {self.beta:g}, scale"
            f" {self.settings['logit_scale']:g}, {made}; heads {self.settings['heads'] or 'none'}"
        )
        notes = "".join(f"\n  note: {note}" for note in self.settings["notes"])
        if isinstance(self.strategy, HeadStrengths):
            notes += "\n  direct numbers, of the sum; a folded model's are others: edit.folded_outcome(model)"
        if "folded_totals" in self.settings:
            totals = self.settings["folded_totals"]
            notes += (
                f"\n  matched to the folded model: total {totals[0]:.4g} → {min(totals):.4g} in {len(totals)} passes"
            )
        if self._problem is None:
            return f"{head}; read from a file, without its images{notes}"
        sizes = ", ".join(f"{name} {n}" for name, n in self.settings["sizes"].items())
        if self.settings["steps"] == "converge":
            left = f"{100 * self.gap:.2g} % of the attainable decrease is left"
            notes += f"\n  {left}; no edit gets below {self.bound:.4g}"
        return f"{head}; images: {sizes}{notes}\n{self._outcome}"

    __repr__ = __str__


def fit(
    problem: EditProblem,
    alpha: float,
    beta: float,
    steps: int | str = 100,
    strategy: str = "diagonal",
    *,
    held: HeldOut | None = None,
    nonnegative: bool = False,
    allowance: float | None = None,
    rate: float | None = None,
    seed: int = 0,
    bounds: Bounds | None = None,
    ridge: float | None = None,
    hold: Mapping[Any, float] | None = None,
    name: str = "",
    device: Any = "cpu",
    check: Check = quiet,
    each: Each | None = None,
) -> Edit:
    """The edit of a problem; arguments as for `edit`. each: called after every step with its number and θ [k]."""
    a, b = known_weight("alpha", alpha), known_weight("beta", beta)
    a = 0.0 if problem.keep == "all" else a
    count, way = known_steps(steps), problem.strategy(strategy)
    options = known_options(way.name, way.size, len(problem.images), rate, nonnegative, seed, bounds, ridge)
    options = options._replace(hold=known_hold(hold, way, options.bounds))
    share, place = known_allowance(allowance), check_device(device, "edit")
    return solved(problem, way, a, b, count, options, share, held=held, name=name, place=place, check=check, each=each)


def solved(
    problem: EditProblem,
    way: Strategy,
    alpha: float,
    beta: float,
    steps: int | None,
    options: Options,
    allowance: float | None = None,
    *,
    held: HeldOut | None = None,
    name: str = "",
    place: torch.device = CPU,
    check: Check = quiet,
    each: Each | None = None,
) -> Edit:
    """As `fit`, of arguments that were checked. steps: None for L-BFGS to its end. Raises InputError where L_success is
    asked for and has nothing to learn from.
    """
    if alpha and not problem.teaches:
        check_possible(problem, alpha)
    settings = problem.facts | options.told | {"allowance": allowance, "steps": "converge" if steps is None else steps}
    if steps is None:
        history, settings["done"] = _converged(problem, way, alpha, beta, options, place, check)
    else:
        history = _stepped(problem, way, alpha, beta, steps, options, place, check, each)
    at = len(history.steps) - 1 if allowance is None else history.best(allowance)
    step = int(history.steps[at])
    return Edit(history.theta[at].clone(), way, alpha, beta, step, name, settings, history, problem, held)


def _options(settings: dict[str, Any], way: Strategy) -> Options:
    """How an edit was solved; files of earlier versions know no bounds, no ridge and no strengths held."""
    bounds = settings.get("bounds")
    limits = None if bounds is None else (float(bounds[0]), float(bounds[1]))
    rate, floor, seed = float(settings["rate"]), bool(settings["nonnegative"]), int(settings["seed"])
    hold = known_hold(settings.get("hold"), way, limits)
    return Options(rate, floor, limits, float(settings.get("ridge", 0.0)), seed, hold)


def _converged(
    problem: EditProblem, way: Strategy, a: float, b: float, options: Options, place: torch.device, check: Check
) -> tuple[History, bool]:
    """The start and the end of L-BFGS, and whether it ended by itself."""
    objective = problem.objective_of(way)
    with one_blas_thread(), sign("solve the edit", "iteration") as report:
        told = both(_iterations(report), lambda total: check(0, 1))
        ended = converge(objective.to(place), way, a, b, **options.solver, tolerance=1e-6, check=told)
    theta = torch.stack([way.start(1, options.seed, ended.theta)[0], ended.theta])
    at = np.array([0, max(1, len(ended.totals) - 1)])
    pull = pull_of(way, options.ridge, options.seed, objective.embedding)
    return History(at, theta.cpu(), a, b, objective, way, pull), ended.done


def _iterations(report: Report) -> Callable[[float], None]:
    """What to call after every iteration of a solver that does not know how many it will take."""
    done = itertools.count(1)
    return lambda total: report(next(done), 0)


def _stepped(
    problem: EditProblem, way: Strategy, a: float, b: float, steps: int, options: Options, place: torch.device,
    check: Check, each: Each | None,
) -> History:  # fmt: skip
    own = problem.objective_of(way)
    objective = own if place.type == "cpu" else own.to(place)
    weights = (objective.embedding.new_tensor([x]) for x in (a, b))
    keep = _recorded(way, steps)
    kept: list[Tensor] = []
    path = adam(objective, way, *weights, rate=options.rate, **options.solver)
    for step, theta in enumerate(counted(path, "solve the edit", "step", steps)):
        if step == keep[len(kept)]:
            kept.append(theta[0])
        if step == steps:
            break
        check(step, steps)
        if each is not None:
            each(step, theta[0])
    pull = pull_of(way, options.ridge, options.seed, own.embedding)
    return History(keep, torch.stack(kept).cpu(), a, b, own, way, pull)


def _recorded(way: Strategy, steps: int) -> NDArray[np.int64]:
    """The steps whose parameters a history keeps."""
    most = max(FEWEST, RECORDED // (8 * way.size))
    if steps < most:
        return np.arange(steps + 1)
    return np.unique(np.linspace(0, steps, most).round().astype(np.int64))
