"""`tk.localisation`, `tk.aiou`: do maps find what masks and boxes say is there?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.where.attribution import TokenAttribution
from toolkit.api.where.faithfulness import mean_interval, named_maps, same_images
from toolkit.core.estimates import OneNumber
from toolkit.core.intervals import Interval, percentile
from toolkit.core.localise import Localised, boxes, localise
from toolkit.core.localise import aiou as aiou_of
from toolkit.core.precision import full_precision
from toolkit.errors import InputError
from toolkit.models.frame import Frame, whole

if TYPE_CHECKING:
    import pandas

RANDOM = "random map"
PROTOCOLS = ("aligned", "reference")
EACH = ("foreground_ap", "pointing", "ap")
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Localisation:
    """How well maps find masks, by name; with the control "random map". Made by `tk.localisation`.

    Attributes:
        found: by name, the core's `Localised` (per image and pooled).
        names: the maps, then the control.
        settings: protocol and sizes.
    """

    found: dict[str, Localised]
    names: tuple[str, ...]
    settings: dict[str, Any]

    @property
    def n(self) -> int:
        """Images."""
        return int(self.found[RANDOM].n)

    @cached_property
    def table(self) -> pandas.DataFrame:
        """One row per map: pixel accuracy, mIoU (mean of background and foreground, pooled over pixels), mAP (mean over
        images, both channels), foreground AP of the raw signed map, pointing game; `base_rate`, what a map that knows
        nothing gets as foreground AP; the foreground AP's gain over the random map with its 95 % interval (paired
        bootstrap over images), and `beats_random`.
        """
        import pandas

        rows = []
        control = self.found[RANDOM].foreground_ap.double().cpu().numpy()
        for name in self.names:
            one = self.found[name]
            gain = one.foreground_ap.double().cpu().numpy() - control
            gain = gain[np.isfinite(gain)]
            low, high = mean_interval(gain, self.settings["seed"])
            rows.append((
                name, one.pixel_accuracy, one.miou, one.mean_ap, one.mean_foreground_ap, one.mean_pointing,
                one.mean_base_rate, gain.mean() if len(gain) else float("nan"), low, high, bool(low > 0), len(gain),
            ))  # fmt: skip
        columns = [
            "map", "pixel_accuracy", "miou", "map_score", "foreground_ap", "pointing", "base_rate", "better_by", "low",
            "high", "beats_random", "n",
        ]  # fmt: skip
        return pandas.DataFrame(rows, columns=columns).rename(columns={"map_score": "mean_ap"})

    def to_dataframe(self) -> pandas.DataFrame:
        """The same as `table`."""
        return self.table

    def beats_random(self, name: str) -> bool:
        """Whether a map's foreground AP is above a random map's beyond doubt (95 %).

        Arguments:
            name: of a map.
        """
        if name not in self.names:
            raise InputError("Localisation.beats_random", repr(name), ", ".join(self.names), "name one of these")
        return bool(self.table.set_index("map").loc[name, "beats_random"])

    def __repr__(self) -> str:
        lines = [f"Localisation({self.n} images, protocol {self.settings['protocol']!r})"]
        for _, r in self.table.iterrows():
            sign = "" if r["beats_random"] or r["map"] == RANDOM else " (no better than random)"
            lines.append(
                f"  {r['map']}: pixel accuracy {r['pixel_accuracy']:.3f}, mIoU {r['miou']:.3f}, mAP {r['mean_ap']:.3f},"
                f" foreground AP {r['foreground_ap']:.3f} (base rate {r['base_rate']:.3f}){sign},"
                f" pointing {r['pointing']:.3f}"
            )
        return "\n".join(lines)


@full_precision
def localisation(
    maps: TokenAttribution | Mapping[str, TokenAttribution], masks: Any, *,
    protocol: Literal["aligned", "reference"] = "aligned", seed: int = 0,
) -> Localisation:  # fmt: skip
    """Maps of the same images against masks: pixel accuracy, mIoU, mAP, foreground AP, pointing game.

    Foreground is what lies strictly above the mean of the map clipped at 0 and stretched to [0, 1], as the public
    segmentation evaluation of G24 has it; foreground AP is of the raw signed map.

    Arguments:
        maps: one, or several by name (`TokenAttribution`).
        masks: per image [height, width] in the pixels of the picture as it was given, bool, or 1, 0 and −1 for pixels
            that do not count; a tensor [b, h, w] or a list (of one image, its mask alone will do).
        protocol: "aligned" sends the mask through the image's own crop and resize, what lies in padding counts nowhere;
            "reference" resizes the whole mask to the model's input whatever its aspect, as the public code does, which
            frames masks of images that are not square differently from their maps; default "aligned".
        seed: of the random map and the intervals; default 0.

    Returns:
        `Localisation`: .table (one row per map and for a random one), .beats_random(name).

    Raises:
        InputError: for masks of another size or number, and where an image's crop could not be traced.

    >>> import toolkit as tk
    >>> model, data = tk.load(), tk.scenes("test", n=4)
    >>> found = tk.localisation(tk.token_map(model, data, "a bird"), data.masks()[0])
    >>> found.names
    ('token map', 'random map')
    """
    named = named_maps(maps, "localisation")
    if RANDOM in named:
        raise InputError("localisation", f"a map named {RANDOM!r}", "other names: this is the control", "rename it")
    if protocol not in PROTOCOLS:
        raise InputError("localisation", f"protocol={protocol!r}", ", ".join(map(repr, PROTOCOLS)), "name one of these")
    first = next(iter(named.values()))
    same_images(named, "localisation")
    framed = framed_masks(masks, first.frames, protocol, "localisation")
    tables = {name: m.values.reshape(len(m), *m.grid) for name, m in named.items()}
    tables[RANDOM] = np.random.default_rng(seed).standard_normal(tables[next(iter(tables))].shape)
    scores = {name: localise(enlarged(table, framed), framed) for name, table in tables.items()}
    settings = {"protocol": protocol, "seed": seed, "size": list(framed.shape[1:])}
    return Localisation(scores, tuple(scores), settings)


def framed_masks(masks: Any, frames: Sequence[Frame], protocol: str, operation: str) -> Tensor:
    """[b, H, W] int: masks of pictures as the model's input frames them."""
    one = len(frames) == 1 and getattr(masks, "ndim", 3) == 2
    each = [masks] if one else list(masks) if hasattr(masks, "__iter__") else []
    if len(each) != len(frames):
        fix = "pass one mask for each image, in their order"
        raise InputError(operation, f"{len(each)} masks for {len(frames)} images", "one mask per image", fix)
    out = []
    for i, (mask, frame) in enumerate(zip(each, frames, strict=True)):
        table = np.asarray(mask.cpu() if isinstance(mask, Tensor) else mask)
        if table.shape != (frame.size[1], frame.size[0]):
            given = f"mask {i} of shape {table.shape} for a picture of {frame.size[0]}×{frame.size[1]} pixels"
            raise InputError(operation, given, "masks [height, width] of the pictures", "do not crop or resize masks")
        values = np.unique(table)
        if not np.isin(values, (-1, 0, 1)).all():
            given = f"mask {i} with the values {', '.join(f'{v:g}' for v in values[:4])}{' …' * (len(values) > 4)}"
            fix = "compare first: mask > 0 (of 0 and 255), or mask > 0.5"
            raise InputError(operation, given, "bool masks, or 1, 0 and −1 for pixels that do not count", fix)
        if protocol == "aligned" and not frame.exact:
            given = f"image {i}, whose crop could not be traced through the preprocess"
            fix = 'pass a preprocess that only resizes, crops, pads and normalises, or protocol="reference"'
            raise InputError(operation, given, "a preprocess whose crop is known", fix)
        framed = frame if protocol == "aligned" else whole(frame.size, frame.seen)
        out.append(framed.crop(table.astype(np.int64), outside=-1))
    return torch.from_numpy(np.stack(out))


