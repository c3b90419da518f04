"""Maps against masks and boxes: per image first, then pooled (reference protocol: A10; Y23 eq. 8–9; methods §6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from toolkit.errors import InputError


@dataclass(frozen=True, eq=False)
class Localised:
    """How well maps find masks, image by image; made by `localise`. Unlabelled pixels count nowhere.

    correct, labelled [b]: pixels whose side of the threshold is right, and all. intersections, unions [b, 2]: pixels of
    (background, foreground). ap [b]: average precision of the channels (1 − map, map) of the clipped map, stacked into
    one ranking, as in the reference protocol. channel_ap [b]: of either channel on its own, then their mean.
    foreground_ap [b]: of the raw, signed map for the mask. pointing [b]: the share of the raw map's maximal pixels that
    lie in the mask. base_rate [b]: the mask's share of the labelled pixels, which is the foreground_ap of a random map.

    nan: ap and base_rate without labelled pixels; channel_ap without both classes; foreground_ap and pointing without
    foreground.
    """

    correct: Tensor
    labelled: Tensor
    intersections: Tensor
    unions: Tensor
    ap: Tensor
    channel_ap: Tensor
    foreground_ap: Tensor
    pointing: Tensor
    base_rate: Tensor

    @property
    def n(self) -> int:
        """Images."""
        return len(self.correct)

    @property
    def pixel_accuracy(self) -> float:
        """Pooled over all labelled pixels of all images."""
        return float(self.correct.sum().double() / self.labelled.sum())

    @property
    def iou(self) -> tuple[float, float]:
        """Of background and foreground: pooled intersection over pooled union; nan where a union is empty."""
        background, foreground = (self.intersections.sum(0).double() / self.unions.sum(0)).tolist()
        return background, foreground

    @property
    def miou(self) -> float:
        """The mean of the two IoUs."""
        return sum(self.iou) / 2

    @property
    def mean_ap(self) -> float:
        """Over the images where it is defined, like the four below."""
        return _mean(self.ap)

    @property
    def mean_channel_ap(self) -> float:
        return _mean(self.channel_ap)

    @property
    def mean_foreground_ap(self) -> float:
        return _mean(self.foreground_ap)

    @property
    def mean_pointing(self) -> float:
        return _mean(self.pointing)

    @property
    def mean_base_rate(self) -> float:
        return _mean(self.base_rate)


def joined(parts: Iterable[Localised]) -> Localised:
    """The images of several batches as one result."""
    found = list(parts)
    if not found:
        raise InputError("joined", "no results", "at least one `Localised`", "localise some maps first")
    return Localised(**{f.name: torch.cat([getattr(one, f.name) for one in found]) for f in fields(Localised)})


def clipped(maps: Tensor) -> Tensor:
    """[b, h, w]: maps clipped below 0, then stretched to [0, 1] image by image; 0 where nothing is left to stretch.

    >>> clipped(torch.tensor([[[-3.0, 1.0], [2.0, 0.0]]])).tolist()
    [[[0.0, 0.5], [1.0, 0.0]]]
    """
    _check_maps("clipped", maps, 3)
    positive = maps.clamp(min=0)
    low, high = positive.amin((-2, -1), keepdim=True), positive.amax((-2, -1), keepdim=True)
    width = high - low
    return (positive - low) / torch.where(width > 0, width, 1)


def localise(maps: Tensor, masks: Tensor, threshold: Literal["mean"] | float = "mean") -> Localised:
    """Signed maps against masks, image by image, as a `Localised`.

    maps [b, h, w]. masks [b, h, w]: bool, or integers 1 (foreground), 0 and −1 (not labelled). threshold: foreground is
    what lies strictly above it in the clipped map; "mean" is the mean over that map.
    Raises InputError for other shapes, values or thresholds.

    >>> found = localise(torch.tensor([[[2.0, 1.0], [0.0, -1.0]]]), torch.tensor([[[1, 1], [0, 0]]]))
    >>> found.pixel_accuracy, found.miou, found.mean_foreground_ap
    (1.0, 1.0, 1.0)
    """
    _check_maps("localise", maps, 3)
    known, front = _sides(masks, maps)
    scaled = clipped(maps).double()
    found = scaled > _level(scaled, threshold)
    truth = torch.stack([~front, front], 1) & known[:, None]
    guess = torch.stack([~found, found], 1) & known[:, None]
    intersections, unions = (x.sum((-2, -1)) for x in (truth & guess, truth | guess))
    channels = torch.stack([1 - scaled, scaled], 1)
    counted = known[:, None].expand_as(channels)
    labelled = known.sum((-2, -1))
    base = truth[:, 1].sum((-2, -1)).double() / labelled
    return Localised(
        correct=intersections.sum(1),
        labelled=labelled,
        intersections=intersections,
        unions=unions,
        ap=average_precision(channels.flatten(1), truth.flatten(1), counted.flatten(1)),
        channel_ap=average_precision(channels.flatten(2), truth.flatten(2), counted.flatten(2)).mean(1),
        foreground_ap=average_precision(maps.flatten(1), truth[:, 1].flatten(1), known.flatten(1)),
        pointing=_pointing(maps, truth[:, 1], known),
        base_rate=base,
    )


def average_precision(scores: Tensor, positive: Tensor, counted: Tensor) -> Tensor:
    """[...]: Σ (R_k − R_{k−1}) P_k over the distinct scores, the largest first, so that ties share one threshold; nan
    without a positive. scores [..., n]; positive, counted [..., n] bool: what is not counted is not there.
    """
    ranked, at = torch.where(counted, scores.double(), -torch.inf).sort(-1, descending=True)
    hits = (positive & counted).gather(-1, at).cumsum(-1)
    seen = counted.gather(-1, at).cumsum(-1)
    last = torch.ones_like(ranked, dtype=torch.bool)
    last[..., :-1] = ranked[..., 1:] != ranked[..., :-1]
    reached = torch.where(last, hits, 0).cummax(-1).values
    gained = reached.diff(dim=-1, prepend=torch.zeros_like(reached[..., :1]))
    return (gained * (hits.double() / seen.clamp(min=1))).sum(-1) / hits[..., -1]


def soft_iou(maps: Tensor, boxes: Tensor) -> Tensor:
    """[...]: Σ min(M, B) / Σ max(M, B); nan where both are empty. maps, boxes [..., h, w], in [0, 1], broadcast.

    >>> soft_iou(torch.tensor([[0.5, 0.0]]), torch.tensor([[True, False]])).item()
    0.5
    """
    for name, x in (("maps", maps), ("boxes", boxes)):
        if x.ndim < 2 or (x.numel() and not bool(((x >= 0) & (x <= 1)).all())):
            given = f"{name} {tuple(x.shape)}" + (f" in {x.min():g} … {x.max():g}" if x.numel() else "")
            raise InputError("soft_iou", given, "[..., h, w] with values in [0, 1]", "scale them with `common_scale`")
    m, b = maps.double(), boxes.to(maps.device).double()
    return torch.minimum(m, b).sum((-2, -1)) / torch.maximum(m, b).sum((-2, -1))


def common_scale(maps: Tensor) -> tuple[Tensor, Tensor]:
    """[b, c, h, w]: maps clipped below 0 and divided by one number for all classes of an image; [b]: that number, the
    image's maximum over classes and pixels, or 1 where nothing is above 0.
    """
    _check_maps("common_scale", maps, 4)
    positive = maps.clamp(min=0)
    high = positive.amax((1, 2, 3))
    divisor = torch.where(high > 0, high, 1)
    return positive / divisor[:, None, None, None], divisor


def aiou(maps: Tensor, boxes: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """[b]: IoU of the true class's map / (it + the best rival's), .5 for a tie and nan for 0/0; [b]: the true class's
    IoU. maps [b, c, h, w]: of c ≥ 2 classes, brought to their `common_scale`. boxes [b, h, w]. true [b]: indices.
    """
    scaled, _ = common_scale(maps)
    b, c = maps.shape[:2]
    fits = true.shape == (b,) and not true.is_floating_point() and true.dtype != torch.bool
    if c < 2 or boxes.shape != (b, *maps.shape[2:]) or not fits or bool(((true < 0) | (true >= c)).any()):
        given = f"maps {tuple(maps.shape)}, boxes {tuple(boxes.shape)}, true {tuple(true.shape)} {true.dtype}"
        accepted = "maps [b, c, h, w] of 2 or more classes, boxes [b, h, w], class indices below c [b]"
        raise InputError("aiou", given, accepted, "give the maps of every class, and one box and one class per image")
    overlap = soft_iou(scaled, boxes[:, None])
    column = true.to(maps.device).long()[:, None]
    own = overlap.gather(1, column)[:, 0]
    rival = overlap.scatter(1, column, -torch.inf).amax(1)
    return own / (own + rival), own


def boxes(masks: Tensor) -> Tensor:
    """[b, h, w] bool: the tight bounding box of every mask, itself as a mask; an empty mask stays empty.

    >>> boxes(torch.tensor([[[1, 0, 0], [0, 1, 0]]]).bool()).int().tolist()
    [[[1, 1, 0], [1, 1, 0]]]
    """
    if masks.ndim != 3 or masks.dtype != torch.bool:
        raise InputError("boxes", f"{tuple(masks.shape)} {masks.dtype}", "bool [b, h, w]", "compare: `masks == 1`")
    return _span(masks.any(2))[:, :, None] & _span(masks.any(1))[:, None, :]


def _span(flags: Tensor) -> Tensor:
    """[b, n]: everything from the first True to the last."""
    return (flags.cumsum(1) > 0) & (flags.flip(1).cumsum(1).flip(1) > 0)


def _pointing(maps: Tensor, front: Tensor, known: Tensor) -> Tensor:
    reach = maps.masked_fill(~known, -torch.inf)
    top = (reach == reach.amax((-2, -1), keepdim=True)) & known
    share = (top & front).sum((-2, -1)).double() / top.sum((-2, -1))
    return torch.where(front.any(-1).any(-1), share, torch.nan)


def _level(scaled: Tensor, threshold: str | float) -> Tensor | float:
    if threshold == "mean":
        return scaled.mean((-2, -1), keepdim=True)
    if isinstance(threshold, int | float) and not isinstance(threshold, bool) and 0 <= threshold < 1:
        return float(threshold)
    raise InputError("localise", f"threshold={threshold!r}", "'mean' or a number in [0, 1)", "leave it out for 'mean'")


def _sides(masks: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """[b, h, w] bool: labelled; foreground."""
    whole = not masks.is_floating_point() and not masks.is_complex()
    if not whole or masks.shape != maps.shape or bool(((masks < -1) | (masks > 1)).any()):
        given = f"masks {tuple(masks.shape)} {masks.dtype} for maps {tuple(maps.shape)}"
        accepted = "bool masks, or integers 1, 0 and −1 (not labelled), of the maps' shape"
        raise InputError("localise", given, accepted, "resize the masks (nearest) to the maps; set void pixels to −1")
    near = masks.to(maps.device)
    if masks.dtype == torch.bool:
        return torch.ones_like(near), near
    return near >= 0, near == 1


def _check_maps(operation: str, maps: Tensor, ndim: int) -> None:
    shape = "[b, c, h, w]" if ndim == 4 else "[b, h, w]"
    if maps.ndim != ndim or not maps.is_floating_point() or 0 in maps.shape[1:]:
        given = f"maps {tuple(maps.shape)} {maps.dtype}"
        raise InputError(operation, given, f"floating-point maps {shape} with at least one pixel", "add the image axis")
    if not bool(maps.isfinite().all()):
        raise InputError(operation, "maps with NaN or infinite values", "finite maps", "find where they come from")


def _mean(values: Tensor) -> float:
    return float(values.double().nanmean())
