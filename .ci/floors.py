"""`make test-floors`: the fast tests on the oldest versions that pyproject.toml allows, in an environment of its own.

The environment stands in the cache, outside the checkout. What follows this file's name goes to pytest. Not in CI: what
breaks here is a floor that is too low, and the next release of something else can make it so.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

from environment import ROOT, cache, declared, ensure, in_words
from system import say
from torch_reuse import normal

EXTRAS = ("lab", "test")
SLOW_FILES = ("tests/browser", "tests/test_notebooks.py")
FAST = ["-m", "not browser and not slow and not wide", *(f"--ignore={name}" for name in SLOW_FILES)]


def main() -> int:
    """pytest's exit status; 1 after words on stderr where the floors cannot be installed together."""
    project = declared()
    wanted = floors(project)
    venv = cache() / f"floors-py{sys.version_info[0]}{sys.version_info[1]}"
    say("The oldest versions that pyproject.toml allows: " + ", ".join(f"{name} {wanted[name]}" for name in wanted))
    ensure(venv, set(EXTRAS), project, exactly=wanted)
    command = [str(venv / "bin" / "python"), "-m", "pytest", *FAST, *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False).returncode


def floors(project: dict) -> dict[str, str]:
    """The floor of every distribution that is declared for the package, lab and test: {"torch": "2.6"}."""
    table = project["project"]
    texts = [*table["dependencies"], *(text for extra in EXTRAS for text in table["optional-dependencies"][extra])]
    matches = (re.match(r"([\w.-]+).*?>=\s*([\w.]+)", text) for text in texts)  # a test says that every one has a floor
    return {normal(match[1]): match[2] for match in matches if match}


if __name__ == "__main__":
    sys.exit(in_words(main))
