"""TokenMap in JupyterLab and Voilà: act as a user, then look at Python and at the paint."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect
from servers import Server, cell_count, dark, pixels, press, wait

SETUP = """
import toolkit as tk
model = tk.load()
data = tk.scenes("test", 60, 5, kind="birds").where(group="landbird on water")
acts = tk.extract(model, tk.scenes("edit", 200, 5, kind="birds"), progress=False)
few = acts.draw(8)
edit = tk.edit(few, tk.classes(["waterbird", "landbird"]), "L3.H7")
spans = tk.textspan(acts, tk.bank("world"), size=6)
panel = tk.TokenMap(model, data, text="a landbird", against="a waterbird", spans=spans, edit=edit)
grid = tk.HeadGrid([[0.0] * 8] * 4)
tk.link(panel, grid)
"""
MAP = "tk.token_map(model, data[0], 'water', 'land'"
CELLS = [SETUP, "panel", "grid", "print('ALL' + 'DONE')"]
ANEW = "(lambda m: [round(float(m.total), 4), round(float(m.values.sum()), 4)])({})"


class Shown:
    """One painted TokenMap."""

    def __init__(self, page: Page) -> None:
        self.root = page.locator(".tkt").first
        self.root.wait_for()
        self.a, self.b = (self.root.locator(".tkt-pane").nth(i) for i in range(2))
        self.map, self.other = (pane.locator("canvas") for pane in (self.a, self.b))
        self.text = self.root.get_by_label("text", exact=True)
        self.against = self.root.get_by_label("minus", exact=True)
        self.beside = self.root.get_by_label("beside it")
        self.head = self.root.get_by_role("gridcell")

    def still(self) -> bool:
        return self.root.get_attribute("aria-busy") == "false" and not self.root.locator(".tk-stale").count()

    def sums(self, pane: int = 0) -> str:
        return self.root.locator(".tkt-sums").nth(pane).inner_text().replace("−", "-")

    def agrees(self, lab: Server, expression: str, pane: int = 0) -> bool:
        """What is painted is what Python computes anew."""
        total, patches = lab.kernel(ANEW.format(expression))
        said = self.sums(pane)
        return f"cosine {total:+.4f}" in said and f"patches {patches:+.4f}" in said


def test_lab_token_map(open_lab, lab: Server, tmp_path: Path, screenshots: Path) -> None:
    page = open_lab("map.ipynb", CELLS)
    page.set_viewport_size({"width": 1200, "height": 1200})
    shown = Shown(page)
    wait(lambda: shown.still() and shown.sums())
    assert shown.agrees(lab, "tk.token_map(model, data[0], 'a landbird', 'a waterbird')")
    wait(lambda: pixels(shown.map).std() > 10)
    shown.root.screenshot(path=screenshots / "token-map-light.png")

    # the paint: the strongest patch is the most coloured, and colour vanishes with the slider
    row, col = lab.kernel("[int(i) for i in divmod(int(abs(panel.map.values).argmax()), 8)]")
    picture = pixels(shown.map)
    side = picture.shape[0] / 8
    colour = np.abs(picture[..., 0] - picture[..., 2])
    cell = colour[int(row * side) : int((row + 1) * side), int(col * side) : int((col + 1) * side)]
    assert cell.mean() > 2 * colour.mean()
    shown.root.get_by_label("View: colours, scale, images of your own").click()
    slider = shown.root.get_by_label("colour", exact=True)
    slider.focus()
    press(slider, "Home")
    wait(lambda: lab.kernel("panel.opacity") == 0)
    bare = pixels(shown.map)
    given = Image.fromarray(np.array(lab.kernel("__import__('numpy').asarray(data[0].image).tolist()"), np.uint8))
    truth = np.asarray(given.resize((bare.shape[1], bare.shape[0]), Image.Resampling.NEAREST), int)
    assert np.abs(bare - truth)[20:-20, 20:-20].mean() < 12, "without colour it is the image"
    press(slider, "End")
    wait(lambda: lab.kernel("panel.opacity") == 1)

    # a new text, letter by letter; what the model does not know; nothing at all
    shown.text.fill("")
    shown.text.press_sequentially("a bird in the snow", delay=15)
    wait(lambda: lab.kernel("panel.text") == "a bird in the snow" and shown.still())
    wait(lambda: shown.agrees(lab, "tk.token_map(model, data[0], 'a bird in the snow', 'a waterbird')"))
    shown.text.fill("a zebra")
    expect(shown.root.get_by_role("status")).to_contain_text("the model does not know “zebra”")
    shown.text.fill("bird " * 40)
    expect(shown.root.get_by_role("alert")).to_contain_text("42 tokens")
    assert shown.root.locator(".tkt-pane.tk-stale").count() >= 1
    shown.text.fill("water")
    shown.against.fill("land")
    wait(lambda: lab.kernel("panel.against") == "land" and shown.still())
    expect(shown.root.get_by_role("alert")).to_be_hidden()
    assert shown.agrees(lab, "tk.token_map(model, data[0], 'water', 'land')")

    # a patch under the pointer: which heads read it
    before = [shown.head.nth(i).evaluate("n => n.style.backgroundColor") for i in range(32)]
    box = shown.map.bounding_box()
    assert box
    page.mouse.move(box["x"] + 2.5 / 8 * box["width"], box["y"] + 5.5 / 8 * box["height"])
    expect(shown.root.locator(".tkt-point")).to_contain_text("patch (5, 2)")
    best = lab.kernel("(lambda t: 'L%d.H%d' % divmod(int(abs(t).argmax()), 8))(panel.map.by_head[:, :, 5, 2])")
    expect(shown.root.locator(".tkt-point")).to_contain_text(f"heads: {best}")
    assert before != [shown.head.nth(i).evaluate("n => n.style.backgroundColor") for i in range(32)]
    page.mouse.down()
    page.mouse.up()
    wait(lambda: lab.kernel("list(panel.patch)") == [5, 2])
    page.mouse.move(5, 5)
    shown.map.focus()
    press(shown.map, "ArrowRight")
    expect(shown.root.locator(".tkt-point")).to_contain_text("patch (5, 3)")
    press(shown.map, "Enter")
    wait(lambda: lab.kernel("list(panel.patch)") == [5, 3])
    count = cell_count(page)
    press(shown.map, "b", "d", "d", "x", "g", "g")
    assert cell_count(page) == count
    wait(lambda: lab.kernel("panel.beside") == "image")
    press(shown.map, "Escape")
    wait(lambda: lab.kernel("panel.patch") is None)
    shown.beside.select_option("nothing")

    # heads, linked with the grid
    shown.head.nth(3 * 8 + 7).click()
    wait(lambda: lab.kernel("list(grid.selected)") == [[3, 7]] and shown.still())
    assert shown.agrees(lab, "tk.token_map(model, data[0], 'water', 'land', heads='L3.H7')")
    press(shown.head.nth(3 * 8 + 7), "ArrowLeft")
    press(shown.head.nth(3 * 8 + 6), "Enter")
    wait(lambda: lab.kernel("str(panel.heads)") == "L3.H7 L3.H6" and shown.still())
    page.locator(".tkhg-cell[data-row='2'][data-col='6']").click()
    wait(lambda: lab.kernel("str(panel.heads)") == "L2.H6" and shown.still())
    assert shown.agrees(lab, "tk.token_map(model, data[0], 'water', 'land', heads='L2.H6')")

    # before and after, on one scale; the difference
    shown.beside.select_option("ablated")
    wait(lambda: shown.still() and shown.b.is_visible())
    assert shown.agrees(lab, "tk.token_map(model, data[0], 'water', 'land', ablate='L2.H6')", 1)
    ticks = shown.root.locator(".tkt-ticks")
    assert ticks.nth(0).inner_text() == ticks.nth(1).inner_text()
    expect(shown.b.locator("figcaption")).to_contain_text("without L2.H6")
    shown.root.screenshot(path=screenshots / "token-map-ablated.png")
    shown.root.get_by_label("difference").check()
    ablated = (
        "tk.token_map(model, data[0], 'water', 'land', ablate='L2.H6') - tk.token_map(model, data[0], 'water', 'land')"
    )
    wait(lambda: shown.still() and shown.agrees(lab, ablated, 1))
    shown.root.get_by_label("difference").uncheck()
    shown.beside.select_option("edited")
    wait(lambda: shown.still() and "edited" in shown.b.locator("figcaption").inner_text())
    assert shown.agrees(lab, "tk.token_map(model, data[0], 'water', 'land', heads='L2.H6', edit=edit)", 1)
    shown.beside.select_option("texts")
    wait(lambda: shown.still() and "water" not in shown.sums())
    wait(lambda: lab.kernel("panel.map.target") in shown.a.locator("figcaption").inner_text())
    shown.root.screenshot(path=screenshots / "token-map-texts.png")

    # two methods keep their own units; a held scale stays
    shown.beside.select_option("method")
    wait(lambda: shown.still() and "sums to nothing" in shown.sums(1))
    assert ticks.nth(0).inner_text() != ticks.nth(1).inner_text()
    shown.root.get_by_label("hold the scale").check()
    wait(lambda: lab.kernel("panel.limit is not None"))
    held = ticks.nth(0).inner_text()
    shown.root.get_by_label("next image").click()
    wait(lambda: lab.kernel("panel.image == data.ids[1]") and shown.still())
    assert ticks.nth(0).inner_text() == held
    shown.root.get_by_label("hold the scale").uncheck()
    wait(lambda: lab.kernel("panel.limit") is None)
    assert "smoothed" not in shown.sums(0)
    shown.root.get_by_label("smooth", exact=True).check()
    wait(lambda: not lab.kernel("panel.raw") and "smoothed between patches" in shown.sums(0))
    shown.root.screenshot(path=screenshots / "token-map-methods.png")

    # images of one's own: chosen, dropped, by path; what is no image
    wide = Image.new("RGB", (400, 160), (60, 110, 190))
    ImageDraw.Draw(wide).ellipse((170, 50, 230, 110), fill=(240, 240, 240))
    wide.save(tmp_path / "wide.png")
    shown.root.locator("input[type=file]").set_input_files(tmp_path / "wide.png")
    wait(lambda: lab.kernel("panel.image") == "wide.png" and shown.still())
    assert lab.kernel("list(panel.map.on_picture().shape)") == [160, 400]
    size = shown.map.bounding_box()
    assert size
    assert abs(size["width"] / size["height"] - 2.5) < 0.05
    shown.root.screenshot(path=screenshots / "token-map-wide.png")
    out = io.BytesIO()
    wide.rotate(90, expand=True).save(out, "PNG")
    drop(page, shown, "dropped.png", out.getvalue())
    wait(lambda: lab.kernel("panel.image") == "dropped.png" and shown.still())
    drop(page, shown, "no.png", b"nothing")
    expect(shown.root.get_by_role("alert")).to_contain_text("no readable image")
    shown.root.get_by_label("or its path").fill("/nowhere.png")
    shown.root.get_by_label("or its path").press("Enter")
    expect(shown.root.get_by_role("alert")).to_contain_text("does not exist")
    shown.root.get_by_label("image", exact=True).select_option(index=4)
    wait(shown.still)
    expect(shown.root.get_by_role("alert")).to_be_hidden()
    with dark(page, shown.root):
        wait(lambda: shown.still() and not page.locator("#jupyterlab-splash").count())
        shown.root.screenshot(path=screenshots / "token-map-dark.png")


def drop(page: Page, shown: Shown, name: str, content: bytes) -> None:
    """Drop a file on the panel."""
    transfer = page.evaluate_handle(
        """([name, text]) => {
          const data = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([data], name));
          return transfer;
        }""",
        [name, base64.b64encode(content).decode()],
    )
    for kind in ("dragover", "drop"):
        shown.map.dispatch_event(kind, {"dataTransfer": transfer})


def test_voila_token_map(voila: Server, page: Page, screenshots: Path) -> None:
    voila.notebook("map.ipynb", [SETUP, "panel"])
    page.goto(f"{voila.url}/voila/render/map.ipynb")
    shown = Shown(page)
    wait(lambda: shown.still() and shown.sums())
    before = shown.sums()
    shown.text.fill("water")
    wait(lambda: shown.still() and shown.sums() != before)
    page.screenshot(path=screenshots / "token-map-voila.png", full_page=True)
