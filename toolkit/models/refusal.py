"""The words for a model that cannot be taken apart exactly."""

from __future__ import annotations

from toolkit.errors import UnsupportedModelError

SUPPORTED = (
    "CLIPs whose image tower is a ViT (class token, average or attention pooling; open_clip's own, timm's plain, EVA,"
    " SigLIP and PE) or a ModifiedResNet; `toolkit info --models` lists them by name"
)


def refuse(given: str, reason: str) -> UnsupportedModelError:
    """The error for a model whose embedding is not the sum this toolkit computes."""
    return UnsupportedModelError(
        "wrap", f"{given}: {reason}", SUPPORTED, "choose one of these; `tk.load()` gives the built-in model"
    )
