"""`tk.waterbirds`: birds of CUB on backgrounds of Places (Sagawa et al. 2020)."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from toolkit.data.choice import one_of, tally
from toolkit.data.documented import SPLITS, WATERBIRDS
from toolkit.data.files import FileSamples
from toolkit.data.paths import first_with, folder_given, plain
from toolkit.data.readers import reader
from toolkit.data.sheets import column, numbers, read_sheet
from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas

NAME = "waterbird_complete95_forest2water2"
WITHIN = ("", NAME, "waterbirds_v1.0", f"cub/data/{NAME}", f"data/{NAME}", "waterbirds", f"waterbirds/{NAME}")
BIRDS = ("landbird", "waterbird")
PLACES = ("land", "water")
LAYOUT = f"a folder with metadata.csv, or one that holds {NAME} or waterbirds_v1.0"
MISLABELLED = ("eastern towhee", "western meadowlark", "western wood pewee")
"""Land birds in which the script that made the data found the letters of "tern"."""


@reader(LAYOUT, splits=SPLITS, documented=WATERBIRDS)
def waterbirds(
    folder: str | Path, split: str = "test", *, fix_labels: bool = False, segmentations: str | Path | None = None
) -> FileSamples:
    """The Waterbirds images of one split: label "landbird" or "waterbird", group such as "landbird on water".

    Attributes of the data: species, place ("land" or "water") and, where the file has it, place_kind (as
    "lake/natural"). Counts that differ from the documented ones are in `notes`.

    Arguments:
        folder: with metadata.csv, or one above it (the layouts of group_DRO, WILDS and SubpopBench are known).
        split: "train", "val" or "test"; default "test".
        fix_labels: make the three species landbirds that the data has as waterbirds by mistake; default False, as
            everyone else's numbers are.
        segmentations: the folder of CUB's masks; they are greys, averaged over annotators: above half is bird; default
            the folder beside the images if there is one.

    Raises:
        InputError: where no such data is found.

    >>> import toolkit as tk
    >>> tk.waterbirds("waterbird_complete95_forest2water2").where(place="water", label="landbird")  # doctest: +SKIP
    waterbirds(2255 images, split 'test': landbird on water 2255)
    """
    top = folder_given("waterbirds", folder)
    one_of("waterbirds", "split", split, SPLITS)
    sheet = _sheet(top)
    rows, notes = read_sheet(sheet, "waterbirds")
    rows = _known(rows)
    rows = rows[rows["split"] == SPLITS.index(split)]
    if not len(rows):
        raise InputError("waterbirds", f"{sheet.name} without a row of {split!r}", "a whole copy", "get it again")
    root = _root(sheet.parent, rows["path"].tolist())
    found = tally(_group(y, a) for y, a in zip(rows["y"], rows["a"], strict=True))  # before labels are mended
    species = [_species(path) for path in rows["path"]]
    wrong = [int(y) == 1 and name.lower() in MISLABELLED for y, name in zip(rows["y"], species, strict=True)]
    label = [0 if fix_labels and bad else int(y) for y, bad in zip(rows["y"], wrong, strict=True)]
    notes += _noise(sum(wrong), fix_labels)
    table = rows.assign(
        label=[BIRDS[y] for y in label], group=[_group(y, a) for y, a in zip(label, rows["a"], strict=True)],
        id=rows["path"], species=species, place=[PLACES[a] for a in rows["a"]],
    ).drop(columns=["y", "a", "split"])  # fmt: skip
    masks = _segmentations(root, segmentations)
    return FileSamples(
        root, table, split, "waterbirds", class_names=BIRDS, notes=notes, documented=WATERBIRDS[split], counts=found,
        mask=None if masks is None else lambda path: masks.joinpath(*_mask_parts(path)),
    )  # fmt: skip


def _sheet(top: Path) -> Path:
    """The table of the data, in a folder or in one of the places libraries keep it below."""
    for name in ("metadata.csv", "metadata_waterbirds.csv"):
        at = first_with((top / within for within in WITHIN), name)
        if at is not None:
            return at / name
    raise InputError("waterbirds", f"{str(top)!r}, where no metadata.csv was found", LAYOUT, "check the path")


def _known(rows: pandas.DataFrame) -> pandas.DataFrame:
    """The rows in one form: path, y, a (1 on water), split, and place_kind where it is known."""
    import pandas

    other = "img_filename" not in rows.columns and "filename" in rows.columns
    image, place = ("filename", "a") if other else ("img_filename", "place")
    found = {"path": [plain(path) for path in column(rows, image, "waterbirds")]}
    table = pandas.DataFrame(found, dtype=object)
    table["y"] = numbers(rows, "y", (0, 1), "waterbirds")
    table["a"] = numbers(rows, place, (0, 1), "waterbirds")
    table["split"] = numbers(rows, "split", (0, 1, 2), "waterbirds")
    if "place_filename" in rows.columns:
        table["place_kind"] = [_kind(path) for path in rows["place_filename"]]
    return table


def _kind(path: str) -> str:
    """The words of a background's folders: "lake/natural" of "/l/lake/natural/00000003.jpg"."""
    parts = [part for part in plain(path).split("/")[:-1] if part]
    return "/".join(parts[1:] if parts and len(parts[0]) == 1 else parts)


def _species(path: str) -> str:
    """Of "001.Black_footed_Albatross/….jpg", its words."""
    folder = PurePosixPath(path).parent.name
    number, dot, name = folder.partition(".")
    return (name if dot and number.isdecimal() else folder).replace("_", " ").replace("-", " ")


def _group(y: int, a: int) -> str:
    return f"{BIRDS[y]} on {PLACES[a]}"


def _noise(wrong: int, fixed: bool) -> tuple[str, ...]:
    """What is to be said of the three mislabelled species."""
    if not wrong:
        return ()
    species = "Eastern Towhee, Western Meadowlark and Western Wood Pewee"
    if fixed:
        return (f"fix_labels made {wrong} images of {species} landbirds.",)
    return (f"{wrong} images of {species}, land birds, are labelled waterbird; fix_labels=True makes them landbirds.",)


def _root(folder: Path, paths: list[str]) -> Path:
    """Where the images lie: beside the table or, as SubpopBench has it, in a folder beside it."""
    species = {PurePosixPath(path).parts[0] for path in paths if path}
    return first_with((folder, folder / NAME), *sorted(species)) or folder


def _mask_parts(path: str) -> tuple[str, str]:
    """Species and file of a mask, as CUB names it."""
    found = PurePosixPath(path).with_suffix(".png")
    return found.parent.name, found.name


def _segmentations(root: Path, given: str | Path | None) -> Path | None:
    """The folder whose sub-folders are species, with masks; None where none is given or found."""
    if given is None:
        near = [at / "segmentations" for at in (root, root.parent, root.parent / "CUB_200_2011", root.parent.parent)]
        return next((at for at in near if at.is_dir()), None)
    at = folder_given("waterbirds", given)
    return at / "segmentations" if (at / "segmentations").is_dir() else at
