"""`Frontier`: success against locality over a grid of α and β."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.edit.result import Edit, fit
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

    from toolkit.api.edit.held_out import HeldOut
    from toolkit.api.edit.problem import EditProblem
    from toolkit.api.images.acts import Acts

Array = NDArray[np.float64]
Measure = Literal["success", "worst", "like", "locality", "agreement"]
MEASURES: tuple[Measure, ...] = ("success", "worst", "like", "locality", "agreement")
WORDS = {
    "success": "edit success: accuracy on the target classes", "worst": "edit success: worst group",
    "like": "edit success: images like W now right", "locality": "edit locality: accuracy on other images",
    "agreement": "edit locality: predictions that stay",
}  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A method in the plane of success and locality, measured as `Frontier` measures; all 0 to 1.

    Attributes:
        name: of the method.
        success: accuracy on the target classes.
        worst: accuracy of their worst group.
        like: share of the images like W that are right now.
        locality: accuracy on the other classes.
        agreement: share of their predictions that stay.
    """

    name: str
    success: float
    worst: float
    like: float
    locality: float
    agreement: float


@dataclass(frozen=True, eq=False, repr=False)
class Frontier:
    """Held-out measures of the edits of a grid, made by `tk.frontier`; nan where a cell is not solved yet.

    Attributes:
        alphas: weights of success, rising [a].
        betas: weights of locality, rising [b].
        success: accuracy on the target classes, 0 to 1 [draw, a, b].
        worst: accuracy of their worst group, 0 to 1 [draw, a, b].
        like: share of the images like W that are right now [draw, a, b].
        locality: accuracy on the other classes, 0 to 1 [draw, a, b].
        agreement: share of their predictions that stay [draw, a, b].
        points: methods to compare with: the model as it is, with the heads off, and those added by `point`.
        settings: steps, strategy, logit scale, split and sizes.
    """

    alphas: Array
    betas: Array
    success: Array
    worst: Array
    like: Array
    locality: Array
    agreement: Array
    points: tuple[Point, ...]
    settings: dict[str, Any]
    _problems: tuple[EditProblem, ...]
    _held: tuple[HeldOut, ...]

    @property
    def filled(self) -> float:
        """Share of the cells that are solved."""
        return float(np.isfinite(self.success).mean())

    def of(self, measure: Measure) -> Array:
        """A measure by name [draw, a, b].

        Arguments:
            measure: "success", "worst", "like", "locality" or "agreement".
        """
        if measure not in MEASURES:
            raise InputError(
                "frontier", f"the measure {measure!r}", ", ".join(map(repr, MEASURES)), "name one of these"
            )
        return np.asarray(getattr(self, measure))

    def mean(self, measure: Measure) -> Array:
        """A measure's mean over draws [a, b].

        Arguments:
            measure: as in `.of`.
        """
        return np.asarray(self.of(measure).mean(0))

    @property
    def pareto(self) -> NDArray[np.bool_]:
        """[a, b]: cells no other beats in both success and locality (means over draws)."""
        return self.pareto_of()

    def pareto_of(self, x: Measure = "success", y: Measure = "locality") -> NDArray[np.bool_]:
        """Cells no other beats in both of two measures [a, b].

        Arguments:
            x: one measure, as in `.of`; default "success".
            y: the other; default "locality".
        """
        return pareto(self.mean(x), self.mean(y))

    def band(self, levels: Array | None = None, x: Measure = "success", y: Measure = "locality") -> tuple[Array, Array]:
        """(levels [m], best [draw, m]): for every draw the largest y among its cells with x of at least a level.

        nan where no cell reaches it. The spread over draws is the band of the frontier.

        Arguments:
            levels: of x [m]; default 50 from the least to the most.
            x: one measure, as in `.of`; default "success".
            y: the other; default "locality".
        """
        xs, ys = self.of(x), self.of(y)
        at = np.linspace(np.nanmin(xs), np.nanmax(xs), 50) if levels is None else np.asarray(levels, float)
        best = np.full((len(xs), len(at)), np.nan)
        for i in range(len(xs)):
            for j, level in enumerate(at):
                reached = ys[i][xs[i] >= level - 1e-12]
                if len(reached):
                    best[i, j] = reached.max()
        return at, best

    def edit(self, alpha: float, beta: float, draw: int = 0) -> Edit:
        """The edit at weights of the plane, solved again: the same θ (`Edit`).

        Arguments:
            alpha: weight of success, no unit, 0 to 1e12.
            beta: weight of locality, no unit, 0 to 1e12.
            draw: which of the draws, from 0; default 0.
        """
        if draw not in range(len(self._problems)):
            accepted = f"0…{len(self._problems) - 1}"
            raise InputError("frontier.edit", f"draw={draw!r}", accepted, "name one of the draws")
        names = ("steps", "strategy", "nonnegative", "rate", "seed", "bounds", "ridge", "hold")
        kept = {name: self.settings[name] for name in names}
        return fit(self._problems[draw], alpha, beta, held=self._held[draw], **kept)

    def point(
        self,
        name: str,
        transform: Callable[[Tensor], Tensor] | None = None,
        classes: Tensor | Callable[[Tensor], Tensor] | None = None,
    ) -> Frontier:
        """The same frontier with another method's point: a method is a change of image embeddings and a class matrix.

        It is judged on the held-out images of every draw; the mean is drawn.

        Arguments:
            name: of the method.
            transform: unit embeddings [b, d] → [b, d']; default none.
            classes: vectors [c, d'], or a function of the class vectors [c, d]; default the class vectors themselves.
        """

        def changed(acts: Acts, e: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
            new = e if transform is None else transform(e)
            matrix = texts if classes is None else classes(texts) if callable(classes) else torch.as_tensor(classes)
            shapes = [list(getattr(x, "shape", [])) for x in (new, matrix)]
            if any(len(x) != 2 for x in shapes) or shapes[0][1] != shapes[1][1] or shapes[0][0] != len(e):
                given = f"{name!r}: embeddings {shapes[0]} and classes {shapes[1]}"
                raise InputError("frontier.point", given, f"[{len(e)}, d'] and [{len(texts)}, d']", "let both fit")
            if len(matrix) != len(texts):
                given = f"{name!r}: {len(matrix)} class vectors for {len(texts)} classes"
                raise InputError("frontier.point", given, f"[{len(texts)}, d']", "pass a function of the class vectors")
            return new.to(e), matrix.to(e)

        found = []
        for held in self._held:
            rates = held.changed(changed).rates()
            found.append({m: float(rates[m][0]) for m in MEASURES})
        mean = {m: float(np.mean([row[m] for row in found])) for m in MEASURES}
        return replace(self, points=(*self.points, Point(name, **mean)))

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per draw and cell: draw, alpha, beta, every measure, pareto; split, n_target, n_other."""
        import pandas

        draws, a, b = self.success.shape
        at = np.indices((draws, a, b)).reshape(3, -1)
        columns: dict[str, Any] = {"draw": at[0], "alpha": self.alphas[at[1]], "beta": self.betas[at[2]]}
        columns |= {name: self.of(name).ravel() for name in MEASURES}
        frame = pandas.DataFrame(columns | {"pareto": np.broadcast_to(self.pareto, (draws, a, b)).ravel()})
        sizes = self.settings["sizes"]
        return frame.assign(split=self.settings["split"], n_target=sizes["success"], n_other=sizes["agreement"])

    def __str__(self) -> str:
        s = self.settings
        head = (
            f"frontier of {len(self.alphas)} α × {len(self.betas)} β, {s['strategy']}, {s['steps']} steps, scale"
            f" {s['logit_scale']:g}, {s['draws']} draw{'s' * (s['draws'] > 1)}; split {s['split']!r}, n ="
            f" {s['sizes']['success']} of target, {s['sizes']['agreement']} of other classes (plain"
            f" averages, no intervals), {100 * self.filled:.0f} % solved"
        )
        lines = [head]
        cells = np.argwhere(self.pareto)
        order = cells[np.argsort(self.mean("success")[tuple(cells.T)])] if len(cells) else cells
        for i, j in order.tolist():
            told = ", ".join(f"{name} {100 * self.mean(name)[i, j]:.1f}" for name in MEASURES)
            lines.append(f"  α = {self.alphas[i]:g}, β = {self.betas[j]:g}: {told}")
        lines += [f"  {p.name}: " + ", ".join(f"{n} {100 * getattr(p, n):.1f}" for n in MEASURES) for p in self.points]
        return "\n".join(
            [*lines, "  (percent; the cells that no other beats in both success and locality, then others)"]
        )

    __repr__ = __str__


def pareto(x: Array, y: Array) -> NDArray[np.bool_]:
    """Which entries no other beats in one of x and y without losing in the other; nan never is."""
    both = np.stack([np.ravel(x), np.ravel(y)])
    known = np.isfinite(both[0]) & np.isfinite(both[1])
    least, more = (np.all(both[:, None] >= both[:, :, None], 0), np.any(both[:, None] > both[:, :, None], 0))
    beaten = np.any(np.asarray(least) & np.asarray(more) & known, 1)
    return np.asarray(np.reshape(known & ~np.asarray(beaten), np.shape(x)))
