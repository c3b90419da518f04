"""Miniature trees of the public data sets, in the layouts they come in, with the traps they come with."""

from __future__ import annotations

import csv
from itertools import count, product
from pathlib import Path

from PIL import Image, ImageDraw

_NUMBERS = count()


def picture(path: Path, size: tuple[int, int] = (32, 24), **save: object) -> Path:
    """An image file of a colour of its own."""
    k = next(_NUMBERS)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (37 * k % 256, 91 * k % 256, 151 * k % 256)).save(path, **save)
    return path


def mask(path: Path, box: tuple[int, int, int, int], size: tuple[int, int] = (32, 24), full: int = 255) -> Path:
    """A grey mask: `full` inside the box (right and bottom just past it), 0 outside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = Image.new("L", size)
    ImageDraw.Draw(grey).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=full)
    grey.save(path)
    return path


def rubbish(root: Path) -> None:
    """What archives and desktops leave behind."""
    for name in ("__MACOSX/1.jpg", "._1.jpg", ".hidden/1.jpg"):
        picture(root / name)
    (root / "README.txt").write_text("read me")


def sheet(path: Path, columns: list[str], rows: list[tuple[object, ...]]) -> Path:
    """A CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


SPECIES = {0: ("009.Brewer_Blackbird", "010.Red_winged_Blackbird"), 1: ("003.Sooty_Albatross", "059.California_Gull")}
PLACES = {0: ("/b/bamboo_forest/1.jpg", "/f/forest/broadleaf/2.jpg"), 1: ("/o/ocean/3.jpg", "/l/lake/natural/4.jpg")}
TERNS = ("021.Eastern_Towhee", "088.Western_Meadowlark", "102.Western_Wood_Pewee")


def waterbirds(top: Path, layout: str = "group_dro", n: int = 2, segmentations: bool = True) -> Path:
    """n images per split and group, and one of each mislabelled species in test; what to pass to the reader."""
    root = top / {"wilds": "waterbirds_v1.0"}.get(layout, "waterbird_complete95_forest2water2")
    cells = [(species, y, s, a, PLACES[a][k % 2]) for s, y, a, k in product(range(3), (0, 1), (0, 1), range(n))
             for species in [SPECIES[y][k % 2]]]  # fmt: skip
    cells += [(species, 1, 2, 0, PLACES[0][0]) for species in TERNS]
    rows = []
    for i, (species, y, s, a, place) in enumerate(cells):
        name = f"{species}/{species.split('.')[1]}_{i:04}.jpg"
        picture(root / name)
        if segmentations:
            mask(top / "segmentations" / Path(name).with_suffix(".png"), (4, 3, 20, 15), full=204)
        rows.append((i + 1, name, y, s, a, place))
    rubbish(root)
    columns = ["img_id", "img_filename", "y", "split", "place", "place_filename"]
    if layout == "subpopbench":
        kept = [(i, name, s, y, a) for i, name, y, s, a, _ in rows]
        sheet(top / "metadata_waterbirds.csv", ["id", "filename", "split", "y", "a"], kept)
        return top
    sheet(root / "metadata.csv", columns, rows)
    if layout == "wilds":
        (root / "RELEASE_v1.0.txt").write_text("release")
    return root


NAMES = ("5_o_Clock_Shadow", "Blond_Hair", "Eyeglasses", "Male", "Young")


