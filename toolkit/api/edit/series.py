"""`tk.edit_series`: what one weight does, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from toolkit.api.checks import Check, quiet, whole
from toolkit.api.edit.frontier_result import MEASURES, Measure
from toolkit.api.edit.held_out import held_out as judged_on
from toolkit.api.edit.problem import edit_problem
from toolkit.api.edit.result import Edit, fit
from toolkit.api.edit.settings import known_pairs
from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import judged
from toolkit.core.precision import full_precision
from toolkit.errors import InputError
from toolkit.signs import both, sign

if TYPE_CHECKING:
    import pandas

Over = Literal["alpha", "beta"]
SERIES = (0.0, 10.0, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)
"""The weights of R25's Figs 5 and 6."""


@dataclass(frozen=True, eq=False, repr=False)
class EditSeries:
    """Edits over a series of one weight, each followed step by step. Made by `tk.edit_series`.

    Attributes:
        over: "alpha" or "beta", which weight varies.
        values: of it.
        fixed: the other weight.
        edits: by draw and value [draw][value].
        most: rows of a curve at most.
    """

    over: Over
    values: tuple[float, ...]
    fixed: float
    edits: tuple[tuple[Edit, ...], ...]
    most: int

    @cached_property
    def table(self) -> pandas.DataFrame:
        """One row per draw, value and step: draw, alpha, beta, step, success, worst, like, locality, agreement (on
        held-out images), total, corrected, retained (on the few), split, n_target, n_other.
        """
        import pandas

        tables = [
            made.curve(self.most).assign(draw=draw, alpha=made.alpha, beta=made.beta)
            for draw, edits in enumerate(self.edits)
            for made in edits
        ]
        joined = pandas.concat(tables, ignore_index=True)
        first = ["draw", "alpha", "beta", "step"]
        return joined[first + [name for name in joined.columns if name not in first]]

    def to_dataframe(self) -> pandas.DataFrame:
        """The table."""
        return self.table

    def peaks(self, measure: Measure = "worst") -> pandas.DataFrame:
        """One row per value: where the mean curve over draws is highest on the held-out images. It is read off those
        images, so it shows what a curve reaches and is no way to choose a step.

        Columns: the weight, step, the measure there, its standard deviation over draws, locality there, and both at the
        last step.

        Arguments:
            measure: "success", "worst", "like", "locality" or "agreement"; default "worst".
        """
        import pandas

        self._known(measure)
        beside: Measure = "success" if measure == "locality" else "locality"
        rows = []
        for value, some in self.table.groupby(self.over, sort=True):
            by_step = some.groupby("step")
            mean = by_step[[measure, beside]].mean()
            at = mean[measure].idxmax() if mean[measure].notna().any() else mean.index[-1]
            spread = float(by_step[measure].std(ddof=1).loc[at]) if len(self.edits) > 1 else np.nan
            rows.append({
                self.over: value, "step": int(at), measure: mean.loc[at, measure], "sd": spread,
                beside: mean.loc[at, beside], f"{measure} at the end": mean[measure].iloc[-1],
                f"{beside} at the end": mean[beside].iloc[-1],
            })  # fmt: skip
        return pandas.DataFrame(rows)

    def _known(self, measure: str) -> None:
        if measure not in MEASURES:
            given = f"the measure {measure!r:.40}"
            raise InputError("edit_series", given, ", ".join(map(repr, MEASURES)), "name one of these")

    def __repr__(self) -> str:
        other = "beta" if self.over == "alpha" else "alpha"
        first = self.edits[0][0]
        draws = f", mean of {len(self.edits)} draws" if len(self.edits) > 1 else ""
        row = self.table.iloc[0]
        head = (
            f"{first.strategy.name} edits over {self.over}, {other} = {self.fixed:g}, {first.settings['steps']} steps,"
            f" split {row['split']!r}, n = {row['n_target']} of the target classes and {row['n_other']} others{draws}"
        )
        lines = [
            f"  {self.over} = {row[self.over]:g}: worst group highest at step {row['step']}, {100 * row['worst']:.1f} %"
            f" (others {100 * row['locality']:.1f} %); at the end {100 * row['worst at the end']:.1f} %"
            f" ({100 * row['locality at the end']:.1f} %)"
            for row in self.peaks().to_dict("records")
        ]
        return "\n".join([head, *lines])


