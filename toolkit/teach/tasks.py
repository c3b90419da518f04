"""`Exercise`: a task of the built-in world, graded against its planted truth, with hints and a solution."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from html import escape
from typing import TYPE_CHECKING, Any

from toolkit.errors import InputError
from toolkit.explanations.workbook import workbook
from toolkit.teach import checks
from toolkit.teach.grade import Grade, Reason

if TYPE_CHECKING:
    import pandas

LARGEST = 1000
"""Numbers of an answer that the workbook keeps."""
OFTEN = 6
"""Tries after which the images that judge are not fresh any more."""


@dataclass(repr=False)
class Exercise:
    """A task; made by `teach.exercise(title)`, listed by `teach.exercises()`.

    `.check(answer)` grades it with reasons and keeps the result in the workbook, `.hint()` gives the next hint,
    `.solution()` one way to do it.

    Attributes:
        title: its name.
        task: what is to be done.
        form: of the answer.
        difficulty: 1 to 4.
        minutes: it takes about.
        notebook: it belongs to.

    >>> import toolkit as tk
    >>> tk.teach.exercise("background heads").check("L3.H7 L3.H5").passed
    False
    """

    title: str
    task: str
    form: str
    difficulty: int
    minutes: int
    notebook: str
    _check: Callable[[Any], list[Reason]]
    _judged: bool = False
    _tries: int = field(default=0, init=False)
    _hints: int = field(default=0, init=False)
    _solved: bool = field(default=False, init=False)

    def check(self, answer: Any) -> Grade:
        """An answer graded: passed or not, and the reasons (`Grade`).

        Arguments:
            answer: in the exercise's `form`.

        Raises:
            InputError: for what is no answer to this task; this counts no try.
        """
        reasons = self._check(answer)
        self._tries += 1
        if self._judged and self._tries == OFTEN:
            remark = f"This was try {OFTEN} on the same test images: choose on validation images, and test once."
            reasons = [*reasons, Reason(None, remark)]
        grade = Grade(self.title, tuple(reasons), self._tries)
        if not grade:
            more = self._hints < len(self._all_hints)
            grade = Grade(self.title, grade.reasons, self._tries, ".hint() has a hint." if more else
                          ".solution() shows one way.")  # fmt: skip
        told = [str(reason) for reason in reasons]
        workbook().tried(exercise=self.title, passed=grade.passed, answer=_kept(answer), reasons=told,
                         hints=self._hints, solution=self._solved)  # fmt: skip
        return grade

    def hint(self) -> Text:
        """The next hint; after the last, all of them once more."""
        hints = self._all_hints
        if self._hints < len(hints):
            self._hints += 1
            workbook().helped(exercise=self.title, hints=self._hints, solution=self._solved)
            return Text(f"Hint {self._hints} of {len(hints)}: {hints[self._hints - 1]}")
        return Text("\n".join(f"Hint {i + 1} of {len(hints)}: {hint}" for i, hint in enumerate(hints)))

    def solution(self) -> Text:
        """One way to do it, as code; a function of `toolkit.teach.solutions`. The workbook notes that it was read."""
        from toolkit.teach.solutions import SOLUTIONS

        self._solved = True
        workbook().helped(exercise=self.title, hints=self._hints, solution=True)
        return Text(inspect.getsource(SOLUTIONS[self.title]), code=True)

    @property
    def _all_hints(self) -> tuple[str, ...]:
        from toolkit.teach.solutions import HINTS

        return HINTS[self.title]

    @property
    def _facts(self) -> str:
        return f"{'●' * self.difficulty}{'○' * (4 - self.difficulty)} · {self.minutes} minutes · {self.notebook}"

    def __repr__(self) -> str:
        return f"Exercise: {self.title} ({self._facts})\n{self.task}\nAnswer: {self.form}"

    def _repr_html_(self) -> str:
        stars = "●" * self.difficulty + "○" * (4 - self.difficulty)
        facts = f"{stars} difficulty {self.difficulty} of 4 · {self.minutes} minutes"
        verbs = "Then <code>.check(answer)</code>; <code>.hint()</code>, <code>.solution()</code>."
        return (
            "<div style='border-left:4px solid #6b3fd4;padding:4px 12px'>"
            f"<b>Exercise: {escape(self.title)}</b> <small>{facts}</small>"
            f"<p style='margin:4px 0'>{escape(self.task)}</p><small>Answer: {escape(self.form)}. {verbs}</small></div>"
        )


@dataclass(frozen=True)
class Text:
    """Something to read."""

    text: str
    code: bool = False

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        tag = "pre" if self.code else "p"
        return f"<{tag} style='white-space:pre-wrap'>{escape(self.text)}</{tag}>"


TASKS = (
    Exercise(
        "exact sum",
        'Make the embedding of each of the 8 images of `tk.scenes("val", n=8, seed=1)` out of its parts alone: out of'
        " heads, mlps, biases and constant, without touching parts.embedding.",
        "an array [8, 96]",
        difficulty=1, minutes=5, notebook="02", _check=checks.sums,
    ),
    Exercise(
        "background heads",
        "Find the heads that carry the background: those whose contribution varies mostly with where a scene is set."
        " The scenes that judge have every factor independent of every other.",
        'heads, such as "L0.H1 L1.H2"',
        difficulty=2, minutes=10, notebook="03", _check=checks.background,
    ),
    Exercise(
        "head in words",
        "Find the head that is most about the light, the one about the weather and the one about the colour of things.",
        'a dictionary {"light": head, "weather": head, "colour": head}',
        difficulty=2, minutes=10, notebook="03", _check=checks.words,
    ),
    Exercise(
        "object or background",
        'Six birds: `tk.scenes("val", n=400, seed=3, kind="birds").take([0, 1, 10, 11, 27, 31])`. For each, does the'
        " larger part of what speaks for the class that was predicted, against the other, lie on the object or on the"
        " background?",
        'a dictionary from id to "object" or "background"',
        difficulty=2, minutes=10, notebook="04", _check=checks.maps,
    ),
    Exercise(
        "how many images",
        "From how many labelled images a class do the first three heads of score D come out the same in four draws of"
        " five? Name the smallest number you would trust; the truth is what all 800 images of the edit split say.",
        "a whole number, images a class",
        difficulty=3, minutes=10, notebook="05", _check=checks.sample,
    ),
    Exercise(
        "guilty heads",
        "Switch off at most five heads (zero-ablation, direct effect) so that the worst group of fresh test birds gains"
        " at least 20 points, the plain average does not fall, and the 18 other classes lose at most 2 points.",
        'at most five heads, such as "L0.H1 L1.H2"',
        difficulty=3, minutes=15, notebook="05", _check=checks.guilty, _judged=True,
    ),
    Exercise(
        "price of an edit",
        'The edit is made from twenty birds, `tk.scenes("edit", n=400, kind="birds")` drawn with per_class=10 and'
        " seed=0, with all 20 classes and the heads L3.H7 and L3.H5. Choose α and β so that it keeps at least 90 % of"
        " what the birds gain without these heads, and costs the 18 other classes at most 2 points.",
        '{"alpha": α, "beta": β}',
        difficulty=4, minutes=20, notebook="06", _check=checks.price, _judged=True,
    ),
)  # fmt: skip
_made: dict[str, Exercise] = {}


def exercise(title: str) -> Exercise:
    """The exercise of this title; the same object whenever it is asked for, so that it counts tries and hints.

    Arguments:
        title: in any case, with spaces, dashes or underscores.

    Raises:
        InputError: for an unknown title.

    >>> import toolkit as tk
    >>> tk.teach.exercise("exact sum").difficulty
    1
    """
    known = {task.title: task for task in TASKS}
    name = str(title).strip().lower().replace("_", " ").replace("-", " ")
    if name not in known:
        near = get_close_matches(name, known, 1)
        raise InputError("exercise", repr(title), ", ".join(map(repr, known)), f"did you mean {near[0]!r}?" if near else
                         "see teach.exercises()")  # fmt: skip
    if name not in _made:
        _made[name] = made = replace(known[name])
        row = next((row for row in workbook().exercises if row["exercise"] == name), None)
        if row is not None:  # of another session: what was tried and read there counts
            made._tries, made._hints, made._solved = row["tries"], row["hints"], row["solution"]
    return _made[name]


def exercises() -> pandas.DataFrame:
    """One row per exercise: title, difficulty (1 to 4), minutes, notebook, and whether the workbook has it passed.

    >>> import toolkit as tk
    >>> tk.teach.exercises().columns.tolist()
    ['exercise', 'difficulty', 'minutes', 'notebook', 'passed']
    """
    import pandas

    passed = {row["exercise"]: row["passed"] for row in workbook().exercises}
    rows = [(t.title, t.difficulty, t.minutes, t.notebook, passed.get(t.title, False)) for t in TASKS]
    return pandas.DataFrame(rows, columns=["exercise", "difficulty", "minutes", "notebook", "passed"])


def _kept(answer: Any) -> Any:
    """What the workbook keeps of an answer; of a long array its shape alone."""
    shape = getattr(answer, "shape", None)
    if shape is None or not hasattr(answer, "tolist"):
        return answer
    return answer.tolist() if math.prod(shape) <= LARGEST else f"an array {list(shape)}"
