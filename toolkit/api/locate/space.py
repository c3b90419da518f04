"""The heads of labelled images as one head space, where the disk has room for it."""

from __future__ import annotations

import shutil
import tempfile

import torch

from toolkit.api.images.judged import Judged
from toolkit.core.headspace import HeadSpace, head_space
from toolkit.errors import InputError
from toolkit.store.errors import size


def space_of_images(images: Judged, layers: tuple[int, ...], rows: torch.Tensor | None = None) -> HeadSpace:
    """The heads of some layers in all images, or in some."""
    acts = images.acts if rows is None else images.acts.take(rows.tolist())
    _, _, heads, k = acts.shape
    needed = 16 * len(acts) * len(layers) * heads * (k + 3)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if needed > free:
        given = f"{len(acts):,} images × {len(layers)} layers: {size(needed)} where {size(free)} are free for them"
        fix = "draw some of the images: acts.draw(per_class=200), name fewer layers, or set TMPDIR to a larger disk"
        raise InputError("locate", given, "room in the folder for temporary files", fix)
    maps = acts.head_maps[list(layers)]
    space = head_space(acts.states(layers), maps, range(len(layers)), len(acts))
    bad = (~space.square.isfinite().flatten(1).all(1)).nonzero()[:, 0].tolist()  # NaN where a number is not finite
    if bad:
        given = f"{len(bad)} images whose heads are not finite, {acts.ids[bad[0]]!r} for one"
        raise InputError("locate", given, "finite parts", "leave these images out: acts.take(rows)")
    return space
