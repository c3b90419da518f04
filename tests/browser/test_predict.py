"""Predict by mouse and by keyboard: no truth in the page before; afterwards both marks stand where they belong."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from narrow import NarrowHost
from playwright.sync_api import Locator, Page
from servers import Server, pixels, press, wait
from test_accessibility import faults

import toolkit as tk
from toolkit.engine.worker import Worker
from toolkit.panels.predict.panel import Predict

FOUR = ("layer 0", "layer 1", "layer 2", "layer 3")
BARS = {"layer 0": 0.08, "layer 1": 0.4123, "layer 2": -0.1, "layer 3": math.nan}
TRUTH_COLOR = {"light": (14, 75, 138), "dark": (140, 196, 255)}


class Book:
    """A workbook that only remembers."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def predicted(self, **row: object) -> None:
        self.rows.append(row)


def asked(truth: object = 34.2, **more: object) -> Predict:
    given = {"low": 0, "high": 100, "unit": "%", "because": "Water is what it looks for.", "workbook": Book()} | more
    return Predict("How many of 100 landbirds on water does it get right?", truth, **given)


def chosen(truth: object = BARS, **more: object) -> Predict:
    given = {"options": FOUR, "unit": "cosine", "because": "Later layers read it.", "workbook": Book()} | more
    return Predict("Which layer writes the background?", truth, **given)


def middle(node: Locator) -> tuple[float, float]:
    box = node.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def on_axis(root: Locator, mark: str) -> float:
    """Where a mark stands on the axis, from 0 to 1."""
    axis = root.locator(".tkp-axis").bounding_box()
    assert axis is not None
    return (middle(root.locator(f".tkp-axis > {mark}"))[0] - axis["x"]) / axis["width"]


def html(page: Page) -> str:
    values = "JSON.stringify([...document.querySelectorAll('input')].map((input) => input.value))"
    return page.evaluate(f"() => document.documentElement.outerHTML + {values}")


def test_a_number_by_keyboard_alone(host: NarrowHost, page: Page, screenshots) -> None:
    panel = asked()
    root = host.show(panel)
    assert root.get_by_role("heading").inner_text() == panel.question
    reveal = root.get_by_role("button", name="Reveal", exact=True)
    assert reveal.is_disabled()
    assert "34.2" not in html(page)
    assert "Water" not in html(page)
    root.screenshot(path=screenshots / "predict-number-unset.png")
    slider = root.get_by_role("slider")
    slider.focus()
    host.press(slider, "Enter")
    assert not panel.revealed, "nothing was guessed"
    host.press(slider, "Space")
    host.pump_until(lambda: panel.guess == 50)
    host.press(slider, "ArrowRight")
    host.pump_until(lambda: panel.guess == 51)
    host.press(slider, "End")
    host.pump_until(lambda: panel.guess == 100)
    host.press(slider, "Home")
    host.pump_until(lambda: panel.guess == 0)
    host.press(slider, "Tab")
    typed = root.get_by_role("spinbutton")
    host.press(typed, "Control+A", *"160")
    host.pump_until(lambda: "A number from 0 to 100 %, please." in root.inner_text())
    assert panel.guess is None, "what is typed is not what it was"
    assert reveal.is_disabled()
    host.press(typed, "Backspace", "Backspace", "6", "ArrowLeft", "Backspace", "End", "0")
    host.pump_until(lambda: panel.guess == 60)
    assert slider.get_attribute("aria-valuetext") == "60 %"
    assert reveal.is_enabled()
    assert root.get_by_role("button", name="show without guessing").is_hidden()
    assert "34.2" not in html(page)
    root.screenshot(path=screenshots / "predict-number-guessed.png")
    host.press(typed, "Enter")
    host.pump_until(lambda: panel.revealed and root.locator(".tkp-result").is_visible())
    assert panel.miss == pytest.approx(25.8)
    assert root.evaluate("root => root.contains(document.activeElement)"), "the focus is lost"
    assert root.locator(".tk-summary").inner_text() == panel.summary
    assert root.locator(".tk-summary").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 320])
