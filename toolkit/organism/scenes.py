"""The built-in world as samples: pictures, labels, groups, factors and pixel masks."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.core.precision import full_precision
from toolkit.data.samples import Samples
from toolkit.errors import InputError
from toolkit.organism.backgrounds import SIZE
from toolkit.organism.draws import SPLITS, Draws
from toolkit.organism.factors import CLASSES, FACTORS, Mixture, draw_factors, group_names
from toolkit.organism.render import render

if TYPE_CHECKING:
    import pandas
    from torch import Tensor

KEPT = 10_000


class Scenes(Samples):
    """Procedural scenes of which everything is known. Made by `tk.scenes`.

    Sample i depends on (split, seed, i) and the mixture alone, never on how many were asked for.
    """

    @full_precision
    def __init__(self, split: str, seed: int, index: NDArray[np.int64], mixture: Mixture) -> None:
        self.seed, self.numbers, self.mixture = seed, index, mixture
        self._draws = Draws(split, seed, index)
        self._factors = draw_factors(self._draws, mixture)
        # room for all from the start, which costs no memory until it is painted: threads that read paint into one
        self._kept = torch.empty(len(index) if len(index) <= KEPT else 0, 3, SIZE, SIZE, dtype=torch.uint8)
        self._painted = np.zeros(len(index), bool)
        changed = {k: v for k, v in vars(mixture).items() if v != getattr(Mixture(), k)}
        mark = "".join(f"-{k}{v:g}" for k, v in changed.items())
        ids = [f"{split}-{seed}{mark}-{i:06d}" for i in index]
        labels = [CLASSES[c] for c in self._factors["class"]]
        super().__init__(ids, labels, group_names(self._factors).tolist(), split)

    @full_precision
    def pixels(self, rows: Sequence[int]) -> Tensor:
        """uint8 [n, 3, 64, 64], painted when first asked for and kept (12 kB an image) up to KEPT images."""
        if len(self) > KEPT:
            return render(*self._some(rows)).pixels
        new = np.unique([row for row in rows if not self._painted[row]]).astype(np.int64)
        if len(new):
            self._kept[new] = render(*self._some(new.tolist())).pixels
            self._painted[new] = True
        return self._kept[np.asarray(rows, np.int64)]

    @full_precision
    def masks(self, rows: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
        """Where the object is, bool [n, 64, 64], and its parts, uint8 [n, 64, 64] (index into shapes.PARTS)."""
        picture = render(*self._some(range(len(self)) if rows is None else rows), masks=True)
        assert picture.object is not None
        assert picture.parts is not None
        return picture.object, picture.parts

    def take(self, rows: Sequence[int]) -> Self:
        at = np.asarray(rows, np.int64)
        found = type(self)(self.split, self.seed, self.numbers[at], self.mixture)
        if len(self) <= KEPT and len(at) <= KEPT:
            painted = self._painted[at]
            found._kept[painted] = self._kept[at[painted]]
            found._painted[painted] = True
        return found

    @property
    def factors(self) -> pandas.DataFrame:
        """Every factor in words, one row per image; neck, bill and feet are None where there is no bird."""
        import pandas

        words = {name: np.array([*values, None], dtype=object)[self._factors[name]] for name, values in FACTORS.items()}
        return pandas.DataFrame({"id": self.ids, **words})

    def _some(self, rows: Sequence[int]) -> tuple[Draws, dict[str, NDArray[np.int64]]]:
        at = np.asarray(rows, np.int64)
        return self._draws.take(at), {name: values[at] for name, values in self._factors.items()}


KINDS = {
    "world": Mixture(),
    "birds": Mixture(birds=1.0),
    "unrelated": Mixture(birds=0.0),
    "factorial": Mixture(factorial=True),
}


def scenes(
    split: str = "test", n: int = 3000, seed: int = 0, *, kind: str = "world",
    birds: float | None = None, rho: float | None = None, home: float | None = None,
) -> Scenes:  # fmt: skip
    """n scenes of the built-in world: pictures with labels, groups, factors and pixel masks (`Scenes`).

    The built-in world demonstrates and tests the toolkit; it is no evidence for any method.

    Arguments:
        split: "train", "val", "edit" or "test"; splits never share an image; default "test".
        n: how many, at least 1; default 3,000.
        seed: of the world, 0 to 2³² − 1; default 0.
        kind: "world", half birds and half 18 other classes; "birds"; "unrelated", the 18 other classes alone, to see
            what an edit of birds costs elsewhere; "factorial", every factor uniform and independent of every other
            (neck, bill and feet too; the class of a bird is what two of the three say), to measure what heads respond
            to; default "world".
        birds: share of waterbirds and landbirds, 0 to 1, of the world alone; default 0.5.
        rho: share of birds on the background that matches their class, 0 to 1, of every kind but "factorial"; default
            0.5, no correlation.
        home: share of the other classes on a background typical of them, 0 to 1, of every kind but "factorial"; default
            0.8.

    Raises:
        InputError: for anything else.

    >>> import toolkit as tk
    >>> tk.scenes("test", n=4, birds=1.0)[0].image.size
    (64, 64)
    """
    if split not in SPLITS:
        raise InputError("scenes", f"split={split!r}", ", ".join(map(repr, SPLITS)), "name one of these")
    n, seed = (operator.index(x) if hasattr(x, "__index__") and not isinstance(x, bool) else x for x in (n, seed))
    if not isinstance(n, int) or n < 1:
        raise InputError("scenes", f"n={n!r}", "a whole number of at least 1", "ask for at least one scene")
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise InputError("scenes", f"seed={seed!r}", "a whole number from 0 to 2³² − 1", "pass such a seed")
    if kind not in KINDS:
        raise InputError("scenes", f"kind={kind!r}", ", ".join(map(repr, KINDS)), "name one of these")
    given: dict[str, Any] = {k: v for k, v in (("birds", birds), ("rho", rho), ("home", home)) if v is not None}
    fixed = {"world": (), "factorial": ("birds", "rho", "home")}.get(kind, ("birds",))
    for name, value in given.items():
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InputError("scenes", f"{name}={value!r}", "a share between 0 and 1", "pass such a share")
        if name in fixed:
            raise InputError(
                "scenes", f"{name}={value!r} with kind={kind!r}", f"{name} left out", "drop one of the two"
            )
    return Scenes(split, seed, np.arange(n), replace(KINDS[kind], **given))
