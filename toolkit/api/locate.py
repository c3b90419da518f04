"""`tk.locate`: from mistakes to the heads that push towards them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toolkit.api.judged import Judged, judged
from toolkit.api.scores import Scores, pooled
from toolkit.api.session import LocateSession, Pair
from toolkit.api.textspan import whole
from toolkit.core.effects import SIMILARITIES, Similarity
from toolkit.core.heads import which_layers
from toolkit.core.parts import Convention
from toolkit.errors import InputError


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
    """How much every head pushes images of one class towards another: DE_A … DE_D (R25 §3.2; methods §3), in head space
    and without forward passes.

    W are the images of class `true` predicted `predicted`, C those of `true` predicted right, A those of `predicted`
    predicted right. acts: parts with labels. classes: two or more (`tk.classes`); images with other labels are left out
    and counted. true, predicted: a pair; without them (or with one of them) every pair with a mistake, and their pool,
    weighted by |W|. layers: default the last four. similarity: "cosine" (default) or "inner". minority: groups for
    `.ltc`, those in which class and cue disagree; default all images. resamples, seed: of the bootstrap. convention:
    default that of `acts`.

    Returns `Scores`. Raises InputError, with "nothing to do", where no image is wrong in this way.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=80, kind="birds"), progress=False)
    >>> birds = tk.classes(["waterbird", "landbird"])
    >>> scores = tk.locate(acts, birds, true="landbird", predicted="waterbird")
    >>> scores.ranking("b").heads[0] in scores.choose(top=5) or len(scores.choose(top=5)) >= 0
    True
    """
    if similarity not in SIMILARITIES:
        given = f"similarity={similarity!r}"
        raise InputError("locate", given, " or ".join(map(repr, SIMILARITIES)), "pass one of these")
    resamples, seed = whole("resamples", resamples, 1, "locate"), whole("seed", seed, 0, "locate")
    if convention is not None:
        acts = acts.using(convention)
    images = judged(acts, classes, "locate")
    at = which_layers(layers, images.acts.shape[1], "locate")
    asked = [None if name is None else classes.names[classes.index(name)] for name in (true, predicted)]
    if asked[0] is not None and asked[0] == asked[1]:
        raise InputError("locate", f"true and predicted both {asked[0]!r}", "two classes", "name another one")
    wanted = _wanted(images, asked)
    session = LocateSession(images, at, similarity, _minority(images, minority), resamples, seed)
    settings = images.facts | {"similarity": similarity, "layers": at, "minority": tuple(minority or ())}
    found = tuple(_of_pair(session, pair, settings) for pair in wanted)
    if None not in asked:
        return found[0]
    sizes = {name: sum(s.sizes[name] for s in found) for name in ("W",)}
    right = int((images.truth == images.guess).sum())
    raw = pooled([s.raw for s in found], [s.sizes["W"] for s in found])
    empty = tuple(dict.fromkeys(name for s in found for name in s.empty))
    return Scores(None, at, raw, sizes | {"right": right}, empty, found, settings, session)


def _of_pair(session: LocateSession, pair: Pair, settings: dict[str, Any]) -> Scores:
    sets = session.sets(pair)
    sizes = {"W": len(sets.wrong), "C": len(sets.correct), "A": len(sets.others)}
    empty = tuple(name for name in ("C", "A") if not sizes[name])
    return Scores(pair, session.layers, session.effects(pair), sizes, empty, (), settings, session)


def _wanted(images: Judged, asked: list[str | None]) -> list[Pair]:
    """The pairs with a mistake that fit what was asked."""
    names, c = images.classes.names, len(images.classes)
    cells = np.bincount((images.truth * c + images.guess).numpy(), minlength=c * c).reshape(c, c)
    pairs = [
        (names[y], names[o])
        for y in range(c)
        for o in range(c)
        if y != o and cells[y, o] and asked[0] in (None, names[y]) and asked[1] in (None, names[o])
    ]
    if not pairs:
        words = [f"{word} {name!r}" for word, name in zip(("true", "predicted"), asked, strict=True) if name]
        of = f" with {' and '.join(words)}" if words else ""
        wrong = int((images.truth != images.guess).sum())
        given = f"nothing to do: of {len(images)} images none is wrong{of} ({wrong} are wrong in all)"
        raise InputError("locate", given, "at least one wrong image", "look at the confusion and name another pair")
    return pairs


def _minority(images: Judged, groups: Sequence[str] | None) -> Any:
    if groups is None:
        return None
    asked = [groups] if isinstance(groups, str) else [str(name) for name in groups]
    known = images.members[0]
    unknown = [name for name in asked if name not in known]
    if unknown or not asked:
        given = f"minority={unknown or asked!r}"
        raise InputError("locate", given, ", ".join(map(repr, known[:12])), "name groups of these images")
    return np.isin(images.group_names.astype(str), asked)
