"""TokenMap without a browser: what is asked, what is painted, what is shared, what is refused, how it recovers."""

from __future__ import annotations

import io
import threading
import warnings

import numpy as np
import patience
import pytest
import torch
from PIL import Image

import toolkit as tk
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker


@pytest.fixture(scope="module")
def model():
    return tk.load()


@pytest.fixture(scope="module")
def data():
    return tk.scenes("test", n=6, seed=3, kind="birds")


@pytest.fixture(scope="module")
def acts():
    return tk.extract(tk.load(), tk.scenes("edit", n=80, kind="birds"), progress=False)


@pytest.fixture
def panel(model, data):
    return tk.TokenMap(model, data, text="a landbird", against="a waterbird", engine=Engine())


def values(told):
    return np.frombuffer(told["values"], "<f4").reshape(told["grid"])


def test_it_shows_what_token_map_says(panel, model, data):
    expected = tk.token_map(model, data[0], "a landbird", "a waterbird")
    np.testing.assert_allclose(values(panel._a), expected.values, atol=1e-6)
    np.testing.assert_allclose(np.frombuffer(panel._a["by_head"], "<f4"), expected.by_head.ravel(), atol=1e-6)
    assert panel._a["total"] == pytest.approx(float(expected.total))
    assert panel._a["sum"] + panel._a["left"] == pytest.approx(panel._a["total"], abs=1e-6)
    assert panel._b == {}
    assert panel._shown == panel.asked.told
    assert panel._work == []
    assert "together" in panel.summary
    assert data.ids[0] in panel.summary
    shown = Image.open(io.BytesIO(panel._picture_a)).convert("RGB")
    np.testing.assert_array_equal(np.asarray(shown), np.asarray(data[0].image))
    panel.heads = "L3.H7 L2.H6"
    np.testing.assert_allclose(panel.map.values, expected.by_head[3, 7] + expected.by_head[2, 6], atol=1e-6)
    panel.patch = (2, 3)
    np.testing.assert_array_equal(panel.patch_heads(), panel.map.by_head[:, :, 2, 3])
    panel.heads = ""
    np.testing.assert_allclose(panel.map.values, expected.values, atol=1e-6)


def test_a_traced_image_needs_no_forward(panel, model, monkeypatch):
    monkeypatch.setattr(model.clip, "encode_image", lambda *_: pytest.fail("a forward"))
    panel.text = "a bird"
    panel.heads = "L2.H6"
    panel.against = ""
    assert panel.error == ""
    assert panel.map.target == "“a bird”"


@pytest.mark.parametrize("engine", [Engine, Worker])
@pytest.mark.parametrize("method", ["Grad-CAM", "LeGrad", "GAME", "attention", "rollout"])
def test_two_methods(model, data, method, engine):
    panel = tk.TokenMap(model, data, text="a landbird", against="a waterbird", engine=engine())
    panel.beside, panel.other_method = "method", method
    assert panel.engine.wait(patience.seconds())
    assert panel.error == ""
    expected = tk.explain(model, data[0], "a landbird", "a waterbird", method=method)
    np.testing.assert_allclose(values(panel._b), expected.values, atol=1e-6)
    assert panel._b["by_head"] == b""
    assert not panel._b["additive"]
    assert len(panel.limits) == 2


def test_two_images(panel, data):
    panel.beside, panel.other_image = "image", data.ids[4]
    assert panel._b["image"] == data.ids[4]
    assert panel._picture_b != panel._picture_a
    assert len(panel.limits) == 1


def test_heads_off_and_the_difference(panel, model, data):
    panel.heads = "L3.H7 L2.H6"
    panel.beside = "ablated"
    base = tk.token_map(model, data[0], "a landbird", "a waterbird")
    off = tk.token_map(model, data[0], "a landbird", "a waterbird", ablate="L3.H7 L2.H6")
    np.testing.assert_allclose(values(panel._a), base.values, atol=1e-6)
    np.testing.assert_allclose(values(panel._b), off.values, atol=1e-6)
    assert panel._b["state"] == "without L3.H7 L2.H6"
    panel.difference = True
    np.testing.assert_allclose(values(panel._b), off.values - base.values, atol=1e-6)
    assert panel._b["minus"]
    assert panel._b["scale"] != panel._a["scale"], "a difference has a colour scale of its own"
    assert len(panel.limits) == 2
    panel.method = "Grad-CAM"
    folded = tk.fold_ablation(model, "L3.H7 L2.H6")
    change = tk.grad_cam(folded, data[0], "a landbird", "a waterbird") - tk.grad_cam(
        model, data[0], "a landbird", "a waterbird"
    )
    np.testing.assert_allclose(values(panel._b), change.values, atol=1e-6)
    panel.heads = ""
    assert "no heads to switch off" in panel.error
    panel.heads = "L3.H7"
    assert panel.error == ""


