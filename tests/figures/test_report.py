"""`tk.report`: one file, nothing fetched, nothing run, every number also as JSON."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import attacks
import numpy as np
import pytest
from click.testing import CliRunner

import toolkit as tk
from toolkit.cli import main

BIRDS = ["waterbird", "landbird"]


class Reader(HTMLParser):
    """Tags with their attributes, the text, and the JSON."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.text, self.data, self._script = [], "", "", False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._script = tag == "script"

    def handle_endtag(self, tag):
        self._script = False if tag == "script" else self._script

    def handle_data(self, data):
        if self._script:
            self.data += data
        else:
            self.text += data + "\n"

    @property
    def facts(self):
        return json.loads(self.data)


@pytest.fixture(scope="module")
def acts():
    return tk.extract(tk.load(), tk.scenes("test", n=160, kind="birds"), progress=False)


def read(path):
    return Reader(path.read_text(encoding="utf-8"))


def test_everything_that_was_found_is_in_it(acts, tmp_path):
    birds = tk.classes(BIRDS)
    few = tk.extract(tk.load(), tk.scenes("edit", n=120, kind="birds"), progress=False)
    scores = tk.locate(few, birds, resamples=20)
    heads = scores.choose(top=4)
    spans = tk.textspan(few, "world", size=6)
    edit = tk.edit(few.draw(10), birds, heads, held_out=acts, steps=20)
    maps = {"all": tk.token_map(tk.load(), tk.scenes("test", n=1), "water", "land")}
    notes = tk.notes(tk.load(), tmp_path / "notes.json")
    notes[str(heads).split()[0]] = "seems to see water"
    path = tk.report(tmp_path / "x.html", acts, birds, heads, scores=scores, spans=spans, edit=edit, maps=maps,
                     notes=notes, title="Mine")  # fmt: skip
    page, off = read(path), tk.ablate(acts, birds, heads)
    facts = page.facts
    assert facts["heads"] == str(heads)
    assert facts["became_wrong"] == list(off.wrong)
    assert np.allclose([row["after"] for row in facts["groups"]], [g.after for g in off.groups])
    assert np.allclose(facts["scores"]["a"], scores.a)
    assert (
        facts["texts"][str(heads).split()[0]]
        == spans.texts[list(spans.layers).index(heads.heads[0][0])][heads.heads[0][1]]
    )
    assert facts["edit"]["alpha"] == 10
    assert np.allclose(facts["maps"]["all"]["values"], maps["all"].values)
    for words in ("Mine", str(heads), "seems to see water", spans.head(heads.heads[0])["text"][0],
                  "located on other images", "not evidence for any method", str(off.right[0])):  # fmt: skip
        assert words in page.text, words
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) >= 4
    assert all(a["src"].startswith("data:image/png") and a["alt"] for a in images)
    assert path.stat().st_size < 1_000_000


def test_without_anything_given_it_locates_and_says_that_the_images_are_the_same(acts, tmp_path):
    page = read(tk.report(tmp_path / "x.html", acts, tk.classes(BIRDS)))
    assert "these very images" in page.text
    assert page.facts["heads"]


def test_where_nothing_is_wrong_nothing_is_located(acts, tmp_path):
    birds = tk.classes(BIRDS)
    right = acts.take(np.flatnonzero(tk.ablate(acts, birds, ()).before.hits).tolist())
    page = read(tk.report(tmp_path / "x.html", right, birds))
    assert "nothing to locate" in page.text
    assert page.facts["heads"] == ""


def test_parts_without_images_list_the_ids(acts, tmp_path):
    rng = np.random.default_rng(0)
    labels = [BIRDS[i % 2] for i in range(40)]
    bare = tk.from_arrays(
        heads=rng.normal(size=(40, 2, 3, 8)),
        mlps=rng.normal(size=(40, 3, 8)),
        scale="raw",
        labels=labels,
        ids=[f"id {i}" for i in range(40)],
    )
    classes = tk.classes(BIRDS, vectors=rng.normal(size=(2, 8)))
    page = read(tk.report(tmp_path / "x.html", bare, classes, "L1.H2"))
    changed = page.facts["became_right"] + page.facts["became_wrong"]
    assert changed
    assert changed[0] in page.text


