"""From a cell to the painted explorer in a real JupyterLab: milliseconds, and bytes on the wire.

`toolkit bench explorer [--json]`. Needs the test extra and Chromium, as `slider` does. Model and data are there; the
cell makes the explorer and shows it. First paint: from the execution of the cell to the frame that shows tabs and
images. Scores: to the frame that shows the confusion and the head grid, once the images have been taken apart.

A new kernel: the first cell of all imports the toolkit and opens the explorer without arguments. Said: to the frame
that says what is being loaded. All: to the frame with confusion and head grid. Resident: memory of the kernel then.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import browser

BUDGET = {
    "first_paint_ms": 1000.0, "wire_kb": 400.0, "new_kernel_said_ms": 1000.0, "new_kernel_all_ms": 5000.0,
    "new_kernel_resident_mb": 800.0,
}  # fmt: skip
SETUP = """
import toolkit as tk
model = tk.load()
data = tk.scenes("val", n={n})
tk.Explorer(model, data.take(range(40)), ["landbird", "waterbird"]).acts  # imports, and the first run of the model
"""
FIRST = "import toolkit as tk\ntk.Explorer()"
RESIDENT = """
from pathlib import Path
held = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
print("RESIDENT", int(held[0].split()[1]) // 1000, "MB")
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
    mark('said', root || document.querySelector('.jp-OutputArea-output [role=status]'));
    mark('first', root?.querySelector('.tkga-tile'));
    mark('scores', root?.querySelector('.tkhg [role=gridcell]') && root.querySelector('.tkc-cell'));
  });
  watch.observe(document.body, { subtree: true, childList: true });
  window.jupyterapp.commands.execute('notebook:run-cell');
}"""


def run(quick: bool = False) -> dict[str, Any]:
    """The whole benchmark; `quick` makes one explorer of few images, for the tests."""
    n, times = (120, 1) if quick else (1200, 5)
    again = [_again(n) for _ in range(times)]
    new = [_new_kernel() for _ in range(times)]
    return {
        "device": f"cpu, {os.cpu_count()} cores", "python": sys.version.split()[0], "budget": BUDGET, "images": n,
        "runs": times, **_median(again), **_median(new), "wire_kb": round(max(found["wire_kb"] for found in again), 1),
    }  # fmt: skip


def _again(n: int) -> dict[str, float]:
    """Of one kernel that has model and data of n images already."""
    with browser.lab() as (servers, server, page):
        sizes: list[int] = []
        page.on("websocket", lambda ws: "/channels" in ws.url and ws.on(
            "framereceived", lambda frame: sizes.append(len(frame))
        ))  # fmt: skip
        browser.opened(servers, server, page, "explorer.ipynb", [SETUP.format(n=n)])
        _source(page, CELL)
        sizes.clear()
        found = _watched(servers, page)
        page.wait_for_timeout(4000)  # the picture that outlives the kernel comes when it rests
        return {"first_paint_ms": found["first"], "scores_ms": found["scores"], "wire_kb": sum(sizes) / 1000}


def _new_kernel() -> dict[str, float]:
    """Of one kernel that has run nothing."""
    with browser.lab() as (servers, server, page):
        server.notebook("new.ipynb", [FIRST, RESIDENT])
        page.goto(f"{server.url}/doc/tree/new.ipynb?token={servers.TOKEN}")
        servers.ready(page)
        page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0; }")
        found = _watched(servers, page)
        _source(page, RESIDENT)
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")
        line = page.locator(".jp-OutputArea-output", has_text="RESIDENT")
        line.wait_for(timeout=60_000)
        resident = float((line.text_content() or "").split()[1])
    return {
        "new_kernel_said_ms": found["said"], "new_kernel_all_ms": found["scores"], "new_kernel_resident_mb": resident
    }  # fmt: skip


def _watched(servers: Any, page: Any) -> dict[str, float]:
    """Run the active cell; milliseconds to everything WATCH marks."""
    page.evaluate(WATCH)
    page.wait_for_function("() => 'scores' in window.at", timeout=120_000)
    servers.wait(lambda: page.locator(".tkex").get_attribute("aria-busy") == "false")
    marks: dict[str, float] = page.evaluate("() => window.at")
    return marks


def _source(page: Any, code: str) -> None:
    """Write a cell's code into the last cell and make it the active one."""
    page.evaluate(f"""() => {{
      const panel = window.jupyterapp.shell.currentWidget;
      panel.content.activeCellIndex = panel.content.widgets.length - 1;
      panel.content.activeCell.model.sharedModel.setSource({code!r});
    }}""")


def _median(runs: list[dict[str, float]]) -> dict[str, int]:
    return {name: round(statistics.median(run[name] for run in runs)) for name in runs[0]}


def report(result: dict[str, Any]) -> str:
    """The result in words."""
    budget = result["budget"]
    return (
        f"Explorer in JupyterLab on {result['device']}: {result['images']} images, median of {result['runs']} kernels\n"
        f"  cell → first paint {result['first_paint_ms']} ms (budget {budget['first_paint_ms']:g}), with scores and"
        f" head grid {result['scores_ms']} ms\n"
        f"  a new kernel: first words {result['new_kernel_said_ms']} ms (budget {budget['new_kernel_said_ms']:g}), all"
        f" {result['new_kernel_all_ms']} ms (budget {budget['new_kernel_all_ms']:g}), resident"
        f" {result['new_kernel_resident_mb']} MB (budget {budget['new_kernel_resident_mb']:g})\n"
        f"  on the wire, with the kept picture, at most {result['wire_kb']} kB (budget {budget['wire_kb']:g})"
    )
