"""Explorer as a user meets it: the whole loop by mouse in JupyterLab and by keyboard alone, in every host."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import patience
import pytest
from narrow import NarrowHost
from playwright.sync_api import Locator, Page, WebSocket, expect
from servers import TOKEN, Server, all_done, cell_count, dark, pixels, press, run_all, wait

import toolkit as tk
from toolkit.explanations import workbook

SETUP = """
import toolkit as tk
model = tk.load()
data = tk.scenes("val", n=400)
explorer = tk.Explorer(model, data, ["landbird", "waterbird"])
"""
DONE = "print('ALL' + 'DONE')"
BUDGET = 400_000


class Seen:
    """One painted explorer."""

    def __init__(self, page: Page, at: int = 0) -> None:
        self.page, self.root = page, page.locator(".tkex").nth(at)
        self.root.wait_for()
        expect(self.root).to_have_attribute("data-seq", re.compile(r"\d+"))

    def tab(self, name: str) -> Locator:
        self.root.get_by_role("tab", name=name, exact=True).click()
        return self.root.get_by_role("tabpanel", name=name, exact=True)

    def chip(self, words: str) -> str:
        return self.root.locator(".tkex-chip", has_text=words).first.inner_text()

    @property
    def still(self) -> bool:
        busy = self.root.get_attribute("aria-busy") == "true" or self.root.locator('[aria-busy="true"]').count()
        return not busy and not self.root.locator(".tk-stale").count()


def test_lab_the_whole_loop_by_mouse(open_lab: Callable[..., Page], lab: Server, screenshots: Path) -> None:
    page = open_lab("explorer.ipynb", [SETUP, "explorer", "explorer.grid", DONE])
    page.set_viewport_size({"width": 1280, "height": 1500})
    seen = Seen(page)
    wait(lambda: seen.still and seen.root.locator(".tkex-picker .tkc-cell").count() == 4)
    numbers = [int(text) for text in seen.root.locator(".tkex-picker .tkc-cell b").all_inner_texts()]
    assert numbers == lab.kernel("explorer._confusion['before']")
    seen.root.screenshot(path=screenshots / "explorer-mistakes.png")

    seen.root.locator(".tkex-picker").get_by_label("landbird taken for waterbird").click()
    wait(lambda: lab.kernel("explorer.selection.pair") == ["landbird", "waterbird"])
    wait(lambda: f"{numbers[1]} images of landbird taken for waterbird" in seen.root.inner_text())
    tiles = seen.root.locator(".tkga-tile")
    wait(lambda: tiles.count() == min(24, numbers[1]) and pixels(tiles.nth(1).locator(".tkga-picture")).std() > 5)
    tiles.nth(1).click()
    wait(lambda: lab.kernel("explorer.selection.image") == tiles.nth(1).get_attribute("title"))
    wait(lambda: "landbird on" in seen.chip("image"))

    cell = seen.root.locator('.tkhg [aria-label^="layer 3, head 7,"]')
    cell.click()
    wait(lambda: lab.kernel("explorer.selection.heads") == [[3, 7]])
    alone = page.locator(".tkhg").filter(visible=True).nth(1)  # the same grid in a cell of its own
    wait(lambda: alone.locator('[aria-label^="layer 3, head 7,"]').get_attribute("aria-selected") == "true")
    alone.locator('[aria-label^="layer 3, head 5,"]').click(modifiers=["Shift"])
    wait(lambda: "L3.H7 L3.H5" in seen.chip("heads"))

    words = seen.tab("Words")
    wait(lambda: words.locator(".tkse-name").inner_text() == "L3.H5")
    wait(lambda: seen.still)
    assert words.locator(".tkse-text").all_inner_texts() == lab.kernel("[row['text'] for row in explorer.spans._rows]")

    where = seen.tab("Where")
    wait(lambda: where.locator("canvas").count() and pixels(where.locator("canvas").first).std() > 10)
    wait(lambda: seen.still)
    assert "waterbird" in where.get_by_label("text", exact=True).input_value()
    total = lab.kernel("round(float(explorer.maps.map.total), 4)")
    assert f"cosine {total:+.4f}" in where.locator(".tkt-sums").first.inner_text().replace("−", "-")

    off = seen.tab("Heads off")
    off.locator('.tkm-cell[aria-label^="L3.H7,"]').click()
    wait(lambda: lab.kernel("str(explorer.ablation.heads)") == "L3.H7" and seen.still)
    rows = lab.kernel("[[r['name'], round(100 * r['after'], 1)] for r in explorer.ablation._groups]")
    shown = [tr.locator("th, td").all_inner_texts() for tr in off.locator(".tkl-groups tr").all()[1:]]
    assert [[row[0], row[3]] for row in shown] == [[name, f"{after:.1f} %"] for name, after in rows]
    seen.root.screenshot(path=screenshots / "explorer-off.png")

    edit = seen.tab("Edit")
    wait(lambda: edit.locator(".tked-words b").count() and seen.still)
    alpha = edit.locator('input[type="range"]').first
    alpha.focus()
    press(alpha, "ArrowRight", "ArrowRight", "ArrowRight")
    wait(lambda: lab.kernel("explorer.selection.edit.alpha == explorer.edit.alpha != 10") and seen.still)
    assert "α = " in seen.chip("edit")
    seen.root.screenshot(path=screenshots / "explorer-edit.png")

    two = seen.tab("Two models")
    wait(lambda: two.locator(".tkl-groups tr").count() == 7 and seen.still)
    assert "edited: α = " in two.inner_text()
    assert [float(t.split()[0]) for t in two.locator(".tkl-groups tr td:nth-child(4)").all_inner_texts()] == lab.kernel(
        "[round(100 * r['after'], 1) for r in explorer.two._groups]"
    )
    wait(lambda: pixels(two.locator("canvas").nth(1)).std() > 10)
    seen.root.screenshot(path=screenshots / "explorer-two.png")
    with dark(page, seen.root):
        seen.root.screenshot(path=screenshots / "explorer-two-dark.png")
    assert cell_count(page) == 4
    assert not lab.kernel("explorer.error")

    page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:save'); }")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    page.reload()  # the kernel lives: everything is there again
    again = Seen(page)
    wait(lambda: again.root.get_by_role("tab", selected=True).inner_text() == "Two models")
    again.tab("Mistakes")
    wait(lambda: "L3.H7" in again.chip("heads") and again.root.locator(".tkga-tile").count())
    again.root.locator(".tkga-tile").first.click()
    wait(
        lambda: lab.kernel("explorer.selection.image") == again.root.locator(".tkga-tile").first.get_attribute("title")
    )


def test_lab_groups_guilt_and_what_is_off(open_lab: Callable[..., Page], lab: Server, screenshots: Path) -> None:
    page = open_lab("controls.ipynb", [SETUP, "explorer", DONE])
    page.set_viewport_size({"width": 1440, "height": 1200})
    seen = Seen(page)
    wait(lambda: seen.still and seen.root.locator(".tkhg").count())
    uses = seen.root.locator(".tkex-uses li").all_inner_texts()
    assert uses == lab.kernel("[f\"{use['n']} {use['name']}\" for use in explorer._uses]")
    seen.root.get_by_label("which images").select_option("all")
    seen.root.get_by_label("of which group").select_option("landbird on water")
    n = lab.kernel("int((explorer.acts.groups == 'landbird on water').sum())")
    wait(lambda: f"{n} images in landbird on water" in seen.root.inner_text() and seen.still)
    assert set(seen.root.locator(".tkga-caption").all_inner_texts()) <= {
        f"{sign} landbird on water{more}" for sign in "✓✗" for more in ("", " → landbird", " → waterbird")
    }
    assert seen.root.locator(".tkhg-ticks").inner_text().split("\n")[0].endswith("guilty")
    assert seen.root.locator(".tkhg-says").inner_text().startswith("−DE_D")

    words = seen.tab("Words")
    wait(lambda: seen.still and words.locator(".tkse-row").count())
    plain = words.locator(".tkm-cell").nth(25).get_attribute("style")
    words.get_by_label("Colour heads by").select_option("guilt")
    wait(lambda: lab.kernel("explorer.spans.colouring") == "guilt" and seen.still)
    wait(lambda: "Guilt of each head by −D" in words.inner_text())
    assert words.locator(".tkm-cell").nth(25).get_attribute("style") != plain, "L3.H1 is needed, and so pale"

    off = seen.tab("Heads off")
    wait(lambda: seen.still and off.locator(".tkl-groups tr").count() > 5)
    off.locator('.tkm-cell[aria-label^="L3.H7,"]').click()
    wait(lambda: "1 head" in seen.chip("switched off") and seen.still)
    last = off.locator(".tkl-groups tr").last
    assert last.locator("th").inner_text() == "other classes"
    after = lab.kernel("round(100 * explorer.ablation._groups[-1]['after'], 1)")
    assert f"{after:.1f} %" in last.inner_text()
    seen.root.screenshot(path=screenshots / "explorer-off-others.png")
    seen.root.locator(".tkex-chip", has_text="switched off").get_by_role("button").click()
    wait(lambda: lab.kernel("explorer.ablation._off") == [] and seen.still)
    expect(seen.root.locator(".tkex-chip", has_text="switched off")).to_be_hidden()

    seen.root.locator(":scope > .tk-head").get_by_label("Keys").click()
    expect(off.locator(".tk-keys")).to_be_visible()  # the panel's keys stand with the explorer's
    assert not off.get_by_label("Keys", exact=True).is_visible()
    seen.root.locator(":scope > .tk-head").get_by_label("Keys").click()
    expect(off.locator(".tk-keys")).to_be_hidden()


def test_first_paint_and_the_wire(lab: Server, page: Page) -> None:
    """Everything a notebook with an explorer receives for it, up to the picture with scores, is below the budget."""
    frames: list[bytes] = []

    def listen(socket: WebSocket) -> None:
        if "/channels" in socket.url:
            socket.on("framereceived", lambda got: frames.append(got if isinstance(got, bytes) else got.encode()))

    page.on("websocket", listen)
    lab.notebook("wire.ipynb", [SETUP.replace("explorer = ", "maker = lambda: "), DONE, "explorer = maker()\nexplorer"])
    page.goto(f"{lab.url}/doc/tree/wire.ipynb?token={TOKEN}")
    run_all(page)
    seen = Seen(page)
    wait(lambda: seen.still and seen.root.locator(".tkhg [role=gridcell]").count() == 32)
    wait(lambda: rests(page, frames))
    pictures = [len(frame) for frame in frames if b"update_display_data" in frame and b"image/png" in frame]
    assert pictures, "nothing is kept for a notebook without a kernel"
    size = sum(map(len, frames)) - sum(pictures[:-1])  # a slow machine rests on the way, and draws more of them
    assert 0 < size < BUDGET, (size, pictures, sorted(map(len, frames))[-8:])
    page.evaluate("() => { window.jupyterapp?.shell?.currentWidget?.context?.sessionContext?.shutdown(); }")


def rests(page: Page, frames: list[bytes]) -> bool:
    """Whether nothing comes for longer than a panel waits before it draws what is kept of it."""
    before = len(frames)
    page.wait_for_timeout(4000)
    return len(frames) == before


def test_two_explorers_in_one_notebook_keep_apart(open_lab: Callable[..., Page], lab: Server) -> None:
    other = SETUP + "\nother = tk.Explorer(model, explorer.acts, ['landbird', 'waterbird'])"
    page = open_lab("twins.ipynb", [other, "explorer", "other", DONE])
    page.set_viewport_size({"width": 1280, "height": 2200})
    one, two = Seen(page), Seen(page, 1)
    wait(lambda: one.still and two.still and two.root.locator(".tkga-tile").count())
    one.tab("Heads off")
    two.tab("Words")
    wait(lambda: one.still and two.still and two.root.locator(".tkse-name").count())
    one.root.locator('.tkm-cell[aria-label^="L3.H7,"]').click()
    two.root.locator('.tkm-cell[aria-label^="L2.H2,"]').click()
    wait(lambda: lab.kernel("str(explorer.ablation.heads)") == "L3.H7")
    wait(lambda: lab.kernel("list(other.spans.head)") == [2, 2])
    assert lab.kernel("[explorer.tab, other.tab]") == ["off", "words"]
    assert lab.kernel("other.selection.heads") == [[2, 2]] != lab.kernel("explorer.selection.heads")
    ids = page.evaluate("() => [...document.querySelectorAll('.tkex [id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids))


@pytest.fixture(scope="session")
def lab_without_subshells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    from servers import lab_server

    folder = tmp_path_factory.mktemp("plain-lab")
    server = lab_server(
        folder, overrides={"@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": "disabled"}}
    )
    yield server
    server.stop()


def short_loop(seen: Seen, kernel: Callable[[str], object]) -> None:
    """From a mistake to what its heads cost, in a few clicks."""
    wait(lambda: seen.still and seen.root.locator(".tkex-picker .tkc-cell").count() == 4)
    seen.root.locator(".tkex-picker").get_by_label("waterbird taken for landbird").click()
    wait(lambda: kernel("explorer.selection.pair") == ["waterbird", "landbird"])
    off = seen.tab("Heads off")
    off.locator('.tkm-cell[aria-label^="L3.H5,"]').click()
    wait(lambda: kernel("str(explorer.ablation.heads)") == "L3.H5" and seen.still)
    worst = kernel("round(100 * next(r for r in explorer.ablation._groups if r.get('sum'))['after'], 1)")
    assert f"{worst:.1f} %" in off.locator(".tkl-groups tr").nth(5).inner_text()
    assert pixels(off.locator(".tkm-map")).std() > 3


def test_lab_without_subshells(lab_without_subshells: Server, page: Page) -> None:
    server = lab_without_subshells
    server.notebook("plain.ipynb", [SETUP, "explorer", DONE])
    page.goto(f"{server.url}/doc/tree/plain.ipynb?token={TOKEN}")
    run_all(page)
    all_done(page)
    assert page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.commsOverSubshells"
    ) in ("disabled", None)
    short_loop(Seen(page), server.kernel)


def test_notebook_7(notebook7: Server, page: Page, screenshots: Path) -> None:
    notebook7.notebook("seven.ipynb", [SETUP, "explorer", DONE])
    page.goto(f"{notebook7.url}/notebooks/seven.ipynb?token={TOKEN}")
    run_all(page)
    all_done(page)
    seen = Seen(page)
    short_loop(seen, notebook7.kernel)
    seen.root.screenshot(path=screenshots / "explorer-notebook7.png")


def test_voila(voila: Server, page: Page) -> None:
    voila.notebook("explorer.ipynb", [SETUP, "explorer"])
    page.goto(f"{voila.url}/voila/render/explorer.ipynb")
    short_loop(Seen(page), voila.kernel)


# by keyboard alone, where nothing but the narrow contract is there


def walk(host: NarrowHost, until: str, most: int = 60) -> Locator:
    """Press Tab until what has the focus matches a selector; what has it, which stays while the page changes."""
    for _ in range(most):
        host.page.keyboard.press("Tab")
        host.pump()
        if host.page.evaluate("s => document.activeElement.matches(s)", until):
            return host.page.locator(f"{until}:focus")
    raise AssertionError(f"Tab never reached {until}")


def test_the_whole_loop_by_keyboard(host: NarrowHost) -> None:
    page = host.page
    page.set_viewport_size({"width": 1100, "height": 1400})
    explorer = tk.Explorer(tk.load(), tk.scenes("val", n=300), ["landbird", "waterbird"])
    root = host.show(explorer)
    host.pump_until(lambda: "grid" in explorer.parts and root.locator(".tkhg [role=gridcell]").count() == 32)
    host.still(root)

    tiles = root.locator(".tkga-tile")
    host.press(walk(host, '.tkc-cell[aria-label^="landbird taken for waterbird"]'), "Enter")
    host.pump_until(lambda: explorer.selection.pair == ("landbird", "waterbird"))
    head = (walk(host, ".tkhg [role=gridcell]").get_attribute("aria-label") or "").split(",")[1]
    for layer in range(3):
        host.press(root.locator(f'.tkhg [aria-label^="layer {layer},{head},"]'), "ArrowDown")
    host.press(root.locator(f'.tkhg [aria-label^="layer 3,{head},"]'), "Space")
    host.pump_until(lambda: len(explorer.selection.heads) == 1 and explorer.selection.heads[0][0] == 3)
    walk(host, ".tkga-tile")
    host.still(root)
    host.press(tiles.nth(0), "ArrowRight")
    host.press(tiles.nth(1), "Enter")
    host.pump_until(lambda: explorer.selection.image == explorer.gallery.ids[1])
    for tab, part in (("keywords", "keywords"), ("words", "spans"), ("where", "maps"), ("off", "ablation")):
        chosen = root.get_by_role("tab", selected=True)
        chosen.focus()
        host.press(chosen, "ArrowRight")
        host.pump_until(lambda tab=tab, part=part: explorer.tab == tab and part in explorer.parts)
        host.still(root)
        assert page.evaluate("() => document.activeElement.getAttribute('role')") == "tab"
    host.press(walk(host, '.tkm-cell[tabindex="0"]'), "Space")
    host.pump_until(lambda: len(explorer.ablation.heads) == 1)
    chosen = root.get_by_role("tab", selected=True)
    chosen.focus()
    host.press(chosen, "ArrowRight")
    host.pump_until(lambda: "edit" in explorer.parts and explorer.edit.edit is not None)
    host.still(root)
    host.press(walk(host, 'input[type="range"]'), "ArrowRight", "ArrowRight")
    host.pump_until(lambda: explorer.edit.alpha != 10 and explorer.selection.edit.alpha == explorer.edit.alpha)
    assert host.errors == []
    assert not explorer.error


def test_state_is_shown_and_restored_in_the_panel(host: NarrowHost) -> None:
    explorer = tk.Explorer(tk.load(), tk.scenes("val", n=200), ["landbird", "waterbird"])
    root = host.show(explorer)
    host.pump_until(lambda: "grid" in explorer.parts)
    explorer.selection.heads = "L3.H7 L2.H6"
    root.get_by_label("Show the state to copy or restore").click()
    box = root.get_by_label("state as JSON")
    host.pump_until(lambda: "L3.H7 L2.H6" in box.input_value())
    state = json.loads(box.input_value())
    state["selection"]["heads"] = "L3.H1"
    box.fill(json.dumps(state))
    root.get_by_text("restore this").click()
    host.pump_until(lambda: explorer.selection.heads == ((3, 1),))
    box.fill("{nonsense")
    root.get_by_text("restore this").click()
    host.pump_until(lambda: "no JSON" in root.locator(":scope > .tk-error").inner_text())
    assert explorer.selection.heads == ((3, 1),)
    box.fill(json.dumps(state))
    root.get_by_text("restore this").click()
    host.pump_until(lambda: root.locator(":scope > .tk-error").is_hidden())


def test_the_report_hands_in_what_was_predicted(
    host: NarrowHost, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screenshots: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workbook, "_current", tk.teach.Workbook("Ada"))  # the kernel's
    question = host.show(tk.teach.predict("How many are wrong?", low=0, high=10, truth=7))
    question.get_by_label("your guess as a number").fill("5")
    question.get_by_role("button", name="Reveal", exact=True).click()
    host.pump_until(lambda: tk.teach.workbook().predictions)
    explorer = tk.Explorer(tk.load(), tk.scenes("val", n=200), ["landbird", "waterbird"])
    root = host.show(explorer)
    host.pump_until(lambda: "grid" in explorer.parts)
    host.still(root)
    root.get_by_label("Write a report").click()
    host.pump_until(lambda: "explorer.html" in root.locator(".tkex-summary").inner_text())
    path = tmp_path / "explorer.html"
    assert 10_000 < path.stat().st_size < 5_000_000
    (row,) = tk.teach.collect(tmp_path).itertuples()
    assert (row.name, row.kind, row.answer, row.truth) == ("Ada", "prediction", 5, 7)

    reader = page.context.browser.new_context(viewport={"width": 900, "height": 1200}).new_page()
    reader.set_default_timeout(patience.milliseconds())
    reader.goto(path.as_uri())
    assert reader.get_by_role("heading", name="Predictions of Ada").is_visible()
    line = reader.get_by_role("row", name="How many are wrong?")
    assert line.locator("td").all_inner_texts() == ["5", "7"]
    line.scroll_into_view_if_needed()
    reader.screenshot(path=screenshots / "handed-in.png")
    reader.context.close()
