"""What is kept of a panel: hidden beside the live view, and there when a notebook is opened without its kernel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from playwright.sync_api import Locator, Page, expect
from servers import TOKEN, Server, all_done, pixels, run_all, wait

EVIL = '<img src=x onerror="window.hacked=1">'
SETUP = f"""
import numpy as np
from IPython.display import display
from toolkit.panels.head_grid.panel import HeadGrid
values = np.linspace(-1, 1, 32).reshape(4, 8)
grid = HeadGrid(values, layers=[8, 9, 10, 11], title={EVIL!r}, limit=1.0)
twin = HeadGrid(-values, title="twin", limit=1.0)
"""
CELLS = [SETUP, "print('before')\ngrid", "display(grid, twin); print('after')", "print('ALL' + 'DONE')"]
MODEL = "() => JSON.stringify(window.jupyterapp.shell.currentWidget.context.model.toJSON())"


class Host:
    """JupyterLab or Notebook 7 with a notebook in it."""

    def __init__(self, server: Server, page: Page, kind: str) -> None:
        self.server, self.page, self.kind = server, page, kind
        self.where = {"lab": "/doc/tree/", "notebook7": "/notebooks/"}[kind]

    def open(self, name: str) -> None:
        self.page.goto(f"{self.server.url}{self.where}{name}?token={TOKEN}")
        self.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.context?.isReady")

    def open_without_kernel(self, name: str, trusted: bool) -> None:
        """The notebook names a kernel that is not installed here; the host asks, and is told none."""
        book = nbformat.read(self.server.folder / name, as_version=4)
        book.metadata = {"kernelspec": {"name": "gone", "display_name": "Gone", "language": "gone"}, "own": trusted}
        nbformat.write(book, self.server.folder / f"again-{name}")
        if trusted:  # what the server does when the owner saves
            NotebookNotary(data_dir=str(self.server.folder / "data")).sign(book)
        self.open(f"again-{name}")
        dialog = self.page.locator(".jp-Dialog")
        dialog.locator("select").select_option(label="No Kernel")
        dialog.locator(".jp-mod-accept").click()
        expect(dialog).to_have_count(0)

    def run(self, name: str, cells: list[str]) -> None:
        self.server.notebook(name, cells)
        self.open(name)
        run_all(self.page)
        all_done(self.page)

    def saved(self, name: str, *words: str) -> list[dict[str, Any]]:
        """What is kept in the file, once the notebook in the page keeps these words, one after the other."""

        def told(text: str) -> bool:
            found = kept(json.loads(text)) if text.endswith(("}", "}\n")) else []  # a file may be half written
            if len(found) != len(words):
                return False
            return all(word in data.get("text/plain", "") for word, data in zip(words, found, strict=True))

        path = self.server.folder / name
        wait(lambda: told(self.page.evaluate(MODEL)), f"{words} is not in the notebook")
        self.page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:save'); }")
        wait(lambda: told(path.read_text()))
        assert path.stat().st_size < 1_000_000
        return kept(json.loads(path.read_text()))

    def shutdown(self) -> None:
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")

    @property
    def views(self) -> Locator:
        return self.page.locator(".tk-panel:visible")

    @property
    def pictures(self) -> Locator:
        """Pictures outside a panel that can be seen."""
        return self.page.locator(".jp-OutputArea-output img:visible:not(.tk-panel img)")


@pytest.fixture(params=["lab", "notebook7"])
def host(request: pytest.FixtureRequest, page: Page) -> Iterator[Host]:
    server: Server = request.getfixturevalue(request.param)
    yield Host(server, page, request.param)
    page.evaluate("() => { window.jupyterapp?.shell?.currentWidget?.context?.sessionContext?.shutdown(); }")


def shows_once(host: Host, cell: int, most: float) -> None:
    """The outputs of a cell: a live view and nothing else that takes room."""
    area = host.page.locator(".jp-OutputArea:visible").nth(cell)
    box, panel = area.bounding_box(), area.locator(".tk-panel").last.bounding_box()
    assert box is not None
    assert panel is not None
    assert box["height"] - panel["height"] < most, "there is a gap"


def kept(book: Any) -> list[dict[str, str]]:
    """The kept outputs of a notebook, by mime type; without those whose picture is still to come."""
    outputs = [{k: "".join(v) for k, v in o.get("data", {}).items() if isinstance(v, str | list)}
               for cell in book["cells"] for o in cell.get("outputs", [])]  # fmt: skip
    return [data for data in outputs if "tk-kept-" in data.get("text/html", "") and "image/png" in data]


def test_live_then_saved_then_opened_without_a_kernel(host: Host, screenshots: Path) -> None:
    page, name = host.page, f"kept-{host.kind}.ipynb"
    host.run(name, CELLS)
    expect(host.views).to_have_count(3)
    nothing = "nothing selected"
    before = host.saved(name, nothing, nothing, nothing)
    expect(host.pictures).to_have_count(0)
    shows_once(host, 0, 40)
    page.screenshot(path=screenshots / f"kept-{host.kind}-live.png")

    # what is clicked is in the saved file once the panel rests, in every output of it
    page.locator('[role=gridcell][aria-label^="layer 10, head 3,"]').first.click()
    after = host.saved(name, "selected: L10.H3", "selected: L10.H3", nothing)
    assert [a["image/png"] != b["image/png"] for a, b in zip(before, after, strict=True)] == [True, True, False]
    assert max(len(data["image/png"]) for data in after) < 55_000
    expect(host.pictures).to_have_count(0)

    # the page anew, the kernel still there
    host.open(name)
    expect(host.views).to_have_count(3)
    expect(host.pictures).to_have_count(0)
    page.screenshot(path=screenshots / f"kept-{host.kind}-reloaded.png")
    host.shutdown()

    # no kernel: first the file as its owner saved it, then as one from somebody else
    for trusted in (True, False):
        host.open_without_kernel(name, trusted)
        expect(host.pictures).to_have_count(3)
        expect(host.views).to_have_count(0)
        assert all(pixels(picture).std() > 20 for picture in host.pictures.all())
        assert "selected: L10.H3" in (host.pictures.first.get_attribute("alt") or "")
        words = page.locator(".jp-OutputArea-output:visible").all_inner_texts()
        assert sum("selected: L10.H3" in text and EVIL in text for text in words) == 2
        missing = page.get_by_text(re.compile("Error displaying widget|Loading widget"))
        expect(missing.locator("visible=true")).to_have_count(0)
        assert page.evaluate("() => window.hacked") is None
        page.screenshot(path=screenshots / f"kept-{host.kind}-{'own' if trusted else 'untrusted'}.png")


PANELS = """
import toolkit as tk
acts = tk.extract(tk.load(), tk.scenes("test", n=400, kind="birds"), progress=False)
birds = tk.classes(["waterbird", "landbird"])
few = tk.extract(tk.load(), tk.scenes("edit", n=60, kind="birds"), progress=False).draw(per_class=10)
grid = tk.HeadGrid(tk.locate(acts, birds).a, title="A")
gallery = tk.Gallery(tk.scenes("test", n=60), per_page=40)
maps = tk.TokenMap(tk.load(), tk.scenes("test", n=6, kind="birds"), text="a bird")
spans = tk.SpanExplorer(acts)
lab = tk.AblationLab(acts, birds)
edit = tk.EditLab(few, birds, "L3.H7 L3.H5", held_out=acts)
two = tk.TwoModels(few, birds, tk.edit(few, birds, "L3.H7", steps=20))
from toolkit.panels.predict.panel import Predict
asked = Predict("How many of 100 does it get right?", 34.2, low=0, high=100, unit="%", guess=60)
explorer = tk.Explorer(tk.load(), acts)
"""
CHANGES = """[setattr(grid, 'selected', 'L3.H7'), setattr(gallery, 'selected', gallery.ids[50]),
    setattr(maps, 'text', 'water'), setattr(spans, 'head', (3, 2)), setattr(lab, 'heads', 'L3.H7'),
    setattr(edit, 'alpha', 30), setattr(two, 'other', tk.edit(few, birds, 'L3.H7', alpha=1000)),
    asked.reveal(), setattr(explorer, 'pair', ('landbird', 'waterbird')), 0][-1]"""


def test_every_panel_keeps_what_it_shows(lab: Server, page: Page, screenshots: Path) -> None:
    host = Host(lab, page, "lab")
    names = ("grid", "gallery", "maps", "spans", "lab", "edit", "two", "asked", "explorer")
    host.run("panels.ipynb", [PANELS, *names, "print('ALL' + 'DONE')"])
    before = host.saved("panels.ipynb", *[""] * len(names))
    lab.kernel(CHANGES)
    words = (
        "selected: L3.H7",
        "000050",
        "“water”",
        "L3.H2",
        "L3.H7 off",
        "α = 30",
        "α = 1000",
        "25.8 points",
        "taken for waterbird",
    )
    after = host.saved("panels.ipynb", *words)
    for name, old, new in zip(names, before, after, strict=True):
        assert old["image/png"] != new["image/png"], name
        assert len(new["image/png"]) < 55_000, name  # in base64
    host.shutdown()
    host.open_without_kernel("panels.ipynb", trusted=True)
    for number in range(len(names)):
        output = page.locator("[class^=tk-kept-]").nth(number)
        output.scroll_into_view_if_needed()
        expect(output.locator("img")).to_be_visible()
        page.screenshot(path=screenshots / f"kept-{names[number]}.png")


def test_voila_shows_the_live_view_alone(voila: Server, page: Page, screenshots: Path) -> None:
    voila.notebook("kept.ipynb", CELLS[:2])
    page.goto(f"{voila.url}/voila/render/kept.ipynb")
    panel = page.locator(".tk-panel")
    expect(panel).to_be_visible()
    picture = page.locator("[class^=tk-kept-] img")
    expect(picture).to_have_count(1)
    expect(picture).to_be_hidden()
    page.locator('[role=gridcell][aria-label^="layer 10, head 3,"]').click()
    wait(lambda: "L10.H3" in voila.kernel("grid._kept_output._sent['text/plain']"))
    expect(picture).to_be_hidden()
    page.screenshot(path=screenshots / "kept-voila.png")


BOXES = """
from ipywidgets import HBox, Output
out, other = Output(), Output()
display(HBox([HeadGrid(values)]), out, other)
with out:
    display(HeadGrid(values))
other.append_display_data(HeadGrid(values))
"""


def test_boxes_hold_live_views_alone(lab: Server, page: Page, screenshots: Path) -> None:
    host = Host(lab, page, "lab")
    host.run("boxes.ipynb", [SETUP, BOXES, "print('ALL' + 'DONE')"])
    expect(host.views).to_have_count(3)
    page.wait_for_timeout(3_000)  # a picture would come when the panels rest
    expect(host.pictures).to_have_count(0)
    page.screenshot(path=screenshots / "kept-boxes.png")
