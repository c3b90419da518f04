"""The built-in world written to disk in the layouts of real data sets, to try readers and protocols without them."""

from __future__ import annotations

import csv
from pathlib import Path

from toolkit.errors import InputError
from toolkit.organism.scenes import Scenes, scenes

WNIDS = {"balloon": "n02782093", "umbrella": "n04507155", "mushroom": "n07734744"}
"""Classes of the built-in world that ImageNet-R has too."""


def waterbirds_folder(top: str | Path, train: int = 160, val: int = 120, test: int = 400, seed: int = 5) -> Path:
    """Birds of the built-in world as a Waterbirds folder, for `tk.waterbirds`; its path comes back.

    Arguments:
        top: where it is made.
        train: images of that split, of the `edit` pool; default 160.
        val: images of that split; default 120.
        test: images of that split; default 400.
        seed: of the scenes; default 5.

    Raises:
        InputError: where something is there already.

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
    """Scenes whose class ImageNet-R has too, as an ImageNet-R folder, for `tk.imagenet_r`; its path comes back.

    These are balloons, umbrellas and mushrooms.

    Arguments:
        top: where it is made.
        n: unrelated scenes, of which those of these classes are kept; default 500.
        seed: of the scenes; default 9.

    Raises:
        InputError: where something is there already.

    >>> import toolkit as tk, tempfile
    >>> len(set(tk.imagenet_r(tk.teach.imagenet_r_folder(tempfile.mkdtemp(), n=60), classes=3).labels)) <= 3
    True
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


def celeba_folder(top: str | Path, n: int = 60, seed: int = 3) -> Path:
    """Scenes in CelebA's layout, a third of them in every split, for `tk.celeba`; the folder's path comes back.

    They are no portraits: `Male` says that it is a waterbird, `Blond_Hair` that the scene is on water.

    Arguments:
        top: where it is made.
        n: scenes; default 60.
        seed: of the scenes; default 3.

    Raises:
        InputError: where something is there already.

    >>> import toolkit as tk, tempfile
    >>> len(tk.celeba(tk.teach.celeba_folder(tempfile.mkdtemp(), n=6), "test", target="Male", attribute="Blond_Hair"))
    2
    """
    root = _new(Path(top) / "celeba")
    data = scenes("val", n, seed, kind="birds")
    names = [f"{i + 1:06}.jpg" for i in range(n)]
    _write(data, root / "img_align_celeba", names)
    rows = [str(n), "Blond_Hair Male "]
    for name, label, group in zip(names, data.labels, data.groups, strict=True):
        rows.append(f"{name} {1 if str(group).endswith('on water') else -1:2} {1 if label == 'waterbird' else -1:2}")
    (root / "list_attr_celeba.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    splits = "".join(f"{name} {i * 3 // n}\n" for i, name in enumerate(names))
    (root / "list_eval_partition.txt").write_text(splits, encoding="utf-8")
    return root
