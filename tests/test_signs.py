"""Work that takes long says what it does, how far it is and how to stop it; what is quick says nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from toolkit import signs
from toolkit.signs import Sign, counted, shown_by, sign


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(signs.time, "monotonic", lambda: now[0])

    def pass_(seconds):
        now[0] += seconds

    return pass_


def test_a_sign_knows_its_rate_and_the_time_left(clock):
    one = Sign("encode texts", "text")
    assert (one.rate, one.left) == (None, None)
    clock(2)
    one.at(0, 100)
    assert one.rate is None
    clock(2)
    one.at(40, 100)
    assert (one.rate, one.left) == (10, 6)


def test_what_was_there_before_counts_for_no_speed(clock):
    one = Sign("extract", "image")
    clock(1)
    one.at(500, 1000)
    assert one.rate is None
    clock(10)
    one.at(600, 1000)
    assert (one.rate, one.left) == (10, 40)


def test_inside_a_panel_the_panel_shows_it(capfd):
    seen = []
    with shown_by(lambda one: seen.append((one.what, one.unit, one.done, one.of))):
        with sign("extract", "image") as report:
            report(1, 2)
        with sign("extract", "image", progress=False) as report:
            report(2, 2)
        assert list(counted("ab", "spell", "letter")) == ["a", "b"]
    assert seen == [
        ("extract", "image", 1, 2), ("extract", "image", 2, 2), ("spell", "letter", 1, 2), ("spell", "letter", 2, 2),
    ]  # fmt: skip
    assert capfd.readouterr() == ("", "")


def test_a_function_takes_its_place():
    seen = []
    with shown_by(lambda one: pytest.fail("shown")), sign("extract", "image", lambda *at: seen.append(at)) as report:
        report(1, 2)
    assert seen == [(1, 2)]


SCRIPT = """
import time
from toolkit.signs import counted, sign
for _ in counted(range(3), "quick things", "thing"):
    pass
for _ in counted(range({n}), "long things", "thing"):
    for _ in counted(range(2), "parts of it", "part"):
        time.sleep({each} / 2)
with sign("hidden things", "thing", progress=False) as report:
    report(0, 2); time.sleep(1.2); report(1, 2); time.sleep(0.2); report(2, 2)
print("end")
"""


def said_by(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "end\n"
    return done.stderr


def test_in_a_terminal_a_bar_comes_after_a_second_and_says_how_to_stop():
    said = said_by(SCRIPT.format(n=8, each=0.3))
    assert "long things" in said
    assert "8/8" in said
    assert "Ctrl-C stops" in said
    last = said.replace("\r", "\n").strip().splitlines()[-1]
    assert "Ctrl-C" not in last, "what is over cannot be stopped"
    for quick in ("quick things", "hidden things"):
        assert quick not in said


def test_in_a_terminal_what_is_quick_says_nothing():
    assert said_by(SCRIPT.format(n=2, each=0.1)) == ""


def test_quick_work_makes_no_bar_at_all(monkeypatch):
    """In a notebook a bar is four widgets, shown or not."""
    monkeypatch.setattr(signs, "_bar", lambda *given: pytest.fail("a bar"))
    assert list(counted(range(50), "quick things", "thing")) == list(range(50))


def test_bars_that_are_turned_off_stay_off(monkeypatch, capfd):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(n=4, each=0.4)], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stderr == ""