def test_a_number_s_marks_stand_where_the_numbers_are(host: NarrowHost, page: Page, theme, width, screenshots) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    host.theme(theme)
    panel = asked()
    root = host.show(panel)
    slider = root.get_by_role("slider").bounding_box()
    assert slider is not None
    page.mouse.click(slider["x"] + 8 + 0.6 * (slider["width"] - 16), slider["y"] + 15)
    host.pump_until(lambda: panel.guess is not None)
    assert abs(panel.guess - 60) <= 1
    panel.guess = 60
    root.get_by_role("button", name="Reveal", exact=True).click()
    host.pump_until(lambda: root.locator(".tkp-result").is_visible())
    host.page.mouse.move(2, 2)
    assert on_axis(root, ".tkp-ghost") == pytest.approx(0.6, abs=0.005)
    assert on_axis(root, ".tkp-truth") == pytest.approx(0.342, abs=0.005)
    gap, axis = (root.locator(f".{name}").bounding_box() for name in ("tkp-gap", "tkp-axis"))
    assert gap["width"] == pytest.approx(0.258 * axis["width"], abs=1.5)
    painted = pixels(page)
    x, y = map(round, middle(root.locator(".tkp-axis > .tkp-truth")))
    assert np.abs(painted[y, x] - TRUTH_COLOR[theme]).max() < 12, "a filled mark"
    x, y = map(round, middle(root.locator(".tkp-axis > .tkp-ghost")))
    paper, ink = painted[y, x], painted[y, x - 10 : x + 11].mean(1)
    assert (paper.mean() > 240) == (theme == "light"), "a hollow mark"
    assert abs(ink - paper.mean()).max() > 150, "with a line around it"
    cut = "nodes => nodes.filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.textContent)"
    assert root.locator(".tkp-axis .tkp-label").evaluate_all(cut) == []
    words = root.locator(".tkp-result").inner_text()
    for text in ("your guess 60 %", "34.2 %", "25.8 points", "25.8 points too high.", "Water is what it looks for."):
        assert text in words
    labels = [node.bounding_box() for node in root.locator(".tkp-axis :is(.tkp-label, .tkp-end)").all()]
    for i, a in enumerate(labels):
        assert a["x"] >= 0
        assert a["x"] + a["width"] <= width
        for b in labels[:i]:
            apart = a["x"] + a["width"] <= b["x"] + 1 or b["x"] + b["width"] <= a["x"] + 1
            assert apart or a["y"] + a["height"] <= b["y"] + 1 or b["y"] + b["height"] <= a["y"] + 1, "labels overlap"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    root.screenshot(path=screenshots / f"predict-number-{theme}-{width}.png")


@pytest.mark.parametrize(
    ("guess", "truth"), [(0, 100), (100, 0), (50, 50), (50, 52), (99, 97), (1, 2), (90, 160), (10, -30)]
)
def test_labels_keep_apart_wherever_the_marks_are(host: NarrowHost, page: Page, guess, truth, screenshots) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    panel = asked(truth)
    root = host.show(panel)
    panel.guess = guess
    panel.reveal()
    host.pump_until(lambda: root.locator(".tkp-result").is_visible())
    low, high = panel.prediction.axis
    assert on_axis(root, ".tkp-ghost") == pytest.approx((guess - low) / (high - low), abs=0.01)
    assert on_axis(root, ".tkp-truth") == pytest.approx((truth - low) / (high - low), abs=0.01)
    root.screenshot(path=screenshots / f"predict-edge-{guess}-{truth}.png")
    boxes = [node.bounding_box() for node in root.locator(".tkp-axis .tkp-label").all()]
    assert len(boxes) == 2 + (guess != truth)
    for i, a in enumerate(boxes):
        assert a["x"] >= 10
        assert a["x"] + a["width"] <= 350
        for b in boxes[:i]:
            assert a["y"] + a["height"] <= b["y"] + 4 or b["y"] + b["height"] <= a["y"] + 4
    if guess != truth:  # the difference covers no mark
        off = root.locator(".tkp-off").bounding_box()
        for mark in (".tkp-ghost", ".tkp-truth"):
            x = middle(root.locator(f".tkp-axis > {mark}"))[0]
            assert not off["x"] - 5 < x < off["x"] + off["width"] + 5


