"""Takes the pictures of the explorer and of a map in a real JupyterLab: `python docs/screenshots.py`.

Needs Chromium, and the extra test. Every picture is what a user sees after the steps written here, on the built-in
world.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
import browser  # noqa: E402

SETUP = """
import toolkit as tk
explorer = tk.Explorer()
"""
MAP = """
import toolkit as tk
shown = tk.TokenMap(
    tk.load(), tk.scenes("val", n=40, seed=5, kind="birds"), heads="L3.H7 L3.H5", text="a landbird",
    against="a waterbird", image="val-5-birds1-000010", beside="ablated", patch=[4, 4],
)
shown
"""


def keep(root: Any, name: str) -> None:
    """A screenshot as a PNG in docs/images."""
    picture = Image.open(io.BytesIO(root.screenshot())).convert("RGB")  # a palette would tint what is nearly zero
    picture.save(HERE / "images" / f"{name}.png", optimize=True)


def still(servers: Any, server: Any, root: Any) -> None:
    """Wait until nothing moves any more."""
    calm = "not explorer._work and not any(getattr(p, '_work', ()) for p in explorer.parts.values())"
    servers.wait(lambda: server.kernel(calm))
    servers.wait(lambda: not root.locator(".tk-stale").count())
    root.page.mouse.move(2, 2)
    root.page.wait_for_timeout(400)


def main() -> None:
    """All pictures."""
    explorer()
    token_map()


def token_map() -> None:
    """A map, and the same one without two heads beside it."""
    with browser.lab(1180, 900) as (servers, server, page):
        browser.opened(servers, server, page, "map.ipynb", [MAP])
        root = page.locator(".tkt")
        servers.wait(lambda: root.locator("canvas").count())
        page.wait_for_timeout(2000)
        keep(root, "token_map")


def explorer() -> None:
    """In the order of the way through the explorer."""
    with browser.lab(1440, 1500) as (servers, server, page):
        browser.opened(servers, server, page, "explorer.ipynb", [SETUP, "explorer"])
        root = page.locator(".tkex")
        root.locator(".tkhg").wait_for(timeout=120_000)
        root.locator(".tkex-picker").get_by_label("landbird taken for waterbird").click()
        still(servers, server, root)
        root.locator(".tkga-tile").nth(7).click()
        root.locator('.tkhg [aria-label^="layer 3, head 7,"]').click()
        root.locator('.tkhg [aria-label^="layer 3, head 5,"]').click(modifiers=["Shift"])
        still(servers, server, root)
        keep(root, "explorer_mistakes")
        for tab, act in (
            ("Keywords", pair_of_words),
            ("Words", None),
            ("Where", None),
            ("Heads off", heads_off),
            ("Edit", frontier),
            ("Compare", price),
            ("Two models", None),
        ):
            root.get_by_role("tab", name=tab, exact=True).click()
            servers.wait(lambda: root.get_by_role("tabpanel").locator(".tk-panel").count())
            still(servers, server, root)
            if act is not None:
                act(root)
                still(servers, server, root)
            keep(root, f"explorer_{tab.split()[-1].lower()}")
        root.get_by_role("tab", name="Mistakes", exact=True).click()
        root.get_by_role("button", name="Guided tour").click()
        for _ in range(5):  # to the map
            root.page.keyboard.press("ArrowRight")
            still(servers, server, root)
        keep(root, "explorer_tour")
        root.page.keyboard.press("Escape")
        page.evaluate(
            "() => { window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}); }"
        )
        root.get_by_role("tab", name="Where", exact=True).click()
        page.wait_for_timeout(3000)
        still(servers, server, root)
        keep(root, "explorer_dark")


def pair_of_words(root: Any) -> None:
    """Try the first keyword as a pair to take away."""
    root.get_by_role("button", name="as a pair to take away").click()
    root.page.wait_for_timeout(500)


def heads_off(root: Any) -> None:
    """Switch off what Algorithm 1 chooses."""
    root.get_by_role("button", name="choose", exact=True).click()
    root.page.wait_for_timeout(500)


def price(root: Any) -> None:
    """Look at a cure told labels, with a price and its placebo."""
    root.get_by_role("button", name="look at probe", exact=True).click()
    root.get_by_role("button", name="price", exact=True).click()
    root.get_by_role("button", name="placebo", exact=True).click()
    root.page.wait_for_timeout(1500)


def frontier(root: Any) -> None:
    """Solve the grid of α and β."""
    root.get_by_role("button", name="fill the frontier").click()
    root.page.wait_for_timeout(500)


if __name__ == "__main__":
    main()
