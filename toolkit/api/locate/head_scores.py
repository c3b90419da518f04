"""The scores of heads that this toolkit brings: a function each, from the evidence of an error to [layer, head].

Higher = guiltier. A score of your own is written in the same way, in whatever file: see CONTRIBUTING.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.api.locate.evidence import HeadEvidence
from toolkit.api.locate.registry import head_score as head_score
from toolkit.api.switch_off.ablate import Effect
from toolkit.api.switch_off.effects import head_effects
from toolkit.store.texts import text_embeddings

Array = NDArray[np.float64]


def _samples(row: int, sign: int) -> Callable[[HeadEvidence], Array]:
    """The bootstrap samples of one of the four direct effects, which are worked out together."""
    return lambda evidence: sign * evidence.effect_samples[:, row]


@head_score("A", unit="cosine", replicates=_samples(0, 1), term="DE_A … DE_D")
def score_a(evidence: HeadEvidence) -> Array:
    """DE_A: the wrong images lean less to the error with the head's mean over the right ones of their class.

    Formula: mean over W of Δ(y, c̄_C) − Δ(ŷ, c̄_C)

    Source: R25 (ICLR 2025 submission) §3.2
    """
    return evidence.direct_effects[0]


@head_score("−B", unit="cosine", replicates=_samples(1, -1), term="DE_A … DE_D")
def score_b(evidence: HeadEvidence) -> Array:
    """−DE_B: the right images lean to the error with the head's mean over the wrong ones.

    Formula: −(mean over C of Δ(y, c̄_W) − Δ(ŷ, c̄_W))

    Source: R25 (ICLR 2025 submission) §3.2
    """
    return -evidence.direct_effects[1]


@head_score("C", unit="cosine", replicates=_samples(2, 1), term="DE_A … DE_D")
def score_c(evidence: HeadEvidence) -> Array:
    """DE_C: the other class's images lean away from the error with the head's mean over the wrong ones.

    Formula: mean over A of Δ(ŷ, c̄_W) − Δ(y, c̄_W)

    Source: R25 (ICLR 2025 submission) §3.2
    """
    return evidence.direct_effects[2]


@head_score("−D", unit="cosine", replicates=_samples(3, -1), term="DE_A … DE_D")
def score_d(evidence: HeadEvidence) -> Array:
    """−DE_D: the wrong images lean to the error with the head's mean over the other class's.

    Formula: −(mean over W of Δ(ŷ, c̄_A) − Δ(y, c̄_A))

    Source: R25 (ICLR 2025 submission) §3.2
    """
    return -evidence.direct_effects[3]


@head_score("LTC", unit="share", per_pair=False, interval=False, term="LTC")
def score_ltc(evidence: HeadEvidence) -> Array:
    """Share of wrong less share of right images whose prediction the head decides (V_W − V_C).

    Source: LTC (arXiv 2505.17425) §3
    """
    return np.asarray(evidence.votes.difference.numpy()[list(evidence.layers)])


@head_score(
    "text", label="along a text", unit="cosine", per_pair=False, interval=False, takes_text=True,
    term="contrast (against)",
    shown_in=("AblationLab", "TwoModels"),
)  # fmt: skip
def score_along(evidence: HeadEvidence) -> Array:
    """Mean contribution of the wrong images along the text (no text: predicted − true class).

    Formula: mean over W of c · (T_ŷ − T_y)
    """
    rows = evidence.blamed
    space, numbers = evidence.space, evidence.space.q[rows]
    if evidence.text:
        direction = text_embeddings(evidence.images.acts.model, [evidence.text])[0].cpu().double()
        return np.asarray(torch.einsum("lhk,lhkd,d->lh", numbers.mean(0), space.maps, direction).numpy())
    texts = evidence.texts
    truth, guess = evidence.truth[rows], evidence.guess[rows]
    if evidence.pair is not None:
        y, other = (evidence.images.classes.index(name) for name in evidence.pair)
        truth, guess = torch.full_like(truth, y), torch.full_like(guess, other)
    total = torch.zeros(evidence.shape, dtype=torch.float64)
    for y, other in torch.stack([truth, guess], 1).unique(dim=0).tolist():
        some = numbers[(truth == y) & (guess == other)].sum(0)
        total += torch.einsum("lhk,lhkd,d->lh", some, space.maps, texts[other] - texts[y])
    return np.asarray((total / len(numbers)).numpy())


@head_score(
    "direct", label="direct effect", unit="points", per_pair=False, interval=False, shown_in=("AblationLab",),
    term="direct effect",
)  # fmt: skip
def score_direct(evidence: HeadEvidence) -> Array:
    """Change of the worst group with the head alone off, in the sum."""
    return _alone(evidence, "direct")


@head_score(
    "total", label="total effect", unit="points", needs_model=True, per_pair=False, interval=False,
    term="total effect",
    shown_in=("AblationLab",),
)  # fmt: skip
def score_total(evidence: HeadEvidence) -> Array:
    """Change of the worst group with the head alone off, the model run again."""
    return _alone(evidence, "total")


def _alone(evidence: HeadEvidence, effect: Effect) -> Array:
    """What switching off each head by itself does to the worst group; runs of the model are made once."""

    def work() -> Array:
        acts, classes = evidence.images.acts, evidence.images.classes
        sets = [[(layer, head)] for layer in evidence.layers for head in range(evidence.shape[1])]
        found = head_effects(acts, classes, sets, effect, evidence.how, check=evidence.check)
        return found.map("worst", effect)[list(evidence.layers)]

    return evidence.once((effect, evidence.how), work)
