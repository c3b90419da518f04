"""What `toolkit demo` computes: the first questions one asks of a model, on data whose truth is known."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from toolkit.api.images.decompose import decompose
from toolkit.core.ablation import LayerCurve, layer_curve
from toolkit.core.metrics import Accuracy, accuracy
from toolkit.data.classes import classes
from toolkit.data.samples import Samples
from toolkit.errors import InputError
from toolkit.models.model import Model
from toolkit.organism.factors import BIRDS, CLASSES
from toolkit.organism.scenes import scenes

DIRECTION = ("water", "land")


@dataclass(frozen=True)
class DemoTour:
    """Results of the tour through the built-in world.

    birds: group accuracies of waterbird against landbird. curves: mean-ablation curves by task.
    water_map [l, h]: how much more every head writes along (water − land) for birds on water than for birds on land;
    cosine scale. error: sum of parts against embedding. seconds: by step.
    """

    model: Model
    data: Samples
    birds: Accuracy
    error: float
    curves: dict[str, LayerCurve]
    water_map: np.ndarray
    seconds: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain values, for `--json`."""
        average, worst = self.birds.average("plain"), self.birds.worst
        return {
            "model": self.model.card.to_dict(),
            "split": self.birds.split,
            "images": len(self.data),
            "groups": [row._asdict() for row in self.birds.groups],
            "average": {
                "convention": "plain",
                "value": average.value,
                "low": average.interval.low,
                "high": average.interval.high,
            },
            "worst": {
                "group": worst.group,
                "value": worst.value,
                "low": worst.interval.low,
                "high": worst.interval.high,
            },
            "sum_of_parts_relative_error": self.error,
            "mean_ablation": {name: asdict(curve) for name, curve in self.curves.items()},
            "water_minus_land": self.water_map.tolist(),
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Glance:
    """One photograph through a model: every head's contribution along text − against [l, h], and how well the parts
    sum.
    """

    model: Model
    image: Image.Image
    text: str
    against: str
    head_map: np.ndarray
    cosines: tuple[float, float]
    rest: float
    error: float

    @property
    def unknown(self) -> dict[str, list[str]]:
        """Words of the two texts that the model does not know, with the nearest known ones."""
        return self.model.unknown_words([self.text, self.against])

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain values, for `--json`."""
        return {
            "model": self.model.card.to_dict(),
            "text": self.text,
            "against": self.against,
            "unknown_words": self.unknown,
            "cosine_text": self.cosines[0],
            "cosine_against": self.cosines[1],
            "heads": self.head_map.tolist(),
            "rest": self.rest,
            "sum_of_parts_relative_error": self.error,
        }


def direction(model: Model, text: str, against: str) -> Tensor:
    """[d]: the difference of two unit text embeddings."""
    a, b = model.encode_text([text, against])
    return a - b


def tour(model: Model, n: int = 2400, seed: int = 0) -> DemoTour:
    """The tour on n test scenes of the built-in world, half of them birds."""
    marks, start = {}, time.perf_counter()

    def mark(name: str) -> None:
        nonlocal start
        marks[name], start = round(time.perf_counter() - start, 2), time.perf_counter()

    data = scenes("test", n=n, seed=seed)
    parts = decompose(model, data)
    mark("render and decompose")
    everything, two = classes(list(CLASSES)), classes(list(BIRDS))
    labels = two.encode(data.labels)
    birds = accuracy(two.predict(parts.embedding, model), labels, data.groups, split="test", ids=data.ids)
    tasks = {"waterbird or landbird": two, "all 20 classes": everything}
    curves = {name: layer_curve(parts, c.vectors(model), c.encode(data.labels)) for name, c in tasks.items()}
    mark("accuracies and ablations")
    toward = parts.toward(direction(model, *DIRECTION))
    water, land = (torch.from_numpy(np.char.endswith(data.groups.astype(str), f" on {place}")) for place in DIRECTION)
    water_map = (toward[water].mean(0) - toward[land].mean(0)).cpu().numpy()
    mark("head map")
    return DemoTour(model, data, birds, parts.error, curves, water_map, marks)


def glance(model: Model, image: Image.Image, text: str, against: str) -> Glance:
    """One photograph through a model."""
    if not text.strip() or not against.strip():
        raise InputError(
            "demo", f"text={text!r}, against={against!r}", "two texts", "write what to look for, and against what"
        )
    parts = decompose(model, [image])
    towards = direction(model, text, against)
    head_map = parts.toward(towards)[0]
    total = float(parts.embedding[0] @ towards)
    a, b = (float(parts.embedding[0] @ t) for t in model.encode_text([text, against]).to(parts.embedding))
    return Glance(
        model, image, text, against, head_map.cpu().numpy(), (a, b), total - float(head_map.sum()), parts.error
    )
