"""Signs of long work in a real JupyterLab: what it does, how far it is, its end and the way on."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect
from servers import Server, dark, run_all, wait

SETUP = """
import os, time, tempfile
os.environ["TOOLKIT_CACHE"] = tempfile.mkdtemp()
import toolkit as tk
acts = tk.extract(tk.load(), tk.scenes("val", n=60), progress=False)
colours = ["red", "blue", "green", "white", "black", "yellow"]
things = ["cat", "fish", "boat", "house", "car", "cup", "star", "bird", "clock", "plane", "crab", "snake", "cactus"]
texts = [f"a {colour} {thing}" for colour in colours for thing in things]
encode = acts.model.encode_text
each = 0.15
def slow(given, *more, **options):
    time.sleep(each * len(given))
    return encode(given, *more, **options)
acts.model.encode_text = slow
panel = tk.SpanExplorer(acts, texts, head="L3.H7")
"""


def test_a_bank_that_takes_long(lab: Server, page: Page, screenshots: Path) -> None:
    lab.notebook("signs.ipynb", [SETUP, "panel"])
    page.goto(f"{lab.url}/doc/tree/signs.ipynb?token=browser-tests")
    run_all(page)
    root = page.locator(".tkse")
    sign = root.locator('.tk-sign[data-part="bank"]')
    expect(sign).to_contain_text("encode the bank")
    wait(lambda: "of 78 texts" in sign.inner_text() and "left" in sign.inner_text())
    expect(root.locator(".tkse-row").first).to_be_visible()  # texts are chosen from what is there
    expect(root.get_by_text("so far of 78 texts")).to_be_visible()
    bar = sign.get_by_role("progressbar")
    first = int(bar.get_attribute("aria-valuenow") or 0)
    wait(lambda: int(bar.get_attribute("aria-valuenow") or 0) > first)
    root.screenshot(path=screenshots / "sign-bank.png")

    # stopped: it says so and stays; another head works meanwhile
    sign.get_by_role("button").click()
    expect(sign).to_contain_text("stopped at")
    expect(sign.get_by_role("button")).to_have_text("go on")
    wait(lambda: lab.kernel("panel._work == []"))
    done = lab.kernel("panel._session.bank.encoded")
    assert 0 < done < 78
    root.locator(".tkm-cell").first.click()
    expect(root.locator(".tkse-name")).to_have_text("L0.H0")
    with dark(page, root):
        root.screenshot(path=screenshots / "sign-stopped-dark.png")

    # a second display and a reload show the same, and any of them takes it up again
    lab.kernel("globals().__setitem__('each', 0.001)")
    sign.get_by_role("button").focus()
    page.keyboard.press("Enter")
    wait(lambda: lab.kernel("panel._session.bank.whole and panel.spans is not None"))
    expect(sign).to_have_count(0)
    expect(root.get_by_text("78 texts", exact=False).last).to_be_visible()
    assert lab.kernel("panel._signs") == {}


WARNS = """
import toolkit as tk
explorer = tk.Explorer(tk.load(), tk.scenes("val", n=60, kind="birds"), ["landbird", "waterbird"])
"""


def test_the_first_line_of_an_explorer_opens_the_checks(lab: Server, page: Page, screenshots: Path) -> None:
    lab.notebook("warns.ipynb", [WARNS, "explorer"])
    page.goto(f"{lab.url}/doc/tree/warns.ipynb?token=browser-tests")
    run_all(page)
    root = page.locator(".tkex")
    warned = root.locator(".tkex-warned")
    expect(warned).to_be_visible()
    wait(lambda: lab.kernel("'doctor' in explorer.parts and not explorer.doctor._work"))
    assert warned.inner_text() == lab.kernel("explorer._warned") != ""
    warned.click()
    lines = root.locator(".tkdo-line")
    expect(lines).to_have_count(lab.kernel("len(explorer.doctor.checkup)"))
    first = lines.first
    assert first.get_attribute("data-verdict") in ("wrong", "warning")
    expect(first.get_by_text("What to do")).to_be_visible()
    ok = root.locator('.tkdo-line[data-verdict="ok"]').first
    expect(ok.get_by_text("Why")).to_be_hidden()
    ok.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(ok.get_by_text("Why")).to_be_visible()
    root.screenshot(path=screenshots / "doctor.png")
    root.get_by_role("button", name="Make all checks anew").click()
    wait(lambda: lab.kernel("not explorer.doctor._work"))
    expect(lines).to_have_count(lab.kernel("len(explorer.doctor.checkup)"))
