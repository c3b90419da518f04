"""`tk.legrad`, `tk.game`, `tk.rollout`, `tk.attention_map`: maps from attention, of the unchanged model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.checks import check_model
from toolkit.api.where.attribution import Frames, TokenAttribution
from toolkit.api.where.map_input import batches, enough_memory, images_of, some_heads
from toolkit.api.where.target import Target, target_of
from toolkit.core import gradients
from toolkit.core.attention import AttentionCapture
from toolkit.core.heads import HeadSet, which_layers
from toolkit.core.precision import full_precision
from toolkit.errors import InputError, UnsupportedModelError
from toolkit.models.images import Images
from toolkit.models.model import Model

Rule = Callable[[AttentionCapture, Tensor, Tensor, Tensor, tuple[int, ...]], Tensor]


@full_precision
def legrad(
    model: Model, images: Any, text: Any, against: Any = None, heads: Any = None, *,
    layers: Any = None, signed: bool = False, batch_size: int = 4,
) -> TokenAttribution:  # fmt: skip
    """LeGrad: the gradient of the cosine with respect to every layer's attention (arXiv 2404.03214).

    The cosine is read off after every layer; positive part, mean over heads, queries and layers. The maps sum to
    nothing.

    Arguments:
        model: a live one (`Model`).
        images: one image (PIL, a sample or a path: the result has no image axis), or several in any form.
        text: a text, a vector [d], or a class of the set given as `against`.
        against: what is taken away: a text, several (their mean), a vector, a class set (the mean of its other
            classes); default nothing.
        heads: mean over these alone, in any spelling; default all.
        layers: instead of heads, the layers the mean is over: a list, or a negative int for the last |n|; default all,
            as in the paper (the authors' code takes the last two).
        signed: keep the negative part too; default False.
        batch_size: images at a time; the attention of all layers is kept (a ViT-L/14: 100 MB an image, and its
            gradient); default 4.

    Returns:
        `TokenAttribution`: .values [b, rows, cols].

    >>> import toolkit as tk
    >>> tk.legrad(tk.load(), tk.scenes("test", n=2), "a bird").values.shape
    (2, 8, 8)
    """

    def rule(seen: AttentionCapture, output: Tensor, t: Tensor, weights: Tensor, which: tuple[int, ...]) -> Tensor:
        return gradients.legrad(seen, output, t, weights, which, signed)

    kind = "gradients with respect to attention" + ("" if signed else ", positive part")
    return _explained("legrad", "LeGrad", kind, rule, model, images, text, against, heads, layers, batch_size)


@full_precision
def game(
    model: Model, images: Any, text: Any, against: Any = None, heads: Any = None, *,
    layers: Any = None, signed: bool = False, batch_size: int = 4,
) -> TokenAttribution:  # fmt: skip
    """Generic attention explainability: attention times its gradient, carried through the layers (Chefer et al. 2021).

    R ← R + Ā R, Ā the mean over heads of the positive part. The maps sum to nothing.

    Arguments:
        model: a live one (`Model`).
        images: one image (PIL, a sample or a path: the result has no image axis), or several in any form.
        text: a text, a vector [d], or a class of the set given as `against`.
        against: what is taken away: a text, several (their mean), a vector, a class set (the mean of its other
            classes); default nothing.
        heads: mean over these alone, in any spelling; default all.
        layers: instead of heads, the layers it is carried through: a list, or a negative int for the last |n|; default
            all (the authors' CLIP notebook takes layers=−1).
        signed: keep the negative part too; default False.
        batch_size: images at a time; default 4.

    Returns:
        `TokenAttribution`: .values [b, rows, cols].

    >>> import toolkit as tk
    >>> tk.game(tk.load(), tk.scenes("test", n=2), "a bird", layers=-1).values.shape
    (2, 8, 8)
    """
    check_model(model, "game")

    def rule(seen: AttentionCapture, output: Tensor, t: Tensor, weights: Tensor, which: tuple[int, ...]) -> Tensor:
        return gradients.game(seen, output, t, weights, which, signed, model.tower)

    kind = "attention × its gradient" + ("" if signed else ", positive part") + ", carried through the layers"
    return _explained("game", "GAME", kind, rule, model, images, text, against, heads, layers, batch_size)


@full_precision
def rollout(
    model: Model, images: Any, text: Any = None, against: Any = None, heads: Any = None, *,
    layers: Any = None, batch_size: int = 4,
) -> TokenAttribution:  # fmt: skip
    """Attention rollout: the product over layers of (mean attention + identity) / 2 (Abnar and Zuidema 2020).

    The text changes nothing: a baseline. The maps sum to nothing.

    Arguments:
        model: a live one (`Model`).
        images: one image (PIL, a sample or a path: the result has no image axis), or several in any form.
        text: names the target, changes no value; default any text.
        against: names the target, changes no value; default nothing.
        heads: mean over these alone, in any spelling; default all.
        layers: instead of heads, the layers of the product: a list, or a negative int for the last |n|; default all.
        batch_size: images at a time; default 4.

    Returns:
        `TokenAttribution`: .values [b, rows, cols].

    >>> import toolkit as tk
    >>> tk.rollout(tk.load(), tk.scenes("test", n=2)).values.shape
    (2, 8, 8)
    """
    check_model(model, "rollout")

    def rule(seen: AttentionCapture, output: Tensor, t: Tensor, weights: Tensor, which: tuple[int, ...]) -> Tensor:
        return gradients.rollout(seen, weights, which, model.tower)

    kind = "share of attention, the same for every text"
    return _explained("rollout", "rollout", kind, rule, model, images, text, against, heads, layers, batch_size)


@full_precision
def attention_map(
    model: Model, images: Any, text: Any = None, against: Any = None, heads: Any = None, *,
    layers: Any = None, batch_size: int = 4,
) -> TokenAttribution:  # fmt: skip
    """What the pooled position attends to: mean over heads.

    The text changes nothing: a baseline. The maps sum to nothing.

    Arguments:
        model: a live one (`Model`).
        images: one image (PIL, a sample or a path: the result has no image axis), or several in any form.
        text: names the target, changes no value; default any text.
        against: names the target, changes no value; default nothing.
        heads: mean over these alone, in any spelling; default all of the layers.
        layers: instead of heads, all heads of these layers: a list, or a negative int for the last |n|; default the
            last layer.
        batch_size: images at a time; default 4.

    Returns:
        `TokenAttribution`: .values [b, rows, cols].

    >>> import toolkit as tk
    >>> tk.attention_map(tk.load(), tk.scenes("test", n=2), heads="L2.H6").values.shape
    (2, 8, 8)
    """
    check_model(model, "attention_map")

    def rule(seen: AttentionCapture, output: Tensor, t: Tensor, weights: Tensor, which: tuple[int, ...]) -> Tensor:
        return gradients.raw_attention(seen, weights, which, model.tower)

    kind = "share of attention, the same for every text"
    where = -1 if heads is None and layers is None else layers
    return _explained("attention_map", "attention", kind, rule, model, images, text, against, heads, where, batch_size)


def _explained(
    operation: str, name: str, kind: str, rule: Rule, model: Model, images: Any, text: Any, against: Any, heads: Any,
    layers: Any, size: int,
) -> TokenAttribution:  # fmt: skip
    check_model(model, operation)
    if model.card.pool == "attention_trunk":
        given = f"{model.card.id!r}, whose pool is frozen"
        fix = 'use model.view("pool"), or tk.token_map, which follows the frozen pool'
        raise UnsupportedModelError(operation, given, "attention that ends in one row of tokens", fix)
    source, single = images_of(model, images, operation)
    blind = operation in ("rollout", "attention_map")
    if blind and text is None:
        target = Target(torch.zeros(model.card.embed_dim, dtype=torch.float32), "any text", False)
    else:
        target = target_of(model, text, against, operation)
    chosen, which, weights = selected(model, heads, layers, operation)
    rows, columns = model.card.grid
    maps, totals = [], []
    for batch in batches(source, size, operation):
        # whatever mode the caller is in; and no graph for what needs no gradient
        with enough_memory(operation, len(batch)), torch.inference_mode(False), torch.set_grad_enabled(not blind):
            direction = target.direction.clone()
            capture, output = model.explicit(batch)
            raw = rule(capture, output, direction, weights, which)
            read = F.normalize(gradients.wide(output.detach()), dim=-1)
            score = read @ direction.to(read)
            maps.append(raw.detach()[:, model.card.prefix :].double().unflatten(1, (rows, columns)).cpu().numpy())
            totals.append(score.double().cpu().numpy())
    values = np.concatenate(maps)
    if not np.isfinite(values).all():
        raise InputError(operation, "a map with NaN or infinite values", "finite maps", "look for NaN weights")
    how = {"layers": list(which)}
    return attribution(model, source, single, target, chosen, values, np.concatenate(totals), name, kind, how)


def selected(model: Model, heads: Any, layers: Any, operation: str) -> tuple[HeadSet | None, tuple[int, ...], Tensor]:
    """The heads asked for (None: all), the layers to go through in order, and weights [l, h] of 0 and 1."""
    card = model.card
    if heads is not None and layers is not None:
        raise InputError(operation, "heads and layers", "one of the two", "leave one out")
    if heads is None:
        which = tuple(sorted(which_layers(layers, card.layers, operation)))
        return None, which, torch.ones(card.layers, card.heads, dtype=torch.float32)
    chosen = some_heads(heads, card.layers, card.heads, operation)
    return chosen, tuple(sorted({layer for layer, _ in chosen})), 1 - chosen.scale(card.layers, card.heads, 0.0)


def attribution(
    model: Model, source: Images, single: bool, target: Target, heads: HeadSet | None, values: NDArray[np.float64],
    total: NDArray[np.float64], method: str, scale: str, how: dict[str, Any],
) -> TokenAttribution:  # fmt: skip
    """Maps of a method that adds up to nothing."""
    card, b = model.card, len(values)
    settings = {"model": card.id, "fingerprint": card.fingerprint, "state": "base", **how}
    made = TokenAttribution(
        values, np.zeros((b, 0)), (), total, method, target.words, scale, False,
        Frames(source.frame, range(b)), target.array, heads, None, tuple(source.ids), settings,
        source.picture,
    )  # fmt: skip
    return made[0] if single else made
