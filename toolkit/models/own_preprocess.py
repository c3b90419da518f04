"""`OwnPreprocess`: what a model's pictures go through where the user passes nothing."""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from typing import Any

from PIL import Image
from torch import Tensor

from toolkit.models.card import image_size
from toolkit.waking import waking

WORDS = """Compose(
    Resize(size={side}, interpolation=bicubic, max_size=None, antialias=True)
    CenterCrop(size=({side}, {side}))
    MaybeConvertMode()
    MaybeToTensor()
    Normalize(mean={mean}, std={std})
)"""
"""What open_clip's transform says of itself where nothing but mean and std is set. A store is recognised by it."""


class OwnPreprocess:
    """The evaluation transform of the config open_clip attached to a model, else OpenAI's: PIL image → [3, H, W].

    It is made when the first picture comes: the built-in scenes, which have their size already, never need open_clip.

    config: what open_clip's PreprocessCfg is given.
    """

    def __init__(self, clip: Any) -> None:
        self.config: dict[str, Any] = attached(clip) | {"size": image_size(clip)}

    def __call__(self, picture: Image.Image) -> Tensor:
        return self._made(picture)

    def __repr__(self) -> str:
        height, width = self.config["size"]
        if set(self.config) == {"size", "mean", "std"} and height == width:
            return WORDS.format(side=width, mean=tuple(self.config["mean"]), std=tuple(self.config["std"]))
        return repr(self._made)

    def prepare(self) -> None:
        """Make it now: for those that call it from several threads."""
        self._made  # noqa: B018 – made when first asked for

    @property
    def transforms(self) -> list[Any]:
        """The steps of open_clip's transform."""
        steps: list[Any] = self._made.transforms
        return steps

    @cached_property
    def _made(self) -> Any:
        with waking("open_clip"):
            from open_clip.transform import PreprocessCfg, image_transform_v2
        known = {field.name for field in fields(PreprocessCfg)}
        config = {name: value for name, value in self.config.items() if name in known}
        return image_transform_v2(PreprocessCfg(**config), is_train=False)


def attached(clip: Any) -> dict[str, Any]:
    """The config open_clip attached to a model; empty where there is none."""
    return dict(getattr(getattr(clip, "visual", None), "preprocess_cfg", None) or {})
