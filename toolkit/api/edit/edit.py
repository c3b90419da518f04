"""`tk.edit`: fit a change of the image projection to a few images, with success and locality in balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.api.checks import Check, quiet
from toolkit.api.edit.held_out import held_out as judged_on
from toolkit.api.edit.problem import edit_problem
from toolkit.api.edit.result import Edit, fit
from toolkit.api.edit.settings import Pair, known_pairs
from toolkit.api.images.judged import judged
from toolkit.core.parts import Convention
from toolkit.core.solvers import RATE


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
    rate: float = RATE,
    seed: int = 0,
    name: str = "",
    device: Any = "cpu",
    convention: Convention | None = None,
    check: Check = quiet,
) -> Edit:
    """Edit the image projection: minimise L_CE + α L_success + β L_locality over θ (R25 eq. 11–13; methods §4).

    L_success draws the wrong images W to what the model says of them without `heads`, L_locality keeps the right ones C
    ∪ A at what it says now, L_CE draws all of them to their labels. α = β = 0 is standard fine-tuning. θ starts at the
    identity and depends on nothing but these arguments.

    acts: parts of the few labelled images it is made from, ten a class in R25. classes: all classes to tell apart,
    those that should stay as they are too. heads: in any spelling. alpha, beta: 0 (off) to 1e12. steps: of Adam on the
    full batch, default 100; or "converge": L-BFGS to its end, which overfits. strategy: "diagonal" (default), "full",
    "rank R". logit_scale: of g = softmax(scale · cosine); default the checkpoint's, 1 as in R25 (then α, β of 1e3 to
    1e4). true, predicted: the mistake to mend, default all of them; pairs: several mistakes. held_out: parts of other
    images, which `.success` and `.locality` are measured on (default: the images it was made from, and it says so).
    unrelated: by name, parts an edit should leave alone, or (parts, their own class set). nonnegative: keep θ ≥ 0.
    allowance: take the best step that keeps at least 1 − allowance of C ∪ A right. rate: of Adam, 1e-2. seed: of the
    start of "rank R". check: called with (steps done, of); may raise to end it.

    Returns an `Edit`: .theta [d], .success, .locality, .history, .fold(model), .save(path). Raises InputError where no
    image is wrong in this way, without heads (for α > 0), for one class, and weights below 0 or NaN; warns of heads
    that were found under another class set.

    >>> import toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
    >>> tk.edit(few, tk.classes(["waterbird", "landbird"]), "L3.H7 L3.H5", steps=20).theta.shape
    torch.Size([96])
    """
    images = judged(acts, classes, "edit", convention)
    asked = known_pairs(classes, true, predicted, pairs, images.mistakes)
    problem = edit_problem(acts, classes, heads, asked, logit_scale, convention)
    held = None if held_out is None and not unrelated else judged_on(problem, held_out, unrelated)
    return fit(
        problem, alpha, beta, steps, strategy, held=held, nonnegative=nonnegative, allowance=allowance, rate=rate,
        seed=seed, name=name, device=device, check=check,
    )  # fmt: skip
