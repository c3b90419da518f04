"""The fan: a hand-made world with two planted heads, on which every method has known numbers."""

from __future__ import annotations

import numpy as np

import toolkit as tk

NAMES = ("landbird", "waterbird", "cat")
RAW = {
    "LL1": (-0.5, -0.6, 1, 0), "LL2": (-0.4, -0.5, 1, 0.1), "LW1": (-0.5, 0.7, 1, 0), "LW2": (-0.2, 0.6, 1, 0),
    "WL1": (0.5, -0.7, 1, 0), "WL2": (0.6, -0.3, 1, 0.1), "WW1": (0.5, 0.6, 1, 0), "WW2": (0.4, 0.5, 1, 0),
    "C1": (0, 0.1, 0.6, 0.8), "C2": (-0.1, -0.4, 0.7, 0.7), "C3": (0.3, 0.8, 0.9, 0.5),
}  # fmt: skip
SHOTS = ("LL1", "LW1", "WL1", "WW1")
BIRDS = ("LL1", "LL2", "LW1", "LW2", "WL1", "WL2", "WW1", "WW2")
UNBALANCED = ("LL1", "LL2", "LW1", "WL1", "WW1", "WW2")
SCALE = 20.0


def unit(x):
    x = np.asarray(x, float)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


TEXTS = unit([(-0.3, -0.25, 1, 0), (0.3, 0.25, 1, 0), (0, 0, 0.6, 0.8)])
LAND, WATER = unit([0, -1, 1, 0]), unit([0, 1, 1, 0])
LAND_BIRD = (unit([-0.3, -0.8, 1, 0]), unit([-0.3, 0.7, 1, 0]))
WATER_BIRD = (unit([0.3, -0.8, 1, 0]), unit([0.3, 0.7, 1, 0]))
CAT = (unit([0, -0.55, 0.6, 0.8]), unit([0, 0.45, 0.6, 0.8]))
IN_PLACES = np.array([LAND_BIRD, WATER_BIRD, CAT])
CONTEXTS = np.stack([TEXTS, IN_PLACES[:, 0], IN_PLACES[:, 1]], 1)
EMBEDDING = {name: unit(x) for name, x in RAW.items()}
LABEL = {name: NAMES["LWC".index(name[0])] for name in RAW}
GROUP = {name: "cat" if name[0] == "C" else f"{LABEL[name]} on {'land' if name[1] == 'L' else 'water'}" for name in RAW}


def embeddings(*names):
    return np.array([EMBEDDING[name] for name in names])


def acts(*names):
    """Parts of some images: head 0 writes the background axis, head 1 the bird axis."""
    e = embeddings(*names)
    heads = np.zeros((len(names), 1, 2, 4))
    heads[:, 0, 0, 1], heads[:, 0, 1, 0] = e[:, 1], e[:, 0]
    return tk.from_arrays(
        heads, rest=e - heads.sum((1, 2)), labels=[LABEL[name] for name in names], ids=list(names),
        groups=[GROUP[name] for name in names],
    )  # fmt: skip


def classes():
    return tk.classes(list(NAMES), vectors=TEXTS)