def test_an_edit_from_a_linked_lab(panel, model, data, acts):
    few = acts.draw(6)
    lab = tk.EditLab(few, tk.classes(["waterbird", "landbird"]), "L3.H7", engine=Engine())
    panel.beside = "edited"
    assert "no edit to compare with" in panel.error
    tk.link(lab, panel)
    assert panel.edit is lab.edit
    assert panel.error == ""
    expected = tk.token_map(model, data[0], "a landbird", "a waterbird", edit=lab.edit)
    np.testing.assert_allclose(values(panel._b), expected.values, atol=1e-6)
    before = values(panel._b)
    lab.alpha = 1000
    assert panel.edit is lab.edit
    assert not np.allclose(before, values(panel._b), atol=1e-7)
    panel.method = "LeGrad"
    folded = tk.legrad(lab.edit.fold(model), data[0], "a landbird", "a waterbird")
    np.testing.assert_allclose(values(panel._b), folded.values, atol=1e-6)


def test_best_and_least_text_of_a_head(model, data, acts):
    spans = tk.textspan(acts, tk.bank("world"), size=6)
    panel = tk.TokenMap(model, data, spans=spans, engine=Engine())
    panel.beside = "texts"
    assert "no heads" in panel.error
    panel.heads = "L3.H7"
    assert panel.error == ""
    best, least = tk.trace_tokens(model, data[0]).extremes(spans, "L3.H7")
    assert (panel._a["target"], panel._b["target"]) == (best.target, least.target)


def test_more_images(panel, tmp_path, data):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 200, 3), dtype=np.uint8))
    name = panel.add(picture, "mine")
    assert panel.image == name == "mine"
    assert panel._a["size"] == {"width": 200, "height": 90}
    assert panel._a["box"] == pytest.approx({"left": 55, "top": 0, "right": 145, "bottom": 90}, abs=1.5)
    assert panel.map.on_picture().shape == (90, 200)
    assert panel.add(picture.rotate(90), "mine") == "mine #2"
    picture.save(tmp_path / "one.webp")
    assert panel.add(tmp_path / "one.webp") == "one.webp"
    panel._upload = {"name": "dropped.png", "data": (tmp_path / "one.webp").read_bytes()}
    assert panel.image == "dropped.png"
    assert panel._upload == {}
    panel._upload = {"name": "no.png", "data": b"not an image"}
    assert "'no.png', which is no readable image" in panel.error
    assert panel.image == "dropped.png"
    panel._upload = {"name": "huge.png", "data": b"0" * 8_000_001}
    assert "pass the path" in panel.error
    panel._do({"do": "path", "path": f" '{tmp_path / 'one.webp'}' "})
    assert panel.image == "one.webp #2"
    panel._do({"do": "walk", "by": 1})
    assert panel.image == panel.ids[1]
    with pytest.raises(tk.InputError, match="does not exist"):
        panel.add("/nowhere.png")
    with pytest.raises(tk.InputError, match=r"read it with tk\.image_folder"):
        panel.add(tmp_path)
    big = Image.new("RGB", (3000, 2000), (90, 120, 30))
    panel.add(big, "big")
    assert len(panel._picture_a) < 60_000
    assert data.ids[0] in panel.ids


def test_selection_is_shared(model, data):
    grid = tk.HeadGrid(np.eye(8)[:4])
    gallery = tk.Gallery(data)
    panel = tk.TokenMap(model, data, text="a bird", engine=Engine())
    tk.link(panel, grid, gallery)
    grid.selected = "L2.H2"
    assert str(panel.heads) == "L2.H2"
    assert panel.map.heads == tk.HeadSet.of("L2.H2")
    panel.heads = "L3.H3"
    assert grid.selected == ((3, 3),)
    gallery.selected = data.ids[3]
    assert panel.image == panel._a["image"] == data.ids[3]
    panel.image = data.ids[1]
    assert gallery.selected == data.ids[1]
    panel.selection.text = "water"
    assert panel.text == "water"
    gallery.selection.image = "elsewhere"
    assert panel.image == data.ids[1]
    shared = tk.Selection(image=data.ids[2], text="land", heads="L1.H1")
    later = tk.TokenMap(model, data, selection=shared, engine=Engine())
    assert (later.image, later.text, str(later.heads)) == (data.ids[2], "land", "L1.H1")


