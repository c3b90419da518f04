"""`copied`: a model's weights once more, for those that write to them."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from toolkit.signs import counted


def copied(clip: nn.Module) -> Any:
    """A copy that shares no tensor with the model; it says how far it is."""
    made = dict[int, Any]()
    tensors = [*clip.parameters(), *clip.buffers()]
    for tensor in counted(tensors, "copy the model", "tensor"):
        copy.deepcopy(tensor, made)  # deepcopy asks `made` before it copies anything
    return copy.deepcopy(clip, made)
