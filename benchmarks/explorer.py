"""From a cell to the painted explorer in a real JupyterLab: milliseconds, and bytes on the wire.

`toolkit bench explorer [--json]`. Needs the test extra and Chromium, as `slider` does. Model and data are there; the
cell makes the explorer and shows it. First paint: from the execution of the cell to the frame that shows tabs and
images. Scores: to the frame that shows the confusion and the head grid, once the images have been taken apart.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import browser

BUDGET = {"first_paint_ms": 1000.0, "wire_kb": 330.0}
SETUP = """
import toolkit as tk
model = tk.load()
data = tk.scenes("val", n={n})
tk.Explorer(model, data.take(range(40)), ["landbird", "waterbird"]).acts  # imports, and the first run of the model
"""
CELL = 'explorer = tk.Explorer(model, data, ["landbird", "waterbird"])\nexplorer'
WATCH = """() => {
  Object.assign(window, { at: {}, start: performance.now() });
  const painted = (act) => requestAnimationFrame(() => setTimeout(act));
  const mark = (name, when) => {
    if (!(name in window.at) && when) painted(() => { window.at[name] ??= performance.now() - window.start; });
  };
  const watch = new MutationObserver(() => {
    const root = document.querySelector('.tkex');
    mark('first', root?.querySelector('.tkga-tile'));
    mark('scores', root?.querySelector('.tkhg [role=gridcell]') && root.querySelector('.tkc-cell'));
  });
  watch.observe(document.body, { subtree: true, childList: true });
  window.jupyterapp.commands.execute('notebook:run-cell');
}"""


def run(quick: bool = False) -> dict[str, Any]:
    """The whole benchmark; `quick` makes one explorer of few images, for the tests."""
    n, times = (120, 1) if quick else (1200, 5)
    first, scores, wires = [], [], []
    for _ in range(times):
        with browser.lab() as (servers, server, page):
            sizes: list[int] = []
            page.on("websocket", lambda ws, sizes=sizes: "/channels" in ws.url and ws.on(
                "framereceived", lambda frame: sizes.append(len(frame))
            ))  # fmt: skip
            browser.opened(servers, server, page, "explorer.ipynb", [SETUP.format(n=n)])
            page.evaluate(f"""() => {{
              const panel = window.jupyterapp.shell.currentWidget;
              panel.content.activeCellIndex = panel.content.widgets.length - 1;
              panel.content.activeCell.model.sharedModel.setSource({CELL!r});
            }}""")
            sizes.clear()
            page.evaluate(WATCH)
            page.wait_for_function("() => 'scores' in window.at", timeout=120_000)
            servers.wait(lambda: page.locator(".tkex").get_attribute("aria-busy") == "false")
            page.wait_for_timeout(4000)  # the picture that outlives the kernel comes when it rests
            found = page.evaluate("() => window.at")
            first.append(found["first"])
            scores.append(found["scores"])
            wires.append(sum(sizes) / 1000)
    return {
        "device": f"cpu, {os.cpu_count()} cores", "python": sys.version.split()[0], "budget": BUDGET, "images": n,
        "runs": times, "first_paint_ms": round(statistics.median(first)), "scores_ms": round(statistics.median(scores)),
        "wire_kb": round(max(wires), 1),
    }  # fmt: skip


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    budget = result["budget"]
    return (
        f"Explorer in JupyterLab on {result['device']}: {result['images']} images, median of {result['runs']} kernels\n"
        f"  cell → first paint {result['first_paint_ms']} ms (budget {budget['first_paint_ms']:g}), with scores and"
        f" head grid {result['scores_ms']} ms\n"
        f"  on the wire, with the kept picture, at most {result['wire_kb']} kB (budget {budget['wire_kb']:g})"
    )