def test_words_the_model_does_not_know_are_said_once_and_in_the_panel(panel):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        panel.text = "a zebra on the lakes"
    assert "“zebra”" in panel._note
    assert "near: lake" in panel._note
    panel.text = "a bird"
    assert panel._note == ""


def test_two_maps_of_an_image_say_how_far_they_agree(panel):
    panel.beside = "method"
    expected = tk.agreement({"a": panel.map, "b": panel.other}).iloc[0, 1]
    assert panel._note.startswith(f"the two maps agree by {expected:+.2f} (rank correlation over 64 patches")
    panel.beside = "image"
    assert "agree" not in panel._note
    panel.heads, panel.beside = "L3.H1", "ablated"
    assert "the two maps agree by" in panel._note
    panel.difference = True
    assert "agree" not in panel._note, "a difference is no second map"


def test_the_patches_are_shown_as_they_are_unless_smoothing_is_asked_for(panel):
    plain, words = panel.png(), panel.to_matplotlib().axes[-1].get_ylabel()
    assert "smoothed" not in words
    panel.raw = False
    assert panel.png() != plain
    assert panel.to_matplotlib().axes[-1].get_ylabel().endswith(", smoothed between patches")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("method", "gradcam", "did you mean 'Grad-CAM'"),
        ("beside", "mine", "nothing, image, method"),
        ("image", "gone", "an id of its 6 images"),
        ("limit", -1.0, "a positive number"),
        ("patch", (9, 0), "rows 0…7"),
        ("patch", 3, "rows 0…7"),
        ("patch", [1], "rows 0…7"),
        ("heads", "L9.H1", "unknown head"),
    ],
)
def test_refused(panel, name, value, said):
    with pytest.raises(tk.InputError, match=said):
        setattr(panel, name, value)


def test_a_bad_text_is_said_and_taken_back(panel):
    shown = panel.map
    panel.text = "bird " * 40
    assert "42 tokens" in panel.error
    assert panel.map is shown
    assert panel._shown != panel.asked.told, "what is shown is marked as not current"
    panel.text = "a bird"
    assert panel.error == ""
    assert panel.map.target == "“a bird” − “a waterbird”"
    panel.set_state({"patch": [1, None]})
    assert "rows 0…7" in panel.error
    panel.set_state({"method": "nonsense"})
    assert "nonsense" in panel.error
    assert panel.method == "token map"
    panel.text = " "
    assert panel.summary == "Where it looks: type a text."


def test_exhausted_memory_is_said_and_it_recovers(panel, monkeypatch, data):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(type(panel._session.model), "tokens", full)
    panel.image = data.ids[5]
    assert "MemoryExhaustedError" in panel.error
    assert panel._work == []
    monkeypatch.undo()
    panel._do({"do": "again"})
    assert panel.error == ""
    assert panel._a["image"] == data.ids[5]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"images": 7}, "images of type int"),
        ({"images": []}, "pass one of these"),
        ({"spans": "text"}, "what tk.textspan gives"),
        ({"edit": 3}, "what tk.edit gives"),
        ({"selection": 3}, "a Selection"),
        ({"txt": "a bird"}, "did you mean 'text'"),
        ({"text": "", "beside": "nowhere"}, "nowhere"),
    ],
)
def test_the_constructor_is_strict(model, data, arguments, said):
    with pytest.raises(tk.InputError, match=said):
        tk.TokenMap(model, **{"images": data, "engine": Engine(), **arguments})


def test_without_images_it_waits_for_one(model):
    panel = tk.TokenMap(model, engine=Engine())
    assert panel.summary == "Where it looks: drop in an image."
    panel.text = "a bird"
    panel.add(Image.new("RGB", (64, 64), (10, 60, 200)))
    assert panel.image == "image 1"
    assert panel.map is not None


def test_pictures_that_outlive_the_kernel(panel):
    data, _ = panel._repr_mimebundle_()
    assert Image.open(io.BytesIO(__import__("base64").b64decode(data["image/png"]))).width > 200
    assert data["text/plain"] == panel.summary
    panel.beside = "method"
    assert len(panel.to_plotly().data) == 2
    assert len(panel.to_matplotlib().axes) == 3
    panel.limit = 0.5
    assert next(iter(panel.limits.values())) == 0.5, "the unit of the first map"
    assert list(panel.limits.values())[1] < 0.5
    panel.method = "LeGrad"
    assert panel.limit is None, "it was of another unit"


