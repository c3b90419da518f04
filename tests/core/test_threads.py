"""Threads that use one core each leave the number of threads of everybody else as it was."""

from __future__ import annotations

import threading

import pytest
import torch

from toolkit.core.threads import one_core_each


def number_of_a_new_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def three():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


def test_one_core_inside_and_as_many_as_before_elsewhere(three):
    with one_core_each(4, "test") as pool:
        assert set(pool.map(lambda _: torch.get_num_threads(), range(16))) == {1}
        assert (torch.get_num_threads(), number_of_a_new_thread()) == (three, three)
    assert (torch.get_num_threads(), number_of_a_new_thread()) == (three, three)


def test_what_waits_is_dropped_when_the_block_is_left(three):
    go, ran = threading.Event(), []
    with one_core_each(1, "test") as pool:
        pool.submit(go.wait)
        waiting = [pool.submit(ran.append, 1) for _ in range(5)]
        threading.Timer(0.1, go.set).start()
    assert ran == []
    assert all(future.cancelled() for future in waiting)
    assert number_of_a_new_thread() == three


def test_where_no_more_threads_can_be_had_nobody_waits_for_them(three, monkeypatch):
    start, begun = threading.Thread.start, []

    def second_fails(thread):
        begun.append(thread)
        if len(begun) == 2:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", second_fails)
    with pytest.raises(RuntimeError, match="can't start"), one_core_each(3, "test"):
        pass
    monkeypatch.undo()
    assert number_of_a_new_thread() == three
