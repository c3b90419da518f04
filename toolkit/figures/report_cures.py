"""What a report says of the words of a mistake and of cures beside one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolkit.figures.comparison import comparison_matplotlib
from toolkit.figures.keywords import keywords_matplotlib
from toolkit.figures.page import Section, png

if TYPE_CHECKING:
    from toolkit.api.keywords.result import KeywordScores
    from toolkit.api.methods.comparison import Comparison


def in_common(found: KeywordScores | None) -> list[Section]:
    """The keywords of a mistake, as a picture and with the heads behind the first."""
    if found is None:
        return []
    first = found.marks(1)[0][0]
    split = found.split(first)
    order = np.argsort(-split.heads, axis=None)[:5].tolist()
    heads = split.heads.shape[1]
    named = ", ".join(f"L{split.layers[i // heads]}.H{i % heads} {split.heads.flat[i]:+.1f}" for i in order)
    circular = (
        " The model that is wrong finds the words itself, which is circular: the hollow marks show each word without"
        " the direction of the two classes."
        if found.circular
        else ""
    )
    few = "" if found.enough else " Fewer than ten wrong images: a hint at most."
    text = (
        f"How much nearer {len(found.wrong)} wrong images of “{found.true}” (→ “{found.predicted}”) are to each text"
        f" than {len(found.right)} right ones, × 100.{circular}{few} Of the {split.score:+.1f} of “{first}”: {named}."
    )
    words = f"Scores of keywords with 95 % intervals; the first is {first!r}."
    return [Section("What they have in common, in words", text, png(keywords_matplotlib(found)), words)]


def beside_one_another(found: Comparison | None) -> list[Section]:
    """Cures where their dials stand: the plane, and the table with what each was told."""
    if found is None:
        return []
    ledger = found.ledger.set_index("method")
    rows = []
    for row in found.table.to_dict("records"):
        told = ledger.loc[row["method"]]
        counts = [(told["labels"], "images"), (told["texts"], "words"), (told["group_labels"], "groups")]
        known = ", ".join(f"{int(n)} {noun}" for n, noun in counts if n)
        limits = f" [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]" if np.isfinite(row.get("low", np.nan)) else ""
        rows.append((
            str(row["method"]), f"{row['dial']} = {row['value']:.3g} ({row['chosen']})", f"{100 * row['worst']:.1f}",
            f"{100 * row['change']:+.1f}{limits}", f"{100 * row['locality']:.1f}", known or "–",
        ))  # fmt: skip
    header = ("cure", "dial (how it was put)", "worst group, %", "change [95 %]", "other classes, %", "told")
    held = found.held[0]
    text = (
        f"Judged on n = {held.sizes['success']:,} of the target classes and {held.sizes['agreement']:,} others, split"
        f" “{held.split}”. A dial “chosen here” was set by eye on these very images."
    )
    words = f"Cures as paths from the model as it is; {len(found.methods) - 1} of them."
    return [Section("Cures beside one another", text, png(comparison_matplotlib(found)), words, table=(header, rows))]
