"""`tk.locate`: from mistakes to the heads that push towards them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import toolkit.api.locate.head_scores  # noqa: F401 – registers the scores that `Scores.map` knows
from toolkit.api.checks import whole
from toolkit.api.images.judged import Judged, judged
from toolkit.api.images.kept import layers_of
from toolkit.api.locate.evidence import LocateEvidence, Pair, wanted
from toolkit.api.locate.scores import Scores
from toolkit.api.locate.tables import pooled
from toolkit.core.effects import SIMILARITIES, Similarity
from toolkit.core.parts import Convention
from toolkit.core.precision import full_precision
from toolkit.errors import InputError
from toolkit.signs import counted


@full_precision
def locate(
    acts: Any,
    classes: Any,
    true: str | int | None = None,
    predicted: str | int | None = None,
    layers: Any = -4,
    similarity: Similarity = "cosine",
    *,
    minority: Sequence[str] | None = None,
    resamples: int = 200,
    seed: int = 0,
    convention: Convention | None = None,
) -> Scores:
    """How much every head pushes images of one class towards another: DE_A … DE_D (R25 §3.2; methods §3), as `Scores`.

    They are worked out in head space and without forward passes. W are the images of class `true` predicted
    `predicted`, C those of `true` predicted right, A those of `predicted` predicted right.

    Arguments:
        acts: parts with labels (`Acts`).
        classes: two or more (`tk.classes`); images with other labels are left out and counted.
        true: the class whose images are taken for another, by name or index; default every one with a mistake.
        predicted: the class they are taken for, by name or index; default every one. Several pairs are pooled, weighted
            by |W|.
        layers: which; a list of layers, None for all, a negative int for the last |n|; default −4.
        similarity: "cosine" or "inner"; default "cosine".
        minority: groups for `.ltc`, those in which class and cue disagree; default all images.
        resamples: bootstrap samples of the images, at least 1; default 200.
        seed: of the bootstrap; default 0.
        convention: "separate" or "reference"; default that of `acts`.

    Returns:
        `Scores`: .a … .d [l, h], .map(name), .interval, .choose().

    Raises:
        InputError: with "nothing to do", where no image is wrong in this way.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=80, kind="birds"), progress=False)
    >>> birds = tk.classes(["waterbird", "landbird"])
    >>> scores = tk.locate(acts, birds, true="landbird", predicted="waterbird")
    >>> scores.names, scores.a.shape
    (('a', 'b', 'c', 'd'), (4, 8))
    """
    if similarity not in SIMILARITIES:
        given = f"similarity={similarity!r}"
        raise InputError("locate", given, " or ".join(map(repr, SIMILARITIES)), "pass one of these")
    resamples, seed = whole("resamples", resamples, 1, "locate"), whole("seed", seed, 0, "locate")
    images = judged(acts, classes, "locate", convention)
    at = layers_of(images.acts, layers, "locate")
    asked = [None if name is None else classes.names[classes.index(name)] for name in (true, predicted)]
    if asked[0] is not None and asked[0] == asked[1]:
        raise InputError("locate", f"true and predicted both {asked[0]!r}", "two classes", "name another one")
    if asked[0] is not None and asked[1] is not None:
        images.check_pair((asked[0], asked[1]), "locate")
    session = LocateEvidence(images, at, similarity, minority_of(images, minority), resamples, seed)
    return scores_of(session, (asked[0], asked[1]))


def scores_of(
    session: LocateEvidence, asked: tuple[str | None, str | None] = (None, None), among: tuple[Pair, ...] | None = None
) -> Scores:
    """The scores of one pair, or of all pairs with a mistake that fit what was asked (true, predicted), pooled. among:
    these pairs instead.
    """
    images = session.images
    settings = images.facts | {"similarity": session.similarity, "layers": session.layers, "minority": session.minority}
    pairs = among or tuple(wanted(images, asked))
    session.prepare(pairs)
    found = tuple(_of_pair(session, pair, settings) for pair in counted(pairs, "score the heads", "pair"))
    if asked != (None, None) and len(found) == 1:
        return found[0]
    weights = [s.sizes["W"] for s in found]
    judge = session.judge(tuple(s.pair for s in found if s.pair))[0]
    sizes = {"W": sum(weights), "C ∪ A": int((judge.side == 1).sum())}
    empty = tuple(dict.fromkeys(name for s in found for name in s.empty))
    return Scores(None, session.layers, pooled([s.raw for s in found], weights), sizes, empty, found, settings, session)


def _of_pair(session: LocateEvidence, pair: Pair, settings: dict[str, Any]) -> Scores:
    sets = session.sets(pair)
    sizes = {"W": len(sets.wrong), "C": len(sets.correct), "A": len(sets.others)}
    empty = tuple(name for name in ("C", "A") if not sizes[name])
    return Scores(pair, session.layers, session.effects(pair), sizes, empty, (), settings, session)


def minority_of(images: Judged, groups: Sequence[str] | None) -> tuple[str, ...] | None:
    """The minority groups, checked."""
    if groups is None:
        return None
    if not hasattr(groups, "__iter__"):
        raise InputError("locate", f"minority={groups!r}", "names of groups", 'write minority=["landbird on water"]')
    asked = [groups] if isinstance(groups, str) else [str(name) for name in groups]
    known = images.members[0]
    unknown = [name for name in asked if name not in known]
    if unknown or not asked:
        given = f"minority={unknown or asked!r}"
        raise InputError("locate", given, ", ".join(map(repr, known[:12])), "name groups of these images")
    return tuple(asked)
