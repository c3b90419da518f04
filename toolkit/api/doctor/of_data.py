"""Checks of data: labels, zero-shot accuracy, groups, duplicates across splits."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from toolkit.api.doctor.of_model import Said
from toolkit.api.doctor.patient import Drawn, Patient
from toolkit.api.images.acts import Acts
from toolkit.api.images.judged import predictions, truth_of
from toolkit.core.intervals import wilson
from toolkit.data.choice import first_three
from toolkit.data.classes import ClassSet
from toolkit.data.doubtful import doubts, near
from toolkit.data.files import FileSamples
from toolkit.errors import ToolkitError

LEAST = 20
"""Labelled images from which on an accuracy is looked at."""
ENOUGH = 50
"""Labelled images from which on an accuracy no better than with permuted labels is called wrong."""
WIDE = 0.10
"""Half an interval of a group, in accuracy, from which on its group is called too small."""
WANTED = 0.05
"""Half the interval that `n` is told for."""
Z = 1.96
PERMUTED = 1000
"""Shuffles of the labels."""
COSINE, LEVELS = 0.99, 6.0
"""Two images are near-duplicates from this cosine on, where small copies of them differ by fewer grey levels."""


def readable(patient: Patient, shown: Drawn) -> Said:
    """Whether the images can be read."""
    total = len(shown.rows)
    if not shown.images and not shown.broken:
        return "not checked", "parts without their images", "attach them: acts.attach(model, data)"
    if shown.broken:
        names = first_three([f"{name} ({note})" for name, note in shown.broken])
        return "warning", f"{len(shown.broken)} of {total} cannot be read: {names}", "repair them, or leave them out"
    return "ok", f"{total} of {len(shown.data)} were read" if not shown.whole else f"all {total} were read", ""


def labels(patient: Patient, shown: Drawn) -> Said:
    """Whether the labels are the classes."""
    classes = _classes(patient)
    try:
        truth = truth_of(shown.labels, classes)
    except ToolkitError as error:
        return "wrong", error.given, error.fix
    others = sorted({label for label, index in zip(shown.labels, truth, strict=True) if index < 0})
    alike = "; ".join(f"{label!r} is not {name!r}" for label, name in near(others, classes.names)[:3])
    left = int((truth < 0).sum())
    if left == len(truth):
        given = f"no label is a class (labels such as {first_three(others)})"
        return "wrong", given, alike or "use classes that are labels"
    if alike:
        given = f"{left} of {len(truth)} images have labels that only read like classes: {alike}"
        return "wrong", given, "spell them alike"
    if left:
        given = f"{left} of {len(truth)} images have other labels: {first_three(others)}"
        return "warning", given, "leave these images out on purpose: data.where(label=[…]), or add their classes"
    doubtful = "; ".join(doubts(shown.labels, shown.groups))
    if doubtful:
        return "warning", doubtful, "spell labels alike; leave images without a label out"
    twins = classes.twins(patient.model)
    if twins:
        return "warning", f"the model cannot tell {first_three(list(twins[0]))} apart", "write prompts={name: text}"
    there = len({int(index) for index in truth})
    return "ok", f"all {len(truth)} labels are classes; {there} of {len(classes)} classes have images", ""


def zero_shot(patient: Patient, shown: Drawn) -> Said:
    """Whether the model does better than chance, and than with the labels permuted."""
    classes = _classes(patient)
    rows, embedded = shown.embedded
    truth = truth_of([shown.labels[row] for row in rows], classes)
    kept = truth >= 0
    truth = truth[kept]
    if len(truth) < LEAST or len(set(truth.tolist())) < 2:
        given = f"{len(truth)} images with a label, of {len(set(truth.tolist()))} classes"
        return "not checked", given, f"pass {LEAST} images of two classes at least"
    texts = classes.vectors(patient.model).cpu().float()
    guess: NDArray[np.int64] = predictions(embedded[torch.from_numpy(kept)], texts)[0].numpy()
    right, n = int((guess == truth).sum()), len(truth)
    interval = wilson(right, n)
    rng = np.random.default_rng(0)
    shuffled = np.array([(guess == rng.permutation(truth)).mean() for _ in range(PERMUTED)])
    level = float(np.quantile(shuffled, 0.975))
    said = f"{100 * right / n:.1f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}] of {n} images"
    said += f"; chance {100 / len(classes):.1f} %, labels permuted {100 * level:.1f} % at most (97.5 % of {PERMUTED})"
    for shift in (1, -1):
        moved = float((guess == (truth + shift) % len(classes)).mean())
        if moved > max(right / n + 0.2, level):
            given = f"{said}; with labels moved by {shift:+d}, {100 * moved:.1f} %"
            return "wrong", given, "the labels seem to be counted otherwise than the classes: give them as names"
    if right / n <= level:
        if n < ENOUGH:
            return "warning", said, "pass more images: of so few, a good model may do no better than that"
        return "wrong", said, "look at labels, class texts and preprocess before anything else"
    return "ok", said, ""


def groups(patient: Patient, shown: Drawn) -> Said:
    """Whether every group is large enough for its accuracy to say something."""
    counts = Counter(group for group in shown.groups if group not in ("", "None", "nan"))
    if not counts:
        return "not checked", "no groups", "read the data with groups, to compare them"
    share = _shares(patient, shown)
    halves = {name: Z * np.sqrt(_variance(share.get(name, 0.5)) / n) for name, n in counts.items()}
    wide = sorted((name for name in counts if halves[name] > WIDE), key=lambda name: -halves[name])
    name = max(counts, key=lambda name: halves[name])
    need = int(np.ceil(Z**2 * _variance(share.get(name, 0.5)) / WANTED**2))
    said = f"the widest, {name!r} (n = {counts[name]}): ± {100 * halves[name]:.1f} points; ± 5 would need n = {need}"
    if wide:
        given = f"{len(wide)} of {len(counts)} groups have intervals wider than ± 10 points: {said}"
        return "warning", given, "add images"
    return "ok", f"{len(counts)} groups; {said}", ""


def duplicates(patient: Patient) -> Said:
    """Whether an image stands in two splits."""
    if len(patient.splits) < 2:
        return "not checked", "one split alone", "pass all that are used: data=[few, val, test]"
    if any(isinstance(shown.data, Acts) and shown.data.partial for shown in patient.splits):
        return "not checked", "head contributions alone, without images and embeddings", "pass samples, or all parts"
    found, compared = [], []
    for first, second in combinations(patient.splits, 2):
        found += _same_files(first, second)
        found += _alike(first, second)
        compared.append(f"{len(first.embedded[0])} of {first.split!r} × {len(second.embedded[0])} of {second.split!r}")
    pairs = list(dict.fromkeys(found))
    if pairs:
        given = f"{len(pairs)} pair{'s' * (len(pairs) > 1)}: {first_three([f'{a} = {b}' for a, b in pairs])}"
        return "warning", given, "leave them out of one split: what is chosen on an image is not judged on it"
    return "ok", f"none among {', '.join(compared)}", ""


def _classes(patient: Patient) -> ClassSet:
    assert patient.classes is not None
    return patient.classes


def _shares(patient: Patient, shown: Drawn) -> dict[str, float]:
    """The share of right answers of every group, of the images drawn; nothing without classes."""
    if patient.classes is None or (isinstance(shown.data, Acts) and shown.data.partial):
        return {}
    rows, embedded = shown.embedded
    try:
        truth = truth_of([shown.labels[row] for row in rows], patient.classes)
    except ToolkitError:
        return {}
    guess = predictions(embedded, patient.classes.vectors(patient.model).cpu().float())[0].numpy()
    hits: dict[str, list[bool]] = {}
    for row, right, known in zip(rows, guess == truth, truth >= 0, strict=True):
        if known:
            hits.setdefault(shown.groups[row], []).append(bool(right))
    return {name: float(np.mean(found)) for name, found in hits.items()}


def _variance(share: float) -> float:
    """Of one answer; a group whose answers drawn here are all alike may still hold others."""
    return max(share * (1 - share), 0.05)


def _same_files(first: Drawn, second: Drawn) -> list[tuple[str, str]]:
    """Pairs of ids whose files are the same bytes, of all images; only files of one size are read."""
    if not isinstance(first.data, FileSamples) or not isinstance(second.data, FileSamples):
        return []
    by_size: dict[int, list[tuple[FileSamples, int]]] = {}
    for data in (first.data, second.data):
        for row in range(len(data)):
            if (path := data.file(row)).is_file():
                by_size.setdefault(path.stat().st_size, []).append((data, row))
    found = []
    for several in by_size.values():
        if len({id(data) for data, _ in several}) < 2:
            continue
        digests = {(id(data), row): sha256(data.file(row).read_bytes()).digest() for data, row in several}
        ones = {digests[id(data), row]: str(data.ids[row]) for data, row in several if data is first.data}
        others = [(data, row) for data, row in several if data is second.data]
        found += [(ones[key], str(data.ids[row])) for data, row in others if (key := digests[id(data), row]) in ones]
    return found


def _alike(first: Drawn, second: Drawn) -> list[tuple[str, str]]:
    """Pairs of ids of images drawn whose embeddings and small copies are nearly the same."""
    (rows, embedded), (others, theirs) = first.embedded, second.embedded
    close = (embedded @ theirs.T >= COSINE).nonzero().tolist()
    found = []
    for i, j in close:
        one, other = first.images.get(rows[i]), second.images.get(others[j])
        without = one is None or other is None
        if (without and bool(embedded[i] @ theirs[j] > 1 - 1e-6)) or (not without and _levels(one, other) < LEVELS):
            found.append((str(first.data.ids[rows[i]]), str(second.data.ids[others[j]])))
    return found


def _levels(one: Image.Image | None, other: Image.Image | None) -> float:
    """Mean difference of small copies of two pictures, in levels of 0 to 255."""
    assert one is not None
    assert other is not None
    small = [np.asarray(picture.convert("RGB").resize((16, 16)), np.float64) for picture in (one, other)]
    return float(np.abs(small[0] - small[1]).mean())
