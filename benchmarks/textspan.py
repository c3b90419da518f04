"""TextSpan for every head of an L/14, against the literal algorithm on images × heads × d; and what the labels are
worth in the built-in world.

`toolkit bench textspan [--json]`. The shape is an L/14's (24 × 16 heads of 64, d = 768, 3,500 texts, 60 texts a head);
mixes, maps and texts are random, correlated and unevenly large. Ratios are of one run.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import torch

LAYERS, HEADS, DIM, WIDTH = 24, 16, 64, 768
TEXTS, SIZE = 3500, 60
BUDGET = {"all_heads_seconds": 2.0, "cold_seconds": 5.0, "one_head_ms": 50.0}
ROLE = 0.4
"""η² from which a head counts as having a true factor."""


def literal(c: torch.Tensor, texts: torch.Tensor, size: int) -> list[int]:
    """G24 alg. 1 as written, one head's contributions [images, d]; float64 as it stands."""
    _, s, v = torch.linalg.svd(c, full_matrices=False)
    v = v[s > 1e-6 * s[0]]
    r, c, found = texts @ v.T @ v, c - c.mean(0), []
    for _ in range(min(size, len(v))):
        j = int((c @ r.T).std(0).argmax())
        t = r[j] / r[j].norm()
        c, r = c - torch.outer(c @ t, t), r - torch.outer(r @ t, t)
        found.append(j)
    return found


