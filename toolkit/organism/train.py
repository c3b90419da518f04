"""Train the built-in model: `python -m toolkit.organism.train --out FOLDER`.

Stages, in order: *masked* and *balanced* (birds on both backgrounds alike, so shape is learned; the first sees a random
half of the patches, which is cheaper), *mild* and *shortcut* (birds mostly on the matching background, with the direct
path of MLPs dropped in training). The last stage ends when the worst group
of the **validation** split lies inside `--worst`. A checkpoint is written every five minutes; the same command resumes.
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

from toolkit.organism import captions, fastclip
from toolkit.organism.draws import Draws
from toolkit.organism.evaluate import Probe
from toolkit.organism.factors import Mixture, draw_factors
from toolkit.organism.model import ARCHITECTURE, MEAN, STD, build
from toolkit.organism.render import render
from toolkit.organism.tokenizer import WordTokenizer

POSITION = ("stage", "step", "seen", "seconds", "curve", "commands")
"""What of a run, beside weights and optimiser, a checkpoint holds."""


@dataclass(frozen=True)
class Stage:
    """steps of the optimiser; rho as in Mixture; first and last learning rate (cosine between); keep: share of the
    patch tokens an image keeps; stress, single: see captions.mention; drop, early: see fastclip.encode_image. least:
    steps before the validation worst group may end the last stage.
    """

    name: str
    steps: int
    rho: float
    lr: float
    last_lr: float
    keep: float = 1.0
    stress: float = 1.0
    single: float = 0.0
    drop: float = 0.0
    early: int = 0
    least: int = 200


class Pool:
    """Rendered scenes the batches are drawn from; the oldest are replaced by fresh ones all the time."""

    def __init__(self, seed: int, size: int, mixture: Mixture) -> None:
        self.seed, self.size, self.mixture = seed, size, mixture
        self.next = 0
        self.pixels = torch.empty(size, 3, 64, 64, dtype=torch.uint8)
        self.claims = np.zeros((size, len(captions.FIELDS)), np.int64)

    def refresh(self, count: int) -> None:
        """Render the next `count` scenes of the training split into the oldest places."""
        index = np.arange(self.next, self.next + count)
        draws = Draws("train", self.seed, index)
        factors = draw_factors(draws, self.mixture)
        self.pixels[index % self.size] = render(draws, factors).pixels
        self.claims[index % self.size] = captions.claims(factors)
        self.next += count

    def weights(self, rho: float) -> np.ndarray:
        """Sampling probabilities that give birds the correlation rho, from a pool drawn at rho 0.5."""
        bird = self.claims[:, captions.FIELDS.index("kind")] == 0
        match = self.claims[:, captions.FIELDS.index("place")] == self.claims[:, 0]
        w = np.where(bird, np.where(match, rho, 1 - rho) * 2, 1.0)
        return w / w.sum()


def loss_of(image: Tensor, text: Tensor, scale: Tensor, true: Tensor) -> Tensor:
    """Symmetric CLIP loss with several true captions per image: targets are uniform over a batch's true pairs."""
    logits = scale * torch.nn.functional.normalize(image, dim=-1) @ torch.nn.functional.normalize(text, dim=-1).T
    rows = true / true.sum(1, keepdim=True)
    cols = true / true.sum(0, keepdim=True)
    return -((rows * logits.log_softmax(1)).sum(1).mean() + (cols * logits.log_softmax(0)).sum(0).mean()) / 2


