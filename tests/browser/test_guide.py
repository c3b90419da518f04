"""The guided tour as a user walks it: by keyboard alone, from the button to Escape, beside a second display."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from narrow import NarrowHost
from playwright.sync_api import Locator
from servers import FOCUS_IN
from test_accessibility import faults

import toolkit as tk
from toolkit.panels.explorer.guide import STEPS

PARTS = {"words": "spans", "where": "maps", "off": "ablation", "edit": "edit", "compare": "compare", "two": "two"}
SEEN = """root => {
  const ring = root.querySelector(".tkgd-ring");
  if (!ring || ring.hidden) return null;
  const [a, b] = [ring.getBoundingClientRect(), root.querySelector(".tkgd").getBoundingClientRect()];
  const seen = Math.min(a.bottom, innerHeight) - Math.max(a.top, 0);
  const covered = Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  return { seen, covered, height: a.height, width: a.width, left: a.left, right: a.right,
    box: [b.top, b.bottom], room: [innerWidth, innerHeight] };
}"""
AROUND = """(root, selector) => {
  const ring = root.querySelector(".tkgd-ring").getBoundingClientRect();
  const node = [...root.querySelectorAll(selector)].find((n) => n.offsetHeight)?.getBoundingClientRect();
  if (!node) return [Infinity];
  return ["left", "top", "right", "bottom"].map((side) => Math.abs(ring[side] - node[side]));
}"""
TARGETS = {
    "confusion": ".tkex-picker", "gallery": ".tkga", "grid": ".tkhg", "chosen": ".tkex-bar", "words": ".tkse-main",
    "where": ".tkt-pane", "off": ".tkl-groups", "edit": ".tkl-side", "two": ".tkl-groups",
    "compare": ".tkco-centre",
    "tools": ".tk-head .tk-tools",
}  # fmt: skip


def world(n: int = 300) -> tk.Explorer:
    return tk.Explorer(tk.load(), tk.scenes("val", n=n), ["landbird", "waterbird"])


def at(root: Locator, host: NarrowHost, explorer: tk.Explorer, n: int) -> dict[str, Any]:
    """Wait until a step is painted and done, and all that it opened; what is seen of the ring."""
    step = STEPS[n]
    host.pump_until(lambda: explorer.guide == n and root.locator(".tkgd-title").inner_text() == step.title)
    host.pump_until(lambda: PARTS.get(explorer.tab, "grid") in explorer.parts)
    host.still(root)
    selector = TARGETS[step.target]
    host.pump_until(lambda: max(root.evaluate(AROUND, selector)) <= 8, message=f"the ring is not around {selector}")
    return root.evaluate(SEEN)


def focus_in(root: Locator, selector: str) -> bool:
    return root.evaluate(
        "(root, s) => Boolean(root.getRootNode().activeElement?.closest(s) && root.contains(document.activeElement))",
        selector,
    )


def begin(host: NarrowHost, root: Locator) -> None:
    """Press the button of the tour by key."""
    button = root.get_by_role("button", name="Guided tour", exact=True)
    button.focus()
    host.press(button, "Enter")


def ready(host: NarrowHost, explorer: tk.Explorer) -> Locator:
    root = host.show(explorer)
    host.pump_until(lambda: "grid" in explorer.parts)
    host.still(root)
    return root


@pytest.mark.parametrize(("theme", "height"), [("light", 900), ("dark", 600)])
def test_the_whole_tour_by_keyboard(host: NarrowHost, theme: str, height: int, screenshots: Path) -> None:
    page = host.page
    host.theme(theme)
    page.set_viewport_size({"width": 1100, "height": height})
    page.emulate_media(reduced_motion="reduce")
    explorer = world()
    root = ready(host, explorer)
    button, box = root.get_by_role("button", name="Guided tour", exact=True), root.locator(".tkgd")
    for _ in range(60):
        page.keyboard.press("Tab")
        host.pump()
        if button.evaluate(FOCUS_IN):
            break
    host.press(button, "Enter")
    keys = ["ArrowRight", "Enter"]
    for n, step in enumerate(STEPS):
        seen = at(root, host, explorer, n)
        page.screenshot(path=screenshots / f"guide-{theme}-{n + 1:02}.png")
        tab = dict(step.sets).get("tab")
        assert tab in (None, explorer.tab)
        assert seen["seen"] >= min(seen["height"], 100), step.title
        assert seen["covered"] < 12, f"the box covers what it speaks of: {step.title}"
        assert seen["left"] >= 0
        assert seen["right"] <= seen["room"][0]
        assert -1 <= seen["box"][0] < seen["box"][1] <= seen["room"][1], "the box is read where it is"
        assert focus_in(root, ".tkgd"), step.title
        assert box.get_attribute("aria-label") == f"guided tour, step {n + 1} of {len(STEPS)}: {step.title}"
        for words in (step.says, step.look, *step.code.split("\n")):
            assert words in box.inner_text()
        if step.target in ("edit", "words"):
            assert faults(page) == [], step.title
        if n < len(STEPS) - 1:
            host.press(box, keys[n % 2])
    assert explorer.pair == explorer.worst_pair
    assert explorer.selection.image == explorer.worst_image
    assert explorer.ablation.heads.heads == explorer.selection.heads
    assert explorer.edit.beta == 10
    host.press(box, "ArrowRight")
    assert explorer.guide == len(STEPS) - 1, "an arrow does not leave"
    host.press(box, "Escape")
    host.pump_until(lambda: explorer.guide == -1)
    assert root.locator(".tkgd").is_hidden()
    assert root.locator(".tkgd-ring").is_hidden()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Guided tour"
    assert explorer.tab == "two", "what one found stays"
    assert not explorer.error


def test_back_and_forth_by_keys_and_buttons(host: NarrowHost) -> None:
    explorer = world(200)
    root = ready(host, explorer)
    button, box = root.get_by_role("button", name="Guided tour", exact=True), root.locator(".tkgd")
    following, back = (box.get_by_role("button", name=name, exact=True) for name in ("Next", "Back"))
    tab = root.get_by_role("tab", selected=True)
    tab.focus()
    host.press(tab, "t")
    at(root, host, explorer, 0)
    assert button.get_attribute("aria-expanded") == "true"
    assert focus_in(root, ".tkgd")
    assert root.get_by_role("button", name="Back").is_disabled()
    host.press(box, "ArrowLeft")
    assert explorer.guide == 0
    host.press(box, "End")
    at(root, host, explorer, len(STEPS) - 1)
    host.press(box, "ArrowLeft", "Home")
    at(root, host, explorer, 0)
    host.press(box, "Tab")  # Back cannot be chosen here
    assert page_focus(root) == "Next"
    host.press(following, "Enter", "Enter")
    at(root, host, explorer, 2)
    assert page_focus(root) == "Next", "the focus stays on what was pressed"
    host.press(following, "Shift+Tab")
    assert page_focus(root) == "Back"
    host.press(back, "Enter", "Enter")
    at(root, host, explorer, 0)
    assert focus_in(root, ".tkgd"), "Back went away under the focus"
    root.get_by_role("button", name="Leave").click()
    host.pump_until(lambda: explorer.guide == -1)
    assert page_focus(root) == "tour"
    button.click()  # and again from the first step
    at(root, host, explorer, 0)
    root.get_by_role("tab", name="Words", exact=True).click()  # the user goes elsewhere …
    host.pump_until(lambda: explorer.tab == "words" and "spans" in explorer.parts)
    host.pump_until(
        lambda: max(root.evaluate(AROUND, "[role=tab][aria-controls*=mistakes]")) <= 8
    )  # … and sees the way back
    host.press(root.get_by_role("tab", selected=True), "t")
    host.pump_until(lambda: focus_in(root, ".tkgd"))
    host.press(box, "ArrowRight")
    at(root, host, explorer, 1)
    host.press(box, "End")
    at(root, host, explorer, len(STEPS) - 1)
    assert root.get_by_role("button", name="Done").is_visible()
    host.press(box, "Enter")
    host.pump_until(lambda: explorer.guide == -1)
    assert page_focus(root) == "tour"


def page_focus(root: Locator) -> str:
    return str(root.evaluate("root => root.getRootNode().activeElement.textContent"))


def test_what_is_typed_is_no_key_of_the_tour(host: NarrowHost) -> None:
    explorer = world(200)
    root = ready(host, explorer)
    field, cell = root.get_by_label("search images by text"), root.locator(".tkhg [role=gridcell]").first
    field.focus()
    host.press(field, "t", "Escape")
    assert explorer.guide == -1
    cell.focus()
    explorer.guide = 3
    at(root, host, explorer, 3)
    assert focus_in(root, ".tkhg"), "whoever sets it from Python takes no focus"
    host.press(root.locator(".tkhg"), "ArrowRight", "Enter", "Escape")
    assert explorer.guide == 3
    assert explorer.selection.heads == (), "Escape in the grid is the grid's"


def test_a_second_display_shows_the_same_step_and_does_not_scroll(host: NarrowHost) -> None:
    page = host.page
    explorer = world(200)
    one = ready(host, explorer)
    two = host.show(explorer)
    host.still(one, two)
    begin(host, one)
    host.press(one.locator(".tkgd"), "ArrowRight")
    at(one, host, explorer, 1)
    host.pump_until(lambda: two.locator(".tkgd-title").inner_text() == STEPS[1].title)
    assert focus_in(one, ".tkgd")
    assert one.evaluate(SEEN)["box"][0] >= 0
    two.get_by_role("button", name="Leave").click()
    host.pump_until(lambda: explorer.guide == -1 and one.locator(".tkgd").is_hidden())
    assert page.evaluate("document.activeElement.textContent") == "tour"
    one_again = host.reload()[0]
    assert one_again.locator(".tkgd").is_hidden()
    explorer.guide = 2
    at(one_again, host, explorer, 2)
    (again, _) = host.reload()
    at(again, host, explorer, 2)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_begun_before_anything_is_there_and_in_a_narrow_page(host: NarrowHost, theme: str, screenshots: Path) -> None:
    host.theme(theme)
    host.page.set_viewport_size({"width": 560, "height": 800})
    explorer = world(400)
    root = host.show(explorer)
    begin(host, root)
    host.press(root.locator(".tkgd"), "ArrowRight")
    host.pump_until(lambda: explorer.pair is not None and not explorer._running())
    at(root, host, explorer, 1)
    assert explorer.pair == explorer.worst_pair
    host.pump_until(lambda: root.evaluate(SEEN)["seen"] > 100, message="what came above it pushed it out of sight")
    seen = root.evaluate(SEEN)
    assert seen["covered"] < 12
    assert seen["left"] >= 0
    assert seen["right"] <= 560
    host.page.screenshot(path=screenshots / f"guide-narrow-{theme}.png")
    assert faults(host.page) == []
    host.press(root.locator(".tkgd"), "End")
    at(root, host, explorer, len(STEPS) - 1)
    host.pump_until(lambda: root.evaluate(SEEN)["seen"] > 20, message="it is above, and was not scrolled to")
    host.page.screenshot(path=screenshots / f"guide-narrow-last-{theme}.png")


def test_without_a_mistake_it_goes_on(host: NarrowHost) -> None:
    some = world(200)
    images = some._session.prepare() and some._session.images
    right = images.acts.take([int(i) for i in (images.truth == images.guess).nonzero()])
    explorer = tk.Explorer(right.model, right, ["landbird", "waterbird"])
    root = ready(host, explorer)
    begin(host, root)
    for n in range(len(STEPS)):
        host.pump_until(lambda n=n: root.locator(".tkgd-title").inner_text() == STEPS[n].title)
        host.pump_until(lambda: not explorer._running())
        host.pump()
        assert bool(explorer.error) == (STEPS[n].target == "edit")
        assert root.locator(".tkgd-ring").is_visible()
        host.press(root.locator(".tkgd"), "ArrowRight")
    host.press(root.locator(".tkgd"), "Escape")
    host.pump_until(lambda: explorer.guide == -1)
    assert not explorer.error
