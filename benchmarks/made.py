"""Parts in the shape of a real model, of any number of images: random numbers, no model and no pictures behind them.

Every image leans to its class, so that some are right and some wrong. Kept: the heads of all layers of an L/14 (24
layers × 16 heads × 64 numbers, d = 768), float16, without MLP terms, on disk or in memory.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import toolkit as tk
from toolkit.api.images.acts import Acts
from toolkit.data.classes import ClassSet
from toolkit.data.samples import Samples
from toolkit.models.card import ModelCard
from toolkit.models.model import Model
from toolkit.store import layout
from toolkit.store.keep import Keep
from toolkit.store.layout import Header
from toolkit.store.reader import Store, open_store
from toolkit.store.words import Words
from toolkit.store.writer import Writer

SHAPE = {"layers": 24, "heads": 16, "head_dim": 64, "width": 1024, "embed_dim": 768}
LEAN = 0.16
"""How much of an embedding is its class: some three quarters of the images are right."""


def names_of(classes: int) -> list[str]:
    return [f"class {i:04}" for i in range(classes)]


def vectors_of(classes: int) -> np.ndarray:
    """[c, d]: unit class vectors."""
    found = np.random.default_rng(1).normal(size=(classes, SHAPE["embed_dim"])).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def class_set(classes: int) -> ClassSet:
    return tk.classes(names_of(classes), vectors=vectors_of(classes))


def card_of(fingerprint: str = "0" * 16) -> ModelCard:
    """Of a model of this shape."""
    terms = 1 + SHAPE["layers"]
    return dataclasses.replace(tk.load().card, id="L/14's shape", fingerprint=fingerprint, terms=terms, **SHAPE)


@cache
def model() -> Model:
    """A ViT-L/14 with random weights."""
    import open_clip
    import torch

    torch.manual_seed(0)
    return tk.wrap(open_clip.create_model("ViT-L-14"), name="ViT-L-14, random weights")


class Pictures(Samples):
    """A grey picture for every image."""

    def __init__(self, acts: Acts) -> None:
        super().__init__(list(acts.ids), list(acts.labels), list(acts.groups), acts.split)

    def pixels(self, rows: Sequence[int]) -> list[Any]:
        return [Image.new("RGB", (64, 64), (90 + row % 100,) * 3) for row in rows]

    def take(self, rows: Sequence[int]) -> Pictures:
        part = copy.copy(self)
        part.ids, part.labels, part.groups = (column[list(rows)] for column in (self.ids, self.labels, self.groups))
        return part


def parts(images: int, classes: int, place: Path | None, card: ModelCard | None = None) -> Store:
    """A store of so many images, at a place or in memory. card: of a model of this shape; default nobody's."""
    card = card or card_of()
    layers, heads, k, d = card.layers, card.heads, card.head_dim, card.embed_dim
    keep = Keep(tuple(range(layers)), layers, mlps=False)
    shapes = layout.shapes_of(card, keep, 0)
    labels = [names_of(classes)[i % classes] for i in range(images)]
    words = Words.made([f"i{i:06}" for i in range(images)], labels, labels)
    rows = min(layout.shard_rows(shapes, "float16"), images)
    values: dict[str, Any] = {name: list(v) if isinstance(v, tuple) else v for name, v in card.to_dict().items()}
    header = Header({"made": f"{images} {classes}"}, values, "test", rows, "float16", shapes, keep.attrs)
    rng, texts = np.random.default_rng(0), vectors_of(classes)
    # heads write little beside the embedding, and not all the same
    maps = rng.normal(size=(layers, heads, k, d)) * rng.uniform(0.2, 1, (layers, heads, 1, 1)) / 2500
    zeros = {"head_means": (layers, heads, k), "bias_map": (layers, d), "bias_means": (layers,), "mean_map": (d,),
             "constant": (d,)}  # fmt: skip
    readout = {name: np.zeros(shape, np.float32) for name, shape in zeros.items()}
    readout |= {"head_map": maps.astype(np.float32)}
    pool = rng.normal(size=(rows, layers, heads, k)).astype(np.float16)
    with Writer(place, header, words, readout, normed=True) as run:
        while run.written < run.shards:
            at = run.rows(run.written)
            lean = LEAN * texts[[i % classes for i in at]] * np.sqrt(d)
            output = (rng.normal(size=(len(at), d)) + lean).astype(np.float32)
            one = np.ones(len(at), np.float32)
            mixes = np.roll(pool, run.written, axis=0)[: len(at)] * np.float16(rng.uniform(0.9, 1.1))
            run.write({"mixes": mixes, "sigma": one, "mu": 0 * one, "output": output, "error": 0 * one}, {})
        run.finish({})
    return open_store(place) if place is not None else Store(run.group, run.words)
