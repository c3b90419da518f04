"""A thousand classes in the panels: kinds of mistakes listed, found and chosen, classes by what they lost."""

from __future__ import annotations

import numpy as np
import pytest
from narrow import NarrowHost, world
from playwright.sync_api import Locator, Page
from servers import pixels

import toolkit as tk

IMAGES, LAYERS, HEADS, D = 3000, 2, 4, 32


@pytest.fixture(scope="module")
def lab() -> tk.AblationLab:
    """Heads that are all noise, of images that lean to one of a thousand classes each."""
    rng = np.random.default_rng(0)
    classes = tk.imagenet_classes()
    vectors = rng.normal(size=(len(classes), D))
    heads = 0.5 * rng.normal(size=(IMAGES, LAYERS, HEADS, D)).astype(np.float32)
    own = np.arange(IMAGES) % len(classes)
    rest = 1.6 * vectors[own] + rng.normal(size=(IMAGES, D))
    acts = tk.from_arrays(heads, rest=rest, labels=[classes.names[i] for i in own], scale="raw")
    return tk.AblationLab(acts, tk.classes(list(classes.names), vectors=vectors))


def rows_of(root: Locator) -> list[str]:
    return root.locator(".tkc-list span").all_inner_texts()


def test_kinds_of_mistakes_are_listed_found_and_chosen(host: NarrowHost, page: Page, lab, screenshots) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    root = host.show(lab)
    host.still(root)
    host.pump_until(lambda: len(rows_of(root)) == 20)
    words = root.locator(".tkl-finder [role=status]")
    every = lab._confusion["of"]
    assert f"20 of {every:,} kinds of mistakes" in words.inner_text()
    assert "14 of 1,000 classes, the largest loss first" in words.inner_text()
    assert rows_of(root) == [f"{row['truth']} → {row['guess']}" for row in lab._confusion["rows"]]

    cells = root.locator(".tkm-cell")
    cells.nth(5).click()
    cells.nth(6).click()
    host.pump_until(lambda: len(lab.heads) == 2)
    host.still(root)
    assert rows_of(root) == [f"{row['truth']} → {row['guess']}" for row in lab._confusion["rows"]]
    grown = [row["after"] - row["before"] for row in lab._confusion["rows"]]
    assert grown[0] > 0
    assert grown == sorted(grown, reverse=True)
    lost = root.locator(".tkl-groups tr b").all_inner_texts()[:14]
    assert lost == [f"−{100 * (row['before'] - row['after']):.1f}" for row in lab._groups[:14]]
    assert pixels(root.locator(".tkc-list button").first).std() > 3, "a bar as long as the mistakes are many"
    root.screenshot(path=screenshots / "many-classes-ablation.png")

    field = root.get_by_label("find classes")
    field.fill("er")
    host.pump_until(lambda: lab.find == "er" and all("er" in row.lower() for row in rows_of(root)))
    host.pump_until(lambda: "with “er”" in words.inner_text())
    names = root.locator(".tkl-groups th[scope=row]").all_inner_texts()[:-2]
    assert names
    assert all("er" in name.lower() for name in names)
    assert field.evaluate("node => node === document.activeElement || node.getRootNode().activeElement === node")
    root.get_by_label("which come first").select_option("after")
    host.pump_until(lambda: lab.rank == "after" and "the worst after first" in words.inner_text())

    row = root.locator(".tkc-list button").nth(2)
    chosen = tuple(root.locator(".tkc-list span").nth(2).inner_text().split(" → "))
    row.focus()
    host.press(row, "ArrowDown")
    host.press(root.locator(".tkc-list button").nth(3), "ArrowUp")
    host.press(row, "Enter")
    host.pump_until(lambda: lab.pair == chosen)
    host.still(root)
    listed = rows_of(root)
    lab.rank = "gain"  # another list, with what was chosen in it
    host.pump_until(lambda: rows_of(root) != listed)
    now = root.locator(".tkc-list button:focus span")
    assert now.inner_text() == " → ".join(chosen), "what has the focus keeps it, wherever it goes"
    lab.rank = "after"
    host.still(root)
    field.fill("no class has this")
    host.pump_until(lambda: "0 of 0 classes" in words.inner_text())
    assert rows_of(root) == [" → ".join(chosen)], "what is chosen stays in sight"
    assert root.locator('.tkc-list [aria-pressed="true"]').count() == 1
    field.fill(" → ".join(chosen))
    host.pump_until(lambda: "1 of 1 kinds of mistakes" in words.inner_text())


def test_the_explorer_lists_what_a_matrix_has_no_room_for(host: NarrowHost, page: Page, screenshots) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    explorer = tk.Explorer(world()["model"], world()["val"])
    root = host.show(explorer)
    host.pump_until(lambda: root.locator(".tkc-list button").count() > 2)
    host.still(root)
    assert len(explorer._session.classes) == 20
    rows = rows_of(root)
    most = explorer._session.first_pair
    assert rows[0] == " → ".join(most), "the most frequent first"
    root.screenshot(path=screenshots / "many-classes-explorer.png")
    field = root.get_by_label("find classes")
    field.fill(most[0])
    host.pump_until(lambda: rows_of(root) and all(most[0] in row for row in rows_of(root)))
    root.locator(".tkc-list button").first.click()
    host.pump_until(lambda: explorer.pair == most)
    host.pump_until(lambda: "taken for" in root.locator(".tkex-soft[role]").first.inner_text())
    assert not root.get_by_label("which come first").count(), "nothing is off: there is but one order"
