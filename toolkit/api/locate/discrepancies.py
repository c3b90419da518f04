"""`tk.discrepancies`: which attributes an image's being right goes with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import judged
from toolkit.api.images.presence import Presence, presence
from toolkit.core.association import Discrepancy, discovery_rates, discrepancy
from toolkit.data.classes import ClassSet
from toolkit.errors import InputError
from toolkit.store.whole import saved_file

if TYPE_CHECKING:
    import pandas

Mark = Literal["", "healthy", "spurious"]
LEAST = 10


@dataclass(frozen=True, eq=False, repr=False)
class Discrepancies:
    """δ = accuracy with an attribute − accuracy without it, of every class and attribute; made by `tk.discrepancies`.

    Attributes:
        rows: (class, attribute, `Discrepancy`, the most frequent wrong class among the images without).
        q: false discovery rate over all rows [rows].
        marks: what a person made of them: (class, attribute) → "healthy" or "spurious".
        presence: what is in which image.
        least: images that either side must have.
        n: images.
        split: they are of.
    """

    rows: tuple[tuple[str, str, Discrepancy, str], ...]
    q: NDArray[np.float64]
    marks: dict[tuple[str, str], Mark] = field(default_factory=dict)
    presence: Presence | None = None
    least: int = LEAST
    n: int = 0
    split: str = ""

    @property
    def table(self) -> pandas.DataFrame:
        """One row per class and attribute: n1, n0, acc1, acc0, delta, low, high (Newcombe, 95 %), p (Fisher), q
        (Benjamini–Hochberg), information (nats), confused, enough, mark; the largest δ first within a class.
        """
        import pandas

        found = [
            {
                "class": name, "attribute": attribute, "n1": d.n1, "n0": d.n0,
                "acc1": d.right1 / d.n1 if d.n1 else np.nan, "acc0": d.right0 / d.n0 if d.n0 else np.nan,
                "delta": d.delta, "low": d.low, "high": d.high, "p": d.p, "q": q, "information": d.information,
                "confused": confused, "enough": min(d.n1, d.n0) >= self.least,
                "mark": self.marks.get((name, attribute), ""),
            }
            for (name, attribute, d, confused), q in zip(self.rows, self.q, strict=True)
        ]  # fmt: skip
        frame = pandas.DataFrame(found)
        order = frame.assign(last=~frame["enough"]).sort_values(
            ["class", "last", "delta"], ascending=[True, True, False]
        )
        return frame.loc[order.index].reset_index(drop=True)

    def to_dataframe(self) -> pandas.DataFrame:
        """The table."""
        return self.table

    def top(self, k: int = 5) -> pandas.DataFrame:
        """The k largest δ of every class, of attributes with enough images on either side.

        Arguments:
            k: how many, at least 1; default 5.
        """
        frame = self.table
        return frame[frame["enough"]].groupby("class", sort=False).head(k).reset_index(drop=True)

    def marked(self, attribute: str, mark: Mark, name: str | None = None) -> Discrepancies:
        """The same with a person's verdict on an attribute, which stays and is saved.

        Arguments:
            attribute: of the table.
            mark: "healthy", what the class should depend on, "spurious", or "" for neither.
            name: of the one class it is for; default all.

        Raises:
            InputError: for an attribute or a class that is not in the table.
        """
        if mark not in get_args(Mark):
            raise InputError("discrepancies", f"mark={mark!r}", "'healthy', 'spurious' or ''", "name one")
        meant = [(c, a) for c, a, *_ in self.rows if a == attribute and name in (None, c)]
        if not meant:
            known = ", ".join(dict.fromkeys(repr(a) for _, a, *_ in self.rows))
            given = f"the attribute {attribute!r}" + (f" of {name!r}" if name else "")
            raise InputError("discrepancies", given, known, "name one of the table")
        return replace(self, marks=self.marks | dict.fromkeys(meant, mark))

    @property
    def spurious(self) -> tuple[str, ...]:
        """Attributes that were marked spurious for any class."""
        return tuple(dict.fromkeys(attribute for (_, attribute), mark in self.marks.items() if mark == "spurious"))

    def save(self, path: str | Path) -> Path:
        """The path of the .json the marks were written to, with the table beside them; whole or not at all.

        Arguments:
            path: of the file, ending in .json.
        """
        target = Path(path).expanduser()
        if target.suffix != ".json":
            raise InputError("discrepancies.save", repr(target.name), "a name ending in .json", "rename it")
        marks = [{"class": c, "attribute": a, "mark": mark} for (c, a), mark in self.marks.items() if mark]
        table = json.loads(self.table.to_json(orient="records"))
        with saved_file(target, "discrepancies.save") as part:
            part.write_text(json.dumps({"format": 1, "marks": marks, "table": table}, indent=1, ensure_ascii=False))
        return target

    def with_marks(self, path: str | Path) -> Discrepancies:
        """The same with the marks of a file that `.save` wrote; those of attributes that are not here are left out.

        Arguments:
            path: of the file.
        """
        found = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
        here = {(c, a) for c, a, *_ in self.rows}
        own = {(one["class"], one["attribute"]): one["mark"] for one in found["marks"]}
        return replace(self, marks=self.marks | {key: mark for key, mark in own.items() if key in here})

    def __repr__(self) -> str:
        badge = (
            "; presence by the model itself: circular" if self.presence is not None and self.presence.circular else ""
        )
        lines = [f"δ = accuracy with − without, n = {self.n}, split {self.split!r}{badge}"]
        lines += [
            f"  {row['class']}: {row['attribute']} {100 * row['delta']:+.1f} [{100 * row['low']:+.1f},"
            f" {100 * row['high']:+.1f}] (n {row['n1']} + {row['n0']}, q = {row['q']:.2g})"
            + (f", {row['mark']}" if row["mark"] else "")
            for row in self.top(3).to_dict("records")
        ]
        few = int((~self.table["enough"]).sum())
        lines += [f"  {few} rows have fewer than {self.least} images on a side"] if few else []
        return "\n".join(lines)


def discrepancies(
    acts: Acts, classes: ClassSet, of: Any, *, guess: Any = None, least: int = LEAST, share: float = 0.2
) -> Discrepancies:
    """Which attributes being right goes with: δ of every class and attribute (Yang et al. 2023, §4).

    Attributes whose name is a class are left out, as there. It is the list from which a cue is chosen: a person marks
    what is spurious (`.marked`), and those feed pairs of words, concept heads or groups.

    Arguments:
        acts: parts of labelled images (`Acts`).
        classes: told apart (`tk.classes`).
        of: what is in which image: a `Presence`, or what `tk.presence` takes.
        guess: predictions of any method, class indices [b], one for every image of `acts`; default the model's own.
        least: images that either side must have to be listed by `.top`; default 10.
        share: of `tk.presence`, where texts are given; default 0.2.

    Raises:
        InputError: for presence without an image, or guesses that do not fit.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=120, kind="birds"), progress=False)
    >>> water = {"water": [group.endswith("on water") for group in acts.groups]}
    >>> found = tk.discrepancies(acts, tk.classes(["waterbird", "landbird"]), water)
    >>> found.top(1)["class"].tolist()
    ['landbird', 'waterbird']
    """
    images = judged(acts, classes, "discrepancies")
    said = presence(acts, of, share)
    there = said.of(images.acts.ids.astype(str).tolist())
    predicted = images.guess.numpy()
    if guess is not None:
        given = np.asarray(guess)
        if given.shape != (len(acts),) or given.dtype.kind not in "iu":
            what = f"guess of type {given.dtype} and shape {given.shape}"
            raise InputError("discrepancies", what, f"{len(acts)} class indices", "scores.argmax(1)")
        predicted = given[np.isin(acts.ids.astype(str), images.acts.ids.astype(str))]
    truth, names = images.truth.numpy(), images.classes.names
    taken = {name.casefold() for name in names}
    columns = [i for i, name in enumerate(said.names) if name.casefold() not in taken]
    rows = []
    for y in sorted(set(truth.tolist())):
        mine = truth == y
        for column in columns:
            with_, without = mine & there[:, column], mine & ~there[:, column]
            right = predicted == truth
            found = discrepancy(
                int((right & with_).sum()), int(with_.sum()), int((right & without).sum()), int(without.sum())
            )
            wrong = predicted[without & ~right]
            confused = names[int(np.bincount(wrong).argmax())] if len(wrong) else ""
            rows.append((names[y], said.names[column], found, confused))
    p = np.array([row[2].p for row in rows], float)
    return Discrepancies(tuple(rows), discovery_rates(p), {}, said, least, len(images), images.acts.split)
