"""Ctrl-C at any moment leaves a process usable: in its first seconds, while packages are imported, and later."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import patience
import pytest
from jupyter_client.manager import start_new_kernel

from toolkit import interrupts

HERE = Path(__file__).parent
FIRST = """
import os, signal, sys, threading, time
import toolkit as tk

signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts the tests may ignore interrupts
threading.Timer(float(sys.argv[1]), os.kill, [os.getpid(), signal.SIGINT]).start()
came = False
try:
    tk.extract(tk.load(), tk.scenes("test", n=64), sys.argv[2], progress=False)
    time.sleep(5)
except KeyboardInterrupt:
    came = True
time.sleep(0.2)
acts = tk.extract(tk.load(), tk.scenes("test", n=64), sys.argv[2], progress=False)
tk.locate(acts, tk.classes(["waterbird", "landbird", "cat"]))
print("good" if came else "it came too late")
"""
MOMENTS = [0.8, *(pytest.param(moment, marks=pytest.mark.wide) for moment in (0.05, 0.2, 0.4, 1.2, 1.8, 2.5, 3.5))]


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_in_the_first_extract_of_a_process_which_imports_everything(moment, tmp_path):
    """Every later call failed, as modules had been executed by half."""
    command = [sys.executable, "-c", FIRST, str(moment), str(tmp_path / "x.zarr")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=patience.seconds(240))
    assert ended.stdout.strip() == "good", ended.stderr[-2000:]


@pytest.mark.wide
@pytest.mark.parametrize("seed", range(3))
def test_ten_times_in_a_row_in_any_verb_and_constructor(seed):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(HERE / "interrupted.py"), str(seed), "10"]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=patience.seconds(900), env=environment
    )  # fmt: skip
    assert ended.stdout.strip().splitlines()[-1].startswith("good after 10"), ended.stdout + ended.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("action", ["fingerprint", "scenes", "pursuit", "extraction", "worker"])
def test_in_the_moment_a_lock_was_entered_nothing_is_locked_for_ever(action):
    """A pool's threads waited for a semaphore whose lock an interrupt had left held, and the main thread for them."""
    command = [sys.executable, str(HERE / "interrupted_locks.py"), action]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=patience.seconds(240), env=environment
    )  # fmt: skip
    found = re.search(r"good after (\d+)", ended.stdout)
    assert found, ended.stdout + ended.stderr[-3000:]
    assert int(found[1]) > 0


@pytest.mark.wide
def test_ten_times_in_a_row_in_a_kernel():
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        for i in range(10):
            client.execute("import toolkit as tk; m = tk.load(); x = tk.Explorer(m, tk.scenes('val', n=200)); x.wait()")
            time.sleep(0.2 + 0.35 * i)
            manager.interrupt_kernel()
            client.get_shell_msg(timeout=patience.seconds(120))
        code = "a = tk.extract(m, tk.scenes('val', n=40), progress=False); n = len(tk.Explorer(m, a).wait().acts)"
        reply = client.execute(code, reply=True, timeout=patience.seconds(240))
        assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


# how it is done


def test_a_call_is_done_whole_and_the_interrupt_comes_right_after_it():
    before, done = signal.signal(signal.SIGINT, signal.default_int_handler), []

    def act():
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
        done.append(1)

    def fails():
        os.kill(os.getpid(), signal.SIGINT)
        raise ValueError

    try:
        for call in (act, fails):
            with pytest.raises(KeyboardInterrupt):
                interrupts.whole(call)
        assert done == [1]
        with interrupts.held():
            assert interrupts.whole(lambda: 3) == 3
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that an interrupt reaches while it is executed, in a place of installed ones."""
    body = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nfor _ in range(1000): pass\nwhole = True\n"
    (tmp_path / "interrupted_package.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(interrupts, "_PLACES", (str(tmp_path),))
    importlib.invalidate_caches()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # workers of pytest-xdist ignore them
    yield "interrupted_package"
    signal.signal(signal.SIGINT, before)
    sys.modules.pop("interrupted_package", None)


def test_an_import_is_done_whole_and_the_interrupt_comes_after_it(package):
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 – when it comes is what is tested
        importlib.import_module(package)
        assert sys.modules[package].whole
        time.sleep(patience.seconds(5))


def test_what_is_not_installed_is_interrupted_at_once(package, monkeypatch):
    monkeypatch.setattr(interrupts, "_PLACES", ())
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module(package)
    assert package not in sys.modules


def test_the_handler_of_others_is_theirs_again():
    came = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(1))
    try:
        with interrupts.held(), interrupts.held():
            os.kill(os.getpid(), signal.SIGINT)
            assert not came
        end = time.monotonic() + patience.seconds(5)
        while not came and time.monotonic() < end:
            time.sleep(0.01)
        assert came == [1]
    finally:
        signal.signal(signal.SIGINT, before)


class Asks:
    """A finder of another package, which asks all the others too."""

    def find_spec(self, name, path, target=None):
        others = (finder for finder in sys.meta_path if finder is not self)
        return next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)


@pytest.mark.parametrize("asking", [interrupts.Whole, Asks])
def test_beside_other_finders_that_ask_every_finder(asking, package, monkeypatch):
    """Two copies of the toolkit in one process called each other without end."""
    monkeypatch.setattr(sys, "meta_path", [interrupts.Whole(), asking(), *sys.meta_path])
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 – when it comes is what is tested
        importlib.import_module(package)
        assert sys.modules[package].whole
        time.sleep(patience.seconds(5))


def test_other_threads_import_as_ever():
    done = []
    thread = threading.Thread(target=lambda: done.append(importlib.import_module("wave")))
    thread.start()
    thread.join(patience.seconds(10))
    assert done
