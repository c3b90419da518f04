"""Waits grow with what a small fixed job takes, and do not shrink below what they are on a quiet machine."""

from __future__ import annotations

import patience
import pytest


@pytest.fixture
def slow(monkeypatch):
    """Sets how many times slower than the quiet machine the job is found to be."""
    now = [1.0]
    monkeypatch.setattr(patience, "_measured", (-patience.LASTS, 1.0))
    monkeypatch.setattr(patience, "job", lambda: now[0] * patience.QUIET)
    return lambda times: now.__setitem__(0, times)


def test_a_slow_machine_is_given_its_time(slow):
    slow(3)
    assert patience.factor(anew=True) == pytest.approx(3)
    assert patience.seconds(2) == pytest.approx(6)
    assert patience.milliseconds(2) == pytest.approx(6000)


def test_a_fast_machine_shortens_nothing(slow):
    slow(0.1)
    assert patience.factor(anew=True) == 1


def test_it_is_measured_again_after_a_while_and_not_before(slow, monkeypatch):
    slow(2)
    assert patience.factor() == pytest.approx(2)
    slow(5)
    assert patience.factor() == pytest.approx(2)
    monkeypatch.setattr(patience, "_measured", (patience.time.monotonic() - patience.LASTS - 1, 2.0))
    assert patience.factor() == pytest.approx(5)


def test_a_deadline_moves_on_where_the_machine_has_become_slower(slow, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    deadline = patience.Deadline(10)
    now[0] += 11
    slow(4)
    assert not deadline.passed()
    now[0] += 30
    assert deadline.passed()


def test_the_job_takes_its_time():
    assert patience.job() > 0
