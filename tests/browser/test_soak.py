"""Thousands of slider and click events: no backlog, no leak, the last state right; an interrupt, and a restart."""

from __future__ import annotations

import gc
import json
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import patience
import pytest
from narrow import NarrowHost
from playwright.sync_api import Page, expect
from servers import TOKEN, Server, wait

import toolkit as tk
from toolkit.engine import worker

ENGINE = "toolkit engine"
"""What the threads of engines are called."""
SETUP = """
import toolkit as tk
model = tk.load()
explorer = tk.Explorer(model, tk.scenes("val", n=300), ["landbird", "waterbird"], tab="edit")
explorer.edit.engine.wait(60)
"""
DONE = "print('ALL' + 'DONE')"
STORM = """
async ([n, from]) => { // slider moves and clicks as fast as the page can take them; what was set last
  const root = document.querySelector('.tkex');
  const rest = () => new Promise((done) => setTimeout(done, 0));
  let last;
  for (let i = from; i < from + n; i++) {
    const sliders = [...root.querySelectorAll('input[type=range]')].filter((one) => one.offsetParent && !one.disabled);
    const cells = [...root.querySelectorAll('.tkm-cell')].filter((node) => node.offsetParent);
    if (i % 10 === 9 && cells.length) cells[(i * 7) % cells.length].click();
    else if (sliders.length) {
      const slider = sliders[i % Math.min(2, sliders.length)];
      const [low, high] = [Number(slider.min), Number(slider.max)];
      slider.value = low + (high - low) * ((i * 37) % 101) / 100;
      slider.dispatchEvent(new Event('input', { bubbles: true }));
    }
    if (i % 20 === 0) await rest();
  }
  return root.isConnected;
}
"""


def heap(page: Page) -> tuple[float, int]:
    """Megabytes of the page's objects and its DOM nodes, after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    found = {row["name"]: row["value"] for row in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return found["JSHeapUsedSize"] / 1e6, int(found["Nodes"])


def asked(server: Server, path: str, method: str = "GET") -> Any:
    """What the server's REST interface answers."""
    request = urllib.request.Request(
        f"{server.url}{path}?token={TOKEN}", method=method, data=b"" if method != "GET" else None
    )
    with urllib.request.urlopen(request, timeout=patience.seconds()) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def newest_kernel(server: Server) -> str:
    return str(max(asked(server, "/api/kernels"), key=lambda kernel: kernel["last_activity"])["id"])


PYTHON = "__import__('gc').collect() * 0 + len(__import__('gc').get_objects())"
SHOWN = "() => [...document.querySelectorAll('.tkex input[type=number], .tkex .tked-dial input')].map((n) => n.value)"


@pytest.mark.parametrize("events", [2_000, pytest.param(10_000, marks=pytest.mark.wide)])
def test_thousands_of_events_in_lab(open_lab: Callable[..., Page], lab: Server, events: int) -> None:
    part = events // 8
    page = open_lab(f"soak-{events}.ipynb", [SETUP, "explorer", DONE])
    page.set_viewport_size({"width": 1280, "height": 1600})
    root = page.locator(".tkex")
    still = lambda: root.get_attribute("aria-busy") == "false" and not root.locator(".tk-stale").count()  # noqa: E731
    wait(lambda: root.locator(".tked-words b").count() and still())
    page.evaluate(STORM, [500, 0])  # caches fill
    wait(still)
    before, objects = heap(page), lab.kernel(PYTHON)

    for turn in range(4):
        page.evaluate(STORM, [part, turn * part])
        if turn == 1:  # an interrupt reaches the cell, not the panels
            asked(lab, f"/api/kernels/{newest_kernel(lab)}/interrupt", "POST")
    page.locator(".tkex").get_by_role("tab", name="Heads off").click()
    wait(lambda: root.locator(".tkab .tkm-cell").count() == 32 and still())
    for turn in range(4):
        page.evaluate(STORM, [part, turn * part])

    wait(still, "a backlog: work goes on long after the last event", patience.SOON)
    wait(lambda: lab.kernel("not explorer._work and not explorer.ablation._work and not explorer.edit._work"))
    off = lab.kernel("[[f'L{a}.H{b}', s] for (a, b), s in explorer.ablation.strengths.items()]")
    marks = root.locator(".tkab .tkm-cell.tkab-off").evaluate_all(
        "nodes => nodes.map((n) => n.getAttribute('aria-label').split(',')[0])"
    )
    assert sorted(marks) == sorted(name for name, _ in off)
    rows = lab.kernel("[100 * r['after'] for r in explorer.ablation._groups]")
    shown = root.locator(".tkab .tkl-groups td:nth-child(4)").all_inner_texts()
    assert [float(text.removesuffix(" %")) for text in shown] == pytest.approx(rows, abs=0.0501)  # halves go either way
    truth = lab.kernel(
        "[round(g.after, 6) for g in tk.ablate(explorer.session.judging, explorer._session.classes,"
        " explorer.ablation.heads, strength=list(explorer.ablation.strengths.values()) or 0).groups]"
    )
    groups = "[r for r in explorer.ablation._groups if not (r.get('sum') or r.get('other'))]"
    assert truth == lab.kernel(f"[round(r['after'], 6) for r in {groups}]")
    assert lab.kernel("explorer.error or explorer.ablation.error or explorer.edit.error") == ""
    after, now = heap(page), lab.kernel(PYTHON)
    assert after[0] < before[0] + 25, f"the page's heap grew from {before[0]:.0f} to {after[0]:.0f} MB"
    assert after[1] < before[1] + 4000, f"DOM nodes grew from {before[1]} to {after[1]}"
    assert now < objects * 1.3 + 20_000, f"Python's objects grew from {objects} to {now}"

    _restart(page, lab)