@pytest.mark.parametrize("guess", [0, 45, 100])
def test_long_units_stay_inside(host: NarrowHost, page: Page, guess, screenshots) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    panel = asked(50, unit="units of a kind that has a long name " * 3)
    root = host.show(panel)
    panel.guess = guess
    panel.reveal()
    host.pump_until(lambda: root.locator(".tkp-result").is_visible())
    edge = root.bounding_box()
    for node in root.locator(".tkp-axis > *").all():
        box = node.bounding_box()
        assert box["x"] >= edge["x"]
        assert box["x"] + box["width"] <= edge["x"] + edge["width"]
    low, high = (node.bounding_box() for node in root.locator(".tkp-axis .tkp-end").all())
    assert low["x"] + low["width"] <= high["x"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    root.screenshot(path=screenshots / f"predict-long-{guess}.png")


def test_options_by_keyboard_with_a_slow_truth_that_fails_once(host: NarrowHost, page: Page, screenshots) -> None:
    tries: list[int] = []

    def work() -> dict[str, float]:
        tries.append(1)
        time.sleep(0.3)
        if len(tries) == 1:
            raise RuntimeError("no images yet")
        return BARS

    panel = chosen(work, engine=Worker())
    root = host.show(panel)
    root.screenshot(path=screenshots / "predict-options-unset.png")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    if not root.locator("[type=radio]").first.evaluate("node => node === document.activeElement"):
        page.keyboard.press("Tab")
    choices = root.locator("[type=radio]")
    host.press(choices.nth(0), "Space")
    host.pump_until(lambda: panel.guess == "layer 0")
    host.press(choices.nth(0), "ArrowDown")
    host.press(choices.nth(1), "ArrowDown")
    host.pump_until(lambda: panel.guess == "layer 2")
    root.screenshot(path=screenshots / "predict-options-chosen.png")
    host.press(choices.nth(2), "Enter")
    host.pump_until(lambda: root.get_attribute("aria-busy") == "true")
    assert root.get_by_text("Working it out …").is_visible()
    host.pump_until(lambda: root.get_by_role("alert").is_visible())
    assert "no images yet" in root.get_by_role("alert").inner_text()
    host.still(root)
    assert root.locator(".tkp-go").evaluate("node => node === document.activeElement"), "it may be tried again at once"
    host.press(root.locator(".tkp-go"), "Enter")
    host.pump_until(lambda: panel.revealed and root.locator(".tkp-result").is_visible())
    assert root.get_by_role("alert").is_hidden()
    assert panel.right is False
    assert panel._workbook.rows[0]["guess"] == "layer 2"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 320])
def test_bars_by_mouse(host: NarrowHost, page: Page, theme, width, screenshots) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    host.theme(theme)
    panel = chosen()
    root = host.show(panel)
    assert "0.41" not in html(page)
    root.get_by_label("layer 0").click()
    host.pump_until(lambda: panel.guess == "layer 0")
    root.get_by_role("button", name="Reveal", exact=True).click()
    host.pump_until(lambda: root.locator(".tkp-result").is_visible())
    rows = root.get_by_role("listitem")
    assert [text.split("\n")[-1] for text in rows.all_inner_texts()] == [
        "0.08 cosine",
        "0.4123 cosine",
        "−0.1 cosine",
        "missing",
    ]
    assert "your guess" in rows.nth(0).inner_text()
    assert "the answer" in rows.nth(1).inner_text()
    assert [row.locator(".tkp-ghost").count() for row in rows.all()] == [1, 0, 0, 0]
    assert [row.locator(".tkp-truth").count() for row in rows.all()] == [0, 1, 0, 0]
    bars = [row.locator(".tkp-bar").bounding_box() for row in rows.all()[:3]]
    assert rows.nth(3).locator(".tkp-bar").count() == 0
    unit = bars[1]["width"] / 0.4123
    assert bars[0]["width"] == pytest.approx(0.08 * unit, abs=1.5)
    assert bars[2]["width"] == pytest.approx(0.1 * unit, abs=1.5)
    assert bars[2]["x"] + bars[2]["width"] == pytest.approx(bars[0]["x"], abs=1.5), "from zero to the left"
    painted = pixels(page)
    x, y = round(bars[1]["x"] + bars[1]["width"] / 2), round(bars[1]["y"] + bars[1]["height"] / 2)
    assert np.abs(painted[y, x] - TRUTH_COLOR[theme]).max() < 12
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    root.screenshot(path=screenshots / f"predict-options-{theme}-{width}.png")