class Trainer:
    """One run: model, optimiser, pool and position, all of which a checkpoint holds."""

    def __init__(
        self, out: Path, seed: int, stages: list[Stage], batch: int, pool: int, worst: tuple[float, float]
    ) -> None:
        self.out, self.seed, self.stages, self.batch, self.worst = out, seed, stages, batch, worst
        self.tokenizer = WordTokenizer(captions.vocabulary(), ARCHITECTURE["text_cfg"]["context_length"])
        torch.manual_seed(seed)
        self.clip = build(self.tokenizer.vocab_size)
        self.params = dict(self.clip.named_parameters())
        matrices = [p for p in self.params.values() if p.ndim > 1]
        vectors = [p for p in self.params.values() if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), foreach=True)
        self.pool = Pool(seed, pool, Mixture(birds=0.33))
        self.stage, self.step, self.seen, self.seconds = 0, 0, 0, 0.0
        self.curve: list[dict[str, Any]] = []
        self.commands: list[str] = []
        self.probe = Probe(self.tokenizer, seed=0)

    def train_step(self, stage: Stage) -> float:
        rng = np.random.default_rng([self.seed, self.stage, self.step])
        torch.manual_seed(int(rng.integers(2**62)))
        progress = self.step / stage.steps
        lr = stage.last_lr + (stage.lr - stage.last_lr) * 0.5 * (1 + math.cos(math.pi * progress))
        lr *= min(1.0, (self.step + 1) / 100)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        rows = rng.choice(self.pool.size, self.batch, p=self.pool.weights(stage.rho))
        claims = self.pool.claims[rows]
        said = captions.mention(claims, rng, stage.stress, stage.single)
        variants = rng.integers(12, size=self.batch)
        ids = self.tokenizer([captions.write(s, int(v)) for s, v in zip(said, variants, strict=True)])
        true = torch.from_numpy(captions.truth(said, claims)).float()
        pixels = ((self.pool.pixels[rows].float() / 255 - MEAN[0]) / STD[0]).bfloat16()
        image = fastclip.encode_image(self.params, pixels, stage.keep, stage.drop, stage.early)
        words = fastclip.encode_text(self.params, ids, torch.bfloat16)
        loss = loss_of(image, words, self.clip.logit_scale.exp(), true)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.params.values(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            self.clip.logit_scale.clamp_(max=math.log(100))
        self.step += 1
        self.seen += self.batch
        return loss.item()

    def run(self, fresh: int = 16, every: int = 200, save_every: float = 300.0) -> None:
        self.resume()
        self.commands.append(f"python -m toolkit.organism.train {_arguments()}  # from image {self.seen}")
        if not self.pool.next:
            print(f"rendering {self.pool.size} scenes", flush=True)
            self.pool.refresh(self.pool.size)
        saved = time.monotonic()
        while self.stage < len(self.stages):
            stage = self.stages[self.stage]
            last = self.stage == len(self.stages) - 1
            start, losses = time.monotonic(), []
            while self.step < stage.steps:
                losses.append(self.train_step(stage))
                if self.step % 16 == 0:
                    self.pool.refresh(16 * fresh)
                if self.step % (40 if last else every) == 0:
                    self.seconds += time.monotonic() - start
                    scores = self.probe(self.clip)
                    row = {"stage": stage.name, "step": self.step, "seen": self.seen} | scores
                    row["loss"] = round(float(np.mean(losses)), 4)
                    rate = len(losses) * self.batch / (time.monotonic() - start)
                    self.curve.append(row)
                    print(json.dumps(row), f"{rate:.0f} images/s", flush=True)
                    start, losses = time.monotonic(), []
                    if last and self.step >= stage.least and self.worst[0] <= scores["worst"] <= self.worst[1]:
                        break
                if time.monotonic() - saved > save_every:
                    self.save()
                    saved = time.monotonic()
            self.stage, self.step = self.stage + 1, 0
            self.save()
        self.export()

    def state(self) -> dict[str, Any]:
        position = {k: getattr(self, k) for k in POSITION}
        return {
            "clip": self.clip.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "next": self.pool.next,
            **position,
        }

    def save(self) -> None:
        """Write the checkpoint beside its place, then move it there: a kill never leaves a half-written one."""
        self.out.mkdir(parents=True, exist_ok=True)
        torch.save(self.state(), self.out / "checkpoint.tmp")
        (self.out / "checkpoint.tmp").replace(self.out / "checkpoint.pt")

    def resume(self) -> None:
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        self.clip.load_state_dict(state["clip"])
        self.optimizer.load_state_dict(state["optimizer"])
        for k in POSITION:
            setattr(self, k, state[k])
        self.pool.next = state["next"] - self.pool.size
        print(f"resuming at stage {self.stage}, step {self.step}: rendering the pool again", flush=True)
        self.pool.refresh(self.pool.size)

    def export(self) -> None:
        """Write model.safetensors (half precision), tokenizer.json and provenance.json."""
        from safetensors.torch import save_file

        tensors = {name: t.half().contiguous() for name, t in self.clip.state_dict().items()}
        save_file(tensors, self.out / "model.safetensors")
        self.tokenizer.save(self.out / "tokenizer.json")
        record = {
            "what": "the built-in model of clip-head-toolkit: trained from scratch on the built-in procedural scenes",
            "commands": self.commands,
            "seed": self.seed,
            "stages": [asdict(s) for s in self.stages],
            "batch": self.batch,
            "images_seen": self.seen,
            "distinct_scenes": self.pool.next,
            "training_seconds": round(self.seconds),
            "built_in": (
                "the direct path of MLPs (and of early attention) is dropped at random in the last stages: an "
                "engineered bias towards what head ablation needs, so this model is no evidence for that method"
            ),
            "selected_on": "validation split only: last stage stopped by the validation worst group",
            "parameters": sum(p.numel() for p in self.params.values()),
            "architecture": ARCHITECTURE,
            "preprocess": {"mean": MEAN, "std": STD, "size": 64},
            "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
            "validation_curve": self.curve,
        }
        (self.out / "provenance.json").write_text(json.dumps(record, indent=1))


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
    parser.add_argument("--pool", type=int, default=40_000, help="rendered scenes kept in memory (12 kB each)")
    parser.add_argument("--masked", type=int, default=4000, help="steps of the first stage")
    parser.add_argument("--balanced", type=int, default=2000)
    parser.add_argument("--mild", type=int, default=300)
    parser.add_argument("--shortcut", type=int, default=800, help="steps of the last stage at most")
    parser.add_argument("--words", type=int, default=0, help="steps of one more stage for the words learned last")
    parser.add_argument("--rho", type=float, default=0.98, help="correlation of the last stage")
    parser.add_argument(
        "--worst", type=float, nargs=2, default=(0.40, 0.50), help="validation worst group that ends it"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    stages = [
        Stage("masked", a.masked, 0.5, 1.5e-3, 1e-3, keep=0.5, single=0.2),
        Stage("balanced", a.balanced, 0.5, 1e-3, 3e-5, stress=1.7, single=0.25),
        Stage("mild", a.mild, 0.75, 5e-4, 3e-4, drop=0.85),
        Stage("shortcut", a.shortcut, a.rho, 3e-4, 5e-5, drop=0.9, early=2),
    ]
    if a.words:
        stages.append(Stage("words", a.words, a.rho, 1e-3, 5e-5, stress=2.0, single=0.5, drop=0.9, early=2, least=420))
    Trainer(a.out, a.seed, stages, a.batch, a.pool, tuple(a.worst)).run()


if __name__ == "__main__":
    main()
