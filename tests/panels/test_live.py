"""Signs of a panel: what is worked out, how far it is, the end of it and the way on."""

from __future__ import annotations

import ast
import inspect
import threading
import time
from pathlib import Path
from typing import ClassVar

import patience
import pytest

from toolkit.engine import engine as engines
from toolkit.engine.engine import Engine
from toolkit.engine.worker import Worker
from toolkit.panels.base.live import LivePanel
from toolkit.panels.base.panel import LOCK
from toolkit.panels.base.selection import Selection
from toolkit.signs import counted

from .test_contract import KINDS


class Panel(LivePanel):
    """A panel that works out one thing, a step whenever it is let go on."""

    _esm = "export default {}"
    doing: ClassVar[dict[str, str]] = {"sum": "add it up"}

    def __init__(self, engine):
        self._begin(engine)
        self.go, self.seen, self.runs = threading.Semaphore(0), [], 0
        super().__init__()
        self.selection = Selection()
        self.ask()

    def ask(self):
        def work(request):
            self.runs += 1
            total = 0
            for i in counted(range(5), "count", "sheep"):
                assert self.go.acquire(timeout=patience.seconds())
                total += i
            return total

        self._submit("sum", work, self.seen.append)

    def reaches(self, done):
        """Let it go on to so many steps, and wait until it says so."""
        for _ in range(done - self._signs.get("sum", {}).get("done", 0)):
            self.go.release()
        end = time.monotonic() + patience.seconds()
        while self._signs.get("sum", {}).get("done") != done and time.monotonic() < end:
            time.sleep(0.002)
        return self._signs["sum"]


@pytest.fixture
def panel(monkeypatch):
    for name in ("QUIET", "EVERY"):
        monkeypatch.setattr(engines, name, 0)
    return Panel(Worker())


def test_it_says_how_far_it_is_and_forgets_it_at_the_end(panel):
    assert panel._work == ["sum"]
    assert panel._doing == {"sum": "add it up"}
    now = panel.reaches(2)
    assert (now["what"], now["unit"], now["done"], now["of"], now["stopped"]) == ("count", "sheep", 2, 5, False)
    assert now["rate"] > 0
    assert now["left"] == pytest.approx(3 / now["rate"], rel=0.2)
    panel.go.release(3)
    assert panel.engine.wait(patience.seconds())
    assert (panel.seen, panel._work, panel._signs) == ([10], [], {})


@pytest.mark.parametrize("by", ["button", "call"])
def test_it_can_be_stopped_and_go_on(panel, by):
    panel.reaches(2)
    if by == "button":
        panel._asked = [{"id": "1", "do": "stop work", "part": "sum"}]
    else:
        panel.stop()
    panel.go.release()
    assert panel.engine.wait(patience.seconds())
    assert (panel.seen, panel._work, panel.error) == ([], [], "")
    assert panel._signs["sum"]["stopped"]
    assert panel._signs["sum"]["done"] == 2
    if by == "button":
        panel._asked = [{"id": "2", "do": "go on", "part": "sum"}]
    else:
        panel.go_on()
    assert panel._work == ["sum"]
    assert not panel._signs.get("sum", {}).get("stopped")
    panel.go.release(5)
    assert panel.engine.wait(patience.seconds())
    assert (panel.seen, panel._signs, panel.runs) == ([10], {}, 2)
    panel.stop("sum", "nothing of that name")  # there is nothing to stop, and nothing to take up
    panel.go_on("sum", "nothing of that name")
    assert (panel._work, panel._signs) == ([], {})


def test_a_new_ask_takes_the_place_of_what_was_stopped(panel):
    panel.reaches(1)
    panel.stop()
    panel.go.release()
    assert panel.engine.wait(patience.seconds())
    panel.ask()
    assert panel._signs == {}
    panel.go.release(5)
    assert panel.engine.wait(patience.seconds())
    assert panel.seen == [10]


def test_what_waits_can_be_stopped_too(panel):
    gate = threading.Event()
    panel.stop()
    panel.go.release()
    assert panel.engine.wait(patience.seconds())
    panel.engine.submit("another", lambda request: gate.wait(patience.seconds()))
    before = panel.runs
    panel.ask()
    panel.stop()
    assert panel._signs["sum"]["stopped"]
    assert panel._work == []
    gate.set()
    assert panel.engine.wait(patience.seconds())
    assert panel.runs == before


def test_what_waits_says_what_it_waits_for(panel):
    panel.reaches(1)
    second = Panel(panel.engine)
    assert second._signs == {}, "nothing is known of what runs before it says something"
    panel.reaches(2)
    end = time.monotonic() + patience.seconds()
    while not second._signs and time.monotonic() < end:
        time.sleep(0.002)
    assert second._signs["sum"]["what"] == "add it up, once this is done: add it up"
    panel.go.release(3)
    assert second.reaches(1)["what"] == "count"
    second.go.release(4)
    assert panel.engine.wait(patience.seconds())
    assert (panel.seen, second.seen, second._signs) == ([10], [10], {})


def test_what_waits_says_so_although_the_lock_was_held_at_first(panel):
    second = Panel(panel.engine)
    with LOCK:
        panel.go.release(1)
        time.sleep(0.1)
        assert second._signs == {}
    panel.go.release(1)
    end = time.monotonic() + patience.seconds()
    while not second._signs and time.monotonic() < end:
        time.sleep(0.002)
    assert second._signs["sum"]["what"] == "add it up, once this is done: add it up"
    panel.go.release(3)
    second.go.release(5)
    assert panel.engine.wait(patience.seconds())


def test_a_panel_that_ends_its_own_work_says_nothing_of_it(panel):
    panel.reaches(1)
    panel.engine.cancel()
    panel.go.release()
    assert panel.engine.wait(patience.seconds())
    assert (panel._work, panel._signs) == ([], {})


def test_work_goes_on_while_somebody_holds_the_lock(panel):
    with LOCK:
        panel.go.release(5)
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            time.sleep(0.01)
        assert panel._signs == {}
    assert panel.engine.wait(patience.seconds())
    assert panel.seen == [10]


def test_inline_it_is_over_before_anybody_could_look(capfd):
    made = []

    class Inline(LivePanel):
        _esm = "export default {}"

        def __init__(self):
            self._begin(Engine())
            super().__init__()
            self._submit("sum", lambda request: sum(counted(range(5), "count", "sheep")), made.append)

    panel = Inline()
    assert (made, panel._work, panel._signs) == ([10], [], {})
    assert capfd.readouterr() == ("", "")


def parts_of(kind):
    """The parts that a panel's own file asks for, by name."""
    tree = ast.parse(Path(inspect.getfile(kind)).read_text())
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
    asks = (call for call in calls if call.func.attr in ("_submit", "_ask") and call.args)
    return {call.args[0].value for call in asks if isinstance(call.args[0], ast.Constant)}


@pytest.mark.parametrize("kind", [k for k in KINDS if issubclass(k, LivePanel)], ids=lambda kind: kind.__name__)
def test_every_part_has_words_for_what_is_done(kind):
    missing = parts_of(kind) - set(kind.doing)
    assert not missing, f"{kind.__name__}.doing has no words for {missing}"
    assert all(words and words[0].islower() and not words.endswith(".") for words in kind.doing.values())
