"""What may stand for images, turned into preprocessed batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from toolkit.errors import InputError
from toolkit.models.frame import Frame, frame_of, whole
from toolkit.models.words import tell

SOME = 16
"""Images of a batch whose range of pixels is looked at."""
ACCEPTED = (
    "preprocessed float tensors [b, 3, H, W], uint8 pixels [b, 3, H, W] of exactly the model's image size, PIL images"
    " (one or a list), or samples such as tk.scenes(…)"
)


class Images:
    """Anything accepted as images, read batch by batch.

    given: see ACCEPTED. preprocess: PIL image → [3, H, W]. size: (height, width) the model takes. mean, std: per
    channel. operation: named in errors.
    """

    def __init__(
        self,
        given: Any,
        preprocess: Callable[[Image.Image], Tensor],
        size: tuple[int, int],
        normalise: tuple[Sequence[float], Sequence[float]] | None,
        operation: str,
        range_of: tuple[Sequence[float], Sequence[float]] | None = None,
    ) -> None:
        self._preprocess, self._size, self._operation = preprocess, size, operation
        self._normalise = [_per_channel(values) for values in normalise] if normalise else None
        self.ids: tuple[str, ...] = ()
        self._frames: dict[tuple[int, int], Frame] = {}
        self._given = self._checked(given)
        self._tell_range(range_of)
        if not len(self._given):
            raise self._error("an empty batch", "pass at least one image")

    def __len__(self) -> int:
        return len(self._given)

    def batches(self, size: int) -> Iterator[Tensor]:
        """Preprocessed float tensors [≤ size, 3, H, W], in order."""
        if not isinstance(size, int) or size < 1:
            accepted = "a whole number of at least 1"
            raise InputError(self._operation, f"batch_size={size!r}", accepted, "pass how many images to run at a time")
        for start in range(0, len(self), size):
            yield self.batch(range(start, min(start + size, len(self))))

    def batch(self, rows: range) -> Tensor:
        """Preprocessed float tensors of these rows, [n, 3, H, W]."""
        found = self._read(rows)
        if not bool(found.isfinite().all()):
            given = f"NaN or infinite pixels in images {rows.start}…{rows.stop - 1}"
            raise self._error(given, "clean the images first")
        return found

    def picture(self, row: int) -> Image.Image:
        """The picture as it was given, in RGB; of a preprocessed tensor, its pixels with the normalisation undone (as
        near as [0, 255] holds them, stretched to it where the normalisation is not known).
        """
        found = self._one(row)
        if isinstance(found, Image.Image):
            return found.convert("RGB")
        pixels = found
        if pixels.dtype != torch.uint8:
            t = pixels.float().cpu()
            if self._normalise is None:
                t = (t - t.min()) / (t.max() - t.min()).clamp_min(1e-12)
            else:
                t = t * self._normalise[1] + self._normalise[0]
            pixels = (t.clamp(0, 1) * 255).round().to(torch.uint8)
        return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())

    def frame(self, row: int) -> Frame:
        """Where the model's input lies in `picture(row)`."""
        found, (height, width) = self._one(row), self._size
        if not isinstance(found, Image.Image) and tuple(found.shape[1:]) == self._size:
            plain = found.dtype != torch.uint8 or self._normalise is not None
            if plain:
                return whole((width, height), self._size)
        size = found.size if isinstance(found, Image.Image) else (int(found.shape[2]), int(found.shape[1]))
        if size not in self._frames:
            self._frames[size] = frame_of(lambda picture: self._preprocess(picture), size, self._size)
        return self._frames[size]

    def _one(self, row: int) -> Any:
        """A PIL image, or a tensor [3, H, W]."""
        if isinstance(self._given, Tensor | list):
            return self._given[row]
        return self._given.pixels([row])[0]

    def _tell_range(self, of: tuple[Sequence[float], Sequence[float]] | None) -> None:
        """Tell of float pixels that no picture has after a normalisation with this mean and std."""
        t = self._given
        if of is None or not isinstance(t, Tensor) or t.dtype == torch.uint8 or not len(t):
            return
        some = t[:SOME].detach().float()
        low, high = some.amin().item(), some.amax().item()
        brightest = max((1 - m) / s for m, s in zip(*of, strict=True))
        if low < 0 or low == high or not math.isfinite(high):  # pixels are not negative, and a blank says nothing
            return
        kind = "0 … 1" if high <= 1.001 else "0 … 255" if high > 2 * brightest and high <= 255 else ""
        if kind and min(of[0]) > 0:
            words = f"float images of {low:.3g} … {high:.3g} look like pixels of {kind}, not normalised"
            mean = ", ".join(f"{m:.3g}" for m in of[0])
            tell(f"{words} (mean {mean} …); pass PIL images or uint8 pixels, or (pixels − mean) / std", self._operation)

    def _error(self, given: str, fix: str) -> InputError:
        return InputError(self._operation, given, ACCEPTED, fix)

    def _checked(self, given: Any) -> Any:
        if isinstance(given, Tensor | np.ndarray):
            return self._checked_tensor(self._tensor(given))
        if isinstance(given, Image.Image) or isinstance(getattr(given, "image", None), Image.Image):
            given = [given]
        if hasattr(given, "pixels") and hasattr(given, "ids"):
            self.ids = tuple(given.ids)
            return given
        if isinstance(given, list | tuple):
            for i, item in enumerate(given):
                if not isinstance(getattr(item, "image", item), Image.Image):
                    shape = f" of shape {tuple(item.shape)}" if hasattr(item, "shape") else ""
                    fix = (
                        "stack tensors with torch.stack"
                        if isinstance(item, Tensor)
                        else "open files with PIL.Image.open"
                    )
                    raise self._error(f"a {type(item).__name__}{shape} at position {i}", fix)
            if given and all(hasattr(item, "id") for item in given):
                self.ids = tuple(item.id for item in given)
            return [getattr(item, "image", item) for item in given]
        raise self._error(
            f"a {type(given).__name__} ({str(given)[:60]!r})",
            "open files with PIL.Image.open, or use a reader such as tk.scenes",
        )

    def _tensor(self, given: Any) -> Tensor:
        try:
            return torch.as_tensor(np.ascontiguousarray(given) if isinstance(given, np.ndarray) else given)
        except TypeError as error:
            raise self._error(f"an array of {given.dtype}", "pass numbers") from error

    def _checked_tensor(self, t: Tensor) -> Tensor:
        height, width = self._size
        if t.ndim == 4 and not len(t):
            raise self._error(f"an empty batch {tuple(t.shape)}", "pass at least one image")
        if t.ndim != 4 or t.shape[1:] != (3, height, width):
            fix = f"make it [b, 3, {height}, {width}], for one image with image[None], or pass PIL images"
            if t.ndim == 4 and t.shape[-1] == 3:
                fix = "move the channels first: images.permute(0, 3, 1, 2)"
            raise self._error(f"a tensor of shape {tuple(t.shape)}", fix)
        if not t.is_floating_point() and t.dtype != torch.uint8:
            raise self._error(f"a tensor of {t.dtype}", "convert it to float after preprocessing, or to uint8 pixels")
        return t

    def _read(self, rows: range) -> Tensor:
        if isinstance(self._given, Tensor):
            batch = self._given[rows.start : rows.stop]
        elif isinstance(self._given, list):
            return self._stacked(self._given[rows.start : rows.stop])
        else:
            batch = self._given.pixels(rows)
            if not isinstance(batch, Tensor):  # a list of PIL images of any size
                return self._stacked(batch)
        if batch.dtype != torch.uint8:
            return batch
        if self._normalise is None or tuple(batch.shape[2:]) != self._size:
            return self._stacked([Image.fromarray(pixels) for pixels in batch.permute(0, 2, 3, 1).cpu().numpy()])
        return self._normalised(batch)

    def _normalised(self, pixels: Tensor) -> Tensor:
        """What the model's own preprocess makes of pixels of the model's size [..., 3, H, W], uint8."""
        assert self._normalise is not None
        mean, std = (t.to(pixels.device) for t in self._normalise)
        return (pixels.float() / 255 - mean) / std

    def _stacked(self, images: Sequence[Image.Image]) -> Tensor:
        """Images through the preprocess, [n, 3, H, W]."""
        out = []
        for image in images:
            if 0 in image.size:
                raise self._error(f"an image of {image.size[0]} × {image.size[1]} pixels", "leave it out")
            picture = image.convert("RGB")  # as the model's own preprocess takes it
            if self._normalise is not None and picture.size == (self._size[1], self._size[0]):
                out.append(self._normalised(_pixels(picture)))
            else:
                out.append(self._preprocess(picture))
            if tuple(out[-1].shape) != (3, *self._size):
                given = f"a preprocess that returns {tuple(out[-1].shape)}"
                accepted = f"[3, {self._size[0]}, {self._size[1]}]"
                raise InputError(self._operation, given, accepted, "pass the preprocess this model was trained with")
        return torch.stack(out)


def _pixels(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def _per_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(3, 1, 1)
