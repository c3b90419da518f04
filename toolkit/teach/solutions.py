"""One way to solve every exercise, and hints on the way there. Spoilers.

`SOLUTIONS` has a function for every exercise; each uses the public toolkit alone, chooses on validation or edit images
and returns an answer that passes; `tk` is the toolkit. `exercise.solution()` shows it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

HINTS: dict[str, tuple[str, ...]] = {
    "exact sum": (
        "`parts` prints its arrays with their shapes: four of them add up.",
        "Every array has one axis of images and one of numbers; sum over all others.",
        "The constant has no axis of layers; `mlps` has an entry more than there are layers: the embedding.",
    ),
    "background heads": (
        "Backgrounds of this world are sea, lake, forest, bamboo, meadow, desert, beach, city, snow, sky and room.",
        '`tk.textspan(acts, "world").head("L3.H7")` says what a head varies along; look at the first text of each.',
        "A head named “sunset” carries the light, not the background, even where it pushes to the same mistake.",
    ),
    "head in words": (
        '`tk.heads_for("a sunset scene", acts)` searches the other way round: from a text to heads.',
        "Read the first text of every head of layers 2 and 3; `spans.specialisation()` shows which are of one kind.",
        "Weather and light are easy to confuse by their words: rain is weather, sunset is light.",
    ),
    "object or background": (
        "Ask for what decided: the class that was predicted, against the other one.",
        "`data.masks()` has the object, in pixels; a patch is 8 by 8 of them.",
        "Multiply the map by the share of each patch that is object, and sum; the same with what is left.",
    ),
    "how many images": (
        "`acts.draw(per_class=n, seed=s)` draws anew for every seed; count how often three heads come back.",
        '`tk.locate(few, birds).ranking("d")` is the order; its first three are meant, as a set.',
        "Start at 10 and double. Stop at the first that is good enough.",
    ),
    "guilty heads": (
        "The four scores disagree. Look at the worst group after the first head of each.",
        "Scores A and B are led by a head that carries the birds themselves: without it nothing can be right.",
        'Go down the order of score D, one head more at a time, on validation images: `tk.ablate(val, birds, heads)`.',
    ),
    "price of an edit": (
        "Without β nothing holds the right answers; without α nothing but the labels pulls. Neither corner is safe.",
        "`tk.frontier(few, everything, heads, alphas=…, betas=…, held_out=val)` solves a grid at once.",
        "The default, 10 and 10, loses little and gains too little: which of the two weights is too strong?",
    ),
}  # fmt: skip


def exact_sum(tk: Any) -> Any:
    """Every part once, summed over layers and heads."""
    parts = tk.decompose(tk.load(), tk.scenes("val", n=8, seed=1))
    return parts.heads.sum((1, 2)) + parts.mlps.sum(1) + parts.biases.sum(1) + parts.constant  # [image, d]


def background_heads(tk: Any) -> Any:
    """Heads whose first text is a background, strongest first; the light's heads are left out."""
    acts = tk.extract(tk.load(), tk.scenes("val", n=1000), progress=False)
    spans = tk.textspan(acts, "world", size=3)
    places = ("sea", "lake", "forest", "bamboo", "meadow", "desert", "beach", "city", "snow", "sky", "room", "water")
    found = []
    for layer in (2, 3):
        for head in range(8):
            first = spans.head((layer, head))
            about = [any(place in text.split() for place in places) for text in first["text"]]
            if all(about[:2]):
                found.append((layer, head))
    return found


def head_in_words(tk: Any) -> Any:
    """Which head do the words of a factor explain best?"""
    acts = tk.extract(tk.load(), tk.scenes("val", n=1000), progress=False)
    texts = {"light": "a sunset scene", "weather": "rain", "colour": "a red object"}
    found = {}
    for factor, text in texts.items():
        table = tk.heads_for(text, acts).to_dataframe().sort_values("share", ascending=False)
        found[factor] = f"L{table.layer.iloc[0]}.H{table['head'].iloc[0]}"
    return found


def object_or_background(tk: Any) -> Any:
    """The map of what decided, weighed by the planted mask."""
    model, birds = tk.load(), tk.classes(["waterbird", "landbird"])
    data = tk.scenes("val", n=400, seed=3, kind="birds").take([0, 1, 10, 11, 27, 31])
    masks, _ = data.masks()  # [image, 64, 64]: where the object is
    found = {}
    for row, guess in enumerate(birds.predict(model.encode_image(data), model).tolist()):
        said, other = birds.names[guess], birds.names[1 - guess]
        values = tk.token_map(model, data[row], f"a {said}", against=f"a {other}").values  # [8, 8], signed
        inside = masks[row].numpy().reshape(8, 8, 8, 8).mean((1, 3))  # [8, 8]: share of every patch
        on_object, around = (values * inside).sum(), (values * (1 - inside)).sum()
        found[str(data.ids[row])] = "object" if on_object > around else "background"
    return found


def how_many_images(tk: Any) -> Any:
    """Double until the first three heads of score D come back in four draws of five."""
    birds = tk.classes(["waterbird", "landbird"])
    acts = tk.extract(tk.load(), tk.scenes("edit", n=800, kind="birds"), progress=False)
    first = set(list(tk.locate(acts, birds).ranking("d"))[:3])
    for n in (10, 20, 40, 80, 160):
        same = 0
        for seed in range(30):
            with contextlib.suppress(tk.InputError):  # of so few images none may be wrong
                same += set(list(tk.locate(acts.draw(per_class=n, seed=seed), birds).ranking("d"))[:3]) == first
        if same >= 0.8 * 30:
            return n
    return 200


def guilty_heads(tk: Any) -> Any:
    """Down the order of score D on edit images, as long as the worst group of validation images gains."""
    model, birds = tk.load(), tk.classes(["waterbird", "landbird"])
    found_on = tk.extract(model, tk.scenes("edit", n=400, kind="birds"), progress=False)
    val = tk.extract(model, tk.scenes("val", n=1000, kind="birds"), progress=False)
    order = list(tk.locate(found_on, birds).ranking("d"))
    worst = [tk.ablate(val, birds, order[:n]).worst.value for n in range(1, 6)]
    return order[: 1 + int(np.argmax(worst))]


def price_of_an_edit(tk: Any) -> Any:
    """A small grid on validation images; of what loses at most 1.5 points there, the most birds."""
    model, everything = tk.load(), tk.classes(sorted(set(tk.scenes("val", n=1000).labels)))
    few = tk.extract(model, tk.scenes("edit", n=400, kind="birds"), progress=False).draw(per_class=10, seed=0)
    val = tk.extract(model, tk.scenes("val", n=2000), progress=False)
    best, answer = 0.0, {"alpha": 10.0, "beta": 10.0}
    for alpha in (3.0, 5.0, 10.0):
        for beta in (0.0, 3.0, 5.0, 10.0):
            edit = tk.edit(few, everything, "L3.H7 L3.H5", alpha=alpha, beta=beta, held_out=val)
            birds, others = edit.success, edit.locality
            assert birds is not None and others is not None and others.change is not None  # noqa: PT018
            lost = -100 * others.change.average("plain").value
            if lost <= 1.5 and birds.value > best:  # half a point of reserve: val is a sample too
                best, answer = birds.value, {"alpha": alpha, "beta": beta}
    return answer


SOLUTIONS: dict[str, Callable[[Any], Any]] = {
    "exact sum": exact_sum,
    "background heads": background_heads,
    "head in words": head_in_words,
    "object or background": object_or_background,
    "how many images": how_many_images,
    "guilty heads": guilty_heads,
    "price of an edit": price_of_an_edit,
}
