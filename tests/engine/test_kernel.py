"""The worker in a real kernel: with subshells and without, while a cell runs, after an interrupt."""

from __future__ import annotations

import ast
import time

import pytest
from jupyter_client import KernelManager

SETUP = """
import threading, time
from toolkit.engine.worker import Worker
engine, log = Worker(), []
def ask(value, seconds=0.05):
    def work(request):
        for i in range(5):
            time.sleep(seconds / 5)
            request.partial((value, i))
        return value
    engine.submit("panel", work, lambda v: log.append((v, time.monotonic())), partial=lambda v: None)
"""


class Kernel:
    """A kernel, and a subshell of it where it has them."""

    def __init__(self):
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel()
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.run(SETUP)

    def run(self, code):
        reply = self.client.execute(code, reply=True, timeout=60)
        assert reply["content"]["status"] == "ok", reply["content"]

    def start(self, code):
        return self.client.execute(code)

    def reply(self, sent, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            message = self.client.get_shell_msg(timeout=seconds)
            if message["parent_header"].get("msg_id") == sent:
                return message["content"]
        raise AssertionError("no reply")

    def subshell(self):
        message = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(message)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            reply = self.client.get_control_msg(timeout=20)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return reply["content"].get("subshell_id")
        raise AssertionError("no reply to create_subshell_request")

    def beside(self, subshell, code, expression="None"):
        """Run code in a subshell; the value of an expression there."""
        content = {
            "code": code, "silent": False, "store_history": False, "user_expressions": {"x": expression},
            "allow_stdin": False, "stop_on_error": False,
        }  # fmt: skip
        message = self.client.session.msg("execute_request", content)
        message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        reply = self.reply(message["header"]["msg_id"])
        assert reply["status"] == "ok", reply
        return ast.literal_eval(reply["user_expressions"]["x"]["data"]["text/plain"])

    def value(self, expression):
        reply = self.client.execute("", user_expressions={"x": expression}, reply=True, timeout=30, store_history=False)
        return ast.literal_eval(reply["content"]["user_expressions"]["x"]["data"]["text/plain"])

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel():
    found = Kernel()
    yield found
    found.stop()


@pytest.mark.slow
def test_without_subshells_results_come_while_a_cell_runs(kernel):
    kernel.run("log.clear(); ask('a'); start = time.monotonic(); time.sleep(1.0); end = time.monotonic()")
    assert kernel.value("[v for v, _ in log]") == ["a"]
    assert kernel.value("start < log[0][1] < end"), "the result waited for the cell to end"


@pytest.mark.slow
def test_with_subshells_a_busy_main_thread_does_not_matter(kernel):
    subshell = kernel.subshell()
    assert subshell
    kernel.run("log.clear()")
    busy = kernel.start(
        "import time\nmain = threading.get_ident()\nend = time.monotonic() + 6\nwhile time.monotonic() < end: pass"
    )
    try:
        time.sleep(0.3)
        for i in range(10):
            kernel.beside(subshell, f"ask({i})")
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            seen = kernel.beside(subshell, "", "[v for v, _ in log]")
            if seen and seen[-1] == 9:
                break
        assert seen[-1] == 9, "the newest request won"
        assert kernel.beside(subshell, "", "time.monotonic() < end"), "all of it while the cell was still running"
    finally:
        assert kernel.reply(busy)["status"] == "ok"


@pytest.mark.slow
def test_after_an_interrupt_the_engine_goes_on(kernel):
    kernel.run("log.clear()")
    busy = kernel.start("ask('before', 1.0); time.sleep(60)")
    time.sleep(0.5)
    kernel.manager.interrupt_kernel()
    reply = kernel.reply(busy)
    assert reply["status"] == "error"
    assert reply["ename"] == "KeyboardInterrupt"
    kernel.run("engine.wait(10)")
    assert kernel.value("[v for v, _ in log]") == ["before"], "an interrupt is for the cell, not for the worker"
    kernel.run("ask('after'); engine.wait(10)")
    assert kernel.value("log[-1][0]") == "after"
    assert kernel.value("threading.active_count() < 20")
