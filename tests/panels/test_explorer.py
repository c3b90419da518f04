"""Explorer: one selection for all panels, a state that restores, a wire that stays small."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import patience
import pytest
import traitlets

import toolkit as tk
from toolkit.engine.engine import Engine
from toolkit.labs.edit import EditSession
from toolkit.labs.explorer import NOBODY, ExplorerSession
from toolkit.panels.base import composed
from toolkit.panels.base.panel import parts_of
from toolkit.panels.explorer.panel import PART, Explorer
from toolkit.panels.explorer.panels import PANELS
from toolkit.panels.explorer.state import read_state

PAIR = ("landbird", "waterbird")


@pytest.fixture(scope="module")
def acts() -> tk.Acts:
    return tk.extract(tk.load(), tk.scenes("val", n=240), progress=False)


@pytest.fixture
def explorer(acts: tk.Acts) -> Explorer:
    return Explorer(acts.model, acts, PAIR, engine=Engine())


def messages(panel: Any) -> list[dict[str, Any]]:
    """What a panel sends from now on."""
    sent: list[dict[str, Any]] = []
    panel.comm.send = lambda data=None, buffers=None, **rest: sent.append(data)
    return sent


def test_choosing_an_error_leads_every_panel_there(explorer: Explorer) -> None:
    for name in ("grid", "spans", "maps", "ablation", "edit", "two"):
        explorer.part(name)
    wrong = next(
        i for i, c in zip(explorer.gallery.ids, explorer.gallery.captions, strict=True) if c.startswith("landbird")
    )
    before = explorer.gallery.ids
    explorer.gallery.selected = wrong
    assert explorer.selection.pair == explorer.pair == PAIR
    assert explorer.ablation.pair == explorer.edit.pair == explorer.two.pair == PAIR
    assert explorer.spans.image == explorer.maps.image == explorer.ablation.image == explorer.two.image == wrong
    assert (explorer.maps.text, explorer.maps.against) == ("a photo of a waterbird", "a photo of a landbird")
    assert explorer.gallery.ids == before, "the images one chooses from stay where they are"
    assert explorer.grid.values == pytest.approx(explorer.ablation._session.map("−D", PAIR, "zero", ""))
    assert explorer.ablation.score == explorer.two.score == explorer.grid.score == "−D"
    explorer.grid.selected = "L3.H7"
    assert explorer.selection.heads == explorer.maps.heads.heads == ((3, 7),)
    assert explorer.spans.head == explorer.ablation.head == (3, 7)
    assert not explorer.error
    assert not any(panel.error for panel in explorer.parts.values())


def test_the_filter_shows_a_cell_and_the_search_orders_it(explorer: Explorer) -> None:
    explorer.pair = PAIR
    images = explorer._session.images
    names = np.array(images.classes.names, dtype=object)
    cell = (names[images.truth] == "landbird") & (names[images.guess] == "waterbird")
    assert set(explorer.gallery.ids) == set(images.acts.ids[cell])
    assert set(explorer.gallery.marks) == {"wrong"}
    explorer.show = "right"
    right = (names[images.truth] == "landbird") & (names[images.guess] == "landbird")
    assert set(explorer.gallery.ids) == set(images.acts.ids[right])
    assert set(explorer.gallery.marks) == {"right"}
    explorer.query = "water"
    assert list(explorer.gallery.ids) == list(
        tk.search(images.acts.where(id=list(images.acts.ids[right])), "water").ids
    )
    assert "by their cosine with “water”" in explorer._found
    explorer.query = "a zebra"
    assert "does not know: zebra" in explorer._found
    explorer.query, explorer.show, explorer.pair = "", "all", None
    assert len(explorer.gallery) == len(images)


def test_images_of_one_group(acts: tk.Acts, explorer: Explorer) -> None:
    assert set(explorer._groups) == {f"{bird} on {place}" for bird in PAIR for place in ("land", "water")}
    sizes = [int((acts.groups.astype(str) == group).sum()) for group in explorer._groups]
    assert sizes == sorted(sizes, reverse=True), "the largest first"
    explorer.show, explorer.group = "all", "landbird on water"
    assert set(acts.groups[np.isin(acts.ids, explorer.gallery.ids)]) == {"landbird on water"}
    assert len(explorer.gallery.ids) == (acts.groups == "landbird on water").sum()
    assert explorer._found.startswith(f"{len(explorer.gallery.ids)} images in landbird on water")
    saved = json.loads(json.dumps(explorer.state))
    assert saved["group"] == "landbird on water"
    again = Explorer(acts.model, acts, PAIR, state=saved, engine=Engine())
    assert again.gallery.ids == explorer.gallery.ids
    explorer.group = ""
    assert len(explorer.gallery.ids) > len(again.gallery.ids)


def test_how_images_are_shared_out_is_a_picture(acts: tk.Acts, explorer: Explorer) -> None:
    shares = explorer.session.shares
    assert explorer._uses == [
        {"name": "make the edit", "n": len(shares.few)}, {"name": "choose heads", "n": len(shares.choosing)},
        {"name": "judge what is done", "n": len(shares.judging)},
    ]  # fmt: skip
    assert sum(use["n"] for use in explorer._uses) == len(acts)
    few = Explorer(acts.model, acts.take(range(30)), PAIR, engine=Engine())
    assert few._uses == [], "too few to be kept apart"


def test_heads_can_be_coloured_by_guilt_beside_their_words(explorer: Explorer) -> None:
    spans, maps = explorer.spans, explorer.session.maps(None)
    name, table = maps.first
    assert spans._guilt_name == name == "−D"
    np.testing.assert_allclose(np.frombuffer(spans._guilt, "<f4").reshape(4, 8), table, rtol=1e-6)
    spans.colouring = "guilt"
    assert explorer.state["panels"]["spans"]["colouring"] == "guilt"
    explorer.pair = PAIR
    np.testing.assert_allclose(
        np.frombuffer(spans._guilt, "<f4").reshape(4, 8), explorer.session.maps(PAIR).first[1], rtol=1e-6
    )


def test_a_score_s_scale_ends_at_its_guiltiest_head_and_says_what_it_is(explorer: Explorer) -> None:
    grid = explorer.grid
    for name in grid.scores:
        grid.score = name
        assert grid.limit == pytest.approx(np.nanmax(grid.values))
        assert grid._says[name]
    plain = tk.HeadGrid({"A": -np.eye(3), "B": np.eye(3)})
    assert plain._says == {}
    assert plain.limit == 1


def test_state_is_small_plain_and_restores_everything(acts: tk.Acts, explorer: Explorer, tmp_path: Path) -> None:
    for tab in PART:
        explorer.tab = tab
    explorer.pair, explorer.query, explorer.show = PAIR, "water", "mistakes"
    explorer.selection.image, explorer.selection.heads = explorer.gallery.ids[1], "L3.H7 L2.H6"
    explorer.spans.query, explorer.maps.beside, explorer.maps.patch = "water", "ablated", (2, 3)
    explorer.ablation.strengths, explorer.ablation.how = {"L3.H7": 0.0, "L3.H5": 0.5}, "mean"
    explorer.edit.alpha, explorer.edit.heads, explorer.two.score = 30, "L3.H7 L3.H5", "C"
    text = json.dumps(explorer.state)
    assert len(text) < 5000
    assert json.loads(text) == explorer.state
    file = tmp_path / "state.json"
    file.write_text(text)
    for given in (json.loads(text), text, file, str(file)):
        assert read_state(given) == json.loads(text)
    again = Explorer(acts.model, acts, PAIR, state=file, engine=Engine())
    assert again.state == json.loads(text), "also of panels that are not made yet"
    for name in PART.values():
        again.part(name)
    assert again.state == json.loads(text)
    assert again.edit.edit is not None
    assert again.edit.edit.alpha == 30
    assert again.edit.edit.theta.tolist() == pytest.approx(explorer.edit.edit.theta.tolist())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "format 1"), ({"fingerprint": "another"}, "load that model"), ({"class_set": "x"}, "class set"),
        ({"data": "x"}, "other images or labels"),
        ({"tabb": 1}, "'tab'"), ({"selection": {"imge": 1}}, "'image'"), ({"panels": {"spam": {}}}, "gallery"),
        ({"selection": 3}, "a int"),
        ({"selection": {"image": "nope"}}, "these data have not"), ({"selection": {"heads": "L99.H99"}}, "L99"),
        ({"panels": {"ablation": {"zzz": 1}}}, "zzz"), ({"panels": {"edit": 3}}, "a int"), ({"tab": "x"}, "mistakes"),
        ({"pair": ["landbird", "owl"]}, "two of the classes"), ({"pair": [{}, 1]}, "two of the classes"),
    ],
)  # fmt: skip
def test_a_state_of_something_else_is_refused_in_words(explorer: Explorer, change: Any, words: str) -> None:
    state = explorer.state
    with pytest.raises(tk.InputError, match=words):
        explorer.state = state | change
    assert explorer.state == state


@pytest.mark.parametrize("text", ["", "[1]", "{", "nul", "no_such_file.json", 7])
def test_a_state_that_cannot_be_read_is_refused(explorer: Explorer, text: Any) -> None:
    with pytest.raises(tk.InputError, match="Explorer state"):
        explorer.state = text


def test_a_panel_refuses_settings_it_has_not_before_any_is_set(explorer: Explorer) -> None:
    assert explorer.ablation.how == "zero"
    with pytest.raises(tk.InputError, match="did you mean 'effect'"):
        explorer.state = explorer.state | {"panels": {"ablation": {"how": "mean", "efect": "direct"}}}
    assert explorer.ablation.how == "zero"


def test_every_panel_keeps_settings_it_has() -> None:
    for panel in PANELS:
        assert all(hasattr(panel, setting) or setting == "size" for setting in panel.saved), panel.__name__


def test_parts_have_no_connection_of_their_own_until_they_are_shown(explorer: Explorer) -> None:
    explorer.tab = "off"
    assert explorer.ablation.comm is None
    sent = messages(explorer)
    explorer.ablation.how = "mean"
    assert any("ablation__how" in message["state"] for message in sent)
    bundle = explorer.ablation._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.ablation.comm.comm_id
    alone = messages(explorer.ablation)
    sent.clear()
    explorer.ablation.how = "zero"
    assert any("ablation__how" in m["state"] for m in sent)
    assert any("how" in m["state"] for m in alone)


def test_what_the_browser_sets_goes_to_the_part_and_is_echoed_under_its_name(explorer: Explorer) -> None:
    explorer.tab = "off"
    sent = messages(explorer)
    off = [{"head": [3, 7], "strength": 0.0}]
    explorer.set_state({"ablation___off": off, "tab": "edit", "ablation__theme": "dark", "spam__x": 1})
    assert str(explorer.ablation.heads) == "L3.H7"
    assert explorer.tab == "edit"
    assert explorer.ablation.theme == "auto"
    echoes = [m["state"] for m in sent if m["method"] == "echo_update"]
    assert {"ablation___off": off} in echoes
    with pytest.raises(traitlets.TraitError):
        explorer.tab = "spam"


def test_binary_values_travel_beside_the_message(explorer: Explorer) -> None:
    explorer.tab = "where"
    got: list[Any] = []
    explorer.comm.send = lambda data=None, buffers=None, **rest: got.append((data, buffers))
    explorer.maps.text = "water"
    paths = [path for data, buffers in got for path in data["buffer_paths"]]
    assert ["maps___a", "values"] in paths
    assert all(len(data["buffer_paths"]) == len(buffers or []) for data, buffers in got)
    state = explorer.get_state()
    assert state["maps___a"]["values"] == explorer.maps._a["values"]
    hosted = composed.HOSTED
    assert not any(key.split("__", 1)[1] in hosted for key in state if "__" in key and not key.startswith("__"))


def test_the_wire_stays_small(acts: tk.Acts) -> None:
    explorer = Explorer(acts.model, acts, PAIR, engine=Engine())
    state = explorer.get_state()
    size = sum(len(v) if isinstance(v, bytes) else len(json.dumps(v, default=str)) for v in state.values())
    assert size < 300_000, size
    assert len(Explorer._css.encode()) < 38_000


def test_the_report_holds_what_stands_in_the_panels(explorer: Explorer, tmp_path: Path) -> None:
    explorer.tab, explorer.pair = "off", PAIR
    explorer.ablation.heads = "L3.H7 L3.H5"
    explorer.tab = "edit"
    explorer.tab = "where"
    path = explorer.report(tmp_path / "found.html")
    html = path.read_text()
    facts = json.loads(html.split('id="report">')[1].split("</script>")[0])
    assert facts["heads"] == "L3.H7 L3.H5"
    assert facts["state"]["pair"] == list(PAIR)
    assert facts["edit"]["alpha"] == 10
    assert len(facts["maps"]) == 1
    assert path.stat().st_size < 5_000_000


def test_without_mistakes_it_still_opens(acts: tk.Acts) -> None:
    images = tk.Explorer(acts.model, acts, PAIR, engine=Engine())._session.images
    right = images.acts.take(np.flatnonzero((images.truth == images.guess).numpy()).tolist())
    explorer = Explorer(acts.model, right, PAIR, engine=Engine())
    assert len(explorer.gallery) == 0
    assert explorer._found == f"0 mistakes: every one of {len(right)} images is right; “right ones” shows them."
    assert explorer.grid.scores == (NOBODY,)
    for tab in ("words", "where", "off", "two"):
        explorer.tab = tab
    assert not explorer.error
    explorer.tab = "edit"
    assert "none is wrong" in explorer.error
    explorer.show = "all"
    assert len(explorer.gallery) == len(right)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"data": 3}, "a int as data"), ({"model": "ViT"}, "a Model"), ({"selection": 1}, "a Selection"),
        ({"stat": 1}, "did you mean 'state'"), ({"edit_on": "x"}, "edit_on"), ({"pair": ("a", "b")}, "landbird"),
        ({"classes": ["landbird"]}, "two classes or more"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_in_words(acts: tk.Acts, arguments: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"model": acts.model, "data": acts, "classes": PAIR, "engine": Engine()} | arguments
    with pytest.raises(tk.InputError, match=words):
        _opened(**given)


def _opened(model: Any, data: Any, classes: Any, **more: Any) -> None:
    explorer = Explorer(model, data, classes, **more)
    if explorer.error:
        raise tk.InputError("Explorer", explorer.error, "", "")


def test_data_without_labels_says_what_to_do(acts: tk.Acts) -> None:
    alike = acts.samples.take([i for i, label in enumerate(acts.labels) if label == "landbird"])
    with pytest.raises(tk.InputError, match="name the classes"):
        Explorer(acts.model, alike)


class Waiting:
    """An explorer with threads, as in a notebook."""

    def __init__(self, **arguments: Any) -> None:
        self.explorer = Explorer(tk.load(), tk.scenes("val", n=300), PAIR, **arguments)

    def until(self, condition: Any) -> None:
        deadline = patience.Deadline()
        while not condition():
            assert not deadline.passed(), self.explorer.error
            time.sleep(0.01)


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    return Waiting()


def test_with_threads_it_is_there_at_once_and_the_rest_comes(waiting: Waiting) -> None:
    explorer = waiting.explorer
    assert (explorer._parts == ["gallery"] and explorer.gallery.ids[0] == "val-0-world-000000") or explorer._parts
    waiting.until(lambda: "grid" in explorer.parts and not explorer._work)
    explorer.tab = "edit"
    waiting.until(lambda: "edit" in explorer.parts and explorer.edit.edit is not None)
    waiting.until(lambda: explorer.selection.edit is explorer.edit.edit)  # told after it is painted
    assert not explorer.error


def test_asked_from_many_threads_a_part_is_made_once(waiting: Waiting) -> None:
    explorer, found = waiting.explorer, []
    threads = [threading.Thread(target=lambda: found.append(explorer.ablation)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 6
    assert len({id(panel) for panel in found}) == 1
    assert explorer._parts.count("ablation") == 1


def test_a_panel_made_as_a_part_shares_the_layout_of_its_host() -> None:
    host = tk.HeadGrid(np.eye(3))
    with parts_of(host):
        part = tk.HeadGrid(np.eye(3))
    assert part.layout is host.layout
    assert part.comm is None
    assert tk.HeadGrid(np.eye(3)).comm is not None


def test_an_edit_is_not_compared_on_the_images_it_was_made_from(explorer: Explorer) -> None:
    explorer.tab = "edit"
    explorer.tab = "two"
    made_from = set(explorer.edit._session.images.acts.ids)
    assert len(made_from) == 20
    judged = set(explorer.two._lab.images.acts.ids)
    assert not made_from & judged
    assert sum(group.n for group in explorer.two.change.groups) == len(judged)


def test_nothing_is_chosen_on_what_judges_it(explorer: Explorer) -> None:
    """Heads, their number and the edit come from other images than every number of the panels does."""
    for name in ("grid", "ablation", "edit", "two"):
        explorer.part(name)
    session, shares = explorer._session, explorer._session.shares
    ids = session.prepare().ids.astype(str)
    found, judging = set(ids[shares.found]), set(ids[shares.judging])
    assert not found & judging
    assert found | judging == set(ids)
    assert set(ids[shares.few]) | set(ids[shares.choosing]) == found
    lab = explorer.ablation._session
    assert {*lab.images.acts.ids, *lab.validation.ids} <= found
    assert set(lab.judged.acts.ids) <= judging
    assert set(explorer.edit._session.images.acts.ids) <= found
    assert {*explorer.edit.edit.on().held.images.acts.ids, *explorer.two._lab.images.acts.ids} <= judging
    groups = [row for row in explorer.ablation._groups if not (row.get("sum") or row.get("other"))]
    assert sum(row["n"] for row in groups) == len(lab.judged)
    assert set(lab.others.acts.ids) <= judging
    for panel in (explorer.ablation, explorer.edit):
        assert shares.words in panel.description
    assert f"{len(lab.judged)} others judge" in explorer.grid.description


def test_what_the_other_classes_pay_for_heads_off_stands_where_they_are_switched_off(explorer: Explorer) -> None:
    lab = explorer.ablation
    lab.heads = "L3.H7 L3.H5 L3.H1"
    [row] = [row for row in lab._groups if row.get("other")]
    session = explorer.session
    judging, every = session.judging, session.all_classes
    others = ~np.isin(judging.labels.astype(str), PAIR)
    right = every.predict(judging.embedding, judging.model).numpy() == every.encode(judging.labels)
    left = tk.ablate(judging, every, lab.heads).embedding
    after = every.predict(left, judging.model).numpy() == every.encode(judging.labels)
    assert row["n"] == others.sum()
    assert row["before"] == pytest.approx(right[others].mean())
    assert row["after"] == pytest.approx(after[others].mean())
    assert row["low"] <= row["after"] - row["before"] <= row["high"]
    assert "other classes" in lab.summary
    assert explorer._now["off"] == "3 heads"
    explorer._let_go("off")
    assert explorer._now["off"] == ""
    assert not lab._off
    edit = next(mark for mark in explorer.edit._marks if mark["name"] == "heads off")
    lab.heads = explorer.edit.heads
    [row] = [row for row in lab._groups if row.get("other")]
    assert row["after"] == pytest.approx(edit["locality"], abs=1e-5), "one number for one thing in two tabs"


def test_the_edit_takes_the_heads_of_the_mistake_looked_at_unless_others_were_named(explorer: Explorer) -> None:
    edit = explorer.edit
    explorer.pair = PAIR
    assert edit.heads == explorer.session.choose(PAIR)
    explorer.pair = PAIR[::-1]
    assert edit.heads == explorer.session.choose(PAIR[::-1])
    edit.heads = "L2.H1"
    explorer.pair = PAIR
    assert str(edit.heads) == "L2.H1"


def test_heads_are_the_first_of_the_map_that_is_shown(explorer: Explorer) -> None:
    explorer.pair = PAIR
    chosen = explorer.worst_heads
    table = explorer.grid.values
    order = np.argsort(-table, axis=None, kind="stable")[: len(chosen)]
    assert set(chosen) == {(int(i) // table.shape[1], int(i) % table.shape[1]) for i in order}
    assert explorer.ablation.by == "validation"
    explorer.ablation.choose()
    assert set(explorer.ablation.heads) == set(chosen)
    assert "validation images" in explorer.ablation._why
    assert "the other classes losing at most 2 points" in explorer.ablation._why
    explorer.edit.choose()
    assert set(explorer.edit.heads) == set(chosen)
    assert explorer.edit._note == "", "they were chosen under the classes of the edit"


def test_texts_follow_the_pair_until_the_user_types_one(explorer: Explorer) -> None:
    explorer.tab = "edit"
    explorer.tab = "two"
    explorer.pair = PAIR
    explorer.tab = "where"
    explorer.pair = PAIR[::-1]
    for panel in (explorer.maps, explorer.two):
        assert (panel.text, panel.against) == ("a photo of a landbird", "a photo of a waterbird")
        assert panel.error == ""
    explorer.maps.text = "water"
    explorer.pair = PAIR
    assert explorer.maps.text == explorer.two.text == "water"


def test_opening_the_words_chooses_no_head_for_the_others(explorer: Explorer) -> None:
    explorer.tab = "where"
    explorer.tab = "words"
    assert explorer.selection.heads == ()
    assert not explorer.maps.heads
    table = explorer.grid.values
    assert explorer.spans.head == tuple(int(i) for i in np.unravel_index(table.argmax(), table.shape))
    explorer.selection.heads = "L2.H2"
    assert explorer.spans.head == (2, 2)


def test_a_restored_state_does_not_come_back_later(acts: tk.Acts, explorer: Explorer) -> None:
    explorer.tab = "where"
    explorer.selection.image, explorer.selection.heads = explorer.gallery.ids[2], "L3.H7"
    again = Explorer(acts.model, acts, PAIR, state=explorer.state | {"tab": "mistakes"}, engine=Engine())
    assert again.selection.image == explorer.gallery.ids[2]
    again.selection.image, again.selection.heads = again.gallery.ids[0], "L2.H1"
    again.tab = "where"
    assert again.selection.image == again.maps.image == again.gallery.ids[0]
    assert again.selection.heads == again.maps.heads.heads == ((2, 1),)


def test_linked_to_another_all_of_it_follows(explorer: Explorer) -> None:
    explorer.tab = "where"
    grid = tk.HeadGrid(np.zeros((4, 8)))
    tk.link(grid, explorer)
    grid.selected = "L3.H2"
    assert explorer.maps.heads.heads == explorer.grid.selected == ((3, 2),)


def test_the_report_says_how_heads_were_switched_off_and_names_both_maps(explorer: Explorer, tmp_path: Path) -> None:
    explorer.tab, explorer.pair = "off", PAIR
    explorer.ablation.how, explorer.ablation.strengths = "mean", {"L3.H7": 0.5}
    explorer.tab = "where"
    explorer.maps.heads, explorer.maps.beside = "L3.H7", "ablated"
    html = explorer.report(tmp_path / "found.html").read_text()
    facts = json.loads(html.split('id="report">')[1].split("</script>")[0])
    assert "mean-ablation of L3.H7, strength 0.5, direct effect" in html
    totals = {name: found["total"] for name, found in facts["maps"].items()}
    assert len(totals) == 2
    assert {explorer.maps.map.total, explorer.maps.other.total} == set(totals.values())
    (ablated,) = [name for name in totals if name.startswith("without L3.H7")]
    assert totals[ablated] == explorer.maps.other.total


def test_a_filter_set_meanwhile_is_not_lost(acts: tk.Acts, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = ExplorerSession.shown
    monkeypatch.setattr(ExplorerSession, "shown", lambda *given: (time.sleep(0.3), slow(*given))[1])
    explorer = Explorer(acts.model, acts, PAIR)
    time.sleep(0.15)
    explorer.pair = PAIR
    deadline = patience.Deadline()
    while explorer._work or "grid" not in explorer.parts:
        assert not deadline.passed()
        time.sleep(0.01)
    assert explorer._found.endswith("landbird taken for waterbird, the surest first.")
    assert len(explorer.gallery) == explorer._confusion["before"][1]


def test_an_observer_that_asks_for_a_panel_does_not_hang(waiting: Waiting) -> None:
    explorer, found = waiting.explorer, []
    waiting.until(lambda: "grid" in explorer.parts)
    explorer.selection.observe(lambda change: found.append(explorer.ablation), "heads")
    explorer.tab = "off"
    explorer.set_state({"grid___picked": [[3, 7]]})
    waiting.until(lambda: found and "ablation" in explorer.parts)
    assert explorer.ablation.head == (3, 7)


def test_a_newer_edit_takes_the_place_of_one_under_way(acts: tk.Acts) -> None:
    birds = tk.classes(PAIR)
    one, other = (tk.edit(acts.where(label=list(PAIR)).draw(per_class=8), birds, "L3.H7", alpha=a) for a in (1, 1000))
    shared = tk.Selection(edit=one)
    two = tk.TwoModels(acts, birds, selection=shared)
    time.sleep(0.5)
    shared.edit = other
    deadline = patience.Deadline()
    while two._work or two._of != two._names:
        assert not deadline.passed()
        time.sleep(0.01)
    alone = tk.TwoModels(acts, birds, other, engine=Engine())
    assert two._names["second"] == "edited: α = 1000, β = 10"
    assert [r["after"] for r in two._groups] == [r["after"] for r in alone._groups]
    shared.edit = None
    assert two._groups == []
    assert two._names["second"] == ""


def test_another_cell_lets_the_image_of_the_first_go(explorer: Explorer) -> None:
    explorer.pair = PAIR
    explorer.gallery.selected = explorer.gallery.ids[1]
    explorer.pair = PAIR[::-1]
    assert explorer.gallery.error == explorer.error == ""
    assert explorer.selection.image is None
    assert explorer.gallery.selected is None
    explorer.show = "right"
    right = explorer.gallery.selected = explorer.gallery.ids[0]
    explorer.show = "mistakes"
    assert explorer.gallery.error == ""
    assert explorer.selection.image == right, "a right one is no image of another error"


@pytest.mark.parametrize("query", ["\U0001f99c", "?!"])
def test_a_search_without_a_word_breaks_nothing(acts: tk.Acts, query: str) -> None:
    explorer = Explorer(acts.model, acts, PAIR, query=query, engine=Engine())
    assert explorer.error == ""
    assert "grid" in explorer.parts
    assert "no search for" in explorer._found
    explorer.query = ""
    assert explorer._found.endswith("the surest first.")


def test_a_state_saved_on_two_models_comes_back_with_its_edit(acts: tk.Acts, explorer: Explorer) -> None:
    explorer.tab = "edit"
    explorer.edit.alpha = 100
    explorer.tab = "two"
    again = Explorer(acts.model, acts, PAIR, state=explorer.state, engine=Engine())
    assert again.two._names["second"] == "edited: α = 100, β = 10"
    assert again.two._groups == explorer.two._groups


def test_a_report_of_a_restored_state_is_that_of_the_state(acts: tk.Acts, explorer: Explorer, tmp_path: Path) -> None:
    explorer.tab = "off"
    explorer.ablation.heads = "L3.H7"
    explorer.tab = "mistakes"
    again = Explorer(acts.model, acts, PAIR, state=explorer.state, engine=Engine())
    assert "ablation" not in again.parts
    html = again.report(tmp_path / "again.html").read_text()
    assert "zero-ablation of L3.H7, direct effect" in html


def test_what_is_not_the_explorer_s_own_is_not_in_its_state(explorer: Explorer, tmp_path: Path) -> None:
    explorer.selection.heads = "L3.H7 L11.H15"
    explorer.selection.image = "dropped.png"
    explorer.state = explorer.state
    assert explorer.state["selection"]["heads"] == "L3.H7"
    assert explorer.state["selection"]["image"] is None
    explorer.selection.heads = "L3.H7 L11.H15"
    assert explorer.report(tmp_path / "found.html").exists()


def test_settings_that_do_not_fit_are_said_and_taken_back(explorer: Explorer) -> None:
    explorer.tab = "off"
    good = explorer.state
    explorer.state = good | {"panels": {"ablation": {"strengths": {"L3.H7": "x"}}}}
    assert "not restored" in explorer.ablation.error
    explorer.state = good
    assert explorer.ablation.error == ""


def test_the_edit_opens_where_algorithm_1_finds_nobody(acts: tk.Acts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EditSession, "choose", lambda *given: tk.HeadSet(()))
    explorer = Explorer(acts.model, acts, PAIR, engine=Engine())
    explorer.selection.heads = "L3.H5"
    explorer.tab = "edit"
    assert explorer.error == ""
    assert str(explorer.edit.heads) == "L3.H5"


def test_where_without_a_choice_shows_a_mistake(explorer: Explorer) -> None:
    explorer.tab = "where"
    assert explorer.maps.image == explorer.gallery.ids[0]
    assert explorer.selection.image is None


def test_of_twenty_classes_every_panel_lists_and_finds() -> None:
    """Two models, the edit and the explorer itself, beyond what a matrix and a table have room for."""
    model = tk.load()
    val = tk.extract(model, tk.scenes("val", 500, 5), progress=False)
    ungrouped = val.take(range(400))
    classes = tk.classes(sorted(set(val.labels)))
    explorer = Explorer(model, val, classes, engine=Engine())
    assert explorer.error == ""
    errors = explorer._confusion
    assert errors["names"] == []
    assert errors["of"] == len(explorer._session.images.mistakes)
    assert [row["before"] for row in errors["rows"]] == sorted((row["before"] for row in errors["rows"]), reverse=True)
    explorer.find = "landbird"
    assert all("landbird" in (row["truth"], row["guess"]) for row in explorer._confusion["rows"])
    explorer.pair = ("waterbird", "landbird")
    explorer.find = "no such class"
    assert [row["truth"] for row in explorer._confusion["rows"]] == ["waterbird"], "what is chosen stays"

    edit = tk.edit(ungrouped.draw(per_class=4), classes, "L3.H7 L3.H5", alpha=30)
    two = tk.TwoModels(val, classes, edit, engine=Engine())
    groups = two.change.groups
    assert len(groups) > 14
    assert len(two._groups) == 16
    assert two._groups_words.startswith(f"14 of {len(groups)} ")
    change = [row["after"] - row["before"] for row in two._groups[:-2]]
    assert change == sorted(change)
    two.rank = "gain"
    assert two._groups[0]["after"] - two._groups[0]["before"] >= max(change)
    two.find = groups[3].group
    assert groups[3].group in {row["name"] for row in two._groups[:-2]}
    assert two._groups[-1]["n"] == two.change.before.n

    lab = tk.EditLab(ungrouped.draw(per_class=4), classes, "L3.H7", held_out=val, engine=Engine())
    assert lab.error == ""
    shown = [row for row in lab._groups if not (row.get("sum") or row.get("other"))]
    assert len(shown) == 14
    assert lab._groups_words.startswith("14 of ")
    lab.find = shown[5]["name"]
    assert shown[5]["name"] in {row["name"] for row in lab._groups}


def test_an_empty_list_says_what_there_is_instead(acts: tk.Acts) -> None:
    explorer = Explorer(acts.model, acts, PAIR, engine=Engine())
    images = explorer._session.images
    wrong = acts.take([i for i, name in enumerate(acts.ids) if str(name) in set(map(str, _wrong_ids(images)))])
    lost = Explorer(acts.model, wrong, PAIR, engine=Engine(), show="right")
    assert lost._found == f"0 right ones: every one of {len(wrong)} images is wrong; “mistakes” shows them."
    one = wrong.where(label=[str(wrong.labels[0])])
    other = next(name for name in PAIR if name != str(wrong.labels[0]))
    few = Explorer(acts.model, one, PAIR, engine=Engine())
    few.pair = (other, str(wrong.labels[0]))
    assert few._found == f"0 images of {other} taken for {wrong.labels[0]}: there is no image of this class."


def _wrong_ids(images: Any) -> Any:
    return images.acts.ids[(images.truth != images.guess).numpy()]


def test_a_model_without_words_needs_vectors(acts: tk.Acts) -> None:
    clip = copy.deepcopy(acts.model.clip)
    clip.visual.proj.data *= 1.01  # other weights, whose texts nobody knows
    silent = tk.wrap(clip, preprocess=acts.model.preprocess)
    data = tk.scenes("val", n=12, kind="birds")
    with pytest.raises(tk.InputError, match=r"a model without a tokenizer.*vectors"):
        Explorer(silent, data, PAIR, engine=Engine())
    vectors = acts.model.encode_text([f"a photo of a {name}" for name in PAIR])
    explorer = Explorer(silent, data, tk.classes(PAIR, vectors=vectors), engine=Engine())
    assert len(explorer._session.images) == 12
    explorer.tab = "words"
    assert "a bank of texts for a model without a tokenizer" in explorer.error
    explorer.tab = "off"
    assert explorer.error == ""
