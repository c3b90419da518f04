"""What every reader keeps to, whichever there are: the walk is over those that are registered."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest
from data import trees

import toolkit as tk
from toolkit.data.readers import DataReader, reader, readers

READERS = list(readers().values())
DOCUMENTED = [one for one in READERS if one.documented]
every = pytest.mark.parametrize("one", READERS, ids=lambda one: one.name)


def tree_of(one: DataReader, top: Path) -> Path:
    """A miniature of the data in a folder: the function of the reader's name in trees.py, or `tree` in its own test."""
    make = getattr(trees, one.name, None) or import_module(f"data.test_{one.name}").tree
    return make(top)


def asked(one: DataReader) -> dict[str, str]:
    """What its miniature needs beside the folder."""
    return {"table": {"split": "test"}}.get(one.name, {})


def test_the_walk_finds_the_readers_of_the_toolkit():
    known = {
        "waterbirds",
        "celeba",
        "imagenet",
        "imagenet_r",
        "imagenet_a",
        "counteranimal",
        "urbancars",
        "table",
        "image_folder",
    }
    assert known <= readers().keys()
    assert {one.name for one in DOCUMENTED} >= known - {"table", "image_folder"}


@every
def test_it_is_public_and_says_what_it_does(one):
    assert getattr(tk, one.name) is one.read
    assert ">>>" in inspect.getdoc(one.read)
    assert one.layout.strip()
    first, *others = inspect.signature(one.read).parameters.values()
    assert first.name in ("folder", "file")
    assert first.default is inspect.Parameter.empty
    assert all(other.default is not inspect.Parameter.empty for other in others)
    assert not one.splits or "split" in inspect.signature(one.read).parameters


@every
def test_a_miniature_is_read(one, tmp_path):
    data = one.read(tree_of(one, tmp_path), **asked(one))
    assert isinstance(data, tk.FileSamples)
    assert len(data) > 0
    assert data.source == one.name
    assert not one.splits or data.split in one.splits
    assert set(data.labels) <= set(data.class_names)
    assert list(data.attributes.index) == list(data.ids)
    assert all(note.endswith(".") for note in data.notes)
    assert data[0].image.mode == "RGB"
    part = data.take([len(data) - 1, 0])
    assert [sample.id for sample in part] == [data.ids[-1], data.ids[0]]


@every
def test_every_split_is_its_own(one, tmp_path):
    at = tree_of(one, tmp_path)
    if not one.splits:
        assert len(one.documented) <= 1, "counts by split, and no splits"
        return
    found = {split: one.read(at, split, **asked(one)) for split in one.splits}
    assert {split: data.split for split, data in found.items()} == {split: split for split in one.splits}
    ids = [(split, name) for split, data in found.items() for name in data.ids]
    stamps = {data.stamp() for data in found.values()}
    assert len(set(ids)) == len(ids)
    assert len(stamps) == len(one.splits)
    with pytest.raises(tk.InputError, match="did you mean") as told:
        one.read(at, f"{one.splits[-1]}s", **asked(one))
    assert told.value.operation == one.name


@every
def test_what_is_no_such_data_is_told_with_the_layout(one, tmp_path):
    (tmp_path / "readme.txt").write_text("no data")
    with pytest.raises(tk.InputError) as told:
        one.read(tmp_path)
    assert (told.value.operation, told.value.accepted) == (one.name, one.layout)
    for wrong in (tmp_path / "nowhere", 3, None):
        with pytest.raises(tk.InputError) as told:
            one.read(wrong)
        assert told.value.operation == one.name


@pytest.mark.parametrize("one", DOCUMENTED, ids=lambda one: one.name)
def test_a_copy_with_other_counts_says_so(one, tmp_path):
    assert not one.splits or set(one.documented) <= set(one.splits)
    data = one.read(tree_of(one, tmp_path), **asked(one))
    (note,) = [note for note in data.notes if f"{data.split} split differ" in note or "the images differ" in note]
    named = {name: n for name, n in one.documented[data.split].items() if f"instead of {n}" in note}
    assert named
    assert all(name in note for name in named)


def test_documented_counts_are_held_against_the_table(tmp_path):
    table = rows_of(tmp_path, 3)

    def notes(documented: dict[str, int], split: str = "test", **more: object) -> tuple[str, ...]:
        return tk.FileSamples(tmp_path, table, split, "mine", documented=documented, **more).notes

    right = {"images": 3, "classes": 2, "a": 2, "b": 1}
    assert notes(right) == notes({}) == ()
    assert notes({**right, "c": 1}) == ("Counts of the test split differ from the documented ones: c 0 instead of 1.",)
    assert notes({"images": 4}, "all") == (
        "Counts of the images differ from the documented ones: images 3 instead of 4.",
    )
    assert notes({"images": 4}, counts={"images": 4}) == ()
    assert notes({"images": 4}, notes=["First."])[0] == "First."
    (tmp_path / "2.png").unlink()
    with pytest.warns(tk.DataWarning):
        (gone,) = notes(right)
    assert "1 of 3 images are not there" in gone


def rows_of(folder: Path, n: int):
    """A table of n images, the last of another class."""
    import pandas

    paths = [trees.picture(folder / f"{i}.png").name for i in range(n)]
    labels = ["a"] * (n - 1) + ["b"]
    return pandas.DataFrame({"path": paths, "id": paths, "label": labels, "group": labels})


def test_a_name_is_taken_once(monkeypatch):
    monkeypatch.setattr("toolkit.data.readers._KNOWN", {})

    def mine(folder):
        raise NotImplementedError

    assert reader("a folder")(mine) is mine
    assert reader("a folder")(mine) is mine, "a module may be imported again"
    with pytest.raises(tk.InputError, match=r"a second reader 'mine', in elsewhere; the first is in \S*test_readers"):
        reader("a folder")(namesake())


def namesake():
    """Another function of the same name, from another file."""

    def mine(folder):
        raise NotImplementedError

    mine.__module__ = "elsewhere"
    return mine


def test_the_documented_way_to_a_reader_of_ones_own(tmp_path, monkeypatch, capsys):
    """The block of docs/data.md, run as it stands."""
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    code = page.partition("### Data of your own")[2].partition("```python\n")[2].partition("```")[0]
    for name in ("sheet_1_oak", "sheet_2_oak", "sheet_3_elm", "sheet_4_unknown"):
        trees.picture(tmp_path / "leaves" / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    made: dict[str, object] = {}
    exec(code, made)
    assert capsys.readouterr().out.splitlines() == [
        "herbarium(3 images, split 'all': elm 1, oak 2)",
        "  note: 1 sheets without a name were left out.",
        "  note: Counts of the images differ from the documented ones: images 3 instead of 4, elm 1 instead of 2.",
    ]
    assert made["parts"].error < 1e-5
    assert list(made["leaves"].where(sheet=3).labels) == ["elm"]