def test_a_right_option_without_numbers(host: NarrowHost, screenshots) -> None:
    panel = Predict(
        "Will the worst group get better?", lambda: "better", options=["better", "the same", "worse"], workbook=Book()
    )
    root = host.show(panel)
    root.get_by_label("better", exact=True).click()
    root.get_by_role("button", name="Reveal", exact=True).click()
    host.pump_until(lambda: root.locator(".tkp-result").is_visible())
    marks = root.locator(".tkp-mark").first
    assert marks.locator("i").count() == 2
    assert root.locator(".tkp-sentence").inner_text() == "You expected “better”, and so it is."
    root.screenshot(path=screenshots / "predict-right.png")


def test_two_displays_in_step_and_shown_without_guessing(host: NarrowHost, page: Page) -> None:
    panel = asked(None, engine=tk.Engine())
    first, second = host.show(panel), host.show(panel, shadow=True)
    assert "The answer comes further down." in first.inner_text()
    assert first.locator(".tkp-go").is_hidden()
    panel._hide(34.2)
    host.pump_until(lambda: second.locator(".tkp-skip").is_visible())
    slider = second.get_by_role("slider")
    slider.focus()
    host.press(slider, "ArrowRight")
    host.pump_until(lambda: first.get_by_role("spinbutton").input_value() == "51")
    panel.guess = None
    host.pump_until(
        lambda: first.locator(".tkp-skip").is_visible() and second.get_by_role("spinbutton").input_value() == ""
    )
    first.get_by_role("button", name="show without guessing").click()
    host.pump_until(lambda: all(root.locator(".tkp-result").is_visible() for root in (first, second)))
    assert first.locator(".tkp-result").inner_text() == second.locator(".tkp-result").inner_text()
    assert "No guess was made" in first.locator(".tkp-sentence").inner_text()
    assert first.locator(".tkp-axis > .tkp-ghost").count() == 0
    assert panel.guess is None


def test_two_questions_of_options_do_not_share_their_buttons(host: NarrowHost) -> None:
    a, b = chosen(), chosen()
    first, second, again = host.show(a), host.show(b), host.show(a)
    first.get_by_label("layer 1").click()
    second.get_by_label("layer 2").click()
    host.pump_until(lambda: (a.guess, b.guess) == ("layer 1", "layer 2"))
    host.still(first, second, again)
    checked = [root.locator("[type=radio]:checked").count() for root in (first, second, again)]
    assert checked == [1, 1, 1]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_grave_in_options(host: NarrowHost, page: Page, theme) -> None:
    host.theme(theme)
    panel = chosen()
    root = host.show(panel)
    assert faults(page) == []
    root.get_by_label("layer 2").check()
    root.get_by_role("button", name="Reveal", exact=True).click()
    host.pump_until(lambda: root.locator(".tkp-result").is_visible())
    assert faults(page) == []


SETUP = """
import time
from toolkit.teach import predict, workbook
calls = []
asked = predict("How many of 100?", lambda: (calls.append(1), time.sleep(0.5))[1] or 34.2, low=0, high=100, unit="%")
which = predict("Will it get better?", options=["better", "worse"], truth="worse", because="It was planted.")
"""


def test_in_jupyterlab_with_a_truth_that_takes_its_time(open_lab, lab: Server, screenshots) -> None:
    page = open_lab("predict.ipynb", [SETUP, "asked", "which", "asked", "print('ALL' + 'DONE')"])
    first, which, again = (page.locator(".tkp[data-seq]").nth(i) for i in range(3))
    slider = first.get_by_role("slider")
    slider.focus()
    press(slider, "Space", *["ArrowRight"] * 10)
    wait(lambda: lab.kernel("[asked.guess, calls]") == [60, []])
    wait(lambda: again.get_by_role("spinbutton").input_value() == "60")
    press(slider, "Enter")
    wait(
        lambda: again.locator(".tkp-sentence").inner_text() == "You expected 60 %, it is 34.2 %: 25.8 points too high."
    )
    assert first.locator(".tkp-sentence").is_visible()
    which.get_by_label("better", exact=True).check()
    which.get_by_role("button", name="Reveal", exact=True).click()
    wait(lambda: which.locator(".tkp-because").is_visible())
    found = "[(row['question'], row['guess'], row['truth']) for row in workbook().predictions]"
    assert lab.kernel(found) == [["How many of 100?", 60.0, 34.2], ["Will it get better?", "better", "worse"]]
    assert lab.kernel("[asked.error, which.error, len(calls)]") == ["", "", 1]
    page.screenshot(path=screenshots / "predict-lab.png")
