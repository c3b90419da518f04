"""How many images the public data sets have, as documented; a copy that differs is told so."""

from __future__ import annotations

SPLITS = ("train", "val", "test")
"""In the order of the numbers 0, 1, 2 that tables of splits hold."""

WATERBIRDS = {
    "train": {(0, 0): 3498, (0, 1): 184, (1, 0): 56, (1, 1): 1057},
    "val": {(0, 0): 467, (0, 1): 466, (1, 0): 133, (1, 1): 133},
    "test": {(0, 0): 2255, (0, 1): 2255, (1, 0): 642, (1, 1): 642},
}
"""(water bird, on water) → images."""

CELEBA = {"train": 162_770, "val": 19_867, "test": 19_962}

IMAGENET_R = {"images": 30_000, "classes": 200}
IMAGENET_A = {"images": 7_500, "classes": 200}

COUNTERANIMAL = {"classes": 45, "common": 7_174, "counter": 5_926}
"""A third party's count."""

URBANCARS = {
    "train": {(True, True): 3610, (True, False): 190, (False, True): 190, (False, False): 10},
    "val": dict.fromkeys([(True, True), (True, False), (False, True), (False, False)], 125),
    "test": dict.fromkeys([(True, True), (True, False), (False, True), (False, False)], 125),
}
"""(background agrees, object agrees) → images of each class of car."""
