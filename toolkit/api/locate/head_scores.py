"""`tk.head_score`, and the scores that this toolkit brings: a function each, from evidence to [layer, head].

Higher = guiltier. A score of your own is written in the same way, in whatever file: see CONTRIBUTING.md.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.api.locate.evidence import HeadEvidence
from toolkit.api.locate.registry import PANELS, HeadScore, add
from toolkit.api.switch_off.ablate import Effect
from toolkit.api.switch_off.effects import head_effects
from toolkit.errors import InputError
from toolkit.store.texts import text_embeddings

Array = NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., Any])
LABELS = ("Formula", "Source")
"""What a paragraph of a score's docstring may begin with, to stand in its place of the glossary."""


def head_score(
    name: str,
    *,
    label: str = "",
    unit: str = "",
    needs_model: bool = False,
    per_pair: bool = True,
    interval: bool = True,
    replicates: Callable[..., Any] | None = None,
    shown_in: tuple[str, ...] = PANELS,
    takes_text: bool = False,
    term: str = "",
    replace: bool = False,
) -> Callable[[Function], Function]:
    """A decorator that registers a function as a score of heads; the function comes back as it was.

    From then on the score stands in `tk.locate(…).map(name)`, `.band(name)`, `.choose(lists=[name])`, in the choices of
    HeadGrid, AblationLab, TwoModels and the explorer, in `tk.why(name)` and `tk.glossary(name)`. The function takes the
    evidence (`HeadEvidence`: .wrong, .correct, .others, .space, .along(direction), .texts, .toward, .model …) and
    returns [layer, head] numbers, as an array or a tensor; higher = guiltier. The first paragraph of its docstring says
    what it is; paragraphs that begin with “Formula:” and “Source:” go to their places.

    Arguments:
        name: how the score is asked for, such as "spread"; one that no other score has.
        label: how choosers call it; default the name.
        unit: of its numbers, such as "cosine"; "points" are shown as hundredths; default "" (none).
        needs_model: whether it runs the model (`evidence.model`); it then works on the model's worker; default False.
        per_pair: whether it is of one pair of classes (true, predicted): for all mistakes together it is then the mean
            over the pairs, weighted by |W|; False: it is asked once, with `evidence.pair` None; default True.
        interval: whether an interval is worked out, by resampling the images and calling it again; default True.
        replicates: a faster way to its tables for all bootstrap samples, from the evidence to [resamples, layer, head];
            default none: the function is called for each.
        shown_in: names of the panels that offer it; default ("HeadGrid", "AblationLab", "TwoModels").
        takes_text: whether it is along a text that is typed in the panel (`evidence.text`); default False.
        term: of the glossary, where one explains the score; default one of its own, from the docstring.
        replace: whether a score of that name may be replaced; default False.

    Raises:
        InputError: for a name that is none or taken, a panel that offers no scores, and for what is no function.

    >>> import toolkit as tk
    >>> @tk.head_score("example: spread", label="spread along the error", unit="cosine")
    ... def spread(evidence):
    ...     '''How much the head's push towards the error varies over the wrong images.'''
    ...     return evidence.along(evidence.toward)[evidence.wrong].std(0, correction=0)
    >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=80, kind="birds"), progress=False)
    >>> scores = tk.locate(acts, tk.classes(["waterbird", "landbird"]), "landbird", "waterbird")
    >>> scores.map("example: spread").shape
    (4, 8)
    >>> from toolkit.api.locate.registry import forget; forget("example: spread")
    """
    if not isinstance(name, str) or not name.strip() or name != name.strip():
        raise InputError("head_score", f"name={name!r}", "a name without space around it", 'write "spread"')
    if not set(shown_in) <= set(PANELS):
        raise InputError("head_score", f"shown_in={shown_in!r}", ", ".join(map(repr, PANELS)), "name some of these")

    def register(function: Function) -> Function:
        if not callable(function):
            raise InputError("head_score", f"a {type(function).__name__}", "a function of the evidence", "decorate one")
        says, told = _documented(function)
        score = HeadScore(
            name=name,
            label=label or name,
            unit=unit,
            says=says or f"{label or name}: its author has not said what it is.",
            formula=told["Formula"],
            source=told["Source"],
            table=function,
            needs_model=needs_model,
            per_pair=per_pair,
            interval=interval,
            replicates=replicates,
            shown_in=tuple(shown_in),
            takes_text=takes_text,
            term=term,
        )
        add(score, replace)
        return function

    return register


def _documented(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """The first paragraph of a docstring, and those that begin with one of LABELS."""
    told = dict.fromkeys(LABELS, "")
    says = ""
    for paragraph in _paragraphs(inspect.getdoc(function) or ""):
        label, colon, rest = paragraph.partition(":")
        if colon and label in LABELS:
            told[label] = rest.strip()
        elif not says:
            says = paragraph
    return says, told


def _paragraphs(text: str) -> Iterator[str]:
    for part in re.split(r"\n\s*\n", text):
        if part.strip():
            yield " ".join(part.split())


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
    space = evidence.space_of(rows)
    numbers = space.q
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
