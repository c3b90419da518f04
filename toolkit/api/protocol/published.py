"""Published numbers for Binary Waterbirds, and head lists that go with them: for comparison, never used to choose."""

from __future__ import annotations

from typing import NamedTuple

from toolkit.core.heads import HeadSet


class Published(NamedTuple):
    """Average and worst-group accuracy in percent, as printed; sd: standard deviations over draws, where given."""

    average: float
    worst: float
    sd: tuple[float, float] | None = None


SOURCE = (
    "R25 (ICLR 2025 submission) Tables 1 and 3; average: as we read it the plain mean over the 5,794 test images (its"
    " captions say “average-group accuracy”)"
)
WATERBIRDS: dict[str, dict[str, Published]] = {
    "ViT-B-16": {
        "base": Published(72.8, 45.6), "TextSpan": Published(78.5, 57.5), "located, 10 a class": Published(81.1, 61.4),
        "located, 10 a class, validation": Published(80.4, 65.9),
    },
    "ViT-L-14": {
        "base": Published(75.5, 47.7), "TextSpan": Published(84.4, 72.9), "located, 10 a class": Published(85.5, 72.1),
        "located, 10 a class, validation": Published(85.6, 75.6),
    },
    "ViT-H-14": {
        "base": Published(68.6, 37.2), "TextSpan": Published(72.9, 43.3), "located, 10 a class": Published(75.9, 51.3),
        "located, 10 a class, validation": Published(75.9, 51.3),
    },
}  # fmt: skip
"""By open_clip name of the architecture, with the laion2b weights; rows by name."""
STABILITY: dict[str, dict[int, Published]] = {
    "ViT-B-16": {
        10: Published(79.8, 59.8, (1.2, 1.7)), 20: Published(80.8, 68.5, (0.2, 2.3)),
        30: Published(80.4, 65.8, (0.2, 2.3)),
    },
    "ViT-L-14": {
        10: Published(85.5, 71.9, (0.8, 0.8)), 20: Published(85.7, 73.9, (0.4, 1.1)),
        30: Published(85.5, 72.4, (0.4, 2.1)),
    },
    "ViT-H-14": {
        10: Published(74.5, 46.5, (1.0, 3.3)), 20: Published(74.9, 48.1, (0.6, 1.0)),
        30: Published(73.5, 47.7, (1.7, 3.2)),
    },
}  # fmt: skip
"""Located ablation over four draws, by images a class (R25 Table 3)."""
_TEXTSPAN = {
    "ViT-B-16": "L11.H6 L11.H0 L11.H3 L10.H11 L10.H10 L9.H8 L9.H6",
    "ViT-L-14": "L21.H1 L22.H12 L22.H13 L21.H11 L21.H14 L23.H6 L21.H3 L21.H6 L21.H8 L21.H13 L22.H2 L22.H15 L23.H1"
    " L23.H3 L23.H5",
    "ViT-H-14": "L31.H8 L30.H15 L30.H12 L30.H6 L29.H14 L29.H8 L31.H12 L30.H11 L29.H4",
}


def textspan_heads(architecture: str) -> HeadSet | None:
    """The heads that the authors of G24 read as locations and settings in their TextSpan texts, or None."""
    found = _TEXTSPAN.get(architecture)
    return None if found is None else HeadSet.of(found)


TAGS = {"ViT-B-16": "laion2b_s34b_b88k", "ViT-L-14": "laion2b_s32b_b82k", "ViT-H-14": "laion2b_s32b_b79k"}
"""The weights the numbers and the head lists are of: heads of other weights have nothing to do with them."""


def weights_of(name: str) -> str:
    """Which of the published architectures a model is, by its name "architecture:tag"; "" for all other weights."""
    architecture, _, tag = name.partition(":")
    return architecture if tag and TAGS.get(architecture) == tag else ""
