"""The picture and words that stay of a panel where there is no kernel."""

from __future__ import annotations

import base64
import html
import io
import subprocess
import sys
import threading
import time
from html.parser import HTMLParser

import nbformat
import numpy as np
import patience
import pytest
from nbclient import NotebookClient
from PIL import Image

from toolkit.engine.worker import Worker
from toolkit.panels.base import kept
from toolkit.panels.base import panel as base
from toolkit.panels.base.live import LivePanel
from toolkit.panels.base.panel import parts_of
from toolkit.panels.head_grid.panel import HeadGrid

VALUES = np.linspace(-1, 1, 12).reshape(3, 4)
VIEW = "application/vnd.jupyter.widget-view+json"
EVIL = '<img src=x onerror="alert(1)"> & more'


class Shell:
    """What a panel uses of IPython's shell, and all that was published."""

    def __init__(self) -> None:
        self.kernel, self.events, self.display_pub = object(), self, self
        self.published: list[tuple[dict, bool, str]] = []
        self.hooks: list = []

    def register(self, event, hook):
        assert event == "post_execute"
        self.hooks.append(hook)

    def unregister(self, event, hook):
        self.hooks.remove(hook)

    def publish(self, data, metadata, *, transient, update):
        self.published.append((data, update, transient["display_id"]))

    def display(self, *panels):
        """What IPython does with each; the bundles."""
        bundles = []
        for panel in panels:
            with pytest.raises(NotImplementedError):
                panel._ipython_display_()
            bundles.append(panel._repr_mimebundle_()[0])
        return bundles

    def end_cell(self):
        for hook in list(self.hooks):
            hook()


@pytest.fixture
def shell(monkeypatch):
    made = Shell()
    for module in (kept, base):
        monkeypatch.setattr(module, "shell_with_pages", lambda: made)
    monkeypatch.setattr(kept, "REST", 0.1)
    return made


def until(condition):
    deadline = patience.Deadline()
    while not condition():
        assert not deadline.passed()
        time.sleep(0.01)


def test_without_a_front_end_all_is_in_the_bundle():
    grid = HeadGrid(VALUES, title="A")
    with pytest.raises(NotImplementedError):  # IPython goes on to the bundle
        grid._ipython_display_()
    data, _ = grid._repr_mimebundle_()
    assert set(data) == {VIEW, "image/png", "text/plain"}
    assert data["text/plain"] == grid.summary
    grid.selected = "L1.H1"
    assert grid._kept_output is None


def test_no_live_view_waits_for_its_picture(shell, monkeypatch):
    drawn = []
    png = HeadGrid.png
    monkeypatch.setattr(HeadGrid, "png", lambda self: drawn.append(1) or png(self))
    grid, other = HeadGrid(VALUES, title="A"), HeadGrid(VALUES, title="B")
    bundles = shell.display(grid, other, grid)
    assert all(data["text/plain"] == "" and "image/png" not in data for data in bundles)
    assert [(update, "<img" in data["text/html"]) for data, update, _ in shell.published] == [(False, False)] * 3
    assert not drawn
    shell.end_cell()
    assert len(drawn) == 2
    assert not shell.hooks
    places = [name for _, _, name in shell.published]
    assert places[0] == places[2] != places[1]
    for (data, update, name), panel in zip(shell.published[3:], (grid, other), strict=True):
        assert update
        assert name == f"tk-kept-{panel._kept}"
        assert data["text/plain"] == panel.summary
        assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).width > 200
        assert data["image/png"] in data["text/html"]
    assert set(grid._repr_mimebundle_()[0]) == {VIEW, "image/png", "text/plain"}, "a host that asks for it gets it"


def test_one_picture_when_it_rests(shell):
    grid = HeadGrid(VALUES, title="A")
    shell.display(grid)
    shell.end_cell()
    time.sleep(0.4)
    assert len(shell.published) == 2, "nothing changed"
    end = time.monotonic() + 0.6
    turn = 0
    while time.monotonic() < end:  # as in a drag
        turn += 1
        grid.selected = f"L{turn % 3}.H1"
        time.sleep(0.01)
    assert len(shell.published) == 2, "it did not rest"
    until(lambda: len(shell.published) == 3)
    data, update, _ = shell.published[-1]
    assert update
    assert f"selected: L{turn % 3}.H1" in data["text/plain"]
    time.sleep(0.3)
    assert len(shell.published) == 3


def test_no_picture_of_two_states(shell, monkeypatch):
    grid = HeadGrid(VALUES, title="A")
    shell.display(grid)
    shell.end_cell()
    going, go = threading.Event(), threading.Event()
    png = HeadGrid.png

    def slow(self):
        going.set()
        assert go.wait(patience.seconds())
        return png(self)

    monkeypatch.setattr(HeadGrid, "png", slow)
    grid.selected = "L0.H0"
    assert going.wait(patience.seconds())
    grid.selected = "L2.H3"  # nothing of this waits for the picture
    go.set()
    until(lambda: len(shell.published) == 3)
    assert "selected: L2.H3" in shell.published[-1][0]["text/plain"]


def test_a_picture_that_fails_is_said_and_taken_back(shell, monkeypatch):
    grid = HeadGrid(VALUES, title="A")
    with monkeypatch.context() as patch:
        patch.setattr(HeadGrid, "png", lambda self: 1 / 0)
        shell.display(grid)
        shell.end_cell()
        assert "no picture for a notebook without a kernel: division by zero" in grid.error
        data = shell.published[-1][0]
        assert "image/png" not in data
        assert html.escape(grid.summary) in data["text/html"]
        until(lambda: grid._kept_output._timer is None)
    grid.selected = "L0.H0"
    until(lambda: "image/png" in shell.published[-1][0])
    assert grid.error == ""


