"""How fast a new text becomes a map; and maps graded where the truth is known: every method, on the model as it is,
without its located heads, and edited.

`toolkit bench maps [--seed N] [--json]`. Birds of the test split, on which nothing is chosen; heads are located and the
edit is made on the edit split. Ratios are of one run. The built-in world demonstrates the toolkit; it is no evidence
for a method.
"""

from __future__ import annotations

import statistics
import time
import warnings
from typing import Any

import numpy as np
import open_clip
import torch

import toolkit as tk
from toolkit.api.where.localisation import enlarged, framed_masks
from toolkit.api.where.map_methods import METHODS
from toolkit.core.localise import Localised, joined, localise

SHAPES = ("ViT-B-16", "ViT-L-14")
BUDGET_MS, ROUNDS = 50.0, 7
LOCATED, FAITHFUL, STEPS, FRACTIONS, DRAWS = 400, 128, 8, (0.3, 0.6), 2
RANDOM, PERMUTED = "random map", "permuted weights"
QUESTIONS = ("object", "cue")
REPLICATES = 2000


def text_ms(model: Any, image: Any, texts: list[str]) -> dict[str, float]:
    """From a text nobody has asked yet to a map of an image already traced; and of that, the contraction alone."""
    images = image if isinstance(image, torch.Tensor) else [image.image]
    traced = tk.trace_tokens(model, image)
    trace, plain = [], []
    for _ in range(ROUNDS):  # in turn: these machines drift
        for found, work in (
            (trace, lambda: tk.trace_tokens(model, image)),
            (plain, lambda: model.encode_image(images)),
        ):
            started = time.perf_counter()
            work()
            found.append(1e3 * (time.perf_counter() - started))
    whole, alone = [], []
    vectors = model.encode_text(texts)
    traced.map(texts[0])
    for text, vector in zip(texts[1:], vectors[1:], strict=True):
        started = time.perf_counter()
        traced.map(text)
        whole.append(1e3 * (time.perf_counter() - started))
        started = time.perf_counter()
        traced.map(vector)
        alone.append(1e3 * (time.perf_counter() - started))
    return {
        "text_ms": statistics.median(whole), "text_ms_p95": float(np.quantile(whole, 0.95)),
        "contract_ms": statistics.median(alone), "trace_ms": statistics.median(trace),
        "plain_ms": statistics.median(plain),
    }  # fmt: skip


def speeds(quick: bool) -> dict[str, Any]:
    """text_ms of the built-in model, and of random models of real shapes."""
    words = [f"{colour} {name}" for colour in ("a red", "a blue", "a green", "a white", "a black")
             for name in ("cat", "bird", "boat", "flower", "house")]  # fmt: skip
    found = {"built-in": text_ms(tk.load(), tk.scenes("test", 1)[0], words)}
    for name in SHAPES[: 0 if quick else None]:
        torch.manual_seed(0)
        model = tk.wrap(open_clip.create_model(name).eval())
        image = torch.randn(1, 3, *model.card.image_size)
        found[name] = text_ms(model, image, words[:12])
    return found


class Judged:
    """Test birds, their masks, and for every question the images of each target: the class against the other bird
    ("object"), and the background there against the other one ("cue").
    """

    def __init__(self, n: int, seed: int) -> None:
        self.data = tk.scenes("test", n, seed, kind="birds")
        self.masks = self.data.masks()[0]
        groups = self.data.groups.astype(str)
        self.classes = tk.classes(sorted(set(tk.scenes("val", 600).labels)))
        birds = tk.classes(["waterbird", "landbird"])
        kinds = (("water", "land"), ("land", "water"))
        self.rows = {
            "object": [(np.flatnonzero(self.data.labels == name), name, birds) for name in birds],
            "cue": [(np.flatnonzero(np.char.endswith(groups, a)), a, b) for a, b in kinds],
        }

    def truth(self, question: str, rows: Any) -> torch.Tensor:
        """What the question is about: the object's pixels, or the background's."""
        return self.masks[rows] if question == "object" else ~self.masks[rows]


