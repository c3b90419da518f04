"""What a check says of an answer: passed or not, and why."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Reason:
    """One thing that was checked.

    Attributes:
        ok: whether it holds; None for a remark.
        text: in a sentence.
    """

    ok: bool | None
    text: str

    @property
    def mark(self) -> str:
        return {True: "✓", False: "✗", None: "·"}[self.ok]

    def __str__(self) -> str:
        return f"{self.mark} {self.text}"


@dataclass(frozen=True, repr=False)
class Grade:
    """The outcome of `exercise.check(answer)`; true where it passed.

    Attributes:
        exercise: its title.
        reasons: everything that was checked, in order; it passes when none of them fails.
        tries: how often it was tried.
        next: what to do now.
    """

    exercise: str
    reasons: tuple[Reason, ...]
    tries: int = 1
    next: str = ""

    @property
    def passed(self) -> bool:
        return all(reason.ok is not False for reason in self.reasons)

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        lines = [f"{self.exercise}: {self._said}", *(f"  {reason}" for reason in self.reasons)]
        return "\n".join(lines + ([self.next] if self.next else []))

    def _repr_html_(self) -> str:
        colour = "#1f6f43" if self.passed else "#b3261e"
        rows = "".join(f"<li style='list-style:none'>{escape(str(reason))}</li>" for reason in self.reasons)
        more = f"<p style='margin:6px 0 0'>{escape(self.next)}</p>" if self.next else ""
        return (
            f"<div style='border-left:4px solid {colour};padding:4px 12px'><b>{escape(self.exercise)}: {self._said}</b>"
            f"<ul style='margin:4px 0 0;padding:0'>{rows}</ul>{more}</div>"
        )

    @property
    def _said(self) -> str:
        return f"{'passed' if self.passed else 'not yet'} (try {self.tries})"
