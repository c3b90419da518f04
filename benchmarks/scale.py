"""Seconds and bytes read of every verb, of the first paint and of clicks, and how they grow: 5,000, 20,000 and 50,000
images × 20 and 1,000 classes, on parts in an L/14's shape, read from disk and in memory.

`toolkit bench scale [--json]`. Some half an hour and 3 GB of disk. The growth is the power of the number of images that
the seconds go with, between the smallest and the largest. Parts are random numbers, the explorer's model an L/14 with
random weights: this is about size, not about any method.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import verbs


def run(quick: bool = False) -> dict[str, Any]:
    """The whole benchmark; `quick` has few images, for the tests."""
    asked, places = [*verbs.VERBS, *verbs.READY], (False,) if quick else (False, True)
    sizes, classes = ((600,), (20,)) if quick else (verbs.SIZES, verbs.CLASSES)
    return {
        "device": f"cpu, {os.cpu_count()} cores", "sizes": sizes, "classes": classes,
        "rows": verbs.everything(sizes, classes, asked, places),
    }  # fmt: skip


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    lines = [f"Seconds (MB read from files), and the growth; {result['device']}. Images: {result['sizes']}"]
    for classes in result["classes"]:
        for memory in (False, True):
            lines.append(f"\n{classes} classes, parts {'in memory' if memory else 'on disk'}")
            own = [row for row in result["rows"] if row["classes"] == classes and row["in memory"] is memory]
            for verb in dict.fromkeys(row["verb"] for row in own):
                cells = [row for row in own if row["verb"] == verb]
                words = "".join(f"{_cell(row):>18}" for row in cells)
                lines.append(f"  {verb:22}{words}{growth(cells):>8}")
    return "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    if "failed" in row:
        return "failed"
    return f"{row['seconds']:.2f} ({row['read'] / 1e6:.0f})"


def growth(rows: list[dict[str, Any]]) -> str:
    """The power of the number of images that the seconds go with."""
    known = [row for row in rows if row.get("seconds")]
    if len(known) < 2:
        return "–"
    first, last = known[0], known[-1]
    power = math.log(last["seconds"] / first["seconds"]) / math.log(last["images"] / first["images"])
    return f"n^{power:.1f}"
