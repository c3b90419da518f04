"""The text bank of the built-in world: every value of every factor, in the words its captions use."""

from __future__ import annotations

from functools import cache

from toolkit.data.banks import Bank, bank_of
from toolkit.organism.captions import LIGHTS, PLURALS, POSITIONS, WEATHERS, WHERE, article
from toolkit.organism.factors import FACTORS

FRAMES: dict[str, tuple[str, ...]] = {
    "class": ("{a}",),
    "background": ("the {}", "{a} background"),
    "colour": ("{a} object", "two {} objects"),
    "texture": ("{a} object", "two {} objects", "three {} objects"),
    "size": ("{a} object", "two {} objects", "three {} objects"),
    "style": ("{a} of an object", "{a} of two objects", "{a} of three objects"),
    "neck": ("a bird with a {} neck", "two birds with a {} neck", "three birds with a {} neck"),
    "bill": ("a bird with a {} bill", "two birds with a {} bill", "three birds with a {} bill"),
    "feet": ("a bird with {} feet", "two birds with {} feet", "three birds with {} feet"),
}  # fmt: skip
PHRASES = {"background": WHERE, "position": POSITIONS, "light": LIGHTS, "weather": WEATHERS}
THINGS = ("an object", "two objects", "three objects")


@cache
def world_bank() -> Bank:
    """Texts about one factor each, in known words, about as many for every factor."""
    pairs = [
        (frame.replace("{a}", article(value)).replace("{}", value), factor)
        for factor, frames in FRAMES.items()
        for value in FACTORS[factor]
        for frame in frames
    ]
    for factor, phrases in PHRASES.items():
        things = THINGS[:1] if factor == "background" else THINGS
        pairs += [(f"{thing} {phrase}", factor) for phrase in phrases.values() for thing in things]
    pairs += [(text, "background") for text in ("water", "land", "an object on water", "an object on land")]
    for count in FACTORS["count"]:
        pairs += [(f"{count} {'object' if count == 'one' else 'objects'}", "count")]
        pairs += [
            (f"{count} {c if count == 'one' else PLURALS.get(c, c + 's')}", "count") for c in ("bird", "car", "star")
        ]
    texts, factors = zip(*dict(pairs).items(), strict=True)
    return bank_of(texts, factors, "world")
