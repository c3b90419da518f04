"""The toolkit's own bank of image descriptions: structured words in many frames, tagged by factor."""

from __future__ import annotations

from functools import cache

from toolkit.data.words import WORDS

FRAMES: dict[str, tuple[str, ...]] = {
    "colour": (
        "{a} object", "a room painted {}", "the colour {}", "{a} wall", "a picture in shades of {}", "{} paint",
        "{a} dress on a hanger", "a sky that looks {}",
    ),
    "texture": ("{a} surface", "{a} pattern", "something {} to the touch", "{a} piece of cloth",
                "a detail that looks {}"),
    "material": ("an object made of {}", "a block of {}", "a surface of {}", "{} seen from near", "a bowl made of {}"),
    "shape": ("{a} on a plain ground", "{a} drawn in black", "a thing shaped like {a}", "a pattern of {s}",
              "a sign in the form of {a}"),
    "animal": ("{a} in a field", "{a} in the wild", "two {s}", "{a} looking at the camera", "the head of {a}",
               "several {s}"),
    "bird": ("{a} with spread wings", "{a} on a branch", "{a} in flight", "a flock of {s}", "{a} by the water"),
    "plant": ("{a} growing", "{a} after the rain", "{s} along a path", "a leaf of {a}", "{a} in a pot"),
    "food": ("some {s}", "a table with {s}", "a recipe with {s}", "fresh {s} at a stall", "someone enjoying {s}"),
    "vehicle": ("{a} standing still", "{a} on its way", "the inside of {a}", "an old {}", "a row of {s}"),
    "clothing": ("{a} on display", "a person wearing {a}", "{a} on a shop rail", "{a} laid on a bed"),
    "occupation": ("someone who is {a}", "{a} at work", "a portrait of {a}", "{a} with tools of the trade"),
    "emotion": ("{a} person", "a face that looks {}", "a mood that feels {}", "{a} child", "people who seem {}"),
    "person": ("{a} indoors", "{a} outdoors", "a portrait of {a}", "{a} seen from behind"),
    "body": ("{a} in close view", "a detail of {a}", "{a} in focus", "a drawing of {a}"),
    "action": ("someone {}", "people {}", "a child {}", "a moment of {}"),
    "sport": ("a game of {}", "equipment for {}", "a spectator watching {}", "{} on television"),
    "music": ("{a} being played", "{a} on stage", "a hand on {a}", "a shop that sells {s}"),
    "household": ("{a} in a house", "{a} at home", "{a} on the floor", "a catalogue picture of {a}"),
    "tool": ("{a} ready for use", "{a} in a drawer", "a hand holding {a}", "{s} on a workbench"),
    "device": ("{a} in an office", "{a} that is switched on", "an outdated {}", "{a} in an advertisement"),
    "toy": ("{a} for children", "{a} in a nursery", "a child with {a}"),
    "building": ("{a} from outside", "the front of {a}", "{a} in the distance", "{a} under scaffolding",
                 "the entrance to {a}"),
    "scene": ("{a} on an ordinary day", "somewhere near {a}", "{a} without people", "{a} full of people",
              "a photo taken in {a}"),
    "nature": ("{a} in its natural state", "{a} far away", "a traveller before {a}", "a landscape with {a}"),
    "weather": ("{}", "a day of {}", "a street in {}", "{} over the fields", "animals in {}"),
    "light": ("{}", "a scene in {}", "a building in {}", "a figure in {}", "{} through a window"),
    "season": ("{}", "decorations for {}", "a street during {}", "children during {}", "a card about {}"),
    "style": ("{a} on a wall", "{a} of a person", "{a} of an animal", "{a} of a town", "an exhibition with {a}"),
    "camera": ("{a}", "{a} of a face", "{a} of a building", "{a} of a plant", "{a} of a dish"),
    "country": ("the country of {}", "a picture taken in {}", "a landscape in {}", "the flag of {}", "a dish from {}"),
    "city": ("the city of {}", "a street in {}", "the skyline of {}", "tourists in {}"),
    "letter": ("the letter {}", "{} in capitals"),
    "number": ("{} things", "{} people", "{} animals", "the number {}", "{} bottles in a row", "{} windows",
               "{} boats"),
    "writing": ("{a} to read", "{a} with small print", "{a} in a foreign language", "a hand pointing at {a}"),
    "quality": ("something {}", "{a} place", "{a} thing on a table", "{a} building", "a photo of something {}"),
}  # fmt: skip
"""Frames by factor: {} the entry, {a} with its article, {s} its plural."""
EACH: dict[str, int] = {
    "colour": 5, "shape": 4, "number": 7, "weather": 4, "light": 4, "season": 4, "animal": 2, "occupation": 2,
    "clothing": 2, "household": 2, "tool": 2, "body": 2, "action": 2, "sport": 2, "music": 2, "device": 2, "toy": 2,
    "letter": 2, "writing": 2,
}  # fmt: skip
"""Descriptions per entry; three where nothing is said."""
UNCOUNTED = {
    "bread", "butter", "cheese", "honey", "jam", "yoghurt", "milk", "coffee", "tea", "juice", "wine", "beer",
    "soup", "salad", "pizza", "pasta", "rice", "sushi", "curry", "stew", "steak", "bacon", "ham", "garlic",
    "lettuce", "cabbage", "broccoli", "cauliflower", "spinach", "corn", "chocolate", "candy", "popcorn", "grass",
    "moss", "ivy", "wheat", "barley", "maize", "seaweed", "lichen", "twins", "trousers", "jeans", "shorts",
    "leggings", "pyjamas", "goggles", "spectacles", "headphones", "scissors", "pliers", "scales", "hair", "rapids",
    "thread", "soap", "clover", "dice", "pottery", "origami", "embroidery", "graffiti", "symmetry", "olive oil",
    "stained glass", "pixel art", "motion blur",
}  # fmt: skip
PLURALS = {
    "sheep": "sheep", "deer": "deer", "moose": "moose", "bison": "bison", "elk": "elk", "salmon": "salmon",
    "trout": "trout", "squid": "squid", "shrimp": "shrimp", "goose": "geese", "mouse": "mice", "wolf": "wolves",
    "calf": "calves", "cactus": "cacti", "foot": "feet", "tooth": "teeth", "knife": "knives", "potato": "potatoes",
    "tomato": "tomatoes", "mango": "mangoes", "leaf": "leaves", "scarf": "scarves", "box": "boxes",
}  # fmt: skip


