"""Things to break on purpose: each fails in a way that looks like a result, beside the same done well.

All take parts of any model and data; the built-in world only makes them quick. What they show is how a method fails,
not that a method fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toolkit.api.ablate import ablate
from toolkit.api.acts import Acts
from toolkit.api.banks import bank
from toolkit.api.edit import edit
from toolkit.api.locate import locate
from toolkit.api.textspan import textspan
from toolkit.api.token_map import token_map
from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.teach import pictures
from toolkit.teach.broken import Broken


def narrow_bank(acts: Acts, head: Any, texts: Sequence[str], full: Any = "world", size: int = 5) -> Broken:
    """A bank of texts that cannot span what a head varies along: TextSpan names its best text all the same.

    acts: parts. head: one head. texts: the narrow bank, two texts or more. full: the bank that can, default the
    built-in one. size: texts picked.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=120), progress=False)
    >>> tk.teach.narrow_bank(acts, "L3.H7", ["red", "green", "blue"]).numbers["narrow"] < 0.5
    True
    """
    (layer, number) = one = _one(acts, head)
    narrow = textspan(acts, bank(list(texts)), size=min(size, len(texts)), layers=[layer])
    whole = textspan(acts, full, size=size, layers=[layer])
    name = f"L{layer}.H{number}"
    tables = [span.head(one) for span in (narrow, whole)]
    shares = [
        float(span.explained[0, number, len(table) - 1]) for span, table in zip((narrow, whole), tables, strict=True)
    ]
    firsts = [str(table["text"].iloc[0]) for table in tables]
    n = len(whole.bank.texts)
    return Broken(
        f"A bank that cannot span {name}",
        f"{len(texts)} texts: it is called “{firsts[0]}”, and its {len(tables[0])} texts explain"
        f" {100 * shares[0]:.0f} % of its variance.",
        f"{n} texts: it is called “{firsts[1]}”, and {len(tables[1])} texts explain {100 * shares[1]:.0f} %.",
        "A head always gets a name, however poor the bank. Read the share that is explained before the name.",
        {"narrow": shares[0], "full": shares[1], "named": firsts},
        lambda: pictures.explained(tables, [f"{len(texts)} texts", f"{n} texts"], name),
    )  # fmt: skip


def few_images(acts: Acts, classes: Any, n: int = 10, many: int = 100, score: str = "d", draws: int = 20) -> Broken:
    """Twenty images instead of two hundred: the ranking of heads changes from draw to draw.

    acts: parts with labels. n, many: images a class, few and enough. score: "a" to "d". draws: of each size, seeds 0 to
    draws − 1. Raises InputError where there are not so many images.
    """
    ranks = {size: _ranks(acts, classes, size, score, draws) for size in (n, many)}
    spread = {size: float(np.mean([_agreement(a, b) for i, a in enumerate(found) for b in found[:i]]))
              for size, found in ranks.items()}  # fmt: skip
    return Broken(
        f"{2 * n} images instead of {2 * many}",
        f"{n} images a class: of the five worst heads by score {score.upper()}, two draws share {5 * spread[n]:.1f} on"
        " average.",
        f"{many} images a class: {5 * spread[many]:.1f} of five.",
        "A rank without its interval is one draw. Look at scores.interval and scores.stability, or draw again.",
        {"few": spread[n], "many": spread[many]},
        lambda: pictures.rank_bands(ranks, score),
    )


def zero_beta(
    few: Acts, classes: Any, heads: Any, held_out: Acts, beta: float = 100, steps: int = 300, alpha: float = 0,
) -> Broken:  # fmt: skip
    """β = 0: nothing holds what was right, and the edit gains where one looks while it loses elsewhere.

    few: the images it is made from. classes: all of them. heads: the located ones (unused while alpha is 0). held_out:
    parts with images of other classes. beta: of the sound one. steps: default 300. alpha: default 0, which leaves the
    labels alone to pull.
    """
    edits = [edit(few, classes, heads, alpha=alpha, beta=b, steps=steps, held_out=held_out) for b in (0, beta)]
    rows = []
    for one in edits:
        if one.success is None or one.locality is None or one.locality.change is None:
            given = f"held-out images of {len(set(held_out.labels))} classes"
            raise InputError(
                "zero_beta", given, "images of target and of other classes", "pass tk.scenes(kind='world')"
            )
        other = one.locality.change
        rows.append((one.success.value, other.before.average("plain").value, other.after.average("plain").value))
    said = [
        f"the target classes are at {100 * s:.1f} %, the others go from {100 * b:.1f} to {100 * a:.1f} %"
        for s, b, a in rows
    ]
    return Broken(
        "An edit with β = 0",
        f"β = 0, {steps} steps: {said[0]}.", f"β = {beta:g}: {said[1]}.",
        "Success alone is no measure of an edit. Look at images it should not touch, and along the steps.",
        {"zero": rows[0], "beta": rows[1]},
        lambda: pictures.along_steps([one.curve() for one in edits], ["β = 0", f"β = {beta:g}"]),
    )  # fmt: skip


def random_heads(
    acts: Acts, classes: Any, size: int = 4, n: int = 24, sets: int = 200, seed: int = 0, without: Any = (),
) -> Broken:  # fmt: skip
    """Random heads that look meaningful: the best of many random sets on few images, judged again on all others.

    acts: parts with labels. size: heads a set. n: images on which the best set is picked. sets: how many are tried.
    seed: of sets and images. without: heads that are known to matter, left out of the draw.
    """
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(acts))
    if not 2 <= n < len(acts):
        raise InputError("random_heads", f"n={n!r} of {len(acts)} images", f"2 to {len(acts) - 1}", "pick on fewer")
    small, rest = order[:n], order[n:]
    total, per_layer = acts.shape[1:3]
    known = set(HeadSet.of(without, total, per_layer))
    every = [(i, j) for i in range(total) for j in range(per_layer) if (i, j) not in known]
    tried = [
        HeadSet(tuple(sorted(every[i] for i in draw.choice(len(every), size, replace=False)))) for _ in range(sets)
    ]
    became = np.stack([_became(acts, classes, one) for one in tried])  # [set, image]: +1 right now, −1 wrong now
    gains, again = became[:, small].mean(1), became[:, rest].mean(1)
    best = int(gains.argmax())
    return Broken(
        "Random heads that look meaningful",
        f"The best of {sets} random sets of {size} on {n} images, {tried[best]}: {100 * gains[best]:+.1f} points.",
        f"The same set on the {len(rest):,} other images: {100 * again[best]:+.1f} points; the median set there:"
        f" {100 * np.median(again):+.1f}.",
        "Whoever tries many sets on few images finds one that works. Choose on some images, judge on others, and show"
        " random sets beside yours.",
        {"picked": float(gains[best]), "again": float(again[best]), "heads": str(tried[best])},
        lambda: pictures.picked(100 * gains, 100 * again, n, len(rest)),
    )


def rescaled_maps(model: Any, image: Any, text: str, heads: Any, idle: Any, against: Any = None) -> Broken:
    """Rescaling every map to its own range: a head that writes next to nothing looks as strong as one that decides.

    model: live. image: PIL or a sample. text, against: as in `tk.token_map`. heads: that matter; idle: that do not.
    """
    names = [str(HeadSet.of(one)) for one in (heads, idle)]
    maps = [token_map(model, image, text, against=against, heads=name) for name in names]
    sizes = [float(np.abs(m.values).max()) for m in maps]
    return Broken(
        "Evidence made by rescaling",
        f"Each map on its own scale: {names[1]} looks as strong as {names[0]}.",
        f"On one scale it is what it is: at most {sizes[1]:.1e} a patch, against {sizes[0]:.1e}.",
        "A picture without a colour bar, or with a scale of its own, shows where, never how much.",
        {"largest": sizes},
        lambda: pictures.scaled(maps, names),
    )


def _one(acts: Acts, head: Any) -> tuple[int, int]:
    found = HeadSet.of(head, *acts.shape[1:3])
    if len(found) != 1:
        raise InputError("narrow_bank", f"{len(found)} heads", "one head", 'name it: "L3.H7"')
    return found.heads[0]


def _ranks(acts: Acts, classes: Any, n: int, score: str, draws: int) -> list[list[tuple[int, int]]]:
    found = []
    for seed in range(draws):
        try:
            found.append(list(locate(acts.draw(per_class=n, seed=seed), classes, layers=-2).ranking(score)))
        except InputError as error:
            if "none is wrong" not in str(error):
                raise
    if len(found) < 2:
        given = f"{draws} draws of {n} images a class, {len(found)} of them with a mistake"
        raise InputError("few_images", given, "two draws with mistakes or more", "draw more images, or more often")
    return found


def _agreement(a: list[tuple[int, int]], b: list[tuple[int, int]], top: int = 5) -> float:
    return len(set(a[:top]) & set(b[:top])) / top


def _became(acts: Acts, classes: Any, heads: HeadSet) -> Any:
    """[image]: +1 where zero-ablating the heads makes an image right, −1 where it makes one wrong."""
    found = ablate(acts, classes, heads)
    ids = acts.ids.astype(str)
    return np.isin(ids, [str(i) for i in found.right]).astype(int) - np.isin(ids, [str(i) for i in found.wrong])
