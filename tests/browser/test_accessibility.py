"""Every panel in light and dark: no grave fault that axe knows, focus that is seen, no motion, pictures with names."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from narrow import PANELS, NarrowHost
from PIL import Image
from playwright.sync_api import Page

GRAVE = ("serious", "critical")
CHOSEN: dict[str, Callable[..., None]] = {
    "HeadGrid": lambda p: (setattr(p, "selected", "L2.H3 L3.H1"), setattr(p, "pinned_layers", [2])),
    "Gallery": lambda p: setattr(p, "selected", p.ids[1]),
    "Keywords": lambda p: (
        setattr(p, "text", p._rows[1]["text"]),
        p.add("a red bird"),
        p.use("pair"),
    ),
    "SpanExplorer": lambda p: (
        setattr(p, "text", p._rows[1]["text"]),
        setattr(p, "query", "water"),
        p.add("a new text"),
    ),
    "TokenMap": lambda p: (setattr(p, "patch", (2, 3)), setattr(p, "difference", True)),
    "AblationLab": lambda p: (p.choose(), setattr(p, "pair", ("landbird", "waterbird")), setattr(p, "text", "water")),
    "EditLab": lambda p: (p.keep("mine"), setattr(p, "alpha", 1000), setattr(p, "image", p._flips["right"][0]["id"])),
    "CompareLab": lambda p: (setattr(p, "price", 0.9), setattr(p, "focus", "probe"), setattr(p, "against", "edit")),
    "TwoModels": lambda p: (setattr(p, "score", "C"), setattr(p, "pair", ("landbird", "waterbird"))),
    "Predict": lambda p: (setattr(p, "guess", 60), p.reveal()),
    "Explorer": lambda p: (setattr(p, "pair", ("landbird", "waterbird")), setattr(p.selection, "heads", "L3.H7")),
}


def faults(page: Page) -> list[str]:
    """What axe finds with all its rules, of grave impact: rule, impact, and where."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['target']} {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in found
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("name", PANELS)
def test_axe_finds_nothing_grave(page: Page, host: NarrowHost, name: str, screenshots) -> None:
    panel = PANELS[name]()
    root = host.show(panel)

    def check(state: str) -> None:
        for theme in ("light", "dark"):
            host.theme(theme)
            host.pump_until(lambda theme=theme: root.get_attribute("data-theme") == theme)
            host.still(root)
            page.screenshot(path=screenshots / f"accessible-{name}-{state}-{theme}.png", full_page=True)
            assert faults(page) == [], f"{state}, {theme}"

    host.still(root)
    check("as shown")
    CHOSEN[name](panel)
    host.still(root)
    panel.error = "ValueError: what went wrong, in words, with the fix"
    root.get_by_label("Keys", exact=True).first.click()
    keys = root.locator(":scope > .tk-keys")
    host.pump_until(lambda: root.get_by_role("alert").is_visible() and keys.is_visible())
    check("in use")
    panel.error = ""
    root.locator(":scope > .tk-head").get_by_label("Why: formula, shapes, caveats").click()
    root.locator(":scope > .tk-why summary").click()
    host.pump_until(lambda: root.locator(":scope > .tk-why details[open]").is_visible())
    check("why")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_grave_in_any_tab_of_the_explorer(page: Page, host: NarrowHost, theme: str) -> None:
    host.theme(theme)
    explorer = PANELS["Explorer"]()
    root = host.show(explorer)
    host.pump_until(lambda: "grid" in explorer.parts)
    explorer.selection.image, explorer.selection.heads = explorer.gallery.ids[0], "L3.H7"
    for tab, part in explorer._part.items():
        explorer.tab = tab
        host.pump_until(lambda part=part: part in explorer.parts and not explorer.parts[part]._work)
        host.still(root)
        assert faults(page) == [], tab


