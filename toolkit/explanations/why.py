"""`tk.why`: what every panel asks, by which formula, with which shapes, and what it does not show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from html import escape
from typing import TYPE_CHECKING, Any

from toolkit.api.locate.registry import HeadScore, offered
from toolkit.errors import InputError
from toolkit.explanations.glossary import glossary

if TYPE_CHECKING:
    from toolkit.models.card import ModelCard

G24, R25, LTC = "G24 (arXiv 2310.05916)", "R25 (ICLR 2025 submission)", "LTC (arXiv 2505.17425)"
LETTERS = {
    "b": "image", "l": "layers", "some": "layers shown", "h": "heads", "k": "k of a head", "d": "d of the embedding",
    "grid": "rows × columns",
}  # fmt: skip


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

    def rows(self) -> list[list[str]]:
        """[label, text]: all but the terms."""
        return [
            ["It asks", self.asks], ["Formula", self.formula], ["Shapes", self.shapes],
            ["Not shown", "\n".join(self.caveats)], ["Source", self.reference],
        ]  # fmt: skip

    def meanings(self) -> list[list[str]]:
        """[name, sentences] of every term, in the glossary's words."""
        return [[(term := glossary(name)).name, term.says] for name in self.terms]

    def told(self) -> dict[str, Any]:
        """What a panel paints: rows and terms, each [label, text, kind]."""
        kinds = ("asks", "formula", "shapes", "caveats", "reference")
        rows = [[*row, kind] for row, kind in zip(self.rows(), kinds, strict=True)]
        return {"rows": rows, "terms": self.meanings()}

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
    reasons = WHYS[panel]
    sizes = LETTERS if card is None else {
        "b": "image", "l": f"{card.layers} layers", "some": "layers shown", "h": f"{card.heads} heads",
        "k": str(card.head_dim), "d": str(card.embed_dim), "grid": f"{card.grid[0]} × {card.grid[1]}",
    }  # fmt: skip
    return replace(reasons, shapes=reasons.shapes.format(**sizes))


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


