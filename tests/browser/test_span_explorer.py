"""SpanExplorer in JupyterLab and Voilà: act as a user, then look at Python and at the paint."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from servers import Server, cell_count, dark, pixels, press, wait

SETUP = """
import os, tempfile
os.environ["TOOLKIT_NOTES"] = tempfile.mkdtemp()
import numpy as np, toolkit as tk
acts = tk.extract(tk.load(), tk.scenes("val", n=400, kind="factorial"), progress=False)
explorer = tk.SpanExplorer(acts, head="L3.H7")
grid = tk.HeadGrid(explorer._session.weight, title="variance", selection=explorer.selection)
"""
CELLS = [SETUP, "explorer", "grid", "print('ALL' + 'DONE')"]


class Shown:
    """One painted SpanExplorer."""

    def __init__(self, page: Page) -> None:
        self.root = page.locator(".tkse").first
        self.root.wait_for()
        self.texts = self.root.get_by_role("listbox", name="texts of this head").get_by_role("option")
        self.query = self.root.get_by_label("Which heads carry a word?")
        self.most = self.root.get_by_role("listbox", name="images, most").get_by_role("option")

    def cell(self, layer: int, head: int) -> Locator:
        return self.root.locator(".tkm-cell").nth(8 * layer + head)

    def name(self) -> str:
        return self.root.locator(".tkse-name").inner_text()

    def said(self) -> list[str]:
        return self.root.locator(".tkse-text").all_inner_texts()

    def still(self) -> bool:
        return self.root.get_attribute("aria-busy") == "false" and not self.root.locator(".tk-stale").count()


def test_lab_explore_heads(open_lab, lab: Server, screenshots: Path) -> None:
    page = open_lab("spans.ipynb", CELLS)
    shown = Shown(page)
    wait(lambda: shown.texts.count() == 10 and shown.still() and shown.name() == "L3.H7")
    assert shown.said() == lab.kernel("[row['text'] for row in explorer._rows]")
    wait(lambda: shown.most.count() == 8 and pixels(shown.most.first).std() > 5)
    shown.root.screenshot(path=screenshots / "span-explorer-light.png")

    # another head by mouse and by keyboard, linked with the grid
    shown.cell(2, 2).click()
    wait(lambda: shown.name() == "L2.H2" and shown.still())
    assert lab.kernel("[list(explorer.head), list(map(list, grid.selected))]") == [[2, 2], [[2, 2]]]
    press(shown.cell(2, 2), "ArrowRight")
    wait(lambda: shown.name() == "L2.H3" and shown.still())
    page.locator(".tkhg-cell").nth(8 * 3 + 6).click()
    wait(lambda: shown.name() == "L3.H6" and shown.still())
    assert shown.said() == lab.kernel("[row['text'] for row in explorer._rows]")

    # a text: its images
    before = shown.most.first.get_attribute("title")
    shown.texts.nth(1).click()
    wait(lambda: lab.kernel("explorer.text") == shown.said()[1] and shown.still())
    wait(lambda: shown.most.first.get_attribute("title") != before)
    first = lab.kernel("explorer._ends['high'][0]['id']")
    assert (shown.most.first.get_attribute("title") or "").startswith(first)
    press(shown.texts.nth(1), "ArrowDown")
    press(shown.texts.nth(2), "Enter")
    wait(lambda: lab.kernel("explorer.text") == shown.said()[2] and shown.still())
    shown.most.nth(1).click()
    wait(lambda: lab.kernel("explorer.selection.image == explorer._ends['high'][1]['id']"))
    shown.root.get_by_label("Order images by").select_option("cosine")
    wait(lambda: lab.kernel("explorer.ranking") == "cosine" and shown.still())
    assert abs(lab.kernel("explorer._ends['high'][0]['score']")) <= 1

    # letters reach neither the notebook nor, from a field, the panel
    count, at = cell_count(page), shown.name()
    press(shown.root, "b", "d", "d", "x", "a")
    assert cell_count(page) == count

    # a word lights up the heads that carry it
    press(shown.root, "/")
    press(shown.query, *"the sea")
    wait(lambda: lab.kernel("explorer.query") == "the sea" and shown.still())
    expect(shown.root.locator(".tkse-what")).to_contain_text("“the sea” explains")
    shares = lab.kernel("[float(x) for x in np.frombuffer(explorer._map, '<f4')]")
    best = max(range(32), key=shares.__getitem__)
    strong = pixels(shown.cell(best // 8, best % 8)).astype(float).mean()
    assert strong < pixels(shown.cell(0, min(range(8), key=shares.__getitem__))).astype(float).mean() - 40
    assert shown.name() == at
    shown.root.screenshot(path=screenshots / "span-explorer-word.png")
    press(shown.query, "Escape")
    wait(lambda: lab.kernel("explorer.query") == "" and "all variance" in shown.root.locator(".tkse-what").inner_text())

    # edit the bank
    gone = shown.said()[0]
    shown.texts.first.focus()
    press(shown.texts.first, "Delete")
    wait(lambda: gone not in shown.said() and shown.texts.count() == 10 and shown.still())
    wait(lambda: page.evaluate("() => document.activeElement.className.includes('tkse-row')"))
    assert lab.kernel(f"{gone!r} in explorer.bank.texts") is False
    field = shown.root.get_by_label("Add a text to the bank")
    field.fill("<b>two</b> red stars in the meadow")
    press(field, "Enter")
    wait(lambda: lab.kernel("len(explorer.bank)") == lab.kernel("len(tk.bank('world'))") and shown.still())
    expect(shown.root.locator(".tkse-reset")).to_be_visible()
    shown.root.locator(".tkse-reset").click()
    wait(lambda: shown.said()[0] == gone and shown.still())
    shown.root.get_by_label("Choose the texts of all heads").click()
    wait(lambda: shown.root.get_by_label("Choose the texts of all heads").inner_text() == "all heads")

    # a note outlives the head's being left
    shown.root.get_by_label("Note on this head").fill("meadow against room")
    shown.cell(1, 1).click()
    wait(lambda: shown.name() == "L1.H1" and lab.kernel("explorer.notes['L3.H6']") == "meadow against room")
    assert shown.root.get_by_label("Note on this head").input_value() == ""
    shown.cell(3, 6).click()
    wait(lambda: shown.root.get_by_label("Note on this head").input_value() == "meadow against room")

    with dark(page, shown.root):
        wait(lambda: shown.still() and not page.locator("#jupyterlab-splash").count())
        shown.root.screenshot(path=screenshots / "span-explorer-dark.png")


def test_voila_explorer(voila: Server, page: Page, screenshots: Path) -> None:
    voila.notebook("spans.ipynb", [SETUP, "explorer"])
    page.goto(f"{voila.url}/voila/render/spans.ipynb")
    shown = Shown(page)
    wait(lambda: shown.texts.count() == 10 and shown.still())
    shown.cell(2, 0).click()
    wait(lambda: shown.name() == "L2.H0" and shown.still())
    wait(lambda: re.search("rain|clear|fog", shown.said()[0]) is not None)
    page.screenshot(path=screenshots / "span-explorer-voila.png", full_page=True)
