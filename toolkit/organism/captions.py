"""Captions of the built-in world: which factors a caption mentions, in words, and of which images it is true."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit.organism.factors import BACKGROUNDS, COLUMNS, FACTORS, PARTS, PLACE_OF, PLACES

FIELDS = (*COLUMNS, "kind", "place")
"""What a caption can claim: every factor, "bird" (kind 0) and water or land (place)."""

WHERE = {
    "sea": "on the sea", "lake": "on the lake", "forest": "in the forest", "bamboo": "in the bamboo",
    "meadow": "in the meadow", "desert": "in the desert", "beach": "on the beach", "city": "in the city",
    "snow": "in the snow", "sky": "in the sky", "room": "in the room",
}  # fmt: skip
PLURALS = {"fish": "fish", "butterfly": "butterflies", "cactus": "cacti"}
POSITIONS = {"left": "on the left", "centre": "in the centre", "right": "on the right"}
LIGHTS = {"day": "by day", "sunset": "at sunset", "night": "at night"}
WEATHERS = {"clear": "in clear weather", "rain": "in the rain", "fog": "in the fog"}


def claims(factors: dict[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """[n, field]: the value of every field for every image."""
    place = np.array([PLACES.index(PLACE_OF[b]) for b in BACKGROUNDS])[factors["background"]]
    kind = np.where(factors["class"] < 2, 0, 1)
    return np.stack([*(factors[name] for name in COLUMNS), kind, place], axis=1)


ALONE = {
    "class": 0.24, "texture": 0.35, "count": 0.08, "size": 0.06, "position": 0.09, "neck": 0.06, "bill": 0.06,
    "feet": 0.06,
}  # fmt: skip
"""What a caption that claims one thing claims, and how often: the factors that are learned last."""


def mention(values: NDArray[np.int64], rng: np.random.Generator, single: float = 0.0) -> NDArray[np.int64]:
    """What a random caption of each image claims: [n, field], −1 for a field it leaves open.

    single: share of captions that claim one thing of `ALONE` (a part: "a bird with a long neck") and nothing else.
    """
    n, fields = values.shape
    column = {name: i for i, name in enumerate(FIELDS)}
    share = np.where(rng.random((n, 1)) < 0.5, 0.10, 0.32).repeat(fields, axis=1)
    said = rng.random((n, fields)) < share
    said[:, column["class"]] = rng.random(n) < 0.62
    said[:, column["kind"]] = ~said[:, column["class"]] & (values[:, column["kind"]] == 0) & (rng.random(n) < 0.8)
    said[:, column["place"]] &= ~said[:, column["background"]] & (values[:, column["place"]] < 2)
    alone = np.flatnonzero(rng.random(n) < single)
    which = np.array([column[name] for name in ALONE])[rng.choice(len(ALONE), len(alone), p=list(ALONE.values()))]
    which[values[alone, which] < 0] = column["class"]  # parts of what is no bird
    said[alone] = False
    said[alone, which] = True
    said[alone, column["kind"]] = np.isin(which, [column[part] for part in PARTS])
    scene = rng.random(n) < 0.06  # a caption of the background alone
    said[scene] = False
    at_place = scene & (values[:, column["place"]] < 2) & (rng.random(n) < 0.4)
    said[at_place, column["place"]] = True
    said[scene & ~at_place, column["background"]] = True
    return np.where(said, values, -1)


def truth(captions: NDArray[np.int64], images: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[image, caption]: whether every claim of the caption holds for the image."""
    fits = (captions[None] == images[:, None]) | (captions[None] < 0)
    return fits.all(axis=2)


def article(noun_phrase: str) -> str:
    """The phrase with "a" or "an" before it."""
    return ("an " if noun_phrase[0] in "aeiou" else "a ") + noun_phrase


def write(claim: NDArray[np.int64], variant: int) -> str:
    """A caption in words for one row of claims; `variant` picks among equal wordings."""
    said = {name: FACTORS[name][v] if name in FACTORS else v for name, v in zip(FIELDS, claim, strict=True) if v >= 0}
    if set(said) <= {"background", "place"} and len(said) == 1:
        word = said.get("background") or PLACES[said["place"]]
        plain = word if word in PLACES else f"the {word}"
        return (plain, article(f"{word} scene"), article(f"{word} background"))[variant % 3]
    count = said.get("count")
    noun = said.get("class") or ("bird" if "kind" in said else "object")
    if count in ("two", "three"):
        noun = PLURALS.get(noun, noun + "s")
    thing = " ".join(said[k] for k in ("size", "colour", "texture") if k in said)
    thing = f"{thing} {noun}" if thing else noun
    words = [f"{count} {thing}" if count else article(thing)]
    parts = [f"a {said['neck']} neck"] if "neck" in said else []
    parts += [f"a {said['bill']} bill"] if "bill" in said else []
    parts += [f"{said['feet']} feet"] if "feet" in said else []
    if parts:
        words.append("with " + " and ".join(parts))
    if "background" in said:
        words.append(WHERE[said["background"]])
    if "place" in said:
        words.append(f"on {PLACES[said['place']]}")
    words += [
        table[said[k]] for k, table in (("position", POSITIONS), ("light", LIGHTS), ("weather", WEATHERS)) if k in said
    ]
    style = said.get("style") or ("", "image", "picture", "")[variant % 4]
    return (f"{article(style)} of " if style else "") + " ".join(words)


def vocabulary() -> list[str]:
    """Every word a caption can contain, sorted."""
    text = ["a an of the object objects bird birds image picture scene background water land neck bill feet with and"]
    text += [word for values in FACTORS.values() for word in values]
    text += [PLURALS.get(c, c + "s") for c in FACTORS["class"]]
    text += [*WHERE.values(), *POSITIONS.values(), *LIGHTS.values(), *WEATHERS.values()]
    return sorted({word for phrase in text for word in phrase.split()})
