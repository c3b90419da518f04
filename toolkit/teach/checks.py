"""The checks behind the exercises: an answer in, reasons out. Judged on scenes whose truth is planted.

Each takes an answer and returns reasons; what cannot be an answer at all raises InputError with the form that is
expected, and counts as no try.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import torch

from toolkit.api.edit.edit import edit
from toolkit.api.images.decompose import decompose
from toolkit.api.locate.locate import locate
from toolkit.api.switch_off.ablate import ablate
from toolkit.api.where.token_map import token_map
from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.organism.scenes import scenes
from toolkit.teach import world
from toolkit.teach.grade import Reason

Reasons = list[Reason]
CARRIES, PARTLY, MUST = 0.60, 0.40, 0.65
"""Shares of variance: a head above the first carries a factor; between the second and the third it is left to you."""
IMAGES = (0, 1, 10, 11, 27, 31)
"""Of `tk.scenes("val", n=400, seed=3, kind="birds")`, for the exercise on maps: none is a close call."""
SAID = ("light", "weather", "colour")
AGREE, DRAWS, TOP = 0.8, 40, 3


def sums(answer: Any) -> Reasons:
    """[8, 96] against the embedding; what is missing or counted twice is found by trying every set of parts."""
    made = decompose(world.model(), scenes("val", n=8, seed=1))
    whole = made.embedding
    given = _array("exact sum", answer)
    if given.shape != tuple(whole.shape):
        said = f"It has shape {list(given.shape)}; 8 images with 96 numbers each are asked for."
        hint = " Sum over the axes of layers and heads only." if given.shape[-1:] != (96,) else ""
        return [Reason(False, said + hint)]
    missed = float((given - whole).norm() / whole.norm())
    if missed <= 1e-5:
        return [
            Reason(True, f"It misses the embedding by {missed:.1e} of its length: nothing but rounding."),
            Reason(None, "So every part has its exact place in the embedding: there is no unexplained rest."),
        ]
    parts = {"the heads": made.heads.sum((1, 2)), "the MLPs of the layers": made.mlps[:, 1:].sum(1),
             "the embedding term (mlps[:, 0])": made.mlps[:, 0], "the biases": made.biases.sum(1),
             "the constant": made.constant.expand_as(whole)}  # fmt: skip
    reasons = [Reason(False, f"It misses the embedding by {100 * missed:.3g} % of its length.")]
    for words, sign in (("What is missing is exactly", 1), ("Counted twice:", -1)):
        for size in (1, 2, 3):
            for names in combinations(parts, size):
                tried = given + sign * sum(parts[name] for name in names)
                if float((tried - whole).norm() / whole.norm()) <= 1e-5:
                    return [*reasons, Reason(None, f"{words} {' and '.join(names)}.")]
    return [*reasons, Reason(None, "No part is simply missing or counted twice: look at the axes you sum over.")]


def background(answer: Any) -> Reasons:
    """Heads whose variance the background explains, on factorial scenes nobody else draws."""
    heads, shares = _heads("background heads", answer), world.roles().of("background")
    reasons = []
    for layer, head in heads:
        share = float(shares[layer, head])
        leading, most = _leading((layer, head))
        said = f"L{layer}.H{head}: the background explains {100 * share:.0f} % of its variance"
        if share >= CARRIES:
            reasons.append(Reason(True, f"{said}: it carries it."))
        elif share >= PARTLY:
            reasons.append(Reason(None, f"{said}: partly, so you may name it."))
        else:
            reasons.append(Reason(False, f"{said}; it varies more with the {leading} ({100 * most:.0f} %)."))
    wanted = {(int(i), int(j)) for i, j in np.argwhere(shares >= MUST)}
    left = wanted - set(heads)
    missing = f"{len(left)} that must be named {'is' if len(left) == 1 else 'are'} missing."
    reasons.append(Reason(not left, missing if left else "None that must be named is missing."))
    return reasons


def words(answer: Any) -> Reasons:
    """factor → head: does the factor explain most of it, and of no head more?"""
    accepted = "a dictionary of three: " + ", ".join(f'"{name}": head' for name in SAID)
    if not isinstance(answer, Mapping) or set(answer) != set(SAID):
        given = f"keys {sorted(map(str, answer))}" if isinstance(answer, Mapping) else f"a {type(answer).__name__}"
        raise InputError("head in words", given, accepted, 'write {"light": "L…", …}')
    reasons = []
    for factor in SAID:
        named = _heads("head in words", answer[factor])
        if len(named) != 1:
            raise InputError(
                "head in words", f"{len(named)} heads for {factor!r}", "one head each", "name the clearest"
            )
        (head,) = named
        shares = world.roles().of(factor)
        share, best = float(shares[head]), float(np.nanmax(shares))
        said = f"{factor}: it explains {100 * share:.0f} % of the variance of {named}"
        if share == best:
            reasons.append(Reason(True, f"{said}, more than of any other head."))
        else:
            leading, most = _leading(head)
            own = f"{named} varies most with the {leading} ({100 * most:.0f} %)"
            reasons.append(Reason(False, f"{said}, and {100 * best:.0f} % of another. {own}."))
    return reasons


def maps(answer: Any) -> Reasons:
    """id → "object" or "background": where the larger sum of the map is, by the planted masks."""
    data = scenes("val", n=400, seed=3, kind="birds").take(list(IMAGES))
    ids = [str(name) for name in data.ids]
    places = ("object", "background")
    named = isinstance(answer, Mapping) and set(map(str, answer)) == set(ids)
    if not named or not all(isinstance(place, str) and place in places for place in answer.values()):
        given = repr(dict(answer))[:120] if isinstance(answer, Mapping) else f"a {type(answer).__name__}"
        accepted = f"a dictionary from {', '.join(ids)} to 'object' or 'background'"
        raise InputError("object or background", given, accepted, "use the ids as they stand in the data")
    model, birds = world.model(), world.birds()
    guesses = birds.predict(model.encode_image(data), model)
    reasons = []
    for row, name in enumerate(ids):
        said = birds.names[int(guesses[row])]
        other = birds.names[1 - int(guesses[row])]
        values = token_map(model, data[row], f"a {said}", against=f"a {other}").values
        inside = data.masks([row])[0][0].numpy().reshape(8, 8, 8, 8).mean((1, 3))  # share of every patch
        sums = {"object": float((values * inside).sum()), "background": float((values * (1 - inside)).sum())}
        truth = max(sums, key=lambda place: sums[place])
        good = answer[name] == truth
        verdict = "right" if said == str(data.labels[row]) else "wrong"
        reasons.append(Reason(good, f"{name}, a {data.groups[row]} called {said} ({verdict}): object"
                              f" {sums['object']:+.3f}, background {sums['background']:+.3f}."))  # fmt: skip
    reasons.append(Reason(None, "Look for images that are right because of their background: a right answer is no proof"
                          " of a right reason."))  # fmt: skip
    return reasons


def sample(answer: Any) -> Reasons:
    """Images a class from which the first three heads of score D are found again."""
    sizes = "a whole number from 2 to 200"
    if isinstance(answer, bool) or not isinstance(answer, int | np.integer) or not 2 <= answer <= 200:
        raise InputError("how many images", repr(answer), sizes, "name how many images a class")
    n, fewer = int(answer), max(2, int(answer) // 4)
    found = _agreement(n)
    said = f"{DRAWS} draws of {n} images a class from 800: in {100 * found:.0f} % the first three heads of score D are"
    reasons = [Reason(found >= AGREE, f"{said} those of all 800 ({100 * AGREE:.0f} % asked for).")]
    if found >= AGREE:
        share = _agreement(fewer)
        end = "so many fewer do not do." if share < AGREE else f"so {n} are far more than needed."
        reasons.append(Reason(share < AGREE, f"With {fewer} a class it is {100 * share:.0f} %: {end}"))
    return reasons


def guilty(answer: Any) -> Reasons:
    """A head set, switched off on fresh test images: the worst group, the average, the other classes, random sets."""
    heads = _heads("guilty heads", answer)
    reasons = [Reason(len(heads) <= 5, f"{len(heads)} heads; at most 5 are allowed.")]
    test = world.parts("test", 1500, "birds")
    off = ablate(test, world.birds(), heads)
    gain = 100 * (off.worst.value - off.before.worst.value)
    average = off.average("plain").value - off.before.average("plain").value
    reasons.append(Reason(gain >= 20, f"Worst group of 1,500 fresh test birds: {100 * off.before.worst.value:.1f} →"
                          f" {100 * off.worst.value:.1f} %, {gain:+.1f} points (+20 asked for)."))  # fmt: skip
    reasons.append(Reason(average >= 0, f"Plain average: {100 * average:+.1f} points (it must not fall)."))
    others = ablate(world.parts("test", 1000, "unrelated"), world.everything(), heads)
    lost = others.average("plain").value - others.before.average("plain").value
    said = f"The 18 other classes, 1,000 images: {100 * lost:+.1f} points (at most 2 may be lost)."
    reasons.append(Reason(lost >= -0.02, said))
    candidates = [(layer, head) for layer in range(4) for head in range(8)]
    draw = np.random.default_rng(0)
    gains = []
    for _ in range(60):
        some = [candidates[i] for i in draw.choice(32, min(len(heads), 32), replace=False)]
        gains.append(100 * (ablate(test, world.birds(), some).worst.value - off.before.worst.value))
    reasons.append(Reason(None, f"60 random sets of as many heads gain {np.median(gains):+.1f} points in the median,"
                          f" {np.quantile(gains, 0.95):+.1f} at 95 %."))  # fmt: skip
    return reasons


def price(answer: Any) -> Reasons:
    """α and β of the edit of twenty birds, solved here and judged on fresh test scenes."""
    accepted = "a dictionary {'alpha': …, 'beta': …} of numbers from 0 to 1e8, or a pair"
    pair = list(answer) if isinstance(answer, tuple | list) else None
    given = dict(zip(("alpha", "beta"), pair, strict=False)) if pair is not None and len(pair) == 2 else answer
    if not isinstance(given, Mapping) or set(given) != {"alpha", "beta"}:
        raise InputError("price of an edit", repr(answer)[:120], accepted, "name both weights")
    test, heads = world.parts("test", 2000, "world"), HeadSet.of("L3.H7 L3.H5")
    made = edit(world.few(), world.everything(), heads, **given, held_out=test)
    assert made.success is not None and made.locality is not None and made.locality.change is not None  # noqa: PT018
    is_bird = np.isin(test.labels.astype(str), world.birds().names)
    before = made.success.change.before.average("plain").value
    off = ablate(test.take(np.flatnonzero(is_bird).tolist()), world.everything(), heads).average("plain").value
    kept = (made.success.value - before) / (off - before)
    lost = 100 * made.locality.change.average("plain").value
    after, worst = 100 * made.success.value, made.success.change.before.worst
    gain = f"{100 * before:.1f} → {after:.1f} %, without the heads {100 * off:.1f} %"
    return [
        Reason(kept >= 0.9, f"Success: the edit keeps {100 * kept:.0f} % of what the birds gain without these heads"
               f" ({gain}; 90 % asked for)."),
        Reason(lost >= -2, f"Locality: the 18 other classes change by {lost:+.1f} points (at most 2 may be lost)."),
        Reason(None, f"Worst group: {100 * worst.value:.1f} → {100 * made.success.worst.value:.1f} %."
               f" n = {len(test):,} fresh test scenes, {int(is_bird.sum())} birds."),
    ]  # fmt: skip


def _agreement(n: int) -> float:
    pool = world.parts("edit", 800, "birds", 0)
    whole = set(list(locate(pool, world.birds()).ranking("d"))[:TOP])
    hits = 0
    for i in range(DRAWS):
        few = pool.draw(per_class=n, seed=1000 + i)
        try:
            hits += set(list(locate(few, world.birds()).ranking("d"))[:TOP]) == whole
        except InputError:  # none of so few images is wrong: nothing is found
            continue
    return hits / DRAWS


def _leading(head: tuple[int, int]) -> tuple[str, float]:
    roles = world.roles()
    shares = np.nan_to_num(roles.shares[:, head[0], head[1]])
    return roles.factors[int(shares.argmax())], float(shares.max())


def _heads(exercise: str, answer: Any) -> HeadSet:
    card = world.model().card
    heads = HeadSet.of(answer, card.layers, card.heads)
    if not heads:
        raise InputError(exercise, "no heads", "one or more", 'name them: "L3.H7 L2.H4"')
    return heads


def _array(exercise: str, answer: Any) -> torch.Tensor:
    try:
        found = torch.as_tensor(answer, dtype=torch.float32).detach().cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(
            exercise, f"a {type(answer).__name__} ({error})", "numbers [8, 96]", "pass a tensor"
        ) from error
    return found
