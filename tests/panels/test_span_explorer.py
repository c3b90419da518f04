"""SpanExplorer without a browser: what is asked, what is painted, what is shared, what is kept."""

from __future__ import annotations

import io
import threading
import time

import numpy as np
import patience
import pytest
from PIL import Image

import toolkit as tk
from toolkit.data.banks import common_first
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.labs.words import WordsSession
from toolkit.panels.span_explorer import panel as module


@pytest.fixture(autouse=True)
def own_notes(monkeypatch, tmp_path):
    monkeypatch.setenv("TOOLKIT_NOTES", str(tmp_path / "notes"))


@pytest.fixture(scope="module")
def acts():
    return tk.extract(tk.load(), tk.scenes("val", n=200, kind="factorial"), progress=False)


@pytest.fixture
def explorer(acts):
    return tk.SpanExplorer(acts, head="L3.H7", engine=Engine())


def test_it_shows_what_textspan_says(explorer, acts):
    spans = tk.textspan(acts, "world", size=10, layers=None)
    assert [row["text"] for row in explorer._rows] == spans.texts[3][7]
    np.testing.assert_allclose([row["std"] for row in explorer._rows], spans.std[3, 7])
    np.testing.assert_array_equal(explorer.spans.picks, spans.picks)
    assert explorer._labels[8 * 3 + 7] == "; ".join(spans.texts[3][7][:3])
    assert explorer._work == []
    assert explorer.summary.startswith(f"What heads say: L3.H7: 1. {spans.texts[3][7][0]} (")
    explorer.size, explorer.method = 4, "somp"
    assert len(explorer._rows) == 4
    explorer.head = "L0.H0"
    assert explorer.head == (0, 0)
    assert explorer._shown == [0, 0]


def test_a_head_that_is_the_default_is_shown_too(acts):
    explorer = tk.SpanExplorer(acts, head=(0, 0), engine=Engine())
    assert len(explorer._rows) == 10
    assert tk.SpanExplorer(acts, engine=Engine()).head[0] == 3


