"""AblationLab in JupyterLab and Voilà: act as a user, then look at Python and at the paint."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from servers import Server, cell_count, dark, pixels, press, wait

SETUP = """
import toolkit as tk
acts = tk.extract(tk.load(), tk.scenes("test", n=1200, kind="birds"), progress=False)
birds = tk.classes(["waterbird", "landbird"])
lab = tk.AblationLab(acts, birds)
grid = tk.HeadGrid(tk.locate(acts, birds).a, title="A", selection=lab.selection)
"""
CELLS = [SETUP, "lab", "grid", "print('ALL' + 'DONE')"]


class Shown:
    """One painted AblationLab."""

    def __init__(self, page: Page) -> None:
        self.root = page.locator(".tkab").first
        self.root.wait_for()

    def cell(self, layer: int, head: int) -> Locator:
        return self.root.locator(".tkm-cell").nth(8 * layer + head)

    def after(self) -> list[str]:
        return self.root.locator(".tkl-groups td:nth-child(4)").all_inner_texts()

    def still(self) -> bool:
        return self.root.get_attribute("aria-busy") == "false" and not self.root.locator(".tk-stale").count()

    def agrees(self, lab: Server) -> bool:
        """What is painted is what Python computes anew from the strengths."""
        code = (
            "(lambda r: [f'{100 * g.after:.1f} %' for g in r.groups] + [f'{100 * r.worst.value:.1f} %'])"
            "(tk.ablate(acts, birds, lab.heads, how=lab.how, strength=lab.strengths))"
        )
        return self.after()[:5] == lab.kernel(code)


def heads(lab: Server) -> str:
    return str(lab.kernel("str(lab.heads)"))


def test_lab_heads_off(open_lab, lab: Server, screenshots: Path) -> None:
    page = open_lab("ablation.ipynb", CELLS)
    shown = Shown(page)
    wait(lambda: len(shown.after()) == 6 and shown.still())
    assert shown.agrees(lab)

    # as narrow as a column of three: the title's words stay whole, the table scrolls and does not reach out
    wide = shown.root.locator(".tk-title").bounding_box()
    lab.kernel("setattr(lab.layout, 'width', '380px')")
    wait(lambda: shown.root.bounding_box()["width"] < 400)
    title, table = (shown.root.locator(name).bounding_box() for name in (".tk-title", ".tkl-groups-frame"))
    assert title["height"] == wide["height"]
    assert table["width"] <= 380
    lab.kernel("setattr(lab.layout, 'width', None)")
    wait(lambda: shown.root.bounding_box()["width"] > 600)

    # off and on by mouse; the pictures of what flipped
    for layer, head in ((3, 7), (3, 5)):
        shown.cell(layer, head).click()
    wait(lambda: heads(lab) == "L3.H7 L3.H5" and shown.still() and shown.agrees(lab))
    right = shown.root.get_by_role("listbox", name="images that became right").get_by_role("option")
    wait(lambda: right.count() == min(12, lab.kernel("len(lab.change.became_right)")) and pixels(right.first).std() > 5)
    assert (right.first.get_attribute("title") or "").startswith(lab.kernel("lab.change.became_right[0]"))
    assert "→" in right.first.inner_text()
    right.first.click()
    wait(lambda: lab.kernel("lab.selection.image") == lab.kernel("lab.change.became_right[0]"))
    off = pixels(shown.cell(3, 7)).astype(float).mean()
    assert off < pixels(shown.cell(0, 0)).astype(float).mean() - 60
    shown.root.screenshot(path=screenshots / "ablation-lab-light.png")

    # by keyboard: another head, off, half on; letters reach nobody else
    shown.cell(3, 5).focus()
    press(shown.cell(3, 5), "ArrowUp")
    wait(lambda: lab.kernel("list(lab.head)") == [2, 5])
    assert lab.kernel("list(map(list, grid.selected))") == [[2, 5]]
    press(shown.cell(2, 5), "ArrowLeft")
    press(shown.cell(2, 4), "Space")
    wait(lambda: heads(lab) == "L3.H7 L3.H5 L2.H4" and shown.still() and shown.agrees(lab))
    press(shown.cell(2, 4), "+", "+", "+")
    wait(lambda: lab.kernel("lab.strengths[2, 4]") == 0.3 and shown.still() and shown.agrees(lab))
    count = cell_count(page)
    press(shown.cell(2, 4), "b", "d", "d", "x")
    assert cell_count(page) == count
    slider = shown.root.get_by_label("Strength of L2.H4")
    slider.focus()
    press(slider, "End")
    wait(lambda: lab.kernel("lab.strengths[2, 4]") == 2 and shown.still() and shown.agrees(lab))
    shown.root.get_by_label("Switch all heads on").click()
    wait(lambda: heads(lab) == "" and shown.still() and shown.agrees(lab))

    # a cell of the confusion decides what scores look at
    cell = shown.root.get_by_role("button", name="landbird taken for waterbird")
    cell.click()
    wait(lambda: lab.kernel("list(lab.pair)") == ["landbird", "waterbird"] and shown.still())
    expect(cell).to_have_attribute("aria-pressed", "true")
    shown.root.get_by_label("Score of the map").select_option("−D")
    wait(lambda: lab.kernel("lab.score") == "−D" and shown.still())
    worst = lab.kernel("tk.locate(acts, birds, *lab.pair).ranking('d').heads[0]")
    painted = pixels(shown.cell(*worst)).astype(float).mean((0, 1))
    assert painted[0] > painted[2] + 15  # orange: it pushes towards the error
    top = shown.root.get_by_label("Switch off the worst heads of the map")
    top.focus()
    press(top, "ArrowRight", "ArrowRight", "ArrowRight")
    wait(lambda: lab.kernel("list(lab.heads) == list(tk.locate(acts, birds, *lab.pair).ranking('d'))[:3]"))
    wait(lambda: shown.still() and shown.agrees(lab))
    shown.root.get_by_role("button", name="choose").click()
    wait(lambda: heads(lab) == lab.kernel("str(tk.locate(acts, birds, *lab.pair).choose())"))
    wait(lambda: shown.still() and "prefixes of 4 lists" in shown.root.inner_text())
    shown.root.screenshot(path=screenshots / "ablation-lab-chosen.png")

    # the model run again, with its progress; then ended half-way
    direct = shown.after()
    shown.root.get_by_label("Which effect").select_option("total")
    wait(lambda: shown.still() and shown.after() != direct)
    total = "f'{100 * tk.ablate(acts, birds, lab.heads, effect=\"total\").worst.value:.1f} %'"
    assert shown.after()[4] == lab.kernel(total)
    shown.cell(0, 0).click()
    wait(lambda: lab.kernel("'outcome' in lab._work"))
    press(shown.root.locator(".tkm-cell").first, "Escape")
    wait(lambda: shown.root.get_attribute("aria-busy") == "false")
    sign = shown.root.locator('.tk-sign[data-part="outcome"]')
    expect(sign).to_contain_text("stopped")
    expect(sign.get_by_role("button")).to_have_text("go on")
    assert shown.root.locator(".tk-stale").count() > 0  # what is shown is older than what is asked, and dimmed
    shown.root.get_by_label("Which effect").select_option("direct")
    wait(lambda: shown.still() and shown.agrees(lab))

    with dark(page, shown.root):
        wait(lambda: shown.still() and not page.locator("#jupyterlab-splash").count())
        shown.root.screenshot(path=screenshots / "ablation-lab-dark.png")


def test_voila_ablation(voila: Server, page: Page, screenshots: Path) -> None:
    voila.notebook("ablation.ipynb", [SETUP, "lab"])
    page.goto(f"{voila.url}/voila/render/ablation.ipynb")
    shown = Shown(page)
    wait(lambda: len(shown.after()) == 6 and shown.still())
    before = shown.after()
    shown.cell(3, 7).click()
    wait(lambda: shown.still() and shown.after() != before)
    page.screenshot(path=screenshots / "ablation-lab-voila.png", full_page=True)
