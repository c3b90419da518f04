"""Things to break on purpose: each fails in a way that looks like a result, beside the same done well.

All take parts of any model and data; the built-in world only makes them quick. What they show is how a method fails,
not that a method fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toolkit.api.edit.edit import edit
from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import judged
from toolkit.api.locate.locate import locate
from toolkit.api.switch_off.ablate import ablate
from toolkit.api.where.token_map import token_map
from toolkit.api.words.banks import bank
from toolkit.api.words.textspan import textspan
from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.teach import pictures
from toolkit.teach.broken import Broken


def narrow_bank(acts: Acts, head: Any, texts: Sequence[str], full: Any = "world", size: int = 5) -> Broken:
    """A bank of texts that cannot span what a head varies along: TextSpan names its best text all the same.

    The toolkit warns of the bank (`tk.BankWarning`), and rightly so.

    Arguments:
        acts: parts with the live model (`Acts`).
        head: one head, in any spelling.
        texts: the narrow bank, two texts or more.
        full: the bank that can, as in `tk.bank`; default "world", the built-in one.
        size: texts picked; default 5.

    Returns:
        `Broken`; .numbers: "narrow", "full", the shares explained, and "named", the first texts.

    Raises:
        InputError: for several heads.

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

    Arguments:
        acts: parts with labels (`Acts`); draws share images, so `many` may be at most a third of the smallest class.
        classes: two or more (`tk.classes`).
        n: images a class, few; default 10.
        many: images a class, enough; default 100.
        score: "a" to "d", of the heads of the last two layers; default "d".
        draws: of each size, seeds 0 to draws − 1; those without a mistake say nothing and are left out; default 20.

    Returns:
        `Broken`; .numbers: "few", "many", the share of the five worst heads that two draws have in common.

    Raises:
        InputError: for other sizes, and where fewer than two draws hold a mistake.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=200, kind="birds"), progress=False)
    >>> found = tk.teach.few_images(acts, tk.classes(["waterbird", "landbird"]), n=5, many=20, draws=4)
    >>> found.numbers["few"] <= found.numbers["many"]
    True
    """
    images = judged(acts, classes, "few_images", None)
    smallest = int(np.bincount(images.truth.numpy(), minlength=len(images.classes)).min())
    if not 1 <= n < many <= smallest // 3:
        given, accepted = (
            f"n={n!r}, many={many!r} of {smallest} in the smallest class",
            f"1 ≤ n < many ≤ {smallest // 3}",
        )
        raise InputError("few_images", given, accepted, "draw fewer, or pass more images")
    ranks = {size: _ranks(images.acts, classes, size, score, draws) for size in (n, many)}
    spread = {size: float(np.mean([_agreement(a, b) for i, a in enumerate(found) for b in found[:i]]))
              for size, found in ranks.items()}  # fmt: skip
    kinds = len(images.classes)
    of, heads = f"{len(ranks[n])} draws from {len(images):,}", len(ranks[n][0])
    return Broken(
        f"{kinds * n} images instead of {kinds * many}",
        f"{n} images a class, {of}: of the five worst of {heads} heads by score {score.upper()}, two draws share"
        f" {5 * spread[n]:.1f} on average (by chance {25 / heads:.1f}).",
        f"{many} images a class: {5 * spread[many]:.1f} of five.",
        "A rank without its interval is one draw. Look at scores.interval and scores.stability, or draw again.",
        {"few": spread[n], "many": spread[many]},
        lambda: pictures.rank_bands(ranks, score),
    )


def zero_beta(
    few: Acts, classes: Any, heads: Any, held_out: Acts, beta: float = 300, steps: int = 200, alpha: float = 0,
) -> Broken:  # fmt: skip
    """β = 0: nothing holds what was right, and the edit gains where one looks while it loses elsewhere.

    Arguments:
        few: the images it is made from (`Acts`).
        classes: all of them (`tk.classes`).
        heads: the located ones (unused while alpha is 0), in any spelling.
        held_out: parts with images of target and of other classes.
        beta: weight of locality of the sound edit, no unit, 0 to 1e12; default 300.
        steps: of either edit; default 200.
        alpha: weight of success, no unit, 0 to 1e12; default 0, which leaves the labels alone to pull.

    Returns:
        `Broken`; .numbers: "zero", "beta", each (target classes after, others before, others after).

    Raises:
        InputError: where no held-out image is of another class (of several data sets, `tk.extract` their `tk.joined`).

    >>> import toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
    >>> val = tk.extract(tk.load(), tk.scenes("val", n=200), progress=False)
    >>> found = tk.teach.zero_beta(few, tk.classes(sorted(set(val.labels))), "L3.H7", val)
    >>> found.numbers["zero"][2] < found.numbers["beta"][2]
    True
    """
    edits = [edit(few, classes, heads, alpha=alpha, beta=b, steps=steps, held_out=held_out) for b in (0, beta)]
    rows = []
    for one in edits:
        if one.success is None or one.locality is None or one.locality.change is None:
            given = f"held-out images of {len(set(held_out.labels))} classes"
            fix = "pass tk.scenes(kind='world'), or parts of tk.joined(these, others)"
            raise InputError("zero_beta", given, "images of target and of other classes", fix)
        other = one.locality.change
        rows.append((one.success.value, other.before.average("plain").value, other.after.average("plain").value))
    outcomes = [f"target classes {100 * s:.1f} %, the others {100 * b:.1f} → {100 * a:.1f} %" for s, b, a in rows]
    n = f"{len(held_out):,} held-out images, split “{held_out.split}”"
    return Broken(
        "An edit with β = 0",
        f"β = 0, {steps} steps: {outcomes[0]} ({n}).", f"β = {beta:g}: {outcomes[1]}.",
        "Success alone is no measure of an edit. Look at images it should not touch, and along the steps.",
        {"zero": rows[0], "beta": rows[1]},
        lambda: pictures.along_steps([one.curve() for one in edits], ["β = 0", f"β = {beta:g}"]),
    )  # fmt: skip


def random_heads(
    acts: Acts, classes: Any, size: int = 4, n: int = 24, sets: int = 200, seed: int = 0, without: Any = (),
) -> Broken:  # fmt: skip
    """Random heads that look meaningful: the best of many random sets on few images, judged again on all others.

    Arguments:
        acts: parts with labels (`Acts`).
        classes: two or more (`tk.classes`).
        size: heads a set; default 4.
        n: images on which the best set is picked; default 24.
        sets: how many are tried, 1 to 100,000; default 200.
        seed: of sets and images; default 0.
        without: heads that are known to matter, left out of the draw; default none.

    Returns:
        `Broken`; .numbers: "picked", "again" (change of the accuracy where it was picked, and elsewhere), "heads".

    Raises:
        InputError: for more images or heads than there are.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=80, kind="birds"), progress=False)
    >>> found = tk.teach.random_heads(acts, tk.classes(["waterbird", "landbird"]), n=10, sets=20)
    >>> found.numbers["again"] <= found.numbers["picked"]
    True
    """
    images = judged(acts, classes, "random_heads", None).acts
    total, per_layer = acts.shape[1:3]
    known = set(HeadSet.of(without, total, per_layer))
    every = [(i, j) for i in range(total) for j in range(per_layer) if (i, j) not in known]
    for name, value, most in (("n", n, len(images) - 1), ("size", size, len(every)), ("sets", sets, 100_000)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise InputError("random_heads", f"{name}={value!r}", f"1 to {most:,}", "pass such a number")
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(images))
    small, rest = order[:n], order[n:]
    drawn = [draw.choice(len(every), size, replace=False) for _ in range(sets)]
    tried = [HeadSet(tuple(sorted(every[i] for i in one))) for one in drawn]
    became = np.stack([_became(images, classes, one) for one in tried])  # [set, image]: +1 right now, −1 wrong now
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

    Arguments:
        model: a live one (`Model`).
        image: one image, PIL or a sample.
        text: as in `tk.token_map`.
        heads: that matter, in any spelling.
        idle: heads that do not matter, in any spelling.
        against: as in `tk.token_map`; default nothing.

    Returns:
        `Broken`; .numbers: "largest", the largest |value| of a patch of either map.

    Raises:
        InputError: as `tk.token_map` does.

    >>> import toolkit as tk
    >>> image = tk.scenes("val", n=1, kind="birds")[0]
    >>> strong, weak = tk.teach.rescaled_maps(tk.load(), image, "water", "L3.H7", "L0.H3").numbers["largest"]
    >>> strong > 5 * weak
    True
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
    chosen = HeadSet.of(head, *acts.shape[1:3])
    if len(chosen) != 1:
        raise InputError("narrow_bank", f"{len(chosen)} heads", "one head", 'name it: "L3.H7"')
    return chosen.heads[0]


def _ranks(acts: Acts, classes: Any, n: int, score: str, draws: int) -> list[list[tuple[int, int]]]:
    few = [acts.draw(per_class=n, seed=seed) for seed in range(draws)]
    wrong = [one for one in few if judged(one, classes, "few_images", None).mistakes]
    if len(wrong) < 2:
        given = f"{draws} draws of {n} images a class, {len(wrong)} of them with a mistake"
        raise InputError("few_images", given, "two draws with mistakes or more", "draw more images, or more often")
    return [list(locate(one, classes, layers=-2).ranking(score)) for one in wrong]


def _agreement(a: list[tuple[int, int]], b: list[tuple[int, int]], top: int = 5) -> float:
    return len(set(a[:top]) & set(b[:top])) / top


def _became(acts: Acts, classes: Any, heads: HeadSet) -> Any:
    """[image]: +1 where zero-ablating the heads makes an image right, −1 where it makes one wrong."""
    without = ablate(acts, classes, heads)
    ids = acts.ids.astype(str)
    return np.isin(ids, [str(i) for i in without.right]).astype(int) - np.isin(ids, [str(i) for i in without.wrong])
