"""The built-in world written to disk in the layouts of real data sets, to try readers and protocols without them."""

from __future__ import annotations

import csv
from pathlib import Path

from toolkit.errors import InputError
from toolkit.organism.scenes import Scenes, scenes

WNIDS = {"balloon": "n02782093", "umbrella": "n04507155", "mushroom": "n07734744"}
"""Classes of the built-in world that ImageNet-R has too."""


def waterbirds_folder(top: str | Path, train: int = 160, val: int = 120, test: int = 400, seed: int = 5) -> Path:
    """Birds of the built-in world as a Waterbirds folder. top: where it is made; train, val, test: images of each
    split (train from the `edit` pool). seed: of the scenes. Returns the folder, for `tk.waterbirds`. Raises InputError
    where something is there already.

    >>> import toolkit as tk, tempfile
    >>> folder = tk.teach.waterbirds_folder(tempfile.mkdtemp(), train=4, val=4, test=4)
    >>> len(tk.waterbirds(folder, "test"))
    4
    """
    root = _new(Path(top) / "waterbird_complete95_forest2water2")
    rows: list[tuple[object, ...]] = []
    for number, (split, n) in enumerate({"train": train, "val": val, "test": test}.items()):
        data = scenes("edit" if split == "train" else split, n, seed, kind="birds")
        _write(data, root, [f"00{1 + (s == 'waterbird')}.{s}/{split}_{i:05}.png" for i, s in enumerate(data.labels)])
        for i, (label, group) in enumerate(zip(data.labels, data.groups, strict=True)):
            bird, water = int(label == "waterbird"), int(str(group).endswith("on water"))
            path = f"00{1 + bird}.{label}/{split}_{i:05}.png"
            rows.append((len(rows), path, bird, number, water, "/o/ocean/1.jpg" if water else "/f/forest/1.jpg"))
    with (root / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("img_id", "img_filename", "y", "split", "place", "place_filename"), *rows])
    return root


def imagenet_r_folder(top: str | Path, n: int = 500, seed: int = 9) -> Path:
    """Those of n unrelated scenes whose class ImageNet-R has too (balloons, umbrellas, mushrooms), in its layout.
    Returns the folder, for `tk.imagenet_r`.
    """
    root = _new(Path(top) / "imagenet-r")
    data = scenes("test", n, seed, kind="unrelated").where(label=list(WNIDS))
    _write(data, root, [f"{WNIDS[str(label)]}/cartoon_{i}.jpg" for i, label in enumerate(data.labels)])
    return root


def _new(root: Path) -> Path:
    if root.exists():
        raise InputError("folder", str(root), "a place where nothing is", "name another folder")
    root.mkdir(parents=True)
    return root


def _write(data: Scenes, root: Path, paths: list[str]) -> None:
    data.pixels(range(len(data)))  # painted together, and kept
    for sample, path in zip(data, paths, strict=True):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        sample.image.save(root / path)
