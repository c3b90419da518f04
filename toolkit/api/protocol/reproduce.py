"""`tk.reproduce_waterbirds`: the protocol of R25 on Binary Waterbirds, as one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from toolkit.api.checks import check_model
from toolkit.api.edit.settings import known_steps, known_weight
from toolkit.api.protocol.published import TAGS, WATERBIRDS, weights_of
from toolkit.api.protocol.reproduction import Reproduction
from toolkit.api.protocol.run import Run, Say
from toolkit.core.precision import full_precision
from toolkit.data.classes import classes
from toolkit.data.waterbirds import BIRDS
from toolkit.errors import InputError
from toolkit.models.model import Model

POOLS = ("train", "val")


@full_precision
def reproduce_waterbirds(
    model: Model,
    data: str | Path,
    imagenet: str | Path | None = None,
    *,
    store: str | Path | None = None,
    sizes: Sequence[int] = (10, 20, 30),
    seeds: int = 4,
    edit_seeds: int = 3,
    pool: str = "train",
    templates: Any = "openai",
    alpha: float = 10.0,
    beta: float = 10.0,
    steps: int = 100,
    precision: Any = "float32",
    published_as: str | None = None,
    overwrite: bool = False,
    progress: bool = False,
    say: Say = lambda words: None,
) -> Reproduction:
    """R25's protocol on Binary Waterbirds, as a `Reproduction`: its table measured again, beside the published numbers.

    Base, published TextSpan heads, located ablation over draws with and without a validation set, and the edit beside
    18 ImageNet-R classes; all numbers on the test split, where nothing is chosen.

    Arguments:
        model: a live one (`Model`).
        data: folder of Waterbirds (`tk.waterbirds`).
        imagenet: folder of ImageNet-R; default none, which leaves the edit's rows out.
        store: folder in which the parts are kept and found again; default in memory.
        sizes: images a class that heads are located on, each at least 1; default 10, 20 and 30.
        seeds: draws of each size; default 4.
        edit_seeds: draws for the edit; default 3.
        pool: split they are drawn from, "train" or "val" (the paper does not say; the validation variant then judges on
            what was not drawn); default "train".
        templates: of the class prompts, as in `tk.classes`; default "openai", the 80 published with CLIP.
        alpha: weight of success of the edit, no unit, 0 to 1e12; default 10.
        beta: weight of locality of the edit, no unit, 0 to 1e12; default 10.
        steps: of the edit; default 100.
        precision: of the stores, "float32" or "float16"; default "float32".
        published_as: "ViT-B-16", "ViT-L-14" or "ViT-H-14" for their laion2b weights from a file, whose name does not
            tell; default by open_clip name and tag.
        overwrite: replace stores of something else; default False.
        progress: bars while parts are made; default False.
        say: called with a sentence at every step; default nothing.

    Raises:
        InputError: for other data, or draws the pool does not hold, before anything runs.

    >>> import toolkit as tk
    >>> model = tk.load("ViT-L-14", pretrained="laion2b_s32b_b82k", device="cuda")  # doctest: +SKIP
    >>> print(tk.reproduce_waterbirds(model, "waterbirds", "imagenet-r", store="parts"))  # doctest: +SKIP
    """
    check_model(model, "reproduce")
    sizes = _checked(sizes, {"seeds": seeds, "edit_seeds": edit_seeds}, pool, published_as)
    birds = classes(list(BIRDS), templates)
    known_weight("alpha", alpha)
    known_weight("beta", beta)
    known_steps(steps)
    run = Run(model, data, None if store is None else Path(store), birds, say,
               {"precision": precision, "overwrite": overwrite, "progress": progress})  # fmt: skip
    other = None if imagenet is None else run.others(imagenet)
    run.enough(pool, max([*sizes, *([10] if other is not None else [])]))
    kind = published_as or weights_of(model._name)
    if not kind:
        run.notes.append(
            f"the published numbers and head lists are of laion2b weights ({', '.join(TAGS)}), these are"
            f" {model.card.id!r}: none are shown. published_as= says that a file holds them"
        )
    rows = [run.base(WATERBIRDS.get(kind, {}).get("base")), *run.textspan(kind)]
    located = {size: [run.located(run.draw(pool, size, seed)) for seed in range(seeds)] for size in sizes}
    rows += run.ablations(located, kind)
    if other is None:
        run.notes.append("no ImageNet-R folder was given: the edit was not run")
    else:
        rows += run.edits(other, pool, edit_seeds, alpha, beta, steps, templates)
    run.notes.append(f"draws come from the {pool} split (R25 does not say from which), seeds 0…{seeds - 1}")
    own = templates if isinstance(templates, str) else "own"
    facts = run.facts() | {"sizes": sizes, "seeds": seeds, "edit_seeds": edit_seeds, "pool": pool, "alpha": alpha,
                           "beta": beta, "steps": steps, "templates": own, "store_precision": precision}  # fmt: skip
    return Reproduction(tuple(rows), facts, tuple(dict.fromkeys(run.notes)))


def _checked(sizes: Any, counts: dict[str, Any], pool: str, published_as: str | None) -> list[int]:
    """The sizes as a list. Raises InputError for anything that could not be run."""
    if pool not in POOLS:
        raise InputError("reproduce", f"pool={pool!r}", " or ".join(map(repr, POOLS)), "name one of these splits")
    if published_as not in (None, *TAGS):
        raise InputError("reproduce", f"published_as={published_as!r}", ", ".join(map(repr, TAGS)), "name one of these")
    counted = list(sizes) if isinstance(sizes, Iterable) and not isinstance(sizes, str) else []
    if not counted:
        raise InputError("reproduce", f"sizes={sizes!r}", "a list of whole numbers, at least one", "write sizes=[10]")
    for name, value in (*counts.items(), *(("sizes", size) for size in counted)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError("reproduce", f"{name}={value!r}", "whole numbers of at least 1", "pass how many")
    return counted
