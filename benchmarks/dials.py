"""From a dial to the painted result: CompareLab in a real JupyterLab, every live method in turn.

`toolkit bench dials [--json]`. Needs the test extra and Chromium, as `toolkit bench slider`. One step of a dial at a
time: the input event → the frame whose group table is of that value. Beside it: from the cell to the first path and to
all of them, and the same steps without a browser.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import browser

BUDGET = {"median_ms": 100.0, "slow_ms": 250.0, "paths_s": 2.0, "first_s": 1.0}
SLOW = ("GroupDRO",)
"""Its thousand steps are made anew for every value."""
SETUP = """
import time, toolkit as tk
model = tk.load()
few = tk.extract(model, tk.scenes("edit", 200, 5, kind="birds"), progress=False).draw(10)
val = tk.extract(model, tk.scenes("val", {n}, 5), progress=False)
every = tk.classes(["waterbird", "landbird", *sorted(set(val.labels) - {{"waterbird", "landbird"}})])
M, pair = tk.methods, ["a water background", "a land background"]
cures = [
    M.RoboShot([tuple(pair)]), M.ContextEnsemble(("on water", "on land")), M.GroupPrompts(("on water", "on land")),
    M.PerceptionCLIP({{"place": {{"": "", "water": "on water", "land": "on land"}}}}), "HeadsOff", "Edit", "LTC",
    "TipAdapter", "Probe", "BalancedProbe", "MIClip", "GroupDRO",
]
began = time.perf_counter()
lab = tk.CompareLab(few, every, cures, held_out=val)
"""
WATCH = """name => {
  const root = document.querySelector(".tkco");
  const slider = root.querySelector(`.tkco-row[data-name="${name}"] input`);
  Object.assign(window, { waited: [], since: null });
  window.seen = () => {
    const groups = root.querySelector(".tkco-side .tkl-groups");
    const of = root.querySelector(".tkco-of").textContent;
    const told = slider.getAttribute("aria-valuetext");
    return of === `${name}, ${told}` && !groups.classList.contains("tk-stale");
  };
  slider.addEventListener("input", (event) => { window.since = event.timeStamp; }, true);
  new MutationObserver(() => {
    if (window.since === null || !window.seen()) return;
    const start = window.since;
    window.since = null;
    requestAnimationFrame(() => setTimeout(() => window.waited.push(performance.now() - start)));
  }).observe(root, { attributes: true, attributeFilter: ["data-seq"] });
}"""


def steps(page: Any, name: str, count: int) -> list[float]:
    """Milliseconds of single steps of a method's dial, one at a time."""
    slider = page.locator(f'.tkco-row[data-name="{name}"] input')
    slider.focus()
    page.wait_for_timeout(300)
    page.evaluate(WATCH, name)
    slider.press("Home")
    page.wait_for_function("() => window.waited.length > 0", timeout=20_000)
    for _ in range(count):
        seen = page.evaluate("() => window.waited.length")
        page.wait_for_timeout(120)
        slider.press("ArrowRight")
        page.wait_for_function(f"() => window.waited.length > {seen}", timeout=20_000)
    return [float(v) for v in page.evaluate("() => window.waited")][1:]


def run(quick: bool = False) -> dict[str, Any]:
    """The whole benchmark; `quick` makes few steps, for the tests."""
    n, count = (300, 2) if quick else (3000, 12)
    found: dict[str, list[float]] = {}
    with browser.lab(1440, 900) as (servers, server, page):
        browser.opened(servers, server, page, "compare.ipynb", [SETUP.format(n=n), "lab"])
        root = page.locator(".tkco").first
        root.wait_for(timeout=60_000)
        servers.wait(lambda: root.get_attribute("aria-busy") == "false")
        names = server.kernel("list(lab.methods)")
        for name in names[:: 6 if quick else 1]:
            found[name] = steps(page, name, count)
            servers.wait(lambda: root.get_attribute("aria-busy") == "false")
        paths, first = server.kernel(PATHS)
    rows = {
        name: {"median_ms": round(statistics.median(times), 1), "max_ms": round(max(times), 1)}
        for name, times in found.items()
    }
    live = [ms for name, times in found.items() if name not in SLOW for ms in times]
    return {
        "device": f"cpu, {os.cpu_count()} cores", "python": sys.version.split()[0], "budget": BUDGET, "images": n,
        "steps": count, "methods": rows, "median_ms": round(statistics.median(live), 1),
        "paths_s": round(paths, 2), "first_s": round(first, 2),
    }  # fmt: skip


PATHS = """(lambda s, clock: (lambda start, first: [
    (sum(len(s.path(name).values) for name in s.settings if name != "GroupDRO"), clock() - start)[1], first,
])(clock(), (lambda t: (s.path(next(iter(s.settings))), clock() - t)[1])(clock())))(
    __import__("toolkit.labs.compare", fromlist=["x"]).CompareSession(few, every, cures, val, None, None, None),
    time.perf_counter,
)"""
"""Seconds of all paths but GroupDRO's, and of the first, in that kernel and without a browser."""


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    budget = result["budget"]
    lines = [
        f"CompareLab in JupyterLab on {result['device']}: {len(result['methods'])} methods,"
        f" {result['images']} held-out images, {result['steps']} steps of every dial",
        f"  input → painted {result['median_ms']} ms median over all but {', '.join(SLOW)} (budget"
        f" {budget['median_ms']:g}); all paths but that {result['paths_s']} s (budget {budget['paths_s']:g}), the first"
        f" {result['first_s']} s (budget {budget['first_s']:g}), fits included",
    ]
    lines += [
        f"  {name}: {row['median_ms']} ms median, {row['max_ms']} ms at most" for name, row in result["methods"].items()
    ]
    return "\n".join(lines)
