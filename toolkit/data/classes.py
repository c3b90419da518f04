"""Class sets: names, the prompts that describe them, and their unit vectors under a model."""

from __future__ import annotations

import difflib
import json
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from toolkit.core.outcomes import listed
from toolkit.data.label_numbers import indices
from toolkit.data.spelling import nfc
from toolkit.data.templates import fill
from toolkit.data.templates import templates as checked_templates
from toolkit.errors import InputError, warn_caller

if TYPE_CHECKING:
    from torch import Tensor


class ClassWarning(UserWarning):
    """Classes of a set that a model cannot tell apart, and labels that read like a class and are none."""


class TextModel(Protocol):
    """What a class set needs of a model."""

    @property
    def card(self) -> Any: ...

    def encode_text(self, texts: Sequence[str], /) -> Tensor: ...


@dataclass(frozen=True, eq=False, repr=False)
class ClassSet:
    """Named classes c in a fixed order, made by `tk.classes`; equal when names and prompts (or vectors) are equal.

    Attributes:
        names: of the classes [c].
        prompts: per class its texts [c], empty where vectors were given.
        templates: those the prompts were filled from, empty where prompts or vectors were given.
        given: the unit vectors given [c, d], else None.
    """

    names: tuple[str, ...]
    prompts: tuple[tuple[str, ...], ...]
    templates: tuple[str, ...] = ()
    given: Tensor | None = None
    _encoded: dict[str, Tensor] = field(default_factory=dict, init=False)
    _unknown: dict[str, dict[str, list[str]]] = field(default_factory=dict, init=False)

    def vectors(self, model: TextModel | None = None) -> Tensor:
        """Unit class vectors [c, d]: the mean of each class's unit prompt embeddings, normalised again.

        Arguments:
            model: encodes the prompts at first use (kept per model fingerprint); default none, where vectors were
                given.

        Raises:
            InputError: without a model and without vectors, and where a class's prompts cancel out.

        Classes that come out the same (their texts differ in nothing the model reads) are told in a ClassWarning.

        >>> import toolkit as tk
        >>> tk.classes(["landbird", "waterbird"]).vectors(tk.load()).shape
        torch.Size([2, 96])
        """
        if self.given is not None:
            return self.given
        if model is None:
            fix = "attach the model, or pass vectors"
            raise InputError("class vectors", "no model", "a live model, or vectors [c, d]", fix)
        card = getattr(model, "card", None)
        if card is None:
            given = f"a {type(model).__name__}"
            raise InputError("class vectors", given, "a Model", "wrap it first: tk.wrap(clip)")
        key = "/".join(str(getattr(card, name, "")) for name in ("fingerprint", "device", "precision"))
        if key not in self._encoded:
            self._encoded[key] = self._encode(model)
        return self._encoded[key]

    def _encode(self, model: TextModel) -> Tensor:
        import torch

        with torch.no_grad():
            found = model.encode_text([prompt for prompts in self.prompts for prompt in prompts])
            found = found.detach().to(torch.promote_types(found.dtype, torch.float32))
            ends = np.cumsum([len(prompts) for prompts in self.prompts]).tolist()
            means = torch.stack([block.mean(dim=0) for block in torch.tensor_split(found, ends[:-1])])
        vectors = _unit(means, "class vectors", self.names)
        self._unknown.clear()
        self._unknown.update(self.unknown(model))
        exact = torch.nn.functional.normalize(vectors.double(), dim=1)  # rounding of equal texts: 1 − cosine ≈ 1e-13
        same = torch.triu(exact @ exact.T > 1 - 1e-10, 1).nonzero().tolist()
        for first, second in reversed(same):  # to the bit, so that ties go to the first
            vectors[second] = vectors[first]
        if same:
            pairs = [f"{self.names[i]!r} and {self.names[j]!r}" for i, j in same]
            more = f" and {len(pairs) - 3} more pairs" if len(pairs) > 3 else ""
            unknown = self._note([self.names[i] for i in same[0]])
            said = f"{', '.join(pairs[:3])}{more} have the same vector under this model{unknown}"
            way = "the first of them is predicted; to tell them apart, write prompts={name: text}"
            warn_caller(f"class vectors: {said}: {way}", ClassWarning)
        return vectors

    def twins(self, model: TextModel | None = None) -> tuple[tuple[str, ...], ...]:
        """Names of classes that have the same vector, together; the first of them is predicted for all.

        Arguments:
            model: as for `vectors`; default none.

        >>> classes(["Cardigan", "cardigan", "cat"], vectors=np.eye(2)[[0, 0, 1]]).twins()
        (('Cardigan', 'cardigan'),)
        """
        alike: dict[bytes, list[str]] = {}
        for name, vector in zip(self.names, self.vectors(model).detach().cpu().numpy(), strict=True):
            alike.setdefault(vector.tobytes(), []).append(name)
        return tuple(tuple(names) for names in alike.values() if len(names) > 1)

    def unknown(self, model: TextModel) -> dict[str, dict[str, list[str]]]:
        """Class name → unknown word → nearest known words, for classes whose prompts hold words the model's tokenizer
        does not know; such classes are also marked in the printed class set once it was used.

        >>> import toolkit as tk
        >>> tk.classes(["cat", "zebra"]).unknown(tk.load())
        {'zebra': {'zebra': []}}
        """
        find = getattr(model, "unknown_words", None)
        found = {} if find is None else {n: find(p) for n, p in zip(self.names, self.prompts, strict=True)}
        return {name: words for name, words in found.items() if words}

    def _note(self, names: Sequence[str]) -> str:
        """What the model of the last use did not know of these classes, in words."""
        notes = [
            f"{word!r} of {name!r}" + (f" (nearest known: {', '.join(near)})" if near else "")
            for name in names
            for word, near in self._unknown.get(name, {}).items()
        ]
        return f"; words the model does not know: {'; '.join(notes)}" if notes else ""

    def scores(self, embeddings: Any, model: TextModel | None = None) -> Tensor:
        """Cosines of image embeddings with the class vectors [b, c], without logit scale; float32 or better.

        Arguments:
            embeddings: [b, d] tensor or array of any norm but zero.
            model: as for `vectors`; default none.

        Raises:
            InputError: for another shape, a zero or non-finite row.

        >>> classes(["a", "b"], vectors=np.eye(2)).scores(np.array([[3.0, 4.0]])).tolist()
        [[0.6, 0.8]]
        """
        from toolkit.core.precision import exact

        with exact():
            return self._scores(embeddings, model)

    def _scores(self, embeddings: Any, model: TextModel | None) -> Tensor:
        vectors = self.vectors(model)
        rows = _matrix(embeddings, "scores", "embeddings", f"[b, {vectors.shape[1]}]")
        if rows.shape[1] != vectors.shape[1]:
            fix = "use embeddings and class vectors of one model"
            raise InputError("scores", f"embeddings {list(rows.shape)}", f"[b, {vectors.shape[1]}]", fix)
        rows = _unit(rows, "scores")
        return rows @ vectors.to(rows.device, rows.dtype).T

    def predict(self, embeddings: Any, model: TextModel | None = None) -> Tensor:
        """Class indices [b] (int64) of the largest cosine, the first on ties; arguments and errors as for `scores`.

        >>> classes(["a", "b"], vectors=np.eye(2)).predict(np.array([[3.0, 4.0], [1.0, 1.0]])).tolist()
        [1, 0]
        """
        return self.scores(embeddings, model).argmax(dim=1)

    def index(self, which: str | int) -> int:
        """The index of a class given by name or index.

        >>> classes(["landbird", "waterbird"]).index("waterbird")
        1
        """
        if isinstance(which, str):
            if nfc(which) in self._places:
                return self._places[nfc(which)]
            near = difflib.get_close_matches(which, self.names, n=1)
            fix = f"perhaps {near[0]!r}" if near else "use a name or an index of this class set"
            raise InputError("class index", repr(which), listed(self.names), fix)
        try:
            place = -1 if isinstance(which, bool | np.bool_) else operator.index(which)
        except TypeError:
            place = -1
        if not 0 <= place < len(self):
            accepted = f"a name ({listed(self.names)}) or 0 … {len(self) - 1}"
            raise InputError("class index", repr(which), accepted, "use a name or an index of this class set")
        return place

    def encode(self, labels: Any) -> NDArray[np.int64]:
        """Labels as class indices [b]; −1 for a label that is missing (None, NaN, −1) or a name not in the set.

        Whole numbers are names where classes are named so, else indices.

        Arguments:
            labels: names, or indices into this set; list, array, series or tensor.

        Raises:
            InputError: for bools and fractions, and for whole numbers that may be counted otherwise than from 0 in the
                order of this set: one beyond it, or numbers of which some are names.

        >>> classes(["landbird", "waterbird"]).encode(["waterbird", "cat", None, 0]).tolist()
        [1, -1, -1, 0]
        """
        accepted = f"a flat list of names ({listed(self.names)}) or of indices 0 … {len(self) - 1}"
        found = labels.tolist() if hasattr(labels, "tolist") else labels
        if isinstance(found, str | bytes | Mapping) or not hasattr(found, "__iter__"):
            raise InputError("encode labels", repr(found), accepted, "put a single label into a list")
        return indices(list(found), self.names, self._places, accepted)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {nfc(name): i for i, name in enumerate(self.names)}

    @cached_property
    def hash(self) -> str:
        """A digest (16 hex digits) of names and prompts, or names and vectors; the same on every machine."""
        digest = sha256(json.dumps([self.names, self.prompts]).encode())
        if self.given is not None:
            # Rounded, so that a last-bit difference in the norm does not make another class set.
            rounded = self.given.detach().cpu().double().numpy().round(5) + 0.0
            digest.update(json.dumps(rounded.shape).encode() + rounded.astype("<f8").tobytes())
        return digest.hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(self.hash)

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, ClassSet) else NotImplemented

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and nfc(name) in self._places

    def __repr__(self) -> str:
        if self.given is not None:
            how = f"vectors [{len(self)}, {self.given.shape[1]}]"
        elif self.templates:
            how = f"templates {listed(self.templates)}"
        else:
            how = f"{sum(map(len, self.prompts))} own prompts"
        return f"ClassSet of {len(self)}: {listed(self.names)}; {how}; hash {self.hash}{self._note(self.names)}"


