"""Running the model with heads changed on the way: total effects (methods §1; M23)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.checks import Check, quiet
from toolkit.data.samples import Samples
from toolkit.errors import InputError
from toolkit.models.batch import short_batch
from toolkit.models.model import Model
from toolkit.signs import counted, sign

How = Literal["zero", "mean", "resample"]
HOWS: tuple[How, ...] = ("zero", "mean", "resample")


def total_outputs(
    model: Model,
    images: Samples,
    scales: Tensor,
    how: How = "zero",
    reference: Samples | None = None,
    seed: int = 0,
    check: Check = quiet,
    texts: Tensor | None = None,
) -> Tensor:
    """[s, b, d]: embeddings as the model gives them with every head's mix, at every token, multiplied by each of
    `scales` [s, l, h]; or [s, b, c], their products with texts [c, d].

    how: "mean" and "resample" add the share 1 − scale of the head's mean mix over `reference` token by token, or of the
    mix of a random image of `reference` (default: of the images themselves). check: called with (runs of one image
    done, of); what it raises ends the work.
    """
    layers = [int(layer) for layer in (scales != 1).any(2).any(0).nonzero()[:, 0]]
    pool = images if reference is None else reference
    mean = _mean_mixes(model, pool, layers, check) if how == "mean" and layers else {}
    rows = donor_rows(len(pool), len(images), seed, pool is images) if how == "resample" else None
    donors = _donors(model, pool.take(rows.tolist()), layers) if rows is not None and layers else None
    done, of, out = 0, len(images) * len(scales), list[Tensor]()
    with sign("run the model with other heads", "image") as report:
        for batch in model.images(images, "ablate").batches(short_batch(model)):
            instead, found = mean if donors is None else next(donors), list[Tensor]()
            for scale in scales:
                check(done, of)
                report(done, of)
                output = model.trace(batch, scale, instead or None).output.float()
                found.append(output if texts is None else output @ texts.to(output).T)
                done += len(batch)
            out.append(torch.stack(found).cpu())
        report(done, of)
    return torch.cat(out, 1)


def _mean_mixes(model: Model, images: Samples, layers: list[int], check: Check) -> dict[int, Tensor]:
    """By layer, the mean over images of every head's mix at every token [1, h, n, k]."""
    sums: dict[int, Tensor] = {}
    size = short_batch(model)
    batches, of = model.images(images, "ablate").batches(size), -(-len(images) // size)
    for batch in counted(batches, "take the mean of heads", "block", of):
        check(0, len(images))
        for layer, mix in model.mixes(batch, layers).items():
            more = mix.double().sum(0, keepdim=True)
            sums[layer] = sums[layer] + more if layer in sums else more
    return {layer: total / len(images) for layer, total in sums.items()}


def _donors(model: Model, donors: Samples, layers: list[int]) -> Iterator[dict[int, Tensor]]:
    """Batch by batch, the mixes of other images."""
    for batch in model.images(donors, "ablate").batches(short_batch(model)):
        yield model.mixes(batch, layers)


def donor_rows(pool: int, count: int, seed: int, same: bool = True) -> NDArray[np.int64]:
    """[count]: whose parts every image gets, drawn without replacement while the pool lasts. same: the pool are the
    images themselves, of which none gets its own (one random cycle).
    """
    rng = np.random.default_rng(seed)
    if same:
        if pool < 2:
            accepted = "two images or more, or reference="
            raise InputError("ablate", "resampling among one image", accepted, "pass others as reference")
        cycle = rng.permutation(pool)
        rows = np.empty(pool, np.int64)
        rows[cycle] = np.roll(cycle, 1)
        return rows
    return np.concatenate([rng.permutation(pool) for _ in range(-(-count // pool))])[:count]
