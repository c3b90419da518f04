"""An image embedding as a named, exact sum of parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from toolkit.core.capture import Trace
from toolkit.core.precision import full_precision
from toolkit.core.readout import Readout
from toolkit.core.state import State, state_of
from toolkit.errors import InputError

if TYPE_CHECKING:
    import xarray

Convention = Literal["separate", "reference"]
Scale = Literal["unit", "raw"]
CONVENTIONS: tuple[Convention, ...] = ("separate", "reference")


@dataclass(frozen=True, eq=False)
class Parts:
    """The embeddings of b images as a sum over heads, MLPs, biases and a constant (G24 eq. 4–5, R25 eq. 1–4).

    `heads.sum((1, 2)) + mlps.sum(1) + biases.sum(1) + constant + residual == embedding`, exactly; `residual` is what
    floating point lost and `error` its largest relative size.

    Attributes:
        mixes: head mixes before the output projection [b, l, h, k].
        mlps: the embedding term (0), then every MLP [b, m, d], m = l + 1 (of the heads of an attention pool alone: its
            MLP, or nothing; of a trunk behind a frozen pool, that pool's MLP last).
        biases: attention output biases [b, l, d].
        constant: the last norm's bias [b, d].
        embedding: unit norm with scale="unit", the model's own with "raw" [b, d].
        norm: R = ‖E‖ before any scaling [b].
        sigma: the last LayerNorm's scale [b].
        mu: the last LayerNorm's mean [b].
        convention: "separate" or "reference" (methods §1).
        scale: "unit" or "raw".
        readout: the linear map from what the parts write to the joint space.
        ids: of the images; default none.
        model: its name and fingerprint; default "".

    >>> import toolkit as tk
    >>> tk.decompose(tk.load(), tk.scenes("test", n=2)).mlps.shape
    torch.Size([2, 5, 96])
    """

    mixes: Tensor
    mlps: Tensor
    biases: Tensor
    constant: Tensor
    embedding: Tensor
    norm: Tensor
    sigma: Tensor
    mu: Tensor
    convention: Convention
    scale: Scale
    readout: Readout
    ids: tuple[str, ...] = ()
    model: str = ""

    @cached_property
    @full_precision
    def heads(self) -> Tensor:
        """Head contributions [b, l, h, d], made from the mixes when first asked for."""
        return torch.einsum("blhk,lhkd->blhd", self._scaled_mixes, self._map) + self._shares[:, :, None]

    @full_precision
    def layer(self, layer: int) -> Tensor:
        """Head contributions of one layer [b, h, d], without making those of the others.

        Arguments:
            layer: which, from 0.
        """
        return (
            torch.einsum("bhk,hkd->bhd", self._scaled_mixes[:, layer], self._map[layer]) + self._shares[:, layer, None]
        )

    @cached_property
    @full_precision
    def total(self) -> Tensor:
        """The sum of all parts [b, d]; never builds the heads one by one."""
        # one product over all heads: the einsum "blhk,lhkd->bd" copies the map first
        heads = self._scaled_mixes.flatten(1) @ self._map.flatten(0, 2) + self._shares.sum(1) * self.mixes.shape[2]
        return heads + self.mlps.sum(1) + self.biases.sum(1) + self.constant

    @property
    def residual(self) -> Tensor:
        """embedding − total [b, d]: rounding, and nothing else."""
        return self.embedding - self.total

    @cached_property
    def error(self) -> float:
        """The largest ‖residual‖ / ‖embedding‖ of the images."""
        return float((self.residual.norm(dim=-1) / self.embedding.norm(dim=-1)).max())

    @full_precision
    def toward(self, directions: Tensor) -> Tensor:
        """Every head's contribution along t directions [b, l, h, t], in head space (never d numbers a head).

        The result is on the cosine scale for unit directions.

        Arguments:
            directions: [t, d], or [d] (then the last axis is dropped).

        Raises:
            InputError: for directions of another shape.

        >>> import toolkit as tk
        >>> model = tk.load()
        >>> water, land = model.encode_text(["water", "land"])
        >>> tk.decompose(model, tk.scenes("test", n=3)).toward(water - land).shape
        torch.Size([3, 4, 8])
        """
        try:
            directions = torch.as_tensor(directions).to(self.mixes)
        except (TypeError, ValueError, RuntimeError) as error:
            fix = "encode texts first: model.encode_text([…])"
            raise InputError("toward", f"a {type(directions).__name__}", "directions [t, d] or [d]", fix) from error
        flat = directions.ndim == 1
        if directions.ndim not in (1, 2) or directions.shape[-1] != self.embedding.shape[-1]:
            d = self.embedding.shape[-1]
            raise InputError(
                "toward",
                f"directions of shape {tuple(directions.shape)}",
                f"[t, {d}] or [{d}]",
                "encode them with the same model",
            )
        t = directions[None] if flat else directions
        out = torch.einsum("blhk,lhkt->blht", self._scaled_mixes, self._map @ t.T) + (self._shares @ t.T)[:, :, None]
        return out[..., 0] if flat else out

    @full_precision
    def of(self, heads: Tensor) -> Tensor:
        """The sum of head contributions with weights [b, d].

        Arguments:
            heads: a weight for every head [l, h].
        """
        weights = heads.to(self.mixes)
        mixed = torch.einsum("blhk,lh,lhkd->bd", self._scaled_mixes, weights, self._map)
        return mixed + (self._shares * weights.sum(1)[None, :, None]).sum(1)

    def to_xarray(self) -> xarray.Dataset:
        """Every part as a labelled array: dimensions image, layer, head, term ("embedding", "mlp 0", …) and d."""
        import xarray

        b, layers = len(self.embedding), self.mixes.shape[1]
        terms = term_names(self.mlps.shape[1], layers)
        dims = {
            "heads": ("image", "layer", "head", "d"), "mlps": ("image", "term", "d"), "biases": ("image", "layer", "d"),
            "constant": ("image", "d"), "embedding": ("image", "d"), "residual": ("image", "d"), "norm": ("image",),
        }  # fmt: skip
        arrays = {name: (axes, _numpy(getattr(self, name))) for name, axes in dims.items()}
        coords = {
            "image": list(self.ids or range(b)),
            "layer": range(layers),
            "head": range(self.mixes.shape[2]),
            "term": terms,
        }
        attrs = {"convention": self.convention, "scale": self.scale, "model": self.model, "relative_error": self.error}
        return xarray.Dataset(arrays, coords=coords, attrs=attrs)

    def __repr__(self) -> str:
        b, layers, heads, k = self.mixes.shape
        return (
            f"Parts({b} images, {layers} layers × {heads} heads × {k}, d = {self.embedding.shape[-1]},"
            f" convention={self.convention!r}, scale={self.scale!r}, sum − embedding ≤ {self.error:.1e} relative)"
        )

    @cached_property
    def _unit(self) -> Tensor:
        """1 / (σR) (1/σ on the raw scale) [b]."""
        return 1 / (self.sigma * self.norm) if self.scale == "unit" else 1 / self.sigma

    @cached_property
    def _scaled_mixes(self) -> Tensor:
        return self.mixes * self._unit[:, None, None, None]

    @property
    def _map(self) -> Tensor:
        return self.readout.head_map if self.convention == "separate" else self.readout.head_map_uncentred

    @cached_property
    def _shares(self) -> Tensor:
        """[b, l, d]: what every head of a layer gets of b_O, μ and β besides its mix; zero in `separate`."""
        if self.convention == "separate":
            return self.biases.new_zeros(()).expand(self.biases.shape)
        n, h = self.readout.residual_terms, self.mixes.shape[2]
        share = self._unit[:, None, None] * self.readout.bias_map_uncentred[None] / h
        return share + _norm_share(self.readout, self._unit, self.mu, self.norm, self.scale, n * h)[:, None]


def term_names(count: int, layers: int) -> list[str]:
    """What the terms besides the heads are: "embedding", "mlp 0" …, "pool mlp" of an attention pool (where nothing
    else is, the only one).
    """
    if count <= layers:
        return ["pool mlp"] if count == 1 else [f"term {i}" for i in range(count)]
    return ["embedding", *(f"mlp {i}" for i in range(layers)), "pool mlp"][:count]


def _numpy(t: Tensor) -> np.ndarray:
    return t.detach().cpu().numpy()


def _norm_share(readout: Readout, unit: Tensor, mu: Tensor, norm: Tensor, scale: Scale, count: int) -> Tensor:
    """[b, d]: one of `count` equal shares of the last norm's mean and bias."""
    beta = readout.constant[None] / (norm[:, None] if scale == "unit" else 1.0)
    return (beta - (unit * mu)[:, None] * readout.mean_map[None]) / count


@full_precision
def parts_from(
    kept: State | Trace,
    readout: Readout,
    convention: Convention = "separate",
    scale: Scale = "unit",
    ids: tuple[str, ...] = (),
    model: str = "",
) -> Parts:
    """The parts of images from what was kept of them, or from a whole trace.

    convention: "separate" (default): every part drops its own mean, biases and the norm's bias are parts of their own;
    "reference": the public code's, which shares b_O, μ and β out equally over parts and heads. The two agree in their
    sum. scale: "unit" (default) divides everything by R = ‖E‖; "raw" keeps the model's scale.
    """
    for name, value, allowed in (("convention", convention, CONVENTIONS), ("scale", scale, ("unit", "raw"))):
        if value not in allowed:
            raise InputError(
                "decompose", f"{name}={value!r}", " or ".join(map(repr, allowed)), f"pass one of these as {name}"
            )
    state = kept if isinstance(kept, State) else state_of(kept, readout)
    if convention == "reference" and state.biases is not None:
        given = "convention='reference' for a tower whose attention biases write something else for every image"
        fix = "use 'separate'; the public code knows neither post-norm blocks nor frozen attention pools"
        raise InputError("decompose", given, "'separate'", fix)
    norm = state.output.norm(dim=-1)
    unit = 1 / (state.sigma * norm) if scale == "unit" else 1 / state.sigma
    embedding = state.output / norm[:, None] if scale == "unit" else state.output
    if convention == "separate":
        mlps = state.mlps * unit[:, None, None]
        biases = (readout.bias_map[None] if state.biases is None else state.biases) * unit[:, None, None]
        constant = readout.constant[None] / norm[:, None] if scale == "unit" else readout.constant.expand(len(norm), -1)
    else:
        mlps = (state.mlps + state.means[..., None] * readout.mean_map) * unit[:, None, None]
        if readout.normed:  # without a last norm the constant is shared by the heads alone
            mlps = mlps + _norm_share(readout, unit, state.mu, norm, scale, readout.residual_terms)[:, None]
        biases = torch.zeros_like(unit)[:, None, None] * readout.bias_map[None]
        constant = torch.zeros_like(embedding)
    return Parts(
        state.mixes, mlps, biases, constant, embedding, norm, state.sigma, state.mu, convention, scale, readout, ids,
        model,
    )  # fmt: skip
