"""One browser and one server of each kind for the session; a fresh page per test that may talk to loopback only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import patience
import pytest
from narrow import NarrowHost
from playwright.sync_api import Browser, Page, expect, sync_playwright
from servers import FONTS, TOKEN, Server, all_done, lab_server, run_all
from warm import Warm

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


@pytest.fixture(scope="session")
def chromium(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def patient() -> None:
    """What a page is expected to show may take as long as this machine needs just now."""
    expect.set_options(timeout=patience.milliseconds())


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1100, "height": 900}, color_scheme="light")
    context.set_default_timeout(patience.milliseconds())
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    yield page
    context.close()
    local = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")
    foreign = [u for u in requests if not u.startswith(local) and not any(f in u.lower() for f in FONTS)]
    assert foreign == []
    assert requests


@pytest.fixture(autouse=True)
def own_notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test writes notes where the user keeps them."""
    monkeypatch.setenv("TOOLKIT_NOTES", str(tmp_path / "notes"))


@pytest.fixture
def host(page: Page) -> Iterator[NarrowHost]:
    """A page of the narrow contract; what went wrong in it fails the test."""
    found = NarrowHost(page)
    yield found
    found.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Iterator[Server]:
    server = lab_server(tmp_path_factory.mktemp("lab"), warm)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Iterator[Server]:
    arguments = ["jupyter", "notebook", f"--IdentityProvider.token={TOKEN}", "--allow-root", "--ServerApp.root_dir=."]
    app = "--JupyterNotebookApp.expose_app_in_browser=True"
    server = Server(tmp_path_factory.mktemp("notebook7"), [*arguments, app], f"/api/status?token={TOKEN}", warm)
    yield server
    server.stop()


@pytest.fixture
def open_lab(lab: Server, page: Page) -> Iterator[Callable[[str, list[str]], Page]]:
    """Writes a notebook whose last cell prints ALLDONE, opens it in JupyterLab and runs it; a cell's error is told."""

    def open_(name: str, cells: list[str]) -> Page:
        lab.notebook(name, cells)
        page.goto(f"{lab.url}/doc/tree/{name}?token={TOKEN}")
        run_all(page)
        all_done(page)
        return page

    yield open_
    page.evaluate("() => { window.jupyterapp?.shell?.currentWidget?.context?.sessionContext?.shutdown(); }")


@pytest.fixture(scope="session")
def voila(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("voila")
    server = Server(folder, ["voila", ".", "--Voila.ip=127.0.0.1"], "/", warm)
    yield server
    server.stop()
