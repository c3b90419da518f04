"""`Model`: an open_clip model and what the toolkit needs to know about it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from toolkit.core.attention import AttentionCapture
from toolkit.core.capture import Capture, Trace
from toolkit.core.gradients import Frozen
from toolkit.core.heads import HeadSet
from toolkit.core.precision import full_precision
from toolkit.core.readout import Readout, readout_of
from toolkit.core.tokens import Tokens
from toolkit.core.tower import Tower
from toolkit.errors import DeviceError, InputError
from toolkit.models.adapted import adapted
from toolkit.models.card import ModelCard, card_of, image_size
from toolkit.models.claims import Claims
from toolkit.models.images import Images
from toolkit.models.own_preprocess import OwnPreprocess, attached
from toolkit.models.processors import ImageProcessor, Tokenizer, as_preprocess, as_tokenizer
from toolkit.models.towers import VIEWS, refuse_reruns, tower_of, training_state
from toolkit.models.wrappers import check_weights, eager, unwrapped
from toolkit.signs import counted

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


class Model:
    """An open_clip model that can be taken apart; the model itself is never changed. Made by `tk.load` and `tk.wrap`.

    Attributes:
        clip: the open_clip model object.
        card: its geometry (`ModelCard`).
        preprocess: PIL image → [3, H, W].
        tokenizer: texts → ids [t, n]; None where there is none.
        claims: what is said of the checkpoint's activation and preprocess (`Claims`); None where nothing is known.
    """

    claims: Claims | None = None

    def __init__(
        self, clip: Any, preprocess: Callable[..., Tensor] | None, tokenizer: Tokenizer | None, name: str,
        view: str = "pool",
    ) -> None:  # fmt: skip
        self.clip = clip
        self._view = view
        tower_of(clip, view)
        self._name = name
        self._own = preprocess is None
        self._normalisation = _normalisation(clip, preprocess)
        self._card: tuple[Any, ModelCard] | None = None
        self._readout: tuple[Any, Readout] | None = None
        self.preprocess: Callable[..., Tensor] = OwnPreprocess(clip) if preprocess is None else preprocess
        self.tokenizer = tokenizer or _tokenizer(clip)

    @property
    def card(self) -> ModelCard:
        """The geometry, and a fingerprint of the weights as they are now."""
        state = _state(self.clip.parameters())
        if self._card is None or self._card[0] != state:
            self._card = (state, card_of(self.clip, self.tower, self._name, *self._normalisation))
        return self._card[1]

    def refresh(self) -> None:
        """Look at the weights again: those written through `.data` leave no trace by which they could be noticed."""
        self._card = self._readout = None

    def __repr__(self) -> str:
        c = self.card
        return (
            f"Model({c.id!r}, {c.layers} layers × {c.heads} heads × {c.head_dim}, d = {c.embed_dim},"
            f" {c.image_size[0]}×{c.image_size[1]} px, grid {c.grid[0]}×{c.grid[1]}, pool {c.pool!r}, {c.precision} on"
            f" {c.device})"
        )

    @property
    def tower(self) -> Tower:
        """The image tower as a sum: which of the model's own tensors do what."""
        return tower_of(self.clip, self._view)

    def view(self, of: str) -> Model:
        """The same model with other parts: a `Model` around the same weights.

        The heads of an attention pool, the default, are exact parts of the pooled vector. Results of the two views are
        not mixed up: their fingerprints differ.

        Arguments:
            of: "pool" (as it is loaded) or, for a tower that ends in an attention pool (SigLIP, SigLIP 2, PE), "trunk":
                the heads of the trunk are the parts, with the pool's attention and the norm before it frozen as this
                image has them (methods §1).

        Raises:
            UnsupportedModelError: where there is no attention pool.
        """
        if of not in VIEWS:
            raise InputError("view", repr(of), " or ".join(map(repr, VIEWS)), "name one of these")
        return self._again(self.clip, self._name, of)

    def like(self, clip: Any, what: str, *, whole: bool = False) -> Model:
        """Other weights with the preprocess, tokenizer and view of this model (`Model`).

        Arguments:
            clip: the open_clip model object.
            what: joined to this model's name, or with whole the name itself.
            whole: whether `what` is the whole name; default False.
        """
        return self._again(clip, what if whole else f"{self._name}, {what}", self._view)

    def _again(self, clip: Any, name: str, view: str) -> Model:
        preprocess = None if self._own else self.preprocess
        found = Model(clip, preprocess, self.tokenizer, name, view)
        found.claims = self.claims
        return found

    @property
    def device(self) -> torch.device:
        """Where the image tower is."""
        return self.tower.blocks[0].out_weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The image tower's weight type."""
        return self.tower.blocks[0].out_weight.dtype

    def images(self, given: Any, operation: str) -> Images:
        """What stands for images, as batches of preprocessed ones.

        Arguments:
            given: tensors [b, 3, H, W], uint8 pixels of the model's size, PIL images (one or a list), or samples.
            operation: named in errors.
        """
        normalise = self._normalisation if self._own else None
        return Images(given, self.preprocess, image_size(self.clip), normalise, operation, self._normalisation)

    @full_precision
    def encode_image(
        self, images: Any, batch_size: int = 64, *, ablate: HeadSet | str | None = None, strength: float = 0.0
    ) -> Tensor:
        """Image embeddings as the model gives them (not normalised) [b, d], float32 or better.

        Arguments:
            images: preprocessed tensors [b, 3, H, W], uint8 pixels of the model's size, PIL images or samples.
            batch_size: images at a time; default 64.
            ablate: a head set whose mixes are multiplied by `strength` *while the model runs*, at every token, so that
                later layers react: the total effect (the direct effect is `tk.decompose(…)` with `ablate_direct`);
                default none.
            strength: no unit, 0 off, 1 as is; default 0.

        >>> import toolkit as tk
        >>> tk.load().encode_image(tk.scenes("test", n=2), ablate="L2.H6").shape
        torch.Size([2, 96])
        """
        if ablate is None:
            run = self._plain
        else:
            c = self.card
            scale = HeadSet.of(ablate, c.layers, c.heads).scale(c.layers, c.heads, strength)

            def run(batch: Tensor) -> Tensor:
                return self.trace(batch, scale).output

        source = self.images(images, "encode_image")
        with torch.no_grad():
            batches = counted(source.batches(batch_size), "encode images", "block", -(-len(source) // batch_size))
            return torch.cat([run(batch) for batch in batches])

    @full_precision
    def trace(
        self, batch: Tensor, head_scale: Tensor | None = None, instead: Mapping[int, Tensor] | None = None
    ) -> Trace:
        """One captured forward (`Trace`).

        Arguments:
            batch: preprocessed images [b, 3, H, W].
            head_scale: factors of the mixes on the way [l, h]; default all 1.
            instead: by layer, what the share 1 − head_scale of is added [b or 1, h, n, k]; default nothing.
        """
        tower = self.tower
        capture = Capture(tower, head_scale, instead)
        with torch.no_grad(), capture:
            output = self._forward(self._placed(batch, tower.blocks[0].out_weight))
        return capture.trace(output)

    @full_precision
    def tokens(self, batch: Tensor, head_scale: Tensor | None = None) -> Tokens:
        """One captured forward with attention rows and values of every head (`Tokens`).

        Arguments:
            batch: preprocessed images [b, 3, H, W].
            head_scale: factors of the mixes on the way [l, h]; default all 1.
        """
        tower = self.tower
        capture = AttentionCapture(tower, head_scale)
        with torch.no_grad(), capture:
            output = self._forward(self._placed(batch, tower.blocks[0].out_weight))
        return capture.tokens(output)

    @full_precision
    def explicit(self, batch: Tensor) -> tuple[AttentionCapture, Tensor]:
        """One forward with explicit attention, and the embeddings [b, d].

        Where gradients are on, attention is part of an autograd graph, and no parameter is, frozen or not: nothing
        collects a gradient.

        Arguments:
            batch: preprocessed images [b, 3, H, W].
        """
        refuse_reruns(self.clip.visual, self._name)
        tower = self.tower
        capture = AttentionCapture(tower, explicit=True)
        with Frozen(), capture:
            output = self._forward(self._placed(batch, tower.blocks[0].out_weight).detach().clone())
        return capture, output

    @full_precision
    def mixes(self, batch: Tensor, layers: Sequence[int]) -> dict[int, Tensor]:
        """By layer, the head mixes of all tokens [b, h, n, k].

        Arguments:
            batch: preprocessed images [b, 3, H, W].
            layers: which, from 0.
        """
        tower = self.tower
        capture = Capture(tower, whole=layers)
        with torch.no_grad(), capture:
            self._forward(self._placed(batch, tower.blocks[0].out_weight))
        return capture.mixes_of

    def readout(self, fresh: bool = False) -> Readout:
        """The linear readout of the present weights; made again when they change.

        Arguments:
            fresh: make it again in any case; default False.
        """
        tower = self.tower
        state = _state(tower.tensors())
        if fresh or self._readout is None or self._readout[0] != state:
            weight = tower.blocks[0].out_weight
            dtype = torch.promote_types(weight.dtype, torch.float32)
            self._readout = (state, readout_of(tower, dtype, weight.device))
        return self._readout[1]

    @full_precision
    def encode_text(self, texts: str | Sequence[str], batch_size: int = 256, *, normalize: bool = True) -> Tensor:
        """Text embeddings [t, d], float32 or better.

        Arguments:
            texts: one text or several; an empty one is an InputError.
            batch_size: texts at a time; default 256.
            normalize: to unit norm; default True.

        Raises:
            InputError: for an empty text, and a model without a tokenizer.
        """
        if not hasattr(texts, "__iter__"):
            raise InputError("encode_text", repr(texts), "a string or a list of strings", "pass a list of texts")
        texts = [texts] if isinstance(texts, str) else list(texts)
        for i, text in enumerate(texts):
            if not isinstance(text, str) or not text.strip():
                raise InputError(
                    "encode_text", f"{text!r} at position {i}", "non-empty strings", "leave it out or write a text"
                )
        if not texts:
            raise InputError("encode_text", "no texts", "at least one string", "pass a list of texts")
        if self.tokenizer is None:
            raise InputError(
                "encode_text",
                "a model without a tokenizer",
                "a tokenizer: texts → ids [t, n]",
                "pass tk.wrap(clip, tokenizer=open_clip.get_tokenizer(name))",
            )
        out = []
        with torch.no_grad():
            for start in range(0, len(texts), batch_size):
                ids = self.tokenizer(texts[start : start + batch_size]).to(self.device)
                with eager(self.clip):
                    out.append(self.clip.encode_text(ids))
        vectors = torch.cat(out)
        vectors = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
        return torch.nn.functional.normalize(vectors, dim=-1) if normalize else vectors

    def unknown_words(self, texts: str | Sequence[str]) -> dict[str, list[str]]:
        """Words of the texts that the model's tokenizer does not know, each with the nearest known ones.

        Empty for tokenizers that split words into known pieces, as CLIP's own does.

        Arguments:
            texts: one text or several.

        >>> import toolkit as tk
        >>> tk.load().unknown_words("a zebra on the lakes")
        {'zebra': [], 'lakes': ['lake', 'snakes', 'planes']}
        """
        tokenizer: Any = self.tokenizer
        if not hasattr(tokenizer, "unknown"):
            return {}
        words = [word for text in ([texts] if isinstance(texts, str) else texts) for word in tokenizer.unknown(text)]
        return {word: tokenizer.nearest(word) for word in dict.fromkeys(words)}

    def too_long(self, texts: Sequence[str]) -> list[tuple[int, int, int]]:
        """Texts the tokenizer would cut: (position, tokens, context length). Empty where the tokenizer does not say.

        Arguments:
            texts: a list of texts.
        """
        tokenizer: Any = self.tokenizer
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            context = int(tokenizer(texts[:1]).shape[-1])
            try:
                ids = tokenizer(list(texts), context_length=4 * context + 64)
            except TypeError:
                return []
        if ids.ndim != 2 or ids.shape[-1] <= context:
            return []
        # what follows the text is padding: one id, repeated to the end
        counts = [int((row != row[-1]).nonzero().max()) + 1 if bool((row != row[-1]).any()) else 0 for row in ids]
        return [(i, n, context) for i, n in enumerate(counts) if n > context]

    def _plain(self, batch: Tensor) -> Tensor:
        out = self._forward(self._placed(batch, self.tower.blocks[0].out_weight))
        return out.to(torch.promote_types(out.dtype, torch.float32))

    def _forward(self, placed: Tensor) -> Tensor:
        """The model's own embeddings of images that are where it is, uncompiled."""
        with eager(self.clip):
            made: Tensor = self.clip.encode_image(placed)
        return made

    def _placed(self, batch: Tensor, like: Tensor) -> Tensor:
        reason = training_state(self.clip.visual)
        if reason:
            raise InputError(
                "encode_image", f"a model with {reason}", "a model in eval mode", "call .eval() on the model"
            )
        if batch.device.type == "cpu" and batch.is_pinned():  # copied as it is, converted on the device
            batch = batch.to(like.device, non_blocking=True)
        return batch.to(like.device, like.dtype)


def _state(tensors: Iterable[Tensor]) -> list[tuple[int, int]]:
    """Changes whenever a tensor is replaced or written to (through `.data` it cannot be seen)."""
    return [(t.data_ptr(), 0 if t.is_inference() else t._version) for t in tensors]


@full_precision
def wrap(
    clip: Any,
    preprocess: Callable[..., Tensor] | None = None,
    tokenizer: Tokenizer | None = None,
    name: str | None = None,
) -> Model:
    """A `Model` around a CLIP that is already in memory; the model is used as it is and never changed.

    Image towers: ViT with class token, average or attention pooling (open_clip's own; timm's plain, EVA, SigLIP, PE) or
    a ModifiedResNet; `toolkit info --models` lists them by name.

    Arguments:
        clip: an open_clip model, or a CLIPModel of the transformers library, on any device and in any precision. A
            compiled one runs as it is written, uncompiled.
        preprocess: PIL image → [3, H, W], the same for the same picture, or an image processor of transformers; default
            the one open_clip attached to the model, else OpenAI's.
        tokenizer: texts → ids [t, n], or a tokenizer of transformers; default open_clip's BPE where the vocabulary has
            its size.
        name: for results; default the class name.

    Raises:
        UnsupportedModelError: for a model whose parts would not sum to the embedding, and for one whose weights are not
            there (off-loaded, adapted, quantised), with the reason.
        InputError: for a preprocess that is random, as those for training are, and for one that fails.

    >>> import toolkit as tk
    >>> tk.wrap(tk.load().clip).card.heads
    8
    """
    clip = unwrapped(clip)
    name = name or type(clip).__name__
    clip = adapted(clip)
    tower_of(clip)
    check_weights(clip)
    if preprocess is not None:
        preprocess = as_preprocess(preprocess, image_size(clip))
    if tokenizer is not None:
        tokenizer = as_tokenizer(tokenizer, getattr(clip, "context_length", None), getattr(clip, "vocab_size", None))
    return Model(clip, preprocess, tokenizer, name)


def check_device(device: str | torch.device, operation: str) -> torch.device:
    """The device, or a DeviceError when this machine lacks it."""
    try:
        target = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            operation, f"device={device!r}", '"cpu", "cuda", "cuda:1", "mps" …', "name a torch device"
        ) from error
    if target.type == "cuda" and (not torch.cuda.is_available() or (target.index or 0) >= torch.cuda.device_count()):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        raise DeviceError(
            operation,
            f"device={str(device)!r} on a machine with {count} CUDA devices",
            '"cpu"' + (' or "cuda"' if count else ""),
            'pass device="cpu", or install a torch build with CUDA on a machine with an NVIDIA GPU',
        )
    if target.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError(operation, 'device="mps" where there is none', '"cpu"', 'pass device="cpu"')
    return target


def _normalisation(clip: Any, preprocess: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std of the preprocess given, else of the config open_clip attached, else OpenAI's."""
    if isinstance(preprocess, ImageProcessor):
        return preprocess.mean, preprocess.std
    for step in getattr(preprocess, "transforms", []):
        if hasattr(step, "mean") and hasattr(step, "std"):
            return tuple(float(x) for x in step.mean), tuple(float(x) for x in step.std)
    config = attached(clip)
    return tuple(config.get("mean", OPENAI_MEAN)), tuple(config.get("std", OPENAI_STD))


def _tokenizer(clip: Any) -> Tokenizer | None:
    if getattr(clip, "vocab_size", None) != 49408:
        return None
    import open_clip

    return open_clip.SimpleTokenizer(context_length=clip.context_length)
