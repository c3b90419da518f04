"""What is said of a model: why it cannot be taken apart exactly, and where two sources about it disagree."""

from __future__ import annotations

from toolkit.errors import UnsupportedModelError, warn_caller

SUPPORTED = (
    "CLIPs whose image tower is a ViT (class token, average or attention pooling; open_clip's own, timm's plain, EVA,"
    " SigLIP and PE) or a ModifiedResNet; `toolkit info --models` lists them by name"
)


def refuse(given: str, reason: str, fix: str = "") -> UnsupportedModelError:
    """The error for a model whose embedding is not the sum this toolkit computes. fix: where there is a way."""
    other = "choose one of these; `tk.load()` gives the built-in model"
    return UnsupportedModelError("wrap", f"{given}: {reason}", SUPPORTED, fix or other)


class ModelWarning(UserWarning):
    """Two sources say different things about a model, or a file is odd; the message says both and what was used."""


def tell(note: str, operation: str = "load") -> None:
    """A ModelWarning at the line outside the toolkit that led here. operation: what was done."""
    warn_caller(f"{operation}: {note}", ModelWarning)