def models(seed: int, classes: Any) -> tuple[dict[str, Any], str]:
    """The model as it is, without the heads located on ten birds a class (chosen by validation birds), and edited."""
    model = tk.load()
    few = tk.extract(model, tk.scenes("edit", 200, seed, kind="birds"), progress=False).draw(per_class=10)
    validation = tk.extract(model, tk.scenes("val", 240, seed, kind="birds"), progress=False)
    heads = tk.locate(few, classes, resamples=1).choose(validation=validation)
    edit = tk.edit(few, classes, heads)
    return {"base": model, "ablated": tk.fold_ablation(model, heads), "edited": edit.fold(model)}, str(heads)


def located(model: Any, judged: Judged, question: str, method: str, seed: int) -> Localised:
    """A method's maps against the truth, image by image in the order of the targets."""
    parts = []
    for rows, text, against in judged.rows[question]:
        data, truth = judged.data.take(rows.tolist()), judged.truth(question, rows)
        if method == RANDOM:
            values = np.random.default_rng(seed + len(parts)).standard_normal((len(rows), *model.card.grid))
        else:
            values = tk.explain(model, data, text, against, method=method).values
        frames = [model.images([data[0].image], "bench").frame(0)] * len(rows)
        framed = framed_masks(truth, frames, "aligned", "bench")
        parts.append(localise(enlarged(values, framed), framed))
    return joined(parts)