def test_hostile_words_stay_words(tmp_path):
    rng, hostile = np.random.default_rng(0), attacks.ATTACKS
    names = hostile[0], hostile[2]
    labels = [names[i % 2] for i in range(80)]
    acts = tk.from_arrays(
        heads=rng.normal(size=(80, 2, 3, 8)), mlps=rng.normal(size=(80, 3, 8)), scale="raw",
        labels=labels, groups=[hostile[i % len(hostile)] for i in range(80)],
        ids=[f"{hostile[i % len(hostile)]} {i}" for i in range(80)],
    )  # fmt: skip
    classes = tk.classes(list(names), vectors=rng.normal(size=(2, 8)))
    path = tk.report(tmp_path / "x.html", acts, classes, "L1.H2 L0.H0", title=hostile[1])
    page = read(path)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == 1
    assert not set(tags) & {"iframe", "svg", "a", "link", "object", "embed", "math", "form"}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert sum(tag == "meta" for tag in tags) == 3
    for words in hostile[:4]:
        assert words in page.text
    assert set(page.facts["settings"]["classes"]) == set(names)
    assert not re.search(r"<(?!/?(?:[a-z]|!doctype))", path.read_text(encoding="utf-8").split("<script")[1][9:-40])


@pytest.mark.parametrize(
    ("change", "message"),
    [({"path": "x.pdf"}, "ending in .html"), ({"heads": "L9.H9"}, "unknown head"), ({"classes": ["a"]}, "class set")],
)
def test_refused_in_words_and_nothing_is_written(acts, tmp_path, change, message):
    path = tmp_path / change.get("path", "x.html")
    with pytest.raises(tk.InputError, match=message):
        tk.report(path, acts, change.get("classes", tk.classes(BIRDS)), change.get("heads"))
    assert not list(tmp_path.iterdir())


def test_a_page_that_is_too_large_leaves_the_old_one(acts, tmp_path, monkeypatch):
    path = tk.report(tmp_path / "x.html", acts, tk.classes(BIRDS), "L3.H7")
    old = path.read_bytes()
    monkeypatch.setattr("toolkit.figures.report.MOST_BYTES", 1000)
    with pytest.raises(tk.InputError, match="fewer maps"):
        tk.report(path, acts, tk.classes(BIRDS), "L3.H5")
    assert path.read_bytes() == old


def test_scores_of_another_model_are_refused(acts, tmp_path):
    rng = np.random.default_rng(0)
    bare = tk.from_arrays(
        heads=rng.normal(size=(40, 2, 3, 8)),
        mlps=rng.normal(size=(40, 3, 8)),
        scale="raw",
        labels=[BIRDS[i % 2] for i in range(40)],
    )
    other = tk.locate(bare, tk.classes(BIRDS, vectors=rng.normal(size=(2, 8))), resamples=2)
    with pytest.raises(tk.InputError, match="locate on these parts"):
        tk.report(tmp_path / "x.html", acts, tk.classes(BIRDS), scores=other)


def test_the_command_writes_it_from_a_store(tmp_path):
    data = tk.scenes("test", n=60, kind="birds")
    acts = tk.extract(tk.load(), data, tmp_path / "parts.zarr", progress=False)
    edit = tk.edit(acts.draw(5), tk.classes(BIRDS), "L3.H7", steps=3)
    saved = edit.save(tmp_path / "edit.safetensors")
    run = CliRunner().invoke(
        main, ["report", str(tmp_path / "parts.zarr"), "--classes", "waterbird, landbird", "--heads", "L3.H7",
               "--bank", "world", "--edit", str(saved), "--out", str(tmp_path / "out.html")],
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    page = read(tmp_path / "out.html")
    assert page.facts["heads"] == "L3.H7"
    assert "Read from a file" in page.text
    run = CliRunner().invoke(main, ["report", str(tmp_path / "no.zarr"), "--classes", "a,b"])
    assert run.exit_code == 1
    assert "does not exist" in run.output
