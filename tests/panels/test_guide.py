"""The guided tour: every step does what its code says, on any images, whatever is ready."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import numpy as np
import patience
import pytest

import toolkit as tk
from toolkit.engine.engine import Engine
from toolkit.labs.explorer import ExplorerSession
from toolkit.panels.base.bundle import BUNDLES, PANELS
from toolkit.panels.base.panel import LOCK
from toolkit.panels.explorer import guide
from toolkit.panels.explorer.guide import STEPS, Own, cells
from toolkit.panels.explorer.panel import Explorer
from toolkit.panels.explorer.parts import TABS

PAIR = ("landbird", "waterbird")


@pytest.fixture(scope="module")
def acts() -> tk.Acts:
    return tk.extract(tk.load(), tk.scenes("val", n=240), progress=False)


@pytest.fixture(scope="module")
def right(acts: tk.Acts) -> tk.Acts:
    """Images the model is never wrong about."""
    images = Explorer(acts.model, acts, PAIR, engine=Engine())._session.images
    return images.acts.take(np.flatnonzero((images.truth == images.guess).numpy()).tolist())


def run(explorer: Explorer, code: str) -> Any:
    """What a notebook does with a cell: run the lines, and show what the last one is."""
    *lines, last = code.split("\n")
    names = {"explorer": explorer}
    exec("\n".join(lines), names)
    return eval(last, names)  # noqa: S307 – the steps' own code


def alike(a: Explorer, b: Explorer) -> None:
    assert a.state == b.state
    assert a.selection.image == b.selection.image
    assert a.selection.heads == b.selection.heads


def test_every_step_does_what_its_code_does(acts: tk.Acts) -> None:
    toured, coded = (Explorer(acts.model, acts, PAIR, engine=Engine()) for _ in range(2))
    shown = []
    for i, step in enumerate(STEPS):
        toured.guide = i
        shown.append(run(coded, step.code))
        alike(toured, coded)
        assert not toured.error, step.title
    assert shown[0] == toured.pair == toured.worst_pair
    assert toured.selection.heads == toured.ablation.heads.heads == toured.worst_heads.heads
    assert toured.selection.image == toured.gallery.ids[0]
    assert (toured.edit.alpha, toured.edit.beta) == (10, 10)
    assert shown[7].strategy.name == "diagonal"
    assert toured.edit.other.strategy.name == "strengths", "both are shown"
    assert set(toured.edit.heads) == set(toured.worst_heads), "chosen for the pair"
    assert set(shown[8]["name"]) == set(toured.compare.methods)
    assert shown[9].groups == toured.two.change.groups
    assert [type(one).__name__ for one in shown[1:7]] == [
        "Gallery", "HeadGrid", "Selection", "SpanExplorer", "TokenMap", "Change",
    ]  # fmt: skip


def test_a_step_undoes_nothing_but_its_own(acts: tk.Acts) -> None:
    explorer = Explorer(acts.model, acts, PAIR, engine=Engine())
    explorer.guide = 3
    explorer.pair, explorer.selection.heads = PAIR[::-1], "L2.H2"
    explorer.guide = 4
    assert explorer.pair == PAIR[::-1]
    assert explorer.selection.heads == ((2, 2),)
    assert explorer.tab == "words"
    explorer.guide = 1
    assert (explorer.tab, explorer.pair) == ("mistakes", explorer.worst_pair)
    explorer.guide = -1
    assert (explorer.tab, explorer.pair) == ("mistakes", explorer.worst_pair)


def test_it_is_told_to_the_browser_and_not_part_of_the_state(acts: tk.Acts) -> None:
    explorer = Explorer(acts.model, acts, PAIR, engine=Engine(), guide=2)
    assert explorer.guide == 2
    before = explorer.state
    explorer.set_state({"guide": 3})
    assert explorer.guide == 3
    assert explorer.state.keys() == before.keys()
    assert "guide" not in json.dumps(explorer.state)
    told = explorer.get_state()["_tour"]
    assert [one["code"] for one in told] == [step.code for step in explorer.tour]
    assert {one["tab"] for one in told} <= {"", *TABS}
    assert len(json.dumps(told)) < 12_000
    assert Explorer(acts.model, acts, PAIR, engine=Engine()).get_state()["_tour"] == [], "before it is asked for"


def test_the_tour_prints_as_a_list() -> None:
    text = repr(STEPS)
    for n, step in enumerate(STEPS, 1):
        assert f"{n}. {step.title}\n    {step.says}" in text
        assert step.code.split("\n")[-1] in text


def test_words_are_few_and_plain() -> None:
    assert 8 <= len(STEPS) <= 11
    for step in STEPS:
        assert len(step.says) < 420, step.title
        assert len(re.findall(r"[.:;?]", step.says)) >= 2
        assert step.look.endswith("?")
        assert not re.search(r"landbird|waterbird|built-in", step.says + step.look), "it is for any classes"


@pytest.mark.parametrize("value", [-2, 11, 3.5, "2", None, True, [1]])
def test_what_is_no_step_is_refused_in_words(acts: tk.Acts, value: Any) -> None:
    explorer = Explorer(acts.model, acts, PAIR, engine=Engine(), guide=1)
    with pytest.raises(tk.InputError, match=r"Explorer\.guide: got .* 0 to 10"):
        explorer.guide = value
    explorer.set_state({"guide": value})
    assert "Explorer.guide" in explorer.error
    assert explorer.guide == 1
    with pytest.raises(tk.InputError, match=r"Explorer\.guide"):
        Explorer(acts.model, acts, PAIR, engine=Engine(), guide=value)


def test_every_target_is_known_to_the_script_and_drawn_by_one() -> None:
    source = (PANELS / "explorer" / "guide.js").read_text(encoding="utf-8")
    known = dict(re.findall(r'(\w+): "(\.tk[^"]*)"', source.split("const LOOK")[1].split("};")[0]))
    assert {step.target for step in STEPS} == set(known)
    written = [path for path in PANELS.rglob("*.js") if path.parent != BUNDLES]
    scripts = "".join(path.read_text(encoding="utf-8") for path in written)
    for selector in known.values():
        for name in re.findall(r"\.(tk[\w-]+)", selector):
            made = rf'["`\s]{name}["`\s]|\(model, el, "{name}"'
            assert re.search(made, scripts), name


def test_every_own_value_is_one_of_the_explorer() -> None:
    own = {value.name for step in STEPS for _, value in step.sets if isinstance(value, Own)}
    assert own == {"worst_pair", "worst_heads", "worst_image"}
    assert all(isinstance(getattr(Explorer, name), property) for name in own)


# any images


def test_without_a_mistake(right: tk.Acts) -> None:
    toured, coded = (Explorer(right.model, right, PAIR, engine=Engine()) for _ in range(2))
    assert toured.worst_pair is None
    assert toured.worst_image is None
    assert len(toured.worst_heads) == 1, "the one that leads there most"
    refused = []
    for i, step in enumerate(STEPS):
        toured.guide = i
        if step.target == "edit":
            with pytest.raises(tk.InputError, match="none is wrong"):
                run(coded, step.code)
            coded.tab = toured.tab
            refused.append(step.target)
        else:
            run(coded, step.code)
        alike(toured, coded)
        assert bool(toured.error) == (step.target == "edit"), step.title
    assert refused == ["edit"]
    assert toured.ablation.heads.heads == toured.selection.heads


def test_with_a_pair_nobody_is_wrong_in(acts: tk.Acts) -> None:
    rows = [i for i, label in enumerate(acts.labels) if label in PAIR]
    explorer = Explorer(acts.model, acts.take(rows), [*PAIR, "a photo of nothing"], engine=Engine())
    explorer.pair = ("landbird", "a photo of nothing")
    assert not explorer._session.images.mistakes.get(explorer.pair), "the case this test is about"
    assert len(explorer.worst_heads) == 1
    assert explorer.worst_image is None


def test_with_every_class_of_other_data(acts: tk.Acts) -> None:
    explorer = Explorer(acts.model, acts, engine=Engine())
    assert len(explorer._session.classes) > 2
    for i in range(len(STEPS)):
        explorer.guide = i
        assert not explorer.error
    assert explorer.pair == explorer.worst_pair
    wrong = explorer._session.images.mistakes
    assert wrong[explorer.pair] == max(wrong.values())


def test_the_same_without_algorithm_1(acts: tk.Acts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.labs.ablation.AblationSession.choose", lambda *given: tk.HeadSet(()))
    explorer = Explorer(acts.model, acts, PAIR, engine=Engine(), guide=3)
    table = explorer.grid.values
    row, head = np.unravel_index(table.argmax(), table.shape)
    assert explorer.selection.heads == ((explorer.grid.layers[row], int(head)),)


# whatever is ready


def test_a_tour_begun_at_once_arrives_where_the_code_does(acts: tk.Acts) -> None:
    explorer = Explorer(tk.load(), tk.scenes("val", n=240), PAIR, guide=0)
    for i in range(len(STEPS)):
        start = time.monotonic()
        explorer.guide = i
        assert time.monotonic() - start < 1, "nothing is waited for"
        tab = dict(STEPS[i].sets).get("tab")
        assert tab in (None, explorer.tab), "what is there is done at once"
    explorer.wait()
    inline = Explorer(acts.model, acts, PAIR, engine=Engine())
    for step in STEPS:
        run(inline, step.code)
    alike(explorer, inline)
    assert not explorer.error


def test_a_tour_left_before_the_parts_are_there_does_nothing_more() -> None:
    explorer = Explorer(tk.load(), tk.scenes("val", n=300), PAIR, guide=1)
    explorer.guide = -1
    explorer.wait()
    assert explorer.pair is None
    explorer.guide = 1
    explorer.wait()
    assert explorer.pair == explorer.worst_pair


@pytest.mark.parametrize("engine", [None, Engine()], ids=["worker", "inline"])
def test_work_that_failed_is_raised_by_wait_and_told_by_the_repr(engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, progress: Any = None) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(ExplorerSession, "prepare", fail)
    explorer = Explorer(tk.load(), tk.scenes("val", n=40), PAIR, engine=engine)
    with pytest.raises(OSError, match="the disk is gone"):
        explorer.wait()
    assert "their parts could not be made: the disk is gone" in repr(explorer)
    with pytest.raises(OSError, match="the disk is gone"):
        explorer.wait()


def test_what_the_user_chose_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = Explorer(tk.load(), tk.scenes("val", n=300), PAIR)
    other = explorer.worst_pair[::-1]
    explorer.wait()
    found = guide.Guided.worst_pair.fget
    monkeypatch.setattr(Explorer, "worst_pair", property(lambda self: (time.sleep(0.3), found(self))[1]))
    explorer.guide = 1
    explorer.pair = other
    explorer.wait()
    assert explorer.pair == other


# waiting


def test_wait_returns_when_all_is_there() -> None:
    explorer = Explorer(tk.load(), tk.scenes("val", n=240), PAIR)
    assert explorer.wait() is explorer
    assert "grid" in explorer.parts
    assert not explorer._work
    explorer.tab = "edit"
    assert explorer.wait().edit.edit is not None
    assert not any(getattr(panel, "_work", ()) for panel in explorer.parts.values())
    explorer.ablation.heads = "L3.H7"
    change = explorer.wait().ablation.change
    explorer.ablation.heads = "L3.H5"
    assert explorer.wait().ablation.change.groups != change.groups


def test_wait_names_what_still_runs() -> None:
    explorer = Explorer(tk.load(), tk.scenes("val", n=240), PAIR)
    with pytest.raises(TimeoutError, match=r"after 0 s still at work: .*parts"):
        explorer.wait(0)
    explorer.wait()
    explorer.edit._submit("solve", lambda request: time.sleep(0.5), lambda found: None)
    with pytest.raises(TimeoutError, match="edit: solve"):
        explorer.wait(0.05)


@pytest.mark.parametrize("timeout", [-1, "1", None, float("nan")])
def test_wait_refuses_what_is_no_time(acts: tk.Acts, timeout: Any) -> None:
    with pytest.raises(tk.InputError, match="seconds"):
        Explorer(acts.model, acts, PAIR, engine=Engine()).wait(timeout)


def test_wait_does_not_hang_in_an_observer() -> None:
    explorer = Explorer(tk.load(), tk.scenes("val", n=240), PAIR)
    with LOCK, pytest.raises(tk.InputError, match="from an observer"):
        explorer.wait()
    explorer.wait()


def test_with_an_inline_engine_there_is_nothing_to_wait_for(acts: tk.Acts) -> None:
    explorer = Explorer(acts.model, acts, PAIR, engine=Engine())
    with LOCK:
        assert explorer.wait(patience.seconds()) is explorer


# as cells


def test_the_cells_are_the_steps() -> None:
    found = cells()
    assert len(found) == len(STEPS) + 1
    assert found[0][1] == "import toolkit as tk\n\nexplorer = tk.Explorer()\nexplorer"
    for n, (step, (words, code)) in enumerate(zip(STEPS, found[1:], strict=True), 1):
        assert code == step.code
        assert words.startswith(f"## {n}. {step.title}\n")
        assert step.says in words
    for _, code in found:
        compile(code, "cell", "exec")
