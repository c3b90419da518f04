"""CompareLab in JupyterLab: act as a user, then look at Python and at the paint."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from playwright.sync_api import Locator, Page, expect
from servers import Server, cell_count, dark, press, wait

SETUP = """
import toolkit as tk
model = tk.load()
few = [tk.extract(model, tk.scenes("edit", n=160, seed=s, kind="birds"), progress=False).draw(10) for s in (1, 2)]
val = tk.extract(model, tk.scenes("val", n=900, seed=5), progress=False)
every = tk.classes(["waterbird", "landbird", *sorted(set(val.labels) - {"waterbird", "landbird"})])
M = tk.methods
words = [M.RoboShot([("a water background", "a land background")]), M.ContextEnsemble(("on water", "on land"))]
no = M.HeadsOff("L9.H9").named("no")
cures = [*words, "HeadsOff", "Edit", "TipAdapter", "Probe", "BalancedProbe", "GroupDRO", no]
lab = tk.CompareLab(few, every, cures, held_out=val.take(range(600)), validation=val.take(range(600, 900)))
grid = tk.HeadGrid(few[0].moments.mean[..., 0].numpy(), selection=lab.selection)
"""
CELLS = [SETUP, "lab", "grid", "print('ALL' + 'DONE')"]


class Shown:
    """One painted lab."""

    def __init__(self, page: Page) -> None:
        self.root = page.locator(".tkco").first
        self.root.wait_for()
        self.marks = self.root.locator(".tkco-mark")

    def still(self) -> bool:
        return self.root.get_attribute("aria-busy") == "false" and not self.root.locator(".tk-stale").count()

    def mark(self, name: str) -> Locator:
        return self.root.locator(f'.tkco-mark[data-name="{name}"]')

    def middle(self, name: str) -> np.ndarray:
        box = self.mark(name).bounding_box()
        return np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])

    def dial(self, name: str) -> Locator:
        return self.root.locator(f'.tkco-row[data-name="{name}"] input')


def test_lab_turn_dials_and_read_who_pays(open_lab, lab: Server, screenshots: Path) -> None:
    page = open_lab("compare.ipynb", CELLS)
    shown = Shown(page)
    wait(lambda: shown.marks.count() == 8 and shown.still())
    shown.root.screenshot(path=screenshots / "compare-light.png")
    assert lab.kernel("list(lab.methods)") == [
        row for row in lab.kernel("[m['name'] for m in lab._methods]") if row != "no"
    ]
    expect(shown.root.locator('.tkco-row[data-name="no"] .tkco-reason')).to_contain_text("L9.H9")

    # marks stand where the numbers are: further right is a better worst group, higher up less is lost
    worst = lab.kernel("{n: lab._paths[n]['worst'][lab.dials[n]] for n in lab.methods}")
    kept = lab.kernel("{n: lab._paths[n]['locality'][lab.dials[n]] for n in lab.methods}")
    places = {name: shown.middle(name) for name in worst}
    names = list(worst)
    across = np.array([places[name][0] for name in names])
    up = np.array([places[name][1] for name in names])
    slope, start = np.polyfit([worst[name] for name in names], across, 1)
    np.testing.assert_allclose(across, start + slope * np.array([worst[n] for n in names]), atol=2.5)
    assert slope > 0
    assert np.corrcoef([kept[n] for n in names], up)[0, 1] < -0.99

    # a mark is dragged along its path, which turns its dial
    dials = lab.kernel("lab.dials")
    x, y = shown.middle("RoboShot")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 40, y, steps=5)
    page.mouse.up()
    wait(lambda: lab.kernel("lab.dials['RoboShot']") < dials["RoboShot"] and shown.still())
    assert lab.kernel("lab.focus") == "RoboShot"
    row = "next(r for r in lab._table if r['name'] == 'RoboShot')"
    wait(lambda: lab.kernel(f"{row}['chosen']") == "chosen here")
    expect(shown.root.locator('.tkco-table tr[data-name="RoboShot"]')).to_contain_text("here")

    # a dial by keyboard: numbers of the groups follow
    shown.dial("probe").focus()
    wait(lambda: lab.kernel("lab.focus") == "probe")
    press(shown.dial("probe"), "ArrowRight", "ArrowRight")
    wait(lambda: lab.kernel("lab.dials['probe']") == dials["probe"] + 2 and shown.still())
    after = shown.root.locator(".tkl-groups td:nth-child(4)")
    told = lab.kernel("[100 * r['after'] for r in lab._shown['rows']]")
    wait(lambda: len(after.all()) == len(told))
    seen = [float(text.removesuffix(" %")) for text in after.all_inner_texts()]
    np.testing.assert_allclose(seen, told, atol=0.051)
    press(shown.dial("probe"), "ArrowDown")
    wait(lambda: lab.kernel("lab.focus") == "balanced probe")
    press(page.locator(":focus"), "v")
    wait(lambda: lab.kernel("set(r['chosen'] for r in lab._table) == {'validation'}") and shown.still())
    press(page.locator(":focus"), "p")
    wait(lambda: lab.kernel("lab.dials") == dials and shown.still())

    # a price is a line; it can be moved
    press(page.locator(":focus"), "l")
    wait(lambda: shown.root.locator(".tkco-price").count() == 1 and shown.still())
    price = lab.kernel("lab.price")
    press(page.locator(":focus"), "-")
    wait(lambda: lab.kernel("lab.price") < price and shown.still())
    expect(shown.root.locator(".tkco-table")).to_contain_text(re.compile(r"at \d"))

    # heads of its maps are everybody's; letters do not reach the notebook
    count = cell_count(page)
    press(shown.root, "h")
    cell = shown.root.locator(".tkm-cell").nth(8 * 3 + 7)
    cell.click()
    wait(lambda: lab.kernel("[list(h) for h in grid.selected]") == [[3, 7]])
    wait(lambda: lab.kernel("str(lab.methods['heads off'].fitted.heads)") == "L3.H7" and shown.still())
    press(shown.root, "f")
    wait(lambda: shown.root.get_by_text("became right").count() == 1)
    assert cell_count(page) == count
    shown.root.get_by_label("against which method").select_option("edit")
    wait(lambda: lab.kernel("lab._shown['against']") == "edit" and shown.still())

    # another draw of the few images
    before = lab.kernel("lab._paths['probe']")
    shown.root.get_by_label("next draw").click()
    wait(lambda: lab.kernel("lab._paths.get('probe')") not in (None, before) and shown.still())
    wait(lambda: shown.marks.count() == 8)

    with dark(page, shown.root):
        wait(lambda: shown.still() and not page.locator("#jupyterlab-splash").count())
        shown.root.screenshot(path=screenshots / "compare-dark.png")
