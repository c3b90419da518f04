"""Every panel says why: what it asks, its formula and shapes, what it does not show; in the glossary's words."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import open_clip
import pytest

import toolkit as tk
from toolkit.explanations.why import WHYS
from toolkit.panels.base import kept
from toolkit.panels.base.live import LivePanel
from toolkit.panels.base.panel import Panel

PANELS = (
    *("HeadGrid", "Gallery", "Keywords", "SpanExplorer", "TokenMap", "AblationLab", "EditLab", "CompareLab"),
    *("TwoModels", "Explorer"),
)
EVIL = '<img src=x onerror="alert(1)"> & more'


@pytest.fixture(scope="module")
def other():
    """A model of another shape: 3 layers, 2 heads of 16, d = 24, 4 × 4 patches."""
    vision = {"image_size": 32, "layers": 3, "width": 32, "head_width": 16, "patch_size": 8}
    text = {"context_length": 8, "vocab_size": 300, "width": 16, "heads": 2, "layers": 1}
    return tk.wrap(open_clip.CLIP(24, vision, text).eval(), name="another")


@pytest.mark.parametrize("name", PANELS)
def test_every_panel_has_one_whose_terms_exist(name):
    found = WHYS[name]
    assert issubclass(getattr(tk, name), Panel)
    assert found.panel == name
    assert 2 <= len(found.caveats) <= 4
    assert found.asks.endswith("?")
    assert 1 <= len(found.formula.splitlines()) <= 2
    assert found.reference
    assert tk.why(name).meanings() == [[term, tk.glossary(term).says] for term in found.terms]
    assert len(set(found.terms)) == len(found.terms) > 0


@pytest.mark.parametrize("name", WHYS)
def test_it_is_plain_text(name):
    found = tk.why(name)
    for text in (*(text for _, text in found.rows()), *(says for _, says in found.meanings())):
        assert not re.search(r"<[a-z/!]|&[a-z#]+;", text, re.IGNORECASE), text
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.asks = "another"


@pytest.mark.parametrize("name", PANELS)
def test_shapes_are_those_of_the_model_asked_about(name, other):
    letters, own, theirs = (tk.why(name, card).shapes for card in (None, tk.load().card, other.card))
    assert "{" not in letters + own + theirs
    assert len({letters, own, theirs}) == 3
    card = other.card
    known = {card.layers, card.heads, card.head_dim, card.embed_dim, *card.grid}
    assert {int(n) for n in re.findall(r"\d+", theirs)} <= known
    if "heads [" in theirs:
        shape = tuple(tk.decompose(other, other_pictures(2)).heads.shape[1:])
        assert f"heads [image, {shape[0]} layers, {shape[1]} heads, {shape[2]}]" in theirs


def other_pictures(n):
    return [s.image.resize((32, 32)) for s in tk.scenes("test", n=n)]


def test_a_panel_tells_of_its_own_model(other):
    panel = tk.TokenMap(other, other_pictures(2), engine=tk.Engine())
    assert panel.why == tk.why("TokenMap", other.card)
    assert panel.why.shapes == "map [4 × 4] summed over [3 layers, 2 heads], T [24]"
    assert panel.get_state()["_reading"] == panel.why.told()


@pytest.fixture(scope="module")
def acts():
    return tk.extract(tk.load(), tk.scenes("edit", n=60, seed=5, kind="birds"), progress=False)


@pytest.mark.parametrize("name", PANELS)
def test_why_of_live_panels(name, acts):
    birds, model, engine = tk.classes(["waterbird", "landbird"]), tk.load(), tk.Engine()
    make = {
        "HeadGrid": lambda: tk.HeadGrid(np.eye(4)),
        "Gallery": lambda: tk.Gallery(tk.scenes("test", n=3)),
        "Keywords": lambda: tk.Keywords(acts, birds, engine=engine),
        "SpanExplorer": lambda: tk.SpanExplorer(acts, engine=engine),
        "TokenMap": lambda: tk.TokenMap(model, tk.scenes("test", n=1), engine=engine),
        "AblationLab": lambda: tk.AblationLab(acts, birds, engine=engine),
        "EditLab": lambda: tk.EditLab(acts, birds, "L3.H7", engine=engine, steps=2),
        "CompareLab": lambda: tk.CompareLab(acts.draw(5), birds, ["Probe"], held_out=acts, engine=engine),
        "TwoModels": lambda: tk.TwoModels(acts, birds, engine=engine),
        "Explorer": lambda: tk.Explorer(model, tk.scenes("val", n=60, kind="birds"), engine=engine),
    }
    panel = make[name]()
    card = None if name in ("HeadGrid", "Gallery") else model.card
    assert panel.why == tk.why(name, card)
    if name == "Explorer":
        for part, kind in (("gallery", "Gallery"), ("grid", "HeadGrid"), ("maps", "TokenMap")):
            assert panel.part(part).why == tk.why(kind, model.card)
            assert panel.get_state()[f"{part}___reading"] == tk.why(kind, model.card).told()


def test_it_is_not_sent_again(monkeypatch):
    grid = tk.HeadGrid(np.eye(3))
    sent = []
    monkeypatch.setattr(grid, "_send", lambda message, buffers=None: sent.append(message))
    grid.selected, grid.values, grid.title = "L1.H1", np.eye(4), "another"
    assert sent
    assert not any("_reading" in message.get("state", {}) for message in sent)


def test_a_panel_without_one_says_nothing():
    assert LivePanel().why is None
    assert LivePanel().get_state()["_reading"] == {}
    assert kept.kept_bundle("a", b"", "words")["text/html"].count("<details>") == 0


def test_a_panel_that_goes_on_from_another_has_its_why():
    class Mine(tk.HeadGrid):
        pass

    assert Mine(np.eye(2)).why == tk.why("HeadGrid")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(tk.InputError, match="did you mean 'EditLab'"):
        tk.why("EditLap")


def test_as_text_and_markdown():
    found = tk.why("EditLab", tk.load().card)
    for _, text in found.rows():
        assert text in repr(found)
        assert all(line in found._repr_markdown_() for line in text.splitlines())
    assert tk.glossary("β").says in found._repr_markdown_()


def test_what_is_kept_folds_it_away_escaped():
    grid = tk.HeadGrid(np.eye(3))
    page = kept.kept_bundle(grid._kept, b"", grid.summary, grid.why.html())
    assert page["text/plain"] == grid.summary
    html = page["text/html"]
    assert html.index(grid.summary) < html.index("<details>") < html.index(kept.NOTE)
    for name, says in grid.why.meanings():
        assert f"<b>{name}</b>" in html
        assert says.replace("'", "&#x27;") in html
    bad = dataclasses.replace(grid.why, asks=EVIL, caveats=(EVIL, EVIL))
    assert "<img" not in bad.html()
    assert bad.html().count("&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; more") == 3


def test_a_report_tells_how_to_read_what_is_in_it(acts, tmp_path):
    birds = tk.classes(["waterbird", "landbird"])
    html = tk.report(tmp_path / "a.html", acts, birds, "L3.H7").read_text(encoding="utf-8")
    fuller = tk.report(tmp_path / "b.html", acts, birds, "L3.H7", spans=tk.textspan(acts, "world", size=2)).read_text(
        encoding="utf-8"
    )
    found = tk.why("AblationLab", tk.load().card)
    for page in (html, fuller):
        assert page.count("How to read this") == 1
        assert f"<summary>{found.asks}</summary>" in page
        assert all(says.replace("'", "&#x27;") in page for _, says in found.meanings())
    asks = tk.why("SpanExplorer").asks
    assert asks not in html
    assert asks in fuller
