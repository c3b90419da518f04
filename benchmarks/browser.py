"""A real JupyterLab for benchmarks and pictures: the servers of the browser tests, and Chromium without a network."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toolkit.errors import MissingWeightsError

HERE = Path(__file__).resolve().parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]


def rig() -> Any:
    """The servers of the browser tests."""
    tests = HERE.parent / "tests"
    sys.path += [str(tests), str(tests / "browser")]
    return importlib.import_module("servers")


def chromium() -> str:
    """Where the browser is."""
    names = ("chromium", "chromium-browser", "google-chrome")
    named = os.environ.get("TOOLKIT_BROWSER") or next(filter(None, map(shutil.which, names)), None)
    if not named:
        fix = "install it, or set TOOLKIT_BROWSER to its path"
        raise MissingWeightsError("bench", "no Chromium", "Chromium or Chrome on the path", fix)
    return named


@contextmanager
def lab(width: int = 1200, height: int = 1400, scale: float = 1) -> Iterator[tuple[Any, Any, Any]]:
    """JupyterLab in a folder of its own and a page: (servers, server, page)."""
    from playwright.sync_api import sync_playwright

    servers = rig()
    with tempfile.TemporaryDirectory() as name:
        server = servers.lab_server(Path(name))
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
                size = {"width": width, "height": height}
                yield servers, server, browser.new_context(viewport=size, device_scale_factor=scale).new_page()
                browser.close()
        finally:
            server.stop()


def opened(servers: Any, server: Any, page: Any, name: str, cells: list[str]) -> None:
    """Write a notebook of these cells, open it and run it to its end."""
    server.notebook(name, [*cells, "print('ALL' + 'DONE')"])
    page.goto(f"{server.url}/doc/tree/{name}?token={servers.TOKEN}")
    servers.run_all(page)
    page.get_by_text("ALLDONE", exact=True).wait_for(timeout=180_000)
