"""Zero-shot checks of the built-in model on the validation split, used to steer training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.organism.captions import LIGHTS, WEATHERS, WHERE, article
from toolkit.organism.draws import Draws
from toolkit.organism.factors import BACKGROUNDS, BIRDS, CLASSES, FACTORS, OTHERS, PLACE_OF, Mixture, draw_factors
from toolkit.organism.model import MEAN, STD
from toolkit.organism.render import render
from toolkit.organism.tokenizer import WordTokenizer

PROMPTS: dict[str, list[str]] = {
    "class": [f"a photo of {article(c)}" for c in CLASSES],
    "background": [f"an object {WHERE[b]}" for b in FACTORS["background"]],
    "colour": [f"{article(c)} object" for c in FACTORS["colour"]],
    "texture": [f"{article(t)} object" for t in FACTORS["texture"]],
    "count": ["one object", "two objects", "three objects"],
    "size": ["a small object", "a large object"],
    "position": ["an object on the left", "an object in the centre", "an object on the right"],
    "light": [f"an object {LIGHTS[v]}" for v in FACTORS["light"]],
    "weather": [f"an object {WEATHERS[v]}" for v in FACTORS["weather"]],
    "style": [f"{article(s)} of an object" for s in FACTORS["style"]],
    "neck": ["a bird with a long neck", "a bird with a short neck"],
    "bill": ["a bird with a flat bill", "a bird with a pointed bill"],
    "feet": ["a bird with webbed feet", "a bird with clawed feet"],
}
"""One plain prompt for every word of every factor."""


class FactorProbe:
    """Accuracy of every factor's words, birds two-way by group, and the other classes, on `n` scenes of a split."""

    def __init__(
        self, tokenizer: WordTokenizer, seed: int, split: str = "val", n: int = 2400, mixture: Mixture | None = None
    ) -> None:
        draws = Draws(split, seed, np.arange(n))
        self.factors = draw_factors(draws, mixture or Mixture())
        self.pixels = render(draws, self.factors).pixels
        self.tokenizer = tokenizer

    @torch.no_grad()
    def embed(self, clip: Any) -> Tensor:
        """Unit image embeddings [n, d]."""
        device = clip.logit_scale.device
        chunks = [
            clip.encode_image((p.to(device).float() / 255 - MEAN[0]) / STD[0], normalize=True)
            for p in self.pixels.split(200)
        ]
        return torch.cat(chunks).cpu()

    @torch.no_grad()
    def __call__(self, clip: Any) -> dict[str, float]:
        images = self.embed(clip)
        out: dict[str, float] = {}
        for name, prompts in PROMPTS.items():
            words = self._words(clip, prompts)
            truth = torch.from_numpy(self.factors[name])
            keep = truth >= 0
            if name == "class":
                out |= self._classes(images @ words.T, truth)
            else:
                out[name] = ((images[keep] @ words.T).argmax(1) == truth[keep]).float().mean().item()
        return {k: round(v, 3) for k, v in out.items()}

    @torch.no_grad()
    def groups(self, clip: Any) -> dict[str, float]:
        """Birds two-way: plain average and worst group, nothing else."""
        words = self._words(clip, PROMPTS["class"])
        return {
            k: round(v, 3)
            for k, v in self._birds(self.embed(clip) @ words.T, torch.from_numpy(self.factors["class"])).items()
        }

    def _words(self, clip: Any, prompts: list[str]) -> Tensor:
        ids = self.tokenizer(prompts).to(clip.logit_scale.device)
        return clip.encode_text(ids, normalize=True).cpu()

    def _birds(self, scores: Tensor, truth: Tensor) -> dict[str, float]:
        bird = truth < len(BIRDS)
        right = scores[bird, : len(BIRDS)].argmax(1) == truth[bird]
        wet = torch.tensor([PLACE_OF[b] == "water" for b in BACKGROUNDS])[torch.from_numpy(self.factors["background"])]
        group = truth[bird] * 2 + wet[bird].long()
        accuracy = [right[group == g].float().mean().item() for g in range(4)]
        return {"birds": right.float().mean().item(), "worst": min(accuracy)}

    def _classes(self, scores: Tensor, truth: Tensor) -> dict[str, float]:
        bird = truth < len(BIRDS)
        other = scores[~bird, len(BIRDS) :].argmax(1) + len(BIRDS) == truth[~bird]
        photo = torch.from_numpy(self.factors["style"])[~bird] == 0
        assert len(OTHERS) == scores.shape[1] - len(BIRDS)
        return self._birds(scores, truth) | {
            "others": other.float().mean().item(),
            "others_photo": other[photo].float().mean().item(),
        }
