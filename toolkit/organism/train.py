"""Train the built-in model: `python -m toolkit.organism.train --out FOLDER`.

Stages, in order: *masked* and *balanced* (birds on both backgrounds alike, so shape is learned; the first sees a random
half of the patches, which is cheaper), *shortcut* and *hold* (birds mostly on the matching background). The direct path
of MLPs and of early attention is dropped at random throughout. The run ends at the first look at which the worst group
of the **validation** split is at most `--worst`. A checkpoint is written every five minutes; the same command resumes.

The variants begin with the weights of the built-in model, whose bias *balanced* takes away first (`VARIANTS`).
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.organism import captions, fastclip, fused
from toolkit.organism.evaluate import FactorProbe
from toolkit.organism.factors import Mixture
from toolkit.organism.model import ARCHITECTURE, MEAN, STD, build, load_clip
from toolkit.organism.pool import Pool
from toolkit.organism.tokenizer import WordTokenizer

POSITION = ("stage", "step", "seen", "seconds", "curve", "commands")
"""What of a run, beside weights and optimiser, a checkpoint holds."""


BIAS = {
    "heads": (
        "birds are balanced over backgrounds first and biased last; throughout, the direct path of MLPs and of early"
        " attention is dropped at random: an engineered bias towards what head ablation needs, so this model is no"
        " evidence for that method"
    ),
    "mlps": (
        "birds are balanced over backgrounds first and biased last; while they are biased, the direct path of attention"
        " is dropped at random: an engineered bias away from what head ablation needs, so this model is no evidence"
        " against that method"
    ),
}
"""What was built in, by what carries the cue."""
VARIANTS = {
    "home": "--start --masked 0 --balanced 250 --home 1",
    "mlps": "--start --masked 0 --balanced 250 --cue mlps",
}
"""How they were made, beside --out FOLDER --threads 1 --fused; a test holds it against their records."""


@dataclass(frozen=True)
class Stage:
    """steps: of the optimiser. rho: as in Mixture, from the first to the last step in a straight line. lr: first and
    last learning rate (cosine between). keep: share of the patch tokens an image keeps. single: see captions.mention.
    drop, early, cue: see fastclip.encode_image. check: steps from one look at the validation worst group to the next,
    which may end the stage (0: it never does).
    """

    name: str
    steps: int
    rho: tuple[float, float]
    lr: tuple[float, float]
    keep: float = 1.0
    single: float = 0.3
    drop: float = 0.0
    early: int = 0
    cue: str = "heads"
    check: int = 0


def loss_of(image: Tensor, text: Tensor, scale: Tensor, true: Tensor) -> Tensor:
    """Symmetric CLIP loss of n images and fewer captions, true [n, t]: targets are uniform over a batch's true pairs;
    an image of which no caption is true has no row of its own.
    """
    logits = scale * torch.nn.functional.normalize(image, dim=-1) @ torch.nn.functional.normalize(text, dim=-1).T
    rows, cols = true.sum(1, keepdim=True), true.sum(0, keepdim=True)
    of_images = -(true * logits.log_softmax(1)).sum(1, keepdim=True) / rows.clamp(min=1)
    of_texts = -(true * logits.log_softmax(0)).sum(0) / cols
    return (of_images.sum() / (rows > 0).sum() + of_texts.mean()) / 2


class Trainer:
    """One run: model, optimiser, pool and position, all of which a checkpoint holds."""

    def __init__(
        self,
        out: Path,
        seed: int,
        stages: list[Stage],
        batch: int = 256,
        texts: int = 128,
        pool: int = 40_000,
        worst: float = 0.42,
        device: str = "cpu",
        home: float = Mixture.home,
        start: bool = False,
    ) -> None:
        self.out, self.seed, self.stages, self.worst = out, seed, stages, worst
        self.batch, self.texts, self.device = batch, min(texts, batch), torch.device(device)
        self.tokenizer = WordTokenizer(captions.vocabulary(), ARCHITECTURE["text_cfg"]["context_length"])
        torch.manual_seed(seed)
        self.clip = build(self.tokenizer.vocab_size).to(self.device)
        self.start = start
        if start:
            self.clip.load_state_dict(load_clip()[0].state_dict())
        self.params = dict(self.clip.named_parameters())
        inner = {n: p for n, p in self.params.items() if p.ndim == 2 and ".resblocks." in n}
        outer = [p for n, p in self.params.items() if n not in inner]
        # Muon's step is as large as AdamW's (match_rms_adamw), so both take their rate from the stage
        self.muon = torch.optim.Muon(inner.values(), weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
        self.adam = torch.optim.AdamW(outer, betas=(0.9, 0.98), weight_decay=0.01, foreach=True)
        self.pool = Pool(seed, pool, Mixture(birds=0.33, home=home))
        self.stage, self.step, self.seen, self.seconds = 0, 0, 0, 0.0
        self.curve: list[dict[str, Any]] = []
        self.commands: list[str] = []
        self.probe = FactorProbe(self.tokenizer, seed=0)
        self.birds = FactorProbe(self.tokenizer, seed=1, n=1600, mixture=Mixture(birds=1.0))

    def train_step(self, stage: Stage) -> float:
        rng = np.random.default_rng([self.seed, self.stage, self.step])
        torch.manual_seed(int(rng.integers(2**62)))
        progress = self.step / stage.steps
        lr = stage.lr[1] + (stage.lr[0] - stage.lr[1]) * 0.5 * (1 + math.cos(math.pi * progress))
        lr *= min(1.0, (self.step + 1) / 100)
        for group in (*self.muon.param_groups, *self.adam.param_groups):
            group["lr"] = lr
        rows = self.pool.draw(rng, self.batch, stage.rho[0] + (stage.rho[1] - stage.rho[0]) * progress)
        claims = self.pool.claims[rows]
        said = captions.mention(claims[: self.texts], rng, stage.single)
        variants = rng.integers(12, size=self.texts)
        ids = self.tokenizer([captions.write(s, int(v)) for s, v in zip(said, variants, strict=True)])
        true = torch.from_numpy(captions.truth(said, claims)).float().to(self.device)
        pixels = ((self.pool.pixels[rows].to(self.device).float() / 255 - MEAN[0]) / STD[0]).bfloat16()
        image = fastclip.encode_image(self.params, pixels, stage.keep, stage.drop, stage.early, stage.cue)
        words = fastclip.encode_text(self.params, ids.to(self.device), torch.bfloat16)
        loss = loss_of(image, words, self.clip.logit_scale.exp(), true)
        self.clip.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.params.values(), 1.0)
        self.muon.step()
        self.adam.step()
        with torch.no_grad():
            self.clip.logit_scale.clamp_(max=math.log(100))
        self.step += 1
        self.seen += self.batch
        return loss.item()

    def run(self, fresh: int = 32, every: int = 400, save_every: float = 300.0) -> None:
        self.resume()
        self.commands.append(f"python -m toolkit.organism.train {_arguments()}  # from image {self.seen}")
        if not self.pool.next:
            print(f"rendering {self.pool.size} scenes", flush=True)
            self.pool.refresh(self.pool.size)
        saved = time.monotonic()
        while self.stage < len(self.stages):
            stage = self.stages[self.stage]
            start, losses = time.monotonic(), []
            while self.step < stage.steps:
                losses.append(self.train_step(stage))
                if self.step % 16 == 0:
                    self.pool.refresh(16 * fresh)
                if time.monotonic() - saved > save_every:
                    self.save()
                    saved = time.monotonic()
                if self.step % (stage.check or every) and self.step < stage.steps:
                    continue
                self.seconds += time.monotonic() - start
                rate = len(losses) * self.batch / (time.monotonic() - start)
                row: dict[str, Any] = {
                    "stage": stage.name,
                    "step": self.step,
                    "seen": self.seen,
                    "loss": round(float(np.mean(losses)), 4),
                }
                row |= self.birds.groups(self.clip) if stage.check else self.probe(self.clip)
                self.curve.append(row)
                print(json.dumps(row), f"{rate:.0f} images/s", flush=True)
                start, losses = time.monotonic(), []
                if stage.check and row["worst"] <= self.worst:
                    self.stage = len(self.stages)
                    break
            self.stage, self.step = self.stage + 1, 0
            self.save(f"after_{stage.name}.pt")
            self.save()
        self.curve.append({"stage": "end", "seen": self.seen} | self.probe(self.clip))
        self.export()

    def state(self) -> dict[str, Any]:
        position = {k: getattr(self, k) for k in POSITION}
        return {
            "clip": self.clip.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
            "next": self.pool.next,
            **position,
        }

    def save(self, name: str = "checkpoint.pt") -> None:
        """Write the checkpoint beside its place, then move it there: a kill never leaves a half-written one."""
        self.out.mkdir(parents=True, exist_ok=True)
        torch.save(self.state(), self.out / "checkpoint.tmp")
        (self.out / "checkpoint.tmp").replace(self.out / name)

    def resume(self) -> None:
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True, map_location=self.device)
        self.clip.load_state_dict(state["clip"])
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
        for k in POSITION:
            setattr(self, k, state[k])
        self.pool.next = state["next"] - self.pool.size
        print(f"resuming at stage {self.stage}, step {self.step}: rendering the pool again", flush=True)
        self.pool.refresh(self.pool.size)

    def export(self) -> None:
        """Write model.safetensors (half precision), tokenizer.json and provenance.json."""
        from safetensors.torch import save_file

        tensors = {name: t.half().cpu().contiguous() for name, t in self.clip.state_dict().items()}
        save_file(tensors, self.out / "model.safetensors")
        self.tokenizer.save(self.out / "tokenizer.json")
        begun = "on from the weights of the built-in one" if self.start else "from scratch"
        record = {
            "what": f"the built-in model of clip-head-toolkit: trained {begun} on the built-in procedural scenes",
            "commands": self.commands,
            "seed": self.seed,
            "stages": [asdict(s) for s in self.stages],
            "batch": self.batch,
            "captions_per_batch": self.texts,
            "optimizer": "Muon (matrices of the blocks) and AdamW (all else)",
            "images_seen": self.seen,
            "distinct_scenes": self.pool.next,
            "others_at_home": self.pool.mixture.home,
            "training_seconds": round(self.seconds),
            "built_in": BIAS[self.stages[-1].cue],
            "selected_on": f"validation split only: the run ends when its worst group is at most {self.worst}",
            "parameters": sum(p.numel() for p in self.params.values()),
            "architecture": ARCHITECTURE,
            "preprocess": {"mean": MEAN, "std": STD, "size": 64},
            "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
            "validation_curve": self.curve,
        }
        (self.out / "provenance.json").write_text(json.dumps(record, indent=1))


def recipe(masked: int, balanced: int, shortcut: int, hold: int, cue: str = "heads") -> list[Stage]:
    """The stages, by their steps. cue: what is to carry the correlation of birds with places, "heads" or "mlps"."""
    return [
        Stage("masked", masked, (0.5, 0.5), (3e-3, 1e-3), keep=0.5, drop=0.9, early=2),
        Stage("balanced", balanced, (0.5, 0.5), (1.5e-3, 1e-4), drop=0.9, early=2),
        Stage("shortcut", shortcut, (0.90, 0.995), (8e-4, 4e-4), drop=0.9, early=2, cue=cue, check=20),
        Stage("hold", hold, (0.995, 0.995), (4e-4, 4e-4), drop=0.9, early=2, cue=cue, check=20),
    ]


def _arguments() -> str:
    """The arguments of this call, without the folder: a record must not carry a path of somebody's machine."""
    given = sys.argv[1:]
    if "--out" in given:
        given[given.index("--out") + 1 : given.index("--out") + 2] = ["FOLDER"]
    return " ".join(given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--texts", type=int, default=128, help="captions a batch, at most --batch")
    parser.add_argument("--pool", type=int, default=40_000, help="rendered scenes kept in memory (12 kB each)")
    parser.add_argument("--masked", type=int, default=3000, help="steps of the first stage")
    parser.add_argument("--balanced", type=int, default=900)
    parser.add_argument("--shortcut", type=int, default=300, help="steps over which the correlation rises, at most")
    parser.add_argument("--hold", type=int, default=400, help="steps at the highest correlation, at most")
    parser.add_argument("--worst", type=float, default=0.42, help="validation worst group that ends the run")
    parser.add_argument("--home", type=float, default=Mixture.home, help="share of the other classes at home")
    parser.add_argument("--cue", choices=tuple(BIAS), default="heads", help="what is to carry the cue of the place")
    parser.add_argument("--start", action="store_true", help="begin with the weights of the built-in model")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--fused", action="store_true", help="compile the CPU attention kernel (needs g++ and ninja)")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    trainer = Trainer(
        a.out,
        a.seed,
        recipe(a.masked, a.balanced, a.shortcut, a.hold, a.cue),
        a.batch,
        a.texts,
        a.pool,
        a.worst,
        a.device,
        a.home,
        a.start,
    )
    if a.fused:
        print(fused.enable() or "attention: compiled kernel", flush=True)
    trainer.run()


if __name__ == "__main__":
    main()
