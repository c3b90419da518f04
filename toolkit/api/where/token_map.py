"""`tk.token_map`: what every patch of an image gave to a text, through any heads, exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from toolkit.api.checks import check_model
from toolkit.api.images.decompose import exact_sum
from toolkit.api.switch_off.ablate import Strength, strengths
from toolkit.api.where.attribution import Frames, TokenAttribution
from toolkit.api.where.map_input import batches, enough_memory, images_of, some_heads
from toolkit.api.where.target import Target, target_of, vectors_of
from toolkit.core.class_vectors import ClassVectors
from toolkit.core.head_parts import HeadChange
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.heads import HeadSet, which_layers
from toolkit.core.parts import Convention, term_names
from toolkit.core.precision import full_precision
from toolkit.core.projection_strategies import ProjectionChange
from toolkit.core.strategies import Linear, Strategy
from toolkit.core.tokens import TokenParts, TokenState
from toolkit.errors import InputError, UnsupportedModelError
from toolkit.models.images import Images
from toolkit.models.model import Model

if TYPE_CHECKING:
    from toolkit.api.words.spans import Spans


class EditMade(Protocol):
    """What a map needs of an edit: how it changes embeddings, and of which model it is."""

    @property
    def theta(self) -> Tensor: ...

    @property
    def strategy(self) -> Strategy: ...

    @property
    def settings(self) -> dict[str, Any]: ...


SCALE = "cosine units, additive: patches and rest sum to the cosine (difference of cosines); zero is zero"


@full_precision
def token_map(
    model: Model,
    images: Any,
    text: Any,
    against: Any = None,
    heads: Any = None,
    *,
    layers: Any = None,
    convention: Convention = "separate",
    ablate: Any = None,
    strength: Strength = 0.0,
    edit: EditMade | None = None,
    batch_size: int = 16,
) -> TokenAttribution:
    """What every patch gave to the cosine of image and text through the attention heads (G24 §3.3; methods §1).

    It is a_n (v_n · A t) / (σR), signed, with everything else in `.rest`: they sum to the cosine. It is the direct path
    only: what a layer reads from a patch position may have come there from elsewhere in the image.

    Arguments:
        model: a live one (`Model`).
        images: one image (PIL, a sample or a path: the result has no image axis), or several in any form.
        text: a text, a vector [d], or a class of the set given as `against`.
        against: what is taken away: a text, several (their mean), a vector, a class set (the mean of its other
            classes); default nothing.
        heads: whose patches are shown, in any spelling (the others are in `.rest`); default all.
        layers: instead of heads, all heads of these layers: a list, or a negative int for the last |n|; default all.
        convention: "separate" or "reference"; default "separate".
        ablate: heads that are changed while the model runs (total effect), in any spelling; default none.
        strength: what is left of those heads, no unit, 0 to 2; default 0, off.
        edit: an edit made for this model (`tk.edit`): the map is of the edited, normalised embedding; default none.
        batch_size: images at a time; default 16.

    Returns:
        `TokenAttribution`: .values [b, rows, cols], .rest, .total, .by_head [b, l, h, rows, cols].

    >>> import toolkit as tk
    >>> model, image = tk.load(), tk.scenes("test", n=1)[0]
    >>> found = tk.token_map(model, image, "a bird", against="water", heads="L3.H7")
    >>> found.values.shape, bool(abs(found.values.sum() + found.rest.sum() - found.total) < 1e-6)
    ((8, 8), True)
    """
    check_model(model, "token_map")
    source, single = images_of(model, images, "token_map")
    chosen, change = _heads(model, heads, layers), _change(edit, model)
    how = _words(model, convention, ablate, strength, edit)
    with enough_memory("token_map", batch_size):
        target = _aimed(target_of(model, text, against, "token_map"), edit)
        parts = []
        for batch in batches(source, batch_size, "token_map"):
            state = _trace(model, batch, convention, ablate, strength, "token_map")
            parts.append(state.toward(target.direction, change).cpu())
        return _made(model, source, single, target, chosen, TokenParts.cat(parts), how)


@full_precision
def trace_tokens(
    model: Model,
    images: Any,
    *,
    convention: Convention = "separate",
    ablate: Any = None,
    strength: Strength = 0.0,
    batch_size: int = 16,
) -> Traced:
    """Images traced once, for the map of any text and any heads without a forward (G24 §3.3).

    What is kept of an image: layers × heads × tokens × (head_dim + 1) numbers (a ViT-B/16: 7 MB).

    Arguments:
        model: a live one (`Model`).
        images: one image (PIL, a sample or a path: maps have no image axis), or several in any form.
        convention: "separate" or "reference"; default "separate".
        ablate: heads that are changed while the model runs (total effect), in any spelling; default none.
        strength: what is left of those heads, no unit, 0 to 2; default 0, off.
        batch_size: images at a time; default 16.

    Returns:
        `Traced`: .map(text, …), .extremes(spans, head).

    >>> import toolkit as tk
    >>> traced = tk.trace_tokens(tk.load(), tk.scenes("test", n=2))
    >>> traced.map("a bird").values.shape, traced.map("water", heads="L2.H6").values.shape
    ((2, 8, 8), (2, 8, 8))
    """
    check_model(model, "trace_tokens")
    source, single = images_of(model, images, "trace_tokens")
    with enough_memory("trace_tokens", batch_size):
        states = [
            _trace(model, batch, convention, ablate, strength, "trace_tokens")
            for batch in batches(source, batch_size, "trace_tokens")
        ]
    return Traced(model, source, single, states, _words(model, convention, ablate, strength, None))


class Traced:
    """Images whose attention rows and values are kept. Made by `tk.trace_tokens`.

    Attributes:
        model: the model that was traced.
        ids: of the images, () where they have none.
        single: whether it is one image.
    """

    def __init__(
        self, model: Model, source: Images, single: bool, states: list[TokenState], how: dict[str, Any]
    ) -> None:
        self.model, self.ids, self.single = model, source.ids, single
        self._source, self._states, self._how = source, states, how

    def __len__(self) -> int:
        return len(self._source)

    def __repr__(self) -> str:
        return f"Traced({len(self)} images, {self._how['state']} model {self._how['model']})"

    def map(
        self, text: Any, against: Any = None, heads: Any = None, *, layers: Any = None, edit: EditMade | None = None
    ) -> TokenAttribution:
        """The map of a text, as of `tk.token_map` (`TokenAttribution`).

        Arguments:
            text: a text, a vector [d], or a class of the set given as `against`.
            against: what is taken away: a text, several (their mean), a vector, a class set; default nothing.
            heads: whose patches are shown, in any spelling; default all.
            layers: instead of heads, all heads of these layers; default all.
            edit: an edit made for this model; default none.
        """
        with enough_memory("token_map", 1):
            target = _aimed(target_of(self.model, text, against, "token_map"), edit)
            return self._map(target, _heads(self.model, heads, layers), edit)

    def _map(self, target: Target, chosen: HeadSet | None, edit: EditMade | None = None) -> TokenAttribution:
        change = _change(edit, self.model)
        parts = TokenParts.cat([state.toward(target.direction, change).cpu() for state in self._states])
        how = self._how if edit is None else self._how | {"edit": str(edit), "state": _state(self._how["state"], edit)}
        return _made(self.model, self._source, self.single, target, chosen, parts, how)

    def extremes(self, spans: Spans, head: Any, image: int = 0) -> tuple[TokenAttribution, TokenAttribution]:
        """The maps of those of a head's TextSpan texts that it gives the most and the least to, on one image (G24 §5).

        Arguments:
            spans: of `tk.textspan`, on parts of this model.
            head: one head, in any spelling.
            image: which of the images traced, from 0; default 0.

        Raises:
            InputError: for a head without texts, an image there is not, and spans of another model.
        """
        card = self.model.card
        chosen = HeadSet.of(head, card.layers, card.heads).heads
        if len(chosen) != 1 or chosen[0][0] not in spans.layers:
            accepted = f"one head of layers {', '.join(map(str, spans.layers))}"
            raise InputError("extremes", repr(head), accepted, "name one head that has texts")
        if not 0 <= image < len(self):
            raise InputError("extremes", f"image={image!r}", f"0…{len(self) - 1}", "count the images traced")
        layer, number = chosen[0]
        texts = spans.texts[spans.layers.index(layer)][number]
        if not texts:
            raise InputError("extremes", f"{HeadSet(chosen)}, which has no texts", "a head with texts", "take another")
        own, made = spans.settings.get("fingerprint"), self._how["fingerprint"]
        if own and own != made:
            given = f"texts of the heads of another model (fingerprint {own}, not {made})"
            raise InputError("extremes", given, "texts of this model's heads", "run tk.textspan on parts of this model")
        vectors = vectors_of(self.model, texts, "extremes")
        scores = torch.cat([s.parts.toward(vectors) for s in self._states])[image, layer, number]
        best, least = (
            self._map(Target(vectors[at], f"“{texts[at]}”", False, texts[at]), HeadSet(chosen))
            for at in (int(scores.argmax()), int(scores.argmin()))
        )
        return (best, least) if self.single else (best[image], least[image])


def _trace(
    model: Model, batch: Tensor, convention: Convention, ablate: Any, strength: Strength, operation: str
) -> TokenState:
    scale = None
    if ablate is not None:
        card = model.card
        off = some_heads(ablate, card.layers, card.heads, operation)
        scale = strengths(off, strength, card.layers, card.heads)
    tokens = model.tokens(batch, scale)
    return exact_sum(model, lambda read: TokenState(tokens, read, convention), lambda s: s.parts.error, operation)


def _change(edit: EditMade | None, model: Model) -> Tensor | HeadChange | None:
    """How an edit made for this model changes embeddings: θ, M, or heads."""
    if edit is None:
        return None
    if not hasattr(edit, "strategy"):
        raise InputError("token_map", f"edit={edit!r}", "an edit, as tk.edit makes it, or None", "leave edit out")
    own, card = edit.settings["fingerprint"], model.card
    if own and card.fingerprint != own:
        given = f"an edit of {edit.settings['model']!r} (fingerprint {own}) for {card.id!r} ({card.fingerprint})"
        raise InputError("token_map", given, "an edit of this model", "load the model the edit was made for")
    way = edit.strategy
    if isinstance(way, ProjectionChange):
        given = f"an edit of strategy {way.name!r}: what tokens write before the projection is not kept"
        raise InputError("token_map", given, "an edit of the embedding or of heads", "fold it: edit.fold(model)")
    if isinstance(way, HeadStrengths):
        return way.change(edit.theta)
    if not isinstance(way, Linear):
        return None
    if way.name == "diagonal":
        return edit.theta
    return way.apply(edit.theta, torch.eye(way.d, dtype=torch.float64, device=edit.theta.device))


def _aimed(target: Target, edit: EditMade | None) -> Target:
    """A target whose class vectors an edit moved: those of its text and of what is taken away, by name."""
    if edit is None or not isinstance(edit.strategy, ClassVectors):
        return target
    moved = edit.strategy.shifts(edit.theta).to(target.direction)
    direction = target.direction.clone()
    for name, by in zip(edit.strategy.names, moved, strict=True):
        if name == target.text:
            direction += by
        direction -= by * (target.against.count(name) / max(1, len(target.against)))
    return replace(target, direction=direction)


def _heads(model: Model, heads: Any, layers: Any) -> HeadSet | None:
    card = model.card
    if heads is not None and layers is not None:
        raise InputError("token_map", "heads and layers", "one of the two", "leave one out")
    if layers is not None:
        which = which_layers(layers, card.layers, "token_map")
        return HeadSet(tuple((layer, h) for layer in which for h in range(card.heads)))
    return None if heads is None else some_heads(heads, card.layers, card.heads, "token_map")


def _state(state: str, edit: EditMade | None) -> str:
    return state if edit is None else "edited" if state == "base" else f"{state}, edited"


def _words(model: Model, convention: str, ablate: Any, strength: Any, edit: EditMade | None) -> dict[str, Any]:
    card, state = model.card, "base"
    how = {"model": card.id, "fingerprint": card.fingerprint, "convention": convention}
    if ablate is None and strength != 0.0:
        raise InputError("token_map", f"strength={strength!r} without heads", "strength with ablate=", "name the heads")
    if ablate is not None:
        off = HeadSet.of(ablate, card.layers, card.heads)
        state = f"without {off}" if strength == 0 else f"{off} at strength {strength}"
        how |= {"ablate": str(off), "strength": strength}
    if edit is not None:
        how["edit"] = str(edit)
    return how | {"state": _state(state, edit)}


TERMS = {"embedding": "embedding term", "pool mlp": "MLP of the pool"}


def _besides(model: Model, tokens: Tensor) -> dict[str, Tensor]:
    """The tokens before the patches [b, prefix], by name."""
    if not tokens.shape[1]:
        return {}
    visual = model.clip.visual
    if hasattr(visual, "trunk") and getattr(visual.trunk, "cls_token", None) is None:
        return {"registers": tokens.sum(1)}
    first = "mean token" if hasattr(visual, "attnpool") else "class token"
    more = {"registers": tokens[:, 1:].sum(1)} if tokens.shape[1] > 1 else {}
    return {first: tokens[:, 0], **more}


def _made(
    model: Model, source: Images, single: bool, target: Target, heads: HeadSet | None, found: TokenParts, how: Any
) -> TokenAttribution:
    """The sum behind the cosine as a map and its rest."""
    rows, columns = model.card.grid
    b, layers, per_layer, n = found.by_head.shape
    prefix = model.card.prefix
    if n != rows * columns + prefix:
        given = f"{model.card.id!r}, with {n} tokens for a grid of {rows}×{columns} and {prefix} besides"
        raise UnsupportedModelError("token_map", given, "one token a patch", "use a tower without merged tokens")
    scale = torch.ones(layers, per_layer, dtype=torch.float64)
    if heads is not None:
        scale = 1 - heads.scale(layers, per_layer, 0.0)
    wide = found.by_head.double()
    shown = torch.einsum("blhn,lh->bn", wide, scale.to(wide))
    terms = term_names(found.mlps.shape[1], layers)
    rest = {
        **_besides(model, shown[:, :prefix]),
        "other heads": torch.einsum("blhn,lh->b", wide, 1 - scale.to(wide)),
        **{TERMS.get(t, t.replace("mlp", "MLP")): found.mlps[:, i] for i, t in enumerate(terms)},
        "attention biases": found.biases.sum(1),
        "norm bias": found.constant,
        "rounding": found.rounding,
    }
    table = torch.stack([part.double() for part in rest.values()], 1).cpu().numpy()
    values = shown[:, prefix:].reshape(b, rows, columns).cpu().numpy()
    by_head = found.by_head[..., prefix:].float().reshape(b, layers, per_layer, rows, columns).cpu().numpy()
    total = found.total.double().cpu().numpy()
    made = TokenAttribution(
        values, table, tuple(rest), total, "token map", target.words, SCALE, True,
        Frames(source.frame, range(b)), target.array, heads, by_head, tuple(source.ids), dict(how),
        source.picture,
    )  # fmt: skip
    return made[0] if single else made
