"""`toolkit app` as a user runs it: a process of its own, its page in a browser, everything it must not give away."""

from __future__ import annotations

import base64
import http.client
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import patience
import pytest
from playwright.sync_api import Browser, Page, expect
from servers import free_port, pixels, press, wait

GRID = """
import os
import numpy as np
import toolkit as tk
print("kernel", os.getpid())
tk.HeadGrid(np.random.default_rng(0).normal(size=(4, 8)), title="A map")
"""


class App:
    """A running command, with folders of its own for whatever Jupyter and it write."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.temporary = folder / "tmp"
        places = {"TMPDIR": "tmp", "IPYTHONDIR": "ipython"}
        places |= {f"JUPYTER_{name}_DIR": name.lower() for name in ("RUNTIME", "CONFIG", "DATA")}
        for place in places.values():
            (folder / place).mkdir(parents=True, exist_ok=True)
        # Voilà's own configuration, which must not count
        (folder / "voila.json").write_text('{"Voila": {"ip": "0.0.0.0", "token": ""}}')
        (folder / "config" / "voila.json").write_text('{"Voila": {"ip": "0.0.0.0", "token": ""}}')
        environment = os.environ | {name: str(folder / place) for name, place in places.items()}
        command = [sys.executable, "-m", "toolkit", "app", "--no-browser", *map(str, arguments)]
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        found = wait(self._address, f"no address; see {self.log}")
        self.base, self.token = found.group(1), found.group(2)
        self.port = int(self.base.rstrip("/").rpartition(":")[2])

    def _address(self) -> re.Match[str] | None:
        assert self.process.poll() is None, self.log.read_text()
        return re.search(r"(http://127\.0\.0\.1:\d+/)\?token=([\w-]{40,})\n", self.log.read_text())

    @property
    def address(self) -> str:
        return f"{self.base}?token={self.token}"

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        """Status and text of one answer, redirections not followed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=patience.seconds())
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            text = "" if answer.status == 101 else answer.read().decode()
            return answer.status, text
        finally:
            connection.close()

    def kernels(self) -> list[Path]:
        """The connection files of kernels that run."""
        return list(self.temporary.rglob("kernel-*.json"))

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """The exit status."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        try:
            return self.process.wait(patience.seconds())
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@contextmanager
def running(folder: Path, *arguments: object) -> Iterator[App]:
    app = App(folder, *arguments)
    try:
        yield app
    finally:
        app.end()


def notebook(path: Path, *sources: str, markdown: str = "") -> Path:
    cells = [nbformat.v4.new_markdown_cell(markdown)] if markdown else []
    book = nbformat.v4.new_notebook(cells=[*cells, *map(nbformat.v4.new_code_cell, sources)])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)
    return path


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    (folder / "secret.png").write_bytes(b"mine")
    path = notebook(folder / "a grid.ipynb", GRID)
    before = path.read_bytes()
    with running(folder, "--notebook", path) as app:
        yield app
    assert path.read_bytes() == before


@pytest.fixture
def strict(page: Page) -> Iterator[Page]:
    """A page that may ask nobody else for anything: Voilà's own two requests are not allowed either."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    yield page
    assert [
        url for url in asked if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))
    ] == []


def opened(page: Page, app: App) -> Page:
    """The page once it is painted; the line that says what is awaited was there before and is gone."""
    page.goto(app.address, wait_until="commit")
    expect(page.locator("#tka-status")).to_contain_text("Starting a kernel and")
    page.locator("#tka-status").wait_for(state="detached")
    return page


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def kernel_of(page: Page) -> int:
    """The process id of the page's kernel, which its notebook prints."""
    return int(page.get_by_text(re.compile(r"^kernel \d+")).inner_text().split()[1])