def test_images_are_ranked_by_contribution(explorer, acts):
    explorer.text = explorer._rows[0]["text"]
    heads = acts.heads[:, 3, 7].double()
    scores = ((heads - heads.mean(0)) @ tk.load().encode_text(explorer.text)[0].double()).numpy()
    high, low = explorer._ends["high"], explorer._ends["low"]
    assert [image["id"] for image in high] == list(acts.ids[np.argsort(-scores, kind="stable")[:8]])
    assert [image["id"] for image in low] == list(acts.ids[np.argsort(scores, kind="stable")[:8]])
    np.testing.assert_allclose([image["score"] for image in high], np.sort(scores)[::-1][:8], rtol=1e-4)
    assert [row["label"] for row in high] == [str(acts.labels[list(acts.ids).index(row["id"])]) for row in high]
    picture = np.asarray(Image.open(io.BytesIO(explorer._sheet)).convert("RGB")).astype(int)
    side, columns = module.TILE, explorer._ends["columns"]
    thumb = np.asarray(acts.image(high[3]["id"]).convert("RGB")).astype(int).mean((0, 1))
    tile = picture[side * (3 // columns) : side * (3 // columns + 1), side * (3 % columns) : side * (3 % columns + 1)]
    inner = tile[(side - 48) // 2 : (side + 48) // 2, (side - 48) // 2 : (side + 48) // 2]
    assert np.abs(inner.mean((0, 1)) - thumb).max() < 12
    explorer.ranking = "cosine"
    assert all(abs(image["score"]) <= 1 for image in explorer._ends["high"])


def test_a_word_lights_up_heads(explorer, acts):
    before = explorer._map
    explorer.query = "the sea"
    found = tk.heads_for("the sea", acts)
    np.testing.assert_allclose(np.frombuffer(explorer._map, "<f4"), found.share.ravel(), rtol=1e-5)
    assert (np.frombuffer(explorer._likely, np.uint8) == (found.p < 0.05).ravel()).all()
    assert f"'the sea' is carried most by {found.ranking()[0][0]}" in explorer.summary
    explorer.query = " "
    assert explorer._map == before
    assert explorer._likely == b""


def test_the_bank_can_be_edited(explorer):
    first = explorer._rows[0]["text"]
    explorer.text = first
    explorer.remove(first)
    assert first not in [row["text"] for row in explorer._rows]
    assert explorer.text == "", "a text that is gone is not chosen"
    assert explorer._facts["edits"] == 1
    explorer.add("a red star", "a red star", "the sea")
    assert explorer.bank.texts[-1] == "a red star"
    assert explorer.bank.name == "world, edited"
    explorer.everything()
    assert explorer.spans.bank == explorer.bank
    explorer.reset()
    assert explorer._rows[0]["text"] == first
    assert explorer._facts["edits"] == 0


def test_an_edit_that_fails_loses_nothing(explorer):
    rows, texts = explorer._rows, explorer.bank.texts
    explorer.remove("no such text")
    assert "which it does not hold" in explorer.error
    assert (explorer._rows, explorer.bank.texts, explorer._work) == (rows, texts, [])
    explorer.remove(*texts)
    assert "no texts" in explorer.error
    explorer.add("the sea")
    assert explorer.error == ""


def test_what_the_browser_asks(explorer):
    gone = explorer._rows[0]["text"]
    what = (("remove", gone), ("add", "two red stars"), ("all", ""), ("stop", ""))
    asks = [{"id": f"a {n}", "do": do, "text": text} for n, (do, text) in enumerate(what)]
    explorer._asked = asks[:1]
    explorer._asked = asks  # what was not answered yet comes again
    assert explorer._answered == ["a 0", "a 1", "a 2", "a 3"]
    assert gone not in explorer.bank.texts
    assert explorer.bank.texts.count("two red stars") == 1
    explorer.remove("two red stars")
    explorer._asked = [asks[1]]
    assert "two red stars" not in explorer.bank.texts, "nothing is done twice"
    explorer._asked = [{"id": "b 0", "do": "reset"}]
    assert explorer.bank == tk.bank("world")


def test_messages_merged_while_the_kernel_was_busy(explorer):
    """Jupyter sends one message with all that changed; notes and edits in it must not meet the wrong head."""
    asks = [
        {"id": "a 0", "do": "note", "head": [3, 7], "text": "the city"},
        {"id": "a 1", "do": "remove", "text": "the sea"},
        {"id": "a 2", "do": "note", "head": [2, 2], "text": "colour"},
    ]
    for state in ({"_asked": asks, "head": [1, 1]}, {"head": [1, 2], "_asked": asks}):
        explorer.set_state(state)
    assert dict(explorer.notes.to_dataframe().to_numpy().tolist()) == {"L3.H7": "the city", "L2.H2": "colour"}
    assert "the sea" not in explorer.bank.texts
    assert explorer._note == {"head": [1, 2], "text": ""}


def test_the_selection_is_shared(explorer, acts):
    grid = tk.HeadGrid(np.zeros((4, 8)))
    tk.link(explorer, grid)
    assert grid.selected == ((3, 7),)
    grid.selected = "L2.H2"
    assert explorer.head == (2, 2)
    assert explorer._shown == [2, 2]
    explorer.head = "L1.H1"
    assert grid.selected == ((1, 1),)
    grid.selected = ()
    assert explorer.head == (1, 1), "nothing chosen elsewhere: this one stays"
    explorer.selection.text = "the sea"
    assert explorer.text == "the sea"
    explorer.selection.text = "a text of another bank"
    assert explorer.text == "the sea"
    explorer.selection.text = "the sea"
    explorer.image = "val-0-000001"
    assert explorer.selection.image == "val-0-000001"
    other = tk.SpanExplorer(acts, engine=Engine(), selection=explorer.selection)
    assert (other.text, other.image) == ("the sea", "val-0-000001")
    assert explorer.head == other.head, "what the newest shows"


def test_notes_are_kept_with_the_model(explorer, acts, tmp_path):
    explorer.note = "  the city, and roads "
    explorer.head = "L2.H2"
    assert explorer.note == ""
    explorer.note = "colour"
    explorer.head = "L3.H7"
    assert explorer.note == "the city, and roads"
    notes = tk.notes(tk.load())
    assert dict(zip(*notes.to_dataframe().to_dict("list").values(), strict=True)) == {
        "L2.H2": "colour", "L3.H7": "the city, and roads",
    }  # fmt: skip
    again = tk.SpanExplorer(acts, head="L2.H2", engine=Engine())
    assert again.note == "colour"
    own = tk.SpanExplorer(acts, head="L2.H2", engine=Engine(), notes=tk.notes(acts, tmp_path / "mine.json"))
    assert own.note == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": "L9.H0"}, "one head of layers 0, 1, 2, 3"), ({"head": "L1.H0 L1.H1"}, "one head"),
        ({"selection": 3}, "a Selection"), ({"texts": []}, "no texts"), ({"titel": "x"}, "did you mean 'title'"),
        ({"layers": [7]}, "layers="), ({"ranking": "size"}, "ranking|cosine"), ({"size": 0}, "size|minimum"),
    ],
)  # fmt: skip
def test_bad_arguments(acts, change, message):
    with pytest.raises((tk.InputError, ValueError, Exception), match=message) as caught:
        tk.SpanExplorer(acts, engine=Engine(), **change)
    assert caught.type.__name__ in ("InputError", "TraitError")
    explorer = tk.SpanExplorer(acts, engine=Engine())
    with pytest.raises(tk.InputError, match="add it"):
        explorer.text = "no such text"
    assert explorer.text == ""


def test_without_images_and_without_a_model():
    rng = np.random.default_rng(0)
    acts = tk.from_arrays(rng.normal(size=(30, 2, 3, 8)) @ rng.normal(size=(8, 16)), ids=[f"i{n}" for n in range(30)])
    explorer = tk.SpanExplorer(acts, rng.normal(size=(40, 16)), engine=Engine())
    assert explorer._sheet == b""
    assert len(explorer._ends["high"]) == 8
    explorer.query = "text 3"
    assert "'text 3' is carried most" in explorer.summary
    explorer.query = "water"
    assert "attach it with acts.attach" in explorer.error
    explorer.query = "text 4"
    assert explorer.error == ""


def test_figures_and_tables(explorer):
    frame = explorer.to_dataframe()
    assert list(frame.columns) == ["text", "factor", "std", "explained"]
    figure = explorer.to_plotly()
    assert list(figure.data[0].x) == list(frame["std"])
    assert list(figure.data[1].x) == list(frame["explained"])
    drawn = explorer.to_matplotlib()
    assert [t.get_text() for t in drawn.axes[0].get_yticklabels()] == list(frame["text"])
    bundle, _ = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == explorer.summary
    assert bundle["image/png"]
    empty = tk.SpanExplorer(explorer._session.acts, engine=Engine())
    empty._rows = []
    assert len(empty.png()) > 1000


def test_the_state_is_small(explorer):
    state = explorer.get_state()
    size = sum(len(v) if isinstance(v, bytes | memoryview) else len(str(v)) for k, v in state.items())
    assert size < 100_000


def test_an_answer_keeps_its_own_head(acts):
    """What was asked for one head is never shown under the name of another."""
    engine = Worker()
    explorer = tk.SpanExplorer(acts, head="L3.H7", engine=engine)
    assert engine.wait(patience.seconds())
    explorer._edit(lambda: time.sleep(0.2))
    explorer.head = "L2.H2"
    seen = []
    explorer.observe(lambda change: seen.append((tuple(explorer._shown), change["new"])), "summary")
    assert engine.wait(patience.seconds())
    texts = tk.textspan(acts, "world", size=10, layers=None).texts
    assert [row["text"] for row in explorer._rows] == texts[2][2]
    for (layer, head), words in seen:
        assert f"L{layer}.H{head}: 1. {texts[layer][head][0]} " in words


def test_stopping_leaves_nothing_behind_and_it_can_go_on(acts):
    engine = Worker()
    explorer = tk.SpanExplorer(acts, head="L3.H7", engine=engine)
    assert engine.wait(patience.seconds())
    whole, held = explorer.spans, explorer._session.layer
    explorer._session.layer = lambda *given: (time.sleep(0.2), held(*given))[1]
    explorer.spans = None
    explorer.everything()
    time.sleep(0.1)
    explorer._asked = [{"id": "x", "do": "stop"}]
    assert engine.wait(patience.seconds())
    assert explorer._work == []
    assert explorer._signs["all"]["stopped"]
    assert explorer.spans is None
    explorer._asked = [{"id": "y", "do": "go on", "part": "all"}]
    assert engine.wait(patience.seconds())
    assert explorer._signs == {}
    np.testing.assert_array_equal(explorer.spans.picks, whole.picks)


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Nothing is known of any text."""
    from toolkit.store import texts

    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    texts._held.clear()
    return texts


class Slow:
    """The model's texts, one at a time and when they are let through."""

    def __init__(self, model, monkeypatch):
        self.encode, self.go, self.threads, self.texts = model.encode_text, threading.Event(), set(), []
        monkeypatch.setattr(model, "encode_text", self)

    def __call__(self, texts):
        self.threads.add(threading.current_thread())
        if len(self.texts) > 50:
            assert self.go.wait(patience.seconds())
        self.texts += texts
        return self.encode(texts)


def test_texts_are_chosen_from_what_is_encoded_so_far(acts, fresh, monkeypatch):
    monkeypatch.setattr(fresh, "LARGEST", 32)
    slow = Slow(acts.model, monkeypatch)
    engine = Worker()
    explorer = tk.SpanExplorer(acts, head="L3.H7", engine=engine)
    end = time.monotonic() + patience.seconds()
    while not (len(slow.texts) > 50 and explorer._rows and explorer._facts["among"] > 50) and time.monotonic() < end:
        time.sleep(0.01)
    there, among = explorer._session.bank.now.bank, explorer._facts["among"]
    assert 50 < among <= len(there) < len(explorer.bank) == explorer._facts["bank"]
    assert {row["text"] for row in explorer._rows} <= set(there.texts)
    assert explorer._signs["bank"]["done"] >= among
    assert explorer._signs["bank"]["of"] == len(explorer.bank)
    assert slow.texts[:50] == [explorer.bank.texts[i] for i in common_first(explorer.bank)[:50]]
    assert threading.current_thread() not in slow.threads
    slow.go.set()
    assert engine.wait(patience.seconds())
    assert [row["text"] for row in explorer._rows] == tk.textspan(acts, "world", size=10, layers=None).texts[3][7]
    assert explorer._facts["among"] == len(explorer.bank)
    assert explorer.spans is not None
    assert explorer._signs == {}


def test_a_bank_that_is_stopped_is_used_as_far_as_it_is_and_goes_on(acts, fresh, monkeypatch):
    monkeypatch.setattr(fresh, "LARGEST", 16)
    slow = Slow(acts.model, monkeypatch)
    engine = Worker()
    explorer = tk.SpanExplorer(acts, head="L3.H7", engine=engine)
    end = time.monotonic() + patience.seconds()
    while len(slow.texts) <= 50 and time.monotonic() < end:
        time.sleep(0.01)
    explorer.stop("bank")
    slow.go.set()
    assert engine.wait(patience.seconds())
    assert explorer._signs["bank"]["stopped"]
    assert explorer._work == []
    there = explorer._session.bank.now.bank
    assert len(there) < len(explorer.bank)
    explorer.add("the sea at night")  # edits, another head and all heads work with what is there
    explorer.head = "L2.H2"
    explorer.everything()
    assert engine.wait(patience.seconds())
    assert set(explorer.spans.bank.texts) == {*there.texts, "the sea at night"}
    assert f"{len(there) + 1:,} texts of" in explorer.spans.bank.name
    explorer.remove("the sea at night")
    explorer.reset()
    explorer.go_on()
    assert engine.wait(patience.seconds())
    assert explorer._session.bank.whole
    want = tk.textspan(acts, "world", size=10, layers=None)
    assert explorer.spans.texts == want.texts
    assert explorer.spans.bank == want.bank


def test_nothing_waits_behind_the_bank(acts, fresh, monkeypatch):
    """Between two steps of the bank whoever else wants the model has it."""
    monkeypatch.setattr(fresh, "LARGEST", 4)
    engine, order = Worker(), []
    explorer = tk.SpanExplorer(acts, head="L3.H7", engine=engine)
    engine.submit("another", lambda request: order.append(explorer._session.bank.encoded)).result(patience.seconds())
    assert order[0] < len(explorer.bank) / 2
    assert engine.wait(patience.seconds())


def test_a_bank_needs_a_model(acts):
    bare = tk.from_arrays(np.random.default_rng(0).normal(size=(9, 1, 2, 4)))
    with pytest.raises(tk.InputError, match="attach it"):
        tk.SpanExplorer(bare, engine=Worker())


def test_a_linked_choice_of_several_heads_stays(explorer):
    explorer.selection.heads = "L0.H1 L1.H2"
    assert explorer.head == (1, 2)
    assert explorer.selection.heads == ((0, 1), (1, 2))


def test_text_and_image_can_be_given(acts):
    explorer = tk.SpanExplorer(acts, head="L3.H7", text="the sea", image="val-0-000003", engine=Engine())
    assert (explorer.text, explorer.image) == ("the sea", "val-0-000003")
    assert explorer._ends["text"] == "the sea"


def test_heads_that_never_vary():
    acts = tk.from_arrays(np.repeat(np.random.default_rng(0).normal(size=(1, 2, 3, 8)), 7, 0))
    explorer = tk.SpanExplorer(acts, np.random.default_rng(1).normal(size=(40, 8)), engine=Engine())
    assert explorer._rows == []
    assert explorer._facts["reach"] is None
    assert "never varies" in explorer.summary


def test_beside_a_worker_the_newest_head_wins(acts):
    engine = Worker()
    explorer = tk.SpanExplorer(acts, head="L3.H7", engine=engine)
    assert engine.wait(patience.seconds())
    gate, held = threading.Event(), WordsSession.describe

    def slow(self, *arguments, **options):
        gate.wait(10)
        return held(self, *arguments, **options)

    explorer._session.describe = slow.__get__(explorer._session)
    start = time.perf_counter()
    for head in range(8):
        explorer.head = (2, head)
    assert time.perf_counter() - start < 1, "asking never waits"
    assert "head" in explorer._work
    gate.set()
    assert engine.wait(patience.seconds())
    assert explorer._shown == [2, 7]
    assert explorer._work == []
    assert [row["text"] for row in explorer._rows] == tk.textspan(acts, "world", size=10, layers=None).texts[2][7]
