"""Gallery: one binary sheet, pages, captions and marks, the shared selection."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import toolkit as tk
from toolkit.errors import InputError
from toolkit.figures.thumbnails import fitted, sheet
from toolkit.panels.gallery.panel import Gallery


def plain(*colours, size=(40, 40)):
    return [Image.new("RGB", size, c) for c in colours]


def tile(gallery, at):
    """The middle colour of a tile as the browser cuts it out."""
    picture = np.asarray(Image.open(io.BytesIO(gallery._sheet)).convert("RGB")).astype(int)
    columns, side = gallery._tiles["columns"], gallery._tiles["side"]
    top, left = (at // columns) * side, (at % columns) * side
    return picture[top + side // 2, left + side // 2]


def test_every_tile_is_its_own_image():
    colours = ["red", "lime", "blue", "white", "black", "yellow", "magenta"]
    gallery = Gallery(plain(*colours))
    for i, colour in enumerate(colours):
        expected = np.array(Image.new("RGB", (1, 1), colour).getpixel((0, 0)))
        assert np.abs(tile(gallery, i) - expected).max() < 8, colour


def test_samples_bring_ids_and_labels():
    data = tk.scenes("test", n=5)
    gallery = tk.Gallery(data, title="birds")
    assert gallery.ids == tuple(data.ids)
    assert gallery.captions == tuple(data.labels)
    assert [image["caption"] for image in gallery._shown] == list(data.labels)
    assert gallery.summary == "birds: 5 images; none chosen."


def test_the_selection_is_shared_both_ways():
    shared = tk.Selection()
    a, b = (tk.Gallery(tk.scenes("test", n=n), selection=shared) for n in (4, 8))
    a.selected = a.ids[1]
    assert b.selected == shared.image == a.ids[1]
    b.selected = b.ids[6]
    assert a.selected is None, "an image it does not show"
    assert shared.image == b.ids[6]
    b.selected = None
    assert shared.image is None
    shared.image = "an image of another panel"
    b.selected = None
    assert shared.image == "an image of another panel"


def test_pages_turn_and_follow_the_choice():
    gallery = tk.Gallery(tk.scenes("test", n=25), per_page=10)
    assert (gallery._pages, [image["id"] for image in gallery._shown]) == (3, list(gallery.ids[:10]))
    gallery.page = 2
    assert [image["id"] for image in gallery._shown] == list(gallery.ids[20:])
    assert gallery._tiles["n"] == 5
    gallery.page = 99
    assert gallery.page == 2
    gallery.selected = gallery.ids[3]
    assert gallery.page == 0
    assert "page 1 of 3" in gallery.summary


def test_marks_are_shown_and_counted():
    gallery = Gallery(plain("red", "red", "red"), marks=["right", "wrong", "wrong"], captions=["a", "b", "<b>c</b>"])
    assert "1 right; 2 wrong" in gallery.summary
    assert gallery._shown[2]["caption"] == "<b>c</b>", "text, never markup"
    frame = gallery.to_dataframe()
    assert list(frame["mark"]) == ["right", "wrong", "wrong"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"images": []}, "no images"),
        ({"images": [1, 2]}, "a list of samples or PIL images"),
        ({"captions": ["a"]}, "2, one per image"),
        ({"ids": ["a", "a"]}, "all different"),
        ({"marks": ["good", "bad"]}, "the mark 'bad'"),
        ({"tile": 3}, "from 16 to 256"),
        ({"per_page": 0}, "from 1 to 1000"),
        ({"titel": "x"}, "did you mean 'title'"),
        ({"selected": "nobody"}, "ids such as '0'"),
        ({"selection": 3}, "a Selection"),
    ],
)
def test_bad_arguments(given, words):
    arguments = {"images": plain("red", "blue")} | given
    with pytest.raises(InputError, match=words):
        Gallery(arguments.pop("images"), **arguments)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(16, 128))
def test_any_picture_fits_into_a_tile(width, height, side):
    small = fitted(Image.new("RGB", (width, height), "red"), side)
    assert max(small.size) <= side
    assert min(small.size) >= 1
    assert sheet([small], side).n == 1


def test_a_page_of_200_is_small():
    data = tk.scenes("test", n=200)
    gallery = tk.Gallery(data)
    state = gallery.get_state()
    size = sum(len(v) if isinstance(v, bytes) else len(json.dumps(v, default=str)) for v in state.values())
    assert size < 700_000
    assert len(gallery.png()) < 200_000
    picture = np.asarray(Image.open(io.BytesIO(gallery.png())).convert("RGB"))
    assert picture.std() > 20


def test_a_picture_and_words_outlive_the_kernel():
    data, _ = tk.Gallery(tk.scenes("test", n=3))._repr_mimebundle_()
    assert data["text/plain"].startswith("3 images")
    assert data["image/png"]


def test_panels_of_different_kinds_are_linked():
    grid, gallery = tk.HeadGrid(np.eye(3), selected="L1.H1"), tk.Gallery(tk.scenes("test", n=4))
    other, old = tk.Gallery(tk.scenes("test", n=4)), grid.selection
    shared = tk.link(grid, gallery, other)
    assert shared is grid.selection is gallery.selection is other.selection is old
    gallery.selected = gallery.ids[2]
    assert other.selected == shared.image == gallery.ids[2]
    assert grid.selected == ((1, 1),)
    with pytest.raises(InputError, match="panels with a selection"):
        tk.link(grid, 3)
    with pytest.raises(InputError, match="no panels"):
        tk.link()


def test_a_panel_linked_anew_lets_the_old_selection_go():
    a, b = tk.HeadGrid(np.eye(3)), tk.HeadGrid(np.eye(3))
    old = b.selection
    tk.link(a, b)
    old.heads = "L0.H0"
    assert b.selected == ()
    a.selected = "L2.H1"
    assert b.selected == ((2, 1),)


def test_a_worker_and_the_browser_may_write_at_once():
    """One thread paints as a worker does, others report as the browser does: nothing raises, the last values stand."""
    import threading

    grid, gallery, errors = tk.HeadGrid(np.eye(8)), tk.Gallery(tk.scenes("test", n=4)), []
    tk.link(grid, gallery)

    def careful(run):
        def inside():
            try:
                for i in range(300):
                    run(i)
            except Exception as error:  # noqa: BLE001 – any at all
                errors.append(error)

        return threading.Thread(target=inside)

    def paint(i):
        with grid.painting():
            grid.values = np.eye(8) * (i + 1)
        with gallery.painting():
            gallery.title = str(i)

    def report(i):
        grid.set_state({"_picked": [[i % 8, 3]]})
        gallery.set_state({"selected": gallery.ids[i % 4]})

    crowd = [careful(paint), careful(report), careful(report)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(60)
        assert not thread.is_alive(), "they wait for each other for ever"
    assert errors == []
    assert grid.values[0, 0] == 300
    assert grid.selected == ((299 % 8, 3),)
    assert gallery.selection.image == gallery.ids[299 % 4]
    assert grid.error == gallery.error == ""


def test_an_image_that_cannot_be_read_is_a_crossed_out_tile(tmp_path):
    for i, colour in enumerate(("red", "blue")):
        Image.new("RGB", (20, 20), colour).save(tmp_path / f"{i}.png")
    (tmp_path / "broken.png").write_bytes(b"no")
    gallery = tk.Gallery(tk.image_folder(tmp_path))
    assert gallery.error == ""
    assert gallery._tiles["n"] == 3
    assert np.abs(tile(gallery, 0) - (255, 0, 0)).max() < 8
    assert np.abs(tile(gallery, 2) - 120).max() < 30


def test_an_error_stays_until_its_own_cause_is_gone():
    grid = tk.HeadGrid(np.eye(3))
    grid.error = "OutOfMemoryError: of the engine"
    grid.hovered = (0, 1)
    grid.selected = "L1.H1"
    assert grid.error.startswith("OutOfMemoryError"), "a moving mouse must not hide what failed"
