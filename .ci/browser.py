"""A Chromium for the browser tests: prints the path of one that really starts, and says on stderr how it came.

Looked for in this order: $TOOLKIT_BROWSER, the PATH, one that Playwright already has, the distribution's package,
Playwright's download. Without any, the exit status is 0 and nothing is printed, unless TOOLKIT_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from system import install, line, run, say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLAYWRIGHT = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"


def main() -> int:
    """Print the browser's path and return 0; without one, 1 if browser tests are required."""
    path = next((path for path in candidates() if starts(path)), None)
    if path:
        say(f"Browser: {path}")
        print(path)
        return 0
    required = os.environ.get("TOOLKIT_REQUIRE_BROWSER") == "1"
    say(f"\n{missing()}\nBrowser tests are {'required, so this is a failure' if required else 'SKIPPED'}.\n")
    return int(required)


def missing() -> str:
    """Why there is no browser, and the one line to run."""
    if named := os.environ.get("TOOLKIT_BROWSER"):
        return f"TOOLKIT_BROWSER names {named}, which does not start. Name another one, or unset it."
    if any(playwright_own()):  # it is there and does not start: Debian's or Ubuntu's libraries are missing
        why, command = "lacks system libraries", f"sudo {sys.executable} -m playwright install-deps chromium"
    else:
        why, command = "could not be had", line("chromium")
    return (
        "No Chromium that starts: none on the PATH, no distribution package without more rights, and Playwright's own\n"
        f"{why}. To get one, run this line and try again:\n\n    {command}\n"
    )


def candidates() -> Iterator[str]:
    """Paths worth a try, each provided only when those before it did not start."""
    named = os.environ.get("TOOLKIT_BROWSER")
    if named:
        yield named
        return
    yield from on_path()
    yield from playwright_own()
    if install("chromium"):
        yield from on_path()
    say("Fetching Playwright's own Chromium (about 0.3 GB)")
    playwright = [sys.executable, "-m", "playwright"]
    if run([*playwright, "install", "chromium"]):
        yield from playwright_own()
        if run([*playwright, "install-deps", "chromium"]):
            yield from playwright_own()


def on_path() -> Iterator[str]:
    """The usual names, as far as the PATH has them."""
    yield from (path for name in NAMES if (path := shutil.which(name)))


def playwright_own() -> Iterator[str]:
    """Where Playwright keeps its Chromium, if it is there."""
    asked = subprocess.run([sys.executable, "-c", PLAYWRIGHT], capture_output=True, text=True, check=False)
    path = asked.stdout.strip()
    if path and os.path.exists(path):  # noqa: PTH110 (a string all the way)
        yield path


def starts(path: str) -> bool:
    """Whether the browser really opens a page (Ubuntu's `chromium-browser` may be only a hint to install a snap)."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom"]
        try:
            shown = subprocess.run(
                [path, *flags, "data:text/html,<p>toolkit-ready"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return False
    return "toolkit-ready" in shown.stdout


if __name__ == "__main__":
    sys.exit(main())
