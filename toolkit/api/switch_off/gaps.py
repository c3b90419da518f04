"""`tk.shortcut_gaps`: what a background and an object that disagree with the label cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.api.switch_off.ablation import Ablation
from toolkit.core.gaps import Gaps, urbancars_gaps
from toolkit.core.metrics import Accuracy
from toolkit.data.samples import Samples
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False, repr=False)
class ShortcutGaps:
    """In-distribution accuracy and gaps, before and after or of one set of answers. Made by `tk.shortcut_gaps`.

    Attributes:
        found: by name ("before" and "after" of an ablation, else "answers"), the core's `Gaps`.
        split: of the images.
    """

    found: dict[str, Gaps]
    split: str

    @property
    def table(self) -> pandas.DataFrame:
        """One row per measure: answers, measure, value, low, high, level, interval (method), n (images of the cells
        that are compared) and split. Negative gaps are reliance on the shortcut.
        """
        import pandas

        rows = [
            (name, g.name, g.value, g.interval.low, g.interval.high, g.interval.level, g.interval.method, g.n)
            for name, gaps in self.found.items()
            for g in gaps.measures
        ]
        columns = ["answers", "measure", "value", "low", "high", "level", "interval", "n"]
        return pandas.DataFrame(rows, columns=columns).assign(split=self.split)

    @property
    def cells(self) -> pandas.DataFrame:
        """One row per cell: answers, label, whether background and object agree with it, n, right, accuracy."""
        import pandas

        rows = [
            (name, c.label, c.background, c.co_occur, c.n, c.right, c.accuracy)
            for name, gaps in self.found.items()
            for c in gaps.cells
        ]
        columns = ["answers", "label", "background_agrees", "object_agrees", "n", "right", "accuracy"]
        return pandas.DataFrame(rows, columns=columns)

    def to_dataframe(self) -> pandas.DataFrame:
        """The same as `table`."""
        return self.table

    def __repr__(self) -> str:
        gaps = next(iter(self.found.values()))
        n = sum(cell.n for cell in gaps.cells)
        lines = [
            f"ShortcutGaps({n} images, split {self.split!r}; in points, negative gaps are reliance on the shortcut)"
        ]
        for name, one in self.found.items():
            each = ", ".join(
                f"{g.name} {100 * g.value:{'.1f' if g.name.startswith('ID') else '+.1f'}}"
                f" [{100 * g.interval.low:.1f}, {100 * g.interval.high:.1f}]"
                for g in one.measures
            )
            lines.append(f"  {name}: {each}")
        interval = gaps.measures[0].interval
        return "\n".join([*lines, f"  {100 * interval.level:g} % intervals: {interval.method}"])


def shortcut_gaps(
    result: Ablation | Accuracy | Any, data: Samples, *, level: float = 0.95, replicates: int = 2000, seed: int = 0
) -> ShortcutGaps:
    """ID accuracy, BG gap, CoObj gap and BG+CoObj gap (Li et al. 2023) with intervals, as `ShortcutGaps`.

    Arguments:
        result: of `tk.ablate` (gaps before and after) or `tk.accuracy`, matched by ids, or bools in the order of data
            [b], true where an image is answered right.
        data: images with the attributes background and co_occur, as of `tk.urbancars`, and labels whose first words are
            the same two words.
        level: of the intervals, 0 to 1; default 0.95.
        replicates: bootstrap samples inside the eight cells; default 2000.
        seed: of the bootstrap; default 0.

    Raises:
        InputError: for other data, for ids that the data does not have, and for an empty cell, by name.

    >>> import toolkit as tk
    >>> cars = tk.urbancars("urbancars")  # doctest: +SKIP
    >>> tk.shortcut_gaps([True] * len(cars), cars).table  # doctest: +SKIP
    """
    attributes = getattr(data, "attributes", None)
    if attributes is None or not {"background", "co_occur"} <= set(attributes.columns):
        given = f"a {type(data).__name__} without the attributes background and co_occur"
        raise InputError("shortcut_gaps", given, "images such as tk.urbancars(folder)", "read them with such columns")
    label = np.array([str(name).split(" ")[0] for name in data.labels], dtype=object)
    shortcuts = [attributes[name].to_numpy(dtype=object) for name in ("background", "co_occur")]
    gaps = {}
    for name, (right, rows) in _answers(result, data).items():
        columns = [values[rows] for values in (label, *shortcuts)]
        gaps[name] = urbancars_gaps(right, *columns, level=level, replicates=replicates, seed=seed)
    return ShortcutGaps(gaps, data.split)


def _answers(result: Any, data: Samples) -> dict[str, tuple[Any, Any]]:
    """Name → (whether each answer is right [b], the rows of the data it is about [b])."""
    if isinstance(result, Ablation):
        return {"before": _matched(result.before, data), "after": _matched(result.after, data)}
    if isinstance(result, Accuracy):
        return {"answers": _matched(result, data)}
    try:
        right = np.asarray(result.tolist() if hasattr(result, "tolist") else result)
    except ValueError:
        right = np.empty(0, object)
    if right.dtype != bool or right.shape != (len(data),):
        given = f"a {type(result).__name__} of shape {list(right.shape)} and type {right.dtype}"
        accepted = f"a result of tk.ablate or tk.accuracy, or {len(data)} bools, one per image in the order of data"
        raise InputError("shortcut_gaps", given, accepted, "pass whether each answer is right")
    return {"answers": (right, np.arange(len(data)))}


def _matched(accuracy: Accuracy, data: Samples) -> tuple[Any, Any]:
    place = {str(name): row for row, name in enumerate(data.ids)}
    names = [str(name) for name in accuracy.ids]
    strangers = [name for name in names if name not in place]
    if strangers:
        given = f"{len(strangers)} answers about images that the data does not have, {strangers[0]!r} for one"
        raise InputError("shortcut_gaps", given, "the data the result was made of", "pass that data")
    return accuracy.hits, np.array([place[name] for name in names])
