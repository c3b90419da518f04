"""`tk.presence`: what is in which image, from texts, a table or columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.api.images.acts import Acts
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False, repr=False)
class Presence:
    """Whether something is in an image; made by `tk.presence`.

    Attributes:
        ids: of the images [b].
        names: of what there may be [s].
        there: whether it is [b, s].
        circular: whether the model that is looked at said so itself.
        source: in words.
    """

    ids: NDArray[np.object_]
    names: tuple[str, ...]
    there: NDArray[np.bool_]
    circular: bool
    source: str

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per image: id, then a column of bools for every name."""
        import pandas

        return pandas.DataFrame({"id": self.ids} | {name: self.there[:, i] for i, name in enumerate(self.names)})

    def of(self, ids: Sequence[Any]) -> NDArray[np.bool_]:
        """[n, s]: of these images, in their order.

        Arguments:
            ids: of the images.

        Raises:
            InputError: for an image that the table does not have.
        """
        places = {str(name): i for i, name in enumerate(self.ids)}
        missing = [str(name) for name in ids if str(name) not in places]
        if missing:
            known = f"ids such as {str(self.ids[0])!r}"
            given = f"{len(missing)} of {len(ids)} images that it does not have, {missing[0]!r} for one"
            raise InputError("presence", given, known, "give the table the ids of the images: acts.ids")
        return self.there[[places[str(name)] for name in ids]]

    def __repr__(self) -> str:
        shares = ", ".join(
            f"{name} {100 * share:.0f} %" for name, share in zip(self.names[:6], self.there.mean(0), strict=False)
        )
        more = f" and {len(self.names) - 6} more" if len(self.names) > 6 else ""
        badge = "; the model looked at said so itself" if self.circular else ""
        return f"Presence of {len(self.names)} in {len(self.ids)} images ({self.source}{badge}): {shares}{more}"


def presence(acts: Acts, of: Any, share: float = 0.2, *, id: str = "id") -> Presence:  # noqa: A002
    """Whether something is in which image (`Presence`): of a detector's table, of columns, or of texts.

    From texts an attribute is in the share of each class's images with the largest cosines. That is circular where the
    same model's mistakes are looked at, and its result says so.

    Arguments:
        acts: parts of the images (`Acts`).
        of: a table or the path of a .csv with a column of ids and one of bools (or 0 and 1) for every attribute; a
            mapping from names to bools, one per image; or a list of texts.
        share: of a class's images that have a text's attribute, above 0 and at most 1; default 0.2.
        id: the table's column of ids; default "id".

    Raises:
        InputError: for a table without that column, with two rows of one id, with columns that are no bools, or that
            lacks an image.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=40, kind="birds"), progress=False)
    >>> tk.presence(acts, ["a water background"], share=0.5).there.shape
    (40, 1)
    """
    if not isinstance(acts, Acts) or not len(acts):
        given = f"a {type(acts).__name__}" if not isinstance(acts, Acts) else "parts of no image"
        raise InputError("presence", given, "the parts of a data set", "extract them first: tk.extract(model, data)")
    if isinstance(of, Presence):
        return of
    if isinstance(of, str) and not of.strip().endswith(".csv"):
        of = [of]
    if isinstance(of, str | Path) or hasattr(of, "columns"):
        return _of_table(acts, of, id)
    if isinstance(of, Mapping):
        return _of_columns(acts, of)
    return _of_texts(acts, list(of), share)


def _of_table(acts: Acts, given: Any, id_column: str) -> Presence:
    import pandas

    table = given if hasattr(given, "columns") else pandas.read_csv(Path(given).expanduser())
    if id_column not in table.columns:
        known = ", ".join(map(repr, list(table.columns)[:8]))
        raise InputError("presence", f"a table without a column {id_column!r}", known, "name it: id=…")
    ids = table[id_column].astype(str).to_numpy(dtype=object)
    names, counts = np.unique(ids.astype(str), return_counts=True)
    if (counts > 1).any():
        given = f"{names[counts.argmax()]!r} in {counts.max()} rows"
        raise InputError("presence", given, "one row per image", "join the rows of an image")
    columns = [str(name) for name in table.columns if name != id_column]
    there = np.stack([_bools(table[name].to_numpy(), name) for name in columns], 1) if columns else None
    if there is None:
        raise InputError("presence", "a table of ids alone", "a column for every attribute", "add some")
    found = Presence(ids, tuple(columns), there, False, "a table")
    own = acts.ids.astype(str).astype(object)
    return Presence(own, found.names, found.of(own.tolist()), False, "a table")


def _of_columns(acts: Acts, given: Mapping[Any, Any]) -> Presence:
    columns = {str(name): _bools(np.asarray(values), str(name)) for name, values in given.items()}
    wrong = [name for name, values in columns.items() if len(values) != len(acts)]
    if wrong or not columns:
        what = f"{len(columns[wrong[0]])} values of {wrong[0]!r} for {len(acts)} images" if wrong else "no columns"
        raise InputError("presence", what, f"{len(acts)} bools for every name", "one per image, in their order")
    there = np.stack(list(columns.values()), 1)
    return Presence(acts.ids.astype(str).astype(object), tuple(columns), there, False, "columns")


def _of_texts(acts: Acts, texts: list[Any], share: float) -> Presence:
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        accepted = "a table, a mapping from names to bools, or a list of texts"
        raise InputError("presence", f"{texts!r:.60}", accepted, "pass one of these")
    if isinstance(share, bool) or not 0 < share <= 1:
        raise InputError("presence", f"share={share!r}", "above 0 and at most 1", "0.2 is the default")
    vectors = acts.model.encode_text(texts).double().cpu()
    cosines = (acts.embedding.double().cpu() @ vectors.T).numpy()
    there = np.zeros(cosines.shape, bool)
    labels = acts.labels.astype(str)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        most = max(1, round(share * len(rows)))
        order = np.argsort(-cosines[rows], axis=0, kind="stable")[:most]
        for column in range(len(texts)):
            there[rows[order[:, column]], column] = True
    source = f"the {100 * share:g} % of each class with the largest cosine"
    return Presence(acts.ids.astype(str).astype(object), tuple(texts), there, True, source)


def _bools(values: NDArray[Any], name: str) -> NDArray[np.bool_]:
    if values.dtype.kind == "b":
        return values
    try:
        numbers = values.astype(float)
    except (TypeError, ValueError) as error:
        given = f"the column {name!r} of {values.dtype}"
        raise InputError("presence", given, "bools, or 0 and 1", "compare first: score > 0.3") from error
    if not np.isin(numbers, (0, 1)).all():
        given = f"the column {name!r} with {float(numbers[~np.isin(numbers, (0, 1))][0]):g} in it"
        raise InputError("presence", given, "bools, or 0 and 1", "compare first: score > 0.3")
    return numbers.astype(bool)
