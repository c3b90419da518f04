"""`tk.why`: what every panel asks, by which formula, with which shapes, and what it does not show."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from toolkit.api.locate.registry import HeadScore, offered
from toolkit.errors import InputError
from toolkit.explanations.glossary import glossary

if TYPE_CHECKING:
    from toolkit.models.card import ModelCard

PANELS = Path(__file__).parents[1] / "panels"
FILE = "why.toml"
"""Beside the file of every panel: its why, which is text and no code."""
LETTERS = {
    "b": "image", "l": "layers", "some": "layers shown", "h": "heads", "k": "k of a head", "d": "d of the embedding",
    "grid": "rows × columns",
}  # fmt: skip


class Meaning(TypedDict):
    """A term and what it means."""

    label: str
    text: str


class ReadingRow(Meaning):
    """A line of a why. kind: which field of `Why` it is."""

    kind: str


class Reading(TypedDict):
    """A why as a panel paints it."""

    rows: list[ReadingRow]
    terms: list[Meaning]


@dataclass(frozen=True, repr=False)
class Why:
    """The reasons of one panel.

    Attributes:
        panel: its name.
        asks: the question it answers.
        formula: in Unicode, a line or two.
        shapes: of the model's arrays.
        caveats: what it does not show.
        reference: paper and equation.
        terms: names in `tk.glossary()`.
    """

    panel: str
    asks: str
    formula: str
    shapes: str
    caveats: tuple[str, ...]
    reference: str
    terms: tuple[str, ...]

    def of(self, card: ModelCard | None) -> Why:
        """The same with the sizes of a model in its shapes.

        Arguments:
            card: of the model; None for letters.
        """
        sizes = LETTERS if card is None else {
            "b": "image", "l": f"{card.layers} layers", "some": "layers shown", "h": f"{card.heads} heads",
            "k": str(card.head_dim), "d": str(card.embed_dim), "grid": f"{card.grid[0]} × {card.grid[1]}",
        }  # fmt: skip
        return replace(self, shapes=self.shapes.format(**sizes))

    def rows(self) -> list[list[str]]:
        """[label, text]: all but the terms."""
        return [
            ["It asks", self.asks], ["Formula", self.formula], ["Shapes", self.shapes],
            ["Not shown", "\n".join(self.caveats)], ["Source", self.reference],
        ]  # fmt: skip

    def meanings(self) -> list[list[str]]:
        """[name, sentences] of every term, in the glossary's words."""
        return [[(term := glossary(name)).name, term.says] for name in self.terms]

    def told(self) -> Reading:
        """What a panel paints."""
        kinds = ("asks", "formula", "shapes", "caveats", "reference")
        rows: list[ReadingRow] = [
            {"label": label, "text": text, "kind": kind} for (label, text), kind in zip(self.rows(), kinds, strict=True)
        ]
        return {"rows": rows, "terms": [{"label": name, "text": says} for name, says in self.meanings()]}

    def html(self) -> str:
        """Folded, as plain escaped text without script or style."""
        rows = "".join(f"<dt><b>{escape(a)}</b></dt><dd>{_lines(b)}</dd>" for a, b in self.rows() + self.meanings())
        return f"<details><summary>Why: formula, shapes, caveats</summary><dl>{rows}</dl></details>"

    def __repr__(self) -> str:
        lines = [f"{label}: {text}" for label, text in self.rows()]
        return "\n".join([self.panel, *lines, f"Terms: {', '.join(self.terms)}"])

    def _repr_markdown_(self) -> str:
        found = [f"**{self.panel}**"]
        for label, text in self.rows():
            lines = text.split("\n")
            shown = "  \n".join(f"`{line}`" for line in lines) if label in ("Formula", "Shapes") else "  \n".join(lines)
            found.append(f"*{label}*  \n{shown}")
        return "\n\n".join([*found, *(f"- **{name}**: {says}" for name, says in self.meanings())])


def _lines(text: str) -> str:
    return "<br>".join(map(escape, text.split("\n")))


def why(panel: str, card: ModelCard | None = None) -> Why:
    """What a panel asks, by which formula, with which shapes, and what it does not show (`Why`).

    `panel.why` is the same for the panel's own model.

    Arguments:
        panel: its name, such as "EditLab", or that of a score of heads, such as "A".
        card: of the model whose shapes are meant (`model.card`); default letters.

    Returns:
        `Why`: .asks, .formula, .shapes, .caveats, .reference, .terms, .rows().

    Raises:
        InputError: for another name, with the nearest.

    >>> import toolkit as tk
    >>> tk.why("EditLab", tk.load().card).shapes
    'θ [96] (diagonal), E [image, 96], T [class, 96]'
    """
    score = next((one for one in offered() if one.name == panel), None)
    if score is not None:
        return _of_score(score, card)
    if panel not in WHYS:
        near = get_close_matches(str(panel), WHYS, 1)
        fix = f"did you mean {near[0]!r}?" if near else "name one of these"
        raise InputError("why", repr(panel), ", ".join(WHYS), fix)
    return WHYS[panel].of(card)


def _of_score(score: HeadScore, card: ModelCard | None) -> Why:
    """The reasons of a score of heads, from its docstring."""
    heads = "heads" if card is None else f"{card.heads} heads"
    caveats = ["A score ranks heads; what happens without them is the proof: AblationLab."]
    if not score.interval:
        caveats.append("No interval is worked out for it.")
    unit = f", {score.unit}" if score.unit else ""
    shapes = f"[layers shown, {heads}]{unit}; higher = guiltier"
    term = (score.term or score.name,)
    return Why(score.name, score.says, score.formula, shapes, tuple(caveats), score.source, term)


def read_why(folder: Path, panel: str | None = None) -> Why | None:
    """The why that is written in a folder; None where there is none, or where it is another panel's."""
    file = folder / FILE
    if not file.is_file():
        return None
    told = tomllib.loads(file.read_text(encoding="utf-8"))
    if panel is not None and told["panel"] != panel:
        return None
    return Why(**told | {name: tuple(told[name]) for name in ("caveats", "terms")})


WHYS = {found.panel: found for found in map(read_why, sorted(p for p in PANELS.iterdir() if p.is_dir())) if found}
