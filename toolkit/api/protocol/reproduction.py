"""`Reproduction`: a paper's table measured again, row by row, beside the published numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.api.protocol.published import SOURCE, Published
from toolkit.core.metrics import Accuracy

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Row:
    """One method: accuracies in [0, 1] of one run, or their mean over draws.

    Attributes:
        name: of the method.
        average: plain mean over images.
        worst: accuracy of the worst group.
        average_range: 95 % interval of one run; over draws mean ± one standard deviation (nan for a single draw).
        worst_range: the same of the worst group.
        others: the further averages by name (group_mean, train_weighted).
        n: images.
        draws: how many; 0 for a method without any.
        heads: what was switched off, one entry per draw.
        extra: what else was measured, by name.
        published: as printed, in percent.
    """

    name: str
    average: float
    worst: float
    average_range: tuple[float, float]
    worst_range: tuple[float, float]
    others: dict[str, float]
    n: int
    draws: int = 0
    heads: tuple[str, ...] = ()
    extra: dict[str, float] | None = None
    published: Published | None = None


def one_run(name: str, found: Accuracy, train: dict[str, float], **more: Any) -> Row:
    """A row of one run, with its intervals. train: group sizes of the training split."""
    average, worst = found.average("plain"), found.worst
    return Row(
        name, average.value, worst.value, (average.interval.low, average.interval.high),
        (worst.interval.low, worst.interval.high), _others(found, train), found.n, **more,
    )  # fmt: skip


def over_draws(name: str, found: Sequence[Accuracy], train: dict[str, float], **more: Any) -> Row:
    """A row of several draws: means, with one standard deviation to either side."""
    table = np.array([[one.average("plain").value, one.worst.value] for one in found])
    mean, sd = table.mean(0), table.std(0, ddof=1) if len(found) > 1 else np.full(2, np.nan)
    others = [_others(one, train) for one in found]
    ranges = [(float(m - s), float(m + s)) for m, s in zip(mean, sd, strict=True)]
    return Row(
        name, float(mean[0]), float(mean[1]), ranges[0], ranges[1],
        {key: float(np.mean([one[key] for one in others])) for key in others[0]}, found[0].n, len(found), **more,
    )  # fmt: skip


def _others(found: Accuracy, train: dict[str, float]) -> dict[str, float]:
    kept = {name: size for name, size in train.items() if name in found.names}
    values = {"group_mean": found.average("group_mean").value}
    if set(kept) == set(found.names):
        values["train_weighted"] = found.average("train_weighted", kept).value
    return values


@dataclass(frozen=True, eq=False, repr=False)
class Reproduction:
    """A protocol run on this machine. Made by `tk.reproduce_waterbirds` (`toolkit reproduce waterbirds`).

    Attributes:
        rows: methods in order (`Row`).
        facts: model, fingerprint, precision, data with counts, templates, seeds, sizes.
        notes: what differs from the published protocol or could not be run.
    """

    rows: tuple[Row, ...]
    facts: dict[str, Any]
    notes: tuple[str, ...]

    def row(self, name: str) -> Row:
        """The row of a method (`Row`).

        Arguments:
            name: of the method.

        Raises:
            KeyError: for another name; it names the rows there are.
        """
        by_name = {row.name: row for row in self.rows}
        if name not in by_name:
            raise KeyError(f"{name!r}; there are {', '.join(map(repr, by_name))}")
        return by_name[name]

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per method, accuracies in percent: average (plain mean over test images) and worst group with their
        ranges, the other two averages, draws, and the published pair.
        """
        import pandas

        lines = []
        for row in self.rows:
            given = row.published
            lines.append(
                {
                    "method": row.name, "average": 100 * row.average, "worst group": 100 * row.worst,
                    "average low": 100 * row.average_range[0], "average high": 100 * row.average_range[1],
                    "worst low": 100 * row.worst_range[0], "worst high": 100 * row.worst_range[1],
                    **{name: 100 * value for name, value in row.others.items()},
                    **{name: 100 * value for name, value in (row.extra or {}).items()},
                    "draws": row.draws, "n": row.n,
                    "published average": given.average if given else np.nan,
                    "published worst": given.worst if given else np.nan,
                }
            )  # fmt: skip
        return pandas.DataFrame(lines)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        rows = [asdict(row) | {"published": row.published._asdict() if row.published else None} for row in self.rows]
        for row in rows:
            for name in ("average_range", "worst_range"):
                row[name] = [value if np.isfinite(value) else None for value in row[name]]
        return {"facts": self.facts, "notes": list(self.notes), "rows": rows}

    def __str__(self) -> str:
        wide = max(len(row.name) for row in self.rows)
        facts = self.facts
        head = f"{'':{wide}}  {'average':>22}  {'worst group':>22}  {'groups':>6} {'train':>6}  {'published':>27}"
        lines = [
            f"{facts['model']} on {facts['data']}, {facts['prompts']} prompts a class",
            "average: plain mean over test images; [95 % interval], or ± one standard deviation over (draws);",
            "groups, train: mean over groups, and weighted by their training sizes", head,
        ]  # fmt: skip
        for row in self.rows:
            cells = [_cell(row, row.average, row.average_range), _cell(row, row.worst, row.worst_range)]
            other = [f"{100 * row.others[n]:.1f}" if n in row.others else "–" for n in ("group_mean", "train_weighted")]
            more = "".join(f"; {name} {100 * value:.1f}" for name, value in (row.extra or {}).items())
            lines.append(
                f"{row.name:{wide}}  {cells[0]:>22}  {cells[1]:>22}  {other[0]:>6} {other[1]:>6}"
                f"  {_printed(row.published):>27}{more}"
            )
        lines += [f"published: {SOURCE}"] if any(row.published for row in self.rows) else []
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    __repr__ = __str__


def _cell(row: Row, value: float, limits: tuple[float, float]) -> str:
    if row.draws == 1:
        return f"{100 * value:.1f} (1)"
    if row.draws:
        return f"{100 * value:.1f} ± {50 * (limits[1] - limits[0]):.1f} ({row.draws})"
    return f"{100 * value:.1f} [{100 * limits[0]:.1f}, {100 * limits[1]:.1f}]"


def _printed(found: Published | None) -> str:
    if found is None:
        return "–"
    sd = found.sd
    return f"{found.average} / {found.worst}" if sd is None else f"{found.average} ± {sd[0]} / {found.worst} ± {sd[1]}"
