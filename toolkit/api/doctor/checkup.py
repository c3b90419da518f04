"""`Checkup`: what the doctor found, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas

Verdict = Literal["ok", "warning", "wrong", "not checked"]
VERDICTS: tuple[Verdict, ...] = ("ok", "warning", "wrong", "not checked")
EXITS = {"warning": 3, "wrong": 4}
"""Exit status of the command; 1 and 2 are the command's own, for errors and for options that there are not."""


def in_words(counts: dict[str, int]) -> str:
    """Lines of every verdict in words: "5 ok, 2 warnings"."""
    plural = {"warning": "warnings" if counts.get("warning", 0) > 1 else "warning"}
    return ", ".join(f"{n} {plural.get(verdict, verdict)}" for verdict, n in counts.items() if n)


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, the verdict, what was seen, why it matters, and what to do about it."""

    check: str
    verdict: Verdict
    said: str
    why: str
    fix: str = ""


@dataclass(frozen=True, repr=False)
class Checkup:
    """What `tk.doctor` found.

    Attributes:
        subject: what was looked at, in words.
        findings: a line for every check, in order (check, verdict, said, why, fix).
    """

    subject: str
    findings: tuple[Finding, ...]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def counts(self) -> dict[str, int]:
        """Lines of every verdict: ok, warning, wrong, not checked."""
        return {verdict: sum(one.verdict == verdict for one in self.findings) for verdict in VERDICTS}

    @property
    def exit_code(self) -> int:
        """4 where something is wrong, 3 where there are warnings alone, else 0."""
        return max((EXITS.get(one.verdict, 0) for one in self.findings), default=0)

    def of(self, verdict: Verdict) -> tuple[Finding, ...]:
        """The lines of one verdict.

        Arguments:
            verdict: "ok", "warning", "wrong" or "not checked".
        """
        return tuple(one for one in self.findings if one.verdict == verdict)

    def to_dataframe(self) -> pandas.DataFrame:
        """A table: check, verdict, said, why, fix."""
        import pandas

        return pandas.DataFrame([asdict(one) for one in self.findings])

    def to_json(self) -> str:
        """Subject, counts, exit code and findings as JSON."""
        facts: dict[str, Any] = {"subject": self.subject, "counts": self.counts, "exit_code": self.exit_code}
        return json.dumps(facts | {"findings": [asdict(one) for one in self.findings]}, indent=1, ensure_ascii=False)

    @property
    def summary(self) -> str:
        """One sentence: how many of which verdict."""
        return f"{self.subject}: {in_words(self.counts)}"

    def __repr__(self) -> str:
        width = max((len(one.check) for one in self.findings), default=0)
        lines = [self.summary]
        for one in self.findings:
            lines.append(f"  {one.verdict:11}  {one.check:{width}}  {one.said}")
            if one.verdict in EXITS:
                lines.append(f"  {'':11}  {'':{width}}  why: {one.why}")
            if one.fix:
                lines.append(f"  {'':11}  {'':{width}}  fix: {one.fix}")
        return "\n".join(lines)