def article(phrase: str) -> str:
    """The phrase with "a" or "an", where it takes one; "the" for what there is one of."""
    if phrase in ("sea", "sky", "horizon", "moon"):
        return f"the {phrase}"
    if phrase in UNCOUNTED:
        return phrase
    vowel = phrase[0].lower() in "aeiou" and not phrase.startswith(("uni", "eu", "uku"))
    return ("an " if vowel or phrase.startswith("x-ray") else "a ") + phrase


def plural(noun: str) -> str:
    """The plural of a noun or of the last word of a name."""
    if noun in UNCOUNTED:
        return noun
    if noun in PLURALS:
        return PLURALS[noun]
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


@cache
def descriptions() -> tuple[tuple[str, str], ...]:
    """(text, factor) of every description, in a fixed order. Every entry of a factor comes in some of its frames, in
    turn, so that no frame leads the bank.
    """
    made: dict[str, str] = {}
    for factor, entries in WORDS.items():
        frames = FRAMES[factor]
        each = min(EACH.get(factor, 3), len(frames))
        for i, entry in enumerate(entries):
            for k in range(each):
                frame = frames[(i + k * max(1, len(frames) // each)) % len(frames)]
                text = frame.replace("{a}", article(entry)).replace("{s}", plural(entry)).replace("{}", entry)
                made.setdefault(text, factor)
    return tuple(made.items())
