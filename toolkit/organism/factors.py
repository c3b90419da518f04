"""What varies in the built-in world: the factors, their words, and how a sample's factors are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.organism.draws import Draws

CLASSES = (
    "waterbird", "landbird", "fish", "boat", "crab", "cactus", "snake", "rabbit", "cat", "butterfly",
    "mushroom", "flower", "house", "car", "plane", "balloon", "umbrella", "cup", "clock", "star",
)  # fmt: skip
BIRDS = CLASSES[:2]
OTHERS = CLASSES[2:]
BACKGROUNDS = ("sea", "lake", "forest", "bamboo", "meadow", "desert", "beach", "city", "snow", "sky", "room")
PLACES = ("water", "land", "other")
PLACE_OF = {name: "water" if i < 2 else "land" if i < 4 else "other" for i, name in enumerate(BACKGROUNDS)}

FACTORS: dict[str, tuple[str, ...]] = {
    "class": CLASSES,
    "background": BACKGROUNDS,
    "colour": ("red", "orange", "yellow", "green", "blue", "purple", "brown", "white", "black"),
    "texture": ("plain", "striped", "spotted", "checkered"),
    "count": ("one", "two", "three"),
    "size": ("small", "large"),
    "position": ("left", "centre", "right"),
    "light": ("day", "sunset", "night"),
    "weather": ("clear", "rain", "fog"),
    "style": ("photo", "painting", "sketch", "cartoon"),
    "neck": ("long", "short"),
    "bill": ("flat", "pointed"),
    "feet": ("webbed", "clawed"),
}
PARTS = ("neck", "bill", "feet")
COLUMNS = tuple(FACTORS)

HOME = {
    "fish": ("sea", "lake"), "boat": ("lake", "sea"), "crab": ("beach", "beach"), "cactus": ("desert", "desert"),
    "snake": ("desert", "bamboo"), "rabbit": ("meadow", "snow"), "cat": ("room", "city"),
    "butterfly": ("meadow", "forest"), "mushroom": ("forest", "forest"), "flower": ("meadow", "room"),
    "house": ("snow", "city"), "car": ("city", "desert"), "plane": ("sky", "sky"), "balloon": ("sky", "city"),
    "umbrella": ("beach", "city"), "cup": ("room", "room"), "clock": ("room", "city"), "star": ("sky", "snow"),
}  # fmt: skip


@dataclass(frozen=True)
class Mixture:
    """How often things occur together.

    birds: share of samples that are birds. rho: share of birds on the background that matches their class (0.5 = no
    correlation). home: share of the other classes on a home background. parts: share of birds whose neck, bill and
    feet (each drawn alone) agree with the class. factorial: every factor uniform and independent of every other; neck,
    bill and feet are too, and a bird's class is what two of the three say; the other fields then count for nothing.
    """

    birds: float = 0.5
    rho: float = 0.5
    home: float = 0.8
    parts: float = 0.95
    factorial: bool = False


def draw_factors(draws: Draws, mixture: Mixture) -> dict[str, NDArray[np.int64]]:
    """Factor values of every sample, as indices into FACTORS; neck, bill and feet are −1 where there is no bird."""
    if mixture.factorial:
        return _independent(draws)
    bird = draws.coin("is_bird", mixture.birds)
    species = draws.choice("species", 2)
    label = np.where(bird, species, 2 + draws.choice("other", len(OTHERS)))
    on_water = np.where(draws.coin("match", mixture.rho), species == 0, species == 1)
    bird_place = np.where(on_water, 0, 2) + draws.choice("which", 2)
    home = np.array([[0, 0]] * 2 + [[BACKGROUNDS.index(b) for b in HOME[c]] for c in OTHERS])
    at_home = home[label, draws.choice("home", 2)]
    anywhere = draws.choice("anywhere", len(BACKGROUNDS))
    factors = {
        "class": label,
        "background": np.where(bird, bird_place, np.where(draws.coin("at_home", mixture.home), at_home, anywhere)),
        "colour": draws.choice("colour", len(FACTORS["colour"])),
        "texture": draws.choice("texture", [0.34, 0.22, 0.22, 0.22]),
        "count": draws.choice("count", [0.5, 0.25, 0.25]),
        "size": draws.choice("size", [0.35, 0.65]),
        "position": draws.choice("position", 3),
        "light": draws.choice("light", [0.5, 0.25, 0.25]),
        "weather": draws.choice("weather", [0.5, 0.25, 0.25]),
        "style": draws.choice("style", [0.4, 0.2, 0.2, 0.2]),
    }
    for part in PARTS:
        agrees = draws.coin(f"p_{part}", mixture.parts)
        factors[part] = np.where(bird, np.where(agrees, species, 1 - species), -1)
    return factors


def _independent(draws: Draws) -> dict[str, NDArray[np.int64]]:
    factors = {name: draws.choice(f"any_{name}", len(FACTORS[name])) for name in COLUMNS}
    bird = factors["class"] < len(BIRDS)
    land = np.sum([factors[part] for part in PARTS], axis=0) >= 2
    factors["class"] = np.where(bird, land.astype(np.int64), factors["class"])
    return factors | {part: np.where(bird, factors[part], -1) for part in PARTS}


def group_names(factors: dict[str, NDArray[np.int64]]) -> NDArray[np.str_]:
    """ "waterbird on land" for birds, the class name for everything else."""
    label = np.array(CLASSES)[factors["class"]]
    place = np.array([PLACE_OF[b] for b in BACKGROUNDS])[factors["background"]]
    birds = np.char.add(np.char.add(label, " on "), place)
    return np.where(factors["class"] < 2, birds, label)