WHYS = {one.panel: one for one in (
    Why(
        "HeadGrid",
        "Which heads stand out in a map of one number a head?",
        "colour = value / limit, within −1 … 1\nlimit = 99th percentile of |values|, unless given",
        "values [{some}, {h}]",
        (
            "What the numbers mean is said by title and unit: the grid draws what it was given.",
            "Colours end at the limit; cells beyond it carry a mark, their value stands in words.",
            "No interval: of scores from few images the order may be chance.",
        ),
        f"{G24} §3: heads as summands. {R25} §3.2: scores of heads.",
        ("layer", "head", "head name", "DE_A … DE_D", "badness", "stability"),
    ),
    Why(
        "Gallery",
        "Which images are these, and which does the model get wrong?",
        "predicted = arg max over classes c of cos(E, T_c)\n✓ predicted = label, ✗ predicted ≠ label",
        "E [{b}, {d}], T [class, {d}]",
        (
            "The marks are those it was given; alone, the panel asks no model.",
            "A prediction is one among these classes; among others the same image may be right or wrong.",
            "A thumbnail is not what the model sees, which resizes, crops and normalises.",
        ),
        f"{R25} §3.2: wrong and right images of a pair.",
        ("embedding", "cosine", "W, C, A", "group", "split"),
    ),
    Why(
        "SpanExplorer",
        "What does this head say in words, and in which images does it say it most?",
        "next text = arg max of √(tᵀ Σ t), then project t out of texts and Σ\n"
        "explained = Σ ‖Proj(c − c̄)‖² / Σ ‖c − c̄‖²",
        "c [{b}, {l}, {h}, {d}], kept as mixes [{b}, {l}, {h}, {k}]\ntexts [bank, {d}]",
        (
            "The texts describe what the head varies with, not what the model uses it for.",
            "Only texts of this bank can be picked; look at how much all of them could explain.",
            "Every text describes what those before it left over.",
            "The images are the two ends of these data; those between are not shown.",
        ),
        f"{G24} algorithm 1. How random texts do beside a word is this toolkit's addition.",
        ("head", "mix", "bank", "TextSpan", "span", "explained variance", "rank"),
    ),
    Why(
        "TokenMap",
        "Where in the image does the model find what speaks for this text?",
        "patch n = Σ over heads of aₙ (vₙ · A (T − T′)) / (σR)\nΣ patches + rest = cos(E, T) − cos(E, T′)",
        "map [{grid}] summed over [{l}, {h}], T [{d}]",
        (
            "The direct path only: what a layer reads at a patch may have come there from elsewhere.",
            "What was summed, not what was needed: tk.faithfulness takes patches away.",
            "A single text also shows what raises every text's cosine: use a contrast.",
            "Maps of the other methods sum to nothing; attention and rollout are the same for every text.",
        ),
        f"{G24} §3.3. The other methods are named in their terms.",
        (
            "patch", "class token", "cosine", "token map", "contrast (against)", "rest", "direct effect", "Grad-CAM",
            "LeGrad", "GAME", "rollout",
        ),
    ),
    Why(
        "AblationLab",
        "Which heads push towards this error, and who pays when they are switched off?",
        "E′ = E − (1 − strength) Σ (c − r), r = 0, the mean, or another image's\n"
        "DE_A = mean over W of Δ(y, c̄_C) − Δ(ŷ, c̄_C), and three more",
        "heads [{b}, {l}, {h}, {d}], scores [{some}, {h}]",
        (
            "A direct effect leaves out what later layers would do; total runs the model again.",
            "Heads found on the images that judge them look better than they are.",
            "The four scores are not interchangeable and rest on few wrong images: see interval and stability.",
            "Zero-ablation also takes away a head's mean, which may favour a class by itself.",
        ),
        f"{R25} §3.2, equation 5 and algorithm 1. {LTC} §3: the map LTC.",
        (
            "direct effect", "total effect", "zero-ablation", "mean-ablation", "resample-ablation", "strength",
            "W, C, A", "DE_A … DE_D", "badness", "stability", "Algorithm 1", "utility U", "LTC", "worst group",
            "paired interval",
        ),
    ),
    Why(
        "EditLab",
        "How far can these mistakes be mended by rescaling the embedding, and what does it cost elsewhere?",
        "L(θ) = L_CE + α L_success + β L_locality, y = θ ⊙ E\n"
        "L_success = mean over W of KL(g(E′) ‖ g(y)), L_locality = mean over C ∪ A of KL(g(E) ‖ g(y))",
        "θ [{d}] (diagonal), E [{b}, {d}], T [class, {d}]",
        (
            "α, β and heads are chosen while looking at these numbers: report on images nobody looked at.",
            "What is not held out is not measured: other data may suffer unseen.",
            "At large α the edit follows the model without the heads, mistakes included; at small α the labels pull it"
            " beyond, which may be learning by heart.",
            "The words say what θ turns up and down, not why an image changed.",
        ),
        f"{R25} §3.3, equations 11–13.",
        ("θ (diagonal edit)", "α", "β", "success", "locality", "frontier", "fold", "split"),
    ),
    Why(
        "TwoModels",
        "What does the second model, or the edit, answer otherwise, with which heads, and looking where?",
        "change = accuracy of the second − accuracy of the first, on the same images\n"
        "one colour scale for both, heads and maps",
        "heads of the first [{b}, {l}, {h}, {d}]; the second has its own shape",
        (
            "Heads of two checkpoints share a place, not a meaning; those of an edit are the same heads.",
            "Each model's scores come from its own mistakes.",
            "Of an edit, the images it was made from are left out, where others are there.",
            "Maps that look alike are no proof of the same reasons.",
        ),
        f"{R25} §3.2 for scores, {G24} §3.3 for maps.",
        ("group", "worst group", "paired interval", "W, C, A", "badness", "token map", "fold"),
    ),
    Why(
        "Predict",
        "What do you expect, before the truth is shown?",
        "miss = guess − truth",
        "one number, or one number an option",
        (
            "The truth is what the question was made with: it is measured on some images, and has an interval.",
            "Of n options one in n guesses is right by chance.",
        ),
        "No paper: a question of whoever made this notebook.",
        ("split", "interval"),
    ),
    Why(
        "Explorer",
        "Which heads are behind a mistake, what do they say, where do they look, and who pays for the cure?",
        "E / R = Σ heads + Σ MLPs + Σ biases + constant\nmistakes W → DE_A … DE_D → heads → E − Σ c → θ ⊙ E",
        "heads [{b}, {l}, {h}, {d}], E [{b}, {d}], patches {grid}",
        (
            "Every tab looks at the same images: what is found here must be judged on others.",
            "Heads are found by their direct effect; later layers may compensate.",
            "The built-in world has a planted shortcut: it shows the tool and is no evidence for a method.",
        ),
        f"{G24} §3, {R25} §3.2–3.3, {LTC}. Every panel has a why of its own.",
        ("head", "head name", "W, C, A", "badness", "direct effect", "direct sum exactness", "shortcut", "split"),
    ),
)}  # fmt: skip
