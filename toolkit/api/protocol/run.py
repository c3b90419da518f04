"""One model on one copy of Waterbirds: the steps of R25's protocol."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.api.edit.edit import edit
from toolkit.api.images.acts import Acts
from toolkit.api.images.extract import extract
from toolkit.api.images.judged import judged
from toolkit.api.locate.locate import locate
from toolkit.api.protocol.published import STABILITY, WATERBIRDS, textspan_heads
from toolkit.api.protocol.reproduction import Row, one_run, over_draws
from toolkit.api.switch_off.ablate import ablate
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
OTHERS = 18
"""Classes of ImageNet-R beside the birds, those with most cartoons."""


CHOSEN = {
    "utility": "",
    "validation": ", validation",
    "guarded": ", guarded",
    "guarded_validation": ", guarded, validation",
}
"""How a row of located heads ends, by how they were chosen."""
EVERY = ", ten images of every class"
"""How a row ends whose edit also sees the classes that should stay as they are."""


@dataclass(frozen=True)
class Located:
    """What one draw led to: heads chosen by Algorithm 1 to the letter, by utility and on the validation split; and by
    this toolkit's, which also looks at pooled lists and at no heads off. None where nothing was wrong.
    """

    utility: HeadSet | None
    validation: HeadSet | None
    guarded: HeadSet | None
    guarded_validation: HeadSet | None
    wrong: int


class Run:
    """One model on one copy of the data: the parts of its splits, made once."""

    def __init__(
        self, model: Model, folder: str | Path, store: Path | None, birds: ClassSet, say: Say, options: dict[str, Any]
    ) -> None:
        self.model, self.folder, self.store, self.birds = model, folder, store, birds
        self._options, self._say = options, say
        self.notes: list[str] = []
        self.data = {name: waterbirds(folder, name) for name in ("train", "val", "test")}
        for name, data in self.data.items():
            self.notes += [f"Waterbirds, {name}: {note}" for note in data.notes]
        self._acts: dict[str, Acts] = {}
        self.train_sizes = {str(name): float(n) for name, n in Counter(self.data["train"].groups).items()}

    def others(self, folder: str | Path) -> FileSamples:
        """The ImageNet-R images that the edit should leave alone."""
        there = len(imagenet_r(folder).class_names)
        if there < OTHERS:
            self.notes.append(f"ImageNet-R holds {there} classes here, not {OTHERS} or more: all were taken")
        other = imagenet_r(folder, classes=min(OTHERS, there), by="cartoon")
        self.notes += [f"ImageNet-R: {note}" for note in other.notes]
        name, n = min(Counter(map(str, other.labels)).items(), key=lambda pair: pair[1])
        if n < 2:
            given = f"an ImageNet-R class with {n} image ({name!r})"
            raise InputError("reproduce", given, "at least two images a class", "get the folder again")
        if n < 20:
            self.notes.append(f"ImageNet-R holds {n} images of {name!r} here: {n // 2} a class were drawn, not ten")
        return other

    def enough(self, pool: str, most: int) -> None:
        """Refuse a pool that cannot hold the draws, before anything runs."""
        counts = Counter(map(str, self.data[pool].labels))
        name, n = min(((name, counts.get(name, 0)) for name in BIRDS), key=lambda pair: pair[1])
        if n < most:
            given = f"{most} images a class from the {pool} split, which has {n} of {name!r}"
            raise InputError("reproduce", given, f"at most {n}", "ask for fewer, or draw from the other split")

    @cached_property
    def test(self) -> Acts:
        """The parts of the test split."""
        return self.split("test")

    def split(self, name: str) -> Acts:
        """The parts of a split."""
        if name not in self._acts:
            self._acts[name] = self._extracted(self.data[name], f"waterbirds-{name}")
        return self._acts[name]

    def _extracted(self, data: Any, name: str) -> Acts:
        place = None if self.store is None else self.store / f"{name}-{self.model.card.fingerprint}.zarr"
        self._say(f"parts of {len(data):,} images: {name}" + ("" if place is None else f" → {place.name}"))
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
        acts = extract(self.model, data, place, **self._options)
        out = acts.report[acts.report["became"] == "left out"]["id"].tolist()
        if out:
            self.notes.append(f"{name}: {len(out)} images could not be read and were left out, {out[0]!r} for one")
        return acts

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
            return Located(None, None, None, None, 0)
        scores = locate(few, self.birds, resamples=1)
        val = self.split("val")
        left = np.flatnonzero(~np.isin(val.ids, few.ids)) if val.split == few.split else np.arange(len(val))
        judging = val.take(left.tolist())
        return Located(
            scores.choose(guard=False, pooled=False), scores.choose(validation=judging, guard=False, pooled=False),
            scores.choose(), scores.choose(validation=judging), wrong,
        )  # fmt: skip

    def ablations(self, located: dict[int, list[Located]], kind: str) -> list[Row]:
        """Rows of the located heads switched off, by size and by how the set was chosen."""
        rows = []
        for size, found in located.items():
            for field, mark in CHOSEN.items():
                sets = [getattr(one, field) for one in found]
                said = ["nothing wrong" if heads is None else str(heads) or "no heads" for heads in sets]
                self._say(f"located on {size} a class{mark}: " + "; ".join(said))
                scores = [self._without(heads or ()).after for heads in sets]
                name = f"located, {size} a class{mark}"
                given = WATERBIRDS.get(kind, {}).get(name) if mark else STABILITY.get(kind, {}).get(size)
                once = WATERBIRDS.get(kind, {}).get(name) if not mark else None
                if once:
                    self.notes.append(f"R25's Table 1 has {once.average} / {once.worst} for “{name}”, one draw")
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
        self, other: FileSamples, pool: str, seeds: int, alpha: float, beta: float, steps: int, templates: Any
    ) -> list[Row]:
        """Standard fine-tuning and the edit, from ten images of each class of birds; and, as rows of their own, from
        ten images of every class, those that should stay as they are too.
        """
        names = tuple(sorted(set(map(str, other.labels))))
        every = classes([*BIRDS, *names], templates)
        self._say_edits(every, names, alpha, beta, steps)
        acts = self._extracted(other, "imagenet-r")
        found: dict[str, list[tuple[Accuracy, float, str]]] = {}
        for seed in range(seeds):
            few = self.draw(pool, 10, seed)
            wide = self._of_every_class(self.data[pool], other, acts, pool, seed)
            rest = acts.take(np.flatnonzero(~np.isin(acts.ids, wide.ids)).tolist())  # the same images judge all rows
            heads = self._located(few, every)
            found.setdefault("base", []).append(self._result(None, rest, every, heads))
            for mark, images in (("", few), (EVERY, wide)):
                for name, weights in (("standard fine-tuning", (0.0, 0.0)), ("edit", (alpha, beta))):
                    if name == "edit" and not len(heads):
                        continue
                    self._say(f"{name}{mark}, draw {seed}")
                    made = self._noting(lambda: edit(images, every, heads, *weights, steps))  # noqa: B023
                    found.setdefault(f"{name}{mark}", []).append(self._result(made, rest, every, heads))
        others = {name: {"others": float(np.mean([hits for _, hits, _ in rows]))} for name, rows in found.items()}
        base = found.pop("base")[0][0]  # the same in every draw, but for the images that were not drawn
        rows = [one_run(f"base, {len(every)} classes", base, self.train_sizes, extra=others["base"])]
        for name in sorted(found, key=lambda name: EVERY in name):
            results = found[name]
            heads_of, scores = tuple(heads for _, _, heads in results), [one for one, _, _ in results]
            rows.append(over_draws(name, scores, self.train_sizes, heads=heads_of, extra=others[name]))
        return rows

    def _say_edits(self, every: ClassSet, names: tuple[str, ...], alpha: float, beta: float, steps: int) -> None:
        """What the rows of the edit are of, and what is our reading."""
        self.notes += [
            f"the edit (α = {alpha:g}, β = {beta:g}, {steps} steps, at the checkpoint's logit scale; R25 writes 10³ to"
            " 10⁴ and does not say whether its g scales the cosines) is made from ten images of each class of birds and"
            f" tells {len(every)} classes apart; its rows judge the birds among all of them. “others” is the accuracy"
            f" of the {len(names)} ImageNet-R classes on images not drawn (published in figures only: about 85 with the"
            " success loss alone, 90 with the locality loss alone, ViT-L-14)",
            f"our reading, as R25 leaves it open: the edit's heads are located among the same {len(every)} classes that"
            " it tells apart; the rows of heads switched off are of the two birds",
            f"“{EVERY.removeprefix(', ')}” is not R25's: those rows also see images of the classes that should stay as"
            " they are, which flatters them",
            "ImageNet-R: all images of the classes with most cartoons are used, not the cartoons alone (our reading of"
            " “combine them”)",
        ]

    def _noting(self, work: Callable[[], Any]) -> Any:
        """What `work` gives; what it warns of becomes a note."""
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            made = work()
        self.notes += [f"the edit: {one.message}" for one in warned]
        return made

    def _of_every_class(self, birds: FileSamples, other: FileSamples, acts: Acts, pool: str, seed: int) -> Acts:
        """Ten random images of every class, of both data sets."""
        chosen = np.isin(birds.ids, self.draw(pool, 10, seed).ids)
        fewer = min(10, min(Counter(map(str, acts.labels)).values()) // 2)
        own = np.isin(other.ids, acts.draw(per_class=fewer, seed=seed).ids)
        data = joined(birds.take(np.flatnonzero(chosen).tolist()), other.take(np.flatnonzero(own).tolist()))
        return extract(self.model, data, progress=False)

    def _located(self, few: Acts, every: ClassSet) -> HeadSet:
        """The heads of the mistakes that the edit should mend, by Algorithm 1 to the letter."""
        seen = judged(few, every, "reproduce", None)
        if not int((seen.guess != seen.truth).sum()):
            self.notes.append("a draw for the edit holds no mistake of the birds: only fine-tuning was run on it")
            return HeadSet(())
        return locate(few, every, resamples=1).choose(guard=False, pooled=False)

    def _result(self, made: Any, rest: Acts, every: ClassSet, heads: HeadSet) -> tuple[Accuracy, float, str]:
        return self._edited(made, self.test, every), self._hits(made, rest, every), str(heads)

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
