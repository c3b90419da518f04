"""Decomposing against plain encode_image, in one run: images per second, bytes per image, peak memory; then extraction
of image files to a store against decoding and encoding them.

`toolkit bench decompose [--json]`. Random weights of real shapes; pairs of plain and captured forwards alternate, and
the ratio is the median over pairs, so that a machine whose speed drifts does not decide it.
"""

from __future__ import annotations

import logging
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

SHAPES = {"ViT-B-32": 16, "ViT-B-16": 8, "ViT-L-14": 4, "EVA02-B-16": 4, "ViT-B-16-SigLIP": 4}
ON_A_GPU = ("ViT-B-16", "ViT-L-14", "ViT-H-14")
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
BUDGET = 1.05


def build(name: str, device: str) -> Any:
    """A model of this shape with random weights."""
    import open_clip

    logging.disable(logging.WARNING)  # open_clip warns that weights are random; here they are meant to be
    torch.manual_seed(0)
    return open_clip.create_model(name, pretrained_text=False).eval().to(device)


def measure(name: str, batch: int | None, pairs: int, device: str, precision: str = "fp32") -> dict[str, Any]:
    """Rates, their ratio pair by pair, what an image's parts take, and what a reduced precision costs: the error of the
    sum, and the relative distance of the embeddings from those in float32. batch: None for what fits the device.
    """
    import toolkit as tk
    from toolkit.models.batch import best_batch

    clip = build(name, device)
    exact = tk.wrap(clip)
    probe = torch.randn(4, 3, *exact.card.image_size, device=device)
    truth = exact.encode_image(probe)
    clip = clip.to(PRECISIONS[precision])
    model = tk.wrap(clip, name=name)
    off = (model.encode_image(probe) - truth).norm(dim=-1) / truth.norm(dim=-1)
    batch = batch or best_batch(model)
    images = torch.randn(batch, 3, *model.card.image_size, device=device, dtype=PRECISIONS[precision])

    def plain() -> None:
        with torch.no_grad():
            clip.encode_image(images)

    def whole() -> None:
        tk.decompose(model, images, batch_size=batch)

    def timed(run: Any) -> float:
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    plain()
    parts = tk.decompose(model, images[:64])
    times = []
    for i in range(pairs):
        order = (plain, whole) if i % 2 == 0 else (whole, plain)
        a, b = timed(order[0]), timed(order[1])
        times.append((a, b) if i % 2 == 0 else (b, a))
    ratios = sorted(captured / plain_ for plain_, captured in times)
    card = model.card
    return {
        "precision": precision,
        "embedding_error": float(off.max()),
        "batch": batch,
        "pairs": pairs,
        "plain_images_per_s": round(batch / statistics.median(t[0] for t in times), 2),
        "decompose_images_per_s": round(batch / statistics.median(t[1] for t in times), 2),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_quartiles": [round(ratios[len(ratios) // 4], 3), round(ratios[(3 * len(ratios)) // 4], 3)],
        "sum_error": parts.error,
        "mix_bytes_float32": card.layers * card.heads * card.head_dim * 4,
        "mix_bytes_float16": card.layers * card.heads * card.head_dim * 2,
        "parts_bytes": sum(t.nbytes for f in fields(parts) if isinstance(t := getattr(parts, f.name), torch.Tensor))
        // len(parts.embedding),
    }


def measure_store(name: str, images: int, batch: int, rounds: int, device: str) -> dict[str, Any]:
    """Extracting JPEG files to a store, against decoding them in the same threads and encoding them plainly."""
    import numpy as np
    from PIL import Image

    import toolkit as tk
    from toolkit.store.feed import Feed

    model = tk.wrap(build(name, device), name=name)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "images"
        folder.mkdir()
        for i in range(images):
            coarse = Image.fromarray(rng.integers(0, 255, (24, 32, 3), np.uint8))
            coarse.resize((640, 480), Image.Resampling.BICUBIC).save(folder / f"{i:03}.jpg", quality=90)
        data = tk.image_folder(folder)

        def plain(turn: int) -> None:
            with Feed(model, data) as feed, torch.no_grad():
                for some in feed.batches(range(images), batch):
                    model.clip.encode_image(some.pixels.to(device))

        def extract(turn: int) -> None:
            tk.extract(model, data, Path(place) / f"{turn}.zarr", batch_size=batch, progress=False)

        def timed(run: Any, turn: int) -> tuple[float, float]:
            start, work = time.perf_counter(), time.process_time()
            run(turn)
            return time.perf_counter() - start, time.process_time() - work

        plain(0)
        times, work = [], []
        for turn in range(rounds):
            order = (plain, extract) if turn % 2 == 0 else (extract, plain)
            pair = [timed(run, turn) for run in order]
            (a, a_work), (b, b_work) = pair if turn % 2 == 0 else pair[::-1]
            times.append((a, b))
            work.append(b_work / a_work)
        stored = sum(p.stat().st_size for p in (Path(place) / "0.zarr").rglob("*") if p.is_file())
        once = [Path(place) / "0.zarr" / part for part in ("readout", "moments")]
        fixed = sum(p.stat().st_size for folder in once for p in folder.rglob("*") if p.is_file())
    return {
        "images": images,
        "rounds": rounds,
        "plain_images_per_s": round(images / statistics.median(t[0] for t in times), 2),
        "extract_images_per_s": round(images / statistics.median(t[1] for t in times), 2),
        "ratio": round(statistics.median(b / a for a, b in times), 3),
        "ratios": [round(b / a, 3) for a, b in times],
        "cpu_time_ratio": round(statistics.median(work), 3),
        "store_bytes_an_image": (stored - fixed) // images,
        "store_bytes_fixed": fixed,
    }


