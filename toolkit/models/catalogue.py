"""Which open_clip models can be taken apart, decided from their configs: no weights, text towers or network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from toolkit.core.tower import Tower
from toolkit.errors import InputError, UnsupportedModelError
from toolkit.models.towers import visual_tower
from toolkit.models.words import refuse

POOLS = {
    "cls": "class token", "mean_then_norm": "average", "norm_then_mean": "average", "attention": "attention pool",
}  # fmt: skip


@dataclass(frozen=True)
class Listed:
    """One open_clip model name: whether it is supported, as what, and else why not.

    tower: the kind of image tower. layers, heads, head_dim, embed_dim: as `ModelCard` has them; 0 where refused. pool:
    in words. views: "pool" and, behind an attention pool, "trunk" (`Model.view`), with the trunk's layers × heads.
    reason: "" for a supported one.
    """

    name: str
    tower: str
    supported: bool
    layers: int = 0
    heads: int = 0
    head_dim: int = 0
    embed_dim: int = 0
    pool: str = ""
    views: str = ""
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The row as plain values."""
        return asdict(self)


def catalogue() -> list[Listed]:
    """Every name of `open_clip.list_models()`, in that order, with what the toolkit makes of it.

    Image towers are built without memory (on torch's meta device), so this takes a few seconds and no download.

    >>> from toolkit.models.catalogue import catalogue
    >>> next(row for row in catalogue() if row.name == "ViT-B-16").layers  # doctest: +SKIP
    12
    """
    return list(rows())


def rows() -> Iterator[Listed]:
    """The rows of `catalogue`, one at a time; towers of the same config are built once."""
    import open_clip

    known: dict[str, Listed] = {}
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        key = repr((config["vision_cfg"], config["embed_dim"], bool(config.get("multimodal_cfg"))))
        if key not in known:
            known[key] = _row(name, config)
        yield Listed(**(known[key].to_dict() | {"name": name}))


def _row(name: str, config: dict[str, Any]) -> Listed:
    vision = config["vision_cfg"]
    if "multimodal_cfg" in config:
        return Listed(name, "ViT with a captioner", False, reason="CoCa's captioner reads the image tokens too")
    kind = _kind(vision)
    visual = _built(config)
    try:
        tower = visual_tower(visual, name)
    except UnsupportedModelError as error:
        return Listed(name, kind, False, reason=_reason(error))
    views = "pool"
    if tower.pool == "attention" and "timm_model_name" in vision:
        trunk = visual_tower(visual, name, "trunk")
        views = f"pool, trunk ({len(trunk.blocks)} × {trunk.heads})"
    return Listed(
        name, kind, True, len(tower.blocks), tower.heads, tower.head_dim, _embed(tower), POOLS[tower.pool], views
    )


def refuse_named(name: str) -> None:
    """Raise UnsupportedModelError, with the reason, for an open_clip name whose image tower cannot be taken apart."""
    import open_clip

    config = open_clip.get_model_config(name)
    row = _row(name, config) if config else None
    if row is not None and not row.supported:
        raise refuse(name, row.reason)


def _embed(tower: Tower) -> int:
    return int(tower.proj.shape[1]) if tower.proj is not None else tower.width


def _kind(vision: dict[str, Any]) -> str:
    if "timm_model_name" in vision:
        return f"timm {vision['timm_model_name']}"
    return "ModifiedResNet" if isinstance(vision.get("layers"), list) else "ViT"


def _reason(error: UnsupportedModelError) -> str:
    """The reason alone, without the model it was given."""
    return error.given.partition(": ")[2] or error.given


def table(found: list[Listed]) -> str:
    """The rows as lines of text: supported ones with their geometry, refused ones with the reason, and the count."""
    wide = max(len(row.name) for row in found)
    lines = [f"{'name':{wide}}  layers × heads × k    d  pool            views"]
    for row in found:
        if row.supported:
            size = f"{row.layers} × {row.heads} × {row.head_dim}"
            lines.append(f"{row.name:{wide}}  {size:18} {row.embed_dim:4}  {row.pool:14}  {row.views}")
        else:
            lines.append(f"{row.name:{wide}}  not supported: {row.reason}")
    good = sum(row.supported for row in found)
    return "\n".join([*lines, f"{good} of {len(found)} names are supported; any other open_clip model can be tried."])


class _Unfilled(TorchFunctionMode):
    """Inside, tensors are not filled with start values: on the meta device that does nothing, slowly."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        fills = name in ("uniform_", "normal_", "erfinv_", "clamp_", "fill_", "zero_", "mul_", "add_", "trunc_normal_")
        return args[0] if fills and args and isinstance(args[0], Tensor) else func(*args, **(kwargs or {}))


def _built(config: dict[str, Any]) -> Any:
    """The image tower of a config, without memory for its weights."""
    from open_clip.model import _build_vision_tower

    vision = dict(config["vision_cfg"])
    if "timm_model_name" in vision:
        vision["timm_model_pretrained"] = False
    try:
        with torch.device("meta"), _Unfilled():
            return _build_vision_tower(config["embed_dim"], vision, config.get("quick_gelu", False))
    except Exception as error:
        raise InputError(
            "info", f"a config open_clip cannot build ({error})", "a config of open_clip's", "update open_clip_torch"
        ) from error
