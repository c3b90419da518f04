"""`Overlap`: ranked lists of heads beside each other, and what the heads they share say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.core.heads import HeadSet
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False, repr=False)
class Overlap:
    """Ranked lists of heads, the worst first. Made by `scores.overlap`.

    Attributes:
        lists: by the name of a score, (layer, head) each.
    """

    lists: dict[str, list[tuple[int, int]]]

    @property
    def shared(self) -> HeadSet:
        """The heads that stand in every list, the lowest layer first."""
        first, *rest = (set(heads) for heads in self.lists.values())
        return HeadSet(tuple(sorted(first.intersection(*rest))))

    @property
    def ranks(self) -> pandas.DataFrame:
        """The lists as they are, one column each: the head at every rank, from 1 (R25 Table 4)."""
        import pandas

        columns = {name: [_name(head) for head in heads] for name, heads in self.lists.items()}
        longest = max(map(len, columns.values()))
        padded = {name: heads + [""] * (longest - len(heads)) for name, heads in columns.items()}
        return pandas.DataFrame(padded, index=pandas.RangeIndex(1, longest + 1, name="rank"))

    @property
    def table(self) -> pandas.DataFrame:
        """One row per head that is in any list, those in most lists first: its rank in each (nan: not there), lists."""
        import pandas

        places = {name: {head: i for i, head in enumerate(heads, 1)} for name, heads in self.lists.items()}
        every = sorted(set().union(*places.values()))
        rows = [{"head": _name(head)} | {name: at.get(head) for name, at in places.items()} for head in every]
        frame = pandas.DataFrame(rows).astype(dict.fromkeys(places, float))
        frame["lists"] = frame[list(places)].notna().sum(axis=1)
        best = frame[list(places)].min(axis=1)
        return frame.assign(best=best).sort_values(["lists", "best"], ascending=[False, True], kind="stable").drop(
            columns="best"
        ).reset_index(drop=True)  # fmt: skip

    def to_dataframe(self) -> pandas.DataFrame:
        """The table."""
        return self.table

    def with_texts(self, spans: Any, k: int = 5) -> pandas.DataFrame:
        """The table with the first texts of every head in columns "text 1" … (R25 Table 5).

        Arguments:
            spans: of `tk.textspan`, over the layers of these heads (`Spans`).
            k: texts a head, at least 1; default 5.

        Raises:
            InputError: for heads that were not described.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise InputError("overlap.with_texts", f"k={k!r:.40}", "a whole number of at least 1", "pass how many")
        frame = self.table
        texts = [spans.head(name)["text"].tolist()[:k] for name in frame["head"]]
        for j in range(k):
            frame[f"text {j + 1}"] = [some[j] if j < len(some) else "" for some in texts]
        return frame

    def __repr__(self) -> str:
        lengths = ", ".join(f"{name}: {len(heads)}" for name, heads in self.lists.items())
        return f"Overlap of lists ({lengths}); in all of them: {self.shared or 'no head'}"


def _name(head: tuple[int, int]) -> str:
    return f"L{head[0]}.H{head[1]}"