def _restart(page: Page, lab: Server) -> None:
    """After a restart in the middle of events, the same notebook works again."""
    page.evaluate(STORM, [200, 0])
    # as the menu does it: after a restart from elsewhere JupyterLab 4.6 with subshells sends every widget, a stock
    # slider too, one change and no more
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()")
    page.evaluate(STORM, [200, 0])
    ready = "() => window.jupyterapp.shell.currentWidget.context.sessionContext.kernelDisplayStatus === 'idle'"
    page.wait_for_function(ready)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    wait(lambda: _alive(lab))
    root = page.locator(".tkex").last
    expect(root.get_by_role("tab", selected=True)).to_have_text("Edit")
    root.get_by_role("tab", name="Heads off").click()
    root.locator('.tkab .tkm-cell[aria-label^="L3.H7,"]').click()
    wait(lambda: lab.kernel("str(explorer.ablation.heads)") == "L3.H7")


def _alive(lab: Server) -> bool:
    try:
        return bool(lab.kernel("'explorer' in globals()"))
    except (AssertionError, RuntimeError):
        return False


def _others() -> set[str]:
    """Threads that are no engine's, by name."""
    return {thread.name for thread in threading.enumerate()} - {ENGINE}


def test_opening_and_leaving_every_tab_leaves_nothing_behind(host: NarrowHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Views come and go with their tab: no node, listener, object URL or thread stays."""
    monkeypatch.setattr(worker, "IDLE", 0.5)
    explorer = tk.Explorer(tk.load(), tk.scenes("val", n=200), ["landbird", "waterbird"])
    root = host.show(explorer)
    host.pump_until(lambda: "grid" in explorer.parts)

    def around() -> None:
        for tab in ("keywords", "words", "where", "off", "edit", "two", "mistakes"):
            explorer.tab = tab
            host.pump_until(lambda: not explorer._work)
        host.still(root)

    around()
    gc.collect()
    before, workers, others = heap(host.page), len(worker._ALL), _others()
    for _ in range(15):
        around()
    seen = [heap(host.page)]
    # what a timer or a frame still holds is let go when that comes
    wait(
        lambda: seen.append(heap(host.page)) or seen[-1][1] < before[1] + 500,
        f"DOM nodes grew from {before[1]}, and stay",
    )
    after = seen[-1]
    assert after[0] < before[0] + 10, f"the page's heap grew from {before[0]:.0f} to {after[0]:.0f} MB"
    gc.collect()
    assert len(worker._ALL) <= workers, "an engine more than there was"
    assert _others() <= others
    wait(lambda: ENGINE not in {thread.name for thread in threading.enumerate()}, "an engine's thread stays")
    assert host.errors == []