@full_precision
def edit_series(
    few: Acts | Sequence[Acts], classes: Any, heads: Any = (), alphas: Sequence[float] | None = None,
    betas: Sequence[float] | None = None, alpha: float = 0, beta: float = 0, steps: int = 100,
    strategy: str = "diagonal", *, held_out: Acts, unrelated: Mapping[str, Any] | None = None, pairs: Any = None,
    logit_scale: float | None = None, seed: int = 0, most: int = 51, check: Check = quiet,
    each: Callable[[Edit], None] | None = None,
) -> EditSeries:  # fmt: skip
    """Edits over a series of α, or of β, the other weight held, each followed step by step (R25 App. B, Figs 5 and 6).

    Arguments:
        few: parts of the few labelled images (`Acts`), or a list of draws, over which curves are averaged.
        classes: all classes to tell apart (`tk.classes`).
        heads: which L_success learns from, in any spelling, or a list of head sets, one a draw; default none, which
            needs α = 0.
        alphas: weights of success to go through; default, where no betas are given, 0 and 10 to 1e8 by decades.
        betas: weights of locality to go through, instead; default none.
        alpha: the weight of success where betas vary; default 0.
        beta: the weight of locality where alphas vary; default 0.
        steps: of Adam, at least 1; default 100.
        strategy: as for `tk.edit`; default "diagonal".
        held_out: parts of other labelled images, on which curves are measured.
        unrelated: by name, parts an edit should leave alone, or (parts, their own class set); default none.
        pairs: mistakes (true, predicted) to mend; default all.
        logit_scale: as for `tk.edit`; default the checkpoint's.
        seed: of the start of "rank R"; default 0.
        most: rows of a curve at most, at least 2; default 51.
        check: called with (edits done, of); what it raises ends the work; default nothing.
        each: called with every edit when it is made; default nothing.

    Returns:
        `EditSeries`: .table, .peaks(); `tk.series_matplotlib` draws it.

    Raises:
        InputError: for both series or an empty one, and as for `tk.edit`.

    >>> import toolkit as tk
    >>> names = ["waterbird", "landbird", "cat", "car"]
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
    >>> val = tk.extract(tk.load(), tk.scenes("val", n=200), progress=False)
    >>> found = tk.edit_series(few, tk.classes(names), "L3.H7", alphas=[0, 10], beta=10, steps=5, held_out=val)
    >>> found.peaks()["alpha"].tolist()
    [0.0, 10.0]
    """
    draws = [few] if isinstance(few, Acts) else list(few)
    if not draws:
        raise InputError("edit_series", "an empty list of draws", "parts, or several of them", "pass acts.draw()")
    if alphas is not None and betas is not None:
        given = "alphas= and betas="
        raise InputError("edit_series", given, "one series, the other weight held", "for a grid use tk.frontier")
    over: Over = "alpha" if betas is None else "beta"
    series = [float(x) for x in (betas if betas is not None else SERIES if alphas is None else alphas)]
    if not series or len(set(series)) != len(series):
        raise InputError("edit_series", f"{over}s={series!r:.60}", "different weights, at least one", "name some")
    steps, most = whole("steps", steps, 1, "edit_series"), whole("most", most, 2, "edit_series")
    several = isinstance(heads, list | tuple) and len(heads) == len(draws) > 1
    sets = list(heads) if several else [heads] * len(draws)
    fixed = float(beta if over == "alpha" else alpha)
    made: list[tuple[Edit, ...]] = []
    with sign("solve the series", "edit") as report:
        told = both(report, check)
        for draw, (some, own) in enumerate(zip(draws, sets, strict=True)):
            asked = known_pairs(classes, None, None, pairs, judged(some, classes, "edit_series"))
            problem = edit_problem(some, classes, own, asked, logit_scale, operation="edit_series")
            held = judged_on(problem, held_out, unrelated)
            row = []
            for i, value in enumerate(series):
                told(draw * len(series) + i, len(draws) * len(series))
                weights = (value, fixed) if over == "alpha" else (fixed, value)
                row.append(fit(problem, *weights, steps, strategy, held=held, seed=seed))
                if each is not None:
                    each(row[-1])
            made.append(tuple(row))
        told(len(draws) * len(series), len(draws) * len(series))
    return EditSeries(over, tuple(series), fixed, tuple(made), most)