def world(heads: int, images: int, texts: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """mixes [images, heads, k], maps [heads, k, d], unit texts [t, d], float32."""
    rng = torch.Generator().manual_seed(seed)
    spectrum = torch.linspace(1, 0.02, DIM)
    mixes = torch.randn(images, heads, DIM, generator=rng) * spectrum + 0.3
    maps = torch.randn(heads, DIM, WIDTH, generator=rng) / WIDTH**0.5
    correlated = torch.randn(texts, 200, generator=rng) @ torch.randn(200, WIDTH, generator=rng)
    shared = 8 * torch.randn(1, WIDTH, generator=rng)
    return mixes, maps, torch.nn.functional.normalize(correlated + shared, dim=1)


def moments(mixes: torch.Tensor) -> Any:
    """Of the mixes themselves, a few heads at a time."""
    from toolkit.core.moments import HeadMoments

    means, scatters = [], []
    for some in mixes.split(16, 1):
        q = some.double().transpose(0, 1)
        mean = q.mean(1)
        means.append(mean)
        scatters.append((q - mean[:, None]).mT @ (q - mean[:, None]))
    return HeadMoments(len(mixes), torch.cat(means), torch.cat(scatters))


def seconds(run: Any) -> float:
    start = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(heads: int, images: int, texts: int, rounds: int, device: str) -> dict[str, Any]:
    """Every head with the bank projected, cold (bases, projection and all), and one head with an edited bank."""
    from toolkit.core.pursuit import chosen, pursue
    from toolkit.core.spans import span_basis

    mixes, maps, bank = world(heads, images, texts)
    found = moments(mixes)
    found = type(found)(found.count, found.mean.to(device), found.scatter.to(device))
    maps, bank = maps.to(device), bank.to(device)
    basis = span_basis(found, maps)
    projected = basis.project(bank)
    edited = torch.cat([bank[5:], -bank[:5]])
    warm = [seconds(lambda: chosen(basis, projected, bank, SIZE)) for _ in range(rounds)]
    cold = [seconds(lambda: pursue(span_basis(found, maps), bank, SIZE)) for _ in range(rounds)]
    one = [seconds(lambda: pursue(basis[:1], edited, SIZE)) for _ in range(max(5, rounds))]
    return {
        "heads": heads, "texts": texts, "picks": SIZE,
        "all_heads_seconds": round(statistics.median(warm), 3), "all_heads_best": round(min(warm), 3),
        "cold_seconds": round(statistics.median(cold), 3), "cold_best": round(min(cold), 3),
        "one_head_ms": round(1000 * statistics.median(one), 1),
    }  # fmt: skip


def against_literal(images: list[int], texts: int, size: int, device: str) -> list[dict[str, Any]]:
    """One head, more and more images: seconds of both, their ratio, and whether the picks agree."""
    from toolkit.core.pursuit import pursue
    from toolkit.core.spans import span_basis

    rows = []
    for n in images:
        mixes, maps, bank = world(1, n, texts)
        mixes, maps, bank = mixes.to(device), maps.to(device), bank.to(device)
        picks: dict[str, Any] = {}

        def ours(mixes: Any = mixes, maps: Any = maps, bank: Any = bank, picks: Any = picks) -> None:
            picks["ours"] = pursue(span_basis(moments(mixes), maps), bank, size).index[0].tolist()

        def theirs(mixes: Any = mixes, maps: Any = maps, bank: Any = bank, picks: Any = picks) -> None:
            picks["theirs"] = literal(mixes[:, 0].double() @ maps[0].double(), bank.double(), size)

        ours()
        fast, slow = statistics.median(seconds(ours) for _ in range(3)), seconds(theirs)
        row = {
            "images": n,
            "seconds": round(fast, 4),
            "literal_seconds": round(slow, 3),
            "ratio": float(f"{slow / fast:.3g}"),
        }
        rows.append(row | {"same_picks": picks["ours"] == picks["theirs"]})
    return rows


def labels(n: int, seed: int) -> dict[str, Any]:
    """In the built-in world: heads whose true factor is clear (η² ≥ ROLE), and whether their texts name it."""
    import toolkit as tk

    data = tk.scenes("test", n=n, seed=seed, kind="factorial")
    acts = tk.extract(tk.load(), data, progress=False)
    names = ["class", "background", "colour", "texture", "count", "size", "position", "light", "weather", "style"]
    roles = tk.head_roles(acts.parts(), data.factors[names])
    said = tk.textspan(acts, "world", size=10, layers=None).specialisation()
    clear = [(head, factor, share) for head, factor, share in roles.leading() if share >= ROLE]
    factors = np.array(tk.bank("world").factors)
    chance = float(np.mean([np.mean(factors == factor) for _, factor, _ in clear])) if clear else float("nan")
    return {
        "n": n, "seed": seed, "heads_with_a_true_factor": len(clear), "eta2_from": ROLE,
        "first_text_agrees": sum(said.loc[h, "its factor"] == f for h, f, _ in clear),
        "leading_factor_agrees": sum(said.loc[h, "factor"] == f for h, f, _ in clear),
        "chance": round(chance, 3),
        "heads": [
            {"head": h, "true": f, "eta2": round(s, 2), "first_text": said.loc[h, "first text"],
             "leading": said.loc[h, "factor"]} for h, f, s in clear
        ],
    }  # fmt: skip


def run(quick: bool = False, seed: int = 9173) -> dict[str, Any]:
    """The whole benchmark; `quick` measures small shapes once, for the tests. seed: of the labels' test scenes."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shape = (4, 64, 300, 1) if quick else (LAYERS * HEADS, 2000, TEXTS, 5)
    grown = against_literal(
        [100] if quick else [500, 2000, 8000], 300 if quick else TEXTS, 5 if quick else SIZE, device
    )
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads",
        "budget": BUDGET,
        **measure(*shape, device),
        "literal": grown,
        "literal_ratio": grown[-1]["ratio"],
        "labels": labels(120 if quick else 3000, seed),
    }


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    b, labelled = result["budget"], result["labels"]
    lines = [
        f"TextSpan on {result['device']}: {result['heads']} heads, {result['texts']} texts, {result['picks']} picks",
        f"  bank projected: {result['all_heads_seconds']} s (best {result['all_heads_best']}; budget"
        f" {b['all_heads_seconds']})",
        f"  cold: {result['cold_seconds']} s (best {result['cold_best']}; budget {b['cold_seconds']})",
        f"  one head with an edited bank: {result['one_head_ms']} ms (budget {b['one_head_ms']})",
    ]
    lines += [
        f"  one head, {row['images']} images: {1000 * row['seconds']:.0f} ms, literal {row['literal_seconds']:.2f} s,"
        f" ratio {row['ratio']}, same picks: {row['same_picks']}"
        for row in result["literal"]
    ]
    lines.append(
        f"built-in world, test seed {labelled['seed']}, n = {labelled['n']}: of"
        f" {labelled['heads_with_a_true_factor']} heads with a true factor (η² ≥ {labelled['eta2_from']}) the first"
        f" text names it in {labelled['first_text_agrees']}, the leading factor of ten texts in"
        f" {labelled['leading_factor_agrees']}; chance {labelled['chance']:.0%}"
    )
    lines += [
        f"    {h['head']}: {h['true']} ({h['eta2']:.2f}) — {h['first_text']!r}, {h['leading']}"
        for h in labelled["heads"]
    ]
    return "\n".join([*lines, "The built-in world demonstrates the tool; it is no evidence for the method."])
