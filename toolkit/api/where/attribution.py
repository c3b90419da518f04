"""`TokenAttribution`: a map over an image's patches, by whatever method, with what it sums to and where it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.models.frame import Frame

if TYPE_CHECKING:
    import pandas
    from PIL import Image

Array = NDArray[np.float64]


class Frames(Sequence[Frame]):
    """Frames of images, each made when it is first asked for: a large picture takes a moment."""

    def __init__(self, make: Callable[[int], Frame], rows: Sequence[int]) -> None:
        self._make, self._rows = make, list(rows)

    @classmethod
    def some(cls, frames: Sequence[Frame], rows: Sequence[int]) -> Sequence[Frame]:
        """Those of some rows."""
        return cls(frames.__getitem__, rows)

    def __getitem__(self, row: Any) -> Any:
        return [self[i] for i in range(len(self))[row]] if isinstance(row, slice) else self._make(self._rows[row])

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(frozen=True, eq=False, repr=False)
class TokenAttribution:
    """Maps of b images, or of one (then without the first axis).

    Made by `tk.token_map`, `tk.grad_cam`, `tk.legrad`, `tk.game`, `tk.attention_map`, `tk.rollout`.

    Attributes:
        values: raw and signed [b, rows, cols]; never clipped, stretched or smoothed.
        rest: what the method gives to no patch [b, m]; of a method that adds up, `values.sum() + rest.sum() == total`.
        rest_names: of the parts of the rest [m].
        total: the score explained, measured on the embedding [b].
        method: in words.
        target: what is explained, in words.
        scale: the rule by which values are to be read.
        additive: whether values and rest add up to total.
        frames: where the grid lies in the pictures [b].
        direction: what the target multiplies unit embeddings with [d] (zeros: the method asks no text).
        heads: whose patches `values` holds; None for all.
        by_head: of every head [b, l, h, rows, cols]; None where the method knows no heads.
        ids: of the images, () where they have none.
        settings: model, convention and how it was made.
    """

    values: Array
    rest: Array
    rest_names: tuple[str, ...]
    total: Array
    method: str
    target: str
    scale: str
    additive: bool
    frames: Sequence[Frame]
    direction: Array
    heads: HeadSet | None = None
    by_head: NDArray[np.float32] | None = None
    ids: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    _pictures: Callable[[int], Image.Image] | None = None

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return (int(self.values.shape[-2]), int(self.values.shape[-1]))

    @property
    def single(self) -> bool:
        """Whether it is of one image, without an image axis."""
        return self.values.ndim == 2

    def __len__(self) -> int:
        return 1 if self.single else len(self.values)

    def __getitem__(self, row: int | slice) -> TokenAttribution:
        """The map of one image, or the maps of some."""
        if self.single:
            given = f"[{row!r}] of one image's map"
            raise InputError("TokenAttribution[…]", given, "a batch of maps", "use it as it is")
        if not (isinstance(row, slice) or hasattr(row, "__index__")):
            given = f"[{row!r}]"
            raise InputError("TokenAttribution[…]", given, "a position or a slice", "find it in .ids")
        at: Any = range(len(self.values))[row]
        rows, pictures = ([at] if isinstance(at, int) else list(at)), self._pictures
        return replace(
            self, values=self.values[at], rest=self.rest[at], total=self.total[at],
            frames=Frames.some(self.frames, rows),
            by_head=None if self.by_head is None else self.by_head[at],
            ids=tuple(self.ids[i] for i in rows) if self.ids else (),
            _pictures=None if pictures is None else lambda i: pictures(rows[i]),
        )  # fmt: skip

    def __iter__(self) -> Iterator[TokenAttribution]:
        return iter([self] if self.single else [self[i] for i in range(len(self.values))])

    @cached_property
    def error(self) -> float:
        """The largest |values.sum() + rest.sum() − total| before rounding was booked as a part; nan where the method
        adds up to nothing.
        """
        if not self.additive:
            return float("nan")
        return float(np.abs(self.rest[..., self.rest_names.index("rounding")]).max())

    def part(self, name: str) -> Array:
        """One part of the rest by name [b].

        Arguments:
            name: one of `rest_names`.
        """
        if name not in self.rest_names:
            raise InputError("TokenAttribution.part", repr(name), ", ".join(self.rest_names) or "none", "name one")
        return np.asarray(self.rest[..., self.rest_names.index(name)])

    def at(self, row: int, column: int) -> NDArray[np.float32]:
        """What every head read at one patch [b, l, h].

        Arguments:
            row: of the patch, from 0 at the top.
            column: of the patch, from 0 at the left.
        """
        if self.by_head is None:
            given = f"a map of {self.method}, which knows no heads"
            raise InputError("TokenAttribution.at", given, "a token map", "use tk.token_map")
        rows, columns = self.grid
        if not (0 <= row < rows and 0 <= column < columns):
            given = f"patch ({row}, {column})"
            raise InputError("TokenAttribution.at", given, f"rows 0…{rows - 1}, columns 0…{columns - 1}", "pass such")
        return np.asarray(self.by_head[..., row, column])

    def picture(self, row: int = 0) -> Image.Image | None:
        """The image as it was given (PIL), or None where that is not known.

        Arguments:
            row: which of the images, from 0; default 0.
        """
        return None if self._pictures is None else self._pictures(row)

    def on_picture(self, row: int = 0, smooth: bool = False) -> Array:
        """The map back in the pixels of the image as it was given [height, width], crop and resize undone.

        NaN where the model did not look.

        Arguments:
            row: which of the images, from 0; default 0.
            smooth: bilinear between patch centres; default False, every pixel has its patch's value.
        """
        return self.frames[row].on_picture(self.values if self.single else self.values[row], smooth)

    def clipped(self) -> Array:
        """The maps for people and metrics that want [0, 1]: below zero cut off, each divided by its own maximum (0
        where nothing is positive). What is lost: sign, and size between images.
        """
        cut = np.maximum(self.values, 0)
        most = cut.max((-2, -1), keepdims=True)
        return np.asarray(cut / np.where(most > 0, most, 1))

    def __sub__(self, other: Any) -> TokenAttribution:
        """The difference map, part by part; adds up to the difference of the scores where both add up."""
        if not isinstance(other, TokenAttribution):
            return NotImplemented
        kinds = {
            m: {
                "scale": m.scale, "method": m.method, "heads": m.heads and set(m.heads), "rest_names": m.rest_names,
                "ids": m.ids, "shape": m.values.shape,
            }
            for m in (self, other)
        }  # fmt: skip
        differ = next((what for what, ours in kinds[self].items() if ours != kinds[other][what]), None)
        if differ:
            ours, theirs = (str(kinds[m][differ])[:60] for m in (self, other))
            given = f"maps whose {differ} differ: {ours} and {theirs}"
            raise InputError("difference map", given, "two maps of one method and the same images", "make both alike")
        both, same = self.by_head is not None and other.by_head is not None, self.target == other.target
        return replace(
            self, values=self.values - other.values, rest=self.rest - other.rest, total=self.total - other.total,
            scale=self.scale if self.scale.startswith("difference") else f"difference of two maps: {self.scale}",
            target=self.target if same else f"({self.target}) − ({other.target})",
            direction=self.direction if same else self.direction - other.direction,
            by_head=self.by_head - other.by_head if both else None,  # type: ignore[operator]
            settings={**self.settings, "difference": [str(m.settings.get("state", "")) for m in (self, other)]},
        )  # fmt: skip

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per patch: image, row, column, value, and its box (left, top, right, bottom) in the picture."""
        import pandas

        rows, columns = self.grid
        frames = []
        for i, one in enumerate(self):
            boxes = [self.frames[i].cell(r, c, self.grid) for r in range(rows) for c in range(columns)]
            table = pandas.DataFrame(boxes, columns=["left", "top", "right", "bottom"])
            table.insert(0, "image", self.ids[i] if self.ids else i)
            table.insert(1, "row", np.repeat(np.arange(rows), columns))
            table.insert(2, "column", np.tile(np.arange(columns), rows))
            table.insert(3, "value", one.values.ravel())
            frames.append(table)
        return pandas.concat(frames, ignore_index=True)

    def __repr__(self) -> str:
        n = "one image" if self.single else f"{len(self)} images"
        heads = "" if self.heads is None else f", {len(self.heads)} heads"
        words = f"{self.method} of {self.target}, {n}, {self.grid[0]}×{self.grid[1]} patches{heads}"
        if self.single:
            words += f", from {self.values.min():+.3g} to {self.values.max():+.3g}"
            if self.additive:
                sums = f"patches {self.values.sum():+.4f}, rest {self.rest.sum():+.4f}"
                words += f", {sums}, together {float(self.total):+.4f}"
        return f"TokenAttribution({words})"
