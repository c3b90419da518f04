"""`tk.grad_cam`: class activation maps through pytorch-grad-cam, with its traps closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.checks import check_model
from toolkit.api.where.attention_maps import attribution, selected
from toolkit.api.where.attribution import TokenAttribution
from toolkit.api.where.map_input import batches, enough_memory, images_of
from toolkit.api.where.target import target_of
from toolkit.core.heads import HeadSet, which_layers
from toolkit.core.parts import Parts
from toolkit.core.precision import full_precision
from toolkit.errors import InputError
from toolkit.models.model import Model
from toolkit.models.probe import LayerProbe, watched

SIGNED = "sign kept; its size means something only beside another map of the kind"
CAMS = {
    "GradCAM": f"mean gradient × activation, summed over channels: {SIGNED}",
    "HiResCAM": f"gradient × activation, summed over channels: {SIGNED}",
    "XGradCAM": f"gradients weighted by normalised activations, × activation, summed over channels: {SIGNED}",
    "GradCAMPlusPlus": "weighted positive gradients × activation, summed over channels: negative ones do not count",
    "LayerCAM": "positive gradients × activation, summed over channels: negative ones do not count",
}
"""The library's methods, and by what rule their maps are to be read."""
HALF = 1024.0
"""What targets are multiplied by where weights are float16, whose small gradients would be zero; undone after."""


@full_precision
def grad_cam(
    model: Model,
    images: Any,
    text: Any,
    against: Any = None,
    heads: Any = None,
    *,
    layers: Any = None,
    cam: str = "GradCAM",
    batch_size: int = 16,
) -> TokenAttribution:
    """Grad-CAM of the cosine of image and text, by pytorch-grad-cam (Selvaraju et al. 2017).

    It is Σ_k w_k A_k, w_k the mean over patches of ∂S/∂A_k; raw and signed, neither clipped nor stretched. The model is
    not changed: no mode, flag, gradient or hook.

    Arguments:
        model: a live one (`Model`).
        images: one image (PIL, a sample or a path: the result has no image axis), or several in any form.
        text: a text, a vector [d], or a class of the set given as `against`.
        against: what is taken away: a text, several (their mean), a vector, a class set (the mean of its other
            classes); default nothing.
        heads: explain the contribution of these heads to the cosine, in any spelling; default the cosine itself.
        layers: one layer, whose first norm is looked at ([k], or −1 for the last); default the last one, with heads the
            lowest of theirs; a ModifiedResNet is looked at in its last stage.
        cam: "GradCAM", "HiResCAM" or "XGradCAM"; "GradCAMPlusPlus" and "LayerCAM" leave out negative gradients
            themselves; default "GradCAM".
        batch_size: images at a time; default 16.

    Returns:
        `TokenAttribution` with an empty rest: these maps sum to nothing. `.clipped()` gives what is usually drawn.

    Raises:
        InputError: where a map is zero everywhere, which means that no gradient reaches the layer.

    >>> import toolkit as tk
    >>> found = tk.grad_cam(tk.load(), tk.scenes("test", n=2), "water", against="land")
    >>> found.values.shape, found.method
    ((2, 8, 8), 'Grad-CAM (ln_1 of layer 3)')
    """
    check_model(model, "grad_cam")
    if cam not in CAMS:
        raise InputError("grad_cam", f"cam={cam!r}", ", ".join(map(repr, CAMS)), "name one of these")
    source, single = images_of(model, images, "grad_cam")
    target = target_of(model, text, against, "grad_cam")
    chosen = None if heads is None else selected(model, heads, None, "grad_cam")[0]
    at = _layer(model, layers, chosen)
    scale = HALF if model.dtype == torch.float16 else 1.0
    maps: list[NDArray[np.floating]] = []
    totals = []
    model.readout(fresh=True)  # weights written through .data leave no trace
    for batch in batches(source, batch_size, "grad_cam"):
        with enough_memory("grad_cam", len(batch)):
            raw, total = _maps(model, batch, _score(target.direction, chosen, model, scale), at, _library(cam, scale))
        maps.append(raw)
        totals.append(total / scale)
    values: NDArray[np.float64] = np.concatenate(maps).astype(np.float64)
    dead = [i for i, table in enumerate(values) if not np.abs(table).max() > 0 or not np.isfinite(table).all()]
    if dead:
        given = f"a map that is zero or not finite everywhere, of image {dead[0]}" + f" and {len(dead) - 1} more" * (
            len(dead) > 1
        )
        fix = "choose another text or a lower layer, and look for NaN or zero weights"
        raise InputError("grad_cam", given, "a score that depends on the layer's patches", fix)
    name = cam.replace("PlusPlus", "++").replace("GradCAM", "Grad-CAM")
    where = watched(model, at)[1]
    how = {"layer": at, "where": where, "cam": cam}
    return attribution(model, source, single, target, chosen, values, np.concatenate(totals),
                       f"{name} ({where})", CAMS[cam], how)  # fmt: skip