# ── the token ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_the_token_there_is_no_page_and_no_kernel(grid: App) -> None:
    there = len(grid.kernels())
    wrong = "x" * len(grid.token)
    for path in ("/", "/?token=", f"/?token={wrong}", "/voila/render/a%20grid.ipynb", "/login"):
        for headers in ({}, {"Authorization": f"token {wrong}"}, {"Cookie": f"username-127-0-0-1-{grid.port}=x"}):
            status, text = grid.ask("GET", path, **headers)
            assert status == (200 if path == "/login" else 302), path
            assert "jupyter-config-data" not in text
            assert "kernelId" not in text
    with urllib.request.urlopen(grid.base, timeout=patience.seconds()) as answer:  # where that leads
        assert "This page needs its token" in answer.read().decode()
    some = "12345678-1234-1234-1234-123456789abc"
    for method, path in (
        ("GET", f"/api/kernels/{some}"), ("DELETE", f"/api/kernels/{some}"), ("POST", "/api/kernels"),
        ("GET", "/api/kernels"), ("GET", "/api/contents"), ("POST", f"/voila/api/shutdown/{some}"),
        ("GET", "/voila/files/secret.png"), ("GET", "/voila/files/a%20grid.ipynb"),
    ):  # fmt: skip
        status, text = grid.ask(method, path)
        assert status in (302, 403, 405), (method, path, status)
        assert "mine" not in text
    assert len(grid.kernels()) == there


def test_without_the_token_nobody_talks_to_a_kernel_that_runs(grid: App, strict: Page) -> None:
    page = opened(strict, grid)
    kernel = page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId")
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in page.context.cookies())
    key = base64.b64encode(os.urandom(16)).decode()
    shake = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": key}
    channels = f"/api/kernels/{kernel}/channels"
    elsewhere = {"Cookie": cookies, "Origin": "http://evil.example"}
    assert grid.ask("GET", channels, **shake)[0] == 403
    assert grid.ask("GET", channels, **shake, Origin=grid.base.rstrip("/"))[0] == 403
    assert grid.ask("GET", f"{channels}?token=wrong", **shake)[0] == 403
    assert grid.ask("GET", channels, **shake, **elsewhere)[0] == 403
    assert grid.ask("GET", channels, **shake, Cookie=cookies)[0] == 101  # with what the token gave, it is open
    assert grid.ask("GET", f"/api/kernels/{kernel}")[0] == 403
    assert grid.ask("DELETE", f"/api/kernels/{kernel}")[0] == 403
    assert grid.ask("POST", f"/voila/api/shutdown/{kernel}")[0] == 403
    assert grid.ask("GET", f"/api/kernels/{kernel}", Cookie=cookies)[0] == 200
    assert alive(kernel_of(page))


def test_the_token_may_be_typed(grid: App, strict: Page, screenshots: Path) -> None:
    strict.emulate_media(color_scheme="dark")
    strict.goto(grid.base)
    strict.get_by_label("Token").fill("wrong")
    strict.get_by_role("button", name="Open").click()
    expect(strict.get_by_role("alert")).to_contain_text("not the token of this server")
    strict.screenshot(path=screenshots / "app-token.png")
    strict.get_by_label("Token").fill(grid.token)
    press(strict.get_by_label("Token"), "Enter")
    strict.locator(".tk-panel[data-seq]").wait_for()


def test_it_listens_on_loopback_alone(grid: App) -> None:
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("not run: no /proc/net/tcp")
    port = f"{grid.port:04X}"
    rows = [line.split() for file in ("tcp", "tcp6") for line in Path("/proc/net", file).read_text().splitlines()[1:]]
    assert [row[1] for row in rows if row[1].endswith(":" + port) and row[3] == "0A"] == [f"0100007F:{port}"]


# ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_in_light_and_dark(grid: App, strict: Page, screenshots: Path) -> None:
    page = opened(strict, grid)
    assert page.title() == "a grid"
    assert page.locator("html").get_attribute("lang") == "en"
    expect(page.get_by_role("heading", level=1, name="a grid")).to_be_visible()
    main = page.get_by_role("main")
    expect(main).to_have_attribute("aria-busy", "false")
    panel = main.locator(".tk-panel")
    assert pixels(panel).std() > 10
    assert "import numpy" not in page.content()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for scheme in ("light", "dark"):  # of an open page, too
        page.emulate_media(color_scheme=scheme)
        expect(panel).to_have_attribute("data-theme", scheme)
        assert bool(pixels(page)[5, 5].mean() > 128) is (scheme == "light")
        page.screenshot(path=screenshots / f"app-{scheme}.png")
    page.get_by_role("gridcell", name="layer 0, head 5").click()
    expect(panel).to_contain_text("L0.H5")


