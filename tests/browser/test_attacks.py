"""Hostile words as names, labels, captions, texts and notes: every panel shows them, and none of them does anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from attacks import ATTACKS
from jupyter_client.session import json_packer
from narrow import NarrowHost
from PIL import Image
from playwright.sync_api import Locator, Page
from servers import TOKEN, Server, dialogs_of, wait

import toolkit as tk
from toolkit.data.banks import bank_of
from toolkit.data.samples import Samples
from toolkit.explanations.workbook import Workbook
from toolkit.panels.base.panel import Panel
from toolkit.panels.predict.panel import Predict

ODD = (
    "long " * 300, "\u202eright to left\u202c \u05d0\u05d1", "zero\u200bwidth\u200d\ufeff", "\U0001f426 \u0301 bird",
    "costs $5, not $_{6$", "tab\tline\nreturn\rbell\a escape\x1b[31m nul\0 end",
)  # fmt: skip
WORDS = (*ATTACKS, *ODD)
PLAIN = tk.bank("world").texts[: len(WORDS)]
HERE = Path(__file__).parent
HALVES = ("\ud800 half a pair", "no text \udcff.png")
"""No text at all, but what Python makes of a file name that is not UTF-8, and of half an emoji."""


class Named(Samples):
    """Scenes under other names."""

    def __init__(self, inner: Samples, ids: Sequence[str], labels: Sequence[str], groups: Sequence[str]) -> None:
        super().__init__(ids, labels, groups, "test")
        self.inner = inner

    def pixels(self, rows: Sequence[int]) -> Any:
        return self.inner.pixels(rows)

    def take(self, rows: Sequence[int]) -> Named:
        at = list(rows)
        return Named(self.inner.take(at), self.ids[at], self.labels[at], self.groups[at])


@cache
def named(words: tuple[str, ...]) -> dict[str, Any]:
    """Images, parts, classes and a bank that carry these words."""
    n, of = 3 * len(words), len(words)
    ids, labels = [f"{words[i % of]} {i}" for i in range(n)], [words[i % 12] for i in range(n)]
    images = Named(tk.scenes("test", n, 5), ids, labels, [words[i % of] for i in range(n)])
    acts = tk.extract(tk.load(), images, progress=False)
    vectors = torch.randn(of, acts.card.embed_dim, generator=torch.Generator().manual_seed(0))
    classes = tk.classes(list(words[:12]), vectors=vectors[:12])
    bank = bank_of(words, words, words[0], vectors / vectors.norm(dim=1, keepdim=True))
    return {"images": images, "acts": acts, "classes": classes, "bank": bank}


def head_grid(words: tuple[str, ...]) -> Panel:
    values = np.linspace(-1, 1, 32).reshape(4, 8)
    maps = {word: values * (-1) ** i for i, word in enumerate(words)}
    return tk.HeadGrid(maps, title=words[0], unit=words[1], description=words[2], selected="L2.H2")


def gallery(words: tuple[str, ...]) -> Panel:
    images = [Image.new("RGB", (64, 64), (9 * i, 30, 200)) for i in range(len(words))]
    ids = [f"{word} {i}" for i, word in enumerate(words)]
    return tk.Gallery(images, ids=ids, captions=words, title=words[0], description=words[4], selected=ids[1])


def span_explorer(words: tuple[str, ...]) -> Panel:
    panel = tk.SpanExplorer(named(words)["acts"], named(words)["bank"], title=words[0], head="L3.H7", size=len(words))
    panel.note, panel.text, panel.query = words[1], words[5], words[3]
    return panel


def token_map(words: tuple[str, ...]) -> Panel:
    names = {"text": words[0], "against": words[2], "title": words[4], "description": words[3]}
    return tk.TokenMap(tk.load(), named(words)["images"][: len(words)], **names, patch=(1, 1))


def ablation_lab(words: tuple[str, ...]) -> Panel:
    pair = (words[1], words[2])
    heads = {"heads": "L3.H7", "title": words[0], "description": words[2]}
    return tk.AblationLab(named(words)["acts"], named(words)["classes"], pair=pair, **heads)


def edit_lab(words: tuple[str, ...]) -> Panel:
    words = words[::-1]  # the other half of them as classes
    few = tk.extract(tk.load(), named(words)["images"][:36], progress=False)
    title = {"title": words[0], "description": words[2]}
    panel = tk.EditLab(few, named(words)["classes"], "L3.H7", held_out=named(words)["acts"], **title)
    panel.engine.wait(30)
    panel.keep(words[4])
    return panel


def two_models(words: tuple[str, ...]) -> Panel:
    acts, classes = named(words)["acts"], named(words)["classes"]
    edit = tk.edit(acts, classes, "L3.H7", steps=5).named(words[3])
    given = {"image": str(acts.ids[3]), "text": words[0], "against": words[2], "title": words[4]}
    return tk.TwoModels(acts, classes, edit, description=words[2], **given)


def predict(words: tuple[str, ...]) -> Panel:
    options = [*words[:6], *words[-6:]]
    given = {"unit": words[1], "description": words[2], "because": words[3]}
    truth = {option: float(i) for i, option in enumerate(options)}
    panel = Predict(words[0], truth, options=options, guess=words[4], workbook=Workbook(), **given)
    panel.reveal()
    return panel


def explorer(words: tuple[str, ...]) -> Panel:
    acts, told = named(words)["acts"], {"title": words[0], "description": words[2], "query": words[4]}
    # by place, whatever their ids are: elements are compared with those of plain words
    few, held = (acts.take(list(range(i, len(acts), 3))) for i in range(2))
    panel = tk.Explorer(tk.load(), acts, named(words)["classes"], edit_on=few, held_out=held, **told)
    panel.grid, panel.engine.wait(30)
    right = panel.session.images.truth == panel.session.images.guess
    image = panel.session.images.acts.ids[int(right.nonzero()[0])]  # a mistake would be a pair of its own
    panel.selection.image, panel.selection.text = str(image), words[5]
    return panel


PANELS: dict[str, Callable[[tuple[str, ...]], Panel]] = {
    "HeadGrid": head_grid,
    "Gallery": gallery,
    "SpanExplorer": span_explorer,
    "TokenMap": token_map,
    "AblationLab": ablation_lab,
    "EditLab": edit_lab,
    "TwoModels": two_models,
    "Predict": predict,
    "Explorer": explorer,
}


def in_lab(panel: Any, words: Sequence[str]) -> list[str]:
    tiles = [part for flip in panel._flips["right"] + panel._flips["wrong"] for part in flip.values()]
    return [*words[:12], words[2], *tiles, *(row["name"] for row in panel._groups)]


SHOWN: dict[str, Callable[[Any, tuple[str, ...]], list[str]]] = {
    "HeadGrid": lambda panel, words: list(words),
    "Gallery": lambda panel, words: [*words, *panel.ids, words[4]],
    "SpanExplorer": lambda panel, words: [
        words[1],
        words[3],
        *(row["text"] for row in panel._rows),
        *panel._labels[:8],
    ],
    "TokenMap": lambda panel, words: [words[0], words[2], words[3], *panel.ids],
    "AblationLab": lambda panel, words: in_lab(panel, words),
    "EditLab": lambda panel, words: in_lab(panel, words[::-1]),
    "TwoModels": lambda panel, words: [words[0], words[2], words[3], words[4], *panel._names.values()],
    "Predict": lambda panel, words: [*words[:4], *panel.options],
    "Explorer": lambda panel, words: [
        *words[:12],
        *(image["caption"] for image in panel.gallery._shown),
        *(image["id"] for image in panel.gallery._shown),
        panel.selection.text,
        panel.selection.image,
    ],
}
"""What must stand in the panel, character by character."""

SAID = """root => [root.textContent, ...[...root.querySelectorAll("*")].flatMap((node) =>
  [node.value, node.title, node.getAttribute("aria-label")].filter((text) => typeof text === "string"))].join("\\n")"""
TAGS = """root => { const tags = {};
  const nodes = [...root.querySelectorAll("*")].filter((node) => !node.matches(".tkm-thumb, .tkm-caption"));
  for (const node of nodes) tags[node.localName] = (tags[node.localName] || 0) + 1;
  return tags; }"""


@pytest.fixture
def host(page: Page) -> Iterator[NarrowHost]:
    host = NarrowHost(page, strict=False)  # nothing but the panels' own care keeps a script from running
    yield host
    host.close()


def harm(page: Page) -> list[str]:
    """What hostile words have done to a page: scripts run, handlers set; dialogs and loads are watched elsewhere."""
    found = page.evaluate(
        """() => {
          const handlers = [...document.querySelectorAll("*")].flatMap((node) => [...node.attributes])
            .filter(({ name, value }) => name.startsWith("on") && value.includes("hit"));
          return [...(window.hit === undefined ? [] : ["a script ran"]), ...handlers.map(({ name }) => name)];
        }"""
    )
    return [*found, *(["another page"] if page.url.count("evil") else [])]


def settled(host: NarrowHost, name: str, words: tuple[str, ...]) -> tuple[Panel, Locator]:
    """A panel shown, walked over with the mouse and by Tab."""
    panel = PANELS[name](words)
    root = host.show(panel)
    host.still(root)
    for place in root.locator("canvas, svg, [role=gridcell], [role=option], th, button").all()[:40:5]:
        if place.is_visible():
            place.hover()
    host.page.mouse.move(2, 2)
    for _ in range(8):
        host.page.keyboard.press("Tab")
    host.still(root)
    return panel, root


@pytest.mark.parametrize("name", PANELS)
def test_hostile_words_are_shown_and_do_nothing(host: NarrowHost, name: str, screenshots) -> None:
    dialogs = dialogs_of(host.page)
    _, plain = settled(host, name, PLAIN)
    panel, root = settled(host, name, WORDS)
    assert harm(host.page) == []
    assert dialogs == []
    assert root.evaluate(TAGS) == plain.evaluate(TAGS), "elements were made of words"
    said = root.evaluate(SAID)
    assert [text for text in SHOWN[name](panel, WORDS) if text not in said] == []
    assert host.page.evaluate("document.documentElement.scrollWidth") <= 1100, "long words widen the page"
    root.screenshot(path=screenshots / f"attacked-{name}.png")


@pytest.mark.parametrize("name", PANELS)
def test_words_outside_the_live_view(name: str) -> None:
    """What a notebook keeps is a picture and plain text; the repr is one line of it."""
    panel = PANELS[name](WORDS)
    data, _ = panel._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"}
    assert panel.error == ""
    assert repr(panel).startswith(f"{name}(")


def halves(name: str) -> Panel:
    """A panel that was given half characters wherever it can be: parts and stores take text alone."""
    one, other = HALVES
    if name == "HeadGrid":
        return tk.HeadGrid({one: np.eye(4), other: -np.eye(4)}, title=one, unit=other)
    if name == "Gallery":
        images = [Image.new("RGB", (64, 64), color) for color in ("red", "blue")]
        return tk.Gallery(images, ids=HALVES, captions=HALVES, title=one)
    if name == "TokenMap":
        panel = tk.TokenMap(tk.load(), text=f"bird {one}", title=other)
        panel.add(Image.new("RGB", (64, 64), "red"), other)
        return panel
    panel = PANELS[name](PLAIN)
    panel.title = one
    if name == "SpanExplorer":
        panel.query = f"water {one}"
    if name == "EditLab":
        panel.keep(other)
    return panel


@pytest.mark.parametrize("name", PANELS)
def test_half_characters_lose_nothing_but_themselves(page: Page, name: str) -> None:
    host, panel = NarrowHost(page), halves(name)
    root = host.show(panel)
    host.still(root)
    assert any(word.encode("utf-8", "backslashreplace").decode() in root.evaluate(SAID) for word in HALVES)
    data, _ = panel._repr_mimebundle_()
    assert json_packer(data)
    if name == "Gallery":  # it is chosen and let go as any other
        root.get_by_role("option").first.click()
        host.pump_until(lambda: panel.selected == panel.ids[0])
    host.close()


SETUP = f"""
import os, sys, tempfile
os.environ["TOOLKIT_NOTES"] = tempfile.mkdtemp()
sys.path[:0] = {[str(HERE), str(HERE.parent)]!r}
from test_attacks import PANELS, WORDS
"""
MADE = "script, iframe, math, link, meta, a[href*=evil], img:not([src^='data:image'], [src^='blob:'])"


def unharmed(page: Page, dialogs: list[str]) -> None:
    """Nothing was made of words in any output, and nothing ran."""
    assert harm(page) == []
    assert dialogs == []
    assert page.locator(".jp-OutputArea").locator(MADE).count() == 0


def test_a_notebook_of_hostile_words_live_saved_and_reopened(open_lab, lab: Server, page: Page, screenshots) -> None:
    dialogs = dialogs_of(page)
    cells = [SETUP, *(f"panel = PANELS[{name!r}](WORDS); panel" for name in PANELS), "print('ALL' + 'DONE')"]
    page = open_lab("attacked.ipynb", cells)
    wait(lambda: page.locator(".tk-panel[data-seq]:not(.tk-panel .tk-panel)").count() == len(PANELS))
    unharmed(page, dialogs)
    assert ATTACKS[0] in page.locator(".tk-title").first.inner_text()

    path = lab.folder / "attacked.ipynb"
    kept = lambda: [data for data in outputs(path) if "image/png" in data]  # noqa: E731
    save = "() => { window.jupyterapp.commands.execute('docmanager:save'); }"
    wait(lambda: (page.evaluate(save), page.wait_for_timeout(500), len(kept()) == len(PANELS))[-1])
    assert {kind for data in outputs(path) for kind in data} <= KINDS
    unsaved = "context.sessionContext.shutdown(); context.model.dirty = true;"  # as a picture that comes late makes it
    page.evaluate(f"() => {{ const context = window.jupyterapp.shell.currentWidget.context; {unsaved} }}")
    book = nbformat.read(path, as_version=4)
    book.metadata["handed"] = "on"
    nbformat.write(book, lab.folder / "attacked-handed-on.ipynb")
    for name in (path.name, "attacked-handed-on.ipynb"):  # the owner's, which Jupyter trusts, and a stranger's
        page.goto(f"{lab.url}/doc/tree/{name}?token={TOKEN}")
        page.locator(".jp-OutputArea-output img").first.wait_for(state="attached")
        page.wait_for_timeout(1000)
        unharmed(page, dialogs)
        page.screenshot(path=screenshots / f"{name.removesuffix('.ipynb')}.png")


KINDS = {"text/plain", "text/html", "image/png", "application/vnd.jupyter.widget-view+json"}


def outputs(path: Path) -> list[dict[str, Any]]:
    """The displayed outputs a notebook file holds."""
    cells = nbformat.read(path, as_version=4).cells
    return [out["data"] for cell in cells for out in cell.get("outputs", []) if "data" in out]


def test_the_check_finds_a_panel_that_takes_words_for_html(page: Page) -> None:
    host = NarrowHost(page, strict=False)
    careless = gallery(("<img src=x onerror=hit=1>", '<b onclick="hit=2">a</b>', *PLAIN[:3]))
    careless._esm = careless._esm.replace(".textContent=", ".innerHTML=")
    root = host.show(careless)
    host.pump_until(lambda: page.evaluate("window.hit"))
    assert set(harm(page)) == {"a script ran", "onclick", "onerror"}
    assert "img" in root.evaluate(TAGS)
