"""The engine: newest wins, nothing starves, nothing leaks, whatever thread asks and whatever the work does."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import tracemalloc
import weakref

import patience
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.engine import engine as engines
from toolkit.engine import worker as workers
from toolkit.engine.engine import Engine, StoppedError
from toolkit.engine.worker import Worker, engine_for
from toolkit.signs import counted

ENGINES = [Engine, Worker]


class Gate:
    """Work that waits until it is let on."""

    def __init__(self):
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self, request):
        self.started.set()
        assert self.go.wait(patience.seconds())
        return "gate"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_result_reaches_the_callback_and_the_ticket(engine):
    got = []
    request = engine().submit("a", lambda r: 7, got.append)
    assert request.result(10) == 7
    assert got == [7]
    assert request.state == "done"


@pytest.mark.parametrize("engine", ENGINES)
def test_partial_results_and_signs_come_in_order_before_the_result(engine, monkeypatch):
    monkeypatch.setattr(engines, "QUIET", 0)
    monkeypatch.setattr(engines, "EVERY", 0)
    seen = []

    def work(request):
        for i in range(3):
            request.partial(i)
            request.progress(i + 1, 3)
        return "end"

    request = engine().submit(
        "a", work, lambda v: seen.append(v), partial=seen.append, signs=lambda sign: seen.append((sign.done, sign.of))
    )
    request.result(10)
    assert [s for s in seen if not isinstance(s, tuple)] == [0, 1, 2, "end"]
    assert [s for s in seen if isinstance(s, tuple)] == [(1, 3), (2, 3), (3, 3)]
    assert seen[0] == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_work_that_is_quick_says_nothing_of_itself(engine):
    seen = []

    def work(request):
        for i in range(100):
            request.progress(i, 100)

    engine().submit("a", work, signs=seen.append).result(10)
    assert seen == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_verb_inside_says_what_it_does_and_ends_where_it_is_cancelled(engine, monkeypatch):
    monkeypatch.setattr(engines, "QUIET", 0)
    monkeypatch.setattr(engines, "EVERY", 0)
    seen, done = [], []

    def work(request):
        for i in counted(range(9), "count", "sheep"):
            done.append(i)
            if i == 4:
                request.cancel()

    request = engine().submit("a", work, signs=lambda sign: seen.append((sign.what, sign.unit, sign.done, sign.of)))
    with pytest.raises(StoppedError):
        request.result(10)
    assert done == [0, 1, 2, 3, 4]
    assert seen == [("count", "sheep", i, 9) for i in (1, 2, 3, 4)]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exception_reaches_the_panel_and_the_engine_lives_on(engine):
    e, seen = engine(), []
    request = e.submit("a", lambda r: 1 / 0, failed=seen.append)
    with pytest.raises(ZeroDivisionError):
        request.result(10)
    assert isinstance(seen[0], ZeroDivisionError)
    assert request.state == "failed"
    assert e.submit("a", lambda r: 3).result(10) == 3


@pytest.mark.parametrize("engine", ENGINES)
def test_a_callback_that_raises_is_reported_too(engine):
    e, seen = engine(), []

    def broken(value):
        raise KeyError("panel")

    request = e.submit("a", lambda r: 1, broken, failed=seen.append)
    with pytest.raises(KeyError):
        request.result(10)
    assert isinstance(seen[0], KeyError)
    both = e.submit("a", lambda r: 1, broken, failed=broken)
    with pytest.raises(KeyError):
        both.result(10)
    assert e.submit("a", lambda r: 3).result(10) == 3


def test_the_newest_request_of_a_key_wins_and_others_keep_their_turn():
    e, gate, seen = Worker(), Gate(), []
    first = e.submit("x", gate)
    assert gate.started.wait(patience.seconds())
    tickets = [e.submit(key, lambda r, v=(key, i): v, seen.append) for i in range(5) for key in ("a", "b", "c")]
    gate.go.set()
    assert e.wait(patience.seconds())
    assert seen == [("a", 4), ("b", 4), ("c", 4)]
    assert [t.state for t in tickets] == ["superseded"] * 12 + ["done"] * 3
    assert first.state == "done"
    with pytest.raises(StoppedError, match="superseded by a newer one"):
        tickets[0].result(1)


def test_running_work_ends_at_its_next_check_once_it_has_painted():
    e, painted, steps = Worker(), threading.Event(), []

    def work(request):
        for i in range(10_000):
            steps.append(i)
            request.partial(i)
            painted.set()
            time.sleep(0.001)

    old = e.submit("a", work, partial=lambda v: None)
    assert painted.wait(patience.seconds())
    new = e.submit("a", lambda r: "new")
    assert new.result(10) == "new"
    assert old.state == "superseded"
    assert len(steps) < 5_000


def test_a_stream_of_requests_does_not_starve_the_picture(monkeypatch):
    """Each takes 60 ms in ten steps, a new one comes every 5 ms for a second: pictures keep coming, the last wins."""
    monkeypatch.setattr(engines, "PATIENCE", 0.1)
    e, painted = Worker(), []

    def work(value):
        def steps(request):
            for _ in range(10):
                time.sleep(0.006)
                request.check()
            return value

        return steps

    start = time.monotonic()
    while time.monotonic() - start < 1.0:
        last = e.submit("slider", work(time.monotonic()), lambda v: painted.append(time.monotonic()))
        time.sleep(0.005)
    last.result(10)
    gaps = [b - a for a, b in zip([start, *painted], painted, strict=False)]
    assert len(painted) >= 4
    assert max(gaps) < 0.6
    assert last.state == "done"


def test_without_patience_cancelling_alone_would_starve_it(monkeypatch):
    """The other half of the test above: it can fail."""
    monkeypatch.setattr(engines, "PATIENCE", float("inf"))
    e, painted = Worker(), []
    go, gone = threading.Semaphore(0), threading.Semaphore(0)
    e.mark("slider")

    def work(request):
        for _ in range(10):
            go.acquire()
            gone.release()
            request.check()

    for _ in range(80):  # a newer one for every step of an older
        e.submit("slider", work, lambda v: painted.append(v))
        e.mark("slider")
        go.release()
        assert gone.acquire(timeout=patience.seconds())
    assert not painted
    e.cancel()
    go.release(20)
    assert e.wait(patience.seconds())


@pytest.mark.parametrize("engine", ENGINES)
def test_cancelled_work_hands_nothing_on(engine):
    e, seen = engine(), []

    def work(request):
        request.cancel()
        request.partial("late")
        return "later"

    request = e.submit("a", work, seen.append, partial=seen.append, failed=seen.append)
    with pytest.raises(StoppedError, match="cancelled"):
        request.result(10)
    assert seen == []
    assert request.state == "cancelled"


def test_cancelling_what_waits_ends_it_at_once():
    e, gate = Worker(), Gate()
    e.submit("x", gate)
    assert gate.started.wait(patience.seconds())
    waiting = [e.submit(k, lambda r: 1) for k in "ab"]
    e.cancel("a")
    with pytest.raises(StoppedError):
        waiting[0].result(0.1)
    gate.go.set()
    assert waiting[1].result(10) == 1


def test_cancelling_reaches_what_runs_behind_what_waits():
    """An older request of the key is kept on by patience, a newer one waits; cancelled, neither may paint any more."""
    e, started, go, seen = Worker(), threading.Event(), threading.Event(), []

    def work(request):
        started.set()
        while not go.is_set():
            request.progress(1, 2)
            time.sleep(0.002)
        return "old"

    old = e.submit("a", work, seen.append, signs=lambda sign: None)
    assert started.wait(patience.seconds())
    new = e.submit("a", lambda r: "new", seen.append)
    e.cancel()
    assert e.wait(patience.seconds()), "cancelled work ran on"
    go.set()
    assert (old.state, new.state) == ("cancelled", "cancelled")
    assert seen == []


def test_when_only_the_newer_one_is_cancelled_the_older_does_not_come_back():
    e, started, seen = Worker(), threading.Event(), []

    def work(request):
        started.set()
        for _ in range(10_000):
            request.check()
            time.sleep(0.001)

    old = e.submit("a", work, seen.append)
    assert started.wait(patience.seconds())
    e.submit("a", lambda r: "new", seen.append).cancel()
    assert e.wait(patience.seconds())
    assert old.state == "superseded"
    assert seen == []


@pytest.mark.parametrize("engine", ENGINES)
def test_no_sign_comes_after_a_cancel(engine, monkeypatch):
    monkeypatch.setattr(engines, "QUIET", 0)
    seen = []

    def work(request):
        request.cancel()
        request.progress(2, 2)

    engine_ = engine()
    engine_.submit("a", work, signs=seen.append)
    assert engine_.wait(patience.seconds())
    assert seen == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_failed_ticket_keeps_its_words_and_not_its_images(engine):
    class Images:
        pass

    alive = weakref.WeakSet()

    def work(request):
        images = Images()
        alive.add(images)
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError("outer") from error

    e = engine()
    ticket = e.submit("a", work)
    assert e.wait(patience.seconds())
    gc.collect()
    assert len(alive) == 0
    with pytest.raises(ValueError, match="outer") as caught:
        ticket.result(1)
    assert "in work" in "".join(caught.value.__notes__), "where it happened is still told"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_callback_may_submit(engine):
    e, seen = engine(), []
    e.submit("a", lambda r: 1, lambda v: e.submit("a", lambda r: 2, seen.append))
    assert e.wait(patience.seconds())
    assert seen == [2]


def test_submitting_returns_at_once_while_the_worker_is_busy():
    e, gate = Worker(), Gate()
    e.submit("x", gate)
    assert gate.started.wait(patience.seconds())
    start = time.perf_counter()
    for i in range(200):
        e.submit("y", lambda r, i=i: i)
    assert time.perf_counter() - start < 2.0  # it would wait for ever, not a little
    gate.go.set()
    assert e.wait(patience.seconds())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=40), st.integers(1, 4))
def test_from_many_threads_the_last_of_every_key_is_what_is_painted_last(jobs, threads):
    e, painted, lock, order = Worker(), {}, threading.Lock(), {}

    def ask(mine):
        for key, value in mine:
            with lock:  # "last" has a meaning only if asking and noting it are one
                order[key] = value
                e.submit(key, lambda r, v=value: v, lambda v, k=key: painted.__setitem__(k, v))

    crowd = [threading.Thread(target=ask, args=(jobs[i::threads],)) for i in range(threads)]
    for t in crowd:
        t.start()
    for t in crowd:
        t.join()
    assert e.wait(patience.seconds())
    assert painted == order


def test_two_engines_work_side_by_side():
    a, b, gate = Worker(), Worker(), Gate()
    a.submit("x", gate)
    assert gate.started.wait(patience.seconds())
    assert b.submit("x", lambda r: "b").result(10) == "b"
    gate.go.set()
    assert a.wait(patience.seconds())


def test_all_work_of_an_engine_runs_on_one_thread_without_gradients_and_leaves_the_callers_mode():
    e, seen = Worker(), []
    for i in range(5):
        e.submit(str(i), lambda r: seen.append((threading.get_ident(), torch.is_grad_enabled())))
    assert e.wait(patience.seconds())
    assert len({t for t, _ in seen}) == 1
    assert seen[0][0] != threading.get_ident()
    assert not any(grad for _, grad in seen)
    assert torch.is_grad_enabled()


def test_an_interrupt_inline_reaches_the_user_and_the_engine_goes_on():
    e = Engine()

    def interrupted(request):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        e.submit("a", interrupted)
    assert e.submit("a", lambda r: 1).result(1) == 1


def test_an_interrupt_in_the_worker_does_not_end_it():
    e = Worker()

    def interrupted(request):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        e.submit("a", interrupted).result(10)
    assert e.submit("a", lambda r: 1).result(10) == 1


def test_one_worker_per_model_which_goes_with_it():
    class Model:
        pass

    a, b = Model(), Model()
    assert engine_for(a) is engine_for(a)
    assert engine_for(a) is not engine_for(b)
    gone = weakref.ref(engine_for(a))
    del a
    gc.collect()
    assert gone() is None


def test_the_thread_ends_when_idle_and_comes_back(monkeypatch):
    monkeypatch.setattr(workers, "IDLE", 0.05)
    e = Worker()
    assert e.submit("a", lambda r: 1).result(10) == 1
    deadline = time.monotonic() + 10
    while e._thread is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert e._thread is None
    assert e.submit("a", lambda r: 2).result(10) == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_ten_thousand_requests_leave_nothing_behind(engine):
    class Payload:
        def __init__(self):
            self.data = bytearray(10_000)

    e, alive, threads = engine(), weakref.WeakSet(), threading.active_count()

    def ask(n):
        for i in range(n):
            payload = Payload()
            alive.add(payload)
            e.submit(f"key {i % 7}", lambda r, p=payload: p, lambda v: None, partial=lambda v: None)
        assert e.wait(patience.seconds())

    ask(500)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        ask(10_000)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(alive) == 0
    assert grown < 100_000, grown
    assert not e._newest
    assert not e._waiting
    assert not e._painted
    assert threading.active_count() <= threads + 1


BUSY = """
import time, torch
from toolkit.engine.worker import Worker

