"""How many images the public data sets have, as documented, by split; a copy that differs is told so."""

from __future__ import annotations

SPLITS = ("train", "val", "test")
"""In the order of the numbers 0, 1, 2 that tables of splits hold."""

WATERBIRDS = {
    "train": {
        "landbird on land": 3498, "landbird on water": 184, "waterbird on land": 56, "waterbird on water": 1057
    },
    "val": {"landbird on land": 467, "landbird on water": 466, "waterbird on land": 133, "waterbird on water": 133},
    "test": {"landbird on land": 2255, "landbird on water": 2255, "waterbird on land": 642, "waterbird on water": 642},
}  # fmt: skip

CELEBA = {"train": {"images": 162_770}, "val": {"images": 19_867}, "test": {"images": 19_962}}

IMAGENET = {"train": {"images": 1_281_167, "classes": 1_000}, "val": {"images": 50_000, "classes": 1_000}}
IMAGENET_R = {"test": {"images": 30_000, "classes": 200}}
IMAGENET_A = {"test": {"images": 7_500, "classes": 200}}

COUNTERANIMAL = {"all": {"classes": 45, "common": 7_174, "counter": 5_926}}
"""A third party's count."""


def _urbancars(agree: int, one: int, none: int) -> dict[str, int]:
    """Images per cell. agree: of each car where background and object agree with it; one: where one does; none."""
    counts = {2: agree, 1: one, 0: none}
    kinds = ("urban", "country")
    return {
        f"{car} car on {background} with {co_occur} object": counts[(background == car) + (co_occur == car)]
        for car in kinds
        for background in kinds
        for co_occur in kinds
    }


URBANCARS = {"train": _urbancars(3610, 190, 10), "val": _urbancars(125, 125, 125), "test": _urbancars(125, 125, 125)}