def celeba(top: Path, layout: str = "official", n: int = 12, said: int | None = None) -> Path:
    """n portraits, 4 of a split each in turn; attribute k of image i is bit k of i."""
    below = {"torchvision": "celeba", "wilds": "celebA_v1.0"}.get(layout, "")
    root, twice = top / below, "img_align_celeba/" if layout == "doubled" else ""
    rows, splits = [], []
    for i in range(n):
        name = f"{i + 1:06}.jpg"
        picture(root / "img_align_celeba" / twice / name, (22, 27))
        rows.append((name, *(1 if i >> k & 1 else -1 for k in range(len(NAMES)))))
        splits.append((name, i * 3 // n))
    rubbish(root / "img_align_celeba")
    if layout in ("official", "torchvision"):
        words = [str(said or n), " ".join(NAMES) + " "]
        words += [row[0] + "".join(f" {value:2}" for value in row[1:]) for row in rows]
        (root / "list_attr_celeba.txt").write_text("\n".join(words) + "\n")
        (root / "list_eval_partition.txt").write_text("".join(f"{name} {k}\n" for name, k in splits))
    else:
        sheet(root / "list_attr_celeba.csv", ["image_id", *NAMES], rows)
        sheet(root / "list_eval_partition.csv", ["image_id", "partition"], splits)
    return top


def imagenet(top: Path) -> Path:
    """Two splits, three classes."""
    root = top / "imagenet"
    for split, n in (("train", 3), ("val", 2)):
        for wnid in ("n01440764", "n02012849", "n04356056"):
            for i in range(n):
                picture(root / split / wnid / f"ILSVRC2012_{split}_{i}.JPEG", format="JPEG")
    rubbish(root)
    return root


def imagenet_r(top: Path) -> Path:
    """Four classes; two have two cartoons, so that a tie decides."""
    root = top / "imagenet-r"
    for wnid, styles in {
        "n01443537": ("art_0.jpg", "cartoon_0.jpg", "cartoon_1.JPG"),
        "n01484850": ("cartoon_4.jpg", "cartoon_5.jpg"),
        "n04008634": ("toy_0.JPEG", "sketch_1.jpeg", "misc_2.jpg", "deviantart_3.jpg"),
        "n04356056": ("cartoon_9.jpg", "odd.jpg"),
    }.items():
        for name in styles:
            picture(root / wnid / name, format="JPEG")
    rubbish(root)
    picture(root / "montage.jpg")
    return root


def imagenet_a(top: Path) -> Path:
    """Three classes, with spaces in names."""
    root = top / "imagenet-a"
    for wnid, names in {
        "n02782093": ("0.003001_balloon _ balloon_0.4695.jpg", "0.1_umbrella _ parachute_0.9.JPEG"),
        "n02219486": ("0.000116_digital clock _ digital clock_0.865662.jpeg", "other name.jpg", "0.2_x _ y_0.3.jpg"),
        "n01498041": ("0.01_eel _ eel_0.5.jpg", "0.02_eel _ eel_0.5.jpg"),
    }.items():
        for name in names:
            picture(root / wnid / name, format="JPEG")
    rubbish(root)
    return root


def counteranimal(top: Path) -> Path:
    """Three classes, of which two have one name, made in an order that is not theirs."""
    for folder in (
        "102 echidna/counter dead leaves", "9 ostrich/common ground", "134 crane/Common_water", "517 crane/counter-sky",
        "102 echidna/common grass", "9 ostrich/counter water",
    ):  # fmt: skip
        for name in ("b.JPG", "a.jpg"):
            picture(top / "CounterAnimal" / folder / name, format="JPEG")
    picture(top / "CounterAnimal" / "102 echidna" / "undecided" / "1.jpg")
    rubbish(top / "CounterAnimal")
    return top / "CounterAnimal"


WORDS = ("urban", "country")


def urbancars(top: Path, splits: tuple[str, ...] = ("train", "val", "test"), n: int = 2) -> Path:
    """n images a cell, each with its masks and background."""
    for split, car, ground, thing in product(splits, WORDS, WORDS, WORDS):
        ratio = "bg-0.95_co_occur_obj-0.95" if split == "train" else "bg-0.5_co_occur_obj-0.5"
        cell = top / "urbancars" / ratio / split / f"obj-{car}_bg-{ground}_co_occur_obj-{thing}"
        for i in range(n):
            picture(cell / f"{i:03}.jpg", (32, 32))
            mask(cell / f"{i:03}_mask.png", (8, 16, 24, 28), (32, 32))
            mask(cell / f"{i:03}_co_occur_obj_mask.png", (0, 0, 4, 4), (32, 32))
            picture(cell / f"{i:03}_bg_only.png", (32, 32))
    return top / "urbancars"


def table(top: Path, name: str = "birds.csv", separator: str = ",", encoding: str = "utf-8") -> Path:
    """Six images in two splits, listed in a text file with species, place, split and a number."""
    rows = []
    for i in range(6):
        path = picture(top / "images" / f"{i}.png").relative_to(top).as_posix()
        mask(top / "masks" / f"{i}.png", (2, 2, 6 + i, 9), full=1)
        rows.append(
            (
                path,
                ("gull", "wren")[i % 2],
                ("land", "water")[i // 3],
                ("train", "test")[i > 1],
                i / 2,
                f"masks/{i}.png",
            )
        )
    lines = [separator.join(("path", "label", "place", "split", "weight", "mask"))]
    lines += [separator.join(map(str, row)) for row in rows]
    (top / name).write_text("\n".join(lines) + "\n", encoding=encoding)
    return top / name


def image_folder(top: Path) -> Path:
    """Two classes of two images each."""
    for name in ("cat/1.png", "cat/2.jpg", "dog/1.png", "dog/2.jpg"):
        picture(top / "photos" / name)
    rubbish(top / "photos")
    return top / "photos"
