"""Pictures encoded again under random crops."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from toolkit.api.methods.shots import Shots
from toolkit.errors import InputError
from toolkit.signs import sign

LEAST_AREA = 0.5
"""Share of a picture's area that a crop shows at least."""


def encoded_views(shots: Shots, views: int) -> Tensor:
    """[n, d]: unit means of the embeddings, not made unit before, of `views` random crops of every image; half of them
    are mirrored. Raises InputError for images without a model or without pictures.
    """
    model, acts = shots.model, shots.images.acts
    if not acts.has_images:
        fix = "attach them: acts.attach(model, data)"
        raise InputError(shots.method, f"views={views} of parts without images", "pictures to crop", fix)
    rng = np.random.default_rng(shots.seed)
    found: list[Tensor] = []
    with sign("encode crops", "image") as report:
        for row in range(len(acts)):
            report(row, len(acts))
            picture = acts.samples.image(row)
            crops = [crop(picture, rng) for _ in range(views)]
            found.append(model.encode_image(crops).double().cpu().mean(0))
        report(len(acts), len(acts))
    return torch.nn.functional.normalize(torch.stack(found), dim=-1)


def crop(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Part of a picture in the picture's own size: a share of its area from `LEAST_AREA` to 1, anywhere in it."""
    side = rng.uniform(LEAST_AREA, 1) ** 0.5
    width, height = picture.width * side, picture.height * side
    left = rng.uniform(0, picture.width - width)
    top = rng.uniform(0, picture.height - height)
    made = picture.resize(picture.size, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    if rng.random() < 0.5:
        made = made.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return made
