"""The why of every panel in a browser: opened by mouse and by key, with the words Python holds, closed again."""

from __future__ import annotations

import numpy as np
import pytest
from narrow import PANELS, NarrowHost
from playwright.sync_api import Locator, Page

import toolkit as tk
from toolkit.panels.base.panel import Panel

NAME = "Why: formula, shapes, caveats"
PAINTED = (
    """side => [...side.querySelectorAll("dt")].map((dt) => [dt.textContent, dt.nextElementSibling.textContent])"""
)


def parts(root: Locator) -> tuple[Locator, Locator]:
    """The panel's own button and side, not those of a part in it."""
    return root.locator(f':scope > .tk-head [aria-label="{NAME}"]'), root.locator(":scope > .tk-why")


def told(panel: Panel) -> list[list[str]]:
    return [*panel.why.rows(), *panel.why.meanings()]


@pytest.mark.parametrize("name", PANELS)
def test_opened_by_mouse_and_by_key_with_the_words_of_python(
    page: Page, host: NarrowHost, name: str, screenshots
) -> None:
    panel = PANELS[name]()
    root = host.show(panel)
    host.still(root)
    button, side = parts(root)
    assert side.is_hidden()
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    assert side.is_visible()
    assert button.get_attribute("aria-expanded") == "true"
    assert side.evaluate(PAINTED) == told(panel)
    assert all(text in side.inner_text() for _, text in panel.why.rows()), "something of it is not painted"
    for theme in ("light", "dark"):
        host.theme(theme)
        host.pump_until(lambda theme=theme: root.get_attribute("data-theme") == theme)
        page.screenshot(path=screenshots / f"why-{name}-{theme}.png")
    terms = side.locator("summary")
    first = panel.why.terms[0]
    assert not side.get_by_text(tk.glossary(first).says, exact=True).is_visible()
    terms.focus()
    host.press(terms, "Enter")
    assert side.get_by_text(tk.glossary(first).says, exact=True).is_visible()
    page.screenshot(path=screenshots / f"why-{name}-terms.png")
    host.press(terms, "w")
    assert side.is_hidden()
    assert button.evaluate("node => node === document.activeElement"), "the focus is lost with the side"
    host.press(button, "w")
    assert side.is_visible()
    ring = button.evaluate("node => [getComputedStyle(node).outlineStyle, getComputedStyle(node).outlineWidth]")
    assert ring == ["solid", "2px"]
    host.press(button, "Escape")
    assert side.is_hidden()
    assert button.get_attribute("aria-expanded") == "false"
    host.press(button, "?")
    assert root.locator(":scope > .tk-keys").get_by_text(NAME, exact=True).is_visible()


@pytest.mark.parametrize("name", PANELS)
def test_nothing_is_wider_than_a_narrow_column(page: Page, host: NarrowHost, name: str, screenshots) -> None:
    page.set_viewport_size({"width": 420, "height": 900})
    panel = PANELS[name]()
    root = host.show(panel)
    host.still(root)
    button, side = parts(root)
    button.click()
    side.locator("summary").click()
    page.screenshot(path=screenshots / f"why-{name}-narrow.png")
    wide = side.evaluate("""side => [side, ...side.querySelectorAll("*")].filter((node) => {
      const [box, panel] = [node.getBoundingClientRect(), side.parentNode.getBoundingClientRect()];
      const cut = node.clientWidth && node.scrollWidth > node.clientWidth + 1;
      return cut || box.right > panel.right || box.left < panel.left;
    }).map((node) => node.outerHTML.slice(0, 80))""")
    assert wide == []


def test_the_terms_have_a_ring_and_escape_closes_from_within(page: Page, host: NarrowHost) -> None:
    root = host.show(PANELS["HeadGrid"](), shadow=True)
    button, side = parts(root)
    button.focus()
    host.press(button, "Enter")
    while not side.locator("summary:focus").count():
        page.keyboard.press("Tab")
    style = "node => [getComputedStyle(node).outlineStyle, getComputedStyle(node).outlineWidth]"
    assert side.locator("summary").evaluate(style) == ["solid", "2px"]
    host.press(side.locator("summary"), "Escape")
    assert side.is_hidden()
    assert button.evaluate("node => node === node.getRootNode().activeElement")


def test_keys_of_the_panel_stay_its_own(page: Page, host: NarrowHost) -> None:
    """Escape in a grid lets the heads go, whatever is open; `w` in a field is a letter."""
    panel = PANELS["HeadGrid"]()
    root = host.show(panel)
    _, side = parts(root)
    cell = root.locator('[aria-label^="layer 2, head 3,"]')
    cell.click()
    host.pump_until(lambda: panel.selected == ((2, 3),))
    host.press(cell, "w")
    assert side.is_visible()
    host.press(cell, "Escape")
    host.pump_until(lambda: panel.selected == ())
    assert side.is_visible()
    spans = PANELS["SpanExplorer"]()
    other = host.show(spans)
    host.still(other)
    other.get_by_label("Add a text to the bank").press_sequentially("wow")
    assert parts(other)[1].is_hidden()
    assert other.get_by_label("Add a text to the bank").input_value() == "wow"


def test_parts_of_an_explorer_have_their_own(host: NarrowHost) -> None:
    explorer = PANELS["Explorer"]()
    root = host.show(explorer)
    host.pump_until(lambda: "grid" in explorer.parts)
    host.still(root)
    grid = root.locator(".tkhg")
    host.pump_until(lambda: grid.count())
    button, side = parts(grid)
    button.click()
    assert side.evaluate(PAINTED) == told(explorer.grid)
    assert explorer.grid.why.shapes == "values [layers shown, 8 heads]", "the model's"
    assert parts(root)[1].is_hidden()


def test_words_are_words(host: NarrowHost) -> None:
    """Nothing in it is taken for markup."""
    evil = '<img src=x onerror="window.hacked=1">'
    panel = tk.HeadGrid(np.eye(3))
    line = {"label": evil, "text": evil}
    panel._reading = {"rows": [line | {"kind": "asks"}], "terms": [line]}
    root = host.show(panel)
    button, side = parts(root)
    button.click()
    assert side.locator("img").count() == 0
    assert side.evaluate(PAINTED) == [[evil, evil], [evil, evil]]


def test_a_panel_without_one_has_no_button(host: NarrowHost) -> None:
    panel = tk.HeadGrid(np.eye(3))
    panel._reading = {}
    root = host.show(panel)
    assert root.get_by_label(NAME).count() == 0
    keys = root.get_by_label("Keys", exact=True)
    keys.focus()
    host.press(keys, "w", "?")
    assert root.locator(":scope > .tk-keys").is_visible()
