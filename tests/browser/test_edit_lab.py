"""EditLab in JupyterLab and Voilà: act as a user, then look at Python and at the paint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from narrow import NarrowHost, world
from playwright.sync_api import Locator, Page, expect
from servers import Server, cell_count, dark, pixels, press, wait

import toolkit as tk

SETUP = """
import toolkit as tk
model = tk.load()
few = tk.extract(model, tk.scenes("edit", 200, 5, kind="birds"), progress=False).draw(10)
val = tk.extract(model, tk.scenes("val", 1200, 5), progress=False)
lab = tk.EditLab(few, tk.classes(sorted(set(val.labels))), "L3.H7 L3.H5 L3.H4 L2.H2", held_out=val)
other = tk.EditLab(few, tk.classes(sorted(set(val.labels))), "L3.H7", held_out=val, selection=lab.selection)
"""
CELLS = [SETUP, "lab", "print('ALL' + 'DONE')"]
ANEW = (
    "(lambda e: [f'{100 * g.after:.1f} %' for g in e.success.change.groups] + [f'{100 * e.success.worst.value:.1f} %',"
    " f'{100 * e.success.value:.1f} %', f'{100 * e.locality.value:.1f} %'])"
    "(tk.edit(few, lab.edit.problem.images.classes, lab.heads, lab.alpha, lab.beta, lab.steps, lab.strategy, lab.scale,"
    " *(lab.pair or (None, None)), held_out=val, nonnegative=lab.nonnegative))"
)


class Shown:
    """One painted EditLab."""

    def __init__(self, page: Page) -> None:
        self.root = page.locator(".tked").first
        self.root.wait_for()
        self.alpha = self.root.get_by_label("α, weight of success", exact=True)
        self.beta = self.root.get_by_label("β, weight of locality", exact=True)
        self.plane = self.root.locator(".tked-plane")

    def after(self) -> list[str]:
        return self.root.locator(".tkl-groups td:nth-child(4)").all_inner_texts()

    def still(self) -> bool:
        return self.root.get_attribute("aria-busy") == "false" and not self.root.locator(".tk-stale").count()

    def agrees(self, lab: Server) -> bool:
        """What is painted is what Python computes anew from the settings."""
        return self.after() == lab.kernel(ANEW)

    def typed(self, letter: str) -> Locator:
        return self.root.get_by_label(f"{letter}, weight of {'success' if letter == 'α' else 'locality'}, typed")


def test_lab_live_edit(open_lab, lab: Server, screenshots: Path) -> None:
    page = open_lab("edit.ipynb", CELLS)
    page.set_viewport_size({"width": 1200, "height": 1400})
    shown = Shown(page)
    wait(lambda: len(shown.after()) == 7 and shown.still())
    assert shown.agrees(lab)
    start = shown.after()
    shown.root.screenshot(path=screenshots / "edit-lab-light.png")
    black = "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;"
    black += (
        " for (let i = 0; i < d.length; i += 4) n += d[i + 3] > 200 && d[i] + d[i + 1] + d[i + 2] < 60; return n; }"
    )
    assert shown.plane.evaluate(black) < 400, "grid lines painted before the page knew their colours"

    # a drag: solved anew on the way, the last value stands
    box = shown.alpha.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    rest = lab.kernel("vars(__import__('sys').modules['toolkit.labs.edit'])['REST']")
    lab.kernel(
        "vars(__import__('sys').modules['toolkit.labs.edit']).update(REST=60)"
    )  # a drag is one move, however slow the machine
    page.mouse.move(box["x"] + 0.15 * box["width"], y)
    page.mouse.down()
    seq = int(shown.root.get_attribute("data-seq") or 0)
    for i in range(25):
        page.mouse.move(box["x"] + (0.15 + 0.012 * i) * box["width"], y)
        page.wait_for_timeout(25)
    page.mouse.up()
    wait(shown.still)
    lab.kernel(f"vars(__import__('sys').modules['toolkit.labs.edit']).update(REST={rest})")
    assert lab.kernel("lab.alpha") > 100
    assert shown.agrees(lab)
    assert int(shown.root.get_attribute("data-seq") or 0) > seq + 10
    assert lab.kernel("len(lab.visited)") > 3
    shown.root.get_by_label("Undo").click()
    wait(lambda: lab.kernel("lab.alpha") == 10 and shown.still())
    assert shown.after() == start
    assert float(shown.typed("α").input_value()) == 10

    # keyboard: a true zero, typed values, what is no number; letters reach nobody else
    shown.beta.focus()
    press(shown.beta, "Home")
    wait(lambda: lab.kernel("lab.beta") == 0 and shown.still())
    expect(shown.beta).to_have_attribute("aria-valuetext", "locality 0")
    press(shown.beta, "ArrowRight")
    wait(lambda: lab.kernel("lab.beta") == 1 and shown.still())
    shown.typed("α").fill("123.456")
    shown.typed("α").press("Enter")
    wait(lambda: lab.kernel("lab.alpha") == 123.456 and shown.still())
    expect(shown.alpha).to_have_attribute("aria-valuetext", "success 123.456")
    shown.typed("α").fill("-3")
    shown.typed("α").press("Enter")
    expect(shown.root.get_by_role("alert")).to_contain_text("alpha=-3")
    assert lab.kernel("lab.alpha") == 123.456
    shown.typed("α").fill("50")
    shown.typed("α").press("Enter")
    wait(lambda: lab.kernel("lab.alpha") == 50 and shown.still() and shown.agrees(lab))
    expect(shown.root.get_by_role("alert")).to_be_hidden()
    count = cell_count(page)
    shown.plane.focus()
    press(shown.plane, "b", "d", "d", "x")
    assert cell_count(page) == count

    # both at once
    pad = shown.root.locator(".tked-pad")
    area = pad.bounding_box()
    assert area
    page.mouse.click(area["x"] + 0.5 * area["width"], area["y"] + 0.98 * area["height"])
    wait(lambda: lab.kernel("lab.beta") <= 2 and lab.kernel("1e3 < lab.alpha < 1e5") and shown.still())
    pad.focus()
    press(pad, "Shift+ArrowLeft")
    wait(lambda: lab.kernel("lab.alpha < 1e4") and shown.still())
    assert shown.agrees(lab)

    # steps, strategy, scale, heads, mistakes
    steps = shown.root.get_by_label("steps", exact=True)
    steps.focus()
    press(steps, "ArrowRight")
    wait(lambda: lab.kernel("lab.steps") == 110 and shown.still() and shown.agrees(lab))
    shown.root.get_by_label("strategy").select_option("rank 4")
    wait(lambda: lab.kernel("lab.strategy") == "rank 4" and shown.still() and shown.agrees(lab))
    shown.root.get_by_label("strategy").select_option("diagonal")
    shown.root.get_by_label("keep θ ≥ 0").check()
    shown.root.get_by_label("logit scale").select_option("1")
    wait(lambda: lab.kernel("[lab.scale, lab.nonnegative]") == [1, True] and shown.still() and shown.agrees(lab))
    shown.root.get_by_label("logit scale").select_option("")
    shown.root.get_by_label("mistakes").select_option(index=1)
    wait(lambda: lab.kernel("lab.pair is not None") and shown.still() and shown.agrees(lab))
    assert lab.kernel("lab.pair == other.pair == lab.selection.pair")
    shown.root.get_by_label("Heads", exact=True).fill("")
    shown.root.get_by_label("Heads", exact=True).press("Enter")
    expect(shown.root.get_by_role("alert")).to_contain_text("no heads")
    assert shown.root.locator(".tkl-groups.tk-stale").count() == 1
    shown.root.get_by_label("Heads", exact=True).fill("L3.H7 L2.H2")
    shown.root.get_by_label("Heads", exact=True).press("Enter")
    wait(lambda: lab.kernel("str(lab.heads)") == "L3.H7 L2.H2" and shown.still() and shown.agrees(lab))

    # the frontier fills; a point leads back to its edit
    empty = pixels(shown.plane)
    shown.root.get_by_role("button", name="fill the frontier").click()
    wait(lambda: lab.kernel("lab.frontier is not None and lab.frontier.filled == 1") and shown.still())
    assert np.abs(pixels(shown.plane) - empty).sum() > 10_000
    shown.plane.focus()
    press(shown.plane, "ArrowRight")
    expect(shown.root.locator(".tked-plane + .tkl-soft")).to_contain_text("α 0, β 0: target classes")
    press(shown.plane, "Enter")
    wait(lambda: lab.kernel("[lab.alpha, lab.beta]") == [0, 0] and shown.still() and shown.agrees(lab))
    expect(shown.root).to_contain_text("standard fine-tuning")
    point = "abs(lab._point['success'] - lab.frontier.success[0, 0, 0]) < 1e-9"
    assert lab.kernel(f"bool({point})")
    shown.root.get_by_label("Keep this edit").click()
    wait(lambda: lab.kernel("list(lab.kept)") == ["A"])
    shown.root.get_by_label("up", exact=True).select_option("agreement")
    words = shown.root.locator(".tked-words")
    expect(words).to_contain_text("turned down")
    expect(words).to_contain_text("scales heads")
    wrong = shown.root.get_by_role("listbox", name="images that became wrong").get_by_role("option")
    wait(lambda: wrong.count() == min(12, lab.kernel("len(lab.edit.wrong)")) and pixels(wrong.first).std() > 5)
    wrong.first.click()
    wait(lambda: lab.kernel("lab.selection.image == lab.edit.wrong[0] == other.image"))
    shown.root.screenshot(path=screenshots / "edit-lab-frontier.png")
    with dark(page, shown.root):
        wait(lambda: shown.still() and not page.locator("#jupyterlab-splash").count())
        shown.root.screenshot(path=screenshots / "edit-lab-dark.png")


def test_voila_edit(voila: Server, page: Page, screenshots: Path) -> None:
    voila.notebook("edit.ipynb", [SETUP, "lab"])
    page.goto(f"{voila.url}/voila/render/edit.ipynb")
    shown = Shown(page)
    wait(lambda: len(shown.after()) == 7 and shown.still())
    before = shown.after()
    shown.beta.focus()
    press(shown.beta, "Home")
    wait(lambda: shown.still() and shown.after() != before)
    page.screenshot(path=screenshots / "edit-lab-voila.png", full_page=True)


@pytest.mark.parametrize("strategy", ["strengths", "strengths all", "directions 2", "class vectors"])
def test_strategies_of_heads_and_classes_are_solved_live(
    host: NarrowHost, page: Page, strategy: str, screenshots: Path
) -> None:
    page.set_viewport_size({"width": 1440, "height": 1400})
    lab = tk.EditLab(world()["few"], world()["every"], "L3.H7 L3.H5", held_out=world()["val"])
    root = host.show(lab)
    host.still(root)
    root.get_by_label("strategy").select_option(strategy)
    host.pump_until(lambda: lab.strategy == strategy and lab.edit is not None and lab.edit.strategy.name == strategy)
    host.still(root)
    alpha = root.get_by_label("α, weight of success", exact=True)
    alpha.focus()
    host.press(alpha, "ArrowRight", "ArrowRight")
    host.pump_until(lambda: lab.alpha != 10 and lab.edit.alpha == lab.alpha)
    host.still(root)
    anew = tk.edit(
        world()["few"], world()["every"], lab.heads, lab.alpha, lab.beta, lab.steps, strategy, held_out=world()["val"]
    )
    assert torch.equal(lab.edit.theta, anew.theta)
    worst = root.locator(".tkl-groups tr").filter(has_text="worst group").locator("td:nth-child(4)")
    assert worst.inner_text() == f"{100 * anew.success.worst.value:.1f} %"
    words = root.locator(".tked-words").inner_text()
    first = anew.inspect()
    told = str((first.strengths or first.classes)[0])
    assert told in " ".join(words.split())
    assert "dimensions" not in words
    button = root.get_by_role("button", name="measure folded")
    if strategy == "class vectors":
        assert button.is_hidden()
    else:
        button.click()
        host.pump_until(lambda: lab.folded is not None)
        host.still(root)
        heads = root.locator(".tkl-groups th[scope=col]").all_inner_texts()
        assert heads[:6] == ["group", "n", "before", strategy, "folded", "change in points [95 %]"]
        folded = root.locator(".tkl-groups tr").filter(has_text="worst group").locator("td:nth-child(5)")
        expected = anew.folded_outcome(world()["model"])
        assert folded.inner_text() == f"{100 * expected.success.worst.value:.1f} %"
        alpha.press("ArrowRight")
        host.pump_until(lambda: lab.edit.alpha == lab.alpha != anew.alpha)
        host.still(root)
        folded = root.locator(".tkl-groups th[scope=col]", has_text="folded")
        assert folded.count() == 0, "it was of another edit"
        alpha.press("ArrowLeft")
        host.pump_until(lambda: folded.count() == 1)
    root.screenshot(path=screenshots / f"edit-lab-{strategy.replace(' ', '-')}.png")


def test_two_edits_side_by_side(host: NarrowHost, page: Page, screenshots: Path) -> None:
    """A drag moves both points, both columns, both lines and the map of strengths; a switch changes their places."""
    page.set_viewport_size({"width": 1440, "height": 900})
    few, every, val = (world()[name] for name in ("few", "every", "val"))
    lab = tk.EditLab(few, every, "L3.H7 L3.H5 L2.H4", held_out=val)
    root = host.show(lab)
    host.still(root)
    columns = root.locator(".tkl-groups th[scope=col]")
    assert columns.all_inner_texts()[3:] == [
        "diagonal", "change in points [95 %]", "strengths", "change in points [95 %]"
    ]  # fmt: skip
    cell = root.get_by_role("gridcell", name="L3.H7")
    colour = "cell => getComputedStyle(cell).backgroundColor"
    before, canvas = cell.evaluate(colour), pixels(root.locator(".tked-plane"))
    alpha = root.get_by_label("α, weight of success", exact=True)
    typed = root.get_by_label("α, weight of success, typed")
    typed.fill("300")
    typed.press("Enter")
    host.pump_until(lambda: lab.edit.alpha == lab.other.alpha == lab.alpha == 300)
    host.still(root)
    assert np.abs(pixels(root.locator(".tked-plane")) - canvas).sum() > 1000
    assert cell.evaluate(colour) != before, "the map is the edit"
    made = {name: tk.edit(few, every, lab.heads, lab.alpha, strategy=name, held_out=val) for name in
            ("diagonal", "strengths")}  # fmt: skip
    worst = root.locator(".tkl-groups tr").filter(has_text="worst group")
    for column, edit in ((4, made["diagonal"]), (6, made["strengths"])):
        text = worst.locator(f"td:nth-child({column})").inner_text()
        assert text == f"{100 * edit.success.worst.value:.1f} %"
    lines = root.locator(".tked-verdict > div").all_inner_texts()
    assert [line.split(":")[0] for line in lines] == ["heads off, no edit", "diagonal", "strengths"]
    assert f"→ {100 * made['strengths'].success.worst.value:.1f} %" in lines[2]
    assert f"× {made['strengths'].strengths['L3.H7']:.2f}" in (cell.get_attribute("aria-label") or "")

    # a strength by hand, by keyboard: it stays while α moves
    cell.click()
    dial = root.get_by_label("L3.H7 ×")
    dial.focus()
    host.press(dial, "Home")
    host.pump_until(lambda: lab.held == {"L3.H7": 0.0} and lab.other.strengths["L3.H7"] == 0)
    host.still(root)
    held = root.get_by_label("hold it while")
    assert held.is_checked()
    alpha.focus()
    host.press(alpha, "ArrowLeft")
    host.pump_until(lambda: lab.other.alpha == lab.alpha)
    assert lab.other.strengths["L3.H7"] == 0
    host.still(root)
    root.screenshot(path=screenshots / "edit-lab-beside.png")
    cell.focus()
    host.press(cell, "ArrowLeft")
    host.press(root.get_by_role("gridcell", name="L3.H6"), "ArrowLeft")
    assert root.get_by_role("gridcell", name="L3.H5").evaluate("cell => cell === document.activeElement")
    expect(root.get_by_label("L3.H5 ×")).to_be_visible()
    cell.click()
    held.uncheck()
    host.pump_until(lambda: lab.held == {} and lab.other.strengths["L3.H7"] != 0)

    # the switch, by key and by button; nothing beside
    plane = root.locator(".tked-plane")
    plane.focus()
    host.press(plane, "o")
    host.pump_until(lambda: lab.strategy == "strengths" and lab.edit.strategy.name == "strengths")
    host.still(root)
    assert columns.all_inner_texts()[3:6:2] == ["strengths", "diagonal"]
    assert "L3.H7" in root.locator(".tked-words").inner_text()
    root.get_by_role("button", name="look at the other").click()
    host.pump_until(lambda: lab.strategy == "diagonal" and lab.edit.strategy.name == "diagonal")
    root.get_by_label("beside it").select_option("")
    host.pump_until(lambda: lab.beside == "" and lab.other is None)
    host.still(root)
    assert columns.count() == 5
    assert root.get_by_role("gridcell").count() == 0


def test_fronts_appear_once_the_sliders_rest_and_move_nothing(
    host: NarrowHost, page: Page, screenshots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    monkeypatch.setenv("TOOLKIT_BACKGROUND", "1")
    few, every, val = (world()[name] for name in ("few", "every", "val"))
    other = few.take(range(0, len(few), 2))
    lab = tk.EditLab(few, every, "L3.H7 L3.H5 L2.H4", held_out=val, steps=20, draws=[other])
    root = host.show(lab)
    legend = root.locator(".tked-fronts")
    slider = root.get_by_label("α, weight of success", exact=True)
    lines, signs = root.locator(".tked-verdict > div"), root.locator(".tk-signs .tk-sign")
    host.pump_until(lambda: lines.count() == 3 and not lab.awaited and not signs.count())
    place, before = slider.bounding_box(), root.locator(".tked-verdict").bounding_box()
    sign = legend.get_by_role("progressbar")
    host.pump_until(lambda: sign.count() or len(lab.fronts) == 5)
    host.pump_until(lambda: len(lab.fronts) == 5 and not lab._work)
    host.still(root)
    assert slider.bounding_box() == place
    assert root.locator(".tked-verdict").bounding_box() == before
    told = legend.get_by_role("listitem").all_inner_texts()
    assert len(told) == 5
    plane = [band for band in lab._fronts["bands"] if (band["across"], band["up"]) == ("success", "locality")]
    bands = {band["strategy"]: band for band in plane}
    least = {mark["name"]: mark["locality"] for mark in lab._marks}["as it is"] - 0.02
    for text in told:
        strategy, reach = text.rsplit(" ", 2)[0], text.rsplit(" ", 2)[1]
        reached = [x for x, y in zip(bands[strategy]["x"], bands[strategy]["y"], strict=True) if y >= least]
        assert float(reach) == pytest.approx(100 * max(reached), abs=0.06)
    orange = "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;"
    orange += (
        " for (let i = 0; i < d.length; i += 4) n += d[i] > 190 && d[i + 1] > 70 && d[i + 1] < 120 && d[i + 2] < 40;"
    )
    assert root.locator(".tked-plane").evaluate(orange + " return n; }") > 20, "the front of strengths is drawn"
    assert "2 draws" in legend.inner_text()
    assert "an upper limit" in legend.inner_text()
    root.screenshot(path=screenshots / "edit-lab-fronts.png")

    # other heads have others; stopped ones wait until they are asked for
    root.get_by_label("Heads", exact=True).fill("L3.H7")
    root.get_by_label("Heads", exact=True).press("Enter")
    host.pump_until(lambda: lab._fronts["of"]["heads"] == [[3, 7]] and not lab._work)
    monkeypatch.setenv("TOOLKIT_BACKGROUND", "0")
    root.get_by_label("Heads", exact=True).fill("L3.H5")
    root.get_by_label("Heads", exact=True).press("Enter")
    host.pump_until(lambda: str(lab.edit.heads) == "L3.H5" and not lab._work)
    host.still(root)
    legend.get_by_role("button", name="draw them").click()
    host.pump_until(lambda: lab._fronts["of"]["heads"] == [[3, 5]] and not lab._work)
    assert not legend.get_by_role("button", name="draw them").is_visible()


def test_two_kept_edits_side_by_side(host: NarrowHost, page: Page, screenshots: Path) -> None:
    page.set_viewport_size({"width": 1440, "height": 1400})
    few, every, val = (world()[name] for name in ("few", "every", "val"))
    lab = tk.EditLab(few, every, "L3.H7 L3.H5 L2.H4", held_out=val, strategy="strengths", beside="diagonal")
    root = host.show(lab)
    host.still(root)
    keep, beside = root.get_by_role("button", name="Keep this edit"), root.get_by_label("beside it", exact=True)
    keep.click()
    host.pump_until(lambda: "A" in lab.kept)
    typed = root.get_by_label("α, weight of success, typed")
    typed.fill("300")
    typed.press("Enter")
    host.pump_until(lambda: lab.edit.alpha == 300)
    host.still(root)
    beside.select_option("A")
    host.pump_until(lambda: lab.other is lab.kept["A"] and lab._against == "A")
    host.still(root)
    assert root.locator(".tkl-groups th[scope=col]").all_inner_texts()[5] == "A"
    maps = root.locator(".tked-strengths .tkm-map:visible")
    assert maps.count() == 2
    theirs = lab.kept["A"].strengths["L3.H7"]
    cell = maps.nth(1).get_by_role("gridcell", name="L3.H7")
    assert f"× {theirs:.2f}" in (cell.get_attribute("aria-label") or "")
    assert root.locator(".tked-two strong").all_inner_texts() == ["strengths", "A"]
    assert lab._other_words["made"][0] in root.locator(".tked-two").inner_text()
    both = tk.compare(lab.kept["A"], lab.edit).predictions
    right = int((both["second"] == both["label"]).sum())
    expect(root.get_by_text(f"{right} right here, wrong with A")).to_be_visible()
    root.screenshot(path=screenshots / "edit-lab-kept.png")
    plane = root.locator(".tked-plane")
    plane.focus()
    host.press(plane, "o")
    host.pump_until(lambda: lab.alpha == 10 and lab.beside == "B" and lab.edit is not None and lab.edit.alpha == 10)
    host.still(root)
    beside.select_option("")
    host.pump_until(lambda: lab.other is None and lab._against == "")
    host.still(root)
    expect(root.get_by_text("became right")).to_be_visible()
    assert root.locator(".tked-two").count() == 0
