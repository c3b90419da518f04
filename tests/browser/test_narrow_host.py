"""Panels in a host of the narrow anywidget contract alone: used by mouse and keyboard, shown twice, reloaded."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from narrow import PANELS, NarrowHost
from PIL import Image
from playwright.sync_api import Locator
from servers import pixels

import toolkit as tk
from toolkit.figures.colors import color


def text_of(root: Locator, selector: str) -> str:
    return root.locator(selector).first.inner_text()


# what a user does in each panel by mouse and by keyboard, what Python then holds, and what is painted


def use_head_grid(host: NarrowHost, root: Locator, panel) -> None:
    cell = lambda layer, head: root.locator(f'[aria-label^="layer {layer}, head {head},"]')  # noqa: E731
    expected = color(panel.values[3:4, 3], 1.0, False)[0].astype(int)
    assert np.abs(pixels(cell(3, 3))[6, 6] - expected).max() <= 3, "not the colour of the palette"
    cell(2, 3).click()
    host.pump_until(lambda: panel.selected == ((2, 3),))
    host.press(cell(2, 3), "ArrowRight")
    host.press(cell(2, 4), "Space")
    host.pump_until(lambda: panel.selected == ((2, 3), (2, 4)))
    host.pump_until(lambda: root.locator('[role=gridcell][aria-selected="true"]').count() == 2)
    assert "L2.H3 L2.H4" in text_of(root, ".tk-summary")
    root.get_by_label("Score").select_option("B")
    host.pump_until(lambda: panel.score == "B" and "badness – B" in text_of(root, ".tk-summary"))


def use_gallery(host: NarrowHost, root: Locator, panel) -> None:
    tiles = root.get_by_role("option")
    host.pump_until(lambda: pixels(tiles.nth(3).locator(".tkga-picture")).std() > 5)
    tiles.nth(3).click()
    host.pump_until(lambda: panel.selected == panel.ids[3])
    host.press(tiles.nth(3), "ArrowLeft")
    host.press(tiles.nth(2), "Enter")
    host.pump_until(lambda: panel.selected == panel.ids[2] and panel.ids[2] in text_of(root, ".tk-summary"))
    assert tiles.nth(2).get_attribute("aria-selected") == "true"
    host.press(tiles.nth(2), "PageDown")
    host.pump_until(lambda: panel.page == 1 and tiles.count() == 4)
    assert tiles.first.get_attribute("title") == panel.ids[8]


def use_keywords(host: NarrowHost, root: Locator, panel) -> None:
    rows = root.get_by_role("listbox", name="keywords").get_by_role("option")
    host.pump_until(lambda: rows.count() == 19)
    host.still(root)
    assert root.locator(".tkkw-text").all_inner_texts() == [row["text"] for row in panel._rows]
    rows.nth(1).click()
    host.pump_until(lambda: panel.text == panel._rows[1]["text"] and text_of(root, ".tkkw-name") == f"“{panel.text}”")
    host.press(rows.nth(1), "ArrowUp")
    host.press(rows.nth(0), "Enter")
    host.pump_until(lambda: panel.text == panel._rows[0]["text"])
    host.still(root)
    cell = root.locator(".tkm-cell").nth(8 * 2 + 4)
    cell.click()
    host.pump_until(lambda: panel.selection.heads == ((2, 4),))
    host.press(cell, "ArrowRight")
    host.pump_until(lambda: panel.selection.heads == ((2, 5),))
    near = root.get_by_role("listbox", name="images: wrong, nearest to it").get_by_role("option")
    near.nth(1).click()
    host.pump_until(lambda: panel.selection.image == panel._chosen["wrong"][1])
    assert pixels(near.first).std() > 5
    root.get_by_role("button", name="as a pair to take away").click()
    host.pump_until(lambda: panel.method is not None)
    host.still(root)
    after = root.locator(".tkl-groups td:nth-child(4)").all_inner_texts()
    assert after == [f"{100 * row['after']:.1f} %" for row in panel._tried["rows"]]
    field = root.get_by_label("add keywords")
    field.fill("a red bird, water")
    host.press(field, "Enter")
    host.pump_until(
        lambda: panel.words == ["a red bird", "water"] and root.get_by_text("undo", exact=True).is_visible()
    )
    host.still(root)


def use_span_explorer(host: NarrowHost, root: Locator, panel) -> None:
    texts = root.get_by_role("listbox", name="texts of this head").get_by_role("option")
    host.pump_until(lambda: texts.count() == 10)
    assert root.locator(".tkse-text").all_inner_texts() == [row["text"] for row in panel._rows]
    cell = root.locator(".tkm-cell").nth(8 * 2 + 2)
    cell.click()
    host.pump_until(lambda: panel.head == (2, 2) and text_of(root, ".tkse-name") == "L2.H2")
    host.press(cell, "ArrowRight")
    host.pump_until(lambda: panel.head == (2, 3) and text_of(root, ".tkse-name") == "L2.H3")
    host.still(root)
    assert root.locator(".tkse-text").all_inner_texts() == [row["text"] for row in panel._rows]
    texts.nth(1).click()
    host.pump_until(lambda: panel.text == panel._rows[1]["text"])
    host.press(texts.nth(1), "ArrowUp")
    host.press(texts.nth(0), "Enter")
    host.pump_until(lambda: panel.text == panel._rows[0]["text"])
    host.still(root)
    most = root.get_by_role("listbox", name="images, most").get_by_role("option")
    host.pump_until(lambda: (most.first.get_attribute("title") or "").startswith(panel._ends["high"][0]["id"]))
    assert pixels(most.first).std() > 5
    field = root.get_by_label("Add a text to the bank")
    field.fill("a bird on water")
    host.press(field, "Enter")
    host.pump_until(lambda: "a bird on water" in panel.bank.texts and root.locator(".tkse-reset").is_visible())
    gone = panel._rows[0]["text"]
    texts.first.focus()
    host.press(texts.first, "Delete")
    host.pump_until(lambda: gone not in panel.bank.texts and gone not in root.locator(".tkse-text").all_inner_texts())
    assert root.locator(".tkse-row:focus").count() == 1, "the focus is lost when the texts change"
    host.still(root)


def use_token_map(host: NarrowHost, root: Locator, panel) -> None:
    canvas = root.locator("canvas").first
    host.still(root)
    assert pixels(canvas).std() > 5
    before = text_of(root, ".tkt-sums")
    root.get_by_label("text", exact=True).fill("water")
    host.pump_until(lambda: panel.text == "water" and text_of(root, ".tkt-sums") != before)
    host.still(root)
    assert f"{float(panel.map.total):+.4f}" in text_of(root, ".tkt-sums").replace("−", "-")
    canvas.click(position={"x": 40, "y": 40})
    host.pump_until(lambda: panel.patch is not None)
    row, column = panel.patch
    host.press(canvas, "ArrowDown", "Enter")
    host.pump_until(lambda: panel.patch == (row + 1, column))
    assert text_of(root, ".tkt-point").startswith(f"patch ({row + 1}, {column})")
    root.get_by_role("gridcell").nth(8 * 3 + 5).click()
    host.pump_until(lambda: str(panel.heads) == "L3.H7 L3.H5")
    host.still(root)
    assert panel.other.settings["state"] in text_of(root, "figure:nth-of-type(2) figcaption")


def use_ablation_lab(host: NarrowHost, root: Locator, panel) -> None:
    after = lambda: root.locator(".tkl-groups td:nth-child(4)").all_inner_texts()  # noqa: E731
    agrees = lambda: after() == [f"{100 * row['after']:.1f} %" for row in panel._groups]  # noqa: E731
    host.still(root)
    cells, before = root.locator(".tkm-cell"), after()
    cells.nth(8 * 3 + 7).click()
    host.pump_until(lambda: str(panel.heads) == "L3.H7")
    host.press(cells.nth(8 * 3 + 7), "ArrowLeft")
    host.press(cells.nth(8 * 3 + 6), "Space")
    host.pump_until(lambda: str(panel.heads) == "L3.H7 L3.H6")
    host.still(root)
    assert agrees()
    assert after() != before
    assert cells.nth(8 * 3 + 6).get_attribute("aria-label").endswith(", off")
    assert pixels(cells.nth(8 * 3 + 7)).mean() < pixels(cells.nth(0)).mean() - 60
    root.get_by_role("button", name="Switch all heads on").click()
    host.pump_until(lambda: not len(panel.heads))
    pair = root.get_by_label("landbird taken for waterbird")
    pair.focus()
    host.press(pair, "Enter")
    host.pump_until(lambda: panel.pair == ("landbird", "waterbird"))
    host.still(root)
    assert after() == before


def use_edit_lab(host: NarrowHost, root: Locator, panel) -> None:
    after = lambda: root.locator(".tkl-groups td:nth-child(4)").all_inner_texts()  # noqa: E731
    host.still(root)
    start = after()
    alpha = root.get_by_label("α, weight of success", exact=True)
    alpha.click(position={"x": 0.7 * alpha.bounding_box()["width"], "y": 5})
    host.pump_until(lambda: panel.alpha > 1000)
    dragged = panel.alpha
    host.press(alpha, "ArrowLeft")
    host.pump_until(lambda: panel.alpha < dragged)
    host.still(root)
    assert panel.edit.alpha == panel.alpha
    assert after() == [f"{100 * row['after']:.1f} %" for row in panel._groups] != start
    pad, beta = root.locator(".tked-pad"), panel.beta
    pad.focus()
    host.press(pad, "ArrowUp")
    host.pump_until(lambda: panel.beta > beta)
    assert f"β {panel.beta:g}" in pad.get_attribute("aria-label")
    host.still(root)
    root.get_by_label("Keep this edit").click()
    host.pump_until(lambda: list(panel.kept) == ["A"])
    assert pixels(root.locator(".tked-plane")).std() > 5
    root.get_by_label("Undo").click()
    host.pump_until(lambda: panel.beta == beta)
    host.still(root)


def use_two_models(host: NarrowHost, root: Locator, panel) -> None:
    host.pump_until(lambda: root.locator(".tkl-groups tr").count() == 7 and root.locator("canvas").count() == 2)
    host.still(root)
    after = root.locator(".tkl-groups td:nth-child(4)").all_inner_texts()
    assert after == [f"{100 * row['after']:.1f} %" for row in panel._groups]
    assert pixels(root.locator("canvas").nth(1)).std() > 5
    cells = root.locator(".tkm-cell")
    assert cells.count() == 64
    cells.nth(32 + 8 * 3 + 5).click()
    host.pump_until(lambda: panel.selection.heads == ((3, 5),))
    host.press(cells.nth(32 + 8 * 3 + 5), "ArrowRight")
    host.pump_until(lambda: panel.selection.heads == ((3, 6),))
    root.get_by_label("Score of the maps").select_option("C")
    host.pump_until(lambda: panel.score == "C" and not panel._work)
    text = root.get_by_label("text", exact=True)
    text.fill("water")
    text.press("Enter")
    host.pump_until(lambda: panel.text == "water" and "“water”" in root.locator(".tkt-caption").nth(1).inner_text())
    host.still(root)


def use_predict(host: NarrowHost, root: Locator, panel) -> None:
    reveal = root.get_by_role("button", name="Reveal", exact=True)
    assert reveal.is_disabled()
    box = root.get_by_role("spinbutton")
    box.fill("61")
    host.pump_until(lambda: panel.guess == 61)
    slider = root.get_by_role("slider")
    slider.focus()
    host.press(slider, "ArrowLeft")
    host.pump_until(lambda: panel.guess == 60 and box.input_value() == "60")
    assert "34.2" not in root.inner_text()
    host.press(slider, "Enter")
    host.pump_until(lambda: panel.revealed and root.locator(".tkp-result").is_visible())
    assert text_of(root, ".tkp-sentence") == "You expected 60 %, it is 34.2 %: 25.8 points too high."


def use_compare_lab(host: NarrowHost, root: Locator, panel) -> None:
    host.pump_until(lambda: len(panel.methods) == 6 and root.locator(".tkco-mark").count() == 6)
    host.still(root)
    after = lambda: root.locator(".tkl-groups td:nth-child(4)").all_inner_texts()  # noqa: E731
    agrees = lambda: [float(x.removesuffix(" %")) for x in after()]  # noqa: E731
    root.get_by_role("button", name="look at probe").click()
    host.pump_until(lambda: panel.focus == "probe" and panel._shown["name"] == "probe")
    host.still(root)
    np.testing.assert_allclose(agrees(), [100 * row["after"] for row in panel._shown["rows"]], atol=0.051)
    dial = root.get_by_label("probe, λ")
    at = panel.dials["probe"]
    dial.focus()
    host.press(dial, "ArrowRight", "ArrowRight")
    host.pump_until(lambda: panel.dials["probe"] == at + 2)
    host.still(root)
    np.testing.assert_allclose(agrees(), [100 * row["after"] for row in panel._shown["rows"]], atol=0.051)
    host.press(dial, "ArrowDown")
    host.pump_until(lambda: panel.focus != "probe")
    host.press(root.locator(":focus"), "p")
    host.pump_until(lambda: panel.dials["probe"] == at)
    host.press(root.locator(":focus"), "l")
    host.pump_until(lambda: panel.price is not None and root.locator(".tkco-price").count() == 1)
    host.still(root)
    assert "\tat " in text_of(root, ".tkco-table").splitlines()[0]
    host.press(root.locator(":focus"), "t")
    host.pump_until(lambda: "told" in text_of(root, '[role=tabpanel][aria-label="what it was told"]'))
    root.get_by_label("against which method").select_option("edit")
    host.pump_until(lambda: panel.against == "edit" and panel._shown["against"] == "edit")
    host.still(root)


def use_explorer(host: NarrowHost, root: Locator, panel) -> None:
    host.pump_until(lambda: root.locator(".tkhg-cell").count() == 32)
    host.still(root)
    root.locator(".tkex-picker").get_by_label("landbird taken for waterbird").click()
    host.pump_until(
        lambda: panel.pair == ("landbird", "waterbird") and "taken for" in text_of(root, ".tkex-soft[role]")
    )
    host.still(root)
    tiles = root.locator(".tkga-tile")
    tiles.nth(1).click()
    host.pump_until(lambda: panel.selection.image == panel.gallery.ids[1])
    query = root.get_by_label("search images by text")
    query.fill("water")
    query.press("Enter")
    host.pump_until(lambda: "by their cosine with “water”" in text_of(root, ".tkex-soft[role]"))
    tab = root.get_by_role("tab", selected=True)
    tab.focus()
    host.press(tab, "ArrowRight")
    host.pump_until(lambda: panel.tab == "keywords" and root.locator(".tkkw-row").count() == 19)
    host.press(root.get_by_role("tab", selected=True), "ArrowRight")
    host.pump_until(lambda: panel.tab == "words" and root.locator(".tkse-text").count() == 10)
    host.still(root)
    assert root.locator(".tkse-text").all_inner_texts() == [row["text"] for row in panel.spans._rows]


USES: dict[str, Callable[[NarrowHost, Locator, object], None]] = {
    "HeadGrid": use_head_grid,
    "Gallery": use_gallery,
    "Keywords": use_keywords,
    "SpanExplorer": use_span_explorer,
    "TokenMap": use_token_map,
    "AblationLab": use_ablation_lab,
    "EditLab": use_edit_lab,
    "CompareLab": use_compare_lab,
    "TwoModels": use_two_models,
    "Predict": use_predict,
    "Explorer": use_explorer,
}

PAINTED = """root => {
  const aria = ["aria-label", "aria-selected", "aria-pressed", "aria-valuetext"];
  const names = [...aria, "title", "style", "points", "cx", "cy", "r"];
  const nodes = [...root.querySelectorAll("*")].filter((node) => !node.closest("[hidden]"));
  const facts = nodes.map((node) => [
    ...names.map((name) => (node.getAttribute(name) || "").replace(/blob:[^)"]*/g, "blob")),
    node.value ?? "", node.checked ?? "", node.disabled ?? "",
    node instanceof HTMLCanvasElement ? node.toDataURL() : "",
  ]);
  return [root.innerText, ...facts];
}"""
BLUR = """() => {
  const deepest = (node) => (node?.shadowRoot ? deepest(node.shadowRoot.activeElement) : node);
  deepest(document.activeElement)?.blur();
}"""


def painted(host: NarrowHost, root: Locator) -> list[list[object]]:
    """Everything a panel shows, once nothing of it depends on where the pointer and the focus are."""
    host.page.mouse.move(2, 2)
    host.page.evaluate(BLUR)
    host.still(root)
    return root.evaluate(PAINTED)


def alike(host: NarrowHost, root: Locator, expected: list[list[object]], what: str) -> None:
    """Give a panel some seconds to show the same."""
    differing = lambda: [(a, b) for a, b in zip(expected, painted(host, root), strict=True) if a != b]  # noqa: E731
    try:
        host.pump_until(lambda: not differing())
    except AssertionError:
        raise AssertionError(f"{what} differ: {str(differing())[:2000]}") from None


def test_every_panel_has_its_user() -> None:
    assert USES.keys() == PANELS.keys()


@pytest.mark.parametrize("shadow", [False, True], ids=["page", "shadow"])
@pytest.mark.parametrize("name", PANELS)
def test_used_by_mouse_and_keyboard(host: NarrowHost, name: str, shadow: bool, screenshots) -> None:
    panel = PANELS[name]()
    root = host.show(panel, shadow)
    host.still(root)
    USES[name](host, root, panel)
    root.screenshot(path=screenshots / f"narrow-{name}-{'shadow' if shadow else 'page'}.png")


@pytest.mark.parametrize("name", PANELS)
def test_twice_on_a_page_in_step_and_the_same_after_a_reload(host: NarrowHost, name: str) -> None:
    panel = PANELS[name]()
    first, second = host.show(panel), host.show(panel, shadow=True)
    host.still(first, second)
    USES[name](host, second, panel)
    alike(host, second, painted(host, first), "two displays of one panel")
    before = painted(host, first)
    for root in host.reload():
        alike(host, root, before, "before and after a reload")


MARKS = {
    "VS Code": ("body", "class", "vscode-dark", "vscode-light"),
    "Colab": ("html", "theme", "dark", "light"),
    "marimo": ("body", "class", "dark", "light"),
    "JupyterLab": ("body", "data-jp-theme-light", "false", "true"),
}


@pytest.mark.parametrize("like", MARKS)
def test_the_host_s_theme_is_followed_at_once(host: NarrowHost, like: str) -> None:
    node, name, dark, light = MARKS[like]
    host.theme("")
    root = host.show(PANELS["HeadGrid"](), shadow=True)
    for value, theme in ((dark, "dark"), (light, "light"), (dark, "dark")):
        host.page.evaluate(
            "([node, ...mark]) => document.querySelector(node).setAttribute(...mark)", [node, name, value]
        )
        host.pump_until(lambda theme=theme: root.get_attribute("data-theme") == theme)
        assert (pixels(root)[3, 12].mean() < 60) == (theme == "dark")


def test_a_file_goes_to_python_as_bytes(host: NarrowHost) -> None:
    panel = PANELS["TokenMap"]()
    root = host.show(panel)
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (250, 10, 10)).save(out, "PNG")
    root.locator("[type=file]").set_input_files({"name": "red.png", "mimeType": "image/png", "buffer": out.getvalue()})
    host.pump_until(lambda: panel.image == "red.png")
    host.still(root)
    assert panel._session.picture("red.png").getpixel((1, 1))[0] > 240
    assert root.get_by_label("image", exact=True).input_value() == "red.png"


def test_what_is_typed_is_not_overwritten_by_its_own_older_echo(host: NarrowHost) -> None:
    panel = PANELS["TokenMap"]()
    root = host.show(panel)
    field = root.get_by_label("text", exact=True)
    field.press("End")
    field.press_sequentially(" on water", delay=30)
    host.page.wait_for_timeout(200)
    root.get_by_label("View: colours, scale, images of your own").click()
    root.get_by_label("smooth", exact=True).check()
    host.pump_until(lambda: panel.text.endswith(" on water") and not panel.raw)
    host.still(root)
    field.blur()
    host.still(root)
    assert field.input_value() == panel.text == "a landbird on water"


def test_a_map_tells_its_largest_heads_and_its_words_are_folded(host: NarrowHost) -> None:
    values = np.zeros((4, 8), np.float32)
    values[3, 7], values[2, 1], values[1, 0] = 0.5, 0.25, -2.0
    panel = tk.HeadGrid(values)
    root = host.show(panel)
    items = root.get_by_label("heads with the largest values").get_by_role("listitem")
    assert items.all_inner_texts() == ["L3.H7\n+0.5", "L2.H1\n+0.25"]
    items.nth(0).get_by_role("button").click()
    host.pump_until(lambda: panel.selected == ((3, 7),))
    items.nth(1).get_by_role("button").click(modifiers=["Shift"])
    host.pump_until(lambda: panel.selected == ((3, 7), (2, 1)))
    host.pump_until(lambda: items.nth(1).get_by_role("button").get_attribute("aria-pressed") == "true")
    told = root.locator(".tk-summary")
    assert told.bounding_box()["width"] <= 1, "read out, not painted"
    root.get_by_role("button", name="in words").click()
    assert told.bounding_box()["width"] > 100
    assert told.inner_text() == panel.summary


def test_the_image_itself_stands_beside_its_map_where_nothing_else_does(host: NarrowHost) -> None:
    panel = tk.TokenMap(tk.load(), tk.scenes("test", n=3), text="water")
    root = host.show(panel)
    own = root.get_by_role("img", name="the image without a map")
    host.still(root)
    host.pump_until(own.is_visible)
    assert own.evaluate("img => [img.naturalWidth, img.naturalHeight]") == [64, 64]
    first = own.get_attribute("src")
    panel.image = panel._images[1]
    host.still(root)
    host.pump_until(lambda: own.get_attribute("src") != first)
    panel.beside = "image"
    host.still(root)
    host.pump_until(lambda: not own.is_visible())
