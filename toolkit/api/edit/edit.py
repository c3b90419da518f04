"""`tk.edit`: fit a change of the image projection to a few images, with success and locality in balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.api.checks import Check, quiet
from toolkit.api.edit.held_out import held_out as judged_on
from toolkit.api.edit.problem import Keep, edit_problem
from toolkit.api.edit.result import Edit, fit
from toolkit.api.edit.settings import Pair, in_space, known_pairs
from toolkit.api.images.judged import judged
from toolkit.core.parts import Convention
from toolkit.core.precision import full_precision
from toolkit.core.strategies import Bounds


@full_precision
def edit(
    acts: Any,
    classes: Any,
    heads: Any = (),
    alpha: float = 10,
    beta: float = 10,
    steps: int | str = 100,
    strategy: str = "diagonal",
    logit_scale: float | None = None,
    true: str | int | None = None,
    predicted: str | int | None = None,
    *,
    pairs: Sequence[Pair] | None = None,
    held_out: Any = None,
    unrelated: Mapping[str, Any] | None = None,
    nonnegative: bool = False,
    allowance: float | None = None,
    rate: float | None = None,
    seed: int = 0,
    bounds: Bounds | None = None,
    ridge: float | None = None,
    hold: Mapping[Any, float] | None = None,
    layers: Any = None,
    keep: Keep = "right",
    space: str = "embedding",
    name: str = "",
    device: Any = "cpu",
    convention: Convention | None = None,
    check: Check = quiet,
) -> Edit:
    """An edit: θ that minimises L_CE + α L_success + β L_locality (R25 eq. 11–13; methods §4).

    By strategy θ scales the dimensions of the embedding ("diagonal", the paper's), is a matrix behind it ("full", "rank
    R"), a strength of every located head, y = E + Σ (g − 1) c ("strengths"; "strengths all": of every head of
    `layers`), a strength of the R directions along which the few images differ most inside every located head
    ("directions R"), or the vectors of the target classes ("class vectors").

    L_success draws the wrong images W to what the model says of them without `heads`, L_locality keeps the right ones C
    ∪ A at what it says now, L_CE draws all of them to their labels. α = β = 0 is standard fine-tuning. θ starts at the
    identity and depends on nothing but these arguments. Warns (`EditWarning`) of heads that were found under another
    class set.

    Arguments:
        acts: parts of the few labelled images it is made from (`Acts`), ten a class in R25.
        classes: all classes to tell apart (`tk.classes`), those that should stay as they are too.
        heads: which L_success learns from, in any spelling; default none, which needs alpha=0.
        alpha: weight of success, no unit, 0 (off) to 1e12; default 10.
        beta: weight of locality, no unit, 0 (off) to 1e12; default 10.
        steps: of Adam on the full batch, 0 to 100,000; or "converge", L-BFGS to its end, which overfits; default 100.
        strategy: "diagonal", "full", "rank R", "strengths", "strengths all", "directions R" or "class vectors"; default
            "diagonal".
        logit_scale: of g = softmax(scale · cosine), above 0; default the checkpoint's; 1 is our
            reading of R25's magnitudes (then α, β of 1e3 to 1e4).
        true: the class whose images are to be mended, by name or index; default all.
        predicted: the class they are taken for, by name or index; default all.
        pairs: several mistakes (true, predicted) instead; default all mistakes.
        held_out: parts of other images, which `.success` and `.locality` are measured on; default the images it was
            made from, and it says so.
        unrelated: by name, parts an edit should leave alone, or (parts, their own class set); default none.
        nonnegative: keep θ ≥ 0, of the diagonal alone; default False.
        allowance: take the best step that keeps at least 1 − allowance of C ∪ A right, 0 to 1; default the last step.
        rate: of Adam, above 0; default 0.01, 0.03 for “strengths all” and directions.
        seed: of the start of "rank R"; default 0.
        bounds: (low, high) with low ≤ 1 ≤ high, of every strength or scale of the diagonal; default (0, 2) of strengths
            and directions, none of the diagonal.
        ridge: weight of ½ ‖θ − θ₀‖², θ₀ the identity, 0 to 1e12; default 0, but where a strategy in head space or class
            vectors has more numbers than there are images.
        hold: strengths that stay as given, a mapping from heads in any spelling to numbers within the bounds, while the
            others are solved for; default none.
        layers: whose heads “strengths all” scales: a list, or a negative int for the last |n|; default the last four
            that are kept.
        keep: which images locality holds at what is said of them now: the "right" ones, or "all", which leaves nothing
            to mend but the cross-entropy: α is then 0 (R25's ablation without the ablated model, App. B, Fig. 4);
            default "right".
        space: where the matrix of "full" or "rank R" stands: behind the "embedding", E M, or in the "projection"
            itself, P + M or P + A B (R25 App. D), which reads directions that P throws away and needs parts with pooled
            vectors (`tk.extract(…, pooled=True)`); default "embedding".
        name: for people; default "", which shows the weights.
        device: where it is solved; default "cpu".
        convention: "separate" or "reference"; default that of `acts`.
        check: called with (steps done, of); what it raises ends the work; default nothing.

    Returns:
        `Edit`: .theta [d], .success, .locality, .history, .fold(model), .save(path).

    Raises:
        InputError: where no image is wrong in this way, without heads (for α > 0, and to scale), for a head named
            twice, one class, bounds that exclude 1, strengths held of heads that are not scaled, and weights below 0 or
            NaN.

    >>> import toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
    >>> tk.edit(few, tk.classes(["waterbird", "landbird"]), "L3.H7 L3.H5", steps=20).theta.shape
    torch.Size([96])
    >>> made = tk.edit(few, tk.classes(["waterbird", "landbird"]), "L3.H7 L3.H5", strategy="strengths")
    >>> list(made.strengths)
    ['L3.H7', 'L3.H5']
    """
    images = judged(acts, classes, "edit", convention)
    asked = known_pairs(classes, true, predicted, pairs, images)
    strategy = in_space(strategy, space)
    problem = edit_problem(acts, classes, heads, asked, logit_scale, convention, layers=layers, keep=keep)
    held = None if held_out is None and not unrelated else judged_on(problem, held_out, unrelated)
    return fit(
        problem, alpha, beta, steps, strategy, held=held, nonnegative=nonnegative, allowance=allowance, rate=rate,
        seed=seed, bounds=bounds, ridge=ridge, hold=hold, name=name, device=device, check=check,
    )  # fmt: skip
