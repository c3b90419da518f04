"""The memory every verb takes, on parts in an L/14's shape: 5,000, 20,000, 50,000 images × 20 and 1,000 classes, read
from disk and in memory.

`toolkit bench memory [--json]`. Some half an hour and 3 GB of disk. What is measured and what is allowed for, verbs.py
says. Parts are random numbers: this is about size, not about any method.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import verbs

BUDGET = 500_000_000
"""Bytes above the model, the embeddings and the logits that are kept."""


def run(quick: bool = False) -> dict[str, Any]:
    """The whole benchmark; `quick` is one verb on few images, for the tests."""
    asked = ["ablate"] if quick else list(verbs.VERBS)
    sizes, classes = ((400,), (20,)) if quick else (verbs.SIZES, verbs.CLASSES)
    return {
        "device": f"cpu, {os.cpu_count()} cores", "budget": BUDGET, "sizes": sizes, "classes": classes,
        "rows": verbs.everything(sizes, classes, asked),
    }  # fmt: skip


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    sizes, rows = result["sizes"], result["rows"]
    lines = [f"Peak in MB above the parts, the embeddings and the logits kept; {result['device']}. Images: {sizes}"]
    for classes in result["classes"]:
        for memory in (False, True):
            lines.append(f"\n{classes} classes, parts {'in memory' if memory else 'on disk'}")
            own = [row for row in rows if row["classes"] == classes and row["in memory"] is memory]
            for verb in dict.fromkeys(row["verb"] for row in own):
                cells = [row for row in own if row["verb"] == verb]
                lines.append(f"  {verb:22}" + "".join(f"{_cell(row):>16}" for row in cells))
    over = [row for row in rows if row.get("peak", 0) > result["budget"]]
    failed = [row for row in rows if "failed" in row]
    lines.append(f"\n{len(over)} of {len(rows)} above {result['budget'] / 1e6:.0f} MB, {len(failed)} failed")
    lines += [f"  {row['verb']}, {row['images']:,} images: {row['failed']}" for row in failed]
    return "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    if "failed" in row:
        return "failed"
    mapped = f" +{row['mapped'] / 1e6:.0f}" if row["mapped"] > 50e6 else ""
    return f"{row['peak'] / 1e6:.0f}{mapped}"