def test_shown_before_it_has_a_text(model, data):
    panel = tk.TokenMap(model, data, engine=Engine())
    bundle, _ = panel._repr_mimebundle_()
    assert "image/png" in bundle
    assert panel.error == ""
    panel.text = "a bird"
    assert panel.error == ""
    assert tk.TokenMap(model, engine=Engine()).png()[:4] == b"\x89PNG"


def test_the_edited_model_is_that_of_the_edit_shown(model, data, acts):
    few = acts.draw(6)
    whole = tk.edit(few, tk.classes(["waterbird", "landbird"]), "L3.H7", steps=12)
    panel = tk.TokenMap(model, data, text="a bird", edit=whole, engine=Engine())
    panel.method, panel.beside = "LeGrad", "edited"
    for step in range(1, 12, 2):
        panel.edit = whole.at(step)  # dropped at the next turn: its place in memory may be given to the next
        expected = tk.legrad(whole.at(step).fold(model), data[0], "a bird")
        np.testing.assert_allclose(panel.other.values, expected.values, atol=1e-7)
    with pytest.raises(tk.InputError, match=r"what tk.edit gives"):
        panel.edit = 3


def test_an_older_answer_does_not_take_a_newer_error_back(model, data):
    gate = threading.Event()

    class Slow(Worker):
        def submit(self, key, work, *rest, **more):
            def late(request):
                gate.wait(20)
                return work(request)

            return super().submit(key, late, *rest, **more)

    panel = tk.TokenMap(model, data, text="water", engine=Slow())
    panel.beside = "ablated"
    assert "no heads to switch off" in panel.error
    gate.set()
    assert panel.engine.wait(patience.seconds())
    assert "no heads to switch off" in panel.error
    assert panel.map.target == "“water”"
    panel.beside = "nothing"
    assert panel.engine.wait(patience.seconds())
    assert panel.error == ""


def test_without_a_text_nothing_is_shown_of_another(panel, data):
    panel.text = ""
    assert panel.map is None
    assert panel._a == {}
    panel._do({"do": "walk", "by": 1})
    assert panel._a == {}
    panel.text = "bird " * 40
    assert "42 tokens" in panel.error
    assert panel.summary.endswith("no map yet.")
    panel.text = "a bird"
    assert panel._a["image"] == data.ids[1]
    assert panel.error == ""


def test_the_words_of_a_saved_notebook_are_those_of_its_picture(model, data):
    panel = tk.TokenMap(model, data, text="a bird", against=None, engine=Worker())
    bundle, _ = panel._repr_mimebundle_()
    assert "token map of “a bird”" in bundle["text/plain"]


def test_an_error_goes_with_the_text_it_was_about(panel):
    panel.text = "bird " * 40
    assert "42 tokens" in panel.error
    panel.text = ""
    assert panel.error == ""
    assert panel.summary.endswith("type a text.")


def test_images_come_in_the_order_given(model):
    colours = [Image.new("RGB", (64, 64), c) for c in ("red", "green", "blue")]
    panel = tk.TokenMap(model, colours, engine=Engine())
    first = np.asarray(panel._session.picture(panel.ids[0]))
    assert tuple(first[0, 0]) == (255, 0, 0)
    assert panel.image == panel.ids[0]


def test_weights_changed_in_place_are_seen(data):
    model = tk.fold_ablation(tk.load(), "L0.H0")
    panel = tk.TokenMap(model, data, text="a bird", engine=Engine())
    with torch.no_grad():
        model.clip.visual.transformer.resblocks[3].mlp.c_proj.weight.mul_(0.5)
    panel.text = "water"
    np.testing.assert_allclose(panel.map.values, tk.token_map(model, data[0], "water").values, atol=1e-7)


def test_heads_of_the_map_beside_when_the_first_knows_none(panel):
    panel.method, panel.beside, panel.other_method = "Grad-CAM", "method", "token map"
    panel.patch = (1, 2)
    np.testing.assert_array_equal(panel.patch_heads(), panel.other.by_head[:, :, 1, 2])


def test_what_it_sends_is_small(panel):
    state = panel.get_state()
    size = sum(len(v) for v in state["_a"].values() if isinstance(v, bytes)) + len(state["_picture_a"])
    assert size < 40_000


def test_a_worker_paints_the_last_of_many_texts(model, data):
    panel = tk.TokenMap(model, data, text="a bird", engine=Worker())
    threads = [threading.Thread(target=setattr, args=(panel, "text", t)) for t in ("water", "land", "a cat") * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    panel.text = "a waterbird"
    assert panel.engine.wait(patience.seconds())
    assert panel.map.target == "“a waterbird”"
    assert panel._work == []
