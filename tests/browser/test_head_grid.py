"""HeadGrid in JupyterLab and Voilà: what a user does, what Python then holds, and what is painted."""

from __future__ import annotations

import itertools
from pathlib import Path

import nbformat
import numpy as np
from playwright.sync_api import Locator, Page, expect
from servers import TOKEN, Server, all_done, cell_count, dark, pixels, press, wait

from toolkit.figures.colors import NAN, color

SETUP = """
import numpy as np
from toolkit.panels.head_grid.panel import HeadGrid
from toolkit.panels.base.selection import Selection
values = np.linspace(-1, 1, 32).reshape(4, 8)
values[0, 1], values[1, 2], values[2, 5] = np.nan, -9, np.inf
shared = Selection()
grid = HeadGrid(values, layers=[8, 9, 10, 11], title="writes <b>water</b>", unit="cosine", limit=1.0, selection=shared)
twin = HeadGrid(-values, layers=[8, 9, 10, 11], title="twin", limit=1.0, selection=shared)
"""
CELLS = [SETUP, "grid", "twin", "from IPython.display import display; display(grid); print('ALL' + 'DONE')"]
VALUES = np.linspace(-1, 1, 32).reshape(4, 8)
VALUES[0, 1], VALUES[1, 2], VALUES[2, 5] = np.nan, -9, np.inf


