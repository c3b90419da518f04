"""What a CAM library is given instead of the user's model: the same forward, watched at one place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.core.capture import Capture
from toolkit.core.gradients import Frozen, wide
from toolkit.core.parts import Parts, parts_from
from toolkit.models.model import Model
from toolkit.models.towers import refuse_reruns, watched_place


class LayerProbe(nn.Module):
    """A module of its own around a model's forward: images [b, 3, H, W] → scores [b, 1].

    at: an identity through which the activations of the watched place flow, float32 or better, as the start of the
    autograd graph. The model is no submodule: a library that calls eval, zero_grad or backward on this module reaches
    nothing of it. score: of the parts of a batch [b]. place: the submodule of the model that is watched; its hook is
    there during a forward alone, and acts in the thread of that forward alone.
    """

    def __init__(self, model: Model, place: nn.Module, score: Callable[[Parts], Tensor]) -> None:
        super().__init__()
        self.at = nn.Identity()
        self.device_mark = nn.Parameter(torch.zeros((), device=model.device), requires_grad=False)
        self.run = lambda images: _run(model, place, score, self.at, images)
        self.last: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        found = self.run(images)
        self.last = found.detach()
        return found[:, None]


def _run(model: Model, place: nn.Module, score: Callable[[Parts], Tensor], at: nn.Module, images: Tensor) -> Tensor:
    """Scores [b] of one watched forward."""
    tower, thread, readout = model.tower, threading.get_ident(), model.readout()

    def watch(module: nn.Module, given: Any, out: Tensor) -> Tensor | None:
        if threading.get_ident() != thread:
            return None
        seen: Tensor = at(wide(out.detach()).clone().requires_grad_())
        return seen.to(out.dtype)

    capture = Capture(tower)
    with torch.inference_mode(False), torch.enable_grad():
        refuse_reruns(model.clip.visual, model.card.id)
        handle = place.register_forward_hook(watch)
        try:
            with Frozen(), capture:
                output = model._forward(model._placed(images, tower.blocks[0].out_weight).detach().clone())
        finally:
            handle.remove()
        return score(parts_from(capture.trace(output), readout))


def watched(model: Model, layer: int) -> tuple[nn.Module, str]:
    """The submodule whose output Grad-CAM reads, and its name."""
    return watched_place(model.clip.visual, layer, model._view)
