"""An explorer's images, shared out: found and fitted on some, chosen on others, judged on the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypedDict

import numpy as np

from toolkit.api.images.judged import Judged
from toolkit.data.counts import many

PER_CLASS = 10
"""Images of every class an edit is made from where none are named (R25 draws so many)."""
DRAWS = 20
DRAWN = 5
"""Draws whose edits make the fronts' bands."""
FEWEST = 20
"""Images of the classes looked at that either half must have."""


USES = ("make the edit", "choose heads", "judge what is done")


class Use(TypedDict):
    """What some of the images serve for, and how many they are."""

    name: str
    n: int


@dataclass(frozen=True, eq=False)
class Shares:
    """Rows of the images, each list in order.

    few: those an edit is made from; empty where others were named. found: those that scores of heads rest on.
    choosing: those of `found`, without the few, that say how many heads serve best; empty where they are too few.
    judging: those everything is measured on; empty where others were named. words: which are which, and what could not
    be done.
    """

    few: list[int]
    found: list[int]
    choosing: list[int]
    judging: list[int]
    words: str

    def uses(self, made_from: int, judged: int) -> list[Use]:
        """What the images serve for, in order, for a picture; none where they are not kept apart.

        made_from, judged: how many were named for making and for judging an edit; 0 for none.
        """
        if not self.choosing:
            return []
        counts = (made_from or len(self.few), len(self.choosing), judged or len(self.judging))
        return [Use(name=name, n=n) for name, n in zip(USES, counts, strict=True) if n]


def shares(
    images: Judged, ids: Iterable[str], edit_on: Sequence[str] | None = None, held_out: Sequence[str] | None = None
) -> Shares:
    """Share out images by their `ids`.

    images: those of them with a label in the class set. edit_on, held_out: the ids of images that were named for
    making and for judging an edit; None: of none. What is named serves nothing else.
    """
    rows = {name: i for i, name in enumerate(ids)}
    targets = {rows[name] for name in images.acts.ids.astype(str)}
    named = {rows[name] for name in (*(edit_on or ()), *(held_out or ())) if name in rows}
    few = _few(images, rows, named) if edit_on is None else []
    taken = named.union(few)
    rest = [i for i in rows.values() if i not in taken]
    halves = _halves(rest, list(rows)) if held_out is None else (rest, list[int]())
    enough = [len(targets.intersection(half)) >= FEWEST for half in halves]
    n = len(targets.intersection(rest))
    choosing: list[int] = []
    judging: list[int] = []
    if held_out is not None:
        choosing = rest if enough[0] else []
        judged = "judged on the images named for it"
    elif all(enough):
        choosing, judging = halves
        judged = f"judged on {len(judging):,} others"
    elif n:
        judging = rest
        judged = f"judged on {len(rest):,} others"
    else:
        judging = list(rows.values())
        judged = "judged on the same images, which flatters: there are no others"
    found = sorted([*few, *choosing]) or list(rows.values())
    words = f"Heads are found on {many(len(found), 'image')}"
    if choosing:
        words += f" and chosen on {len(choosing):,} of them; what is done about it is {judged}."
    else:
        none = f"{n} are too few to set some aside for choosing heads: Algorithm 1 chooses on the images of the scores"
        words += f"; what is done about it is {judged}. Of the rest {none}."
    return Shares(few, found, choosing, judging, words)


def more_draws(images: Judged, ids: Iterable[str], shared: Shares) -> list[list[int]]:
    """Rows of DRAWN − 1 other draws as large as the few, of the images heads are found on, each with a mistake in it;
    none where those are the few alone.
    """
    if not shared.few or not shared.choosing:
        return []
    rows = {name: i for i, name in enumerate(ids)}
    own = np.array([rows[str(name)] for name in images.acts.ids])
    inside = np.isin(own, shared.found)
    truth, wrong = images.truth.numpy(), (images.truth != images.guess).numpy()
    members = [np.flatnonzero(inside & (truth == y)) for y in np.unique(truth[inside])]
    each = len(shared.few) // len(members)  # of every class as many
    found = list[list[int]]()
    for seed in range(DRAWS, 2 * DRAWS):
        rng = np.random.default_rng(seed)
        drawn = np.concatenate([rng.choice(some, each, replace=False) for some in members])
        if wrong[drawn].any() and len(found) < DRAWN - 1:
            found.append(sorted(own[drawn].tolist()))
    return found


def _few(images: Judged, rows: dict[str, int], named: set[int]) -> list[int]:
    """As many images of every class as R25 takes, none of those named: of DRAWS draws the first with most kinds of
    mistakes in it, since an edit needs a wrong image to learn from.
    """
    own = np.array([rows[str(name)] for name in images.acts.ids])
    free = ~np.isin(own, list(named))
    own, truth, guess = own[free], images.truth.numpy()[free], images.guess.numpy()[free]
    if not len(own):
        return []
    members = np.split(np.argsort(truth, kind="stable"), np.cumsum(np.bincount(truth))[:-1])
    members = [some for some in members if len(some)]
    each = max(1, min(PER_CLASS, min(map(len, members)) // 2))
    cells = np.where(truth == guess, -1, truth * len(images.classes) + guess)
    draws = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        draws.append(np.sort(np.concatenate([rng.choice(some, each, replace=False) for some in members])))
    best = max(draws, key=lambda drawn: len(set(cells[drawn].tolist()) - {-1}))
    return sorted(own[best].tolist())


def _halves(rows: list[int], names: list[str]) -> tuple[list[int], list[int]]:
    """Rows by a bit of their ids' hash: whatever else is among the images, an image stays in its half."""
    halves: tuple[list[int], list[int]] = ([], [])
    for i in rows:
        halves[sha256(names[i].encode()).digest()[0] % 2].append(i)
    return halves