def _layer(model: Model, layers: Any, heads: HeadSet | None) -> int:
    count = model.card.layers
    lowest = count - 1 if heads is None else min(number for number, _ in heads)
    if layers is None:
        return lowest
    which = which_layers([layers] if isinstance(layers, int) and layers >= 0 else layers, count, "grad_cam")
    if len(which) != 1:
        raise InputError("grad_cam", f"layers={layers!r}, which are {len(which)}", "one layer", "pass [k], or −1")
    if heads is not None and which[0] > lowest:
        given = f"layers={layers!r} for heads {heads}, of which layer {lowest}'s do not depend on it"
        raise InputError("grad_cam", given, f"layer {lowest} or below", "leave layers out")
    return which[0]


def _score(direction: Tensor, heads: HeadSet | None, model: Model, scale: float) -> Callable[[Parts], Tensor]:
    card = model.card

    def score(parts: Parts) -> Tensor:
        t = direction.to(parts.embedding) * scale
        if heads is None:
            return parts.embedding @ t
        chosen = (1 - heads.scale(card.layers, card.heads, 0.0)).to(t)
        return torch.einsum("blh,lh->b", parts.toward(t), chosen)

    return score


def _library(cam: str, scale: float) -> Any:
    """The library's class without what it does to a map: no clipping, no stretching, no averaging over layers. scale:
    what the target was multiplied by, taken out of the gradients before they are used.
    """
    import pytorch_grad_cam

    base = getattr(pytorch_grad_cam, cam)

    class Raw(base):  # type: ignore[misc, valid-type]
        def compute_cam_per_layer(self, images: Any, targets: Any, eigen_smooth: bool) -> Any:
            watched = self.activations_and_grads
            (activations,) = (a.numpy() for a in watched.activations)
            if len(watched.gradients) != 1:
                return np.zeros((len(activations), *activations.shape[2:]))
            (gradients,) = (g.numpy() / scale for g in watched.gradients)
            return self.get_cam_image(images, self.target_layers[0], targets, activations, gradients, eigen_smooth)

        def aggregate_multi_layers(self, maps: Any) -> Any:
            return maps

    return Raw


def _maps(
    model: Model, batch: Tensor, score: Callable[[Parts], Tensor], layer: int, library: Any
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Maps [b, rows, cols] and scores [b] of one batch; everything the library keeps is let go of."""
    rows, columns = model.card.grid
    first = getattr(getattr(model.clip.visual, "transformer", None), "batch_first", True)

    def patches(x: Tensor) -> Tensor:
        if x.ndim == 4:  # of a convolutional trunk
            return x
        x = x if first else x.transpose(0, 1)
        prefix = x.shape[1] - rows * columns  # of this place: an attention pool may not see all of them
        return x[:, prefix:].unflatten(1, (rows, columns)).permute(0, 3, 1, 2)

    probe = LayerProbe(model, watched(model, layer)[0], score)
    cam = library(model=probe, target_layers=[probe.at], reshape_transform=patches)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            values = cam(input_tensor=batch.to(model.device), targets=[lambda out: out[0]] * len(batch))
    finally:
        cam.activations_and_grads.release()
        cam.outputs = None
    assert probe.last is not None
    if values.shape != (len(batch), rows, columns):
        raise InputError("grad_cam", f"maps of shape {values.shape}", f"{(len(batch), rows, columns)}", "report this")
    return values, probe.last.double().cpu().numpy()
