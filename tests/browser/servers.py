"""Real Jupyter servers on loopback, and what a test needs of them: pages, kernels, painted pixels."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import patience
from jupyter_client import BlockingKernelClient
from PIL import Image
from playwright.sync_api import Dialog, Locator, Page, expect
from warm import Warm

TOKEN = "browser-tests"
FONTS = ("font-awesome", "fontawesome")  # Voilà's own two requests


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Server:
    """A Jupyter server in a folder of its own; `stop` ends it by its process id. warm: where its kernels come from;
    None: they are started as anybody's.
    """

    def __init__(self, folder: Path, arguments: list[str], path: str, warm: Warm | None = None) -> None:
        self.folder, self.port = folder, free_port()
        self.runtime = folder / "runtime"
        for name in ("runtime", "tmp", "config", "data"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        environment = (
            os.environ
            | {
                "JUPYTER_RUNTIME_DIR": str(self.runtime),
                "TMPDIR": str(folder / "tmp"),
                "JUPYTER_CONFIG_DIR": str(folder / "config"),
                "JUPYTER_DATA_DIR": str(folder / "data"),
                "IPYTHONDIR": str(folder / "ipython"),
            }
            | ({} if warm is None else {"JUPYTER_PATH": warm.path})
        )
        command = [sys.executable, "-m", *arguments, f"--port={self.port}", "--no-browser"]
        self._log = (folder / "server.log").open("w")
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
        )
        self.url = f"http://127.0.0.1:{self.port}"
        wait(lambda: self._answers(path), f"{arguments[0]} did not start; see {folder / 'server.log'}")

    def _answers(self, path: str) -> bool:
        if self._process.poll() is not None:
            raise AssertionError((self.folder / "server.log").read_text()[-2000:])
        try:
            with urllib.request.urlopen(self.url + path, timeout=patience.seconds()) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(patience.seconds())
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()

    def kernel(self, expression: str) -> Any:
        """The value of an expression in the newest kernel, through its own connection file."""
        files = sorted(self.folder.rglob("kernel-*.json"), key=lambda p: p.stat().st_mtime)
        client = BlockingKernelClient(connection_file=str(files[-1]))
        client.load_connection_file()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=patience.seconds())
            code = f"__import__('json').dumps({expression})"
            asked = {"user_expressions": {"x": code}, "store_history": False}
            reply = client.execute("", reply=True, timeout=patience.seconds(), **asked)
            result = reply["content"]["user_expressions"]["x"]
            assert result["status"] == "ok", result
            return json.loads(result["data"]["text/plain"][1:-1].encode().decode("unicode_escape"))
        finally:
            client.stop_channels()

    def notebook(self, name: str, cells: list[str]) -> str:
        """Write a notebook; its name."""
        book = nbformat.v4.new_notebook()
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book.cells = [nbformat.v4.new_code_cell(source) for source in cells]
        nbformat.write(book, self.folder / name)
        return name


def lab_server(folder: Path, warm: Warm | None = None, overrides: dict[str, Any] | None = None) -> Server:
    """JupyterLab without its announcements. warm: where its kernels come from. overrides: of its settings."""
    settings = folder / "config" / "labconfig"
    settings.mkdir(parents=True)
    off = '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}'
    (settings / "page_config.json").write_text(off)
    arguments = ["jupyter", "lab", f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True"]
    if overrides:
        own = folder / "settings"
        own.mkdir()
        (own / "overrides.json").write_text(json.dumps(overrides))
        arguments.append(f"--LabServerApp.app_settings_dir={own}")
    return Server(folder, [*arguments, "--allow-root", "--ServerApp.root_dir=."], f"/api/status?token={TOKEN}", warm)


def wait(condition: Callable[[], Any], message: str = "", within: float = patience.USUAL) -> Any:
    """The first true value of a condition; an assertion error where patience ends. within: seconds, if all is quiet."""
    deadline = patience.Deadline(within)
    while True:
        value = condition()
        if value:
            return value
        assert not deadline.passed(), message or "nothing happened"
        time.sleep(0.05)


FOCUS_IN = "node => node.contains(node.getRootNode().activeElement)"


def press(where: Locator, *keys: str) -> None:
    """Press keys one by one, each once the focus is in what it is for: a busy page may give it late."""
    for key in keys:
        wait(lambda: where.evaluate(FOCUS_IN), f"{where} never had the focus, and {key} was for it")
        where.page.keyboard.press(key)


def pixels(where: Page | Locator) -> np.ndarray:
    """What is painted [h, w, 3]."""
    return np.asarray(Image.open(io.BytesIO(where.screenshot())).convert("RGB")).astype(int)


def dialogs_of(page: Page) -> list[str]:
    """What the page says in dialogs from here on; Jupyter's own "leave without saving?" is answered with yes."""
    heard: list[str] = []

    def answer(dialog: Dialog) -> None:
        if dialog.type == "beforeunload":  # dismissed, the page would stay, and `goto` would fail
            dialog.accept()
        else:
            heard.append(dialog.message)
            dialog.dismiss()

    page.on("dialog", answer)
    return heard


def ready(page: Page) -> None:
    """Wait until JupyterLab has a notebook open whose kernel is idle."""
    page.wait_for_function(
        """() => { const w = window.jupyterapp?.shell?.currentWidget?.context;
                   const s = w?.sessionContext;
                   return s && s.isReady && !s.pendingInput && s.kernelDisplayStatus === 'idle'; }"""
    )


def run_all(page: Page, token: str = "notebook:run-all-cells") -> None:
    """Run every cell of the open notebook in JupyterLab and wait for its last line, which prints DONE and a number."""
    ready(page)
    page.evaluate(f"() => {{ window.jupyterapp.commands.execute('{token}'); }}")


def all_done(page: Page) -> None:
    """Wait for the last cell of a notebook, which prints ALLDONE; the error of a cell before it is told at once."""
    failed = page.locator("[data-mime-type='application/vnd.jupyter.error']")
    page.get_by_text("ALLDONE", exact=True).or_(failed).first.wait_for()
    assert failed.all_inner_texts() == []


def cell_count(page: Page) -> int:
    """Cells in the open notebook."""
    return int(page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length"))


@contextmanager
def dark(page: Page, root: Locator) -> Iterator[None]:
    """JupyterLab in its dark theme, once a panel follows it; light again after that."""
    change = "name => { window.jupyterapp.commands.execute('apputils:change-theme', {theme: name}); }"
    try:
        page.evaluate(change, "JupyterLab Dark")
        expect(root).to_have_attribute("data-theme", "dark")
        yield
    finally:
        page.evaluate(change, "JupyterLab Light")
        expect(root).to_have_attribute("data-theme", "light")