class Grid:
    """One painted HeadGrid."""

    def __init__(self, page: Page, index: int) -> None:
        self.root = page.locator(".tkhg").nth(index)
        self.root.wait_for()
        expect(self.root).to_have_attribute("data-seq", __import__("re").compile(r"\d+"))

    def cell(self, layer: int, head: int) -> Locator:
        return self.root.locator(f'[role=gridcell][aria-label^="layer {layer}, head {head},"]')

    def selected(self) -> set[tuple[int, int]]:
        labels = self.root.locator('[role=gridcell][aria-selected="true"]').evaluate_all(
            "cells => cells.map(c => c.getAttribute('aria-label'))"
        )
        words = [label.replace(",", "").split() for label in labels]
        return {(int(w[1]), int(w[3])) for w in words}

    def inside(self, layer: int, head: int) -> np.ndarray:
        """The colour painted near a cell's corner, inside any selection ring."""
        picture = pixels(self.cell(layer, head))
        return picture[6, 6]

    def edge(self, layer: int, head: int) -> np.ndarray:
        picture = pixels(self.cell(layer, head))
        return picture[picture.shape[0] // 2, 1]


def check_colours(grid: Grid, values: np.ndarray, dark: bool = False, layers: int = 8) -> None:
    """The painted pixels are the palette's; a host may first fade its splash out, so they are given some seconds."""

    def wrong() -> list[tuple[int, int]]:
        cells = [(0, 0), (0, 7), (1, 2), (2, 5), (3, 3), (3, 7)]
        expected = {(r, c): color(values[r : r + 1, c], 1.0, dark)[0].astype(int) for r, c in cells}
        expected[0, 1] = np.array(NAN[dark])
        return [at for at, rgb in expected.items() if np.abs(grid.inside(at[0] + layers, at[1]) - rgb).max() > 3]

    wait(lambda: not wrong(), "the painted cells do not have the colours of the palette")


def test_lab_click_keyboard_and_python_agree(open_lab, lab: Server, screenshots: Path) -> None:
    page = open_lab("click.ipynb", CELLS)
    grid, twin, again = (Grid(page, i) for i in range(3))
    check_colours(grid, VALUES)
    check_colours(twin, -VALUES)
    assert grid.root.locator(".tkhg-title").inner_text() == "writes <b>water</b>"

    plain = grid.edge(10, 3)
    grid.cell(10, 3).click()
    wait(lambda: lab.kernel("grid.selected") == [[10, 3]])
    assert np.abs(grid.edge(10, 3) - plain).max() > 60, "a selected cell has no ring"
    grid.cell(8, 0).click(modifiers=["Shift"])
    wait(lambda: lab.kernel("grid.selected") == [[10, 3], [8, 0]])
    # the second display, and the other grid on the same selection, follow
    wait(lambda: again.selected() == twin.selected() == {(10, 3), (8, 0)})
    assert lab.kernel("[twin.selected, shared.heads]") == [[[10, 3], [8, 0]]] * 2

    twin.cell(11, 7).click()
    wait(lambda: grid.selected() == {(11, 7)})
    grid.cell(9, 4).focus()
    press(grid.cell(9, 4), "ArrowDown")
    press(grid.cell(10, 4), "ArrowRight")
    press(grid.cell(10, 5), "Space")
    wait(lambda: lab.kernel("grid.selected") == [[11, 7], [10, 5]])
    press(grid.cell(10, 5), "Shift+ArrowLeft")
    wait(lambda: lab.kernel("grid.selected") == [[11, 7], [10, 5], [10, 4]])
    ring = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid", "no visible focus"
    grid.cell(11, 2).hover()
    wait(lambda: lab.kernel("grid.hovered") == [11, 2])
    assert "L11.H2" in grid.root.locator(".tkhg-tip").inner_text()
    grid.root.screenshot(path=screenshots / "head-grid-light.png")
    press(grid.cell(10, 4), "Escape")
    wait(lambda: lab.kernel("grid.selected") == [] and grid.selected() == set())
    assert "nothing selected" in grid.root.locator(".tkhg-summary").inner_text()


def test_lab_python_repaints_and_odd_cells_are_marked(open_lab, lab: Server, screenshots: Path) -> None:
    page = open_lab("python.ipynb", CELLS)
    grid = Grid(page, 0)
    marks = {(8, 1): "×", (9, 2): "−", (10, 5): "+∞", (11, 0): ""}
    for (layer, head), mark in marks.items():
        assert grid.cell(layer, head).inner_text() == mark
        box = grid.cell(layer, head).bounding_box()
        assert box is not None
        assert box["width"] >= 12
    middle = pixels(grid.cell(9, 2))[10:-10, 10:-10]
    assert middle.std() > 8, "the mark of a clipped cell is not painted"

    lab.kernel("[setattr(grid, 'values', -values), setattr(grid, 'selected', 'L8.H3'), 0][2]")
    wait(lambda: grid.selected() == {(8, 3)})
    check_colours(grid, -VALUES)
    lab.kernel("[setattr(grid, 'values', np.eye(24, 16) - .3), setattr(grid, 'title', 'larger'), 0][2]")
    wait(lambda: grid.root.locator("[role=gridcell]").count() == 24 * 16)
    box = grid.root.bounding_box()
    assert box is not None
    assert box["width"] < 760
    grid.root.screenshot(path=screenshots / "head-grid-24x16.png")
    lab.kernel("[setattr(grid, '_picked', [[99, 'x']]), 0][1]")
    wait(lambda: grid.root.locator("[role=alert]").is_visible())
    assert "ValueError" in grid.root.locator("[role=alert]").inner_text()


def test_lab_letters_do_not_reach_the_notebook(open_lab, lab: Server) -> None:
    page = open_lab("letters.ipynb", CELLS)
    grid, before = Grid(page, 0), cell_count(page)
    grid.cell(9, 1).click()
    press(grid.cell(9, 1), "b", "a", "d", "d", "x", "z", "m", "y", "?")
    assert grid.root.locator(".tk-keys").is_visible()
    assert cell_count(page) == before
    assert page.evaluate("() => document.activeElement.getAttribute('aria-label')").startswith("layer 9, head 1,")
    assert lab.kernel("grid.selected") == [[9, 1]]


def test_lab_dark_theme_is_followed_at_once(open_lab, screenshots: Path) -> None:
    page = open_lab("dark.ipynb", CELLS)
    grid = Grid(page, 0)
    expect(grid.root).to_have_attribute("data-theme", "light")
    with dark(page, grid.root):
        check_colours(grid, VALUES, dark=True)
        wait(lambda: pixels(grid.root)[3, 12].mean() < 60)
        grid.cell(10, 3).click()
        grid.root.screenshot(path=screenshots / "head-grid-dark.png")


def test_lab_restart_and_run_all_then_handed_on_as_a_file(open_lab, lab: Server, page: Page, screenshots: Path) -> None:
    page = open_lab("saved.ipynb", [*CELLS[:2], "import os; print('PI' + 'D', os.getpid())", "print('ALL' + 'DONE')"])
    Grid(page, 0).cell(9, 4).click()
    wait(lambda: lab.kernel("grid.selected") == [[9, 4]])
    first = page.get_by_text("PID").last.inner_text()
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:restart-run-all'); }")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    wait(lambda: page.get_by_text("PID").count() and page.get_by_text("PID").last.inner_text() != first)
    all_done(page)
    grid = Grid(page, 0)
    assert grid.selected() == set()
    grid.cell(8, 2).click()
    wait(lambda: lab.kernel("grid.selected") == [[8, 2]])

    page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:save'); }")
    path = lab.folder / "saved.ipynb"
    wait(lambda: "image/png" in path.read_text())
    assert path.stat().st_size < 60_000
    # someone else opens the file: Jupyter does not trust it, so nothing live may run, and the picture stands there
    book = nbformat.read(path, as_version=4)
    book.metadata["handed"] = "on"
    nbformat.write(book, lab.folder / "handed-on.ipynb")
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown(); }")
    page.goto(f"{lab.url}/doc/tree/handed-on.ipynb?token={TOKEN}")
    picture = page.locator(".jp-OutputArea-output img").first
    picture.wait_for()
    assert pixels(picture).std() > 20
    page.screenshot(path=screenshots / "handed-on.png")