def classes(
    names: Sequence[str],
    templates: str | Path | Sequence[str] | None = None,
    vectors: Any = None,
    prompts: Mapping[str, str | Sequence[str]] | Sequence[str | Sequence[str]] | None = None,
) -> ClassSet:
    """Named classes and what describes each, as a `ClassSet`; the model encodes it at first use.

    Arguments:
        names: unique, non-empty.
        templates: a set's name ("plain", "varied", "openai"), a template, a list or a .txt file; default "a photo of
            {a}".
        vectors: [c, d] tensor or array instead of prompts; normalised; default none.
        prompts: instead of templates, one text or a list of texts per class, in order or as a dict by name; default
            none.

    Raises:
        InputError: for duplicate or empty names, more than one of templates, vectors and prompts, or vectors of another
            shape, with a zero or a non-finite row.

    >>> classes(["landbird", "owl"]).prompts
    (('a photo of a landbird',), ('a photo of an owl',))
    """
    checked = _names(names)
    sources = {"templates": templates, "vectors": vectors, "prompts": prompts}
    given = [name for name, value in sources.items() if value is not None]
    if len(given) > 1:
        raise InputError("classes", " and ".join(given), "one of templates, vectors, prompts", f"pass only {given[-1]}")
    if prompts is not None:
        return ClassSet(checked, _prompts(prompts, checked))
    if vectors is not None:
        rows = _matrix(vectors, "classes", "vectors", f"[{len(checked)}, d]")
        if len(rows) != len(checked):
            fix = "give one row per name, in the order of the names"
            raise InputError("classes", f"vectors {list(rows.shape)}", f"[{len(checked)}, d]", fix)
        return ClassSet(checked, ((),) * len(checked), given=_unit(rows, "classes", checked))
    patterns = checked_templates(templates)
    return ClassSet(checked, tuple(tuple(fill(p, name) for p in patterns) for name in checked), patterns)