CONTRAST = """(a, b) => {
  const light = (color) => { // WCAG 2: relative luminance
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const parts = color.match(/[\\d.]+/g).slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marks_in_cells_stand_out(host: NarrowHost, theme: str) -> None:
    """Axe cannot see what lies under a mark."""
    host.theme(theme)
    root = host.show(PANELS["HeadGrid"]())
    found = root.evaluate(
        f"""root => [...root.querySelectorAll(".tkhg-cell")].filter((cell) => cell.textContent).map((cell) => {{
          const style = getComputedStyle(cell);
          return [cell.textContent, ({CONTRAST})(style.color, style.backgroundColor)];
        }})"""
    )
    assert {mark for mark, _ in found} == {"×", "−", "+∞"}
    assert min(contrast for _, contrast in found) >= 4.5, found


DEEPEST = (
    "(() => { let at = document.activeElement; while (at?.shadowRoot) at = at.shadowRoot.activeElement; return at; })()"
)
RING = f"""() => {{
  const node = {DEEPEST};
  const panel = node.closest(".tk-panel");
  const style = getComputedStyle(node);
  const name = [node.tagName, node.className, node.getAttribute("aria-label") || node.title || ""].join(" ");
  window.stops = (window.stops || new Set()).add(node);
  const ring = style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2;
  const box = node.getBoundingClientRect();
  const own = panel.dataset.theme;
  const contrast = ["light", "dark"].map((theme) => {{ // of the ring to what it stands on
    panel.dataset.theme = theme;
    return ring ? ({CONTRAST})(style.outlineColor, getComputedStyle(panel).backgroundColor) : 0;
  }});
  panel.dataset.theme = own;
  return {{ name, contrast, box: [box.x, box.y, box.width, box.height] }};
}}"""
STOPS = """root => [...root.querySelectorAll("button, input, select, textarea, a[href], [tabindex]")]
  .filter((node) => node.tabIndex >= 0 && !node.disabled && node.checkVisibility()).length"""


def around(page: Page, box: list[float]) -> np.ndarray:
    """What is painted on and around a place."""
    x, y, width, height = box
    clip = {"x": max(0, x - 6), "y": max(0, y - 6), "width": width + 12, "height": height + 12}
    return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")).astype(int)


@pytest.mark.parametrize("name", PANELS)
def test_tab_reaches_everything_and_shows_where_it_is(page: Page, host: NarrowHost, name: str) -> None:
    page.set_viewport_size({"width": 1100, "height": 2000})  # nothing scrolls between two pictures
    root = host.show(PANELS[name](), shadow=True)
    host.still(root)
    stops, unseen = root.evaluate(STOPS), []
    assert stops >= 2
    for _ in range(stops):
        page.keyboard.press("Tab")
        host.pump()
        found = page.evaluate(RING)
        focused = around(page, found["box"])
        page.evaluate(f"() => {DEEPEST}.blur()")
        differs = np.abs(around(page, found["box"]) - focused).max(2) > 40
        if min(found["contrast"]) < 3 or differs.sum() < 2 * sum(found["box"][2:]):
            unseen.append((found, int(differs.sum())))
    assert unseen == []
    assert page.evaluate("window.stops.size") == stops, "Tab leaves the panel or goes round in it"


@pytest.mark.parametrize("name", PANELS)
def test_nothing_moves_for_whom_that_is_too_much(page: Page, host: NarrowHost, name: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    root = host.show(PANELS[name]())
    moving = """root => [...root.querySelectorAll("*")].filter((node) => {
      node.classList.add("tk-stale");
      const style = getComputedStyle(node);
      const times = style.transitionDuration.split(", ");
      return style.animationName !== "none" || times.some((time) => parseFloat(time) > 0);
    }).map((node) => node.className.baseVal ?? node.className)"""
    assert root.evaluate(moving) == []
    assert page.evaluate("document.getAnimations().length") == 0
    assert root.evaluate("root => getComputedStyle(root).scrollBehavior") == "auto"


@pytest.mark.parametrize("name", PANELS)
def test_pictures_have_names_and_the_panel_is_told_in_words(host: NarrowHost, name: str) -> None:
    panel = PANELS[name]()
    root = host.show(panel)
    host.still(root)
    kinds = "canvas, svg, table, [role=grid], [role=listbox], [role=img], [role=application]"
    nameless = f"""root => [...root.querySelectorAll("{kinds}")]
      .filter((node) => node.checkVisibility() && !node.closest('[aria-hidden="true"]'))
      .filter((node) => !(node.getAttribute("aria-label") || "").trim()).map((node) => node.outerHTML.slice(0, 100))"""
    assert root.locator(kinds).count() >= 1
    assert root.evaluate(nameless) == []
    told = root.locator(":scope > .tk-in-words > .tk-summary")
    assert told.inner_text() == panel.summary
    assert len(panel.summary.split()) >= 5
    assert told.get_attribute("aria-live") == "polite"
