"""`FileSamples`: images in files, with what a table knows of them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from toolkit.data.choice import counts_note, first_three, tally, unknown
from toolkit.data.decoder import shown, upright_size
from toolkit.data.doubtful import doubts
from toolkit.data.endings import left_out, remedy, suffixes, unread
from toolkit.data.masks import box_around, mask_from
from toolkit.data.paths import DataWarning, folder_given, located, plain
from toolkit.data.samples import Read, Samples
from toolkit.data.spelling import nfc
from toolkit.errors import InputError, warn_caller

if TYPE_CHECKING:
    import pandas

OWN = ("path", "id", "label", "group")
Box = tuple[int, int, int, int]


class FileSamples(Samples):
    """Images in files below a folder, decoded when asked for; what the readers of data sets return.

    A function that returns one is a reader: what it reads goes wherever `tk.waterbirds(…)` goes.

    Arguments:
        root: the folder.
        table: a DataFrame, one row per image, with the columns path (relative to root, "/" between folders), id
            (unique), label and group, all as strings; every other column becomes an attribute.
        split: what the images are of, e.g. "test"; "all" where there are no splits.
        source: the reader's name, with which errors begin; default "FileSamples".
        mask: the column with the paths of masks (relative to root; bright where the object is), or a function from an
            image's path to its mask file; default no masks.
        class_names: the labels in the order of the data set's own numbers, default sorted.
        notes: sentences on what was left out or read otherwise; they are shown with the samples; default none.
        documented: how many images of each group there should be, by name; "images" and "classes" count all of them.
            where a copy differs, a note says so; default nothing is known.
        counts: what to hold against `documented` where groups of the table are not what was documented (some were
            chosen, labels were mended); default the rows of the table, images whose file is missing among them.

    Attributes:
        root: the folder.
        attributes: what else is known of every image, a DataFrame by id.
        class_names: of all labels.
        notes: sentences on what was noticed; one, and a DataWarning, on pictures of kinds that Pillow here cannot
            read (HEIC, raw …), whose rows are left out; the same on labels that read alike ("Cat", "cat") and on such
            that may stand for none ("NaN").
        missing: ids whose file is not there: these are left out, with a DataWarning.

    Raises:
        InputError: where no file is there, for ids given twice and for paths that leave the root (absolute ones, "..",
            links that lead outside).

    >>> import pandas, tempfile, toolkit as tk
    >>> def gulls(folder):
    ...     rows = {"path": ["one.png", "two.png"], "label": "gull", "group": ["gull on land", "gull on water"]}
    ...     table = pandas.DataFrame(rows).assign(id=["one", "two"], year=1999)
    ...     documented = {"images": 3, "gull on land": 1}
    ...     return tk.FileSamples(folder, table, "all", "gulls", notes=["Two are enough."], documented=documented)
    >>> folder = tempfile.mkdtemp()
    >>> for name in ("one.png", "two.png"):
    ...     tk.scenes("test", n=1).image(0).save(f"{folder}/{name}")
    >>> gulls(folder)
    gulls(2 images, split 'all': gull on land 1, gull on water 1)
      note: Two are enough.
      note: Counts of the images differ from the documented ones: images 2 instead of 3.
    """

    def __init__(
        self, root: str | Path, table: pandas.DataFrame, split: str, source: str = "FileSamples", *,
        mask: str | Callable[[str], Path] | None = None, class_names: Sequence[str] | None = None,
        notes: Sequence[str] = (), documented: Mapping[str, int] | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        self.root, self.source = folder_given(source, root), source
        _checked(table, source, mask)
        paths = [plain(path) for path in table["path"]]
        notes = (*notes, *_differing(table, split, documented or {}, counts))
        found, readable = located(self.root, paths, source), suffixes()
        rows = [row for row, path in enumerate(found) if path is not None and not unread(path, readable)]
        if others := [row for row, path in enumerate(found) if path is not None and unread(path, readable)]:
            said = _unreadable(table, rows, others, str(self.root), source)
            notes = (*notes, f"{said}.")
            warn_caller(f"{source}: {said}", DataWarning)
        self.missing: tuple[str, ...] = tuple(str(table["id"].iloc[row]) for row, p in enumerate(found) if p is None)
        if not rows:
            given = f"{str(self.root)!r}, where none of the {len(paths)} images is there ({first_three(paths)})"
            raise InputError(source, given, "a folder that holds them", "check the folder, or copy the images into it")
        if self.missing:
            said = f"{len(self.missing)} of {len(paths)} images are not there and are left out"
            notes = (*notes, f"{said}: {first_three(self.missing)}.")
            warn_caller(f"{source}: {said}: {first_three(self.missing)}", DataWarning)
        part = table.iloc[rows]
        if said := "; ".join(doubts(map(str, part["label"]), map(str, part["group"]))):
            notes = (*notes, f"{said[0].upper()}{said[1:]}.")
            warn_caller(f"{source}: {said}", DataWarning)
        self._paths = np.array([found[row] for row in rows], dtype=object)
        columns = [[str(value) for value in part[name]] for name in OWN[1:]]
        super().__init__(columns[0], columns[1], columns[2], split)
        self._masks: NDArray[Any] | None = None
        if isinstance(mask, str):
            self._masks = _mask_paths(self.root, part[mask], f"{source}.masks")
        elif mask is not None:
            self._masks = np.array([mask(path) for path in self._paths], dtype=object)
        drop = [*OWN, *([mask] if isinstance(mask, str) else [])]
        self.attributes: pandas.DataFrame = part.drop(columns=drop).set_axis(self.ids, axis=0).rename_axis("id")
        names = sorted(set(self.labels) - {""}) if class_names is None else class_names
        self.class_names = tuple(map(nfc, names))
        self.notes: tuple[str, ...] = notes

    def file(self, row: int) -> Path:
        """The path of an image on disk.

        Arguments:
            row: which, from 0.
        """
        return Path(self.root / self._paths[row])

    def read(self, row: int) -> Read:
        """One image, or why there is none.

        Arguments:
            row: which, from 0.

        Raises:
            OSError: where the fault is not this file's (the folder is gone …).
        """
        path = self.file(row)
        try:
            if not path.stat().st_size:
                return Read(None, "an empty file")
            found = _decoded(path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM) and self.root.is_dir():
                return Read(None, str(error.strerror))
            raise
        if "nearly black" in found.note:
            said = "pictures of more than 8 bits come out nearly black: acts.report and data.read(row).note say which"
            warn_caller(f"{self.source}: {said}", DataWarning)
        return found

    def pixels(self, rows: Sequence[int]) -> list[Image.Image]:
        found = [(row, self.read(row)) for row in rows]
        for row, read in found:
            if read.image is None:
                given = f"{self._paths[row]!r}, which cannot be shown: {read.note}"
                fix = "leave it out with data.take([…]); tk.extract skips such images and lists them"
                raise InputError(self.source, given, "images Pillow can read", fix)
        return [read.image for _, read in found if read.image is not None]

    def take(self, rows: Sequence[int]) -> Self:
        at, part = np.asarray(self.positions(rows, f"{self.source}.take"), np.int64), copy(self)
        for name in ("ids", "labels", "groups", "_paths"):
            setattr(part, name, getattr(self, name)[at])
        part._masks = None if self._masks is None else self._masks[at]
        part.attributes, part.notes = self.attributes.iloc[at], ()
        return part

    def masks(self, rows: Sequence[int] | None = None) -> list[NDArray[np.bool_]]:
        """Where the object is, bool [height, width] in the pixels of each picture, for `tk.localisation`.

        A pixel counts where its mask is brighter than half of full.

        Arguments:
            rows: which, whole numbers; default all.

        Raises:
            InputError: where the data was read without masks, and for masks that are missing or of another size.
        """
        every = range(len(self)) if rows is None else self.positions(rows, f"{self.source}.masks")
        return [self._mask(row, "masks") for row in every]

    def boxes(self, rows: Sequence[int] | None = None) -> list[Box]:
        """The tight box of every mask: (left, top, right, bottom) in pixels, right and bottom just past the object.

        Arguments:
            rows: which, whole numbers; default all.

        Raises:
            InputError: as for `masks`, and for a mask without a pixel.
        """
        operation = f"{self.source}.boxes"
        every = range(len(self)) if rows is None else self.positions(rows, operation)
        return [box_around(self._mask(row, "boxes"), self._paths[row], operation) for row in every]

    def stamp(self) -> str:
        """Sizes and times of the files, so that a changed file is noticed."""
        found = sha256()
        for path in self._paths:
            try:
                facts = (self.root / path).stat()
                found.update(f"{path} {facts.st_size} {facts.st_mtime_ns}\n".encode())
            except OSError as error:
                found.update(f"{path} is gone ({error.errno})\n".encode())
        return found.hexdigest()

    def to_dataframe(self) -> pandas.DataFrame:
        """A table: id, label, group, split, and the attributes."""
        import pandas

        own = super().to_dataframe()
        more = self.attributes.reset_index(drop=True).drop(columns=list(own.columns), errors="ignore")
        return pandas.concat([own, more], axis=1)

    def _mask(self, row: int, verb: str) -> NDArray[np.bool_]:
        operation = f"{self.source}.{verb}"
        path = None if self._masks is None else self._masks[row]
        if not path:
            given = "data that was read without masks" if self._masks is None else f"{self.ids[row]!r}, without a mask"
            known = "tk.waterbirds(…, segmentations=folder), tk.table(…, mask=column), tk.FileSamples(…, mask=…)"
            fix = f"read it with them: {known}"
            raise InputError(operation, given, "data with a mask for every image", fix)
        try:
            size = upright_size(self.root / self._paths[row])
        except Exception as error:
            given = f"{self._paths[row]!r}, which cannot be shown: {error}"
            raise InputError(operation, given, "images Pillow can read", "leave it out: ask for other rows") from error
        return mask_from(path, size, self._paths[row], operation)

    def __repr__(self) -> str:
        head = super().__repr__().replace(type(self).__name__, self.source, 1)
        return "\n".join([head, *(f"  note: {note}" for note in self.notes)])


def _checked(table: pandas.DataFrame, source: str, mask: object) -> None:
    need = [*OWN, *([mask] if isinstance(mask, str) else [])]
    for name in need:
        if name not in table.columns:
            raise unknown(source, f"a table without a column {name!r}", name, table.columns, "name the columns so")
    if not len(table):
        raise InputError(source, "no rows", "at least one image", "check what the table lists")
    twice = table["id"].astype(str).duplicated()
    if twice.any():
        names = list(dict.fromkeys(table["id"].astype(str)[twice]))
        given = f"{len(names)} id{'s' * (len(names) > 1)} given more than once: {first_three(names)}"
        raise InputError(source, given, "a unique id per image", "drop the copies, or use another column as id")


def _differing(
    table: pandas.DataFrame, split: str, documented: Mapping[str, int], counts: Mapping[str, int] | None
) -> tuple[str, ...]:
    """A note on counts that differ from the documented ones."""
    if counts is None:
        counts = {"images": len(table), "classes": table["label"].nunique(), **tally(table["group"])}
    return counts_note("the images" if split == "all" else f"the {split} split", counts, documented)


def _unreadable(table: pandas.DataFrame, rows: Sequence[int], others: Sequence[int], root: str, source: str) -> str:
    """What is said of rows whose pictures Pillow here cannot read. Raises InputError where there are no other rows."""
    paths = [plain(path) for path in table["path"].iloc[others]]
    labels = [{nfc(str(label)) for label in table["label"].iloc[some]} for some in (others, rows)]
    said = left_out(paths, sorted(labels[0] - labels[1]))
    if not rows:
        raise InputError(source, f"{root!r}: {said}", "pictures that Pillow here reads", remedy(paths))
    return said


def _mask_paths(root: Path, column: Any, operation: str) -> NDArray[Any]:
    """Mask files, "" where there is none to be; one that is named and not there is told when it is asked for."""
    named = [plain(path) for path in column]
    some = [path for path in named if path]
    there = dict(zip(some, located(root, some, operation), strict=True)) if some else {}
    return np.array([root / (there[path] or path) if path else "" for path in named], dtype=object)


def _decoded(path: Path) -> Read:
    try:
        return Read(*shown(path))
    except UnidentifiedImageError:
        return Read(None, "not an image Pillow can read")
    except OSError as error:
        if error.errno is not None:  # the file system speaking, not a decoder
            raise
        return Read(None, str(error))
    except Exception as error:  # noqa: BLE001 – damaged files make Pillow's decoders raise anything
        return Read(None, f"{type(error).__name__}: {error}")