def faithful(models_: dict[str, Any], judged: Judged, question: str, state: str, n: int, seed: int) -> dict[str, Any]:
    """By map: insertion, deletion, ROAD per image, of the model of that state; on the base model also the methods' maps
    of a model with permuted weights.
    """
    model, found = models_[state], dict[str, dict[str, list[np.ndarray]]]()
    shuffled = tk.permuted(model, seed) if state == "base" else None
    for rows, text, against in judged.rows[question]:
        data = judged.data.take(rows[: n // 2].tolist())
        maps = {name: tk.explain(model, data, text, against, method=name) for name in METHODS}
        if shuffled is not None:
            maps |= {f"{name}, {PERMUTED}": tk.explain(shuffled, data, text, against, method=name)
                     for name in ("token map", "Grad-CAM")}  # fmt: skip
        made = tk.faithfulness(
            model, data, maps, steps=STEPS, fractions=FRACTIONS, draws=DRAWS, seed=seed, progress=False
        )
        for measure in ("deletion", "insertion", "road"):
            for name, values in getattr(made, measure).items():
                found.setdefault(name, {}).setdefault(measure, []).append(values)
    return {name: {m: np.concatenate(v) for m, v in cells.items()} for name, cells in found.items()}


def against_random(values: np.ndarray, control: np.ndarray, sign: int, seed: int) -> dict[str, Any]:
    """Mean, gain over the control with its 95 % interval (paired bootstrap over images), and the verdict."""
    gain = sign * (values - control)
    gain = gain[np.isfinite(gain)]
    rows = np.random.default_rng(seed).integers(0, len(gain), (REPLICATES, len(gain)))
    low, high = np.quantile(gain[rows].mean(1), [0.025, 0.975])
    return {
        "mean": round(float(np.nanmean(values)), 4), "gain": round(float(gain.mean()), 4), "low": round(float(low), 4),
        "high": round(float(high), 4), "beats_random": bool(low > 0), "n": len(gain),
    }  # fmt: skip


def graded(quick: bool, seed: int) -> dict[str, Any]:
    """The table: question × model × method."""
    judged = Judged(12 if quick else LOCATED, seed)
    n = 4 if quick else FAITHFUL
    made, heads = models(seed, judged.classes)
    table: dict[str, Any] = {}
    for question in QUESTIONS:
        for state in list(made)[: 1 if quick else None]:
            control = located(made[state], judged, question, RANDOM, seed)
            trust = faithful(made, judged, question, state, n, seed)
            rows: dict[str, Any] = {}
            for name in trust:
                cells = {
                    m: against_random(v, trust["random order"][m], -1 if m == "deletion" else 1, seed)
                    for m, v in trust[name].items()
                }
                if name in METHODS:
                    one = located(made[state], judged, question, name, seed)
                    cells["localises"] = against_random(
                        one.foreground_ap.numpy(), control.foreground_ap.numpy(), 1, seed
                    )
                    cells |= {"pixel_accuracy": round(one.pixel_accuracy, 4), "miou": round(one.miou, 4),
                              "mean_ap": round(one.mean_ap, 4), "pointing": round(one.mean_pointing, 4)}  # fmt: skip
                rows[name] = cells
            rows[RANDOM] = {"localises": {"mean": round(control.mean_foreground_ap, 4)}} | {
                name: round(getattr(control, of), 4)
                for name, of in (("pixel_accuracy", "pixel_accuracy"), ("miou", "miou"), ("mean_ap", "mean_ap"),
                                 ("pointing", "mean_pointing"), ("base_rate", "mean_base_rate"))
            }  # fmt: skip
            table.setdefault(question, {})[state] = rows
    data = judged.data.take(range(min(len(judged.data), 200)))
    maps = {name: tk.explain(made["base"], data, "water", "land", method=name) for name in METHODS}
    return {
        "table": table, "heads": heads, "n_located": len(judged.data), "n_faithful": n,
        "agreement": tk.agreement(maps).round(3).to_dict(), "fingerprint": made["base"].card.fingerprint,
    }  # fmt: skip


def run(quick: bool = False, seed: int = 9173) -> dict[str, Any]:
    """The whole benchmark; `quick` takes few of everything, for the tests. seed: of the test scenes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = speeds(quick)
        return {
            "text_ms": found["built-in"]["text_ms"], "budget_ms": BUDGET_MS, "speeds": found, "seed": seed,
            "split": "test", "threads": torch.get_num_threads(), "device": "cpu", "steps": STEPS,
            "fractions": FRACTIONS, "graded": graded(quick, seed),
        }  # fmt: skip


def cell(value: dict[str, Any] | None, digits: int = 3) -> str:
    """A mean, and whether it beats random."""
    if value is None:
        return "–"
    sign = "" if value.get("beats_random", True) else " ✗"
    return f"{value['mean']:.{digits}f}".replace("-", "−") + sign


def table(result: dict[str, Any], question: str) -> str:
    """One question as a Markdown table; ✗: no better than random (95 %, paired bootstrap over images)."""
    head = ("model", "map", "finds it (AP)", "pointing", "mIoU", "deletion ↓", "insertion ↑", "ROAD ↑")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for state, rows in result["graded"]["table"][question].items():
        for name, row in rows.items():
            control = name in ("random order", "constant map", RANDOM)
            marks = [row.get(k) for k in ("localises", "deletion", "insertion", "road")]
            if control:
                marks = [None if m is None else {"mean": m["mean"]} for m in marks]
            shown = [cell(marks[0]), *(f"{row[k]:.3f}" if k in row else "–" for k in ("pointing", "miou")),
                     *(cell(m, 4) for m in marks[1:])]  # fmt: skip
            lines.append(f"| {state} | {name} | {' | '.join(shown)} |")
    return "\n".join(lines)


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    lines = []
    for name, row in result["speeds"].items():
        lines.append(
            f"{name}: a new text to a map {row['text_ms']:.1f} ms (95 %: {row['text_ms_p95']:.1f}; budget"
            f" {result['budget_ms']:.0f}), of which the map {row['contract_ms']:.1f}; traced once in"
            f" {row['trace_ms']:.0f} ms (a plain forward: {row['plain_ms']:.0f})"
        )
    g = result["graded"]
    lines += [
        f"{result['threads']} threads, {result['device']}", "",
        f"built-in model {g['fingerprint'][:12]}, test seed {result['seed']}, birds: n = {g['n_located']} located,"
        f" {g['n_faithful']} faithful; ablated: without {g['heads']} (total effect); ✗: no better than random",
    ]  # fmt: skip
    words = {
        "object": "What tells the bird from the other one? Its class against the other's; truth: the bird's pixels.",
        "cue": "Where is the background? Water against land, or land against water, as it is; truth: all but the bird.",
    }
    for question in g["table"]:
        lines += ["", words[question], "", table(result, question)]
    return "\n".join([*lines, "", "The built-in world demonstrates the toolkit; it is no evidence."])
