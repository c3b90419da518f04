"""`tk.reproduce_waterbirds`: the protocol of R25 on Binary Waterbirds, as one call."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.api.ablate import ablate
from toolkit.api.acts import Acts
from toolkit.api.decompose import check_model
from toolkit.api.edit import edit
from toolkit.api.extract import extract
from toolkit.api.judged import judged
from toolkit.api.locate import locate
from toolkit.api.published import STABILITY, WATERBIRDS, architecture_of, textspan_heads
from toolkit.api.reproduction import Reproduction, Row, one_run, over_draws
from toolkit.core.heads import HeadSet
from toolkit.core.metrics import Accuracy, accuracy
from toolkit.data.classes import ClassSet, classes
from toolkit.data.files import FileSamples
from toolkit.data.imagenet import imagenet_r
from toolkit.data.joined import joined
from toolkit.data.waterbirds import BIRDS, waterbirds
from toolkit.errors import InputError
from toolkit.models.model import Model

Say = Callable[[str], None]
POOLS = ("train", "val")
OTHERS = 18
"""Classes of ImageNet-R beside the birds, those with most cartoons."""


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
    say: Say = lambda words: None,
) -> Reproduction:
    """R25's protocol on Binary Waterbirds: base, published TextSpan heads, located ablation over draws with and without
    a validation set, and the edit beside 18 ImageNet-R classes; all numbers on the test split, where nothing is chosen.

    data: folder of Waterbirds (`tk.waterbirds`). imagenet: folder of ImageNet-R; None leaves the edit's rows out.
    store: folder in which the parts are kept and found again; None keeps them in memory. sizes: images a class that
    heads are located on. seeds: draws of each size. edit_seeds: draws for the edit. pool: split they are drawn from,
    "train" (default) or "val" (the paper does not say; the validation variant then judges on what was not drawn).
    templates: of the class prompts, default the 80 published with CLIP. alpha, beta, steps: of the edit. precision: of
    the stores. say: called with a sentence at every step.

    Returns a `Reproduction`. Raises InputError for other data, or draws the pool does not hold.

    >>> import toolkit as tk
    >>> model = tk.load("ViT-L-14", pretrained="laion2b_s32b_b82k", device="cuda")  # doctest: +SKIP
    >>> print(tk.reproduce_waterbirds(model, "waterbirds", "imagenet-r", store="parts"))  # doctest: +SKIP
    """
    check_model(model, "reproduce")
    if pool not in POOLS:
        raise InputError("reproduce", f"pool={pool!r}", " or ".join(map(repr, POOLS)), "name one of these splits")
    for name, value in (("seeds", seeds), ("edit_seeds", edit_seeds), *(("sizes", size) for size in sizes)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            fix = "pass how many"
            raise InputError("reproduce", f"{name}={value!r}", "whole numbers of at least 1", fix)
    birds = classes(list(BIRDS), templates)
    run = _Run(model, Path(data), None if store is None else Path(store), birds, precision, say)
    kind = architecture_of(model.card.id, (model.card.layers, model.card.heads, model.card.head_dim))
    rows = [run.base(WATERBIRDS.get(kind, {}).get("base")), *run.textspan(kind)]
    drawn = {size: [run.draw(pool, size, seed) for seed in range(seeds)] for size in sizes}
    located = {size: [run.located(few) for few in fews] for size, fews in drawn.items()}
    rows += run.ablations(located, kind)
    if imagenet is None:
        run.notes.append("no ImageNet-R folder was given: the edit was not run")
    else:
        rows += run.edits(Path(imagenet), pool, edit_seeds, alpha, beta, steps, templates)
    run.notes.append(f"draws come from the {pool} split (R25 does not say from which), seeds 0…{seeds - 1}")
    facts = run.facts() | {"sizes": list(sizes), "seeds": seeds, "pool": pool, "alpha": alpha, "beta": beta,
                           "steps": steps, "templates": templates if isinstance(templates, str) else "own"}  # fmt: skip
    return Reproduction(tuple(rows), facts, tuple(dict.fromkeys(run.notes)))


@dataclass(frozen=True)
class Located:
    """What one draw led to: heads chosen by utility, and on the validation split; None where nothing was wrong."""

    utility: HeadSet | None
    validation: HeadSet | None
    wrong: int


class _Run:
    """One model on one copy of the data: the parts of its splits, made once."""

    def __init__(
        self, model: Model, folder: Path, store: Path | None, birds: ClassSet, precision: Any, say: Say
    ) -> None:
        self.model, self.folder, self.store, self.birds = model, folder, store, birds
        self._precision, self._say = precision, say
        self.notes: list[str] = []
        self._splits: dict[str, tuple[FileSamples, Acts]] = {}
        train = waterbirds(folder, "train")
        self.train_sizes = {str(name): float(n) for name, n in Counter(train.groups).items()}
        self.test = self.split("test")

    def split(self, name: str) -> Acts:
        """The parts of a split."""
        if name not in self._splits:
            data = waterbirds(self.folder, name)
            self.notes += [f"Waterbirds, {name}: {note}" for note in data.notes]
            self._splits[name] = (data, self._extracted(data, f"waterbirds-{name}"))
        return self._splits[name][1]

    def _extracted(self, data: Any, name: str) -> Acts:
        place = None if self.store is None else self.store / f"{name}-{self.model.card.fingerprint}.zarr"
        self._say(f"parts of {len(data):,} images: {name}" + ("" if place is None else f" → {place.name}"))
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
        return extract(self.model, data, place, precision=self._precision, progress=False)

    def facts(self) -> dict[str, Any]:
        """What was run on what."""
        card = self.model.card
        groups = {str(name): int(n) for name, n in Counter(self.test.groups).items()}
        return {
            "model": card.id, "fingerprint": card.fingerprint, "weights": card.precision, "device": card.device,
            "data": f"Waterbirds, test split, n = {len(self.test):,}", "groups": groups,
            "sum_error": float(self.test.error), "prompts": len(self.birds.prompts[0]),
        }  # fmt: skip

    # phase 1

    def base(self, published: Any) -> Row:
        """Nothing switched off."""
        return one_run("base", self._without(()).before, self.train_sizes, published=published)

    def textspan(self, kind: str) -> list[Row]:
        """The published heads, mean-ablated; and G24's whole protocol, which also takes everything early away."""
        heads = textspan_heads(kind)
        if heads is None:
            self.notes.append(f"no TextSpan heads are published for {self.model.card.id}")
            return []
        given = WATERBIRDS[kind].get("TextSpan")
        late = self._without(heads, "mean").after
        whole = self._late_only(heads)
        self.notes.append(
            "R25 does not say which of the two protocols its TextSpan row is; the row “TextSpan heads, and all that is"
            " early” also replaces all MLP terms and all heads before the last four layers by their means (G24)"
        )
        return [
            one_run("TextSpan heads", late, self.train_sizes, heads=(str(heads),), published=given),
            one_run("TextSpan heads, and all that is early", whole, self.train_sizes, heads=(str(heads),),
                    published=given),
        ]  # fmt: skip

    def _without(self, heads: Any, how: Any = "zero") -> Any:
        return ablate(self.test, self.birds, heads, how)

    def _late_only(self, heads: HeadSet) -> Accuracy:
        """G24's protocol: mean over the test images for these heads, all heads but the last four layers' and every MLP.

        Taking a mean is linear, so logits of what goes suffice, less their mean.
        """
        images = judged(self.test, self.birds, "reproduce", None)
        layers, per_layer = images.acts.shape[1:3]
        gone = 1 - heads.scale(layers, per_layer, 0.0)
        gone[: max(0, layers - 4)] = 1.0
        kept: list[Tensor] = []
        taken: list[Tensor] = []
        texts = images.texts.double()
        for parts in images.acts.batches():
            away = (parts.of(gone) + parts.mlps.sum(1)).cpu().double()
            taken.append(away @ texts.T)
            kept.append(parts.embedding.cpu().double() @ texts.T - taken[-1])
        logits = torch.cat(kept) + torch.cat(taken).mean(0)
        return images.accuracy(logits.argmax(1))

    def draw(self, pool: str, size: int, seed: int) -> Acts:
        """`size` random images of either class."""
        return self.split(pool).draw(per_class=size, seed=seed)

    def located(self, few: Acts) -> Located:
        """Heads that a draw leads to. The validation variant judges on images that were not drawn."""
        guess = judged(few, self.birds, "reproduce", None)
        wrong = int((guess.guess != guess.truth).sum())
        if not wrong:
            return Located(None, None, 0)
        scores = locate(few, self.birds, resamples=1)
        val = self.split("val")
        left = np.flatnonzero(~np.isin(val.ids, few.ids)) if val.split == few.split else np.arange(len(val))
        return Located(scores.choose(), scores.choose(validation=val.take(left.tolist())), wrong)

    def ablations(self, located: dict[int, list[Located]], kind: str) -> list[Row]:
        """Rows of the located heads switched off, by size and by how the set was chosen."""
        rows = []
        for size, found in located.items():
            for field, mark in (("utility", ""), ("validation", ", validation")):
                sets = [getattr(one, field) for one in found]
                self._say(f"located on {size} a class{mark}: " + "; ".join(str(s or "nothing wrong") for s in sets))
                scores = [self._without(heads or ()).after for heads in sets]
                name = f"located, {size} a class{mark}"
                given = WATERBIRDS.get(kind, {}).get(name) if mark else STABILITY.get(kind, {}).get(size)
                texts = tuple(str(heads or "") for heads in sets)
                rows.append(over_draws(name, scores, self.train_sizes, heads=texts, published=given))
            idle = sum(one.wrong == 0 for one in found)
            if idle:
                self.notes.append(
                    f"{idle} of {len(found)} draws of {size} a class hold no mistake: nothing switched off"
                )
        return rows

    # phase 2

    def edits(
        self, folder: Path, pool: str, seeds: int, alpha: float, beta: float, steps: int, templates: Any
    ) -> list[Row]:
        """Standard fine-tuning and the edit, from ten images a class of birds and ImageNet-R classes."""
        there = len(imagenet_r(folder).class_names)
        if there < OTHERS:
            self.notes.append(f"ImageNet-R holds {there} classes here, not {OTHERS} or more: all were taken")
        other = imagenet_r(folder, classes=min(OTHERS, there), by="cartoon")
        names = tuple(sorted(set(map(str, other.labels))))
        every = classes([*BIRDS, *names], templates)
        self.notes += [f"ImageNet-R: {note}" for note in other.notes]
        self.notes.append(
            f"the edit tells {len(every)} classes apart, its rows judge the birds among all of them; “others” is the"
            f" accuracy of the {len(names)} ImageNet-R classes on images not drawn (published only in figures: about 81"
            " and 85 with the success loss alone, 77 and 90 with the locality loss alone, ViT-L-14)"
        )
        acts = self._extracted(other, "imagenet-r")
        birds = self._splits[pool][0] if pool in self._splits else waterbirds(self.folder, pool)
        found: dict[str, list[tuple[Accuracy, float]]] = {}
        for seed in range(seeds):
            few = self._few(birds, other, acts, pool, seed)
            scores = self._located(few, every)
            rest = acts.take(np.flatnonzero(~np.isin(acts.ids, few.ids)).tolist())
            for name, (a, b) in {"standard fine-tuning": (0.0, 0.0), "edit": (alpha, beta)}.items():
                if name == "edit" and not len(scores):
                    continue
                self._say(f"{name}, draw {seed}")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    made = edit(few, every, scores, a, b, steps)
                found.setdefault(name, []).append((self._edited(made, self.test, every), self._hits(made, rest, every)))
        rows = []
        base = self._edited(None, self.test, every), self._hits(None, acts, every)
        rows.append(one_run(f"base, {len(every)} classes", base[0], self.train_sizes, extra={"others": base[1]}))
        for name, results in found.items():
            extra = {"others": float(np.mean([others for _, others in results]))}
            rows.append(over_draws(name, [one for one, _ in results], self.train_sizes, extra=extra))
        return rows

    def _few(self, birds: FileSamples, other: FileSamples, acts: Acts, pool: str, seed: int) -> Acts:
        """Ten random images of every class, of both data sets."""
        chosen = np.isin(birds.ids, self.draw(pool, 10, seed).ids)
        fewer = min(10, min(Counter(map(str, acts.labels)).values()) // 2)
        if fewer < 1:
            raise InputError("reproduce", "ImageNet-R classes with one image", "at least two a class", "get it again")
        if fewer < 10:
            self.notes.append(f"ImageNet-R holds too few images: {fewer} a class were drawn, not ten")
        own = np.isin(other.ids, acts.draw(per_class=fewer, seed=seed).ids)
        data = joined(birds.take(np.flatnonzero(chosen).tolist()), other.take(np.flatnonzero(own).tolist()))
        return extract(self.model, data, progress=False)

    def _located(self, few: Acts, every: ClassSet) -> HeadSet:
        """The heads of the birds' mistakes."""
        birds = few.where(label=list(BIRDS))
        found = self.located(birds).utility
        if found is None:
            self.notes.append("a draw for the edit holds no mistake of the birds: only fine-tuning was run on it")
        return found or HeadSet(())

    def _edited(self, made: Any, acts: Acts, every: ClassSet) -> Accuracy:
        images = judged(acts, every, "reproduce", None)
        return images.accuracy(self._guess(made, images))

    def _hits(self, made: Any, acts: Acts, every: ClassSet) -> float:
        images = judged(acts, every, "reproduce", None)
        return accuracy(self._guess(made, images) == images.truth, split=acts.split).average("plain").value

    @staticmethod
    def _guess(made: Any, images: Any) -> Tensor:
        embedding, texts = images.embedding.double(), images.texts.double()
        logits: Tensor = embedding @ texts.T if made is None else made.logits(embedding, texts)
        return logits.argmax(1)
