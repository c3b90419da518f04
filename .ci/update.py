"""`make update`: the newest versions in range, everything CI does on them, and if all of it passes, constraints.txt.

The environment is made afresh in the cache, outside the checkout; one that failed stays there to be looked at.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pins
from environment import ROOT, cache, declared, ensure, in_words
from system import say

EXTRAS = {"lab", "test", "js"}
SUITE = "make jscheck, test and test-wide"


def main() -> int:
    """0 when constraints.txt holds what the suite has passed with, 1 after words on stderr."""
    project = declared()
    venv = cache() / "update"
    say(f"The newest versions that pyproject.toml allows, in {venv}")
    shutil.rmtree(venv, ignore_errors=True)
    ensure(venv, EXTRAS, project, exactly={})
    found = pins.installed(venv / "bin" / "python", project["project"]["requires-python"])
    news = pins.changes(pins.read(), found)
    if not news:
        say("Nothing is newer than constraints.txt, which stays as it is; the suite was not run.")
        shutil.rmtree(venv)
        return 0
    say("\n".join(["Against constraints.txt:", *(f"  {line}" for line in news)]))
    if not passes(venv):
        say(f"\nNot all of it passes: constraints.txt stays as it is. To look at one: TOOLKIT_VENV={venv} make test")
        return 1
    pins.FILE.write_text(pins.text(found, suite()), encoding="utf-8")
    shutil.rmtree(venv)
    say(f"\nPassed. constraints.txt holds these versions now ({len(news)} differ); look at it, and commit it.")
    return 0


def passes(venv: Path) -> bool:
    """Whether all that CI does passes in the environment; with arguments for pytest, `make test` with those."""
    part = shlex.join(sys.argv[1:])
    command = ["make", "--no-print-directory", "test"] if part else [str(ROOT / ".ci" / "run")]
    env = {**os.environ, "TOOLKIT_VENV": str(venv), "PYTHON": sys.executable, "ARGS": part}
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode == 0


def suite() -> str:
    """What has passed, for the head of the file."""
    part = shlex.join(sys.argv[1:])
    return f'only a part, make test ARGS="{part}"' if part else SUITE


if __name__ == "__main__":
    sys.exit(in_words(main))