SCORES = """
import numpy as np
from toolkit.panels.head_grid.panel import HeadGrid
from toolkit.panels.base.selection import Selection
values, shared = np.linspace(-1, 1, 32).reshape(4, 8), Selection()
grid = HeadGrid({"A": values, "B, signed": -values}, title="badness", limit=1.0, selection=shared)
other = HeadGrid(values, title="linked", limit=1.0, selection=shared)
"""


def test_lab_maps_are_chosen_heads_pinned_and_values_saved(open_lab, lab: Server, screenshots: Path) -> None:
    page = open_lab("scores.ipynb", [SCORES, "grid", "other", "print('ALL' + 'DONE')"])
    grid, other = Grid(page, 0), Grid(page, 1)
    plain = np.linspace(-1, 1, 32).reshape(4, 8)
    cells = [(0, 0), (1, 5), (3, 7)]

    def painted(values: np.ndarray) -> bool:
        expected = [color(values[r : r + 1, c], 1.0, False)[0].astype(int) for r, c in cells]
        return all(np.abs(grid.inside(*at) - rgb).max() <= 3 for at, rgb in zip(cells, expected, strict=True))

    wait(lambda: painted(plain))
    grid.root.get_by_label("Score").select_option("B, signed")
    wait(lambda: painted(-plain))
    wait(lambda: lab.kernel("grid.score") == "B, signed")
    assert "badness – B, signed" in grid.root.locator(".tkhg-summary").inner_text()

    grid.cell(2, 4).focus()
    press(grid.cell(2, 4), "p", "Shift+P")
    wait(lambda: lab.kernel("[grid.pinned_layers, grid.pinned_heads]") == [[2], [4]])
    top = grid.cell(2, 4).bounding_box()
    assert top is not None
    for layer, head in ((0, 4), (2, 0), (3, 7)):
        box = grid.cell(layer, head).bounding_box()
        assert box is not None
        assert (box["y"] > top["y"]) == (layer != 2), "the pinned layer is not on top"
        assert (box["x"] > top["x"]) == (head != 4), "the pinned head is not first"
    assert painted(-plain), "pinning moves cells, not values"
    boxes = [grid.cell(0, head).bounding_box() for head in (4, 0, 1, 7)]
    for a, b in itertools.pairwise(boxes):
        assert a is not None
        assert b is not None
        assert a["x"] + a["width"] <= b["x"] + 0.5, "cells overlap"
    press(grid.cell(2, 4), "ArrowDown")
    label = page.evaluate("() => document.activeElement.getAttribute('aria-label')")
    assert label.startswith("layer 0, head 4,"), "arrows move over what is painted"
    press(grid.cell(0, 4), "Space")
    wait(lambda: lab.kernel("grid.selected") == [[0, 4]])

    grid.cell(1, 6).hover()
    wait(lambda: other.cell(1, 6).evaluate("c => getComputedStyle(c).outlineStyle") == "dashed")
    grid.root.screenshot(path=screenshots / "head-grid-pinned.png")
    with page.expect_download() as download:
        grid.root.get_by_label("Save the values as CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == 'layer,head,A,"B, signed",selected'
    assert len(lines) == 33
    assert lines[5].startswith("0,4,")
    assert lines[5].endswith("true")
    grid.root.locator(".tkhg-layer").first.click()
    wait(lambda: lab.kernel("grid.pinned_layers") == [])


def test_voila_click_keyboard_and_python_agree(voila: Server, page: Page, screenshots: Path) -> None:
    voila.notebook("grid.ipynb", CELLS)
    page.goto(f"{voila.url}/voila/render/grid.ipynb")
    grid, twin = Grid(page, 0), Grid(page, 1)
    check_colours(grid, VALUES)
    grid.cell(11, 6).click()
    wait(lambda: voila.kernel("grid.selected") == [[11, 6]])
    press(grid.cell(11, 6), "ArrowUp")
    press(grid.cell(10, 6), "Enter")
    wait(lambda: twin.selected() == {(11, 6), (10, 6)})
    assert voila.kernel("twin.selected") == [[11, 6], [10, 6]]
    page.screenshot(path=screenshots / "head-grid-voila.png", full_page=True)
