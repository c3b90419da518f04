"""What every test may rely on: the markers' meaning, a real browser's path, a folder for screenshots."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from warm import Warm

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = "tests/browser/"
SERVED = (
    ("explorer", "kept", "soak", "attacks"),
    (
        "edit_lab",
        "token_map",
        "ablation_lab",
        "head_grid",
        "span_explorer",
        "keywords",
        "compare_lab",
        "predict",
        "gallery",
    ),
)
"""Files whose pages come from Jupyter servers, in two shares of about the same length: each share runs in one process,
so that there are two servers of a kind at most. The other files of tests/browser go where there is room.
"""
ALONE = ("tests/test_notebooks.py", "tests/test_benchmarks.py")
"""Files of long tests that have nothing in common: any process may run any of them."""
NO_BROWSER_TESTS = "TOOLKIT_REQUIRE_BROWSER=1, but no test with the marker `browser` was collected"
REQUIRED = os.environ.get("TOOLKIT_REQUIRE_BROWSER") == "1"

hypothesis.settings.register_profile("toolkit", deadline=None, print_blob=True)  # shared machines are noisy
hypothesis.settings.load_profile("toolkit")


def pytest_configure(config: pytest.Config) -> None:
    """Side by side, a thread to each process, the kernels that tests start too: threads that wait for each other in
    turns cost many times their work. Set before the processes start, as they read it when they load numpy.
    """
    os.environ.setdefault("TOOLKIT_BACKGROUND", "0")  # what nobody asked for would slow everything else
    if getattr(config.option, "numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def find_browser() -> str | None:
    """The Chromium of `make test` (TOOLKIT_BROWSER), else the first on the PATH, else None."""
    return os.environ.get("TOOLKIT_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser to start; pass `--no-sandbox` to it where the tests run as root."""
    path = find_browser()
    assert path, "no Chromium: `make test` provides one, or name one in TOOLKIT_BROWSER"
    return path


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where browser tests leave their pictures: $TOOLKIT_SCREENSHOTS, else a temporary folder."""
    named = os.environ.get("TOOLKIT_SCREENSHOTS")
    folder = Path(named).absolute() if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests/browser, and say what cannot run here; a whole run that requires a browser must hold browser tests."""
    folder = Path(__file__).parent / "browser"
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.browser)
    items.sort(key=turn)
    browser = [item for item in items if item.get_closest_marker("browser")]
    if REQUIRED and not browser and whole_run(config):
        raise pytest.UsageError(NO_BROWSER_TESTS)
    if browser and not find_browser() and not REQUIRED:
        skip(browser, "no Chromium: `make test` provides one")
    cuda = [item for item in items if item.get_closest_marker("cuda")]
    if cuda and not has_cuda():
        skip(cuda, "not run: no CUDA device")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """The same of a run side by side, whose workers do not know that they were asked for all tests."""
    if REQUIRED and whole_run(node.config) and not any(name.startswith(BROWSER) for name in ids):
        pytest.exit(NO_BROWSER_TESTS, returncode=4)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Side by side, the tests of a file stay in one process, and so do those of a share of SERVED. (`--dist loadgroup`
    of pytest-xdist 3.8 groups nothing under pytest 9.2.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope(nodeid)

    config.option.loadscopereorder = False  # as collected: the browser's tests first
    return ByFile(config, log)


def scope(nodeid: str) -> str:
    """What must run in one process with a test."""
    file = nodeid.partition("::")[0]
    if file in ALONE:
        return nodeid
    if file.startswith(BROWSER):
        name = file.removeprefix(f"{BROWSER}test_").removesuffix(".py")
        return next((f"{BROWSER} share {n}" for n, names in enumerate(SERVED) if name in names), file)
    return file


def turn(item: pytest.Item) -> int:
    """The longest first: side by side, what is short fills the gaps at the end."""
    file = item.nodeid.partition("::")[0]
    if "share" in scope(item.nodeid):
        return 0
    return 1 if file in ALONE else 2 if file.startswith(BROWSER) else 3


def whole_run(config: pytest.Config) -> bool:
    """Whether the tests were asked for without naming or choosing any."""
    chosen = config.option.keyword or config.option.markexpr not in ("", "not wide")
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not chosen


def skip(items: list[pytest.Item], reason: str) -> None:
    """Skip these, with the reason in pytest's summary."""
    for item in items:
        item.add_marker(pytest.mark.skip(reason=reason))


def has_cuda() -> bool:
    """Asked only when a test needs it: torch takes seconds to import."""
    import torch

    return torch.cuda.is_available()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a browser is required, a browser test that skips itself has failed."""
    report = yield
    marked = item.get_closest_marker("browser") and not item.get_closest_marker("cuda")
    if REQUIRED and marked and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"browser tests are required, and this one was skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Where kernels come from that need not be started as anybody's."""
    found = Warm(tmp_path_factory.mktemp("warm"))
    yield found
    found.stop()
