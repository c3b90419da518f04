"""Gallery in JupyterLab and Voilà: act as a user, then look at Python and at the paint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from narrow import NarrowHost
from PIL import Image
from playwright.sync_api import Locator, Page
from servers import FOCUS_IN, Server, cell_count, dark, pixels, press, wait

from toolkit.panels.gallery.panel import Gallery

SETUP = """
import numpy as np
from PIL import Image
from toolkit.panels.gallery.panel import Gallery
from toolkit.panels.base.selection import Selection
colours = [(20 * i, 255 - 20 * i, 128) for i in range(12)]
pictures = [Image.new("RGB", (64, 64), c) for c in colours]
shared = Selection()
ids = [f"id{i}" for i in range(12)]
captions = ["<i>bird</i>"] + [f"class {i}" for i in range(1, 12)]
marks = ["wrong", "right"] + [""] * 10
gallery = Gallery(pictures, ids=ids, captions=captions, marks=marks, title="mistakes", selection=shared)
paged = Gallery(pictures, ids=ids, per_page=5, tile=64, selection=shared)
"""
CELLS = [SETUP, "gallery", "paged", "print('ALL' + 'DONE')"]
COLOURS = [(20 * i, 255 - 20 * i, 128) for i in range(12)]


class Shown:
    """One painted Gallery."""

    def __init__(self, page: Page, index: int) -> None:
        self.root = page.locator(".tkga").nth(index)
        self.root.wait_for()
        self.tiles = self.root.locator("[role=option]")

    def tile(self, at: int) -> Locator:
        return self.tiles.nth(at)

    def colour(self, at: int) -> np.ndarray:
        picture = pixels(self.tile(at).locator(".tkga-picture"))
        return picture[picture.shape[0] // 2, picture.shape[1] // 2]

    def chosen(self) -> list[str]:
        return self.root.locator('[aria-selected="true"]').evaluate_all("tiles => tiles.map(t => t.title)")


def right_colours(shown: Shown, first: int, n: int) -> bool:
    return all(np.abs(shown.colour(i) - COLOURS[first + i]).max() < 8 for i in range(n))


def test_lab_gallery_by_mouse_keyboard_and_python(open_lab, lab: Server, screenshots: Path) -> None:
    page = open_lab("gallery.ipynb", CELLS)
    gallery, paged = Shown(page, 0), Shown(page, 1)
    wait(lambda: gallery.tiles.count() == 12 and right_colours(gallery, 0, 12))
    assert gallery.tile(0).inner_text() == "✗ <i>bird</i>", "captions are text"
    assert "right" in (gallery.tile(1).get_attribute("aria-label") or "")

    gallery.tile(3).click()
    wait(lambda: lab.kernel("[gallery.selected, shared.image, paged.selected]") == ["id3"] * 3)
    wait(lambda: paged.chosen() == ["id3"])
    press(gallery.tile(3), "ArrowRight")
    press(gallery.tile(4), "Enter")
    wait(lambda: lab.kernel("gallery.selected") == "id4")
    ring = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid", "no visible focus"
    before, count = page.evaluate("() => document.activeElement.title"), cell_count(page)
    press(gallery.tile(4), "b", "d", "d", "x", "a")
    assert cell_count(page) == count, "letters reached the notebook"
    assert page.evaluate("() => document.activeElement.title") == before
    press(gallery.tile(4), "Escape")
    wait(lambda: lab.kernel("shared.image") is None and gallery.chosen() == [])

    # down one painted row, whatever the width
    gallery.tile(0).focus()
    press(gallery.tile(0), "ArrowDown")
    box = [gallery.tile(0).bounding_box(), page.locator("[role=option]:focus").bounding_box()]
    assert box[0] is not None
    assert box[1] is not None
    assert abs(box[0]["x"] - box[1]["x"]) < 2
    assert box[1]["y"] > box[0]["y"]

    assert paged.root.locator(".tkga-where").inner_text() == "1–5 of 12"
    paged.tile(4).focus()
    press(paged.tile(4), "PageDown")
    wait(lambda: paged.root.locator(".tkga-where").inner_text() == "6–10 of 12")
    wait(lambda: right_colours(paged, 5, 5))
    assert page.evaluate("() => document.activeElement.title") == "id5", "the focus went with the page"
    paged.root.get_by_label("Next page").click()
    wait(lambda: paged.tiles.count() == 2 and right_colours(paged, 10, 2))
    lab.kernel("setattr(shared, 'image', 'id0')")
    wait(lambda: paged.chosen() == ["id0"] and paged.tiles.count() == 5)
    gallery.root.screenshot(path=screenshots / "gallery-light.png")

    with dark(page, gallery.root):
        gallery.root.screenshot(path=screenshots / "gallery-dark.png")


WORLD = """
import time, toolkit as tk
data = tk.scenes("test", n=200)
_ = data.pixels(range(200))
from IPython.display import display
"""


def test_voila_two_hundred_thumbnails(voila: Server, page: Page, screenshots: Path) -> None:
    cells = [WORLD, "gallery = tk.Gallery(data, title='the built-in world')", "gallery"]
    voila.notebook("gallery.ipynb", cells)
    page.goto(f"{voila.url}/voila/render/gallery.ipynb")
    gallery = Shown(page, 0)
    wait(lambda: gallery.tiles.count() == 200)
    gallery.tile(150).click()
    wait(lambda: voila.kernel("gallery.selected == gallery.ids[150]"))
    assert gallery.colour(150).shape == (3,)
    assert pixels(gallery.root.locator(".tkga-list")).std() > 30
    page.screenshot(path=screenshots / "gallery-voila.png", full_page=True)


def test_the_focus_stays_while_the_list_gets_another_length(host: NarrowHost) -> None:
    gallery = Gallery([Image.new("RGB", (8, 8), colour) for colour in COLOURS])
    root = host.show(gallery)
    tiles = root.locator(".tkga-tile")
    tiles.nth(3).focus()
    for length, kept in ((5, 3), (9, 3), (2, 1)):
        gallery.show([Image.new("RGB", (8, 8), colour) for colour in COLOURS[:length]])
        host.pump_until(lambda length=length: tiles.count() == length)
        assert tiles.nth(kept).evaluate(FOCUS_IN), f"among {length} tiles"
    gallery.show([])
    host.pump_until(lambda: tiles.count() == 0)
    gallery.show([Image.new("RGB", (8, 8), colour) for colour in COLOURS])
    host.pump_until(lambda: tiles.count() == 12)
    assert not root.locator(":focus").count(), "what was left is not taken back"
