"""From a slider to the painted result: EditLab in a real JupyterLab, both its edits really solved at every move.

`toolkit bench slider [--json]`. Needs the test extra and Chromium (TOOLKIT_BROWSER, or `make test`'s search for one).
One move at a time: the input event → the frame that shows groups, plane and measures of that α. Then a drag of three
seconds: how often something was painted, and how long after the last move its value stood there.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import browser

BUDGET = {"median_ms": 60.0, "settle_ms": 300.0}
SETUP = """
import toolkit as tk
model = tk.load()
few = tk.extract(model, tk.scenes("edit", 200, 5, kind="birds"), progress=False).draw(10)
val = tk.extract(model, tk.scenes("val", {n}, 5), progress=False)
lab = tk.EditLab(few, tk.classes(sorted(set(val.labels))), "L3.H7 L3.H5 L3.H4 L2.H2", held_out=val)
"""
WATCH = """() => {
  const root = document.querySelector(".tked");
  const groups = root.querySelector(".tkl-groups");
  const slider = root.querySelector("input[type=range]");
  Object.assign(window, { waited: [], paints: [], since: null });
  slider.addEventListener("input", (event) => { window.since = event.timeStamp; }, true);
  new MutationObserver(() => {
    if (window.since === null || groups.classList.contains("tk-stale")) return;
    const start = window.since;
    window.since = null;
    requestAnimationFrame(() => setTimeout(() => {
      window.paints.push(performance.now());
      window.waited.push(performance.now() - start);
    }));
  }).observe(root, { attributes: true, attributeFilter: ["data-seq"] });
}"""


def moves(page: Any, box: dict[str, float], count: int) -> list[float]:
    """Milliseconds of single moves, one at a time."""
    y = box["y"] + box["height"] / 2
    x = box["x"] + 0.15 * box["width"]
    page.mouse.move(x, y)
    page.mouse.down()
    for i in range(count):
        seen = page.evaluate("() => window.waited.length")
        page.mouse.move(x + 3 + (i * 37) % int(0.7 * box["width"]), y)
        page.wait_for_function(f"() => window.waited.length > {seen}", timeout=20_000)
        page.wait_for_timeout(60)
    page.mouse.up()
    return [float(v) for v in page.evaluate("() => window.waited")][1:]


def drag(page: Any, box: dict[str, float], seconds: float) -> dict[str, Any]:
    """A drag of so many seconds: moves, paints of a value that was current, and milliseconds until the last stood."""
    y, x = box["y"] + box["height"] / 2, box["x"] + 0.15 * box["width"]
    page.evaluate("() => { window.waited = []; window.paints = []; }")
    page.mouse.move(x, y)
    page.mouse.down()
    start, count = time.monotonic(), 0
    while (gone := time.monotonic() - start) < seconds:
        page.mouse.move(x + 0.7 * box["width"] * gone / seconds, y)
        count += 1
        page.wait_for_timeout(16)
    page.mouse.move(x + 0.72 * box["width"], y)
    page.wait_for_function("() => window.waited.length && window.since === null", polling=5, timeout=20_000)
    page.wait_for_timeout(100)
    page.mouse.up()
    waited = page.evaluate("() => window.waited")
    return {"moves": count, "painted": len(waited), "settle_ms": round(waited[-1], 1)}


def run(quick: bool = False) -> dict[str, Any]:
    """The whole benchmark; `quick` makes few moves, for the tests."""
    n, count, seconds, drags = (300, 5, 0.5, 1) if quick else (3000, 60, 3.0, 3)
    with browser.lab() as (servers, server, page):
        browser.opened(servers, server, page, "edit.ipynb", [SETUP.format(n=n), "lab"])
        root = page.locator(".tked").first
        root.wait_for(timeout=60_000)
        servers.wait(lambda: root.get_attribute("aria-busy") == "false")
        page.evaluate(WATCH)
        box = root.locator("input[type=range]").first.bounding_box()
        times = moves(page, box, count)
        dragged = [drag(page, box, seconds) for _ in range(drags)]
        solve = server.kernel(SOLVE)
    times.sort()
    return {
        "device": f"cpu, {os.cpu_count()} cores", "python": sys.version.split()[0], "budget": BUDGET, "images": n,
        "moves": len(times), "median_ms": round(statistics.median(times), 1),
        "p95_ms": round(times[int(0.95 * (len(times) - 1))], 1), "drags": dragged,
        "settle_ms": max(d["settle_ms"] for d in dragged), "solve_ms": round(solve, 1),
    }  # fmt: skip


SOLVE = (
    "(lambda s, t: (s.solve(lab.settings._replace(alpha=12.34)), 1000 * (__import__('time').perf_counter() - t))[1])"
    "(lab._session, __import__('time').perf_counter())"
)
"""What a solve takes in that kernel, without a browser."""


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    budget = result["budget"]
    lines = [
        f"EditLab in JupyterLab on {result['device']}: both edits, 100 steps each, solved anew at every move,"
        f" {result['images']} held-out images",
        f"  one move at a time (n = {result['moves']}): input → painted {result['median_ms']} ms median (budget"
        f" {budget['median_ms']:g}), {result['p95_ms']} ms at 95 %; the solve alone {result['solve_ms']} ms",
    ]
    lines += [
        f"  drag: {one['moves']} moves, {one['painted']} painted while current, last value painted after"
        f" {one['settle_ms']} ms (budget {budget['settle_ms']:g})"
        for one in result["drags"]
    ]
    return "\n".join(lines)
