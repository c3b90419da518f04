"""What a report says of somebody's learning: predictions, exercises, notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.figures.page import Section

if TYPE_CHECKING:
    from toolkit.explanations.workbook import Workbook


def handed_in(workbook: Workbook | None) -> list[Section]:
    """A section for each kind of entry there is."""
    if workbook is None:
        return []
    content = workbook.to_dict()
    of = f" of {content['name']}" if content["name"] else ""
    found = []
    if content["predictions"]:
        rows = [(p["question"], _guess(p), _value(p["truth"], p.get("unit", ""))) for p in content["predictions"]]
        text = "Of a question asked again the first guess is kept."
        found.append(Section(f"Predictions{of}", text, table=(("question", "guess", "truth"), rows)))
    if content["exercises"]:
        exercises = [
            (e["exercise"], "passed" if e["passed"] else "not yet", str(e["tries"]), str(e["hints"]),
             "read" if e["solution"] else "–", str(e["answer"])[:200], "\n".join(map(str, e["reasons"])))
            for e in content["exercises"]
        ]  # fmt: skip
        header = ("exercise", "", "tries", "hints", "solution", "answer", "reasons")
        found.append(Section(f"Exercises{of}", table=(header, exercises)))
    if content["notes"]:
        notes = [(str(n.get("about", "")), n["text"]) for n in content["notes"]]
        found.append(Section(f"Notes{of}", table=(("about", "note"), notes)))
    return found


def _guess(row: dict[str, Any]) -> str:
    return "none" if row.get("guess") is None else _value(row["guess"], row.get("unit", ""))


def _value(value: Any, unit: str) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_value(one, unit)}" for name, one in value.items())
    number = f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
    return f"{number} {unit}".strip()
