"""What a head's contribution varies with: the share of its variance that a factor explains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.core.parts import Parts
from toolkit.core.precision import full_precision
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class HeadRoles:
    """η² of every head and factor. Made by `head_roles`.

    Attributes:
        factors: their names [f].
        shares: share of the variance of a head's contribution c^{l,h} (all d coordinates together) that lies between
            the images of different values of the factor, 0 to 1 [f, l, h].
        variance: that variance, E‖c − c̄‖², on the scale of the parts [l, h].
        n: images that have a value [f].
    """

    factors: tuple[str, ...]
    shares: NDArray[np.float64]
    variance: NDArray[np.float64]
    n: tuple[int, ...]

    def of(self, factor: str) -> NDArray[np.float64]:
        """The shares of one factor [l, h].

        Arguments:
            factor: its name.
        """
        if factor not in self.factors:
            raise InputError("HeadRoles.of", repr(factor), ", ".join(self.factors), "name one of these factors")
        return self.shares[self.factors.index(factor)]

    def leading(self) -> list[tuple[str, str, float]]:
        """(head, factor, share) of the factor that explains most of every head, the largest share first; without heads
        that never vary.
        """
        shares, (layers, heads) = np.nan_to_num(self.shares, nan=-1.0), self.variance.shape
        best = shares.argmax(0)
        rows = [
            (f"L{i}.H{j}", self.factors[best[i, j]], float(shares[best[i, j], i, j]))
            for i in range(layers)
            for j in range(heads)
            if shares[best[i, j], i, j] >= 0
        ]
        return sorted(rows, key=lambda row: -row[2])

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per head: its variance and the share of every factor."""
        import pandas

        layers, heads = self.variance.shape
        names = [f"L{i}.H{j}" for i in range(layers) for j in range(heads)]
        columns = {f: s.ravel() for f, s in zip(self.factors, self.shares, strict=True)}
        return pandas.DataFrame({"variance": self.variance.ravel(), **columns}, index=pandas.Index(names, name="head"))


@full_precision
def head_roles(parts: Parts, factors: Mapping[str, Any]) -> HeadRoles:
    """How much of every head's variance each factor explains: η² = Σ_g n_g ‖c̄_g − c̄‖² / Σ ‖c − c̄‖², over all of d.

    η² is at least (groups − 1)/(n − 1) by chance, and shares of different factors only add up where the factors are
    independent of each other, as in `tk.scenes(kind="factorial")`. A head whose contribution never varies has share
    nan.

    Arguments:
        parts: of b images (`Parts`).
        factors: name → one value per image [b] (a data frame of factors serves); images whose value is None, nan or
            negative are left out of that factor.

    Returns:
        `HeadRoles`: .shares [f, l, h], .variance [l, h], .leading().

    >>> import toolkit as tk
    >>> data = tk.scenes("val", n=40, kind="factorial")
    >>> tk.head_roles(tk.decompose(tk.load(), data), data.factors[["background", "light"]]).shares.shape
    (2, 4, 8)
    """
    b, layers, heads, _ = parts.mixes.shape
    coded = {str(name): _codes(str(name), values, b) for name, values in factors.items()}
    shares = np.full((len(coded), layers, heads), np.nan)
    variance = np.zeros((layers, heads))
    for layer in range(layers):
        c = parts.layer(layer).double()
        variance[layer] = (c - c.mean(0)).square().sum(-1).mean(0).cpu().numpy()
        for at, codes in enumerate(coded.values()):
            kept = torch.as_tensor(codes >= 0, device=c.device)
            some = c[kept] - c[kept].mean(0)
            onehot = torch.nn.functional.one_hot(torch.as_tensor(codes[codes >= 0], device=c.device)).double()
            means = torch.einsum("ng,nhd->ghd", onehot, some) / onehot.sum(0)[:, None, None]
            between = (means.square().sum(-1) * onehot.sum(0)[:, None]).sum(0)
            total = some.square().sum(-1).sum(0)
            floor = 1e-12 * c[kept].square().sum(-1).sum(0)  # rounding of a head that writes a constant
            shares[at, layer] = torch.where(total > floor, between / total, torch.nan).cpu().numpy()
    return HeadRoles(tuple(coded), shares, variance, tuple(int((codes >= 0).sum()) for codes in coded.values()))


def _codes(name: str, values: Any, b: int) -> NDArray[np.int64]:
    """Values as 0…g − 1, −1 where there is none."""
    import pandas

    column = pandas.Series(list(values))
    if len(column) != b:
        raise InputError(
            "head_roles", f"{len(column)} values of {name!r}", f"{b}, one per image", "use the same images"
        )
    if pandas.api.types.is_numeric_dtype(column) and not pandas.api.types.is_bool_dtype(column):
        column = column.where(column >= 0)
    codes, uniques = pandas.factorize(column)
    if len(uniques) < 2:
        raise InputError(
            "head_roles", f"factor {name!r} with {len(uniques)} value", "at least two values", "leave this factor out"
        )
    return np.asarray(codes, np.int64)
