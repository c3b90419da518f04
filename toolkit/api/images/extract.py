"""`tk.extract`: a whole data set through the model once, its parts kept."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import zarr

from toolkit.api.checks import check_model
from toolkit.api.images.acts import Acts
from toolkit.core.parts import CONVENTIONS, Convention
from toolkit.core.precision import full_precision
from toolkit.data.samples import Samples
from toolkit.errors import InputError, StoreError
from toolkit.models.batch import best_batch
from toolkit.models.model import Model
from toolkit.signs import Report, sign
from toolkit.store.damage import damage_at
from toolkit.store.errors import local
from toolkit.store.extraction import Extraction
from toolkit.store.keep import Keep
from toolkit.store.layout import FORMAT, Precision
from toolkit.store.place import Place, is_store
from toolkit.store.reader import Store, open_store
from toolkit.store.writer import different


@full_precision
def extract(
    model: Model,
    data: Samples,
    store: str | Path | None = None,
    *,
    convention: Convention = "separate",
    precision: Precision = "float32",
    layers: Any = None,
    mlps: bool = True,
    pooled: bool = False,
    batch_size: int | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool | Report = True,
) -> Acts:
    """The parts of every image of a data set (G24 eq. 4–5; methods §1), in memory or in a zarr v3 store on disk.

    A run that was killed at any point is taken up by the same call, with the same result. A store that is already whole
    is opened. Images that cannot be read or shown are left out, odd ones converted, and both listed in `.report`;
    nobody else's label moves.

    Arguments:
        model: a live one (`Model`).
        data: samples such as `tk.scenes(…)` or `tk.image_folder(…)`.
        store: where to keep the parts, e.g. "waterbirds.zarr"; default in memory.
        convention: how `.heads` and the like are shown, "separate" or "reference"; the store serves both; default
            "separate".
        precision: "float32" or "float16", which halves the mixes and MLP terms; `.error` is what the stored parts then
            miss the embedding by; default "float32".
        layers: of whose heads the mixes are kept; a list of layers, None for all, a negative int for the last |n|;
            default all. Fewer take less room and rule out what needs the others: `.kept.rules_out` says what.
        mlps: keep the embedding term and the MLPs too; default True. Without them, and with fewer layers, the parts
            kept no longer sum to the embedding, which is kept as it is: `acts.parts()` is refused, and what switches
            off, locates, edits or describes the heads that are kept goes on.
        pooled: keep the vector the model multiplies by its projection too (`acts.pooled`), which methods that train
            the projection need; default False.
        batch_size: images at a time; default 64, on a CUDA device as many as its memory holds; it halves by itself when
            memory runs out.
        workers: threads that decode; default one per core.
        overwrite: replace a store of something else, which stays until the new one is whole; default False.
        progress: a bar, False for none, or a function of (images done, of); default True, the bar.

    Returns:
        `Acts`, with the live model and the images attached.

    Raises:
        StoreError: where the place holds something else, is being written, not writable or full; what was there stays
            as it was.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("edit", n=20), progress=False)
    >>> acts.heads.shape, acts.error < 1e-5
    (torch.Size([20, 4, 8, 96]), True)
    """
    _check(model, data, convention, precision, {"batch_size": batch_size, "workers": workers})
    keep = Keep.asked(model.card, layers, mlps, pooled, "extract")
    model.refresh()
    place = None if store is None else local(store, "extract")
    if place is not None:
        Place(place, "extract").recover()
    with sign("extract", "image", progress) as report:
        options: dict[str, Any] = {"precision": precision, "workers": workers, "report": report}
        run = Extraction(model, data, keep=keep, batch_size=batch_size or best_batch(model), **options)
        if place is None:
            made = run.run(None)
            return Acts(Store(made.group, made.words), None, convention, model, data)
        if not place.exists() or not _is_there(place, run, overwrite):
            run.run(place, overwrite)
    return Acts(open_store(place), None, convention, model, data)


def open_acts(store: str | Path, convention: Convention | None = None) -> Acts:
    """The parts kept in a store, without a model: what needs one says so (`acts.attach(model, data)`).

    Arguments:
        store: path of a store made by `tk.extract` or `tk.from_arrays`.
        convention: "separate" or "reference"; default "separate", or the one in which other code's arrays were made.

    Raises:
        StoreError: for anything else than a store.

    >>> import toolkit as tk
    >>> tk.open_acts("waterbirds.zarr")  # doctest: +SKIP
    Acts(5794 images, split 'test', ViT-L-14, 24 layers × 16 heads × 64, convention='separate', store 'waterbirds.zarr')
    """
    kept = open_store(store, "open_acts")
    acts = Acts(kept, None, kept.attrs.get("convention") or "separate")
    return acts if convention is None else acts.using(convention)


def _check(model: Any, data: Any, convention: Any, precision: Any, counts: dict[str, Any]) -> None:
    check_model(model, "extract")
    if not isinstance(data, Samples):
        fix = "write tk.image_folder(folder) or tk.scenes(…); for a few images there is tk.decompose"
        raise InputError("extract", f"a {type(data).__name__} as data", "samples", fix)
    for name, value, allowed in (
        ("convention", convention, CONVENTIONS),
        ("precision", precision, ("float32", "float16")),
    ):
        if value not in allowed:
            raise InputError("extract", f"{name}={value!r}", " or ".join(map(repr, allowed)), f"pass one as {name}")
    if convention == "reference" and not model.card.fixed_biases:
        given = f"convention='reference' with {model.card.id!r}, whose attention biases differ from image to image"
        raise InputError("extract", given, "'separate'", "leave convention out")
    for name, value in counts.items():
        if not (isinstance(value, int) and value >= 1) and value is not None:
            raise InputError("extract", f"{name}={value!r}", "a whole number of at least 1", f"pass such a {name}")
    if len(data) == 0:
        raise InputError("extract", "data without images", "at least one image", "pass other data")


def _is_there(place: Path, run: Extraction, overwrite: bool) -> bool:
    """Whether the whole store at this place is the one asked for; what of it is damaged is made anew. False where it is
    to be replaced.
    """
    if not is_store(place):
        given = f"store={str(place)!r}, where something lies that is no store"
        raise StoreError("extract", given, "a new name, or a store of this toolkit", "name another place")
    shards = None
    attrs, header = zarr.open_group(store=str(place), mode="r").attrs, run.header
    if attrs.get("format") == FORMAT and attrs.get("complete") and attrs["digest"] == header.digest:
        with contextlib.suppress(OSError, ValueError, KeyError):  # no list of files: open_store says so
            found = damage_at(place)
            if found is None:
                return True
            shards = found.shards
    if shards is not None:
        run.repair(place, shards)
        return True
    try:
        kept = open_store(place)
    except StoreError:
        if overwrite:  # damaged, or of a later version: it is to be replaced anyway
            return False
        raise
    if kept.attrs["digest"] == header.digest:
        return True
    if overwrite:
        return False
    given = f"store={place.name!r}, a store of something else ({different(kept.attrs.get('key'), header.key)})"
    fix = "name another store, or pass overwrite=True"
    raise StoreError("extract", given, "the same model, data and settings", fix)


class InMemory:
    """The extraction of a data set in memory, taken up where it was stopped."""

    def __init__(self, model: Model, data: Samples) -> None:
        self._model, self._data = model, data
        self._run: Extraction | None = None

    @full_precision
    def extract(self) -> Acts:
        """What `extract` gives, from the first image that is still to do."""
        if self._run is None:
            _check(self._model, self._data, "separate", "float32", {})
            self._model.refresh()
            keep = Keep.asked(self._model.card, None, True, False, "extract")
            self._run = Extraction(self._model, self._data, keep=keep, batch_size=best_batch(self._model))
        with sign("extract", "image") as report:
            self._run.report = report
            made = self._run.run(None)
        return Acts(Store(made.group, made.words), None, "separate", self._model, self._data)
