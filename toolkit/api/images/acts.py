"""`Acts`: the parts of a whole data set, read when asked for. Long because one name answers for a set of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.core.moments import HeadMoments, head_numbers, moments_of
from toolkit.core.parts import CONVENTIONS, Convention, Parts, parts_from
from toolkit.core.rank import TOLERANCE
from toolkit.core.state import State
from toolkit.data.samples import Read, Samples
from toolkit.data.spelling import among, nfc
from toolkit.errors import InputError
from toolkit.models.card import ModelCard
from toolkit.models.model import Model
from toolkit.signs import sign
from toolkit.store.errors import size
from toolkit.store.keep import Keep
from toolkit.store.reader import Store
from toolkit.store.words import CONVERTED, SKIPPED

if TYPE_CHECKING:
    import pandas
    from PIL import Image
    from torch import Tensor

TINY = 1e-12
"""The least norm an embedding is divided by."""
AT_ONCE = 2_000_000_000
"""Bytes of head contributions that may be made at once."""


class Acts:
    """Parts of many images with their ids, labels and groups. Made by `tk.extract`, `tk.open_acts`, `tk.from_arrays`.

    Nothing is read before it is asked for, then the chunks it lies in.

    Attributes:
        ids: one text per image, in order [b].
        labels: the true class of every image, as a text [b].
        groups: the group of every image, as a text [b].
        rows: where the images lie in the store, whole numbers [b].
        convention: "separate" or "reference" (methods §1); `.using(…)` gives the other view of the same store.

    Long because one name answers for a set of images: its parts, rows, labels, model and pictures.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("test", n=8), progress=False)
    >>> acts.shape, acts.take([0, 1]).parts().heads.shape
    ((8, 4, 8, 16), torch.Size([2, 4, 8, 96]))
    """

    def __init__(
        self,
        store: Store,
        rows: NDArray[np.int64] | None = None,
        convention: Convention = "separate",
        model: Model | None = None,
        data: Samples | None = None,
    ) -> None:
        self._store, self._model, self._data = store, model, data
        self.rows = store.usable if rows is None else rows
        self.convention = convention

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> NDArray[np.object_]:
        return self._store.words.ids[self.rows]

    @property
    def labels(self) -> NDArray[np.object_]:
        return self._store.words.labels[self.rows]

    @property
    def groups(self) -> NDArray[np.object_]:
        return self._store.words.groups[self.rows]

    @property
    def split(self) -> str:
        """Which split the images are of."""
        return str(self._store.attrs["split"])

    @property
    def card(self) -> ModelCard:
        """Of the model the parts were made with."""
        return self._store.card

    @property
    def settings(self) -> dict[str, Any]:
        """What the parts were made with: precision, key (model, preprocess, data), facts of the run."""
        return {name: self._store.attrs[name] for name in ("precision", "key", "facts") if name in self._store.attrs}

    @property
    def kept(self) -> Keep:
        """What of an image is kept: .layers, .mlps, .pooled; .words, and .rules_out, what cannot be asked of it."""
        return self._store.keep

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(images, layers of the model, heads, numbers kept a head)."""
        layers, heads, k = self._store.shape
        return len(self), layers, heads, k

    @property
    def error(self) -> float:
        """The largest relative error of the sum of the stored parts (nan where the sum is not known)."""
        errors = self._store.error[self.rows]
        return float(np.max(errors)) if len(errors) else float("nan")

    @property
    def report(self) -> pandas.DataFrame:
        """Images of the data set that were converted or left out: id, what became of them, why."""
        import pandas

        at = np.flatnonzero(self._store.words.status >= CONVERTED)
        became = np.where(self._store.words.status[at] == SKIPPED, "left out", "converted")
        return pandas.DataFrame({"id": self._store.words.ids[at], "became": became, "why": self._store.words.notes[at]})

    # parts

    def parts(self, rows: Sequence[int] | None = None) -> Parts:
        """The parts of some images, unit scale (`Parts`).

        Arguments:
            rows: which, positions in this `acts`; default all.
        """
        if rows is None:
            return self._parts
        return self._made(self.rows[self._positions("parts", rows)])

    def batches(self, images: int | None = None) -> Iterator[Parts]:
        """All parts, some images at a time, in order (`Parts`).

        Arguments:
            images: how many at a time; default a chunk of the store.
        """
        step = images or self._store.chunk
        for start in range(0, len(self), step):
            yield self._made(self.rows[start : start + step])

    @cached_property
    def _parts(self) -> Parts:
        self.kept.check_whole("acts.parts")
        layers, heads, k = self._store.shape
        self._afford("parts", layers * heads * k + (2 * layers + 3) * self._dim, "acts.batches()")
        return self._made(self.rows)

    def _made(self, rows: NDArray[np.int64]) -> Parts:
        store = self._store
        kind = "separate" if store.attrs.get("convention") else self.convention  # arrays come in one convention
        name = f"{store.attrs['card']['id']} ({store.attrs['card']['fingerprint']})"
        ids = tuple(str(i) for i in store.words.ids[rows])
        parts = parts_from(store.state(rows), store.readout, kind, "unit", ids, name)
        rest = store.rest(rows)
        if rest is not None:
            parts = replace(parts, constant=rest / parts.norm[:, None])
        if store.partial:
            parts = replace(parts, embedding=torch.full_like(parts.embedding, torch.nan))
        return replace(parts, convention=self.convention)

    @property
    def heads(self) -> Tensor:
        """Head contributions [b, l, h, d] of all images."""
        self.kept.check_whole("acts.heads")
        self._afford("heads", self._store.shape[0] * self._store.shape[1] * self._dim, "acts.batches()")
        return self.parts().heads

    @property
    def mixes(self) -> Tensor:
        """Head mixes [b, l, h, k] before the output projection."""
        self._afford("mixes", int(np.prod(self._store.shape)), "acts.batches()")
        return self._store.array("mixes", self.rows)

    @property
    def mlps(self) -> Tensor:
        """[b, m, d]: the embedding term (0) and every MLP; of an attention pool as `Parts` says."""
        return self.parts().mlps

    @property
    def embedding(self) -> Tensor:
        """Unit embeddings [b, d]."""
        if self._store.partial:
            fix = "make them with tk.from_arrays(heads=…, mlps=…, rest=…)"
            raise InputError("acts.embedding", "head contributions alone", "all parts of the embedding", fix)
        self._afford("embedding", self._dim, "acts.batches()")
        found = self._store.array("output", self.rows)
        return found.div_(found.norm(dim=-1, keepdim=True).clamp_min(TINY))

    @property
    def pooled(self) -> Tensor:
        """What the model multiplied by its projection [b, w]: `acts.pooled @ proj` is the embedding before it is made
        unit. Of a model without one, that embedding itself.

        Raises:
            InputError: where it was not kept (`tk.extract(…, pooled=True)`).
        """
        if not self.kept.pooled:
            given = f"a store of {self.kept.words}"
            raise InputError("acts.pooled", given, "pooled vectors", "extract with pooled=True into another store")
        one = self._store.array("pooled", self.rows[:1])
        self._afford("pooled", one.shape[1], "acts.take(rows).pooled")
        return self._store.array("pooled", self.rows)

    @cached_property
    def projected(self) -> Tensor:
        """The vectors of `pooled` over the norm of the embedding that each gives [b, w], float64: what `proj` takes to
        the unit embedding.

        Raises:
            InputError: as for `.pooled`.
        """
        pooled = self.pooled.double()
        return pooled / self._store.array("output", self.rows).double().norm(dim=-1, keepdim=True).clamp_min(TINY)

    @cached_property
    def moments(self) -> HeadMoments:
        """First and second moments of every head over these images; those gathered while extracting where they fit.
        Of layers that are not kept, nan.
        """
        if not len(self):
            raise InputError("acts.moments", "no images", "at least one", "take other images")
        if self._store.moments is not None and np.array_equal(self.rows, self._store.usable):
            return self._store.moments
        gathered = None
        for state in self.states(self.kept.layers):
            new = moments_of(state)
            gathered = new if gathered is None else gathered.merge(new)
        assert gathered is not None
        return gathered if self.kept.all_layers else gathered.among(self.kept.layers, self.kept.of)

    @property
    def head_maps(self) -> Tensor:
        """[l, h, k + 3, d]: what every entry of the moments' q is worth in the joint space, in this convention."""
        fixed = self._store.attrs.get("convention")  # arrays come in one convention
        return self._store.head_maps("separate" if fixed else self.convention)

    def states(self, layers: Sequence[int] | None = None) -> Iterator[State]:
        """What is kept of the images, a shard at a time, in order (`State`).

        Arguments:
            layers: of whose heads alone, without MLP terms and biases, read without the others; default all there is.
        """
        with sign("read the parts", "image") as report:
            for start in range(0, len(self), self._store.chunk):
                yield self._store.state(self.rows[start : start + self._store.chunk], layers)
                report(min(start + self._store.chunk, len(self)), len(self))

    def mixes_of(self, layer: int) -> Tensor:
        """Head mixes of one layer of all images, as they are stored, read without the others [b, h, k].

        Arguments:
            layer: which, from 0.
        """
        self._afford("mixes_of", int(np.prod(self._store.shape[1:])), "acts.states([layer])")
        return self._store.array("mixes", self.rows, [layer], as_stored=True)[:, 0]

    def sums(self, weights: Tensor) -> Iterator[Tensor]:
        """The sum of the contributions of some heads, a shard at a time, in order [b, d].

        Only layers with a weight that is not 0 are read.

        Arguments:
            weights: of every head [l, h].
        """
        layers = weights.any(1).nonzero()[:, 0].tolist()
        maps = (self.head_maps[layers] * weights[layers][..., None, None].to(self.head_maps)).flatten(0, 2)
        for state in self.states(layers):
            q = head_numbers(state).to(state.mixes.dtype)
            yield q.flatten(1) @ maps.to(q)

    @property
    def noise(self) -> str:
        """The coarsest number type the parts went through, for numerical ranks."""
        kinds = [str(self._store.attrs.get("precision", "float32")), str(self.card.precision)]
        return max((k for k in kinds if k in TOLERANCE), key=TOLERANCE.__getitem__, default="float32")

    # which images

    def take(self, rows: Sequence[int]) -> Self:
        """Some images, by position, in the order asked for.

        Arguments:
            rows: positions in this `acts`, whole numbers; negative ones count from the end.
        """
        return self._like(self.rows[self._positions("take", rows)])

    def where(self, *, label: Any = None, group: Any = None, split: Any = None, id: Any = None, **other: Any) -> Self:  # noqa: A002
        """The images with these labels, groups, split and ids, in their order.

        Arguments:
            label: one label or a list of them; default any.
            group: one group or a list of them; default any.
            split: one split or a list of them; default any.
            id: one id or a list of them; default any.

        Raises:
            InputError: where nothing matches; it names what exists.
        """
        if other:
            given = f"{next(iter(other))}={next(iter(other.values()))!r}"
            fix = f"ask the data for it: acts.where(id=data.where({given}).ids)"
            raise InputError("acts.where", given, "label, group, split or id", fix)
        keep = np.ones(len(self), bool)
        asked = {"label": (label, self.labels), "group": (group, self.groups), "id": (id, self.ids),
                 "split": (split, np.full(len(self), self.split, object))}  # fmt: skip
        for name, (wanted, values) in asked.items():
            if wanted is None:
                continue
            names = np.array([str(value) if name == "id" else nfc(str(value)) for value in values], dtype=str)
            several = [str(w) for w in ([wanted] if isinstance(wanted, str) or not np.iterable(wanted) else wanted)]
            known, forms = sorted(set(names)), {nfc(name) for name in names}
            if unknown := [w for w in several if nfc(w) not in forms]:
                more = f" … ({len(known)} in all)" if len(known) > 12 else ""
                given = f"{name}={unknown[0]!r}, which no image has"
                raise InputError("acts.where", given, ", ".join(known[:12]) + more, "name one of these")
            keep &= np.isin(names, list(among(known, several)))
        if not keep.any():
            given = ", ".join(f"{name}={wanted!r}" for name, (wanted, _) in asked.items() if wanted is not None)
            raise InputError("acts.where", f"{given} together: no image", "what some image has", "ask for less at once")
        return self._like(self.rows[keep])

    def draw(self, per_class: int = 10, seed: int = 0) -> Self:
        """`per_class` random images of every label, in the order of the store (R25 draws 10 a class).

        Arguments:
            per_class: images of each label, at least 1 and at most what the smallest label has; default 10.
            seed: of the draw; default 0.
        """
        if not isinstance(per_class, int) or per_class < 1:
            raise InputError("acts.draw", f"per_class={per_class!r}", "a whole number of at least 1", "ask for some")
        rng, chosen = np.random.default_rng(seed), []
        for label in sorted(set(self.labels.astype(str))):
            at = np.flatnonzero(self.labels.astype(str) == label)
            if len(at) < per_class:
                given = f"per_class={per_class} of {str(label)!r}, of which there are {len(at)}"
                raise InputError("acts.draw", given, f"at most {len(at)}", "ask for fewer, or leave the class out")
            chosen.append(rng.choice(at, per_class, replace=False))
        return self._like(self.rows[np.sort(np.concatenate(chosen))] if chosen else self.rows)

    def relabelled(self, labels: Sequence[Any], groups: Sequence[Any] | None = None) -> Self:
        """The same images under other labels: what a placebo is told.

        Arguments:
            labels: one per image [b].
            groups: one per image [b]; default those they have.

        Raises:
            InputError: for another number of either.
        """
        words, store = self._store.words, copy(self._store)
        told: dict[str, Any] = {}
        for name, given in (("labels", labels), ("groups", groups)):
            if given is None:
                continue
            if len(given) != len(self):
                what = f"{len(given)} {name} for {len(self)} images"
                raise InputError("acts.relabelled", what, "one per image", "name each image's")
            column = getattr(words, name).copy()
            column[self.rows] = [str(one) for one in given]
            told[name] = column
        store.words = replace(words, **told)
        return type(self)(store, self.rows, self.convention, self._model, self._data)

    def using(self, convention: Convention) -> Self:
        """The same images in another convention.

        Arguments:
            convention: "separate" or "reference" (methods §1).

        Raises:
            InputError: where other code's arrays were made in another one, and for "reference" with biases that vary.
        """
        fixed = self._store.attrs.get("convention")
        varying = convention == "reference" and not self.card.fixed_biases
        if convention not in CONVENTIONS or (fixed and convention != fixed) or varying:
            accepted = repr(fixed) + ", in which the arrays were made" if fixed else " or ".join(map(repr, CONVENTIONS))
            accepted = "'separate': biases differ from image to image here" if varying else accepted
            raise InputError("acts.using", f"convention={convention!r}", accepted, "pass such a convention")
        return type(self)(self._store, self.rows, convention, self._model, self._data)

    def _like(self, rows: NDArray[np.int64]) -> Self:
        return type(self)(self._store, rows, self.convention, self._model, self._data)

    # the live model

    def attach(self, model: Model, data: Samples | None = None) -> Self:
        """The same parts with a live model, and its images where `data` has them.

        Arguments:
            model: the one the parts were made with (`Model`).
            data: samples with all ids of these images; default none.

        Raises:
            InputError: for another model than the one the parts were made with (of other code's arrays only d is
                known), or data without these ids.
        """
        card, own = model.card, self.card
        same = card.fingerprint == own.fingerprint if own.fingerprint else card.embed_dim == own.embed_dim
        if not same:
            given = f"a model with fingerprint {card.fingerprint}, d = {card.embed_dim}"
            accepted = f"{own.id!r} with fingerprint {own.fingerprint or '(unknown)'}, d = {own.embed_dim}"
            raise InputError("acts.attach", given, accepted, "load that model")
        if data is not None:
            missing = set(map(str, self.ids)) - set(map(str, data.ids))
            if missing:
                given = f"data without {len(missing)} of the {len(self)} images, {min(missing)!r} for one"
                raise InputError("acts.attach", given, "data with all of these ids", "pass the data they were made of")
        return type(self)(self._store, self.rows, self.convention, model, data)

    @property
    def model(self) -> Model:
        """The live model. Raises InputError where none is attached."""
        if self._model is None:
            fix = "attach it with acts.attach(model, data), or pass vectors instead of texts"
            raise InputError("acts.model", "parts without a live model", f"{self.card.id!r}", fix)
        return self._model

    @property
    def partial(self) -> bool:
        """Whether these are head contributions alone, of which the embedding is not known (`tk.from_arrays`)."""
        return bool(self._store.partial)

    @property
    def folder(self) -> Path | None:
        """Where the store lies on disk; None for one in memory."""
        return self._store.folder

    @property
    def live(self) -> Model | None:
        """The live model, or None."""
        return self._model

    @property
    def has_images(self) -> bool:
        """Whether the images behind the parts are there."""
        return self._data is not None

    def read(self, id: str) -> Read:  # noqa: A002
        """One image by its id, or why there is none; never raises for a broken one.

        Arguments:
            id: of the image, a text.
        """
        return self.data.read(self._place(id))

    @property
    def data(self) -> Samples:
        """The images behind the parts. Raises InputError where none are attached."""
        if self._data is None:
            raise InputError("acts.data", "parts without images", "data", "attach them: acts.attach(model, data)")
        return self._data

    @property
    def samples(self) -> Samples:
        """The images behind the parts, in the same order: `tk.Gallery(acts.where(…).samples)`."""
        return self.data.take([self._place(str(name)) for name in self.ids])

    def image(self, id: str) -> Image.Image:  # noqa: A002
        """One image by its id (PIL).

        Arguments:
            id: of the image, a text.
        """
        return self.data.image(self._place(id))

    def _place(self, name: str) -> int:
        """Where an image lies in the data."""
        if name not in self._places:
            raise InputError("acts.image", repr(name), f"ids such as {self.ids[0]!r}", "name one of acts.ids")
        return self._places[name]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {str(name): row for row, name in enumerate(self.data.ids)}

    # the rest

    def to_xarray(self) -> Any:
        """The store behind these images as a labelled, lazily read xarray.Dataset."""
        return self._store.to_xarray().isel(image=self.rows)

    def to_dataframe(self) -> pandas.DataFrame:
        """A table: id, label, group, split."""
        import pandas

        return pandas.DataFrame({"id": self.ids, "label": self.labels, "group": self.groups, "split": self.split})

    def _positions(self, operation: str, rows: Any) -> NDArray[np.int64]:
        at = np.asarray(rows)
        if at.ndim != 1 or (len(at) and (at.dtype.kind not in "iu" or at.min() < -len(self) or at.max() >= len(self))):
            accepted, fix = f"positions 0…{len(self) - 1}", "pass a list of them; for groups write acts.where(group=…)"
            raise InputError(f"acts.{operation}", f"{rows!r:.60}", accepted, fix)
        return at.astype(np.int64)

    @property
    def _dim(self) -> int:
        return int(self._store.readout.constant.shape[0])

    def _afford(self, what: str, numbers: int, way: str) -> None:
        needed = 4 * numbers * len(self)
        if needed > AT_ONCE:
            fix = f"go through {way}, or take fewer images with acts.where(…) or acts.draw(…)"
            raise InputError(f"acts.{what}", f"{len(self):,} images: {size(needed)}", f"up to {size(AT_ONCE)}", fix)

    def __repr__(self) -> str:
        _, layers, heads, k = self.shape
        live = "" if self._model is None else ", live model"
        where = f", store {self._store.name!r}" if self._store.name else ""
        left = int((self._store.words.status == SKIPPED).sum())
        skipped = f", {left} left out" if left else ""
        less = f", kept: {self.kept.words}" if self.kept.attrs else ""
        out = f"; this rules out: {self.kept.rules_out}" if self.kept.rules_out else ""
        return (
            f"Acts({len(self)} images{skipped}, split {self.split!r}, {self.card.id}, {layers} layers × {heads} heads ×"
            f" {k}{less}, convention={self.convention!r}{where}{live}{out})"
        )