def enlarged(table: Array, like: Tensor) -> Tensor:
    """[b, H, W]: maps [b, rows, cols] at the resolution of masks, bilinear between patch centres."""
    maps = torch.from_numpy(np.ascontiguousarray(table))[:, None]
    return F.interpolate(maps, like.shape[1:], mode="bilinear", align_corners=False)[:, 0]


@dataclass(frozen=True)
class MeanAIoU(OneNumber):
    """A mean AIoU and its 95 % interval. of: what; n: images; skipped: whose maps both miss the box."""

    of: str
    value: float
    interval: Interval
    n: int
    skipped: int

    def __str__(self) -> str:
        i = self.interval
        left = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.of}: {self.value:.3f} [{i.low:.3f}, {i.high:.3f}], n = {self.n}{left}"


@dataclass(frozen=True, eq=False, repr=False)
class AIoU:
    """AIoU of every image, by group; made by `tk.aiou`.

    Attributes:
        aiou: the share of the true class's map beside the best rival's, 0 to 1 [b]; nan where both miss the box.
        iou: soft IoU of the true class's map [b].
        divisor: of an image's maps [b].
        groups: a name per image [b].
        level: of the intervals.
        replicates: of the bootstrap, images inside their group.
        seed: of it.
    """

    aiou: Array
    iou: Array
    divisor: Array
    groups: NDArray[np.object_]
    level: float = 0.95
    replicates: int = 2000
    seed: int = 0

    def __len__(self) -> int:
        return len(self.aiou)

    @cached_property
    def _means(self) -> tuple[tuple[str, ...], Array, Array]:
        """Groups with a number, their means [g] and bootstrapped ones [replicates, g]; images, by group."""
        rng = np.random.default_rng(self.seed)
        names = [str(name) for name in np.unique(self.groups.astype(str)) if np.isfinite(self._of(str(name))).any()]
        drawn = []
        for name in names:
            own = self._of(name)
            own = own[np.isfinite(own)]
            drawn.append(own[rng.integers(0, len(own), (self.replicates, len(own)))].mean(1))
        means = np.array([np.nanmean(self._of(name)) for name in names])
        return tuple(names), means, np.stack(drawn, 1) if drawn else np.zeros((self.replicates, 0))

    def _of(self, name: str) -> Array:
        return self.aiou[self.groups.astype(str) == name]

    @property
    def average(self) -> MeanAIoU:
        """The mean over images; those without a number are skipped and counted."""
        known = np.isfinite(self.aiou)
        names, _, drawn = self._means
        sizes = np.array([np.isfinite(self._of(name)).sum() for name in names], float)
        replicates = drawn @ (sizes / sizes.sum()) if len(names) else np.full(self.replicates, np.nan)
        value = float(np.nanmean(self.aiou)) if known.any() else math.nan
        return self._mean("average", value, replicates, known.sum(), (~known).sum())

    @property
    def worst(self) -> MeanAIoU:
        """The least mean of a group, the minimum taken inside every replicate."""
        names, means, drawn = self._means
        if not len(names):
            return self._mean("worst group", math.nan, np.full(self.replicates, np.nan), 0, len(self))
        at = int(means.argmin())
        own = np.isfinite(self._of(names[at]))
        return self._mean(f"worst group ({names[at]})", float(means[at]), drawn.min(1), own.sum(), (~own).sum())

    def _mean(self, of: str, value: float, replicates: Array, n: Any, skipped: Any) -> MeanAIoU:
        return MeanAIoU(of, value, percentile(replicates, self.level, "bootstrap inside groups"), int(n), int(skipped))

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per image: iou, aiou, divisor, group."""
        import pandas

        columns = {"iou": self.iou, "aiou": self.aiou, "divisor": self.divisor, "group": self.groups}
        return pandas.DataFrame(columns)

    def __repr__(self) -> str:
        return f"AIoU\n  {self.average}\n  {self.worst}"


def aiou(
    maps: Sequence[TokenAttribution], masks: Any, true: Any, groups: Sequence[Any] | None = None, *, seed: int = 0
) -> AIoU:
    """Soft IoU and AIoU of every image (Y23 eq. 8–9), their average and the worst group's, as an `AIoU`.

    Soft IoU is how much of the box of an object the map of its class covers; AIoU its share beside the best rival's:
    0.5 is a tie. Maps are clipped at 0 and divided by one number, the divisor, for all classes of an image. AIoU is not
    invariant to the maps' scale, and says nothing of where a map is by itself: read it beside iou. nan where both maps
    miss the box. Y23's Tables 4 and 5 are of Grad-CAM: pass such maps to compare.

    Arguments:
        maps: one per class, all of the same images (`TokenAttribution`).
        masks: of the objects, as for `tk.localisation`; their tight boxes count.
        true: which class each image is of, as indices into maps [b].
        groups: a name per image [b]; default one group.
        seed: of the bootstrap; default 0.

    Raises:
        InputError: for fewer than two maps, and what does not fit.

    >>> import toolkit as tk
    >>> model, data = tk.load(), tk.scenes("test", n=4, kind="birds")
    >>> birds = tk.classes(["waterbird", "landbird"])
    >>> maps = [tk.token_map(model, data, name, against=birds) for name in birds]
    >>> tk.aiou(maps, data.masks()[0], birds.encode(data.labels), data.groups).average.n
    4
    """
    from toolkit.core.localise import common_scale

    each = list(maps)
    if len(each) < 2 or not all(isinstance(m, TokenAttribution) for m in each):
        accepted = "two maps or more, one per class, of the same images"
        raise InputError("aiou", f"{len(each)} maps", accepted, "make one for every class")
    same_images({f"class {i}": m for i, m in enumerate(each)}, "aiou")
    framed = framed_masks(masks, each[0].frames, "aligned", "aiou")
    stacked = torch.stack([enlarged(m.values.reshape(len(m), *m.grid), framed) for m in each], 1)
    truth = np.asarray(true)
    if truth.shape != (len(framed),) or truth.dtype.kind not in "iu":
        given, accepted = f"true of type {truth.dtype} and shape {truth.shape}", f"{len(framed)} indices into the maps"
        raise InputError("aiou", given, accepted, "write classes.encode(data.labels)")
    share, own = aiou_of(stacked, boxes(framed == 1), torch.as_tensor(truth))
    _, divisor = common_scale(stacked)
    named = np.array(["all"] * len(framed) if groups is None else [str(name) for name in groups], dtype=object)
    if len(named) != len(framed):
        given = f"{len(named)} groups for {len(framed)} images"
        raise InputError("aiou", given, "a name per image", "write groups=data.groups")
    return AIoU(share.double().numpy(), own.double().numpy(), divisor.double().numpy(), named, seed=seed)