def _names(names: Sequence[str]) -> tuple[str, ...]:
    accepted = "a list of unique, non-empty strings"
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise InputError("classes", f"names={names!r}", accepted, 'write a list: ["landbird", "waterbird"]')
    found = list(names)
    if not found:
        raise InputError("classes", "no names", accepted, "name at least one class")
    seen: dict[str, int] = {}
    for i, name in enumerate(found):
        if not isinstance(name, str) or not name.strip():
            raise InputError("classes", f"{name!r} at position {i}", accepted, "give every class a name")
        if nfc(name) in seen:
            given = f"{name!r} at positions {seen[nfc(name)]} and {i}"
            given += "" if found[seen[nfc(name)]] == name else ", one name in two spellings of its bytes"
            raise InputError("classes", given, accepted, "rename or drop one of the two")
        seen[nfc(name)] = i
    return tuple(str(name) for name in found)


def _prompts(
    prompts: Mapping[str, str | Sequence[str]] | Sequence[str | Sequence[str]], names: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    accepted = f"one text or list of texts for each of {listed(names)}"
    if isinstance(prompts, Mapping):
        prompts = {nfc(str(name)): texts for name, texts in prompts.items()}
        unlike = sorted({nfc(name) for name in names} ^ set(prompts))
        if unlike:
            given = f"prompts whose names differ in {listed(unlike)}"
            raise InputError("classes", given, accepted, "use exactly the class names as keys")
        prompts = [prompts[nfc(name)] for name in names]
    if isinstance(prompts, str) or len(prompts) != len(names):
        count = "one string" if isinstance(prompts, str) else f"{len(prompts)} entries"
        raise InputError("classes", f"prompts with {count}", accepted, f"pass {len(names)} entries")
    result = tuple((p,) if isinstance(p, str) else tuple(p) for p in prompts)
    for name, texts in zip(names, result, strict=True):
        bad = [text for text in texts if not isinstance(text, str) or not text.strip()]
        if bad or not texts:
            given = f"{bad[0]!r} for class {name!r}" if bad else f"no text for class {name!r}"
            raise InputError("classes", given, accepted, "write at least one non-empty text per class")
    return result


def _matrix(values: Any, operation: str, what: str, accepted: str) -> Tensor:
    """A detached [rows, d] tensor, float32 or better."""
    import torch

    try:
        matrix = torch.as_tensor(values).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        given = f"{what} of type {type(values).__name__}"
        raise InputError(operation, given, accepted, "pass a tensor or array") from error
    if matrix.ndim != 2 or not matrix.shape[1] or matrix.is_complex():
        given = f"{what} {list(matrix.shape)} {matrix.dtype}"
        raise InputError(operation, given, f"real numbers {accepted}", "pass one row per item")
    return matrix.to(torch.promote_types(matrix.dtype, torch.float32))


def _unit(rows: Tensor, operation: str, names: Sequence[str] | None = None) -> Tensor:
    """Rows divided by their norms; a row that has no direction is an error that names it."""
    import torch

    # Divided by the largest entry first, so that neither tiny nor huge rows under- or overflow.
    largest = rows.abs().amax(dim=1, keepdim=True)
    bad = ~torch.isfinite(largest[:, 0]) | (largest[:, 0] == 0)
    if bad.any():
        i = int(bad.nonzero()[0, 0])
        where = f"row {i}" if names is None else f"class {names[i]!r}"
        kind = "is zero" if largest[i, 0] == 0 else "holds NaN or infinity"
        accepted = "finite rows that are not zero"
        raise InputError(operation, f"a vector that {kind} ({where})", accepted, "recompute or leave out that row")
    scaled = rows / largest
    unit: Tensor = scaled / torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return unit
