"""`tk.agreement`, `tk.permuted`: do methods say the same, and does a map need the model at all?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from toolkit.api.checks import check_model
from toolkit.api.where.attribution import TokenAttribution
from toolkit.api.where.faithfulness import named_maps, same_images
from toolkit.errors import InputError
from toolkit.models.copied import copied
from toolkit.models.model import Model

if TYPE_CHECKING:
    import pandas


def agreement(maps: Mapping[str, TokenAttribution]) -> pandas.DataFrame:
    """Spearman's rank correlation between the patches of every two maps, averaged over images, as a table.

    1 is the same order, 0 nothing in common; nan where a map is constant.

    Arguments:
        maps: two or more by name, of the same images (`TokenAttribution`).

    >>> import toolkit as tk
    >>> model, data = tk.load(), tk.scenes("test", n=4)
    >>> maps = {name: tk.explain(model, data, "a bird", method=name) for name in ("token map", "GAME")}
    >>> tk.agreement(maps).shape
    (2, 2)
    """
    import pandas
    from scipy.stats import rankdata  # a second of loading

    named = named_maps(maps, "agreement")
    if len(named) < 2:
        raise InputError("agreement", f"{len(named)} maps", "two maps or more, of the same images", "pass two")
    same_images(named, "agreement")
    ranks = []
    for m in named.values():
        order = rankdata(m.values.reshape(len(m), -1), axis=1)
        order = order - order.mean(1, keepdims=True)
        size = np.linalg.norm(order, axis=1, keepdims=True)
        ranks.append(order / np.where(size > 0, size, np.nan))
    stacked = np.stack(ranks)
    each = np.einsum("mbp,nbp->bmn", stacked, stacked)
    known = np.isfinite(each)
    count = known.sum(0)
    with np.errstate(invalid="ignore"):
        table = np.where(count, np.where(known, each, 0).sum(0) / np.maximum(count, 1), np.nan)
    return pandas.DataFrame(table, index=list(named), columns=list(named))


def permuted(model: Model, seed: int = 0) -> Model:
    """A copy of the model with a shuffled image tower: the control of Adebayo et al. (2018).

    The entries of every tensor of the tower (of batch norms also the statistics) are shuffled among themselves. A map
    that looks as good on it says nothing about the model.

    Arguments:
        model: a live one (`Model`).
        seed: of the shuffling, at least 0; default 0.

    >>> import toolkit as tk
    >>> tk.permuted(tk.load()).card.id
    'built-in world model, seed 0, image weights permuted (seed 0)'
    """
    check_model(model, "permuted")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError("permuted", f"seed={seed!r}", "a whole number of at least 0", "pass one")
    clip = copied(model.clip)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        statistics = [buffer for buffer in clip.visual.buffers() if buffer.is_floating_point() and buffer.numel() > 1]
        for tensor in [*clip.visual.parameters(), *statistics]:
            order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
            tensor.copy_(tensor.flatten()[order].view_as(tensor))
    return model.like(clip, f"image weights permuted (seed {seed})")