def peak_memory(name: str, batch: int, kind: str) -> int:
    """Peak resident bytes of a fresh process that runs one kind of forward; CUDA is not used."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import decompose; decompose.run_once(*sys.argv[2:4],"
        " int(sys.argv[4]))"
    )
    folder = __file__.rsplit("/", 1)[0]
    done = subprocess.run(
        [sys.executable, "-c", code, folder, name, kind, str(batch)], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])


def run_once(name: str, kind: str, batch: int) -> None:
    """Three forwards of one kind, then print this process's peak memory in bytes."""
    import toolkit as tk

    clip = build(name, "cpu")
    model = tk.wrap(clip, name=name)
    images = torch.randn(batch, 3, *model.card.image_size)
    for _ in range(3):
        if kind == "plain":
            with torch.no_grad():
                clip.encode_image(images)
        else:
            tk.decompose(model, images, batch_size=batch)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def run(quick: bool = False) -> dict[str, Any]:
    """The whole benchmark; `quick` measures the smallest shape a few times, for the tests."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shapes = {"ViT-B-32": 2} if quick else SHAPES
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads",
        "budget_ratio": BUDGET,
        "shapes": {},
    }
    if device == "cuda":
        for name in shapes if quick else ON_A_GPU:
            for precision in PRECISIONS:
                found = measure(name, 2 if quick else None, 2 if quick else 15, device, precision)
                result["shapes"][f"{name} {precision}"] = found
        shapes = {}
    for name, batch in shapes.items():
        row = measure(name, batch, 2 if quick else 15, device)
        if not quick:
            row |= {f"peak_memory_{kind}": peak_memory(name, batch, kind) for kind in ("plain", "decompose")}
        result["shapes"][name] = row
    name, images, rounds = ("ViT-B-32", 8, 1) if quick else ("ViT-B-32", 192, 5)
    result["store"] = {"shape": name, **measure_store(name, images, 32, rounds, device)}
    return result


def report(result: dict[str, Any]) -> str:
    """The result as a table in words."""
    lines = [
        f"decompose against plain encode_image on {result['device']} (random weights; budget ≤"
        f" {result['budget_ratio']} ×)"
    ]
    for name, r in result["shapes"].items():
        low, high = r["ratio_quartiles"]
        lines.append(
            f"  {name:15} batch {r['batch']:2}: plain {r['plain_images_per_s']:6.2f} images/s, decompose"
            f" {r['decompose_images_per_s']:6.2f}, ratio {r['ratio']:.3f} (quartiles {low:.3f}–{high:.3f}, {r['pairs']}"
            f" pairs), sum of parts to {r['sum_error']:.1e}"
            + (f", embeddings off by {r['embedding_error']:.1e}" if r["precision"] != "fp32" else "")
        )
        peaks = [f"{r[k] / 1e6:.0f} MB {k.rsplit('_', 1)[1]}" for k in r if k.startswith("peak_")]
        memory = f"; peak memory of a CPU process: {', '.join(peaks)}" if peaks else ""
        lines.append(
            f"            {r['mix_bytes_float32'] / 1000:.0f} kB of mixes an image"
            f" ({r['parts_bytes'] / 1000:.0f} kB all parts in float32){memory}"
        )
    s = result["store"]
    lines.append(
        f"extraction of {s['images']} JPEG files to a store, {s['shape']}: decode and encode plainly"
        f" {s['plain_images_per_s']} images/s, extract {s['extract_images_per_s']}, ratio {s['ratio']:.3f}"
        f" ({s['rounds']} pairs: {', '.join(map(str, s['ratios']))}), in processor time"
        f" {s['cpu_time_ratio']:.3f};"
        f" {s['store_bytes_an_image'] / 1000:.0f} kB an image, {s['store_bytes_fixed'] / 1e6:.1f} MB once"
    )
    return "\n".join(lines)