def test_nothing_in_a_page_can_reach_another_host(grid: App, chromium: Browser) -> None:
    context = chromium.new_context()
    context.set_default_timeout(patience.milliseconds())
    page = opened(context.new_page(), grid)
    blocked = page.evaluate(
        """async () => {
            const said = [];
            document.addEventListener("securitypolicyviolation", (event) => said.push(event.effectiveDirective));
            const host = "http://192.0.2.1/x";
            const add = (tag, given) => document.body.append(Object.assign(document.createElement(tag), given));
            await fetch(host).catch(() => {});
            for (const tag of ["img", "script", "iframe"]) add(tag, {src: host});
            add("link", {rel: "stylesheet", href: host});
            try { new WebSocket("ws://192.0.2.1/x"); } catch {}
            await new Promise((done) => setTimeout(done, 500));
            return said;
        }"""
    )
    context.close()
    wanted = ["connect-src", "connect-src", "frame-src", "img-src", "script-src-elem", "style-src-elem"]
    assert sorted(blocked) == wanted


def test_a_closed_page_ends_its_kernel(grid: App, strict: Page) -> None:
    kernel = kernel_of(opened(strict, grid))
    assert alive(kernel)
    strict.goto(f"{grid.base}voila/templates/toolkit/static/app.css")
    wait(lambda: not alive(kernel), "the kernel outlived its page", patience.SOON)


def test_an_error_is_told_in_words(tmp_path: Path, strict: Page, screenshots: Path) -> None:
    cells = ("import toolkit as tk", "tk.scenes('tset', n=4)", "print('never')")
    path = notebook(tmp_path / "bad.ipynb", *cells, markdown="# <b>Mistaken</b>\n\nOn purpose.")
    with running(tmp_path, "--notebook", path) as app:
        page = opened(strict, app)
        told = page.get_by_role("alert").filter(has_text="Python stopped")
        for words in ("InputError", "scenes: got split='tset'. Accepted: ", "To fix: name one of these."):
            expect(told).to_contain_text(words)
        expect(page.get_by_text("never", exact=True)).to_have_count(0)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)  # the notebook's own
        where = told.get_by_text("Where it happened")
        expect(told.get_by_text("Traceback")).to_be_hidden()
        where.focus()
        press(where, "Enter")
        expect(told.get_by_text("Traceback")).to_be_visible()
        page.screenshot(path=screenshots / "app-error.png")


# ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_end_leaves_no_process_and_no_folder(
    tmp_path: Path, strict: Page, screenshots: Path, by: signal.Signals
) -> None:
    path = notebook(tmp_path / "grid.ipynb", GRID)
    with running(tmp_path, "--notebook", path, "--port", free_port()) as app:
        kernel = kernel_of(opened(strict, app))
        assert app.end(by) == 0
        wait(lambda: not alive(kernel), "a kernel was left", patience.SOON)
        assert list(app.temporary.iterdir()) == []
        with pytest.raises(OSError, match="refused"):
            app.ask("GET", "/")
        expect(strict.get_by_role("alert")).to_contain_text("Nobody answers any more")
        assert "Traceback" not in app.log.read_text()
        strict.screenshot(path=screenshots / "app-ended.png")


def test_the_end_while_a_cell_still_runs(tmp_path: Path, strict: Page) -> None:
    busy = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(600)"
    path = notebook(tmp_path / "busy.ipynb", busy)
    with running(tmp_path, "--notebook", path) as app:
        strict.goto(app.address, wait_until="commit")
        written = tmp_path / "pid"
        kernel = int(wait(lambda: written.exists() and written.read_text()))
        assert app.end() == 0
        wait(lambda: not alive(kernel), "a kernel was left", patience.SOON)
        assert list(app.temporary.iterdir()) == []


# ── the explorer ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_explorer(tmp_path: Path, strict: Page, screenshots: Path) -> None:
    strict.set_viewport_size({"width": 1440, "height": 1000})
    with running(tmp_path, "--images", 300) as app:
        page = opened(strict, app)
        assert page.title() == "CLIP head explorer"
        expect(page.get_by_role("main")).to_contain_text("The built-in model, 300 scenes of the built-in world.")
        root = page.locator(".tk-panel.tkex")
        root.wait_for()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert pixels(root).std() > 10
        root.locator(".tkex-picker").get_by_label("landbird taken for waterbird").click()
        expect(root.locator(".tkex-chip").first).to_contain_text("landbird → waterbird")
        root.get_by_role("tab", name="Heads off").click()
        expect(root.locator(".tkl-groups tr")).to_have_count(8)
        root.get_by_role("tab", name="Mistakes").click()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            expect(root).to_have_attribute("data-theme", scheme)
            page.screenshot(path=screenshots / f"app-explorer-{scheme}.png")