def test_not_while_work_is_under_way(shell):
    class Panel(LivePanel):
        def png(self):
            out = io.BytesIO()
            Image.new("RGB", (30, 20), (200, 10, 10)).save(out, "PNG")
            return out.getvalue()

    panel = Panel()
    worker, gate = Worker(), threading.Event()
    panel._begin(worker)
    shell.display(panel)
    shell.end_cell()
    panel._submit("part", lambda request: gate.wait(10), lambda value: setattr(panel, "summary", "done"))
    panel.summary = "asked"
    time.sleep(0.4)
    assert len(shell.published) == 2
    gate.set()
    until(lambda: len(shell.published) == 3)
    assert shell.published[-1][0]["text/plain"] == "done"


def test_displayed_where_no_cell_ends(shell):
    grid = HeadGrid(VALUES, title="A")
    shell.display(grid)  # by a button, say
    until(lambda: len(shell.published) == 2)
    assert "image/png" in shell.published[-1][0]
    shell.end_cell()
    assert len(shell.published) == 2


def test_a_part_changes_what_its_host_keeps(shell):
    host = HeadGrid(VALUES, title="host")
    with parts_of(host):
        part = HeadGrid(VALUES)
    shell.display(host)
    shell.end_cell()
    until(lambda: host._kept_output._timer is None)
    part.selected = "L1.H1"
    assert host._kept_output._timer is not None
    host.parts = {"part": part}
    assert not kept.busy(host)
    part._work = ["something"]
    assert kept.busy(host)


def test_a_python_without_threads_keeps_the_picture_of_the_cell(shell, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Timer, "start", refuse)
    grid = HeadGrid(VALUES)
    shell.display(grid)
    shell.end_cell()
    grid.selected = "L1.H1"
    assert len(shell.published) == 2
    assert grid.error == ""


def test_words_are_words():
    text = kept.html("abc", b"png", EVIL)
    assert text.count("<img") == 1
    assert text.count(html.escape(EVIL)) == 2
    assert kept.html("abc").endswith('<div class="tk-kept-abc mathjax_ignore"></div>'), "an empty place takes no room"


def test_pictures_are_small_and_true():
    grid = HeadGrid(np.random.default_rng(0).normal(size=(24, 16)))
    before, found = grid.png(), kept.small(grid.png(), 40_000)
    assert len(found) < 0.5 * len(before)
    a, b = (np.asarray(Image.open(io.BytesIO(x)).convert("RGB")).astype(int) for x in (before, found))
    assert np.abs(a - b).max() <= 8
    noise = np.random.default_rng(0).integers(0, 256, (500, 700, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG")
    assert len(kept.small(out.getvalue(), 40_000)) <= 40_000


class Page(HTMLParser):
    """The pictures of a page, and the texts outside its cells' sources, scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict] = []
        self.texts: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self._inside = tag
        if tag == "img":
            self.images.append(dict(attributes))

    def handle_data(self, data):
        if self._inside in ("p", "pre"):
            self.texts.append(data)


CELLS = [
    "import numpy as np\nfrom IPython.display import display, update_display\nfrom ipywidgets import HBox, Output\n"
    "from toolkit.panels.head_grid.panel import HeadGrid\nvalues = np.linspace(-1, 1, 12).reshape(3, 4)",
    f"a = HeadGrid(values, title={EVIL!r})\nprint('one')\na",
    "b = HeadGrid(-values, title='b')\ndisplay(a, b)\nprint('two')\na.selected = 'L1.H2'",
    "handle = display(HeadGrid(values, title='c'), display_id=True)",
    "HBox([HeadGrid(values, title='d')])",
    "out = Output()\nwith out:\n    display(HeadGrid(values, title='e'))\nout",
    "1 / 0",
]


@pytest.fixture(scope="module")
def run():
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    NotebookClient(book, timeout=120, kernel_name="python3", allow_errors=True).execute()
    return book


def test_run_without_a_browser(run):
    nbformat.validate(run)
    outputs = [cell.outputs for cell in run.cells]
    _, first, second, third, box, captured, last = (
        [o.name if o.output_type == "stream" else "live" if VIEW in o.get("data", {}) else o.output_type for o in some]
        for some in outputs
    )
    assert first == ["stdout", "display_data", "live"]
    assert second == ["display_data", "live", "display_data", "live", "stdout"]
    assert third == ["display_data", "live"]
    assert box == ["live"]
    assert captured == ["live"]
    assert last == ["error"]
    a, again, b = outputs[1][1].data, outputs[2][0].data, outputs[2][2].data
    assert a == again
    assert "selected: L1.H2" in a["text/plain"], "the picture is of the end of the cell"
    assert b["text/plain"].startswith("b: ")
    for data in (a, b, outputs[3][0].data):
        assert len(base64.b64decode(data["image/png"])) < 40_000
    assert outputs[1][2].data["text/plain"] == ""
    assert len(nbformat.writes(run)) < 300_000


def test_as_a_page_it_is_there_once(run, tmp_path):
    path = tmp_path / "run.ipynb"
    for state in ("with", "without"):
        if state == "without":  # as JupyterLab saves it
            run.metadata.pop("widgets", None)
        nbformat.write(run, path)
        subprocess.run([sys.executable, "-m", "nbconvert", "--to", "html", str(path)], check=True, capture_output=True)
        page = Page(path.with_suffix(".html").read_text())
        assert [image["src"][:15] for image in page.images] == ["data:image/png;"] * 4
        assert all("onerror" not in image for image in page.images)
        for image in page.images:
            assert sum(image["alt"] in text for text in page.texts) == sum(image == x for x in page.images)
        assert sum(EVIL in text for text in page.texts) == 2
        assert not any("HeadGrid(values=" in text or "HeadGrid(b:" in text for text in page.texts), "no repr beside it"
