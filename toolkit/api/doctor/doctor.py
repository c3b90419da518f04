"""`tk.doctor`: the checks a careful person makes before believing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.api.checks import check_model, quiet, whole
from toolkit.api.doctor import of_data, of_machine, of_model
from toolkit.api.doctor.checkup import Checkup, Finding
from toolkit.api.doctor.of_model import Said
from toolkit.api.doctor.patient import FEW, Drawn, Patient
from toolkit.api.images.acts import Acts
from toolkit.core.precision import full_precision
from toolkit.data.classes import ClassSet
from toolkit.data.counts import many
from toolkit.data.samples import Samples
from toolkit.errors import InputError, ToolkitError
from toolkit.models.loading import claims_of
from toolkit.signs import sign

OF_MODEL: dict[str, tuple[Callable[[Patient], Said], str]] = {
    "parts": (of_model.parts, "every score, map and ablation adds and takes away parts of this sum"),
    "preprocess": (of_model.preprocess, "pictures prepared otherwise than in training lower every accuracy"),
    "activation": (of_model.activations, "GELU in place of QuickGELU shifts every number and raises no error"),
    "batches": (of_model.batches, "an image must not count otherwise for what it is read with"),
    "texts": (of_model.tokens, "a class whose words are lost or cut off is another class"),
}
OF_SPLIT: dict[str, tuple[Callable[[Patient, Drawn], Said], str]] = {
    "images": (of_data.readable, "what cannot be read is missing from every number"),
    "labels": (
        of_data.labels,
        "an image whose label is no class is left out, and a wrong label is a mistake of nobody's",
    ),
    "zero-shot": (of_data.zero_shot, "a model at chance has no mistakes that could be explained"),
    "groups": (of_data.groups, "the worst group is often the smallest, and its accuracy the least certain"),
}
Task = tuple[str, str, Callable[[], Said]]
"""A line's name, why it matters, and the check."""
LABELLED = ("labels", "zero-shot")
EMBEDDED = ("zero-shot",)
OF_ALL: dict[str, tuple[Callable[[Patient], Said], str]] = {
    "duplicates": (of_data.duplicates, "an image in two splits is chosen on and judged on at once"),
    "stores": (of_machine.stores, "a damaged file changes numbers"),
    "versions": (of_machine.versions, "another version may give other numbers"),
    "device": (of_machine.device, "the same work takes a hundred times longer elsewhere"),
    "caches": (of_machine.caches, "without room, texts are encoded again in every session"),
}


@full_precision
def doctor(
    model: Any,
    data: Any = None,
    classes: ClassSet | None = None,
    *,
    checkpoint: str | Path | None = None,
    n: int = 200,
    progress: bool | Callable[[int, int], None] = True,
) -> Checkup:
    """What a careful person checks before believing a number, as a `Checkup`: a line for every check.

    The verdicts are "ok", "warning", "wrong" and "not checked" (with what it would need). Zero-shot accuracy stands
    beside chance and beside what the same predictions reach with the labels permuted (1,000 shuffles, seed 0).

    Arguments:
        model: a live one (`Model`).
        data: samples or parts of one split, or a list of them, one for every split that is used; default none.
        classes: the class set; default none.
        checkpoint: what the weights are, to hold activation and normalisation against: "ViT-B-32:openai" (an open_clip
            name and tag) or the path of their file or folder; default what `tk.load` knew when it loaded them.
        n: images looked at in every split, a seeded draw; default 200.
        progress: a bar, False for none, or a function of (checks done, of); default True, the bar.

    Raises:
        InputError: for what is no model, no data, no class set, and no checkpoint.

    >>> import toolkit as tk
    >>> data, birds = tk.scenes("test", n=60, kind="birds"), tk.classes(["landbird", "waterbird"])
    >>> tk.doctor(tk.load(), data, birds, progress=False).counts["wrong"]
    0
    """
    exam = Examination(model, data, classes, checkpoint, n)
    findings = []
    with sign("doctor", "check", progress) as report:
        report(0, len(exam))
        for finding in exam:
            findings.append(finding)
            report(len(findings), len(exam))
    return Checkup(exam.subject, tuple(findings))


