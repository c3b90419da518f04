"""Locating heads as the paper words it (R25 §3.2, methods §3): one image, one head at a time, nothing clever.

Slow on purpose: the fast implementation is checked against this one, and the built-in model is judged with it.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import torch
from torch import Tensor

Pair = tuple[int, int]


class Located(NamedTuple):
    """heads: the chosen (layer, head) pairs, worst first. score: which of A, B, C, D ranked them. utility: U of the
    choice. wrong: images that were misclassified.
    """

    heads: list[Pair]
    score: str
    utility: float
    wrong: int


def scores(
    e: Tensor, c: Tensor, labels: Tensor, guess: Tensor, texts: Tensor, y: int, other: int
) -> dict[str, dict[Pair, float]]:
    """Badness of every head for images of class y taken for `other`: name of the score → head → badness.

    e: unit embeddings [n, d]. c: head contributions [n, l, h, d] on the same scale. labels, guess [n]. texts: unit
    class vectors [k, d]. A score whose averaging set is empty is left out.
    """
    wrong = [i for i in range(len(e)) if labels[i] == y and guess[i] == other]
    correct = [i for i in range(len(e)) if labels[i] == y and guess[i] == y]
    others = [i for i in range(len(e)) if labels[i] == other and guess[i] == other]

    def sim(vector: Tensor, text: int) -> float:
        return float(vector @ texts[text] / vector.norm())

    def delta(i: int, head: Pair, text: int, instead: Tensor) -> float:
        return sim(e[i] - c[i][head] + instead, text) - sim(e[i], text)

    def direct_effect(over: list[int], reference: list[int], plus: int, minus: int, head: Pair) -> float:
        instead = torch.stack([c[i][head] for i in reference]).mean(0) if reference else torch.zeros_like(e[0])
        gains = [delta(i, head, plus, instead) - delta(i, head, minus, instead) for i in over]
        return sum(gains) / len(gains)

    sets = {"A": (wrong, correct, y, other, 1), "B": (correct, wrong, y, other, -1),
            "C": (others, wrong, other, y, 1), "D": (wrong, others, other, y, -1)}  # fmt: skip
    heads = list(itertools.product(range(c.shape[1]), range(c.shape[2])))
    return {
        name: {head: sign * direct_effect(over, reference, plus, minus, head) for head in heads}
        for name, (over, reference, plus, minus, sign) in sets.items()
        if over
    }


def utility(e: Tensor, c: Tensor, labels: Tensor, texts: Tensor, heads: list[Pair]) -> float:
    """U: mean cosine with the true class minus mean cosine with the other classes, after zero-ablation of `heads`."""
    margins = []
    for i in range(len(e)):
        left = e[i] - sum((c[i][head] for head in heads), torch.zeros_like(e[i]))
        cosines = texts @ left / left.norm()
        y = int(labels[i])
        rest = [float(cosines[k]) for k in range(len(texts)) if k != y]
        margins.append(float(cosines[y]) - sum(rest) / len(rest))
    return sum(margins) / len(margins)


def locate(e: Tensor, c: Tensor, labels: Tensor, texts: Tensor, top: int = 15, layers: int = 4) -> Located:
    """The head set with the largest utility over every pair of classes, every score and every t ≤ top (R25 alg. 1).

    Lists: one per ordered pair of classes with a mistake between them, and one pooled over pairs with weights |W|. Ties
    go to the smaller t, then A, B, C, D. The empty set (t = 0) is compared too.
    """
    guess = (e @ texts.T).argmax(1)
    lists: list[tuple[str, dict[Pair, float]]] = []
    pooled: dict[str, dict[Pair, float]] = {}
    for y, other in itertools.permutations(range(len(texts)), 2):
        wrong = int(((labels == y) & (guess == other)).sum())
        if not wrong:
            continue
        for name, badness in scores(e, c, labels, guess, texts, y, other).items():
            lists.append((name, badness))
            for head, value in badness.items():
                pooled.setdefault(name, {}).setdefault(head, 0.0)
                pooled[name][head] += wrong * value
    lists = sorted([*pooled.items(), *lists], key=lambda item: item[0])
    best = Located([], "", utility(e, c, labels, texts, []), int((guess != labels).sum()))
    found: dict[int, Located] = {0: best}
    for name, badness in lists:
        late = [head for head in badness if head[0] >= c.shape[1] - layers]
        ranked = sorted(late, key=lambda head: (-badness[head], head))[:top]
        for t in range(1, len(ranked) + 1):
            u = utility(e, c, labels, texts, ranked[:t])
            if u > found.get(t, Located([], "", -math.inf, 0)).utility:
                found[t] = Located(ranked[:t], name, u, best.wrong)
    return max((found[t] for t in sorted(found)), key=lambda item: item.utility)
