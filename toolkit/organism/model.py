"""The built-in model: a CLIP of open_clip's architecture, small enough to ship, trained on the built-in world."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from toolkit.organism.clip import CLIP
from toolkit.organism.tokenizer import WordTokenizer

WEIGHTS = Path(__file__).parent / "weights"
OTHERS = Path(__file__).parent / "variants"
VARIANTS = ("home", "mlps")
"""Of the built-in model: in which the place decides the other classes too, and in which MLPs carry half of what it says
(`train.VARIANTS`). Their tokenizer is the same."""
ARCHITECTURE: dict[str, Any] = {
    "embed_dim": 96,
    "vision_cfg": {"image_size": 64, "patch_size": 8, "layers": 4, "width": 128, "head_width": 16, "mlp_ratio": 2.0},
    "text_cfg": {"context_length": 24, "width": 96, "heads": 4, "layers": 2},
}
MEAN = STD = (0.5, 0.5, 0.5)


def build(vocab_size: int) -> Any:
    """A freshly initialised open_clip CLIP of the built-in architecture, in eval mode: where training begins."""
    import open_clip

    text = {**ARCHITECTURE["text_cfg"], "vocab_size": vocab_size}
    return open_clip.CLIP(ARCHITECTURE["embed_dim"], ARCHITECTURE["vision_cfg"], text).eval()


def load_clip(variant: str = "", made: Path | None = None) -> tuple[CLIP, WordTokenizer, dict[str, Any]]:
    """The shipped model, its tokenizer and its provenance record; weights are stored in half precision. variant: of
    VARIANTS. made: a folder that training wrote instead.
    """
    from safetensors.torch import load_file

    folder = made or (OTHERS / variant if variant else WEIGHTS)
    tokenizer = WordTokenizer.load((made or WEIGHTS) / "tokenizer.json")
    with torch.random.fork_rng(devices=[]):  # loading must not cost the user's random state
        clip = CLIP(**ARCHITECTURE | {"text_cfg": ARCHITECTURE["text_cfg"] | {"vocab_size": tokenizer.vocab_size}})
    clip.load_state_dict({name: t.float() for name, t in load_file(folder / "model.safetensors").items()})
    return clip.eval(), tokenizer, json.loads((folder / "provenance.json").read_text())