def work(request):
    x = torch.ones(64, 64)
    while True:
        x = (x @ x).softmax(-1)
        request.check()

Worker().submit("busy", work)
time.sleep(0.3)
"""


DEAF = BUSY.replace("        request.check()\n", "") + "import sys; sys.exit(3)\n"
SWALLOWING = """
import sys, time
from toolkit.engine.worker import Worker

def work(request):
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            if len(sys.argv) > 1:
                return

Worker().submit("busy", work)
time.sleep(0.3)
raise ValueError("the script's own")
"""


@pytest.mark.parametrize(
    ("code", "status", "said"), [(BUSY, 0, ""), (DEAF, 3, ""), (SWALLOWING, 1, "the script's own")]
)
def test_a_process_waits_for_its_workers_and_ends_with_the_status_of_the_script(code, status, said):
    """A daemon thread that is killed inside a tensor operation aborts the process; work ends whether it asks or not."""
    ended = subprocess.run([sys.executable, "-c", code, "give up"], capture_output=True, text=True, timeout=120)
    assert ended.returncode == status
    assert said in ended.stderr
    assert "terminate" not in ended.stderr
    assert "toolkit engine" not in ended.stderr, "nothing of the thread's own"


def test_a_closed_worker_takes_nothing_more():
    e, gate = Worker(), Gate()
    running, waiting = e.submit("a", gate), e.submit("b", lambda r: 1)
    assert gate.started.wait(patience.seconds())
    thread = e.close()
    gate.go.set()
    thread.join(patience.seconds())
    assert not thread.is_alive()
    assert (running.state, waiting.state) == ("cancelled", "cancelled")
    with pytest.raises(StoppedError):
        e.submit("c", lambda r: 2).result(1)


def test_work_that_never_asks_is_ended_where_it_is():
    e, started = Worker(), threading.Event()

    def work(request):
        started.set()
        while True:
            time.sleep(0.001)

    request = e.submit("a", work)
    assert started.wait(patience.seconds())
    thread = e.close(now=True)
    thread.join(patience.seconds())
    assert not thread.is_alive()
    assert request.state == "cancelled"
