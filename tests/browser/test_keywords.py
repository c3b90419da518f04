"""Keywords in JupyterLab: act as a user, then look at Python and at the paint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from playwright.sync_api import Locator, Page, expect
from servers import Server, cell_count, dark, pixels, press, wait

SETUP = """
import toolkit as tk
model = tk.load()
acts = tk.extract(model, tk.scenes("val", n=600, seed=5, kind="birds"), progress=False)
birds = tk.classes(["waterbird", "landbird"])
few = tk.extract(model, tk.scenes("edit", n=200, seed=1, kind="birds"), progress=False).draw(10)
held = tk.extract(model, tk.scenes("val", n=400, seed=9), progress=False)
every = tk.classes(["waterbird", "landbird", *sorted(set(held.labels) - {"waterbird", "landbird"})])
panel = tk.Keywords(acts, birds, few=few, held_out=held, every=every, pair=("landbird", "waterbird"))
grid = tk.HeadGrid(acts.moments.mean[..., 0].numpy(), selection=panel.selection)
"""
CELLS = [SETUP, "panel", "grid", "print('ALL' + 'DONE')"]


class Shown:
    """One painted panel."""

    def __init__(self, page: Page) -> None:
        self.root = page.locator(".tkkw").first
        self.root.wait_for()
        self.rows = self.root.get_by_role("listbox", name="keywords").get_by_role("option")

    def said(self) -> list[str]:
        return self.root.locator(".tkkw-text").all_inner_texts()

    def still(self) -> bool:
        return self.root.get_attribute("aria-busy") == "false" and not self.root.locator(".tk-stale").count()

    def cell(self, layer: int, head: int) -> Locator:
        return self.root.locator(".tkm-cell").nth(8 * layer + head)


def colour(box: Locator) -> np.ndarray:
    """The colour in the middle of something painted."""
    seen = pixels(box)
    return seen[seen.shape[0] // 2, seen.shape[1] // 2].astype(int)


def test_lab_from_words_to_heads_to_a_cure(open_lab, lab: Server, screenshots: Path) -> None:
    page = open_lab("keywords.ipynb", CELLS)
    shown = Shown(page)
    wait(lambda: shown.rows.count() == 19 and shown.still())
    assert shown.said() == lab.kernel("[row['text'] for row in panel._rows]")
    shown.root.screenshot(path=screenshots / "keywords-light.png")

    # the length of bars, and the colour of the heads, are the numbers
    wide = [bar.bounding_box()["width"] for bar in shown.root.locator(".tkkw-bar").all()]
    scores = lab.kernel("[row['score'] for row in panel._rows]")
    np.testing.assert_allclose(np.array(wide) / wide[0], np.abs(scores) / scores[0], atol=0.03)
    table = np.array(lab.kernel("panel.found.split(panel.chosen).heads.tolist()"))
    worst = np.unravel_index(table.argmax(), table.shape)
    least = np.unravel_index(np.abs(table).argmin(), table.shape)
    strong, pale = colour(shown.cell(*worst)), colour(shown.cell(*least))
    assert strong.sum() < pale.sum() - 150
    assert strong[0] > strong[2], "towards the wrong images is orange"

    # a keyword, by mouse and by keyboard: everybody's text, its own map and images
    shown.rows.nth(1).click()
    wait(lambda: lab.kernel("panel.selection.text") == shown.said()[1] and shown.still())
    wait(lambda: lab.kernel("panel._chosen['text'] == panel.text"))
    press(shown.rows.nth(1), "ArrowUp")
    press(shown.rows.nth(0), "Enter")
    wait(lambda: lab.kernel("panel.text") == shown.said()[0] and shown.still())

    # a head of its map is everybody's head
    shown.cell(*worst).click()
    wait(lambda: lab.kernel("[list(h) for h in grid.selected]") == [[int(x) for x in worst]])
    press(shown.cell(*worst), "ArrowUp")
    wait(lambda: lab.kernel("[list(h) for h in grid.selected]") == [[int(worst[0]) - 1, int(worst[1])]])

    # letters reach neither the notebook nor, from a field, the panel
    count = cell_count(page)
    shown.rows.nth(0).focus()
    press(shown.root, "b", "d", "d", "x")
    assert cell_count(page) == count
    press(shown.root, "a")
    field = shown.root.get_by_label("add keywords")
    press(field, *"red 1")
    assert lab.kernel("panel._tried") == {}
    field.fill("<b>two</b> red birds, water")
    press(field, "Enter")
    wait(lambda: lab.kernel("panel.words") == ["<b>two</b> red birds", "water"] and shown.still())
    expect(shown.root.locator(".tkkw-facts").first).to_contain_text("words the model does not know")
    shown.root.get_by_text("undo", exact=True).click()
    wait(lambda: lab.kernel("panel.words") == [] and shown.still())

    # the three uses, each with the groups it moves
    for key, use in (("1", "pair"), ("2", "prompts"), ("3", "groups")):
        shown.rows.nth(0).focus()
        press(shown.rows.nth(0), key)
        wait(lambda use=use: lab.kernel("panel._tried.get('use')") == use and shown.still())
        after = shown.root.locator(".tkl-groups td:nth-child(4)")
        told = lab.kernel("[100 * row['after'] for row in panel._tried['rows']]")
        wait(lambda after=after, told=told: len(after.all()) == len(told))
        shown_ones = [float(text.removesuffix(" %")) for text in after.all_inner_texts()]
        np.testing.assert_allclose(shown_ones, told, atol=0.051)
        expect(shown.root.get_by_role("button", pressed=True)).to_have_count(1)
    shown.root.screenshot(path=screenshots / "keywords-used.png")
    first = lab.kernel("panel.partner")
    shown.root.get_by_label("the keyword it is paired with").select_option(index=1)
    wait(lambda: lab.kernel("panel.partner") != first and shown.still())
    assert lab.kernel("panel._tried") == {}

    with dark(page, shown.root):
        wait(lambda: shown.still() and not page.locator("#jupyterlab-splash").count())
        shown.root.screenshot(path=screenshots / "keywords-dark.png")
