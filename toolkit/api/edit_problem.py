"""What an edit is fitted to: the labelled images, the sets W and C ∪ A, the heads, and checked settings."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from toolkit.api.judged import Judged, judged
from toolkit.core.effects import error_sets
from toolkit.core.heads import HeadSet
from toolkit.core.moments import head_numbers
from toolkit.core.objective import Objective
from toolkit.core.parts import Convention
from toolkit.core.strategies import Diagonal, FullMatrix, LowRank, Strategy
from toolkit.errors import InputError

Pair = tuple[str, str]
STRATEGIES = ("diagonal", "full", "rank R (such as “rank 4”)")
LARGEST = 1e12
MOST_STEPS = 100_000


class EditWarning(UserWarning):
    """Something about an edit that a user should know before believing it."""


@dataclass(frozen=True, eq=False)
class EditProblem:
    """Labelled images and what an edit should do to each.

    images: those used, all of them in L_CE. heads: whose ablation success learns from. pairs: the (true, predicted)
    asked for; empty: all mistakes. wrong, kept: rows of W and of C ∪ A. scale: of the logits. notes: what a user should
    know.
    """

    images: Judged
    heads: HeadSet
    pairs: tuple[Pair, ...]
    wrong: Tensor
    kept: Tensor
    scale: float
    notes: tuple[str, ...]

    @cached_property
    def objective(self) -> Objective:
        images = self.images
        e = images.embedding.double()
        layers = sorted({layer for layer, _ in self.heads})
        ablated, maps = e.clone(), images.acts.head_maps[layers].double().cpu()
        rows = 0
        for state in images.acts.states() if layers else ():
            numbers = head_numbers(state, layers).cpu()
            some = slice(rows, rows := rows + len(numbers))
            for layer, head in self.heads:
                at = layers.index(layer)
                ablated[some] -= numbers[:, at, head] @ maps[at, head]
        texts = images.texts.cpu().double()
        return Objective(e, ablated, texts, images.truth, self.wrong, self.kept, self.scale)

    @property
    def targets(self) -> tuple[str, ...]:
        """Classes that the images are of: those the edit is for. The others should stay as they are."""
        names = self.images.classes.names
        return tuple(names[i] for i in sorted(set(self.images.truth.tolist())))

    @property
    def ids(self) -> dict[str, list[str]]:
        """Ids of the images by set: "W", "C ∪ A", "CE" (all)."""
        ids = [str(i) for i in self.images.acts.ids]
        sets = {"W": self.wrong.tolist(), "C ∪ A": self.kept.tolist(), "CE": range(len(ids))}
        return {name: [ids[i] for i in rows] for name, rows in sets.items()}

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
) -> EditProblem:
    """Check what an edit is asked for. Raises InputError as `judged`, for unknown heads and pairs, and bad scales;
    warns of heads found under another class set.
    """
    images = judged(acts, classes, operation, convention)
    chosen = HeadSet.of(heads, *images.acts.shape[1:3])
    card_scale = images.acts.card.logit_scale
    scale = card_scale if logit_scale is None else logit_scale
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale) or not scale > 0:
        accepted = f"a number above 0: 1 (R25's tables), or None for the checkpoint's {card_scale:g}"
        raise InputError(operation, f"logit_scale={logit_scale!r}", accepted, "pass such a scale")
    notes = []
    if chosen.class_set and chosen.class_set != images.classes.hash:
        note = f"the heads {chosen} were found under another class set than these {len(images.classes)} classes"
        warnings.warn(EditWarning(f"{operation}: {note}; locate them with the classes of the edit"), stacklevel=3)
        notes.append(note)
    wrong, kept = _sets(images, tuple(pairs))
    return EditProblem(images, chosen, tuple(pairs), wrong, kept, float(scale), tuple(notes))


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


def known_pairs(classes: Any, true: Any, predicted: Any, pairs: Any, mistakes: dict[Pair, int]) -> tuple[Pair, ...]:
    """The pairs asked for: several, or one, or all of one class; () for all mistakes. Raises InputError for others."""
    accepted = "(true, predicted), two different classes"
    if pairs is not None and (true is not None or predicted is not None):
        raise InputError("edit", "pairs= beside true= or predicted=", "one of the two", "leave the other out")
    if pairs is not None:
        if isinstance(pairs, str) or not all(isinstance(p, tuple | list) and len(p) == 2 for p in pairs):
            raise InputError("edit", f"pairs={pairs!r:.80}", f"a list of {accepted}", "name the classes of each")
        asked = [tuple(classes.names[classes.index(x)] for x in pair) for pair in pairs]
    else:
        one = [None if x is None else classes.names[classes.index(x)] for x in (true, predicted)]
        if one == [None, None]:
            return ()
        asked = [(one[0], one[1])] if None not in one else [
            pair for pair in mistakes if one[0] in (None, pair[0]) and one[1] in (None, pair[1])
        ]  # fmt: skip
        if not asked:
            given = f"true={one[0]!r}, predicted={one[1]!r}: nothing to do, no image is wrong in this way"
            raise InputError("edit", given, "a mistake that is made", "look at the confusion and name another pair")
    for y, other in asked:
        if y == other:
            raise InputError("edit", f"the pair {(y, other)!r}", accepted, "name two classes")
    return tuple(dict.fromkeys((str(y), str(o)) for y, o in asked))


def known_strategy(strategy: Any, d: int) -> Strategy:
    """A strategy by name. Raises InputError for another name, or a rank that is none."""
    if strategy == "diagonal":
        return Diagonal(d)
    if strategy == "full":
        return FullMatrix(d)
    found = re.fullmatch(r"(?:low[ _-])?rank[ _-]?(\d+)", str(strategy).strip().lower())
    if found and 1 <= int(found[1]) <= d:
        return LowRank(d, int(found[1]))
    accepted = f"{', '.join(map(repr, STRATEGIES))}, R from 1 to {d}"
    raise InputError("edit", f"strategy={strategy!r}", accepted, "name one of these")


def known_weight(name: str, value: Any) -> float:
    """α or β: a number from 0, not more than 10¹². Raises InputError for anything else."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST
    if not good:
        accepted = "a number from 0 (off) to 1e12; 1 to 100 is usual at the checkpoint's logit scale, 1e3 to 1e4 at 1"
        raise InputError("edit", f"{name}={value!r}", accepted, f"pass such a number as {name}")
    return float(value)


def known_steps(steps: Any) -> int | None:
    """How many steps; None for "converge". Raises InputError for anything else."""
    if steps == "converge":
        return None
    if not isinstance(steps, int) or isinstance(steps, bool) or not 0 <= steps <= MOST_STEPS:
        accepted = f'a whole number from 0 to {MOST_STEPS:,}, or "converge"'
        raise InputError("edit", f"steps={steps!r}", accepted, "100 is the default")
    return steps


def check_possible(problem: EditProblem, alpha: float) -> None:
    """Raise InputError where L_success is asked for and has nothing to learn from."""
    if alpha == 0:
        return
    fix = "look at the confusion, or pass alpha=0 for the other losses alone"
    if not len(problem.wrong):
        n = len(problem.images)
        of = f" as {' or '.join(f'{y} taken for {o}' for y, o in problem.pairs)}" if problem.pairs else ""
        given = f"nothing to do: of {n} images none is wrong{of}"
        raise InputError("edit", given, "at least one wrong image", fix)
    if not len(problem.heads):
        given = f"no heads with alpha={alpha:g}"
        accepted = "heads: L_success learns from the embeddings without them"
        raise InputError("edit", given, accepted, "choose some, tk.locate(…).choose(), or pass alpha=0")