class Examination:
    """The checks of a model, data and classes, one after the other, as `doctor` takes these. few: images that the model
    takes apart. subject: what is looked at, in words.
    """

    def __init__(
        self,
        model: Any,
        data: Any = None,
        classes: ClassSet | None = None,
        checkpoint: Any = None,
        n: int = 200,
        few: int = FEW,
    ) -> None:
        check_model(model, "doctor")
        _check_classes(classes)
        n = whole("n", n, 1, "doctor")
        claims = model.claims if checkpoint is None else claims_of(checkpoint, "doctor")
        splits = _splits(data)
        shown = [Drawn(model, one, n, quiet) for one in splits]
        self._tasks = _tasks(Patient(model, shown, classes, claims, quiet, few), shown)
        self.subject = ", ".join([model.card.id, *(f"{many(len(one), 'image')} of {one.split!r}" for one in splits)])

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def names(self) -> list[str]:
        """Of the checks, in order."""
        return [name for name, _, _ in self._tasks]

    def __iter__(self) -> Iterator[Finding]:
        for name, why, run in self._tasks:
            yield _finding(name, why, run)


def _tasks(patient: Patient, shown: Sequence[Drawn]) -> list[Task]:
    tasks: list[Task] = [(name, why, partial(check, patient)) for name, (check, why) in OF_MODEL.items()]
    several = len({one.split for one in shown}) > 1
    for one in shown:
        for name, (check, why) in OF_SPLIT.items():
            label = f"{name}, {one.split}" if several else name
            tasks.append((label, why, _of_split(patient, one, name, check)))
    if not shown:
        tasks += [(name, why, _without_data) for name, (_, why) in OF_SPLIT.items()]
    return tasks + [(name, why, partial(check, patient)) for name, (check, why) in OF_ALL.items()]


def _check_classes(classes: Any) -> None:
    if classes is not None and not isinstance(classes, ClassSet):
        given = f"a {type(classes).__name__} as classes"
        raise InputError("doctor", given, "a class set", 'write tk.classes(["landbird", "waterbird"])')


def _without_data() -> Said:
    return "not checked", "no data", "pass data=tk.image_folder(path), or what else it was read with"


def _without_embedding() -> Said:
    return "not checked", "head contributions alone, which do not sum to the embedding", "pass samples, or all parts"


def _without_classes() -> Said:
    return "not checked", "no classes", "pass classes=tk.classes([…])"


def _of_split(patient: Patient, shown: Drawn, name: str, check: Callable[[Patient, Drawn], Said]) -> Callable[[], Said]:
    """A check of one split; of one that needs classes, what it would need."""
    if name in LABELLED and patient.classes is None:
        return _without_classes
    if name in EMBEDDED and isinstance(shown.data, Acts) and shown.data.partial:
        return _without_embedding
    return partial(check, patient, shown)


def _finding(name: str, why: str, run: Callable[[], Said]) -> Finding:
    """A line; a check that fails itself is one too."""
    try:
        verdict, said, fix = run()
    except ToolkitError as error:
        verdict, said, fix = "wrong", error.given, error.fix
    except Exception as error:  # noqa: BLE001 – a model or data of others may raise anything, and the other checks go on
        verdict, said, fix = "wrong", f"the check ended in a {type(error).__name__}: {error}", "see the error"
    return Finding(name, verdict, said, why, fix)


def _splits(data: Any) -> Sequence[Samples | Acts]:
    """The data as a list of splits. Raises InputError for what is none."""
    several = [] if data is None else list(data) if isinstance(data, list | tuple) else [data]
    for one in several:
        if not isinstance(one, Samples | Acts) or not len(one):
            given = f"a {type(one).__name__} as data" if not isinstance(one, Samples | Acts) else "data of no image"
            fix = "read it first, as in tk.image_folder(path)"
            raise InputError("doctor", given, "samples or parts of images, or a list of them", fix)
    return several
